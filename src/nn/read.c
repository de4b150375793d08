/* One layer from JSON: its type and its descriptor. */
#include "nn/layer.h"
#include "nn/own.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NAMES = 256, MOST_PLACE = 256 };

/* Keys that every layer has, the type first. */
static const char *const common_keys[] = {"type", "name", "inputs", "activity_regularizer", NULL};

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
    MI_TRY(mi_keys_read(error, json, place, type->keys, common_keys, desc));
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

/* Descriptors lie behind each other, the first in `size` bytes, so that one call frees them. */
static size_t aligned(size_t size)
{
    return (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
}

/* The descriptor of a type, with room for a further one behind it. */
static mica_status read_one(struct mi_error *error, const struct mi_layer_type *type, const cJSON *json, const char *place,
                            size_t room, void **desc)
{
    *desc = mi_new(1, aligned(type->desc_size) + room);
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

/* A layer within a wrapper has keys of its own alone; those of every layer are the wrapper's. */
static mica_status read_within(struct mi_error *error, const struct mi_layer_type *type, const cJSON *json, const char *place,
                               const struct mi_layer_type **row, void **within)
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
    return read_one(error, *row, layer, inner, 0, within);
}

static mica_status read_wrapper(struct mi_error *error, const struct mi_layer_type *type, const cJSON *json, const char *place,
                                void **desc)
{
    const struct mi_layer_type *row = NULL;
    void *within = NULL;
    mica_status status = read_within(error, type, json, place, &row, &within);
    if (status == MICA_OK)
        status = read_one(error, type, json, place, row->desc_size, desc);
    if (status == MICA_OK) {
        void *behind = (char *)*desc + aligned(type->desc_size);
        struct mi_around *around = *desc;
        memcpy(behind, within, row->desc_size);
        around->type = row;
        around->within = behind;
    }
    free(within);
    return status;
}

mica_status mi_layer_read(struct mi_error *error, const mica_device *device, const cJSON *json, const char *place,
                          const struct mi_layer_type **type, void **desc, mica_regularizer *activity)
{
    *desc = NULL;
    *activity = (mica_regularizer){.type = NULL};
    MI_TRY(known_type(error, device, json, place, type));
    MI_TRY((*type)->wraps ? read_wrapper(error, *type, json, place, desc) : read_one(error, *type, json, place, 0, desc));
    return read_activity(error, json, place, activity);
}
