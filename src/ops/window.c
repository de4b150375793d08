/* Sliding windows: ONNX's strides, pads, dilations, auto_pad and ceil_mode. */
#include "ops/window.h"
#include "ops/ops.h"

#include <string.h>

/* Attribute `name` with one number for each of `count` places, all at least `least`; `otherwise` where it is
 * absent. */
static mica_status read_ints(const struct mi_node *node, const char *name, int count, int64_t least,
                             int64_t otherwise, int64_t *values)
{
    int given = 0;
    const int64_t *ints = mi_attribute_ints(node, name, &given);
    if (ints && given != count)
        return mi_op_fail(node, MICA_SHAPE, "%s has %d values, %d are needed", name, given, count);
    for (int i = 0; i < count; i++) {
        values[i] = ints ? ints[i] : otherwise;
        if (values[i] < least || values[i] > INT32_MAX)
            return mi_op_fail(node, MICA_INVALID_ARGUMENT, "%s holds %lld, it must be %lld to %d", name,
                              (long long)values[i], (long long)least, INT32_MAX);
    }
    return MICA_OK;
}

static mica_status read_kernel(const struct mi_node *node, const int64_t *kernel, struct mi_window *window)
{
    int count = 0;
    const int64_t *given = mi_attribute_ints(node, "kernel_shape", &count);
    if (!given && !kernel)
        return mi_op_fail(node, MICA_INVALID_ARGUMENT, "attribute kernel_shape is missing");
    if (!given) {
        memcpy(window->kernel, kernel, (size_t)window->axes * sizeof *kernel);
        return MICA_OK;
    }
    MI_TRY(read_ints(node, "kernel_shape", window->axes, 1, 1, window->kernel));
    for (int i = 0; kernel && i < window->axes; i++)
        if (kernel[i] != window->kernel[i])
            return mi_op_fail(node, MICA_SHAPE, "kernel_shape holds %lld, weight has %lld",
                              (long long)window->kernel[i], (long long)kernel[i]);
    return MICA_OK;
}

/* Reach of the window along axis i, in input places. */
static int64_t span(const struct mi_window *window, int i)
{
    return (window->kernel[i] - 1) * window->dilation[i] + 1;
}

/* The odd place of padding comes after (UPPER) or before (LOWER). */
static void pad_both(struct mi_window *window, int i, int64_t total, bool lower)
{
    total = total > 0 ? total : 0;
    window->before[i] = lower ? (total + 1) / 2 : total / 2;
    window->after[i] = total - window->before[i];
}

/* SAME: as many windows as ceil(in / stride). */
static void pad_same(struct mi_window *window, bool lower)
{
    for (int i = 0; i < window->axes; i++) {
        int64_t windows = mi_divide_up(window->in[i], window->stride[i]);
        pad_both(window, i, (windows - 1) * window->stride[i] + span(window, i) - window->in[i], lower);
    }
}

/* The pads that a node has, as `same` sets them where its auto_pad says so. */
static mica_status read_pads(const struct mi_node *node, struct mi_window *window, void (*same)(struct mi_window *, bool))
{
    const char *mode = mi_attribute_text(node, "auto_pad", "NOTSET");
    int64_t pads[2 * MI_MAX_SPATIAL];
    if (strcmp(mode, "SAME_UPPER") == 0 || strcmp(mode, "SAME_LOWER") == 0) {
        same(window, strcmp(mode, "SAME_LOWER") == 0);
        return MICA_OK;
    }
    if (strcmp(mode, "NOTSET") != 0 && strcmp(mode, "VALID") != 0)
        return mi_op_fail(node, MICA_INVALID_ARGUMENT,
                          "auto_pad is \"%s\", it must be NOTSET, VALID, SAME_UPPER or SAME_LOWER", mode);
    MI_TRY(read_ints(node, "pads", 2 * window->axes, 0, 0, pads));
    for (int i = 0; i < window->axes && strcmp(mode, "NOTSET") == 0; i++) {
        window->before[i] = pads[i];
        window->after[i] = pads[window->axes + i];
    }
    return MICA_OK;
}

static mica_status count_windows(const struct mi_node *node, struct mi_window *window)
{
    bool ceil_mode = mi_attribute_int(node, "ceil_mode", 0) != 0;
    for (int i = 0; i < window->axes; i++) {
        int64_t room = window->in[i] + window->before[i] + window->after[i] - span(window, i),
                stride = window->stride[i];
        if (room < 0)
            return mi_op_fail(node, MICA_SHAPE, "window spans %lld places, input has %lld with padding",
                              (long long)span(window, i), (long long)(room + span(window, i)));
        int64_t last = ceil_mode ? mi_divide_up(room, stride) : room / stride;
        /* The last window must begin inside the input or the padding before it. */
        if (ceil_mode && last * stride >= window->in[i] + window->before[i])
            last--;
        window->out[i] = last + 1;
    }
    return MICA_OK;
}

