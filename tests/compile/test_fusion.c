/* How many launches the usual patterns take, and that fusing them changes nothing. */
#include "plan/inside.h"
#include "support/network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 64 };

struct pattern {
    const char *name, *input;
    mi_value *(*build)(struct network *net, mi_value *x);
    int launches;
    const char *engine;
};

/* ---- Patterns ---- */

static mi_value *dense_relu(struct network *net, mi_value *x)
{
    return mi_op1(net->graph, "Relu", network_dense(net, x, "d", 32));
}

static mi_value *conv_relu(struct network *net, mi_value *x)
{
    return mi_op1(net->graph, "Relu", network_conv(net, x, "c", 16, 3));
}

static mi_value *residual(struct network *net, mi_value *x)
{
    return mi_op1(net->graph, "Relu", mi_op2(net->graph, "Add", network_conv(net, x, "c", 16, 3), x));
}

static mi_value *softmax(struct network *net, mi_value *x)
{
    return MI_APPLY(net->graph, "Softmax", ((mi_value *[]){x}), MI_INT("axis", 1));
}

static mi_value *mean(struct network *net, mi_value *x)
{
    const int64_t last = 1;
    return MI_APPLY(net->graph, "ReduceMean", ((mi_value *[]){x, mi_ints(net->graph, &last, 1)}), MI_INT("keepdims", 1));
}

/* (x - mean) / sqrt(variance + e) * scale + shift, along rows. */
static mi_value *layer_norm(struct network *net, mi_value *x)
{
    struct mi_graph *graph = net->graph;
    mi_value *centered = mi_op2(graph, "Sub", x, mean(net, x));
    mi_value *variance = mean(net, mi_op2(graph, "Mul", centered, centered));
    mi_value *root = mi_op1(graph, "Sqrt", mi_op2(graph, "Add", variance, mi_scalar(graph, 1e-3f)));
    mi_value *scaled = mi_op2(graph, "Mul", mi_op2(graph, "Div", centered, root), network_weight(net, "scale", "48", 1));
    return mi_op2(graph, "Add", scaled, network_weight(net, "shift", "48", 1));
}

static mi_value *maps(struct network *net, mi_value *x)
{
    mi_value *y = mi_op1(net->graph, "Sigmoid", mi_op2(net->graph, "Mul", x, network_weight(net, "a", "48", 1)));
    return mi_op2(net->graph, "Add", mi_op1(net->graph, "Exp", y), x);
}

static mi_value *transposed(struct network *net, mi_value *x)
{
    const int64_t order[] = {0, 2, 1};
    mi_value *y = MI_APPLY(net->graph, "Transpose", ((mi_value *[]){mi_op1(net->graph, "Neg", x)}), MI_INTS("perm", order, 3));
    return mi_op1(net->graph, "Tanh", y);
}

static mi_value *max_pool(struct network *net, mi_value *x)
{
    const int64_t two[] = {2, 2};
    return MI_APPLY(net->graph, "MaxPool", ((mi_value *[]){mi_op1(net->graph, "Relu", x)}), MI_INTS("kernel_shape", two, 2),
                    MI_INTS("strides", two, 2));
}

static mi_value *column_sums(struct network *net, mi_value *x)
{
    const int64_t first = 0;
    return MI_APPLY(net->graph, "ReduceSum", ((mi_value *[]){x, mi_ints(net->graph, &first, 1)}), MI_INT("keepdims", 0));
}

/* The second sum waits for a product, the first for nothing. */
static mi_value *sums_beside(struct network *net, mi_value *x)
{
    mi_value *early = column_sums(net, x);
    return mi_op2(net->graph, "Add", early, column_sums(net, network_dense(net, x, "d", 48)));
}

static mi_value *by_count(struct network *net, mi_value *x)
{
    mi_value *share = MI_APPLY(net->graph, "DivideByCount", ((mi_value *[]){mi_scalar(net->graph, 3)}), MI_INT("per_n", 2),
                               MI_INT("fixed", 1));
    return mi_op2(net->graph, "Mul", x, share);
}

