/* Data sets from array files, IDX and .npy: inputs and labels apart, for each part. */
#include "formats/formats.h"


struct opening {
    mica_data *data;
    const mica_files_desc *desc;
    const struct mi_preprocess *fitted;
    mi_array_parser *parser;
    struct mi_array_file inputs[3], labels[3];
    struct mi_budget budget;
};

static mica_status open_array(struct opening *o, const char *path, struct mi_array_file *out)
{
    if (!path)
        return MICA_OK;
    out->path = path;
    MI_TRY(mi_data_file_read(&o->data->error, path, &o->budget, &out->bytes, &out->size));
    MI_TRY(o->parser(&o->data->error, path, out->bytes, out->size, &out->array));
    if (out->array.rank < 1)
        return mi_fail(&o->data->error, MICA_DATA, "%s: there is a single value, not samples", path);
    return MICA_OK;
}

static mica_status check_counts(struct opening *o, int part)
{
    const struct mi_array_file *inputs = &o->inputs[part], *labels = &o->labels[part];
    if (labels->path && !inputs->path)
        return mi_fail(&o->data->error, MICA_INVALID_ARGUMENT, "%s: labels without a file of inputs",
                       labels->path);
    if (labels->path && labels->array.dim[0] != inputs->array.dim[0])
        return mi_fail(&o->data->error, MICA_DATA, "%s has %lld labels, %s has %lld inputs", labels->path,
                       (long long)labels->array.dim[0], inputs->path, (long long)inputs->array.dim[0]);
    if (inputs->path && !inputs->array.dim[0])
        return mi_fail(&o->data->error, MICA_DATA, "%s: there are no samples", inputs->path);
    return MICA_OK;
}

/* The shape of a sample. An IDX image has no channel dimension: it gets one. */
static mica_shape sample_shape(const struct opening *o, const struct mi_array *array)
{
    mica_shape shape = {0};
    if (array->rank == 1)
        return MICA_SHAPE(1);
    if (o->parser == mi_idx_parse && array->rank == 3)
        shape.dim[shape.rank++] = 1;
    for (int i = 1; i < array->rank; i++)
        shape.dim[shape.rank++] = array->dim[i];
    return shape;
}

static mica_shape label_shape(const struct mi_array *array)
{
    mica_shape shape = {0};
    for (int i = 1; i < array->rank; i++)
        shape.dim[shape.rank++] = array->dim[i];
    return shape.rank ? shape : MICA_SHAPE(1);
}

/* Every part must have samples of the first one's shape, and labels if that has. */
static mica_status compare_parts(struct opening *o)
{
    struct mi_error *error = &o->data->error;
    const struct mi_array_file *first = NULL, *first_labels = NULL;
    for (int part = 0; part < 3; part++) {
        const struct mi_array_file *inputs = &o->inputs[part], *labels = &o->labels[part];
        if (!inputs->path)
            continue;
        first_labels = first ? first_labels : labels;
        first = first ? first : inputs;
        mica_shape a = sample_shape(o, &first->array), b = sample_shape(o, &inputs->array);
        if (!mi_sample_same(&a, &b))
            return mi_fail(error, MICA_SHAPE, "%s: a sample has shape %s, in %s it has %s", inputs->path,
                           mi_sample_text(&b).text, first->path, mi_sample_text(&a).text);
        if (!labels->path != !first_labels->path)
            return mi_fail(error, MICA_DATA, "%s has labels, %s has none",
                           labels->path ? inputs->path : first->path,
                           labels->path ? first->path : inputs->path);
        a = label_shape(&first_labels->array);
        b = label_shape(&labels->array);
        if (labels->path && !mi_sample_same(&a, &b))
            return mi_fail(error, MICA_SHAPE, "%s: a label has shape %s, in %s it has %s", labels->path,
                           mi_sample_text(&b).text, first_labels->path, mi_sample_text(&a).text);
    }
    if (!first)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "no file of inputs is given");
    o->data->preprocess.shape = sample_shape(o, &first->array);
    if (!mi_sample_elements(&o->data->preprocess.shape, &o->data->elements))
        return mi_fail(error, MICA_SHAPE, "%s: samples of shape %s have no elements or too many", first->path,
                       mi_sample_text(&o->data->preprocess.shape).text);
    return MICA_OK;
}

