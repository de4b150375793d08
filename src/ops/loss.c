/* Losses. Scores and log probabilities are (N, C, ...), labels (N, ...) class indices; a label outside the
 * classes gives NaN. */
#include "ops/ops.h"

#include <string.h>

/* ---- Element by element ---- */

MI_MAP_ROW(SquaredError, 2, mi_infer_float_map, .expr = {"(a - b) * (a - b)"},
           .grad = {"2.0f * g * (a - b)", "2.0f * g * (b - a)"});

/* log(x) of a probability kept away from 0 and 1; where it is clipped the derivative is 0. */
static mica_status infer_clipped(struct mi_node *node)
{
    MI_TRY(mi_default_float(node, "epsilon", 1e-7f));
    return mi_infer_float_map(node);
}
#define CLIPPED(p) "(" p " < epsilon ? epsilon : " p " > 1.0f - epsilon ? 1.0f - epsilon : " p ")"
#define WAS_CLIPPED(p) "(" p " < epsilon || " p " > 1.0f - epsilon)"
MI_MAP_ROW(LogProbability, 1, infer_clipped, .expr = {"log(" CLIPPED("x") ")"},
           .grad = {WAS_CLIPPED("x") " ? 0 : g / x"});

/* -(t log p + (1 - t) log(1 - p)) */
MI_MAP_ROW(BinaryCrossEntropy, 2, infer_clipped, .in = "p t",
           .expr = {"-t * log(" CLIPPED("p") ") - (1.0f - t) * log(1.0f - " CLIPPED("p") ")"},
           .grad = {WAS_CLIPPED("p") " ? 0 : g * (p - t) / (p * (1.0f - p))",
                    "g * (log(1.0f - " CLIPPED("p") ") - log(" CLIPPED("p") "))"});

/* The same of p = sigmoid(z), without overflow: max(z, 0) - z t + log(1 + exp(-|z|)) */
MI_MAP_ROW(BinaryCrossEntropyWithLogits, 2, mi_infer_float_map, .in = "z t",
           .expr = {"(z > 0 ? z : 0) - z * t + log1p(exp(-fabs(z)))"},
           .grad = {"g * (1.0f / (1.0f + exp(-z)) - t)", "-g * z"});

/* ---- Class labels: NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss ----
 *
 * Attributes reduction ("mean", "sum", "none") and ignore_index (none): samples of that label count neither
 * in the sum nor in the mean. */

/* -a where the coordinate along the class axis is the label. */
MI_MAP_ROW(PickLabel, 2, NULL, .expr = {"(index / inner) % size == b ? -a : 0"});
/* A sample's loss by its label: 0 where ignored, NaN where there is no such class. */
MI_MAP_ROW(CheckLabel, 2, NULL, .expr = {"ignores && b == ignored ? 0 : b >= 0 && b < size ? a : MICA_NAN"});
/* 1 for a sample that counts; b is any float of that shape. */
MI_MAP_ROW(CountLabel, 2, NULL, .expr = {"b == ignored ? 0 : 1"});
/* a, or 0 where ignored. */
MI_MAP_ROW(MaskLabel, 2, NULL, .expr = {"ignores && b == ignored ? 0 : a"});
/* From log probabilities, labels and the samples' weights: weight * (softmax - one-hot). */
MI_MAP_ROW(CrossEntropyGrad, 3, NULL, .expr = {"c * (exp(a) - ((index / inner) % size == b ? 1.0f : 0.0f))"});

static bool has_reduction(const struct mi_node *node, const char *name)
{
    return strcmp(mi_attribute_text(node, "reduction", "mean"), name) == 0;
}

static mica_status write_classes(struct mi_node *node, const struct mi_shape *scores)
{
    struct mi_dim inner;
    if (!mi_shape_product(scores, 2, scores->rank, &inner) || inner.a != 0 || scores->dim[1].a != 0)
        return mi_op_fail(node, MICA_UNSUPPORTED, "scores %s: only the first axis may vary with the batch",
                          mi_shape_text(&node->graph->arena, scores));
    MI_TRY(mi_set_attribute(node, MI_INT("inner", inner.b > 0 ? inner.b : 1)));
    MI_TRY(mi_set_attribute(node, MI_INT("size", scores->dim[1].b > 0 ? scores->dim[1].b : 1)));
    MI_TRY(mi_set_attribute(node, MI_INT("ignores", mi_attribute_find(node, "ignore_index") != NULL)));
    return mi_set_attribute(node, MI_INT("ignored", mi_attribute_int(node, "ignore_index", -1)));
}

