/* The preprocessing of all fields, as a model carries it. */
#include "data/data.h"

#include <stdlib.h>
#include <string.h>

void mi_prepared_destroy(struct mi_prepared *prepared)
{
    for (int i = 0; i < prepared->count; i++)
        mi_preprocess_destroy(&prepared->fields[i]);
    free(prepared->fields);
    *prepared = (struct mi_prepared){0};
}

mica_status mi_prepared_from_json(struct mi_error *error, const char *place, const cJSON *json, struct mi_prepared *out)
{
    const cJSON *item;
    *out = (struct mi_prepared){0};
    if (!cJSON_IsArray(json))
        return mi_fail(error, MICA_FORMAT, "%s: preprocessing is not a list of fields", place);
    out->fields = mi_new((size_t)cJSON_GetArraySize(json), sizeof *out->fields);
    if (!out->fields)
        return mi_out_of_memory(error);
    cJSON_ArrayForEach(item, json) {
        mica_status status = mi_preprocess_from_json(error, place, item, &out->fields[out->count]);
        if (status != MICA_OK) {
            mi_prepared_destroy(out);
            return status;
        }
        out->count++;
    }
    return MICA_OK;
}

mica_status mi_prepared_parse(struct mi_error *error, const char *place, const char *text, struct mi_prepared *out)
{
    *out = (struct mi_prepared){0};
    if (!text)
        return MICA_OK;
    cJSON *json = mi_json_read(text, strlen(text), NULL);
    if (!json)
        return mi_out_of_memory(error);
    mica_status status = mi_prepared_from_json(error, place, json, out);
    cJSON_Delete(json);
    return status;
}

const struct mi_preprocess *mi_prepared_find(const struct mi_prepared *prepared, mica_role role, const char *name)
{
    const struct mi_preprocess *first = NULL;
    int count = 0;
    for (int i = 0; i < prepared->count; i++) {
        const struct mi_preprocess *field = &prepared->fields[i];
        if (field->role != role)
            continue;
        if (name && field->name && !strcmp(field->name, name))
            return field;
        first = count++ ? first : field;
    }
    return !name || count == 1 ? first : NULL;
}
