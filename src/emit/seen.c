/* Shapes as a kernel sees them: with joined axes, where it joined some, and flat where it runs over a stretch of memory. */
#include "emit/emit.h"

#include <string.h>

struct mi_shape mi_seen_shape(const struct mi_emitter *e, const mi_value *value)
{
    const struct mi_shape *shape = &value->shape;
    if (e->flat && value != e->number)
        return (struct mi_shape){.rank = 1, .dim = {mi_fixed(e->flat)}};
    if (!e->groups)
        return *shape;
    struct mi_shape seen = {.rank = e->groups};
    int lead = e->full_rank - shape->rank;
    for (int g = 0; g < e->groups; g++) {
        seen.dim[g] = mi_fixed(1);
        int first = e->first[g] - lead, last = e->first[g + 1] - lead;
        if (last > 0)
            mi_shape_product(shape, first > 0 ? first : 0, last, &seen.dim[g]);
    }
    return seen;
}

bool mi_same_but_ones(const struct mi_shape *x, const struct mi_shape *y)
{
    int i = 0, j = 0;
    for (;;) {
        while (i < x->rank && mi_dim_is(x->dim[i], 1))
            i++;
        while (j < y->rank && mi_dim_is(y->dim[j], 1))
            j++;
        if (i == x->rank || j == y->rank)
            return i == x->rank && j == y->rank;
        if (!mi_dim_equal(x->dim[i++], y->dim[j++]))
            return false;
    }
}

bool mi_is_squeeze(const struct mi_node *node)
{
    if (node->op->kind != MI_MOVE || !node->op->keeps_order)
        return false;
    return mi_same_but_ones(&node->in[0]->shape, &node->out[0]->shape);
}

bool mi_names_coordinates(const struct mi_node *node)
{
    struct mi_map_view view;
    mi_map_view(node, &view);
    for (int o = 0; o < node->outputs; o++)
        for (const char *c = view.expr[o]; c && (c = strstr(c, "at")) != NULL; c += 2)
            if ((c == view.expr[o] || !mi_is_word(c[-1])) && mi_is_digit(c[2]))
                return true;
    return false;
}

const char *mi_emit_linear(struct mi_emitter *e, const mi_value *value, const struct mi_coordinate *at)
{
    struct mi_shape shape = mi_seen_shape(e, value);
    struct mi_layout plain = mi_layout_plain(shape.rank);
    return mi_layout_place(e->arena, &plain, &shape, at);
}
