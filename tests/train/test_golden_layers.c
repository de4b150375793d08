/* Layers and losses against PyTorch: values, gradients by inputs and weights, and what a step leaves in the statistics. */
#include "nn/objective.h"
#include "support/gather.h"
#include "train/golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- A plan that also puts out gradients ---- */

struct probe {
    mica_device *device;
    mica_model *model;
    struct mi_graph *graph;
    mi_value *loss;              /* what is differentiated */
    const char *target;          /* of a loss: the input of labels; the plan's */
    mica_plan *plan;
};

static mica_model *make_model(mica_device *device, const cJSON *described, bool *training)
{
    mica_model *model = mica_model_create(device, NULL);
    cJSON *json = cJSON_Duplicate(described, true);
    *training = cJSON_IsTrue(cJSON_GetObjectItem(json, "training"));
    static const char *const extra[] = {"training", "loss"};
    for (size_t i = 0; i < MI_COUNT(extra); i++)
        cJSON_DeleteItemFromObject(json, extra[i]);
    mi_model_add_layers(model, json, "", NULL);
    cJSON_Delete(json);
    golden_assert_fine(device);
    return model;
}

/* Adds an output "gradient/NAME" for the graph's input and every parameter. */
static void add_gradients(struct probe *probe, bool by_input)
{
    struct mi_variables *variables = &probe->model->variables;
    mi_value *of[64], *gradients[64] = {0};
    const char *names[64];
    int count = 0;
    if (by_input) {
        of[count] = probe->graph->inputs[0];
        names[count++] = "input";
    }
    for (size_t i = 0; i < variables->count; i++)
        if (variables->list[i]->role == MI_PARAMETER) {
            of[count] = mi_variable(probe->graph, variables->list[i]);
            names[count++] = variables->list[i]->name;
        }
    assert_int_equal(mi_differentiate(probe->graph, probe->loss, of, count, gradients), MICA_OK);
    for (int i = 0; i < count; i++) {
        char name[128];
        snprintf(name, sizeof name, "gradient/%s", names[i]);
        assert_non_null(gradients[i]);
        mi_output(probe->graph, name, gradients[i]);
    }
}

static void build_plan(struct probe *probe, int64_t batch)
{
    struct mi_store *store = NULL;
    if (probe->graph->error.status)
        fail_msg("%s", probe->graph->error.text);
    assert_int_equal(mi_model_store(probe->model, &store), MICA_OK);
    mi_plan_create(&(struct mi_plan_desc){.device = probe->device, .store = store, .graph = probe->graph, .batch = batch},
                   &probe->plan);
}

static void feed(struct probe *probe, const char *name, const void *elements, int64_t n)
{
    cl_event done = NULL;
    int input = mi_plan_input(probe->plan, name);
    assert_true(input >= 0);
    assert_int_equal(mi_plan_feed(probe->plan, input, elements, n, &done), MICA_OK);
    assert_int_equal(mi_event_wait(probe->device, &done), MICA_OK);
}

static void probe_close(struct probe *probe)
{
    mica_plan_destroy(probe->plan);
    mica_model_destroy(probe->model);
}

/* ---- What is compared ---- */

/* Tensors that float32 does not hold to GOLDEN_TOLERANCE, whoever computes them. */
static const struct exception {
    const char *layer, *tensor;
    double tolerance;
} exceptions[] = {
    /* Two values that are normalised are close to 1 and -1 whatever they were: the gradient is what epsilon leaves of two terms that
     * are 80 times as large and cancel. PyTorch in float32 is 3e-5 off. */
    {"group_normalization_flat", "dx", 1e-4},
};

static double tolerance_of(const char *layer, const char *tensor)
{
    for (size_t i = 0; i < MI_COUNT(exceptions); i++)
        if (!strcmp(exceptions[i].layer, layer) && !strcmp(exceptions[i].tensor, tensor))
            return exceptions[i].tolerance;
    return GOLDEN_TOLERANCE;
}

