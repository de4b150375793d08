/* Pooling, made of moves of Mica's own and reductions, which fuse into one kernel:
 *
 *   Window    x (N, C, H...) -> (N, C, P..., R...)  x at p * stride + r * dilation - pad, or the fill
 *   Unpool    y (N, C, P...) -> (N, C, J..., H...)  y at (h + pad) / stride - j
 *   Unwindow  y (N, C, P...) -> (N, C, H..., R...)  y at (h + pad - r * dilation) / stride where that divides
 *
 * Window then a reduction over R is the pool; Unpool then a sum over J (with dilation: Unwindow, over R)
 * gathers what an input place owes to its windows, so the gradient needs no atomics and no order of arrival. */
#include "ops/ops.h"
#include "ops/window.h"

#include <math.h>

/* ---- The moves ---- */

static mica_status infer_window(struct mi_node *node)
{
    struct mi_window window;
    const struct mi_shape *x = &node->in[0]->shape;
    MI_TRY(mi_window_infer(node, x, NULL, &window));
    struct mi_shape out = {.rank = 2 + 2 * window.axes, .dim = {x->dim[0], x->dim[1]}};
    for (int i = 0; i < window.axes; i++) {
        out.dim[2 + i] = mi_fixed(window.out[i]);
        out.dim[2 + window.axes + i] = mi_fixed(window.kernel[i]);
    }
    mi_infer_output(node, 0, node->in[0]->type, &out);
    return MICA_OK;
}

/* Both conditions, or the one there is; & makes no branches. */
static const char *both(struct mi_arena *arena, const char *left, const char *right)
{
    return left ? mi_arena_format(arena, "%s & (%s)", left, right) : mi_arena_format(arena, "(%s)", right);
}

/* The windows of an axis that lie in the input, all their places; false: there are none. */
static bool whole_windows(const struct mi_window *w, int i, struct mi_range *range)
{
    int64_t last = w->in[i] - 1 + w->before[i] - (w->kernel[i] - 1) * w->dilation[i]; /* place of a window's first element */
    range->low = mi_divide_up(w->before[i], w->stride[i]);
    range->high = last < 0 ? 0 : last / w->stride[i] + 1;
    return range->high > range->low;
}

static int move_window(struct mi_arena *arena, const struct mi_node *node, const char *const *index,
                       struct mi_access *access)
{
    struct mi_window w;
    mi_window_get(node, &node->in[0]->shape, &node->out[0]->shape, &w);
    *access = (struct mi_access){.value = node->in[0], .index = {index[0], index[1]}};
    bool inside = mi_window_inside(&w);
    access->knows = !inside;
    for (int i = 0; i < w.axes; i++) {
        access->knows = access->knows && whole_windows(&w, i, &access->inside[2 + i]);
        const char *place =
            mi_arena_format(arena, "((%s) * %lld + (%s) * %lld - %lld)", index[2 + i], (long long)w.stride[i],
                            index[2 + w.axes + i], (long long)w.dilation[i], (long long)w.before[i]);
        access->index[2 + i] = place;
        if (!inside)
            access->guard =
                both(arena, access->guard,
                     mi_arena_format(arena, "(%s >= 0) & (%s < %lld)", place, place, (long long)w.in[i]));
    }
    return 1;
}

/* Attributes shape and shape_n: of the pool's input. */
static mica_status infer_unwindow(struct mi_node *node)
{
    struct mi_shape out;
    int axes = 0;
    const int64_t *kernel = mi_attribute_ints(node, "kernel_shape", &axes);
    if (!kernel || !mi_get_shape(node, &out) || out.rank != axes + 2 || out.rank + axes > MI_MAX_RANK)
        return mi_op_fail(node, MICA_INVALID_ARGUMENT,
                          "attributes kernel_shape and shape do not fit together");
    for (int i = 0; i < axes; i++)
        out.dim[out.rank++] = mi_fixed(kernel[i]);
    mi_infer_output(node, 0, node->in[0]->type, &out);
    return MICA_OK;
}

