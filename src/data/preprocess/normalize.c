/* Normalisation: its parameters, fitted on the training part alone. */
#include "data/data.h"

#include <math.h>
#include <stdlib.h>

/* Tables, series and flat samples have a parameter for each column, images and sequences one for each channel. */
static size_t channels(const struct mi_field *field)
{
    const struct mi_preprocess *p = &field->preprocess;
    return p->shape.rank == 1 || p->window.steps ? mi_preprocess_row(p) : (size_t)p->shape.dim[0];
}

/* Whether columns are of several kinds. */
static bool has_categories(const struct mi_preprocess *p)
{
    for (int i = 0; i < p->column_count; i++)
        if (p->columns[i].categorical || p->columns[i].calendar || p->columns[i].logarithm)
            return true;
    return false;
}

/* One-hot features stay 0 and 1, and those of the calendar from -1 to 1, where every element has a parameter of its own. */
static bool is_one_hot(const struct mi_field *field, size_t count, size_t channel)
{
    int column;
    if (count != mi_preprocess_row(&field->preprocess))
        return false;
    const struct mi_column *found = mi_preprocess_feature(&field->preprocess, channel, &column);
    return found && (found->categorical || found->calendar);
}

static mica_status check_given(struct mi_error *error, const char *place, const mica_normalize *given)
{
    if (given->type == MICA_DIVIDE_BY && (!isfinite(given->divide_by) || given->divide_by == 0))
        return mi_fail(error, MICA_INVALID_ARGUMENT, "%s: normalize: divide_by is %g; it must be a number "
                       "other than 0", place, (double)given->divide_by);
    if (given->type != MICA_MEAN_STD)
        return MICA_OK;
    if (given->count < 1 || !given->mean || !given->std)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "%s: normalize: mean and std are both needed, with a "
                       "value each", place);
    for (int i = 0; i < given->count; i++)
        if (!isfinite(given->mean[i]) || !isfinite(given->std[i]) || given->std[i] == 0)
            return mi_fail(error, MICA_INVALID_ARGUMENT, "%s: normalize: mean %g and std %g (place %d) must "
                           "be numbers, and std not 0", place, (double)given->mean[i], (double)given->std[i],
                           i);
    return MICA_OK;
}

/* Which of the given values is channel c's: they are one for all, one a channel, or one a numeric column. */
static mica_status spread_given(struct mi_error *error, struct mi_field *field, const char *place, const mica_normalize *given)
{
    struct mi_preprocess *p = &field->preprocess;
    size_t numeric = 0, many = channels(field);
    for (size_t c = 0; c < many; c++)
        numeric += !is_one_hot(field, many, c);
    size_t count = (size_t)given->count;
    if (count != 1 && count != many && count != numeric)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "%s: normalize: %zu means and deviations for %zu "
                       "%s", place, count, many, p->shape.rank == 1 ? "columns" : "channels");
    for (size_t c = 0, next = 0; c < (size_t)p->count; c++) {
        bool skip = is_one_hot(field, many, c) && count != many;
        size_t i = count == 1 ? 0 : count == many ? c : next;
        p->subtract[c] = skip ? 0 : (double)given->mean[i];
        p->divide[c] = skip ? 1 : (double)given->std[i];
        next += !skip;
    }
    return MICA_OK;
}

