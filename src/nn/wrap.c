/* Wrappers from C, which names the type of the layer within. */
#include "nn/layer/wrapper.h"

#include <stdlib.h>

/* The type of that name; NULL after an error. */
static const struct mi_layer_type *type_of(mica_model *model, const struct mi_layer_type *wrapper, const char *layer)
{
    const struct mi_layer_type *type = layer ? mi_layer_type_named(layer) : NULL;
    struct mi_error error = {0};
    if (type)
        return type;
    if (layer)
        mi_layer_type_unknown(&error, NULL, wrapper->type, layer);
    else
        mi_fail(&error, MICA_INVALID_ARGUMENT, "%s: layer, the type of the layer within, is NULL", wrapper->type);
    mi_model_fail(model, MICA_INVALID_ARGUMENT, "%s", error.text);
    return NULL;
}

/* Of a descriptor that begins with `around`; `within` NULL: all defaults. */
static mica_node *wrap(const struct mi_layer_type *wrapper, mica_node *const *x, int count, const char *layer, const void *within,
                       struct mi_around *around)
{
    mica_model *model = mi_layer_model(wrapper, x, count);
    const struct mi_layer_type *type = model && mi_model_check(model) == MICA_OK ? type_of(model, wrapper, layer) : NULL;
    if (!type)
        return NULL;
    void *zero = within ? NULL : mi_new(1, type->desc_size);
    cJSON *json = cJSON_CreateObject();
    mica_node *y = NULL;
    around->type = type;
    around->within = within ? within : zero;
    around->layer = around->written = json;
    if (around->within && json && cJSON_AddStringToObject(json, "type", type->type))
        y = mi_layer_add(wrapper, x, count, around);
    else
        mi_model_fail(model, MICA_OUT_OF_MEMORY, "the host is out of memory");
    cJSON_Delete(json);
    free(zero);
    return y;
}

mica_node *mica_spectral_normalization(mica_node *x, const mica_spectral_normalization_desc *desc)
{
    static const mica_spectral_normalization_desc none = {.name = NULL};
    desc = desc ? desc : &none;
    struct mi_wrapper_desc wrapper = {.around.name = desc->name, .power_iterations = desc->power_iterations};
    return wrap(&mi_layer_spectral_normalization, &x, 1, desc->layer, desc->desc, &wrapper.around);
}

mica_node *mica_weight_normalization(mica_node *x, const mica_weight_normalization_desc *desc)
{
    static const mica_weight_normalization_desc none = {.name = NULL};
    desc = desc ? desc : &none;
    struct mi_wrapper_desc wrapper = {.around.name = desc->name, .axis = desc->axis};
    return wrap(&mi_layer_weight_normalization, &x, 1, desc->layer, desc->desc, &wrapper.around);
}

mica_node *mica_time_distributed(mica_node *x, const mica_time_distributed_desc *desc)
{
    static const mica_time_distributed_desc none = {.name = NULL};
    desc = desc ? desc : &none;
    struct mi_wrapper_desc wrapper = {.around.name = desc->name};
    return wrap(&mi_layer_time_distributed, &x, 1, desc->layer, desc->desc, &wrapper.around);
}

mica_node *mica_bidirectional(mica_node *const *x, int count, const mica_bidirectional_desc *desc)
{
    static const mica_bidirectional_desc none = {.name = NULL};
    desc = desc ? desc : &none;
    struct mi_bidirectional_desc wrapper = {.around.name = desc->name, .merge_mode = desc->merge_mode};
    return wrap(&mi_layer_bidirectional, x, count, desc->layer, desc->desc, &wrapper.around);
}
