/* The Winograd engines against sums in double: forward with an epilogue, and the gradients of the data and of the weight; channels
 * and filters that fill no block, images that fill no tile, pads of every side, partial batches, every way the engine offers. */
#include "compile/rewrite/rewrite.h"
#include "plan/inside.h"
#include "support/network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 3 };

struct shape {
    int c, k, h, w, pads[4]; /* pads: top, left, bottom, right */
    bool fresh;              /* the kernels that transform the weights themselves are tried too */
};

static const struct shape shapes[] = {
    {16, 16, 9, 10, {1, 1, 1, 1}, false},
    {48, 32, 5, 6, {1, 1, 1, 1}, true},
    {13, 21, 7, 5, {1, 0, 2, 1}, false},
    {24, 9, 4, 11, {2, 2, 2, 2}, false},
    {3, 40, 3, 3, {0, 0, 0, 0}, false},
};

static int out_size(const struct shape *s, int axis)
{
    return (axis ? s->w : s->h) + s->pads[axis] + s->pads[axis + 2] - 2;
}

enum pass { FORWARD, DATA, WEIGHT };

/* Adds x * w to y, dy * w to dx (into `x`), or dy * x to dw (into `w`): for every product of the convolution. */
static void convolve(const struct shape *s, int n, enum pass pass, double *x, double *w, double *y)
{
    int p = out_size(s, 0), q = out_size(s, 1);
    for (int i = 0; i < n * s->k * p * q; i++) {
        int column = i % q, row = i / q % p, k = i / (q * p) % s->k, image = i / (q * p * s->k);
        for (int j = 0; j < s->c * 9; j++) {
            int h = row + j / 3 % 3 - s->pads[0], v = column + j % 3 - s->pads[1];
            if (h < 0 || h >= s->h || v < 0 || v >= s->w)
                continue;
            double *at = &x[((image * s->c + j / 9) * s->h + h) * s->w + v], *weight = &w[k * s->c * 9 + j];
            if (pass == FORWARD)
                y[i] += *at * *weight;
            else if (pass == DATA)
                *at += y[i] * *weight;
            else
                *weight += y[i] * *at;
        }
    }
}

/* y = relu(conv(x, w) + bias) + residual; dx is the gradient of conv(x, w) for the input dy. */
static void build(struct network *net, const struct shape *s)
{
    char x_shape[64], w_shape[64], y_shape[64], b_shape[64];
    const int64_t pads[] = {s->pads[0], s->pads[1], s->pads[2], s->pads[3]};
    snprintf(x_shape, sizeof x_shape, "n %d %d %d", s->c, s->h, s->w);
    snprintf(w_shape, sizeof w_shape, "%d %d 3 3", s->k, s->c);
    snprintf(b_shape, sizeof b_shape, "1 %d 1 1", s->k);
    snprintf(y_shape, sizeof y_shape, "n %d %d %d", s->k, out_size(s, 0), out_size(s, 1));
    mi_value *x = network_input(net, "x", x_shape, MI_FLOAT), *residual = network_input(net, "residual", y_shape, MI_FLOAT);
    mi_value *dy = network_input(net, "dy", y_shape, MI_FLOAT), *dx = NULL;
    mi_value *w = network_weight(net, "w", w_shape, 1), *b = network_weight(net, "b", b_shape, 1);
    mi_value *y = MI_APPLY(net->graph, "Conv", ((mi_value *[]){x, w}), MI_INTS("pads", pads, 4));
    mi_value *loss =
        MI_APPLY(net->graph, "ReduceSum", ((mi_value *[]){mi_op2(net->graph, "Mul", y, dy)}), MI_INT("keepdims", 0));
    assert_int_equal(mi_differentiate(net->graph, loss, (mi_value *[]){x}, 1, &dx), MICA_OK);
    y = mi_op2(net->graph, "Add", mi_op1(net->graph, "Relu", mi_op2(net->graph, "Add", y, b)), residual);
    mi_output(net->graph, "y", y);
    mi_output(net->graph, "dx", dx);
}

static double *widen(const float *x, int count)
{
    double *wide = mi_new((size_t)count, sizeof *wide);
    assert_non_null(wide);
    for (int i = 0; i < count; i++)
        wide[i] = (double)x[i];
    return wide;
}

static void expect(const struct shape *s, int n, const float *x, const float *dy, const float *residual, const float *w,
                   const float *b, float *y, float *dx)
{
    int places = out_size(s, 0) * out_size(s, 1), outputs = n * s->k * places, inputs = n * s->c * s->h * s->w;
    double *from = widen(x, inputs), *weights = widen(w, s->k * s->c * 9), *to = mi_new((size_t)outputs, sizeof *to);
    assert_non_null(to);
    convolve(s, n, FORWARD, from, weights, to);
    for (int i = 0; i < outputs; i++)
        y[i] = (float)(fmax(to[i] + (double)b[i / places % s->k], 0) + (double)residual[i]);
    memset(from, 0, (size_t)inputs * sizeof *from);
    for (int i = 0; i < outputs; i++)
        to[i] = (double)dy[i];
    convolve(s, n, DATA, from, weights, to);
    for (int i = 0; i < inputs; i++)
        dx[i] = (float)from[i];
    free(from);
    free(weights);
    free(to);
}

