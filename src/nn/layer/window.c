/* Windows of convolutions and poolings. */
#include "nn/layer/window.h"

#include <string.h>

/* A pair whose second 0 repeats the first, and whose first 0 is the default. */
static int64_t pair_at(const int64_t *pair, int i, int64_t otherwise)
{
    int64_t first = pair && pair[0] ? pair[0] : otherwise;
    return i && pair && pair[1] ? pair[1] : first;
}

static bool set_pads(struct mi_layer *layer, struct mi_window *out, int i, int64_t in, const char *padding,
                     const int64_t *pads)
{
    int64_t reach = (out->size[i] - 1) * out->dilation[i] + 1;
    int64_t *before = &out->pads[i], *after = &out->pads[i + out->spatial];
    if (padding && strcmp(padding, "same") == 0) {
        int64_t last = in > 0 ? (in - 1) / out->stride[i] * out->stride[i] : 0;
        int64_t total = last + reach > in ? last + reach - in : 0;
        *before = total / 2;
        *after = total - total / 2;
    } else if (padding && strcmp(padding, "explicit") == 0) {
        *before = pads[i];
        *after = pads[i + out->spatial];
        if (!mi_layer_size(layer, "a pad", *before, 0) || !mi_layer_size(layer, "a pad", *after, 0))
            return false;
    }
    if (in + *before + *after >= reach)
        return true;
    mi_layer_fail(layer, MICA_SHAPE, "a window of %lld does not fit into an input of %lld (with padding, %lld)",
                  (long long)reach, (long long)in, (long long)(in + *before + *after));
    return false;
}

/* Height, width and few channels where channels, height and width belong: an image that came channels last. Or a length and few
 * channels where channels and a length belong, which is too short for the window. */
static bool looks_channels_last(const mi_value *x, int spatial, int64_t reach)
{
    int64_t a = x->shape.dim[1].b, b = x->shape.dim[2].b, c = x->shape.dim[3].b;
    if (x->node->op != &mi_op_input)
        return false;
    if (spatial == 1)
        return b < a && b < reach;
    return (c == 1 || c == 3 || c == 4) && a >= 8 && b >= 8 && a <= 4 * b && b <= 4 * a;
}

static void fail_channels_last(struct mi_layer *layer, const mi_value *x, int spatial)
{
    const struct mi_dim *d = x->shape.dim;
    struct mi_shape better = {.rank = spatial + 1, .dim = {d[spatial + 1], d[1], d[2]}};
    mi_layer_fail(layer, MICA_SHAPE, "input has shape %s per sample; %s are channels first: %s", mi_layer_shape_text(layer, x),
                  spatial == 2 ? "images" : "sequences", mi_shape_text(&layer->graph->arena, &better));
}

bool mi_window_resolve(struct mi_layer *layer, const mi_value *x, int spatial, const int64_t size[2], int64_t size_default,
                       const int64_t stride[2], const int64_t dilation[2], const char *padding, const int64_t pads[4],
                       struct mi_window *out)
{
    static const char *const words[] = {"valid", "same", "explicit", NULL};
    *out = (struct mi_window){.spatial = spatial};
    if (x->shape.rank != spatial + 2) {
        mi_layer_fail(layer, MICA_SHAPE, "input has shape %s per sample, needs %s", mi_layer_shape_text(layer, x),
                      spatial == 2 ? "(channels, height, width)" : "(channels, length)");
        return false;
    }
    if (looks_channels_last(x, spatial, pair_at(size, 0, size_default))) {
        fail_channels_last(layer, x, spatial);
        return false;
    }
    if (padding && strcmp(padding, "valid") && strcmp(padding, "same") && strcmp(padding, "explicit")) {
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "there is no padding \"%s\"%s", mi_show(padding).text,
                      mi_advise(padding, words).text);
        return false;
    }
    for (int i = 0; i < spatial; i++) {
        int64_t in = x->shape.dim[2 + i].b;
        out->size[i] = pair_at(size, i, size_default);
        out->stride[i] = pair_at(stride, i, 0);
        if (out->stride[i] == 0)
            out->stride[i] = size_default ? out->size[i] : 1;
        out->dilation[i] = pair_at(dilation, i, 1);
        if (!mi_layer_size(layer, size_default ? "pool_size" : "kernel_size", out->size[i], 1) ||
            !mi_layer_size(layer, "strides", out->stride[i], 1) || !mi_layer_size(layer, "dilation_rate", out->dilation[i], 1) ||
            !mi_layer_size(layer, "an input's side", in, 0) || !set_pads(layer, out, i, in, padding, pads))
            return false;
    }
    return true;
}
