/* Layers from JSON, and a model's description as JSON. */
#include "nn/layer.h"
#include "ops/ops.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_LAYERS = 10000, MOST_INPUTS = 1024, MOST_NAMES = 256 };

/* Keys that every layer has. */
static const char *const common_keys[] = {"type", "name", "inputs", NULL};

/* ---- Finding a layer's type ---- */

static const struct mi_layer_type *find_type(const char *name)
{
    for (const struct mi_layer_type *const *type = mi_layer_types; *type; type++) {
        if (strcmp((*type)->type, name) == 0)
            return *type;
        for (const char *const *alias = (*type)->aliases; alias && *alias; alias++)
            if (strcmp(*alias, name) == 0)
                return *type;
    }
    return NULL;
}

static mica_status unknown_type(struct mi_error *error, const char *place, const char *name)
{
    const char *names[MOST_NAMES];
    struct mi_arena arena = {0};
    size_t count = 0;
    for (const struct mi_layer_type *const *type = mi_layer_types; *type && count + 1 < MOST_NAMES; type++)
        names[count++] = (*type)->type;
    mi_activation_names(&arena, names + count, MOST_NAMES - count);
    mica_status status = mi_keys_unknown(error, place, "layer type", name, names);
    mi_arena_destroy(&arena);
    return status;
}

static mica_status unknown_activation(struct mi_error *error, const char *place, const char *name)
{
    const char *names[MOST_NAMES];
    struct mi_arena arena = {0};
    mi_activation_names(&arena, names, MOST_NAMES);
    mica_status status = mi_keys_unknown(error, place, "activation", name, names);
    mi_arena_destroy(&arena);
    return status;
}

/* ---- A layer's inputs ---- */

static mica_status named_input(mica_model *model, const cJSON *item, mi_value **out)
{
    const char *names[MOST_NAMES];
    size_t count = 0;
    if (!cJSON_IsString(item))
        return mi_model_fail(model, MICA_FORMAT, "inputs must be a list of layers' names");
    const struct mi_layer_record *record = mi_model_layer(model, item->valuestring);
    if (record) {
        *out = record->value;
        return MICA_OK;
    }
    for (size_t i = 0; i < model->layer_count && count + 1 < MOST_NAMES; i++)
        names[count++] = model->layers[i].name;
    names[count] = NULL;
    return mi_model_fail(model, MICA_FORMAT, "inputs: there is no earlier layer \"%s\"%s", mi_show(item->valuestring).text,
                         mi_advise(item->valuestring, names).text);
}

/* The named inputs, or the layer before. */
static mica_status find_inputs(mica_model *model, const struct mi_layer_type *type, const cJSON *json, mi_value **x, int *count)
{
    const cJSON *inputs = cJSON_GetObjectItemCaseSensitive(json, "inputs"), *item;
    *count = 0;
    if (inputs && !cJSON_IsArray(inputs))
        return mi_model_fail(model, MICA_FORMAT, "inputs must be a list of layers' names");
    if (inputs && cJSON_GetArraySize(inputs) > MOST_INPUTS)
        return mi_model_fail(model, MICA_FORMAT, "inputs names more than %d layers", MOST_INPUTS);
    if (inputs) {
        cJSON_ArrayForEach(item, inputs)
            MI_TRY(named_input(model, item, &x[(*count)++]));
        return MICA_OK;
    }
    if (type->max_inputs == 0)
        return MICA_OK;
    if (type->min_inputs > 1 || type->max_inputs < 0)
        return mi_model_fail(model, MICA_FORMAT, "%s joins layers: \"inputs\" is missing", type->type);
    if (model->layer_count == 0)
        return mi_model_fail(model, MICA_FORMAT, "there is no input: \"input_shape\" is missing");
    x[(*count)++] = model->layers[model->layer_count - 1].value;
    return MICA_OK;
}

/* ---- One layer ---- */

