/* Depthwise convolutions, their fused epilogues and both gradients against references in double: channels that fill no
 * block, asymmetric pads, strides, dilations, one spatial axis, every layout beside the engine's own, partial batches. */
#include "plan/inside.h"
#include "support/network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 3, RESULTS = 4 };

struct shape {
    int64_t channels, in[2], kernel[2], pads[4], strides[2], dilations[2];
    bool twice;    /* with the engines' last variants too */
    bool one_axis; /* x is (n, c, in[1]) */
};

static const struct shape shapes[] = {
    {16, {9, 14}, {3, 3}, {1, 1, 1, 1}, {1, 1}, {1, 1}, true, false},
    {24, {13, 15}, {3, 3}, {1, 0, 2, 1}, {2, 2}, {1, 1}, true, false},
    {13, {8, 7}, {5, 3}, {0, 2, 1, 2}, {1, 2}, {2, 1}, false, false},
    {40, {14, 14}, {7, 7}, {3, 3, 3, 3}, {2, 2}, {1, 1}, false, false},
    {21, {1, 30}, {1, 4}, {0, 3, 0, 1}, {1, 3}, {1, 2}, false, true},
};

static const char *const names[RESULTS] = {"y", "z", "dx", "dw"};

struct results {
    float *value[RESULTS];
    size_t count[RESULTS];
};

static int64_t places(const struct shape *s, int i)
{
    return (s->in[i] + s->pads[i] + s->pads[2 + i] - (s->kernel[i] - 1) * s->dilations[i] - 1) / s->strides[i] + 1;
}

/* y = tanh(x * w + bias) and z = y bias, both stored by the convolution's kernel; the loss is the sum of y squares. */
static void build(struct network *net, const struct shape *s)
{
    char size[2][64];
    int skip = s->one_axis, spatial = 2 - skip;
    snprintf(size[0], sizeof size[0], s->one_axis ? "n %lld %lld" : "n %lld %lld %lld", (long long)s->channels,
             (long long)s->in[skip], (long long)s->in[1]);
    snprintf(size[1], sizeof size[1], s->one_axis ? "%lld 1 %lld" : "%lld 1 %lld %lld", (long long)s->channels,
             (long long)s->kernel[skip], (long long)s->kernel[1]);
    const int64_t pads[4] = {s->pads[skip], s->one_axis ? s->pads[3] : s->pads[1], s->pads[2], s->pads[3]};
    mi_value *x = network_input(net, "x", size[0], MI_FLOAT), *w = network_weight(net, "w", size[1], 1), *d[2] = {0};
    snprintf(size[1], sizeof size[1], s->one_axis ? "%lld 1" : "%lld 1 1", (long long)s->channels);
    mi_value *bias = network_weight(net, "bias", size[1], 1);
    const struct mi_attribute attributes[] = {
        MI_INTS("pads", pads, 2 * spatial), MI_INTS("strides", s->strides + skip, spatial),
        MI_INTS("dilations", s->dilations + skip, spatial), MI_INT("group", s->channels)};
    mi_value *in[] = {mi_op1(net->graph, "Identity", x), w};
    mi_value *product = mi_apply(net->graph, "Conv", in, 2, attributes, (int)MI_COUNT(attributes));
    if (!product)
        fail_msg("%s", net->graph->error.text);
    mi_value *y = mi_op1(net->graph, "Tanh", mi_op2(net->graph, "Add", product, bias));
    mi_value *z = mi_op2(net->graph, "Mul", y, bias);
    mi_value *loss =
        MI_APPLY(net->graph, "ReduceSum", ((mi_value *[]){mi_op2(net->graph, "Mul", y, y)}), MI_INT("keepdims", 0));
    assert_int_equal(mi_differentiate(net->graph, loss, (mi_value *[]){x, w}, 2, d), MICA_OK);
    mi_output(net->graph, "y", y);
    mi_output(net->graph, "z", z);
    mi_output(net->graph, "dx", d[0]);
    mi_output(net->graph, "dw", d[1]);
}

/* ---- The reference ---- */

struct sums {
    const struct shape *s;
    const float *x, *w, *bias;
    double *result[RESULTS]; /* as float results, in double */
    size_t count[RESULTS];
};

/* The place in a plane of x that output place (i, j) meets with place (r, q) of the kernel; -1: in the padding. */
static int64_t met(const struct shape *s, int64_t i, int64_t j, int64_t r, int64_t q)
{
    int64_t h = i * s->strides[0] + r * s->dilations[0] - s->pads[0],
            w = j * s->strides[1] + q * s->dilations[1] - s->pads[1];
    return h < 0 || w < 0 || h >= s->in[0] || w >= s->in[1] ? -1 : h * s->in[1] + w;
}

/* One output place: its value, and what it gives to the gradients. */
static void reference_place(struct sums *sums, int64_t n, int64_t c, int64_t i, int64_t j)
{
    const struct shape *s = sums->s;
    int64_t taps = s->kernel[0] * s->kernel[1], plane = s->in[0] * s->in[1], image = n * s->channels + c;
    double sum = (double)sums->bias[c];
    for (int64_t t = 0; t < taps; t++) {
        int64_t at = met(s, i, j, t / s->kernel[1], t % s->kernel[1]);
        sum += at < 0 ? 0 : (double)sums->x[image * plane + at] * (double)sums->w[c * taps + t];
    }
    int64_t out = (image * places(s, 0) + i) * places(s, 1) + j;
    double y = tanh(sum), slope = 2 * y * (1 - y * y);
    sums->result[0][out] = y;
    sums->result[1][out] = y * (double)sums->bias[c];
    for (int64_t t = 0; t < taps; t++) {
        int64_t at = met(s, i, j, t / s->kernel[1], t % s->kernel[1]);
        if (at < 0)
            continue;
        sums->result[2][image * plane + at] += slope * (double)sums->w[c * taps + t];
        sums->result[3][c * taps + t] += slope * (double)sums->x[image * plane + at];
    }
}

