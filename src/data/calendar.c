/* Features of the calendar: where a date stands in a year, a week or a day, as a point of a circle or as one of its places. */
#include "data/data.h"

#include <math.h>
#include <string.h>

/* Where a date stands: place 0 to before `of`. */
struct place {
    int place, of;
};

static struct place quarter(const struct mi_date *date)
{
    return (struct place){(date->month - 1) / 3, 4};
}

static struct place month(const struct mi_date *date)
{
    return (struct place){date->month - 1, 12};
}

static struct place day(const struct mi_date *date)
{
    return (struct place){date->day - 1, mi_days_of_month(date->year, date->month)};
}

static struct place day_of_year(const struct mi_date *date)
{
    const struct mi_date first = {.year = date->year, .month = 1, .day = 1};
    return (struct place){(int)(mi_date_days(date) - mi_date_days(&first)), 337 + mi_days_of_month(date->year, 2)};
}

/* 1 January 1970 was a Thursday; a week begins with Monday. */
static struct place weekday(const struct mi_date *date)
{
    int64_t days = (mi_date_days(date) + 3) % 7;
    return (struct place){(int)(days < 0 ? days + 7 : days), 7};
}

static struct place hour(const struct mi_date *date)
{
    return (struct place){date->hour, 24};
}

static struct place minute(const struct mi_date *date)
{
    return (struct place){date->minute, 60};
}

/* Parts of the calendar: `most` places, of dates that are known as exactly. */
static const struct part {
    const char *name;
    struct place (*find)(const struct mi_date *date);
    int most;
    enum mi_date_precision needs;
} parts[] = {
    {"quarter", quarter, 4, MI_DATE_MONTH},       {"month", month, 12, MI_DATE_MONTH},  {"day", day, 31, MI_DATE_DAY},
    {"day_of_year", day_of_year, 366, MI_DATE_DAY}, {"weekday", weekday, 7, MI_DATE_DAY}, {"hour", hour, 24, MI_DATE_MINUTE},
    {"minute", minute, 60, MI_DATE_MINUTE},
};

/* Feature 2i is part i as sine and cosine, feature 2i + 1 one-hot. */
static const char *const names[] = {
    "quarter", "quarter_one_hot", "month", "month_one_hot", "day", "day_one_hot", "day_of_year", "day_of_year_one_hot",
    "weekday", "weekday_one_hot", "hour", "hour_one_hot", "minute", "minute_one_hot", NULL};

const char *const *mi_calendar_names(void)
{
    return names;
}

static int width_of(size_t feature)
{
    return feature % 2 ? parts[feature / 2].most : 2;
}

int mi_calendar_width(unsigned features)
{
    int width = 0;
    for (size_t i = 0; i < 2 * MI_COUNT(parts); i++)
        width += features >> i & 1 ? width_of(i) : 0;
    return width;
}

const char *mi_calendar_lacks(unsigned features, const struct mi_date *date)
{
    for (size_t i = 0; i < 2 * MI_COUNT(parts); i++)
        if (features >> i & 1 && parts[i / 2].needs > date->precision)
            return parts[i / 2].name;
    return NULL;
}

void mi_calendar_features(unsigned features, const struct mi_date *date, double *out)
{
    const double turn = 6.283185307179586;
    for (size_t i = 0; i < 2 * MI_COUNT(parts); i++) {
        if (!(features >> i & 1))
            continue;
        const struct place at = parts[i / 2].find(date);
        if (i % 2) {
            for (int k = 0; k < parts[i / 2].most; k++)
                out[k] = k == at.place;
        } else {
            out[0] = sin(turn * at.place / at.of);
            out[1] = cos(turn * at.place / at.of);
        }
        out += width_of(i);
    }
}
