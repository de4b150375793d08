/* Random networks, trained for a few steps, each in several ways, and compared with a reference on the host.
 *
 *   test_random_networks [--count N] [--seed S] [--seconds T] [--all]
 *
 * After each step the loss and every variable must lie within what float32 may be off. The reference computes a step from the
 * variables that the device had before it: over several steps a bound grows until it says nothing. Still nothing is known of fewer
 * than one element in a thousand: what is divided by a number that may be 0, as where the mean square of a gradient is far smaller
 * than its bound; what a row is looked up for that a rounding decides; what may overflow. */
#include "random/asked.h"
#include "random/interpret.h"
#include "random/network.h"
#include "random/variants.h"
#include "support/device.h"
#include "nn/optimizer/optimizer.h"

#include "compile/rewrite/rewrite.h"
#include "plan/inside.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The reference: the lowered step, from the variables of the one before ---- */

struct expected {
    struct ball loss;
    int variables;
    struct balls variable[128];
    char name[128][96];
};

static struct mi_step step_of(const struct drawn_network *network, int step)
{
    return (struct mi_step){.n = (int32_t)network->batch[step], .learning_rate = (float)network->optimizer.setting[0].value,
                            .step = (uint64_t)step + 1, .seed = 42};
}

static void fill_inputs(const struct drawn_network *network, const struct interpreter *host, int step)
{
    for (size_t i = 0; i < host->graph->input_count; i++) {
        const mi_value *input = host->graph->inputs[i];
        struct balls *t = &host->values[input->id];
        bool labels = strstr(input->name, "_target") != NULL;
        for (int64_t e = 0; e < t->count; e++) {
            double value = labels ? network_label(network, input, step, e) : network_input_value(network, input, step, e);
            t->of[e] = t->type == MI_FLOAT ? ball_float(value) : ball_whole(value);
        }
    }
}

static struct balls *find_variable(struct expected *expected, const char *name)
{
    for (int i = 0; i < expected->variables; i++)
        if (strcmp(expected->name[i], name) == 0)
            return &expected->variable[i];
    return NULL;
}

/* The variables as the device has them before a step. */
static void note_variables(struct expected *expected, const mica_model *model, struct mi_store *store)
{
    expected->variables = (int)model->variables.count;
    assert_true(expected->variables <= (int)MI_COUNT(expected->variable));
    for (int i = 0; i < expected->variables; i++) {
        const struct mi_variable *variable = model->variables.list[i];
        size_t count = mi_variable_count(variable);
        float *values = mi_new(count, sizeof *values);
        struct balls *t = &expected->variable[i];
        *t = (struct balls){.count = (int64_t)count, .of = mi_new(count, sizeof *t->of)};
        assert_true(values && t->of);
        snprintf(expected->name[i], sizeof expected->name[i], "%s", variable->name);
        assert_int_equal(mi_store_read(store, variable, values), MICA_OK);
        for (size_t k = 0; k < count; k++)
            t->of[k] = ball_float((double)values[k]);
        free(values);
    }
}

/* What the step makes of them, and its loss. */
static void expect_step(const struct drawn_network *network, const struct mi_graph *graph, bool by_winograd,
                        struct expected *expected, int step)
{
    struct interpreter host;
    struct mi_step as = step_of(network, step);
    interpreter_create(&host, graph, &as);
    host.by_winograd = by_winograd;
    fill_inputs(network, &host, step);
    for (size_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i]->op == &mi_op_variable) {
            const struct balls *from = find_variable(expected, graph->nodes[i]->variable->name);
            memcpy(host.values[graph->nodes[i]->out[0]->id].of, from->of, (size_t)from->count * sizeof *from->of);
        }
    interpreter_run(&host);
    for (size_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i]->op == &mi_op_assign) {
            struct balls *to = find_variable(expected, graph->nodes[i]->variable->name);
            memcpy(to->of, host.values[graph->nodes[i]->in[0]->id].of, (size_t)to->count * sizeof *to->of);
        }
    expected->loss = host.values[graph->outputs[0]->id].of[0];
    interpreter_destroy(&host);
}

static void expected_free(struct expected *expected)
{
    for (int i = 0; i < expected->variables; i++)
        free(expected->variable[i].of);
}

/* ---- Running ---- */

struct tally {
    uint64_t elements, unknown;
};

