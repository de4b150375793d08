/* What rows of metrics are made of. */
#include "nn/metric/metric.h"

mi_value *mi_metric_cast(struct mi_graph *graph, mi_value *x, enum mi_type type)
{
    return x && x->type != type ? mi_apply(graph, "Cast", &x, 1, (const struct mi_attribute[]){MI_INT("to", type)}, 1) : x;
}

mi_value *mi_metric_sum(struct mi_graph *graph, const struct mi_metric_use *use, mi_value *each)
{
    mi_value *mean = each ? mi_places_only(graph, use->counted, mi_mean_of_sample(graph, each)) : NULL;
    return mean ? mi_apply(graph, "ReduceSum", &mean, 1, (const struct mi_attribute[]){MI_INT("keepdims", 0)}, 1) : NULL;
}

mi_value *mi_metric_sum_axis(struct mi_graph *graph, mi_value *x, int axis, bool keep)
{
    return mi_apply(graph, "ReduceSum", (mi_value *const[]){x, mi_ints(graph, (int64_t[]){axis}, 1)}, 2,
                    (const struct mi_attribute[]){MI_INT("keepdims", keep)}, 1);
}

mi_value *mi_metric_largest(struct mi_graph *graph, mi_value *x)
{
    mi_value *place = mi_apply(graph, "ArgMax", &x, 1, (const struct mi_attribute[]){MI_INT("axis", 1), MI_INT("keepdims", 0)}, 2);
    return mi_metric_cast(graph, place, MI_INT32);
}

/* ---- Classes ---- */

int64_t mi_metric_units(const struct mi_metric_use *use)
{
    return mi_loss_units(use->output);
}

bool mi_metric_has_classes(const struct mi_metric_use *use)
{
    enum mi_task task = use->loss->row->task;
    if (use->output->shape.rank != 2)
        return false;
    if (mi_metric_units(use) == 1)
        return use->classes || task == MI_BINARY || task == MI_SIGNS;
    return use->classes || task == MI_SPARSE || task == MI_CATEGORICAL;
}

mica_status mi_metric_needs_classes(struct mi_error *error, const struct mi_metric_use *use, const char *metric)
{
    if (mi_metric_has_classes(use))
        return MICA_OK;
    return mi_fail(error, MICA_INVALID_ARGUMENT,
                   "metric %s: the output does not tell classes apart: it needs a loss of classes, and one "
                   "row of them a sample", metric);
}

mica_status mi_metric_needs_values(struct mi_error *error, const struct mi_metric_use *use, const char *metric)
{
    if (!use->classes && use->loss->row->task == MI_VALUES)
        return MICA_OK;
    return mi_fail(error, MICA_INVALID_ARGUMENT, "metric %s: the targets are classes, it needs values and a loss of values",
                   metric);
}

/* A number (n) or (n, 1) from 0 to 1 as shares of two classes, (n, 2). */
static mi_value *two_shares(struct mi_graph *graph, mi_value *one)
{
    mi_value *column = mi_op2(graph, "Reshape", one, mi_ints(graph, (int64_t[]){0, 1}, 2));
    mi_value *const both[] = {mi_op2(graph, "Sub", mi_scalar(graph, 1), column), column};
    return mi_apply(graph, "Concat", both, 2, (const struct mi_attribute[]){MI_INT("axis", 1)}, 1);
}

/* Classes (n) as rows (n, C) of one 1, beside the output that has as many. */
static mi_value *hot_beside(struct mi_graph *graph, mi_value *output, mi_value *classes)
{
    mi_value *index = mi_apply(graph, "Index", &output, 1, (const struct mi_attribute[]){MI_INT("axis", 1)}, 1);
    mi_value *column = mi_op2(graph, "Reshape", classes, mi_ints(graph, (int64_t[]){0, 1}, 2));
    return mi_metric_cast(graph, mi_op2(graph, "Equal", index, column), MI_FLOAT);
}

static mi_value *above(struct mi_graph *graph, mi_value *x, float threshold)
{
    return mi_metric_cast(graph, mi_op2(graph, "Greater", x, mi_scalar(graph, threshold)), MI_FLOAT);
}

mi_value *mi_metric_truth(struct mi_graph *graph, const struct mi_metric_use *use)
{
    if (mi_metric_units(use) == 1)
        return two_shares(graph, use->classes ? mi_metric_cast(graph, use->target, MI_FLOAT) : above(graph, use->target, 0.5f));
    return hot_beside(graph, use->output, use->classes ? use->target : mi_metric_largest(graph, use->target));
}

mi_value *mi_metric_answer(struct mi_graph *graph, const struct mi_metric_use *use)
{
    if (mi_metric_units(use) == 1)
        return two_shares(graph, above(graph, use->output, mi_loss_threshold(use->loss)));
    return hot_beside(graph, use->output, mi_metric_largest(graph, use->output));
}

mi_value *mi_metric_products(struct mi_graph *graph, const struct mi_metric_use *use, mi_value *a, mi_value *b)
{
    mi_value *rows = mi_places_only(graph, use->counted, a);
    mi_value *turned = mi_apply(graph, "Transpose", &rows, 1,
                                (const struct mi_attribute[]){MI_INTS("perm", ((int64_t[]){1, 0}), 2)}, 1);
    return mi_op2(graph, "MatMul", turned, b);
}