static int move_unwindow(struct mi_arena *arena, const struct mi_node *node, const char *const *index,
                         struct mi_access *access)
{
    struct mi_window w;
    mi_window_get(node, &node->out[0]->shape, &node->in[0]->shape, &w);
    *access = (struct mi_access){.value = node->in[0], .index = {index[0], index[1]}};
    for (int i = 0; i < w.axes; i++) {
        const char *place =
            mi_arena_format(arena, "((%s) + %lld - (%s) * %lld)", index[2 + i], (long long)w.before[i],
                            index[2 + w.axes + i], (long long)w.dilation[i]);
        const char *guard =
            mi_arena_format(arena, "(%s >= 0) & (%s < %lld)", place, place, (long long)(w.out[i] * w.stride[i]));
        if (w.stride[i] > 1)
            guard = mi_arena_format(arena, "(%s) & (%s %% %lld == 0)", guard, place, (long long)w.stride[i]);
        access->guard = both(arena, access->guard, guard);
        access->index[2 + i] = mi_arena_format(arena, "(%s / %lld)", place, (long long)w.stride[i]);
    }
    return 1;
}

MI_MOVE_ROW(Window, 1, infer_window, NULL, move_window);
MI_MOVE_ROW(Unwindow, 1, infer_unwindow, NULL, move_unwindow);

/* a where the place within the window is b; windows are the last axes, of `window` places. */
MI_MAP_ROW(SelectInWindow, 2, NULL, .expr = {"(int)(index % window) == b ? a : 0"});

/* ---- Without dilation a place lies in at most ceil(kernel / stride) windows of an axis ---- */

static bool is_dense(const struct mi_window *w)
{
    for (int i = 0; i < w->axes; i++)
        if (w->dilation[i] != 1)
            return false;
    return true;
}

/* How many windows of an axis a place can lie in. */
static int64_t reach(const struct mi_window *w, int i)
{
    return i < w->axes && w->kernel[i] > w->stride[i] ? mi_divide_up(w->kernel[i], w->stride[i]) : 1;
}

/* Windows apart: every place has one at most. */
static bool is_apart(const struct mi_window *w)
{
    return reach(w, 0) * reach(w, 1) * reach(w, 2) == 1;
}

/* Unpool: y (N, C, P...) -> (N, C, J0, J1, J2, H...), the value of window (h + pad) / stride - j, where the place lies in that;
 * without J where windows are apart. Attributes shape and shape_n: of the pool's input. */
static mica_status infer_unpool(struct mi_node *node)
{
    struct mi_shape in, out;
    struct mi_window w;
    if (!mi_get_shape(node, &in) || in.rank != node->in[0]->shape.rank)
        return mi_op_fail(node, MICA_INVALID_ARGUMENT, "attribute shape does not fit the input");
    mi_window_get(node, &in, &node->in[0]->shape, &w);
    out = in;
    if (!is_apart(&w)) {
        out.rank = in.rank + MI_MAX_SPATIAL;
        for (int i = 0; i < MI_MAX_SPATIAL; i++)
            out.dim[2 + i] = mi_fixed(reach(&w, i));
        for (int i = 0; i < w.axes; i++)
            out.dim[2 + MI_MAX_SPATIAL + i] = in.dim[2 + i];
    }
    mi_infer_output(node, 0, node->in[0]->type, &out);
    return MICA_OK;
}

