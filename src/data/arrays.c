/* Data sets from arrays of an application, and from a function that fills them. */
#include "data/data.h"

#include <math.h>
#include <string.h>

/* What error texts call a field's values. */
static const char *what(const mica_field *field)
{
    return field->name ? field->name : field->role == MICA_INPUT ? "inputs" : field->role == MICA_TARGET ? "labels" : "weights";
}

static mica_status take_classes(mica_data *data, struct mi_field *field, const mica_field *given)
{
    field->elements = 1;
    if (!given->classes)
        return MICA_OK;
    field->classes = mi_new((size_t)data->samples, sizeof *field->classes);
    if (!field->classes)
        return mi_out_of_memory(&data->error);
    memcpy(field->classes, given->classes, (size_t)data->samples * sizeof *field->classes);
    return MICA_OK;
}

/* How many steps each sample has; the field's values are then stored without padding. */
static mica_status take_lengths(mica_data *data, struct mi_field *field, const mica_field *given)
{
    if (!given->lengths)
        return MICA_OK;
    field->width = field->elements / (size_t)given->shape.dim[0];
    field->offsets = mi_new((size_t)data->samples + 1, sizeof *field->offsets);
    if (!field->offsets)
        return mi_out_of_memory(&data->error);
    for (int64_t i = 0; i < data->samples; i++) {
        if (given->lengths[i] < 0 || given->lengths[i] > given->shape.dim[0])
            return mi_fail(&data->error, MICA_DATA, "arrays: %s: row %lld has %lld steps, it must be from 0 to %lld",
                           mi_show(what(given)).text, (long long)i, (long long)given->lengths[i], (long long)given->shape.dim[0]);
        field->offsets[i + 1] = field->offsets[i] + given->lengths[i];
    }
    return MICA_OK;
}

/* Kept as bytes, floats or doubles, whichever holds them. */
static mica_status take_elements(mica_data *data, struct mi_field *field, const mica_field *given)
{
    const void *elements = given->classes ? given->classes : given->elements ? given->elements : given->values;
    enum mi_type type = given->classes ? MI_INT32 : given->elements ? (enum mi_type)given->type : MI_FLOAT;
    bool bytes = type == MI_UINT8, wide = !bytes && mi_type_is_wide(type);
    size_t to = 0;
    MI_TRY(mi_field_make(data, field, bytes ? 1 : wide ? sizeof *field->doubles : sizeof *field->floats));
    for (int64_t row = 0; row < data->samples; row++) {
        size_t count = given->lengths ? (size_t)given->lengths[row] * field->width : field->elements;
        for (size_t i = 0; i < count; i++, to++) {
            double number = mi_element(type, elements, (size_t)row * field->elements + i);
            if (!isfinite(number))
                return mi_fail(&data->error, MICA_DATA, "arrays: %s: row %lld, column %zu is %s", mi_show(what(given)).text,
                               (long long)row, i, isnan(number) ? "nan" : "infinite");
            if (bytes)
                field->bytes[to] = (unsigned char)number;
            else if (wide)
                field->doubles[to] = number;
            else
                field->floats[to] = (float)number;
        }
    }
    return MICA_OK;
}

/* How many classes there are, of numbers at each place. */
static mica_status count_classes(mica_data *data, struct mi_field *field, const mica_field *given)
{
    for (size_t i = 0; given->classes && i < (size_t)data->samples * field->elements; i++) {
        int32_t label = given->classes[i];
        if (label < 0 || label >= MI_MOST_CLASSES)
            return mi_fail(&data->error, MICA_DATA, "arrays: %s: row %zu has class %d at place %zu; classes count from 0 to %d",
                           mi_show(what(given)).text, i / field->elements, (int)label, i % field->elements, MI_MOST_CLASSES - 1);
        if (label >= field->preprocess.classes)
            field->preprocess.classes = (int)label + 1;
    }
    return MICA_OK;
}

static mica_status take_values(mica_data *data, struct mi_field *field, const mica_field *given)
{
    if (!mi_sample_elements(&given->shape, &field->elements))
        return mi_fail(&data->error, MICA_SHAPE, "arrays: the shape of %s is %s, it needs dimensions of 1 or more",
                       mi_show(what(given)).text, mi_sample_text(&given->shape).text);
    field->preprocess.shape = given->shape;
    MI_TRY(take_lengths(data, field, given));
    if (given->elements || given->values || given->classes)
        MI_TRY(take_elements(data, field, given));
    return count_classes(data, field, given);
}

