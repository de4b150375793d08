/* Layouts from end to end: what stands between convolutions (normalisation, activations, depthwise convolutions, residual
 * sums, pools) is stored in the convolutions' blocks, forward and backward, and nothing is converted but the input. */
#include "plan/inside.h"
#include "support/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 2, CHANNELS = 16 };

static mi_value *normalized(struct network *net, mi_value *x, const char *name)
{
    char text[64], size[16];
    snprintf(size, sizeof size, "%d", (int)x->shape.dim[1].b);
    snprintf(text, sizeof text, "%s.gamma", name);
    mi_value *gamma = network_weight(net, text, size, 1);
    snprintf(text, sizeof text, "%s.beta", name);
    mi_value *beta = network_weight(net, text, size, 1);
    snprintf(text, sizeof text, "%s.mean", name);
    struct mi_variable *mean = network_variable(net, text, size, MI_STATISTIC, 0);
    snprintf(text, sizeof text, "%s.variance", name);
    struct mi_variable *variance = network_variable(net, text, size, MI_STATISTIC, 1);
    mi_value *in[] = {x, gamma, beta, mi_variable(net->graph, mean), mi_variable(net->graph, variance)};
    struct mi_node *node = mi_node_add(net->graph, "BatchNormalization", in, (int)MI_COUNT(in), NULL, 0);
    assert_non_null(node);
    assert_true(mi_assign(net->graph, mean, node->out[1]));
    assert_true(mi_assign(net->graph, variance, node->out[2]));
    return node->out[0];
}

static mi_value *depthwise(struct network *net, mi_value *x)
{
    const int64_t pads[] = {1, 1, 1, 1}, channels = x->shape.dim[1].b;
    char size[32];
    snprintf(size, sizeof size, "%d 1 3 3", (int)channels);
    mi_value *in[] = {x, network_weight(net, "depthwise", size, 1)};
    return MI_APPLY(net->graph, "Conv", in, MI_INTS("pads", pads, 4), MI_INT("group", channels));
}

/* A convolution, an inverted residual, a pool, the mean of each channel, a classifier. */
static mi_value *build(struct network *net)
{
    const int64_t two[] = {2, 2};
    mi_value *x = network_conv(net, network_input(net, "x", "n 3 12 12", MI_FLOAT), "stem", CHANNELS, 3);
    x = mi_op1(net->graph, "Relu6", normalized(net, x, "n0"));
    mi_value *y = mi_op1(net->graph, "Relu6", normalized(net, network_conv(net, x, "expand", 2 * CHANNELS, 1), "n1"));
    y = mi_op1(net->graph, "Relu6", normalized(net, depthwise(net, y), "n2"));
    y = mi_op2(net->graph, "Add", normalized(net, network_conv(net, y, "project", CHANNELS, 1), "n3"), x);
    y = MI_APPLY(net->graph, "MaxPool", ((mi_value *[]){y}), MI_INTS("kernel_shape", two, 2),
                 MI_INTS("strides", two, 2));
    y = mi_op1(net->graph, "Relu", network_conv(net, y, "last", CHANNELS, 3));
    y = mi_op1(net->graph, "GlobalAveragePool", y);
    return network_dense(net, MI_APPLY(net->graph, "Flatten", ((mi_value *[]){y}), MI_INT("axis", 1)), "classes", 4);
}

static void check(const struct network *net)
{
    const struct mica_plan *plan = net->plan;
    int width = net->device->vector_width, images = 0;
    bool blocks = net->device->is_cpu && width >= 4 && width <= CHANNELS;
    for (size_t i = 0; i < plan->graph->value_count; i++) {
        const mi_value *value = plan->graph->values[i];
        const struct mi_tensor *tensor = &plan->tensors[value->id];
        bool image = value->shape.rank == 4 && value->shape.dim[0].a == 1 && value->shape.dim[3].b > 1;
        if (!image || !tensor->stored || value->shape.dim[1].b < CHANNELS)
            continue;
        images++;
        if ((tensor->layout.block[1] == width) != blocks)
            fail_msg("%s \"%s\" lies in blocks of %d", value->node->op->name, value->node->name,
                     tensor->layout.block[1]);
        if (strcmp(value->node->op->name, "Identity") == 0)
            fail_msg("\"%s\" is converted", value->node->name);
    }
    assert_true(images >= 6);
}

/* The variables after a step; the caller's to free. */
static float *trained(mica_device *device, const struct mi_plan_desc *how, size_t *count)
{
    struct network net;
    float *x = random_floats(BATCH * 3 * 12 * 12, 3);
    int32_t *labels = random_classes(BATCH, 4, 4);
    network_begin(&net, device);
    net.graph->training = true;
    network_train(&net, network_cross_entropy(&net, build(&net)), "SgdUpdate");
    network_compile(&net, BATCH, how);
    if (!how->no_blocked)
        check(&net);
    network_feed(&net, "x", x, BATCH);
    network_feed(&net, "labels", labels, BATCH);
    network_step(&net, BATCH, 1);
    float *state = network_state(&net, count);
    network_end(&net);
    free(x);
    free(labels);
    return state;
}

/* A step in blocks and a step in plain rows change the variables alike. */
static void test_training(void **state)
{
    size_t count;
    float *blocks = trained(*state, &(struct mi_plan_desc){.exact = true}, &count);
    float *plain = trained(*state, &(struct mi_plan_desc){.no_blocked = true, .engine = "nest"}, &count);
    assert_near("variables after a step", blocks, plain, count, 1e-5);
    free(blocks);
    free(plain);
}