static int move_unpool(struct mi_arena *arena, const struct mi_node *node, const char *const *index,
                       struct mi_access *access)
{
    struct mi_window w;
    struct mi_shape in;
    mi_get_shape(node, &in);
    mi_window_get(node, &in, &node->in[0]->shape, &w);
    int first = is_apart(&w) ? 2 : 2 + MI_MAX_SPATIAL;
    *access = (struct mi_access){.value = node->in[0], .index = {index[0], index[1]}, .knows = true};
    for (int i = 0; i < w.axes; i++) {
        long long stride = (long long)w.stride[i], out = (long long)w.out[i], kernel = (long long)w.kernel[i];
        struct mi_range *range = &access->inside[first + i];
        range->low = (reach(&w, i) - 1) * w.stride[i] - w.before[i];
        range->high = w.out[i] * w.stride[i] - w.before[i];
        access->knows = access->knows && kernel % stride == 0 && range->high > range->low;
        const char *j = first > 2 ? index[2 + i] : "0";
        /* Never negative, and below 2^31: a division of such numbers is a shift where the stride is a power of two. */
        const char *place = mi_arena_format(arena, "(uint)((%s) + %lld)", index[first + i], (long long)w.before[i]);
        const char *window = mi_arena_format(arena, "((int)(%s / %lld) - (%s))", place, stride, j);
        access->period[first + i] = w.stride[i];
        if (reach(&w, i) > 1)
            access->guard = both(arena, access->guard, mi_arena_format(arena, "%s >= 0", window));
        if (out * stride < w.in[i] + w.before[i])
            access->guard = both(arena, access->guard, mi_arena_format(arena, "%s < %lld", window, out));
        if (kernel % stride)
            access->guard = both(arena, access->guard, mi_arena_format(arena, "(int)(%s %% %lld) + (%s) * %lld < %lld", place,
                                                                       stride, j, stride, kernel));
        access->index[2 + i] = window;
    }
    return 1;
}

MI_MOVE_ROW(Unpool, 1, infer_unpool, NULL, move_unpool);

/* a where the place within its window, counted row by row, is b; windows apart, and windows that overlap. */
MI_MAP_ROW(SelectInPool, 2, NULL,
           .expr = {"((uint)(at2 + b0) % s0 * k1 + (uint)(at3 + b1) % s1) * k2 + (uint)(at4 + b2) % s2 == b ? a : 0"});
MI_MAP_ROW(SelectInPools, 2, NULL,
           .expr = {"(((uint)(at5 + b0) % s0 + at2 * s0) * k1 + (uint)(at6 + b1) % s1 + at3 * s1) * k2 + (uint)(at7 + b2) % s2 + "
                    "at4 * s2 == b ? a : 0"});

/* ---- What the pools share ---- */

static mica_status infer_pool(struct mi_node *node)
{
    struct mi_window window;
    const struct mi_shape *x = &node->in[0]->shape;
    MI_TRY(mi_float_types(node));
    MI_TRY(mi_window_infer(node, x, NULL, &window));
    struct mi_shape out = *x;
    for (int i = 0; i < window.axes; i++)
        out.dim[2 + i] = mi_fixed(window.out[i]);
    mi_infer_output(node, 0, node->in[0]->type, &out);
    return MICA_OK;
}

static mi_value *windows(struct mi_node *node, float fill)
{
    return mi_apply_as(node, "Window", &node->in[0], 1, &MI_REAL("fill", fill), 1);
}

/* A reduction over the places of windows: the last axes, as many as there are in space. */
static mi_value *over_places(struct mi_node *node, const char *op, mi_value *value)
{
    int64_t axes[MI_MAX_SPATIAL];
    int count = node->in[0]->shape.rank - 2;
    for (int i = 0; i < count; i++)
        axes[i] = 2 + count + i;
    return mi_reduce(node->graph, op, value, axes, count, false);
}

/* A value of the output's shape, spread over the input by Unwindow or Unpool. */
static mi_value *spread(struct mi_node *node, const char *move, mi_value *value, float fill)
{
    struct mi_attribute extra[3] = {MI_REAL("fill", fill)};
    mi_shape_attributes(node->graph, &node->in[0]->shape, extra + 1);
    return mi_apply_as(node, move, &value, 1, extra, (int)MI_COUNT(extra));
}

static int64_t places(const struct mi_window *window)
{
    int64_t count = 1;
    for (int i = 0; i < window->axes; i++)
        count *= window->kernel[i];
    return count;
}