mica_status mi_normalize_prepare(mica_data *data, struct mi_field *field, const char *place)
{
    const mica_normalize *given = &field->normalize;
    struct mi_preprocess *p = &field->preprocess;
    MI_TRY(check_given(&data->error, place, given));
    if (field->offsets && given->type != MICA_NORMALIZE_NONE && given->type != MICA_DIVIDE_BY &&
        (given->type != MICA_MEAN_STD || given->count != 1))
        return mi_fail(&data->error, MICA_INVALID_ARGUMENT, "%s: normalize: sequences of different lengths are divided by one "
                       "number, or have one mean and one deviation", place);
    p->normalize = given->type;
    p->count = 0;
    if (p->missing == MICA_MISSING_MEAN && !p->fill) {
        p->fill = mi_arena_new(&p->arena, mi_preprocess_row(p), sizeof *p->fill);
        if (!p->fill)
            return mi_out_of_memory(&data->error);
    }
    if (given->type == MICA_NORMALIZE_NONE)
        return MICA_OK;
    bool one = (given->type == MICA_DIVIDE_BY || (given->type == MICA_MEAN_STD && given->count == 1)) &&
               !has_categories(p);
    size_t count = one ? 1 : channels(field);
    p->subtract = mi_arena_new(&p->arena, count, sizeof *p->subtract);
    p->divide = mi_arena_new(&p->arena, count, sizeof *p->divide);
    if (!p->subtract || !p->divide)
        return mi_out_of_memory(&data->error);
    p->count = (int)count;
    if (given->type == MICA_MEAN_STD)
        return spread_given(&data->error, field, place, given);
    for (size_t c = 0; c < count; c++)
        p->divide[c] = given->type == MICA_DIVIDE_BY && !is_one_hot(field, count, c) ? (double)given->divide_by : 1;
    return MICA_OK;
}

/* ---- Fitting ---- */

/* The raw rows that are fitted to, and where the numbers of each begin: of a series all up to the last one that training sees, once
 * and of every field alike, so that a column is the same as input and as target. */
static int64_t fitted_rows(const mica_data *data, const struct mi_field *field)
{
    int64_t samples = data->count[MICA_TRAIN];
    return field->starts ? data->starts[data->order[samples - 1]] + data->reach : samples;
}

static size_t row_begins(const mica_data *data, const struct mi_field *field, int64_t i)
{
    return (size_t)(field->starts ? i : data->order[i]) * mi_preprocess_row(&field->preprocess);
}

/* Sums over the training part for each channel; missing values are left out. */
struct sums {
    double *sum, *square;      /* square: of the distance from the mean, in the second pass */
    double *least, *most;
    int64_t *seen;
};

static double raw_value(const struct mi_field *field, size_t at)
{
    const bool *logarithm = field->preprocess.logarithm;
    double x = field->bytes ? field->bytes[at] : field->doubles ? field->doubles[at] : (double)field->floats[at];
    return logarithm && logarithm[at % mi_preprocess_row(&field->preprocess)] ? log(x) : x;
}

/* Adds `group` elements from `at` on to channel c. */
static void add_run(const struct mi_field *field, const struct sums *s, size_t c, size_t at, size_t group)
{
    double sum = s->sum[c], least = s->least[c], most = s->most[c];
    int64_t seen = s->seen[c];
    for (size_t i = at; i < at + group; i++) {
        double x = raw_value(field, i);
        if (isnan(x))
            continue;
        sum += x;
        seen++;
        least = x < least ? x : least;
        most = x > most ? x : most;
    }
    s->sum[c] = sum;
    s->seen[c] = seen;
    s->least[c] = least;
    s->most[c] = most;
}

static void add_up(const mica_data *data, const struct mi_field *field, const struct sums *s, size_t count)
{
    size_t group = mi_preprocess_row(&field->preprocess) / count;
    int64_t rows = fitted_rows(data, field);
    for (size_t c = 0; c < count; c++) {
        s->least[c] = (double)INFINITY;
        s->most[c] = -(double)INFINITY;
    }
    for (int64_t row = 0; row < rows; row++) {
        size_t at = row_begins(data, field, row);
        for (size_t c = 0; c < count; c++, at += group)
            add_run(field, s, c, at, group);
    }
}

