/* Nests: one kernel for maps, moves and the reductions that share its index space.
 *
 * The kept axes (all, where nothing is reduced) are divided into tiles of V neighbours along the last physical dimension.
 * A tile is the work of one item: for each level of reductions it runs over the reduced axes, then it stores. Two ways:
 *
 *   by columns   every variable of a tile is an array over its V places, and the loop over them is innermost: neighbours
 *                along the last kept axis are read together. Also for plain maps.
 *   by rows      one place a tile; the innermost loop runs along the last reduced axis, in V partial results on a CPU and
 *                in the lanes of a work-group on others, which are merged at the end.
 *
 * The order of a sum depends on the shape and the device alone, so that results are the same on every run. */
#include "engines/emit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PHYSICAL = MI_MAX_RANK + 2 };

struct nest {
    struct mi_emitter *e;
    const struct mi_kernel *kernel;
    struct mi_contraction contraction; /* where kernel->anchor is one */
    struct mi_shape kept;              /* kept axes, and the layout their places follow */
    struct mi_layout layout;
    int kept_axis[MI_MAX_RANK];        /* axis of the space that each kept axis is; of no meaning to contractions */
    struct mi_dim reduced[MI_MAX_AXES]; /* extents of the reduced axes */
    int reduced_axis[MI_MAX_AXES], reductions;
    struct mi_layout full;             /* layout of stored values of the full space */

    struct { int axis; bool inner; struct mi_dim extent; } physical[MAX_PHYSICAL];
    int dims;
    bool by_rows;
    int lanes;                         /* work-items that share a tile */
    int v;                             /* places of a tile (by columns) or partial results (by rows) */
    bool arrays;                       /* there are reductions by columns: v is bounded */

    struct mi_coordinate at[MI_MAX_RANK];      /* coordinates of the kept axes, once their loops are open */
    const char *real;                  /* condition that the place is inside the tensor; NULL: always */
    const char *reduced_at[MI_MAX_AXES];
};

/* ---- What the nest runs over ---- */

static bool is_reduction(const struct mi_node *node)
{
    return node->op->kind == MI_REDUCE || node->op->kind == MI_CONTRACT;
}

static bool is_full(const struct nest *s, const mi_value *value)
{
    return s->reductions > 0 && s->kernel->anchor == NULL && mi_same_but_ones(&value->shape, &s->kernel->space);
}

static void set_kept(struct nest *s)
{
    const struct mi_kernel *k = s->kernel;
    if (k->anchor) {
        s->kept = k->anchor->out[0]->shape;
        s->reductions = s->contraction.axes - s->contraction.out_axes;
        for (int i = 0; i < s->reductions; i++)
            s->reduced[i] = s->contraction.extent[s->contraction.out_axes + i];
        return;
    }
    for (int i = 0; i < k->space.rank; i++) {
        if (k->axes & 1u << i) {
            s->reduced[s->reductions] = k->space.dim[i];
            s->reduced_axis[s->reductions++] = i;
        } else {
            s->kept_axis[s->kept.rank] = i;
            s->kept.dim[s->kept.rank++] = k->space.dim[i];
        }
    }
}

/* The kept axes' layout follows what is stored: a value of the kept shape, or of the full space. */
static void set_layout(struct nest *s)
{
    s->layout = mi_layout_plain(s->kept.rank);
    s->full = mi_layout_plain(s->kernel->space.rank);
    for (int i = 0; i < s->kernel->outs; i++) {
        const mi_value *value = s->kernel->out[i];
        const struct mi_layout *layout = &s->e->tensors[value->id].layout;
        if (mi_layout_is_plain(layout, value->shape.rank))
            continue;
        if (!is_full(s, value)) {
            if (value->shape.rank == s->kept.rank)
                s->layout = *layout;
            continue;
        }
        s->full = *layout;
        struct mi_layout kept = mi_layout_plain(s->kept.rank);
        for (int a = 0; a < s->kept.rank; a++) {
            int axis = s->kept_axis[a];
            kept.block[a] = layout->block[axis];
            kept.low[a] = layout->low[axis];
            kept.high[a] = layout->high[axis];
            if (kept.block[a] > 1)
                kept.inner[kept.inners++] = (int8_t)a;
        }
        s->layout = kept;
    }
}

