/* Places of a sample that are compared as samples of their own: the steps of a sequence, each of which has its class. */
#include "nn/loss/loss.h"

#include "ops/ops.h"

int64_t mi_loss_units(const mi_value *y)
{
    int64_t units = 1;
    for (int i = 1; i < y->shape.rank; i++)
        units *= y->shape.dim[i].b;
    return units;
}

struct mi_places mi_places_of(const struct mi_loss *loss, const struct mi_shape *y, bool masked)
{
    struct mi_places places = {.axes = masked && loss->row->task != MI_LABELS, .each = 1};
    if (loss->axis > 1)
        places.axes = loss->axis - 1;
    for (int i = 1; i <= places.axes; i++)
        places.each *= y->dim[i].b;
    return places;
}

struct mi_shape mi_places_shape(const struct mi_places *places, const struct mi_shape *shape)
{
    struct mi_shape out = {.rank = shape->rank - places->axes};
    out.dim[0] = (struct mi_dim){shape->dim[0].a * places->each, shape->dim[0].b * places->each};
    for (int i = 1; i < out.rank; i++)
        out.dim[i] = shape->dim[i + places->axes];
    return out;
}

mi_value *mi_places_join(struct mi_graph *graph, const struct mi_places *places, mi_value *x)
{
    if (!x || !places->axes)
        return x;
    const struct mi_shape shape = mi_places_shape(places, &x->shape);
    return mi_reshape_to(graph, x, &shape);
}

mi_value *mi_places_spread(struct mi_graph *graph, const struct mi_places *places, const mi_value *y, mi_value *x)
{
    if (!x || !places->axes)
        return x;
    struct mi_shape wide = {.rank = places->axes + 1}, narrow = {.rank = places->axes + 1};
    for (int i = 0; i < wide.rank; i++) {
        wide.dim[i] = y->shape.dim[i];
        narrow.dim[i] = i < x->shape.rank ? wide.dim[i] : mi_fixed(1);
    }
    x = mi_reshape_to(graph, x, &narrow);
    return x ? mi_places_join(graph, places, mi_expand_to(graph, x, &wide)) : NULL;
}

mi_value *mi_places_counted(struct mi_graph *graph, const struct mi_loss *loss, const struct mi_places *places, const mi_value *y,
                            mi_value *mask, mi_value *target)
{
    const struct mi_loss_row *row = loss->row;
    if (!places->axes)
        return NULL;
    mi_value *own = row->counted ? row->counted(graph, loss->value, target) : NULL;
    mi_value *real = mi_places_spread(graph, places, y, mask);
    return own && real ? mi_op2(graph, "And", own, real) : own ? own : real;
}

mi_value *mi_places_only(struct mi_graph *graph, mi_value *counted, mi_value *x)
{
    if (!x || !counted)
        return x;
    struct mi_shape shape = {.rank = x->shape.rank, .dim = {x->shape.dim[0]}};
    for (int i = 1; i < shape.rank; i++)
        shape.dim[i] = mi_fixed(1);
    mi_value *const in[] = {mi_reshape_to(graph, counted, &shape), x, mi_scalar(graph, 0)};
    return mi_apply(graph, "Where", in, 3, NULL, 0);
}

mi_value *mi_places_count(struct mi_graph *graph, mi_value *counted)
{
    mi_value *ones = mi_apply(graph, "Cast", &counted, 1, (const struct mi_attribute[]){MI_INT("to", MI_FLOAT)}, 1);
    return mi_apply(graph, "ReduceSum", &ones, 1, (const struct mi_attribute[]){MI_INT("keepdims", 0)}, 1);
}
