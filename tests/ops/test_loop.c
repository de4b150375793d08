/* Loops whose end is data, scans along any axis and way, and choices, beside the same written in C; gradients beside finite
 * differences of that. */
#include "ops/loop.h"
#include "support/network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Loop ---- */

enum { BOUND = 6, N = 3 };

/* In each trip x' = 0.9 x + 0.1 i, y' = x y; a scan is x'; as long as the sum of all x' is above the limit, trips times at most. */
static int looped(const double *from, double limit, int trips, double *x, double *y, double scan[BOUND][N])
{
    int i = 0;
    double sum = (double)INFINITY;
    for (int k = 0; k < N; k++) {
        x[k] = from[k];
        y[k] = 1;
    }
    for (; i < trips && i < BOUND && sum > limit; i++) {
        sum = 0;
        for (int k = 0; k < N; k++) {
            y[k] *= x[k];
            x[k] = 0.9 * x[k] + 0.1 * i;
            sum += scan[i][k] = x[k];
        }
    }
    return i;
}

/* What the loss is of the loop's results: the sum of all x, y and scans. */
static double loss_of(const double *from, double limit, int trips)
{
    double x[N], y[N], scan[BOUND][N] = {{0}}, loss = 0;
    looped(from, limit, trips, x, y, scan);
    for (int k = 0; k < N; k++) {
        loss += x[k] + y[k];
        for (int t = 0; t < BOUND; t++)
            loss += scan[t][k];
    }
    return loss;
}

static mi_value *sum(struct mi_graph *graph, mi_value *x)
{
    return MI_APPLY(graph, "ReduceSum", ((mi_value *[]){x}), MI_INT("keepdims", 0));
}

static void build_loop(struct network *net, bool by_trips, bool by_condition)
{
    struct mi_graph *graph = net->graph;
    mi_value *x = network_input(net, "x", "3", MI_FLOAT), *limit = network_input(net, "limit", "1", MI_FLOAT);
    mi_value *trips = network_input(net, "trips", "1", MI_INT32);
    mi_value *first[] = {x, mi_expand_to(graph, mi_scalar(graph, 1), &x->shape)}, *next[2], *scan, *going, *gradient;
    struct mi_loop loop;
    assert_true(mi_loop_begin(graph, BOUND, by_trips ? trips : NULL, NULL, first, 2, &loop));
    mi_value *i = mi_op2(graph, "Mul", mi_cast(graph, loop.iteration, MI_FLOAT), mi_scalar(graph, 0.1f));
    scan = next[0] = mi_op2(graph, "Add", mi_op2(graph, "Mul", loop.now[0], mi_scalar(graph, 0.9f)), i);
    next[1] = mi_op2(graph, "Mul", loop.now[0], loop.now[1]);
    going = by_condition ? mi_op2(graph, "Greater", sum(graph, next[0]), limit) : NULL;
    assert_true(mi_loop_end(&loop, going, next, &scan, 1));
    mi_output(graph, "last", loop.last[0]);
    mi_output(graph, "product", loop.last[1]);
    mi_output(graph, "scan", loop.all[0]);
    mi_output(graph, "turns", mi_cast(graph, loop.turns, MI_FLOAT));
    mi_value *loss = mi_op2(graph, "Add", sum(graph, loop.last[0]), sum(graph, loop.last[1]));
    loss = mi_op2(graph, "Add", loss, sum(graph, loop.all[0]));
    assert_int_equal(mi_differentiate(graph, loss, &x, 1, &gradient), MICA_OK);
    mi_output(graph, "dx", gradient);
}

static void compare(struct network *net, const char *name, const double *expected, size_t count)
{
    size_t there;
    float *got = network_fetch(net, name, 1, &there), wanted[BOUND * N];
    for (size_t i = 0; i < count; i++)
        wanted[i] = (float)expected[i];
    assert_int_equal(there, count);
    assert_near(name, got, wanted, count, 1e-5);
    free(got);
}

static void run_loop(struct network *net, double limit, int trips, bool by_trips, bool by_condition)
{
    const float x[N] = {0.5f, -1.25f, 2}, ends = (float)limit;
    double from[N] = {0.5, -1.25, 2}, last[N], product[N], scan[BOUND][N] = {{0}}, slope[N];
    const double low = by_condition ? limit : (double)-INFINITY;
    const int32_t most = trips;
    const int all = by_trips ? trips : BOUND;
    double turns = looped(from, low, all, last, product, scan);
    for (int k = 0; k < N; k++) {
        const double at = from[k], step = 1e-5;
        from[k] = at + step;
        slope[k] = loss_of(from, low, all);
        from[k] = at - step;
        slope[k] = (slope[k] - loss_of(from, low, all)) / (2 * step);
        from[k] = at;
    }
    network_feed(net, "x", x, 1);
    network_feed(net, "limit", &ends, 1);
    network_feed(net, "trips", &most, 1);
    network_step(net, 1, 1);
    compare(net, "last", last, N);
    compare(net, "product", product, N);
    compare(net, "scan", scan[0], BOUND * N);
    compare(net, "turns", &turns, 1);
    compare(net, "dx", slope, N);
}

static void test_loop(void **state)
{
    mica_device *debug = mica_device_open(&(mica_device_desc){.debug = true});
    for (int how = 0; how < 3; how++) {
        struct network net;
        network_begin(&net, how == 2 ? debug : *state);
        build_loop(&net, how != 1, how > 0);
        network_compile(&net, 1, NULL);
        run_loop(&net, 1.2, 5, how != 1, how > 0); /* until the second trip, which falls below */
        run_loop(&net, -9, 4, how != 1, how > 0);
        run_loop(&net, 9, 0, how != 1, how > 0);
        run_loop(&net, -9, 100, how != 1, how > 0);
        network_end(&net);
    }
    mica_device_destroy(debug);
}

