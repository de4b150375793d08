/* Every engine, every layout and the debug mode compute the same convolution and the same gradients, on shapes that fill no
 * block, no tile and no work-group. */
#include "compile/rewrite/rewrite.h"
#include "plan/inside.h"
#include "support/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 3, RESULTS = 3 };

struct shape {
    const char *x, *w;
    int64_t pads[6], strides[3], dilations[3], group; /* zeros: 0, 1, 1, 1 */
    bool thorough;              /* with every variant, not only the choice and the engines */
    bool clblast;               /* also with CLBlast's engines, which compile for seconds on a CPU */
    int cuts;                   /* how many more of the direct engines' variants */
};

static const struct shape shapes[] = {
    {"n 3 5 7", "16 3 3 3", {1, 1, 1, 1}, {0}, {0}, 0, true, true, 0},
    {"n 16 13 13", "13 16 5 5", {2, 2, 2, 2}, {2, 2}, {0}, 0, false, true, 0},
    {"n 24 5 7", "16 24 1 1", {0}, {0}, {0}, 0, false, false, 0},
    {"n 40 15 14", "96 40 1 1", {0}, {0}, {0}, 0, false, false, 1}, /* rows in lines, several lines a chunk or an image */
    {"n 13 5 7", "24 13 3 3", {0, 1, 2, 0}, {1, 2}, {0}, 0, false, true, 0},
    {"n 16 6 7", "16 16 3 3", {2, 2, 2, 2}, {0}, {2, 2}, 0, false, false, 0},
    {"n 16 5 7", "24 8 3 3", {1, 1, 1, 1}, {0}, {0}, 2, false, false, 0},
    {"n 32 6 5", "48 16 3 3", {1, 1, 1, 1}, {0}, {0}, 2, false, false, 3}, /* groups of whole vectors */
    {"n 48 7 6", "24 16 3 3", {1, 0, 1, 1}, {2, 2}, {0}, 3, false, false, 0},
    {"n 24 5 7", "24 1 3 3", {1, 1, 1, 1}, {2, 1}, {0}, 24, false, false, 0},
    {"n 1 1 1", "1 1 1 1", {0}, {0}, {0}, 0, false, false, 0},
    {"n 72 5 6", "48 72 3 3", {1, 1, 1, 1}, {0}, {0}, 0, false, false, 3}, /* several chunks of channels, a last group */
    {"n 8 13 14", "32 8 3 3", {1, 1, 1, 1}, {0}, {0}, 0, false, false, 0}, /* several chunks of rows */
    {"n 16 6 7", "12 16 1 1", {0}, {2, 2}, {0}, 0, false, false, 0},       /* phases of the gradient without a tap */
    {"n 3 9 11", "12 3 5 3", {2, 0, 1, 3}, {2, 2}, {0}, 0, false, false, 0},
    {"n 9 8 9", "16 9 3 3", {1, 0, 2, 1}, {3, 2}, {2, 2}, 0, false, false, 0},
    {"n 16 13", "13 16 3", {1, 1}, {0}, {0}, 0, false, false, 0},
    {"n 16 4 5 7", "24 16 3 3 3", {1, 1, 1, 1, 1, 1}, {0}, {0}, 0, true, false, 1},      /* volumes */
    {"n 3 5 6 7", "16 3 3 2 3", {1, 0, 2, 1, 1, 0}, {2, 1, 2}, {1, 2, 1}, 0, false, false, 0},
    {"n 32 3 4 5", "48 16 2 2 1", {0}, {0}, {0}, 2, false, false, 0},
    {"n 16 3 5 4", "13 16 1 1 1", {0}, {1, 2, 2}, {0}, 0, false, false, 0},
};

struct variant {
    const char *name;
    struct mi_plan_desc how;
    bool debug, thorough;
    bool only_built;            /* and not run */
};

/* The reference comes first. */
static const struct variant variants[] = {
    {"plain loops", {.engine = "nest", .no_blocked = true}, false, false, false},
    {"the choice", {.engine = NULL}, false, false, false},
    {"plain layouts", {.no_blocked = true}, false, true, false},
    {"not fused", {.no_fusion = true}, false, true, false},
    {"debug", {.engine = NULL}, true, true, false},
};

