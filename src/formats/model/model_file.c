/* Models as .safetensors files: the variables under their names, and in the metadata, under "mica", a JSON object:
 *
 *   {"version": 2, "model": {"layers": [...], "outputs": {...}},
 *    "objectives": [{"output": NAME, "loss": NAME, "from_logits": true | false, "weight": number,
 *                    "settings": {KEY: number, ...}}, ...],
 *    "preprocess": [...], "choices": the engines that its plans ran with (src/compile/choose/choices.h)}
 *
 * so that any reader of safetensors opens it. Nothing in a file is believed before it is checked. */
#include "formats/model/model_file.h"
#include "data/data.h"
#include "formats/model/safetensors.h"
#include "json/keys.h"
#include "nn/objective.h"
#include "nn/settings.h"

#include <stdlib.h>
#include <string.h>

enum { VERSION = 2 };
#define MODEL_LIMIT ((uint64_t)64 << 30)

static const char *const keys[] = {"version", "model", "objectives", "preprocess", "choices", NULL};

/* ---- Saving ---- */

static bool add_choices(const mica_model *model, cJSON *json)
{
    struct mi_text text = {0};
    if (!model->choices.count)
        return true;
    mi_choices_write(&model->choices, model->device, &text);
    bool good = !text.failed && cJSON_AddStringToObject(json, "choices", mi_text_get(&text));
    mi_text_destroy(&text);
    return good;
}

/* The keys of a loss that were given. */
static bool add_settings(cJSON *item, const mica_setting *setting)
{
    cJSON *object = setting[0].key ? cJSON_AddObjectToObject(item, "settings") : NULL;
    bool good = object || !setting[0].key;
    for (int i = 0; i < MICA_MOST_LOSS_SETTINGS && setting[i].key && good; i++)
        good = cJSON_AddNumberToObject(object, setting[i].key, setting[i].value) != NULL;
    return good;
}

/* What each output was trained for. */
static bool add_objectives(cJSON *json, const mica_model *model)
{
    cJSON *list = cJSON_AddArrayToObject(json, "objectives");
    for (int i = 0; list && i < model->answer_count; i++) {
        const struct mi_trained_output *answer = &model->answers[i];
        cJSON *item = cJSON_CreateObject();
        if (!item || !cJSON_AddItemToArray(list, item)) {
            cJSON_Delete(item);
            return false;
        }
        if (!cJSON_AddStringToObject(item, "output", answer->output) || !cJSON_AddStringToObject(item, "loss", answer->loss) ||
            (answer->from_logits && !cJSON_AddBoolToObject(item, "from_logits", answer->from_logits > 0)) ||
            (answer->weight > 0 && !cJSON_AddNumberToObject(item, "weight", (double)answer->weight)) ||
            !add_settings(item, answer->setting))
            return false;
    }
    return list != NULL;
}

static cJSON *describe(const mica_model *model)
{
    cJSON *json = cJSON_CreateObject(), *layers = mi_model_describe(model);
    cJSON *preprocess = model->preprocess ? mi_json_read(model->preprocess, strlen(model->preprocess), NULL) : NULL;
    bool good = json && layers && cJSON_AddNumberToObject(json, "version", VERSION) &&
                cJSON_AddItemToObject(json, "model", layers);
    layers = good ? NULL : layers;
    if (good && model->answer_count)
        good = add_objectives(json, model);
    if (good && model->preprocess) {
        good = preprocess && cJSON_AddItemToObject(json, "preprocess", preprocess);
        preprocess = good ? NULL : preprocess;
    }
    good = good && add_choices(model, json);
    cJSON_Delete(layers);
    cJSON_Delete(preprocess);
    if (good)
        return json;
    cJSON_Delete(json);
    return NULL;
}

struct saving {
    mica_model *model;
    struct mi_store *store;
    const struct mi_variable **variables;
    size_t count;                  /* of the model's own tensors */
    const struct mi_model_more *more;
};

