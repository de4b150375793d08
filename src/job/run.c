/* The folder of a run: what a training was, how it goes, and what it can be gone on with.
 *
 *   job.json              the job with every default, to be run again
 *   run.json              the device, its driver, Mica's version, and how much there was to train
 *   log.csv               a line for each epoch
 *   best.safetensors      the best epoch, by the loss on the validation part where there is one
 *   last.safetensors      what the training is gone on with
 *   tensorboard/          where it is asked for */
#include "job/job.h"
#include "nn/optimizer/optimizer.h"
#include "train/callback/callback.h"

#include <mica/mica.h>

#include <stdlib.h>
#include <string.h>

static const char *place(mica_job *job, const char *name)
{
    return mi_arena_format(&job->arena, "%s/%s", job->run, name);
}

const char *mica_job_run_folder(const mica_job *job)
{
    return job ? job->run : NULL;
}

/* ---- What it leaves ---- */

mica_status mi_job_add_run(mica_job *job)
{
    bool validated = job->fit.validation_split > 0 || mica_data_count(job->data, MICA_VALIDATION) > 0;
    const mica_callback callbacks[] = {
        {"csv_logger", .path = place(job, "log.csv")},
        {"tensorboard", .path = place(job, "tensorboard")},
        {"model_checkpoint", .path = place(job, "best.safetensors"), .monitor = validated ? "val_loss" : "loss",
         .setting = {{"save_best_only", 1}}},
        {"model_checkpoint", .path = place(job, "last.safetensors"), .setting = {{"save_seconds", 300}}}};
    for (size_t i = 0; i < MI_COUNT(callbacks); i++)
        if (job->tensorboard || strcmp(callbacks[i].type, "tensorboard") != 0)
            MI_TRY(mica_job_add_callback(job, &callbacks[i]));
    return job->arena.failed ? mi_out_of_memory(&job->error) : MICA_OK;
}

/* ---- The job with every default ---- */

/* Puts a value in the place of a key's, or beside the others; false: out of memory. */
static bool put(cJSON *object, const char *key, cJSON *value)
{
    bool good = value && (cJSON_GetObjectItemCaseSensitive(object, key) ? cJSON_ReplaceItemInObjectCaseSensitive(object, key, value)
                                                                        : cJSON_AddItemToObject(object, key, value));
    if (!good)
        cJSON_Delete(value);
    return good;
}

static cJSON *number_json(const struct mi_number *number, float value)
{
    return number->flag ? cJSON_CreateBool(value > 0) : cJSON_CreateNumber(mi_json_number(value));
}

/* The numbers of a row; what is infinite is not given. */
static bool put_numbers(cJSON *object, const struct mi_number *numbers, const float *values)
{
    bool good = true;
    for (int i = 0; numbers[i].name && good; i++)
        if (values[i] <= 1e30f && values[i] >= -1e30f)
            good = put(object, numbers[i].name, number_json(&numbers[i], values[i]));
    return good;
}

static cJSON *as_object(const cJSON *given, const char *type)
{
    cJSON *object = cJSON_IsObject(given) ? cJSON_Duplicate(given, true) : cJSON_CreateObject();
    if (object && put(object, "type", cJSON_CreateString(type)))
        return object;
    cJSON_Delete(object);
    return NULL;
}

static cJSON *optimizer_json(const mica_job *job)
{
    struct mi_error error = {0};
    struct mi_optimizer optimizer;
    const cJSON *given = cJSON_GetObjectItemCaseSensitive(job->json, "optimizer");
    if (mi_optimizer_resolve(&error, "optimizer", &job->fit.optimizer, &optimizer) != MICA_OK)
        return NULL;
    cJSON *object = as_object(given, optimizer.row->name);
    if (object && put_numbers(object, optimizer.row->keys, optimizer.value) && mi_optimizer_describe(&optimizer, object))
        return object;
    cJSON_Delete(object);
    return NULL;
}

/* One of the job's own, whose place is that in its list. */
static cJSON *callback_json(const cJSON *given, const mica_callback *callback)
{
    struct mi_error error = {0};
    struct mi_callback resolved;
    if (mi_callback_resolve(&error, "", callback, &resolved) != MICA_OK)
        return NULL;
    cJSON *object = as_object(given, callback->type);
    if (object && put_numbers(object, resolved.row->numbers, resolved.value))
        return object;
    cJSON_Delete(object);
    return NULL;
}

static cJSON *callbacks_json(const mica_job *job)
{
    const cJSON *given = cJSON_GetObjectItemCaseSensitive(job->json, "callbacks"), *item;
    cJSON *list = cJSON_CreateArray();
    int i = 0;
    cJSON_ArrayForEach(item, given) {
        cJSON *object = list ? callback_json(item, &job->callbacks[i++]) : NULL;
        if (object && cJSON_AddItemToArray(list, object))
            continue;
        cJSON_Delete(object);
        cJSON_Delete(list);
        return NULL;
    }
    return list;
}