/* A reduction of blocked tensors runs over the blocks too, so that neighbours are read together. */
static void follow_inputs(struct nest *s)
{
    const struct mi_kernel *k = s->kernel;
    if (k->anchor || !s->reductions || !mi_layout_is_plain(&s->layout, s->kept.rank))
        return;
    for (int m = 0; m < k->count; m++)
        for (int i = 0; i < k->nodes[m]->inputs; i++) {
            const mi_value *value = k->nodes[m]->in[i];
            if (!value || !s->e->tensors[value->id].stored || !mi_shape_equal(&value->shape, &k->space))
                continue;
            const struct mi_layout *layout = &s->e->tensors[value->id].layout;
            for (int a = 0; a < s->kept.rank && s->layout.inners == 0; a++)
                if (layout->block[s->kept_axis[a]] > 1) {
                    s->layout.block[a] = layout->block[s->kept_axis[a]];
                    s->layout.inner[s->layout.inners++] = (int8_t)a;
                }
        }
}

static void set_physical(struct nest *s)
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
static bool wants_rows(const struct nest *s)
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
    bool last_reduced = s->reduced_axis[s->reductions - 1] == s->kernel->space.rank - 1;
    return (last_reduced && length >= 16) || (!s->e->device->is_cpu && count >= 256 && last_reduced);
}

static int64_t power_below(int64_t x)
{
    int64_t power = 1;
    while (power * 2 <= x)
        power *= 2;
    return power;
}

static void choose_schedule(struct nest *s)
{
    const mica_device *device = s->e->device;
    int64_t last = mi_dim_at(s->physical[s->dims - 1].extent, s->e->batch), count = 1;
    for (int i = 0; i < s->reductions; i++)
        count *= mi_dim_at(s->reduced[i], s->e->batch);
    s->by_rows = wants_rows(s);
    s->arrays = s->reductions > 0 && !s->by_rows;
    s->lanes = 1;
    if (!device->is_cpu) {
        int64_t most = (int64_t)device->info.largest_work_group;
        if (s->by_rows && count >= 64)
            s->lanes = (int)power_below(most < 128 ? most : 128);
        s->v = 1;
    } else if (s->by_rows) {
        s->v = count < 8 ? 1 : 2 * device->vector_width;
    } else {
        int64_t most = s->arrays ? 4 * device->vector_width : 4096;
        s->v = (int)(last < 1 ? 1 : last < most ? last : most);
    }
    if (s->by_rows && device->is_cpu)
        s->lanes = 1;
}

/* ---- Coordinates ---- */

/* A text for the tile's variable: an element of its array by columns. */
static const char *slot(struct nest *s, const char *name)
{
    return s->arrays ? mi_arena_format(s->e->arena, "%s[v]", name) : name;
}

static const char *and_also(struct nest *s, const char *condition, const char *more)
{
    return condition ? mi_arena_format(s->e->arena, "%s && %s", condition, more) : more;
}

/* Declares the coordinate of one kept axis from its physical parts, kept inside the tensor. */
static void coordinate(struct nest *s, int axis, const char *outer, const char *inner)
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
        const char *size = mi_dim_text(e->arena, s->kept.dim[axis]);
        mi_line(e, "const IDX e%d = %s, %s = clamp(e%d, (IDX)0, (IDX)(%s - 1));", axis, at, name, axis, size);
        mi_line(e, "const bool b%d = e%d == %s;", axis, axis, name);
        s->real = and_also(s, s->real, mi_arena_format(e->arena, "b%d", axis));
        made.at = name;
    }
    s->at[axis] = made;
}

/* Declares the coordinates of axes that do (or do not) involve the last physical dimension. */
static void coordinates(struct nest *s, bool of_last)
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

/* Opens the loop over the places of a tile. */
static size_t open_places(struct nest *s)
{
    struct mi_emitter *e = s->e;
    int last = s->dims - 1;
    size_t scope;
    if (s->by_rows || s->v == 1) {
        scope = mi_scope_open(e, "%s", "");
        mi_line(e, "const int v = 0;");
    } else
        scope = mi_scope_open(e, "for (int v = 0; v < places; v++) ");
    mi_line(e, "const IDX m%d = first + v;", last);
    s->real = NULL;
    coordinates(s, true);
    for (int axis = 0; axis < s->kept.rank; axis++)
        if (axis != s->physical[last].axis && mi_layout_extends(&s->layout, &s->kept, axis))
            s->real = and_also(s, s->real, mi_arena_format(e->arena, "b%d", axis));
    return scope;
}

