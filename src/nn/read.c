/* One layer from JSON: its type and its descriptor. */
#include "nn/layer/recurrent.h"
#include "nn/own.h"

#include <string.h>

enum { MOST_NAMES = 256, MOST_PLACE = 256 };

/* Keys that every layer has, the type first. */
static const char *const common_keys[] = {"type", "name", "inputs", "activity_regularizer", NULL};
static const char *const keys_with_cells[] = {"type", "name", "inputs", "activity_regularizer", "cell", NULL};

const struct mi_layer_type *mi_layer_type_named(const char *name)
{
    const struct mi_layer_type *const *type = mi_layer_types;
    while (*type && !mi_layer_is_called(*type, name))
        type++;
    return *type;
}

mica_status mi_layer_type_unknown(struct mi_error *error, const mica_device *device, const char *place, const char *name)
{
    const char *names[MOST_NAMES] = {NULL};
    size_t count = mi_own_names(device, names, MOST_NAMES / 4);
    for (size_t i = 0; mi_layer_types[i] && count + 1 < MOST_NAMES; i++)
        names[count++] = mi_layer_types[i]->type;
    return mi_keys_unknown(error, place, "layer type", name, names);
}

static mica_status unknown_activation(struct mi_error *error, const char *place, const char *name)
{
    const char *names[MOST_NAMES];
    mi_activation_names(names, MOST_NAMES);
    return mi_keys_unknown(error, place, "activation", name, names);
}

static mica_status read_desc(struct mi_error *error, const struct mi_layer_type *type, const cJSON *json, const char *place,
                             void *desc)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(json, "name");
    const cJSON *activation = cJSON_GetObjectItemCaseSensitive(json, "activation");
    if (cJSON_IsString(activation) && !mi_activation_exists(activation->valuestring))
        return unknown_activation(error, place, activation->valuestring);
    MI_TRY(mi_keys_read(error, json, place, type->keys, type->has_cells ? keys_with_cells : common_keys, desc));
    if (name && !cJSON_IsString(name))
        return mi_fail(error, MICA_FORMAT, "%s.name: must be a text", place);
    if (name)
        memcpy(desc, &name->valuestring, sizeof name->valuestring);
    return MICA_OK;
}

/* A key of every layer, which no descriptor has. */
static mica_status read_activity(struct mi_error *error, const cJSON *json, const char *place, mica_regularizer *activity)
{
    cJSON *item = cJSON_GetObjectItemCaseSensitive(json, mi_activity_keys[0].name), *own = cJSON_CreateObject();
    if (!own || (item && !cJSON_AddItemReferenceToObject(own, mi_activity_keys[0].name, item)))
        mi_out_of_memory(error);
    else
        mi_keys_read(error, own, place, mi_activity_keys, NULL, activity);
    cJSON_Delete(own);
    return error->status;
}

static mica_status read_one(struct mi_error *error, struct mi_arena *arena, const struct mi_layer_type *type, const cJSON *json,
                            const char *place, void **desc)
{
    *desc = mi_arena_new(arena, 1, type->desc_size);
    return *desc ? read_desc(error, type, json, place, *desc) : mi_out_of_memory(error);
}

static mica_status known_type(struct mi_error *error, const mica_device *device, const cJSON *json, const char *place,
                              const struct mi_layer_type **type)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(json, "type");
    if (!cJSON_IsObject(json) || !cJSON_IsString(name))
        return mi_fail(error, MICA_FORMAT, "%s: a layer is an object with a \"type\"", place);
    *type = mi_layer_type_named(name->valuestring);
    return *type ? MICA_OK : mi_layer_type_unknown(error, device, place, name->valuestring);
}

static mica_status read_typed(struct mi_error *error, struct mi_arena *arena, const struct mi_layer_type *type, const cJSON *json,
                              const char *place, void **desc);

/* ---- The layer within a wrapper ---- */

/* It has keys of its own alone; those of every layer are the wrapper's. */
static mica_status read_within(struct mi_error *error, struct mi_arena *arena, const struct mi_layer_type *type, const cJSON *json,
                               const char *place, const struct mi_layer_type **row, void **within)
{
    const cJSON *layer = cJSON_GetObjectItemCaseSensitive(json, "layer");
    char inner[MOST_PLACE];
    mi_format(inner, sizeof inner, "%s.layer", place);
    if (!layer)
        return mi_fail(error, MICA_FORMAT, "%s: \"layer\", the layer that %s is around, is missing", place, type->type);
    MI_TRY(known_type(error, NULL, layer, inner, row)); /* the application's own are no layers within */
    for (const char *const *key = common_keys + 1; *key; key++)
        if (cJSON_GetObjectItemCaseSensitive(layer, *key))
            return mi_fail(error, MICA_FORMAT, "%s.%s: it stands beside \"layer\", in %s", inner, *key, place);
    if ((*row)->wraps)
        return mi_fail(error, MICA_FORMAT, "%s: a wrapper has no %s within", inner, (*row)->type);
    return read_typed(error, arena, *row, layer, inner, within);
}

