/* Series: the rows stay as they are, and samples are windows over them.
 *
 * A window begins at a row and has steps that are `rate` rows apart. Each field sees some of them: inputs the first ones, targets
 * those that follow, or any others that the description names. */
#include "data/data.h"

#include <stdlib.h>

/* ---- What is asked for ---- */

static mica_status check_range(mica_data *data, const char *place, const char *key, int64_t value, int64_t least)
{
    if (value >= least && value <= INT32_MAX)
        return MICA_OK;
    return mi_fail(&data->error, MICA_INVALID_ARGUMENT, "%s: %s is %lld; it must be from %lld to %d", place, key, (long long)value,
                   (long long)least, INT32_MAX);
}

static int64_t usual(int64_t value)
{
    return value ? value : 1;
}

mica_status mi_series_describe(mica_data *data, const char *place, const mica_series *series)
{
    int64_t length = series->sequence_length, horizon = usual(series->horizon);
    MI_TRY(check_range(data, place, "sequence_length", length, 1));
    MI_TRY(check_range(data, place, "sequence_stride", usual(series->sequence_stride), 1));
    MI_TRY(check_range(data, place, "sampling_rate", usual(series->sampling_rate), 1));
    MI_TRY(check_range(data, place, "horizon", horizon, 1));
    MI_TRY(check_range(data, place, "gap", series->gap, -length));
    for (int i = 0; i < data->field_count; i++) {
        const struct mi_field *field = data->fields[i];
        struct mi_preprocess *p = &data->fields[i]->preprocess;
        bool value = p->role == MICA_TARGET && !field->classes, input = p->role == MICA_INPUT;
        p->window = (struct mi_window){.steps = input ? length : value ? horizon : 1,
                                       .first = input ? 0 : length + series->gap, .told = length + series->gap,
                                       .rate = usual(series->sampling_rate), .stride = usual(series->sequence_stride)};
    }
    return MICA_OK;
}

/* ---- Windows ---- */

/* The last row that a window sees, counted from its first one; -1: more than there are numbers for. */
static int64_t last_row(const struct mi_window *window)
{
    int64_t last = window->first + window->steps - 1; /* both are below 2^33 */
    return last > INT64_MAX / 2 / window->rate ? -1 : last * window->rate;
}

/* What all fields together see, and from which row on no earlier part may: the first target. */
static mica_status measure(mica_data *data, const char *place)
{
    int64_t answers = INT64_MAX;
    for (int i = 0; i < data->field_count; i++) {
        const struct mi_field *field = data->fields[i];
        const struct mi_preprocess *p = &field->preprocess;
        bool numbers = field->classes || field->floats || field->doubles || field->bytes;
        if (!numbers)
            return mi_fail(&data->error, MICA_DATA, "%s: a series is of rows of numbers, and the field%s has none", place,
                           mi_field_text(p).text);
        if (p->window.steps < 1) /* of a model's file that somebody changed */
            return mi_fail(&data->error, MICA_DATA, "%s: the field%s is of no series, and others are", place,
                           mi_field_text(p).text);
        int64_t last = last_row(&p->window);
        if (last < 0 || last >= data->rows)
            return mi_fail(&data->error, MICA_DATA, "%s: %lld rows are too few for a window, which has %lld steps %lld apart",
                           place, (long long)data->rows, (long long)(p->window.first + p->window.steps), (long long)p->window.rate);
        int64_t first = p->window.first * p->window.rate;
        data->reach = last + 1 > data->reach ? last + 1 : data->reach;
        answers = p->role != MICA_INPUT && first < answers ? first : answers;
    }
    data->window = answers < data->reach ? data->reach - answers : data->reach;
    return MICA_OK;
}

static mica_status make_starts(mica_data *data, int64_t stride, bool to_end)
{
    int64_t behind = data->rows - data->reach;
    data->samples = behind / stride + 1;
    data->starts = mi_new((size_t)data->samples, sizeof *data->starts);
    for (int64_t i = 0; data->starts && i < data->samples; i++)
        data->starts[i] = i * stride + (to_end ? behind % stride : 0);
    data->count[MICA_TRAIN] = data->samples;
    return data->starts ? MICA_OK : mi_out_of_memory(&data->error);
}

/* The class of a window is that of its first step to tell. */
static void take_classes(const mica_data *data, struct mi_field *field)
{
    int64_t first = field->preprocess.window.first * field->preprocess.window.rate;
    for (int64_t i = 0; i < data->samples; i++) /* never before it was read */
        field->classes[i] = field->classes[data->starts[i] + first];
}

static void take_windows(mica_data *data, struct mi_field *field)
{
    struct mi_preprocess *p = &field->preprocess;
    int64_t row = (int64_t)field->elements, steps = p->window.steps;
    field->starts = data->starts;
    p->shape = p->role == MICA_INPUT || (steps > 1 && row > 1) ? MICA_SHAPE(steps, row) : MICA_SHAPE(steps > 1 ? steps : row);
}

mica_status mi_series_cut(mica_data *data, const char *place, bool to_end)
{
    data->rows = data->samples;
    data->in_order = true;
    MI_TRY(measure(data, place));
    MI_TRY(make_starts(data, data->fields[0]->preprocess.window.stride, to_end));
    for (int i = 0; i < data->field_count; i++) {
        if (data->fields[i]->classes)
            take_classes(data, data->fields[i]);
        else
            take_windows(data, data->fields[i]);
    }
    return MICA_OK;
}