static const char *const names[RESULTS] = {"y", "dx", "dw"};

struct results {
    float *value[RESULTS];
    size_t count[RESULTS];
};

static void build(struct network *net, const struct shape *s)
{
    const int64_t ones[] = {1, 1, 1};
    int spatial = network_shape(s->x).rank - 2;
    mi_value *x = network_input(net, "x", s->x, MI_FLOAT), *w = network_weight(net, "w", s->w, 1), *d[2] = {0};
    mi_value *in[] = {mi_op1(net->graph, "Identity", x), w};
    const struct mi_attribute attributes[] = {
        MI_INTS("pads", s->pads, 2 * spatial), MI_INTS("strides", s->strides[0] ? s->strides : ones, spatial),
        MI_INTS("dilations", s->dilations[0] ? s->dilations : ones, spatial), MI_INT("group", s->group ? s->group : 1)};
    mi_value *product = mi_apply(net->graph, "Conv", in, 2, attributes, (int)MI_COUNT(attributes));
    if (!product)
        fail_msg("%s", net->graph->error.text);
    mi_value *y = mi_op1(net->graph, "Tanh", product);
    mi_value *loss = MI_APPLY(net->graph, "ReduceSum", ((mi_value *[]){mi_op2(net->graph, "Mul", y, y)}), MI_INT("keepdims", 0));
    assert_int_equal(mi_differentiate(net->graph, loss, (mi_value *[]){x, w}, 2, d), MICA_OK);
    mi_output(net->graph, "y", y);
    mi_output(net->graph, "dx", d[0]);
    mi_output(net->graph, "dw", d[1]);
}

static void run(struct network *net, const float *x, int64_t n, struct results *out)
{
    network_feed(net, "x", x, n);
    network_step(net, n, 1);
    for (int r = 0; r < RESULTS; r++)
        out->value[r] = network_fetch(net, names[r], n, &out->count[r]);
}

static void forget(struct results *results)
{
    for (int r = 0; r < RESULTS; r++)
        free(results->value[r]);
}

static void check(const struct shape *s, const char *variant, const struct results *got, const struct results *expected)
{
    char what[128];
    for (int r = 0; r < RESULTS; r++) {
        snprintf(what, sizeof what, "%s by %s, %s: %s", s->x, s->w, variant, names[r]);
        assert_int_equal(got->count[r], expected->count[r]);
        assert_near(what, got->value[r], expected->value[r], got->count[r], 1e-5);
    }
}

/* All samples, then fewer; each twice, to the same bits. */
static void try_variant(mica_device *device, const struct shape *s, const struct variant *variant, struct results expected[2])
{
    struct network net;
    bool first = expected[0].value[0] == NULL;
    struct mi_shape shape = network_shape(s->x);
    float *x = random_floats((size_t)mi_shape_count(&shape, MOST), 5);
    network_begin(&net, device);
    build(&net, s);
    network_compile_sized(&net, MOST, &variant->how, !variant->only_built);
    for (int k = 0; k < 2 && !variant->only_built; k++) {
        struct results got, again;
        run(&net, x, k ? 1 : MOST, &got);
        run(&net, x, k ? 1 : MOST, &again);
        for (int r = 0; r < RESULTS; r++)
            assert_memory_equal(got.value[r], again.value[r], got.count[r] * sizeof(float));
        forget(&again);
        if (first) {
            expected[k] = got;
            continue;
        }
        check(s, variant->name, &got, &expected[k]);
        forget(&got);
    }
    network_end(&net);
    free(x);
}

/* The direct engines' other ways to cut their work. */
static void try_cuts(mica_device *device, const struct shape *s, struct results expected[2])
{
    const char *const engines[] = {"direct", "direct_weight"};
    for (size_t i = 0; i < MI_COUNT(engines); i++)
        for (int cut = 1; cut <= s->cuts; cut++)
            try_variant(device, s, &(struct variant){.name = engines[i], .how = {.engine = engines[i], .variant = cut}},
                        expected);
}

