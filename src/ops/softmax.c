/* Softmax, LogSoftmax and Sparsemax along one axis (attribute axis, -1): made of reductions and maps, which fuse. */
#include "ops/ops.h"

static mica_status infer_softmax(struct mi_node *node)
{
    int axis;
    MI_TRY(mi_float_types(node));
    MI_TRY(mi_axis(node, mi_attribute_int(node, "axis", -1), node->in[0]->shape.rank, &axis));
    MI_TRY(mi_set_attribute(node, MI_INT("axis", axis)));
    mi_infer_output(node, 0, node->in[0]->type, &node->in[0]->shape);
    return MICA_OK;
}

static mi_value *along(struct mi_node *node, const char *op, mi_value *value)
{
    int64_t axis = mi_attribute_int(node, "axis", -1);
    return mi_reduce(node->graph, op, value, &axis, 1, true);
}

/* A NaN in x is not the maximum, but it is in the sum. */
static mi_value *below_maximum(struct mi_node *node)
{
    return mi_op2(node->graph, "Sub", node->in[0], along(node, "ReduceMaxNumber", node->in[0]));
}

/* exp(x - max) / sum(exp(x - max)) */
static mica_status lower_softmax(struct mi_node *node, mi_value **out)
{
    struct mi_graph *graph = node->graph;
    mi_value *shifted = below_maximum(node);
    mi_value *power = mi_op1(graph, "Exp", shifted);
    out[0] = mi_op2(graph, "Mul", power, mi_op1(graph, "Reciprocal", along(node, "ReduceSum", power)));
    return graph->error.status;
}

/* x - max - log(sum(exp(x - max))) */
static mica_status lower_log_softmax(struct mi_node *node, mi_value **out)
{
    struct mi_graph *graph = node->graph;
    mi_value *shifted = below_maximum(node);
    mi_value *sum = along(node, "ReduceSum", mi_op1(graph, "Exp", shifted));
    out[0] = mi_op2(graph, "Sub", shifted, mi_op1(graph, "Log", sum));
    return graph->error.status;
}

/* dx = y * (dy - sum(dy * y)) */
static mica_status gradient_softmax(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    struct mi_graph *graph = node->graph;
    mi_value *sum = along(node, "ReduceSum", mi_op2(graph, "Mul", dy[0], node->out[0]));
    dx[0] = mi_op2(graph, "Mul", node->out[0], mi_op2(graph, "Sub", dy[0], sum));
    return graph->error.status;
}

/* dx = dy - exp(y) * sum(dy) */
static mica_status gradient_log_softmax(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    struct mi_graph *graph = node->graph;
    mi_value *share =
        mi_op2(graph, "Mul", mi_op1(graph, "Exp", node->out[0]), along(node, "ReduceSum", dy[0]));
    dx[0] = mi_op2(graph, "Sub", dy[0], share);
    return graph->error.status;
}

MI_COMPOSITE_ROW(Softmax, 1, 1, 1, infer_softmax, gradient_softmax, lower_softmax);
MI_COMPOSITE_ROW(LogSoftmax, 1, 1, 1, infer_softmax, gradient_log_softmax, lower_log_softmax);

/* ---- Sparsemax: Martins and Astudillo, 2016: the point of the simplex that is nearest to x ----
 *
 * y = max(x - t, 0), where t = (sum of x over the support - 1) / its size, so that y sums to 1. Place i is of the support where
 * sum_j max(x_j - x_i, 0) < 1: what the larger ones have above it does not use up the whole. That compares each pair of a row,
 * so a row of K elements takes K^2 steps and no sorting; nothing of that size is stored. */

static mica_status infer_sparsemax(struct mi_node *node)
{
    if (node->in[0]->shape.rank == MI_MAX_RANK)
        return mi_op_fail(node, MICA_UNSUPPORTED, "input has %d dimensions, at most %d are possible", MI_MAX_RANK, MI_MAX_RANK - 1);
    return infer_softmax(node);
}

/* x with one more dimension of size 1 at `axis`. */
static mi_value *spread(struct mi_graph *graph, mi_value *x, int64_t axis)
{
    return mi_op2(graph, "Unsqueeze", x, mi_ints(graph, &axis, 1));
}

static mica_status lower_sparsemax(struct mi_node *node, mi_value **out)
{
    struct mi_graph *graph = node->graph;
    int64_t axis = mi_attribute_int(node, "axis", -1), other = axis + 1;
    mi_value *x = below_maximum(node), *one = mi_number(graph, node->in[0]->type, 1);
    if (!x)
        return graph->error.status;
    mi_value *above = mi_op1(graph, "Relu", mi_op2(graph, "Sub", spread(graph, x, axis), spread(graph, x, other)));
    mi_value *support = mi_op1(graph, "Step", mi_op2(graph, "Sub", one, mi_reduce(graph, "ReduceSum", above, &other, 1, false)));
    mi_value *sum = along(node, "ReduceSum", mi_op2(graph, "Mul", support, x));
    mi_value *least = mi_op2(graph, "Div", mi_op2(graph, "Sub", sum, one), along(node, "ReduceSum", support));
    out[0] = mi_op1(graph, "Relu", mi_op2(graph, "Sub", x, least));
    return graph->error.status;
}

/* Of the support dx = dy - mean(dy over the support), elsewhere 0. */
static mica_status gradient_sparsemax(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    struct mi_graph *graph = node->graph;
    mi_value *support = mi_op1(graph, "Step", node->out[0]);
    mi_value *sum = along(node, "ReduceSum", mi_op2(graph, "Mul", support, dy[0]));
    mi_value *mean = mi_op2(graph, "Div", sum, along(node, "ReduceSum", support));
    dx[0] = mi_op2(graph, "Mul", support, mi_op2(graph, "Sub", dy[0], mean));
    return graph->error.status;
}

MI_COMPOSITE_ROW(Sparsemax, 1, 1, 1, infer_sparsemax, gradient_sparsemax, lower_sparsemax);
