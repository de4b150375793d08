/* BatchNormalization(x (N, C, ...), scale (C), bias (C), mean (C), var (C), counts (N, C) or none) -> y, new mean, new var;
 * attributes epsilon (1e-5) and momentum (0.9).
 *
 *   y = (x - mean) / sqrt(var + epsilon) * scale + bias      per channel
 *
 * In training (mi_trains) mean and variance are those of the batch, over all axes but 1, and new = old
 * * momentum + batch * (1 - momentum), where the new variance takes the unbiased one (as PyTorch; ONNX says
 * the biased one). One value a channel says nothing of a variance: the new one is the old. Otherwise they are
 * the inputs, which pass unchanged. With `counts`, of zeros and ones, those are of the elements alone that count; of a
 * channel that has none the new mean is the old, too. */
#include "ops/ops.h"

enum { COUNTS = 5 };

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
    const struct mi_shape *counts = node->inputs > COUNTS ? &node->in[COUNTS]->shape : NULL;
    if (counts && (counts->rank != 2 || !mi_dim_equal(counts->dim[0], x->dim[0]) || !mi_dim_equal(counts->dim[1], x->dim[1])))
        return mi_op_fail(node, MICA_SHAPE, "input has shape %s, what counts of it %s", mi_shape_text(arena, x),
                          mi_shape_text(arena, counts));
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
MI_MAP_ROW(ScaleShift, 4, NULL, .in = "x mean factor bias", .expr = {"(x - mean) * factor + bias"},
           .grad = {"g * factor"}, .affine = true);
MI_MAP_ROW(MovingAverage, 2, NULL, .expr = {"a * momentum + b * (1.0f - momentum)"},
           .grad = {"g * momentum", "g * (1.0f - momentum)"});
/* The same, and `a` where the batch has one value a channel: per_n * n + fixed is by how much its sizes together are above 1. */
static mica_status infer_moving_variance(struct mi_node *node)
{
    MI_TRY(mi_default_float(node, "momentum", 0.9f));
    MI_TRY(mi_default_int(node, "per_n", 0));
    MI_TRY(mi_default_int(node, "fixed", 1));
    return mi_infer_float_map(node);
}
MI_MAP_ROW(MovingVariance, 2, infer_moving_variance, .expr = {"per_n * n + fixed > 0 ? a * momentum + b * (1.0f - momentum) : a"});
/* With xhat = (x - mean) * inverse: dy * xhat, and dx from the means of dy and of dy * xhat. They start from
 * x again, so that no tensor of the size of x is kept beside x. The sum of dy * xhat is made of those of dy and of dy * (x - k),
 * k as below: so all sums are of one sweep, also where mean and variance are computed in it. */
MI_MAP_ROW(ShiftedProduct, 3, NULL, .in = "d x k", .expr = {"d * (x - k)"});
#define NORMALIZED(sum, sum_x) "(" sum_x " - " sum " * (mean - k)) * inverse"
const struct mi_op mi_op_NormalizedSums = {
    .name = "NormalizedSums",
    .kind = MI_MAP,
    .min_inputs = 7,
    .max_inputs = 7,
    .outputs = 2,
    .map = &(const struct mi_map_rule){.in = "d mean_d dx mean_dx mean k inverse",
                                       .out = "sum average",
                                       .expr = {NORMALIZED("d", "dx"), NORMALIZED("mean_d", "mean_dx")}}};
MI_MAP_ROW(NormalizationGrad, 7, NULL, .in = "d x mean inverse factor mean_d mean_dx",
           .expr = {"factor * (d - mean_d - (x - mean) * inverse * mean_dx)"});

/* The first element along each of the attribute `axes`, which become ones. */
static uint32_t mask_of(const struct mi_node *node)
{
    int count = 0;
    const int64_t *axes = mi_attribute_ints(node, "axes", &count);
    uint32_t mask = 0;
    for (int i = 0; i < count; i++)
        mask |= 1u << axes[i];
    return mask;
}