static mica_status read_variable(void *user, size_t i, void *elements)
{
    const struct saving *saving = user;
    if (i >= saving->count)
        return saving->more->read(saving->more->user, i - saving->count, elements);
    return mi_store_read(saving->store, saving->variables[i], elements);
}

static mica_status write_file(struct saving *saving, const char *path, const char *description)
{
    mica_model *model = saving->model;
    const struct mi_model_more none = {0}, *more = saving->more ? saving->more : &none;
    size_t count = 0;
    struct mi_safetensor_out *tensors = mi_new(model->variables.count + more->count, sizeof *tensors);
    saving->variables = mi_new(model->variables.count, sizeof(void *));
    mica_status status = tensors && saving->variables ? MICA_OK : mi_out_of_memory(&model->device->error);
    for (size_t i = 0; i < model->variables.count && status == MICA_OK; i++) {
        const struct mi_variable *variable = model->variables.list[i];
        if (!mi_variable_in_files(variable))
            continue;
        tensors[count].name = variable->name;
        tensors[count].type = variable->type;
        tensors[count].shape.rank = variable->shape.rank;
        for (int k = 0; k < variable->shape.rank; k++)
            tensors[count].shape.dim[k] = variable->shape.dim[k].b;
        saving->variables[count++] = variable;
    }
    saving->count = count;
    for (size_t i = 0; i < more->count && status == MICA_OK; i++)
        tensors[count++] = more->tensors[i];
    const struct mi_metadata metadata[] = {{"mica", description}, more->metadata};
    if (status == MICA_OK)
        status = mi_safetensors_write(&model->device->error, path, &(struct mi_safetensors_out){
            .tensors = tensors, .count = count, .metadata = metadata, .metadata_count = more->metadata.key ? 2 : 1,
            .checksum = more->checksum, .read = read_variable, .user = saving});
    free(tensors);
    free(saving->variables);
    return status;
}

mica_status mi_model_write(mica_model *model, const char *path, const struct mi_model_more *more)
{
    struct saving saving = {.model = model, .more = more};
    MI_TRY(mi_model_begin(model));
    if (!path)
        return mi_fail(&model->device->error, MICA_INVALID_ARGUMENT, "to save a model takes a path; it is NULL");
    if (model->graph->output_count == 0)
        return mi_fail(&model->device->error, MICA_INVALID_ARGUMENT, "to save a model: it has no output; mica_output declares one");
    if (model->scope)
        return mi_fail(&model->device->error, MICA_INVALID_ARGUMENT, "to save a model: the group \"%.*s\" has not ended",
                       (int)strlen(model->scope) - 1, model->scope);
    MI_TRY(mi_model_store(model, &saving.store));
    cJSON *json = describe(model);
    char *text = json ? mi_json_write(json, false) : NULL;
    mica_status status = text ? write_file(&saving, path, text) : mi_out_of_memory(&model->device->error);
    cJSON_free(text);
    cJSON_Delete(json);
    return status;
}

mica_status mica_model_save(mica_model *model, const char *path)
{
    return model ? mi_model_write(model, path, NULL) : MICA_INVALID_ARGUMENT;
}

/* ---- Weights ---- */

static struct mi_shape_text tensor_text(const struct mi_safetensor *tensor)
{
    mica_shape shape = {.rank = tensor->rank};
    for (int i = 0; i < tensor->rank; i++)
        shape.dim[i] = tensor->dim[i];
    return mi_sample_text(&shape);
}

static struct mi_shape_text variable_text(const struct mi_variable *variable)
{
    mica_shape shape = {.rank = variable->shape.rank};
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = variable->shape.dim[i].b;
    return mi_sample_text(&shape);
}

static bool same_shape(const struct mi_safetensor *tensor, const struct mi_variable *variable)
{
    if (tensor->rank != variable->shape.rank)
        return false;
    for (int i = 0; i < tensor->rank; i++)
        if (tensor->dim[i] != variable->shape.dim[i].b)
            return false;
    return true;
}

