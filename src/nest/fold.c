/* Nests: reductions, level by level; by columns or by rows (nest.c). */
#include "nest/rule.h"

#include <string.h>

enum {
    MOST_AHEAD = 1 << 14, /* elements of a row that is asked for ahead */
    LINE = 16             /* numbers that come together from memory */
};

/* ---- Reductions ---- */

static void fold_step(struct mi_nest *s, struct mi_node **nodes, const struct mi_state *states, int count)
{
    struct mi_arena *arena = s->e->arena;
    int level = mi_nest_level(s, nodes[0]);
    const char *own = s->reduced_at[s->stream];
    for (int u = 0; u < s->now; u++) {
        const char *at = s->in_tail ? "_t" : s->apart && u ? mi_arena_format(arena, "[v + %d]", u * s->v) : "[v]";
        if (u)
            s->reduced_at[s->stream] = mi_arena_format(arena, "r%d_%d", s->stream, u);
        for (int i = 0; i < count; i++) {
            const char *x = mi_nest_element(s, nodes[i]);
            mi_line(s->e, "%s", mi_nest_statement(s, mi_nest_rule(nodes[i])->step, &states[i], at, NULL, x));
        }
        mi_nest_store_waiting(s, level);
        mi_nest_store_early(s, level);
    }
    s->reduced_at[s->stream] = own;
}

/* What a fold does once, inside the loops over the reduced axes: by columns all, by rows all but the last. */
struct fold {
    void (*inside)(struct mi_nest *s, const struct fold *f);
    struct mi_node **nodes;
    const struct mi_state *states;
    int count, loops;
};

static void fold_axis(struct mi_nest *s, const struct fold *f, int axis);

/* The axis whose places are folded side by side, and what is left of it. */
static void fold_streams(struct mi_nest *s, const struct fold *f, int axis)
{
    struct mi_emitter *e = s->e;
    struct mi_dim extent = s->reduced[axis];
    const char *size = mi_dim_code(e->arena, extent);
    mi_line(e, "IDX r%d = 0;", axis);
    size_t scope = mi_scope_open(e, "for (; r%d + %d <= %s; r%d += %d) ", axis, s->streams, size, axis, s->streams);
    for (int u = 1; u < s->streams; u++)
        mi_line(e, "const IDX r%d_%d = r%d + %d;", axis, u, axis, u);
    s->now = s->streams;
    fold_axis(s, f, axis + 1);
    s->now = 1;
    mi_scope_close(e, scope);
    if (extent.a == 0 && extent.b % s->streams == 0)
        return;
    scope = mi_scope_open(e, "for (; r%d < %s; r%d++) ", axis, size, axis);
    fold_axis(s, f, axis + 1);
    mi_scope_close(e, scope);
}

/* The loops over the reduced axes from this one on. */
static void fold_axis(struct mi_nest *s, const struct fold *f, int axis)
{
    struct mi_arena *arena = s->e->arena;
    if (axis == f->loops) {
        f->inside(s, f);
        return;
    }
    s->reduced_at[axis] = mi_arena_format(arena, "r%d", axis);
    if (s->streams > 1 && axis == s->stream) {
        fold_streams(s, f, axis);
        return;
    }
    bool small = mi_nest_folds_few(s);
    if (small)
        mi_line(s->e, "#pragma unroll");
    const char *size = small ? mi_dim_text(arena, s->reduced[axis]) : mi_dim_code(arena, s->reduced[axis]);
    size_t scope = mi_scope_open(s->e, "for (IDX r%d = 0; r%d < %s; r%d++) ", axis, axis, size, axis);
    fold_axis(s, f, axis + 1);
    mi_scope_close(s->e, scope);
}

static void fold_column(struct mi_nest *s, const struct fold *f)
{
    size_t places = mi_nest_open_places(s);
    fold_step(s, f->nodes, f->states, f->count);
    mi_scope_close(s->e, places);
}

static void fold_columns(struct mi_nest *s, struct mi_node **nodes, const struct mi_state *states, int count)
{
    struct fold f = {fold_column, nodes, states, count, s->reductions};
    size_t scope = mi_scope_open(s->e, "%s", "");
    fold_axis(s, &f, 0);
    mi_scope_close(s->e, scope);
}

/* Whether the nest reads rows of the value from memory, and it is none of the `count` seen; it is added to them. */
static bool reads_row(const struct mi_nest *s, mi_value *value, mi_value **seen, int count)
{
    if (!value || !s->e->tensors[value->id].stored || s->e->home[value->node->id] == s->e->self || !mi_nest_is_full(s, value))
        return false;
    for (int k = 0; k < count; k++)
        if (seen[k] == value)
            return false;
    seen[count] = value;
    return true;
}

