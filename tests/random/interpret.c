#include "random/interpret.h"

#include "random/expression.h"
#include "support/device.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Tensors ---- */

void balls_create(struct balls *t, const mi_value *value, int64_t n)
{
    *t = (struct balls){.type = value->type, .rank = value->shape.rank, .count = mi_shape_count(&value->shape, n)};
    for (int i = 0; i < t->rank; i++)
        t->dim[i] = mi_dim_at(value->shape.dim[i], n);
    assert_true(t->count >= 0);
    t->of = mi_new((size_t)t->count + 1, sizeof *t->of);
    assert_non_null(t->of);
}

bool balls_next(const struct balls *t, int64_t *at)
{
    for (int i = t->rank - 1; i >= 0; i--) {
        if (++at[i] < t->dim[i])
            return true;
        at[i] = 0;
    }
    return false;
}

static int64_t offset_of(const struct balls *t, const int64_t *at)
{
    int64_t offset = 0;
    for (int i = 0; i < t->rank; i++)
        offset = offset * t->dim[i] + at[i];
    return offset;
}

static bool is_float(const struct balls *t)
{
    return t->type == MI_FLOAT;
}

static struct ball stored(const struct balls *t, struct ball value)
{
    return ball_as(value, !is_float(t));
}

/* The element at coordinates of a tensor of that rank to which t is broadcast. */
static struct ball broadcast(const struct balls *t, int rank, const int64_t *at)
{
    int64_t own[MI_MAX_RANK];
    for (int i = 0; i < t->rank; i++)
        own[i] = t->dim[i] == 1 ? 0 : at[rank - t->rank + i];
    return t->of[offset_of(t, own)];
}

static struct balls *tensor(const struct interpreter *in, const mi_value *value)
{
    return &in->values[value->id];
}

/* ---- Names that every text may use ---- */

static struct names *names_of(struct interpreter *in, const struct mi_node *node)
{
    struct names *names = mi_arena_new(&in->arena, 1, sizeof *names);
    assert_non_null(names);
    names_add(names, "n", ball_whole(in->step.n));
    names_add(names, "step", ball_whole((double)in->step.step));
    names_add(names, "learning_rate", ball_float((double)in->step.learning_rate));
    names_add(names, "MICA_NAN", ball_float((double)NAN));
    for (int r = node->repeat; r; r = in->graph->repeats[r].outer)
        names_add(names, mi_turn_name(in->graph, r), ball_whole((double)in->turn[mi_repeat_depth(in->graph, r) - 1]));
    for (int i = 0; i < node->attributes; i++) {
        const struct mi_attribute *a = &node->attribute[i];
        bool again = false; /* the first of a name counts */
        for (int k = 0; k < i; k++)
            again = again || !strcmp(node->attribute[k].name, a->name);
        if (again)
            continue;
        if (a->type == MI_ATTRIBUTE_INT)
            names_add(names, a->name, ball_whole((double)a->i));
        if (a->type == MI_ATTRIBUTE_FLOAT)
            names_add(names, a->name, ball_float((double)a->f));
    }
    return names;
}

/* ---- Maps ---- */

struct places {
    int index, uniform, at[MI_MAX_RANK];
};

static void add_places(struct names *names, struct places *places)
{
    char name[8];
    places->index = names_add(names, "index", ball_whole(0));
    places->uniform = names_add(names, "uniform", ball_float(0));
    for (int i = 0; i < MI_MAX_RANK; i++) {
        snprintf(name, sizeof name, "at%d", i);
        places->at[i] = names_add(names, name, ball_whole(0));
    }
}

