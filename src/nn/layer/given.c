/* Numbers that a description gives. */
#include "nn/layer/given.h"

#include <math.h>

cJSON *mi_given_json(const float *values, int count)
{
    cJSON *list = values && count > 0 ? cJSON_CreateArray() : NULL;
    for (int i = 0; i < count && list; i++) {
        cJSON *number = cJSON_CreateNumber(isfinite(values[i]) ? mi_json_number(values[i]) : (double)values[i]);
        if (number && cJSON_AddItemToArray(list, number))
            continue;
        cJSON_Delete(number);
        cJSON_Delete(list);
        list = NULL;
    }
    return list;
}

const float *mi_given_read(struct mi_layer *layer, const char *what, const cJSON *json, int *count)
{
    bool list = cJSON_IsArray(json);
    *count = list ? cJSON_GetArraySize(json) : 1;
    float *values = mi_arena_new(&layer->graph->arena, (size_t)*count, sizeof *values);
    if (!values)
        return mi_layer_fail(layer, MICA_OUT_OF_MEMORY, "the host is out of memory"), NULL;
    const cJSON *item = list ? json->child : json;
    for (int i = 0; i < *count; i++, item = item->next) {
        if (!cJSON_IsNumber(item) || !isfinite((float)item->valuedouble))
            return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "%s must be a number or a list of numbers", what), NULL;
        values[i] = (float)item->valuedouble;
    }
    if (*count == 0)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "%s is an empty list", what), NULL;
    return values;
}
