/* Layers and losses against PyTorch: values, gradients by inputs and weights, and what a step leaves in the statistics. */
#include "nn/objective.h"
#include "train/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- What is described ---- */

/* The model of a case, without what is said of the case besides. */
static mica_model *make_model(mica_device *device, const cJSON *described, bool *training)
{
    static const char *const extra[] = {"training", "loss"};
    cJSON *json = cJSON_Duplicate(described, true);
    *training = cJSON_IsTrue(cJSON_GetObjectItem(json, "training"));
    for (size_t i = 0; i < MI_COUNT(extra); i++)
        cJSON_DeleteItemFromObject(json, extra[i]);
    mica_model *model = probe_model(device, json);
    cJSON_Delete(json);
    return model;
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

/* ---- Layers ---- */

static void compare_layer(struct probe *probe, const struct golden *golden, const char *name, int64_t n)
{
    char key[160];
    probe_compare(probe, name, "output", golden, name, "y", n, tolerance_of(name, "y"));
    if (golden_find(golden, name, "dx"))
        probe_compare(probe, name, "gradient/input", golden, name, "dx", n, tolerance_of(name, "dx"));
    for (int i = 0; i < mica_model_variable_count(probe->model); i++) {
        const char *variable = mica_model_variable_name(probe->model, i);
        snprintf(key, sizeof key, "gradient/%s", variable);
        if (golden_find(golden, name, key))
            probe_compare(probe, name, key, golden, name, key, n, tolerance_of(name, key));
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
    probe_gradients(probe, golden_find(golden, name, "dx") != NULL);
    probe_build(probe, golden_find(golden, name, "x")->dim[0] + 2); /* a partial batch */
}

static void check_layer(struct probe *probe, const struct golden *golden, const char *name)
{
    size_t count = 0;
    int64_t n = golden_find(golden, name, "x")->dim[0];
    float *inputs = golden_floats(golden, name, "x", &count), *dy = golden_floats(golden, name, "dy", &count);
    probe_feed(probe, "input", inputs, n);
    probe_feed(probe, "dy", dy, n);
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

static void layers(void **state)
{
    for (size_t k = 0; k < MI_COUNT(files); k++)
        probe_each(*state, files[k], open_layer, check_layer);
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
    probe_gradients(probe, true);
    probe_build(probe, golden_find(golden, name, "x")->dim[0] + 1);
}

static void check_loss(struct probe *probe, const struct golden *golden, const char *name)
{
    size_t count = 0;
    int64_t n = golden_find(golden, name, "x")->dim[0];
    float *inputs = golden_floats(golden, name, "x", &count);
    void *labels = has_classes(golden, name) ? (void *)golden_integers(golden, name, "labels", &count)
                                             : (void *)golden_floats(golden, name, "labels", &count);
    probe_feed(probe, "input", inputs, n);
    probe_feed(probe, probe->target, labels, n);
    assert_int_equal(mi_plan_step(probe->plan, &(struct mi_step){.n = (int32_t)n, .step = 1}), MICA_OK);
    probe_compare(probe, name, "loss", golden, name, "loss", n, tolerance_of(name, "loss"));
    probe_compare(probe, name, "gradient/input", golden, name, "dx", n, tolerance_of(name, "dx"));
    free(inputs);
    free(labels);
}

static void losses(void **state)
{
    probe_each(*state, "losses.safetensors", open_loss, check_loss);
    probe_each(*state, "ctc.safetensors", open_loss, check_loss);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(layers), cmocka_unit_test(losses)};
    return cmocka_run_group_tests(tests, golden_device_open, golden_device_close);
}
