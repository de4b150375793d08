/* Going on with a training from its file. Nothing in it is believed before it is checked. */
#include "train/checkpoint.h"

#include "formats/model/model_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHECKPOINT_LIMIT ((uint64_t)64 << 30)

static struct mi_error *error_of(const mica_training *training)
{
    return &training->task.model->device->error;
}

static mica_status bad(const struct mi_checkpoint *checkpoint, const mica_training *training, const char *what)
{
    return mi_fail(error_of(training), MICA_FORMAT, "%s: its state of a training: %s", checkpoint->place, what);
}

/* ---- The description ---- */

/* A whole number of the description, at least 0; -1: it is none. */
static double number(const struct mi_checkpoint *checkpoint, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(checkpoint->json, key);
    double value = cJSON_IsNumber(item) ? item->valuedouble : -1;
    return value >= 0 && value <= MI_MOST_WHOLE && floor(value) == value ? value : -1;
}

static mica_status check_numbers(const struct mi_checkpoint *checkpoint, const mica_training *training)
{
    static const char *const keys[] = {"version", "steps", "epochs", "epoch", "batch", "batches", "samples", "part"};
    for (size_t i = 0; i < MI_COUNT(keys); i++)
        if (number(checkpoint, keys[i]) < 0) {
            char text[64];
            mi_format(text, sizeof text, "\"%s\" is no whole number", keys[i]);
            return bad(checkpoint, training, text);
        }
    if (number(checkpoint, "version") > 1)
        return bad(checkpoint, training, "it is newer than this library");
    if (number(checkpoint, "epoch") < 1 || number(checkpoint, "epoch") >= INT32_MAX ||
        number(checkpoint, "batch") > number(checkpoint, "batches"))
        return bad(checkpoint, training, "there is no such place in a training");
    return MICA_OK;
}

static mica_status check_optimizer(const struct mi_checkpoint *checkpoint, const mica_training *training)
{
    const cJSON *kind = cJSON_GetObjectItemCaseSensitive(checkpoint->json, "kind");
    char own[24];
    mi_format(own, sizeof own, "%016llx", (unsigned long long)mi_optimizer_kind(&training->optimizer));
    if (cJSON_IsString(kind) && !strcmp(kind->valuestring, own))
        return MICA_OK;
    return mi_fail(error_of(training), MICA_INVALID_ARGUMENT, "%s: was saved with another optimizer than %s, or other keys "
                   "of it", checkpoint->place, training->optimizer.row->name);
}

static mica_status open_file(struct mi_checkpoint *checkpoint, mica_training *training)
{
    size_t size = 0;
    struct mi_error *error = error_of(training);
    MI_TRY(mi_file_read(error, checkpoint->place, CHECKPOINT_LIMIT, &checkpoint->bytes, &size));
    MI_TRY(mi_safetensors_open(error, checkpoint->place, checkpoint->bytes, size, &checkpoint->file));
    const char *text = mi_safetensors_metadata(&checkpoint->file, "mica_training");
    const char *model = mi_safetensors_metadata(&checkpoint->file, "mica");
    if (!text || !model)
        return mi_fail(error, MICA_FORMAT, "%s: holds no state of a training to go on with", checkpoint->place);
    MI_TRY(mi_safetensors_check(error, checkpoint->place, &checkpoint->file, size, MI_TRAINING_TENSORS "checksum"));
    MI_TRY(mi_json_parse(error, checkpoint->place, text, strlen(text), &checkpoint->json));
    MI_TRY(check_numbers(checkpoint, training));
    MI_TRY(check_optimizer(checkpoint, training));
    return mi_model_read_choices(training->task.model, error, checkpoint->place, model);
}

mica_status mi_checkpoint_open(struct mi_checkpoint *checkpoint, const char *path, mica_training *training)
{
    mica_model *model = training->task.model;
    *checkpoint = (struct mi_checkpoint){.place = path};
    MI_TRY(open_file(checkpoint, training));
    model->trained.kind = mi_optimizer_kind(&training->optimizer);
    model->trained.steps = (uint64_t)number(checkpoint, "steps");
    model->trained.epochs = (uint64_t)number(checkpoint, "epochs");
    return MICA_OK;
}