static void set_places(const struct interpreter *in, const struct mi_node *node, struct names *names,
                       const struct places *places, const int64_t *at, int64_t i)
{
    uint64_t stream = ((uint64_t)in->step.step << 32) + node->stable;
    names->value[places->index] = ball_whole((double)i);
    uint64_t own = (uint64_t)mi_attribute_int(node, "seed", 0);
    names->value[places->uniform] = ball_float((double)mi_chance(own ? own : in->step.seed, stream, (uint64_t)i));
    for (int d = 0; d < node->out[0]->shape.rank; d++)
        names->value[places->at[d]] = ball_whole((double)at[d]);
}

static void run_map(struct interpreter *in, const struct mi_node *node)
{
    struct names *names = names_of(in, node);
    struct mi_map_view view;
    struct places places;
    const struct expression *expr[MI_MAX_OUTPUTS] = {0};
    int slot[MI_MAX_RANK + 2], out[MI_MAX_OUTPUTS];
    mi_map_view(node, &view);
    add_places(names, &places);
    for (int k = 0; k < node->inputs; k++)
        slot[k] = names_add(names, view.in[k], ball_float(0));
    for (int o = 0; o < node->outputs; o++) {
        expr[o] = expression_compile(&in->arena, names, view.expr[o]);
        out[o] = names_add(names, view.out[o], ball_float(0));
    }
    const struct balls *first = tensor(in, node->out[0]);
    int64_t at[MI_MAX_RANK] = {0}, i = 0;
    if (first->count)
        do {
            set_places(in, node, names, &places, at, i);
            for (int k = 0; k < node->inputs; k++)
                if (node->in[k])
                    names->value[slot[k]] = broadcast(tensor(in, node->in[k]), first->rank, at);
            for (int o = 0; o < node->outputs; o++) {
                struct balls *t = tensor(in, node->out[o]);
                t->of[i] = names->value[out[o]] = stored(t, expression_value(expr[o], names));
            }
            i++;
        } while (balls_next(first, at));
}

/* ---- Reductions ---- */

static struct ball lowest_of(const struct balls *t, bool highest)
{
    double sign = highest ? 1 : -1;
    if (is_float(t))
        return ball_float(sign * (double)INFINITY);
    if (t->type == MI_UINT8 || t->type == MI_BOOL)
        return ball_whole(highest ? 255 : 0);
    return ball_whole(highest ? 2147483647.0 : -2147483648.0);
}

struct fold {
    int x, r, count, state[2];
    const struct statement *init, *step;
    const struct expression *finish[MI_MAX_OUTPUTS];
};

static void compile_fold(struct interpreter *in, const struct mi_node *node, struct names *names, struct fold *f)
{
    const struct mi_reduce_rule *rule = node->op->reduce;
    const struct balls *x = tensor(in, node->in[0]);
    names_add(names, "lowest", lowest_of(x, false));
    names_add(names, "highest", lowest_of(x, true));
    f->x = names_add(names, "x", ball_float(0));
    f->r = names_add(names, "r", ball_whole(0));
    f->count = names_add(names, "count", ball_whole(0));
    for (int s = 0; s < 2; s++) {
        bool whole = !is_float(x) || (rule->state[s] && strcmp(rule->state[s], "T") != 0);
        f->state[s] = names_add(names, s ? "s1" : "s0", whole ? ball_whole(0) : ball_float(0));
    }
    f->init = statements_compile(&in->arena, names, rule->init);
    f->step = statements_compile(&in->arena, names, rule->step);
    for (int o = 0; o < node->outputs; o++)
        f->finish[o] = expression_compile(&in->arena, names, rule->finish[o]);
}

static struct ball sum_of(const struct ball *terms, double magnitude, double count)
{
    struct ball sum = ball_sum(terms->at, terms->radius, magnitude, count);
    sum.not_negative = terms->not_negative;
    return sum;
}

static void finish_sums(struct names *names, const struct fold *f)
{
    for (int s = 0; s < 2; s++) {
        int slot = f->state[s];
        const struct ball *sum = &names->value[slot];
        if (names->terms[slot] > 0)
            names->value[slot] = sum_of(sum, names->magnitude[slot], names->terms[slot]);
        names->magnitude[slot] = names->terms[slot] = 0;
    }
}

