/* Files beside a job: data specifications, raw inputs for prediction, and arrays of results. */
#include "formats/formats.h"
#include "job/job.h"
#include "nn/loss/loss.h"

#include <stdlib.h>
#include <string.h>

/* Whether a model's target is a value, as the loss that it was trained by says. */
static bool is_value(const void *user, const char *target)
{
    const struct mi_trained_output *answer = user ? mi_model_trained(user, target) : NULL;
    const struct mi_loss_row *loss = answer ? mi_loss_find(answer->loss) : NULL;
    return loss && loss->task == MI_VALUES && answer->class_count == 0;
}

/* Leaves only what has the role of an input: targets and weights are not read, and need not be there. */
static mica_status keep_inputs(struct mi_error *error, cJSON *spec, struct mi_prepared *prepared)
{
    static const char *const parts[] = {"train", "validation", "test"}, *const keys[] = {"targets", "labels", "label",
                                                                                         "sample_weight"};
    int count = 0;
    for (size_t k = 0; k < MI_COUNT(keys); k++) {
        cJSON_DeleteItemFromObjectCaseSensitive(spec, keys[k]);
        for (size_t p = 0; p < MI_COUNT(parts); p++)
            if (cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(spec, parts[p])))
                cJSON_DeleteItemFromObjectCaseSensitive(cJSON_GetObjectItemCaseSensitive(spec, parts[p]), keys[k]);
    }
    cJSON_DeleteItemFromObjectCaseSensitive(spec, "split");
    for (int i = 0; i < prepared->count; i++) {
        if (prepared->fields[i].role == MICA_INPUT)
            prepared->fields[count++] = prepared->fields[i];
        else
            mi_preprocess_destroy(&prepared->fields[i]);
    }
    prepared->count = count;
    return count ? MICA_OK : mi_fail(error, MICA_DATA, "the model was never trained on data: it takes raw inputs only");
}

/* All samples as one part: predictions are of every one. */
static mica_data *as_one_part(mica_data *data)
{
    if (data && data->error.status == MICA_OK) {
        data->count[MICA_TRAIN] = data->samples;
        data->count[MICA_VALIDATION] = data->count[MICA_TEST] = 0;
    }
    return data;
}

/* The data of a specification, or of a whole job file, which holds one. */
static mica_data *open_spec(mica_device *device, const char *path, mica_model *model, bool inputs_only, struct mi_error *error)
{
    struct mi_prepared prepared;
    const struct mi_regressions regressions = {is_value, model};
    cJSON *json = NULL;
    mica_data *data = NULL;
    char *folder = mi_path_folder(path);
    if (!folder)
        mi_out_of_memory(error);
    else if (mi_prepared_parse(error, "the model", model ? model->preprocess : NULL, &prepared) == MICA_OK) {
        if (mi_json_file(error, path, &json) == MICA_OK) {
            bool whole = cJSON_GetObjectItemCaseSensitive(json, "data") && !cJSON_GetObjectItemCaseSensitive(json, "format");
            cJSON *spec = whole ? mi_job_data_spec(json) : cJSON_Duplicate(json, true);
            if (spec && (!inputs_only || keep_inputs(error, spec, &prepared) == MICA_OK))
                data = mi_data_from_spec(device, spec, folder, path, prepared.count ? &prepared : NULL, &regressions);
            cJSON_Delete(spec);
        }
        cJSON_Delete(json);
        mi_prepared_destroy(&prepared);
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
    mica_data *data = path ? open_spec(device, path, model, false, &error) : NULL;
    return data || error.status == MICA_OK ? data : failed_data(device, &error);
}

/* The raw values of all samples as floats. */
static float *raw_floats(const mica_data *data)
{
    struct mi_field *field = mi_data_field(data, MICA_INPUT, NULL);
    size_t count = (size_t)data->samples * field->elements; /* the data are in memory: it fits */
    bool made = field->tokens || field->starts; /* of what is stored once */
    float *out = field->floats && !made ? field->floats : mi_new(count, sizeof *out);
    field->preprocess.count = 0; /* the data are at their end */
    field->preprocess.fill = NULL;
    field->preprocess.logarithm = NULL;
    for (int64_t i = 0; out && made && i < data->samples; i++)
        mi_field_values(field, i, out + (size_t)i * field->elements);
    for (size_t i = 0; out && !field->floats && !made && i < count; i++)
        out[i] = field->bytes ? (float)field->bytes[i] : (float)field->doubles[i];
    field->floats = out == field->floats ? NULL : field->floats;
    return out;
}

mica_data *mica_data_open_inputs(mica_device *device, const char *path, mica_model *model)
{
    struct mi_prepared prepared;
    struct mi_error error = {0};
    mica_data *data = NULL;
    if (!path || !model)
        mi_fail(&error, MICA_INVALID_ARGUMENT, "inputs: a path and a model are needed");
    else if (mi_model_begin(model) != MICA_OK)
        mi_error_report(&error, &model->device->error);
    else if (strlen(path) > 5 && !strcmp(path + strlen(path) - 5, ".json"))
        data = as_one_part(open_spec(device, path, model, true, &error));
    else if (mi_inputs_beside_lengths(model->graph) != 1)
        mi_fail(&error, MICA_UNSUPPORTED, "the model has %zu inputs, a file holds one; a .json file says where each is",
                mi_inputs_beside_lengths(model->graph));
    else if (mi_prepared_parse(&error, "the model", model->preprocess, &prepared) == MICA_OK) {
        mica_shape shape = mica_node_shape(model->graph->inputs[0]);
        data = mi_inputs_open(device, path, prepared.count ? &prepared : NULL, model->graph->inputs[0]->name,
                              shape.rank ? &shape : &MICA_SHAPE(1));
        mi_prepared_destroy(&prepared);
    }
    return error.status == MICA_OK ? data : failed_data(device, &error);
}

mica_data *mica_data_open_texts(mica_device *device, const char *const *texts, int64_t count, mica_model *model)
{
    struct mi_prepared prepared;
    struct mi_error error = {0};
    mica_data *data = NULL;
    if (!model)
        mi_fail(&error, MICA_INVALID_ARGUMENT, "texts: a model is needed");
    else if (mi_model_begin(model) != MICA_OK)
        mi_error_report(&error, &model->device->error);
    else if (mi_prepared_parse(&error, "the model", model->preprocess, &prepared) == MICA_OK) {
        data = mi_texts_open(device, texts, count, &prepared);
        mi_prepared_destroy(&prepared);
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