void mi_checkpoint_close(struct mi_checkpoint *checkpoint)
{
    cJSON_Delete(checkpoint->json);
    if (checkpoint->bytes)
        mi_safetensors_close(&checkpoint->file);
    free(checkpoint->bytes);
}

/* ---- Tensors ---- */

/* The elements of a tensor that must be there, as the caller's to free. */
static mica_status read_tensor(const struct mi_checkpoint *checkpoint, const mica_training *training, const char *name,
                               enum mi_type type, size_t count, void **elements)
{
    struct mi_error *error = error_of(training);
    const struct mi_safetensor *tensor = mi_safetensors_find(&checkpoint->file, name);
    if (!tensor || tensor->count != count || tensor->type != type)
        return mi_fail(error, MICA_SHAPE, "%s: \"%s\" %s: it is the state of another model", checkpoint->place, name,
                       tensor ? "has another shape or type" : "is missing");
    *elements = mi_new(count, mi_types[type].bytes);
    if (!*elements)
        return mi_out_of_memory(error);
    return mi_safetensors_read(error, checkpoint->place, &checkpoint->file, tensor, type, *elements, count);
}

static mica_status restore_variable(const struct mi_checkpoint *checkpoint, const mica_training *training, const char *name,
                                    struct mi_variable *variable)
{
    void *elements = NULL;
    mica_status status = read_tensor(checkpoint, training, name, variable->type, mi_variable_count(variable), &elements);
    if (status == MICA_OK)
        status = mi_store_write(training->task.model->store, variable, elements);
    free(elements);
    return status;
}

/* Sums of what is measured may be others: a metric more. */
static mica_status restore_variables(const struct mi_checkpoint *checkpoint, const mica_training *training)
{
    const mica_model *model = training->task.model;
    for (size_t i = 0; i < model->variables.count; i++) {
        struct mi_variable *variable = model->variables.list[i];
        bool own = mi_variable_in_files(variable), sum = variable->role == MI_ACCUMULATOR;
        if (!own && !sum && variable->role != MI_MOMENT)
            continue;
        struct mi_text name = {0};
        mi_text_add(&name, "%s%s", own ? "" : MI_TRAINING_TENSORS, variable->name);
        mica_status status = MICA_OK;
        if (name.failed)
            status = mi_out_of_memory(error_of(training));
        else if (!sum || mi_safetensors_find(&checkpoint->file, name.data))
            status = restore_variable(checkpoint, training, name.data, variable);
        mi_text_destroy(&name);
        MI_TRY(status);
    }
    return MICA_OK;
}

static mica_status restore_states(const struct mi_checkpoint *checkpoint, const mica_training *training)
{
    mica_plan *plan = training->train.plan;
    mica_status status = MICA_OK;
    for (int i = 0; i < mi_plan_states(plan) && status == MICA_OK; i++) {
        void *bytes = NULL;
        struct mi_text name = {0};
        mi_text_add(&name, MI_TRAINING_TENSORS "state/%s", mi_plan_state_name(plan, i));
        status = name.failed ? mi_out_of_memory(error_of(training))
                             : read_tensor(checkpoint, training, name.data, MI_UINT8, (size_t)mi_plan_state_bytes(plan, i), &bytes);
        if (status == MICA_OK)
            status = mi_plan_write_state(plan, i, bytes);
        mi_text_destroy(&name);
        free(bytes);
    }
    return status;
}

/* ---- Callbacks ---- */