static void run_reduce(struct interpreter *in, const struct mi_node *node)
{
    struct names *names = names_of(in, node);
    struct fold f;
    const struct balls *x = tensor(in, node->in[0]), *y = tensor(in, node->out[0]);
    struct balls kept = *x, inner = {.rank = x->rank};
    uint32_t mask;
    bool keepdims;
    assert_int_equal(mi_reduce_axes(node, &mask, &keepdims), MICA_OK);
    int64_t at[MI_MAX_RANK] = {0}, full[MI_MAX_RANK], reduced = 1;
    for (int i = 0; i < x->rank; i++) {
        kept.dim[i] = mask >> i & 1 ? 1 : x->dim[i];
        inner.dim[i] = mask >> i & 1 ? x->dim[i] : 1;
        reduced *= inner.dim[i];
    }
    compile_fold(in, node, names, &f);
    names->value[f.count] = ball_whole((double)reduced);
    for (int64_t i = 0; i < y->count; i++, balls_next(&kept, at)) {
        int64_t within[MI_MAX_RANK] = {0};
        statements_run(f.init, names);
        for (int64_t r = 0; r < reduced; r++, balls_next(&inner, within)) {
            for (int d = 0; d < x->rank; d++)
                full[d] = at[d] + within[d];
            names->value[f.x] = x->of[offset_of(x, full)];
            names->value[f.r] = ball_whole((double)r);
            statements_run(f.step, names);
        }
        finish_sums(names, &f);
        for (int o = 0; o < node->outputs; o++)
            tensor(in, node->out[o])->of[i] = stored(tensor(in, node->out[o]), expression_value(f.finish[o], names));
    }
}

/* ---- Contractions ---- */

static bool place_of(const struct mi_operand *operand, const struct balls *t, const int64_t *axis, int64_t *offset)
{
    *offset = 0;
    for (int d = 0; d < t->rank; d++) {
        const struct mi_index *index = &operand->index[d];
        int64_t at = index->offset;
        for (int k = 0; k < index->terms; k++)
            at += index->coefficient[k] * axis[index->axis[k]];
        if (at < 0 || at % index->divisor != 0 || at / index->divisor >= t->dim[d])
            return false;
        *offset = *offset * t->dim[d] + at / index->divisor;
    }
    return true;
}

static bool next_axis(const int64_t *extent, int first, int last, int64_t *axis)
{
    for (int i = last - 1; i >= first; i--) {
        if (++axis[i] < extent[i])
            return true;
        axis[i] = 0;
    }
    return false;
}

/* Outside of one operand nothing is added; but an engine may add 0 times the other, and that may be NaN. */
static bool is_no_number(const struct balls *t, bool there, int64_t place)
{
    return there && !isfinite(t->of[place].at);
}

static struct ball sum_of_products(const struct mi_contraction *c, const struct balls *a, const struct balls *b,
                                   const int64_t *extent, int64_t *axis)
{
    double at = 0, radius = 0, magnitude = 0, terms = 1;
    int64_t i, j;
    for (int r = c->out_axes; r < c->axes; r++)
        if (extent[r] == 0)
            return ball_float(0);
    do {
        bool in_a = place_of(&c->a, a, axis, &i), in_b = place_of(&c->b, b, axis, &j);
        if (!in_a || !in_b) {
            if (is_no_number(a, in_a, i) || is_no_number(b, in_b, j))
                radius = (double)INFINITY;
            continue;
        }
        struct ball x = a->of[i], y = b->of[j];
        if (x.radius + y.radius > 0)
            radius += fabs(x.at) * y.radius + fabs(y.at) * x.radius + x.radius * y.radius;
        at += x.at * y.at;
        magnitude += (fabs(x.at) + x.radius) * (fabs(y.at) + y.radius);
        terms++;
    } while (next_axis(extent, c->out_axes, c->axes, axis));
    return ball_sum(at, radius, magnitude, terms);
}

