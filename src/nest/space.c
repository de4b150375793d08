/* Nests: what one runs over, axes that are kept and axes that are reduced, and how the kept ones lie in memory. */
#include "nest/inside.h"

#include <string.h>

bool mi_nest_is_reduction(const struct mi_node *node)
{
    return node->op->kind == MI_REDUCE || node->op->kind == MI_CONTRACT;
}

bool mi_nest_is_full(const struct mi_nest *s, const mi_value *value)
{
    return s->reductions > 0 && s->kernel->anchor == NULL && !mi_shape_equal(&value->shape, &s->kept) &&
           mi_same_but_ones(&value->shape, &s->kernel->space);
}

bool mi_nest_lines_up(const struct mi_nest *s, const mi_value *value)
{
    return mi_shape_equal(&value->shape, mi_nest_is_full(s, value) ? &s->kernel->space : &s->kept);
}

void mi_nest_divide_space(struct mi_nest *s, uint32_t reduced)
{
    s->kept.rank = s->reductions = 0;
    for (int i = 0; i < s->space.rank; i++) {
        if (reduced & 1u << i) {
            s->reduced[s->reductions] = s->space.dim[i];
            s->reduced_axis[s->reductions++] = i;
        } else {
            s->kept_axis[s->kept.rank] = i;
            s->kept.dim[s->kept.rank++] = s->space.dim[i];
        }
    }
}

static void set_kept(struct mi_nest *s)
{
    const struct mi_kernel *k = s->kernel;
    if (k->anchor) {
        s->kept = k->anchor->out[0]->shape;
        s->reductions = s->contraction.axes - s->contraction.out_axes;
        for (int i = 0; i < s->reductions; i++)
            s->reduced[i] = s->contraction.extent[s->contraction.out_axes + i];
        return;
    }
    s->space = k->space;
    mi_nest_divide_space(s, k->axes);
}

/* Widens a layout so that its places include those of another. */
static void include(struct mi_layout *all, const struct mi_layout *more, int axis, int more_axis)
{
    if (more->block[more_axis] > 1 && all->block[axis] == 1) {
        all->block[axis] = more->block[more_axis];
        all->inner[all->inners++] = (int8_t)axis;
    }
    if (more->low[more_axis] > all->low[axis])
        all->low[axis] = more->low[more_axis];
    if (more->high[more_axis] > all->high[axis])
        all->high[axis] = more->high[more_axis];
}

/* The loops run over every place of whatever is stored, of the kept shape or of the full space. */
static void set_layout(struct mi_nest *s)
{
    s->layout = mi_layout_plain(s->kept.rank);
    s->full = mi_layout_plain(s->kernel->space.rank);
    for (int i = 0; i < s->kernel->outs; i++) {
        const mi_value *value = s->kernel->out[i];
        const struct mi_layout *layout = &s->e->tensors[value->id].layout;
        bool full = mi_nest_is_full(s, value);
        if (mi_layout_is_plain(layout, value->shape.rank) || !mi_nest_lines_up(s, value))
            continue;
        bool first = mi_layout_is_plain(&s->layout, s->kept.rank);
        if (!full && first)
            memcpy(s->layout.order, layout->order, sizeof layout->order);
        for (int a = 0; a < s->kept.rank; a++)
            include(&s->layout, layout, a, full ? s->kept_axis[a] : a);
        if (full)
            for (int a = 0; a < s->kernel->space.rank; a++)
                include(&s->full, layout, a, a);
        if (!full && first) /* blocks inside blocks, as in packed weights, in their own order */
            memcpy(s->layout.inner, layout->inner, sizeof layout->inner);
    }
}

static bool is_made_here(const struct mi_kernel *k, const mi_value *value)
{
    for (int m = 0; m < k->count; m++)
        if (k->nodes[m] == value->node)
            return true;
    return false;
}

/* A reduction of blocked tensors, or of what maps make of them as they are read, runs over the blocks too, so that neighbours
 * are read together. */
static void follow_inputs(struct mi_nest *s)
{
    const struct mi_kernel *k = s->kernel;
    if (k->anchor || !s->reductions || !mi_layout_is_plain(&s->layout, s->kept.rank))
        return;
    for (int m = 0; m < k->count; m++)
        for (int i = 0; i < k->nodes[m]->inputs; i++) {
            const mi_value *value = k->nodes[m]->in[i];
            if (!value || is_made_here(k, value) || !mi_shape_equal(&value->shape, &k->space))
                continue;
            const struct mi_layout *layout = &s->e->tensors[value->id].layout;
            for (int a = 0; a < s->kept.rank && s->layout.inners == 0; a++)
                if (layout->block[s->kept_axis[a]] > 1) {
                    s->layout.block[a] = layout->block[s->kept_axis[a]];
                    s->layout.inner[s->layout.inners++] = (int8_t)a;
                }
        }
}

void mi_nest_set_physical(struct mi_nest *s)
{
    for (int k = 0; k < s->kept.rank; k++) {
        int axis = s->layout.order[k];
        s->physical[s->dims].axis = axis;
        s->physical[s->dims++].extent = mi_layout_outer(&s->layout, &s->kept, axis);
    }
    for (int k = 0; k < s->layout.inners; k++) {
        s->physical[s->dims].axis = s->layout.inner[k];
        s->physical[s->dims].inner = true;
        s->physical[s->dims++].extent = mi_fixed(s->layout.block[s->layout.inner[k]]);
    }
    if (s->dims == 0) { /* a scalar: one place */
        s->physical[0].axis = -1;
        s->physical[s->dims++].extent = mi_fixed(1);
    }
}

void mi_nest_divide(struct mi_nest *s)
{
    set_kept(s);
    set_layout(s);
    follow_inputs(s);
}
