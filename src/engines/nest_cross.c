/* Nests: maps that read a tensor across its rows, as a transpose does. Such loops run in small tiles of both axes, so that
 * every line of memory that is touched is used up while it is in the cache. */
#include "engines/nest.h"

#include <stdio.h>
#include <string.h>

enum { ACROSS = 8 }; /* rows that a tile reads: they may all want one set of the cache, of as many lines */

static int find_across(struct mi_nest *s, const mi_value *value, const char *const *at, int depth);

/* Whether a coordinate of the value follows the loops' last axis: otherwise it is the same all along. */
static bool follows_last(const struct mi_nest *s, const mi_value *value, const char *const *at)
{
    const char *name = mi_arena_format(s->e->arena, "k%d", s->kept.rank - 1); /* one digit: the rank is 8 at most */
    for (int d = 0; d < value->shape.rank; d++)
        if (!mi_dim_is(value->shape.dim[d], 1) && strstr(at[d], name))
            return true;
    return false;
}

/* The dimension that a stored value's rows follow, if it is not the loops' last one; -1. */
static int rows_of(const struct mi_nest *s, const mi_value *value, const char *const *at)
{
    int last = value->shape.rank - 1;
    if (!follows_last(s, value, at))
        return -1;
    while (last >= 0 && mi_dim_is(value->shape.dim[last], 1))
        last--;
    if (last < 0 || !mi_layout_is_plain(&s->e->tensors[value->id].layout, value->shape.rank))
        return -1;
    for (int axis = 0; axis < s->kept.rank - 1; axis++)
        if (strcmp(at[last], mi_arena_format(s->e->arena, "k%d", axis)) == 0)
            return axis;
    return -1;
}

static int across_move(struct mi_nest *s, const struct mi_node *node, const char *const *at, int depth)
{
    struct mi_access *access = mi_arena_new(s->e->arena, (size_t)node->inputs + 2, sizeof *access);
    int found = -1, count = access ? node->op->move(s->e->arena, node, at, access) : 0;
    for (int i = 0; i < count && found < 0; i++)
        found = find_across(s, access[i].value, access[i].index, depth);
    return found;
}

static int across_map(struct mi_nest *s, const struct mi_node *node, const char *const *at, int depth)
{
    int found = -1;
    for (int i = 0; i < node->inputs && found < 0; i++) {
        const char *in_at[MI_MAX_RANK];
        const mi_value *in = node->in[i];
        int lead = in ? node->out[0]->shape.rank - in->shape.rank : -1;
        if (lead < 0)
            continue;
        for (int d = 0; d < in->shape.rank; d++)
            in_at[d] = mi_dim_is(in->shape.dim[d], 1) ? "0" : at[lead + d];
        found = find_across(s, in, in_at, depth);
    }
    return found;
}

/* The axis of the loops along which something that the value is made of lies side by side; -1: none but the last. */
static int find_across(struct mi_nest *s, const mi_value *value, const char *const *at, int depth)
{
    const struct mi_node *node = value->node;
    if (depth > 16 || node->op == &mi_op_constant)
        return -1;
    if (s->e->tensors[value->id].stored && s->e->home[node->id] != s->e->self)
        return rows_of(s, value, at);
    if (node->op->kind == MI_MAP)
        return across_map(s, node, at, depth + 1);
    return node->op->kind == MI_MOVE ? across_move(s, node, at, depth + 1) : -1;
}

void mi_nest_choose_cross(struct mi_nest *s)
{
    const char *at[MI_MAX_RANK];
    int rank = s->kept.rank, last = rank - 1;
    s->cross = -1;
    if (!s->e->device->is_cpu || s->reductions || s->kernel->anchor || s->e->groups || rank < 2 ||
        !mi_layout_is_plain(&s->layout, rank) || mi_dim_at(s->kept.dim[last], s->e->batch) < 2 * ACROSS)
        return;
    for (int d = 0; d < rank; d++)
        at[d] = mi_arena_format(s->e->arena, "k%d", d);
    for (int i = 0; i < s->kernel->outs && s->cross < 0; i++)
        if (mi_shape_equal(&s->kernel->out[i]->shape, &s->kept))
            s->cross = find_across(s, s->kernel->out[i], at, 0);
    if (s->cross >= 0 && mi_dim_at(s->kept.dim[s->cross], s->e->batch) < 2 * ACROSS)
        s->cross = -1;
    if (s->cross >= 0)
        s->v = ACROSS;
}
