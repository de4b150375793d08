/* Normalisations by the statistics of each sample alone, the same in training and in inference; ONNX's, output Y alone:
 *
 *   LayerNormalization(x, scale, bias)             over the axes from `axis` (-1) on, or Mica's attribute `axes`
 *   RMSNormalization(x, scale)                     the same without the mean: x / sqrt(mean(x^2) + epsilon) * scale
 *   InstanceNormalization(x (N, C, ...), scale (C), bias (C))    over each channel's places
 *   GroupNormalization(the same; num_groups)                     over the channels of a group and their places
 *
 *   y = xhat * scale + bias,   xhat = (x - mean) * inverse,   inverse = 1 / sqrt(variance + epsilon)      epsilon: 1e-5
 *
 * All are one: axes of x, a scale and a bias that are broadcast to it. Of groups the axes are a channel's places, and what is found
 * of channels, small tensors, is put together: so x is read in its own shape and layout. */
#include "ops/ops.h"

#include <string.h>

struct view {
    mi_value *x, *scale, *bias;    /* bias NULL: none */
    int64_t axes[MI_MAX_RANK];
    int count;
    int64_t groups;                /* of channels; 0: none */
    bool centered;                 /* else the mean is left as it is */
};

/* ---- Shapes ---- */

/* The attribute `axes`, sorted; where there is none, those from `axis` on. */
static mica_status resolve_axes(struct mi_node *node)
{
    int rank = node->in[0]->shape.rank, count = 0, first, axis, kept = 0;
    const int64_t *given = mi_attribute_ints(node, "axes", &count);
    int64_t axes[MI_MAX_RANK];
    uint32_t mask = 0;
    MI_TRY(mi_axis(node, mi_attribute_int(node, "axis", -1), rank, &first));
    for (int i = first; !given && i < rank; i++)
        mask |= 1u << i;
    for (int i = 0; given && i < count; i++) {
        MI_TRY(mi_axis(node, given[i], rank, &axis));
        mask |= 1u << axis;
    }
    for (int i = 0; i < rank; i++)
        if (mask >> i & 1)
            axes[kept++] = i;
    if (!kept)
        return mi_op_fail(node, MICA_SHAPE, "axes is empty: at least one is normalised");
    return mi_set_attribute(node, MI_INTS("axes", axes, kept));
}

static mica_status check_broadcast(const struct mi_node *node, int input, const char *name)
{
    const struct mi_shape *x = &node->in[0]->shape;
    struct mi_shape joined;
    if (input >= node->inputs || !node->in[input])
        return MICA_OK;
    if (mi_shape_broadcast(x, &node->in[input]->shape, &joined) && mi_shape_equal(&joined, x))
        return MICA_OK;
    return mi_op_fail(node, MICA_SHAPE, "input has shape %s, to which %s of shape %s does not broadcast",
                      mi_shape_text(&node->graph->arena, x), name,
                      mi_shape_text(&node->graph->arena, &node->in[input]->shape));
}

static mica_status infer_along_axes(struct mi_node *node)
{
    MI_TRY(mi_float_types(node));
    MI_TRY(mi_default_float(node, "epsilon", 1e-5f));
    MI_TRY(resolve_axes(node));
    MI_TRY(check_broadcast(node, 1, "scale"));
    MI_TRY(check_broadcast(node, 2, "bias"));
    mi_infer_output(node, 0, node->in[0]->type, &node->in[0]->shape);
    return MICA_OK;
}

static mica_status infer_channels(struct mi_node *node)
{
    const struct mi_shape *x = &node->in[0]->shape;
    struct mi_arena *arena = &node->graph->arena;
    MI_TRY(mi_float_types(node));
    MI_TRY(mi_default_float(node, "epsilon", 1e-5f));
    if (x->rank < 2 || x->dim[1].a)
        return mi_op_fail(node, MICA_SHAPE, "input has shape %s, it must be (N, C, ...)", mi_shape_text(arena, x));
    for (int i = 1; i < 3; i++)
        if (node->in[i]->shape.rank != 1 || !mi_dim_equal(node->in[i]->shape.dim[0], x->dim[1]))
            return mi_op_fail(node, MICA_SHAPE, "input has %lld channels, %s has shape %s", (long long)x->dim[1].b,
                              i == 1 ? "scale" : "bias", mi_shape_text(arena, &node->in[i]->shape));
    mi_infer_output(node, 0, node->in[0]->type, x);
    return MICA_OK;
}

static mica_status infer_instance(struct mi_node *node)
{
    MI_TRY(infer_channels(node));
    if (node->in[0]->shape.rank < 3)
        return mi_op_fail(node, MICA_SHAPE, "input has shape %s, its channels have no places (N, C, ...)",
                          mi_shape_text(&node->graph->arena, &node->in[0]->shape));
    return MICA_OK;
}