static void check(struct network *net, const char *what, const char *output, int n, const float *expected)
{
    size_t count, again;
    char text[160];
    float *got = network_fetch(net, output, n, &count);
    network_step(net, n, 2);
    float *second = network_fetch(net, output, n, &again);
    snprintf(text, sizeof text, "%s: %s", what, output);
    assert_near(text, got, expected, count, 1e-5);
    assert_memory_equal(got, second, count * sizeof *got);
    free(got);
    free(second);
}

static struct mi_node *first_contraction(const struct mi_graph *graph)
{
    size_t i = 0;
    while (i < graph->node_count && graph->nodes[i]->op->kind != MI_CONTRACT)
        i++;
    assert_true(i < graph->node_count);
    return graph->nodes[i];
}

static bool launches(const struct network *net, const struct mi_engine *engine)
{
    bool found = false;
    for (size_t k = 0; k < net->plan->kernels.count; k++)
        found = found || net->plan->kernels.list[k].choice.engine == engine;
    return found;
}

static void try_variant(mica_device *device, const struct shape *s, int variant)
{
    struct network net;
    char what[128];
    int outputs = s->k * out_size(s, 0) * out_size(s, 1), inputs = s->c * s->h * s->w;
    float *x = random_floats((size_t)(MOST * inputs), 5), *dy = random_floats((size_t)(MOST * outputs), 6);
    float *residual = random_floats((size_t)(MOST * outputs), 7), *y = random_floats((size_t)(MOST * outputs), 8);
    float *dx = random_floats((size_t)(MOST * inputs), 9), *w, *b;
    network_begin(&net, device);
    build(&net, s);
    w = random_floats((size_t)(s->k * s->c * 9), 100);
    b = random_floats((size_t)s->k, 101);
    network_compile(&net, MOST, &(struct mi_plan_desc){.engine = "winograd", .variant = variant});
    assert_true(launches(&net, &mi_engine_winograd));
    /* What is made of weights alone is no launch of a step. */
    assert_true(mica_plan_launches(net.plan) < (int)net.plan->action_count);
    for (int n = MOST; n > 0; n -= 2) {
        for (int i = 0; i < s->k * s->c * 9 && n == 1; i++)
            w[i] = -0.5f * w[i]; /* transformed weights are kept from step to step, but not those of other values */
        if (n == 1)
            assert_int_equal(mi_store_write(net.store, mi_variable_find(&net.variables, "w"), w), MICA_OK);
        snprintf(what, sizeof what, "%d x %d x %d by %d, variant %d, batch %d", s->c, s->h, s->w, s->k, variant, n);
        expect(s, n, x, dy, residual, w, b, y, dx);
        network_feed(&net, "x", x, n);
        network_feed(&net, "dy", dy, n);
        network_feed(&net, "residual", residual, n);
        network_step(&net, n, 1);
        check(&net, what, "y", n, y);
        check(&net, what, "dx", n, dx);
    }
    network_end(&net);
    float *const all[] = {x, dy, residual, y, dx, w, b};
    for (size_t i = 0; i < MI_COUNT(all); i++)
        free(all[i]);
}

/* dw of the loss sum(conv(x, w) * dy), with a map behind it. */
static void build_gradient(struct network *net, const struct shape *s)
{
    char x_shape[64], w_shape[64], y_shape[64];
    const int64_t pads[] = {s->pads[0], s->pads[1], s->pads[2], s->pads[3]};
    snprintf(x_shape, sizeof x_shape, "n %d %d %d", s->c, s->h, s->w);
    snprintf(w_shape, sizeof w_shape, "%d %d 3 3", s->k, s->c);
    snprintf(y_shape, sizeof y_shape, "n %d %d %d", s->k, out_size(s, 0), out_size(s, 1));
    mi_value *x = network_input(net, "x", x_shape, MI_FLOAT), *dy = network_input(net, "dy", y_shape, MI_FLOAT), *dw = NULL;
    mi_value *w = network_weight(net, "w", w_shape, 1);
    mi_value *y = MI_APPLY(net->graph, "Conv", ((mi_value *[]){x, w}), MI_INTS("pads", pads, 4));
    mi_value *loss =
        MI_APPLY(net->graph, "ReduceSum", ((mi_value *[]){mi_op2(net->graph, "Mul", y, dy)}), MI_INT("keepdims", 0));
    assert_int_equal(mi_differentiate(net->graph, loss, (mi_value *[]){w}, 1, &dw), MICA_OK);
    mi_output(net->graph, "dw", mi_op1(net->graph, "Neg", dw));
}