static void note(const mica_weights_desc *desc, const char *text)
{
    if (desc->note)
        desc->note(desc->user, text);
}

/* A tensor whose name is the variable's behind a prefix, such as the "module." of PyTorch's DataParallel; NULL: there is none. */
static const struct mi_safetensor *find_prefixed(const struct mi_safetensors *file, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < file->count; i++) {
        size_t size = strlen(file->tensors[i].name), before = size > length ? size - length : 0;
        const char *end = file->tensors[i].name + before;
        if (before > 1 && end[-1] == '.' && strcmp(end, name) == 0)
            return &file->tensors[i];
    }
    return NULL;
}

static const char *missing_text(struct mi_arena *arena, const char *place, const struct mi_safetensors *file, const char *name)
{
    const struct mi_safetensor *other = find_prefixed(file, name);
    if (!other)
        return mi_arena_format(arena, "%s: \"%s\" is missing", place, name);
    return mi_arena_format(arena, "%s: \"%s\" is missing, but \"%s\" is there: its prefix \"%.*s\" must go", place, name,
                           mi_show(other->name).text, (int)(strlen(other->name) - strlen(name)), other->name);
}

/* Every variable has its tensor, or is allowed to lack one; every other tensor is a note. */
static mica_status check_weights(mica_model *model, struct mi_error *error, const char *place,
                                 const struct mi_safetensors *file, const mica_weights_desc *desc)
{
    struct mi_arena arena = {0};
    for (size_t i = 0; i < model->variables.count && error->status == MICA_OK; i++) {
        const struct mi_variable *variable = model->variables.list[i];
        const struct mi_safetensor *tensor = mi_safetensors_find(file, variable->name);
        if (!mi_variable_in_files(variable) || (tensor && same_shape(tensor, variable)))
            continue;
        const char *line = tensor ? mi_arena_format(&arena, "%s: \"%s\" has shape %s, the model's has %s", place, variable->name,
                                                    tensor_text(tensor).text, variable_text(variable).text)
                                  : missing_text(&arena, place, file, variable->name);
        if (desc->partial)
            note(desc, mi_arena_format(&arena, "%s; it keeps its values", line));
        else
            mi_fail(error, tensor ? MICA_SHAPE : MICA_FORMAT, "%s", line);
    }
    for (size_t i = 0; i < file->count && error->status == MICA_OK; i++) {
        const struct mi_variable *variable = mi_variable_find(&model->variables, file->tensors[i].name);
        bool more = !strncmp(file->tensors[i].name, MI_TRAINING_TENSORS, strlen(MI_TRAINING_TENSORS));
        if (!more && (!variable || !mi_variable_in_files(variable)))
            note(desc, mi_arena_format(&arena, "%s: \"%s\" is not used by the model", place,
                                       mi_show(file->tensors[i].name).text));
    }
    mi_arena_destroy(&arena);
    return error->status;
}

/* Before the store has placed a variable its values wait on the host. */
static mica_status set_elements(mica_model *model, struct mi_variable *variable, void *elements)
{
    if (variable->block < 0) {
        mi_variable_give(variable, elements);
        return MICA_OK;
    }
    mica_status status = mi_store_write(model->store, variable, elements);
    free(elements);
    return status;
}

static mica_status take_weights(mica_model *model, struct mi_error *error, const char *place,
                                const struct mi_safetensors *file, const mica_weights_desc *desc)
{
    MI_TRY(check_weights(model, error, place, file, desc));
    for (size_t i = 0; i < model->variables.count; i++) {
        struct mi_variable *variable = model->variables.list[i];
        const struct mi_safetensor *tensor = mi_safetensors_find(file, variable->name);
        if (!mi_variable_in_files(variable) || !tensor || !same_shape(tensor, variable))
            continue;
        size_t count = mi_variable_count(variable);
        void *elements = mi_new(count, mi_types[variable->type].bytes);
        if (!elements)
            return mi_out_of_memory(error);
        if (mi_safetensors_read(error, place, file, tensor, variable->type, elements, count) != MICA_OK) {
            free(elements);
            return error->status;
        }
        MI_TRY(set_elements(model, variable, elements));
    }
    return MICA_OK;
}