/* ---- The cells of a recurrent layer ---- */

/* {"name": ..., "shape": [...], "next": NAME} */
struct state_keys {
    const char *name, *next;
    mica_shape shape;
};
static const struct mi_key state_keys[] = {
    MI_KEY_WITH(struct state_keys, "name", MI_KEY_TEXT, name, .required = true),
    MI_KEY_WITH(struct state_keys, "shape", MI_KEY_SHAPE, shape, .required = true, MI_KEY_AT_LEAST(1)),
    MI_KEY_WITH(struct state_keys, "next", MI_KEY_TEXT, next, .required = true),
    {0},
};

/* {"states": [...], "layers": [...], "output": NAME} */
struct cell_keys {
    const cJSON *states, *layers;
    const char *output;
};
static const struct mi_key cell_keys[] = {
    MI_KEY_WITH(struct cell_keys, "states", MI_KEY_JSON, states, .required = true),
    MI_KEY_WITH(struct cell_keys, "layers", MI_KEY_JSON, layers, .required = true),
    MI_KEY(struct cell_keys, "output", MI_KEY_TEXT, output),
    {0},
};

/* The items of a list of 1 (or none) to `most` items; -1: an error says that it is none. */
static int list_size(struct mi_error *error, const cJSON *list, const char *place, const char *key, int least, int most)
{
    int count = cJSON_GetArraySize(list);
    if (cJSON_IsArray(list) && count >= least && count <= most)
        return count;
    mi_fail(error, MICA_FORMAT, "%s.%s: must be a list of %d to %d objects", place, key, least, most);
    return -1;
}

static mica_status read_states(struct mi_error *error, struct mi_arena *arena, const cJSON *list, const char *place,
                               struct mi_cell_layers *layers, mica_cell *cell)
{
    char inner[MOST_PLACE];
    int count = list_size(error, list, place, "states", 0, MI_MOST_STATES), i = 0;
    mica_shape *shapes = count > 0 ? mi_arena_new(arena, (size_t)count, sizeof *shapes) : NULL;
    const cJSON *item;
    if (count < 0 || (count && !shapes))
        return count < 0 ? error->status : mi_out_of_memory(error);
    cJSON_ArrayForEach(item, list) {
        struct state_keys state = {0};
        mi_format(inner, sizeof inner, "%s.states[%d]", place, i);
        MI_TRY(mi_keys_read(error, item, inner, state_keys, NULL, &state));
        layers->state[i] = state.name;
        layers->next[i] = state.next;
        shapes[i++] = state.shape;
    }
    cell->states = shapes;
    cell->state_count = count;
    return MICA_OK;
}

static mica_status read_cell_layer(struct mi_error *error, struct mi_arena *arena, const cJSON *json, const char *place,
                                   struct mi_cell_layer *out)
{
    void *desc = NULL;
    MI_TRY(known_type(error, NULL, json, place, &out->type));
    MI_TRY(read_typed(error, arena, out->type, json, place, &desc));
    if (cJSON_GetObjectItemCaseSensitive(json, mi_activity_keys[0].name))
        return mi_fail(error, MICA_FORMAT, "%s.%s: what a step makes is not penalized; what the layer returns may be", place,
                       mi_activity_keys[0].name);
    out->desc = desc;
    out->inputs = cJSON_GetObjectItemCaseSensitive(json, "inputs");
    if (out->inputs && !cJSON_IsArray(out->inputs))
        return mi_fail(error, MICA_FORMAT, "%s.inputs: must be a list of layers' names", place);
    if (!out->inputs && (out->type->min_inputs > 1 || out->type->max_inputs < 0))
        return mi_fail(error, MICA_FORMAT, "%s: %s joins layers: \"inputs\" is missing", place, out->type->type);
    return MICA_OK;
}

