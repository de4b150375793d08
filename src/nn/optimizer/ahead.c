/* What rules make ahead of their map. */
#include "nn/optimizer/optimizer.h"

mi_value *mi_optimizer_count(struct mi_graph *graph, const struct mi_optimizer *o)
{
    return mi_op1(graph, "UpdateCount", mi_scalar(graph, o->accumulate < 2 ? 1 : o->accumulate));
}
