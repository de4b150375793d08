/* Data sets: parts, splits, labels. */
#include "data/data.h"
#include "device/device.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const part_names[3] = {"training", "validation", "test"};

mica_data *mi_data_create(mica_device *device)
{
    mica_data *data = mi_new(1, sizeof *data);
    if (device)
        mi_device_begin(device);
    if (data) {
        data->device = device;
    } else if (device) {
        mi_out_of_memory(&device->error);
    }
    return data;
}

void mica_data_destroy(mica_data *data)
{
    if (!data)
        return;
    for (int i = 0; i < data->field_count; i++)
        mi_field_destroy(data->fields[i]);
    free(data->fields);
    free(data->lines);
    free(data->order);
    free(data->first_order);
    free(data->tokens);
    free(data->starts);
    free(data->dates.seconds);
    for (int i = 0; i < MI_NOTES; i++)
        free(data->notes[i]);
    free(data);
}

mica_status mi_data_report(mica_data *data)
{
    if (data->device)
        mi_error_report(&data->device->error, &data->error);
    return data->error.status;
}

/* A public call on the data begins; data that were not opened say why, also to the device. */
static mica_status begin(mica_data *data)
{
    if (data->device)
        mi_device_begin(data->device);
    return mi_data_report(data);
}

/* An argument of a call is wrong: the data and their device remember it, and the data can be used on. */
static mica_status refuse(mica_data *data, const struct mi_error *error)
{
    if (data->device)
        mi_error_report(&data->device->error, error);
    return mi_error_report(&data->refused, error);
}

mica_status mica_data_status(const mica_data *data)
{
    return !data ? MICA_OUT_OF_MEMORY : data->error.status ? data->error.status : data->refused.status;
}

const char *mica_data_error(const mica_data *data)
{
    return !data ? mica_status_text(MICA_OUT_OF_MEMORY) : data->error.status ? data->error.text : data->refused.text;
}

/* ---- Splitting ---- */

/* Shuffles the training part's entries of `order` by the seed. */
static mica_status shuffle_training(mica_data *data, uint64_t seed, int64_t *order, int64_t count)
{
    int64_t *place = mi_new((size_t)count, sizeof *place), *from = mi_new((size_t)count, sizeof *from);
    bool made = place && from;
    if (made) {
        memcpy(from, order, (size_t)count * sizeof *from);
        mi_shuffle(seed, 0, place, count);
        for (int64_t i = 0; i < count; i++)
            order[i] = from[place[i]];
    }
    free(place);
    free(from);
    return made ? MICA_OK : mi_out_of_memory(&data->error);
}

static mica_status check_split(mica_data *data, const struct mi_finish *finish)
{
    const float *f = finish->split.fraction;
    double sum = (double)f[0] + (double)f[1] + (double)f[2];
    if (data->count[MICA_VALIDATION] || data->count[MICA_TEST])
        return mi_fail(&data->error, MICA_INVALID_ARGUMENT, "%s: a split is asked for, but the data have "
                       "parts already", finish->place);
    for (int i = 0; i < 3; i++)
        if (!(f[i] >= 0 && f[i] <= 1))
            return mi_fail(&data->error, MICA_INVALID_ARGUMENT, "%s: the split's fraction for the %s part is "
                           "%g; it must be from 0 to 1", finish->place, part_names[i], (double)f[i]);
    if (!(fabs(sum - 1) < 1e-3))
        return mi_fail(&data->error, MICA_INVALID_ARGUMENT, "%s: the split %g, %g, %g sums to %g; it must "
                       "sum to 1", finish->place, (double)f[0], (double)f[1], (double)f[2], sum);
    return MICA_OK;
}

/* Of the samples from `begin` to `at` of an order, those whose windows reach into the sample there. */
static int64_t windows_into(const mica_data *data, const int64_t *order, int64_t begin, int64_t at)
{
    int64_t count = 0;
    while (data->starts && count < at - begin && data->starts[order[at - 1 - count]] + data->window > data->starts[order[at]])
        count++;
    return count;
}

/* Moves `count` samples that stand before place `at` of the order behind all others, where no part is. */
static mica_status leave_out(mica_data *data, int64_t at, int64_t count)
{
    int64_t *left = mi_new((size_t)count, sizeof *left);
    if (!left)
        return mi_out_of_memory(&data->error);
    memcpy(left, data->order + at - count, (size_t)count * sizeof *left);
    memmove(data->order + at - count, data->order + at, (size_t)(data->samples - at) * sizeof *left);
    memcpy(data->order + data->samples - count, left, (size_t)count * sizeof *left);
    free(left);
    return MICA_OK;
}