/* Whether a field is given as it must be: values or classes, or a function that makes them. */
static mica_status check(mica_data *data, const mica_fields_desc *desc, const mica_field *field)
{
    const char *name = mi_show(what(field)).text;
    bool classes = !field->shape.rank, given = field->classes || (!classes && (field->values || field->elements));
    if (field->role < MICA_INPUT || field->role > MICA_WEIGHT)
        return mi_fail(&data->error, MICA_INVALID_ARGUMENT, "arrays: %s: there is no role %d", name, (int)field->role);
    if (classes && field->role != MICA_TARGET)
        return mi_fail(&data->error, MICA_INVALID_ARGUMENT, "arrays: %s: the shape has no dimensions, which only classes have",
                       name);
    if (field->classes && field->role != MICA_TARGET)
        return mi_fail(&data->error, MICA_INVALID_ARGUMENT, "arrays: %s: only targets are classes", name);
    if ((field->values != NULL) + (field->classes != NULL) + (field->elements != NULL) > 1)
        return mi_fail(&data->error, MICA_INVALID_ARGUMENT, "arrays: %s: more than one of values, elements and classes is given",
                       name);
    if (field->lengths && (desc->fill || classes || field->role != MICA_INPUT))
        return mi_fail(&data->error, MICA_INVALID_ARGUMENT, "arrays: %s: only inputs whose values are given have lengths", name);
    if (field->elements && !mica_type_name(field->type))
        return mi_fail(&data->error, MICA_INVALID_ARGUMENT, "arrays: %s: there is no type %d", name, (int)field->type);
    if (desc->fill && (field->values || field->classes || field->elements || field->normalize.type != MICA_NORMALIZE_NONE))
        return mi_fail(&data->error, MICA_INVALID_ARGUMENT, "arrays: %s: a function fills the batches, so there are neither values "
                       "nor a normalisation", name);
    if (!desc->fill && !given)
        return mi_fail(&data->error, MICA_INVALID_ARGUMENT, "arrays: %s are missing", name);
    if (field->role == MICA_WEIGHT && (field->shape.rank != 1 || field->shape.dim[0] != 1))
        return mi_fail(&data->error, MICA_SHAPE, "arrays: %s: a weight is one number a sample, not %s", name,
                       mi_sample_text(&field->shape).text);
    return MICA_OK;
}

static mica_status take_field(mica_data *data, const mica_fields_desc *desc, const mica_field *given)
{
    MI_TRY(check(data, desc, given));
    for (int i = 0; i < data->field_count; i++) {
        const struct mi_preprocess *other = &data->fields[i]->preprocess;
        if (other->role == given->role && (!other->name || !given->name || !strcmp(other->name, given->name)))
            return mi_fail(&data->error, MICA_INVALID_ARGUMENT, "arrays: two fields of one role are called \"%s\"",
                           mi_show(given->name ? given->name : other->name ? other->name : "").text);
    }
    struct mi_field *field = mi_data_add(data, given->name, given->role);
    if (!field)
        return data->error.status;
    if (!given->classes)
        field->normalize = given->normalize;
    return given->shape.rank ? take_values(data, field, given) : take_classes(data, field, given);
}

/* Samples are windows over what are rows now. */
static mica_status cut(mica_data *data, const mica_fields_desc *desc)
{
    if (desc->fill)
        return mi_fail(&data->error, MICA_INVALID_ARGUMENT,
                       "arrays: a function fills the batches, so there are no rows of a series");
    for (int i = 0; i < desc->field_count; i++)
        if (desc->fields[i].shape.rank > 0 && desc->fields[i].classes)
            return mi_fail(&data->error, MICA_SHAPE, "arrays: a row of the series %s has shape %s; a row has one class",
                           mi_show(what(&desc->fields[i])).text, mi_sample_text(&desc->fields[i].shape).text);
        else if (desc->fields[i].shape.rank > 1)
            return mi_fail(&data->error, MICA_SHAPE, "arrays: a row of the series %s has shape %s; it must have one dimension",
                           mi_show(what(&desc->fields[i])).text, mi_sample_text(&desc->fields[i].shape).text);
    for (int i = 0; i < desc->field_count; i++)
        if (desc->fields[i].lengths)
            return mi_fail(&data->error, MICA_INVALID_ARGUMENT, "arrays: %s: rows of a series have no lengths",
                           mi_show(what(&desc->fields[i])).text);
    MI_TRY(mi_series_describe(data, "arrays", &desc->series));
    return mi_series_cut(data, "arrays", false);
}

static mica_status take(mica_data *data, const mica_fields_desc *desc)
{
    if (!desc || !desc->fields || desc->field_count < 1)
        return mi_fail(&data->error, MICA_INVALID_ARGUMENT, "arrays: fields are missing");
    if (desc->fill && (desc->split.fraction[1] > 0 || desc->split.fraction[2] > 0))
        return mi_fail(&data->error, MICA_INVALID_ARGUMENT, "arrays: a function fills the batches, so they cannot be split");
    if (desc->samples < 1 || (uint64_t)desc->samples > SIZE_MAX / 16)
        return mi_fail(&data->error, MICA_INVALID_ARGUMENT, "arrays: samples is %lld; it must be at least 1",
                       (long long)desc->samples);
    data->samples = data->count[MICA_TRAIN] = desc->samples;
    data->fill = desc->fill;
    data->fill_user = desc->user;
    for (int i = 0; i < desc->field_count; i++)
        MI_TRY(take_field(data, desc, &desc->fields[i]));
    if (desc->series.sequence_length)
        MI_TRY(cut(data, desc));
    return mi_data_finish(data, &(struct mi_finish){.place = "arrays", .split = desc->split});
}

mica_data *mica_fields_open(mica_device *device, const mica_fields_desc *desc)
{
    mica_data *data = mi_data_create(device);
    if (data) {
        (void)take(data, desc);
        (void)mi_data_report(data);
    }
    return data;
}

mica_data *mica_arrays_open(mica_device *device, const mica_arrays_desc *desc)
{
    if (!desc)
        return mica_fields_open(device, NULL);
    bool labels = desc->values || desc->classes, flat = desc->values && !desc->label_shape.rank;
    const mica_field fields[] = {
        {.role = MICA_INPUT, .shape = desc->input_shape, .values = desc->inputs, .normalize = desc->normalize,
         .lengths = desc->lengths},
        {.role = MICA_TARGET, .shape = flat ? MICA_SHAPE(1) : desc->values ? desc->label_shape : (mica_shape){0},
         .values = desc->values, .classes = desc->classes},
    };
    return mica_fields_open(device, &(mica_fields_desc){.samples = desc->samples, .fields = fields, .field_count = labels ? 2 : 1,
                                                        .split = desc->split});
}
