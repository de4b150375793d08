/* Random recurrent and attention networks against PyTorch: outputs, gradients, and ten steps of an optimizer.
 *
 *   test_train_golden_networks [FILE ...]
 *
 * tests/golden/networks.py writes the files, and runs this program for as many networks as it is asked for. Those of a FILE
 * are also trained by mica_fit, whose step is compiled without gradients as results. */
#include "nn/objective.h"
#include "nn/optimizer/optimizer.h"
#include "train/probe.h"
#include "train/training.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 10 };

static const char *const *asked_files; /* NULL: the stored ones */

/* ---- One case ---- */

/* What a case says besides its layers; valid as long as its JSON. */
struct told {
    mica_objective objective;
    mica_optimizer optimizer;
    int64_t batch;
    const cJSON *bounds;
    struct mi_arena arena;
};

static void read_told(struct told *told, const cJSON *described)
{
    const mica_schedule *schedule = NULL;
    *told = (struct told){.batch = (int64_t)cJSON_GetObjectItem(described, "batch")->valuedouble,
                          .bounds = cJSON_GetObjectItem(described, "bounds"),
                          .objective = {.loss = "sparse_categorical_crossentropy", .classes = true}};
    if (cJSON_IsTrue(cJSON_GetObjectItem(described, "places")))
        told->objective.setting[0] = (mica_setting){"axis", -1};
    told->optimizer = golden_optimizer(cJSON_GetObjectItem(described, "optimizer"), &told->arena, &schedule);
}

static double tolerance_of(const struct told *told, const char *tensor)
{
    const cJSON *bound = cJSON_GetObjectItemCaseSensitive(told->bounds, tensor);
    return bound ? bound->valuedouble : GOLDEN_TOLERANCE;
}

static mica_fit_desc fit_of(const struct told *told)
{
    return (mica_fit_desc){.objectives = &told->objective, .objective_count = 1, .optimizer = told->optimizer,
                           .batch_size = told->batch, .no_shuffle = true};
}

/* A training step that also gives what is compared. */
static void build_step(struct probe *probe, const struct golden *golden, const char *name, const struct told *told)
{
    struct mi_objective objective;
    struct mi_optimizer optimizer;
    struct mi_objective_nodes nodes = {0};
    struct mi_error *error = &probe->device->error;
    if (mi_objective_resolve(error, probe->model, &told->objective, &objective) ||
        mi_optimizer_resolve(error, "optimizer", &told->optimizer, &optimizer))
        fail_msg("%s: %s", name, error->text);
    assert_int_equal(mi_model_graph(probe->model, true, &probe->graph), MICA_OK);
    assert_int_equal(mi_objective_add(probe->graph, &objective, true, &nodes), MICA_OK);
    probe->loss = nodes.mean;
    probe->target = mi_target_name(probe->graph, objective.output);
    mi_output(probe->graph, "loss", nodes.mean);
    probe_gradients(probe, golden_find(golden, name, "gradient/input") != NULL);
    assert_int_equal(mi_optimizer_add(probe->model, probe->graph, nodes.mean, &optimizer, NULL), MICA_OK);
    probe_build(probe, told->batch);
    if (!probe->gathers)
        assert_int_equal(mi_optimizer_begin(probe->model, &optimizer, true), MICA_OK);
}

static void open_case(struct probe *probe, const struct golden *golden, const char *name, const cJSON *described)
{
    struct told told;
    char prefix[128];
    read_told(&told, described);
    probe->model = probe_model(probe->device, cJSON_GetObjectItem(described, "model"));
    snprintf(prefix, sizeof prefix, "%s/initial", name);
    golden_write(probe->model, golden, prefix);
    if (probe->gathers && asked_files) {
        const mica_fit_desc fit = fit_of(&told);
        probe->steps = mi_fit_plan(probe->model, &fit, &(const struct mi_fit_plan_desc){.batch = told.batch});
        mica_device_clear_error(probe->device);
    }
    build_step(probe, golden, name, &told);
    mi_arena_destroy(&told.arena);
}

static void compare(const struct golden *golden, const char *name, const char *tensor, const float *got, const struct told *told)
{
    char label[256];
    size_t count = 0;
    float *wanted = golden_floats(golden, name, tensor, &count);
    snprintf(label, sizeof label, "%s: %s", name, tensor);
    if (wanted) /* of one that is left out float32 knows too little */
        golden_compare(label, got, wanted, count, tolerance_of(told, tensor));
    free(wanted);
}

static void compare_parameters(const struct probe *probe, const struct golden *golden, const char *name, const struct told *told)
{
    for (int i = 0; i < mica_model_variable_count(probe->model); i++) {
        char tensor[128];
        const char *variable = mica_model_variable_name(probe->model, i);
        size_t count = mi_variable_count(probe->model->variables.list[i]);
        float *got = mi_new(count, sizeof *got);
        snprintf(tensor, sizeof tensor, "final/%s", variable);
        assert_int_equal(mica_model_read(probe->model, variable, got, count), MICA_OK);
        compare(golden, name, tensor, got, told);
        free(got);
    }
}

/* ---- Step by step ---- */

static void compare_first(struct probe *probe, const struct golden *golden, const char *name, const struct told *told)
{
    char prefix[128];
    if (golden_find(golden, name, "y"))
        probe_compare(probe, name, "output", golden, name, "y", told->batch, tolerance_of(told, "y"));
    snprintf(prefix, sizeof prefix, "%s/gradient/", name);
    for (size_t i = 0; i < golden->file.count; i++) {
        const char *tensor = golden->file.tensors[i].name;
        if (!strncmp(tensor, prefix, strlen(prefix))) {
            tensor += strlen(name) + 1;
            probe_compare(probe, name, tensor, golden, name, tensor, told->batch, tolerance_of(told, tensor));
        }
    }
}