/* What the parts of a text, which follow one another, have in common is in the later one alone. */
static mica_status part_windows(mica_data *data, const char *place)
{
    const int64_t *samples = data->count;
    for (int part = MICA_VALIDATION; part >= MICA_TRAIN; part--) {
        int64_t begin = part == MICA_VALIDATION ? samples[MICA_TRAIN] : 0, at = begin + samples[part];
        int64_t behind = samples[MICA_TEST] + (part == MICA_TRAIN ? samples[MICA_VALIDATION] : 0);
        int64_t count = behind ? windows_into(data, data->order, begin, at) : 0;
        if (count && count == samples[part])
            return mi_fail(&data->error, MICA_DATA, "%s: every window of the %s part reaches into the next part", place,
                           part_names[part]);
        MI_TRY(leave_out(data, at, count));
        data->count[part] -= count;
    }
    return MICA_OK;
}

static mica_status split(mica_data *data, const struct mi_finish *finish)
{
    const float *f = finish->split.fraction;
    if (f[0] == 0 && f[1] == 0 && f[2] == 0)
        return MICA_OK;
    MI_TRY(check_split(data, finish));
    data->divided = true;
    if (!finish->split.no_shuffle && !data->in_order)
        MI_TRY(shuffle_training(data, finish->split.seed, data->order, data->samples));
    int64_t begin = 0;
    double fraction = 0;
    for (int i = 0; i < 3; i++) {
        fraction += (double)f[i];
        int64_t end = i == 2 ? data->samples : llround(fraction * (double)data->samples);
        end = end > data->samples ? data->samples : end;
        if (i == 1 && f[2] == 0)
            end = data->samples;
        if (i == 0 && f[1] == 0 && f[2] == 0)
            end = data->samples;
        data->count[i] = end - begin;
        begin = end;
        if (f[i] > 0 && !data->count[i])
            return mi_fail(&data->error, MICA_DATA, "%s: the split gives the %s part %g of %lld samples, "
                           "which is none", finish->place, part_names[i], (double)f[i],
                           (long long)data->samples);
    }
    return data->in_order ? part_windows(data, finish->place) : MICA_OK;
}

/* ---- Finishing what a format has read ---- */

static mica_status check_labels(mica_data *data, struct mi_field *field, const struct mi_finish *finish)
{
    struct mi_preprocess *p = &field->preprocess;
    if (!field->classes)
        return MICA_OK;
    for (int64_t i = 0; i < data->samples; i++) {
        int32_t label = field->classes[i];
        if (label < 0 || label >= MI_MOST_CLASSES)
            return mi_fail(&data->error, MICA_DATA, "%s: the label of sample %lld is %d; classes count from "
                           "0 to %d, and values to regress need a regression", finish->place, (long long)i,
                           (int)label, MI_MOST_CLASSES - 1);
        if (label < p->classes)
            continue;
        if (p->class_names)
            return mi_fail(&data->error, MICA_DATA, "%s: the label of sample %lld is %d, but there are %d "
                           "classes", finish->place, (long long)i, (int)label, p->classes);
        p->classes = (int)label + 1;
    }
    return MICA_OK;
}

/* The shape that a model or the caller gives to what was read. */
static mica_status take_shape(mica_data *data, struct mi_field *field, const struct mi_preprocess *fitted,
                              const struct mi_finish *finish)
{
    struct mi_preprocess *p = &field->preprocess;
    bool only = p->role == MICA_INPUT && finish->sample_shape.rank && mi_data_fields(data, MICA_INPUT) == 1;
    const mica_shape *wanted = only ? &finish->sample_shape : NULL;
    if (!mi_sample_elements(&p->shape, &field->elements))
        return mi_fail(&data->error, MICA_SHAPE, "%s: samples of shape %s have no elements or too many",
                       finish->place, mi_sample_text(&p->shape).text);
    if (fitted)
        wanted = &fitted->shape;
    if (!wanted)
        return MICA_OK;
    MI_TRY(mi_sample_reshape(&data->error, finish->place, &p->shape, wanted));
    p->shape = *wanted;
    return MICA_OK;
}