static mica_status infer_group(struct mi_node *node)
{
    MI_TRY(infer_channels(node));
    int64_t channels = node->in[0]->shape.dim[1].b, groups = mi_attribute_int(node, "num_groups", 0);
    if (groups < 1 || channels % groups)
        return mi_op_fail(node, MICA_SHAPE, "input has %lld channels, num_groups is %lld, which does not divide them",
                          (long long)channels, (long long)groups);
    return MICA_OK;
}

/* ---- Views ---- */

static struct view view_along_axes(struct mi_node *node)
{
    struct view v = {.x = node->in[0], .scale = node->in[1], .bias = node->inputs > 2 ? node->in[2] : NULL,
                     .centered = strcmp(node->op->name, "RMSNormalization") != 0};
    const int64_t *axes = mi_attribute_ints(node, "axes", &v.count);
    memcpy(v.axes, axes, (size_t)v.count * sizeof *axes);
    return v;
}

static struct view view_channels(struct mi_node *node)
{
    struct mi_graph *graph = node->graph;
    int rank = node->in[0]->shape.rank;
    struct view v = {.x = node->in[0], .scale = mi_channels(graph, node->in[1], rank), .centered = true,
                     .bias = mi_channels(graph, node->in[2], rank), .groups = mi_attribute_int(node, "num_groups", 0)};
    for (int i = 2; i < rank; i++)
        v.axes[v.count++] = i;
    return v;
}

static struct view view_of(struct mi_node *node)
{
    return mi_attribute_find(node, "axes") ? view_along_axes(node) : view_channels(node);
}

/* ---- Values ---- */

MI_MAP_ROW(Normalized, 3, NULL, .in = "x mean inverse", .expr = {"(x - mean) * inverse"},
           .grad = {"g * inverse", "-(g * inverse)", "g * (x - mean)"});

/* (N, C, 1...) as (N, groups, C / groups). */
static mi_value *in_groups(const struct view *v, mi_value *value)
{
    struct mi_shape shape = {
        .rank = 3, .dim = {v->x->shape.dim[0], mi_fixed(v->groups), mi_fixed(v->x->shape.dim[1].b / v->groups)}};
    return value ? mi_reshape_to(value->node->graph, value, &shape) : NULL;
}

/* What each group has, (N, groups, 1), for each of its channels: (N, C, 1...). */
static mi_value *to_channels(const struct view *v, mi_value *value)
{
    if (!value)
        return NULL;
    struct mi_shape each = value->shape, all = v->x->shape;
    each.dim[2] = mi_fixed(all.dim[1].b / v->groups);
    for (int i = 2; i < all.rank; i++)
        all.dim[i] = mi_fixed(1);
    return mi_reshape_to(value->node->graph, mi_expand_to(value->node->graph, value, &each), &all);
}

/* The mean of each group's channels, (N, groups, 1). */
static mi_value *group_mean(const struct view *v, mi_value *value)
{
    return value ? mi_reduce(value->node->graph, "ReduceMean", in_groups(v, value), (int64_t[]){2}, 1, true) : NULL;
}

/* What values and gradients both start from; the plan computes what is the same only once. */
struct normal {
    mi_value *mean, *inverse, *xhat;
};

/* A group's variance is the mean of its channels' and the variance of their means (Chan, Golub, LeVeque 1983). */
static bool join_channels(struct mi_node *node, const struct view *v, struct mi_moments *of)
{
    struct mi_graph *graph = node->graph;
    struct mi_moments means = {0};
    if (!mi_moments(graph, in_groups(v, of->mean), (int64_t[]){2}, 1, &means))
        return false;
    if (of->variance)
        means.variance = mi_op2(graph, "Add", means.variance, group_mean(v, of->variance));
    of->mean = to_channels(v, means.mean);
    of->variance = means.variance;
    return of->mean && of->variance;
}

static bool normalize(struct mi_node *node, const struct view *v, struct normal *made)
{
    struct mi_graph *graph = node->graph;
    struct mi_moments of = {.mean = v->centered ? v->x : mi_number(graph, v->x->type, 0)};
    if (!v->centered)
        of.variance = mi_reduce(graph, "ReduceMean", mi_op2(graph, "Mul", v->x, v->x), v->axes, v->count, true);
    else if (v->count && !mi_moments(graph, v->x, v->axes, v->count, &of))
        return false;
    if (v->groups && !join_channels(node, v, &of))
        return false;
    made->mean = of.mean;
    made->inverse = mi_inverse_root(node, of.variance);
    made->inverse = v->groups ? to_channels(v, made->inverse) : made->inverse;
    made->xhat = mi_apply(graph, "Normalized", (mi_value *[]){v->x, made->mean, made->inverse}, 3, NULL, 0);
    return made->xhat != NULL;
}

