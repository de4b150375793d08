/* Columns that are more than numbers: logarithms, and dates as features of the calendar. */
#include "scratch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static mica_data *opened(const char *text, const mica_csv_desc *desc)
{
    return mica_csv_open(NULL, scratch_text("columns.csv", text), desc);
}

static void values_of(const struct mi_field *field, int64_t sample, float *out)
{
    mi_field_values(field, sample, out);
}

static const char prices[] = "size,price,day\n1,10,2024-01-01\n2,100,2024-04-01\n4,1000,2024-07-01\n";
static const char *const logarithm[] = {"size", "price", NULL}, *const month[] = {"month", NULL};

/* The logarithm is normalised; answers are as the table has them. A model reads new tables alike. */
static void test_logarithm(void **state)
{
    (void)state;
    const mica_column_field fields[] = {
        {.role = MICA_INPUT, .columns = (const char *const[]){"size", NULL}, .normalize = {.type = MICA_MIN_MAX}},
        {.role = MICA_TARGET, .columns = (const char *const[]){"price", NULL}, .regression = true,
         .normalize = {.type = MICA_STANDARD}}};
    mica_data *data = opened(prices, &(mica_csv_desc){.fields = fields, .field_count = 2, .logarithm = logarithm});
    float value;
    assert_good(data);
    assert_string_equal(mica_data_note(data, 1), "inputs: size (its logarithm)");
    for (int i = 0; i < 3; i++) {
        values_of(input_of(data), i, &value);
        assert_near(value, 0.5f * (float)i);
        values_of(target_of(data), i, &value);
        assert_near(value, sqrtf(1.5f) * (float)(i - 1));
        mi_preprocess_undo(&target_of(data)->preprocess, &value, 1);
        assert_near(value, powf(10, (float)i + 1));
    }
    const struct mi_prepared *model = prepared_of(data);
    mica_data_destroy(data);
    data = mi_inputs_open(NULL, scratch_text("new.csv", "size\n8\n0.5\n"), model, NULL, &MICA_SHAPE(1));
    assert_good(data);
    values_of(input_of(data), 0, &value);
    assert_near(value, 1.5f);
    values_of(input_of(data), 1, &value);
    assert_near(value, -0.5f);
    mica_data_destroy(data);
    assert_refused(mi_inputs_open(NULL, scratch_text("new.csv", "size\n8\n0\n"), model, NULL, &MICA_SHAPE(1)), MICA_DATA,
                   "line 3, column 1 (size): 0 has no logarithm; it must be more than 0");
}

/* The mean that stands for a missing value is one of logarithms; nothing needs to be normalised. */
static void test_missing(void **state)
{
    (void)state;
    mica_data *data = opened("x,y\n1,0\n,0\n100,0\n", &(mica_csv_desc){.label = "y", .regression = true, .missing = MICA_MISSING_MEAN,
                                                                       .logarithm = (const char *const[]){"x", NULL}});
    float value;
    assert_good(data);
    values_of(input_of(data), 1, &value);
    assert_near(value, logf(10));
    mica_data_destroy(data);
}