static bool is_of_clblast(const struct mi_engine *engine)
{
    return engine == &mi_engine_clblast || engine == &mi_engine_im2col || engine == &mi_engine_col2im;
}

/* Engines that nothing in the plan takes would run the same launches again. */
static bool fits_anywhere(mica_device *device, const struct shape *s, const struct mi_engine *engine)
{
    struct network net;
    bool fits = false;
    network_begin(&net, device);
    build(&net, s);
    assert_int_equal(mi_lower(net.graph, 1), MICA_OK);
    for (size_t i = 0; i < net.graph->node_count; i++) {
        struct mi_problem problem = {.node = net.graph->nodes[i], .device = device, .batch = MOST};
        if (problem.node->op->kind == MI_CONTRACT && problem.node->op->contract(problem.node, &problem.c) == MICA_OK)
            fits = fits || engine->supports(&problem);
    }
    network_end(&net);
    return fits;
}

static void test_shapes(void **state)
{
    mica_device *plain = *state, *debug = mica_device_open(&(mica_device_desc){.debug = true});
    mica_device *narrow = open_for_clblast();
    assert_int_equal(mica_device_status(debug), MICA_OK);
    for (size_t i = 0; i < MI_COUNT(shapes); i++) {
        print_message("  %s by %s\n", shapes[i].x, shapes[i].w);
        struct results expected[2] = {0};
        for (size_t v = 0; v < MI_COUNT(variants); v++)
            if (shapes[i].thorough || !variants[v].thorough)
                try_variant(variants[v].debug ? debug : plain, &shapes[i], &variants[v], expected);
        for (const struct mi_engine *const *engine = mi_engines; *engine; engine++)
            if (*engine != &mi_engine_nest && (shapes[i].clblast || !is_of_clblast(*engine)) &&
                fits_anywhere(plain, &shapes[i], *engine)) {
                print_message("    with %s\n", (*engine)->name);
                try_variant(is_of_clblast(*engine) ? narrow : plain, &shapes[i],
                            &(struct variant){.name = (*engine)->name, .how = {.engine = (*engine)->name}}, expected);
            }
        try_cuts(plain, &shapes[i], expected);
        forget(&expected[0]);
        forget(&expected[1]);
    }
    mica_device_destroy(debug);
    mica_device_destroy(narrow);
}

/* Engines on devices of every width and size: each with the first of some shapes that it fits, beside plain loops on this one. */
static void test_sizes(void **state)
{
    static const int tried[] = {11, 1, 9}; /* plain, with strides, channel by channel */
    mica_device *devices[DEVICE_SIZES];
    unsigned done[DEVICE_SIZES] = {0};
    bool runs[DEVICE_SIZES];
    for (int d = 0; d < DEVICE_SIZES; d++)
        if (!(devices[d] = open_sized(&device_sizes[d], &runs[d])))
            skip();
    for (size_t i = 0; i < MI_COUNT(tried); i++) {
        const struct shape *s = &shapes[tried[i]];
        struct results expected[2] = {0};
        try_variant(*state, s, &variants[0], expected);
        for (int d = 0; d < DEVICE_SIZES; d++)
            for (int e = 0; mi_engines[e]; e++)
                if (!is_of_clblast(mi_engines[e]) && !(done[d] >> e & 1) && fits_anywhere(devices[d], s, mi_engines[e])) {
                    char text[64];
                    done[d] |= 1u << e;
                    snprintf(text, sizeof text, "%s, %d lanes", mi_engines[e]->name, devices[d]->vector_width);
                    try_variant(devices[d], s, &(struct variant){.name = text, .how = {.engine = mi_engines[e]->name},
                                                                 .only_built = !runs[d]}, expected);
                }
        forget(&expected[0]);
        forget(&expected[1]);
    }
    for (int d = 0; d < DEVICE_SIZES; d++)
        mica_device_destroy(devices[d]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shapes), cmocka_unit_test(test_sizes)};
    return cmocka_run_group_tests(tests, open_device, close_device);
}