/* Whatever a model was fitted with takes the place of what the file said. */
static mica_status take_fitted(mica_data *data, struct mi_field *field, const struct mi_preprocess *fitted)
{
    mi_preprocess_destroy(&field->preprocess);
    MI_TRY(mi_preprocess_copy(&data->error, fitted, &field->preprocess));
    field->fitted_before = true;
    return MICA_OK;
}

static mica_status finish_field(mica_data *data, struct mi_field *field, const struct mi_finish *finish)
{
    struct mi_preprocess *p = &field->preprocess;
    const struct mi_preprocess *fitted = finish->fitted ? mi_prepared_find(finish->fitted, p->role, p->name) : NULL;
    MI_TRY(mi_texts_finish(data, field, fitted));
    if (fitted && !fitted->shape.rank != !p->shape.rank)
        fitted = NULL; /* classes and numbers have nothing in common */
    if (p->shape.rank)
        MI_TRY(take_shape(data, field, fitted, finish));
    if (fitted)
        MI_TRY(take_fitted(data, field, fitted));
    MI_TRY(check_labels(data, field, finish));
    MI_TRY(mi_data_number_classes(data, field));
    if (fitted || !p->shape.rank)
        return MICA_OK;
    return mi_normalize_prepare(data, field, finish->place);
}

static mica_status make_order(mica_data *data)
{
    data->order = mi_new((size_t)data->samples, sizeof *data->order);
    data->first_order = mi_new((size_t)data->samples, sizeof *data->first_order);
    if (!data->order || !data->first_order)
        return mi_out_of_memory(&data->error);
    for (int64_t i = 0; i < data->samples; i++)
        data->order[i] = i;
    return MICA_OK;
}

mica_status mi_data_number_classes(mica_data *data, struct mi_field *field)
{
    int classes = field->preprocess.classes;
    free(field->numbers);
    field->numbers = NULL;
    if (!classes || field->preprocess.class_names)
        return MICA_OK;
    field->numbers = mi_new((size_t)classes, sizeof *field->numbers);
    if (!field->numbers)
        return mi_out_of_memory(&data->error);
    for (int i = 0; i < classes; i++)
        mi_format(field->numbers[i], sizeof *field->numbers, "%u", (unsigned)i % 10000000u);
    return MICA_OK;
}

mica_status mi_data_finish(mica_data *data, const struct mi_finish *finish)
{
    if (data->samples < 1)
        return mi_fail(&data->error, MICA_DATA, "%s: there are no samples", finish->place);
    if (!data->fill) {
        MI_TRY(make_order(data));
        MI_TRY(split(data, finish));
    }
    for (int i = 0; i < data->field_count; i++) {
        struct mi_finish own = *finish;
        own.place = finish->places ? finish->places[i] : finish->place;
        MI_TRY(finish_field(data, data->fields[i], &own));
    }
    if (data->fill)
        return MICA_OK;
    MI_TRY(mi_data_note_texts(data));
    memcpy(data->first_order, data->order, (size_t)data->samples * sizeof *data->order);
    return mi_data_fit(data);
}

mica_status mi_data_reshape(mica_data *data, struct mi_field *field, struct mi_error *error, const char *place, mica_shape shape)
{
    struct mi_preprocess *p = &field->preprocess;
    if (data->error.status != MICA_OK || mi_sample_same(&p->shape, &shape))
        return mi_error_report(error, &data->error);
    MI_TRY(mi_sample_reshape(error, place, &p->shape, &shape));
    /* the parameters of the normalisation are for runs of neighbouring elements: they stay true */
    p->shape = shape;
    return MICA_OK;
}

/* Samples that all fill their shape have as many steps as it. */
static mica_status make_offsets(mica_data *data, struct mi_field *field)
{
    int64_t steps = field->preprocess.shape.dim[0];
    field->width = field->elements / (size_t)steps;
    field->offsets = mi_new((size_t)data->samples + 1, sizeof *field->offsets);
    for (int64_t i = 0; field->offsets && i <= data->samples; i++)
        field->offsets[i] = i * steps;
    return field->offsets ? MICA_OK : mi_out_of_memory(&data->error);
}

