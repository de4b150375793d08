/* Nests: how the loops run, by columns or by rows, over how many places at once, and what is divided among work-items. */
#include "nest/inside.h"

enum {
    ITEMS_A_UNIT = 16, /* work-items a compute unit of a CPU, so that shares are even */
    STREAMS = 4,
    SHORT_ROW = 16,       /* so many vectors of partial results */
    MOST_APART = 4,       /* places at a row's end that are folded by themselves */
    LONGEST = 4096        /* neighbours that one loop computes; of short lists so few that those of all lengths share a program */
};

/* How many operands of a contraction lie side by side along this axis, less those that jump. */
static int contiguity(const struct mi_contraction *c, int axis)
{
    int score = 0;
    const struct mi_operand *operands[2] = {&c->a, &c->b};
    for (int o = 0; o < 2; o++) {
        int rank = operands[o]->value->shape.rank;
        for (int d = 0; d < rank; d++)
            for (int t = 0; t < operands[o]->index[d].terms; t++)
                if (operands[o]->index[d].axis[t] == axis && !mi_dim_is(operands[o]->value->shape.dim[d], 1))
                    score += d == rank - 1 && operands[o]->index[d].coefficient[t] == 1 ? 1 : -1;
    }
    return score;
}

/* By rows where the last reduced axis is long and lies side by side in memory. */
static bool wants_rows(const struct mi_nest *s)
{
    if (s->reductions == 0)
        return false;
    if (s->kept.rank == 0)
        return true;
    int64_t length = mi_dim_at(s->reduced[s->reductions - 1], s->e->batch), count = 1;
    for (int i = 0; i < s->reductions; i++)
        count *= mi_dim_at(s->reduced[i], s->e->batch);
    if (s->kernel->anchor) {
        const struct mi_index *last = &s->contraction.out.index[s->kept.rank - 1];
        int last_out = last->terms ? last->axis[last->terms - 1] : 0;
        int rows = contiguity(&s->contraction, s->contraction.axes - 1), columns = contiguity(&s->contraction, last_out);
        return length >= 8 && rows > columns;
    }
    if (s->layout.inners) /* the lanes of a block are kept places */
        return false;
    bool last_reduced = s->reduced_axis[s->reductions - 1] == s->space.rank - 1;
    return (last_reduced && length >= 16) || (!s->e->device->is_cpu && count >= 256 && last_reduced);
}

static int64_t power_below(int64_t x)
{
    int64_t power = 1;
    while (power * 2 <= x)
        power *= 2;
    return power;
}

/* On a CPU work-items divide only the outer dimensions, as many as make shares even; index arithmetic stands outside the
 * loops over the others. What runs once divides two where that gives each unit some, so that the sizes do not shape the code. */
static void choose_shared(struct mi_nest *s)
{
    int64_t units = (int64_t)s->e->device->info.compute_units;
    int64_t tiles = 1, enough = s->e->once ? units : 8 * ITEMS_A_UNIT * units;
    s->shared = s->dims;
    if (!s->e->device->is_cpu)
        return;
    for (s->shared = 0; s->shared < s->dims && (tiles < enough || (s->e->once && s->shared < 2)); s->shared++)
        tiles *= mi_nest_pieces(s, s->shared);
}

/* How many neighbours are folded together: as many as registers hold, or, down long columns, so many that memory is read
 * in long pieces and the partial results stay in the first cache; a share for each compute unit where there is one row. */
static int64_t most_columns(const struct mi_nest *s, int64_t last)
{
    const mica_device *device = s->e->device;
    int64_t width = device->vector_width, least = 4 * width, most = 128 * width, rows = 1;
    int64_t units = device->info.compute_units ? (int64_t)device->info.compute_units : 1;
    for (int d = 0; d < s->dims - 1; d++)
        rows *= mi_dim_at(s->physical[d].extent, s->e->batch);
    int64_t parts = rows >= units ? 1 : units;
    int64_t share = (last + parts - 1) / parts, pieces = (share + most - 1) / most;
    if (s->kernel->anchor || mi_dim_at(s->reduced[s->reductions - 1], s->e->batch) < 16 || share < least)
        return least;
    return (share + pieces * width - 1) / (pieces * width) * width;
}

/* By rows: so many partial results that the additions to each do not wait for one another. A power of two. */
static int64_t most_partial(const struct mi_nest *s)
{
    int64_t length = mi_dim_at(s->reduced[s->reductions - 1], s->e->batch), width = s->e->device->vector_width;
    return length >= 32 * width ? 8 * width : length >= 8 * width ? 4 * width : 2 * width;
}

/* One stream of memory does not fill a core's requests: so some places of an outer reduced axis, or rows that lie under one
 * another, are folded side by side. Where results are few they are kept apart, so that additions do not wait for one another. */