static mica_status take_inputs(struct opening *o)
{
    for (int part = 0; part < 3; part++)
        o->data->count[part] = o->inputs[part].path ? o->inputs[part].array.dim[0] : 0;
    return mi_take_inputs(o->data, &o->budget, o->inputs, 3, o->fitted);
}

/* ---- Labels ---- */

/* Whole numbers, one a sample, are classes unless the loss regresses. */
static bool are_classes(const struct opening *o)
{
    for (int part = 0; part < 3; part++) {
        const struct mi_array_file *file = &o->labels[part];
        if (file->path && (!mi_dtype_is_integer(file->array.dtype) ||
                           mi_array_row_elements(&file->array) != 1))
            return false;
    }
    return !o->desc->regression;
}

static mica_status take_classes(struct opening *o, const char *place)
{
    char text[24];
    int64_t next = 0;
    for (int part = 0; part < 3; part++)
        for (int64_t i = 0; o->labels[part].path && i < o->labels[part].array.dim[0]; i++) {
            mi_format(text, sizeof text, "%lld", (long long)mi_array_integer(&o->labels[part].array, (size_t)i));
            MI_TRY(mi_labels_add(o->data, place, next++, text));
        }
    return mi_labels_finish(o->data, place, o->fitted);
}

static mica_status take_values(struct opening *o, const char *place)
{
    mica_data *data = o->data;
    size_t count, at = 0;
    if (!mi_sample_elements(&data->label_shape, &data->label_elements))
        return mi_fail(&data->error, MICA_SHAPE, "%s: labels of shape %s have no elements or too many", place,
                       mi_sample_text(&data->label_shape).text);
    if (!mi_mul_size((size_t)data->samples, data->label_elements, &count))
        return mi_out_of_memory(&data->error);
    MI_TRY(mi_budget_take(&o->budget, &data->error, place, "the labels", (uint64_t)count * sizeof *data->values));
    data->values = mi_new(count, sizeof *data->values);
    if (!data->values)
        return mi_out_of_memory(&data->error);
    for (int part = 0; part < 3; part++) {
        if (!o->labels[part].path)
            continue;
        MI_TRY(mi_array_file_floats(&data->error, &o->labels[part], &data->label_shape, false, data->values + at));
        at += o->labels[part].array.count;
    }
    return MICA_OK;
}

static mica_status take_labels(struct opening *o)
{
    const struct mi_array_file *first = NULL;
    for (int part = 0; part < 3 && !first; part++)
        first = o->labels[part].path ? &o->labels[part] : NULL;
    if (!first)
        return MICA_OK;
    if (are_classes(o))
        return take_classes(o, first->path);
    o->data->label_shape = label_shape(&first->array);
    return take_values(o, first->path);
}

static mica_status open_files(struct opening *o)
{
    const char *place = NULL;
    if (!o->desc)
        return mi_fail(&o->data->error, MICA_INVALID_ARGUMENT, "files: a description is needed");
    o->budget = mi_budget_of(&o->desc->limits);
    for (int part = 0; part < 3; part++) {
        MI_TRY(open_array(o, o->desc->part[part].inputs, &o->inputs[part]));
        MI_TRY(open_array(o, o->desc->part[part].labels, &o->labels[part]));
        MI_TRY(check_counts(o, part));
        place = place ? place : o->inputs[part].path;
    }
    MI_TRY(compare_parts(o));
    MI_TRY(take_inputs(o));
    MI_TRY(take_labels(o));
    return mi_data_finish(o->data, &(struct mi_finish){
        .place = place, .normalize = o->desc->normalize, .split = o->desc->split,
        .sample_shape = o->desc->sample_shape, .fitted = o->fitted});
}

mica_data *mi_files_open(mica_device *device, const mica_files_desc *desc, mi_array_parser *parser,
                         const struct mi_preprocess *fitted)
{
    mica_data *data = mi_data_create(device);
    if (!data)
        return NULL;
    struct opening o = {.data = data, .desc = desc, .fitted = fitted, .parser = parser};
    (void)open_files(&o);
    for (int part = 0; part < 3; part++) {
        mi_array_file_close(&o.inputs[part]);
        mi_array_file_close(&o.labels[part]);
    }
    (void)mi_data_report(data);
    return data;
}

mica_data *mica_idx_open(mica_device *device, const mica_files_desc *desc)
{
    return mi_files_open(device, desc, mi_idx_parse, NULL);
}

mica_data *mica_npy_open(mica_device *device, const mica_files_desc *desc)
{
    return mi_files_open(device, desc, mi_npy_parse, NULL);
}