/* The coordinates of a value of the kept shape or the full space, axes of size 1 left out or put in as it has them. */
static void value_at(struct nest *s, const mi_value *value, struct mi_coordinate *at)
{
    const struct mi_shape *shape = &value->shape;
    struct mi_coordinate all[MI_MAX_RANK];
    struct mi_shape space = s->kept;
    int rank = s->kept.rank, next = 0;
    bool full = is_full(s, value);
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
        for (int i = 0; i < s->e->groups; i++)
            at[i] = s->at[i];
        return;
    }
    bool same_rank = shape->rank == rank;
    for (int i = 0; i < shape->rank; i++) {
        at[i] = same_rank ? all[i] : (struct mi_coordinate){.at = "0"};
        if (same_rank)
            continue;
        if (mi_dim_is(shape->dim[i], 1))
            continue;
        while (next < rank && mi_dim_is(space.dim[next], 1))
            next++;
        if (next < rank)
            at[i] = all[next++];
    }
}

/* ---- Reductions ---- */

struct state {
    const char *name[2];
    int count;
};

static const struct mi_reduce_rule sum_rule = {
    .state = {"T"}, .init = "s0 = 0;", .step = "s0 += x;", .merge = "s0 += t0;", .finish = {"s0"}};

static const struct mi_reduce_rule *rule_of(const struct mi_node *node)
{
    return node->op->kind == MI_CONTRACT ? &sum_rule : node->op->reduce;
}

