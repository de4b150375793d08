/* Series: windows over the rows of a table or of arrays, parts that follow one another, scales, and what is refused. */
#include "scratch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows of t, 10 t and t squared, for t from 0 on. */
static const char *rows_of(int count)
{
    static char text[4096];
    size_t used = (size_t)mi_format(text, sizeof text, "t,ten,square\n");
    for (int t = 0; t < count; t++)
        used += (size_t)mi_format(text + used, sizeof text - used, "%d,%d,%d\n", t, 10 * t, t * t);
    return text;
}

static mica_data *opened(int rows, mica_csv_desc desc)
{
    desc.regression = true;
    return mica_csv_open(NULL, scratch_text("series.csv", rows_of(rows)), &desc);
}

/* What a field of a sample holds, as the network sees it. */
static void assert_values(const mica_data *data, mica_role role, mica_part part, int64_t i, const float *expected, size_t count)
{
    float values[64];
    const struct mi_field *field = mi_data_field(data, role, NULL);
    assert_int_equal(field->elements, count);
    mi_field_values(field, mi_data_index(data, part, i), values);
    for (size_t k = 0; k < count; k++)
        assert_near(values[k], expected[k]);
}

#define ASSERT_VALUES(data, role, part, i, ...)                                                                                  \
    assert_values(data, role, part, i, (const float[]){__VA_ARGS__}, sizeof((const float[]){__VA_ARGS__}) / sizeof(float))

static const char *const t_alone[] = {"t", NULL}, *const two[] = {"t", "ten", NULL};

/* ---- Windows ---- */

static void test_windows(void **state)
{
    (void)state;
    mica_data *data = opened(6, (mica_csv_desc){.label = "square", .columns = two, .series = {.sequence_length = 3}});
    assert_good(data);
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 3);
    assert_true(mi_sample_same(&MICA_SHAPE(3, 2), &input_of(data)->preprocess.shape));
    assert_true(mi_sample_same(&MICA_SHAPE(1), &target_of(data)->preprocess.shape));
    ASSERT_VALUES(data, MICA_INPUT, MICA_TRAIN, 0, 0, 0, 1, 10, 2, 20);
    ASSERT_VALUES(data, MICA_TARGET, MICA_TRAIN, 0, 9);
    ASSERT_VALUES(data, MICA_INPUT, MICA_TRAIN, 2, 2, 20, 3, 30, 4, 40);
    ASSERT_VALUES(data, MICA_TARGET, MICA_TRAIN, 2, 25);
    assert_says(mica_data_note(data, 0), "6 lines; 3 windows of 3 steps");
    assert_string_equal(mica_data_note(data, 1), "inputs: t, ten, 3 steps");
    assert_string_equal(mica_data_note(data, 2), "label: square, a value");
    assert_string_equal(mi_data_sample_text(data, 2).text, "the window from line 4 on");
    mica_data_destroy(data);
}

/* The label is an input, too, unless other columns are named. */
static void test_label(void **state)
{
    (void)state;
    mica_data *data = opened(4, (mica_csv_desc){.label = "square", .series = {.sequence_length = 2}});
    assert_good(data);
    ASSERT_VALUES(data, MICA_INPUT, MICA_TRAIN, 1, 1, 10, 1, 2, 20, 4);
    ASSERT_VALUES(data, MICA_TARGET, MICA_TRAIN, 1, 9);
    mica_data_destroy(data);
}

static void test_steps(void **state)
{
    (void)state;
    const mica_series series = {.sequence_length = 3, .sequence_stride = 2, .sampling_rate = 4, .horizon = 2, .gap = 1};
    mica_data *data = opened(26, (mica_csv_desc){.label = "t", .columns = t_alone, .series = series});
    assert_good(data); /* a window has steps 0, 4, 8 and tells those of 16 and 20: 21 rows */
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 3);
    assert_true(mi_sample_same(&MICA_SHAPE(2), &target_of(data)->preprocess.shape));
    ASSERT_VALUES(data, MICA_INPUT, MICA_TRAIN, 0, 0, 4, 8);
    ASSERT_VALUES(data, MICA_TARGET, MICA_TRAIN, 0, 16, 20);
    ASSERT_VALUES(data, MICA_INPUT, MICA_TRAIN, 2, 4, 8, 12);
    ASSERT_VALUES(data, MICA_TARGET, MICA_TRAIN, 2, 20, 24);
    mica_data_destroy(data);
}

