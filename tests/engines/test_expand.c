/* A pointwise convolution inside the kernel of the depthwise one behind it, against sums in double: channels that fill no block,
 * asymmetric pads, strides, dilations, one spatial axis, maps between that read another tensor, partial batches; and what keeps
 * the two apart. */
#include "compile/choose/choices.h"
#include "plan/inside.h"
#include "support/network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 3, VARIANTS = 4 };

struct shape {
    int64_t in, channels, size[2], kernel[2], pads[4], strides[2], dilations[2];
    bool beside;   /* another input is added between the two */
    bool one_axis; /* x is (n, in, size[1]) */
    int variants;
};

static const struct shape shapes[] = {
    {16, 24, {9, 14}, {3, 3}, {1, 1, 1, 1}, {1, 1}, {1, 1}, false, false, VARIANTS},
    {19, 20, {13, 15}, {3, 3}, {1, 0, 2, 1}, {2, 2}, {1, 1}, true, false, VARIANTS},
    {24, 40, {8, 7}, {5, 3}, {0, 2, 1, 2}, {1, 2}, {2, 1}, false, false, 1},
    {18, 16, {11, 12}, {1, 2}, {0, 0, 0, 0}, {3, 3}, {1, 1}, false, false, 1},
    {17, 21, {1, 30}, {1, 4}, {0, 3, 0, 1}, {1, 3}, {1, 2}, true, true, 1},
};

static const struct shape widens = {16, 96, {28, 28}, {3, 3}, {1, 1, 1, 1}, {1, 1}, {1, 1}, false, false, 1};

/* What is done to the tensor between, which must then be stored. */
enum other { NOTHING, READ_TWICE, AN_OUTPUT, DIFFERENTIATED };

static int64_t places(const struct shape *s, int i)
{
    return (s->size[i] + s->pads[i] + s->pads[2 + i] - (s->kernel[i] - 1) * s->dilations[i] - 1) / s->strides[i] + 1;
}

static const char *sizes(const struct shape *s, const char *first, int64_t second, const int64_t *space)
{
    static char text[4][64];
    static int next;
    char *to = text[next++ % 4];
    if (s->one_axis)
        snprintf(to, sizeof text[0], "%s %lld %lld", first, (long long)second, (long long)space[1]);
    else
        snprintf(to, sizeof text[0], "%s %lld %lld %lld", first, (long long)second, (long long)space[0],
                 (long long)space[1]);
    return to;
}

static mi_value *conv(struct network *net, const struct shape *s, mi_value *x, mi_value *w, bool depthwise)
{
    const int64_t ones[] = {1, 1}, none[4] = {0}, turned[2] = {s->pads[1], s->pads[3]};
    int skip = s->one_axis, spatial = 2 - skip;
    const struct mi_attribute attributes[] = {MI_INTS("pads",
                                                      !depthwise ? none
                                                      : skip     ? turned
                                                                 : s->pads,
                                                      2 * spatial),
                                              MI_INTS("strides", depthwise ? s->strides + skip : ones, spatial),
                                              MI_INTS("dilations", depthwise ? s->dilations + skip : ones, spatial),
                                              MI_INT("group", depthwise ? s->channels : 1)};
    mi_value *product = mi_apply(net->graph, "Conv", (mi_value *[]){x, w}, 2, attributes, (int)MI_COUNT(attributes));
    if (!product)
        fail_msg("%s", net->graph->error.text);
    return product;
}

/* y = tanh(depthwise(relu6(pointwise(x) + bias (+ s))) + shift), z = y * shift. */
static void build(struct network *net, const struct shape *s, enum other other)
{
    const int64_t ones[] = {1, 1};
    char channels[32], from[32];
    snprintf(channels, sizeof channels, "%lld", (long long)s->channels);
    snprintf(from, sizeof from, s->one_axis ? "%lld 1" : "%lld 1 1", (long long)s->channels);
    mi_value *x = mi_op1(net->graph, "Identity", network_input(net, "x", sizes(s, "n", s->in, s->size), MI_FLOAT));
    mi_value *beside = s->beside ? network_input(net, "s", sizes(s, "n", s->channels, s->size), MI_FLOAT) : NULL;
    mi_value *v = network_weight(net, "v", sizes(s, channels, s->in, ones), 1),
             *w = network_weight(net, "w", sizes(s, channels, 1, s->kernel), 1);
    mi_value *bias = network_weight(net, "bias", from, 1), *shift = network_weight(net, "shift", from, 1);
    mi_value *wide = mi_op2(net->graph, "Add", conv(net, s, x, v, false), bias);
    wide = mi_op1(net->graph, "Relu6", beside ? mi_op2(net->graph, "Add", beside, wide) : wide);
    mi_value *y = mi_op1(net->graph, "Tanh", mi_op2(net->graph, "Add", conv(net, s, wide, w, true), shift));
    mi_output(net->graph, "y", y);
    mi_output(net->graph, "z", mi_op2(net->graph, "Mul", y, shift));
    if (other == AN_OUTPUT)
        mi_output(net->graph, "wide", wide);
    if (other == READ_TWICE)
        mi_output(net->graph, "mean", MI_APPLY(net->graph, "ReduceSum", ((mi_value *[]){wide}), MI_INT("keepdims", 0)));
    if (other == DIFFERENTIATED) {
        mi_value *d = NULL;
        mi_value *loss = MI_APPLY(net->graph, "ReduceSum", ((mi_value *[]){y}), MI_INT("keepdims", 0));
        assert_int_equal(mi_differentiate(net->graph, loss, (mi_value *[]){v}, 1, &d), MICA_OK);
        mi_output(net->graph, "dv", d);
    }
}

