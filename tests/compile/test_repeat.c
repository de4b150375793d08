/* Repeats beside the same operators written out turn by turn: results and gradients, however a repeat begins, ends and is read, also
 * within another one. */
#include "plan/inside.h"
#include "support/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TURNS = 6, CHUNK = 3, WIDTH = 6, IN = 3, MOST = 3 };

/* What a repeat carries, and what becomes of it in a turn. */
struct cell {
    const char *name;
    int carries;
    void (*turn)(struct network *net, mi_value *x, mi_value *const *now, mi_value **next);
};

static mi_value *product(struct network *net, mi_value *x, const char *name, int64_t out)
{
    struct mi_variable *known = mi_variable_find(&net->variables, name);
    char shape[32];
    snprintf(shape, sizeof shape, "%lld %lld", (long long)out, (long long)x->shape.dim[1].b);
    mi_value *weight = known ? mi_variable(net->graph, known) : network_weight(net, name, shape, 1);
    return MI_APPLY(net->graph, "Gemm", ((mi_value *[]){x, weight}), MI_INT("transB", 1));
}

static mi_value *bias(struct network *net, mi_value *x, const char *name)
{
    struct mi_variable *known = mi_variable_find(&net->variables, name);
    char shape[32];
    snprintf(shape, sizeof shape, "%lld", (long long)x->shape.dim[1].b);
    return mi_op2(net->graph, "Add", x, known ? mi_variable(net->graph, known) : network_weight(net, name, shape, 1));
}

/* h' = tanh(W x + U h + b) */
static void simple(struct network *net, mi_value *x, mi_value *const *now, mi_value **next)
{
    mi_value *z = mi_op2(net->graph, "Add", product(net, x, "w", WIDTH), product(net, now[0], "u", WIDTH));
    next[0] = mi_op1(net->graph, "Tanh", bias(net, z, "b"));
}

static mi_value *gate(struct network *net, mi_value *z, int64_t which, const char *activation)
{
    mi_value *part = MI_APPLY(net->graph, "Slice", ((mi_value *[]){z}), MI_INTS("starts", (&(int64_t){which * WIDTH}), 1),
                              MI_INTS("ends", (&(int64_t){(which + 1) * WIDTH}), 1), MI_INTS("axes", (&(int64_t){1}), 1));
    return mi_op1(net->graph, activation, part);
}

/* A long short-term memory. */
static void gated(struct network *net, mi_value *x, mi_value *const *now, mi_value **next)
{
    struct mi_graph *graph = net->graph;
    mi_value *z = mi_op2(graph, "Add", bias(net, product(net, x, "w", 4 * WIDTH), "b"), product(net, now[0], "u", 4 * WIDTH));
    mi_value *in = mi_op2(graph, "Mul", gate(net, z, 0, "Sigmoid"), gate(net, z, 2, "Tanh"));
    next[1] = mi_op2(graph, "Add", mi_op2(graph, "Mul", gate(net, z, 1, "Sigmoid"), now[1]), in);
    next[0] = mi_op2(graph, "Mul", gate(net, z, 3, "Sigmoid"), mi_op1(graph, "Tanh", next[1]));
}

/* What is carried moves on by one place each turn; nothing but the first is computed. */
static void shifted(struct network *net, mi_value *x, mi_value *const *now, mi_value **next)
{
    next[0] = mi_op1(net->graph, "Sigmoid", mi_op2(net->graph, "Add", product(net, x, "w", WIDTH), now[2]));
    next[1] = now[0];
    next[2] = now[1];
}

/* A sum that is kept beside its square, through softmax. */
static void summed(struct network *net, mi_value *x, mi_value *const *now, mi_value **next)
{
    struct mi_graph *graph = net->graph;
    mi_value *soft = MI_APPLY(graph, "Softmax", ((mi_value *[]){product(net, x, "w", WIDTH)}), MI_INT("axis", 1));
    next[0] = mi_op2(graph, "Add", now[0], soft);
    next[1] = mi_op2(graph, "Mul", next[0], mi_op2(graph, "Add", next[0], now[1]));
}

