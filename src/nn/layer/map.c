/* Maps of a user: element by element, with broadcasting. */
#include "nn/layer.h"

#include "ops/custom.h"

struct map_desc {
    const char *name, *expression;
    const cJSON *derivative;      /* a text, or a list of one for each input */
};

/* The texts of the derivatives; false after an error. */
static bool read_derivatives(struct mi_layer *layer, const cJSON *given, int count, const char **texts)
{
    if (cJSON_IsString(given) && count == 1) {
        texts[0] = given->valuestring;
        return true;
    }
    for (int i = 0; i < count; i++) {
        const cJSON *item = cJSON_IsArray(given) && cJSON_GetArraySize(given) == count ? cJSON_GetArrayItem(given, i) : NULL;
        if (!cJSON_IsString(item)) {
            mi_layer_fail(layer, MICA_FORMAT, "derivative must be %s",
                          count == 1 ? "a text" : "a list of texts, one for each input");
            return false;
        }
        texts[i] = item->valuestring;
    }
    return true;
}

static mi_value *build(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    const struct map_desc *desc = given;
    const char *texts[MI_MOST_CUSTOM_INPUTS];
    struct mi_error error = {0};
    if (!desc->expression)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "the expression is missing");
    for (int i = 0; i < count; i++)
        if (mi_types[x[i]->type].kind != 'f' || x[i]->type != x[0]->type)
            return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "input %d is %s, it must be %s", i, mi_types[x[i]->type].name,
                                 i ? mi_types[x[0]->type].name : "of floating point");
    if (desc->derivative && !read_derivatives(layer, desc->derivative, count, texts))
        return NULL;
    const struct mi_op *op = mi_custom_map(&layer->graph->arena, &error, "its expression", count, desc->expression,
                                           desc->derivative ? texts : NULL);
    if (!op)
        return mi_layer_fail(layer, error.status ? error.status : MICA_INTERNAL, "%s", error.text);
    struct mi_node *node = mi_node_of(layer->graph, op, x, count, NULL, 0);
    return node ? node->out[0] : NULL;
}

static const struct mi_key keys[] = {
    MI_KEY_WITH(struct map_desc, "expression", MI_KEY_TEXT, expression, .required = true),
    MI_KEY(struct map_desc, "derivative", MI_KEY_JSON, derivative),
    {0},
};

const struct mi_layer_type mi_layer_map = {
    .type = "map", .desc_size = sizeof(struct map_desc), .keys = keys, .min_inputs = 1, .max_inputs = MI_MOST_CUSTOM_INPUTS,
    .keeps_steps = true, .build = build};

mica_node *mica_map(mica_node *const *x, int count, const mica_map_desc *desc)
{
    struct map_desc own = {.name = desc ? desc->name : NULL, .expression = desc ? desc->expression : NULL};
    cJSON *list = NULL;
    bool made = true;
    for (int i = 0; desc && desc->derivative[0] && i < count && i < MI_MOST_CUSTOM_INPUTS && made; i++) {
        cJSON *text = cJSON_CreateString(desc->derivative[i] ? desc->derivative[i] : "0");
        list = list ? list : cJSON_CreateArray();
        made = text && list && cJSON_AddItemToArray(list, text);
        if (!made)
            cJSON_Delete(text);
    }
    own.derivative = list;
    mica_node *y = made ? mi_layer_add(&mi_layer_map, x, count, &own) : NULL;
    cJSON_Delete(list);
    return y;
}