static double largest(const struct balls *t)
{
    double most = 0;
    for (int64_t i = 0; i < t->count; i++)
        if (isfinite(t->of[i].at))
            most = fmax(most, fabs(t->of[i].at) + t->of[i].radius);
    return most;
}

/* What Winograd's F(4 x 4, 3 x 3) may be off: the norms of its three transforms, 48 along an axis, times the largest products that
 * a result is made of. 0 where the contraction has no filter of 3 x 3. */
static double winograd_radius(const struct mi_contraction *c, const struct balls *a, const struct balls *b, const int64_t *extent)
{
    int threes = 0;
    double products = 1;
    for (int i = 0; i < c->axes; i++) {
        threes += extent[i] == 3;
        products *= i >= c->out_axes ? (double)extent[i] : 1;
    }
    return threes < 2 ? 0 : 48.0 * 48.0 / 16777216 * products * largest(a) * largest(b);
}

static void run_contract(struct interpreter *in, const struct mi_node *node)
{
    struct mi_contraction c;
    int64_t extent[MI_MAX_AXES], axis[MI_MAX_AXES] = {0}, place;
    struct balls *y = tensor(in, node->out[0]);
    assert_int_equal(node->op->contract(node, &c), MICA_OK);
    for (int i = 0; i < c.axes; i++)
        extent[i] = mi_dim_at(c.extent[i], in->step.n);
    if (y->count == 0)
        return;
    const struct balls *a = tensor(in, c.a.value), *b = tensor(in, c.b.value);
    double more = in->by_winograd ? winograd_radius(&c, a, b, extent) : 0;
    do {
        assert_true(place_of(&c.out, y, axis, &place));
        y->of[place] = sum_of_products(&c, a, b, extent, axis);
        y->of[place].radius += more;
    } while (next_axis(extent, 0, c.out_axes, axis));
}

/* ---- Moves ---- */

enum { MOST_ACCESSES = 16 };

struct access {
    const struct balls *from;
    int rank;
    const struct expression *index[MI_MAX_RANK], *guard;
};

static void compile_access(struct interpreter *in, const struct names *names, const struct mi_access *text, struct access *a)
{
    a->from = tensor(in, text->value);
    a->rank = text->value->shape.rank;
    a->guard = text->guard ? expression_compile(&in->arena, names, text->guard) : NULL;
    for (int i = 0; i < a->rank; i++)
        a->index[i] = expression_compile(&in->arena, names, text->index[i]);
}

/* False: the guard does not hold. */
static bool read_access(const struct access *a, const struct names *names, struct ball *out)
{
    int64_t at[MI_MAX_RANK];
    if (a->guard) {
        struct ball holds = expression_value(a->guard, names);
        if (!ball_is_true(holds) && !ball_is_false(holds)) {
            *out = (struct ball){.radius = (double)INFINITY, .whole = !is_float(a->from)};
            return true;
        }
        if (!ball_is_true(holds))
            return false;
    }
    for (int i = 0; i < a->rank; i++) {
        struct ball place = expression_value(a->index[i], names);
        if (place.radius > 0) {
            *out = (struct ball){.radius = (double)INFINITY, .whole = !is_float(a->from)};
            return true;
        }
        at[i] = (int64_t)place.at;
        if (at[i] < 0 || at[i] >= a->from->dim[i])
            fail_msg("a move reads place %lld of axis %d of size %lld", (long long)at[i], i, (long long)a->from->dim[i]);
    }
    *out = a->from->of[offset_of(a->from, at)];
    return true;
}

static struct ball fill_of(struct interpreter *in, const struct mi_node *node, const struct names *names, const struct balls *t)
{
    const struct mi_attribute *own = mi_attribute_find(node, "fill");
    if (own)
        return stored(t, ball_float((double)own->f));
    return stored(t, expression_value(expression_compile(&in->arena, names, node->op->fill ? node->op->fill : "0"), names));
}