/* ---- MaxPool: attributes kernel_shape, strides (1), pads, dilations, ceil_mode, auto_pad ---- */

static mica_status lower_max(struct mi_node *node, mi_value **out)
{
    out[0] = over_places(node, "ReduceMaxFloat", windows(node, -INFINITY));
    return node->graph->error.status;
}

/* The sum over the windows that a place lies in. */
static mi_value *over_windows(struct mi_node *node, const struct mi_window *w, mi_value *value)
{
    static const int64_t axes[] = {2, 3, 4};
    return is_apart(w) ? value : mi_reduce(node->graph, "ReduceSum", value, axes, MI_MAX_SPATIAL, false);
}

enum { MOST_NEAR = 255 }; /* places of a window that a byte tells apart, and from none */

/* A place that no window has. */
static float nowhere(const mi_value *place)
{
    return place->type == MI_UINT8 ? 255 : -1;
}

/* Without dilation a place looks into the windows that it lies in. */
static mica_status gradient_dense(struct mi_node *node, const struct mi_window *w, mi_value *dy,
                                  mi_value *place, mi_value **dx)
{
    static const char *const names[3][3] = {{"b0", "s0", "k0"}, {"b1", "s1", "k1"}, {"b2", "s2", "k2"}};
    struct mi_attribute attributes[9];
    for (int i = 0; i < 3; i++) {
        bool is = i < w->axes;
        attributes[3 * i] = MI_INT(names[i][0], is ? w->before[i] : 0);
        attributes[3 * i + 1] = MI_INT(names[i][1], is ? w->stride[i] : 1);
        attributes[3 * i + 2] = MI_INT(names[i][2], is ? w->kernel[i] : 1);
    }
    mi_value *in[] = {spread(node, "Unpool", dy, 0), spread(node, "Unpool", place, nowhere(place))};
    *dx = over_windows(node, w, mi_apply(node->graph, is_apart(w) ? "SelectInPool" : "SelectInPools", in, 2, attributes, 9));
    return node->graph->error.status;
}

/* The whole gradient of a window goes to its first maximum, as in PyTorch. */
static mica_status gradient_max(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    struct mi_graph *graph = node->graph;
    struct mi_window window;
    mi_window_get(node, &node->in[0]->shape, &node->out[0]->shape, &window);
    bool few = places(&window) <= MOST_NEAR;
    mi_value *place = over_places(node, few ? "ReduceArgMaxNear" : "ReduceArgMax", windows(node, -INFINITY));
    if (!place)
        return graph->error.status;
    if (is_dense(&window))
        return gradient_dense(node, &window, dy[0], place, &dx[0]);
    mi_value *in[] = {spread(node, "Unwindow", dy[0], 0), spread(node, "Unwindow", place, nowhere(place))};
    dx[0] = over_places(node, "ReduceSum",
                        MI_APPLY(graph, "SelectInWindow", in, MI_INT("window", places(&window))));
    return graph->error.status;
}

const struct mi_op mi_op_MaxPool = {.name = "MaxPool",
                                    .kind = MI_COMPOSITE,
                                    .min_inputs = 1,
                                    .max_inputs = 1,
                                    .outputs = 1,
                                    .infer = infer_pool,
                                    .gradient = gradient_max,
                                    .lower = lower_max,
                                    .picks_largest = true};

/* ---- AveragePool: the same and count_include_pad (0) ---- */

/* x over the places of window p along one axis that count: those with low <= p * stride + r * dilation <
 * high, counted from the first place of the padding. */
static mica_status infer_divide_by_window(struct mi_node *node)
{
    mi_infer_output(node, 0, node->in[0]->type, &node->in[0]->shape);
    return MICA_OK;
}
#define PLACE "(int)((index / inner) % size) * stride"
MI_MAP_ROW(DivideByWindow, 1, infer_divide_by_window,
           .expr = {"x / (float)max(1, min(kernel_size, (high - " PLACE " + dilation - 1) / dilation) - "
                    "max(0, (low - " PLACE " + dilation - 1) / dilation))"});

