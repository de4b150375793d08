/* Focal cross-entropies (Lin et al., 2017, arXiv:1708.02002): answers that are nearly right count little, as (1 - p)^gamma, where p
 * is the probability of what is true. */
#include "nn/loss/probability.h"

enum { GAMMA, ALPHA, SMOOTHING, BALANCING, AXIS = BALANCING };
#define SHARED_KEYS                                                                                                              \
    [GAMMA] = {.name = "gamma", .otherwise = 2, .least = 0, .most = 1e30f},                                                      \
    [ALPHA] = {.name = "alpha", .otherwise = 0.25f, .least = 0, .most = 1}, [SMOOTHING] = MI_LABEL_SMOOTHING
static const struct mi_number binary_keys[] = {
    SHARED_KEYS, [BALANCING] = {.name = "apply_class_balancing", .otherwise = 0, .most = 1, .flag = true}, {0}};
static const struct mi_number categorical_keys[] = {SHARED_KEYS, [AXIS] = MI_CLASS_AXIS, {0}};

/* x^gamma of a probability. Below 1e-30 it has no slope: that of a power below 1 would be without bound. */
static mi_value *power(struct mi_graph *graph, mi_value *x, float gamma)
{
    x = mi_apply(graph, "Clip", &x, 1, (const struct mi_attribute[]){MI_REAL("min", 1e-30f), MI_REAL("max", 1)}, 2);
    return mi_op2(graph, "Pow", x, mi_scalar(graph, gamma));
}

/* t a + (1 - t) b */
static mi_value *between(struct mi_graph *graph, mi_value *target, mi_value *a, mi_value *b)
{
    return mi_op2(graph, "Add", mi_op2(graph, "Mul", target, a),
                  mi_op2(graph, "Mul", mi_op2(graph, "Sub", mi_scalar(graph, 1), target), b));
}

/* The probability of what is not true, t (1 - p) + (1 - t) p. */
static mi_value *wrong(struct mi_graph *graph, const struct mi_loss_use *use, mi_value *target)
{
    mi_value *y = use->y;
    if (!use->from_logits)
        return between(graph, target, mi_op2(graph, "Sub", mi_scalar(graph, 1), y), y);
    return between(graph, target, mi_op1(graph, "Sigmoid", mi_op1(graph, "Neg", y)), mi_op1(graph, "Sigmoid", y));
}

/* mean wrong^gamma crossentropy, times t alpha + (1 - t) (1 - alpha) where classes are balanced */
static mi_value *binary(struct mi_graph *graph, const struct mi_loss_use *use)
{
    float alpha = use->value[ALPHA];
    mi_value *target = mi_smooth_bits(graph, use->target, use->value[SMOOTHING]);
    mi_value *focus = power(graph, wrong(graph, use, target), use->value[GAMMA]);
    mi_value *each = mi_op2(graph, "Mul", focus, mi_binary_crossentropies(graph, use, target));
    if (use->value[BALANCING] > 0)
        each = mi_op2(graph, "Mul", each, between(graph, target, mi_scalar(graph, alpha), mi_scalar(graph, 1 - alpha)));
    return mi_mean_of_sample(graph, each);
}

const struct mi_loss_row mi_loss_binary_focal_crossentropy = {
    MI_LOSS_OF_SCORES("binary_focal_crossentropy", binary_keys, "Sigmoid"), .task = MI_BINARY, .highest = 1, .each = binary};

/* -sum over the classes of alpha (1 - p)^gamma t log p */
static mi_value *categorical(struct mi_graph *graph, const struct mi_loss_use *use)
{
    mi_value *target = mi_smooth_shares(graph, use->target, use->value[SMOOTHING]), *logs = mi_log_probabilities(graph, use);
    mi_value *others = mi_op2(graph, "Sub", mi_scalar(graph, 1), mi_op1(graph, "Exp", logs));
    mi_value *focus = mi_times(graph, power(graph, others, use->value[GAMMA]), -use->value[ALPHA]);
    mi_value *each = mi_op2(graph, "Mul", focus, mi_op2(graph, "Mul", target, logs));
    return mi_mean_of_sample(graph, mi_sum_axis(graph, each, 1, false));
}

const struct mi_loss_row mi_loss_categorical_focal_crossentropy = {
    MI_LOSS_OF_SCORES("categorical_focal_crossentropy", categorical_keys, "Softmax"), .task = MI_CATEGORICAL, .highest = 1,
    .each = categorical};
