/* The engine of GPUs, on a device with the limit gpu_kernels: strided and grouped convolutions, their gradients and a batched
 * product agree with plain loops in every variant, with depths cut in parts and with fewer samples than the largest batch. */
#include "plan/inside.h"
#include "support/network.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST = 5 };

struct subject {
    const char *name;
    const char *x, *w;
    int64_t stride, group; /* 0: a product, not a convolution */
};

static const struct subject subjects[] = {
    {"convolution", "n 3 13 9", "7 3 3 3", 2, 1},
    {"groups", "n 6 5 7", "8 3 3 3", 1, 2},
    {"product", "n 5 67", "67 9", 0, 0},
};

static void build(struct network *net, const struct subject *s)
{
    mi_value *x = network_input(net, "x", s->x, MI_FLOAT), *w = network_weight(net, "w", s->w, 1), *d[2] = {0}, *y;
    mi_value *in[] = {mi_op1(net->graph, "Identity", x), w};
    const int64_t pads[] = {1, 0, 2, 1}, strides[] = {s->stride, s->stride};
    if (s->stride)
        y = MI_APPLY(net->graph, "Conv", in, MI_INTS("pads", pads, 4), MI_INTS("strides", strides, 2),
                     MI_INT("group", s->group));
    else
        y = mi_op2(net->graph, "MatMul", in[0], in[1]);
    y = mi_op1(net->graph, "Tanh", y);
    mi_value *loss =
        MI_APPLY(net->graph, "ReduceSum", ((mi_value *[]){mi_op2(net->graph, "Mul", y, y)}), MI_INT("keepdims", 0));
    assert_int_equal(mi_differentiate(net->graph, loss, (mi_value *[]){x, w}, 2, d), MICA_OK);
    mi_output(net->graph, "y", y);
    mi_output(net->graph, "dx", d[0]);
    mi_output(net->graph, "dw", d[1]);
}

static void compile(struct network *net, mica_device *device, const struct subject *s, const char *engine, int variant)
{
    network_begin(net, device);
    build(net, s);
    network_compile(net, MOST, &(struct mi_plan_desc){.engine = engine, .variant = variant});
}

static void compare(struct network *net, struct network *expected, const struct subject *s, int64_t n)
{
    static const char *const names[] = {"y", "dx", "dw"};
    struct mi_shape shape = network_shape(s->x);
    float *x = random_floats((size_t)mi_shape_count(&shape, n), 5);
    network_feed(net, "x", x, n);
    network_feed(expected, "x", x, n);
    network_step(net, n, 1);
    network_step(expected, n, 1);
    for (size_t i = 0; i < MI_COUNT(names); i++) {
        char what[64];
        size_t count, other;
        float *got = network_fetch(net, names[i], n, &count), *wanted = network_fetch(expected, names[i], n, &other);
        snprintf(what, sizeof what, "%s: %s of %d", s->name, names[i], (int)n);
        assert_int_equal(count, other);
        assert_near(what, got, wanted, count, 1e-5);
        free(got);
        free(wanted);
    }
    free(x);
}

static bool is_everywhere(const struct network *net)
{
    int contractions = 0, tiled = 0;
    for (size_t k = 0; k < net->plan->kernels.count; k++) {
        const struct mi_kernel *kernel = &net->plan->kernels.list[k];
        contractions += kernel->anchor != NULL;
        tiled += kernel->choice.engine == &mi_engine_tile;
    }
    return contractions == 3 && tiled == 3;
}

static void test_variants(void **state)
{
    mica_device *device = mica_device_open(&(mica_device_desc){.limits = {.gpu_kernels = true}});
    assert_int_equal(mica_device_status(device), MICA_OK);
    for (size_t i = 0; i < MI_COUNT(subjects); i++) {
        struct network expected, net;
        compile(&expected, device, &subjects[i], "nest", 0);
        for (int variant = 0; variant < 3; variant += 2) {
            compile(&net, device, &subjects[i], "tile", variant);
            assert_true(is_everywhere(&net));
            compare(&net, &expected, &subjects[i], MOST);
            compare(&net, &expected, &subjects[i], 2);
            network_end(&net);
        }
        network_end(&expected);
    }
    mica_device_destroy(device);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_variants)};
    return cmocka_run_group_tests(tests, open_device, close_device);
}
