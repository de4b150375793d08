/* One plan serves every batch up to n: it computes what a plan compiled for exactly that many samples does, and nothing of an
 * earlier, larger batch gets in. */
#include "plan/inside.h"
#include "support/network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 10 };

struct subject {
    const char *name, *input;
    int64_t most;               /* samples */
    void (*build)(struct network *net, mi_value *x);
};

/* ---- Networks ---- */

static void build_mlp(struct network *net, mi_value *x)
{
    mi_value *hidden = mi_op1(net->graph, "Relu", network_dense(net, x, "first", 33));
    mi_value *scores = network_dense(net, hidden, "second", CLASSES);
    mi_value *loss = network_cross_entropy(net, scores);
    mi_output(net->graph, "scores", scores);
    mi_output(net->graph, "loss", loss);
    network_train(net, loss, "AdamUpdate");
}

/* Blocked layouts with halos, a convolution whose channels do not fill a block, pooling and a reduction over space. */
static void build_conv(struct network *net, mi_value *x)
{
    static const int64_t two[] = {2, 2};
    mi_value *y = mi_op1(net->graph, "Relu", network_conv(net, x, "c1", 16, 3));
    y = MI_APPLY(net->graph, "MaxPool", ((mi_value *[]){y}), MI_INTS("kernel_shape", two, 2), MI_INTS("strides", two, 2));
    y = mi_op1(net->graph, "Sigmoid", network_conv(net, y, "c2", 24, 3));
    y = network_conv(net, y, "c3", CLASSES, 1);
    mi_value *scores = mi_op1(net->graph, "Flatten", mi_op1(net->graph, "GlobalAveragePool", y));
    mi_value *loss = network_cross_entropy(net, scores);
    mi_output(net->graph, "features", y);
    mi_output(net->graph, "loss", loss);
    network_train(net, loss, "MomentumUpdate");
}

static void build_batch_normalization(struct network *net, mi_value *x)
{
    mi_value *y = network_conv(net, x, "c", 16, 3);
    struct mi_variable *mean = network_variable(net, "mean", "16", MI_STATISTIC, 0.25f);
    struct mi_variable *variance = network_variable(net, "variance", "16", MI_STATISTIC, 2);
    mi_value *in[] = {y, network_weight(net, "scale", "16", 1), network_weight(net, "shift", "16", 1),
                      mi_variable(net->graph, mean), mi_variable(net->graph, variance)};
    struct mi_node *node = mi_node_add(net->graph, "BatchNormalization", in, 5, NULL, 0);
    assert_non_null(node);
    assert_true(mi_assign(net->graph, mean, node->out[1]) && mi_assign(net->graph, variance, node->out[2]));
    mi_value *scores = mi_op1(net->graph, "Flatten", mi_op1(net->graph, "GlobalMaxPool", mi_op1(net->graph, "Tanh", node->out[0])));
    mi_value *loss = network_cross_entropy(net, network_dense(net, scores, "d", CLASSES));
    mi_output(net->graph, "normal", node->out[0]);
    mi_output(net->graph, "loss", loss);
    network_train(net, loss, "SgdUpdate");
}

/* The gradient by the input, dropout, and an accumulator. */
static void build_cross_entropy(struct network *net, mi_value *x)
{
    mi_value *gradient;
    struct mi_variable *sum = network_variable(net, "sum", "", MI_ACCUMULATOR, 1.5f);
    mi_value *dropped = MI_APPLY(net->graph, "Dropout", ((mi_value *[]){x}), MI_REAL("rate", 0.4f));
    mi_value *loss = network_cross_entropy(net, dropped);
    assert_int_equal(mi_differentiate(net->graph, loss, &x, 1, &gradient), MICA_OK);
    mi_output(net->graph, "probabilities", MI_APPLY(net->graph, "Softmax", ((mi_value *[]){x}), MI_INT("axis", 1)));
    mi_output(net->graph, "gradient", gradient);
    mi_output(net->graph, "loss", loss);
    assert_true(mi_assign(net->graph, sum, mi_op2(net->graph, "Add", mi_variable(net->graph, sum), loss)));
}

