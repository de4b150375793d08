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
    bool small;                 /* also where small sizes are asked for: one shape of each kind */
};

static const struct shape shapes[] = {
    {"n 3 5 7", "16 3 3 3", {1, 1, 1, 1}, {0}, {0}, 0, true, true, 0, true},
    {"n 16 13 13", "13 16 5 5", {2, 2, 2, 2}, {2, 2}, {0}, 0, false, true, 0, true},
    {"n 24 5 7", "16 24 1 1", {0}, {0}, {0}, 0, false, false, 0, false},
    {"n 40 15 14", "96 40 1 1", {0}, {0}, {0}, 0, false, false, 1, true}, /* rows in lines, several lines a chunk or an image */
    {"n 13 5 7", "24 13 3 3", {0, 1, 2, 0}, {1, 2}, {0}, 0, false, true, 0, false},
    {"n 16 6 7", "16 16 3 3", {2, 2, 2, 2}, {0}, {2, 2}, 0, false, false, 0, false},
    {"n 16 5 7", "24 8 3 3", {1, 1, 1, 1}, {0}, {0}, 2, false, false, 0, false},
    {"n 32 6 5", "48 16 3 3", {1, 1, 1, 1}, {0}, {0}, 2, false, false, 3, true}, /* groups of whole vectors */
    {"n 48 7 6", "24 16 3 3", {1, 0, 1, 1}, {2, 2}, {0}, 3, false, false, 0, false},
    {"n 24 5 7", "24 1 3 3", {1, 1, 1, 1}, {2, 1}, {0}, 24, false, false, 0, true},
    {"n 1 1 1", "1 1 1 1", {0}, {0}, {0}, 0, false, false, 0, false},
    {"n 72 5 6", "48 72 3 3", {1, 1, 1, 1}, {0}, {0}, 0, false, false, 3, true}, /* several chunks of channels, a last group */
    {"n 8 13 14", "32 8 3 3", {1, 1, 1, 1}, {0}, {0}, 0, false, false, 0, false}, /* several chunks of rows */
    {"n 16 6 7", "12 16 1 1", {0}, {2, 2}, {0}, 0, false, false, 0, false},       /* phases of the gradient without a tap */
    {"n 3 9 11", "12 3 5 3", {2, 0, 1, 3}, {2, 2}, {0}, 0, false, false, 0, false},
    {"n 9 8 9", "16 9 3 3", {1, 0, 2, 1}, {3, 2}, {2, 2}, 0, false, false, 0, false},
    {"n 16 13", "13 16 3", {1, 1}, {0}, {0}, 0, false, false, 0, true},
    {"n 16 4 5 7", "24 16 3 3 3", {1, 1, 1, 1, 1, 1}, {0}, {0}, 0, true, false, 1, true},      /* volumes */
    {"n 3 5 6 7", "16 3 3 2 3", {1, 0, 2, 1, 1, 0}, {2, 1, 2}, {1, 2, 1}, 0, false, false, 0, false},
    {"n 32 3 4 5", "48 16 2 2 1", {0}, {0}, {0}, 2, false, false, 0, false},
    {"n 16 3 5 4", "13 16 1 1 1", {0}, {1, 2, 2}, {0}, 0, false, false, 0, false},
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

/* What a test goes through: once to say what its kernels are, once to run them. */
struct trial {
    mica_device *device[3];
    struct gathering gathering, narrow;
    bool gathers;
    struct results expected[2]; /* of a shape: of all samples, and of fewer */
};

enum { PLAIN, DEBUG, NARROW }; /* the last for CLBlast */

static void forget_expected(struct trial *trial)
{
    forget(&trial->expected[0]);
    forget(&trial->expected[1]);
    memset(trial->expected, 0, sizeof trial->expected);
}

/* All samples, then fewer; each twice, to the same bits. */
static void run_variant(struct network *net, const struct shape *s, const struct variant *variant, struct results expected[2])
{
    bool first = expected[0].value[0] == NULL;
    struct mi_shape shape = network_shape(s->x);
    float *x = random_floats((size_t)mi_shape_count(&shape, MOST), 5);
    for (int k = 0; k < 2; k++) {
        struct results got, again;
        run(net, x, k ? 1 : MOST, &got);
        run(net, x, k ? 1 : MOST, &again);
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
    free(x);
}

static void try_variant(struct trial *trial, int device, const struct shape *s, const struct variant *variant)
{
    struct network net;
    network_begin(&net, trial->device[device]);
    build(&net, s);
    if (trial->gathers) {
        network_gather(&net, MOST, &variant->how, device == NARROW ? &trial->narrow : &trial->gathering);
    } else {
        network_compile_sized(&net, MOST, &variant->how, !variant->only_built);
        if (!variant->only_built)
            run_variant(&net, s, variant, trial->expected);
    }
    network_end(&net);
}

/* The direct engines' other ways to cut their work. */
static void try_cuts(struct trial *trial, const struct shape *s)
{
    const char *const engines[] = {"direct", "direct_weight"};
    for (size_t i = 0; i < MI_COUNT(engines); i++)
        for (int cut = 1; cut <= (tests_are_small() && s->cuts ? 1 : s->cuts); cut++)
            try_variant(trial, PLAIN, s, &(struct variant){.name = engines[i], .how = {.engine = engines[i], .variant = cut}});
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

/* At small sizes the first shape alone has every variant, and CLBlast. */
static bool has_all(const struct shape *s)
{
    return !tests_are_small() || s == shapes;
}

static void try_shape(struct trial *trial, const struct shape *s)
{
    for (size_t v = 0; v < MI_COUNT(variants); v++)
        if ((s->thorough && has_all(s)) || !variants[v].thorough)
            try_variant(trial, variants[v].debug ? DEBUG : PLAIN, s, &variants[v]);
    for (const struct mi_engine *const *engine = mi_engines; *engine; engine++)
        if (*engine != &mi_engine_nest && ((s->clblast && has_all(s)) || !is_of_clblast(*engine)) &&
            fits_anywhere(trial->device[PLAIN], s, *engine)) {
            if (!trial->gathers)
                print_message("    with %s\n", (*engine)->name);
            try_variant(trial, is_of_clblast(*engine) ? NARROW : PLAIN, s,
                        &(struct variant){.name = (*engine)->name, .how = {.engine = (*engine)->name}});
        }
    try_cuts(trial, s);
    forget_expected(trial);
}

static void all_shapes(struct trial *trial)
{
    for (size_t i = 0; i < MI_COUNT(shapes); i++) {
        if (!shapes[i].small && tests_are_small())
            continue;
        if (!trial->gathers)
            print_message("  %s by %s\n", shapes[i].x, shapes[i].w);
        try_shape(trial, &shapes[i]);
    }
}

/* Twice: what is compiled the first time is built together before the second. */
static void test_shapes(void **state)
{
    struct trial trial = {.device = {*state, mica_device_open(&(mica_device_desc){.debug = true}), open_for_clblast()}};
    struct mi_compiling told[MI_COUNT(trial.device)];
    assert_int_equal(mica_device_status(trial.device[DEBUG]), MICA_OK);
    for (size_t d = 0; d < MI_COUNT(told); d++)
        told[d] = gather_from(trial.device[d]);
    trial.gathers = true;
    all_shapes(&trial);
    for (size_t d = 0; d < MI_COUNT(told); d++)
        gather_build(d == NARROW ? &trial.narrow : &trial.gathering, trial.device[d], told[d]);
    gather_end(&trial.gathering);
    gather_end(&trial.narrow);
    trial.gathers = false;
    all_shapes(&trial);
    mica_device_destroy(trial.device[DEBUG]);
    mica_device_destroy(trial.device[NARROW]);
}

/* Engines on devices of every width and size: each with the first of some shapes that it fits, beside plain loops on this one. */
static void test_sizes(void **state)
{
    static const int tried[] = {11, 1, 9}; /* plain, with strides, channel by channel */
    struct trial trial = {.device = {*state}};
    mica_device *devices[DEVICE_SIZES];
    unsigned done[DEVICE_SIZES] = {0};
    bool runs[DEVICE_SIZES];
    for (int d = 0; d < DEVICE_SIZES; d++)
        if (!(devices[d] = open_sized(&device_sizes[d], &runs[d])))
            skip();
    for (size_t i = 0; i < MI_COUNT(tried); i++) {
        const struct shape *s = &shapes[tried[i]];
        trial.device[PLAIN] = *state;
        try_variant(&trial, PLAIN, s, &variants[0]);
        for (int d = 0; d < DEVICE_SIZES; d++)
            for (int e = 0; mi_engines[e] && is_tried(&device_sizes[d], *state); e++)
                if (!is_of_clblast(mi_engines[e]) && !(done[d] >> e & 1) && fits_anywhere(devices[d], s, mi_engines[e])) {
                    char text[64];
                    done[d] |= 1u << e;
                    snprintf(text, sizeof text, "%s, %d lanes", mi_engines[e]->name, devices[d]->vector_width);
                    trial.device[PLAIN] = devices[d];
                    try_variant(&trial, PLAIN, s, &(struct variant){.name = text, .how = {.engine = mi_engines[e]->name},
                                                                    .only_built = !runs[d]});
                }
        forget_expected(&trial);
    }
    for (int d = 0; d < DEVICE_SIZES; d++)
        mica_device_destroy(devices[d]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shapes), cmocka_unit_test(test_sizes)};
    return cmocka_run_group_tests(tests, open_device, close_device);
}
