/* Nests: one kernel for maps, moves and the reductions that share its index space.
 *
 * The kept axes (all, where nothing is reduced) are divided into tiles of V neighbours along the last physical dimension.
 * A tile is the work of one item: for each level of reductions it runs over the reduced axes, then it stores. Two ways:
 *
 *   by columns   every variable of a tile is an array over its V places, and the loop over them is innermost: neighbours
 *                along the last kept axis are read together. Also for plain maps.
 *                Where few places are reduced, a pool's window say, each place folds its own in registers (taps).
 *   by rows      one place a tile; the innermost loop runs along the last reduced axis, in V partial results on a CPU and
 *                in the lanes of a work-group on others, which are merged at the end.
 *
 * The order of a sum depends on the shape and the device alone, so that results are the same on every run. */
#include "engines/nest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MI_ITEMS_A_UNIT = 16, /* work-items a compute unit of a CPU, so that shares are even */
    STREAMS = 4,
    SHORT_ROW = 16,       /* so many vectors of partial results */
    MOST_APART = 4        /* places at a row's end that are folded by themselves */
};

/* ---- What the nest runs over ---- */

bool mi_nest_is_reduction(const struct mi_node *node)
{
    return node->op->kind == MI_REDUCE || node->op->kind == MI_CONTRACT;
}

bool mi_nest_is_full(const struct mi_nest *s, const mi_value *value)
{
    return s->reductions > 0 && s->kernel->anchor == NULL && mi_same_but_ones(&value->shape, &s->kernel->space);
}

