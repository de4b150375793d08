/* The inside of nests, shared by the files that write their parts (nest.c has the whole). */
#ifndef MICA_SRC_NEST_INSIDE_H
#define MICA_SRC_NEST_INSIDE_H

#include "emit/emit.h"

enum { MI_MAX_PHYSICAL = MI_MAX_RANK + 2 };

enum { MI_DRAWN = 128 };

struct mi_nest {
    struct mi_emitter *e;
    const struct mi_kernel *kernel;
    struct mi_contraction contraction; /* where kernel->anchor is one */
    struct mi_shape space;             /* the kernel's, neighbouring axes joined where that changes nothing */
    struct mi_shape kept;              /* kept axes, and the layout their places follow */
    struct mi_layout layout;
    int kept_axis[MI_MAX_RANK];        /* axis of the space that each kept axis is; of no meaning to contractions */
    struct mi_dim reduced[MI_MAX_AXES]; /* extents of the reduced axes */
    int reduced_axis[MI_MAX_AXES], reductions;
    struct mi_layout full;             /* layout of stored values of the full space */

    struct { int axis; bool inner; struct mi_dim extent; } physical[MI_MAX_PHYSICAL];
    int dims;
    bool by_rows;
    int lanes;                         /* work-items that share a tile */
    int v;                             /* places of a tile (by columns) or partial results (by rows) */
    int streams, stream;               /* so many places of this reduced axis are folded side by side: memory is read faster */
    bool apart;                        /* ... each into results of its own, of a tile's size */
    bool tail, in_tail;                /* few places at a row's end are folded by themselves; they are now */
    int now;                           /* of the loops that are open: streams, or 1 in the rest */
    int shared;                        /* so many outer dimensions are divided among work-items; the others are loops */
    int cross, along;                  /* the loops run in tiles of so many places of this dimension by v of the last; -1: no */
    mi_value *turned;                  /* a value of which the tile is turned in local memory; NULL: none */
    struct mi_coordinate turned_at[MI_MAX_RANK]; /* ... where it is read at these coordinates */
    int square;                        /* turned tiles are done in squares of so many places a side */
    const char *places;                /* how many of the v places there are: a number where it is always the same */
    size_t tile_scope[MI_MAX_PHYSICAL + 4];
    int tile_scopes;
    int *level, levels;                /* of each member: how many reductions stand before its result, itself included */
    mi_value *waiting, *waits_in;      /* a value that is kept in a result's place until that is computed; NULL: none */
    bool arrays;                       /* there are reductions by columns: v is bounded */
    bool taps;                         /* each place folds its few reduced ones by itself, written out */

    int period[MI_MAX_RANK];           /* of each kept axis: see mi_access; 0: none */
    bool periodic;                     /* some axis has one */

    struct mi_coordinate at[MI_MAX_RANK];      /* coordinates of the kept axes, once their loops are open */
    const char *real;                  /* condition that the place is inside the tensor; NULL: always */
    const char *reduced_at[MI_MAX_AXES];
};

/* ---- space.c: what a nest runs over ---- */

bool mi_nest_is_reduction(const struct mi_node *node);
/* Whether a value has the nest's full space, reduced axes and all. What has the kept shape is of the kept places, also where the
 * reduced axes have one place each. */
bool mi_nest_is_full(const struct mi_nest *s, const mi_value *value);
/* Whether the axes of a value of the full space or the kept shape are that one's, each in its place; otherwise axes of size 1 stand
 * elsewhere, or are left out. */
bool mi_nest_lines_up(const struct mi_nest *s, const mi_value *value);
/* Sets the axes that are kept and reduced, and the layout that loops over the kept ones follow. */
void mi_nest_divide(struct mi_nest *s);
/* The axes of the space that are kept, and those in the mask, which are reduced. */
void mi_nest_divide_space(struct mi_nest *s, uint32_t reduced);
/* Sets the dimensions of the loops: axes in the layout's order, then what lies inside its blocks. */
void mi_nest_set_physical(struct mi_nest *s);

/* ---- join.c ---- */

/* Joins neighbouring axes, all kept or all reduced, that every value of a nest either has or broadcasts over: fewer loops, longer
 * ones. Of (n, 4, 6) + (6) the first two become one, of n*4 places. */
void mi_nest_join(struct mi_nest *s);

/* ---- level.c: how many reductions stand before a result ---- */

/* Sets level and levels; false: no memory. */
bool mi_nest_set_levels(struct mi_nest *s);
/* How many reductions stand before what a member computes, itself included. */
int mi_nest_level(const struct mi_nest *s, const struct mi_node *node);
/* Whether so few places are reduced, a pool's window say, that the loops over them are best written out. */
bool mi_nest_folds_few(const struct mi_nest *s);
/* Whether all of the nest's folds are over few places and of one level, with nothing stored on the way: taps. */
bool mi_nest_folds_taps(struct mi_nest *s);

/* ---- tiles.c ---- */