/* Several columns to tell, and a target that is the window itself. */
static void test_targets(void **state)
{
    (void)state;
    const mica_column_field fields[] = {{.role = MICA_INPUT, .columns = t_alone},
                                        {.role = MICA_TARGET, .columns = two, .regression = true}};
    mica_csv_desc desc = {.fields = fields, .field_count = 2, .series = {.sequence_length = 2, .horizon = 2}};
    mica_data *data = opened(5, desc);
    assert_good(data);
    assert_true(mi_sample_same(&MICA_SHAPE(2, 2), &target_of(data)->preprocess.shape));
    ASSERT_VALUES(data, MICA_TARGET, MICA_TRAIN, 1, 3, 30, 4, 40);
    mica_data_destroy(data);
    desc.series = (mica_series){.sequence_length = 3, .horizon = 3, .gap = -3};
    data = opened(5, desc);
    assert_good(data);
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 3);
    ASSERT_VALUES(data, MICA_INPUT, MICA_TRAIN, 2, 2, 3, 4);
    ASSERT_VALUES(data, MICA_TARGET, MICA_TRAIN, 2, 2, 20, 3, 30, 4, 40);
    mica_data_destroy(data);
    desc.series.horizon = 1;
    data = opened(5, desc); /* one step of two columns */
    assert_true(mi_sample_same(&MICA_SHAPE(2), &target_of(data)->preprocess.shape));
    mica_data_destroy(data);
}

/* A window's class is that of the row behind it, or of its last one. */
static void test_classes(void **state)
{
    (void)state;
    const char *path = scratch_text("kinds.csv", "x,kind\n1,rest\n2,rest\n3,walk\n4,run\n5,walk\n");
    for (int64_t gap = -1; gap <= 0; gap++) {
        mica_data *data = mica_csv_open(NULL, path, &(mica_csv_desc){.label = "kind", .columns = (const char *const[]){"x", NULL},
                                                                     .series = {.sequence_length = 2, .gap = gap}});
        const char *const expected[] = {"rest", "walk", "run", "walk"};
        assert_good(data);
        assert_int_equal(mica_data_count(data, MICA_TRAIN), gap ? 4 : 3);
        for (int64_t i = 0; i < mica_data_count(data, MICA_TRAIN); i++) {
            int32_t class_index = -1;
            float row[2];
            assert_int_equal(mica_data_sample(data, MICA_TRAIN, i, row, &class_index), MICA_OK);
            assert_near(row[1], (float)i + 2);
            assert_string_equal(mica_data_class_name(data, class_index), expected[i + 1 + gap]);
        }
        mica_data_destroy(data);
    }
}

/* ---- Parts and scales ---- */

/* Windows begin at 0 to 15, and tell three rows. Of the first half those that tell what validation tells are left out. */
static void test_split(void **state)
{
    (void)state;
    mica_data *data = opened(20, (mica_csv_desc){.label = "t", .columns = t_alone, .series = {.sequence_length = 2, .horizon = 3},
                                                 .split = {.fraction = {0.5f, 0.25f, 0.25f}, .seed = 7},
                                                 .normalize = {.type = MICA_MIN_MAX}});
    assert_good(data);
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 6);
    assert_int_equal(mica_data_count(data, MICA_VALIDATION), 2);
    assert_int_equal(mica_data_count(data, MICA_TEST), 4);
    /* Training sees rows 0 to 9, to which both are fitted; validation tells rows 10 to 13, and sees what was told before. */
    ASSERT_VALUES(data, MICA_INPUT, MICA_TRAIN, 5, 5.0f / 9, 6.0f / 9);
    ASSERT_VALUES(data, MICA_TARGET, MICA_TRAIN, 5, 7.0f / 9, 8.0f / 9, 1);
    ASSERT_VALUES(data, MICA_INPUT, MICA_VALIDATION, 0, 8.0f / 9, 1);
    ASSERT_VALUES(data, MICA_TARGET, MICA_VALIDATION, 1, 11.0f / 9, 12.0f / 9, 13.0f / 9);
    ASSERT_VALUES(data, MICA_TARGET, MICA_TEST, 0, 14.0f / 9, 15.0f / 9, 16.0f / 9);
    ASSERT_VALUES(data, MICA_TARGET, MICA_TEST, 3, 17.0f / 9, 18.0f / 9, 19.0f / 9);
    mica_data_destroy(data);
}