/* Rows that are not alone: each adds what all carry on average. */
static void mixed(struct network *net, mi_value *x, mi_value *const *now, mi_value **next)
{
    struct mi_graph *graph = net->graph;
    mi_value *mean = MI_APPLY(graph, "ReduceMean", ((mi_value *[]){now[0]}), MI_INTS("axes", (&(int64_t){0}), 1));
    next[0] = mi_op1(graph, "Tanh", mi_op2(graph, "Add", product(net, x, "w", WIDTH), mean));
}

/* What is carried is dropped by chance, anew in each turn. */
static void dropped(struct network *net, mi_value *x, mi_value *const *now, mi_value **next)
{
    mi_value *left = MI_APPLY(net->graph, "Dropout", ((mi_value *[]){now[0]}), MI_REAL("rate", 0.4f));
    next[0] = mi_op1(net->graph, "Tanh", mi_op2(net->graph, "Add", product(net, x, "w", WIDTH), left));
}

/* A number for all rows, that is made of how many there are. */
static void counted(struct network *net, mi_value *x, mi_value *const *now, mi_value **next)
{
    mi_value *share = MI_APPLY(net->graph, "DivideByCount", ((mi_value *[]){mi_scalar(net->graph, 8)}), MI_INT("per_n", 1));
    next[0] = mi_op1(net->graph, "Tanh", mi_op2(net->graph, "Add", product(net, x, "w", WIDTH), mi_op2(net->graph, "Mul", now[0], share)));
}

static const struct cell mixing = {"mixed", 1, mixed}, dropping = {"dropped", 1, dropped}, counting = {"counted", 1, counted};

/* What is made of the step by layers of its own, with a mean between. */
static void deep(struct network *net, mi_value *x, mi_value *const *now, mi_value **next)
{
    struct mi_graph *graph = net->graph;
    mi_value *of_x = bias(net, product(net, x, "v", WIDTH), "bv");
    mi_value *mean = MI_APPLY(graph, "ReduceMean", ((mi_value *[]){of_x}), MI_INTS("axes", ((int64_t[]){1}), 1), MI_INT("keepdims", 1));
    mi_value *z = product(net, mi_op1(graph, "Relu", mi_op2(graph, "Sub", of_x, mean)), "w", WIDTH);
    next[0] = mi_op1(graph, "Tanh", mi_op2(graph, "Add", z, product(net, now[0], "u", WIDTH)));
}

static const struct cell cells[] = {{"simple", 1, simple}, {"gated", 2, gated}, {"shifted", 3, shifted}, {"summed", 2, summed}};
static const struct cell deep_cell = {"deep", 1, deep};

/* ---- The two ways ---- */

struct results {
    mi_value *last[MOST], *all;    /* all: (n, turns, width) of the first carried value */
};

static mi_value *zeros(struct network *net)
{
    struct mi_shape shape = network_shape("n 6");
    return mi_expand_to(net->graph, mi_scalar(net->graph, 0), &shape);
}

static void begin(struct network *net, mi_value *const *first, int carries, mi_value **out)
{
    for (int i = 0; i < carries; i++)
        out[i] = i == 0 && first[0] ? first[0] : zeros(net);
}

static void repeated(struct network *net, const struct cell *cell, mi_value *x, mi_value *const *first, bool backwards,
                     struct results *out)
{
    mi_value *now[MOST], *next[MOST];
    begin(net, first, cell->carries, now);
    assert_true(mi_repeat_begin(net->graph, TURNS, backwards));
    for (int i = 0; i < cell->carries; i++)
        now[i] = mi_carry(net->graph, now[i]);
    cell->turn(net, mi_at_turn(net->graph, x, 1), now, next);
    struct mi_node *end = mi_repeat_end(net->graph, next, cell->carries);
    for (int i = 0; i < cell->carries; i++)
        out->last[i] = mi_last(end, i);
    out->all = MI_APPLY(net->graph, "Transpose", ((mi_value *[]){mi_stack(end, next[0])}), MI_INTS("perm", ((int64_t[]){1, 0, 2}), 3));
}