static const struct pattern patterns[] = {
    {"dense, bias, relu by loops", "n 20", dense_relu, 1, "nest"},
    {"convolution, bias, relu by loops", "n 3 6 6", conv_relu, 1, "nest"},
    {"convolution, bias, residual, relu", "n 16 6 6", residual, 1, "nest"},
    {"softmax", "n 48", softmax, 1, NULL},
    {"layer normalisation", "n 48", layer_norm, 1, NULL},
    {"maps", "n 48", maps, 1, NULL},
    {"maps around a transposition", "n 6 8", transposed, 1, NULL},
    {"relu and max-pooling", "n 3 6 6", max_pool, 1, NULL},
    {"two sums over equal spaces", "n 48", sums_beside, 2, "nest"},
    {"a number of the batch alone", "n 48", by_count, 1, NULL},
};

static float *run(mica_device *device, const struct pattern *pattern, const struct mi_plan_desc *how, int *launches, size_t *count)
{
    struct network net;
    struct mi_shape shape = network_shape(pattern->input);
    float *x = random_floats((size_t)mi_shape_count(&shape, BATCH), 1);
    network_begin(&net, device);
    mi_output(net.graph, "y", pattern->build(&net, network_input(&net, "x", pattern->input, MI_FLOAT)));
    network_compile(&net, BATCH, how);
    *launches = mica_plan_launches(net.plan);
    network_feed(&net, "x", x, BATCH);
    network_step(&net, BATCH, 1);
    float *y = network_fetch(&net, "y", BATCH, count);
    network_end(&net);
    free(x);
    return y;
}

static void test_patterns(void **state)
{
    for (size_t i = 0; i < MI_COUNT(patterns); i++) {
        const struct pattern *p = &patterns[i];
        int fused, apart;
        size_t count;
        float *y = run(*state, p, &(struct mi_plan_desc){.engine = p->engine}, &fused, &count);
        float *expected = run(*state, p, &(struct mi_plan_desc){.engine = p->engine, .no_fusion = true}, &apart, &count);
        if (fused != p->launches || apart <= fused)
            fail_msg("%s: %d launches, expected %d; %d without fusion", p->name, fused, p->launches, apart);
        assert_near(p->name, y, expected, count, 1e-6);
        free(y);
        free(expected);
    }
}

/* ---- Epilogues of engines: nothing runs after the kernel that makes the product ---- */

static void test_epilogues(void **state)
{
    static const struct pattern with_engine[] = {{"dense", "n 64", dense_relu, 0, NULL}, {"conv", "n 16 6 6", conv_relu, 0, NULL}};
    for (size_t i = 0; i < MI_COUNT(with_engine); i++) {
        struct network net;
        network_begin(&net, *state);
        mi_output(net.graph, "y", with_engine[i].build(&net, network_input(&net, "x", with_engine[i].input, MI_FLOAT)));
        network_compile(&net, BATCH, NULL);
        const struct mi_kernel *last = &net.plan->kernels.list[net.plan->order[net.plan->kernels.count - 1]];
        if (last->choice.engine && last->choice.engine->epilogue) {
            assert_non_null(last->anchor);
            assert_true(last->count >= 3); /* the product, bias, relu */
            assert_int_equal(last->outs, 1);
        } else
            assert_true(!last->choice.engine || !last->choice.engine->epilogue);
        network_end(&net);
    }
}

/* ---- Scales behind a product go into its weights ---- */

static mi_value *normalized(struct network *net, mi_value *x)
{
    mi_value *in[] = {x, network_weight(net, "scale", "16", 2), network_weight(net, "bias", "16", 1), network_weight(net, "mean", "16", 1),
                      mi_variable(net->graph, network_variable(net, "var", "16", MI_STATISTIC, 1.5f))};
    struct mi_node *node = mi_node_add(net->graph, "BatchNormalization", in, 5, NULL, 0);
    return node ? mi_op1(net->graph, "Relu", node->out[0]) : NULL;
}

static mi_value *conv_normalized(struct network *net, mi_value *x)
{
    return normalized(net, network_conv(net, x, "c", 16, 3));
}

static mi_value *depthwise_normalized(struct network *net, mi_value *x)
{
    mi_value *in[] = {x, network_weight(net, "w", "16 1 3 3", 1)};
    return normalized(net, MI_APPLY(net->graph, "Conv", in, MI_INT("group", 16)));
}

static mi_value *dense_scaled(struct network *net, mi_value *x)
{
    return mi_op2(net->graph, "Mul", network_dense(net, x, "d", 32), network_weight(net, "s", "32", 1));
}