static void test_inference(void **state)
{
    struct network net;
    network_begin(&net, *state);
    mi_output(net.graph, "y", build(&net));
    network_compile(&net, BATCH, NULL);
    check(&net);
    network_end(&net);
}

/* ---- Results that have axes of one place more or less than a kernel's loops ---- */

static mi_value *pooled(mi_value *x, const char *op, int64_t height, int64_t width)
{
    const int64_t kernel[] = {height, width};
    return MI_APPLY(x->node->graph, op, ((mi_value *[]){x}), MI_INTS("kernel_shape", kernel, 2));
}

static mi_value *reduced(mi_value *x, const char *op, int64_t first, int64_t axes)
{
    const int64_t list[] = {first, first + 1};
    return MI_APPLY(x->node->graph, op, ((mi_value *[]){x}), MI_INTS("axes", list, (int)axes), MI_INT("keepdims", 1));
}

static mi_value *between(mi_value *x, int which)
{
    struct mi_graph *graph = x->node->graph;
    switch (which) {
    case 0: return pooled(x, "AveragePool", 1, 1);
    case 1: return pooled(x, "MaxPool", 1, 1);
    case 2: return mi_op1(graph, "GlobalAveragePool", x);
    case 3: return reduced(x, "ReduceMean", 2, 2);
    case 4: return mi_op1(graph, "Relu", reduced(x, "ReduceMax", 3, 1));
    case 5: return reduced(x, "ReduceSum", 2, 1);
    case 6: return mi_op2(graph, "Mul", x, mi_op1(graph, "Sigmoid", reduced(x, "ReduceMean", 2, 2)));
    default: return pooled(x, "AveragePool", 1, 2);
    }
}

/* A network in whose blocks channels are left over. */
static void build_between(struct network *net, mica_device *device, const char *shape, int which)
{
    network_begin(net, device);
    net->graph->training = true;
    mi_value *y = network_conv(net, network_input(net, "x", shape, MI_FLOAT), "first", CHANNELS + 1, 1);
    y = network_conv(net, between(y, which), "second", CHANNELS + 1, 3);
    y = MI_APPLY(net->graph, "Flatten", ((mi_value *[]){y}), MI_INT("axis", 1));
    network_train(net, network_cross_entropy(net, network_dense(net, y, "classes", 4)), "SgdUpdate");
}

/* The variables after a step; the caller's to free. */
static float *trained_between(mica_device *device, const char *shape, size_t pixels, int which, const struct mi_plan_desc *how,
                              size_t *count)
{
    struct network net;
    float *x = random_floats(BATCH * pixels, 3);
    int32_t *labels = random_classes(BATCH, 4, 4);
    build_between(&net, device, shape, which);
    network_compile(&net, BATCH, how);
    network_feed(&net, "x", x, BATCH);
    network_feed(&net, "labels", labels, BATCH);
    network_step(&net, BATCH, 1);
    float *state = network_state(&net, count);
    network_end(&net);
    free(x);
    free(labels);
    return state;
}

static const struct mi_plan_desc ways[] = {{.exact = true}, {.no_blocked = true, .engine = "nest"}};

static void compare_ways(mica_device *device, const char *shape, size_t pixels, int which)
{
    char what[64];
    size_t count;
    float *blocks = trained_between(device, shape, pixels, which, &ways[0], &count);
    float *plain = trained_between(device, shape, pixels, which, &ways[1], &count);
    snprintf(what, sizeof what, "number %d of images %s", which, shape);
    assert_near(what, blocks, plain, count, 1e-5);
    free(blocks);
    free(plain);
}

/* A column has no two places side by side; what reduces both axes has one place left of a row as of a column. */
static bool says_more(size_t image, int which)
{
    bool reduces_both = which == 2 || which == 3 || which == 6;
    return !(which == 7 && image == 2) && !(reduces_both && (image == 1 || image == 2));
}

/* The debug mode poisons what nobody stored: what is left over of the last block must be stored all the same. */
static void test_left_over(void **state)
{
    static const struct { const char *shape; size_t pixels; } images[] = {{"n 3 4 5", 60}, {"n 3 1 6", 18}, {"n 3 6 1", 18},
                                                                           {"n 3 1 2", 6}};
    mica_device *debug = mica_device_open(&(mica_device_desc){.debug = true});
    struct mi_compiling told = gather_from(debug);
    struct gathering gathering = {0};
    (void)state;
    for (int gathers = 1; gathers >= 0; gathers--) {
        for (size_t i = 0; i < MI_COUNT(images); i++)
            for (int which = 0; which < 8; which++) {
                if (!says_more(i, which))
                    continue;
                for (size_t w = 0; w < MI_COUNT(ways) && gathers; w++) {
                    struct network net;
                    build_between(&net, debug, images[i].shape, which);
                    network_gather(&net, BATCH, &ways[w], &gathering);
                    network_end(&net);
                }
                if (!gathers)
                    compare_ways(debug, images[i].shape, images[i].pixels, which);
            }
        if (gathers)
            gather_build(&gathering, debug, told);
    }
    gather_end(&gathering);
    mica_device_destroy(debug);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_inference), cmocka_unit_test(test_training), cmocka_unit_test(test_left_over)};
    return cmocka_run_group_tests(tests, open_device, close_device);
}