/* The same turns as chunks of an outer repeat, each of which an inner one runs through. */
static void chunked(struct network *net, const struct cell *cell, mi_value *x, mi_value *const *first, bool backwards,
                    struct results *out)
{
    struct mi_graph *graph = net->graph;
    mi_value *now[MOST], *within[MOST], *next[MOST];
    const struct mi_shape chunks = network_shape("n 2 3 3"), turns = network_shape("6 n 6");
    begin(net, first, cell->carries, now);
    assert_true(mi_repeat_begin(graph, TURNS / CHUNK, backwards));
    for (int i = 0; i < cell->carries; i++)
        now[i] = mi_carry(graph, now[i]);
    mi_value *chunk = mi_at_turn(graph, mi_reshape_to(graph, x, &chunks), 1);
    assert_true(mi_repeat_begin(graph, CHUNK, backwards));
    for (int i = 0; i < cell->carries; i++)
        within[i] = mi_carry(graph, now[i]);
    cell->turn(net, mi_at_turn(graph, chunk, 1), within, next);
    struct mi_node *inner = mi_repeat_end(graph, next, cell->carries);
    mi_value *all = mi_stack(inner, next[0]);
    for (int i = 0; i < cell->carries; i++)
        next[i] = mi_last(inner, i);
    struct mi_node *end = mi_repeat_end(graph, next, cell->carries);
    for (int i = 0; i < cell->carries; i++)
        out->last[i] = mi_last(end, i);
    all = mi_reshape_to(graph, mi_stack(end, all), &turns);
    out->all = MI_APPLY(graph, "Transpose", ((mi_value *[]){all}), MI_INTS("perm", ((int64_t[]){1, 0, 2}), 3));
}

static void written_out(struct network *net, const struct cell *cell, mi_value *x, mi_value *const *first, bool backwards,
                        struct results *out)
{
    mi_value *now[MOST], *next[MOST], *all[TURNS];
    const int64_t axis = 1;
    begin(net, first, cell->carries, now);
    for (int i = 0; i < TURNS; i++) {
        int64_t t = backwards ? TURNS - 1 - i : i, behind = t + 1;
        mi_value *slice = MI_APPLY(net->graph, "Slice", ((mi_value *[]){x}), MI_INTS("starts", &t, 1), MI_INTS("ends", &behind, 1),
                                   MI_INTS("axes", &axis, 1));
        cell->turn(net, MI_APPLY(net->graph, "Squeeze", ((mi_value *[]){slice}), MI_INTS("axes", &axis, 1)), now, next);
        all[t] = MI_APPLY(net->graph, "Unsqueeze", ((mi_value *[]){next[0]}), MI_INTS("axes", &axis, 1));
        memcpy(now, next, sizeof now);
    }
    memcpy(out->last, now, sizeof now);
    out->all = mi_apply(net->graph, "Concat", all, TURNS, &MI_INT("axis", 1), 1);
}

/* ---- What is compared ---- */

typedef void build_fn(struct network *net, const struct cell *cell, mi_value *x, mi_value *const *first, bool backwards,
                      struct results *out);

static mi_value *square_sum(struct mi_graph *graph, mi_value *x)
{
    return MI_APPLY(graph, "ReduceSum", ((mi_value *[]){mi_op2(graph, "Mul", x, x)}), MI_INT("keepdims", 0));
}

enum { LAST = 1, ALL = 2, FIRST = 4, BACKWARDS = 8, GRADIENTS = 16 };

/* Outputs "last0", ..., "all", and with gradients "dx", "dfirst" and one for each weight. */
static void build(struct network *net, const struct cell *cell, build_fn *way, unsigned what)
{
    struct mi_graph *graph = net->graph;
    mi_value *x = network_input(net, "x", "n 6 3", MI_FLOAT), *wanted[16] = {x}, *gradient[16], *loss = NULL;
    mi_value *first[MOST] = {what & FIRST ? network_input(net, "first", "n 6", MI_FLOAT) : NULL};
    struct results results;
    char name[32];
    int count = 1;
    way(net, cell, x, first, what & BACKWARDS, &results);
    for (int i = 0; i < cell->carries && what & LAST; i++) {
        snprintf(name, sizeof name, "last%d", i);
        mi_output(graph, name, results.last[i]);
    }
    if (what & ALL)
        mi_output(graph, "all", results.all);
    if (what & GRADIENTS && what & LAST)
        for (int i = 0; i < cell->carries; i++)
            loss = loss ? mi_op2(graph, "Add", loss, square_sum(graph, results.last[i])) : square_sum(graph, results.last[i]);
    if (what & GRADIENTS && what & ALL)
        loss = loss ? mi_op2(graph, "Add", loss, square_sum(graph, results.all)) : square_sum(graph, results.all);
    if (!loss)
        return;
    if (first[0])
        wanted[count++] = first[0];
    for (size_t v = 0; v < net->variables.count; v++)
        wanted[count++] = mi_variable(graph, net->variables.list[v]);
    assert_int_equal(mi_differentiate(graph, loss, wanted, count, gradient), MICA_OK);
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "d%d", i);
        if (gradient[i])
            mi_output(graph, name, gradient[i]);
    }
}

