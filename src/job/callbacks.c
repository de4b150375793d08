/* What a job does beside its steps:
 *
 *   "callbacks": ["terminate_on_nan", {"type": "early_stopping", "patience": 3}]
 */
#include "job/job.h"
#include "train/callback/callback.h"

#include <stdlib.h>
#include <string.h>

/* Another one behind those that there are. Texts are borrowed. */
static mica_status add(mica_job *job, const mica_callback *callback)
{
    if (!mi_grow(&job->callbacks, &job->callback_capacity, (size_t)job->fit.callback_count + 1, sizeof *job->callbacks))
        return mi_out_of_memory(&job->error);
    job->callbacks[job->fit.callback_count++] = *callback;
    job->fit.callbacks = job->callbacks;
    return MICA_OK;
}

static mica_status read_callback(mica_job *job, struct mi_error *error, const cJSON *item, const char *place, mica_callback *out)
{
    static const char *const also[] = {"type", NULL};
    const cJSON *type = cJSON_IsObject(item) ? cJSON_GetObjectItemCaseSensitive(item, "type") : item;
    struct mi_callback resolved;
    if (!cJSON_IsString(type))
        return mi_fail(error, MICA_FORMAT, "%s: must be a name, or an object with a \"type\"", place);
    out->type = type->valuestring;
    const struct mi_callback_row *row = mi_callback_find(out->type);
    if (row && row->in_c_alone)
        return mi_fail(error, MICA_FORMAT, "%s: %s takes a function, which a job has none of: %s", place, row->name,
                       row->in_c_alone);
    if (row && cJSON_IsObject(item))
        MI_TRY(mi_keys_read(error, item, place, row->keys, also, out));
    MI_TRY(mi_callback_resolve(error, place, out, &resolved));
    char *path = out->path ? mi_path_join(job->folder, out->path) : NULL;
    out->path = path ? mi_arena_strdup(&job->arena, path) : NULL;
    free(path);
    return MICA_OK;
}

mica_status mi_job_callbacks(mica_job *job, struct mi_error *error, const cJSON *list)
{
    const cJSON *item;
    int i = 0;
    if (list && !cJSON_IsArray(list))
        return mi_fail(error, MICA_FORMAT, "callbacks: must be a list, such as [\"terminate_on_nan\"]");
    cJSON_ArrayForEach(item, list) {
        char place[40];
        mica_callback callback = {0};
        mi_format(place, sizeof place, "callbacks[%d]", i++);
        MI_TRY(read_callback(job, error, item, place, &callback));
        if (job->arena.failed || add(job, &callback) != MICA_OK)
            return mi_out_of_memory(error);
    }
    return MICA_OK;
}

mica_status mica_job_add_callback(mica_job *job, const mica_callback *callback)
{
    if (!job)
        return MICA_INVALID_ARGUMENT;
    if (job->error.status != MICA_OK)
        return job->error.status;
    if (!callback)
        return mi_fail(&job->device->error, MICA_INVALID_ARGUMENT, "%s: the callback to add is NULL", job->path);
    return add(job, callback);
}
