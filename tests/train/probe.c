#include "train/probe.h"

#include "support/gather.h"

#include <stdio.h>
#include <stdlib.h>

mica_model *probe_model(mica_device *device, cJSON *described)
{
    mica_model *model = mica_model_create(device, NULL);
    mi_model_add_layers(model, described, "", NULL);
    golden_assert_fine(device);
    return model;
}

void probe_gradients(struct probe *probe, bool by_input)
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
            assert_true(count < (int)MI_COUNT(of));
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

void probe_build(struct probe *probe, int64_t batch)
{
    struct mi_store *store = NULL;
    if (probe->graph->error.status)
        fail_msg("%s", probe->graph->error.text);
    assert_int_equal(mi_model_store(probe->model, &store), MICA_OK);
    mi_plan_create(&(struct mi_plan_desc){.device = probe->device, .store = store, .graph = probe->graph, .batch = batch},
                   &probe->plan);
}

void probe_feed(struct probe *probe, const char *name, const void *elements, int64_t n)
{
    cl_event done = NULL;
    int input = mi_plan_input(probe->plan, name);
    assert_true(input >= 0);
    assert_int_equal(mi_plan_feed(probe->plan, input, elements, n, &done), MICA_OK);
    assert_int_equal(mi_event_wait(probe->device, &done), MICA_OK);
}

void probe_compare(struct probe *probe, const char *what, const char *output, const struct golden *golden, const char *prefix,
                   const char *tensor, int64_t n, double tolerance)
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
    golden_compare(label, got, wanted, count, tolerance);
    free(wanted);
    free(got);
}

void probe_close(struct probe *probe)
{
    mica_plan_destroy(probe->steps);
    mica_plan_destroy(probe->plan);
    mica_model_destroy(probe->model);
}

void probe_each(mica_device *device, const char *file, probe_open *open, probe_check *check)
{
    struct golden golden = {0};
    struct gathering gathering = {0};
    struct mi_compiling told = gather_from(device);
    golden_open(&golden, file);
    for (int gathers = 1; gathers >= 0; gathers--) {
        for (size_t i = 0; i < golden.file.metadata_count; i++) {
            const char *name = golden.file.metadata[i].key;
            struct probe probe = {.device = device, .gathers = gathers};
            cJSON *json = cJSON_Parse(golden.file.metadata[i].value);
            open(&probe, &golden, name, json);
            if (gathers) {
                gather_plan(&gathering, probe.plan);
                if (probe.steps)
                    gather_plan(&gathering, probe.steps);
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