static mi_value *divide_by_window(struct mi_node *node, const struct mi_window *w, int i, mi_value *value)
{
    bool with_pads = mi_attribute_int(node, "count_include_pad", 0) != 0;
    int64_t inner = 1, low = with_pads ? 0 : w->before[i],
            high = w->before[i] + w->in[i] + (with_pads ? w->after[i] : 0);
    for (int k = i + 1; k < w->axes; k++)
        inner *= w->out[k];
    struct mi_attribute attributes[] = {MI_INT("inner", inner),
                                        MI_INT("size", w->out[i]),
                                        MI_INT("stride", w->stride[i]),
                                        MI_INT("dilation", w->dilation[i]),
                                        MI_INT("kernel_size", w->kernel[i]),
                                        MI_INT("low", low),
                                        MI_INT("high", high)};
    return mi_apply(node->graph, "DivideByWindow", &value, 1, attributes, (int)MI_COUNT(attributes));
}

/* value (N, C, P...) divided by the number of places that count in each window. */
static mi_value *averaged(struct mi_node *node, mi_value *value)
{
    struct mi_window window;
    mi_window_get(node, &node->in[0]->shape, &node->out[0]->shape, &window);
    if (mi_window_inside(&window))
        return MI_APPLY(node->graph, "DivideByCount", ((mi_value *[]){value}),
                        MI_INT("fixed", places(&window)));
    for (int i = 0; i < window.axes; i++)
        value = divide_by_window(node, &window, i, value);
    return value;
}

static mica_status lower_average(struct mi_node *node, mi_value **out)
{
    out[0] = averaged(node, over_places(node, "ReduceSum", windows(node, 0)));
    return node->graph->error.status;
}

static mica_status gradient_average(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    struct mi_window window;
    mi_window_get(node, &node->in[0]->shape, &node->out[0]->shape, &window);
    mi_value *share = averaged(node, dy[0]);
    dx[0] = is_dense(&window) ? over_windows(node, &window, spread(node, "Unpool", share, 0))
                              : over_places(node, "ReduceSum", spread(node, "Unwindow", share, 0));
    return node->graph->error.status;
}

MI_COMPOSITE_ROW(AveragePool, 1, 1, 1, infer_pool, gradient_average, lower_average);

/* ---- Global pools: (N, C, H...) -> (N, C, 1...) ---- */

static mica_status infer_global(struct mi_node *node)
{
    int64_t axes[MI_MAX_RANK];
    struct mi_shape out = node->in[0]->shape;
    if (out.rank < 3)
        return mi_op_fail(node, MICA_SHAPE, "input has rank %d, it must be at least 3 (N, C, space)",
                          out.rank);
    for (int i = 2; i < out.rank; i++) {
        axes[i - 2] = i;
        out.dim[i] = mi_fixed(1);
    }
    MI_TRY(mi_float_types(node));
    MI_TRY(mi_set_attribute(node, MI_INTS("axes", axes, out.rank - 2)));
    mi_infer_output(node, 0, node->in[0]->type, &out);
    return MICA_OK;
}

static mica_status lower_global_max(struct mi_node *node, mi_value **out)
{
    out[0] = mi_apply_as(node, "ReduceMax", node->in, 1, NULL, 0);
    return node->graph->error.status;
}

static mica_status lower_global_average(struct mi_node *node, mi_value **out)
{
    out[0] = mi_apply_as(node, "ReduceMean", node->in, 1, NULL, 0);
    return node->graph->error.status;
}

MI_COMPOSITE_ROW(GlobalMaxPool, 1, 1, 1, infer_global, mi_gradient_extremum, lower_global_max);
MI_COMPOSITE_ROW(GlobalAveragePool, 1, 1, 1, infer_global, mi_gradient_mean, lower_global_average);