static void test_hold_out(void **state)
{
    (void)state;
    mica_data *data = opened(12, (mica_csv_desc){.label = "t", .columns = t_alone, .series = {.sequence_length = 2},
                                                 .normalize = {.type = MICA_STANDARD}});
    assert_int_equal(mica_data_hold_out(data, 0.3f, 1), MICA_OK);
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 7);
    assert_int_equal(mica_data_count(data, MICA_VALIDATION), 3);
    const struct mi_preprocess *p = &input_of(data)->preprocess; /* rows 0 to 8 */
    assert_near((float)p->subtract[0], 4);
    assert_near((float)p->divide[0], sqrtf(60.0f / 9));
    assert_near((float)target_of(data)->preprocess.divide[0], (float)p->divide[0]);
    mica_data_destroy(data);
}

/* Values of a target that were normalised, as they were. */
static void test_undo(void **state)
{
    (void)state;
    const mica_column_field fields[] = {{.role = MICA_INPUT, .columns = t_alone},
                                        {.role = MICA_TARGET, .columns = two, .regression = true,
                                         .normalize = {.type = MICA_STANDARD}}};
    mica_data *data = opened(9, (mica_csv_desc){.fields = fields, .field_count = 2, .series = {.sequence_length = 2, .horizon = 2}});
    float values[4];
    assert_good(data);
    mi_field_values(target_of(data), 3, values);
    mi_preprocess_undo(&target_of(data)->preprocess, values, 1);
    const float expected[] = {5, 50, 6, 60};
    for (int i = 0; i < 4; i++)
        assert_near(values[i], expected[i]);
    mica_data_destroy(data);
}

/* ---- A model's series ---- */

/* What a model saw is read again: with targets for an evaluation, without for the future, up to the last row. */
static void test_fitted(void **state)
{
    (void)state;
    const mica_series series = {.sequence_length = 2, .sequence_stride = 2};
    mica_data *data = opened(11, (mica_csv_desc){.label = "t", .columns = t_alone, .series = series,
                                                 .normalize = {.type = MICA_MIN_MAX}});
    const struct mi_prepared *model = prepared_of(data);
    assert_good(data);
    mica_data_destroy(data);
    const char *path = scratch_text("more.csv", "ten,t\n1,5\n1,15\n1,25\n1,35\n1,45\n");
    data = mi_csv_open(NULL, path, &(mica_csv_desc){0}, model);
    assert_good(data);
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 2);
    ASSERT_VALUES(data, MICA_INPUT, MICA_TRAIN, 1, 2.5f, 3.5f);
    ASSERT_VALUES(data, MICA_TARGET, MICA_TRAIN, 1, 4.5f);
    mica_data_destroy(data);
    data = mi_inputs_open(NULL, path, model, NULL, &MICA_SHAPE(2, 1));
    assert_good(data);
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 2);
    ASSERT_VALUES(data, MICA_INPUT, MICA_TRAIN, 0, 1.5f, 2.5f);
    ASSERT_VALUES(data, MICA_INPUT, MICA_TRAIN, 1, 3.5f, 4.5f);
    mica_data_destroy(data);
    assert_refused(mi_inputs_open(NULL, scratch_text("one.csv", "t\n5\n"), model, NULL, &MICA_SHAPE(2, 1)), MICA_DATA,
                   "1 rows are too few for a window, which has 2 steps 1 apart");
}

/* A table without a header whose label is an input, too, is read by its places. */
static void test_places(void **state)
{
    (void)state;
    const char *path = scratch_text("plain.csv", "0,1,0\n1,2,0\n2,4,1\n3,8,1\n");
    mica_data *data = mica_csv_open(NULL, path, &(mica_csv_desc){.label = "1", .regression = true, .header = MICA_HEADER_NO,
                                                                 .series = {.sequence_length = 2}});
    const struct mi_prepared *model = prepared_of(data);
    assert_good(data);
    mica_data_destroy(data);
    data = mi_inputs_open(NULL, path, model, NULL, &MICA_SHAPE(2, 3));
    assert_good(data);
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 3);
    ASSERT_VALUES(data, MICA_INPUT, MICA_TRAIN, 2, 2, 4, 1, 3, 8, 1);
    mica_data_destroy(data);
}

/* ---- Dates ---- */

static const char *dated(const char *const *dates, size_t count)
{
    static char text[2048];
    size_t used = (size_t)mi_format(text, sizeof text, "day,x\n");
    for (size_t i = 0; i < count; i++)
        used += (size_t)mi_format(text + used, sizeof text - used, "%s,%zu\n", dates[i], i);
    return text;
}