static void compare(struct tally *tally, char *text, size_t size, const char *way, const char *what, const struct balls *want,
                    const float *got)
{
    tally->elements += (uint64_t)want->count;
    for (int64_t i = 0; i < want->count; i++) {
        struct ball w = want->of[i];
        if (isinf(w.radius))
            tally->unknown++;
        else if (!ball_holds(w, (double)got[i]) && !text[0])
            snprintf(text, size, "%s: %s[%lld] of %lld is %.9g, expected %.9g +- %.3g", way, what, (long long)i,
                     (long long)want->count, (double)got[i], w.at, w.radius);
    }
}

static void feed(const struct drawn_network *network, mica_device *device, mica_plan *plan, const struct mi_graph *graph, int step)
{
    for (size_t i = 0; i < graph->input_count; i++) {
        const mi_value *input = graph->inputs[i];
        int64_t count = mi_shape_count(&input->shape, network->batch[step]);
        float *floats = mi_new((size_t)count, sizeof *floats);
        int32_t *integers = (int32_t *)(void *)floats;
        bool labels = strstr(input->name, "_target") != NULL;
        cl_event done = NULL;
        assert_non_null(floats);
        for (int64_t e = 0; e < count; e++) {
            double value = labels ? network_label(network, input, step, e) : network_input_value(network, input, step, e);
            if (input->type == MI_FLOAT)
                floats[e] = (float)value;
            else
                integers[e] = (int32_t)value;
        }
        int at = mi_plan_input(plan, input->name);
        if (at >= 0)
            assert_int_equal(mi_plan_feed(plan, at, floats, network->batch[step], &done), MICA_OK);
        mi_event_wait(device, &done);
        free(floats);
    }
}

/* What a way is run with. */
struct run {
    const struct drawn_network *network;
    const char *way;
    mica_device *device;
    mica_model *model;
    struct mi_graph *lowered;
    struct mi_store *store;
    mica_plan *plan;
    struct tally *tally;
    char *text;
    size_t size;
};

static void compare_variables(const struct run *run, struct expected *expected, int step)
{
    for (size_t i = 0; i < run->model->variables.count && !run->text[0]; i++) {
        const struct mi_variable *variable = run->model->variables.list[i];
        float *values = mi_new(mi_variable_count(variable), sizeof *values);
        char what[128];
        assert_int_equal(mi_store_read(run->store, variable, values), MICA_OK);
        snprintf(what, sizeof what, "after step %d %s", step + 1, variable->name);
        compare(run->tally, run->text, run->size, run->way, what, find_variable(expected, variable->name), values);
        free(values);
    }
}

static void train_step(const struct run *run, int step)
{
    static struct expected expected;
    float loss = 0;
    char what[32];
    struct mi_step as = step_of(run->network, step);
    note_variables(&expected, run->model, run->store);
    expect_step(run->network, run->lowered, plan_uses_winograd(run->plan), &expected, step);
    feed(run->network, run->device, run->plan, run->lowered, step);
    snprintf(what, sizeof what, "loss of step %d", step + 1);
    if (mi_plan_step(run->plan, &as) != MICA_OK || mi_plan_fetch(run->plan, 0, &loss, as.n) != MICA_OK)
        snprintf(run->text, run->size, "%s: step: %s", run->way, mica_plan_error(run->plan));
    else
        compare(run->tally, run->text, run->size, run->way, what, &(struct balls){.count = 1, .of = &expected.loss}, &loss);
    if (!run->text[0])
        compare_variables(run, &expected, step);
    expected_free(&expected);
}

/* One way to train: its own model, plan and run. */
static void run_way(struct run *run, const struct variant *variant)
{
    struct mi_error error = {0};
    struct mi_optimizer optimizer;
    run->model = network_model(run->network, run->device);
    struct mi_graph *graph = run->model ? network_training(run->network, run->model) : NULL;
    if (!graph) {
        snprintf(run->text, run->size, "cannot be built: %s", mica_device_error(run->device));
        mica_model_destroy(run->model);
        return;
    }
    run->lowered = mi_graph_copy(graph, &error);
    assert_non_null(run->lowered);
    assert_int_equal(mi_lower(run->lowered, 1), MICA_OK);
    assert_int_equal(mi_optimizer_resolve(&error, "optimizer", &run->network->optimizer, &optimizer), MICA_OK);
    assert_int_equal(mi_model_store(run->model, &run->store), MICA_OK);
    mi_plan_create(&(struct mi_plan_desc){.device = run->device, .store = run->store, .graph = graph,
                                          .batch = run->network->batch[0], .engine = variant->engine,
                                          .no_fusion = variant->no_fusion, .no_blocked = variant->no_blocked,
                                          .exact = variant->exact}, &run->plan);
    if (mica_plan_status(run->plan) != MICA_OK)
        snprintf(run->text, run->size, "%s: cannot be compiled: %s", variant->name, mica_plan_error(run->plan));
    else if (mi_optimizer_begin(run->model, &optimizer, true) != MICA_OK)
        snprintf(run->text, run->size, "%s: the moments: %s", variant->name, mica_device_error(run->device));
    for (int step = 0; step < STEPS && !run->text[0]; step++)
        train_step(run, step);
    mica_plan_destroy(run->plan);
    mi_graph_destroy(run->lowered);
    mica_model_destroy(run->model);
}

