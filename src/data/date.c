/* Dates as tables have them: read, and put as a number of days and seconds. The calendar is the Gregorian one. */
#include "data/data.h"

#include <string.h>

/* ---- Numbers of days ---- */

/* Days from 1 March of year 0 to a date: years begin with March, so that a leap day is the last of its year. */
static int64_t days_from_march(int64_t year, int month, int day)
{
    int64_t y = month > 2 ? year : year - 1;
    int m = month > 2 ? month - 3 : month + 9;
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1;
}

int64_t mi_date_days(const struct mi_date *date)
{
    return days_from_march(date->year, date->month, date->day) - days_from_march(1970, 1, 1);
}

int mi_days_of_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

int64_t mi_date_seconds(const struct mi_date *date)
{
    return mi_date_days(date) * 86400 + date->hour * 3600 + date->minute * 60 + date->second;
}

struct mi_date mi_date_from_seconds(int64_t seconds)
{
    struct mi_date date = {.month = 1, .day = 1};
    int64_t days = seconds / 86400, rest = seconds % 86400;
    days -= rest < 0;
    rest += rest < 0 ? 86400 : 0;
    int64_t year = 1970 + (days < 0 ? days / 365 - 1 : days / 366); /* not behind the year that it is */
    while (date.year = (int)year + 1, mi_date_days(&date) <= days)
        year++;
    date.year = (int)year;
    days -= mi_date_days(&date);
    for (; days >= mi_days_of_month(date.year, date.month); date.month++)
        days -= mi_days_of_month(date.year, date.month);
    date.day = (int)days + 1;
    date.hour = (int)(rest / 3600);
    date.minute = (int)(rest / 60 % 60);
    date.second = (int)(rest % 60);
    return date;
}

/* ---- Reading ---- */

struct reading {
    const char *at;
};

/* A number of `least` to `most` digits. */
static bool digits(struct reading *r, int least, int most, int *out)
{
    int count = 0;
    for (*out = 0; count < most && mi_is_digit(*r->at); count++)
        *out = *out * 10 + (*r->at++ - '0');
    return count >= least && !mi_is_digit(*r->at);
}

static bool take(struct reading *r, const char *any)
{
    bool is = *r->at && strchr(any, *r->at);
    r->at += is;
    return is;
}

/* ":30", ":30:15" and ":30:15.25" behind the hour; a zone is passed over, as the calendar is that of the place. */
static bool read_time(struct reading *r, struct mi_date *out)
{
    int ignored;
    if (!digits(r, 1, 2, &out->hour) || !take(r, ":") || !digits(r, 2, 2, &out->minute))
        return false;
    out->precision = MI_DATE_MINUTE;
    if (take(r, ":")) {
        if (!digits(r, 2, 2, &out->second) || (take(r, ".,") && !digits(r, 1, 9, &ignored)))
            return false;
        out->precision = MI_DATE_SECOND;
    }
    if (take(r, "Z") || !*r->at)
        return true;
    return take(r, "+-") && digits(r, 2, 4, &ignored) && (!take(r, ":") || digits(r, 2, 2, &ignored));
}

/* 2024, 2024-03, 2024-03-31, 2024/3/31; 31.03.2024 */
static bool read_day(struct reading *r, struct mi_date *out)
{
    struct reading last = *r;
    int ignored;
    if (digits(&last, 1, 2, &ignored) && *last.at == '.') {
        *out = (struct mi_date){.precision = MI_DATE_DAY};
        return digits(r, 1, 2, &out->day) && take(r, ".") && digits(r, 1, 2, &out->month) && take(r, ".") &&
               digits(r, 4, 4, &out->year);
    }
    *out = (struct mi_date){.month = 1, .day = 1, .precision = MI_DATE_YEAR};
    if (!digits(r, 4, 4, &out->year))
        return false;
    char mark[2] = {*r->at, 0};
    if (!take(r, "-/."))
        return true;
    out->precision = MI_DATE_MONTH;
    if (!digits(r, 1, 2, &out->month))
        return false;
    if (!take(r, mark))
        return true;
    out->precision = MI_DATE_DAY;
    return digits(r, 1, 2, &out->day);
}

bool mi_date_read(const char *text, struct mi_date *out)
{
    struct reading r = {text};
    if (!read_day(&r, out))
        return false;
    if (out->precision == MI_DATE_DAY && take(&r, "T "))
        if (!read_time(&r, out))
            return false;
    return !*r.at && out->month >= 1 && out->month <= 12 && out->day >= 1 && out->day <= mi_days_of_month(out->year, out->month) &&
           out->hour < 24 && out->minute < 60 && out->second < 60;
}

struct mi_shape_text mi_date_text(const struct mi_date *date)
{
    struct mi_shape_text out;
    static const int lengths[] = {4, 7, 10, 16, 19}; /* of each precision */
    mi_format(out.text, sizeof out.text, "%04d-%02d-%02d %02d:%02d:%02d", date->year, date->month, date->day, date->hour,
              date->minute, date->second);
    out.text[lengths[date->precision]] = 0;
    return out;
}