mica_status mi_weights_load(mica_model *model, struct mi_error *error, const char *path, const mica_weights_desc *desc)
{
    const mica_weights_desc none = {0};
    unsigned char *bytes = NULL;
    size_t size = 0;
    struct mi_safetensors file = {0};
    if (mi_file_read(error, path, MODEL_LIMIT, &bytes, &size) == MICA_OK &&
        mi_safetensors_open(error, path, bytes, size, &file) == MICA_OK) {
        mica_status status = take_weights(model, error, path, &file, desc ? desc : &none);
        if (status != MICA_OK)
            mi_fail(error, status, "%s: its values could not be written to the device: %s", path, model->device->error.text);
    }
    mi_safetensors_close(&file);
    free(bytes);
    return error->status;
}

mica_status mica_model_load_weights(mica_model *model, const char *path, const mica_weights_desc *desc)
{
    struct mi_error error = {0};
    if (!model)
        return MICA_INVALID_ARGUMENT;
    MI_TRY(mi_model_begin(model));
    if (!path)
        return mi_fail(&model->device->error, MICA_INVALID_ARGUMENT, "to load weights takes a path; it is NULL");
    mi_weights_load(model, &error, path, desc);
    return mi_error_report(&model->device->error, &error);
}

/* ---- Loading ---- */

struct loading {
    mica_model *model;
    const char *place;
    struct mi_error error;
};

static mica_status bad(struct loading *l, const char *key, const char *what)
{
    return mi_fail(&l->error, MICA_FORMAT, "%s: \"mica\" in the metadata: \"%s\" %s", l->place, key, what);
}

/* The names of an output's classes, which the preprocessing of its target has. */
static mica_status take_classes(struct loading *l, const struct mi_prepared *prepared)
{
    for (int i = 0; i < l->model->answer_count; i++) {
        struct mi_trained_output *answer = &l->model->answers[i];
        const struct mi_preprocess *target = mi_prepared_find(prepared, MICA_TARGET, answer->output);
        if (target && target->class_names)
            MI_TRY(mi_answer_set_classes(&l->error, answer, target->class_names, target->classes));
    }
    return MICA_OK;
}

static mica_status check_prepared(struct loading *l, const struct mi_prepared *prepared)
{
    const struct mi_graph *graph = l->model->graph;
    for (size_t i = 0; i < graph->input_count; i++) {
        const struct mi_preprocess *field = mi_prepared_find(prepared, MICA_INPUT, graph->inputs[i]->name);
        size_t elements = 0;
        if (!mi_length_of(graph->inputs[i], NULL) && field && (!mi_sample_elements(&field->shape, &elements) ||
                      mi_shape_count(&graph->inputs[i]->shape, 1) != (int64_t)elements))
            return bad(l, "preprocess", "does not fit the model's input");
    }
    return MICA_OK;
}

static mica_status take_preprocess(struct loading *l, const cJSON *json)
{
    struct mi_prepared prepared;
    if (!json)
        return MICA_OK;
    MI_TRY(mi_prepared_from_json(&l->error, l->place, json, &prepared));
    char *text = mi_json_write(json, false);
    mica_status status = check_prepared(l, &prepared);
    if (status == MICA_OK && (!text || mi_model_set_preprocess(l->model, text) != MICA_OK))
        status = mi_out_of_memory(&l->error);
    if (status == MICA_OK)
        status = take_classes(l, &prepared);
    cJSON_free(text);
    mi_prepared_destroy(&prepared);
    return status;
}

