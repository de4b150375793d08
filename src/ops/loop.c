#include "ops/loop.h"

#include "ops/ops.h"

/* ---- Values ---- */

/* One number of a type: of rank 0. */
static mi_value *one_of(struct mi_graph *graph, const char *what, mi_value *value, enum mi_type type)
{
    const struct mi_shape none = {.rank = 0};
    bool fits = value && (type == MI_BOOL ? value->type == MI_BOOL : mi_type_is_integer(value->type) && value->type != MI_BOOL);
    if (!value)
        return NULL;
    if (!fits || value->shape.rank > 1 || (value->shape.rank == 1 && !mi_dim_is(value->shape.dim[0], 1))) {
        mi_fail(&graph->error, MICA_SHAPE, "%s is %s of shape %s, needs one %s", what, mi_types[value->type].name,
                mi_shape_text(&graph->arena, &value->shape), type == MI_BOOL ? "bool" : "whole number");
        return NULL;
    }
    return mi_cast(graph, mi_reshape_to(graph, value, &none), type);
}

static mi_value *where(struct mi_graph *graph, mi_value *condition, mi_value *yes, mi_value *no)
{
    return mi_apply(graph, "Where", (mi_value *const[]){condition, yes, no}, 3, NULL, 0);
}

/* Both, or the one that there is. */
static mi_value *both(struct mi_graph *graph, mi_value *a, mi_value *b)
{
    return a && b ? mi_op2(graph, "And", a, b) : a ? a : b;
}

static bool alike(struct mi_graph *graph, const char *what, int i, const mi_value *a, const mi_value *b)
{
    if (!a || !b)
        return false;
    if (a->type == b->type && mi_shape_equal(&a->shape, &b->shape))
        return true;
    mi_fail(&graph->error, MICA_SHAPE, "%s %d: %s of shape %s and %s of shape %s", what, i, mi_types[a->type].name,
            mi_shape_text(&graph->arena, &a->shape), mi_types[b->type].name, mi_shape_text(&graph->arena, &b->shape));
    return false;
}

/* ---- Loop ---- */

/* 0, 1, ... as one number in each turn. */
static mi_value *count_turns(struct mi_graph *graph, int64_t bound)
{
    const struct mi_shape turns = {.rank = 1, .dim = {mi_fixed(bound)}};
    mi_value *all = mi_expand_to(graph, mi_scalar(graph, 0), &turns);
    return mi_at_turn(graph, mi_cast(graph, MI_APPLY(graph, "Index", ((mi_value *[]){all}), MI_INT("axis", 0)), MI_INT64), 0);
}

bool mi_loop_begin(struct mi_graph *graph, int64_t bound, mi_value *trips, mi_value *condition, mi_value *const *first, int count,
                   struct mi_loop *loop)
{
    *loop = (struct mi_loop){.graph = graph, .bound = bound, .count = count};
    loop->trips = one_of(graph, "Loop: the number of trips", trips, MI_INT64);
    loop->condition = one_of(graph, "Loop: the condition", condition, MI_BOOL);
    loop->now = mi_arena_new(&graph->arena, (size_t)count + 1, sizeof *loop->now);
    loop->last = mi_arena_new(&graph->arena, (size_t)count + 1, sizeof *loop->last);
    if (!loop->now || !loop->last)
        return mi_out_of_memory(&graph->error), false;
    if (graph->error.status != MICA_OK || !mi_repeat_begin(graph, bound, false))
        return false;
    for (int i = 0; i < count; i++)
        loop->now[i] = mi_carry(graph, first[i]);
    loop->iteration = count_turns(graph, bound);
    return loop->iteration != NULL;
}

/* Whether the turn counts, NULL: each does; *alive is that of the turn before, with what the body says, carried. */
static mi_value *counts(const struct mi_loop *loop, mi_value *condition, mi_value **next_alive)
{
    struct mi_graph *graph = loop->graph;
    mi_value *limited = loop->trips ? mi_op2(graph, "Less", loop->iteration, loop->trips) : NULL, *alive = NULL;
    if (condition || loop->condition)
        alive = mi_carry(graph, loop->condition ? loop->condition : mi_number(graph, MI_BOOL, 1));
    mi_value *go = both(graph, limited, alive);
    *next_alive = alive ? both(graph, go, condition) : NULL;
    return go;
}