static mica_status infer_first(struct mi_node *node)
{
    struct mi_shape out = node->in[0]->shape;
    for (int i = 0; i < out.rank; i++)
        if (mask_of(node) >> i & 1)
            out.dim[i] = mi_fixed(1);
    mi_infer_output(node, 0, node->in[0]->type, &out);
    return MICA_OK;
}

static int move_first(struct mi_arena *arena, const struct mi_node *node, const char *const *index,
                      struct mi_access *access)
{
    (void)arena;
    *access = (struct mi_access){.value = node->in[0]};
    for (int i = 0; i < node->in[0]->shape.rank; i++)
        access->index[i] = mask_of(node) >> i & 1 ? "0" : index[i];
    return 1;
}

MI_MOVE_ROW(FirstAlong, 1, infer_first, NULL, move_first);

/* The mean, the variance, and the unbiased one, in one sweep. The elements are differences from one of them, k: with n elements
 * (k - mean)^2 is at most n times the variance, and about as large as it for most k, so the difference of the two terms loses
 * little (T. Chan, G. Golub, R. LeVeque: "Algorithms for computing the sample variance", The American Statistician 37, 1983). */
#define SPREAD "s1 - s0 * (s0 / count)"
const struct mi_op mi_op_ReduceMoments = {
    .name = "ReduceMoments",
    .kind = MI_REDUCE,
    .min_inputs = 1,
    .max_inputs = 1,
    .outputs = 3,
    .infer = mi_infer_reduce,
    .reduce = &(const struct mi_reduce_rule){.state = {"T", "T"},
                                             .init = "s0 = 0; s1 = 0;",
                                             .step = "s0 += x; s1 += x * x;",
                                             .merge = "s0 += t0; s1 += t1;",
                                             .finish = {"s0 / count",
                                                        "(" SPREAD " < 0 ? 0 : " SPREAD ") / count",
                                                        "(" SPREAD " < 0 ? 0 : " SPREAD ") / (count > 1 ? count - 1 : 1)"}}};
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

bool mi_moments(struct mi_graph *graph, mi_value *x, const int64_t *axes, int count, struct mi_moments *moments)
{
    if (!x)
        return false;
    moments->first = MI_APPLY(graph, "FirstAlong", ((mi_value *[]){x}), MI_INTS("axes", axes, count));
    mi_value *made = mi_reduce(graph, "ReduceMoments", mi_op2(graph, "Sub", x, moments->first), axes, count, true);
    moments->mean = made ? mi_op2(graph, "Add", made, moments->first) : NULL;
    moments->variance = made ? made->node->out[1] : NULL;
    moments->unbiased = made ? made->node->out[2] : NULL;
    return moments->mean != NULL;
}

mi_value *mi_inverse_root(struct mi_node *node, mi_value *variance)
{
    return MI_APPLY(node->graph, "InverseRoot", ((mi_value *[]){variance}),
                    MI_REAL("epsilon", mi_attribute_float(node, "epsilon", 0)));
}

/* All axes but the channels'. */
static int over_batch(const mi_value *x, int64_t axes[MI_MAX_RANK])
{
    int count = 0;
    for (int i = 0; i < x->shape.rank; i++)
        if (i != 1)
            axes[count++] = i;
    return count;
}

static struct mi_node *sum_over_batch(struct mi_graph *graph, mi_value *value)
{
    int64_t axes[MI_MAX_RANK];
    mi_value *made = value ? mi_reduce(graph, "ReduceSumMean", value, axes, over_batch(value, axes), true) : NULL;
    return made ? made->node : NULL;
}

/* What the forward and the gradient both start from; the plan computes what is the same only once. Of shape (1, C, 1...) or
 * (C, 1...); factor: scale * inverse. Where not all elements count in training: which do, (N, C, 1...), how many, and the larger
 * of that and 1. */
