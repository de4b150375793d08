/* What rules make ahead of their map. */
#include "nn/optimizer/optimizer.h"

#include "ops/ops.h"

enum { LARGE = 1 << 18 }; /* elements */

mi_value *mi_optimizer_count(struct mi_graph *graph, const struct mi_optimizer *o)
{
    return mi_op1(graph, "UpdateCount", mi_scalar(graph, o->accumulate < 2 ? 1 : o->accumulate));
}

mi_value *mi_optimizer_fold(struct mi_graph *graph, mi_value *x, const char *all, const char *rows)
{
    int64_t axes[MI_MAX_RANK] = {0};
    bool large = x && x->shape.rank > 1 && mi_shape_count(&x->shape, 0) >= LARGE;
    int count = 0;
    for (int axis = large; x && axis < x->shape.rank; axis++)
        axes[count++] = axis;
    mi_value *folded = mi_reduce(graph, all, x, axes, count, false);
    return large ? mi_reduce(graph, rows, folded, (const int64_t[]){0}, 1, false) : folded;
}

mi_value *mi_optimizer_squares(struct mi_graph *graph, mi_value *x)
{
    if (!x || x->shape.rank == 0) /* one number has no axis */
        return mi_op2(graph, "Mul", x, x);
    return mi_optimizer_fold(graph, x, "ReduceSquares", "ReduceSum");
}

mi_value *mi_optimizer_mean_square_root(struct mi_graph *graph, mi_value *x)
{
    if (!x || x->shape.rank == 0)
        return mi_op1(graph, "Abs", x);
    return mi_op1(graph, "Sqrt", mi_optimizer_fold(graph, x, "ReduceMeanSquare", "ReduceMean"));
}

mi_value *mi_optimizer_set_state(const struct mi_updating *of, struct mi_variable *state, mi_value *value)
{
    struct mi_graph *graph = of->graph;
    const struct mi_optimizer *o = of->optimizer;
    mi_value *old = mi_variable(graph, state);
    mi_value *in[] = {old, value, mi_scalar(graph, o->accumulate < 2 ? 1 : o->accumulate)};
    if (o->accumulate < 2 && o->scales_loss)
        value = mi_op2(graph, "KeepOverNan", old, value);
    else
        value = mi_apply(graph, "KeepUntil", in, 3, NULL, 0);
    return value && mi_assign(graph, state, value) ? value : NULL;
}
