#include "support/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A head of a query: where it reads, and how many of each there are. */
struct place {
    int64_t b, h, t;
    int64_t dim, value_dim, shared;
    uint64_t stable;                /* of the node: its number behind the inputs */
};

static double score(const struct op_case *c, const struct tensor *in, const struct place *p, int64_t s)
{
    const struct tensor *q = &in[0], *k = &in[1], *mask = &in[3];
    double sum = 0, scale = op_float(c, "scale", 1 / sqrt((double)p->dim));
    for (int64_t i = 0; i < p->dim; i++)
        sum += q->data[tensor_offset(q, (const int64_t[]){p->b, p->t, p->h * p->dim + i})] *
               k->data[tensor_offset(k, (const int64_t[]){p->b, s, p->shared * p->dim + i})];
    sum *= scale;
    int64_t power = op_int(c, "alibi", 0);
    double number = p->h < power ? (double)(p->h + 1) : (double)(p->h - power) + 0.5;
    sum -= power ? exp(op_float(c, "slope", 0) * number) * fabs((double)(p->t - s)) : 0;
    if (c->in[3].type == MI_BOOL)
        sum = tensor_broadcast(mask, 4, (const int64_t[]){p->b, p->h, p->t, s}) > 0 ? sum : op_float(c, "hidden", -INFINITY);
    else
        for (int i = 3; i < 5 && c->in[i].shape; i++)
            sum += tensor_broadcast(&in[i], 4, (const int64_t[]){p->b, p->h, p->t, s});
    return op_int(c, "is_causal", 0) && s > p->t ? -(double)INFINITY : sum;
}

/* What dropout makes of a weight: the harness runs step 3 with seed 42, and the node stands behind its inputs. */
static double counts(const struct op_case *c, const struct tensor *in, const struct place *p, int64_t s)
{
    double rate = c->training ? op_float(c, "rate", 0) : 0;
    int64_t heads = op_int(c, "q_num_heads", 1);
    int64_t index = ((p->b * heads + p->h) * in[0].dim[1] + p->t) * in[1].dim[1] + s;
    double drawn = (double)mi_chance(42, ((uint64_t)3 << 32) + p->stable, (uint64_t)index);
    return rate > 0 ? drawn < (double)(float)rate ? 0 : 1 / (1 - rate) : 1;
}

/* y of one head of a query, and what is kept of its scores. */
static void attend(const struct op_case *c, const struct tensor *in, const struct place *p, double *weight, struct tensor *out)
{
    const struct tensor *v = &in[2];
    int64_t keys = v->dim[1];
    double most = -(double)INFINITY, sum = 0;
    for (int64_t s = 0; s < keys; s++) {
        weight[s] = score(c, in, p, s);
        most = fmax(most, weight[s]);
    }
    for (int64_t s = 0; s < keys; s++) {
        weight[s] = isinf(most) ? 0 : exp(weight[s] - most);
        sum += weight[s];
    }
    double part = sum > 0 ? 1 / sum : 0; /* 0: the query sees nothing */
    for (int64_t i = 0; i < p->value_dim; i++) {
        double y = 0;
        for (int64_t s = 0; s < keys; s++)
            y += weight[s] * part * counts(c, in, p, s) * v->data[tensor_offset(v, (const int64_t[]){p->b, s, p->shared * p->value_dim + i})];
        out[0].data[tensor_offset(&out[0], (const int64_t[]){p->b, p->t, p->h * p->value_dim + i})] = y;
    }
    if (c->outputs > 1) {
        const int64_t at[] = {p->b, p->h, p->t, 0};
        out[1].data[tensor_offset(&out[1], at)] = most;
        out[2].data[tensor_offset(&out[2], at)] = part;
    }
}

static void node(const struct op_case *c, uint64_t stable, const struct tensor *in, struct tensor *out)
{
    const struct tensor *q = &in[0], *v = &in[2];
    int64_t heads = op_int(c, "q_num_heads", 1), groups = op_int(c, "kv_num_heads", heads);
    double *weight = malloc((size_t)(v->dim[1] > 0 ? v->dim[1] : 1) * sizeof *weight);
    assert_non_null(weight);
    for (int64_t b = 0; b < q->dim[0]; b++)
        for (int64_t h = 0; h < heads; h++)
            for (int64_t t = 0; t < q->dim[1]; t++) {
                const struct place p = {b, h, t, q->dim[2] / heads, v->dim[2] / groups, h / (heads / groups), stable};
                attend(c, in, &p, weight, out);
            }
    free(weight);
}

static void reference(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    node(c, 4, in, out);
}

/* Two of the same inputs draw different numbers. */
static mi_value *twice(struct mi_graph *graph, mi_value *const *in, const struct op_case *c)
{
    mi_value *first = mi_apply(graph, "Attention", in, 3, c->attribute, 1);
    return mi_op2(graph, "Sub", first, mi_apply(graph, "Attention", in, 3, c->attribute, 1));
}

