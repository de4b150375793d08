/* Nests: reductions by levels: how many stand before a result. */
#include "nest/inside.h"

enum { MOST_UNROLLED = 25 };

int mi_nest_level(const struct mi_nest *s, const struct mi_node *node)
{
    for (int m = 0; m < s->kernel->count; m++)
        if (s->kernel->nodes[m] == node)
            return s->level[m];
    return 0;
}

bool mi_nest_folds_few(const struct mi_nest *s)
{
    int64_t count = s->e->alike ? MOST_UNROLLED + 1 : 1;
    for (int i = 0; i < s->reductions && count <= MOST_UNROLLED; i++)
        count *= s->reduced[i].a ? MOST_UNROLLED + 1 : s->reduced[i].b;
    return count <= MOST_UNROLLED;
}

/* The level of what a value is made of: that of the member it comes from, looked for through virtual nodes. */
static int reach_level(const struct mi_nest *s, const mi_value *value, int depth)
{
    if (!value || depth > 16)
        return 0;
    for (int m = 0; m < s->kernel->count; m++)
        if (s->kernel->nodes[m] == value->node)
            return s->level[m];
    if (s->e->tensors[value->id].stored || value->node->op->kind == MI_SOURCE)
        return 0;
    int highest = 0;
    for (int i = 0; i < value->node->inputs; i++) {
        int below = reach_level(s, value->node->in[i], depth + 1);
        highest = below > highest ? below : highest;
    }
    return highest;
}

bool mi_nest_set_levels(struct mi_nest *s)
{
    s->level = mi_arena_new(s->e->arena, (size_t)s->kernel->count, sizeof *s->level);
    for (int m = 0; m < s->kernel->count && s->level; m++) {
        const struct mi_node *node = s->kernel->nodes[m];
        s->level[m] = mi_nest_is_reduction(node);
        for (int i = 0; i < node->inputs; i++) {
            int through = reach_level(s, node->in[i], 0) + mi_nest_is_reduction(node);
            s->level[m] = through > s->level[m] ? through : s->level[m];
        }
        s->levels = s->level[m] > s->levels ? s->level[m] : s->levels;
    }
    return s->level != NULL;
}

bool mi_nest_folds_taps(struct mi_nest *s)
{
    if (!s->e->device->is_cpu || s->kernel->anchor || s->reductions == 0 || s->by_rows || s->kept.rank == 0 ||
        !mi_nest_folds_few(s) || !mi_layout_is_plain(&s->layout, s->kept.rank) || !mi_nest_set_levels(s))
        return false;
    for (int i = 0; i < s->kernel->outs; i++)
        if (mi_nest_is_full(s, s->kernel->out[i]))
            return false;
    return s->levels == 1;
}
