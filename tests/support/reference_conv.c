#include "support/reference.h"

#include <math.h>

struct window {
    int axes;
    int64_t kernel[3], stride[3], dilation[3], before[3], after[3];
};

static void read_window(const struct op_case *c, int axes, const int64_t *kernel, struct window *w)
{
    int count;
    const int64_t *strides = op_ints(c, "strides", &count), *pads = op_ints(c, "pads", &count);
    const int64_t *dilations = op_ints(c, "dilations", &count);
    w->axes = axes;
    for (int i = 0; i < axes; i++) {
        w->kernel[i] = kernel[i];
        w->stride[i] = strides ? strides[i] : 1;
        w->dilation[i] = dilations ? dilations[i] : 1;
        w->before[i] = pads ? pads[i] : 0;
        w->after[i] = pads ? pads[axes + i] : 0;
    }
}

/* The place in x (coordinates from its third axis on) that window `out` meets with its place r; false: in the
 * padding. */
static bool place(const struct window *w, const struct tensor *x, const int64_t *out, const int64_t *r,
                  int64_t *at)
{
    bool inside = true;
    for (int i = 0; i < w->axes; i++) {
        at[2 + i] = out[2 + i] * w->stride[i] + r[i] * w->dilation[i] - w->before[i];
        inside = inside && at[2 + i] >= 0 && at[2 + i] < x->dim[2 + i];
    }
    return inside;
}

void reference_conv(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    const struct tensor *x = &in[0], *w = &in[1];
    struct window window;
    int64_t group = op_int(c, "group", 1), filters = w->dim[0] / group, channels = w->dim[1];
    int64_t at[MI_MAX_RANK] = {0}, from[MI_MAX_RANK] = {0}, weight[MI_MAX_RANK] = {0}, i = 0;
    struct tensor places = {.rank = x->rank - 2};
    read_window(c, x->rank - 2, w->dim + 2, &window);
    for (int d = 0; d < places.rank; d++)
        places.dim[d] = window.kernel[d];
    if (out->count == 0)
        return;
    do {
        double sum = c->in[2].shape ? in[2].data[at[1]] : 0;
        from[0] = at[0];
        weight[0] = at[1];
        for (int64_t k = 0; k < channels; k++) {
            int64_t r[MI_MAX_RANK] = {0};
            from[1] = at[1] / filters * channels + k;
            weight[1] = k;
            do {
                for (int d = 0; d < places.rank; d++)
                    weight[2 + d] = r[d];
                if (place(&window, x, at, r, from))
                    sum += x->data[tensor_offset(x, from)] * w->data[tensor_offset(w, weight)];
            } while (tensor_next(&places, r));
        }
        out->data[i++] = sum;
    } while (tensor_next(out, at));
}

static void pool(const struct op_case *c, const struct tensor *x, struct tensor *out, bool average)
{
    struct window window;
    int axes;
    const int64_t *kernel = op_ints(c, "kernel_shape", &axes);
    bool with_pads = op_int(c, "count_include_pad", 0) != 0;
    int64_t at[MI_MAX_RANK] = {0}, from[MI_MAX_RANK] = {0}, i = 0;
    struct tensor places = {.rank = axes};
    read_window(c, axes, kernel, &window);
    for (int d = 0; d < axes; d++)
        places.dim[d] = kernel[d];
    if (out->count == 0)
        return;
    do {
        double most = -(double)INFINITY, sum = 0, count = 0;
        int64_t r[MI_MAX_RANK] = {0};
        from[0] = at[0];
        from[1] = at[1];
        do {
            bool inside = place(&window, x, at, r, from), counts = inside;
            for (int d = 0; d < axes && with_pads && !inside; d++)
                counts = (d == 0 || counts) && from[2 + d] < x->dim[2 + d] + window.after[d];
            count += counts;
            if (inside) {
                double value = x->data[tensor_offset(x, from)];
                sum += value;
                most = value > most || isnan(value) ? value : most;
            }
        } while (tensor_next(&places, r));
        out->data[i++] = !average ? most : count > 0 ? sum / count : 0;
    } while (tensor_next(out, at));
}

void reference_max_pool(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    pool(c, &in[0], out, false);
}

void reference_average_pool(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    pool(c, &in[0], out, true);
}
