/* Nests: reductions, level by level; by columns or by rows (nest.c). */
#include "engines/nest.h"

#include <string.h>

enum {
    MOST_UNROLLED = 25,
    ASKED_EVERY = 8,
    MOST_AHEAD = 1 << 14, /* elements of a row that is asked for ahead */
    LINE = 16             /* numbers that come together from memory */
};

/* ---- Reductions ---- */

struct state {
    const char *name[2];
    int count;
    const struct mi_type_info *limit; /* the element's type */
};

static const struct mi_reduce_rule sum_rule = {
    .state = {"T"}, .init = "s0 = 0;", .step = "s0 += x;", .merge = "s0 += t0;", .finish = {"s0"}};

static const struct mi_reduce_rule *rule_of(const struct mi_node *node)
{
    return node->op->kind == MI_CONTRACT ? &sum_rule : node->op->reduce;
}

/* Replaces the names of a reduce rule's statement. */
static const char *statement(struct mi_nest *s, const char *text, const struct state *own, const char *at, const char *other,
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
        mi_format(word, sizeof word, "%.*s", (int)length, c);
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
        else if (strcmp(word, "lowest") == 0 || strcmp(word, "highest") == 0)
            mi_text_add(&out, "%s", word[0] == 'l' ? own->limit->lowest : own->limit->highest);
        else if (strcmp(word, "count") == 0)
            mi_text_add(&out, "(%s)", count);
        else
            mi_text_append(&out, c, length);
        c += length;
    }
    const char *result = mi_arena_strdup(s->e->arena, mi_text_get(&out));
    mi_emit_text_end(s->e, &out);
    return result ? result : "";
}

static const char *reduced_count(struct mi_nest *s)
{
    const char *text = "1";
    for (int i = 0; i < s->reductions; i++)
        text = mi_arena_format(s->e->arena, "%s*%s", text, mi_dim_code(s->e->arena, s->reduced[i]));
    return text;
}

/* The row-major index among the reduced. */
static const char *reduced_index(struct mi_nest *s)
{
    const char *text = "0";
    for (int i = 0; i < s->reductions; i++)
        text = mi_arena_format(s->e->arena, "(%s)*%s + %s", text, mi_dim_code(s->e->arena, s->reduced[i]), s->reduced_at[i]);
    return text;
}

static const char *state_type(const struct mi_node *node, int i)
{
    const char *type = rule_of(node)->state[i];
    return type && strcmp(type, "T") == 0 ? mi_types[node->in[0]->type].c : type;
}

/* The length of an array. POCL 3.1 loses stores to arrays of 2 to 4 that a loop of one turn fills, so none is that short. */
static int array_size(int count)
{
    return count > 1 && count < 8 ? 8 : count;
}

/* How many partial results a reduction has. */
static int partial(const struct mi_nest *s)
{
    return s->apart ? s->streams * s->v : s->v;
}

static struct state declare_state(struct mi_nest *s, const struct mi_node *node)
{
    struct state state = {.limit = &mi_types[node->in[0]->type]};
    struct mi_emitter *e = s->e;
    int id = e->names++;
    for (int i = 0; i < 2 && state_type(node, i); i++) {
        state.name[i] = mi_arena_format(e->arena, "s%d_%d", id, i);
        mi_line(e, "%s %s[%d];", state_type(node, i), state.name[i], array_size(partial(s)));
        state.count++;
    }
    size_t scope = mi_scope_open(e, "for (int v = 0; v < %d; v++) ", partial(s));
    mi_line(e, "%s", statement(s, rule_of(node)->init, &state, "[v]", NULL, NULL, NULL, reduced_count(s)));
    mi_scope_close(e, scope);
    for (int i = 0; i < state.count && s->tail; i++)
        mi_line(e, "%s %s_t;", state_type(node, i), state.name[i]);
    if (s->tail)
        mi_line(e, "%s", statement(s, rule_of(node)->init, &state, "_t", NULL, NULL, NULL, reduced_count(s)));
    return state;
}

