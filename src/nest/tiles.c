/* Nests: tiles of places, and how many there are. */
#include "nest/inside.h"

/* A text for the tile's variable: an element of its array by columns. */
const char *mi_nest_slot(struct mi_nest *s, const char *name)
{
    return s->arrays ? mi_arena_format(s->e->arena, "%s[v]", name) : name;
}

const char *mi_nest_and_also(struct mi_nest *s, const char *condition, const char *more)
{
    return condition ? mi_arena_format(s->e->arena, "%s && %s", condition, more) : more;
}

int mi_nest_tile_width(const struct mi_nest *s, int d)
{
    return d == s->dims - 1 && !s->by_rows ? s->v : d == s->cross ? s->along : 1;
}

/* How many tiles side by side are one piece: an item does turned ones in squares, so that it stays on a few pages. */
int mi_nest_tiles_of(const struct mi_nest *s, int d)
{
    int width = mi_nest_tile_width(s, d);
    return s->turned && (d == s->dims - 1 || d == s->cross) ? (s->square + width - 1) / width : 1;
}

const char *mi_nest_tile(struct mi_nest *s, int d)
{
    return mi_arena_format(s->e->arena, "%c%d", mi_nest_tiles_of(s, d) > 1 ? 't' : 'c', d);
}

int mi_nest_width_of(const struct mi_nest *s, int d)
{
    return mi_nest_tile_width(s, d) * mi_nest_tiles_of(s, d);
}

int64_t mi_nest_pieces(const struct mi_nest *s, int d)
{
    return mi_divide_up(mi_dim_at(s->physical[d].extent, s->e->batch), mi_nest_width_of(s, d));
}
