/* Layers from JSON, and a model's description as JSON. */
#include "nn/layer.h"
#include "nn/own.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_LAYERS = 10000, MOST_INPUTS = 1024, MOST_NAMES = 256, DEEPEST = 16, PLACE = 256 };

/* ---- A layer's inputs ---- */

/* What stands for an input behind the layers that prepare it; else the value itself. */
static mi_value *prepared(const mica_model *model, mi_value *value)
{
    for (size_t i = 0; i < model->group_count; i++)
        if (model->groups[i].prepares && model->groups[i].in[0] == value && model->groups[i].value)
            return model->groups[i].value;
    return value;
}

/* The result of a layer or a group of that name, in the groups that are open from the innermost on. */
static mi_value *find_value(mica_model *model, const char *name)
{
    mi_value *value = mi_scoped_value(model, name);
    return value ? prepared(model, value) : NULL;
}

/* `key` is the list or object of names that has the item. */
static mica_status named_layer(mica_model *model, const char *key, const cJSON *item, mi_value **out)
{
    const char *names[MOST_NAMES];
    size_t count = 0;
    if (!cJSON_IsString(item))
        return mi_model_fail(model, MICA_FORMAT, "%s must hold layers' names", key);
    if ((*out = find_value(model, item->valuestring)) != NULL)
        return MICA_OK;
    for (size_t i = 0; i < model->layer_count && count + 1 < MOST_NAMES; i++)
        names[count++] = model->layers[i].name;
    names[count] = NULL;
    const char *colon = strrchr(item->valuestring, ':');
    const char *layer = colon ? mi_arena_format(&model->graph->arena, "%.*s", (int)(colon - item->valuestring), item->valuestring)
                              : NULL;
    if (layer && find_value(model, layer))
        return mi_model_fail(model, MICA_FORMAT, "%s: \"%s\" has no result %s; the first is :0", key, mi_show(layer).text,
                             mi_show(colon + 1).text);
    return mi_model_fail(model, MICA_FORMAT, "%s: there is no earlier layer \"%s\"%s", key, mi_show(item->valuestring).text,
                         mi_advise(item->valuestring, names).text);
}

/* The named inputs, or the layer before; *count 0 where neither is there. */
static mica_status given_inputs(mica_model *model, const cJSON *json, mi_value **x, int *count)
{
    const cJSON *inputs = cJSON_GetObjectItemCaseSensitive(json, "inputs"), *item;
    *count = 0;
    if (inputs && !cJSON_IsArray(inputs))
        return mi_model_fail(model, MICA_FORMAT, "inputs must be a list of layers' names");
    if (inputs && cJSON_GetArraySize(inputs) > MOST_INPUTS)
        return mi_model_fail(model, MICA_FORMAT, "inputs names more than %d layers", MOST_INPUTS);
    cJSON_ArrayForEach(item, inputs)
        MI_TRY(named_layer(model, "inputs", item, &x[(*count)++]));
    if (!inputs && model->before)
        x[(*count)++] = model->before;
    return MICA_OK;
}

static mica_status find_inputs(mica_model *model, const struct mi_layer_type *type, const cJSON *json, mi_value **x, int *count)
{
    bool given = cJSON_GetObjectItemCaseSensitive(json, "inputs") != NULL;
    *count = 0;
    if (!given && type->max_inputs == 0)
        return MICA_OK;
    if (!given && (type->min_inputs > 1 || type->max_inputs < 0))
        return mi_model_fail(model, MICA_FORMAT, "%s joins layers: \"inputs\" is missing", type->type);
    if (!given && !model->before)
        return mi_model_fail(model, MICA_FORMAT, "there is no input: \"input_shape\" is missing");
    return given_inputs(model, json, x, count);
}

/* ---- One layer ---- */

/* An error that names its place already. */
static mica_status fail_placed(mica_model *model, const struct mi_error *error)
{
    free(model->place);
    model->place = NULL;
    return mi_model_fail(model, error->status, "%s", error->text);
}

