/* Data sets of arrays: parts, holding out, normalisation, and the preprocessing that a model keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/data.h"

#include <math.h>
#include <string.h>

static void assert_near(float a, float b)
{
    if (!(fabsf(a - b) <= 1e-5f * (1 + fabsf(b))))
        fail_msg("%.9g is not %.9g", (double)a, (double)b);
}

static const struct mi_field *input_of(const mica_data *data)
{
    return mi_data_field(data, MICA_INPUT, NULL);
}

static void assert_good(const mica_data *data)
{
    assert_non_null(data);
    if (mica_data_status(data) != MICA_OK)
        fail_msg("%s", mica_data_error(data));
}

static void assert_refused(mica_data *data, mica_status status, const char *part)
{
    assert_non_null(data);
    if (!strstr(mica_data_error(data), part))
        fail_msg("the error is \"%s\"; it should say \"%s\"", mica_data_error(data), part);
    assert_int_equal(mica_data_status(data), status);
    mica_data_destroy(data);
}

enum { SAMPLES = 20 };

/* Sample i is (i, 5, i * i), its class i % 3. */
static mica_data *open_counting(mica_normalize normalize, mica_split split)
{
    float inputs[SAMPLES][3];
    int32_t classes[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
        inputs[i][0] = (float)i;
        inputs[i][1] = 5;
        inputs[i][2] = (float)(i * i);
        classes[i] = i % 3;
    }
    return mica_arrays_open(NULL, &(mica_arrays_desc){.samples = SAMPLES, .input_shape = MICA_SHAPE(3),
                                                      .inputs = inputs[0], .classes = classes,
                                                      .normalize = normalize, .split = split});
}

static const mica_normalize plain = {.type = MICA_NORMALIZE_NONE};

/* Which samples a part holds, by their first column. */
static void members(const mica_data *data, mica_part part, int *out)
{
    float row[3];
    int32_t label;
    for (int64_t i = 0; i < mica_data_count(data, part); i++) {
        assert_int_equal(mica_data_sample(data, part, i, row, &label), MICA_OK);
        out[i] = (int)row[0];
        assert_int_equal(label, out[i] % 3);
    }
}

static void test_split(void **state)
{
    (void)state;
    int seen[SAMPLES] = {0}, again[SAMPLES], first[SAMPLES];
    mica_split split = {.fraction = {0.7f, 0.15f, 0.15f}, .seed = 4};
    mica_data *data = open_counting(plain, split), *twin = open_counting(plain, split);
    assert_good(data);
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 14);
    assert_int_equal(mica_data_count(data, MICA_VALIDATION), 3);
    assert_int_equal(mica_data_count(data, MICA_TEST), 3);
    int sorted = 1;
    for (int part = 0; part < 3; part++) {
        members(data, (mica_part)part, first);
        members(twin, (mica_part)part, again);
        for (int64_t i = 0; i < mica_data_count(data, (mica_part)part); i++) {
            assert_int_equal(first[i], again[i]);
            sorted = sorted && (i == 0 || first[i] > first[i - 1]);
            seen[first[i]]++;
        }
    }
    assert_false(sorted);
    for (int i = 0; i < SAMPLES; i++)
        assert_int_equal(seen[i], 1);
    mica_data_destroy(data);
    mica_data_destroy(twin);
    split.no_shuffle = true;
    data = open_counting(plain, split);
    members(data, MICA_TEST, first);
    assert_int_equal(first[0], 17);
    mica_data_destroy(data);
}

