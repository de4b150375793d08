/* Nests: the loops over a tile's places, and what coordinates values have there. */
#include "nest/inside.h"

/* Declares the coordinate of one kept axis from its physical parts, kept inside the tensor. */
static void coordinate(struct mi_nest *s, int axis, const char *outer, const char *inner)
{
    struct mi_emitter *e = s->e;
    int block = s->layout.block[axis];
    const char *at = outer;
    if (block > 1)
        at = mi_arena_format(e->arena, "%s*%d + %s", outer, block, inner);
    else if (s->layout.low[axis])
        at = mi_arena_format(e->arena, "%s - %d", outer, s->layout.low[axis]);
    struct mi_coordinate made = {.at = at};
    const char *name = mi_arena_format(e->arena, "k%d", axis);
    if (!mi_layout_extends(&s->layout, &s->kept, axis)) {
        mi_line(e, "const IDX %s = %s;", name, at);
        made = (struct mi_coordinate){name, block > 1 ? outer : NULL, block > 1 ? inner : NULL, block};
    } else {
        const char *size = mi_dim_code(e->arena, s->kept.dim[axis]);
        mi_line(e, "const IDX e%d = %s, %s = clamp(e%d, (IDX)0, (IDX)(%s - 1));", axis, at, name, axis, size);
        mi_line(e, "const bool b%d = e%d == %s;", axis, axis, name);
        s->real = mi_nest_and_also(s, s->real, mi_arena_format(e->arena, "b%d", axis));
        made.at = name;
    }
    s->at[axis] = made;
}

/* Declares the coordinates of axes that do (or do not) involve the last physical dimension. */
void mi_nest_coordinates(struct mi_nest *s, bool of_last)
{
    int last = s->dims - 1, last_axis = s->physical[last].axis;
    for (int d = 0; d < s->dims; d++) {
        int axis = s->physical[d].axis;
        if (s->physical[d].inner || axis < 0 || (axis == last_axis) != of_last)
            continue;
        const char *outer = mi_arena_format(s->e->arena, "m%d", d), *inner = NULL;
        for (int k = d + 1; k < s->dims; k++)
            if (s->physical[k].inner && s->physical[k].axis == axis)
                inner = mi_arena_format(s->e->arena, "m%d", k);
        coordinate(s, axis, outer, inner);
    }
}

/* ---- Tiles ---- */

static const char *pieces_text(struct mi_nest *s, int d)
{
    struct mi_dim extent = s->physical[d].extent;
    int width = mi_nest_width_of(s, d);
    struct mi_dim counted = extent.a ? extent : mi_fixed(mi_nest_pieces(s, d));
    /* Elsewhere tiles are single places, and each divides by these. */
    const char *text = s->e->device->is_cpu || s->e->alike ? mi_dim_code(s->e->arena, counted) : mi_dim_text(s->e->arena, counted);
    return extent.a == 0 || width == 1 ? text : mi_arena_format(s->e->arena, "((%s + %d)/%d)", text, width - 1, width);
}

/* The loop over the tiles of this item, and the pieces of the outer dimensions: c0, c1, ... */
static void open_shared(struct mi_nest *s)
{
    struct mi_emitter *e = s->e;
    const char *total = s->shared ? NULL : "1";
    for (int d = 0; d < s->shared; d++)
        total = total ? mi_arena_format(e->arena, "%s*%s", total, pieces_text(s, d)) : pieces_text(s, d);
    mi_line(e, "const IDX tiles = %s;", total);
    if (s->lanes > 1) {
        mi_line(e, "const int lane = get_local_id(0);");
        s->tile_scope[0] = mi_scope_open(e, "for (IDX tile = get_group_id(0); tile < tiles; tile += get_num_groups(0)) ");
    } else if (e->device->is_cpu) {
        mi_line(e, "const IDX share = (tiles + (IDX)get_global_size(0) - 1) / (IDX)get_global_size(0);");
        mi_line(e, "const IDX begin = (IDX)get_global_id(0) * share, end = min(begin + share, tiles);");
        s->tile_scope[0] = mi_scope_open(e, "for (IDX tile = begin; tile < end; tile++) ");
    } else
        s->tile_scope[0] = mi_scope_open(e, "for (IDX tile = get_global_id(0); tile < tiles; tile += get_global_size(0)) ");
    s->tile_scopes = 1;
    const char *rest = "tile";
    for (int d = s->shared - 1; d > 0; d--) {
        const char *size = pieces_text(s, d);
        mi_line(e, "const IDX c%d = %s %% %s, n%d = %s / %s;", d, rest, size, d, rest, size);
        rest = mi_arena_format(e->arena, "n%d", d);
    }
    if (s->shared)
        mi_line(e, "const IDX c0 = %s;", rest);
}