static mica_status add_typed(mica_model *model, const cJSON *json, const char *place)
{
    mi_value *x[MOST_INPUTS];
    int count = 0;
    const struct mi_layer_type *type = NULL;
    void *desc = NULL;
    struct mi_error error = {0};
    struct mi_arena arena = {0};
    mica_regularizer activity;
    mica_status status = mi_layer_read(&error, &arena, model->device, json, place, &type, &desc, &activity);
    if (status != MICA_OK)
        fail_placed(model, &error);
    else
        status = find_inputs(model, type, json, x, &count);
    mi_value *value = status == MICA_OK ? mi_layer_add_to(model, type, x, count, desc) : NULL;
    if (status == MICA_OK)
        status = value ? mi_activity_add(model, value, &activity) : model->error.status ? model->error.status : MICA_INTERNAL;
    mi_arena_destroy(&arena);
    return status;
}

/* ---- A layer that is used again, and layers in groups ---- */

/* {"layer": NAME, "name": ..., "inputs": [...]} */
struct again_keys {
    const char *layer, *name;
};
static const struct mi_key again_keys[] = {
    MI_KEY_WITH(struct again_keys, "layer", MI_KEY_TEXT, layer, .required = true),
    MI_KEY(struct again_keys, "name", MI_KEY_TEXT, name),
    {0},
};

/* {"layers": [...], "name": ..., "inputs": [...]} */
struct group_keys {
    const cJSON *layers;
    const char *name;
};
static const struct mi_key group_keys[] = {
    MI_KEY_WITH(struct group_keys, "layers", MI_KEY_JSON, layers, .required = true),
    MI_KEY(struct group_keys, "name", MI_KEY_TEXT, name),
    {0},
};

static const char *const input_keys[] = {"inputs", NULL};

static mica_status add_again(mica_model *model, const cJSON *json, const char *place)
{
    mi_value *x[MOST_INPUTS];
    int count = 0;
    struct again_keys keys = {0};
    struct mi_error error = {0};
    if (mi_keys_read(&error, json, place, again_keys, input_keys, &keys) != MICA_OK)
        return fail_placed(model, &error);
    MI_TRY(given_inputs(model, json, x, &count));
    return mica_again(model, keys.layer, x, count, keys.name) ? MICA_OK : model->error.status;
}

static mica_status add_list(mica_model *model, const cJSON *layers, const char *list, int depth);

/* The list of layers in what stands at a place: "model.layers". */
static void list_place(char list[PLACE], const char *place)
{
    mi_format(list, PLACE, "%s%slayers", place, *place ? "." : "");
}

static mica_status add_group(mica_model *model, const cJSON *json, const char *place, int depth)
{
    mi_value *x[MOST_INPUTS];
    int count = 0;
    struct group_keys keys = {0};
    struct mi_error error = {0};
    if (mi_keys_read(&error, json, place, group_keys, input_keys, &keys) != MICA_OK)
        return fail_placed(model, &error);
    MI_TRY(given_inputs(model, json, x, &count));
    MI_TRY(mi_group_begin(model, keys.name, "group", x, count));
    char list[PLACE];
    list_place(list, place);
    mica_status status = add_list(model, keys.layers, list, depth + 1);
    mi_group_end(model, status == MICA_OK ? model->before : NULL);
    return status;
}

/* The layers of `data` that prepare an input are a group of the model, behind which whoever names the input reads. */
static mica_status prepare_input(mica_model *model, mi_value *input)
{
    struct mi_arena *arena = &model->graph->arena;
    bool one = cJSON_IsArray(model->prepare);
    const cJSON *layers = one ? model->prepare : cJSON_GetObjectItemCaseSensitive(model->prepare, input->name);
    if (!layers)
        return MICA_OK;
    for (size_t i = 0; one && i < model->group_count; i++)
        if (model->groups[i].prepares)
            return mi_model_fail(model, MICA_FORMAT, "data.layers is one list, and there are several inputs: give an object with a "
                                                     "list for each, by its name");
    const char *name = one ? "preprocess" : mi_arena_format(arena, "preprocess_%s", input->name);
    const char *list = one ? "data.layers" : mi_arena_format(arena, "data.layers.%s", mi_show(input->name).text);
    if (arena->failed)
        return mi_model_fail(model, MICA_OUT_OF_MEMORY, "the host is out of memory");
    MI_TRY(mi_group_begin(model, name, name, &input, 1));
    model->groups[model->group_count - 1].prepares = true;
    mica_status status = add_list(model, layers, list, 1);
    mi_group_end(model, status == MICA_OK ? model->before : NULL);
    return status;
}