/* Asks for the lines of a value at the open loops' places. */
static void ask_for(struct mi_nest *s, mi_value *value, bool written)
{
    struct mi_emitter *e = s->e;
    struct mi_coordinate at[MI_MAX_RANK];
    mi_nest_value_at(s, value, at);
    mi_line(e, "#pragma unroll");
    mi_line(e, "for (int line_ = 0; line_ < %d; line_ += %d) MICA_PREFETCH(&p%d[%s]);", s->v, LINE,
            mi_emit_argument(e, value, written), mi_emit_place(e, value, at));
}

/* While a row, which is in a cache, is folded the second time, memory would rest: asks for the next row, and for this row's
 * result where that is not written yet. Only where a row and its successor fit there. */
static void ask_ahead(struct mi_nest *s, int level)
{
    const struct mi_kernel *k = s->kernel;
    mi_value *seen[MI_MAX_RANK];
    int last = s->reductions - 1, axis = s->kept.rank - 1, count = 0;
    if (!s->e->device->is_cpu || s->e->alike || level != 2 || axis < 0 || !s->e->groups || last > 0 ||
        mi_dim_at(s->reduced[last], s->e->batch) > MOST_AHEAD)
        return;
    const struct mi_coordinate own = s->at[axis];
    const char *place = s->reduced_at[last];
    s->reduced_at[last] = "(c + line_)";
    for (int i = 0; i < k->outs; i++)
        if (mi_nest_is_full(s, k->out[i]) && k->out[i] != s->waits_in && mi_nest_level(s, k->out[i]->node) == level)
            ask_for(s, k->out[i], true);
    s->at[axis] = (struct mi_coordinate){.at = mi_arena_format(s->e->arena, "(%s + 1)", own.at)};
    for (int m = 0; m < k->count; m++)
        for (int i = 0; i < k->nodes[m]->inputs && count < MI_MAX_RANK; i++)
            if (reads_row(s, k->nodes[m]->in[i], seen, count))
                ask_for(s, seen[count++], false);
    s->at[axis] = own;
    s->reduced_at[last] = place;
}

static void fold_row(struct mi_nest *s, const struct fold *f)
{
    struct mi_emitter *e = s->e;
    int last = s->reductions - 1;
    s->reduced_at[last] = mi_arena_format(e->arena, "r%d", last);
    const char *size = mi_dim_code(e->arena, s->reduced[last]);
    struct mi_dim length = s->reduced[last];
    mi_line(e, "IDX c = 0;");
    for (int tail = 0; tail < 2; tail++) {
        size_t outer = 0, inner;
        if (tail == 0 ? s->v == 1 : s->v > 1 && length.a == 0 && length.b % s->v == 0 && !e->alike)
            continue;
        size_t places = mi_nest_open_places(s);
        if (tail == 0) {
            outer = mi_scope_open(e, "for (; c + %d <= %s; c += %d) ", s->v, size, s->v);
            ask_ahead(s, mi_nest_level(s, f->nodes[0]));
            mi_nest_mark_pairs(s);
            inner = mi_scope_open(e, "for (int v = 0; v < %d; v++) ", s->v);
            mi_line(e, "const IDX r%d = c + v;", last);
        } else if (s->v == 1)
            inner = mi_scope_open(e, "for (IDX r%d = 0; r%d < %s; r%d++) ", last, last, size, last);
        else if (s->tail)
            inner = mi_scope_open(e, "for (IDX r%d = c; r%d < %s; r%d++) ", last, last, size, last);
        else {
            inner = mi_scope_open(e, "for (int v = 0; v < %s - c; v++) ", size);
            mi_line(e, "const IDX r%d = c + v;", last);
        }
        s->in_tail = tail && s->tail;
        fold_step(s, f->nodes, f->states, f->count);
        s->in_tail = false;
        mi_scope_close(e, inner);
        if (tail == 0)
            mi_scope_close(e, outer);
        mi_scope_close(e, places);
    }
}

static void fold_rows(struct mi_nest *s, struct mi_node **nodes, const struct mi_state *states, int count)
{
    struct mi_emitter *e = s->e;
    if (s->lanes > 1) {
        size_t scope = mi_nest_open_lanes(s), places = mi_nest_open_places(s);
        fold_step(s, nodes, states, count);
        mi_scope_close(e, places);
        mi_scope_close(e, scope);
        return;
    }
    struct fold f = {fold_row, nodes, states, count, s->reductions - 1};
    fold_axis(s, &f, 0);
}