/* ---- The reference ---- */

struct data {
    const struct shape *s;
    float *x, *beside, *state;
    const float *v, *w, *bias, *shift;
};

static double wide_at(const struct data *d, int64_t n, int64_t k, int64_t at)
{
    const struct shape *s = d->s;
    int64_t plane = s->size[0] * s->size[1];
    double sum = (double)d->bias[k] + (s->beside ? (double)d->beside[(n * s->channels + k) * plane + at] : 0);
    for (int64_t c = 0; c < s->in; c++)
        sum += (double)d->x[(n * s->in + c) * plane + at] * (double)d->v[k * s->in + c];
    return sum < 0 ? 0 : sum > 6 ? 6 : sum;
}

static double result_at(const struct data *d, int64_t n, int64_t k, int64_t i, int64_t j)
{
    const struct shape *s = d->s;
    double sum = (double)d->shift[k];
    for (int64_t r = 0; r < s->kernel[0]; r++)
        for (int64_t q = 0; q < s->kernel[1]; q++) {
            int64_t h = i * s->strides[0] + r * s->dilations[0] - s->pads[0],
                    w = j * s->strides[1] + q * s->dilations[1] - s->pads[1];
            if (h >= 0 && w >= 0 && h < s->size[0] && w < s->size[1])
                sum += wide_at(d, n, k, h * s->size[1] + w) * (double)d->w[(k * s->kernel[0] + r) * s->kernel[1] + q];
        }
    return tanh(sum);
}

static void check(const struct data *d, struct network *net, int64_t n, const char *how)
{
    const struct shape *s = d->s;
    const char *const names[] = {"y", "z"};
    int64_t plane = places(s, 0) * places(s, 1);
    for (int r = 0; r < 2; r++) {
        char what[128];
        size_t count;
        float *got = network_fetch(net, names[r], n, &count), *expected = malloc((count + 1) * sizeof *expected);
        assert_non_null(expected);
        assert_int_equal(count, n * s->channels * plane);
        for (int64_t i = 0; i < (int64_t)count; i++) {
            int64_t k = i / plane % s->channels, at = i % plane;
            double y = result_at(d, i / plane / s->channels, k, at / places(s, 1), at % places(s, 1));
            expected[i] = (float)(r ? y * (double)d->shift[k] : y);
        }
        snprintf(what, sizeof what, "%lld to %lld channels, %s: %s", (long long)s->in, (long long)s->channels, how,
                 names[r]);
        assert_near(what, got, expected, count, 3e-6);
        free(got);
        free(expected);
    }
}

/* ---- Runs ---- */

static bool is_one_kernel(const struct mica_plan *plan)
{
    for (size_t k = 0; k < plan->kernels.count; k++)
        if (plan->kernels.list[k].ahead) {
            assert_ptr_equal(plan->kernels.list[k].choice.engine, &mi_engine_expand);
            return true;
        }
    return false;
}

static struct data make_data(const struct shape *s, struct network *net)
{
    size_t count;
    int64_t plane = s->size[0] * s->size[1];
    struct data d = {.s = s,
                     .x = random_floats((size_t)(MOST * s->in * plane), 5),
                     .beside = random_floats((size_t)(MOST * s->channels * plane), 6),
                     .state = network_state(net, &count)};
    d.v = d.state;
    d.w = d.v + s->channels * s->in;
    d.bias = d.w + s->channels * s->kernel[0] * s->kernel[1];
    d.shift = d.bias + s->channels;
    return d;
}

static void run(const struct shape *s, struct network *net, const char *how)
{
    struct data d = make_data(s, net);
    for (int turn = 0; turn < 2; turn++) {
        int64_t n = turn ? 1 : MOST;
        size_t count;
        network_feed(net, "x", d.x, n);
        if (s->beside)
            network_feed(net, "s", d.beside, n);
        network_step(net, n, 1);
        check(&d, net, n, how);
        float *first = network_fetch(net, "y", n, &count);
        network_step(net, n, 1);
        float *again = network_fetch(net, "y", n, &count);
        assert_memory_equal(first, again, count * sizeof *first);
        free(first);
        free(again);
    }
    free(d.x);
    free(d.beside);
    free(d.state);
}