static mica_status take_objective(struct loading *l, const cJSON *json, mica_objective *out)
{
    const cJSON *output = cJSON_GetObjectItemCaseSensitive(json, "output"), *loss = cJSON_GetObjectItemCaseSensitive(json, "loss");
    const cJSON *logits = cJSON_GetObjectItemCaseSensitive(json, "from_logits");
    const cJSON *weight = cJSON_GetObjectItemCaseSensitive(json, "weight");
    struct mi_objective resolved;
    struct mi_error why = {0};
    if (!cJSON_IsString(output) || !cJSON_IsString(loss))
        return bad(l, "objectives", "holds something without texts \"output\" and \"loss\"");
    if (logits && !cJSON_IsBool(logits))
        return bad(l, "from_logits", "is not true or false");
    if (weight && !(cJSON_IsNumber(weight) && weight->valuedouble > 0 && weight->valuedouble <= 1e30))
        return bad(l, "weight", "is not a number above 0");
    *out = (mica_objective){.output = output->valuestring, .loss = loss->valuestring,
                            .weight = weight ? (float)weight->valuedouble : 0,
                            .from_logits = !logits ? 0 : cJSON_IsTrue(logits) ? 1 : -1};
    mica_status status = mi_settings_read(&why, cJSON_GetObjectItemCaseSensitive(json, "settings"), "settings", NULL, NULL,
                                          out->setting, MICA_MOST_LOSS_SETTINGS);
    if (status == MICA_OK)
        status = mi_objective_resolve(&why, l->model, out, &resolved);
    if (status == MICA_OK)
        return MICA_OK;
    return status == MICA_OUT_OF_MEMORY ? mi_out_of_memory(&l->error) : bad(l, "loss", why.text);
}

static mica_status take_objectives(struct loading *l, const cJSON *list)
{
    const cJSON *item;
    int count = 0;
    if (!list)
        return MICA_OK;
    if (!cJSON_IsArray(list) || (size_t)cJSON_GetArraySize(list) > l->model->graph->output_count)
        return bad(l, "objectives", "is not a list of one for each output at most");
    mica_objective *objectives = mi_new((size_t)cJSON_GetArraySize(list), sizeof *objectives);
    mica_status status = objectives ? MICA_OK : mi_out_of_memory(&l->error);
    cJSON_ArrayForEach(item, list)
        if (status == MICA_OK)
            status = take_objective(l, item, &objectives[count++]);
    if (status == MICA_OK && mi_model_set_trained(l->model, objectives, count) != MICA_OK)
        status = mi_out_of_memory(&l->error);
    free(objectives);
    return status;
}

/* Those of another device say nothing about this one. */
static mica_status take_choices(struct loading *l, const cJSON *json)
{
    struct mi_error why = {0};
    if (!json)
        return MICA_OK;
    if (!cJSON_IsString(json))
        return bad(l, "choices", "is not a text");
    mica_status status = mi_choices_read(&l->model->choices, &why, l->model->device, "choices", json->valuestring);
    return status == MICA_OK || status == MICA_UNSUPPORTED ? MICA_OK
           : status == MICA_OUT_OF_MEMORY                  ? mi_out_of_memory(&l->error)
                                                           : bad(l, "choices", why.text);
}

mica_status mi_model_read_choices(mica_model *model, struct mi_error *error, const char *place, const char *description)
{
    cJSON *json = NULL;
    struct loading l = {.model = model, .place = place};
    if (mi_json_parse(&l.error, place, description, strlen(description), &json) == MICA_OK)
        take_choices(&l, cJSON_GetObjectItemCaseSensitive(json, "choices"));
    cJSON_Delete(json);
    return mi_error_report(error, &l.error);
}