/* x, the element that a reduction folds in, at the open loops' coordinates. */
static const char *element(struct mi_nest *s, const struct mi_node *node)
{
    struct mi_emitter *e = s->e;
    if (node->op->kind == MI_REDUCE) {
        struct mi_coordinate at[MI_MAX_RANK];
        mi_nest_value_at(s, node->in[0], at);
        return mi_emit_value(e, node->in[0], at, NULL);
    }
    const char *axis[MI_MAX_AXES] = {0};
    mi_emit_axes(e, &s->contraction, s->at, axis);
    for (int i = 0; i < s->contraction.out_axes; i++)
        axis[i] = axis[i] ? axis[i] : "0";
    for (int i = 0; i < s->reductions; i++)
        axis[s->contraction.out_axes + i] = s->reduced_at[i];
    const char *a = mi_emit_factor(e, &s->contraction, &s->contraction.a, axis);
    const char *b = mi_emit_factor(e, &s->contraction, &s->contraction.b, axis);
    return mi_arena_format(e->arena, "%s*%s", a, b);
}

int mi_nest_level(const struct mi_nest *s, const struct mi_node *node)
{
    for (int m = 0; m < s->kernel->count; m++)
        if (s->kernel->nodes[m] == node)
            return s->level[m];
    return 0;
}

static void fold_step(struct mi_nest *s, struct mi_node **nodes, const struct state *states, int count)
{
    struct mi_arena *arena = s->e->arena;
    int level = mi_nest_level(s, nodes[0]);
    const char *own = s->reduced_at[s->stream];
    for (int u = 0; u < s->now; u++) {
        const char *at = s->in_tail ? "_t" : s->apart && u ? mi_arena_format(arena, "[v + %d]", u * s->v) : "[v]";
        if (u)
            s->reduced_at[s->stream] = mi_arena_format(arena, "r%d_%d", s->stream, u);
        for (int i = 0; i < count; i++) {
            const char *x = element(s, nodes[i]);
            mi_line(s->e, "%s", statement(s, rule_of(nodes[i])->step, &states[i], at, NULL, x, reduced_index(s), "1"));
        }
        mi_nest_store_waiting(s, level);
        mi_nest_store_early(s, level);
    }
    s->reduced_at[s->stream] = own;
}

bool mi_nest_folds_few(const struct mi_nest *s)
{
    int64_t count = 1;
    for (int i = 0; i < s->reductions && count <= MOST_UNROLLED; i++)
        count *= s->reduced[i].a ? MOST_UNROLLED + 1 : s->reduced[i].b;
    return count <= MOST_UNROLLED;
}

