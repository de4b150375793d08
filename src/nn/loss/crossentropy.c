/* Cross-entropies, of probabilities or of logits. p is the probability, t the target. */
#include "nn/loss/probability.h"

enum { SMOOTHING, AXIS, IGNORE };
static const struct mi_number binary_keys[] = {[SMOOTHING] = MI_LABEL_SMOOTHING, {0}};
static const struct mi_number keys[] = {[SMOOTHING] = MI_LABEL_SMOOTHING, [AXIS] = MI_CLASS_AXIS, {0}};

/* mean -t log p - (1 - t) log(1 - p) */
static mi_value *binary(struct mi_graph *graph, const struct mi_loss_use *use)
{
    mi_value *target = mi_smooth_bits(graph, use->target, use->value[SMOOTHING]);
    return mi_mean_of_sample(graph, mi_binary_crossentropies(graph, use, target));
}

const struct mi_loss_row mi_loss_binary_crossentropy = {
    MI_LOSS_OF_SCORES("binary_crossentropy", binary_keys, "Sigmoid"), .task = MI_BINARY, .highest = 1, .each = binary};

/* ---- Of numbers of classes ---- */

#define NO_CLASS (-2147483648.0f)

/* Whether a target is the class that is left out. */
static mi_value *is_ignored(struct mi_graph *graph, mi_value *target, float ignored)
{
    return mi_op2(graph, "Equal", target, mi_number(graph, MI_INT32, (double)ignored));
}

/* Of each place -log p[t], and with smoothing s (1 - s) of that and s of the mean over the classes. */
static mi_value *of_numbers(struct mi_graph *graph, const struct mi_loss_use *use, float smoothing, float ignored)
{
    const struct mi_attribute how[] = {MI_TEXT("reduction", "none"), MI_INT("ignore_index", (int64_t)ignored)};
    const char *op = use->from_logits ? "SoftmaxCrossEntropyLoss" : "NegativeLogLikelihoodLoss";
    mi_value *y = use->from_logits ? use->y : mi_log_probabilities(graph, use);
    mi_value *loss = mi_apply(graph, op, (mi_value *const[]){y, use->target}, 2, how, ignored > NO_CLASS ? 2 : 1);
    if (!loss || !(smoothing > 0))
        return loss;
    mi_value *logs = use->from_logits ? loss->node->out[1] : y;
    mi_value *all = mi_times(graph, mi_sum_axis(graph, logs, 1, false), -smoothing / (float)y->shape.dim[1].b);
    mi_value *const or_zero[] = {is_ignored(graph, use->target, ignored), mi_scalar(graph, 0), all};
    all = ignored > NO_CLASS ? mi_apply(graph, "Where", or_zero, 3, NULL, 0) : all;
    return mi_op2(graph, "Add", mi_times(graph, loss, 1 - smoothing), all);
}

static const struct mi_number sparse_keys[] = {
    [SMOOTHING] = MI_LABEL_SMOOTHING,
    [AXIS] = MI_CLASS_AXIS,
    [IGNORE] = {.name = "ignore_class", .otherwise = NO_CLASS, .least = -16777216, .most = 16777216, .whole = true},
    {0},
};

/* The mean over those of a sample's places that are not ignored; 0 where all are. */
static mi_value *sparse(struct mi_graph *graph, const struct mi_loss_use *use)
{
    float ignored = use->value[IGNORE];
    mi_value *each = of_numbers(graph, use, use->value[SMOOTHING], ignored);
    if (!each || !(ignored > NO_CLASS) || each->shape.rank < 2)
        return mi_mean_of_sample(graph, each);
    mi_value *counts = mi_op1(graph, "Not", is_ignored(graph, use->target, ignored));
    counts = mi_apply(graph, "Cast", &counts, 1, (const struct mi_attribute[]){MI_INT("to", MI_FLOAT)}, 1);
    return mi_op2(graph, "Div", mi_sum_of_sample(graph, each), mi_at_least(graph, mi_sum_of_sample(graph, counts), 1));
}

static mi_value *not_ignored(struct mi_graph *graph, const float *value, mi_value *target)
{
    return value[IGNORE] > NO_CLASS ? mi_op1(graph, "Not", is_ignored(graph, target, value[IGNORE])) : NULL;
}

const struct mi_loss_row mi_loss_sparse_categorical_crossentropy = {
    MI_LOSS_OF_SCORES("sparse_categorical_crossentropy", sparse_keys, "Softmax"), .task = MI_SPARSE, .each = sparse,
    .counted = not_ignored};

/* ---- Of shares of classes ---- */

/* -sum over the classes of t log p, the mean over a sample's places */
static mi_value *categorical(struct mi_graph *graph, const struct mi_loss_use *use)
{
    if (use->target->type == MI_INT32)
        return mi_mean_of_sample(graph, of_numbers(graph, use, use->value[SMOOTHING], NO_CLASS));
    mi_value *const in[] = {use->y, mi_smooth_shares(graph, use->target, use->value[SMOOTHING])};
    const struct mi_attribute how[] = {MI_INT("axis", 1), MI_INT("from_logits", use->from_logits),
                                       MI_REAL("epsilon", MI_LOSS_EPSILON)};
    return mi_mean_of_sample(graph, mi_apply(graph, "CategoricalCrossEntropy", in, 2, how, 3));
}

const struct mi_loss_row mi_loss_categorical_crossentropy = {
    MI_LOSS_OF_SCORES("categorical_crossentropy", keys, "Softmax"), .task = MI_CATEGORICAL, .takes_numbers = true, .highest = 1,
    .each = categorical};

static const struct mi_number divergence_keys[] = {MI_CLASS_AXIS, {0}};

/* sum over the classes of t log(t / p), both clipped to [epsilon, 1] */
static mi_value *divergence(struct mi_graph *graph, const struct mi_loss_use *use)
{
    const struct mi_attribute bounds[] = {MI_REAL("min", MI_LOSS_EPSILON), MI_REAL("max", 1)};
    mi_value *target = mi_apply(graph, "Clip", &use->target, 1, bounds, 2);
    mi_value *p = use->from_logits ? NULL : mi_apply(graph, "Clip", &use->y, 1, bounds, 2);
    mi_value *logs = p ? mi_op1(graph, "Log", p) : mi_log_probabilities(graph, use);
    mi_value *ratio = mi_op2(graph, "Sub", mi_op1(graph, "Log", target), logs);
    return mi_mean_of_sample(graph, mi_sum_axis(graph, mi_op2(graph, "Mul", target, ratio), 1, false));
}

const struct mi_loss_row mi_loss_kl_divergence = {
    MI_LOSS_OF_SCORES("kl_divergence", divergence_keys, "Softmax"), .task = MI_CATEGORICAL, .highest = 1, .each = divergence};