static void reference_twice(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    node(c, 4, in, out);
    double *first = malloc((size_t)out->count * sizeof *first);
    assert_non_null(first);
    memcpy(first, out->data, (size_t)out->count * sizeof *first);
    node(c, 5, in, out);
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = first[i] - out->data[i];
    free(first);
}

/* A mask that is trained, and one that hides. */
static mi_value *with_two_masks(struct mi_graph *graph, mi_value *const *in, const struct op_case *c)
{
    mi_value *of[] = {in[0], in[1], in[2], mi_op2(graph, "Add", in[3], in[4])};
    return mi_apply(graph, "Attention", of, 4, c->attribute, 2);
}

#define HEADS(q, kv) MI_INT("q_num_heads", q), MI_INT("kv_num_heads", kv)
#define CAUSAL MI_INT("is_causal", 1)

/* Fewer queries than a register has lanes: products, maps and reductions. */
static void few_queries(void **state)
{
    const struct op_case cases[] = {
        {"Attention", {IN("n 1 4"), IN("n 1 4"), IN("n 1 4")}, .reference = reference, .batch = 3, .outputs = 3},
        {"Attention", {IN("n 3 6"), IN("n 5 6"), IN("n 5 4")}, {HEADS(2, 2)}, .reference = reference, .batch = 3, .apart = true},
        {"Attention", {IN("n 3 12"), IN("n 3 6"), IN("n 3 4")}, {HEADS(4, 2), CAUSAL}, .reference = reference, .batch = 2},
        {"Attention", {IN("n 2 3"), IN("n 4 3"), IN("n 4 3"), IN("n 1 1 4")}, .reference = reference, .batch = 2},
    };
    OP_CHECK_ALL(state, cases);
}

static void many_queries(void **state)
{
    const struct op_case cases[] = {
        {"Attention", {IN("n 16 4"), IN("n 16 4"), IN("n 16 4")}, .reference = reference, .batch = 2, .outputs = 3},
        {"Attention", {IN("n 17 3"), IN("n 1 3"), IN("n 1 1")}, .reference = reference, .batch = 2},
        {"Attention", {IN("n 25 15"), IN("n 49 15"), IN("n 49 21")}, {HEADS(3, 3)}, .reference = reference, .batch = 2},
        {"Attention", {IN("n 50 24"), IN("n 50 8"), IN("n 50 10")}, {HEADS(6, 2), MI_REAL("scale", 0.3f)}, .reference = reference,
         .batch = 2},
        {"Attention", {IN("n 100 66"), IN("n 97 66"), IN("n 97 66")}, {HEADS(2, 2)}, .reference = reference, .batch = 1},
        {"Attention", {IN("n 16 4"), {.shape = "n 3 4", .no_gradient = true}, IN("n 3 4")}, .reference = reference, .batch = 1},
        {"Attention", {IN_RANGE("n 16 8", -30, 30), IN_RANGE("n 50 8", -30, 30), IN("n 50 8")}, .reference = reference, .batch = 1,
         .no_gradient = true, .tolerance = 1e-4},
    };
    OP_CHECK_ALL(state, cases);
}

static void causal(void **state)
{
    const struct op_case cases[] = {
        {"Attention", {IN("n 49 8"), IN("n 49 8"), IN("n 49 8")}, {HEADS(2, 2), CAUSAL}, .reference = reference, .batch = 2},
        {"Attention", {IN("n 20 4"), IN("n 60 4"), IN("n 60 4")}, {CAUSAL}, .reference = reference, .batch = 1},
        {"Attention", {IN("n 120 4"), IN("n 50 4"), IN("n 50 4")}, {CAUSAL}, .reference = reference, .batch = 1, .outputs = 3},
        {"Attention", {IN("n 40 12"), IN("n 40 4"), IN("n 40 4")}, {HEADS(3, 1), CAUSAL}, .reference = reference, .batch = 2},
    };
    OP_CHECK_ALL(state, cases);
}

