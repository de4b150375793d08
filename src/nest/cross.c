/* Nests: maps that read a tensor across its rows, as a transpose does. Such loops run in tiles of both axes. Of a float tensor that
 * is read without guards a tile is read row by row and turned in local memory, so that both sides see whole lines, some in a row;
 * of others tiles are so small that every line that is touched is used up while it is in the cache. */
#include "nest/inside.h"

#include <stdio.h>
#include <string.h>

enum {
    ACROSS = 8,              /* rows that a small tile reads: they may all want one set of the cache, of as many lines */
    ALONG = 64,              /* ... and its places along them */
    TURNED_ACROSS = 64,      /* the same of a turned tile */
    TURNED_ALONG = 128,
    SQUARE = 512             /* places on the side of what an item turns before it goes on: few pages */
};

static int find_across(struct mi_nest *s, mi_value *value, const char *const *at, bool guarded, int depth);

/* Whether a coordinate of the value follows the loops' last axis: otherwise it is the same all along. */
static bool follows_last(const struct mi_nest *s, const mi_value *value, const char *const *at)
{
    const char *name = mi_arena_format(s->e->arena, "k%d", s->kept.rank - 1); /* one digit: the rank is 8 at most */
    for (int d = 0; d < value->shape.rank; d++)
        if (!mi_dim_is(value->shape.dim[d], 1) && strstr(at[d], name))
            return true;
    return false;
}

/* Notes a value that can be turned: its coordinates are the loops', each in one place. */
static void note_turned(struct mi_nest *s, mi_value *value, const char *const *at, int cross)
{
    struct mi_arena *arena = s->e->arena;
    const char *last = mi_arena_format(arena, "k%d", s->kept.rank - 1), *rows = mi_arena_format(arena, "k%d", cross);
    int lasts = 0, crosses = 0;
    for (int d = 0; d < value->shape.rank; d++) {
        if (at[d][strspn(at[d], "k0123456789")])
            return;
        lasts += strcmp(at[d], last) == 0;
        crosses += strcmp(at[d], rows) == 0;
    }
    if (value->type != MI_FLOAT || lasts != 1 || crosses != 1)
        return;
    s->turned = value;
    for (int d = 0; d < value->shape.rank; d++)
        s->turned_at[d].at = at[d];
}

/* The dimension that a stored value's rows follow, if it is not the loops' last one; -1. */
static int rows_of(struct mi_nest *s, mi_value *value, const char *const *at, bool guarded)
{
    int last = value->shape.rank - 1;
    if (!follows_last(s, value, at))
        return -1;
    while (last >= 0 && mi_dim_is(value->shape.dim[last], 1))
        last--;
    if (last < 0 || !mi_layout_is_plain(&s->e->tensors[value->id].layout, value->shape.rank))
        return -1;
    for (int axis = 0; axis < s->kept.rank - 1; axis++)
        if (strcmp(at[last], mi_arena_format(s->e->arena, "k%d", axis)) == 0) {
            if (!guarded)
                note_turned(s, value, at, axis);
            return axis;
        }
    return -1;
}

static int across_move(struct mi_nest *s, const struct mi_node *node, const char *const *at, bool guarded, int depth)
{
    struct mi_access *access = mi_arena_new(s->e->arena, (size_t)node->inputs + 2, sizeof *access);
    int found = -1, count = access ? node->op->move(s->e->arena, node, at, access) : 0;
    for (int i = 0; i < count && found < 0; i++)
        found = find_across(s, access[i].value, access[i].index, guarded || access[i].guard, depth);
    return found;
}

static int across_map(struct mi_nest *s, const struct mi_node *node, const char *const *at, bool guarded, int depth)
{
    int found = -1;
    for (int i = 0; i < node->inputs && found < 0; i++) {
        const char *in_at[MI_MAX_RANK];
        mi_value *in = node->in[i];
        int lead = in ? node->out[0]->shape.rank - in->shape.rank : -1;
        if (lead < 0)
            continue;
        for (int d = 0; d < in->shape.rank; d++)
            in_at[d] = mi_dim_is(in->shape.dim[d], 1) ? "0" : at[lead + d];
        found = find_across(s, in, in_at, guarded, depth);
    }
    return found;
}