/* What is carried on where turns count, and the values of all turns. */
static bool end_turns(struct mi_loop *loop, mi_value *go, mi_value *alive, mi_value *const *next, mi_value *const *scan, int scans)
{
    struct mi_graph *graph = loop->graph;
    const int64_t first = 0;
    mi_value **on = mi_arena_new(&graph->arena, (size_t)loop->count + 1, sizeof *on);
    loop->all = mi_arena_new(&graph->arena, (size_t)scans + 1, sizeof *loop->all);
    if (!on || !loop->all)
        return mi_out_of_memory(&graph->error), false;
    for (int i = 0; i < loop->count; i++)
        on[i] = go ? where(graph, go, next[i], loop->now[i]) : next[i];
    for (int i = 0; i < scans; i++)
        loop->all[i] = go && scan[i] ? where(graph, go, scan[i], mi_number(graph, scan[i]->type, 0)) : scan[i];
    on[loop->count] = alive;
    struct mi_node *end = mi_repeat_end(graph, on, loop->count + (alive != NULL));
    for (int i = 0; i < loop->count; i++)
        loop->last[i] = mi_last(end, i);
    for (int i = 0; i < scans; i++)
        loop->all[i] = mi_stack(end, loop->all[i]);
    loop->turns = go ? mi_reduce(graph, "ReduceSum", mi_cast(graph, mi_stack(end, go), MI_INT64), &first, 1, false)
                     : mi_number(graph, MI_INT64, (double)loop->bound);
    return loop->turns != NULL;
}

bool mi_loop_end(struct mi_loop *loop, mi_value *condition, mi_value *const *next, mi_value *const *scan, int scans)
{
    struct mi_graph *graph = loop->graph;
    mi_value *alive, *one = one_of(graph, "Loop: the next condition", condition, MI_BOOL);
    for (int i = 0; i < loop->count; i++)
        if (!alike(graph, "Loop: carried value", i, loop->now[i], next[i]))
            return false;
    if (graph->error.status != MICA_OK)
        return false;
    mi_value *go = counts(loop, one, &alive);
    return end_turns(loop, go, alive, next, scan, scans) && graph->error.status == MICA_OK;
}

/* ---- Scan ---- */

static bool find_axis(struct mi_graph *graph, const char *what, int axis, int rank, int *out)
{
    *out = axis < 0 ? axis + rank : axis;
    if (*out >= 0 && *out < rank)
        return true;
    mi_fail(&graph->error, MICA_SHAPE, "Scan: axis %d of %s of rank %d", axis, what, rank);
    return false;
}

static mi_value *reversed(struct mi_graph *graph, mi_value *x, int64_t axis)
{
    const int64_t start = -1, end = INT64_MIN + 1, step = -1;
    return MI_APPLY(graph, "Slice", ((mi_value *[]){x}), MI_INTS("starts", &start, 1), MI_INTS("ends", &end, 1),
                    MI_INTS("axes", &axis, 1), MI_INTS("steps", &step, 1));
}

mi_value *mi_scan_input(struct mi_graph *graph, mi_value *x, int axis, bool backwards)
{
    int at;
    if (!x || !find_axis(graph, "an input", axis, x->shape.rank, &at))
        return NULL;
    return mi_at_turn(graph, backwards ? reversed(graph, x, at) : x, at);
}

mi_value *mi_scan_output(struct mi_node *repeat, mi_value *value, int axis, bool backwards)
{
    mi_value *all = mi_stack(repeat, value);
    int64_t perm[MI_MAX_RANK];
    int at;
    if (!all || !find_axis(all->node->graph, "an output", axis, all->shape.rank, &at))
        return NULL;
    for (int i = 0; i < all->shape.rank; i++)
        perm[i] = i == at ? 0 : i < at ? i + 1 : i;
    all = backwards ? reversed(all->node->graph, all, 0) : all;
    return at && all ? MI_APPLY(all->node->graph, "Transpose", ((mi_value *[]){all}), MI_INTS("perm", perm, all->shape.rank)) : all;
}

/* ---- If ---- */

bool mi_choose_between(struct mi_graph *graph, mi_value *condition, mi_value *const *then, mi_value *const *otherwise, int count,
                       mi_value **out)
{
    mi_value *holds = one_of(graph, "If: the condition", condition, MI_BOOL);
    for (int i = 0; i < count && holds; i++) {
        if (!alike(graph, "If: result", i, then[i], otherwise[i]))
            return false;
        out[i] = where(graph, holds, then[i], otherwise[i]);
    }
    return holds && graph->error.status == MICA_OK;
}
