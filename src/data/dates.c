/* Dates of the rows of a series: whether they follow one another evenly, and the date of a row behind the last one. */
#include "data/data.h"

#include <stdlib.h>
#include <string.h>

mica_status mi_dates_add(mica_data *data, int64_t row, const struct mi_date *date)
{
    struct mi_dates *dates = &data->dates;
    if (!dates->seconds && !(dates->seconds = mi_new((size_t)data->samples, sizeof *dates->seconds)))
        return mi_out_of_memory(&data->error);
    dates->precision = !row || date->precision > dates->precision ? date->precision : dates->precision;
    dates->seconds[row] = mi_date_seconds(date);
    return MICA_OK;
}

/* ---- Steps ---- */

static int64_t month_of(int64_t seconds)
{
    const struct mi_date date = mi_date_from_seconds(seconds);
    return (int64_t)date.year * 12 + date.month - 1;
}

/* Seconds since the beginning of the month. */
static int64_t within_month(int64_t seconds)
{
    const struct mi_date date = mi_date_from_seconds(seconds);
    const struct mi_date first = {.year = date.year, .month = date.month, .day = 1};
    return seconds - mi_date_seconds(&first);
}

static bool ends_month(int64_t seconds)
{
    const struct mi_date date = mi_date_from_seconds(seconds);
    return date.day == mi_days_of_month(date.year, date.month);
}

/* From row - 1 to row, in the unit of the dates. */
static int64_t step_to(const struct mi_dates *dates, int64_t row)
{
    const int64_t *s = dates->seconds;
    return dates->months ? month_of(s[row]) - month_of(s[row - 1]) : s[row] - s[row - 1];
}

static int compare_steps(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* The step that half of all are not above. */
static mica_status find_step(mica_data *data)
{
    struct mi_dates *dates = &data->dates;
    int64_t count = data->rows - 1, *steps = mi_new((size_t)count, sizeof *steps);
    if (!steps)
        return mi_out_of_memory(&data->error);
    for (int64_t i = 0; i < count; i++)
        steps[i] = step_to(dates, i + 1);
    qsort(steps, (size_t)count, sizeof *steps, compare_steps);
    dates->step = steps[count / 2];
    free(steps);
    return MICA_OK;
}

/* ---- Words ---- */

/* "a day", "3 months" */
static void add_step(struct mi_text *line, const struct mi_dates *dates)
{
    static const struct { const char *one, *many; int64_t size; bool months; } units[] = {
        {"a year", "years", 12, true},  {"a month", "months", 1, true},       {"a week", "weeks", 604800, false},
        {"a day", "days", 86400, false}, {"an hour", "hours", 3600, false}, {"a minute", "minutes", 60, false},
        {"a second", "seconds", 1, false}};
    for (size_t i = 0; i < MI_COUNT(units); i++) {
        if (units[i].months != dates->months || !dates->step || dates->step % units[i].size)
            continue;
        if (dates->step == units[i].size)
            mi_text_add(line, "%s", units[i].one);
        else
            mi_text_add(line, "%lld %s", (long long)(dates->step / units[i].size), units[i].many);
        return;
    }
    mi_text_add(line, "nothing");
}

static struct mi_shape_text text_of(const struct mi_dates *dates, int64_t seconds)
{
    struct mi_date date = mi_date_from_seconds(seconds);
    date.precision = dates->precision;
    return mi_date_text(&date);
}

/* Of data for a model only what is odd. */
static void note(mica_data *data, bool all)
{
    const struct mi_dates *dates = &data->dates;
    int64_t odd = 0, first = 0;
    struct mi_text line = {0};
    for (int64_t row = data->rows - 1; row > 0; row--)
        if (step_to(dates, row) != dates->step) {
            odd++;
            first = row;
        }
    if (all || odd) {
        mi_text_add(&line, "dates: from %s to ", text_of(dates, dates->seconds[0]).text);
        mi_text_add(&line, "%s, a step is ", text_of(dates, dates->seconds[data->rows - 1]).text);
        add_step(&line, dates);
    }
    if (odd)
        mi_text_add(&line, "; %lld of %lld are not, the first from %s ", (long long)odd, (long long)data->rows - 1,
                    text_of(dates, dates->seconds[first - 1]).text);
    if (odd)
        mi_text_add(&line, "to %s: windows pass over that", text_of(dates, dates->seconds[first]).text);
    mi_data_note(data, MI_NOTE_DATES, &line);
}

mica_status mi_dates_finish(mica_data *data, bool all)
{
    struct mi_dates *dates = &data->dates;
    if (!dates->seconds || data->rows < 2)
        return MICA_OK;
    dates->months = dates->ends = true; /* where every date is as far into its month, or its last day */
    for (int64_t row = 0; row < data->rows && dates->ends; row++)
        dates->ends = ends_month(dates->seconds[row]);
    for (int64_t row = 1; row < data->rows && dates->months; row++)
        dates->months = (dates->ends || within_month(dates->seconds[row]) == within_month(dates->seconds[0])) &&
                        month_of(dates->seconds[row]) > month_of(dates->seconds[row - 1]);
    MI_TRY(find_step(data));
    note(data, all);
    return data->error.status;
}

/* ---- The date of a row ---- */

/* Months later; the last day of a month where all are, or that is too short. */
static int64_t later(const struct mi_dates *dates, int64_t seconds, int64_t months)
{
    struct mi_date date = mi_date_from_seconds(seconds);
    int64_t month = (int64_t)date.year * 12 + date.month - 1 + months;
    date.year = (int)(month / 12);
    date.month = (int)(month % 12) + 1;
    int most = mi_days_of_month(date.year, date.month);
    date.day = dates->ends || date.day > most ? most : date.day;
    return mi_date_seconds(&date);
}

bool mi_dates_text(const mica_data *data, int64_t row, struct mi_shape_text *out)
{
    const struct mi_dates *dates = &data->dates;
    int64_t last = data->rows - 1, behind = row - last, most = dates->months ? 120000 : 316000000000; /* some 10,000 years */
    if (!dates->seconds || row < 0 || (behind > 0 && dates->step > most / behind))
        return false;
    int64_t seconds = dates->seconds[behind > 0 ? last : row];
    if (behind > 0)
        seconds = dates->months ? later(dates, seconds, behind * dates->step) : seconds + behind * dates->step;
    *out = text_of(dates, seconds);
    return mi_date_from_seconds(seconds).year <= 9999; /* as many digits as are shown */
}
