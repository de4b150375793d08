/* Kernels of problems that differ in their sizes alone have the same source, and so one program; the sizes are arguments. */
#include "plan/inside.h"
#include "support/network.h"

#include <stdio.h>
#include <string.h>

/* The code of the kernel that the plan has for an operator of this name; the plan's to keep. */
static const struct mi_code *code_of(const struct network *net, const char *op)
{
    for (size_t k = 0; k < net->plan->kernels.count; k++) {
        const struct mi_kernel *kernel = &net->plan->kernels.list[k];
        const struct mi_node *first = kernel->anchor ? kernel->anchor : kernel->nodes[0];
        if (strcmp(first->op->name, op) == 0)
            return &net->plan->codes[k].code[0];
    }
    fail_msg("no kernel of %s", op);
    return NULL;
}

static void assert_shared(const struct network *x, const struct network *y, const char *op)
{
    const struct mi_code *a = code_of(x, op), *b = code_of(y, op);
    assert_string_equal(a->source, b->source);
    assert_true(a->sizes > 0);
    assert_int_equal(a->sizes, b->sizes);
    assert_memory_not_equal(a->size, b->size, (size_t)a->sizes * sizeof a->size[0]);
}

static void map_of(struct network *net, mica_device *device, const char *shape)
{
    network_begin(net, device);
    mi_output(net->graph, "y", mi_op1(net->graph, "Exp", network_input(net, "x", shape, MI_FLOAT)));
    network_compile(net, 2, NULL);
}

static void test_map(void **state)
{
    struct network x, y;
    map_of(&x, *state, "n 5000");
    map_of(&y, *state, "n 6000");
    assert_shared(&x, &y, "Exp");
    network_end(&x);
    network_end(&y);
}

static void convolution_of(struct network *net, mica_device *device, const char *shape, int64_t filters)
{
    network_begin(net, device);
    mi_output(net->graph, "y", network_conv(net, network_input(net, "x", shape, MI_FLOAT), "conv", filters, 3));
    network_compile(net, 2, &(struct mi_plan_desc){.engine = "direct"});
}

/* Twice as many filters, so that both are cut alike. */
static void test_convolution(void **state)
{
    struct network x, y;
    mica_device *device = *state;
    if (!device->is_cpu)
        skip(); /* the engine is for CPUs */
    convolution_of(&x, device, "n 64 20 20", 64);
    convolution_of(&y, device, "n 128 24 24", 128);
    assert_shared(&x, &y, "ConvProduct");
    network_end(&x);
    network_end(&y);
}

/* relu(conv(x) + other), where a convolution with a kernel of `reads` reads `other` too: its halo is for that one. */
static void sum_of(struct network *net, mica_device *device, int64_t reads)
{
    network_begin(net, device);
    mi_value *x = network_input(net, "x", "n 64 28 28", MI_FLOAT);
    mi_value *other = mi_op1(net->graph, "Relu", network_conv(net, x, "other", 64, 3));
    mi_value *sum = mi_op2(net->graph, "Add", network_conv(net, x, "conv", 64, 3), other);
    mi_output(net->graph, "y", network_conv(net, mi_op1(net->graph, "Relu", sum), "last", 64, 3));
    mi_output(net->graph, "z", network_conv(net, other, "reader", 64, reads));
    network_compile(net, 2, NULL);
}

/* The code of the convolution whose kernel adds the most. */
static const struct mi_code *code_of_sum(const struct network *net)
{
    const struct mi_code *code = NULL;
    int most = 0;
    for (size_t k = 0; k < net->plan->kernels.count; k++)
        if (net->plan->kernels.list[k].count > most && net->plan->kernels.list[k].anchor) {
            most = net->plan->kernels.list[k].count;
            code = &net->plan->codes[k].code[0];
        }
    assert_non_null(code);
    return code;
}

/* What is added lies in a tensor of its own: its sizes and its halo shape no code. */
static void test_added(void **state)
{
    struct network x, y;
    mica_device *device = *state;
    if (!device->is_cpu)
        skip();
    sum_of(&x, device, 3);
    sum_of(&y, device, 1);
    const struct mi_code *a = code_of_sum(&x), *b = code_of_sum(&y);
    assert_string_equal(a->source, b->source);
    assert_int_equal(a->sizes, b->sizes);
    assert_memory_not_equal(a->size, b->size, (size_t)a->sizes * sizeof a->size[0]);
    network_end(&x);
    network_end(&y);
}

/* Its weights are computed from others, and packed: once, not in each step. */
static void packed_convolution_of(struct network *net, mica_device *device, int64_t channels, int64_t filters)
{
    const int64_t pads[] = {1, 1, 1, 1};
    char shape[64];
    network_begin(net, device);
    snprintf(shape, sizeof shape, "n %d 12 12", (int)channels);
    mi_value *x = network_input(net, "x", shape, MI_FLOAT);
    snprintf(shape, sizeof shape, "%d %d 3 3", (int)filters, (int)channels);
    mi_value *in[] = {x, mi_op1(net->graph, "Exp", network_weight(net, "w", shape, 1))};
    mi_output(net->graph, "y", MI_APPLY(net->graph, "Conv", in, MI_INTS("pads", pads, 4)));
    network_compile(net, 2, &(struct mi_plan_desc){.engine = "direct"});
}

/* Here no size shapes the code: not that some are equal, nor that one is small, nor how many items there are. */
static void test_once(void **state)
{
    struct network x, y;
    mica_device *device = *state;
    if (!device->is_cpu)
        skip();
    packed_convolution_of(&x, device, 64, 64);
    packed_convolution_of(&y, device, 128, 512);
    assert_shared(&x, &y, "Exp");
    network_end(&x);
    network_end(&y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_map), cmocka_unit_test(test_convolution),
                                       cmocka_unit_test(test_added), cmocka_unit_test(test_once)};
    return cmocka_run_group_tests(tests, open_device, close_device);
}