/* Merges the partial results of a tile: by rows into place 0 of every lane, by columns those that are apart. */
static void merge(struct mi_nest *s, const struct mi_node *node, const struct mi_state *state)
{
    struct mi_emitter *e = s->e;
    const struct mi_reduce_rule *rule = mi_nest_rule(node);
    int least = s->by_rows ? 1 : s->v;
    for (int half = mi_nest_partial(s) / 2; half >= least; half /= 2) { /* the quotient is a power of two */
        const char *other = mi_arena_format(e->arena, "[v + %d]", half);
        size_t scope = mi_scope_open(e, "for (int v = 0; v < %d; v++) ", half);
        mi_line(e, "%s", mi_nest_statement(s, rule->merge, state, "[v]", other, NULL));
        mi_scope_close(e, scope);
    }
    if (s->tail)
        mi_line(e, "%s", mi_nest_statement(s, rule->merge, state, "[0]", "_t", NULL));
    if (s->lanes == 1 || !s->by_rows)
        return;
    struct mi_state shared = {.count = state->count, .limit = state->limit};
    for (int i = 0; i < state->count; i++) {
        shared.name[i] = mi_arena_format(e->arena, "l%s", state->name[i]);
        mi_emit_local(e, mi_nest_state_type(node, i), shared.name[i], s->lanes);
        mi_line(e, "%s[lane] = %s[0];", shared.name[i], state->name[i]);
    }
    mi_line(e, "barrier(CLK_LOCAL_MEM_FENCE);");
    size_t scope = mi_scope_open(e, "for (int half_ = %d; half_ > 0; half_ /= 2) ", s->lanes / 2);
    size_t inner = mi_scope_open(e, "if (lane < half_) ");
    mi_line(e, "%s", mi_nest_statement(s, rule->merge, &shared, "[lane]", "[lane + half_]", NULL));
    mi_scope_close(e, inner);
    mi_line(e, "barrier(CLK_LOCAL_MEM_FENCE);");
    mi_scope_close(e, scope);
    for (int i = 0; i < state->count; i++)
        mi_line(e, "%s[0] = %s[0];", state->name[i], shared.name[i]);
}

/* What a result is made of, each read once. The compiler of POCL 6 (LLVM 18) ends the process where its optimiser still finds a
 * second load of the same place after the rounds that it has. */
static struct mi_state read_state(struct mi_nest *s, const struct mi_node *node, const struct mi_state *state)
{
    struct mi_state once = {.count = state->count, .limit = state->limit};
    for (int i = 0; i < state->count; i++) {
        once.name[i] = mi_arena_format(s->e->arena, "once%d", s->e->names++);
        mi_line(s->e, "const %s %s = %s%s;", mi_nest_state_type(node, i), once.name[i], state->name[i], s->by_rows ? "[0]" : "[v]");
    }
    return once;
}

/* Results of a reduction, under the names; in arrays, in one loop over their places. */
static void write_results(struct mi_nest *s, const struct mi_node *node, const struct mi_state *state, const char *const *names)
{
    struct mi_emitter *e = s->e;
    size_t scope = s->arrays ? mi_scope_open(e, "for (int v = 0; v < %d; v++) ", s->v) : 0;
    struct mi_state once = read_state(s, node, state);
    for (int o = 0; o < node->outputs; o++) {
        if (!names[o])
            continue;
        const char *text = mi_nest_statement(s, mi_nest_rule(node)->finish[o], &once, "", NULL, NULL);
        if (s->arrays)
            mi_line(e, "%s[v] = %s;", names[o], text);
        else
            mi_line(e, "const %s %s = %s;", mi_types[node->out[o]->type].c, names[o], text);
    }
    if (s->arrays)
        mi_scope_close(e, scope);
}

static void finish_reduction(struct mi_nest *s, const struct mi_node *node, const struct mi_state *state)
{
    struct mi_emitter *e = s->e;
    const char *names[MI_MAX_OUTPUTS] = {NULL};
    merge(s, node, state);
    for (int o = 0; o < node->outputs; o++) {
        if (!mi_nest_rule(node)->finish[o])
            continue;
        names[o] = mi_arena_format(e->arena, "f%d", e->names++);
        if (s->arrays)
            mi_line(e, "%s %s[%d];", mi_types[node->out[o]->type].c, names[o], mi_nest_array_size(s->v));
    }
    write_results(s, node, state, names);
    for (int o = 0; o < node->outputs; o++)
        if (names[o])
            mi_bind(e, node->out[o], mi_nest_slot(s, names[o]));
}

/* ---- Levels ---- */

void mi_nest_fold_levels(struct mi_nest *s)
{
    struct mi_arena *arena = s->e->arena;
    size_t count = (size_t)s->kernel->count;
    struct mi_node **nodes = mi_arena_new(arena, count, sizeof *nodes);
    struct mi_state *states = mi_arena_new(arena, count, sizeof *states);
    if (s->taps || !nodes || !states || !mi_nest_set_levels(s))
        return;
    mi_nest_find_waiting(s);
    for (int l = 1; l <= s->levels; l++) {
        int many = 0;
        for (int m = 0; m < s->kernel->count; m++)
            if (s->level[m] == l && mi_nest_is_reduction(s->kernel->nodes[m]))
                nodes[many++] = s->kernel->nodes[m];
        for (int i = 0; i < many; i++)
            states[i] = mi_nest_declare_state(s, nodes[i]);
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
