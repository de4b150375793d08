/* BatchNormalization(x (N, C, ...), scale (C), bias (C), mean (C), var (C)) -> y, new mean, new var;
 * attributes epsilon (1e-5) and momentum (0.9).
 *
 *   y = (x - mean) / sqrt(var + epsilon) * scale + bias      per channel
 *
 * In training (graph->training) mean and variance are those of the batch, over all axes but 1, and new = old
 * * momentum + batch * (1 - momentum), where the new variance takes the unbiased one (as PyTorch; ONNX says
 * the biased one). Otherwise they are the inputs, which pass unchanged. */
#include "ops/ops.h"

static mica_status infer_batch_normalization(struct mi_node *node)
{
    struct mi_arena *arena = &node->graph->arena;
    static const char *const names[] = {"x", "scale", "bias", "mean", "var"};
    const struct mi_shape *x = &node->in[0]->shape;
    MI_TRY(mi_float_types(node));
    MI_TRY(mi_default_float(node, "epsilon", 1e-5f));
    MI_TRY(mi_default_float(node, "momentum", 0.9f));
    if (x->rank < 2)
        return mi_op_fail(node, MICA_SHAPE, "input has rank %d, it must be at least 2 (N, C)", x->rank);
    for (int i = 1; i < 5; i++) {
        const struct mi_shape *shape = &node->in[i]->shape;
        if (shape->rank != 1 || !mi_dim_equal(shape->dim[0], x->dim[1]))
            return mi_op_fail(node, MICA_SHAPE, "input has %s channels, %s has shape %s",
                              mi_dim_text(arena, x->dim[1]), names[i], mi_shape_text(arena, shape));
    }
    mi_infer_output(node, 0, node->in[0]->type, x);
    mi_infer_output(node, 1, node->in[3]->type, &node->in[3]->shape);
    mi_infer_output(node, 2, node->in[4]->type, &node->in[4]->shape);
    return MICA_OK;
}

/* ---- Pieces ---- */

MI_MAP_ROW(InverseRoot, 1, NULL, .expr = {"1.0f / sqrt(x + epsilon)"}, .grad = {"-0.5f * g * y * y * y"});
MI_MAP_ROW(ScaleShift, 3, NULL, .expr = {"a * b + c"}, .grad = {"g * b", "g * a", "g"});
MI_MAP_ROW(MovingAverage, 2, NULL, .expr = {"a * momentum + b * (1.0f - momentum)"},
           .grad = {"g * momentum", "g * (1.0f - momentum)"});
/* From dy, the normalised x, and the means of dy and of dy * normalised x. */
MI_MAP_ROW(NormalizationGrad, 4, NULL, .in = "d xhat mean_d mean_dx",
           .expr = {"d - mean_d - xhat * mean_dx"});

/* Of deviations from the mean: the variance, and the unbiased one. */
const struct mi_op mi_op_ReduceVariance = {
    .name = "ReduceVariance",
    .kind = MI_REDUCE,
    .min_inputs = 1,
    .max_inputs = 1,
    .outputs = 2,
    .infer = mi_infer_reduce,
    .reduce = &(const struct mi_reduce_rule){.state = {"T"},
                                             .init = "s0 = 0;",
                                             .step = "s0 += x * x;",
                                             .merge = "s0 += t0;",
                                             .finish = {"s0 / count", "s0 / (count > 1 ? count - 1 : 1)"}}};
/* The sum and the mean. */
const struct mi_op mi_op_ReduceSumMean = {.name = "ReduceSumMean",
                                          .kind = MI_REDUCE,
                                          .min_inputs = 1,
                                          .max_inputs = 1,
                                          .outputs = 2,
                                          .infer = mi_infer_reduce,
                                          .reduce =
                                              &(const struct mi_reduce_rule){.state = {"T"},
                                                                             .init = "s0 = 0;",
                                                                             .step = "s0 += x;",
                                                                             .merge = "s0 += t0;",
                                                                             .finish = {"s0", "s0 / count"}}};

/* A reduction over all axes but 1, kept as ones. */
static struct mi_node *over_batch(struct mi_graph *graph, const char *op, mi_value *value)
{
    int64_t axes[MI_MAX_RANK];
    int count = 0;
    if (!value)
        return NULL;
    for (int i = 0; i < value->shape.rank; i++)
        if (i != 1)
            axes[count++] = i;
    mi_value *made = mi_reduce(graph, op, value, axes, count, true);
    return made ? made->node : NULL;
}

