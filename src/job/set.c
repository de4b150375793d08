/* Overrides from the command line: "optimizer.learning_rate=0.01", "model.layers.0.units=64". */
#include "job/job.h"

#include <stdlib.h>
#include <string.h>

struct setter {
    struct mi_error *error;
    const char *whole;       /* the assignment, for errors */
};

static mica_status bad(const struct setter *s, const char *format, const char *what)
{
    struct mi_text text = {0};
    mi_text_add(&text, "--set %s: ", mi_show(s->whole).text);
    mi_text_add(&text, "%.120s", format);
    mica_status status = mi_fail(s->error, MICA_FORMAT, "%s%s", mi_text_get(&text), what);
    mi_text_destroy(&text);
    return status;
}

static cJSON *parse_value(const char *text)
{
    const char *end = NULL;
    cJSON *value = mi_json_read(text, strlen(text), &end);
    while (value && mi_is_space(*end))
        end++;
    if (value && !*end)
        return value;
    cJSON_Delete(value);
    return cJSON_CreateString(text);
}

/* The number that a list's item is called by, or -1. */
static int list_index(const char *key)
{
    char *end = NULL;
    long index = strtol(key, &end, 10);
    return *key && !*end && index >= 0 && index < 1000000 ? (int)index : -1;
}

/* "adam" where an object is wanted stands for {"type": "adam"}. */
static bool open_text(cJSON *parent, const char *key, cJSON **child)
{
    cJSON *object = cJSON_CreateObject();
    if (!object || !cJSON_AddStringToObject(object, "type", (*child)->valuestring) ||
        !cJSON_ReplaceItemInObjectCaseSensitive(parent, key, object)) {
        cJSON_Delete(object);
        return false;
    }
    *child = object;
    return true;
}

/* The object or list under a key, made where there is none. */
static mica_status step_into(const struct setter *s, cJSON **at, const char *key)
{
    cJSON *child;
    if (cJSON_IsArray(*at)) {
        int index = list_index(key);
        child = index < 0 ? NULL : cJSON_GetArrayItem(*at, index);
        if (!child)
            return bad(s, "the list has no item ", mi_show(key).text);
    } else {
        child = cJSON_GetObjectItemCaseSensitive(*at, key);
        if (!child && !(child = cJSON_AddObjectToObject(*at, key)))
            return mi_out_of_memory(s->error);
        if (cJSON_IsString(child) && !open_text(*at, key, &child))
            return mi_out_of_memory(s->error);
    }
    if (!cJSON_IsArray(child) && !cJSON_IsObject(child))
        return bad(s, "neither an object nor a list: ", mi_show(key).text);
    *at = child;
    return MICA_OK;
}

static mica_status put(const struct setter *s, cJSON *at, const char *key, const char *text)
{
    int index = cJSON_IsArray(at) ? list_index(key) : 0;
    if (cJSON_IsArray(at) && (index < 0 || index >= cJSON_GetArraySize(at)))
        return bad(s, "the list has no item ", mi_show(key).text);
    cJSON *value = parse_value(text);
    bool good = value != NULL;
    if (good && cJSON_IsArray(at))
        good = cJSON_ReplaceItemInArray(at, index, value);
    else if (good && cJSON_GetObjectItemCaseSensitive(at, key))
        good = cJSON_ReplaceItemInObjectCaseSensitive(at, key, value);
    else if (good)
        good = cJSON_AddItemToObject(at, key, value);
    if (good)
        return MICA_OK;
    cJSON_Delete(value);
    return mi_out_of_memory(s->error);
}

mica_status mi_job_set(struct mi_error *error, cJSON *json, const char *assignment)
{
    struct setter s = {error, assignment};
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment)
        return bad(&s, "this is not KEY.PATH=VALUE", "");
    char *path = mi_strdup(assignment);
    if (!path)
        return mi_out_of_memory(error);
    path[equals - assignment] = 0;
    mica_status status = MICA_OK;
    cJSON *at = json;
    char *key = path, *dot;
    while (status == MICA_OK && (dot = strchr(key, '.')) != NULL) {
        *dot = 0;
        status = *key ? step_into(&s, &at, key) : bad(&s, "a key is empty", "");
        key = dot + 1;
    }
    if (status == MICA_OK)
        status = *key ? put(&s, at, key, equals + 1) : bad(&s, "a key is empty", "");
    free(path);
    return status;
}
