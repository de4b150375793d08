/* Metrics: how many samples of a batch are answered right. */
#include "nn/loss/loss.h"

static mi_value *cast(struct mi_graph *graph, mi_value *x, enum mi_type type)
{
    return mi_apply(graph, "Cast", &x, 1, (const struct mi_attribute[]){MI_INT("to", type)}, 1);
}

static mi_value *largest(struct mi_graph *graph, mi_value *x)
{
    mi_value *place = mi_apply(graph, "ArgMax", &x, 1,
                               (const struct mi_attribute[]){MI_INT("axis", 1), MI_INT("keepdims", 0)}, 2);
    return place && place->type != MI_INT32 ? cast(graph, place, MI_INT32) : place;
}

/* Both on the same side of the threshold. */
static mi_value *binary_right(struct mi_graph *graph, mi_value *output, mi_value *targets, float threshold)
{
    mi_value *answer = mi_op2(graph, "Greater", output, mi_scalar(graph, threshold));
    mi_value *truth = mi_op2(graph, "Greater", targets, mi_scalar(graph, 0.5f));
    return mi_op2(graph, "Equal", cast(graph, answer, MI_INT32), cast(graph, truth, MI_INT32));
}

mi_value *mi_accuracy_add(struct mi_graph *graph, const struct mi_loss *loss, enum mi_labels labels,
                          const struct mi_loss_nodes *nodes)
{
    mi_value *output = nodes->output, *targets = nodes->labels;
    bool one = mi_shape_count(&output->shape, 1) == 1, row = output->shape.rank == 2 && !one;
    float threshold = loss->from_logits ? 0.0f : 0.5f;
    mi_value *right = NULL;
    graph->scope = "accuracy";
    if (labels == MI_LABELS_CLASSES && one) {
        mi_value *flat = mi_op2(graph, "Reshape", output, mi_ints(graph, (int64_t[]){0}, 1));
        right = binary_right(graph, flat, cast(graph, targets, MI_FLOAT), threshold);
    } else if (labels == MI_LABELS_CLASSES && row) {
        right = mi_op2(graph, "Equal", largest(graph, output), targets);
    } else if (loss->row->task == MI_CATEGORICAL && row) {
        right = mi_op2(graph, "Equal", largest(graph, output), largest(graph, targets));
    } else if (labels == MI_LABELS_VALUES) {
        right = binary_right(graph, output, targets, threshold);
    }
    mi_value *each = right ? mi_mean_of_sample(graph, cast(graph, right, MI_FLOAT)) : NULL;
    mi_value *sum = each ? mi_apply(graph, "ReduceSum", &each, 1, (const struct mi_attribute[]){MI_INT("keepdims", 0)}, 1) : NULL;
    graph->scope = NULL;
    return sum;
}