static mica_status write_back(struct mi_node *node, const struct mi_window *window)
{
    int64_t pads[2 * MI_MAX_SPATIAL];
    for (int i = 0; i < window->axes; i++) {
        pads[i] = window->before[i];
        pads[window->axes + i] = window->after[i];
    }
    MI_TRY(mi_set_attribute(node, MI_INTS("kernel_shape", window->kernel, window->axes)));
    MI_TRY(mi_set_attribute(node, MI_INTS("strides", window->stride, window->axes)));
    MI_TRY(mi_set_attribute(node, MI_INTS("dilations", window->dilation, window->axes)));
    MI_TRY(mi_set_attribute(node, MI_INTS("pads", pads, 2 * window->axes)));
    return mi_set_attribute(node, MI_TEXT("auto_pad", "NOTSET"));
}

/* Sizes of the input, kernel, strides and dilations. */
static mica_status read_sizes(const struct mi_node *node, const struct mi_shape *in, const int64_t *kernel, struct mi_window *out)
{
    *out = (struct mi_window){.axes = in->rank - 2};
    if (out->axes < 1 || out->axes > MI_MAX_SPATIAL)
        return mi_op_fail(node, MICA_SHAPE, "input has rank %d, it must be 3 to %d (N, C, space)", in->rank,
                          2 + MI_MAX_SPATIAL);
    for (int i = 0; i < out->axes; i++) {
        if (in->dim[2 + i].a != 0 || in->dim[2 + i].b > INT32_MAX)
            return mi_op_fail(node, MICA_UNSUPPORTED, "input %s: sizes in space must be fixed and below 2^31",
                              mi_shape_text(&node->graph->arena, in));
        out->in[i] = in->dim[2 + i].b;
    }
    MI_TRY(read_kernel(node, kernel, out));
    MI_TRY(read_ints(node, "strides", out->axes, 1, 1, out->stride));
    return read_ints(node, "dilations", out->axes, 1, 1, out->dilation);
}

mica_status mi_window_infer(struct mi_node *node, const struct mi_shape *in, const int64_t *kernel,
                            struct mi_window *out)
{
    MI_TRY(read_sizes(node, in, kernel, out));
    MI_TRY(read_pads(node, out, pad_same));
    MI_TRY(count_windows(node, out));
    return write_back(node, out);
}

/* SAME: `in` times stride places, of those that windows reach. `in` has them already, and more of them. */
static void crop_same(struct mi_window *window, bool lower)
{
    for (int i = 0; i < window->axes; i++)
        pad_both(window, i, window->in[i] - window->out[i] * window->stride[i], lower);
}

mica_status mi_window_infer_transposed(struct mi_node *node, const struct mi_shape *in, const int64_t *kernel,
                                       struct mi_window *out)
{
    int64_t more[MI_MAX_SPATIAL];
    MI_TRY(read_sizes(node, in, kernel, out));
    MI_TRY(read_ints(node, "output_padding", out->axes, 0, 0, more));
    for (int i = 0; i < out->axes; i++) {
        if (more[i] >= out->stride[i])
            return mi_op_fail(node, MICA_INVALID_ARGUMENT, "output_padding holds %lld, it must be below the stride of %lld",
                              (long long)more[i], (long long)out->stride[i]);
        out->out[i] = out->in[i];
        out->in[i] = (out->out[i] - 1) * out->stride[i] + span(out, i) + more[i];
    }
    MI_TRY(read_pads(node, out, crop_same));
    for (int i = 0; i < out->axes; i++) {
        out->in[i] -= out->before[i] + out->after[i];
        if (out->in[i] < 1 || out->in[i] > INT32_MAX)
            return mi_op_fail(node, MICA_SHAPE, "axis %d of the result would have %lld places", 2 + i, (long long)out->in[i]);
    }
    return write_back(node, out);
}

void mi_window_get(const struct mi_node *node, const struct mi_shape *in, const struct mi_shape *out,
                   struct mi_window *window)
{
    int count = 0;
    const int64_t *kernel = mi_attribute_ints(node, "kernel_shape", &count),
                  *pads = mi_attribute_ints(node, "pads", &count);
    const int64_t *strides = mi_attribute_ints(node, "strides", &count);
    const int64_t *dilations = mi_attribute_ints(node, "dilations", &count);
    *window = (struct mi_window){.axes = count};
    for (int i = 0; i < count; i++) {
        window->in[i] = in->dim[2 + i].b;
        window->out[i] = out->dim[2 + i].b;
        window->kernel[i] = kernel[i];
        window->stride[i] = strides[i];
        window->dilation[i] = dilations[i];
        window->before[i] = pads[i];
        window->after[i] = pads[count + i];
    }
}

bool mi_window_inside(const struct mi_window *window)
{
    for (int i = 0; i < window->axes; i++)
        if (window->before[i] > 0 ||
            (window->out[i] - 1) * window->stride[i] + span(window, i) > window->in[i])
            return false;
    return true;
}
