/* One layer from JSON: its type and its descriptor. */
#include "nn/layer.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_NAMES = 256 };

/* Keys that every layer has. */
static const char *const common_keys[] = {"type", "name", "inputs", "activity_regularizer", NULL};

static const struct mi_layer_type *find_type(const char *name)
{
    const struct mi_layer_type *const *type = mi_layer_types;
    while (*type && !mi_layer_is_called(*type, name))
        type++;
    return *type;
}

static mica_status unknown_type(struct mi_error *error, const char *place, const char *name)
{
    const char *names[MOST_NAMES] = {NULL};
    for (size_t i = 0; mi_layer_types[i] && i + 1 < MOST_NAMES; i++)
        names[i] = mi_layer_types[i]->type;
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

mica_status mi_layer_read(struct mi_error *error, const cJSON *json, const char *place, const struct mi_layer_type **type,
                          void **desc, mica_regularizer *activity)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(json, "type");
    *desc = NULL;
    if (!cJSON_IsObject(json) || !cJSON_IsString(name))
        return mi_fail(error, MICA_FORMAT, "%s: a layer is an object with a \"type\"", place);
    *type = find_type(name->valuestring);
    if (!*type)
        return unknown_type(error, place, name->valuestring);
    *desc = mi_new(1, (*type)->desc_size);
    *activity = (mica_regularizer){.type = NULL};
    MI_TRY(*desc ? read_desc(error, *type, json, place, *desc) : mi_out_of_memory(error));
    return read_activity(error, json, place, activity);
}