static mica_data *open_dated(const char *const *dates, size_t count, int64_t horizon)
{
    return mica_csv_open(NULL, scratch_text("dates.csv", dated(dates, count)), &(mica_csv_desc){
        .label = "x", .regression = true, .date = "day", .series = {.sequence_length = 2, .horizon = horizon}});
}

/* How dates follow one another, and that of the first step that a forecast behind the end tells. */
static void test_dates(void **state)
{
    (void)state;
    static const struct { const char *dates[6], *note, *next; } cases[] = {
        {{"1949-11", "1949-12", "1950-01", "1950-02"}, "dates: from 1949-11 to 1950-02, a step is a month", "1950-03"},
        {{"2023-11-30", "2023-12-30", "2024-01-30"}, "a step is a month", "2024-02-29"},
        {{"2023-12-31", "2024-01-31", "2024-02-29"}, "a step is a month", "2024-03-31"},
        {{"1999", "2001", "2003", "2005"}, "dates: from 1999 to 2005, a step is 2 years", "2007"},
        {{"2024-02-26", "2024-02-27", "2024-02-28"}, "a step is a day", "2024-02-29"},
        {{"2024-02-19", "2024-02-26", "2024-03-04"}, "a step is a week", "2024-03-11"},
        {{"01.01.2009 23:50:00", "02.01.2009 00:00:00", "02.01.2009 00:10:00"}, "a step is 10 minutes", "2009-01-02 00:20:00"},
        {{"2024-01-01 21:00", "2024-01-01 22:00", "2024-01-01 23:00"}, "a step is an hour", "2024-01-02 00:00"},
        {{"1984-12-29", "1984-12-30", "1985-01-01", "1985-01-02", "1985-01-03"},
         "a step is a day; 1 of 4 are not, the first from 1984-12-30 to 1985-01-01: windows pass over that", "1985-01-04"},
        {{"2024-01-01", "2024-01-02", "2024-01-02", "2024-01-03"}, "1 of 3 are not, the first from 2024-01-02 to 2024-01-02",
         "2024-01-04"},
        {{"9997", "9998", "9999"}, "a step is a year", ""},
    };
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        size_t count = 0;
        char text[32];
        while (count < 6 && cases[i].dates[count])
            count++;
        mica_data *data = open_dated(cases[i].dates, count, 1);
        assert_good(data);
        assert_int_equal(input_of(data)->elements, 2); /* the dates are no input */
        assert_says(mica_data_note(data, 1), cases[i].note);
        assert_int_equal(mica_data_date(data, MICA_TRAIN, 0, text, sizeof text), MICA_OK);
        struct mi_shape_text third;
        assert_true(mi_dates_text(data, 2, &third));
        assert_string_equal(text, third.text);
        const struct mi_prepared *model = prepared_of(data);
        mica_data_destroy(data);
        data = mi_inputs_open(NULL, scratch_path("dates.csv"), model, NULL, &MICA_SHAPE(2, 1));
        assert_good(data);
        assert_int_equal(mica_data_date(data, MICA_TRAIN, (int64_t)count - 2, text, sizeof text), MICA_OK);
        assert_string_equal(text, cases[i].next);
        mica_data_destroy(data);
        data = mi_inputs_open(NULL, scratch_text("bare.csv", "x\n1\n2\n3\n"), model, NULL, &MICA_SHAPE(2, 1));
        assert_good(data); /* they may be absent */
        assert_int_equal(mica_data_date(data, MICA_TRAIN, 0, text, sizeof text), MICA_OK);
        assert_string_equal(text, "");
        mica_data_destroy(data);
    }
}

static void test_bad_dates(void **state)
{
    (void)state;
    static const char *const back[] = {"2024-01", "2024-03", "2024-02"}, *const none[] = {"2024-01", "soon", "2024-02"};
    assert_refused(open_dated(back, 3, 1), MICA_DATA,
                   "line 4, column 1 (day): 2024-02 is before the date above it; the rows of a series are in order of time");
    assert_refused(open_dated(none, 3, 1), MICA_DATA, "line 3, column 1 (day): \"soon\" is no date");
    assert_refused(mica_csv_open(NULL, scratch_path("dates.csv"), &(mica_csv_desc){.label = "x", .regression = true, .date = "month",
                                                                                   .series = {.sequence_length = 1}}),
                   MICA_DATA, "date: there is no column \"month\"");
}

/* ---- Missing values ---- */

static mica_data *open_gaps(const char *text, mica_missing missing)
{
    return mica_csv_open(NULL, scratch_text("gaps.csv", text), &(mica_csv_desc){
        .label = "x", .regression = true, .missing = missing, .series = {.sequence_length = 2}});
}