static const struct subject subjects[] = {
    {"a perceptron", "n 21", 3, build_mlp},
    {"convolutions", "n 3 9 11", 3, build_conv},
    {"batch normalisation", "n 5 4 6", 3, build_batch_normalization},
    {"cross-entropy", "n 10", 3, build_cross_entropy},
};

/* ---- The comparison ---- */

static void compile(struct network *net, mica_device *device, const struct subject *subject, int64_t batch)
{
    network_begin(net, device);
    subject->build(net, network_input(net, "x", subject->input, MI_FLOAT));
    network_compile(net, batch, NULL);
}

static void feed(struct network *net, const struct subject *subject, int64_t n)
{
    struct mi_shape shape = network_shape(subject->input);
    float *x = random_floats((size_t)mi_shape_count(&shape, n), 1);
    int32_t *labels = random_classes((size_t)n, CLASSES, 2);
    network_feed(net, "x", x, n);
    network_feed(net, "labels", labels, n);
    free(x);
    free(labels);
}

/* A full step on nothing but NaN and labels of no class: all that the plan keeps is spoilt. */
static void spoil(struct network *net, const struct subject *subject, int64_t n)
{
    struct mi_shape shape = network_shape(subject->input);
    size_t count = (size_t)mi_shape_count(&shape, n);
    float *x = mi_new(count, sizeof *x);
    int32_t *labels = mi_new((size_t)n, sizeof *labels);
    assert_true(x && labels);
    for (size_t i = 0; i < count; i++)
        x[i] = NAN;
    for (int64_t i = 0; i < n; i++)
        labels[i] = -7;
    network_feed(net, "x", x, n);
    network_feed(net, "labels", labels, n);
    network_step(net, n, 1);
    free(x);
    free(labels);
}

static void compare(struct network *got, struct network *expected, int64_t n)
{
    char what[64];
    size_t count, other;
    const struct mi_graph *graph = got->plan->graph;
    for (size_t o = 0; o < graph->output_count; o++) {
        const char *name = graph->outputs[o]->name;
        float *a = network_fetch(got, name, n, &count), *b = network_fetch(expected, name, n, &other);
        assert_int_equal(count, other);
        snprintf(what, sizeof what, "%s of %d", name, (int)n);
        assert_near(what, a, b, count, 1e-5);
        free(a);
        free(b);
    }
    float *a = network_state(got, &count), *b = network_state(expected, &other);
    assert_int_equal(count, other);
    snprintf(what, sizeof what, "variables after %d", (int)n);
    assert_near(what, a, b, count, 1e-5);
    free(a);
    free(b);
}

static void test_subject(mica_device *device, const struct subject *subject)
{
    struct network most;
    size_t count, after;
    compile(&most, device, subject, subject->most);
    float *start = network_state(&most, &count);
    for (int64_t n = 1; n <= subject->most; n++) {
        struct network exact;
        spoil(&most, subject, subject->most);
        network_set_state(&most, start);
        feed(&most, subject, n);
        network_step(&most, n, 3);
        compile(&exact, device, subject, n);
        feed(&exact, subject, n);
        network_step(&exact, n, 3);
        compare(&most, &exact, n);
        network_end(&exact);
    }
    network_set_state(&most, start);
    network_step(&most, 0, 4);
    float *state = network_state(&most, &after);
    assert_memory_equal(state, start, count * sizeof *start);
    free(state);
    free(start);
    network_end(&most);
}

static void test_all(void **state)
{
    for (size_t i = 0; i < MI_COUNT(subjects); i++) {
        print_message("  %s\n", subjects[i].name);
        test_subject(*state, &subjects[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all)};
    return cmocka_run_group_tests(tests, open_device, close_device);
}