/* Feeds n samples from number `at` on. */
static void feed(struct probe *probe, const struct golden *golden, const char *name, int64_t at, int64_t n)
{
    size_t count, samples = (size_t)golden_find(golden, name, "x")->dim[0];
    float *x = golden_floats(golden, name, "x", &count);
    probe_feed(probe, "input", x + (size_t)at * count / samples, n);
    int32_t *labels = golden_integers(golden, name, "labels", &count);
    probe_feed(probe, probe->target, labels + (size_t)at * count / samples, n);
    int32_t *lengths = golden_integers(golden, name, "lengths", &count);
    if (lengths)
        probe_feed(probe, "input_length", lengths + at, n);
    free(x);
    free(labels);
    free(lengths);
}

static void check_each(struct probe *probe, const struct golden *golden, const char *name, const struct told *told)
{
    size_t steps = 0;
    int32_t *counts = golden_integers(golden, name, "counts", &steps);
    float means[STEPS], loss = 0;
    double sum = 0, seen = 0;
    int64_t samples = golden_find(golden, name, "x")->dim[0];
    assert_int_equal(steps, STEPS);
    for (int i = 0; i < STEPS; i++) {
        int64_t at = i * told->batch, n = samples - at < told->batch ? samples - at : told->batch;
        const struct mi_step step = {.n = (int32_t)n, .learning_rate = (float)told->optimizer.setting[0].value,
                                     .step = (uint64_t)i + 1};
        feed(probe, golden, name, at, n);
        assert_int_equal(mi_plan_step(probe->plan, &step), MICA_OK);
        assert_int_equal(mi_plan_fetch(probe->plan, mi_plan_output(probe->plan, "loss"), &loss, n), MICA_OK);
        if (i == 0)
            compare_first(probe, golden, name, told);
        sum += (double)loss * counts[i];
        means[i] = (float)(sum / (seen += counts[i]));
    }
    compare(golden, name, "losses", means, told);
    compare_parameters(probe, golden, name, told);
    free(counts);
}

/* ---- The same by mica_fit ---- */

static mica_data *read_data(mica_device *device, const struct golden *golden, const char *name)
{
    size_t count = 0, samples = 0;
    const struct mi_safetensor *x = golden_find(golden, name, "x"), *labels = golden_find(golden, name, "labels");
    float *values = golden_floats(golden, name, "x", &count);
    int32_t *classes = golden_integers(golden, name, "labels", &count);
    int32_t *steps = golden_integers(golden, name, "lengths", &samples);
    int64_t *lengths = steps ? mi_new(samples, sizeof *lengths) : NULL;
    for (size_t i = 0; lengths && i < samples; i++)
        lengths[i] = steps[i];
    mica_field fields[] = {{.values = values, .lengths = lengths}, {.role = MICA_TARGET, .classes = classes}};
    const struct mi_safetensor *const tensors[] = {x, labels};
    for (int k = 0; k < 2; k++)
        for (int i = 1; i < tensors[k]->rank; i++)
            fields[k].shape.dim[fields[k].shape.rank++] = tensors[k]->dim[i];
    mica_data *data = mica_fields_open(device, &(mica_fields_desc){.samples = x->dim[0], .fields = fields, .field_count = 2});
    free(values);
    free(classes);
    free(steps);
    free(lengths);
    golden_assert_fine(device);
    return data;
}

struct losses {
    float mean[STEPS];
    int count;
};

static bool note_loss(void *user, const mica_progress *now)
{
    struct losses *losses = user;
    assert_int_equal(mica_training_look(now->training), MICA_OK);
    if (losses->count < STEPS)
        losses->mean[losses->count++] = now->loss;
    return true;
}

static void check_fit(struct probe *probe, const struct golden *golden, const char *name, const struct told *told)
{
    struct losses losses = {.count = 0};
    mica_data *data = read_data(probe->device, golden, name);
    mica_fit_desc fit = fit_of(told);
    char prefix[128];
    snprintf(prefix, sizeof prefix, "%s/initial", name);
    golden_write(probe->model, golden, prefix);
    fit.restart = true;
    fit.callbacks = &(mica_callback){.batch = note_loss, .user = &losses};
    fit.callback_count = 1;
    mica_fit(probe->model, data, &fit, NULL);
    golden_assert_fine(probe->device);
    assert_int_equal(losses.count, STEPS);
    compare(golden, name, "losses", losses.mean, told);
    compare_parameters(probe, golden, name, told);
    mica_data_destroy(data);
}

static void check_case(struct probe *probe, const struct golden *golden, const char *name)
{
    struct told told;
    cJSON *described = golden_json(golden, name);
    read_told(&told, described);
    check_each(probe, golden, name, &told);
    if (asked_files)
        check_fit(probe, golden, name, &told);
    mi_arena_destroy(&told.arena);
    cJSON_Delete(described);
}

static void networks(void **state)
{
    if (!asked_files)
        probe_each(*state, "networks.safetensors", open_case, check_case);
    for (const char *const *file = asked_files; file && *file; file++)
        probe_each(*state, *file, open_case, check_case);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(networks)};
    asked_files = count > 1 ? (const char *const *)arguments + 1 : NULL;
    return cmocka_run_group_tests(tests, golden_device_open, golden_device_close);
}