static void test_missing(void **state)
{
    (void)state;
    static const char gaps[] = "x,y\n1,2\n3,\n,NA\n5,6\n7,8\n";
    mica_data *data = open_gaps(gaps, MICA_MISSING_PREVIOUS);
    assert_good(data);
    ASSERT_VALUES(data, MICA_INPUT, MICA_TRAIN, 1, 3, 2, 3, 2);
    ASSERT_VALUES(data, MICA_TARGET, MICA_TRAIN, 0, 3);
    ASSERT_VALUES(data, MICA_TARGET, MICA_TRAIN, 1, 5);
    assert_says(mica_data_note(data, mica_data_notes(data) - 1), "2 of 5 lines take missing values from the line above; the first is line 3");
    const struct mi_prepared *model = prepared_of(data);
    mica_data_destroy(data);
    data = mi_inputs_open(NULL, scratch_text("new.csv", "y,x\n2,1\n,4\n"), model, NULL, &MICA_SHAPE(2, 2));
    assert_good(data);
    ASSERT_VALUES(data, MICA_INPUT, MICA_TRAIN, 0, 1, 2, 4, 2);
    mica_data_destroy(data);
    assert_refused(open_gaps(gaps, MICA_MISSING_ERROR), MICA_DATA, "line 3, column 2 (y): the value is missing");
    assert_refused(open_gaps(gaps, MICA_MISSING_DROP), MICA_DATA, "line 3 lacks a value, and a series has no row less");
    assert_refused(open_gaps("x,y\n1,\n3,4\n5,6\n", MICA_MISSING_PREVIOUS), MICA_DATA,
                   "line 2, column 2 (y): the value is missing, and there is no row above");
}

/* ---- Arrays and specifications ---- */

static void test_arrays(void **state)
{
    (void)state;
    float rows[10], told[5];
    for (int i = 0; i < 10; i++)
        rows[i] = (float)i;
    for (int i = 0; i < 5; i++)
        told[i] = (float)(100 * i);
    const mica_field fields[] = {{.role = MICA_INPUT, .shape = MICA_SHAPE(2), .values = rows},
                                 {.role = MICA_TARGET, .shape = MICA_SHAPE(1), .values = told}};
    mica_fields_desc desc = {.samples = 5, .fields = fields, .field_count = 2, .series = {.sequence_length = 2}};
    mica_data *data = mica_fields_open(NULL, &desc);
    assert_good(data);
    ASSERT_VALUES(data, MICA_INPUT, MICA_TRAIN, 2, 4, 5, 6, 7);
    ASSERT_VALUES(data, MICA_TARGET, MICA_TRAIN, 2, 400);
    assert_string_equal(mi_data_sample_text(data, 2).text, "sample 2");
    mica_data_destroy(data);
    const unsigned char bytes[10] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    const mica_field small = {.shape = MICA_SHAPE(2), .elements = bytes, .type = MICA_UINT8};
    data = mica_fields_open(NULL, &(mica_fields_desc){.samples = 5, .fields = &small, .field_count = 1, .series = {.sequence_length = 2}});
    assert_good(data);
    ASSERT_VALUES(data, MICA_INPUT, MICA_TRAIN, 2, 4, 5, 6, 7);
    mica_data_destroy(data);
    const int64_t lengths[5] = {2, 1, 2, 2, 2};
    const mica_field varying = {.shape = MICA_SHAPE(2), .values = rows, .lengths = lengths};
    assert_refused(mica_fields_open(NULL, &(mica_fields_desc){.samples = 5, .fields = &varying, .field_count = 1,
                                                              .series = {.sequence_length = 2}}),
                   MICA_INVALID_ARGUMENT, "arrays: inputs: rows of a series have no lengths");
    desc.series.sequence_length = 6;
    assert_refused(mica_fields_open(NULL, &desc), MICA_DATA, "arrays: 5 rows are too few for a window, which has 6 steps 1 apart");
}

