/* Files beside a job: data specifications, raw inputs for prediction, and arrays of results. */
#include "formats/formats.h"
#include "job/job.h"

#include <stdlib.h>
#include <string.h>

static mica_status model_preprocess(mica_model *model, struct mi_error *error, struct mi_preprocess *preprocess)
{
    *preprocess = (struct mi_preprocess){.label_index = -1};
    if (!model || !model->preprocess)
        return MICA_OK;
    cJSON *json = mi_json_read(model->preprocess, strlen(model->preprocess), NULL);
    if (!json)
        return mi_out_of_memory(error);
    mica_status status = mi_preprocess_from_json(error, "the model", json, preprocess);
    cJSON_Delete(json);
    return status;
}

/* The data of a specification, or of a whole job file, which holds one. */
static mica_data *open_spec(mica_device *device, const char *path, mica_model *model, struct mi_error *error)
{
    struct mi_preprocess preprocess;
    cJSON *json = NULL;
    mica_data *data = NULL;
    char *folder = mi_path_folder(path);
    if (!folder)
        mi_out_of_memory(error);
    else if (model_preprocess(model, error, &preprocess) == MICA_OK) {
        const bool fitted = preprocess.shape.rank > 0;
        const struct mi_loss_row *loss = model && model->loss ? mi_loss_find(model->loss) : NULL;
        bool regression = loss && loss->task == MI_VALUES && preprocess.classes == 0;
        if (mi_json_file(error, path, &json) == MICA_OK) {
            bool whole = cJSON_GetObjectItemCaseSensitive(json, "data") && !cJSON_GetObjectItemCaseSensitive(json, "format");
            cJSON *spec = whole ? mi_job_data_spec(json) : cJSON_Duplicate(json, true);
            data = spec ? mi_data_from_spec(device, spec, folder, path, fitted ? &preprocess : NULL, regression) : NULL;
            cJSON_Delete(spec);
        }
        cJSON_Delete(json);
        mi_preprocess_destroy(&preprocess);
    }
    free(folder);
    return data;
}

/* Data that say what is wrong. */
static mica_data *failed_data(mica_device *device, const struct mi_error *error)
{
    mica_data *data = mi_data_create(device);
    if (data) {
        data->error = *error;
        mi_data_report(data);
    }
    return data;
}

mica_data *mica_data_open_spec(mica_device *device, const char *path, mica_model *model)
{
    struct mi_error error = {0};
    if (!path)
        mi_fail(&error, MICA_INVALID_ARGUMENT, "the path of a data specification is missing");
    mica_data *data = path ? open_spec(device, path, model, &error) : NULL;
    return data || error.status == MICA_OK ? data : failed_data(device, &error);
}

/* The raw values of all samples as floats. */
static float *raw_floats(mica_data *data)
{
    size_t count = (size_t)data->samples * data->elements; /* the data are in memory: it fits */
    float *out = data->floats ? data->floats : mi_new(count, sizeof *out);
    for (size_t i = 0; out && !data->floats && i < count; i++)
        out[i] = data->bytes ? (float)data->bytes[i] : (float)data->doubles[i];
    data->floats = NULL;
    return out;
}

mica_data *mica_data_open_inputs(mica_device *device, const char *path, mica_model *model)
{
    struct mi_preprocess preprocess;
    struct mi_error error = {0};
    mica_data *data = NULL;
    if (!path || !model)
        mi_fail(&error, MICA_INVALID_ARGUMENT, "inputs: a path and a model are needed");
    else if (mi_model_begin(model) != MICA_OK)
        mi_error_report(&error, &model->device->error);
    else if (model->graph->input_count != 1)
        mi_fail(&error, MICA_UNSUPPORTED, "the model has %zu inputs, a file holds one", model->graph->input_count);
    else if (model_preprocess(model, &error, &preprocess) == MICA_OK) {
        mica_shape shape = mica_node_shape(model->graph->inputs[0]);
        data = mi_inputs_open(device, path, preprocess.shape.rank > 0 ? &preprocess : NULL,
                              shape.rank ? &shape : &MICA_SHAPE(1));
        mi_preprocess_destroy(&preprocess);
    }
    return error.status == MICA_OK ? data : failed_data(device, &error);
}

mica_status mica_read_inputs(mica_model *model, const char *path, float **inputs, int64_t *n)
{
    if (inputs)
        *inputs = NULL;
    if (n)
        *n = 0;
    if (!model)
        return MICA_INVALID_ARGUMENT;
    MI_TRY(mi_model_begin(model));
    if (!path || !inputs || !n)
        return mi_fail(&model->device->error, MICA_INVALID_ARGUMENT, "to read inputs takes a path and two results; the %s is NULL",
                       !path ? "path" : !inputs ? "place for the inputs" : "place for their number");
    mica_data *data = mica_data_open_inputs(model->device, path, model);
    mica_status status = mica_data_status(data);
    if (status == MICA_OK) {
        *inputs = raw_floats(data);
        *n = *inputs ? data->samples : 0;
        status = *inputs ? MICA_OK : mi_out_of_memory(&model->device->error);
    }
    mica_data_destroy(data);
    return status;
}

mica_status mica_check_output(mica_device *device, const char *path)
{
    struct mi_error error = {0};
    if (!device)
        return MICA_INVALID_ARGUMENT;
    mi_device_begin(device);
    if (!path)
        return mi_fail(&device->error, MICA_INVALID_ARGUMENT, "where a file could be written is NULL");
    mi_file_check_place(&error, path);
    return mi_error_report(&device->error, &error);
}

static mica_status begin_writing(mica_device *device, const char *format, const char *path, const float *values, int64_t n)
{
    mi_device_begin(device);
    if (path && (values || n == 0) && n >= 0)
        return MICA_OK;
    return mi_fail(&device->error, MICA_INVALID_ARGUMENT, "to write %lld samples as %s%s", (long long)n, format,
                   !path ? ": the path is NULL" : n < 0 ? "" : ": the values are NULL");
}

mica_status mica_write_npy(mica_device *device, const char *path, const float *values, mica_shape shape, int64_t n)
{
    struct mi_error error = {0};
    if (!device)
        return MICA_INVALID_ARGUMENT;
    MI_TRY(begin_writing(device, ".npy", path, values, n));
    mi_npy_write(&error, path, values, &shape, n);
    return mi_error_report(&device->error, &error);
}

mica_status mica_write_csv(mica_device *device, const char *path, const char *const *names, const float *values, int64_t columns,
                           int64_t n)
{
    struct mi_error error = {0};
    if (!device)
        return MICA_INVALID_ARGUMENT;
    MI_TRY(begin_writing(device, "a table", path, values, n));
    if (columns < 1)
        return mi_fail(&device->error, MICA_INVALID_ARGUMENT, "to write a table of %lld columns", (long long)columns);
    mi_csv_write(&error, path, names, values, (size_t)columns, n);
    return mi_error_report(&device->error, &error);
}
