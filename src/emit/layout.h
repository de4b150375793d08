/* How a tensor lies in memory. Users see row-major only; the compiler chooses.
 *
 * Physical dimensions: the logical axes in the order `order`, each divided by its block, with `low` and `high` places of
 * padding around (unblocked axes only); then one dimension of size block[axis] for each axis in `inner`. The blocked image
 * layout of a device with 8 lanes is order (N, C, H, W), block 8 on C, a halo on H and W:  (N, C/8, low+H+high, low+W+high, 8).
 * Places outside the tensor hold `fill`; whoever stores the tensor writes them on every step. */
#ifndef MICA_SRC_LAYOUT_H
#define MICA_SRC_LAYOUT_H

#include "graph/graph.h"

struct mi_layout {
    int8_t order[MI_MAX_RANK];
    int16_t block[MI_MAX_RANK];             /* per logical axis; 1: not blocked */
    int16_t low[MI_MAX_RANK], high[MI_MAX_RANK];
    int8_t inner[2];                        /* blocked axes, outermost first */
    int inners;
    float fill;
};

struct mi_layout mi_layout_plain(int rank);
/* Axis `axis` in blocks of `block`, which become the innermost dimension. */
struct mi_layout mi_layout_blocked(int rank, int axis, int block);
bool mi_layout_is_plain(const struct mi_layout *layout, int rank);
bool mi_layout_equal(const struct mi_layout *x, const struct mi_layout *y, int rank);

/* The extent of an axis's outer physical dimension: its size over the block, rounded up, and the padding. An axis that
 * depends on n must not be blocked. */
struct mi_dim mi_layout_outer(const struct mi_layout *layout, const struct mi_shape *shape, int axis);
/* Elements in memory for a batch of n; -1 on overflow. */
int64_t mi_layout_count(const struct mi_layout *layout, const struct mi_shape *shape, int64_t n);
/* Whether there are places outside the tensor along an axis. */
bool mi_layout_extends(const struct mi_layout *layout, const struct mi_shape *shape, int axis);

/* The place of an element, as a C expression of its coordinates' expressions. `outer` and `inner`, where not NULL, give
 * the two parts of a blocked coordinate that a loop already holds apart. */
struct mi_coordinate {
    const char *at;                         /* the logical coordinate */
    const char *outer, *inner;              /* at == outer * block + inner; NULL: not held apart */
    int block;
};
/* A dimension as such an expression. Its sizes are marked, "@56": finish.c makes arguments of them. */
const char *mi_dim_code(struct mi_arena *arena, struct mi_dim dim);
const char *mi_layout_place(struct mi_arena *arena, const struct mi_layout *layout, const struct mi_shape *shape,
                            const struct mi_coordinate *at);
const char *mi_layout_text(struct mi_arena *arena, const struct mi_layout *layout, int rank); /* for inspect: "NCHW8c+1" */

#endif