/* Replaces the names of a reduce rule's statement. */
static const char *statement(struct nest *s, const char *text, const struct state *own, const char *at, const char *other,
                             const char *x, const char *r, const char *count)
{
    struct mi_text out = {0};
    for (const char *c = text; *c;) {
        size_t length = strspn(c, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789.");
        if (length == 0) {
            mi_text_append(&out, c++, 1);
            continue;
        }
        char word[32];
        snprintf(word, sizeof word, "%.*s", (int)length, c);
        int which = word[1] == '1';
        bool two = strlen(word) == 2 && (word[1] == '0' || word[1] == '1');
        if (two && word[0] == 's')
            mi_text_add(&out, "%s%s", own->name[which], at);
        else if (two && word[0] == 't')
            mi_text_add(&out, "%s%s", own->name[which], other ? other : "");
        else if (strcmp(word, "x") == 0 && x)
            mi_text_add(&out, "%s", x);
        else if (strcmp(word, "r") == 0 && r)
            mi_text_add(&out, "(%s)", r);
        else if (strcmp(word, "count") == 0)
            mi_text_add(&out, "(%s)", count);
        else
            mi_text_append(&out, c, length);
        c += length;
    }
    const char *result = mi_arena_strdup(s->e->arena, mi_text_get(&out));
    mi_text_destroy(&out);
    return result ? result : "";
}

static const char *reduced_count(struct nest *s)
{
    const char *text = "1";
    for (int i = 0; i < s->reductions; i++)
        text = mi_arena_format(s->e->arena, "%s*%s", text, mi_dim_text(s->e->arena, s->reduced[i]));
    return text;
}

/* The row-major index among the reduced. */
static const char *reduced_index(struct nest *s)
{
    const char *text = "0";
    for (int i = 0; i < s->reductions; i++)
        text = mi_arena_format(s->e->arena, "(%s)*%s + %s", text, mi_dim_text(s->e->arena, s->reduced[i]), s->reduced_at[i]);
    return text;
}

static const char *state_type(const struct mi_node *node, int i)
{
    const char *type = rule_of(node)->state[i];
    return type && strcmp(type, "T") == 0 ? mi_types[node->in[0]->type].c : type;
}

static struct state declare_state(struct nest *s, const struct mi_node *node)
{
    struct state state = {{0}, 0};
    struct mi_emitter *e = s->e;
    int id = e->names++;
    for (int i = 0; i < 2 && state_type(node, i); i++) {
        state.name[i] = mi_arena_format(e->arena, "s%d_%d", id, i);
        mi_line(e, "%s %s[%d];", state_type(node, i), state.name[i], s->v);
        state.count++;
    }
    size_t scope = mi_scope_open(e, "for (int v = 0; v < %d; v++) ", s->v);
    mi_line(e, "%s", statement(s, rule_of(node)->init, &state, "[v]", NULL, NULL, NULL, reduced_count(s)));
    mi_scope_close(e, scope);
    return state;
}

/* x, the element that a reduction folds in, at the open loops' coordinates. */
static const char *element(struct nest *s, const struct mi_node *node)
{
    struct mi_emitter *e = s->e;
    if (node->op->kind == MI_REDUCE) {
        struct mi_coordinate at[MI_MAX_RANK];
        value_at(s, node->in[0], at);
        return mi_emit_value(e, node->in[0], at, NULL);
    }
    const char *axis[MI_MAX_AXES] = {0}, *guard;
    struct mi_coordinate at[MI_MAX_RANK];
    mi_emit_axes(e, &s->contraction, s->at, axis);
    for (int i = 0; i < s->contraction.out_axes; i++)
        axis[i] = axis[i] ? axis[i] : "0";
    for (int i = 0; i < s->reductions; i++)
        axis[s->contraction.out_axes + i] = s->reduced_at[i];
    mi_emit_operand(e, &s->contraction, &s->contraction.a, axis, at, &guard);
    const char *a = mi_emit_value(e, s->contraction.a.value, at, guard);
    mi_emit_operand(e, &s->contraction, &s->contraction.b, axis, at, &guard);
    const char *b = mi_emit_value(e, s->contraction.b.value, at, guard);
    return mi_arena_format(e->arena, "%s*%s", a, b);
}

static void fold_step(struct nest *s, struct mi_node **nodes, const struct state *states, int count)
{
    for (int i = 0; i < count; i++) {
        const char *x = element(s, nodes[i]);
        mi_line(s->e, "%s", statement(s, rule_of(nodes[i])->step, &states[i], "[v]", NULL, x, reduced_index(s), "1"));
    }
}

/* Opens loops over the reduced axes but the last `leave`. */
static void open_reduced(struct nest *s, int leave, size_t *scopes)
{
    for (int i = 0; i < s->reductions - leave; i++) {
        s->reduced_at[i] = mi_arena_format(s->e->arena, "r%d", i);
        scopes[i] = mi_scope_open(s->e, "for (IDX r%d = 0; r%d < %s; r%d++) ", i, i, mi_dim_text(s->e->arena, s->reduced[i]), i);
    }
}

static void close_reduced(struct nest *s, int leave, const size_t *scopes)
{
    for (int i = s->reductions - leave - 1; i >= 0; i--)
        mi_scope_close(s->e, scopes[i]);
}

static void fold_columns(struct nest *s, struct mi_node **nodes, const struct state *states, int count)
{
    size_t scopes[MI_MAX_AXES];
    open_reduced(s, 0, scopes);
    size_t places = open_places(s);
    fold_step(s, nodes, states, count);
    mi_scope_close(s->e, places);
    close_reduced(s, 0, scopes);
}

/* Loops over all reduced places in the lanes of the work-group, each the coordinates of one. */
static size_t open_lanes(struct nest *s)
{
    struct mi_emitter *e = s->e;
    size_t scope = mi_scope_open(e, "for (IDX r = lane; r < %s; r += %d) ", reduced_count(s), s->lanes);
    const char *rest = "r";
    for (int i = s->reductions - 1; i >= 0; i--) {
        const char *size = mi_dim_text(e->arena, s->reduced[i]);
        s->reduced_at[i] = mi_arena_format(e->arena, "r%d", i);
        if (i == 0)
            mi_line(e, "const IDX r0 = %s;", rest);
        else
            mi_line(e, "const IDX r%d = %s %% %s, w%d = %s / %s;", i, rest, size, i, rest, size);
        rest = mi_arena_format(e->arena, "w%d", i);
    }
    return scope;
}

static void fold_rows(struct nest *s, struct mi_node **nodes, const struct state *states, int count)
{
    struct mi_emitter *e = s->e;
    if (s->lanes > 1) {
        size_t scope = open_lanes(s), places = open_places(s);
        fold_step(s, nodes, states, count);
        mi_scope_close(e, places);
        mi_scope_close(e, scope);
        return;
    }
    size_t scopes[MI_MAX_AXES];
    int last = s->reductions - 1;
    open_reduced(s, 1, scopes);
    s->reduced_at[last] = mi_arena_format(e->arena, "r%d", last);
    const char *size = mi_dim_text(e->arena, s->reduced[last]);
    mi_line(e, "IDX c = 0;");
    for (int tail = 0; tail < 2; tail++) {
        size_t outer = 0, inner;
        if (tail == 0 && s->v == 1)
            continue;
        size_t places = open_places(s);
        if (tail == 0) {
            outer = mi_scope_open(e, "for (; c + %d <= %s; c += %d) ", s->v, size, s->v);
            inner = mi_scope_open(e, "for (int v = 0; v < %d; v++) ", s->v);
            mi_line(e, "const IDX r%d = c + v;", last);
        } else if (s->v == 1)
            inner = mi_scope_open(e, "for (IDX r%d = 0; r%d < %s; r%d++) ", last, last, size, last);
        else {
            inner = mi_scope_open(e, "for (int v = 0; c < %s; c++, v++) ", size);
            mi_line(e, "const IDX r%d = c;", last);
        }
        fold_step(s, nodes, states, count);
        mi_scope_close(e, inner);
        if (tail == 0)
            mi_scope_close(e, outer);
        mi_scope_close(e, places);
    }
    close_reduced(s, 1, scopes);
}

/* Merges the partial results of a tile by rows into place 0 of every lane. */
static void merge_rows(struct nest *s, const struct mi_node *node, const struct state *state)
{
    struct mi_emitter *e = s->e;
    const struct mi_reduce_rule *rule = rule_of(node);
    if (s->v > 1) {
        size_t scope = mi_scope_open(e, "for (int v = 1; v < %d; v++) ", s->v);
        mi_line(e, "%s", statement(s, rule->merge, state, "[0]", "[v]", NULL, NULL, "1"));
        mi_scope_close(e, scope);
    }
    if (s->lanes == 1)
        return;
    struct state shared = {{0}, state->count};
    for (int i = 0; i < state->count; i++) {
        shared.name[i] = mi_arena_format(e->arena, "l%s", state->name[i]);
        mi_line(e, "__local %s %s[%d];", state_type(node, i), shared.name[i], s->lanes);
        mi_line(e, "%s[lane] = %s[0];", shared.name[i], state->name[i]);
    }
    mi_line(e, "barrier(CLK_LOCAL_MEM_FENCE);");
    size_t scope = mi_scope_open(e, "for (int half_ = %d; half_ > 0; half_ /= 2) ", s->lanes / 2);
    size_t inner = mi_scope_open(e, "if (lane < half_) ");
    mi_line(e, "%s", statement(s, rule->merge, &shared, "[lane]", "[lane + half_]", NULL, NULL, "1"));
    mi_scope_close(e, inner);
    mi_line(e, "barrier(CLK_LOCAL_MEM_FENCE);");
    mi_scope_close(e, scope);
    for (int i = 0; i < state->count; i++)
        mi_line(e, "%s[0] = %s[0];", state->name[i], shared.name[i]);
}

static void finish_reduction(struct nest *s, const struct mi_node *node, const struct state *state)
{
    struct mi_emitter *e = s->e;
    if (s->by_rows)
        merge_rows(s, node, state);
    for (int o = 0; o < node->outputs; o++) {
        if (!rule_of(node)->finish[o])
            continue;
        const char *name = mi_arena_format(e->arena, "f%d", e->names++), *type = mi_types[node->out[o]->type].c;
        const char *own = s->by_rows ? "[0]" : "[v]";
        const char *text = statement(s, rule_of(node)->finish[o], state, own, NULL, NULL, NULL, reduced_count(s));
        if (s->arrays) {
            mi_line(e, "%s %s[%d];", type, name, s->v);
            mi_line(e, "for (int v = 0; v < %d; v++) %s[v] = %s;", s->v, name, text);
        } else
            mi_line(e, "const %s %s = %s;", type, name, text);
        mi_bind(e, node->out[o], slot(s, name));
    }
}

/* ---- Stores ---- */

static void store(struct nest *s, mi_value *value, const char *real)
{
    struct mi_coordinate at[MI_MAX_RANK], place[MI_MAX_RANK];
    value_at(s, value, at);
    const char *text = mi_emit_value(s->e, value, at, NULL);
    memcpy(place, at, sizeof place);
    /* A place outside the tensor is stored where it lies, not where its coordinates were moved to. */
    const struct mi_layout *layout = &s->e->tensors[value->id].layout;
    bool own_layout = !s->e->groups && !mi_layout_is_plain(layout, value->shape.rank);
    if (real && own_layout)
        for (int i = 0; i < value->shape.rank; i++)
            if (at[i].at[0] == 'k' && mi_layout_extends(layout, &value->shape, i))
                place[i] = (struct mi_coordinate){.at = mi_arena_format(s->e->arena, "e%s", at[i].at + 1)};
    if (real && !own_layout) {
        size_t scope = mi_scope_open(s->e, "if (%s) ", real);
        mi_emit_store(s->e, value, at, text, NULL);
        mi_scope_close(s->e, scope);
    } else
        mi_emit_store(s->e, value, place, text, real);
}

static void store_kept(struct nest *s)
{
    bool any = false;
    for (int i = 0; i < s->kernel->outs; i++)
        any = any || !is_full(s, s->kernel->out[i]);
    if (!any)
        return;
    size_t lane = 0, places;
    if (s->lanes > 1)
        lane = mi_scope_open(s->e, "if (lane == 0) ");
    places = open_places(s);
    for (int i = 0; i < s->kernel->outs; i++)
        if (!is_full(s, s->kernel->out[i]))
            store(s, s->kernel->out[i], s->real);
    mi_scope_close(s->e, places);
    if (s->lanes > 1)
        mi_scope_close(s->e, lane);
}

/* Loops over the reduced axes for storing, over the padding too where the layout has some there. */
static const char *open_stored(struct nest *s, size_t *scopes)
{
    struct mi_emitter *e = s->e;
    const char *real = NULL;
    for (int i = 0; i < s->reductions; i++) {
        int axis = s->reduced_axis[i];
        struct mi_dim extent = s->reduced[i];
        s->reduced_at[i] = mi_arena_format(e->arena, "k%d_r", i);
        if (!mi_layout_extends(&s->full, &s->kernel->space, axis)) {
            scopes[i] = mi_scope_open(e, "for (IDX k%d_r = 0; k%d_r < %s; k%d_r++) ", i, i, mi_dim_text(e->arena, extent), i);
            continue;
        }
        int block = s->full.block[axis], low = s->full.low[axis];
        struct mi_dim end = {extent.a, extent.b + s->full.high[axis]};
        if (block > 1)
            end = mi_fixed((extent.b + block - 1) / block * block);
        scopes[i] = mi_scope_open(e, "for (IDX e%d_r = -%d; e%d_r < %s; e%d_r++) ", i, low, i, mi_dim_text(e->arena, end), i);
        mi_line(e, "const IDX k%d_r = clamp(e%d_r, (IDX)0, (IDX)(%s - 1));", i, i, mi_dim_text(e->arena, extent));
        mi_line(e, "const bool b%d_r = e%d_r == k%d_r;", i, i, i);
        real = and_also(s, real, mi_arena_format(e->arena, "b%d_r", i));
    }
    return real;
}

static void store_full(struct nest *s)
{
    size_t scopes[MI_MAX_AXES], lanes = 0, places;
    bool any = false, extends = false;
    for (int i = 0; i < s->kernel->outs; i++)
        any = any || is_full(s, s->kernel->out[i]);
    if (!any)
        return;
    for (int i = 0; i < s->reductions; i++)
        extends = extends || mi_layout_extends(&s->full, &s->kernel->space, s->reduced_axis[i]);
    bool shared = s->lanes > 1 && !extends;
    const char *real = NULL;
    if (shared)
        lanes = open_lanes(s);
    else {
        if (s->lanes > 1)
            lanes = mi_scope_open(s->e, "if (lane == 0) ");
        real = open_stored(s, scopes);
    }
    places = open_places(s);
    if (s->real)
        real = and_also(s, real, s->real);
    for (int i = 0; i < s->kernel->outs; i++)
        if (is_full(s, s->kernel->out[i]))
            store(s, s->kernel->out[i], real);
    mi_scope_close(s->e, places);
    if (!shared)
        close_reduced(s, 0, scopes);
    if (s->lanes > 1)
        mi_scope_close(s->e, lanes);
}

/* ---- The kernel ---- */

/* The level of what a value is made of: that of the member it comes from, looked for through virtual nodes. */
static int reach_level(const struct nest *s, const mi_value *value, const int *level, int depth)
{
    if (!value || depth > 16)
        return 0;
    for (int m = 0; m < s->kernel->count; m++)
        if (s->kernel->nodes[m] == value->node)
            return level[m];
    if (s->e->tensors[value->id].stored || value->node->op->kind == MI_SOURCE)
        return 0;
    int highest = 0;
    for (int i = 0; i < value->node->inputs; i++) {
        int below = reach_level(s, value->node->in[i], level, depth + 1);
        highest = below > highest ? below : highest;
    }
    return highest;
}

static void fold_levels(struct nest *s)
{
    struct mi_arena *arena = s->e->arena;
    size_t count = (size_t)s->kernel->count;
    int *level = mi_arena_new(arena, count, sizeof *level), levels = 0;
    struct mi_node **nodes = mi_arena_new(arena, count, sizeof *nodes);
    struct state *states = mi_arena_new(arena, count, sizeof *states);
    if (!level || !nodes || !states)
        return;
    for (int m = 0; m < s->kernel->count; m++) {
        const struct mi_node *node = s->kernel->nodes[m];
        level[m] = is_reduction(node);
        for (int i = 0; i < node->inputs; i++) {
            int through = reach_level(s, node->in[i], level, 0) + is_reduction(node);
            level[m] = through > level[m] ? through : level[m];
        }
        levels = level[m] > levels ? level[m] : levels;
    }
    for (int l = 1; l <= levels; l++) {
        int many = 0;
        for (int m = 0; m < s->kernel->count; m++)
            if (level[m] == l && is_reduction(s->kernel->nodes[m]))
                nodes[many++] = s->kernel->nodes[m];
        for (int i = 0; i < many; i++)
            states[i] = declare_state(s, nodes[i]);
        if (s->by_rows) {
            size_t scope = mi_scope_open(s->e, "%s", "");
            fold_rows(s, nodes, states, many);
            mi_scope_close(s->e, scope);
        } else
            fold_columns(s, nodes, states, many);
        for (int i = 0; i < many; i++)
            finish_reduction(s, nodes[i], &states[i]);
    }
}

/* Opens the tile: which one this item has, and the coordinates that all its places share. */
static size_t open_tile(struct nest *s)
{
    struct mi_emitter *e = s->e;
    int last = s->dims - 1, width = s->by_rows ? 1 : s->v;
    const char *across = mi_dim_text(e->arena, s->physical[last].extent), *total = across;
    if (width > 1)
        total = mi_arena_format(e->arena, "((%s + %d)/%d)", across, width - 1, width);
    mi_line(e, "const IDX across = %s;", total);
    total = "across";
    for (int d = 0; d < last; d++)
        total = mi_arena_format(e->arena, "%s*%s", total, mi_dim_text(e->arena, s->physical[d].extent));
    mi_line(e, "const IDX tiles = %s;", total);
    size_t scope;
    if (s->lanes > 1) {
        mi_line(e, "const int lane = get_local_id(0);");
        scope = mi_scope_open(e, "for (IDX tile = get_group_id(0); tile < tiles; tile += get_num_groups(0)) ");
    } else if (e->device->is_cpu) {
        mi_line(e, "const IDX share = (tiles + (IDX)get_global_size(0) - 1) / (IDX)get_global_size(0);");
        mi_line(e, "const IDX begin = (IDX)get_global_id(0) * share, end = min(begin + share, tiles);");
        scope = mi_scope_open(e, "for (IDX tile = begin; tile < end; tile++) ");
    } else
        scope = mi_scope_open(e, "for (IDX tile = get_global_id(0); tile < tiles; tile += get_global_size(0)) ");
    mi_line(e, "const IDX first = (tile %% across)*%d;", width);
    if (width > 1)
        mi_line(e, "const int places = min((IDX)%d, %s - first);", s->v, across);
    const char *rest = "(tile / across)";
    for (int d = last - 1; d >= 0; d--) {
        const char *size = mi_dim_text(e->arena, s->physical[d].extent);
        if (d == 0)
            mi_line(e, "const IDX m0 = %s;", rest);
        else
            mi_line(e, "const IDX m%d = %s %% %s, n%d = %s / %s;", d, rest, size, d, rest, size);
        rest = mi_arena_format(e->arena, "n%d", d);
    }
    s->real = NULL;
    coordinates(s, false);
    return scope;
}

/* A fixed grid: about 16 items a compute unit on a CPU, so that shares are even; on others one a tile, within bounds. */
static struct mi_grid grid_of(const struct nest *s)
{
    const mica_device *device = s->e->device;
    int64_t tiles = 1, width = s->by_rows ? 1 : s->v;
    for (int d = 0; d < s->dims; d++) {
        int64_t extent = mi_dim_at(s->physical[d].extent, s->e->batch);
        tiles *= d == s->dims - 1 ? (extent + width - 1) / width : extent;
    }
    int64_t most = device->is_cpu ? 16 * (int64_t)device->info.compute_units : 65535, local = 1;
    if (s->lanes > 1)
        local = s->lanes;
    else if (!device->is_cpu)
        local = power_below(device->info.largest_work_group < 64 ? (int64_t)device->info.largest_work_group : 64);
    int64_t groups = s->lanes > 1 ? tiles : (tiles + local - 1) / local;
    if (groups > most)
        groups = most;
    struct mi_grid grid = {.dims = 1, .global = {(size_t)(groups * local)}, .local = {(size_t)local}};
    return grid;
}

/* Joins neighbouring axes that every value of a nest of maps either has or broadcasts over: fewer loops, longer ones. */
static void join_axes(struct nest *s)
{
    struct mi_emitter *e = s->e;
    const struct mi_kernel *k = s->kernel;
    int rank = s->kept.rank;
    uint32_t cut = 0;
    if (s->reductions || rank < 2 || !mi_layout_is_plain(&s->layout, rank))
        return;
    for (int m = 0; m < k->count; m++) {
        if (k->nodes[m]->op->kind != MI_MAP || mi_names_coordinates(k->nodes[m]))
            return;
        for (int i = 0; i < k->nodes[m]->inputs + k->nodes[m]->outputs; i++) {
            const struct mi_node *node = k->nodes[m];
            const mi_value *value = i < node->inputs ? node->in[i] : node->out[i - node->inputs];
            if (!value || value->node->op == &mi_op_constant)
                continue;
            bool member = e->home[value->node->id] == e->self;
            if (!member && !e->tensors[value->id].stored)
                return;
            if (value->shape.rank > rank || !mi_layout_is_plain(&e->tensors[value->id].layout, value->shape.rank))
                return;
            for (int axis = 1; axis < rank; axis++) {
                int own = axis - (rank - value->shape.rank);
                bool before = own >= 1 && !mi_dim_is(value->shape.dim[own - 1], 1);
                bool here = own >= 0 && !mi_dim_is(value->shape.dim[own], 1);
                bool one = mi_dim_is(s->kept.dim[axis], 1) || mi_dim_is(s->kept.dim[axis - 1], 1);
                if (before != here && !one)
                    cut |= 1u << axis;
            }
        }
    }
    struct mi_dim product;
    e->groups = 0;
    e->full_rank = rank;
    e->first[0] = 0;
    for (int axis = 1; axis < rank; axis++)
        if (cut & 1u << axis || !mi_shape_product(&s->kept, e->first[e->groups], axis + 1, &product))
            e->first[++e->groups] = axis;
    e->first[++e->groups] = rank;
    struct mi_shape joined = {.rank = e->groups};
    for (int g = 0; g < e->groups; g++)
        mi_shape_product(&s->kept, e->first[g], e->first[g + 1], &joined.dim[g]);
    s->kept = joined;
    s->layout = mi_layout_plain(joined.rank);
}

mica_status mi_emit_nest(struct mi_emitter *e, struct mi_codes *codes)
{
    struct nest s = {.e = e, .kernel = e->kernel};
    if (e->kernel->anchor)
        MI_TRY(e->kernel->anchor->op->contract(e->kernel->anchor, &s.contraction));
    e->indent = 1;
    if (e->flat) {
        s.kept = (struct mi_shape){.rank = 1, .dim = {mi_fixed(e->flat)}};
        s.layout = mi_layout_plain(1);
        e->groups = 1;
    } else {
        set_kept(&s);
        set_layout(&s);
        follow_inputs(&s);
        join_axes(&s);
    }
    set_physical(&s);
    choose_schedule(&s);
    size_t tile = open_tile(&s);
    fold_levels(&s);
    store_kept(&s);
    store_full(&s);
    if (s.lanes > 1)
        mi_line(e, "barrier(CLK_LOCAL_MEM_FENCE);");
    mi_scope_close(e, tile);
    struct mi_code *code = &codes->code[codes->count++];
    code->grid = grid_of(&s);
    const struct mi_node *named = e->kernel->anchor ? e->kernel->anchor : e->kernel->nodes[0];
    mi_emit_finish(e, mi_arena_format(e->arena, "mica_%s", named->op->name), "", code);
    return e->error->status;
}