/* An activation's own name is short for {"type": "activation", "activation": NAME}. */
static mica_status read_desc(struct mi_error *error, const struct mi_layer_type *type, const cJSON *json, const char *place,
                             void *desc)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(json, "name");
    const cJSON *given = cJSON_GetObjectItemCaseSensitive(json, "type");
    const cJSON *activation = cJSON_GetObjectItemCaseSensitive(json, "activation");
    if (cJSON_IsString(activation) && !mi_activation_exists(mi_ops, activation->valuestring))
        return unknown_activation(error, place, activation->valuestring);
    if (find_type(given->valuestring)) {
        mi_keys_read(error, json, place, type->keys, common_keys, desc);
    } else {
        cJSON *whole = cJSON_Duplicate(json, true);
        if (!whole || !cJSON_AddStringToObject(whole, "activation", given->valuestring))
            mi_out_of_memory(error);
        else
            mi_keys_read(error, whole, place, type->keys, common_keys, desc);
        cJSON_Delete(whole);
        memcpy((char *)desc + type->keys[0].offset, &given->valuestring, sizeof given->valuestring);
    }
    if (error->status == MICA_OK && name) {
        if (!cJSON_IsString(name))
            return mi_fail(error, MICA_FORMAT, "%s.name: must be a text", place);
        memcpy(desc, &name->valuestring, sizeof name->valuestring);
    }
    return error->status;
}

/* A layer's type and its descriptor, which the caller frees. Texts stay the JSON's. */
static mica_status read_layer(struct mi_error *error, const cJSON *json, const char *place, const struct mi_layer_type **type,
                              void **desc)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(json, "type");
    *desc = NULL;
    if (!cJSON_IsObject(json) || !cJSON_IsString(name))
        return mi_fail(error, MICA_FORMAT, "%s: a layer is an object with a \"type\"", place);
    *type = find_type(name->valuestring);
    if (!*type && mi_activation_exists(mi_ops, name->valuestring))
        *type = find_type("activation");
    if (!*type)
        return unknown_type(error, place, name->valuestring);
    *desc = mi_new(1, (*type)->desc_size);
    return *desc ? read_desc(error, *type, json, place, *desc) : mi_out_of_memory(error);
}

static mica_status add_one(mica_model *model, const cJSON *json, const char *place)
{
    mi_value *x[MOST_INPUTS];
    int count = 0;
    const struct mi_layer_type *type = NULL;
    void *desc = NULL;
    struct mi_error error = {0};
    mica_status status = read_layer(&error, json, place, &type, &desc);
    if (status != MICA_OK) {
        free(model->place); /* the error names its place already */
        model->place = NULL;
        mi_model_fail(model, status, "%s", error.text);
    }
    if (status == MICA_OK)
        status = find_inputs(model, type, json, x, &count);
    if (status == MICA_OK && !mi_layer_add_to(model, type, x, count, desc))
        status = model->error.status ? model->error.status : MICA_INTERNAL;
    free(desc);
    return status;
}

/* ---- The whole ---- */

static mica_status set_place(mica_model *model, const char *place)
{
    char text[128];
    mi_format(text, sizeof text, "%s: ", place);
    free(model->place);
    model->place = mi_strdup(text);
    return model->place ? MICA_OK : mi_model_fail(model, MICA_OUT_OF_MEMORY, "the host is out of memory");
}

static mica_status add_input(mica_model *model, const cJSON *input_shape, const char *place)
{
    mica_shape shape = {0};
    struct mi_error error = {0};
    if (mi_json_shape(&error, input_shape, place, "input_shape", 1, MICA_MAX_RANK - 1, shape.dim, &shape.rank) != MICA_OK)
        return mi_model_fail(model, error.status, "%s", error.text);
    return mica_input(model, NULL, shape) ? MICA_OK : model->error.status;
}

static mica_status add_outputs(mica_model *model, const cJSON *outputs)
{
    const cJSON *item;
    if (outputs && !cJSON_IsObject(outputs))
        return mi_model_fail(model, MICA_FORMAT, "outputs must be an object: names of outputs and of layers");
    cJSON_ArrayForEach(item, outputs) {
        mi_value *value = NULL;
        MI_TRY(named_input(model, item, &value));
        if (!mica_output(model, item->string, value))
            return model->error.status;
    }
    if (!outputs && model->graph->output_count == 0 && model->layer_count)
        mica_output(model, NULL, model->layers[model->layer_count - 1].value);
    return model->error.status;
}

enum { PLACE = 96 };

static void layer_place(char place[PLACE], const char *prefix, int i)
{
    mi_format(place, PLACE, "%s%slayers[%d]", prefix, *prefix ? "." : "", i);
}