mica_status mi_data_lengthen(mica_data *data, struct mi_field *field, struct mi_error *error, const char *place, mica_shape shape)
{
    struct mi_preprocess *p = &field->preprocess;
    mica_shape same = shape;
    same.dim[0] = p->shape.dim[0];
    if (data->error.status != MICA_OK)
        return mi_error_report(error, &data->error);
    if (p->shape.rank < 1 || p->shape.dim[0] == shape.dim[0] || data->fill || field->starts || !mi_sample_same(&p->shape, &same))
        return mi_data_reshape(data, field, error, place, shape);
    if (p->count > 1)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "%s: the data are normalised step by step, for %lld steps; the model takes up "
                       "to %lld", place, (long long)p->shape.dim[0], (long long)shape.dim[0]);
    for (int64_t i = 0; i < data->samples; i++)
        if (mi_field_length(field, i) > shape.dim[0])
            return mi_fail(error, MICA_SHAPE, "%s: %s has %lld steps, the model takes up to %lld", place,
                           mi_data_sample_text(data, i).text, (long long)mi_field_length(field, i), (long long)shape.dim[0]);
    if (!field->offsets && make_offsets(data, field) != MICA_OK)
        return mi_error_report(error, &data->error);
    p->shape = shape;
    field->elements = (size_t)shape.dim[0] * field->width;
    return MICA_OK;
}

/* ---- What the header offers ---- */

int64_t mica_data_count(const mica_data *data, mica_part part)
{
    return data && !data->error.status && part >= MICA_TRAIN && part <= MICA_TEST ? data->count[part] : 0;
}

mica_shape mica_data_shape(const mica_data *data)
{
    const struct mi_field *field = data ? mi_data_field(data, MICA_INPUT, NULL) : NULL;
    return field ? field->preprocess.shape : (mica_shape){.rank = data ? 0 : -1};
}

int mica_data_classes(const mica_data *data)
{
    const struct mi_field *field = data ? mi_data_field(data, MICA_TARGET, NULL) : NULL;
    return field ? field->preprocess.classes : 0;
}

const char *mica_data_class_name(const mica_data *data, int i)
{
    const struct mi_field *field = data ? mi_data_field(data, MICA_TARGET, NULL) : NULL;
    return field ? mi_field_class_name(field, i) : "";
}

static mica_status check_hold_out(mica_data *data, float fraction, int64_t total, int64_t held)
{
    struct mi_error error = {MICA_OK, ""};
    if (data->readers)
        mi_fail(&error, MICA_INVALID_ARGUMENT, "to hold samples out: %d mica_batches read the data", data->readers);
    else if (!(fraction > 0 && fraction < 1))
        mi_fail(&error, MICA_INVALID_ARGUMENT, "validation_split is %g; it must be more than 0 and less than 1",
                (double)fraction);
    else if (data->count[MICA_VALIDATION] != data->held_out)
        mi_fail(&error, MICA_INVALID_ARGUMENT, "validation_split is %g, but the data have a validation part of %lld samples",
                (double)fraction, (long long)data->count[MICA_VALIDATION]);
    else if (data->fill)
        mi_fail(&error, MICA_INVALID_ARGUMENT, "validation_split is %g, but a function fills the batches: nothing can be held out",
                (double)fraction);
    else if (held >= total)
        mi_fail(&error, MICA_DATA, "validation_split %g of %lld training samples leaves none to train", (double)fraction,
                (long long)total);
    return refuse(data, &error);
}

/* The same where the end is held out: it keeps its place, and windows that reach into it are left out. */
static mica_status hold_end(mica_data *data, int64_t total, int64_t held)
{
    int64_t gap = windows_into(data, data->first_order, 0, total - held);
    if (gap == total - held) {
        struct mi_error error = {MICA_OK, ""};
        mi_fail(&error, MICA_DATA, "validation_split: each of %lld training samples reaches into the %lld that are held out",
                (long long)gap, (long long)held);
        return refuse(data, &error);
    }
    memcpy(data->order, data->first_order, (size_t)data->samples * sizeof *data->order);
    MI_TRY(leave_out(data, total - held, gap));
    data->gap = gap;
    data->count[MICA_TRAIN] = total - held - gap;
    data->count[MICA_VALIDATION] = data->held_out = held;
    return mi_data_fit(data);
}

/* Divides the training part as it first was: those held out, chosen by a shuffle, go behind the others; both
 * keep the order of the data. */