static mica_status lower_normalization(struct mi_node *node, mi_value **out)
{
    struct mi_graph *graph = node->graph;
    struct view v = view_of(node);
    struct normal made = {0};
    if (!normalize(node, &v, &made))
        return graph->error.status;
    out[0] = mi_op2(graph, "Mul", made.xhat, v.scale);
    if (v.bias)
        out[0] = mi_op2(graph, "Add", out[0], v.bias);
    return graph->error.status;
}

/* ---- Gradients ---- */

/* The view's axes along which the scale is one number, or (one false) is not. */
static int axes_of_scale(const struct view *v, bool one, int64_t axes[MI_MAX_RANK])
{
    int count = 0, lead = v->x->shape.rank - v->scale->shape.rank;
    for (int i = 0; i < v->count; i++)
        if (one == (v->axes[i] < lead || mi_dim_is(v->scale->shape.dim[v->axes[i] - lead], 1)))
            axes[count++] = v->axes[i];
    return count;
}

/* Where the scale is one number, sums come first, of dy and of dy * xhat, and all others are made of these. */
static mi_value *sum_over(const struct view *v, mi_value *value, bool one)
{
    int64_t axes[MI_MAX_RANK];
    int count = axes_of_scale(v, one, axes);
    return count && value ? mi_reduce(value->node->graph, "ReduceSum", value, axes, count, true) : value;
}

/* The mean of scale * value over all that is normalised together, from the sums of value where the scale is one number. */
static mi_value *weighed_mean(const struct view *v, mi_value *sum)
{
    struct mi_graph *graph = v->x->node->graph;
    uint32_t mask = 0;
    for (int i = 0; i < v->count; i++)
        mask |= 1u << v->axes[i];
    mi_value *all = sum_over(v, mi_op2(graph, "Mul", sum, v->scale), false);
    all = v->groups ? group_mean(v, all) : all;
    all = all && mask ? mi_divide_by_count(graph, all, &v->x->shape, mask) : all;
    return v->groups ? to_channels(v, all) : all;
}

/* The gradient by the scale or the bias `of`, from the sums where these are one number along their axes. */
static mi_value *sum_for(const struct view *v, mi_value *value, mi_value *sum, const mi_value *of, const mi_value *given)
{
    struct mi_graph *graph = v->x->node->graph;
    int64_t axes[MI_MAX_RANK];
    int count = 0, lead = v->x->shape.rank - of->shape.rank;
    value = mi_shape_equal(&of->shape, &v->scale->shape) ? sum : value;
    for (int i = 0; i < value->shape.rank; i++)
        if (!mi_dim_is(value->shape.dim[i], 1) && (i < lead || mi_dim_is(of->shape.dim[i - lead], 1)))
            axes[count++] = i;
    return mi_reshape_to(graph, count ? mi_reduce(graph, "ReduceSum", value, axes, count, true) : value, &given->shape);
}

MI_MAP_ROW(NormalizedGrad, 7, NULL, .in = "dy scale x mean inverse mean_d mean_dx",
           .expr = {"inverse * (dy * scale - mean_d - (x - mean) * inverse * mean_dx)"});

/* With d = dy * scale: dx = inverse * (d - mean(d) - xhat * mean(d * xhat)), dscale = sum(dy * xhat), dbias = sum(dy). */
static mica_status gradient_normalization(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    struct mi_graph *graph = node->graph;
    struct view v = view_of(node);
    struct normal made = {0};
    if (!normalize(node, &v, &made))
        return graph->error.status;
    mi_value *product = mi_op2(graph, "Mul", dy[0], made.xhat);
    mi_value *sum = sum_over(&v, dy[0], true), *sum_x = sum_over(&v, product, true);
    if (!sum || !sum_x)
        return graph->error.status;
    mi_value *mean_d = v.centered ? weighed_mean(&v, sum) : made.mean;
    mi_value *in[] = {dy[0], v.scale, v.x, made.mean, made.inverse, mean_d, weighed_mean(&v, sum_x)};
    dx[0] = mi_apply(graph, "NormalizedGrad", in, 7, NULL, 0);
    dx[1] = sum_for(&v, product, sum_x, v.scale, node->in[1]);
    if (v.bias)
        dx[2] = sum_for(&v, dy[0], sum, v.bias, node->in[2]);
    return graph->error.status;
}

/* ---- Rows ---- */

#define NORMALIZATION(id, least, most, inference)                                            \
    MI_COMPOSITE_ROW(id, least, most, 1, inference, gradient_normalization, lower_normalization)

NORMALIZATION(LayerNormalization, 2, 3, infer_along_axes);
NORMALIZATION(RMSNormalization, 2, 2, infer_along_axes);
NORMALIZATION(InstanceNormalization, 3, 3, infer_instance);
NORMALIZATION(GroupNormalization, 3, 3, infer_group);