static mica_data *spec(const char *keys)
{
    char text[512], folder[320];
    const char *path = scratch_text("series.csv", rows_of(9));
    mi_format(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = 0;
    mi_format(text, sizeof text, "{\"format\": \"csv\", \"path\": \"series.csv\", %s}", keys);
    cJSON *json = cJSON_Parse(text);
    assert_non_null(json);
    mica_data *data = mi_data_from_spec(NULL, json, folder, "job.json: data", NULL, NULL);
    cJSON_Delete(json);
    return data;
}

static void test_spec(void **state)
{
    (void)state;
    mica_data *data = spec("\"columns\": [\"ten\"], \"sequence_length\": 4, \"sequence_stride\": 2, \"sampling_rate\": 2");
    assert_good(data);
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 2);
    ASSERT_VALUES(data, MICA_INPUT, MICA_TRAIN, 1, 20, 40, 60, 80);
    mica_data_destroy(data);
    assert_refused(spec("\"sequence_length\": 0"), MICA_FORMAT, "\"sequence_length\" must be a whole number from 1 to 2147483647");
    assert_refused(spec("\"horizon\": 2"), MICA_FORMAT, "\"horizon\" is of windows, which need a \"sequence_length\"");
    assert_refused(spec("\"sequence_length\": 3, \"gap\": -4"), MICA_FORMAT, "\"gap\" must be a whole number from -3 to");
    assert_refused(spec("\"sequence_length\": 3, \"missing\": \"drop\""), MICA_FORMAT, "a series has no row less");
    assert_refused(spec("\"date\": \"t\""), MICA_FORMAT, "\"date\" is of windows, which need a \"sequence_length\"");
    assert_refused(spec("\"sequence_length\": 3, \"shuffle\": true"), MICA_FORMAT, "\"shuffle\" must be false");
    assert_refused(spec("\"sequence_length\": 2147483647, \"sampling_rate\": 2147483647"), MICA_DATA, "9 rows are too few");
}

/* Numbers of a model's file are not believed. */
static void test_hostile(void **state)
{
    (void)state;
    static const char *const windows[] = {
        "{\"steps\": 0, \"first\": 0, \"told\": 3, \"rate\": 1, \"stride\": 1}", "{\"steps\": 3, \"first\": -1, \"told\": 3, \"rate\": 1, \"stride\": 1}",
        "{\"steps\": 3, \"first\": 0, \"told\": 3, \"rate\": 0, \"stride\": 1}", "{\"steps\": 3, \"first\": 0, \"told\": 3, \"rate\": 1, \"stride\": 1e300}",
        "{\"steps\": 4, \"first\": 0, \"told\": 3, \"rate\": 1, \"stride\": 1}", "{}", "3"};
    for (size_t i = 0; i < MI_COUNT(windows); i++) {
        struct mi_error error = {MICA_OK, ""};
        struct mi_preprocess out;
        char text[256];
        mi_format(text, sizeof text, "{\"role\": \"input\", \"shape\": [3, 2], \"window\": %s}", windows[i]);
        cJSON *json = cJSON_Parse(text);
        assert_int_equal(mi_preprocess_from_json(&error, "model", json, &out), MICA_FORMAT);
        assert_says(error.text, "model: preprocessing: ");
        cJSON_Delete(json);
    }
}

/* A model of which one field is of a series and another is not. */
static void test_half(void **state)
{
    (void)state;
    static const char text[] =
        "[{\"role\": \"input\", \"shape\": [2, 1], \"window\": {\"steps\": 2, \"first\": 0, \"told\": 2, \"rate\": 1, \"stride\": 1}, "
        "\"table_columns\": 3, \"columns\": [{\"name\": \"t\", \"index\": 0}]}, {\"role\": \"target\", \"shape\": [1], "
        "\"table_columns\": 3, \"columns\": [{\"name\": \"ten\", \"index\": 1}]}]";
    struct mi_error error = {MICA_OK, ""};
    struct mi_prepared model;
    cJSON *json = cJSON_Parse(text);
    assert_int_equal(mi_prepared_from_json(&error, "model", json, &model), MICA_OK);
    assert_refused(mi_csv_open(NULL, scratch_text("series.csv", rows_of(5)), &(mica_csv_desc){0}, &model), MICA_DATA,
                   "the field is of no series, and others are");
    mi_prepared_destroy(&model);
    cJSON_Delete(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows), cmocka_unit_test(test_label),    cmocka_unit_test(test_steps),  cmocka_unit_test(test_targets),
        cmocka_unit_test(test_classes), cmocka_unit_test(test_split),    cmocka_unit_test(test_hold_out), cmocka_unit_test(test_undo),
        cmocka_unit_test(test_fitted),  cmocka_unit_test(test_places),   cmocka_unit_test(test_arrays), cmocka_unit_test(test_spec),
        cmocka_unit_test(test_hostile), cmocka_unit_test(test_dates),    cmocka_unit_test(test_bad_dates), cmocka_unit_test(test_missing), cmocka_unit_test(test_half),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