/* The axis of the loops along which something that the value is made of lies side by side; -1: none but the last. */
static int find_across(struct mi_nest *s, mi_value *value, const char *const *at, bool guarded, int depth)
{
    const struct mi_node *node = value->node;
    if (depth > 16 || node->op == &mi_op_constant)
        return -1;
    if (s->e->tensors[value->id].stored && s->e->home[node->id] != s->e->self)
        return rows_of(s, value->node->out[value->output], at, guarded);
    if (node->op->kind == MI_MAP)
        return across_map(s, node, at, guarded, depth + 1);
    return node->op->kind == MI_MOVE ? across_move(s, node, at, guarded, depth + 1) : -1;
}

/* Turned tiles: smaller where there would be too few, or local memory for no more. */
static void choose_turned(struct mi_nest *s)
{
    const mica_device *device = s->e->device;
    int64_t count = 1, rows = mi_dim_at(s->kept.dim[s->kept.rank - 1], s->e->batch);
    for (int d = 0; d < s->kept.rank; d++)
        count *= mi_dim_at(s->kept.dim[d], s->e->batch);
    bool few = count < 8 * (int64_t)device->info.compute_units * TURNED_ACROSS * TURNED_ALONG;
    bool fits = device->info.local_memory_bytes >= 2 * sizeof(float) * TURNED_ACROSS * TURNED_ALONG;
    s->along = few || !fits ? TURNED_ALONG / 4 : TURNED_ALONG;
    s->v = few || !fits ? TURNED_ACROSS / 2 : TURNED_ACROSS;
    s->v = (int)(rows < s->v ? rows : s->v);
    s->square = few ? 1 : SQUARE;
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
            s->cross = find_across(s, s->kernel->out[i], at, false, 0);
    if (s->cross >= 0 && mi_dim_at(s->kept.dim[s->cross], s->e->batch) < 2 * ACROSS)
        s->cross = -1;
    if (s->cross < 0)
        s->turned = NULL;
    s->v = s->cross >= 0 ? ACROSS : s->v;
    s->along = ALONG;
    if (s->turned)
        choose_turned(s);
}

/* The coordinates of the turned value at the tile's first place, or one row on. */
static void first_of_tile(struct mi_nest *s, bool next, struct mi_coordinate *at)
{
    struct mi_arena *arena = s->e->arena;
    for (int d = 0; d < s->turned->shape.rank; d++) {
        const char *text = s->turned_at[d].at;
        int axis = text[0] == 'k' ? text[1] - '0' : -1; /* one digit: the rank is 8 at most */
        if (axis == s->kept.rank - 1)
            text = mi_arena_format(arena, "(%s*%d%s)", mi_nest_tile(s, axis), s->v, next ? " + 1" : "");
        else if (axis == s->cross)
            text = mi_arena_format(arena, "(%s*%d)", mi_nest_tile(s, axis), s->along);
        else if (axis >= 0)
            text = mi_nest_tile(s, axis);
        at[d] = (struct mi_coordinate){.at = text};
    }
}

void mi_nest_turn(struct mi_nest *s)
{
    struct mi_emitter *e = s->e;
    struct mi_coordinate at[MI_MAX_RANK];
    int last = s->kept.rank - 1;
    if (!s->turned)
        return;
    mi_emit_local(e, "float", "turned", (int64_t)s->v * s->along);
    int argument = mi_emit_argument(e, s->turned, false);
    size_t scope = mi_scope_open(e, "%s", "");
    first_of_tile(s, false, at);
    mi_line(e, "const long here = %s;", mi_emit_place(e, s->turned, at));
    first_of_tile(s, true, at);
    mi_line(e, "const long there = %s;", mi_emit_place(e, s->turned, at));
    mi_line(e, "const int rows = min((IDX)%d, (IDX)%s - %s*%d);", s->v, mi_dim_code(e->arena, s->kept.dim[last]),
            mi_nest_tile(s, last), s->v);
    mi_line(e, "const int columns = min((IDX)%d, (IDX)%s - %s*%d);", s->along,
            mi_dim_code(e->arena, s->kept.dim[s->cross]), mi_nest_tile(s, s->cross), s->along);
    mi_line(e, "mica_turn(p%d + here, there - here, rows, columns, turned, %d);", argument, s->v);
    mi_scope_close(e, scope);
}

void mi_nest_bind_turned(struct mi_nest *s)
{
    if (s->turned)
        mi_emit_remember(s->e, s->turned, s->turned_at,
                         mi_arena_format(s->e->arena, "turned[(m%d - %s*%d)*%d + v]", s->cross, mi_nest_tile(s, s->cross),
                                         s->along, s->v));
}