static mica_status infer_label_loss(struct mi_node *node)
{
    struct mi_arena *arena = &node->graph->arena;
    const struct mi_shape *scores = &node->in[0]->shape, *labels = &node->in[1]->shape;
    enum mi_type type = node->in[1]->type;
    if (!mi_is_float(node->in[0]->type) || (mi_types[type].kind != 'i' && mi_types[type].kind != 'u'))
        return mi_op_fail(node, MICA_INVALID_ARGUMENT,
                          "scores have type %s, labels %s: floats and integers are needed",
                          mi_types[node->in[0]->type].name, mi_types[type].name);
    if (scores->rank < 2)
        return mi_op_fail(node, MICA_SHAPE, "scores have rank %d, it must be at least 2 (N, C)",
                          scores->rank);
    struct mi_shape samples = {.rank = 0};
    for (int i = 0; i < scores->rank; i++)
        if (i != 1)
            samples.dim[samples.rank++] = scores->dim[i];
    if (!mi_shape_equal(&samples, labels))
        return mi_op_fail(node, MICA_SHAPE, "scores %s and labels %s do not fit together",
                          mi_shape_text(arena, scores), mi_shape_text(arena, labels));
    if (!has_reduction(node, "mean") && !has_reduction(node, "sum") && !has_reduction(node, "none"))
        return mi_op_fail(node, MICA_INVALID_ARGUMENT, "reduction is \"%s\", it must be mean, sum or none",
                          mi_attribute_text(node, "reduction", ""));
    MI_TRY(write_classes(node, scores));
    struct mi_shape scalar = {.rank = 0};
    mi_infer_output(node, 0, node->in[0]->type, has_reduction(node, "none") ? &samples : &scalar);
    if (node->outputs > 1)
        mi_infer_output(node, 1, node->in[0]->type, scores);
    return MICA_OK;
}

/* A map over classes: its class numbers come from the node's attributes. */
static mi_value *by_label(struct mi_node *node, const char *op, mi_value *a, mi_value *b, mi_value *c)
{
    static const char *const names[] = {"inner", "size", "ignores", "ignored"};
    struct mi_attribute attributes[MI_COUNT(names)];
    for (size_t i = 0; i < MI_COUNT(names); i++)
        attributes[i] = *mi_attribute_find(node, names[i]);
    return mi_apply(node->graph, op, (mi_value *[]){a, b, c}, c ? 3 : 2, attributes,
                    (int)MI_COUNT(attributes));
}

/* (N, ...) as (N, 1, ...). */
static mi_value *beside_classes(struct mi_node *node, mi_value *samples)
{
    struct mi_shape shape = node->in[0]->shape;
    shape.dim[1] = mi_fixed(1);
    return mi_reshape_to(node->graph, samples, &shape);
}

static mi_value *sum_all(struct mi_graph *graph, const char *op, mi_value *value)
{
    return MI_APPLY(graph, op, ((mi_value *[]){value}), MI_INT("keepdims", 0));
}

/* The number of samples that are not ignored. */
static mi_value *counted(struct mi_node *node, mi_value *samples)
{
    return sum_all(node->graph, "ReduceSum", by_label(node, "CountLabel", samples, node->in[1], NULL));
}

static mi_value *loss_of(struct mi_node *node, mi_value *log_probabilities)
{
    struct mi_graph *graph = node->graph;
    mi_value *picked =
        by_label(node, "PickLabel", log_probabilities, beside_classes(node, node->in[1]), NULL);
    mi_value *samples = mi_reduce(graph, "ReduceSum", picked, &(int64_t){1}, 1, false);
    samples = by_label(node, "CheckLabel", samples, node->in[1], NULL);
    if (has_reduction(node, "none"))
        return samples;
    if (has_reduction(node, "sum"))
        return sum_all(graph, "ReduceSum", samples);
    if (!mi_attribute_int(node, "ignores", 0))
        return sum_all(graph, "ReduceMean", samples);
    return mi_op2(graph, "Div", sum_all(graph, "ReduceSum", samples), counted(node, samples));
}

/* What each sample's loss weighs in the gradient, shaped (N, 1, ...) or a scalar: dy over the count, 0 where
 * ignored. */
static mi_value *weights(struct mi_node *node, mi_value *dy)
{
    struct mi_graph *graph = node->graph;
    const struct mi_shape *labels = &node->in[1]->shape;
    mi_value *weight = dy;
    if (has_reduction(node, "none"))
        weight = beside_classes(node, dy);
    else if (has_reduction(node, "mean") && !mi_attribute_int(node, "ignores", 0))
        weight = mi_divide_by_count(graph, dy, labels, (1u << labels->rank) - 1);
    else if (has_reduction(node, "mean"))
        weight = mi_op2(graph, "Div", dy, counted(node, mi_expand_to(graph, dy, labels)));
    if (mi_attribute_int(node, "ignores", 0))
        weight = by_label(node, "MaskLabel", weight, beside_classes(node, node->in[1]), NULL);
    return weight;
}

static mica_status lower_likelihood(struct mi_node *node, mi_value **out)
{
    out[0] = loss_of(node, node->in[0]);
    return node->graph->error.status;
}

static mica_status gradient_likelihood(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    struct mi_graph *graph = node->graph;
    mi_value *wide = mi_expand_to(graph, weights(node, dy[0]), &node->in[0]->shape);
    dx[0] = by_label(node, "PickLabel", wide, beside_classes(node, node->in[1]), NULL);
    return graph->error.status;
}

