/* Gradients through whole graphs against central differences, both on the device: paths that meet, broadcast values, a value
 * that is used many times. */
#include "compile/compile.h"
#include "support/network.h"

#include <stdio.h>
#include <stdlib.h>

enum { N = 3, WIDTH = 4, COUNT = N * WIDTH };

static mi_value *sum(struct mi_graph *graph, mi_value *x)
{
    return MI_APPLY(graph, "ReduceSum", ((mi_value *[]){x}), MI_INT("keepdims", 0));
}

/* x takes part by three ways, one of them through a row that is broadcast back. */
static mi_value *build_diamond(struct mi_graph *graph, mi_value *x)
{
    const int64_t axis = 1;
    mi_value *row = mi_op2(graph, "ReduceMean", x, mi_ints(graph, &axis, 1));
    mi_value *a = mi_op1(graph, "Tanh", mi_op2(graph, "Sub", x, row)), *b = mi_op1(graph, "Exp", row);
    return sum(graph, mi_op2(graph, "Mul", mi_op2(graph, "Add", a, b), x));
}

static mi_value *build_square(struct mi_graph *graph, mi_value *x)
{
    mi_value *y = mi_op2(graph, "Mul", x, x);
    for (int i = 0; i < 3; i++)
        y = mi_op2(graph, "Mul", mi_op1(graph, "Sigmoid", y), x);
    return sum(graph, y);
}

/* Through a transposition, a slice and a product with itself. */
static mi_value *build_product(struct mi_graph *graph, mi_value *x)
{
    const int64_t starts = 1, ends = 3, axis = 1, perm[] = {1, 0};
    mi_value *in[] = {x, mi_ints(graph, &starts, 1), mi_ints(graph, &ends, 1), mi_ints(graph, &axis, 1)};
    mi_value *part = mi_apply(graph, "Slice", in, 4, NULL, 0);
    mi_value *turned = MI_APPLY(graph, "Transpose", ((mi_value *[]){x}), MI_INTS("perm", perm, 2));
    return sum(graph, mi_op1(graph, "Tanh", mi_op2(graph, "MatMul", turned, part)));
}

/* A softmax whose gradient takes the gradient of a norm. */
static mi_value *build_softmax(struct mi_graph *graph, mi_value *x)
{
    mi_value *y = MI_APPLY(graph, "Softmax", ((mi_value *[]){x}), MI_INT("axis", 1));
    return mi_op1(graph, "Sqrt", sum(graph, mi_op2(graph, "Mul", mi_op2(graph, "Mul", y, y), x)));
}

static float value_at(struct network *net, const float *x)
{
    size_t count;
    network_feed(net, "x", x, N);
    network_step(net, N, 1);
    float *y = network_fetch(net, "loss", N, &count), value = y[0];
    free(y);
    return value;
}

static void check(mica_device *device, mi_value *(*build)(struct mi_graph *graph, mi_value *x), int which)
{
    struct network net;
    mi_value *gradient = NULL;
    size_t count;
    float *x = random_floats(COUNT, 7), slope[COUNT];
    for (int i = 0; i < COUNT; i++)
        x[i] += 0.7f;
    network_begin(&net, device);
    mi_value *in = network_input(&net, "x", "n 4", MI_FLOAT), *loss = build(net.graph, in);
    mi_differentiate(net.graph, loss, &in, 1, &gradient);
    mi_output(net.graph, "loss", loss);
    mi_output(net.graph, "gradient", gradient);
    network_compile(&net, N, NULL);
    for (int i = 0; i < COUNT; i++) {
        float kept = x[i], above, below;
        x[i] = kept + 0.0078125f;
        above = value_at(&net, x);
        x[i] = kept - 0.0078125f;
        below = value_at(&net, x);
        x[i] = kept;
        slope[i] = (above - below) / 0.015625f;
    }
    value_at(&net, x);
    float *got = network_fetch(&net, "gradient", N, &count);
    char what[32];
    snprintf(what, sizeof what, "graph %d", which);
    assert_int_equal(count, COUNT);
    assert_near(what, got, slope, COUNT, 2e-3);
    free(got);
    free(x);
    network_end(&net);
}

static void test_graphs(void **state)
{
    mi_value *(*const builders[])(struct mi_graph *, mi_value *) = {build_diamond, build_square, build_product, build_softmax};
    for (size_t i = 0; i < MI_COUNT(builders); i++)
        check(*state, builders[i], (int)i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_graphs)};
    return cmocka_run_group_tests(tests, open_device, close_device);
}