static void test_hold_out(void **state)
{
    (void)state;
    int first[SAMPLES], seen[SAMPLES] = {0};
    mica_data *data = open_counting((mica_normalize){.type = MICA_MIN_MAX}, (mica_split){.seed = 0});
    assert_int_equal(mica_data_hold_out(data, 0.1f, 3), MICA_OK);
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 18);
    assert_int_equal(mica_data_count(data, MICA_VALIDATION), 2);
    int64_t held[2] = {mi_data_index(data, MICA_VALIDATION, 0), mi_data_index(data, MICA_VALIDATION, 1)};
    assert_true(held[0] < held[1]);
    assert_int_equal(mica_data_hold_out(data, 0.5f, 9), MICA_OK); /* again: from the whole training part */
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 10);
    assert_int_equal(mica_data_hold_out(data, 0.1f, 3), MICA_OK);
    assert_int_equal(mi_data_index(data, MICA_VALIDATION, 0), held[0]);
    assert_int_equal(mi_data_index(data, MICA_VALIDATION, 1), held[1]);
    for (int64_t i = 0; i < 18; i++) {
        first[i] = (int)mi_data_index(data, MICA_TRAIN, i);
        assert_true(i == 0 || first[i] > first[i - 1]);
        seen[first[i]]++;
    }
    assert_int_equal(seen[held[0]] + seen[held[1]], 0);
    assert_int_equal(mica_data_hold_out(data, 0.99f, 3), MICA_DATA);
    assert_refused(data, MICA_DATA, "leaves none to train");
    data = open_counting(plain, (mica_split){.fraction = {0.5f, 0.5f}});
    assert_int_equal(mica_data_hold_out(data, 0.1f, 3), MICA_INVALID_ARGUMENT);
    assert_refused(data, MICA_INVALID_ARGUMENT, "the data have a validation part of 10 samples");
    data = open_counting(plain, (mica_split){.seed = 0});
    assert_int_equal(mica_data_hold_out(data, 1, 3), MICA_INVALID_ARGUMENT);
    assert_refused(data, MICA_INVALID_ARGUMENT, "validation_split is 1");
}

/* The parameters come from the training part, and change with it. */
static void test_fitted_on_training(void **state)
{
    (void)state;
    float row[3];
    mica_data *data = open_counting((mica_normalize){.type = MICA_STANDARD},
                                    (mica_split){.fraction = {0.5f, 0, 0.5f}, .no_shuffle = true});
    assert_good(data);
    assert_near((float)input_of(data)->preprocess.subtract[0], 4.5f);
    assert_near((float)input_of(data)->preprocess.divide[0], sqrtf(8.25f));
    assert_near((float)input_of(data)->preprocess.divide[1], 1);
    assert_int_equal(mica_data_sample(data, MICA_TEST, 0, row, NULL), MICA_OK);
    assert_near(row[0], (10 - 4.5f) / sqrtf(8.25f));
    assert_near(row[1], 0);
    mica_data_destroy(data);
    data = open_counting((mica_normalize){.type = MICA_MIN_MAX},
                         (mica_split){.fraction = {0.5f, 0, 0.5f}, .no_shuffle = true});
    assert_int_equal(mica_data_hold_out(data, 0.5f, 1), MICA_OK);
    int64_t least = mi_data_index(data, MICA_TRAIN, 0), most = mi_data_index(data, MICA_TRAIN, 4);
    assert_near((float)input_of(data)->preprocess.subtract[0], (float)least);
    assert_near((float)input_of(data)->preprocess.divide[0], (float)(most - least));
    assert_near((float)input_of(data)->preprocess.divide[1], 1);
    mica_data_destroy(data);
}

