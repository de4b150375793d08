/* What rules make ahead of their map. */
#include "nn/optimizer/optimizer.h"

mi_value *mi_optimizer_count(struct mi_graph *graph, const struct mi_optimizer *o)
{
    return mi_op1(graph, "UpdateCount", mi_scalar(graph, o->accumulate < 2 ? 1 : o->accumulate));
}

mi_value *mi_optimizer_mean_square_root(struct mi_graph *graph, mi_value *value)
{
    mi_value *square = mi_op2(graph, "Mul", value, value);
    return mi_op1(graph, "Sqrt", MI_APPLY(graph, "ReduceMean", ((mi_value *[]){square}), MI_INT("keepdims", 0)));
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
