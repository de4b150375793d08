/* Golden vectors. */
#include "train/golden.h"

#include "nn/optimizer/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void golden_open(struct golden *golden, const char *name)
{
    char path[1024];
    size_t size = 0;
    struct mi_error error = {0};
    snprintf(path, sizeof path, "%s%s%s", *name == '/' ? "" : MICA_SOURCE_DIR, *name == '/' ? "" : "/tests/golden/", name);
    if (mi_file_read(&error, path, 1 << 26, &golden->bytes, &size) ||
        mi_safetensors_open(&error, path, golden->bytes, size, &golden->file))
        fail_msg("%s", error.text);
}

void golden_close(struct golden *golden)
{
    mi_safetensors_close(&golden->file);
    free(golden->bytes);
}

const struct mi_safetensor *golden_find(const struct golden *golden, const char *prefix, const char *name)
{
    char key[256];
    snprintf(key, sizeof key, "%s%s%s", prefix, *prefix ? "/" : "", name);
    return mi_safetensors_find(&golden->file, key);
}

float *golden_floats(const struct golden *golden, const char *prefix, const char *name, size_t *count)
{
    struct mi_error error = {0};
    const struct mi_safetensor *tensor = golden_find(golden, prefix, name);
    if (!tensor)
        return NULL;
    float *values = mi_new(tensor->count, sizeof *values);
    assert_non_null(values);
    if (mi_safetensors_read(&error, name, &golden->file, tensor, MI_FLOAT, values, tensor->count))
        fail_msg("%s", error.text);
    *count = tensor->count;
    return values;
}

int32_t *golden_integers(const struct golden *golden, const char *prefix, const char *name, size_t *count)
{
    const struct mi_safetensor *tensor = golden_find(golden, prefix, name);
    if (!tensor || tensor->type != MI_INT32)
        return NULL;
    int32_t *values = mi_new(tensor->count, sizeof *values);
    assert_non_null(values);
    memcpy(values, golden->file.data + tensor->offset, tensor->bytes);
    *count = tensor->count;
    return values;
}

cJSON *golden_json(const struct golden *golden, const char *key)
{
    const char *text = mi_safetensors_metadata(&golden->file, key);
    assert_non_null(text);
    cJSON *json = cJSON_Parse(text);
    assert_non_null(json);
    return json;
}

mica_optimizer golden_optimizer(const cJSON *json, struct mi_arena *arena, const mica_schedule **schedule)
{
    mica_optimizer optimizer;
    struct mi_error error = {0};
    if (mi_optimizer_read(&error, json, "optimizer", &optimizer) != MICA_OK ||
        mi_optimizer_read_schedule(&error, arena, json, "optimizer", schedule) != MICA_OK)
        fail_msg("%s", error.text);
    return optimizer;
}

void golden_compare(const char *what, const float *got, const float *wanted, size_t count, double tolerance)
{
    double largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, fabs((double)wanted[i]));
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)got[i] - (double)wanted[i]) <= tolerance * largest + 1e-12))
            fail_msg("%s: element %zu is %.9g, PyTorch has %.9g (largest %.9g)", what, i, (double)got[i], (double)wanted[i],
                     largest);
}

int golden_device_open(void **state)
{
    mica_device *device = mica_device_open(NULL);
    if (!device || mica_device_status(device)) {
        print_error("%s\n", device ? mica_device_error(device) : "out of memory");
        mica_device_destroy(device);
        return 1;
    }
    *state = device;
    return 0;
}

int golden_device_close(void **state)
{
    mica_device_destroy(*state);
    return 0;
}

void golden_assert_fine(const mica_device *device)
{
    if (mica_device_status(device))
        fail_msg("%s", mica_device_error(device));
}

void golden_write(mica_model *model, const struct golden *golden, const char *prefix)
{
    for (int i = 0; i < mica_model_variable_count(model); i++) {
        size_t count = 0;
        const char *name = mica_model_variable_name(model, i);
        float *values = golden_floats(golden, prefix, name, &count);
        if (!values)
            fail_msg("%s/%s is missing", prefix, name);
        assert_int_equal(mica_model_write(model, name, values, count), MICA_OK);
        free(values);
    }
}

void golden_run(mica_model *model, bool training, const float *inputs, int64_t n, const struct mi_step *step, float *out)
{
    struct mi_plan_desc desc = {.device = model->device, .batch = n};
    mica_plan *plan = NULL;
    cl_event done = NULL;
    golden_assert_fine(model->device);
    assert_int_equal(mi_model_graph(model, training, &desc.graph), MICA_OK);
    assert_int_equal(mi_model_store(model, &desc.store), MICA_OK);
    mi_plan_create(&desc, &plan);
    golden_assert_fine(model->device);
    assert_int_equal(mi_plan_feed(plan, 0, inputs, n, &done), MICA_OK);
    assert_int_equal(mi_event_wait(model->device, &done), MICA_OK);
    assert_int_equal(mi_plan_step(plan, step), MICA_OK);
    assert_int_equal(mi_plan_fetch(plan, 0, out, n), MICA_OK);
    mica_plan_destroy(plan);
}
