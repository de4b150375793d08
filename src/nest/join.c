/* Nests: neighbouring axes that every value either has or broadcasts over become one. */
#include "nest/inside.h"

#include <string.h>

/* Cuts between axes of which the value, of this shape, has one and not the other. An axis of one place on both sides says nothing:
 * each is compared with the last one that does. */
static void cut_where_they_differ(const struct mi_nest *s, const struct mi_shape *shape, const bool *has, uint32_t *cut)
{
    int lead = s->space.rank - shape->rank, last = -1;
    for (int axis = 0; axis < s->space.rank; axis++) {
        if (mi_dim_is(s->space.dim[axis], 1) && (axis < lead || mi_dim_is(shape->dim[axis - lead], 1)))
            continue;
        if (last >= 0 && has[last] != has[axis])
            *cut |= 1u << axis;
        last = axis;
    }
}

/* A move that reads, along each axis, either the place that it makes or the first one. */
static bool cut_move(const struct mi_nest *s, const struct mi_node *node, uint32_t *cut)
{
    const mi_value *out = node->out[0];
    const char *at[MI_MAX_RANK];
    bool has[MI_MAX_RANK] = {false};
    for (int d = 0; d < out->shape.rank; d++)
        at[d] = mi_arena_format(s->e->arena, "k%d", d);
    struct mi_access *access = mi_arena_new(s->e->arena, (size_t)node->inputs + 2, sizeof *access);
    if (!access || out->shape.rank != s->space.rank || node->op->move(s->e->arena, node, at, access) != 1 || access->guard ||
        access->value->shape.rank != s->space.rank || !s->e->tensors[access->value->id].stored ||
        !mi_layout_is_plain(&s->e->tensors[access->value->id].layout, s->space.rank))
        return false;
    for (int d = 0; d < s->space.rank; d++) {
        has[d] = strcmp(access->index[d], at[d]) == 0 && mi_dim_equal(access->value->shape.dim[d], s->space.dim[d]);
        if (!has[d] && strcmp(access->index[d], "0") != 0)
            return false;
    }
    cut_where_they_differ(s, &access->value->shape, has, cut);
    return true;
}

/* Marks the axes at which the loops must stay apart for this value: it has the one and broadcasts over the other. False: it, or
 * what it is made of where the kernel computes it in passing, cannot be reached by joined axes. */
static bool cut_axes(const struct mi_nest *s, const mi_value *value, uint32_t *cut, int depth)
{
    const struct mi_emitter *e = s->e;
    int rank = s->space.rank;
    if (!value || value->node->op == &mi_op_constant)
        return true;
    bool member = e->home[value->node->id] == e->self, stored = e->tensors[value->id].stored;
    if (!member && !stored && value->node->op->kind == MI_MOVE)
        return cut_move(s, value->node, cut);
    if (!member && !stored) {
        bool inside = depth < 8 && value->node->op->kind == MI_MAP && !mi_names_coordinates(value->node);
        for (int i = 0; i < value->node->inputs && inside; i++)
            inside = cut_axes(s, value->node->in[i], cut, depth + 1);
        if (!inside)
            return false;
    }
    if (value->shape.rank > rank || !mi_layout_is_plain(&e->tensors[value->id].layout, value->shape.rank))
        return false;
    bool has[MI_MAX_RANK] = {false};
    for (int d = 0, axis = rank - value->shape.rank; d < value->shape.rank; d++, axis++) {
        has[axis] = !mi_dim_is(value->shape.dim[d], 1);
        if (has[axis] && !mi_dim_equal(value->shape.dim[d], s->space.dim[axis]))
            return false;
    }
    cut_where_they_differ(s, &value->shape, has, cut);
    return true;
}

/* Whether a result of a nest with reductions lines up with its space, axis by axis: it is all there, or its reduced axes are left
 * as ones. */
static bool lines_up(const struct mi_nest *s, const mi_value *value)
{
    bool full = value->shape.rank == s->space.rank, kept = full;
    for (int axis = 0; axis < s->space.rank && (full || kept); axis++) {
        full = full && mi_dim_equal(value->shape.dim[axis], s->space.dim[axis]);
        kept = kept && (!(s->kernel->axes >> axis & 1) || mi_dim_is(value->shape.dim[axis], 1));
    }
    return full || kept || value->shape.rank == 0;
}

/* Where axes of the space must stay apart; all of it, where they cannot be joined. */
static uint32_t find_cuts(const struct mi_nest *s)
{
    const struct mi_kernel *k = s->kernel;
    uint32_t cut = 0;
    for (int axis = 1; axis < s->space.rank; axis++)
        if ((k->axes >> axis & 1) != (k->axes >> (axis - 1) & 1))
            cut |= 1u << axis;
    for (int m = 0; m < k->count; m++) {
        const struct mi_node *node = k->nodes[m];
        if ((node->op->kind != MI_MAP && node->op->kind != MI_REDUCE) ||
            (node->op->kind == MI_MAP && mi_names_coordinates(node)))
            return UINT32_MAX;
        for (int o = 0; o < node->outputs && s->reductions; o++)
            if (!lines_up(s, node->out[o]))
                return UINT32_MAX;
        for (int i = 0; i < node->inputs + node->outputs; i++)
            if (!cut_axes(s, i < node->inputs ? node->in[i] : node->out[i - node->inputs], &cut, 0))
                return UINT32_MAX;
    }
    return cut;
}

void mi_nest_join(struct mi_nest *s)
{
    struct mi_emitter *e = s->e;
    int rank = s->space.rank;
    uint32_t cut = UINT32_MAX, reduced = 0;
    if (!s->kernel->anchor && rank >= 2 && mi_layout_is_plain(&s->layout, s->kept.rank) && mi_layout_is_plain(&s->full, rank))
        cut = find_cuts(s);
    if (cut == UINT32_MAX)
        return;
    struct mi_dim product;
    e->groups = 0;
    e->full_rank = rank;
    e->first[0] = 0;
    for (int axis = 1; axis < rank; axis++)
        if (cut & 1u << axis || !mi_shape_product(&s->space, e->first[e->groups], axis + 1, &product))
            e->first[++e->groups] = axis;
    e->first[++e->groups] = rank;
    struct mi_shape joined = {.rank = e->groups};
    for (int g = 0; g < e->groups; g++) {
        mi_shape_product(&s->space, e->first[g], e->first[g + 1], &joined.dim[g]);
        reduced |= (s->kernel->axes >> e->first[g] & 1) << g;
    }
    s->space = joined;
    s->full = mi_layout_plain(joined.rank);
    mi_nest_divide_space(s, reduced);
    s->layout = mi_layout_plain(s->kept.rank);
}