static struct sums reference(const struct shape *s, const float *x, const float *state, int64_t n)
{
    size_t taps = (size_t)(s->kernel[0] * s->kernel[1]), planes = (size_t)(n * s->channels);
    struct sums sums = {.s = s, .x = x, .w = state, .bias = state + (size_t)s->channels * taps};
    sums.count[0] = sums.count[1] = planes * (size_t)(places(s, 0) * places(s, 1));
    sums.count[2] = planes * (size_t)(s->in[0] * s->in[1]);
    sums.count[3] = (size_t)s->channels * taps;
    for (int r = 0; r < RESULTS; r++)
        assert_non_null(sums.result[r] = calloc(sums.count[r], sizeof(double)));
    for (int64_t k = 0; k < n; k++)
        for (int64_t c = 0; c < s->channels; c++)
            for (int64_t i = 0; i < places(s, 0); i++)
                for (int64_t j = 0; j < places(s, 1); j++)
                    reference_place(&sums, k, c, i, j);
    return sums;
}

static void check(const struct shape *s, const char *how, const struct sums *expected, int64_t n, struct network *net)
{
    char what[128];
    for (int r = 0; r < RESULTS; r++) {
        size_t count;
        float *got = network_fetch(net, names[r], n, &count), *exact = malloc((expected->count[r] + 1) * sizeof *exact);
        assert_non_null(exact);
        assert_int_equal(count, expected->count[r]);
        for (size_t i = 0; i < count; i++)
            exact[i] = (float)expected->result[r][i];
        snprintf(what, sizeof what, "%lld channels of %lld x %lld, %s: %s", (long long)s->channels, (long long)s->in[0],
                 (long long)s->in[1], how, names[r]);
        assert_near(what, got, exact, count, 3e-6);
        free(got);
        free(exact);
    }
}

/* ---- Runs ---- */

/* Which engine has contraction `name`. */
static void assert_engine(const struct network *net, const char *name, const char *engine)
{
    const struct mica_plan *plan = net->plan;
    bool found = false;
    for (size_t i = 0; i < plan->graph->node_count; i++)
        if (strcmp(plan->graph->nodes[i]->op->name, name) == 0) {
            found = true;
            assert_string_equal(plan->choices[i].engine->name, engine);
        }
    assert_true(found);
}

/* All samples, then fewer; each twice, to the same bits. */
static void run(struct network *net, const struct shape *s, const char *how)
{
    size_t count;
    float *x = random_floats((size_t)(MOST * s->channels * s->in[0] * s->in[1]), 5),
          *state = network_state(net, &count);
    for (int k = 0; k < 2; k++) {
        int64_t n = k ? 1 : MOST;
        struct sums expected = reference(s, x, state, n);
        network_feed(net, "x", x, n);
        network_step(net, n, 1);
        float *first = network_fetch(net, "dw", n, &count);
        check(s, how, &expected, n, net);
        network_step(net, n, 1);
        float *again = network_fetch(net, "dw", n, &count);
        assert_memory_equal(first, again, count * sizeof *first);
        for (int r = 0; r < RESULTS; r++)
            free(expected.result[r]);
        free(first);
        free(again);
    }
    free(x);
    free(state);
}

static void try_shape(mica_device *device, const struct shape *s, const struct mi_plan_desc *how, const char *text)
{
    struct network net;
    network_begin(&net, device);
    build(&net, s);
    network_compile(&net, MOST, how);
    if (device->is_cpu && !how->no_blocked) {
        assert_engine(&net, "ConvProduct", "depthwise");
        assert_engine(&net, "ConvDataGrad", "depthwise");
        assert_engine(&net, "ConvWeightGrad", "depthwise_weight");
    }
    run(&net, s, text);
    network_end(&net);
}

static void test_shapes(void **state)
{
    for (size_t i = 0; i < MI_COUNT(shapes); i++)
        for (int last = 0; last <= shapes[i].twice; last++)
            try_shape(*state, &shapes[i], &(struct mi_plan_desc){.variant = last ? MI_MOST_VARIANTS : 0},
                      last ? "last variant" : "first variant");
}

static void test_plain_layouts(void **state)
{
    try_shape(*state, &shapes[1], &(struct mi_plan_desc){.no_blocked = true}, "plain layouts");
}

static void test_debug(void **state)
{
    (void)state;
    mica_device *device = mica_device_open(&(mica_device_desc){.debug = true});
    assert_int_equal(mica_device_status(device), MICA_OK);
    try_shape(device, &shapes[1], &(struct mi_plan_desc){.no_fusion = true}, "debug, not fused");
    try_shape(device, &shapes[2], &(struct mi_plan_desc){0}, "debug");
    mica_device_destroy(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shapes), cmocka_unit_test(test_plain_layouts),
                                       cmocka_unit_test(test_debug)};
    return cmocka_run_group_tests(tests, open_device, close_device);
}
