/* Margins: answers that are right by at least 1 lose nothing. y is a score of any size, t -1 or 1. */
#include "nn/loss/loss.h"

#define SIGNS .task = MI_SIGNS, .lowest = -1, .highest = 1

/* max(1 - t y, 0), where a t of 0 is -1, as of labels that are 0 and 1. */
static mi_value *missing(struct mi_graph *graph, const struct mi_loss_use *use)
{
    mi_value *zero = mi_op2(graph, "Equal", use->target, mi_scalar(graph, 0));
    mi_value *sign = mi_apply(graph, "Where", (mi_value *const[]){zero, mi_scalar(graph, -1), use->target}, 3, NULL, 0);
    return mi_at_least(graph, mi_op2(graph, "Sub", mi_scalar(graph, 1), mi_op2(graph, "Mul", sign, use->y)), 0);
}

static mi_value *hinge(struct mi_graph *graph, const struct mi_loss_use *use)
{
    return mi_mean_of_sample(graph, missing(graph, use));
}

const struct mi_loss_row mi_loss_hinge = {MI_LOSS("hinge", mi_no_numbers), SIGNS, .each = hinge};

static mi_value *squared(struct mi_graph *graph, const struct mi_loss_use *use)
{
    mi_value *margin = missing(graph, use);
    return mi_mean_of_sample(graph, mi_op2(graph, "Mul", margin, margin));
}

const struct mi_loss_row mi_loss_squared_hinge = {MI_LOSS("squared_hinge", mi_no_numbers), SIGNS, .each = squared};

/* ---- Of classes ---- */

static const struct mi_number class_keys[] = {MI_CLASS_AXIS, {0}};

/* max(1 + max((1 - t) y) - sum(t y), 0) over the classes: the best of the others must stay 1 below. */
static mi_value *categorical(struct mi_graph *graph, const struct mi_loss_use *use)
{
    mi_value *own = mi_op2(graph, "Mul", use->target, use->y), *others = mi_op2(graph, "Sub", use->y, own);
    mi_value *best = mi_apply(graph, "ReduceMax", (mi_value *const[]){others, mi_ints(graph, (int64_t[]){1}, 1)}, 2,
                              (const struct mi_attribute[]){MI_INT("keepdims", 0)}, 1);
    mi_value *ahead = mi_op2(graph, "Sub", best, mi_sum_axis(graph, own, 1, false));
    return mi_mean_of_sample(graph, mi_at_least(graph, mi_plus(graph, ahead, 1), 0));
}

const struct mi_loss_row mi_loss_categorical_hinge = {
    MI_LOSS("categorical_hinge", class_keys), .task = MI_CATEGORICAL, .highest = 1, .each = categorical};