/* ---- Scan ---- */

enum { STEPS = 4 };

/* y (n) carries y' = 0.5 y + a b of a (n, T) forwards and b (T, n) backwards; results are y' backwards as (n, T), and y' + a. */
static void test_scan(void **state)
{
    struct network net;
    network_begin(&net, *state);
    struct mi_graph *graph = net.graph;
    mi_value *a = network_input(&net, "a", "2 4", MI_FLOAT), *b = network_input(&net, "b", "4 2", MI_FLOAT);
    const struct mi_shape one = network_shape("2");
    assert_true(mi_repeat_begin(graph, STEPS, false));
    mi_value *y = mi_carry(graph, mi_expand_to(graph, mi_scalar(graph, 0), &one));
    mi_value *at = mi_scan_input(graph, a, -1, false), *bt = mi_scan_input(graph, b, 0, true);
    mi_value *next = mi_op2(graph, "Add", mi_op2(graph, "Mul", y, mi_scalar(graph, 0.5f)), mi_op2(graph, "Mul", at, bt));
    mi_value *other = mi_op2(graph, "Add", next, at);
    struct mi_node *end = mi_repeat_end(graph, &next, 1);
    mi_output(graph, "backwards", mi_scan_output(end, next, -1, true));
    mi_output(graph, "forwards", mi_scan_output(end, other, 0, false));
    network_compile(&net, 1, NULL);
    float *va = random_floats(8, 1), *vb = random_floats(8, 2);
    double backwards[2][STEPS], forwards[STEPS][2], now[2] = {0};
    for (int t = 0; t < STEPS; t++)
        for (int k = 0; k < 2; k++) {
            now[k] = 0.5 * now[k] + (double)va[k * STEPS + t] * (double)vb[(STEPS - 1 - t) * 2 + k];
            backwards[k][STEPS - 1 - t] = now[k];
            forwards[t][k] = now[k] + (double)va[k * STEPS + t];
        }
    network_feed(&net, "a", va, 1);
    network_feed(&net, "b", vb, 1);
    network_step(&net, 1, 1);
    compare(&net, "backwards", backwards[0], 2 * STEPS);
    compare(&net, "forwards", forwards[0], 2 * STEPS);
    free(va);
    free(vb);
    network_end(&net);
}

/* ---- If ---- */

static void test_choice(void **state)
{
    struct network net;
    network_begin(&net, *state);
    struct mi_graph *graph = net.graph;
    mi_value *x = network_input(&net, "x", "3", MI_FLOAT), *limit = network_input(&net, "limit", "1", MI_FLOAT), *out[2];
    mi_value *const then[] = {mi_op1(graph, "Neg", x), sum(graph, x)};
    mi_value *const otherwise[] = {mi_op2(graph, "Mul", x, x), mi_scalar(graph, 7)};
    assert_true(mi_choose_between(graph, mi_op2(graph, "Greater", sum(graph, x), limit), then, otherwise, 2, out));
    mi_output(graph, "a", out[0]);
    mi_output(graph, "b", out[1]);
    network_compile(&net, 1, NULL);
    for (int yes = 0; yes < 2; yes++) {
        const float values[N] = {1, -2, 3}, above = yes ? 1.5f : 2.5f;
        const double a[2][N] = {{1, 4, 9}, {-1, 2, -3}}, b[2] = {7, 2};
        network_feed(&net, "x", values, 1);
        network_feed(&net, "limit", &above, 1);
        network_step(&net, 1, 1);
        compare(&net, "a", a[yes], N);
        compare(&net, "b", &b[yes], 1);
    }
    network_end(&net);
}

/* ---- Errors ---- */

static void test_errors(void **state)
{
    struct network net;
    struct mi_loop loop;
    mi_value *out;
    network_begin(&net, *state);
    mi_value *x = network_input(&net, "x", "n 3", MI_FLOAT);
    assert_false(mi_loop_begin(net.graph, 4, x, NULL, &x, 1, &loop));
    assert_string_equal(net.graph->error.text, "Loop: the number of trips is float32 of shape (n, 3), needs one whole number");
    network_end(&net);

    network_begin(&net, *state);
    x = network_input(&net, "x", "n 3", MI_FLOAT);
    assert_true(mi_loop_begin(net.graph, 4, NULL, NULL, &x, 1, &loop));
    mi_value *next = mi_op1(net.graph, "Exp", sum(net.graph, loop.now[0]));
    assert_false(mi_loop_end(&loop, NULL, &next, NULL, 0));
    assert_string_equal(net.graph->error.text, "Loop: carried value 0: float32 of shape (n, 3) and float32 of shape ()");
    network_end(&net);

    network_begin(&net, *state);
    x = network_input(&net, "x", "n 3", MI_FLOAT);
    assert_false(mi_choose_between(net.graph, x, &x, &x, 1, &out));
    assert_string_equal(net.graph->error.text, "If: the condition is float32 of shape (n, 3), needs one bool");
    network_end(&net);

    network_begin(&net, *state);
    x = network_input(&net, "x", "3 3", MI_FLOAT);
    assert_true(mi_repeat_begin(net.graph, 3, false));
    assert_null(mi_scan_input(net.graph, x, 2, true));
    assert_string_equal(net.graph->error.text, "Scan: axis 2 of an input of rank 2");
    network_end(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_loop), cmocka_unit_test(test_scan), cmocka_unit_test(test_choice),
                                       cmocka_unit_test(test_errors)};
    return cmocka_run_group_tests_name("loop", tests, open_device, close_device);
}