/* The second step runs after the scales were written: what was made of them before must not be used. */
static float *run_scaled(mica_device *device, const struct pattern *p, bool apart, size_t *count)
{
    struct network net;
    struct mi_shape shape = network_shape(p->input);
    float *x = random_floats((size_t)mi_shape_count(&shape, BATCH), 1);
    network_begin(&net, device);
    net.graph->training = false;
    mi_value *y = p->build(&net, network_input(&net, "x", p->input, MI_FLOAT));
    mi_output(net.graph, "y", mi_op1(net.graph, "Tanh", y));
    network_compile(&net, BATCH, &(struct mi_plan_desc){.no_fusion = apart});
    network_feed(&net, "x", x, BATCH);
    network_step(&net, BATCH, 1);
    size_t states;
    float *state = network_state(&net, &states);
    for (size_t i = 0; i < states; i++)
        state[i] = 0.5f * state[i] + 0.1f;
    network_set_state(&net, state);
    network_step(&net, BATCH, 2);
    for (size_t i = 0; i < net.plan->graph->node_count && !apart; i++) {
        const char *name = net.plan->graph->nodes[i]->op->name;
        const struct mi_shape *made = &net.plan->graph->nodes[i]->out[0]->shape;
        assert_false(made->dim[0].a && (strcmp(name, "ScaleShift") == 0 || strcmp(name, "Mul") == 0));
    }
    float *result = network_fetch(&net, "y", BATCH, count);
    network_end(&net);
    free(state);
    free(x);
    return result;
}

static void test_scales(void **state)
{
    static const struct pattern scaled[] = {{"convolution, normalised", "n 16 6 6", conv_normalized, 0, NULL},
                                            {"depthwise convolution, normalised", "n 16 6 6", depthwise_normalized, 0, NULL},
                                            {"dense, scaled", "n 20", dense_scaled, 0, NULL}};
    for (size_t i = 0; i < MI_COUNT(scaled); i++) {
        size_t count;
        float *y = run_scaled(*state, &scaled[i], false, &count), *expected = run_scaled(*state, &scaled[i], true, &count);
        assert_near(scaled[i].name, y, expected, count, 1e-5);
        free(y);
        free(expected);
    }
}

/* ---- An optimizer's step: one launch a block of the arena, however many parameters ---- */

static int updates_of(const struct network *net)
{
    int updates = 0;
    for (size_t i = 0; i < net->plan->action_count; i++)
        updates += net->plan->kernels.list[net->plan->actions[i].kernel].update;
    return updates;
}

static void test_one_update(void **state)
{
    struct network net;
    network_begin(&net, *state);
    mi_value *x = network_dense(&net, network_input(&net, "x", "n 5", MI_FLOAT), "a", 7);
    x = network_dense(&net, x, "b", 3);
    network_train(&net, network_cross_entropy(&net, network_dense(&net, x, "c", 4)), "AdamUpdate");
    network_compile(&net, 4, NULL);
    assert_int_equal(updates_of(&net), 1);
    network_end(&net);
}

/* Two parameters that are added have one gradient; each update reads its own copy. */
static void test_shared_gradient(void **state)
{
    enum { COUNT = 5 };
    struct network net;
    size_t count;
    network_begin(&net, *state);
    mi_value *x = network_input(&net, "x", "n 5", MI_FLOAT);
    for (int i = 0; i < 2; i++)
        x = mi_op2(net.graph, "Add", x, network_weight(&net, i ? "q" : "p", "5", 1));
    network_train(&net, network_cross_entropy(&net, x), "SgdUpdate");
    network_compile(&net, 4, NULL);
    float *rows = random_floats(4 * COUNT, 1), *before = network_state(&net, &count);
    int32_t *labels = random_classes(4, COUNT, 2);
    network_feed(&net, "x", rows, 4);
    network_feed(&net, "labels", labels, 4);
    network_step(&net, 4, 1);
    float *after = network_state(&net, &count);
    for (int i = 0; i < COUNT; i++) {
        assert_true(after[i] != before[i]);
        assert_float_equal(after[i] - before[i], after[COUNT + i] - before[COUNT + i], 1e-6);
    }
    free(rows);
    free(labels);
    free(before);
    free(after);
    network_end(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_epilogues),
        cmocka_unit_test(test_scales),
        cmocka_unit_test(test_one_update),
        cmocka_unit_test(test_shared_gradient),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