static void add_squares(const mica_data *data, const struct mi_field *field, const struct sums *s, size_t count)
{
    size_t group = mi_preprocess_row(&field->preprocess) / count;
    int64_t rows = fitted_rows(data, field);
    for (int64_t row = 0; row < rows; row++) {
        size_t at = row_begins(data, field, row);
        for (size_t c = 0; c < count; c++) {
            double mean = s->sum[c] / (double)s->seen[c], square = s->square[c];
            for (size_t i = 0; i < group; i++, at++) {
                double x = raw_value(field, at) - mean;
                square += isnan(x) ? 0 : x * x;
            }
            s->square[c] = square;
        }
    }
}

/* A column that never changes, or that has no value at all, is divided by 1. */
static void set_fitted(struct mi_field *field, const struct sums *s, size_t count)
{
    struct mi_preprocess *p = &field->preprocess;
    for (size_t c = 0; c < count; c++) {
        if (is_one_hot(field, count, c) || !s->seen[c])
            continue;
        double mean = s->sum[c] / (double)s->seen[c], spread;
        bool standard = p->normalize == MICA_STANDARD;
        spread = standard ? sqrt(s->square[c] / (double)s->seen[c]) : s->most[c] - s->least[c];
        p->subtract[c] = standard ? mean : s->least[c];
        p->divide[c] = (float)spread == 0 || !isfinite((float)spread) ? 1 : spread;
    }
}

static bool sums_create(struct sums *s, size_t count)
{
    s->sum = mi_new(count, sizeof *s->sum);
    s->square = mi_new(count, sizeof *s->square);
    s->least = mi_new(count, sizeof *s->least);
    s->most = mi_new(count, sizeof *s->most);
    s->seen = mi_new(count, sizeof *s->seen);
    return s->sum && s->square && s->least && s->most && s->seen;
}

static void sums_destroy(struct sums *s)
{
    free(s->sum);
    free(s->square);
    free(s->least);
    free(s->most);
    free(s->seen);
}

/* Means of the columns, for the values that are missing. */
static mica_status fit_fill(mica_data *data, struct mi_field *field)
{
    struct mi_preprocess *p = &field->preprocess;
    struct sums s = {0};
    size_t elements = mi_preprocess_row(p);
    mica_status status = sums_create(&s, elements) ? MICA_OK : mi_out_of_memory(&data->error);
    if (status == MICA_OK) {
        add_up(data, field, &s, elements);
        for (size_t i = 0; i < elements; i++) {
            int column;
            if (s.seen[i]) {
                p->fill[i] = s.sum[i] / (double)s.seen[i];
                continue;
            }
            mi_preprocess_feature(p, i, &column);
            const char *name = column >= 0 ? p->columns[column].name : NULL;
            status = mi_fail(&data->error, MICA_DATA, "column %d (%s) has no mean: it has no value in the "
                             "training part", column, name ? mi_show(name).text : "without a name");
            break;
        }
    }
    sums_destroy(&s);
    return status;
}

static mica_status fit_field(mica_data *data, struct mi_field *field)
{
    struct mi_preprocess *p = &field->preprocess;
    bool fitted = p->normalize == MICA_STANDARD || p->normalize == MICA_MIN_MAX;
    if (field->fitted_before || (!fitted && !p->fill))
        return MICA_OK;
    if (!data->count[MICA_TRAIN])
        return mi_fail(&data->error, MICA_DATA, "preprocessing is fitted on the training part, which has no "
                       "samples");
    if (p->fill)
        MI_TRY(fit_fill(data, field));
    if (!fitted)
        return MICA_OK;
    struct sums s = {0};
    size_t count = (size_t)p->count;
    bool made = sums_create(&s, count);
    if (made) {
        add_up(data, field, &s, count);
        if (p->normalize == MICA_STANDARD)
            add_squares(data, field, &s, count);
        set_fitted(field, &s, count);
    }
    sums_destroy(&s);
    return made ? MICA_OK : mi_out_of_memory(&data->error);
}

mica_status mi_data_fit(mica_data *data)
{
    mica_status status = MICA_OK;
    for (int i = 0; i < data->field_count && status == MICA_OK; i++)
        status = fit_field(data, data->fields[i]);
    return status;
}