mica_status mi_layers_check(struct mi_error *error, const cJSON *layers, const char *prefix)
{
    const cJSON *layer;
    char place[PLACE];
    int i = 0;
    if (!cJSON_IsArray(layers) || cJSON_GetArraySize(layers) > MOST_LAYERS)
        return mi_fail(error, MICA_FORMAT, "%s%slayers must be a list of layers", prefix, *prefix ? "." : "");
    if (!cJSON_GetArraySize(layers))
        return mi_fail(error, MICA_FORMAT, "%s%slayers is empty: a network has at least one layer", prefix, *prefix ? "." : "");
    cJSON_ArrayForEach(layer, layers) {
        const struct mi_layer_type *type;
        void *desc;
        layer_place(place, prefix, i++);
        mica_status status = read_layer(error, layer, place, &type, &desc);
        free(desc);
        MI_TRY(status);
    }
    return MICA_OK;
}

static mica_status add_layers(mica_model *model, const cJSON *json, const char *prefix)
{
    const cJSON *layers = cJSON_GetObjectItemCaseSensitive(json, "layers"), *layer;
    const cJSON *input_shape = cJSON_GetObjectItemCaseSensitive(json, "input_shape");
    static const char *const keys[] = {"input_shape", "layers", "outputs", NULL};
    char place[PLACE];
    int i = 0;
    const cJSON *item;
    struct mi_error error = {0};
    cJSON_ArrayForEach(item, json) {
        const char *const *key = keys;
        while (*key && strcmp(*key, item->string))
            key++;
        if (!*key)
            return mi_model_fail(model, mi_keys_unknown(&error, prefix, "key", item->string, keys), "%s", error.text);
    }
    if (input_shape)
        MI_TRY(add_input(model, input_shape, prefix));
    if (mi_layers_check(&error, layers, prefix) != MICA_OK)
        return mi_model_fail(model, error.status, "%s", error.text);
    cJSON_ArrayForEach(layer, layers) {
        layer_place(place, prefix, i++);
        MI_TRY(set_place(model, place));
        MI_TRY(add_one(model, layer, place));
    }
    free(model->place);
    model->place = NULL;
    return add_outputs(model, cJSON_GetObjectItemCaseSensitive(json, "outputs"));
}

mica_status mi_model_add_layers(mica_model *model, const cJSON *json, const char *place)
{
    if (model->error.status != MICA_OK)
        return model->error.status;
    if (!cJSON_IsObject(json))
        return mi_model_fail(model, MICA_FORMAT, "%s%smust be a JSON object", place, *place ? ": " : "");
    mica_status status = add_layers(model, json, place);
    free(model->place);
    model->place = NULL;
    return status;
}

mica_status mica_model_add_json(mica_model *model, const char *json)
{
    struct mi_error error = {0};
    cJSON *parsed = NULL;
    if (!model)
        return MICA_INVALID_ARGUMENT;
    MI_TRY(mi_model_begin(model));
    if (!json)
        return mi_fail(&model->device->error, MICA_INVALID_ARGUMENT, "the model's description is NULL");
    if (mi_json_parse(&error, "the model's description", json, strlen(json), &parsed) != MICA_OK)
        return mi_model_fail(model, error.status, "%s", error.text);
    mica_status status = mi_model_add_layers(model, parsed, "");
    cJSON_Delete(parsed);
    return status;
}

/* ---- Description ---- */

static bool add_output_names(const mica_model *model, cJSON *json)
{
    cJSON *outputs = cJSON_AddObjectToObject(json, "outputs");
    for (size_t i = 0; outputs && i < model->graph->output_count; i++) {
        const mi_value *output = model->graph->outputs[i];
        for (size_t k = model->layer_count; k-- > 0;)
            if (model->layers[k].value == output->node->in[0]) {
                if (!cJSON_AddStringToObject(outputs, output->name, model->layers[k].name))
                    return false;
                break;
            }
    }
    return outputs != NULL;
}

cJSON *mi_model_describe(const mica_model *model)
{
    cJSON *json = cJSON_CreateObject(), *layers = cJSON_Duplicate(model->description, true);
    if (json && layers && cJSON_AddItemToObject(json, "layers", layers)) {
        if (add_output_names(model, json))
            return json;
        layers = NULL; /* json's now */
    }
    cJSON_Delete(layers);
    cJSON_Delete(json);
    return NULL;
}
