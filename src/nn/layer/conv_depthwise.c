/* Convolutions in which each channel has kernels of its own, alone and with a convolution of one place behind them. */
#include "nn/layer/convolve.h"

/* x through `multiplier` kernels a channel: the variable `name` (channels * multiplier, 1, window...). The fans are Keras's, whose
 * weight is (window..., channels, multiplier). */
static mi_value *depthwise(struct mi_layer *layer, mi_value *x, const char *name, const struct mi_window_fields *fields,
                           int64_t multiplier, const mica_parameter_desc *desc, const struct mi_conv_bias *bias)
{
    struct mi_window window;
    int64_t channels;
    if (!mi_window_resolve(layer, x, fields, &window) || !mi_layer_size(layer, "depth_multiplier", multiplier, 1))
        return NULL;
    channels = x->shape.dim[1].b;
    if (!mi_layer_size(layer, "the input's channels", channels, 1) ||
        !mi_layer_size(layer, "channels times depth_multiplier", channels * multiplier, 1))
        return NULL;
    const struct mi_conv_kernel kernel = {.op = "Conv", .name = name, .first = channels * multiplier, .second = 1,
                                     .groups = channels, .desc = desc, .fan_in = (double)channels, .fan_out = (double)multiplier};
    return mi_convolve(layer, x, &window, &kernel, bias);
}

static mi_value *build_depthwise(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_depthwise_conv_desc *desc = given;
    int64_t multiplier = desc->depth_multiplier ? desc->depth_multiplier : 1, channels = x[0]->shape.dim[1].b;
    if (!mi_layer_size(layer, "depth_multiplier", multiplier, 1))
        return NULL;
    mi_value *y = depthwise(layer, x[0], "weight", &(struct mi_window_fields){MI_WINDOW_FIELDS(desc)}, multiplier,
                            &desc->depthwise, &(struct mi_conv_bias){desc->no_bias, channels * multiplier, &desc->bias});
    return mi_layer_activation(layer, y, desc->activation, 0, 1);
}

static mi_value *build_separable(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_separable_conv_desc *desc = given;
    const struct mi_window one = {.spatial = layer->type->spatial, .size = {1, 1, 1}, .stride = {1, 1, 1}, .dilation = {1, 1, 1}};
    mi_value *y = depthwise(layer, x[0], "depthwise.weight", &(struct mi_window_fields){MI_WINDOW_FIELDS(desc)},
                            desc->depth_multiplier ? desc->depth_multiplier : 1, &desc->depthwise, NULL);
    if (!y || !mi_layer_size(layer, "filters", desc->filters, 1))
        return NULL;
    int64_t channels = y->shape.dim[1].b;
    const struct mi_conv_kernel kernel = {.op = "Conv", .name = "pointwise.weight", .first = desc->filters, .second = channels,
                                     .groups = 1, .desc = &desc->pointwise, .fan_in = (double)channels,
                                     .fan_out = (double)desc->filters};
    y = mi_convolve(layer, y, &one, &kernel, &(struct mi_conv_bias){desc->no_bias, desc->filters, &desc->bias});
    return mi_layer_activation(layer, y, desc->activation, 0, 1);
}

#define DEPTHWISE_KEYS(desc, axes)                                                                                               \
    MI_WINDOW_KEYS(desc, axes), MI_KEY_WITH(desc, "depth_multiplier", MI_KEY_LONG, depth_multiplier, MI_KEY_AT_LEAST(1)),        \
    MI_PARAMETER_KEYS(desc, depthwise), MI_BIAS_KEYS(desc)
#define SEPARABLE_KEYS(axes)                                                                                                     \
    {                                                                                                                            \
        MI_KEY_WITH(mica_separable_conv_desc, "filters", MI_KEY_LONG, filters, .required = true, MI_KEY_AT_LEAST(1)),            \
        DEPTHWISE_KEYS(mica_separable_conv_desc, axes),                                                                          \
        MI_PARAMETER_KEYS(mica_separable_conv_desc, pointwise),                                                                  \
        {0},                                                                                                                     \
    }
static const struct mi_key depthwise_keys1[] = {DEPTHWISE_KEYS(mica_depthwise_conv_desc, 1), {0}},
                           depthwise_keys2[] = {DEPTHWISE_KEYS(mica_depthwise_conv_desc, 2), {0}},
                           separable_keys1[] = SEPARABLE_KEYS(1), separable_keys2[] = SEPARABLE_KEYS(2);

#define DEPTHWISE(name, axes, keys) MI_SPATIAL_ROW(name, mica_depthwise_conv_desc, axes, keys, build_depthwise, NULL)
const struct mi_layer_type mi_layer_depthwise_conv1d = DEPTHWISE("depthwise_conv1d", 1, depthwise_keys1);
const struct mi_layer_type mi_layer_depthwise_conv2d = DEPTHWISE("depthwise_conv2d", 2, depthwise_keys2);

#define SEPARABLE(name, axes, keys) MI_SPATIAL_ROW(name, mica_separable_conv_desc, axes, keys, build_separable, NULL)
const struct mi_layer_type mi_layer_separable_conv1d = SEPARABLE("separable_conv1d", 1, separable_keys1);
const struct mi_layer_type mi_layer_separable_conv2d = SEPARABLE("separable_conv2d", 2, separable_keys2);

mica_node *mica_depthwise_conv1d(mica_node *x, const mica_depthwise_conv_desc *desc)
{
    return mi_layer_add(&mi_layer_depthwise_conv1d, &x, 1, desc);
}

mica_node *mica_depthwise_conv2d(mica_node *x, const mica_depthwise_conv_desc *desc)
{
    return mi_layer_add(&mi_layer_depthwise_conv2d, &x, 1, desc);
}

mica_node *mica_separable_conv1d(mica_node *x, const mica_separable_conv_desc *desc)
{
    return mi_layer_add(&mi_layer_separable_conv1d, &x, 1, desc);
}

mica_node *mica_separable_conv2d(mica_node *x, const mica_separable_conv_desc *desc)
{
    return mi_layer_add(&mi_layer_separable_conv2d, &x, 1, desc);
}
