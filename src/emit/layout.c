#include "emit/layout.h"

#include <string.h>

struct mi_layout mi_layout_plain(int rank)
{
    struct mi_layout layout = {0};
    for (int i = 0; i < rank; i++) {
        layout.order[i] = (int8_t)i;
        layout.block[i] = 1;
    }
    return layout;
}

struct mi_layout mi_layout_blocked(int rank, int axis, int block)
{
    struct mi_layout layout = mi_layout_plain(rank);
    layout.block[axis] = (int16_t)block;
    layout.inner[0] = (int8_t)axis;
    layout.inners = 1;
    return layout;
}

bool mi_layout_equal(const struct mi_layout *x, const struct mi_layout *y, int rank)
{
    for (int i = 0; i < rank; i++)
        if (x->order[i] != y->order[i] || x->block[i] != y->block[i] || x->low[i] != y->low[i] || x->high[i] != y->high[i])
            return false;
    bool same_fill = memcmp(&x->fill, &y->fill, sizeof x->fill) == 0;
    return same_fill && x->inners == y->inners && memcmp(x->inner, y->inner, (size_t)x->inners) == 0;
}

bool mi_layout_is_plain(const struct mi_layout *layout, int rank)
{
    struct mi_layout plain = mi_layout_plain(rank);
    plain.fill = layout->fill;
    return mi_layout_equal(layout, &plain, rank);
}

struct mi_dim mi_layout_outer(const struct mi_layout *layout, const struct mi_shape *shape, int axis)
{
    struct mi_dim dim = shape->dim[axis];
    int block = layout->block[axis];
    if (block > 1)
        return mi_fixed(mi_divide_up(dim.b, block));
    return (struct mi_dim){dim.a, dim.b + layout->low[axis] + layout->high[axis]};
}

bool mi_layout_extends(const struct mi_layout *layout, const struct mi_shape *shape, int axis)
{
    return layout->low[axis] || layout->high[axis] || shape->dim[axis].b % layout->block[axis];
}

int64_t mi_layout_count(const struct mi_layout *layout, const struct mi_shape *shape, int64_t n)
{
    struct mi_shape physical = {.rank = shape->rank};
    int64_t inner = 1;
    for (int i = 0; i < shape->rank; i++) {
        if (mi_dim_at(shape->dim[i], n) == 0)
            return 0;
        physical.dim[i] = mi_layout_outer(layout, shape, i);
        inner *= layout->block[i];
    }
    int64_t count = mi_shape_count(&physical, n);
    return count < 0 || count > INT64_MAX / 16 / inner ? -1 : count * inner;
}

const char *mi_dim_code(struct mi_arena *arena, struct mi_dim dim)
{
    if (dim.a == 0)
        return mi_arena_format(arena, "@%lld", (long long)dim.b);
    if (dim.a == 1 && dim.b == 0)
        return "n";
    if (dim.b == 0)
        return mi_arena_format(arena, "(@%lld*n)", (long long)dim.a);
    return mi_arena_format(arena, "(@%lld*n + @%lld)", (long long)dim.a, (long long)dim.b);
}

/* Block and place in it of a coordinate, which is not negative. Most blocks are powers of two: then nothing is divided. LLVM 18,
 * with which Debian builds POCL, ends the process over some quotients and rests of one number in vectors. */
static const char *block_of(struct mi_arena *arena, const char *at, int block)
{
    int shift = 0;
    while (1 << shift < block)
        shift++;
    return 1 << shift == block ? mi_arena_format(arena, "((%s) >> %d)", at, shift)
                               : mi_arena_format(arena, "(%s)/%d", at, block);
}

static const char *place_in_block(struct mi_arena *arena, const char *at, int block)
{
    return block & (block - 1) ? mi_arena_format(arena, "(%s)%%%d", at, block)
                               : mi_arena_format(arena, "((%s) & %d)", at, block - 1);
}

static const char *outer_part(struct mi_arena *arena, const struct mi_layout *layout, int axis, const struct mi_coordinate *at)
{
    int block = layout->block[axis];
    if (block > 1)
        return at->outer && at->block == block ? at->outer : block_of(arena, at->at, block);
    /* In blocks also where there is none: a kernel may take its width as an argument. */
    bool wide = layout->low[axis] || (layout->inners > 0 && axis >= 2);
    return wide ? mi_arena_format(arena, "(%s + @%d)", at->at, layout->low[axis]) : at->at;
}

const char *mi_layout_place(struct mi_arena *arena, const struct mi_layout *layout, const struct mi_shape *shape,
                            const struct mi_coordinate *at)
{
    const char *place = NULL;
    for (int k = 0; k < shape->rank; k++) {
        int axis = layout->order[k];
        struct mi_dim extent = mi_layout_outer(layout, shape, axis);
        if (mi_dim_is(extent, 1) && layout->block[axis] == 1)
            continue;
        const char *part = outer_part(arena, layout, axis, &at[axis]);
        place = place ? mi_arena_format(arena, "(%s)*%s + %s", place, mi_dim_code(arena, extent), part) : part;
    }
    for (int k = 0; k < layout->inners; k++) {
        int axis = layout->inner[k], block = layout->block[axis];
        const char *part = at[axis].inner && at[axis].block == block ? at[axis].inner
                                                                     : place_in_block(arena, at[axis].at, block);
        place = place ? mi_arena_format(arena, "(%s)*%d + %s", place, block, part) : part;
    }
    return place ? place : "0";
}

const char *mi_layout_text(struct mi_arena *arena, const struct mi_layout *layout, int rank)
{
    if (mi_layout_is_plain(layout, rank))
        return "plain";
    const char *text = "";
    for (int k = 0; k < rank; k++) {
        int axis = layout->order[k];
        text = mi_arena_format(arena, "%s%s%d", text, k ? "," : "", axis);
        if (layout->low[axis] || layout->high[axis])
            text = mi_arena_format(arena, "%s[%d+%d]", text, layout->low[axis], layout->high[axis]);
    }
    for (int k = 0; k < layout->inners; k++)
        text = mi_arena_format(arena, "%s,%d in blocks of %d", text, layout->inner[k], layout->block[layout->inner[k]]);
    return text;
}
