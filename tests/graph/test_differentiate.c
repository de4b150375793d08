/* Gradients through whole graphs against central differences, both on the device: paths that meet, broadcast values, a value
 * that is used many times. */
#include "plan/inside.h"
#include "support/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* A gradient of a gradient, which x reaches through the product: the slope of tanh stands still. */
static mi_value *build_twice(struct mi_graph *graph, mi_value *x)
{
    const int64_t perm[] = {1, 0};
    mi_value *z = mi_expand_to(graph, mi_scalar(graph, 0.5f), &x->shape), *slope = NULL;
    mi_value *turned = MI_APPLY(graph, "Transpose", ((mi_value *[]){x}), MI_INTS("perm", perm, 2));
    mi_differentiate(graph, sum(graph, mi_op2(graph, "MatMul", turned, mi_op1(graph, "Tanh", z))), &z, 1, &slope);
    return sum(graph, mi_op2(graph, "Mul", slope, slope));
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
    mi_value *(*const builders[])(struct mi_graph *, mi_value *) = {build_diamond, build_square, build_product, build_softmax,
                                                                            build_twice};
    for (size_t i = 0; i < MI_COUNT(builders); i++)
        check(*state, builders[i], (int)i);
}

/* Where the derivative of a map's derivative is asked for, the map is named. */
static void test_second_derivatives(void **state)
{
    (void)state;
    const char *const maps[] = {"Tanh", "Softplus", "Exp"};
    for (size_t i = 0; i < MI_COUNT(maps); i++) {
        struct mi_shape shape = network_shape("n 4");
        struct mi_graph *graph = mi_graph_create(mi_ops, NULL);
        mi_value *x = mi_input(graph, "x", MI_FLOAT, &shape), *slope = NULL, *second = NULL;
        mi_differentiate(graph, sum(graph, mi_op1(graph, maps[i], x)), &x, 1, &slope);
        assert_non_null(slope);
        assert_int_equal(mi_differentiate(graph, sum(graph, slope), &x, 1, &second), MICA_UNSUPPORTED);
        if (strncmp(graph->error.text, maps[i], strlen(maps[i])) != 0)
            fail_msg("%s: %s", maps[i], graph->error.text);
        mi_graph_destroy(graph);
    }
}

/* A map of many inputs, and whether it can be added and differentiated. */
static const struct mi_op wide = {.name = "Wide", .kind = MI_MAP, .min_inputs = 1, .max_inputs = -1, .outputs = 1,
                                  .map = &(const struct mi_map_rule){.expr = {"a"}, .grad = {"g * a"}}};

static mica_status add_wide(int inputs)
{
    static const struct mi_op *const ops[] = {&wide, &mi_op_derivative, NULL};
    struct mi_graph *graph = mi_graph_create(ops, NULL);
    mi_value *in[MI_MAX_INPUTS + 1], *slope = NULL;
    mi_value *x = mi_input(graph, "x", MI_FLOAT, &(struct mi_shape){.rank = 0});
    for (int i = 0; i <= MI_MAX_INPUTS; i++)
        in[i] = x;
    mi_differentiate(graph, mi_apply(graph, "Wide", in, inputs, NULL, 0), &x, 1, &slope);
    mica_status status = graph->error.status;
    mi_graph_destroy(graph);
    return status;
}

static void test_too_many_inputs(void **state)
{
    (void)state;
    assert_int_equal(add_wide(MI_MAX_INPUTS + 1), MICA_UNSUPPORTED);
    assert_int_equal(add_wide(MI_MAX_INPUTS), MICA_UNSUPPORTED); /* its derivative has two more */
    assert_int_equal(add_wide(MI_MAX_INPUTS - 2), MICA_OK);
}

/* Rows of n tables by n lists of indices: two dimensions of what is gathered vary, and its gradient says so by its own name. */
static void test_two_that_vary(void **state)
{
    (void)state;
    struct mi_shape data = network_shape("n 9"), indices = network_shape("n 4");
    struct mi_graph *graph = mi_graph_create(mi_ops, NULL);
    mi_value *x = mi_input(graph, "x", MI_FLOAT, &data), *i = mi_input(graph, "i", MI_INT32, &indices), *slope;
    mi_value *y = MI_APPLY(graph, "Gather", ((mi_value *[]){x, i}), MI_INT("axis", 1));
    assert_int_equal(mi_differentiate(graph, sum(graph, y), &x, 1, &slope), MICA_UNSUPPORTED);
    assert_string_equal(graph->error.text, "Gather \"Gather\": gradient of (n, 9) by indices (n, 4): too many dimensions vary with "
                                           "the batch");
    mi_graph_destroy(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_graphs), cmocka_unit_test(test_second_derivatives),
                                       cmocka_unit_test(test_too_many_inputs), cmocka_unit_test(test_two_that_vary)};
    return cmocka_run_group_tests(tests, open_device, close_device);
}