static void test_given_normalisation(void **state)
{
    (void)state;
    static const float mean[3] = {1, 2, 3}, std[3] = {2, 4, 8}, zero[3] = {1, 0, 1};
    float row[3];
    mica_data *data = open_counting((mica_normalize){.type = MICA_MEAN_STD, .mean = mean, .std = std,
                                                     .count = 3},
                                    (mica_split){.seed = 0});
    assert_good(data);
    assert_int_equal(mica_data_sample(data, MICA_TRAIN, 3, row, NULL), MICA_OK);
    assert_near(row[0], 1);
    assert_near(row[1], 0.75f);
    assert_near(row[2], 0.75f);
    mica_data_destroy(data);
    data = open_counting((mica_normalize){.type = MICA_MEAN_STD, .mean = mean, .std = std, .count = 1},
                         (mica_split){.seed = 0});
    assert_good(data);
    assert_int_equal(input_of(data)->preprocess.count, 1);
    mica_data_destroy(data);
    assert_refused(open_counting((mica_normalize){.type = MICA_MEAN_STD, .mean = mean, .std = std,
                                                  .count = 2},
                                 (mica_split){.seed = 0}), MICA_INVALID_ARGUMENT,
                   "2 means and deviations for 3 columns");
    assert_refused(open_counting((mica_normalize){.type = MICA_MEAN_STD, .mean = mean, .std = zero,
                                                  .count = 3},
                                 (mica_split){.seed = 0}), MICA_INVALID_ARGUMENT, "std 0 (place 1)");
    assert_refused(open_counting((mica_normalize){.type = MICA_DIVIDE_BY, .divide_by = NAN},
                                 (mica_split){.seed = 0}),
                   MICA_INVALID_ARGUMENT, "divide_by is nan");
}

static void test_channels(void **state)
{
    (void)state;
    float images[4][2][3], row[6];
    for (int i = 0; i < 4; i++)
        for (int p = 0; p < 3; p++) {
            images[i][0][p] = (float)(i + p);
            images[i][1][p] = 7;
        }
    mica_data *data = mica_arrays_open(NULL, &(mica_arrays_desc){
        .samples = 4, .input_shape = MICA_SHAPE(2, 1, 3), .inputs = images[0][0],
        .normalize = {.type = MICA_STANDARD}});
    assert_good(data);
    assert_int_equal(input_of(data)->preprocess.count, 2);
    assert_near((float)input_of(data)->preprocess.subtract[0], 2.5f);
    assert_int_equal(mica_data_sample(data, MICA_TRAIN, 0, row, NULL), MICA_OK);
    assert_near(row[3], 0);
    mica_data_destroy(data);
}

static void test_arrays_refused(void **state)
{
    (void)state;
    static const float inputs[4] = {1, 2, NAN, 4}, good[2] = {1, 2}, values[2] = {1, INFINITY};
    static const int32_t negative[2] = {0, -1};
    mica_arrays_desc desc = {.samples = 2, .input_shape = MICA_SHAPE(2), .inputs = inputs};
    assert_refused(mica_arrays_open(NULL, &desc), MICA_DATA, "inputs: row 1, column 0 is nan");
    desc.input_shape = MICA_SHAPE(1);
    desc.inputs = good;
    desc.values = values;
    assert_refused(mica_arrays_open(NULL, &desc), MICA_DATA, "labels: row 1, column 0 is inf");
    desc.classes = negative;
    assert_refused(mica_arrays_open(NULL, &desc), MICA_INVALID_ARGUMENT, "more than one of values, elements and classes");
    desc.values = NULL;
    assert_refused(mica_arrays_open(NULL, &desc), MICA_DATA, "the label of sample 1 is -1");
    desc.samples = 0;
    assert_refused(mica_arrays_open(NULL, &desc), MICA_INVALID_ARGUMENT, "samples is 0");
    desc.samples = INT64_MAX;
    assert_refused(mica_arrays_open(NULL, &desc), MICA_INVALID_ARGUMENT, "samples is 9223372036854775807");
    desc.samples = 2;
    desc.input_shape = (mica_shape){2, {2, 0}};
    assert_refused(mica_arrays_open(NULL, &desc), MICA_SHAPE, "the shape of inputs is [2, 0]");
    assert_refused(mica_arrays_open(NULL, NULL), MICA_INVALID_ARGUMENT, "fields are missing");
}