static void choose_streams(struct mi_nest *s)
{
    int64_t width = s->e->device->vector_width;
    int last = s->reductions - 1;
    s->streams = s->now = 1;
    s->stream = 0;
    s->apart = false;
    if (!s->e->device->is_cpu || s->kernel->anchor || last < 0 || s->taps || mi_nest_folds_few(s))
        return;
    bool wide = !s->by_rows && s->v > 2 * width;
    int first = wide ? last : 0, end = s->by_rows ? last : last + 1;
    for (int axis = first; axis < end && s->streams == 1; axis++)
        if (mi_dim_at(s->reduced[axis], s->e->batch) >= 2 * STREAMS) {
            s->streams = STREAMS;
            s->stream = axis;
        }
    s->apart = s->streams > 1 && !wide;
    if (s->apart && s->by_rows && s->v > width)
        s->v = (int)width;
}

/* A vector of partial results of which some were just stored one by one must wait for these: much in a short row. */
static void choose_tail(struct mi_nest *s)
{
    const struct mi_dim *last = &s->reduced[s->reductions > 0 ? s->reductions - 1 : 0];
    bool rows = s->e->device->is_cpu && s->by_rows && s->v > 1 && s->streams == 1 && last->a == 0;
    s->tail = rows && last->b < SHORT_ROW * s->v && last->b % s->v > 0 && last->b % s->v <= MOST_APART;
}

/* For all sizes the same: rows where the last axis is reduced, in as many partial results as do not wait for one another. */
static void choose_alike(struct mi_nest *s)
{
    const mica_device *device = s->e->device;
    int64_t group = (int64_t)device->info.largest_work_group, width = device->is_cpu ? device->vector_width : 1;
    s->by_rows = s->reductions > 0 && s->reduced_axis[s->reductions - 1] == s->space.rank - 1;
    s->arrays = s->reductions > 0 && !s->by_rows;
    s->lanes = s->by_rows && !device->is_cpu ? (int)power_below(group < 128 ? group : 128) : 1;
    s->v = !device->is_cpu ? 1 : s->reductions > 0 ? 4 * (int)width : LONGEST;
    s->streams = s->now = 1;
    s->cross = -1;
    s->shared = s->dims;
}

void mi_nest_choose_schedule(struct mi_nest *s)
{
    const mica_device *device = s->e->device;
    if (s->e->alike) {
        choose_alike(s);
        return;
    }
    int64_t last = mi_dim_at(s->physical[s->dims - 1].extent, s->e->batch), count = 1;
    for (int i = 0; i < s->reductions; i++)
        count *= mi_dim_at(s->reduced[i], s->e->batch);
    s->by_rows = wants_rows(s);
    s->taps = mi_nest_folds_taps(s);
    /* Compilers see neighbours in sums of 64 bits alone, which they need not widen. */
    s->e->wide = s->e->wide || ((s->taps || s->periodic) && !device->quirks.spoils_long_indices);
    s->arrays = s->reductions > 0 && !s->by_rows && !s->taps;
    s->lanes = 1;
    if (!device->is_cpu) {
        int64_t most = (int64_t)device->info.largest_work_group;
        if (s->by_rows && count >= 64)
            s->lanes = (int)power_below(most < 128 ? most : 128);
        s->v = 1;
    } else if (s->by_rows) {
        s->v = count < 8 ? 1 : (int)most_partial(s);
    } else {
        int64_t most = s->arrays ? most_columns(s, last) : mi_nest_draws(s) ? MI_DRAWN : LONGEST;
        if (most == LONGEST && s->dims == 1 && last <= LONGEST && last % device->vector_width == 0)
            most = device->vector_width;
        s->v = (int)(last < 1 ? 1 : last < most ? last : most);
    }
    if (s->by_rows && device->is_cpu)
        s->lanes = 1;
    choose_streams(s);
    choose_tail(s);
    mi_nest_choose_cross(s);
    choose_shared(s);
}

/* A fixed grid: some items a compute unit on a CPU; on others one a tile, within bounds. */
struct mi_grid mi_nest_grid(const struct mi_nest *s)
{
    const mica_device *device = s->e->device;
    int64_t tiles = 1;
    for (int d = 0; d < s->shared; d++)
        tiles *= mi_nest_pieces(s, d);
    int64_t most = device->is_cpu ? ITEMS_A_UNIT * (int64_t)device->info.compute_units : 65535, local = 1;
    if (s->lanes > 1)
        local = s->lanes;
    else if (!device->is_cpu)
        local = power_below(device->info.largest_work_group < 64 ? (int64_t)device->info.largest_work_group : 64);
    int64_t groups = s->lanes > 1 ? tiles : mi_divide_up(tiles, local);
    if (groups > most)
        groups = most;
    struct mi_grid grid = {.dims = 1, .global = {(size_t)(groups * local)}, .local = {(size_t)local}};
    grid.fixed = s->lanes > 1;
    return grid;
}
