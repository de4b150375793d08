/* Dates and features of the calendar, beside the C library's calendar. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/data.h"

#include <math.h>
#include <string.h>
#include <time.h>

/* Days far apart, in years before 1970 too, so that each leap rule is met. */
static void test_days(void **state)
{
    (void)state;
    for (int64_t days = -719000; days < 2900000; days += 97) {
        time_t seconds = (time_t)(days * 86400 + (days % 86400 + 86400) % 86400);
        struct tm tm;
        assert_non_null(gmtime_r(&seconds, &tm));
        struct mi_date date = mi_date_from_seconds(seconds);
        assert_int_equal(date.year, tm.tm_year + 1900);
        assert_int_equal(date.month, tm.tm_mon + 1);
        assert_int_equal(date.day, tm.tm_mday);
        assert_int_equal(date.hour, tm.tm_hour);
        assert_int_equal(date.minute, tm.tm_min);
        assert_int_equal(date.second, tm.tm_sec);
        assert_true(mi_date_seconds(&date) == (int64_t)seconds);
    }
}

static void test_reading(void **state)
{
    (void)state;
    static const struct { const char *text, *is; } good[] = {
        {"1949-01", "1949-01"}, {"1700", "1700"}, {"2024-02-29", "2024-02-29"}, {"2024/3/1", "2024-03-01"}, {"2024.03.31", "2024-03-31"},
        {"31.12.1999", "1999-12-31"}, {"01.01.2009 00:10:00", "2009-01-01 00:10:00"}, {"2024-03-31T17:30", "2024-03-31 17:30"},
        {"2024-03-31 7:05:09.25", "2024-03-31 07:05:09"}, {"2024-03-31T17:30:00Z", "2024-03-31 17:30:00"},
        {"2024-03-31T17:30:00+02:00", "2024-03-31 17:30:00"}};
    static const char *const bad[] = {"", "49", "2023-02-29", "2024-13", "2024-00-01", "2024-1-32", "3/4/2024", "2024-03-31 24:00",
                                      "2024-03-31 12:60", "2024-03/31", "2024-03-31x", "today", "20240331", "2024-03-31T", "31.12.99",
                                      "2024-03-31 12:00:61", "1700000001", "2024-", "2024-03-31T17:30+"};
    struct mi_date date;
    for (size_t i = 0; i < MI_COUNT(good); i++) {
        if (!mi_date_read(good[i].text, &date))
            fail_msg("\"%s\" is a date", good[i].text);
        assert_string_equal(mi_date_text(&date).text, good[i].is);
    }
    for (size_t i = 0; i < MI_COUNT(bad); i++)
        if (mi_date_read(bad[i], &date))
            fail_msg("\"%s\" is no date", bad[i]);
}

static unsigned bit_of(const char *name)
{
    for (int i = 0; mi_calendar_names()[i]; i++)
        if (!strcmp(mi_calendar_names()[i], name))
            return 1u << i;
    fail_msg("there is no feature %s", name);
    return 0;
}

/* The place of a date by the C library. */
static double angle_of(const char *name, const struct tm *tm)
{
    bool leap = (tm->tm_year % 4 == 0 && tm->tm_year % 100 != 0) || (tm->tm_year + 1900) % 400 == 0;
    return !strcmp(name, "month")         ? tm->tm_mon / 12.0
           : !strcmp(name, "quarter")     ? tm->tm_mon / 3 / 4.0
           : !strcmp(name, "weekday")     ? (tm->tm_wday + 6) % 7 / 7.0
           : !strcmp(name, "day_of_year") ? tm->tm_yday / (leap ? 366.0 : 365.0)
           : !strcmp(name, "hour")        ? tm->tm_hour / 24.0
                                          : tm->tm_min / 60.0;
}

static void test_circles(void **state)
{
    (void)state;
    static const char *const names[] = {"month", "quarter", "weekday", "day_of_year", "hour", "minute"};
    for (time_t seconds = -1000000000; seconds < 2000000000; seconds += 12345678) {
        struct tm tm;
        gmtime_r(&seconds, &tm);
        const struct mi_date date = mi_date_from_seconds(seconds);
        for (size_t i = 0; i < MI_COUNT(names); i++) {
            double out[2], angle = 2 * 3.14159265358979 * angle_of(names[i], &tm);
            assert_int_equal(mi_calendar_width(bit_of(names[i])), 2);
            mi_calendar_features(bit_of(names[i]), &date, out);
            assert_true(fabs(out[0] - sin(angle)) < 1e-9 && fabs(out[1] - cos(angle)) < 1e-9);
        }
    }
}

/* Several features stand one behind the other. */
static void test_one_hot(void **state)
{
    (void)state;
    struct mi_date date;
    double out[40] = {0};
    unsigned features = bit_of("month") | bit_of("weekday_one_hot") | bit_of("day_one_hot");
    assert_true(mi_date_read("2024-02-29", &date)); /* a Thursday */
    assert_int_equal(mi_calendar_width(features), 40);
    mi_calendar_features(features, &date, out);
    assert_true(fabs(out[0] - 0.5) < 1e-9);
    for (int i = 2; i < 40; i++)
        assert_true(out[i] == (i == 2 + 28 || i == 2 + 31 + 3));
    assert_null(mi_calendar_lacks(features, &date));
    assert_string_equal(mi_calendar_lacks(bit_of("hour"), &date), "hour");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_days), cmocka_unit_test(test_reading), cmocka_unit_test(test_circles),
                                       cmocka_unit_test(test_one_hot)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