bool mi_nest_lines_up(const struct mi_nest *s, const mi_value *value)
{
    return mi_shape_equal(&value->shape, mi_nest_is_full(s, value) ? &s->kernel->space : &s->kept);
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

/* The axes of the space that are kept, and those in the mask, which are reduced. */
static void divide_space(struct mi_nest *s, uint32_t reduced)
{
    s->kept.rank = s->reductions = 0;
    for (int i = 0; i < s->space.rank; i++) {
        if (reduced & 1u << i) {
            s->reduced[s->reductions] = s->space.dim[i];
            s->reduced_axis[s->reductions++] = i;
        } else {
            s->kept_axis[s->kept.rank] = i;
            s->kept.dim[s->kept.rank++] = s->space.dim[i];
        }
    }
}

static void set_kept(struct mi_nest *s)
{
    const struct mi_kernel *k = s->kernel;
    if (k->anchor) {
        s->kept = k->anchor->out[0]->shape;
        s->reductions = s->contraction.axes - s->contraction.out_axes;
        for (int i = 0; i < s->reductions; i++)
            s->reduced[i] = s->contraction.extent[s->contraction.out_axes + i];
        return;
    }
    s->space = k->space;
    divide_space(s, k->axes);
}

/* Widens a layout so that its places include those of another. */
static void include(struct mi_layout *all, const struct mi_layout *more, int axis, int more_axis)
{
    if (more->block[more_axis] > 1 && all->block[axis] == 1) {
        all->block[axis] = more->block[more_axis];
        all->inner[all->inners++] = (int8_t)axis;
    }
    if (more->low[more_axis] > all->low[axis])
        all->low[axis] = more->low[more_axis];
    if (more->high[more_axis] > all->high[axis])
        all->high[axis] = more->high[more_axis];
}

/* The loops run over every place of whatever is stored, of the kept shape or of the full space. */
static void set_layout(struct mi_nest *s)
{
    s->layout = mi_layout_plain(s->kept.rank);
    s->full = mi_layout_plain(s->kernel->space.rank);
    for (int i = 0; i < s->kernel->outs; i++) {
        const mi_value *value = s->kernel->out[i];
        const struct mi_layout *layout = &s->e->tensors[value->id].layout;
        bool full = mi_nest_is_full(s, value);
        if (mi_layout_is_plain(layout, value->shape.rank) || !mi_nest_lines_up(s, value))
            continue;
        bool first = mi_layout_is_plain(&s->layout, s->kept.rank);
        if (!full && first)
            memcpy(s->layout.order, layout->order, sizeof layout->order);
        for (int a = 0; a < s->kept.rank; a++)
            include(&s->layout, layout, a, full ? s->kept_axis[a] : a);
        if (full)
            for (int a = 0; a < s->kernel->space.rank; a++)
                include(&s->full, layout, a, a);
        if (!full && first) /* blocks inside blocks, as in packed weights, in their own order */
            memcpy(s->layout.inner, layout->inner, sizeof layout->inner);
    }
}

static bool is_made_here(const struct mi_kernel *k, const mi_value *value)
{
    for (int m = 0; m < k->count; m++)
        if (k->nodes[m] == value->node)
            return true;
    return false;
}

/* A reduction of blocked tensors, or of what maps make of them as they are read, runs over the blocks too, so that neighbours
 * are read together. */
static void follow_inputs(struct mi_nest *s)
{
    const struct mi_kernel *k = s->kernel;
    if (k->anchor || !s->reductions || !mi_layout_is_plain(&s->layout, s->kept.rank))
        return;
    for (int m = 0; m < k->count; m++)
        for (int i = 0; i < k->nodes[m]->inputs; i++) {
            const mi_value *value = k->nodes[m]->in[i];
            if (!value || is_made_here(k, value) || !mi_shape_equal(&value->shape, &k->space))
                continue;
            const struct mi_layout *layout = &s->e->tensors[value->id].layout;
            for (int a = 0; a < s->kept.rank && s->layout.inners == 0; a++)
                if (layout->block[s->kept_axis[a]] > 1) {
                    s->layout.block[a] = layout->block[s->kept_axis[a]];
                    s->layout.inner[s->layout.inners++] = (int8_t)a;
                }
        }
}

static void set_physical(struct mi_nest *s)
{
    for (int k = 0; k < s->kept.rank; k++) {
        int axis = s->layout.order[k];
        s->physical[s->dims].axis = axis;
        s->physical[s->dims++].extent = mi_layout_outer(&s->layout, &s->kept, axis);
    }
    for (int k = 0; k < s->layout.inners; k++) {
        s->physical[s->dims].axis = s->layout.inner[k];
        s->physical[s->dims].inner = true;
        s->physical[s->dims++].extent = mi_fixed(s->layout.block[s->layout.inner[k]]);
    }
    if (s->dims == 0) { /* a scalar: one place */
        s->physical[0].axis = -1;
        s->physical[s->dims++].extent = mi_fixed(1);
    }
}

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
    int64_t tiles = 1, enough = s->e->once ? units : 8 * MI_ITEMS_A_UNIT * units;
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

enum { LONGEST = 4096 }; /* neighbours that one loop computes; of short lists so few that those of all lengths share a program */

static void choose_schedule(struct mi_nest *s)
{
    const mica_device *device = s->e->device;
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

/* ---- The kernel ---- */

/* A fixed grid: some items a compute unit on a CPU; on others one a tile, within bounds. */
static struct mi_grid grid_of(const struct mi_nest *s)
{
    const mica_device *device = s->e->device;
    int64_t tiles = 1;
    for (int d = 0; d < s->shared; d++)
        tiles *= mi_nest_pieces(s, d);
    int64_t most = device->is_cpu ? MI_ITEMS_A_UNIT * (int64_t)device->info.compute_units : 65535, local = 1;
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

/* Cuts between axes of which the value, of this shape, has one and not the other. An axis of one place on both sides says nothing:
 * each is compared with the last one that does. */
static void cut_where_they_differ(const struct mi_nest *s, const struct mi_shape *shape, const bool *has, uint32_t *cut)
{
    int lead = s->space.rank - shape->rank, last = -1;
    for (int axis = 0; axis < s->space.rank; axis++) {
        if (mi_dim_is(s->space.dim[axis], 1) && (axis < lead || mi_dim_is(shape->dim[axis - lead], 1)))
            continue;
        if (last >= 0 && has[last] != has[axis])
            *cut |= 1u << axis;
        last = axis;
    }
}

/* A move that reads, along each axis, either the place that it makes or the first one. */
static bool cut_move(const struct mi_nest *s, const struct mi_node *node, uint32_t *cut)
{
    const mi_value *out = node->out[0];
    const char *at[MI_MAX_RANK];
    bool has[MI_MAX_RANK] = {false};
    for (int d = 0; d < out->shape.rank; d++)
        at[d] = mi_arena_format(s->e->arena, "k%d", d);
    struct mi_access *access = mi_arena_new(s->e->arena, (size_t)node->inputs + 2, sizeof *access);
    if (!access || out->shape.rank != s->space.rank || node->op->move(s->e->arena, node, at, access) != 1 || access->guard ||
        access->value->shape.rank != s->space.rank || !s->e->tensors[access->value->id].stored ||
        !mi_layout_is_plain(&s->e->tensors[access->value->id].layout, s->space.rank))
        return false;
    for (int d = 0; d < s->space.rank; d++) {
        has[d] = strcmp(access->index[d], at[d]) == 0 && mi_dim_equal(access->value->shape.dim[d], s->space.dim[d]);
        if (!has[d] && strcmp(access->index[d], "0") != 0)
            return false;
    }
    cut_where_they_differ(s, &access->value->shape, has, cut);
    return true;
}

/* Marks the axes at which the loops must stay apart for this value: it has the one and broadcasts over the other. False: it, or
 * what it is made of where the kernel computes it in passing, cannot be reached by joined axes. */
static bool cut_axes(const struct mi_nest *s, const mi_value *value, uint32_t *cut, int depth)
{
    const struct mi_emitter *e = s->e;
    int rank = s->space.rank;
    if (!value || value->node->op == &mi_op_constant)
        return true;
    bool member = e->home[value->node->id] == e->self, stored = e->tensors[value->id].stored;
    if (!member && !stored && value->node->op->kind == MI_MOVE)
        return cut_move(s, value->node, cut);
    if (!member && !stored) {
        bool inside = depth < 8 && value->node->op->kind == MI_MAP && !mi_names_coordinates(value->node);
        for (int i = 0; i < value->node->inputs && inside; i++)
            inside = cut_axes(s, value->node->in[i], cut, depth + 1);
        if (!inside)
            return false;
    }
    if (value->shape.rank > rank || !mi_layout_is_plain(&e->tensors[value->id].layout, value->shape.rank))
        return false;
    bool has[MI_MAX_RANK] = {false};
    for (int d = 0, axis = rank - value->shape.rank; d < value->shape.rank; d++, axis++) {
        has[axis] = !mi_dim_is(value->shape.dim[d], 1);
        if (has[axis] && !mi_dim_equal(value->shape.dim[d], s->space.dim[axis]))
            return false;
    }
    cut_where_they_differ(s, &value->shape, has, cut);
    return true;
}

/* Whether a result of a nest with reductions lines up with its space, axis by axis: it is all there, or its reduced axes are left
 * as ones. */
static bool lines_up(const struct mi_nest *s, const mi_value *value)
{
    bool full = value->shape.rank == s->space.rank, kept = full;
    for (int axis = 0; axis < s->space.rank && (full || kept); axis++) {
        full = full && mi_dim_equal(value->shape.dim[axis], s->space.dim[axis]);
        kept = kept && (!(s->kernel->axes >> axis & 1) || mi_dim_is(value->shape.dim[axis], 1));
    }
    return full || kept || value->shape.rank == 0;
}

/* Where axes of the space must stay apart; all of it, where they cannot be joined. */
static uint32_t find_cuts(const struct mi_nest *s)
{
    const struct mi_kernel *k = s->kernel;
    uint32_t cut = 0;
    for (int axis = 1; axis < s->space.rank; axis++)
        if ((k->axes >> axis & 1) != (k->axes >> (axis - 1) & 1))
            cut |= 1u << axis;
    for (int m = 0; m < k->count; m++) {
        const struct mi_node *node = k->nodes[m];
        if ((node->op->kind != MI_MAP && node->op->kind != MI_REDUCE) ||
            (node->op->kind == MI_MAP && mi_names_coordinates(node)))
            return UINT32_MAX;
        for (int o = 0; o < node->outputs && s->reductions; o++)
            if (!lines_up(s, node->out[o]))
                return UINT32_MAX;
        for (int i = 0; i < node->inputs + node->outputs; i++)
            if (!cut_axes(s, i < node->inputs ? node->in[i] : node->out[i - node->inputs], &cut, 0))
                return UINT32_MAX;
    }
    return cut;
}

/* Joins neighbouring axes, all kept or all reduced, that every value of a nest either has or broadcasts over: fewer loops, longer
 * ones. */
static void join_axes(struct mi_nest *s)
{
    struct mi_emitter *e = s->e;
    int rank = s->space.rank;
    uint32_t cut = UINT32_MAX, reduced = 0;
    if (!s->kernel->anchor && rank >= 2 && mi_layout_is_plain(&s->layout, s->kept.rank) && mi_layout_is_plain(&s->full, rank))
        cut = find_cuts(s);
    if (cut == UINT32_MAX)
        return;
    struct mi_dim product;
    e->groups = 0;
    e->full_rank = rank;
    e->first[0] = 0;
    for (int axis = 1; axis < rank; axis++)
        if (cut & 1u << axis || !mi_shape_product(&s->space, e->first[e->groups], axis + 1, &product))
            e->first[++e->groups] = axis;
    e->first[++e->groups] = rank;
    struct mi_shape joined = {.rank = e->groups};
    for (int g = 0; g < e->groups; g++) {
        mi_shape_product(&s->space, e->first[g], e->first[g + 1], &joined.dim[g]);
        reduced |= (s->kernel->axes >> e->first[g] & 1) << g;
    }
    s->space = joined;
    s->full = mi_layout_plain(joined.rank);
    divide_space(s, reduced);
    s->layout = mi_layout_plain(s->kept.rank);
}

mica_status mi_emit_nest(struct mi_emitter *e, struct mi_codes *codes)
{
    struct mi_nest s = {.e = e, .kernel = e->kernel};
    if (e->kernel->anchor)
        MI_TRY(e->kernel->anchor->op->contract(e->kernel->anchor, &s.contraction));
    e->indent = 1;
    if (e->flat) {
        s.kept = s.space = (struct mi_shape){.rank = 1, .dim = {mi_fixed(e->flat)}};
        s.layout = mi_layout_plain(1);
        e->groups = 1;
    } else {
        set_kept(&s);
        set_layout(&s);
        follow_inputs(&s);
        join_axes(&s);
    }
    set_physical(&s);
    mi_nest_find_periods(&s);
    choose_schedule(&s);
    if (e->device->is_cpu && s.physical[s.dims - 1].inner)
        e->along = mi_arena_format(e->arena, "k%d", s.physical[s.dims - 1].axis);
    /* A compiler proves of long indices alone that neighbours lie side by side; no index is computed for a number here. */
    e->wide = e->wide || (e->device->is_cpu && s.by_rows && e->groups > 0);
    mi_nest_open_tiles(&s);
    mi_nest_draw(&s);
    mi_nest_fold_levels(&s);
    mi_nest_store_kept(&s);
    mi_nest_store_full(&s);
    if (s.lanes > 1)
        mi_line(e, "barrier(CLK_LOCAL_MEM_FENCE);");
    mi_nest_close_tiles(&s);
    struct mi_code *code = mi_code_add(e, codes);
    if (!code)
        return e->error->status;
    code->grid = grid_of(&s);
    const struct mi_node *named = e->kernel->anchor ? e->kernel->anchor : e->kernel->nodes[0];
    const char *turn = s.turned ? mi_kernel_text("nest_turn.cl") : "";
    if (!turn)
        return mi_fail(e->error, MICA_INTERNAL, "there is no kernel file \"nest_turn.cl\"");
    mi_emit_finish(e, mi_arena_format(e->arena, "mica_%s", named->op->name), turn, code);
    return e->error->status;
}