/* A text for the tile's variable: an element of its array by columns. */
const char *mi_nest_slot(struct mi_nest *s, const char *name);
const char *mi_nest_and_also(struct mi_nest *s, const char *condition, const char *more);
/* How many neighbours along a dimension a tile has, and how many tiles are one piece, which an item does at once. */
int mi_nest_tile_width(const struct mi_nest *s, int d);
int mi_nest_tiles_of(const struct mi_nest *s, int d);
int mi_nest_width_of(const struct mi_nest *s, int d); /* of a piece, in places */
/* The number of the tile along a dimension. */
const char *mi_nest_tile(struct mi_nest *s, int d);
/* How many pieces the dimension has for the largest batch: the last one is cut into tiles. */
int64_t mi_nest_pieces(const struct mi_nest *s, int d);

/* ---- schedule.c ---- */

/* Decides how the loops run: all from by_rows to along. */
void mi_nest_choose_schedule(struct mi_nest *s);
/* A fixed grid: some items a compute unit on a CPU; on others one a tile, within bounds. */
struct mi_grid mi_nest_grid(const struct mi_nest *s);

/* ---- cross.c ---- */

/* Sets cross, and v and what else belongs to it where it is used. */
void mi_nest_choose_cross(struct mi_nest *s);
/* Turns a tile, once the loops over tiles are open. */
void mi_nest_turn(struct mi_nest *s);
/* Lets maps find what was turned, once the loop over places is open. */
void mi_nest_bind_turned(struct mi_nest *s);

/* ---- places.c: loops over the kept places, and coordinates ---- */

/* Marks the loop over neighbours that follows, where maps call functions and it is long enough: see MICA_PAIRS. */
void mi_nest_mark_pairs(struct mi_nest *s);
/* Declares the coordinates of axes that do (or do not) involve the last physical dimension. */
void mi_nest_coordinates(struct mi_nest *s, bool of_last);
/* Opens the loops over an item's tiles, and declares the coordinates that all places of a tile share. */
void mi_nest_open_tiles(struct mi_nest *s);
void mi_nest_close_tiles(struct mi_nest *s);
/* Opens the loop over the places of a tile; those from `from` to before `to`. */
size_t mi_nest_open_places(struct mi_nest *s);
size_t mi_nest_open_some(struct mi_nest *s, const char *from, const char *to);
/* Opens one place of a tile. */
size_t mi_nest_open_place(struct mi_nest *s, const char *v);
/* The coordinates of a value of the kept shape or the full space, axes of size 1 left out or put in as it has them. */
void mi_nest_value_at(struct mi_nest *s, const mi_value *value, struct mi_coordinate *at);

/* ---- period.c ---- */

/* Sets period. */
void mi_nest_find_periods(struct mi_nest *s);
/* Writes the loop over a tile's places, with what `body` writes inside, once for each place of a period; false: there is none, and
 * nothing is written. */
bool mi_nest_by_phases(struct mi_nest *s, void (*body)(struct mi_nest *s));

/* ---- split.c ---- */

/* Writes the loop over the places of a tile with what `body` writes inside, or several loops: cut where guards change, so that
 * most places ask none. */
void mi_nest_split_places(struct mi_nest *s, void (*body)(struct mi_nest *s));

/* ---- draw.c: random numbers of a tile, drawn together ---- */

/* Whether some map of the nest draws a number for each of a tile's places, which lie side by side. */
bool mi_nest_draws(const struct mi_nest *s);
/* Draws them, once the loops over tiles are open. */
void mi_nest_draw(struct mi_nest *s);

/* ---- waiting.c ---- */

/* Sets waiting and waits_in, once levels are known. */
void mi_nest_find_waiting(struct mi_nest *s);
/* Stores the waiting value at the open loops' place, where a fold of this level has just computed it. */
void mi_nest_store_waiting(struct mi_nest *s, int level);
/* Lets `result` find it there. */
void mi_nest_bind_waiting(struct mi_nest *s, const mi_value *result);

/* ---- store.c ---- */

/* Stores a value at the open loops' place, if `real` (NULL: always), or, rim, only the fill around it. */
void mi_nest_store(struct mi_nest *s, mi_value *value, const char *real, bool rim);
/* Stores, at the open loops' places, what a fold over reductions of this level knows: values of the level below. */
void mi_nest_store_early(struct mi_nest *s, int level);

/* ---- reduced.c ---- */

/* Loops over all reduced places in the lanes of the work-group, each the coordinates of one. */
size_t mi_nest_open_lanes(struct mi_nest *s);
void mi_nest_close_reduced(struct mi_nest *s, int leave, const size_t *scopes);

/* ---- taps.c ---- */

/* Asks for what the next tile's taps read: windows jump too much for a processor to guess it. */
void mi_nest_ask_taps(struct mi_nest *s);
/* Folds the taps of one place and binds their results. */
void mi_nest_fold_taps(struct mi_nest *s);

/* ---- fold.c ---- */

/* Runs every level of reductions and binds their results; not those of taps. */
void mi_nest_fold_levels(struct mi_nest *s);

/* ---- sweep.c ---- */

void mi_nest_store_kept(struct mi_nest *s);
/* Stores the others, and what lies around the early ones. */
void mi_nest_store_full(struct mi_nest *s);

#endif
