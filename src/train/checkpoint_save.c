/* Saving the state of a training. */
#include "train/checkpoint.h"

#include "formats/model/model_file.h"

#include <math.h>
#include <stdlib.h>

/* One tensor beside the model's: of a variable, of a state of the plan, or kept by a callback. */
struct piece {
    const struct mi_variable *variable;
    int state;
    const void *kept;
};

struct saving {
    mica_training *training;
    struct mi_arena arena;
    struct mi_safetensor_out *tensors;
    struct piece *pieces;
    size_t count, tensor_capacity, piece_capacity;
};

/* ---- Tensors ---- */

static bool add(struct saving *saving, const char *name, enum mi_type type, const mica_shape *shape, const struct piece *piece)
{
    if (!mi_grow(&saving->tensors, &saving->tensor_capacity, saving->count + 1, sizeof *saving->tensors) ||
        !mi_grow(&saving->pieces, &saving->piece_capacity, saving->count + 1, sizeof *saving->pieces))
        return false;
    saving->tensors[saving->count] = (struct mi_safetensor_out){.name = name, .type = type, .shape = *shape,
                                                                .elements = piece->kept};
    saving->pieces[saving->count++] = *piece;
    return true;
}

static mica_shape shape_of(const struct mi_variable *variable)
{
    mica_shape shape = {.rank = variable->shape.rank};
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = variable->shape.dim[i].b;
    return shape;
}

static bool add_variables(struct saving *saving)
{
    const mica_model *model = saving->training->task.model;
    bool good = true;
    for (size_t i = 0; i < model->variables.count && good; i++) {
        const struct mi_variable *variable = model->variables.list[i];
        const mica_shape shape = shape_of(variable);
        if (variable->role == MI_MOMENT || variable->role == MI_ACCUMULATOR)
            good = add(saving, mi_arena_format(&saving->arena, MI_TRAINING_TENSORS "%s", variable->name), variable->type, &shape,
                       &(struct piece){.variable = variable});
    }
    return good;
}

static bool add_states(struct saving *saving)
{
    mica_plan *plan = saving->training->train.plan;
    bool good = true;
    for (int i = 0; i < mi_plan_states(plan) && good; i++) {
        const mica_shape shape = {.rank = 1, .dim = {(int64_t)mi_plan_state_bytes(plan, i)}};
        good = add(saving, mi_arena_format(&saving->arena, MI_TRAINING_TENSORS "state/%s", mi_plan_state_name(plan, i)), MI_UINT8,
                   &shape, &(struct piece){.state = i});
    }
    return good;
}

static bool add_kept(struct saving *saving, int callback)
{
    const mica_model *model = saving->training->task.model;
    const struct mi_kept *kept = &saving->training->callbacks.list[callback].kept;
    size_t k = 0;
    bool good = true;
    for (size_t i = 0; i < model->variables.count && k < kept->count && good; i++) {
        const struct mi_variable *variable = model->variables.list[i];
        const mica_shape shape = shape_of(variable);
        if (mi_variable_in_files(variable))
            good = add(saving, mi_arena_format(&saving->arena, MI_TRAINING_TENSORS "kept/%d/%s", callback, variable->name),
                       variable->type, &shape, &(struct piece){.kept = kept->elements[k++]});
    }
    return good;
}

static mica_status read_piece(void *user, size_t i, void *elements)
{
    struct saving *saving = user;
    const struct piece *piece = &saving->pieces[i];
    if (piece->variable)
        return mi_store_read(saving->training->task.model->store, piece->variable, elements);
    return mi_plan_read_state(saving->training->train.plan, piece->state, elements);
}

/* ---- The description ---- */

static bool add_callback(cJSON *list, const struct mi_callback *callback)
{
    cJSON *item = cJSON_CreateObject();
    if (!item || !cJSON_AddItemToArray(list, item)) {
        cJSON_Delete(item);
        return false;
    }
    cJSON *state = cJSON_AddStringToObject(item, "type", callback->row->name) ? cJSON_AddArrayToObject(item, "state") : NULL;
    for (int i = 0; i < MI_MOST_CALLBACK_STATES && state; i++) {
        double value = callback->state[i];
        cJSON *number = isfinite(value) ? cJSON_CreateNumber(value) : cJSON_CreateNull();
        if (number && cJSON_AddItemToArray(state, number))
            continue;
        cJSON_Delete(number);
        return false;
    }
    return state && (!callback->kept.count || cJSON_AddTrueToObject(item, "kept"));
}

static cJSON *describe(const mica_training *training)
{
    const mica_progress *now = &training->now;
    const mica_model *model = training->task.model;
    cJSON *json = cJSON_CreateObject();
    char kind[24];
    mi_format(kind, sizeof kind, "%016llx", (unsigned long long)model->trained.kind);
    bool good = json && cJSON_AddNumberToObject(json, "version", 1) && cJSON_AddStringToObject(json, "kind", kind) &&
                cJSON_AddNumberToObject(json, "steps", (double)training->steps) &&
                cJSON_AddNumberToObject(json, "epochs", (double)model->trained.epochs) &&
                cJSON_AddNumberToObject(json, "epoch", now->epoch) && cJSON_AddNumberToObject(json, "batch", (double)now->batch) &&
                cJSON_AddNumberToObject(json, "batches", (double)now->batches) &&
                cJSON_AddNumberToObject(json, "samples", (double)now->samples) &&
                cJSON_AddNumberToObject(json, "part", (double)mica_data_count(training->task.data, MICA_TRAIN)) &&
                cJSON_AddBoolToObject(json, "ended", training->ended) &&
                (!training->rate_is_set ||
                 cJSON_AddNumberToObject(json, "learning_rate", (double)mi_plan_learning_rate(training->train.plan)));
    cJSON *list = good ? cJSON_AddArrayToObject(json, "callbacks") : NULL;
    good = list != NULL;
    for (int i = 0; i < training->callbacks.count && good; i++)
        good = add_callback(list, &training->callbacks.list[i]);
    if (good)
        return json;
    cJSON_Delete(json);
    return NULL;
}

static mica_status save(struct saving *saving, const char *path)
{
    const mica_training *training = saving->training;
    bool good = add_variables(saving) && add_states(saving);
    for (int i = 0; i < training->callbacks.count && good; i++)
        good = add_kept(saving, i);
    cJSON *json = good && !saving->arena.failed ? describe(training) : NULL;
    char *text = json ? mi_json_write(json, false) : NULL;
    mica_status status = MICA_OUT_OF_MEMORY;
    if (text)
        status = mi_model_write(training->task.model, path, &(struct mi_model_more){
            .tensors = saving->tensors, .count = saving->count, .metadata = {"mica_training", text},
            .checksum = MI_TRAINING_TENSORS "checksum", .read = read_piece, .user = saving});
    else
        mi_out_of_memory(&training->task.model->device->error);
    cJSON_free(text);
    cJSON_Delete(json);
    return status;
}

mica_status mica_training_save(mica_training *training, const char *path)
{
    if (!training)
        return MICA_INVALID_ARGUMENT;
    struct saving saving = {.training = training};
    mica_status status = save(&saving, path);
    mi_arena_destroy(&saving.arena);
    free(saving.tensors);
    free(saving.pieces);
    return status;
}
