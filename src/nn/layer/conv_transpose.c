/* Transposed convolutions over one to three spatial axes: a convolution's gradient of the data, as a layer. */
#include "nn/layer/convolve.h"

/* weight (channels, filters / groups, window...); the fans are Keras's, which count them by that shape. */
static mi_value *build(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_conv_transpose_desc *desc = given;
    const struct mi_window_fields fields = {MI_WINDOW_FIELDS(desc), .beyond = desc->output_padding};
    struct mi_window window;
    if (!mi_window_resolve_transposed(layer, x[0], &fields, &window))
        return NULL;
    int64_t channels = x[0]->shape.dim[1].b, groups = desc->groups ? desc->groups : 1;
    if (!mi_channels_fit(layer, channels, desc->filters, groups))
        return NULL;
    const struct mi_conv_kernel kernel = {
        .op = "ConvTranspose", .name = "weight", .first = channels, .second = desc->filters / groups, .groups = groups,
        .desc = &desc->kernel, .fan_in = (double)(desc->filters / groups), .fan_out = (double)channels};
    mi_value *y = mi_convolve(layer, x[0], &window, &kernel, &(struct mi_conv_bias){desc->no_bias, desc->filters, &desc->bias});
    return mi_layer_activation(layer, y, desc->activation, 0, 1);
}

#define KEYS(axes)                                                                                                               \
    {                                                                                                                            \
        MI_KEY_WITH(mica_conv_transpose_desc, "filters", MI_KEY_LONG, filters, .required = true, MI_KEY_AT_LEAST(1)),            \
        MI_WINDOW_KEYS(mica_conv_transpose_desc, axes),                                                                          \
        MI_SIZES_KEY(mica_conv_transpose_desc, "output_padding", output_padding, axes, MI_KEY_AT_LEAST(0)),                      \
        MI_KEY_WITH(mica_conv_transpose_desc, "groups", MI_KEY_LONG, groups, MI_KEY_AT_LEAST(1)),                                \
        MI_PARAMETER_KEYS(mica_conv_transpose_desc, kernel),                                                                     \
        MI_BIAS_KEYS(mica_conv_transpose_desc),                                                                                  \
        {0},                                                                                                                     \
    }
static const struct mi_key keys1[] = KEYS(1), keys2[] = KEYS(2), keys3[] = KEYS(3);

#define ROW(name, axes, keys) MI_SPATIAL_ROW(name, mica_conv_transpose_desc, axes, keys, build, NULL)
const struct mi_layer_type mi_layer_conv1d_transpose = ROW("conv1d_transpose", 1, keys1);
const struct mi_layer_type mi_layer_conv2d_transpose = ROW("conv2d_transpose", 2, keys2);
const struct mi_layer_type mi_layer_conv3d_transpose = ROW("conv3d_transpose", 3, keys3);

mica_node *mica_conv1d_transpose(mica_node *x, const mica_conv_transpose_desc *desc)
{
    return mi_layer_add(&mi_layer_conv1d_transpose, &x, 1, desc);
}

mica_node *mica_conv2d_transpose(mica_node *x, const mica_conv_transpose_desc *desc)
{
    return mi_layer_add(&mi_layer_conv2d_transpose, &x, 1, desc);
}

mica_node *mica_conv3d_transpose(mica_node *x, const mica_conv_transpose_desc *desc)
{
    return mi_layer_add(&mi_layer_conv3d_transpose, &x, 1, desc);
}