struct statistics {
    struct mi_moments of;
    mi_value *inverse, *factor;
    mi_value *counts, *count, *divisor;
};

/* Those of the elements that count, by two sweeps; 0 where there are none. */
static bool counted_moments(struct mi_node *node, const int64_t *axes, int axis_count, struct statistics *s)
{
    struct mi_graph *graph = node->graph;
    mi_value *x = node->in[0], *one = mi_number(graph, x->type, 1);
    struct mi_shape shape = {.rank = x->shape.rank, .dim = {x->shape.dim[0], x->shape.dim[1]}};
    double each = 1;
    for (int i = 2; i < shape.rank; i++) {
        shape.dim[i] = mi_fixed(1);
        each *= (double)x->shape.dim[i].b;
    }
    s->counts = mi_reshape_to(graph, node->in[COUNTS], &shape);
    mi_value *samples = s->counts ? mi_reduce(graph, "ReduceSum", s->counts, axes, axis_count, true) : NULL;
    s->count = mi_op2(graph, "Mul", samples, mi_number(graph, x->type, each));
    s->divisor = mi_op2(graph, "Max", s->count, one);
    s->of.first = MI_APPLY(graph, "FirstAlong", ((mi_value *[]){x}), MI_INTS("axes", axes, axis_count));
    mi_value *from = mi_op2(graph, "Sub", x, s->of.first), *counted = mi_op2(graph, "Mul", from, s->counts);
    mi_value *total = counted ? mi_reduce(graph, "ReduceSum", counted, axes, axis_count, true) : NULL;
    mi_value *mean = mi_op2(graph, "Div", total, s->divisor);
    mi_value *centred = mi_op2(graph, "Sub", from, mean);
    mi_value *squares = mi_op2(graph, "Mul", mi_op2(graph, "Mul", centred, centred), s->counts);
    mi_value *sum = squares ? mi_reduce(graph, "ReduceSum", squares, axes, axis_count, true) : NULL;
    s->of.mean = mi_op2(graph, "Mul", mi_op2(graph, "Add", mean, s->of.first), mi_op2(graph, "Min", s->count, one));
    s->of.variance = mi_op2(graph, "Div", sum, s->divisor);
    s->of.unbiased = mi_op2(graph, "Div", sum, mi_op2(graph, "Max", mi_op2(graph, "Sub", s->count, one), one));
    return s->of.mean && s->of.unbiased;
}

static bool statistics(struct mi_node *node, struct statistics *s)
{
    struct mi_graph *graph = node->graph;
    int rank = node->in[0]->shape.rank;
    int64_t axes[MI_MAX_RANK];
    int count = over_batch(node->in[0], axes);
    if (!mi_trains(node))
        s->of.mean = s->of.first = mi_channels(graph, node->in[3], rank);
    else if (node->inputs > COUNTS ? !counted_moments(node, axes, count, s) : !mi_moments(graph, node->in[0], axes, count, &s->of))
        return false;
    s->inverse = mi_inverse_root(node, mi_trains(node) ? s->of.variance : mi_channels(graph, node->in[4], rank));
    s->factor = mi_op2(graph, "Mul", s->inverse, mi_channels(graph, node->in[1], rank));
    return s->factor != NULL;
}

static mi_value *moving(struct mi_node *node, const char *op, mi_value *old, mi_value *batch)
{
    mi_value *in[] = {old, mi_reshape_to(node->graph, batch, &old->shape)};
    const struct mi_shape *x = &node->in[0]->shape;
    struct mi_dim above = mi_fixed(0);
    for (int i = 0; i < x->rank; i++)
        if (i != 1)
            above = (struct mi_dim){above.a + x->dim[i].a, above.b + x->dim[i].b - 1};
    return MI_APPLY(node->graph, op, in, MI_REAL("momentum", mi_attribute_float(node, "momentum", 0)),
                    MI_INT("per_n", above.a), MI_INT("fixed", above.b));
}