static mica_status take_description(struct loading *l, const cJSON *json)
{
    const cJSON *item, *version = cJSON_GetObjectItemCaseSensitive(json, "version");
    if (!cJSON_IsObject(json))
        return mi_fail(&l->error, MICA_FORMAT, "%s: \"mica\" in the metadata is not a JSON object", l->place);
    if (!cJSON_IsNumber(version))
        return bad(l, "version", "is not a number");
    if (version->valuedouble > VERSION)
        return bad(l, "version", "is newer than this library");
    if (version->valuedouble < VERSION)
        return bad(l, "version", "is older than this library reads");
    cJSON_ArrayForEach(item, json) {
        const char *const *key = keys;
        while (*key && strcmp(*key, item->string))
            key++;
        if (!*key)
            return bad(l, mi_show(item->string).text, "is not a key of a model");
    }
    const cJSON *model = cJSON_GetObjectItemCaseSensitive(json, "model");
    if (!cJSON_IsObject(model))
        return bad(l, "model", "is missing");
    if (mi_model_add_layers(l->model, model, "model", NULL) != MICA_OK)
        return mi_fail(&l->error, l->model->error.status, "%s: %s", l->place, l->model->error.text);
    if (l->model->graph->output_count == 0)
        return bad(l, "model", "has no output");
    MI_TRY(take_choices(l, cJSON_GetObjectItemCaseSensitive(json, "choices")));
    MI_TRY(take_objectives(l, cJSON_GetObjectItemCaseSensitive(json, "objectives")));
    return take_preprocess(l, cJSON_GetObjectItemCaseSensitive(json, "preprocess"));
}

static mica_status load(struct loading *l, const unsigned char *bytes, size_t size)
{
    struct mi_safetensors file = {0};
    cJSON *json = NULL;
    const mica_weights_desc strict = {0};
    MI_TRY(mi_safetensors_open(&l->error, l->place, bytes, size, &file));
    const char *description = mi_safetensors_metadata(&file, "mica");
    l->model->loading = true;
    l->model->room = size / sizeof(uint8_t);
    if (!description)
        mi_fail(&l->error, MICA_FORMAT, "%s: the file has weights, but no model: its metadata lack \"mica\"", l->place);
    else if (mi_json_parse(&l->error, l->place, description, strlen(description), &json) == MICA_OK)
        take_description(l, json);
    l->model->loading = false;
    if (l->error.status == MICA_OK)
        take_weights(l->model, &l->error, l->place, &file, &strict);
    cJSON_Delete(json);
    mi_safetensors_close(&file);
    return l->error.status;
}

/* The model's own error gets the whole text, also where a part of it had been recorded. */
static mica_model *finish(struct loading *l)
{
    mica_model *model = l->model;
    if (l->error.status == MICA_OK)
        return model;
    mica_device *device = model->device;
    bool first = device->error.status == MICA_OK || strcmp(device->error.text, model->error.text) == 0;
    if (first)
        device->error = l->error;
    model->error = l->error;
    return model;
}

static mica_model *load_bytes(mica_device *device, const char *place, const unsigned char *bytes, size_t size,
                              const struct mi_error *before)
{
    struct loading l = {.model = mica_model_create(device, NULL), .place = place};
    if (!l.model)
        return NULL;
    mi_error_report(&l.error, &l.model->error);
    mi_error_report(&l.error, before);
    if (l.error.status == MICA_OK)
        load(&l, bytes, size);
    return finish(&l);
}

mica_model *mica_model_load_memory(mica_device *device, const void *bytes, size_t size)
{
    struct mi_error error = {0};
    if (!bytes)
        mi_fail(&error, MICA_INVALID_ARGUMENT, "the bytes of a model are missing");
    return load_bytes(device, "the model in memory", bytes, size, &error);
}

mica_model *mica_model_load(mica_device *device, const char *path)
{
    struct mi_error error = {0};
    unsigned char *bytes = NULL;
    size_t size = 0;
    if (!path)
        mi_fail(&error, MICA_INVALID_ARGUMENT, "the path of a model is missing");
    else
        mi_file_read(&error, path, MODEL_LIMIT, &bytes, &size);
    mica_model *model = load_bytes(device, path ? path : "the model", bytes, size, &error);
    free(bytes);
    return model;
}
