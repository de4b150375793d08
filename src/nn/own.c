/* Layers of an application's own in a model: what their functions ask for, and the group that they are. */
#include "nn/own.h"

#include "json/keys.h"
#include "nn/layer.h"

#include <string.h>

enum { MOST_KEYS = 64 };

/* The keys of a layer that is being built, and which of them were asked for. */
struct mica_layer_keys {
    const cJSON *json;
    const char *place;
    void *user;
    const char *asked[MOST_KEYS];
    size_t count;
    struct mi_error error;
};

static const cJSON *ask(mica_layer_keys *keys, const char *key)
{
    if (keys->count < MOST_KEYS)
        keys->asked[keys->count++] = key;
    return cJSON_GetObjectItemCaseSensitive(keys->json, key);
}

void *mica_layer_user(const mica_layer_keys *keys)
{
    return keys ? keys->user : NULL;
}

double mica_layer_number(mica_layer_keys *keys, const char *key, double otherwise)
{
    const cJSON *item = keys && key ? ask(keys, key) : NULL;
    if (!item)
        return otherwise;
    if (cJSON_IsBool(item))
        return cJSON_IsTrue(item);
    if (!cJSON_IsNumber(item))
        mi_fail(&keys->error, MICA_FORMAT, "%s.%s: must be a number", keys->place, key);
    return cJSON_IsNumber(item) ? item->valuedouble : otherwise;
}

const char *mica_layer_text(mica_layer_keys *keys, const char *key, const char *otherwise)
{
    const cJSON *item = keys && key ? ask(keys, key) : NULL;
    if (item && !cJSON_IsString(item))
        mi_fail(&keys->error, MICA_FORMAT, "%s.%s: must be a text", keys->place, key);
    return cJSON_IsString(item) ? item->valuestring : otherwise;
}

static mica_status check_asked(mica_layer_keys *keys)
{
    const cJSON *item;
    const char *names[MOST_KEYS + 1];
    memcpy(names, keys->asked, sizeof keys->asked);
    names[keys->count] = NULL;
    cJSON_ArrayForEach(item, keys->json) {
        bool common = !strcmp(item->string, "type") || !strcmp(item->string, "name") || !strcmp(item->string, "inputs");
        size_t i = 0;
        while (names[i] && strcmp(names[i], item->string))
            i++;
        if (!common && !names[i])
            return mi_keys_unknown(&keys->error, keys->place, "key", item->string, names);
    }
    return keys->error.status;
}

mica_status mi_own_add(mica_model *model, const struct mi_own_layer *own, const cJSON *json, const char *place,
                       mica_node *const *x, int count)
{
    mica_layer_keys keys = {.json = json, .place = place, .user = own->user};
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(json, "name");
    MI_TRY(mi_group_begin(model, cJSON_IsString(name) ? name->valuestring : NULL, own->type, x, count));
    mica_node *y = own->build(model, x, count, &keys);
    mica_status status = y ? check_asked(&keys) : keys.error.status; /* which keys it has is not known where it gave up */
    mi_group_end(model, status == MICA_OK && mi_model_check(model) == MICA_OK ? y : NULL);
    if (status != MICA_OK)
        return mi_model_fail(model, status, "%s", keys.error.text);
    if (!y && mi_model_check(model) == MICA_OK)
        return mi_model_fail(model, MICA_INVALID_ARGUMENT, "%s: %s gave no node of %d inputs", place, own->type, count);
    return model->error.status;
}
