/* Softmax and LogSoftmax along one axis (attribute axis, -1): made of reductions and maps, which fuse into
 * one kernel. */
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