/* What a fold does once, inside the loops over the reduced axes: by columns all, by rows all but the last. */
struct fold {
    void (*inside)(struct mi_nest *s, const struct fold *f);
    struct mi_node **nodes;
    const struct state *states;
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

void mi_nest_close_reduced(struct mi_nest *s, int leave, const size_t *scopes)
{
    for (int i = s->reductions - leave - 1; i >= 0; i--)
        mi_scope_close(s->e, scopes[i]);
}

static void fold_column(struct mi_nest *s, const struct fold *f)
{
    size_t places = mi_nest_open_places(s);
    fold_step(s, f->nodes, f->states, f->count);
    mi_scope_close(s->e, places);
}

static void fold_columns(struct mi_nest *s, struct mi_node **nodes, const struct state *states, int count)
{
    struct fold f = {fold_column, nodes, states, count, s->reductions};
    size_t scope = mi_scope_open(s->e, "%s", "");
    fold_axis(s, &f, 0);
    mi_scope_close(s->e, scope);
}

/* Loops over all reduced places in the lanes of the work-group, each the coordinates of one. */
size_t mi_nest_open_lanes(struct mi_nest *s)
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
    if (!s->e->device->is_cpu || level != 2 || axis < 0 || !s->e->groups || last > 0 ||
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
        if (tail == 0 ? s->v == 1 : s->v > 1 && length.a == 0 && length.b % s->v == 0)
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

static void fold_rows(struct mi_nest *s, struct mi_node **nodes, const struct state *states, int count)
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
static void merge(struct mi_nest *s, const struct mi_node *node, const struct state *state)
{
    struct mi_emitter *e = s->e;
    const struct mi_reduce_rule *rule = rule_of(node);
    int least = s->by_rows ? 1 : s->v;
    for (int half = partial(s) / 2; half >= least; half /= 2) { /* the quotient is a power of two */
        const char *other = mi_arena_format(e->arena, "[v + %d]", half);
        size_t scope = mi_scope_open(e, "for (int v = 0; v < %d; v++) ", half);
        mi_line(e, "%s", statement(s, rule->merge, state, "[v]", other, NULL, NULL, "1"));
        mi_scope_close(e, scope);
    }
    if (s->tail)
        mi_line(e, "%s", statement(s, rule->merge, state, "[0]", "_t", NULL, NULL, "1"));
    if (s->lanes == 1 || !s->by_rows)
        return;
    struct state shared = {.count = state->count, .limit = state->limit};
    for (int i = 0; i < state->count; i++) {
        shared.name[i] = mi_arena_format(e->arena, "l%s", state->name[i]);
        mi_emit_local(e, state_type(node, i), shared.name[i], s->lanes);
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

static void finish_reduction(struct mi_nest *s, const struct mi_node *node, const struct state *state)
{
    struct mi_emitter *e = s->e;
    merge(s, node, state);
    for (int o = 0; o < node->outputs; o++) {
        if (!rule_of(node)->finish[o])
            continue;
        const char *name = mi_arena_format(e->arena, "f%d", e->names++), *type = mi_types[node->out[o]->type].c;
        const char *own = s->by_rows ? "[0]" : "[v]";
        const char *text = statement(s, rule_of(node)->finish[o], state, own, NULL, NULL, NULL, reduced_count(s));
        if (s->arrays) {
            mi_line(e, "%s %s[%d];", type, name, array_size(s->v));
            mi_line(e, "for (int v = 0; v < %d; v++) %s[v] = %s;", s->v, name, text);
        } else
            mi_line(e, "const %s %s = %s;", type, name, text);
        mi_bind(e, node->out[o], mi_nest_slot(s, name));
    }
}

/* ---- Levels ---- */

/* The level of what a value is made of: that of the member it comes from, looked for through virtual nodes. */
static int reach_level(const struct mi_nest *s, const mi_value *value, int depth)
{
    if (!value || depth > 16)
        return 0;
    for (int m = 0; m < s->kernel->count; m++)
        if (s->kernel->nodes[m] == value->node)
            return s->level[m];
    if (s->e->tensors[value->id].stored || value->node->op->kind == MI_SOURCE)
        return 0;
    int highest = 0;
    for (int i = 0; i < value->node->inputs; i++) {
        int below = reach_level(s, value->node->in[i], depth + 1);
        highest = below > highest ? below : highest;
    }
    return highest;
}

static bool set_levels(struct mi_nest *s)
{
    s->level = mi_arena_new(s->e->arena, (size_t)s->kernel->count, sizeof *s->level);
    for (int m = 0; m < s->kernel->count && s->level; m++) {
        const struct mi_node *node = s->kernel->nodes[m];
        s->level[m] = mi_nest_is_reduction(node);
        for (int i = 0; i < node->inputs; i++) {
            int through = reach_level(s, node->in[i], 0) + mi_nest_is_reduction(node);
            s->level[m] = through > s->level[m] ? through : s->level[m];
        }
        s->levels = s->level[m] > s->levels ? s->level[m] : s->levels;
    }
    return s->level != NULL;
}

/* ---- Taps: few reduced places, folded where each result is ---- */

bool mi_nest_folds_taps(struct mi_nest *s)
{
    if (!s->e->device->is_cpu || s->kernel->anchor || s->reductions == 0 || s->by_rows || s->kept.rank == 0 ||
        !mi_nest_folds_few(s) || !mi_layout_is_plain(&s->layout, s->kept.rank) || !set_levels(s))
        return false;
    for (int i = 0; i < s->kernel->outs; i++)
        if (mi_nest_is_full(s, s->kernel->out[i]))
            return false;
    return s->levels == 1;
}

static void declare_scalars(struct mi_nest *s, const struct mi_node *node, struct state *state)
{
    *state = (struct state){.limit = &mi_types[node->in[0]->type]};
    for (int i = 0; i < 2 && state_type(node, i); i++) {
        state->name[state->count++] = mi_emit_name(s->e, "s");
        mi_line(s->e, "%s %s;", state_type(node, i), state->name[i]);
    }
    mi_line(s->e, "%s", statement(s, rule_of(node)->init, state, "", NULL, NULL, NULL, reduced_count(s)));
}

static void fold_tap(struct mi_nest *s, const struct state *states, int axis)
{
    if (axis < s->reductions) {
        for (int64_t i = 0; i < s->reduced[axis].b; i++) {
            s->reduced_at[axis] = mi_arena_format(s->e->arena, "%lld", (long long)i);
            fold_tap(s, states, axis + 1);
        }
        return;
    }
    for (int m = 0; m < s->kernel->count; m++) {
        const struct mi_node *node = s->kernel->nodes[m];
        if (!mi_nest_is_reduction(node))
            continue;
        const char *x = element(s, node);
        mi_line(s->e, "%s", statement(s, rule_of(node)->step, &states[m], "", NULL, x, reduced_index(s), "1"));
    }
}

/* The rows that the next tile reads, in all but the last reduced axis. */
static void ask_rows(struct mi_nest *s, int axis)
{
    int last = s->reductions - 1;
    if (axis == last) {
        s->reduced_at[last] = "0";
        for (int m = 0; m < s->kernel->count; m++)
            if (mi_nest_is_reduction(s->kernel->nodes[m]))
                element(s, s->kernel->nodes[m]);
        return;
    }
    for (int64_t i = 0; i < s->reduced[axis].b; i++) {
        s->reduced_at[axis] = mi_arena_format(s->e->arena, "%lld", (long long)i);
        ask_rows(s, axis + 1);
    }
}

void mi_nest_ask_taps(struct mi_nest *s)
{
    struct mi_emitter *e = s->e;
    int row = s->kept.rank - 2, last = s->dims - 1;
    if (!s->taps || row < 0)
        return;
    size_t scope = mi_scope_open(e, "for (int v = 0; v < %s; v += %d) ", s->places, ASKED_EVERY);
    mi_line(e, "const IDX m%d = first + v;", last);
    mi_nest_coordinates(s, true);
    struct mi_coordinate own = s->at[row];
    s->at[row].at = mi_arena_format(e->arena, "(%s + 2)", own.at);
    e->ahead = true;
    ask_rows(s, 0);
    e->ahead = false;
    s->at[row] = own;
    mi_scope_close(e, scope);
}

void mi_nest_fold_taps(struct mi_nest *s)
{
    struct mi_emitter *e = s->e;
    struct state *states = mi_arena_new(e->arena, (size_t)s->kernel->count, sizeof *states);
    for (int m = 0; m < s->kernel->count && states; m++)
        if (mi_nest_is_reduction(s->kernel->nodes[m]))
            declare_scalars(s, s->kernel->nodes[m], &states[m]);
    if (states)
        fold_tap(s, states, 0);
    for (int m = 0; m < s->kernel->count && states; m++) {
        const struct mi_node *node = s->kernel->nodes[m];
        for (int o = 0; o < node->outputs && mi_nest_is_reduction(node); o++) {
            if (!rule_of(node)->finish[o])
                continue;
            const char *name = mi_emit_name(e, "f");
            mi_line(e, "const %s %s = %s;", mi_types[node->out[o]->type].c, name,
                    statement(s, rule_of(node)->finish[o], &states[m], "", NULL, NULL, NULL, reduced_count(s)));
            mi_bind(e, node->out[o], name);
        }
    }
}

void mi_nest_fold_levels(struct mi_nest *s)
{
    struct mi_arena *arena = s->e->arena;
    size_t count = (size_t)s->kernel->count;
    struct mi_node **nodes = mi_arena_new(arena, count, sizeof *nodes);
    struct state *states = mi_arena_new(arena, count, sizeof *states);
    if (s->taps || !nodes || !states || !set_levels(s))
        return;
    mi_nest_find_waiting(s);
    for (int l = 1; l <= s->levels; l++) {
        int many = 0;
        for (int m = 0; m < s->kernel->count; m++)
            if (s->level[m] == l && mi_nest_is_reduction(s->kernel->nodes[m]))
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