static mi_value *inverse_root(struct mi_node *node, mi_value *variance)
{
    return MI_APPLY(node->graph, "InverseRoot", ((mi_value *[]){variance}),
                    MI_REAL("epsilon", mi_attribute_float(node, "epsilon", 0)));
}

/* What the forward and the gradient both start from; the plan computes what is the same only once. */
struct statistics {
    mi_value *mean, *centered, *variance, *unbiased, *inverse; /* of shape (1, C, 1...) or (C, 1...) */
};

static bool batch_statistics(struct mi_node *node, struct statistics *s)
{
    struct mi_graph *graph = node->graph;
    if (!graph->training) {
        int rank = node->in[0]->shape.rank;
        s->mean = mi_channels(graph, node->in[3], rank);
        s->centered = mi_op2(graph, "Sub", node->in[0], s->mean);
        s->inverse = inverse_root(node, mi_channels(graph, node->in[4], rank));
        return s->inverse && s->centered;
    }
    struct mi_node *mean = over_batch(graph, "ReduceMean", node->in[0]);
    if (!mean)
        return false;
    s->mean = mean->out[0];
    s->centered = mi_op2(graph, "Sub", node->in[0], s->mean);
    struct mi_node *variance = over_batch(graph, "ReduceVariance", s->centered);
    if (!variance)
        return false;
    s->variance = variance->out[0];
    s->unbiased = variance->out[1];
    s->inverse = inverse_root(node, s->variance);
    return s->inverse != NULL;
}

static mi_value *moving_average(struct mi_node *node, mi_value *old, mi_value *batch)
{
    mi_value *in[] = {old, mi_reshape_to(node->graph, batch, &old->shape)};
    return MI_APPLY(node->graph, "MovingAverage", in,
                    MI_REAL("momentum", mi_attribute_float(node, "momentum", 0)));
}

static mica_status lower_batch_normalization(struct mi_node *node, mi_value **out)
{
    struct mi_graph *graph = node->graph;
    struct statistics s = {0};
    int rank = node->in[0]->shape.rank;
    if (!batch_statistics(node, &s))
        return graph->error.status;
    mi_value *factor = mi_op2(graph, "Mul", s.inverse, mi_channels(graph, node->in[1], rank));
    out[0] = mi_op3(graph, "ScaleShift", s.centered, factor, mi_channels(graph, node->in[2], rank));
    out[1] = graph->training ? moving_average(node, node->in[3], s.mean) : node->in[3];
    out[2] = graph->training ? moving_average(node, node->in[4], s.unbiased) : node->in[4];
    return graph->error.status;
}

/* With xhat = (x - mean) * inverse: dbias = sum(dy), dscale = sum(dy * xhat), and
 * dx = scale * inverse * (dy - mean(dy) - xhat * mean(dy * xhat)); in inference dx = scale * inverse * dy. */
static mica_status gradient_batch_normalization(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    struct mi_graph *graph = node->graph;
    struct statistics s = {0};
    if (!dy[0] || !batch_statistics(node, &s))
        return graph->error.status;
    mi_value *xhat = mi_op2(graph, "Mul", s.centered, s.inverse);
    mi_value *factor =
        mi_op2(graph, "Mul", s.inverse, mi_channels(graph, node->in[1], node->in[0]->shape.rank));
    struct mi_node *sum_d = over_batch(graph, "ReduceSumMean", dy[0]);
    struct mi_node *sum_dx = over_batch(graph, "ReduceSumMean", mi_op2(graph, "Mul", dy[0], xhat));
    if (!sum_d || !sum_dx)
        return graph->error.status;
    mi_value *inner = dy[0];
    if (graph->training) {
        mi_value *in[] = {dy[0], xhat, sum_d->out[1], sum_dx->out[1]};
        inner = mi_apply(graph, "NormalizationGrad", in, 4, NULL, 0);
    }
    dx[0] = mi_op2(graph, "Mul", factor, inner);
    dx[1] = mi_reshape_to(graph, sum_dx->out[0], &node->in[1]->shape);
    dx[2] = mi_reshape_to(graph, sum_d->out[0], &node->in[2]->shape);
    return graph->error.status;
}

MI_COMPOSITE_ROW(BatchNormalization, 5, 5, 3, infer_batch_normalization, gradient_batch_normalization,
                 lower_batch_normalization);