static void test_classes_at_places_refused(void **state)
{
    (void)state;
    static const float inputs[2] = {1, 2};
    static const int32_t classes[4] = {0, 3, 1, 2}, negative[4] = {0, 1, 2, -1};
    mica_field fields[] = {{.role = MICA_INPUT, .shape = MICA_SHAPE(1), .values = inputs},
                           {.role = MICA_TARGET, .shape = MICA_SHAPE(2), .classes = classes}};
    mica_fields_desc desc = {.samples = 2, .fields = fields, .field_count = 2};
    mica_data *data = mica_fields_open(NULL, &desc);
    assert_good(data);
    assert_int_equal(mica_data_classes(data), 4);
    mica_data_destroy(data);
    desc.series.sequence_length = 1;
    assert_refused(mica_fields_open(NULL, &desc), MICA_SHAPE, "a row of the series labels has shape [2]; a row has one class");
    desc.series.sequence_length = 0;
    fields[1].classes = negative;
    assert_refused(mica_fields_open(NULL, &desc), MICA_DATA, "labels: row 1 has class -1 at place 1; classes count from 0 to");
    fields[1].values = inputs;
    assert_refused(mica_fields_open(NULL, &desc), MICA_INVALID_ARGUMENT, "more than one of values, elements and classes");
    fields[1] = (mica_field){.role = MICA_INPUT, .shape = MICA_SHAPE(2), .classes = classes, .name = "x"};
    assert_refused(mica_fields_open(NULL, &desc), MICA_INVALID_ARGUMENT, "x: only targets are classes");
}

/* ---- What a model keeps ---- */

static struct mi_preprocess table_preprocess(void)
{
    static const char *values[] = {"blue", "red"}, *names[] = {"no", "yes"};
    static struct mi_column columns[2] = {{.name = "size"}, {.name = "colour", .index = 1, .categorical = true, .count = 2,
                                                             .values = values}};
    static double fill[3] = {1.25f, 0, 0}, subtract[3] = {0.1f, 0, 0}, divide[3] = {3, 1, 1};
    return (struct mi_preprocess){.shape = MICA_SHAPE(3), .columns = columns, .column_count = 2, .table_columns = 3, .decimal = '.', .name = "y",
                                  .missing = MICA_MISSING_MEAN, .fill = fill, .classes = 2,
                                  .class_names = names, .normalize = MICA_STANDARD, .count = 3,
                                  .subtract = subtract,
                                  .divide = divide};
}

static void assert_same(const struct mi_preprocess *a, const struct mi_preprocess *b)
{
    assert_true(mi_sample_same(&a->shape, &b->shape));
    assert_int_equal(a->column_count, b->column_count);
    for (int i = 0; i < a->column_count; i++) {
        assert_string_equal(a->columns[i].name, b->columns[i].name);
        assert_int_equal(a->columns[i].categorical, b->columns[i].categorical);
        assert_int_equal(a->columns[i].count, b->columns[i].count);
        for (int v = 0; v < a->columns[i].count; v++)
            assert_string_equal(a->columns[i].values[v], b->columns[i].values[v]);
    }
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->role, b->role);
    assert_int_equal(a->missing, b->missing);
    assert_int_equal(a->classes, b->classes);
    assert_int_equal(a->normalize, b->normalize);
    assert_int_equal(a->count, b->count);
    for (int i = 0; i < a->classes; i++)
        assert_string_equal(a->class_names[i], b->class_names[i]);
    assert_memory_equal(a->fill, b->fill, 3 * sizeof(double));
    assert_memory_equal(a->subtract, b->subtract, (size_t)a->count * sizeof(double));
    assert_memory_equal(a->divide, b->divide, (size_t)a->count * sizeof(double));
}

static void test_json(void **state)
{
    (void)state;
    struct mi_error error = {0};
    struct mi_preprocess before = table_preprocess(), after, copy;
    cJSON *json = mi_preprocess_to_json(&before);
    char *text = cJSON_PrintUnformatted(json);
    cJSON *parsed = cJSON_Parse(text);
    assert_int_equal(mi_preprocess_from_json(&error, "m", parsed, &after), MICA_OK);
    assert_same(&before, &after);
    assert_int_equal(mi_preprocess_copy(&error, &after, &copy), MICA_OK);
    mi_preprocess_destroy(&after);
    assert_same(&before, &copy);
    mi_preprocess_destroy(&copy);
    cJSON_Delete(parsed);
    cJSON_Delete(json);
    cJSON_free(text);
}

