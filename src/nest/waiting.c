/* Nests: a value that is dear to compute, which a fold needs and a result needs again, waits in the result's own place: the
 * exponentials of a softmax, which are still in a cache when their sum is known. */
#include "nest/inside.h"

/* Whether the value is made of `of`, by the kernel's maps. */
static bool is_made_of(const struct mi_nest *s, const mi_value *value, const mi_value *of, int depth)
{
    if (!value || depth > 8)
        return false;
    if (value == of)
        return true;
    bool here = s->e->home[value->node->id] == s->e->self || !s->e->tensors[value->id].stored;
    for (int i = 0; i < value->node->inputs && here && value->node->op->kind == MI_MAP; i++)
        if (is_made_of(s, value->node->in[i], of, depth + 1))
            return true;
    return false;
}

static bool is_folded(const struct mi_nest *s, const mi_value *value)
{
    int level = mi_nest_level(s, value->node);
    for (int m = 0; m < s->kernel->count; m++) {
        const struct mi_node *node = s->kernel->nodes[m];
        if (node->op->kind == MI_REDUCE && s->level[m] == level + 1 && is_made_of(s, node->in[0], value, 0))
            return true;
    }
    return false;
}

/* Whether the value may wait where `result` will be. */
static bool may_wait(const struct mi_nest *s, mi_value *value, const mi_value *result)
{
    if (value->node->op->kind != MI_MAP || value->node->outputs != 1 || !mi_map_calls_functions(value->node) ||
        s->e->tensors[value->id].stored || value->type != result->type || !mi_shape_equal(&value->shape, &result->shape))
        return false;
    return mi_nest_level(s, value->node) < mi_nest_level(s, result->node) && is_folded(s, value) &&
           is_made_of(s, result, value, 0);
}

void mi_nest_find_waiting(struct mi_nest *s)
{
    if (s->lanes > 1 || s->kernel->anchor)
        return;
    for (int i = 0; i < s->kernel->outs; i++) {
        mi_value *result = s->kernel->out[i];
        if (!mi_nest_is_full(s, result) || result->type != MI_FLOAT || result->node->op->kind != MI_MAP ||
            s->e->tensors[result->id].over || /* what is there may still be read */
            !mi_layout_is_plain(&s->e->tensors[result->id].layout, result->shape.rank))
            continue;
        for (int m = 0; m < s->kernel->count; m++)
            if (may_wait(s, s->kernel->nodes[m]->out[0], result)) {
                s->waiting = s->kernel->nodes[m]->out[0];
                s->waits_in = result;
                return;
            }
    }
}

void mi_nest_store_waiting(struct mi_nest *s, int level)
{
    struct mi_coordinate at[MI_MAX_RANK];
    if (!s->waiting || mi_nest_level(s, s->waiting->node) != level - 1)
        return;
    mi_nest_value_at(s, s->waiting, at);
    mi_emit_store(s->e, s->waits_in, at, mi_emit_value(s->e, s->waiting, at, NULL), NULL);
}

void mi_nest_bind_waiting(struct mi_nest *s, const mi_value *result)
{
    struct mi_coordinate at[MI_MAX_RANK];
    if (!s->waiting || s->waits_in != result)
        return;
    mi_nest_value_at(s, s->waiting, at);
    const char *place = mi_emit_place(s->e, result, at);
    mi_bind(s->e, s->waiting, mi_arena_format(s->e->arena, "p%d[%s]", mi_emit_argument(s->e, s->waits_in, true), place));
}