/* What a state becomes where more than `least` elements of a channel count; elsewhere it stays. */
static mi_value *moved(struct mi_node *node, const struct statistics *s, mi_value *old, mi_value *moving, double least)
{
    struct mi_graph *graph = node->graph;
    if (!s->count || !moving)
        return moving;
    mi_value *count = mi_reshape_to(graph, s->count, &old->shape);
    mi_value *in[] = {mi_op2(graph, "Greater", count, mi_number(graph, old->type, least)), moving, old};
    return mi_apply(graph, "Where", in, 3, NULL, 0);
}

static mica_status lower_batch_normalization(struct mi_node *node, mi_value **out)
{
    struct mi_graph *graph = node->graph;
    struct statistics s = {0};
    if (!statistics(node, &s))
        return graph->error.status;
    mi_value *in[] = {node->in[0], s.of.mean, s.factor,
                      mi_channels(graph, node->in[2], node->in[0]->shape.rank)};
    out[0] = mi_apply(graph, "ScaleShift", in, 4, NULL, 0);
    out[1] = node->in[3];
    out[2] = node->in[4];
    if (mi_trains(node)) {
        out[1] = moved(node, &s, node->in[3], moving(node, "MovingAverage", node->in[3], s.of.mean), 0);
        out[2] = moved(node, &s, node->in[4], moving(node, "MovingVariance", node->in[4], s.of.unbiased), 1);
    }
    return graph->error.status;
}

/* dbias = sum(dy), dscale = sum(dy * xhat), dx = factor * (dy - mean(dy) - xhat * mean(dy * xhat)); in
 * inference dx = factor * dy. Where not all elements count the means are sums over all, divided by how many count, and are
 * taken from those alone, as only they have made mean and variance. */
static mica_status gradient_batch_normalization(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    struct mi_graph *graph = node->graph;
    struct statistics s = {0};
    if (!dy[0] || !statistics(node, &s))
        return graph->error.status;
    mi_value *product_in[] = {dy[0], node->in[0], s.of.first};
    mi_value *product = mi_apply(graph, "ShiftedProduct", product_in, 3, NULL, 0);
    struct mi_node *shifted = sum_over_batch(graph, product); /* reads x, as the moments do: it joins them */
    struct mi_node *sum_d = sum_over_batch(graph, dy[0]);
    if (!sum_d || !shifted)
        return graph->error.status;
    mi_value *sums[] = {sum_d->out[0], sum_d->out[1], shifted->out[0], shifted->out[1], s.of.mean, s.of.first, s.inverse};
    mi_value *sum_dx = mi_apply(graph, "NormalizedSums", sums, 7, NULL, 0);
    if (!sum_dx)
        return graph->error.status;
    mi_value *mean_d = sum_d->out[1], *mean_dx = sum_dx->node->out[1];
    if (s.counts) {
        mi_value *share = mi_op2(graph, "Div", s.counts, s.divisor);
        mean_d = mi_op2(graph, "Mul", sum_d->out[0], share);
        mean_dx = mi_op2(graph, "Mul", sum_dx, share);
    }
    mi_value *in[] = {dy[0], node->in[0], s.of.mean, s.inverse, s.factor, mean_d, mean_dx};
    dx[0] = mi_trains(node) ? mi_apply(graph, "NormalizationGrad", in, 7, NULL, 0)
                            : mi_op2(graph, "Mul", s.factor, dy[0]);
    dx[1] = mi_reshape_to(graph, sum_dx, &node->in[1]->shape);
    dx[2] = mi_reshape_to(graph, sum_d->out[0], &node->in[2]->shape);
    return graph->error.status;
}

const struct mi_op mi_op_BatchNormalization = {
    .name = "BatchNormalization", .kind = MI_COMPOSITE, .min_inputs = 5, .max_inputs = 6, .outputs = 3,
    .next_of = {[1] = 3, [2] = 4}, .infer = infer_batch_normalization, .gradient = gradient_batch_normalization,
    .lower = lower_batch_normalization};