static mica_status restore_kept(const struct mi_checkpoint *checkpoint, struct mi_callback *callback, int saved)
{
    mica_training *training = callback->training;
    const mica_model *model = training->task.model;
    struct mi_kept *kept = &callback->kept;
    mi_kept_destroy(kept);
    kept->elements = mi_new(model->variables.count, sizeof *kept->elements);
    if (!kept->elements)
        return mi_out_of_memory(error_of(training));
    for (size_t i = 0; i < model->variables.count; i++) {
        const struct mi_variable *variable = model->variables.list[i];
        if (!mi_variable_in_files(variable))
            continue;
        struct mi_text name = {0};
        mi_text_add(&name, MI_TRAINING_TENSORS "kept/%d/%s", saved, variable->name);
        mica_status status = name.failed ? mi_out_of_memory(error_of(training))
                                         : read_tensor(checkpoint, training, name.data, variable->type, mi_variable_count(variable),
                                                       &kept->elements[kept->count]);
        kept->count += kept->elements[kept->count] != NULL;
        mi_text_destroy(&name);
        MI_TRY(status);
    }
    return MICA_OK;
}

/* The next callback of that type that has no state yet. */
static struct mi_callback *next_of(const mica_training *training, const cJSON *type)
{
    for (int i = 0; cJSON_IsString(type) && i < training->callbacks.count; i++) {
        struct mi_callback *callback = &training->callbacks.list[i];
        if (!callback->resumed && !strcmp(callback->row->name, type->valuestring))
            return callback;
    }
    return NULL;
}

static mica_status restore_callbacks(const struct mi_checkpoint *checkpoint, const mica_training *training)
{
    const cJSON *item, *list = cJSON_GetObjectItemCaseSensitive(checkpoint->json, "callbacks");
    int saved = -1;
    cJSON_ArrayForEach(item, list) {
        struct mi_callback *callback = next_of(training, cJSON_GetObjectItemCaseSensitive(item, "type"));
        const cJSON *state = cJSON_GetObjectItemCaseSensitive(item, "state");
        saved++;
        if (!callback || cJSON_GetArraySize(state) != MI_MOST_CALLBACK_STATES)
            continue;
        callback->resumed = true;
        for (int i = 0; i < MI_MOST_CALLBACK_STATES; i++) {
            const cJSON *value = cJSON_GetArrayItem(state, i);
            callback->state[i] = cJSON_IsNumber(value) ? value->valuedouble : (double)NAN;
        }
        if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, "kept")))
            MI_TRY(restore_kept(checkpoint, callback, saved));
    }
    return MICA_OK;
}

/* ---- Where it goes on ---- */

/* In the middle of an epoch the batches that are left must be those that they would have been. */
static mica_status restore_place(const struct mi_checkpoint *checkpoint, mica_training *training)
{
    int64_t batches = mica_batches_count(training->train.batches), samples = mica_data_count(training->task.data, MICA_TRAIN);
    int64_t saved = (int64_t)number(checkpoint, "batches"), part = (int64_t)number(checkpoint, "part");
    const cJSON *rate = cJSON_GetObjectItemCaseSensitive(checkpoint->json, "learning_rate");
    training->first.epoch = (int)number(checkpoint, "epoch");
    training->first.batch = (int64_t)number(checkpoint, "batch");
    training->first.samples = (int64_t)number(checkpoint, "samples");
    training->ended = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(checkpoint->json, "ended"));
    if (training->first.batch == saved)
        training->first = (struct mi_fit_place){.epoch = training->first.epoch + 1};
    else if (batches != saved || samples != part)
        return mi_fail(error_of(training), MICA_INVALID_ARGUMENT, "%s: is in the middle of an epoch of %lld samples in %lld "
                       "batches, the training has %lld in %lld", checkpoint->place, (long long)part, (long long)saved,
                       (long long)samples, (long long)batches);
    if (cJSON_IsNumber(rate) && rate->valuedouble >= 0 && rate->valuedouble <= 1e30)
        return mica_training_set_learning_rate(training, rate->valuedouble);
    return MICA_OK;
}

mica_status mi_checkpoint_restore(const struct mi_checkpoint *checkpoint, mica_training *training)
{
    MI_TRY(restore_variables(checkpoint, training));
    MI_TRY(restore_states(checkpoint, training));
    MI_TRY(restore_callbacks(checkpoint, training));
    return restore_place(checkpoint, training);
}