static cJSON *path_json(const char *path)
{
    char *absolute = mi_path_absolute(path);
    cJSON *json = absolute ? cJSON_CreateString(absolute) : NULL;
    free(absolute);
    return json;
}

/* The keys of a job that have simple defaults. */
static bool put_defaults(const mica_job *job, cJSON *json)
{
    const mica_fit_desc *fit = &job->fit;
    bool good = put(json, "epochs", cJSON_CreateNumber(fit->epochs < 0 ? 0 : fit->epochs)) &&
                put(json, "log_every", cJSON_CreateNumber(job->log_every)) &&
                put(json, "seed", cJSON_CreateNumber((double)fit->seed)) &&
                put(json, "shuffle", cJSON_CreateBool(!fit->no_shuffle)) &&
                put(json, "exact", cJSON_CreateBool(job->model->exact)) &&
                put(json, "precision", cJSON_CreateString(mica_type_name(fit->precision))) &&
                put(json, "folder", path_json(job->folder)) && put(json, "run", path_json(job->run)) &&
                put(json, "tensorboard", cJSON_CreateBool(job->tensorboard));
    if (good && fit->batch_size != MICA_ALL_SAMPLES)
        good = put(json, "batch_size", cJSON_CreateNumber(fit->batch_size ? (double)fit->batch_size : 32));
    if (good && !cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(json, "data"), "split"))
        good = put(json, "validation_split", cJSON_CreateNumber(mi_json_number(fit->validation_split)));
    if (good && !cJSON_GetObjectItemCaseSensitive(json, "metrics"))
        good = put(json, "metrics", cJSON_CreateArray());
    return good;
}

static cJSON *job_json(const mica_job *job)
{
    cJSON *json = cJSON_Duplicate(job->json, true);
    if (json && put_defaults(job, json) && put(json, "optimizer", optimizer_json(job)) &&
        put(json, "callbacks", callbacks_json(job)))
        return json;
    cJSON_Delete(json);
    return NULL;
}

/* ---- What it ran on ---- */

static cJSON *run_json(const mica_job *job)
{
    const mica_device_info *info = &job->device->info;
    cJSON *json = cJSON_CreateObject(), *device = json ? cJSON_AddObjectToObject(json, "device") : NULL;
    cJSON *samples = device ? cJSON_AddObjectToObject(json, "samples") : NULL;
    static const char *const parts[] = {"train", "validation", "test"};
    bool good = samples && cJSON_AddStringToObject(json, "mica", mica_version()) &&
                cJSON_AddStringToObject(device, "id", info->id) && cJSON_AddStringToObject(device, "name", info->name) &&
                cJSON_AddStringToObject(device, "platform", info->platform) &&
                cJSON_AddStringToObject(device, "driver", info->driver) &&
                cJSON_AddStringToObject(device, "opencl_c", info->opencl_c) &&
                cJSON_AddNumberToObject(json, "parameters", (double)mica_model_parameter_count(job->model));
    for (int part = MICA_TRAIN; part <= MICA_TEST && good; part++)
        good = cJSON_AddNumberToObject(samples, parts[part], (double)mica_data_count(job->data, (mica_part)part)) != NULL;
    if (good)
        return json;
    cJSON_Delete(json);
    return NULL;
}

/* Takes the JSON. */
static mica_status write_json(const mica_job *job, const char *path, cJSON *json)
{
    struct mi_error *error = &job->device->error;
    char *text = json ? mi_json_write(json, true) : NULL;
    struct mi_file *file = NULL;
    mica_status status = text ? mi_file_create(error, path, &file) : mi_out_of_memory(error);
    if (status == MICA_OK) {
        mi_file_write(file, text, strlen(text));
        mi_file_write(file, "\n", 1);
        status = mi_file_commit(file);
    }
    cJSON_free(text);
    cJSON_Delete(json);
    return status;
}

mica_status mi_job_begin_run(mica_job *job)
{
    struct mi_error *error = &job->device->error;
    const char *last = place(job, "last.safetensors");
    if (!mi_folder_make(job->run))
        return mi_fail(error, MICA_IO, "%s: the folder of the run cannot be made", job->run);
    if (!job->fit.resume && mi_file_size(last) > 0)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "%s holds a run already: it can be resumed, or another folder be named",
                       job->run);
    MI_TRY(write_json(job, place(job, "run.json"), run_json(job)));
    return write_json(job, place(job, "job.json"), job_json(job));
}