static mica_status read_layers(struct mi_error *error, struct mi_arena *arena, const cJSON *json, const char *place,
                               mica_cell *cell)
{
    enum { MOST_LAYERS = 1000 };
    struct cell_keys keys = {0};
    char inner[MOST_PLACE];
    MI_TRY(mi_keys_read(error, json, place, cell_keys, NULL, &keys));
    struct mi_cell_layers *layers = mi_arena_new(arena, 1, sizeof *layers);
    int count = list_size(error, keys.layers, place, "layers", 1, MOST_LAYERS);
    if (count < 0)
        return error->status;
    struct mi_cell_layer *list = mi_arena_new(arena, (size_t)count, sizeof *list);
    if (!layers || !list)
        return mi_out_of_memory(error);
    *layers = (struct mi_cell_layers){.layer = list, .output = keys.output};
    MI_TRY(read_states(error, arena, keys.states, place, layers, cell));
    for (const cJSON *item = keys.layers->child; item; item = item->next) {
        mi_format(inner, sizeof inner, "%s.layers[%d]", place, layers->count);
        MI_TRY(read_cell_layer(error, arena, item, inner, &list[layers->count++]));
    }
    cell->step = mi_cell_of_layers;
    cell->user = layers;
    return MICA_OK;
}

static mica_status read_cell(struct mi_error *error, struct mi_arena *arena, const cJSON *json, const char *place, mica_cell *cell)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(json, "type");
    const char *names[MOST_NAMES] = {NULL};
    void *desc = NULL;
    size_t i = 0;
    if (cJSON_IsObject(json) && cJSON_GetObjectItemCaseSensitive(json, "layers"))
        return read_layers(error, arena, json, place, cell);
    if (!cJSON_IsObject(json) || !cJSON_IsString(name))
        return mi_fail(error, MICA_FORMAT, "%s: a cell is an object with a \"type\", or with \"states\" and \"layers\"", place);
    for (; mi_cell_types[i] && strcmp(mi_cell_types[i]->type, name->valuestring) != 0; i++)
        names[i] = mi_cell_types[i]->type;
    if (!mi_cell_types[i])
        return mi_keys_unknown(error, place, "cell", name->valuestring, names);
    MI_TRY(read_one(error, arena, mi_cell_types[i], json, place, &desc));
    *cell = (mica_cell){.type = mi_cell_types[i]->type, .desc = desc};
    return MICA_OK;
}

/* One cell, a list of them, or Keras's stacked_rnn_cells, which has a list. */
static mica_status read_cells(struct mi_error *error, struct mi_arena *arena, const cJSON *json, const char *place,
                              mica_rnn_desc *desc)
{
    const cJSON *given = cJSON_GetObjectItemCaseSensitive(json, "cell");
    const cJSON *list = cJSON_IsArray(given) ? given : cJSON_GetObjectItemCaseSensitive(given, "cells");
    char inner[MOST_PLACE];
    if (!given)
        return mi_fail(error, MICA_FORMAT, "%s: \"cell\" is missing", place);
    int count = list ? list_size(error, list, place, "cell", 1, MI_MOST_CELLS) : 1;
    mica_cell *cells = count > 0 ? mi_arena_new(arena, (size_t)count, sizeof *cells) : NULL;
    if (!cells)
        return count < 0 ? error->status : mi_out_of_memory(error);
    for (int i = 0; i < count; i++) {
        mi_format(inner, sizeof inner, list ? "%s.cell[%d]" : "%s.cell", place, i);
        MI_TRY(read_cell(error, arena, list ? cJSON_GetArrayItem(list, i) : given, inner, &cells[i]));
    }
    desc->cells = cells;
    desc->cell_count = count;
    return MICA_OK;
}

/* ---- The whole ---- */

static mica_status read_typed(struct mi_error *error, struct mi_arena *arena, const struct mi_layer_type *type, const cJSON *json,
                              const char *place, void **desc)
{
    const struct mi_layer_type *row = NULL;
    void *within = NULL;
    if (type->wraps)
        MI_TRY(read_within(error, arena, type, json, place, &row, &within));
    MI_TRY(read_one(error, arena, type, json, place, desc));
    if (type->wraps) {
        struct mi_around *around = *desc;
        around->type = row;
        around->within = within;
    }
    return type->has_cells ? read_cells(error, arena, json, place, *desc) : MICA_OK;
}

mica_status mi_layer_read(struct mi_error *error, struct mi_arena *arena, const mica_device *device, const cJSON *json,
                          const char *place, const struct mi_layer_type **type, void **desc, mica_regularizer *activity)
{
    *desc = NULL;
    *activity = (mica_regularizer){.type = NULL};
    MI_TRY(known_type(error, device, json, place, type));
    MI_TRY(read_typed(error, arena, *type, json, place, desc));
    return read_activity(error, json, place, activity);
}