/* Features of a date stand where its column stands, and stay from -1 to 1. */
static void test_calendar(void **state)
{
    (void)state;
    mica_calendar calendar = {.column = "day", .features = (const char *const[]){"month", "weekday_one_hot", NULL}};
    const mica_csv_desc desc = {.label = "price", .regression = true, .calendar = &calendar, .calendar_count = 1,
                                .normalize = {.type = MICA_STANDARD}};
    mica_data *data = opened(prices, &desc);
    float values[10];
    assert_good(data);
    assert_int_equal(input_of(data)->elements, 10);
    assert_string_equal(mica_data_note(data, 1), "inputs: size, day (month, weekday_one_hot)");
    values_of(input_of(data), 1, values); /* the first of April 2024, a Monday */
    const float expected[] = {-0.26726124f, 1, 0, 1, 0, 0, 0, 0, 0, 0};
    for (int i = 0; i < 10; i++)
        assert_near(values[i], expected[i]);
    const struct mi_prepared *model = prepared_of(data);
    mica_data_destroy(data);
    data = mi_inputs_open(NULL, scratch_text("new.csv", "size,day\n2,30.06.2024\n"), model, NULL, &MICA_SHAPE(10));
    assert_good(data);
    values_of(input_of(data), 0, values);
    assert_near(values[1], 0.5f);
    assert_near(values[9], 1); /* a Sunday */
    mica_data_destroy(data);
    assert_refused(opened("size,day,price\n1,soon,1\n", &desc), MICA_DATA, "line 2, column 2 (day): \"soon\" is no date");
    assert_refused(opened("size,day,price\n1,2024-05,1\n", &desc), MICA_DATA, "line 2, column 2 (day): \"2024-05\" says no weekday");
    assert_refused(opened("size,day,price\n1,,1\n", &desc), MICA_DATA, "line 2, column 2 (day): the value is missing");
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const none[] = {NULL}, *const wrong[] = {"mont", NULL}, *const day[] = {"day", NULL}, *const size[] = {"size", NULL};
    const struct { const char *label; const char *column; const char *const *features, *const *logarithm, *const *words, *const *drop;
                   const char *says; } bad[] = {
        {"price", "day", wrong, NULL, NULL, NULL, "calendar: there is no feature \"mont\"; did you mean \"month\"?"},
        {"price", "date", month, NULL, NULL, NULL, "calendar: there is no column \"date\""},
        {"price", "day", none, NULL, NULL, NULL, "calendar: no feature of column 3 (day) is named"},
        {"price", "day", month, NULL, day, NULL, "categorical: column 3 (day) is in \"calendar\", too"},
        {"price", "day", month, day, NULL, NULL, "calendar: column 3 (day) is in \"logarithm\", too"},
        {"price", "day", month, NULL, NULL, day, "calendar: column 3 (day) is left out"},
        {"day", "day", month, NULL, NULL, NULL, "calendar: column 3 (day) is left out"},
        {"price", NULL, NULL, size, NULL, size, "logarithm: column 1 (size) is left out"},
    };
    for (size_t i = 0; i < MI_COUNT(bad); i++) {
        const mica_calendar calendar = {bad[i].column, bad[i].features};
        assert_refused(opened(prices, &(mica_csv_desc){.label = bad[i].label, .regression = bad[i].label[0] == 'p', .calendar = &calendar,
                                                       .calendar_count = bad[i].column != NULL, .logarithm = bad[i].logarithm,
                                                       .categorical = bad[i].words, .drop = bad[i].drop}),
                       MICA_DATA, bad[i].says);
    }
    /* of classes there is no logarithm */
    assert_refused(opened("x,y\n1,2\n2,1\n", &(mica_csv_desc){.label = "y", .logarithm = (const char *const[]){"y", NULL}}), MICA_DATA,
                   "logarithm: column 2 (y) is left out");
}

static mica_data *spec(const char *keys)
{
    char text[512], folder[320];
    mi_format(folder, sizeof folder, "%s", scratch_text("columns.csv", prices));
    *strrchr(folder, '/') = 0;
    mi_format(text, sizeof text, "{\"format\": \"csv\", \"path\": \"columns.csv\", %s}", keys);
    cJSON *json = cJSON_Parse(text);
    assert_non_null(json);
    mica_data *data = mi_data_from_spec(NULL, json, folder, "job.json: data", NULL, NULL);
    cJSON_Delete(json);
    return data;
}

static void test_spec(void **state)
{
    (void)state;
    mica_data *data = spec("\"logarithm\": [\"size\", \"price\"], \"calendar\": {\"day\": [\"quarter\", \"month_one_hot\"]}");
    assert_good(data);
    assert_int_equal(input_of(data)->elements, 16);
    mica_data_destroy(data);
    assert_refused(spec("\"calendar\": [\"day\"]"), MICA_FORMAT, "\"calendar\" must be an object");
    assert_refused(spec("\"calendar\": {\"day\": \"month\"}"), MICA_FORMAT, "\"calendar.day\" must be a list of features");
    assert_refused(spec("\"logarithm\": \"size\""), MICA_FORMAT, "\"logarithm\" must be a list of columns");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_logarithm), cmocka_unit_test(test_missing), cmocka_unit_test(test_calendar),
                                       cmocka_unit_test(test_refused), cmocka_unit_test(test_spec)};
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
