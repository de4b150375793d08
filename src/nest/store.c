/* Nests: stores, and what lies around a tensor in its layout. */
#include "nest/inside.h"

#include <string.h>

/* Whether the loops run past the tensor along a dimension of the value: the coordinate is then named k..., the place it was
 * moved from e..., and b... says whether they are the same. */
static bool runs_past(const struct mi_nest *s, const mi_value *value, int i)
{
    if (!mi_nest_is_full(s, value))
        return mi_layout_extends(&s->layout, &s->kept, i);
    for (int a = 0; a < s->kept.rank; a++)
        if (s->kept_axis[a] == i)
            return mi_layout_extends(&s->layout, &s->kept, a);
    return mi_layout_extends(&s->full, &value->shape, i);
}

/* A value is stored where the loops are, not where coordinates were moved to: with the fill where its own layout has a place
 * outside the tensor, and not at all where it has none. rim: only the fill. */
void mi_nest_store(struct mi_nest *s, mi_value *value, const char *real, bool rim)
{
    struct mi_emitter *e = s->e;
    struct mi_coordinate at[MI_MAX_RANK], place[MI_MAX_RANK];
    const struct mi_layout *layout = &e->tensors[value->id].layout;
    const char *inside = NULL, *fill = NULL;
    mi_nest_value_at(s, value, at);
    mi_nest_bind_waiting(s, value);
    const char *text = rim ? NULL : mi_emit_value(e, value, at, NULL);
    if (s->waiting)
        mi_bind(e, s->waiting, NULL);
    memcpy(place, at, sizeof place);
    if (e->groups || !mi_nest_lines_up(s, value))
        inside = real;
    for (int i = 0; i < value->shape.rank && inside != real && real; i++) {
        if (at[i].at[0] != 'k' || !runs_past(s, value, i))
            continue;
        const char *same = mi_arena_format(e->arena, "b%s", at[i].at + 1), *from = mi_arena_format(e->arena, "e%s", at[i].at + 1);
        if (!mi_layout_extends(layout, &value->shape, i)) {
            inside = mi_nest_and_also(s, inside, same);
            continue;
        }
        struct mi_dim end = {value->shape.dim[i].a, value->shape.dim[i].b + layout->high[i]};
        if (layout->block[i] == 1)
            inside = mi_nest_and_also(s, inside, mi_arena_format(e->arena, "%s >= -%d && %s < %s", from, layout->low[i], from,
                                                                 mi_dim_code(e->arena, end)));
        fill = mi_nest_and_also(s, fill, same);
        place[i] = (struct mi_coordinate){.at = from};
    }
    size_t scope = inside ? mi_scope_open(e, "if (%s) ", inside) : 0;
    mi_emit_store(e, value, place, text, fill);
    if (inside)
        mi_scope_close(e, scope);
}

void mi_nest_store_early(struct mi_nest *s, int level)
{
    for (int i = 0; i < s->kernel->outs; i++) {
        mi_value *value = s->kernel->out[i];
        if (mi_nest_is_full(s, value) && mi_nest_level(s, value->node) == level - 1)
            mi_nest_store(s, value, s->real, false);
    }
}