struct outcome {
    char name[32];
    float *values;
    size_t count;
};

static int run(mica_device *device, const struct cell *cell, build_fn *way, unsigned what, int64_t batch, int64_t n, bool no_fusion,
               struct outcome *out)
{
    struct network net;
    int outputs;
    network_begin(&net, device);
    build(&net, cell, way, what);
    network_compile(&net, batch, &(struct mi_plan_desc){.no_fusion = no_fusion});
    float *x = random_floats((size_t)(n * TURNS * IN), 3), *first = random_floats((size_t)(n * WIDTH), 4);
    for (int again = 0; again < 2; again++) {
        network_feed(&net, "x", x, n);
        if (what & FIRST)
            network_feed(&net, "first", first, n);
        network_step(&net, n, 1);
    }
    outputs = (int)net.plan->graph->output_count;
    for (int i = 0; i < outputs; i++) {
        snprintf(out[i].name, sizeof out[i].name, "%s", net.plan->graph->outputs[i]->name);
        out[i].values = network_fetch(&net, out[i].name, n, &out[i].count);
    }
    free(x);
    free(first);
    network_end(&net);
    return outputs;
}

/* One way to build a repeat, as it is compiled, beside another one with every node apart. */
static void compare_ways(mica_device *device, const struct cell *cell, build_fn *way, build_fn *other, unsigned what, int64_t batch,
                         int64_t n, bool no_fusion)
{
    struct outcome got[24], expected[24];
    int count = run(device, cell, way, what, batch, n, no_fusion, got);
    assert_int_equal(run(device, cell, other, what, batch, n, true, expected), count);
    for (int i = 0; i < count; i++) {
        char text[160];
        snprintf(text, sizeof text, "%s, results %u, %lld of %lld samples: %.31s", cell->name, what, (long long)n, (long long)batch,
                 got[i].name);
        assert_string_equal(got[i].name, expected[i].name);
        assert_int_equal(got[i].count, expected[i].count);
        assert_near(text, got[i].values, expected[i].values, got[i].count, 1e-5);
        free(got[i].values);
        free(expected[i].values);
    }
}

static void compare(mica_device *device, const struct cell *cell, unsigned what, int64_t batch, int64_t n, bool no_fusion)
{
    compare_ways(device, cell, repeated, written_out, what, batch, n, no_fusion);
}

/* ---- Tests ---- */

static void test_results(void **state)
{
    for (size_t c = 0; c < MI_COUNT(cells); c++) {
        compare(*state, &cells[c], LAST, 4, 4, false);
        compare(*state, &cells[c], ALL | FIRST, 4, 3, false);
        compare(*state, &cells[c], LAST | ALL | FIRST | BACKWARDS, 3, 2, false);
        compare(*state, &cells[c], LAST | ALL, 4, 4, true);
    }
}

static void test_gradients(void **state)
{
    for (size_t c = 0; c < MI_COUNT(cells); c++) {
        compare(*state, &cells[c], GRADIENTS | LAST, 4, 4, false);
        compare(*state, &cells[c], GRADIENTS | ALL | FIRST, 4, 3, false);
        compare(*state, &cells[c], GRADIENTS | LAST | ALL | FIRST | BACKWARDS, 3, 2, false);
        compare(*state, &cells[c], GRADIENTS | LAST | ALL | FIRST, 1, 1, false);
        compare(*state, &cells[c], GRADIENTS | LAST | ALL | FIRST, 4, 4, true);
    }
}

/* How many repeats of the plan an item takes some rows through. */
static int repeats_by_rows(mica_device *device, const struct cell *cell, unsigned what, int64_t batch)
{
    struct network net;
    int count = 0;
    network_begin(&net, device);
    build(&net, cell, repeated, what);
    network_compile(&net, batch, &(struct mi_plan_desc){0});
    for (size_t r = 1; r < net.plan->graph->repeat_count; r++)
        count += net.plan->rows[r] > 0;
    network_end(&net);
    return count;
}