/* What differs, in a line; empty: nothing. */
static void try_network(const struct drawn_network *network, mica_device *const *devices, bool all, struct tally *tally, char *text,
                        size_t size)
{
    int other = 1 + (int)(network->seed % (uint64_t)(variant_count() - 1));
    text[0] = 0;
    for (int v = 0; v < variant_count() && !text[0]; v++)
        if (all || v == 0 || v == other) {
            struct run run = {.network = network, .way = variants[v].name, .tally = tally, .text = text, .size = size,
                              .device = devices[variants[v].debug ? 1 : variants[v].gpu ? 2 : 0]};
            run_way(&run, &variants[v]);
        }
}

/* Leaves layers out as long as it fails. */
static void make_small(struct drawn_network *network, mica_device *const *devices, struct tally *tally, char *text, size_t size)
{
    char own[400];
    for (int i = network->count - 1; i > 0; i--) {
        struct drawn_network less = *network;
        memmove(less.layer[i], less.layer[i + 1], (size_t)(less.count - i - 1) * sizeof less.layer[0]);
        less.count--;
        mica_model *model = network_model(&less, devices[0]);
        struct mi_graph *graph = model ? network_training(&less, model) : NULL;
        bool builds = graph != NULL;
        mi_graph_destroy(graph);
        mica_model_destroy(model);
        if (!builds)
            continue;
        try_network(&less, devices, false, tally, own, sizeof own);
        if (!own[0])
            continue;
        snprintf(text, size, "%s", own);
        *network = less;
    }
}

static void print_network(const struct drawn_network *network, const char *text)
{
    print_error("network %llu: %s\n  batches", (unsigned long long)network->seed, text);
    for (int i = 0; i < STEPS; i++)
        print_error(" %lld", (long long)network->batch[i]);
    print_error(", %s, %s", network->loss, network->optimizer.type);
    for (const mica_setting *setting = network->optimizer.setting; setting->key; setting++)
        print_error(", %s %g", setting->key, setting->value);
    print_error("\n");
    for (int i = 0; i < network->count; i++)
        print_error("  %s\n", network->layer[i]);
}

static void test_networks(void **state)
{
    const struct asked *asked = *state;
    mica_device *devices[] = {mica_device_open(NULL), mica_device_open(&(mica_device_desc){.debug = true}),
                              mica_device_open(&(mica_device_desc){.limits = {.gpu_kernels = true}})};
    struct tally tally = {0};
    uint64_t failed = 0, refused = 0, i = 0;
    double begin = mi_seconds();
    if (mica_device_status(devices[0]) != MICA_OK)
        fail_msg("no device to test on: %s", mica_device_error(devices[0]));
    for (; asked_goes_on(asked, i, begin); i++) {
        struct drawn_network network;
        char text[400];
        if (!network_draw(&network, devices[0], asked->seed + i, asked->small, &refused))
            continue;
        try_network(&network, devices, asked->all, &tally, text, sizeof text);
        if (!text[0])
            continue;
        make_small(&network, devices, &tally, text, sizeof text);
        print_network(&network, text);
        failed++;
    }
    print_message("%llu networks, %llu failed; %llu elements compared, of %llu nothing is known; %llu layers refused; %.0f s\n",
                  (unsigned long long)i, (unsigned long long)failed, (unsigned long long)tally.elements,
                  (unsigned long long)tally.unknown, (unsigned long long)refused, mi_seconds() - begin);
    for (size_t k = 0; k < MI_COUNT(devices); k++)
        mica_device_destroy(devices[k]);
    /* A bound that says nothing fails no network. */
    if (i >= 20 && tally.unknown > tally.elements / 20)
        fail_msg("nothing is known of %.1f %% of the elements", 100 * (double)tally.unknown / (double)tally.elements);
    if (failed)
        fail_msg("%llu networks failed", (unsigned long long)failed);
}

int main(int count, char **arguments)
{
    static struct asked asked;
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(test_networks, &asked)};
    if (!asked_read(&asked, 32, count, arguments))
        return 2;
    return cmocka_run_group_tests_name("networks", tests, NULL, NULL);
}
