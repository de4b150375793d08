/* What rows of metrics are made of. */
#include "nn/metric/metric.h"

mi_value *mi_metric_cast(struct mi_graph *graph, mi_value *x, enum mi_type type)
{
    return x && x->type != type ? mi_apply(graph, "Cast", &x, 1, (const struct mi_attribute[]){MI_INT("to", type)}, 1) : x;
}

mi_value *mi_metric_sum(struct mi_graph *graph, mi_value *each)
{
    mi_value *mean = each ? mi_mean_of_sample(graph, each) : NULL;
    return mean ? mi_apply(graph, "ReduceSum", &mean, 1, (const struct mi_attribute[]){MI_INT("keepdims", 0)}, 1) : NULL;
}

mi_value *mi_metric_largest(struct mi_graph *graph, mi_value *x)
{
    mi_value *place = mi_apply(graph, "ArgMax", &x, 1, (const struct mi_attribute[]){MI_INT("axis", 1), MI_INT("keepdims", 0)}, 2);
    return mi_metric_cast(graph, place, MI_INT32);
}
