/* Convolutions over one and two spatial axes. */
#include "nn/layer/window.h"

static bool channels_fit(struct mi_layer *layer, const mica_conv_desc *desc, int64_t channels, int64_t groups)
{
    if (!mi_layer_size(layer, "filters", desc->filters, 1))
        return false;
    if (groups < 1 || channels % groups || desc->filters % groups)
        mi_layer_fail(layer, MICA_SHAPE, "%lld channels and %lld filters do not divide into %lld groups",
                      (long long)channels, (long long)desc->filters, (long long)groups);
    else if (channels < 1)
        mi_layer_fail(layer, MICA_SHAPE, "input has no channels");
    else
        return true;
    return false;
}

/* weight (filters, channels / groups, window...); the fans count a window's places, as Keras counts them. */
static mi_value *conv(struct mi_layer *layer, mi_value *x, int spatial, const mica_conv_desc *desc)
{
    struct mi_window w;
    if (!mi_window_resolve(layer, x, spatial, desc->kernel_size, 0, desc->strides, desc->dilation_rate, desc->padding,
                           desc->pads, &w))
        return NULL;
    int64_t channels = x->shape.dim[1].b, groups = desc->groups ? desc->groups : 1;
    if (!channels_fit(layer, desc, channels, groups))
        return NULL;
    double places = (double)w.size[0] * (spatial == 2 ? (double)w.size[1] : 1);
    struct mi_parameter kernel = {
        .name = "weight", .rank = 2 + spatial, .dim = {desc->filters, channels / groups, w.size[0], w.size[1]},
        .desc = &desc->kernel, .otherwise = "glorot_uniform",
        .fan_in = places * (double)(channels / groups), .fan_out = places * (double)desc->filters};
    mi_value *weight = mi_layer_parameter(layer, &kernel);
    mi_value *bias = desc->no_bias ? NULL : mi_layer_parameter(layer, &(struct mi_parameter){
        .name = "bias", .rank = 1, .dim = {desc->filters}, .desc = &desc->bias, .otherwise = "zeros",
        .fan_in = kernel.fan_in, .fan_out = kernel.fan_out});
    if (!weight || (!bias && !desc->no_bias))
        return NULL;
    const struct mi_attribute attributes[] = {
        MI_INTS("kernel_shape", w.size, spatial), MI_INTS("strides", w.stride, spatial),
        MI_INTS("dilations", w.dilation, spatial), MI_INTS("pads", w.pads, 2 * spatial), MI_INT("group", groups)};
    mi_value *y = mi_apply(layer->graph, "Conv", (mi_value *const[]){x, weight, bias}, bias ? 3 : 2, attributes,
                           (int)MI_COUNT(attributes));
    return mi_layer_activation(layer, y, desc->activation, 0, 1);
}

static mi_value *build1(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)
{
    return (void)count, conv(layer, x[0], 1, desc);
}

static mi_value *build2(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)
{
    return (void)count, conv(layer, x[0], 2, desc);
}

#define CONV_KEYS(axes)                                                                                                \
    {                                                                                                                  \
        MI_KEY_WITH(mica_conv_desc, "filters", MI_KEY_LONG, filters, .required = true, MI_KEY_AT_LEAST(1)),                 \
        MI_KEY_WITH(mica_conv_desc, "kernel_size", MI_KEY_PAIR, kernel_size, .required = true, MI_KEY_AT_LEAST(1)),         \
        MI_KEY_WITH(mica_conv_desc, "strides", MI_KEY_PAIR, strides, MI_KEY_AT_LEAST(1)),                                   \
        MI_KEY_WITH(mica_conv_desc, "padding", MI_KEY_PADDING, padding, .spatial = (axes),                                  \
               .second = offsetof(mica_conv_desc, pads)),                                                              \
        MI_KEY_WITH(mica_conv_desc, "dilation_rate", MI_KEY_PAIR, dilation_rate, MI_KEY_AT_LEAST(1)),                       \
        MI_KEY_WITH(mica_conv_desc, "groups", MI_KEY_LONG, groups, MI_KEY_AT_LEAST(1)),                                     \
        MI_KEY(mica_conv_desc, "activation", MI_KEY_TEXT, activation),                                                 \
        MI_KEY(mica_conv_desc, "use_bias", MI_KEY_NOT, no_bias),                                                       \
        MI_PARAMETER_KEYS(mica_conv_desc, kernel),                                                                     \
        MI_PARAMETER_KEYS(mica_conv_desc, bias),                                                                       \
        {0},                                                                                                           \
    }
static const struct mi_key keys1[] = CONV_KEYS(1);
static const struct mi_key keys2[] = CONV_KEYS(2);

const struct mi_layer_type mi_layer_conv1d = {
    .type = "conv1d", .desc_size = sizeof(mica_conv_desc), .keys = keys1, .min_inputs = 1, .max_inputs = 1, .build = build1};
const struct mi_layer_type mi_layer_conv2d = {
    .type = "conv2d", .desc_size = sizeof(mica_conv_desc), .keys = keys2, .min_inputs = 1, .max_inputs = 1, .build = build2};

mica_node *mica_conv1d(mica_node *x, const mica_conv_desc *desc)
{
    return mi_layer_add(&mi_layer_conv1d, &x, 1, desc);
}

mica_node *mica_conv2d(mica_node *x, const mica_conv_desc *desc)
{
    return mi_layer_add(&mi_layer_conv2d, &x, 1, desc);
}