static void masks(void **state)
{
    static const double hidden[] = {-1e30, -1e30, -1e30, -1e30, -1e30, 0, -1e30, -1e30, -1e30};
    static const double nothing[9] = {0}; /* of a row: all weights are equal there */
    static const double out_of_sight[] = {-(double)INFINITY, 0, -(double)INFINITY, -(double)INFINITY};
    const struct op_case cases[] = {
        {"Attention", {IN("n 17 4"), IN("n 9 4"), IN("n 9 4"), IN("n 1 1 9")}, {HEADS(2, 2)}, .reference = reference, .batch = 2},
        {"Attention", {IN("n 17 8"), IN("n 9 4"), IN("n 9 4"), IN("1 2 17 9")}, {HEADS(2, 1)}, .reference = reference, .batch = 2},
        {"Attention", {IN("n 19 4"), IN("n 19 4"), IN("n 19 4"), IN("1 2 19 19")}, {HEADS(2, 2), CAUSAL}, .reference = reference,
         .batch = 2, .apart = true},
        {"Attention", {IN("n 17 4"), IN("n 9 4"), IN("n 9 4"), {.shape = "n 1 17 1", .no_gradient = true}}, {HEADS(2, 2)}, .reference = reference, .batch = 2},
        {"Attention", {IN("n 17 4"), IN("n 9 4"), IN("n 9 4"), {.shape = "1 1 1 9", .first = hidden, .firsts = 9, .no_gradient = true}},
         {HEADS(2, 2)}, .reference = reference, .batch = 2},
        {"Attention", {IN("n 17 4"), IN("n 4 4"), IN("n 4 4"),
                       {.shape = "1 1 1 4", .first = out_of_sight, .firsts = 4, .no_gradient = true}},
         .reference = reference, .batch = 2},
        {"Attention", {IN("n 17 4"), IN("n 9 4"), IN("n 9 4"), {.shape = "n 1 17 9", .type = MI_BOOL, .high = 1, .first = nothing, .firsts = 9}},
         {MI_REAL("hidden", -20)}, .reference = reference, .batch = 2},
        {"Attention", {IN("n 5 9"), IN("n 4 3"), IN("n 4 3")}, {HEADS(3, 1), MI_INT("alibi", 2), MI_REAL("slope", -2)},
         .reference = reference, .batch = 2},
        {"Attention", {IN("n 17 9"), IN("n 20 9"), IN("n 20 9")}, {HEADS(3, 3), MI_INT("alibi", 2), MI_REAL("slope", -2)},
         .reference = reference, .batch = 1},
    };
    OP_CHECK_ALL(state, cases);
}

/* Of three keys the first two queries see none and the third one only the last: a result and gradients of zeros. */
static void nothing_seen(void **state)
{
#define UNSEEN -(double)INFINITY
    static const double added[] = {UNSEEN, UNSEEN, UNSEEN, UNSEEN, UNSEEN, UNSEEN, UNSEEN, UNSEEN}, chosen[8] = {0};
#define ADDED(of) {.shape = of, .first = added, .firsts = 8, .no_gradient = true}
#define CHOSEN(of) {.shape = of, .type = MI_BOOL, .high = 1, .first = chosen, .firsts = 8}
    const struct op_case cases[] = {
        {"Attention", {IN("n 5 4"), IN("n 3 4"), IN("n 3 4"), ADDED("1 1 5 3")}, {HEADS(2, 2), CAUSAL}, .reference = reference,
         .batch = 2, .outputs = 3},
        {"Attention", {IN("n 5 8"), IN("n 3 4"), IN("n 3 4"), CHOSEN("n 1 5 3")}, {HEADS(2, 1)}, .reference = reference, .batch = 2},
        {"Attention", {IN("n 17 8"), IN("n 3 4"), IN("n 3 4"), IN("1 2 17 3"), ADDED("1 1 17 3")}, {HEADS(2, 1)},
         .build = with_two_masks, .reference = reference, .batch = 2},
        {"Attention", {IN("n 17 6"), IN("n 3 6"), IN("n 3 6"), CHOSEN("n 2 17 3")}, {HEADS(2, 2), MI_INT("alibi", 2), MI_REAL("slope", -2)},
         .reference = reference, .batch = 1},
    };
    OP_CHECK_ALL(state, cases);
}

static void dropout(void **state)
{
    const struct op_case cases[] = {
        {"Attention", {IN("n 3 4"), IN("n 9 4"), IN("n 9 4")}, {HEADS(2, 2), MI_REAL("rate", 0.25f)}, .reference = reference, .batch = 2,
         .training = true},
        {"Attention", {IN("n 17 4"), IN("n 50 4"), IN("n 50 4")}, {HEADS(2, 2), MI_REAL("rate", 0.5f), CAUSAL},
         .reference = reference, .batch = 2, .training = true, .apart = true},
        {"Attention", {IN("n 17 4"), IN("n 9 4"), IN("n 9 4")}, {MI_REAL("rate", 0.5f)}, .reference = reference, .batch = 2},
        {"Attention", {IN("n 17 4"), IN("n 9 4"), IN("n 9 4")}, {MI_REAL("rate", 0.5f)}, .build = twice, .reference = reference_twice,
         .batch = 2, .training = true},
    };
    OP_CHECK_ALL(state, cases);
}

/* On registers of every width. */
static void widths(void **state)
{
    const struct op_case cases[] = {
        {"Attention", {IN("n 18 24"), IN("n 53 8"), IN("n 53 10")}, {HEADS(6, 2), CAUSAL}, .reference = reference, .batch = 2},
        {"Attention", {IN("n 100 13"), IN("n 50 13"), IN("n 50 7"), {.shape = "n 1 1 50", .no_gradient = true}},
         .reference = reference, .batch = 2},
    };
    op_check_widths(state, cases, MI_COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(few_queries), cmocka_unit_test(many_queries), cmocka_unit_test(causal),
                                       cmocka_unit_test(masks), cmocka_unit_test(nothing_seen), cmocka_unit_test(dropout),
                                       cmocka_unit_test(widths)};
    return cmocka_run_group_tests_name("attention", tests, op_devices_open, op_devices_close);
}