static mica_status lower_cross_entropy(struct mi_node *node, mi_value **out)
{
    out[1] = MI_APPLY(node->graph, "LogSoftmax", ((mi_value *[]){node->in[0]}), MI_INT("axis", 1));
    out[0] = loss_of(node, out[1]);
    return node->graph->error.status;
}

/* d scores = weight * (softmax - one-hot); the softmax comes from the second output, the log
 * probabilities. */
static mica_status gradient_cross_entropy(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    struct mi_graph *graph = node->graph;
    if (dy[0])
        dx[0] = by_label(node, "CrossEntropyGrad", node->out[1], beside_classes(node, node->in[1]),
                         weights(node, dy[0]));
    if (!dy[1])
        return graph->error.status;
    mi_value *sum = mi_reduce(graph, "ReduceSum", dy[1], &(int64_t){1}, 1, true);
    mi_value *through =
        mi_op2(graph, "Sub", dy[1], mi_op2(graph, "Mul", mi_op1(graph, "Exp", node->out[1]), sum));
    dx[0] = dx[0] ? mi_op2(graph, "Add", dx[0], through) : through;
    return graph->error.status;
}

MI_COMPOSITE_ROW(NegativeLogLikelihoodLoss, 2, 2, 1, infer_label_loss, gradient_likelihood, lower_likelihood);
MI_COMPOSITE_ROW(SoftmaxCrossEntropyLoss, 2, 2, 2, infer_label_loss, gradient_cross_entropy,
                 lower_cross_entropy);

/* ---- CategoricalCrossEntropy(scores, targets): -sum over `axis` (-1) of t log p, where p is the softmax of
 * the scores (from_logits 1) or the scores themselves (0). One value a sample ---- */

static mica_status infer_categorical(struct mi_node *node)
{
    struct mi_arena *arena = &node->graph->arena;
    const struct mi_shape *scores = &node->in[0]->shape, *targets = &node->in[1]->shape;
    int axis;
    MI_TRY(mi_float_types(node));
    if (!mi_shape_equal(scores, targets))
        return mi_op_fail(node, MICA_SHAPE, "scores have shape %s, targets have %s",
                          mi_shape_text(arena, scores), mi_shape_text(arena, targets));
    MI_TRY(mi_axis(node, mi_attribute_int(node, "axis", -1), scores->rank, &axis));
    MI_TRY(mi_set_attribute(node, MI_INT("axis", axis)));
    MI_TRY(mi_default_float(node, "epsilon", 1e-7f));
    struct mi_shape out = {.rank = 0};
    for (int i = 0; i < scores->rank; i++)
        if (i != axis)
            out.dim[out.rank++] = scores->dim[i];
    mi_infer_output(node, 0, node->in[0]->type, &out);
    return MICA_OK;
}

static mi_value *log_of_scores(struct mi_node *node)
{
    if (mi_attribute_int(node, "from_logits", 0))
        return mi_apply_as(node, "LogSoftmax", node->in, 1, NULL, 0);
    return mi_apply_as(node, "LogProbability", node->in, 1, NULL, 0);
}

static mi_value *sum_classes(struct mi_node *node, mi_value *value, bool keepdims)
{
    int64_t axis = mi_attribute_int(node, "axis", -1);
    return mi_reduce(node->graph, "ReduceSum", value, &axis, 1, keepdims);
}

static mica_status lower_categorical(struct mi_node *node, mi_value **out)
{
    mi_value *product = mi_op2(node->graph, "Mul", log_of_scores(node), node->in[1]);
    out[0] = mi_op1(node->graph, "Neg", sum_classes(node, product, false));
    return node->graph->error.status;
}

/* From log softmax, targets, the sum of the targets and g: g * (softmax * sum - t). */
MI_MAP_ROW(CategoricalGrad, 4, NULL, .in = "l t total d", .expr = {"d * (exp(l) * total - t)"});
MI_MAP_ROW(ProbabilityGrad, 3, NULL, .in = "p t d", .expr = {WAS_CLIPPED("p") " ? 0 : -d * t / p"});

static mica_status gradient_categorical(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    struct mi_graph *graph = node->graph;
    struct mi_shape kept = node->in[0]->shape;
    kept.dim[mi_attribute_int(node, "axis", -1)] = mi_fixed(1);
    mi_value *d = mi_reshape_to(graph, dy[0], &kept), *logs = log_of_scores(node), *t = node->in[1];
    mi_value *logits_in[] = {logs, t, sum_classes(node, t, true), d},
             *probabilities_in[] = {node->in[0], t, d};
    if (mi_attribute_int(node, "from_logits", 0))
        dx[0] = mi_apply(graph, "CategoricalGrad", logits_in, 4, NULL, 0);
    else
        dx[0] = mi_apply_as(node, "ProbabilityGrad", probabilities_in, 3, NULL, 0);
    dx[1] = mi_op1(graph, "Neg", mi_op2(graph, "Mul", logs, d));
    return graph->error.status;
}

MI_COMPOSITE_ROW(CategoricalCrossEntropy, 2, 2, 1, infer_categorical, gradient_categorical,
                 lower_categorical);