/* Rows that do not depend on each other are taken through all turns, a few by each item, the last by one that has fewer. */
static void test_rows(void **state)
{
    bool cpu = ((mica_device *)*state)->is_cpu;
    const struct cell *cell = &cells[1];
    compare(*state, cell, GRADIENTS | LAST | FIRST | BACKWARDS, 40, 37, false);
    compare(*state, cell, GRADIENTS | LAST | FIRST | BACKWARDS, 40, 1, false);
    assert_int_equal(repeats_by_rows(*state, cell, GRADIENTS | LAST | FIRST | BACKWARDS, 40), cpu ? 2 : 0);
    compare_ways(*state, &dropping, repeated, repeated, GRADIENTS | LAST | FIRST, 40, 37, false);
    assert_int_equal(repeats_by_rows(*state, &dropping, GRADIENTS | LAST | FIRST, 40), cpu ? 2 : 0);
    compare(*state, &counting, LAST | FIRST, 40, 37, false);
    compare(*state, &mixing, LAST | ALL, 40, 37, false);
    assert_int_equal(repeats_by_rows(*state, &mixing, LAST | ALL, 40), 0);
}

static void test_within(void **state)
{
    compare_ways(*state, &cells[1], chunked, written_out, GRADIENTS | LAST | ALL | FIRST | BACKWARDS, 3, 2, false);
    compare_ways(*state, &cells[2], chunked, written_out, LAST | ALL, 4, 3, true);
    compare_ways(*state, &deep_cell, chunked, written_out, GRADIENTS | ALL, 4, 4, false);
}

/* Of simple, gated and deep the only products in a turn are those with the state, and with its gradient. */
static void test_lifted(void **state)
{
    compare(*state, &deep_cell, GRADIENTS | ALL | FIRST, 4, 3, false);
    const struct cell *of_state[] = {&cells[0], &cells[1], &deep_cell};
    for (size_t c = 0; c < MI_COUNT(of_state); c++) {
        struct network net;
        int products = 0, reductions = 0;
        network_begin(&net, *state);
        build(&net, of_state[c], repeated, GRADIENTS | ALL);
        network_compile(&net, 4, &(struct mi_plan_desc){.described = true});
        for (size_t i = 0; i < net.plan->graph->node_count; i++) {
            const struct mi_node *node = net.plan->graph->nodes[i];
            products += node->repeat && node->op->kind == MI_CONTRACT;
            reductions += node->repeat && node->op->kind == MI_REDUCE;
        }
        assert_int_equal(products, 2);
        assert_int_equal(reductions, 0);
        network_end(&net);
    }
}

static void test_errors(void **state)
{
    struct network net;
    network_begin(&net, *state);
    mi_value *x = network_input(&net, "x", "n 6 3", MI_FLOAT);
    assert_false(mi_repeat_begin(net.graph, 0, false));
    assert_string_equal(net.graph->error.text, "a repeat of 0 turns, there must be from 1 to 2147483647");
    network_end(&net);

    network_begin(&net, *state);
    x = network_input(&net, "x", "n 6 3", MI_FLOAT);
    assert_true(mi_repeat_begin(net.graph, 4, false));
    assert_null(mi_at_turn(net.graph, x, 1));
    assert_string_equal(net.graph->error.text, "axis 1 of shape (n, 6, 3) is not 4 turns long");
    network_end(&net);

    network_begin(&net, *state);
    x = network_input(&net, "x", "n 6 3", MI_FLOAT);
    assert_true(mi_repeat_begin(net.graph, 6, false));
    mi_value *now = mi_at_turn(net.graph, x, 1);
    assert_non_null(mi_repeat_end(net.graph, NULL, 0));
    assert_null(mi_op1(net.graph, "Relu", now));
    assert_string_equal(net.graph->error.text, "Relu \"Relu\": takes \"Turn\", which is made anew in every turn of a repeat, outside of it");
    network_end(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_results), cmocka_unit_test(test_gradients),
                                       cmocka_unit_test(test_rows), cmocka_unit_test(test_within), cmocka_unit_test(test_lifted),
                                       cmocka_unit_test(test_errors)};
    return cmocka_run_group_tests_name("repeat", tests, open_device, close_device);
}
