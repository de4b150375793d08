/* A new kernel and bias, and the operator that uses them. */
#include "nn/layer/convolve.h"

bool mi_channels_fit(struct mi_layer *layer, int64_t channels, int64_t filters, int64_t groups)
{
    if (!mi_layer_size(layer, "filters", filters, 1))
        return false;
    if (groups < 1 || channels % groups || filters % groups)
        mi_layer_fail(layer, MICA_SHAPE, "%lld channels and %lld filters do not divide into %lld groups",
                      (long long)channels, (long long)filters, (long long)groups);
    else if (channels < 1)
        mi_layer_fail(layer, MICA_SHAPE, "input has no channels");
    else
        return true;
    return false;
}

mi_value *mi_convolve_by(struct mi_graph *graph, const char *op, mi_value *const in[3], const struct mi_window *window,
                         int64_t groups)
{
    int spatial = window->spatial;
    struct mi_attribute attributes[6] = {
        MI_INTS("kernel_shape", window->size, spatial), MI_INTS("strides", window->stride, spatial),
        MI_INTS("dilations", window->dilation, spatial), MI_INTS("pads", window->pads, 2 * spatial), MI_INT("group", groups)};
    int count = 5;
    for (int i = 0; i < spatial && count == 5; i++)
        if (window->beyond[i])
            attributes[count++] = MI_INTS("output_padding", window->beyond, spatial);
    return mi_apply(graph, op, in, in[2] ? 3 : 2, attributes, count);
}

mi_value *mi_convolve(struct mi_layer *layer, mi_value *x, const struct mi_window *window, const struct mi_conv_kernel *kernel,
                      const struct mi_conv_bias *bias)
{
    int spatial = window->spatial;
    double places = mi_window_places(window), fan_in = places * kernel->fan_in, fan_out = places * kernel->fan_out;
    struct mi_parameter parameter = {.name = kernel->name, .rank = 2 + spatial, .dim = {kernel->first, kernel->second},
                                     .desc = kernel->desc, .otherwise = "glorot_uniform", .fan_in = fan_in, .fan_out = fan_out};
    for (int i = 0; i < spatial; i++)
        parameter.dim[2 + i] = window->size[i];
    bool biased = bias && !bias->none;
    mi_value *in[3] = {x, mi_layer_parameter(layer, &parameter)};
    if (biased)
        in[2] = mi_layer_parameter(layer, &(struct mi_parameter){.name = "bias", .rank = 1, .dim = {bias->size},
                                                                 .desc = bias->desc, .otherwise = "zeros", .fan_in = fan_in,
                                                                 .fan_out = fan_out});
    if (!in[1] || (biased && !in[2]))
        return NULL;
    return mi_convolve_by(layer->graph, kernel->op, in, window, kernel->groups);
}
