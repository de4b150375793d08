/* Convolutions over one to three spatial axes. */
#include "nn/layer/convolve.h"

/* weight (filters, channels / groups, window...); the fans count a window's places, as Keras counts them. */
static mi_value *build(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_conv_desc *desc = given;
    struct mi_window window;
    if (!mi_window_resolve(layer, x[0], &(struct mi_window_fields){MI_WINDOW_FIELDS(desc)}, &window))
        return NULL;
    int64_t channels = x[0]->shape.dim[1].b, groups = desc->groups ? desc->groups : 1;
    if (!mi_channels_fit(layer, channels, desc->filters, groups))
        return NULL;
    const struct mi_conv_kernel kernel = {
        .op = "Conv", .name = "weight", .first = desc->filters, .second = channels / groups, .groups = groups,
        .desc = &desc->kernel, .fan_in = (double)(channels / groups), .fan_out = (double)desc->filters};
    mi_value *y = mi_convolve(layer, x[0], &window, &kernel, &(struct mi_conv_bias){desc->no_bias, desc->filters, &desc->bias});
    return mi_layer_activation(layer, y, desc->activation, 0, 1);
}

#define KEYS(axes)                                                                                                               \
    {                                                                                                                            \
        MI_KEY_WITH(mica_conv_desc, "filters", MI_KEY_LONG, filters, .required = true, MI_KEY_AT_LEAST(1)),                      \
        MI_WINDOW_KEYS(mica_conv_desc, axes),                                                                                    \
        MI_KEY_WITH(mica_conv_desc, "groups", MI_KEY_LONG, groups, MI_KEY_AT_LEAST(1)),                                          \
        MI_PARAMETER_KEYS(mica_conv_desc, kernel),                                                                               \
        MI_BIAS_KEYS(mica_conv_desc),                                                                                            \
        {0},                                                                                                                     \
    }
static const struct mi_key keys1[] = KEYS(1), keys2[] = KEYS(2), keys3[] = KEYS(3);

const struct mi_layer_type mi_layer_conv1d = MI_SPATIAL_ROW("conv1d", mica_conv_desc, 1, keys1, build, NULL);
const struct mi_layer_type mi_layer_conv2d = MI_SPATIAL_ROW("conv2d", mica_conv_desc, 2, keys2, build, NULL);
const struct mi_layer_type mi_layer_conv3d = MI_SPATIAL_ROW("conv3d", mica_conv_desc, 3, keys3, build, NULL);

mica_node *mica_conv1d(mica_node *x, const mica_conv_desc *desc)
{
    return mi_layer_add(&mi_layer_conv1d, &x, 1, desc);
}

mica_node *mica_conv2d(mica_node *x, const mica_conv_desc *desc)
{
    return mi_layer_add(&mi_layer_conv2d, &x, 1, desc);
}

mica_node *mica_conv3d(mica_node *x, const mica_conv_desc *desc)
{
    return mi_layer_add(&mi_layer_conv3d, &x, 1, desc);
}
