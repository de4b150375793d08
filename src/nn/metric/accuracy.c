/* How many samples are answered right. */
#include "nn/metric/metric.h"

/* Both on the same side of the threshold. */
static mi_value *on_one_side(struct mi_graph *graph, const struct mi_metric_use *use, mi_value *output, mi_value *targets)
{
    mi_value *answer = mi_op2(graph, "Greater", output, mi_scalar(graph, mi_loss_threshold(use->loss)));
    mi_value *truth = mi_op2(graph, "Greater", targets, mi_scalar(graph, 0.5f));
    return mi_op2(graph, "Equal", mi_metric_cast(graph, answer, MI_INT32), mi_metric_cast(graph, truth, MI_INT32));
}

/* Values count as right when they are on the target's side of one half: so for targets that are 0 or 1. */
static mi_value *right(struct mi_graph *graph, const struct mi_metric_use *use)
{
    mi_value *output = use->output, *target = use->target;
    bool one = mi_loss_units(output) == 1, row = output->shape.rank == 2 && !one;
    if (use->classes && one) {
        mi_value *flat = mi_op2(graph, "Reshape", output, mi_ints(graph, (int64_t[]){0}, 1));
        return on_one_side(graph, use, flat, mi_metric_cast(graph, target, MI_FLOAT));
    }
    if (use->classes)
        return mi_op2(graph, "Equal", mi_metric_largest(graph, output), target);
    if (use->loss->row->task == MI_CATEGORICAL && row)
        return mi_op2(graph, "Equal", mi_metric_largest(graph, output), mi_metric_largest(graph, target));
    return on_one_side(graph, use, output, target);
}

static mi_value *sum(struct mi_graph *graph, const struct mi_metric_use *use)
{
    return mi_metric_sum(graph, use, mi_metric_cast(graph, right(graph, use), MI_FLOAT));
}

static mica_status check(struct mi_error *error, const struct mi_metric_use *use)
{
    if (use->loss->row->task != MI_LABELS)
        return MICA_OK;
    return mi_fail(error, MICA_INVALID_ARGUMENT, "metric accuracy: with loss %s no place of the output has a target",
                   use->loss->row->layer.type);
}

const struct mi_metric_row mi_metric_accuracy = {.name = "accuracy", .alias = "acc", .rises = true, .check = check, .sum = sum};

/* ---- Among the k best ---- */

static mica_status check_top(struct mi_error *error, const struct mi_metric_use *use)
{
    MI_TRY(mi_metric_needs_classes(error, use, "top_k_accuracy"));
    if (mi_metric_units(use) > (int64_t)use->value[0])
        return MICA_OK;
    return mi_fail(error, MICA_INVALID_ARGUMENT, "metric top_k_accuracy: the %d best of %lld classes", (int)use->value[0],
                   (long long)mi_metric_units(use));
}

/* The true class is among the k best where fewer than k others have more. */
static mi_value *top_sum(struct mi_graph *graph, const struct mi_metric_use *use)
{
    mi_value *own = mi_metric_sum_axis(graph, mi_op2(graph, "Mul", mi_metric_truth(graph, use), use->output), 1, true);
    mi_value *better = mi_metric_cast(graph, mi_op2(graph, "Greater", use->output, own), MI_FLOAT);
    mi_value *ahead = mi_metric_sum_axis(graph, better, 1, false);
    mi_value *among = mi_op2(graph, "Less", ahead, mi_scalar(graph, use->value[0]));
    return mi_metric_sum(graph, use, mi_metric_cast(graph, among, MI_FLOAT));
}

const struct mi_metric_row mi_metric_top_k_accuracy = {
    .name = "top_k_accuracy", .rises = true,
    .keys = {{.name = "k", .otherwise = 5, .least = 1, .most = 1e6f, .whole = true}}, .check = check_top,
    .sum = top_sum};