static void try_gradient(mica_device *device, const struct shape *s, int variant)
{
    struct network net;
    char what[128];
    int outputs = s->k * out_size(s, 0) * out_size(s, 1), inputs = s->c * s->h * s->w, weights = s->k * s->c * 9;
    float *x = random_floats((size_t)(MOST * inputs), 5), *dy = random_floats((size_t)(MOST * outputs), 6);
    float *dw = random_floats((size_t)weights, 7);
    double *from = widen(x, MOST * inputs), *to = widen(dy, MOST * outputs);
    network_begin(&net, device);
    build_gradient(&net, s);
    network_compile(&net, MOST, &(struct mi_plan_desc){.engine = "winograd_weight", .variant = variant});
    assert_true(launches(&net, &mi_engine_winograd_weight));
    for (int n = MOST; n > 0; n -= 2) {
        double *sums = mi_new((size_t)weights, sizeof *sums);
        assert_non_null(sums);
        convolve(s, n, WEIGHT, from, sums, to);
        for (int i = 0; i < weights; i++)
            dw[i] = -(float)sums[i];
        free(sums);
        snprintf(what, sizeof what, "%d x %d x %d by %d, variant %d, batch %d", s->c, s->h, s->w, s->k, variant, n);
        network_feed(&net, "x", x, n);
        network_feed(&net, "dy", dy, n);
        network_step(&net, n, 1);
        check(&net, what, "dw", n, dw);
    }
    network_end(&net);
    free(x);
    free(dy);
    free(dw);
    free(from);
    free(to);
}

/* Both sizes of tiles; the gradient is for whole blocks of channels at least. */
static void test_gradients(void **state)
{
    mica_device *device = *state;
    if (!device->is_cpu || device->vector_width < 4)
        skip();
    for (size_t i = 0; i < MI_COUNT(shapes); i++)
        if (shapes[i].c >= device->vector_width)
            try_gradient(device, &shapes[i], i == 0 ? MI_MOST_VARIANTS - 1 : 0);
}

/* The engines are for CPU devices. */
static void test_shapes(void **state)
{
    mica_device *device = *state;
    if (!device->is_cpu || device->vector_width < 4)
        skip();
    for (size_t i = 0; i < MI_COUNT(shapes); i++)
        try_variant(device, &shapes[i], 0);
}

/* The kernels that transform the weights themselves, of some channels at a time: they have a sixth number. */
static void test_fresh(void **state)
{
    mica_device *device = *state;
    int tried = 0;
    if (!device->is_cpu || device->vector_width < 4)
        skip();
    for (size_t i = 0; i < MI_COUNT(shapes); i++) {
        struct network net;
        struct mi_variant list[MI_MOST_VARIANTS] = {{{0}}};
        network_begin(&net, device);
        build(&net, &shapes[i]);
        assert_int_equal(mi_lower(net.graph, 1), MICA_OK);
        struct mi_problem problem = {.node = first_contraction(net.graph), .device = device, .batch = MOST};
        assert_int_equal(problem.node->op->contract(problem.node, &problem.c), MICA_OK);
        int count = mi_engine_winograd.variants(&problem, list, MI_MOST_VARIANTS);
        network_end(&net);
        for (int v = 0; v < count && shapes[i].fresh; v++)
            if (list[v].number[5]) {
                try_variant(device, &shapes[i], v);
                tried++;
            }
    }
    assert_int_equal(tried, 2);
}

/* How often Winograd's engines offer themselves for a network; never where exact sums are asked for. */
static int offers(mica_device *device, void (*describe)(struct network *, const struct shape *), const struct shape *s)
{
    struct network net;
    int count = 0;
    network_begin(&net, device);
    describe(&net, s);
    assert_int_equal(mi_lower(net.graph, 1), MICA_OK);
    for (size_t i = 0; i < net.graph->node_count; i++) {
        struct mi_problem problem = {.node = net.graph->nodes[i], .device = net.device, .batch = MOST};
        if (problem.node->op->kind != MI_CONTRACT || problem.node->op->contract(problem.node, &problem.c) != MICA_OK)
            continue;
        count += mi_engine_winograd.supports(&problem) + mi_engine_winograd_weight.supports(&problem);
        problem.exact = true;
        assert_false(mi_engine_winograd.supports(&problem) || mi_engine_winograd_weight.supports(&problem));
    }
    network_end(&net);
    return count;
}

/* Forward and the gradient of the data; the gradient of the weight alone. */
static void test_exact(void **state)
{
    mica_device *device = *state;
    const struct shape s = {.c = 16, .h = 9, .w = 9, .k = 16};
    bool there = device->is_cpu && device->vector_width >= 4;
    assert_int_equal(offers(device, build, &s), there ? 2 : 0);
    assert_int_equal(offers(device, build_gradient, &s), there ? 1 : 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_exact), cmocka_unit_test(test_shapes), cmocka_unit_test(test_fresh),
                                       cmocka_unit_test(test_gradients)};
    return cmocka_run_group_tests(tests, open_device, close_device);
}
