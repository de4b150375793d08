#include "api.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

mica_model *api_model(mica_device *device, mica_node **input, mica_node **hidden)
{
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 1});
    mica_node *x = mica_input(model, NULL, MICA_SHAPE(API_IN));
    mica_node *h = mica_dense(x, &(mica_dense_desc){.units = 5, .activation = "relu"});
    mica_output(model, NULL, mica_dense(h, &(mica_dense_desc){.units = API_OUT}));
    if (input)
        *input = x;
    if (hidden)
        *hidden = h;
    return model;
}

void api_begin(struct api *one, mica_device *device)
{
    *one = (struct api){.device = device};
    for (int i = 0; i < API_SAMPLES * API_IN; i++)
        one->inputs[i] = sinf((float)i);
    for (int i = 0; i < API_SAMPLES; i++)
        one->classes[i] = i % 2;
    one->model = api_model(device, &one->input, &one->hidden);
    one->plan = mica_compile(one->model, &(mica_plan_desc){.batch = API_BATCH});
    one->data = mica_arrays_open(device, &(mica_arrays_desc){.samples = API_SAMPLES, .input_shape = MICA_SHAPE(API_IN),
                                                             .inputs = one->inputs, .classes = one->classes});
    if (mica_device_status(device) != MICA_OK)
        fail_msg("%s", mica_device_error(device));
}

void api_end(struct api *one)
{
    mica_data_destroy(one->data);
    mica_plan_destroy(one->plan);
    mica_model_destroy(one->model);
    mica_device_destroy(one->device);
}

struct api api;

int api_open(void **state)
{
    api_begin(&api, mica_device_open(NULL));
    *state = &api;
    return 0;
}

int api_close(void **state)
{
    api_end(*state);
    return 0;
}

const char *api_path(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/api-%s", MICA_BINARY_DIR, name);
    return path;
}

void api_write(const char *name, const char *text)
{
    FILE *file = fopen(api_path(name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

void api_still_works(struct api *one)
{
    float answer[API_OUT] = {NAN, NAN};
    mica_device_clear_error(one->device);
    if (mica_plan_write(one->plan, NULL, one->inputs, API_IN) || mica_plan_run(one->plan, 1) ||
        mica_plan_read(one->plan, NULL, answer, API_OUT))
        fail_msg("the plan does not run any more: %s", mica_plan_error(one->plan));
    for (int i = 0; i < API_OUT; i++)
        assert_true(isfinite(answer[i]));
}

void api_says(const char *call, mica_status status, const char *text, mica_status expected, const char *part)
{
    if (status != expected)
        fail_msg("%s: status %d (%s), not %d", call, (int)status, text, (int)expected);
    if (!*text || strchr(text, '\n') || text[strlen(text) - 1] == '.')
        fail_msg("%s: this is no line: \"%s\"", call, text);
    if (!strstr(text, part))
        fail_msg("%s: \"%s\" is not in \"%s\"", call, part, text);
}

void api_refused(struct api *one, const char *call, mica_status status, mica_status expected, const char *part)
{
    if (status != mica_device_status(one->device))
        fail_msg("%s: gave %d, the device has %d", call, (int)status, (int)mica_device_status(one->device));
    api_says(call, status, mica_device_error(one->device), expected, part);
    api_still_works(one);
}

void api_not_built(const char *call, mica_model *built, const char *part)
{
    mica_status status = mica_model_status(built);
    assert_int_not_equal(status, MICA_OK);
    api_says(call, mica_device_status(api.device), mica_model_error(built), status, part);
    assert_null(mica_input(built, "after", MICA_SHAPE(1)));
    assert_int_not_equal(mica_model_save(built, api_path("none")), MICA_OK);
}
