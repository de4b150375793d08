/* Nests: what is stored behind the folds, once for each kept place or in a sweep over the full space. */
#include "nest/rule.h"

static void store_kept(struct mi_nest *s)
{
    if (s->taps)
        mi_nest_fold_taps(s);
    for (int i = 0; i < s->kernel->outs; i++)
        if (!mi_nest_is_full(s, s->kernel->out[i]))
            mi_nest_store(s, s->kernel->out[i], s->real, false);
}

/* What is stored over a variable is held in one of the kernel: the sweep would compute it anew, of values that are no more. Of
 * lanes each holds it, so all have read the variable before one of them stores. */
static void hold_kept(struct mi_nest *s)
{
    struct mi_emitter *e = s->e;
    bool any = false;
    for (int i = 0; i < s->kernel->outs; i++) {
        mi_value *value = s->kernel->out[i];
        struct mi_coordinate at[MI_MAX_RANK];
        if (mi_nest_is_full(s, value) || !e->tensors[value->id].over || value->node->op->kind != MI_MAP)
            continue;
        const char *name = mi_emit_name(e, "h");
        if (s->arrays)
            mi_line(e, "%s %s[%d];", mi_types[value->type].c, name, mi_nest_array_size(s->v));
        else
            mi_line(e, "%s %s;", mi_types[value->type].c, name);
        size_t places = mi_nest_open_places(s);
        mi_nest_value_at(s, value, at);
        mi_line(e, "%s = %s;", mi_nest_slot(s, name), mi_emit_value(e, value, at, NULL));
        mi_scope_close(e, places);
        mi_bind(e, value, mi_nest_slot(s, name));
        any = true;
    }
    if (any && s->lanes > 1)
        mi_line(e, "barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);");
}

void mi_nest_store_kept(struct mi_nest *s)
{
    bool any = false, all = true;
    for (int i = 0; i < s->kernel->outs; i++) {
        bool full = mi_nest_is_full(s, s->kernel->out[i]);
        any = any || !full;
        all = all && !full;
    }
    if (!any)
        return;
    if (!all)
        hold_kept(s);
    size_t lane = 0;
    if (s->lanes > 1)
        lane = mi_scope_open(s->e, "if (lane == 0) ");
    mi_nest_ask_taps(s);
    mi_nest_split_places(s, store_kept);
    if (s->lanes > 1)
        mi_scope_close(s->e, lane);
}

/* Loops over the reduced axes for storing, over the padding too where the layout has some there. */
static const char *open_stored(struct mi_nest *s, size_t *scopes)
{
    struct mi_emitter *e = s->e;
    const char *real = NULL;
    for (int i = 0; i < s->reductions; i++) {
        int axis = s->reduced_axis[i];
        struct mi_dim extent = s->reduced[i];
        s->reduced_at[i] = mi_arena_format(e->arena, "k%d_r", i);
        if (!mi_layout_extends(&s->full, &s->kernel->space, axis)) {
            scopes[i] = mi_scope_open(e, "for (IDX k%d_r = 0; k%d_r < %s; k%d_r++) ", i, i, mi_dim_code(e->arena, extent), i);
            continue;
        }
        int block = s->full.block[axis], low = s->full.low[axis];
        struct mi_dim end = {extent.a, extent.b + s->full.high[axis]};
        if (block > 1)
            end = mi_fixed(mi_divide_up(extent.b, block) * block);
        scopes[i] = mi_scope_open(e, "for (IDX e%d_r = -%d; e%d_r < %s; e%d_r++) ", i, low, i, mi_dim_code(e->arena, end), i);
        mi_line(e, "const IDX k%d_r = clamp(e%d_r, (IDX)0, (IDX)(%s - 1));", i, i, mi_dim_code(e->arena, extent));
        mi_line(e, "const bool b%d_r = e%d_r == k%d_r;", i, i, i);
        real = mi_nest_and_also(s, real, mi_arena_format(e->arena, "b%d_r", i));
    }
    return real;
}

/* Whether a fold's loops stored the value on their way. */
static bool is_early(const struct mi_nest *s, const mi_value *value)
{
    return mi_nest_level(s, value->node) < s->levels;
}

/* Whether the value's layout has places around the tensor along a reduced axis. */
static bool has_rim(const struct mi_nest *s, const mi_value *value)
{
    const struct mi_layout *layout = &s->e->tensors[value->id].layout;
    for (int i = 0; i < s->reductions && value->shape.rank == s->kernel->space.rank; i++)
        if (mi_layout_extends(layout, &value->shape, s->reduced_axis[i]))
            return true;
    return false;
}

/* One sweep over the full space: the values not stored yet, or the rims of those that were. */
static void sweep_full(struct mi_nest *s, bool rims)
{
    size_t scopes[MI_MAX_AXES], lanes = 0, places, rim = 0;
    bool any = false, extends = false;
    for (int i = 0; i < s->kernel->outs; i++) {
        const mi_value *value = s->kernel->out[i];
        any = any || (mi_nest_is_full(s, value) && is_early(s, value) == rims && (!rims || has_rim(s, value)));
    }
    if (!any)
        return;
    for (int i = 0; i < s->reductions; i++)
        extends = extends || mi_layout_extends(&s->full, &s->kernel->space, s->reduced_axis[i]);
    bool shared = s->lanes > 1 && !extends;
    const char *real = NULL;
    if (shared)
        lanes = mi_nest_open_lanes(s);
    else {
        if (s->lanes > 1)
            lanes = mi_scope_open(s->e, "if (lane == 0) ");
        real = open_stored(s, scopes);
    }
    if (rims)
        rim = mi_scope_open(s->e, "if (!(%s)) ", real);
    places = mi_nest_open_places(s);
    if (s->real)
        real = mi_nest_and_also(s, real, s->real);
    for (int i = 0; i < s->kernel->outs; i++) {
        mi_value *value = s->kernel->out[i];
        if (mi_nest_is_full(s, value) && is_early(s, value) == rims && (!rims || has_rim(s, value)))
            mi_nest_store(s, value, real, rims);
    }
    mi_scope_close(s->e, places);
    if (rims)
        mi_scope_close(s->e, rim);
    if (!shared)
        mi_nest_close_reduced(s, 0, scopes);
    if (s->lanes > 1)
        mi_scope_close(s->e, lanes);
}

void mi_nest_store_full(struct mi_nest *s)
{
    sweep_full(s, false);
    sweep_full(s, true);
}
