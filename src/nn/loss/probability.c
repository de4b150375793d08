/* Probabilities and their targets. */
#include "nn/loss/probability.h"

static mi_value *smooth(struct mi_graph *graph, mi_value *target, float s, float even)
{
    return s > 0 ? mi_plus(graph, mi_times(graph, target, 1 - s), s * even) : target;
}

mi_value *mi_smooth_bits(struct mi_graph *graph, mi_value *target, float s)
{
    return smooth(graph, target, s, 0.5f);
}

mi_value *mi_smooth_shares(struct mi_graph *graph, mi_value *target, float s)
{
    return smooth(graph, target, s, 1 / (float)target->shape.dim[1].b);
}

mi_value *mi_binary_crossentropies(struct mi_graph *graph, const struct mi_loss_use *use, mi_value *target)
{
    const struct mi_attribute clipped = MI_REAL("epsilon", MI_LOSS_EPSILON);
    mi_value *const in[] = {use->y, target};
    return use->from_logits ? mi_op2(graph, "BinaryCrossEntropyWithLogits", use->y, target)
                            : mi_apply(graph, "BinaryCrossEntropy", in, 2, &clipped, 1);
}

mi_value *mi_log_probabilities(struct mi_graph *graph, const struct mi_loss_use *use)
{
    const struct mi_attribute axis = MI_INT("axis", 1), clipped = MI_REAL("epsilon", MI_LOSS_EPSILON);
    return use->from_logits ? mi_apply(graph, "LogSoftmax", &use->y, 1, &axis, 1)
                            : mi_apply(graph, "LogProbability", &use->y, 1, &clipped, 1);
}