static void test_json_refused(void **state)
{
    (void)state;
    static const struct { const char *text; const char *says; } cases[] = {
        {"[]", "is not a JSON object"},
        {"{}", "\"role\" has an unknown value"},
        {"{\"role\": \"input\"}", "\"shape\" is not a list"},
        {"{\"role\": \"input\", \"shape\": []}", "\"shape\" is empty"},
        {"{\"role\": \"input\", \"shape\": [0]}", "not a dimension"},
        {"{\"role\": \"input\", \"shape\": [2147483648, 2147483648]}", "too large"},
        {"{\"role\": \"input\", \"shape\": [1,1,1,1,1,1,1,1,1]}", "at most 8"},
        {"{\"role\": \"input\", \"shape\": [2], \"columns\": [{}]}", "make 1 features, \"shape\" has 2"},
        {"{\"role\": \"input\", \"shape\": [2], \"columns\": [3, 4]}", "not a column"},
        {"{\"role\": \"input\", \"shape\": [2], \"columns\": [{\"values\": [\"b\", \"a\"]}]}", "not in sorted order"},
        {"{\"role\": \"input\", \"shape\": [2], \"classes\": 1e300}", "not a number of classes"},
        {"{\"role\": \"input\", \"shape\": [2], \"classes\": 2, \"class_names\": [\"a\"]}", "has 1 names for 2 classes"},
        {"{\"role\": \"input\", \"shape\": [1], \"table_columns\": 1, \"columns\": [{\"index\": 5}]}", "not places"},
        {"{\"role\": \"input\", \"shape\": [2], \"name\": 5}", "not a text"},
        {"{\"role\": \"input\", \"shape\": [2], \"missing\": \"mean\"}", "\"fill\" is missing"},
        {"{\"role\": \"input\", \"shape\": [2], \"missing\": 7}", "unknown value"},
        {"{\"role\": \"input\", \"shape\": [2], \"fill\": [1]}", "list of 2 numbers"},
        {"{\"role\": \"input\", \"shape\": [3], \"normalize\": {\"type\": \"standard\", \"subtract\": [1, 2], "
         "\"divide\": [1, 2]}}", "2 numbers"},
        {"{\"role\": \"input\", \"shape\": [2], \"normalize\": {\"type\": \"standard\", \"subtract\": [1, 2], "
         "\"divide\": [1, 0]}}", "a zero"},
        {"{\"role\": \"input\", \"shape\": [2], \"normalize\": {\"type\": \"standard\", \"subtract\": [1, 1e300], "
         "\"divide\": [1, 1]}}", "not a number"},
        {"{\"role\": \"input\", \"shape\": [2], \"normalize\": {\"type\": \"odd\"}}", "unknown value"}};
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        struct mi_error error = {0};
        struct mi_preprocess out;
        cJSON *json = cJSON_Parse(cases[i].text);
        assert_non_null(json);
        assert_int_equal(mi_preprocess_from_json(&error, "model", json, &out), MICA_FORMAT);
        if (!strstr(error.text, cases[i].says))
            fail_msg("\"%s\" should say \"%s\"", error.text, cases[i].says);
        assert_null(out.columns);
        cJSON_Delete(json);
    }
}

static void test_apply(void **state)
{
    (void)state;
    struct mi_preprocess p = table_preprocess();
    float rows[6] = {3.1f, 0, 1, NAN, 1, 0};
    mi_preprocess_apply(&p, rows, 2, rows);
    assert_near(rows[0], 1);
    assert_near(rows[2], 1);
    assert_near(rows[3], 1.15f / 3);
    assert_near(rows[4], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),          cmocka_unit_test(test_hold_out),
        cmocka_unit_test(test_fitted_on_training), cmocka_unit_test(test_given_normalisation),
        cmocka_unit_test(test_channels),       cmocka_unit_test(test_arrays_refused),
        cmocka_unit_test(test_classes_at_places_refused),
        cmocka_unit_test(test_json),           cmocka_unit_test(test_json_refused),
        cmocka_unit_test(test_apply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
