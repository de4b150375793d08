/* One layer from JSON: its type and its descriptor. */
#include "nn/layer.h"
#include "ops/ops.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_NAMES = 256 };

/* Keys that every layer has. */
static const char *const common_keys[] = {"type", "name", "inputs", "activity_regularizer", NULL};

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
    if (!*type && mi_activation_exists(mi_ops, name->valuestring))
        *type = find_type("activation");
    if (!*type)
        return unknown_type(error, place, name->valuestring);
    *desc = mi_new(1, (*type)->desc_size);
    *activity = (mica_regularizer){.type = NULL};
    MI_TRY(*desc ? read_desc(error, *type, json, place, *desc) : mi_out_of_memory(error));
    return read_activity(error, json, place, activity);
}