static void try_sized(mica_device *device, const struct shape *s, enum other other, const struct mi_plan_desc *how,
                      bool one_kernel, const char *text, bool runs)
{
    struct network net;
    network_begin(&net, device);
    build(&net, s, other);
    network_compile_sized(&net, MOST, how, runs);
    if (device->is_cpu && device->vector_width >= 4)
        assert_int_equal(is_one_kernel(net.plan), one_kernel);
    if (runs)
        run(s, &net, text);
    network_end(&net);
}

static void try_shape(mica_device *device, const struct shape *s, enum other other, const struct mi_plan_desc *how,
                      bool one_kernel, const char *text)
{
    try_sized(device, s, other, how, one_kernel, text, true);
}

static void test_shapes(void **state)
{
    for (size_t i = 0; i < MI_COUNT(shapes); i++)
        for (int v = 0; v < shapes[i].variants; v++) {
            char text[32];
            snprintf(text, sizeof text, "variant %d", v);
            try_shape(*state, &shapes[i], NOTHING, &(struct mi_plan_desc){.engine = "expand", .variant = v}, true,
                      text);
        }
}

/* Shapes have channels for a vector of any width. */
static void test_sizes(void **state)
{
    (void)state;
    for (int i = 0; i < DEVICE_SIZES; i++) {
        char text[32];
        bool runs;
        mica_device *device = open_sized(&device_sizes[i], &runs);
        if (!device)
            skip();
        snprintf(text, sizeof text, "%d lanes", device->vector_width);
        try_sized(device, &shapes[1], NOTHING, &(struct mi_plan_desc){.engine = "expand"}, true, text, runs);
        mica_device_destroy(device);
    }
}

static void test_exact(void **state)
{
    try_shape(*state, &shapes[1], NOTHING, &(struct mi_plan_desc){.engine = "expand", .exact = true}, true, "exact");
}

/* What others read, or users, is stored: there are two kernels then. */
static void test_apart(void **state)
{
    const struct shape *s = &shapes[0];
    const struct mi_plan_desc asked = {.engine = "expand"};
    try_shape(*state, s, AN_OUTPUT, &asked, false, "an output");
    try_shape(*state, s, READ_TWICE, &asked, false, "read twice");
    try_shape(*state, s, DIFFERENTIATED, &asked, false, "differentiated");
    try_shape(*state, s, NOTHING, &(struct mi_plan_desc){.engine = "expand", .no_fusion = true}, false, "not fused");
    try_shape(*state, s, NOTHING, &(struct mi_plan_desc){.engine = "expand", .no_blocked = true}, false,
              "plain layouts");
    try_shape(*state, s, NOTHING, &(struct mi_plan_desc){.engine = "nest"}, false, "plain loops");
}

/* Few channels become many: one kernel. Many become few, on a line that tiles do not fill: what lies between is small, and the
 * direct engine's products are faster. */
static void test_choice(void **state)
{
    static const struct shape keeps = {256, 64, {7, 7}, {3, 3}, {1, 1, 1, 1}, {1, 1}, {1, 1}, false, false, 1};
    mica_device *device = *state;
    try_shape(device, &widens, NOTHING, NULL, true, "the choice");
    try_shape(device, &keeps, NOTHING, NULL, false, "the choice");
}

/* A model goes on as it ran, in one kernel or in two. */
static void test_remembered(void **state)
{
    mica_device *device = *state;
    struct mi_choices choices = {0};
    const struct mi_plan_desc how = {.choices = &choices};
    try_shape(device, &widens, NOTHING, &how, true, "the choice, kept");
    for (size_t i = 0; i < choices.count; i++)
        if (choices.list[i].choice.engine == &mi_engine_expand)
            choices.list[i].choice.engine = &mi_engine_depthwise;
    try_shape(device, &widens, NOTHING, &how, false, "as it ran before");
    mi_choices_destroy(&choices);
}

static void test_debug(void **state)
{
    (void)state;
    mica_device *device = mica_device_open(&(mica_device_desc){.debug = true});
    assert_int_equal(mica_device_status(device), MICA_OK);
    try_shape(device, &shapes[1], NOTHING, &(struct mi_plan_desc){.engine = "expand"}, true, "debug");
    mica_device_destroy(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shapes), cmocka_unit_test(test_sizes),
                                       cmocka_unit_test(test_exact),  cmocka_unit_test(test_apart),
                                       cmocka_unit_test(test_choice), cmocka_unit_test(test_remembered),
                                       cmocka_unit_test(test_debug)};
    return cmocka_run_group_tests(tests, open_device, close_device);
}
