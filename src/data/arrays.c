/* Data sets from arrays of an application. */
#include "data/data.h"

#include <math.h>
#include <string.h>

static mica_status check_finite(mica_data *data, const char *what, const float *values, size_t row_elements)
{
    size_t total = (size_t)data->samples * row_elements;
    for (size_t i = 0; i < total; i++)
        if (!isfinite(values[i]))
            return mi_fail(&data->error, MICA_DATA, "arrays: %s: row %zu, column %zu is %s", what,
                           i / row_elements, i % row_elements, isnan(values[i]) ? "nan" : "infinite");
    return MICA_OK;
}

/* A checked copy of samples x row_elements floats. */
static mica_status copy_floats(mica_data *data, const char *what, const float *from, size_t row_elements,
                               float **out)
{
    size_t count;
    if (!mi_mul_size((size_t)data->samples, row_elements, &count) || !(*out = mi_new(count, sizeof **out)))
        return mi_out_of_memory(&data->error);
    memcpy(*out, from, count * sizeof **out);
    return check_finite(data, what, *out, row_elements);
}

static mica_status take_labels(mica_data *data, const mica_arrays_desc *desc)
{
    if (desc->classes && desc->values)
        return mi_fail(&data->error, MICA_INVALID_ARGUMENT, "arrays: both classes and values are given as "
                       "labels");
    if (desc->classes) {
        data->classes = mi_new((size_t)data->samples, sizeof *data->classes);
        if (!data->classes)
            return mi_out_of_memory(&data->error);
        memcpy(data->classes, desc->classes, (size_t)data->samples * sizeof *data->classes);
        return MICA_OK;
    }
    if (!desc->values)
        return MICA_OK;
    data->label_shape = desc->label_shape;
    if (!desc->label_shape.rank)
        data->label_shape = MICA_SHAPE(1);
    if (!mi_sample_elements(&data->label_shape, &data->label_elements))
        return mi_fail(&data->error, MICA_SHAPE, "arrays: label_shape %s needs dimensions of 1 or more",
                       mi_sample_text(&data->label_shape).text);
    return copy_floats(data, "labels", desc->values, data->label_elements, &data->values);
}

static mica_status take(mica_data *data, const mica_arrays_desc *desc)
{
    if (!desc || !desc->inputs)
        return mi_fail(&data->error, MICA_INVALID_ARGUMENT, "arrays: inputs are missing");
    if (desc->samples < 1 || (uint64_t)desc->samples > SIZE_MAX / 16)
        return mi_fail(&data->error, MICA_INVALID_ARGUMENT, "arrays: samples is %lld; it must be at least 1",
                       (long long)desc->samples);
    if (!mi_sample_elements(&desc->input_shape, &data->elements))
        return mi_fail(&data->error, MICA_SHAPE, "arrays: input_shape %s needs dimensions of 1 or more",
                       mi_sample_text(&desc->input_shape).text);
    data->samples = data->count[MICA_TRAIN] = desc->samples;
    data->preprocess.shape = desc->input_shape;
    MI_TRY(copy_floats(data, "inputs", desc->inputs, data->elements, &data->floats));
    MI_TRY(take_labels(data, desc));
    return mi_data_finish(data, &(struct mi_finish){
        .place = "arrays", .normalize = desc->normalize, .split = desc->split});
}

mica_data *mica_arrays_open(mica_device *device, const mica_arrays_desc *desc)
{
    mica_data *data = mi_data_create(device);
    if (data) {
        (void)take(data, desc);
        (void)mi_data_report(data);
    }
    return data;
}