static void run_move(struct interpreter *in, const struct mi_node *node)
{
    struct names *names = names_of(in, node);
    struct mi_access text[MOST_ACCESSES];
    struct access access[MOST_ACCESSES];
    struct balls *y = tensor(in, node->out[0]);
    const char *coordinate[MI_MAX_RANK];
    int slot[MI_MAX_RANK], data = names_add(names, "$index", ball_whole(0)), indexed = node->op->kind == MI_INDEXED;
    for (int i = 0; i < y->rank; i++) {
        coordinate[i] = mi_arena_format(&in->arena, "o%d", i);
        slot[i] = names_add(names, coordinate[i], ball_whole(0));
    }
    assert_true(node->inputs <= MOST_ACCESSES);
    int count = node->op->move(&in->arena, node, coordinate, text);
    for (int k = 0; k < count; k++)
        compile_access(in, names, &text[k], &access[k]);
    struct ball fill = fill_of(in, node, names, y);
    int64_t at[MI_MAX_RANK] = {0}, i = 0;
    if (y->count)
        do {
            for (int d = 0; d < y->rank; d++)
                names->value[slot[d]] = ball_whole((double)at[d]);
            if (indexed)
                read_access(&access[0], names, &names->value[data]);
            struct ball value = fill;
            bool found = false;
            for (int k = indexed; k < count && !found; k++)
                found = read_access(&access[k], names, &value);
            y->of[i++] = stored(y, value);
        } while (balls_next(y, at));
}

/* ---- Own kernels ---- */

/* GatherGrad: dy (A, T, B), indices (T) -> (A, V, B). */
static void run_segment_sum(struct interpreter *in, const struct mi_node *node)
{
    const struct balls *dy = tensor(in, node->in[0]), *index = tensor(in, node->in[1]);
    struct balls *y = tensor(in, node->out[0]);
    int64_t inner = y->dim[2], rows = y->dim[1];
    for (int64_t i = 0; i < y->count; i++) {
        int64_t a = i / inner / rows, v = i / inner % rows, b = i % inner;
        double at = 0, radius = 0, magnitude = 0, terms = 0;
        for (int64_t t = 0; t < dy->dim[1]; t++) {
            struct ball term = dy->of[(a * dy->dim[1] + t) * inner + b], place = index->of[t];
            bool here = (int64_t)place.at == v || (int64_t)place.at == v - rows;
            if (place.radius > 0)
                radius = (double)INFINITY;
            if (!here)
                continue;
            at += term.at;
            radius += term.radius;
            magnitude += fabs(term.at) + term.radius;
            terms++;
        }
        y->of[i] = ball_sum(at, radius, magnitude, terms);
    }
}

/* ---- All ---- */

static void run_constant(struct interpreter *in, const struct mi_node *node)
{
    struct balls *t = tensor(in, node->out[0]);
    for (int64_t i = 0; i < t->count; i++)
        t->of[i] = is_float(t) ? ball_float((double)((const float *)node->constant)[i])
                               : ball_whole((double)((const int64_t *)node->constant)[i]);
}

void interpreter_create(struct interpreter *in, const struct mi_graph *graph, const struct mi_step *step)
{
    *in = (struct interpreter){.graph = graph, .step = *step};
    in->values = mi_new(graph->value_count + 1, sizeof *in->values);
    assert_non_null(in->values);
    for (size_t i = 0; i < graph->value_count; i++)
        balls_create(&in->values[i], graph->values[i], step->n);
}