static void compare_output(struct probe *probe, const char *what, const char *output, const struct golden *golden,
                           const char *prefix, const char *tensor, int64_t n)
{
    size_t count = 0;
    char label[256];
    float *wanted = golden_floats(golden, prefix, tensor, &count), *got = mi_new(count, sizeof *got);
    assert_non_null(wanted);
    int index = mi_plan_output(probe->plan, output);
    assert_true(index >= 0);
    struct mi_shape shape = mi_plan_output_shape(probe->plan, index);
    assert_int_equal(mi_shape_count(&shape, n), count);
    assert_int_equal(mi_plan_fetch(probe->plan, index, got, n), MICA_OK);
    snprintf(label, sizeof label, "%s: %s", what, tensor);
    golden_compare(label, got, wanted, count, tolerance_of(what, tensor));
    free(wanted);
    free(got);
}

/* ---- Layers ---- */

static void compare_layer(struct probe *probe, const struct golden *golden, const char *name, int64_t n)
{
    char key[160];
    compare_output(probe, name, "output", golden, name, "y", n);
    if (golden_find(golden, name, "dx"))
        compare_output(probe, name, "gradient/input", golden, name, "dx", n);
    for (int i = 0; i < mica_model_variable_count(probe->model); i++) {
        const char *variable = mica_model_variable_name(probe->model, i);
        snprintf(key, sizeof key, "gradient/%s", variable);
        if (golden_find(golden, name, key))
            compare_output(probe, name, key, golden, name, key, n);
        snprintf(key, sizeof key, "after/%s", variable);
        size_t count = 0;
        float *wanted = golden_floats(golden, name, key, &count), *got = wanted ? mi_new(count, sizeof *got) : NULL;
        if (wanted) {
            assert_int_equal(mica_model_read(probe->model, variable, got, count), MICA_OK);
            golden_compare(key, got, wanted, count, GOLDEN_TOLERANCE);
        }
        free(wanted);
        free(got);
    }
}

static void open_layer(struct probe *probe, const struct golden *golden, const char *name, const cJSON *described)
{
    bool training = false;
    char prefix[128];
    probe->model = make_model(probe->device, described, &training);
    snprintf(prefix, sizeof prefix, "%s/weight", name);
    golden_write(probe->model, golden, prefix);
    assert_int_equal(mi_model_graph(probe->model, training, &probe->graph), MICA_OK);
    mi_value *y = mi_model_output(probe->graph, NULL);
    mi_value *weighed = mi_op2(probe->graph, "Mul", y, mi_input(probe->graph, "dy", MI_FLOAT, &y->shape));
    probe->loss = mi_apply(probe->graph, "ReduceSum", &weighed, 1, (const struct mi_attribute[]){MI_INT("keepdims", 0)}, 1);
    add_gradients(probe, golden_find(golden, name, "dx") != NULL);
    build_plan(probe, golden_find(golden, name, "x")->dim[0] + 2); /* a partial batch */
}

static void check_layer(struct probe *probe, const struct golden *golden, const char *name)
{
    size_t count = 0;
    int64_t n = golden_find(golden, name, "x")->dim[0];
    float *inputs = golden_floats(golden, name, "x", &count), *dy = golden_floats(golden, name, "dy", &count);
    feed(probe, "input", inputs, n);
    feed(probe, "dy", dy, n);
    assert_int_equal(mi_plan_step(probe->plan, &(struct mi_step){.n = (int32_t)n, .step = 1}), MICA_OK);
    compare_layer(probe, golden, name, n);
    golden_assert_fine(probe->device);
    free(inputs);
    free(dy);
}

/* Files of tests/golden, one for each generator of layers. */
static const char *const files[] = {
    "layers.safetensors",
    "activations.safetensors",
    "convolution.safetensors",
    "normalization.safetensors",
    "shape.safetensors",
    "preprocessing.safetensors",
    "contrastive.safetensors",
    "wrappers.safetensors",
    "tied.safetensors",
    "recurrent.safetensors",
    "cells.safetensors",
    "conv_lstm.safetensors",
    "attention.safetensors",
    "masks.safetensors",
    "places.safetensors",
};