static mica_status hold_out(mica_data *data, int64_t total, int64_t held, uint64_t seed)
{
    if (data->in_order)
        return hold_end(data, total, held);
    int64_t *place = mi_new((size_t)total, sizeof *place);
    bool *taken = mi_new((size_t)total, sizeof *taken);
    if (place && taken) {
        mi_shuffle(seed, 0, place, total);
        for (int64_t i = total - held; i < total; i++)
            taken[place[i]] = true;
        int64_t train = 0, validation = total - held;
        for (int64_t i = 0; i < total; i++)
            data->order[taken[i] ? validation++ : train++] = data->first_order[i];
        data->count[MICA_TRAIN] = total - held;
        data->count[MICA_VALIDATION] = data->held_out = held;
    }
    bool made = place && taken;
    free(place);
    free(taken);
    return made ? mi_data_fit(data) : mi_out_of_memory(&data->error);
}

mica_status mica_data_hold_out(mica_data *data, float fraction, uint64_t seed)
{
    if (!data)
        return MICA_INVALID_ARGUMENT;
    MI_TRY(begin(data));
    int64_t total = data->count[MICA_TRAIN] + data->held_out + data->gap;
    /* Rounded up, as Keras does; a float's own error must not make one sample more of 0.1 times 60,000. */
    double wanted = ceil(((double)fraction - 1e-7) * (double)total);
    int64_t held = wanted >= 1 && wanted < (double)total ? (int64_t)wanted : wanted < 1 ? 1 : total;
    MI_TRY(check_hold_out(data, fraction, total, held));
    mica_status status = hold_out(data, total, held, seed);
    return data->error.status ? mi_data_report(data) : status;
}

int64_t mi_data_index(const mica_data *data, mica_part part, int64_t i)
{
    for (int p = 0; p < (int)part; p++)
        i += data->count[p];
    return data->order[i];
}

struct mi_shape_text mi_data_sample_text(const mica_data *data, int64_t index)
{
    const int64_t files[3] = {data->count[MICA_TRAIN] + data->held_out + data->gap, data->count[MICA_VALIDATION] - data->held_out,
                              data->count[MICA_TEST]};
    struct mi_shape_text out;
    int part = 0;
    bool several = !data->divided && files[0] < data->samples, window = data->starts && data->rows;
    if (data->first_line) {
        int64_t row = window ? data->starts[index] : index;
        mi_format(out.text, sizeof out.text, window ? "the window from line %zu on" : "line %zu",
                  data->lines ? data->lines[row] : data->first_line + (size_t)row);
        return out;
    }
    for (; several && part < 2 && index >= files[part]; part++)
        index -= files[part];
    mi_format(out.text, sizeof out.text, several ? "sample %lld of the %s part" : "sample %lld", (long long)index,
              part_names[part]);
    return out;
}

/* Whether a part has such a sample. */
static mica_status check_sample(const mica_data *data, mica_part part, int64_t i)
{
    if (!data)
        return MICA_INVALID_ARGUMENT;
    if (data->device)
        mi_device_begin(data->device);
    if (data->error.status != MICA_OK)
        return data->error.status;
    int64_t count = mica_data_count(data, part);
    if (i < 0 || i >= count) {
        struct mi_error error = {MICA_OK, ""};
        mi_fail(&error, MICA_INVALID_ARGUMENT, "sample %lld is asked for; the part has %lld samples",
                (long long)i, (long long)count);
        if (data->device)
            mi_error_report(&data->device->error, &error);
        return MICA_INVALID_ARGUMENT;
    }
    return MICA_OK;
}

mica_status mica_data_date(const mica_data *data, mica_part part, int64_t i, char *text, size_t size)
{
    struct mi_shape_text date = {""};
    if (text && size)
        *text = 0;
    MI_TRY(check_sample(data, part, i));
    if (!text || !size)
        return MICA_INVALID_ARGUMENT;
    const struct mi_window *window = &data->fields[0]->preprocess.window;
    int64_t row = data->dates.seconds ? data->starts[mi_data_index(data, part, i)] : 0;
    if (data->dates.seconds && window->told <= (INT64_MAX - row) / window->rate &&
        mi_dates_text(data, row + window->told * window->rate, &date))
        mi_format(text, size, "%s", date.text);
    return MICA_OK;
}

mica_status mica_data_sample(const mica_data *data, mica_part part, int64_t i, float *values, int32_t *class_index)
{
    MI_TRY(check_sample(data, part, i));
    int64_t index = mi_data_index(data, part, i);
    const struct mi_field *input = mi_data_field(data, MICA_INPUT, NULL), *target = mi_data_field(data, MICA_TARGET, NULL);
    if (values && input)
        mi_field_values(input, index, values);
    if (class_index)
        *class_index = target && target->classes ? target->classes[index] : -1;
    return MICA_OK;
}