void mi_nest_open_tiles(struct mi_nest *s)
{
    struct mi_emitter *e = s->e;
    int last = s->dims - 1, width = mi_nest_tile_width(s, last);
    struct mi_dim extent = s->physical[last].extent;
    const char *across = mi_dim_code(e->arena, extent);
    open_shared(s);
    for (int d = s->shared; d < s->dims; d++)
        if (s->physical[d].extent.a == 0 && mi_nest_pieces(s, d) == 1)
            mi_line(e, "const IDX c%d = 0;", d);
        else {
            int axis = s->physical[d].axis;
            if (axis >= 0 && s->period[axis] > 1 && !s->physical[d].inner && mi_nest_width_of(s, d) == 1)
                mi_line(e, "#pragma unroll %d", s->period[axis]);
            s->tile_scope[s->tile_scopes++] =
                mi_scope_open(e, "for (IDX c%d = 0; c%d < %s; c%d++) ", d, d, pieces_text(s, d), d);
        }
    for (int d = 0; d < s->dims; d++) {
        int tiles = mi_nest_tiles_of(s, d);
        if (tiles == 1)
            continue;
        struct mi_dim size = s->physical[d].extent;
        mi_line(e, "const IDX ends%d = min((c%d + 1)*%d, ((IDX)%s + %d)/%d);", d, d, tiles, mi_dim_code(e->arena, size),
                mi_nest_tile_width(s, d) - 1, mi_nest_tile_width(s, d));
        s->tile_scope[s->tile_scopes++] = mi_scope_open(e, "for (IDX t%d = c%d*%d; t%d < ends%d; t%d++) ", d, d, tiles, d, d, d);
    }
    if (s->cross >= 0) {
        mi_nest_turn(s);
        const char *size = mi_dim_code(e->arena, s->physical[s->cross].extent);
        const char *at = mi_nest_tile(s, s->cross);
        s->tile_scope[s->tile_scopes++] = mi_scope_open(e, "for (IDX m%d = %s*%d; m%d < min(%s*%d + %d, (IDX)%s); m%d++) ",
                                                        s->cross, at, s->along, s->cross, at, s->along, s->along, size,
                                                        s->cross);
    }
    for (int d = 0; d < last; d++)
        if (d != s->cross)
            mi_line(e, "const IDX m%d = c%d;", d, d);
    mi_line(e, "const IDX first = %s*%d;", mi_nest_tile(s, last), width);
    s->places = "1";
    if (width > 1 && extent.a == 0 && extent.b % width == 0 && !e->alike)
        s->places = mi_arena_format(e->arena, "%d", width);
    else if (width > 1) {
        mi_line(e, "const int places = min((IDX)%d, (IDX)%s - first);", width, across);
        s->places = "places";
    }
    s->real = NULL;
    mi_nest_coordinates(s, false);
}

void mi_nest_close_tiles(struct mi_nest *s)
{
    while (s->tile_scopes > 0)
        mi_scope_close(s->e, s->tile_scope[--s->tile_scopes]);
}

size_t mi_nest_open_places(struct mi_nest *s)
{
    return mi_nest_open_some(s, "0", s->places);
}

/* The coordinates of the place v, whose scope is open. */
static void at_place(struct mi_nest *s)
{
    struct mi_emitter *e = s->e;
    int last = s->dims - 1;
    mi_line(e, "const IDX m%d = first + v;", last);
    s->real = NULL;
    mi_nest_coordinates(s, true);
    for (int axis = 0; axis < s->kept.rank; axis++)
        if (axis != s->physical[last].axis && mi_layout_extends(&s->layout, &s->kept, axis))
            s->real = mi_nest_and_also(s, s->real, mi_arena_format(e->arena, "b%d", axis));
    mi_nest_bind_turned(s);
}

size_t mi_nest_open_place(struct mi_nest *s, const char *v)
{
    size_t scope = mi_scope_open(s->e, "%s", "");
    mi_line(s->e, "const int v = %s;", v);
    at_place(s);
    return scope;
}

size_t mi_nest_open_some(struct mi_nest *s, const char *from, const char *to)
{
    if (s->by_rows || s->v == 1)
        return mi_nest_open_place(s, "0");
    mi_nest_mark_pairs(s);
    size_t scope = mi_scope_open(s->e, "for (int v = %s; v < %s; v++) ", from, to);
    at_place(s);
    return scope;
}

/* The coordinates of a value of the kept shape or the full space, axes of size 1 left out or put in as it has them. */
void mi_nest_value_at(struct mi_nest *s, const mi_value *value, struct mi_coordinate *at)
{
    const struct mi_shape *shape = &value->shape;
    struct mi_coordinate all[MI_MAX_RANK];
    struct mi_shape space = s->kept;
    int rank = s->kept.rank, next = 0;
    bool full = mi_nest_is_full(s, value);
    for (int i = 0; i < rank; i++)
        all[i] = s->at[i];
    if (full) {
        space = s->kernel->space;
        rank = space.rank;
        for (int i = 0; i < s->kept.rank; i++)
            all[s->kept_axis[i]] = s->at[i];
        for (int i = 0; i < s->reductions; i++)
            all[s->reduced_axis[i]] = (struct mi_coordinate){.at = s->reduced_at[i]};
    }
    if (s->e->groups) {
        for (int i = 0; i < s->kept.rank; i++)
            at[s->kept_axis[i]] = s->at[i];
        for (int i = 0; i < s->reductions; i++)
            at[s->reduced_axis[i]] = (struct mi_coordinate){.at = full ? s->reduced_at[i] : "0"};
        return;
    }
    bool same = mi_nest_lines_up(s, value);
    for (int i = 0; i < shape->rank; i++) {
        at[i] = same ? all[i] : (struct mi_coordinate){.at = "0"};
        if (same || mi_dim_is(shape->dim[i], 1))
            continue;
        while (next < rank && mi_dim_is(space.dim[next], 1))
            next++;
        if (next < rank)
            at[i] = all[next++];
    }
}

/* Functions are many instructions with many constants. But a loop of one vector should be no loop: with the mark it stays one, of
 * parts of a vector. */
void mi_nest_mark_pairs(struct mi_nest *s)
{
    bool calls = false;
    for (int m = 0; m < s->kernel->count; m++)
        if (s->kernel->nodes[m]->op->kind == MI_MAP && mi_map_calls_functions(s->kernel->nodes[m]))
            calls = true;
    if (calls && s->v >= 2 * s->e->device->vector_width)
        mi_line(s->e, "MICA_PAIRS");
}
