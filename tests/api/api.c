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

void api_begin(struct api *api, mica_device *device)
{
    *api = (struct api){.device = device};
    for (int i = 0; i < API_SAMPLES * API_IN; i++)
        api->inputs[i] = sinf((float)i);
    for (int i = 0; i < API_SAMPLES; i++)
        api->classes[i] = i % 2;
    api->model = api_model(device, &api->input, &api->hidden);
    api->plan = mica_compile(api->model, &(mica_plan_desc){.batch = API_BATCH});
    api->data = mica_arrays_open(device, &(mica_arrays_desc){.samples = API_SAMPLES, .input_shape = MICA_SHAPE(API_IN),
                                                             .inputs = api->inputs, .classes = api->classes});
    if (mica_device_status(device) != MICA_OK)
        fail_msg("%s", mica_device_error(device));
}

void api_end(struct api *api)
{
    mica_data_destroy(api->data);
    mica_plan_destroy(api->plan);
    mica_model_destroy(api->model);
    mica_device_destroy(api->device);
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

void api_still_works(struct api *api)
{
    float answer[API_OUT] = {NAN, NAN};
    mica_device_clear_error(api->device);
    if (mica_plan_write(api->plan, NULL, api->inputs, API_IN) || mica_plan_run(api->plan, 1) ||
        mica_plan_read(api->plan, NULL, answer, API_OUT))
        fail_msg("the plan does not run any more: %s", mica_plan_error(api->plan));
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

void api_refused(struct api *api, const char *call, mica_status status, mica_status expected, const char *part)
{
    if (status != mica_device_status(api->device))
        fail_msg("%s: gave %d, the device has %d", call, (int)status, (int)mica_device_status(api->device));
    api_says(call, status, mica_device_error(api->device), expected, part);
    api_still_works(api);
}
