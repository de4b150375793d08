/* Steps of a sequence as an axis of values (N, T, ...). */
#include "nn/layer/recurrent.h"

#include "ops/ops.h"

mi_value *mi_steps_as_samples(struct mi_graph *graph, mi_value *x)
{
    struct mi_shape shape = {.rank = x->shape.rank - 1};
    int64_t steps = x->shape.dim[1].b;
    shape.dim[0] = (struct mi_dim){x->shape.dim[0].a * steps, x->shape.dim[0].b * steps};
    for (int i = 1; i < shape.rank; i++)
        shape.dim[i] = x->shape.dim[i + 1];
    return mi_reshape_to(graph, x, &shape);
}

mi_value *mi_samples_as_steps(struct mi_graph *graph, const mi_value *x, mi_value *y)
{
    if (!y)
        return NULL;
    struct mi_shape shape = {.rank = y->shape.rank + 1, .dim = {x->shape.dim[0], x->shape.dim[1]}};
    for (int i = 1; i < y->shape.rank; i++)
        shape.dim[i + 1] = y->shape.dim[i];
    return mi_reshape_to(graph, y, &shape);
}

mi_value *mi_steps_reversed(struct mi_graph *graph, mi_value *x)
{
    const int64_t axis = 1, start = -1, end = INT64_MIN + 1, step = -1;
    return MI_APPLY(graph, "Slice", ((mi_value *[]){x}), MI_INTS("starts", &start, 1), MI_INTS("ends", &end, 1),
                    MI_INTS("axes", &axis, 1), MI_INTS("steps", &step, 1));
}
