/* Activations of straight pieces: relu with its bounds, hard_tanh, threshold, and prelu, whose slope is learnt. */
#include "nn/layer/activation.h"

#include <float.h>
#include <math.h>

static bool is_zero(float number)
{
    return fabsf(number) <= FLT_MIN; /* what a key's 0 becomes */
}

/* ---- ReLU ---- */

/* By the operator that has no more than is asked for, since those fuse best. */
static mi_value *build_relu(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_relu_desc *desc = given;
    bool bounded = fpclassify(desc->max_value) != FP_ZERO, slopes = !is_zero(desc->negative_slope);
    if (!(desc->max_value >= 0) || !(desc->negative_slope >= 0) || !isfinite(desc->threshold))
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT,
                             "max_value %g and negative_slope %g must be at least 0, threshold %g a number",
                             (double)desc->max_value, (double)desc->negative_slope, (double)desc->threshold);
    const struct mi_attribute with[] = {MI_REAL("alpha", desc->negative_slope), MI_REAL("threshold", desc->threshold),
                                        MI_REAL("max", bounded ? desc->max_value : FLT_MAX)};
    if (bounded || !is_zero(desc->threshold))
        return mi_apply(layer->graph, "BoundedRelu", x, 1, with, 3);
    return slopes ? mi_apply(layer->graph, "LeakyRelu", x, 1, with, 1) : mi_op1(layer->graph, "Relu", x[0]);
}

static const struct mi_key relu_keys[] = {
    MI_KEY_WITH(mica_relu_desc, "max_value", MI_KEY_FLOAT, max_value, MI_KEY_AT_LEAST(0)),
    MI_KEY_WITH(mica_relu_desc, "negative_slope", MI_KEY_FLOAT, negative_slope, MI_KEY_AT_LEAST(0)),
    MI_KEY_WITH(mica_relu_desc, "threshold", MI_KEY_FLOAT, threshold, .plain = true),
    {0},
};

MI_ACTIVATION_ROW(relu, NULL, mica_relu_desc, relu_keys);

mica_node *mica_relu(mica_node *x, const mica_relu_desc *desc)
{
    return mi_layer_add(&mi_layer_relu, &x, 1, desc);
}

/* ---- Hard tanh ---- */

static mi_value *build_hard_tanh(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_hard_tanh_desc *desc = given;
    float low = fpclassify(desc->min_value) == FP_ZERO ? -1 : desc->min_value;
    float high = fpclassify(desc->max_value) == FP_ZERO ? 1 : desc->max_value;
    if (!(low < high))
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "min_value %g must be below max_value %g", (double)low, (double)high);
    return mi_apply(layer->graph, "Clip", x, 1, (const struct mi_attribute[]){MI_REAL("min", low), MI_REAL("max", high)}, 2);
}

static const struct mi_key hard_tanh_keys[] = {
    MI_KEY(mica_hard_tanh_desc, "min_value", MI_KEY_FLOAT, min_value),
    MI_KEY(mica_hard_tanh_desc, "max_value", MI_KEY_FLOAT, max_value),
    {0},
};

MI_ACTIVATION_ROW(hard_tanh, NULL, mica_hard_tanh_desc, hard_tanh_keys);

mica_node *mica_hard_tanh(mica_node *x, const mica_hard_tanh_desc *desc)
{
    return mi_layer_add(&mi_layer_hard_tanh, &x, 1, desc);
}

/* ---- Threshold ---- */

static mi_value *build_threshold(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_threshold_desc *desc = given;
    if (!isfinite(desc->threshold) || !isfinite(desc->default_value))
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "threshold %g and default_value %g must be numbers",
                             (double)desc->threshold, (double)desc->default_value);
    return mi_apply(layer->graph, "Threshold", x, 1, (const struct mi_attribute[]){
        MI_REAL("threshold", desc->threshold), MI_REAL("value", desc->default_value)}, 2);
}

static const struct mi_key threshold_keys[] = {
    MI_KEY_WITH(mica_threshold_desc, "threshold", MI_KEY_FLOAT, threshold, .required = true, .plain = true),
    MI_KEY_WITH(mica_threshold_desc, "default_value", MI_KEY_FLOAT, default_value, .plain = true),
    {0},
};

MI_ACTIVATION_ROW(threshold, NULL, mica_threshold_desc, threshold_keys);

mica_node *mica_threshold(mica_node *x, const mica_threshold_desc *desc)
{
    return mi_layer_add(&mi_layer_threshold, &x, 1, desc);
}

/* ---- PReLU: He et al., 2015 ---- */

/* One slope for each place of a sample but those along shared axes, which have size 1. */
static bool slope_shape(struct mi_layer *layer, const mi_value *x, const mica_shape *shared, struct mi_shape *shape)
{
    *shape = (struct mi_shape){.rank = x->shape.rank - 1};
    for (int i = 0; i < shape->rank; i++)
        shape->dim[i] = x->shape.dim[i + 1];
    if (shape->rank < 1 || shared->rank < 0 || shared->rank > shape->rank) {
        mi_layer_fail(layer, MICA_SHAPE, "shared_axes names %d axes, the input has shape %s per sample", shared->rank,
                      mi_layer_shape_text(layer, x));
        return false;
    }
    for (int i = 0; i < shared->rank; i++) {
        if (shared->dim[i] < 1 || shared->dim[i] > shape->rank) {
            mi_layer_no_axis(layer, "shared_axes names axis", shared->dim[i], shape->rank + 1);
            return false;
        }
        shape->dim[shared->dim[i] - 1] = mi_fixed(1);
    }
    return true;
}

/* The weight has no axes of size 1 at its end: (C) of an image whose height and width share, as PyTorch has it. */
static mi_value *build_prelu(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_prelu_desc *desc = given;
    struct mi_shape shape;
    if (!slope_shape(layer, x[0], &desc->shared_axes, &shape))
        return NULL;
    struct mi_parameter weight = {.name = "weight", .rank = shape.rank, .desc = &desc->alpha, .inputs_first = true,
                                  .otherwise = "zeros"};
    while (weight.rank > 1 && mi_dim_is(shape.dim[weight.rank - 1], 1))
        weight.rank--;
    for (int i = 0; i < weight.rank; i++)
        weight.dim[i] = shape.dim[i].b;
    weight.fan_in = weight.fan_out = (double)mi_shape_count(&shape, 1);
    mi_value *slope = mi_layer_parameter(layer, &weight);
    int64_t beside[MI_MAX_RANK];
    for (int i = 0; i < shape.rank; i++)
        beside[i] = shape.dim[i].b;
    if (weight.rank < shape.rank)
        slope = mi_op2(layer->graph, "Reshape", slope, mi_ints(layer->graph, beside, shape.rank));
    return mi_op2(layer->graph, "PRelu", x[0], slope);
}

static const struct mi_key prelu_keys[] = {
    MI_KEY_WITH(mica_prelu_desc, "shared_axes", MI_KEY_SHAPE, shared_axes, MI_KEY_AT_LEAST(1)),
    MI_PARAMETER_KEYS(mica_prelu_desc, alpha),
    {0},
};

MI_ACTIVATION_ROW(prelu, NULL, mica_prelu_desc, prelu_keys);

mica_node *mica_prelu(mica_node *x, const mica_prelu_desc *desc)
{
    return mi_layer_add(&mi_layer_prelu, &x, 1, desc);
}