/* The cases of a file: first their kernels, which are built together. */
static void each_case(mica_device *device, const char *file,
                      void (*open)(struct probe *probe, const struct golden *golden, const char *name, const cJSON *described),
                      void (*check)(struct probe *probe, const struct golden *golden, const char *name))
{
    struct golden golden = {0};
    struct gathering gathering = {0};
    struct mi_compiling told = gather_from(device);
    golden_open(&golden, file);
    for (int gathers = 1; gathers >= 0; gathers--) {
        for (size_t i = 0; i < golden.file.metadata_count; i++) {
            const char *name = golden.file.metadata[i].key;
            struct probe probe = {.device = device};
            cJSON *json = cJSON_Parse(golden.file.metadata[i].value);
            open(&probe, &golden, name, json);
            if (gathers) {
                gather_plan(&gathering, probe.plan);
            } else {
                print_message("%s\n", name);
                golden_assert_fine(device);
                check(&probe, &golden, name);
            }
            probe_close(&probe);
            cJSON_Delete(json);
        }
        if (gathers)
            gather_build(&gathering, device, told);
    }
    gather_end(&gathering);
    golden_close(&golden);
}

static void layers(void **state)
{
    for (size_t k = 0; k < MI_COUNT(files); k++)
        each_case(*state, files[k], open_layer, check_layer);
}

/* ---- Losses ---- */

/* A case's loss as a job has it: a name, or an object of keys. */
static mica_objective objective_of(struct mi_error *error, const cJSON *loss, bool classes)
{
    static const char *const also[] = {"from_logits", NULL};
    const cJSON *type = cJSON_IsObject(loss) ? cJSON_GetObjectItem(loss, "type") : loss;
    const cJSON *logits = cJSON_GetObjectItem(loss, "from_logits");
    mica_objective out = {.loss = type->valuestring, .classes = classes, .from_logits = logits ? cJSON_IsTrue(logits) ? 1 : -1 : 0};
    if (cJSON_IsObject(loss))
        assert_int_equal(mi_settings_read(error, loss, "loss", NULL, also, out.setting, MICA_MOST_LOSS_SETTINGS), MICA_OK);
    return out;
}

static bool has_classes(const struct golden *golden, const char *name)
{
    return golden_find(golden, name, "labels")->type == MI_INT32;
}

static void open_loss(struct probe *probe, const struct golden *golden, const char *name, const cJSON *described)
{
    struct mi_objective objective;
    struct mi_objective_nodes nodes = {0};
    bool training = false;
    probe->model = make_model(probe->device, described, &training);
    const mica_objective given =
        objective_of(&probe->device->error, cJSON_GetObjectItem(described, "loss"), has_classes(golden, name));
    if (mi_objective_resolve(&probe->device->error, probe->model, &given, &objective))
        fail_msg("%s: %s", name, probe->device->error.text);
    assert_int_equal(mi_model_graph(probe->model, true, &probe->graph), MICA_OK);
    if (mi_objective_add(probe->graph, &objective, true, &nodes))
        fail_msg("%s: %s", name, probe->graph->error.text);
    probe->loss = nodes.mean;
    probe->target = mi_target_name(probe->graph, objective.output);
    mi_output(probe->graph, "loss", nodes.mean);
    add_gradients(probe, true);
    build_plan(probe, golden_find(golden, name, "x")->dim[0] + 1);
}

static void check_loss(struct probe *probe, const struct golden *golden, const char *name)
{
    size_t count = 0;
    int64_t n = golden_find(golden, name, "x")->dim[0];
    float *inputs = golden_floats(golden, name, "x", &count);
    void *labels = has_classes(golden, name) ? (void *)golden_integers(golden, name, "labels", &count)
                                             : (void *)golden_floats(golden, name, "labels", &count);
    feed(probe, "input", inputs, n);
    feed(probe, probe->target, labels, n);
    assert_int_equal(mi_plan_step(probe->plan, &(struct mi_step){.n = (int32_t)n, .step = 1}), MICA_OK);
    compare_output(probe, name, "loss", golden, name, "loss", n);
    compare_output(probe, name, "gradient/input", golden, name, "dx", n);
    free(inputs);
    free(labels);
}

static void losses(void **state)
{
    each_case(*state, "losses.safetensors", open_loss, check_loss);
    each_case(*state, "ctc.safetensors", open_loss, check_loss);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(layers), cmocka_unit_test(losses)};
    return cmocka_run_group_tests(tests, golden_device_open, golden_device_close);
}