/* Whether an object has this key, and no type of a layer. */
static bool is_instead(const cJSON *json, const char *key)
{
    return cJSON_IsObject(json) && cJSON_GetObjectItemCaseSensitive(json, key) && !cJSON_GetObjectItemCaseSensitive(json, "type");
}

/* The application's layer that an object is; NULL: none. */
static const struct mi_own_layer *own_layer(const mica_device *device, const cJSON *json)
{
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(json, "type");
    return device && cJSON_IsString(type) ? mi_own_find(device, type->valuestring) : NULL;
}

static mica_status add_own(mica_model *model, const struct mi_own_layer *own, const cJSON *json, const char *place)
{
    mi_value *x[MOST_INPUTS];
    int count = 0;
    MI_TRY(given_inputs(model, json, x, &count));
    free(model->place); /* errors of its layers name them, and those of its keys their place */
    model->place = NULL;
    return mi_own_add(model, own, json, place, x, count);
}

static mica_status add_one(mica_model *model, const cJSON *json, const char *place, int depth)
{
    const struct mi_own_layer *own = own_layer(model->device, json);
    if (own)
        return add_own(model, own, json, place);
    return is_instead(json, "layers") ? add_group(model, json, place, depth)
           : is_instead(json, "layer") ? add_again(model, json, place) : add_typed(model, json, place);
}

/* ---- The whole ---- */

static mica_status set_place(mica_model *model, const char *place)
{
    char text[PLACE + 2];
    mi_format(text, sizeof text, "%s: ", place);
    free(model->place);
    model->place = mi_strdup(text);
    return model->place ? MICA_OK : mi_model_fail(model, MICA_OUT_OF_MEMORY, "the host is out of memory");
}

static const char *const model_keys[] = {"input_shape", "max_length", "layers", "outputs", NULL};

/* Of an input whose first dimension is null. */
static const struct mi_key length_keys[] = {
    {.name = "max_length", .type = MI_KEY_LONG, MI_KEY_BETWEEN(1, INT32_MAX)},
    {0},
};

static mica_status add_input(mica_model *model, const cJSON *json, const char *place)
{
    const cJSON *input_shape = cJSON_GetObjectItemCaseSensitive(json, "input_shape");
    mica_shape shape = {0};
    int64_t most = 0;
    struct mi_error error = {0};
    if (mi_json_open_shape(&error, input_shape, place, "input_shape", 1, MICA_MAX_RANK - 1, shape.dim, &shape.rank) != MICA_OK ||
        mi_keys_read(&error, json, place, length_keys, model_keys, &most) != MICA_OK)
        return mi_model_fail(model, error.status, "%s", error.text);
    bool varies = shape.rank > 0 && shape.dim[0] == 0;
    if (varies != (most > 0))
        return mi_model_fail(model, MICA_FORMAT, "%s%s%s", place, *place ? "." : "",
                             varies ? "input_shape begins with null: max_length, the most steps that a sample has, is missing"
                                    : "max_length is of an input_shape that begins with null");
    if (varies)
        shape.dim[0] = most;
    mi_value *input = varies ? mica_input_varying(model, NULL, shape, MICA_FLOAT32) : mica_input(model, NULL, shape);
    return input ? prepare_input(model, input) : model->error.status;
}

static mica_status add_outputs(mica_model *model, const cJSON *outputs)
{
    const cJSON *item;
    if (outputs && !cJSON_IsObject(outputs))
        return mi_model_fail(model, MICA_FORMAT, "outputs must be an object: names of outputs and of layers");
    cJSON_ArrayForEach(item, outputs) {
        mi_value *value = NULL;
        MI_TRY(named_layer(model, "outputs", item, &value));
        if (!mica_output(model, item->string, value))
            return model->error.status;
    }
    if (!outputs && model->graph->output_count == 0 && model->before)
        mica_output(model, NULL, model->before);
    return model->error.status;
}

static void layer_place(char place[PLACE], const char *list, int i)
{
    mi_format(place, PLACE, "%s[%d]", list, i);
}