static void run_node(struct interpreter *in, const struct mi_node *node)
{
    switch (node->op->kind) {
    case MI_SOURCE:
        if (node->op == &mi_op_constant)
            run_constant(in, node);
        break;
    case MI_MAP: run_map(in, node); break;
    case MI_REDUCE: run_reduce(in, node); break;
    case MI_CONTRACT: run_contract(in, node); break;
    case MI_MOVE:
    case MI_INDEXED: run_move(in, node); break;
    case MI_OWN:
        assert_string_equal(node->op->own, "segment_sum");
        run_segment_sum(in, node);
        break;
    default: fail_msg("%s must have been lowered", node->op->name);
    }
    mi_arena_destroy(&in->arena);
    in->arena = (struct mi_arena){0};
}

/* ---- Repeats ---- */

static void copy_balls(const struct balls *from, struct balls *to, int64_t first)
{
    assert_true(first >= 0 && first + from->count <= to->count);
    memcpy(to->of + first, from->of, (size_t)from->count * sizeof *to->of);
}

/* What a repeat's values are in the turn that has run goes to what comes after all turns; the last one that does so stays. */
static void keep_results(struct interpreter *in, const struct mi_node *end)
{
    for (size_t i = 0; i < in->graph->node_count; i++) {
        const struct mi_node *node = in->graph->nodes[i];
        if ((node->op != &mi_op_last && node->op != &mi_op_stack) || node->in[0] != end->out[0])
            continue;
        const struct balls *from = tensor(in, end->in[mi_attribute_int(node, "of", 0)]);
        int64_t turn = in->turn[mi_repeat_depth(in->graph, end->ends) - 1];
        copy_balls(from, tensor(in, node->out[0]), node->op == &mi_op_stack ? turn * from->count : 0);
    }
}

/* The carried values of the first turn, or of the next one: all from what the turn made, before one of them changes. */
static void carry(struct interpreter *in, const struct mi_node *end, bool first)
{
    enum { MOST_CARRIED = 16 };
    struct ball *next[MOST_CARRIED] = {NULL};
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < end->id; i++) {
            const struct mi_node *node = in->graph->nodes[i];
            if (node->op != &mi_op_carry || node->repeat != end->ends)
                continue;
            int number = mi_carry_number(node);
            struct balls *to = tensor(in, node->out[0]), taken = *tensor(in, first ? node->in[0] : end->in[number]);
            assert_true(number < MOST_CARRIED && taken.count == to->count);
            if (pass == 0) {
                assert_true((next[number] = mi_new((size_t)to->count + 1, sizeof **next)) != NULL);
                memcpy(next[number], taken.of, (size_t)to->count * sizeof **next);
                continue;
            }
            memcpy(to->of, next[number], (size_t)to->count * sizeof **next);
            free(next[number]);
        }
}

static void run_turn(struct interpreter *in, int repeat, int nodes);

/* All turns, once all that they take from outside is there. */
static void run_repeat(struct interpreter *in, const struct mi_node *end)
{
    const struct mi_repeat *repeat = &in->graph->repeats[end->ends];
    int64_t *turn = &in->turn[mi_repeat_depth(in->graph, end->ends) - 1];
    for (int64_t t = 0; t < repeat->turns; t++) {
        carry(in, end, t == 0);
        *turn = repeat->backwards ? repeat->turns - 1 - t : t;
        run_turn(in, end->ends, end->id);
        keep_results(in, end);
    }
    *turn = 0;
}

/* What runs once in a turn of the repeat, of so many nodes. */
static void run_turn(struct interpreter *in, int repeat, int nodes)
{
    for (int i = 0; i < nodes; i++) {
        const struct mi_node *node = in->graph->nodes[i];
        if (node->repeat == repeat && node->op == &mi_op_repeat)
            run_repeat(in, node);
        else if (node->repeat == repeat)
            run_node(in, node);
    }
}

void interpreter_run(struct interpreter *in)
{
    run_turn(in, 0, (int)in->graph->node_count);
}

void interpreter_destroy(struct interpreter *in)
{
    for (size_t i = 0; i < in->graph->value_count; i++)
        free(in->values[i].of);
    free(in->values);
    mi_arena_destroy(&in->arena);
}
