/* What rows of losses are made of. */
#include "nn/loss/loss.h"

const struct mi_number mi_no_numbers[] = {{0}};

mi_value *mi_plus(struct mi_graph *graph, mi_value *x, float number)
{
    return mi_op2(graph, "Add", x, mi_scalar(graph, number));
}

mi_value *mi_times(struct mi_graph *graph, mi_value *x, float number)
{
    return mi_op2(graph, "Mul", x, mi_scalar(graph, number));
}

mi_value *mi_at_least(struct mi_graph *graph, mi_value *x, float number)
{
    return mi_op2(graph, "Max", x, mi_scalar(graph, number));
}

/* ---- Reductions ---- */

static mi_value *reduce(struct mi_graph *graph, const char *op, mi_value *x, const int64_t *axes, int count, bool keep)
{
    return mi_apply(graph, op, (mi_value *const[]){x, mi_ints(graph, axes, count)}, 2,
                    (const struct mi_attribute[]){MI_INT("keepdims", keep)}, 1);
}

mi_value *mi_sum_axis(struct mi_graph *graph, mi_value *x, int axis, bool keep)
{
    return x ? reduce(graph, "ReduceSum", x, (const int64_t[]){axis}, 1, keep) : NULL;
}

mi_value *mi_unit(struct mi_graph *graph, mi_value *x)
{
    mi_value *squares = mi_sum_axis(graph, mi_op2(graph, "Mul", x, x), x->shape.rank - 1, true);
    return mi_op2(graph, "Div", x, mi_op1(graph, "Sqrt", mi_at_least(graph, squares, MI_LOSS_EPSILON * MI_LOSS_EPSILON)));
}

static mi_value *of_sample(struct mi_graph *graph, const char *op, mi_value *each)
{
    int64_t axes[MI_MAX_RANK];
    int rank = each ? each->shape.rank : 0;
    for (int i = 1; i < rank; i++)
        axes[i - 1] = i;
    return rank < 2 ? each : reduce(graph, op, each, axes, rank - 1, false);
}

mi_value *mi_mean_of_sample(struct mi_graph *graph, mi_value *each)
{
    return of_sample(graph, "ReduceMean", each);
}

mi_value *mi_sum_of_sample(struct mi_graph *graph, mi_value *each)
{
    return of_sample(graph, "ReduceSum", each);
}
