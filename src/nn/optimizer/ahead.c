/* What rules make ahead of their map. */
#include "nn/optimizer/optimizer.h"

mi_value *mi_optimizer_count(struct mi_graph *graph, const struct mi_optimizer *o)
{
    return mi_op1(graph, "UpdateCount", mi_scalar(graph, o->accumulate < 2 ? 1 : o->accumulate));
}

mi_value *mi_optimizer_squares(struct mi_graph *graph, mi_value *x)
{
    if (!x || x->shape.rank == 0) /* one number has no axis */
        return mi_op2(graph, "Mul", x, x);
    return MI_APPLY(graph, "ReduceSquares", ((mi_value *[]){x}), MI_INT("keepdims", 0));
}

mi_value *mi_optimizer_mean_square_root(struct mi_graph *graph, mi_value *x)
{
    float share = x ? 1 / (float)mi_shape_count(&x->shape, 0) : 0;
    return mi_op1(graph, "Sqrt", mi_op2(graph, "Mul", mi_optimizer_squares(graph, x), mi_scalar(graph, share)));
}

bool mi_optimizer_set_state(const struct mi_updating *of, struct mi_variable *state, mi_value *value)
{
    struct mi_graph *graph = of->graph;
    const struct mi_optimizer *o = of->optimizer;
    mi_value *old = mi_variable(graph, state);
    mi_value *in[] = {old, value, mi_scalar(graph, o->accumulate < 2 ? 1 : o->accumulate)};
    if (o->accumulate < 2 && o->scales_loss)
        value = mi_op2(graph, "KeepOverNan", old, value);
    else
        value = mi_apply(graph, "KeepUntil", in, 3, NULL, 0);
    return value && mi_assign(graph, state, value);
}