static mica_status check_list(struct mi_error *error, const cJSON *layers, const char *list, int depth)
{
    if (!cJSON_IsArray(layers) || cJSON_GetArraySize(layers) > MOST_LAYERS)
        return mi_fail(error, MICA_FORMAT, "%s must be a list of layers", list);
    if (!cJSON_GetArraySize(layers))
        return mi_fail(error, MICA_FORMAT, "%s is empty: there is at least one layer in a list of them", list);
    if (depth > DEEPEST)
        return mi_fail(error, MICA_FORMAT, "%s are in more than %d groups", list, DEEPEST);
    return MICA_OK;
}

static mica_status check_one(struct mi_error *error, const mica_device *device, const cJSON *layer, const char *place)
{
    const struct mi_layer_type *type;
    struct again_keys again = {0};
    mica_regularizer activity;
    struct mi_arena arena = {0};
    void *desc = NULL;
    if (is_instead(layer, "layer"))
        return mi_keys_read(error, layer, place, again_keys, input_keys, &again);
    mica_status status = mi_layer_read(error, &arena, device, layer, place, &type, &desc, &activity);
    mi_arena_destroy(&arena);
    return status;
}

static mica_status check_layers(struct mi_error *error, const mica_device *device, const cJSON *layers, const char *list,
                                int depth)
{
    const cJSON *layer;
    char place[PLACE], inner[PLACE];
    int i = 0;
    MI_TRY(check_list(error, layers, list, depth));
    cJSON_ArrayForEach(layer, layers) {
        struct group_keys group = {0};
        layer_place(place, list, i++);
        if (own_layer(device, layer))
            continue; /* only the application knows its keys */
        if (!is_instead(layer, "layers")) {
            MI_TRY(check_one(error, device, layer, place));
            continue;
        }
        MI_TRY(mi_keys_read(error, layer, place, group_keys, input_keys, &group));
        list_place(inner, place);
        MI_TRY(check_layers(error, device, group.layers, inner, depth + 1));
    }
    return MICA_OK;
}

mica_status mi_layers_check(struct mi_error *error, const mica_device *device, const cJSON *layers, const char *list)
{
    return check_layers(error, device, layers, list, 0);
}

static mica_status add_list(mica_model *model, const cJSON *layers, const char *list, int depth)
{
    const cJSON *layer;
    char place[PLACE];
    int i = 0;
    cJSON_ArrayForEach(layer, layers) {
        layer_place(place, list, i++);
        MI_TRY(set_place(model, place));
        MI_TRY(add_one(model, layer, place, depth));
        if (depth == 0 && model->before && model->before->node->op == &mi_op_input)
            MI_TRY(prepare_input(model, model->before));
    }
    return MICA_OK;
}

static mica_status add_layers(mica_model *model, const cJSON *json, const char *prefix)
{
    const cJSON *layers = cJSON_GetObjectItemCaseSensitive(json, "layers");
    const cJSON *input_shape = cJSON_GetObjectItemCaseSensitive(json, "input_shape");
    const cJSON *max_length = cJSON_GetObjectItemCaseSensitive(json, "max_length");
    const cJSON *item;
    struct mi_error error = {0};
    char list[PLACE];
    list_place(list, prefix);
    cJSON_ArrayForEach(item, json) {
        const char *const *key = model_keys;
        while (*key && strcmp(*key, item->string))
            key++;
        if (!*key)
            return mi_model_fail(model, mi_keys_unknown(&error, prefix, "key", item->string, model_keys), "%s", error.text);
    }
    if (input_shape || max_length)
        MI_TRY(add_input(model, json, prefix));
    if (mi_layers_check(&error, model->device, layers, list) != MICA_OK)
        return mi_model_fail(model, error.status, "%s", error.text);
    MI_TRY(add_list(model, layers, list, 0));
    free(model->place);
    model->place = NULL;
    return add_outputs(model, cJSON_GetObjectItemCaseSensitive(json, "outputs"));
}

mica_status mi_model_add_layers(mica_model *model, const cJSON *json, const char *place, const cJSON *prepare)
{
    if (model->error.status != MICA_OK)
        return model->error.status;
    if (!cJSON_IsObject(json))
        return mi_model_fail(model, MICA_FORMAT, "%s%smust be a JSON object", place, *place ? ": " : "");
    model->prepare = prepare;
    mica_status status = add_layers(model, json, place);
    model->prepare = NULL;
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
    mica_status status = mi_model_add_layers(model, parsed, "", NULL);
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
