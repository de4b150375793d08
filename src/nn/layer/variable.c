/* Values that no input gives: variables, which are trained or frozen, and numbers. */
#include "nn/layer.h"

#include <mica/op.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Variables ---- */

static mi_value *build_variable(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)x, (void)count;
    const mica_variable_desc *desc = given;
    struct mi_parameter parameter = {.name = "value", .rank = desc->shape.rank, .desc = &desc->value, .inputs_first = true,
                                     .otherwise = "glorot_uniform", .fan_in = 1, .fan_out = 1};
    if (desc->shape.rank < 0 || desc->shape.rank >= MI_MAX_RANK)
        return mi_layer_fail(layer, MICA_SHAPE, "a variable has 0 to %d dimensions, not %d", MI_MAX_RANK - 1, desc->shape.rank);
    parameter.type = mi_layer_dtype(layer, desc->dtype);
    if (parameter.type == MI_TYPES)
        return NULL;
    if (mi_type_is_integer(parameter.type)) {
        const char *how = desc->value.initializer.type ? desc->value.initializer.type : "zeros";
        parameter.otherwise = "zeros";
        if (strcmp(how, "zeros") && strcmp(how, "ones") && strcmp(how, "constant"))
            return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "initializer %s makes no %s: zeros, ones and constant do",
                                 mi_show(how).text, desc->dtype);
        if (!strcmp(how, "constant") && !mi_type_holds(parameter.type, (double)desc->value.initializer.value))
            return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "initializer: value is %g, which is no %s",
                                 (double)desc->value.initializer.value, desc->dtype);
    }
    if (parameter.type != MI_FLOAT && !desc->frozen)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "a variable of %s must be frozen, as training is in float32",
                             desc->dtype);
    for (int i = 0; i < parameter.rank; i++) {
        parameter.dim[i] = desc->shape.dim[i];
        if (!mi_layer_size(layer, mi_arena_format(&layer->graph->arena, "dimension %d of shape", i), parameter.dim[i], 1))
            return NULL;
        *(i ? &parameter.fan_in : &parameter.fan_out) *= (double)parameter.dim[i];
    }
    if (parameter.rank == 1)
        parameter.fan_in = parameter.fan_out;
    mi_value *value = mi_layer_parameter(layer, &parameter);
    if (value)
        value->node->variable->frozen = desc->frozen;
    return value;
}

static const struct mi_key variable_keys[] = {
    MI_KEY_WITH(mica_variable_desc, "shape", MI_KEY_SHAPE, shape, MI_KEY_AT_LEAST(1)),
    MI_PARAMETER_KEYS_OF(mica_variable_desc, "", value),
    MI_KEY(mica_variable_desc, "frozen", MI_KEY_BOOL, frozen),
    MI_KEY(mica_variable_desc, "dtype", MI_KEY_TEXT, dtype),
    {0},
};

const struct mi_layer_type mi_layer_variable = {
    .type = "variable", .desc_size = sizeof(mica_variable_desc), .keys = variable_keys, .build = build_variable};

mica_node *mica_variable(mica_model *model, const mica_variable_desc *desc)
{
    return mi_layer_add_to(model, &mi_layer_variable, NULL, 0, desc);
}

mica_node *mica_constant_elements(mica_model *model, const char *name, mica_shape shape, mica_type type, const void *elements)
{
    const char *called = name ? mi_show(name).text : "", *dtype = mica_type_name(type);
    const mica_variable_desc desc = {.name = name, .shape = shape, .value.initializer.type = "zeros", .frozen = true,
                                     .dtype = type == MICA_FLOAT32 ? NULL : dtype};
    if (model && model->error.status == MICA_OK && !elements)
        mi_model_fail(model, MICA_INVALID_ARGUMENT, "variable \"%s\": the values are NULL", called);
    if (model && model->error.status == MICA_OK && !dtype)
        mi_model_fail(model, MICA_INVALID_ARGUMENT, "variable \"%s\": there is no type %d", called, (int)type);
    mica_node *node = mica_variable(model, &desc);
    if (!node)
        return NULL;
    size_t bytes = mi_variable_bytes(node->node->variable);
    void *copy = mi_new(bytes, 1);
    if (!copy) {
        mi_model_fail(model, MICA_OUT_OF_MEMORY, "the host is out of memory");
        return NULL;
    }
    memcpy(copy, elements, bytes);
    mi_variable_give(node->node->variable, copy);
    return node;
}

mica_node *mica_constant(mica_model *model, const char *name, mica_shape shape, const float *values)
{
    return mica_constant_elements(model, name, shape, MICA_FLOAT32, values);
}

/* ---- Numbers ---- */

struct constant_desc {
    const char *name;
    float value;
};

static mi_value *build_constant(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)x, (void)count;
    const struct constant_desc *desc = given;
    if (!isfinite(desc->value))
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "value is %g, it must be finite", (double)desc->value);
    return mi_scalar(layer->graph, desc->value);
}

static const struct mi_key constant_keys[] = {
    MI_KEY_WITH(struct constant_desc, "value", MI_KEY_FLOAT, value, .required = true, .plain = true),
    {0},
};

const struct mi_layer_type mi_layer_constant = {
    .type = "constant", .desc_size = sizeof(struct constant_desc), .keys = constant_keys, .build = build_constant};

mica_node *mica_scalar(mica_model *model, float value)
{
    return mi_layer_add_to(model, &mi_layer_constant, NULL, 0, &(struct constant_desc){NULL, value});
}
