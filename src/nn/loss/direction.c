/* Whether vectors point the same way. */
#include "nn/loss/loss.h"

#include <float.h>

/* -y . t / (|y| |t|) over the last axis, the mean over the others */
static mi_value *cosine(struct mi_graph *graph, const struct mi_loss_use *use)
{
    mi_value *product = mi_op2(graph, "Mul", mi_unit(graph, use->y), mi_unit(graph, use->target));
    mi_value *cosines = mi_sum_axis(graph, product, use->y->shape.rank - 1, false);
    return mi_mean_of_sample(graph, mi_op1(graph, "Neg", cosines));
}

const struct mi_loss_row mi_loss_cosine_similarity = {
    MI_LOSS("cosine_similarity", mi_no_numbers), .task = MI_VALUES, .lowest = -FLT_MAX, .highest = FLT_MAX, .each = cosine};
