/* Tables: cells, headers, labels, categories, missing values, and what is refused. */
#include "scratch.h"

#include "formats/table/table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mica_data *open_text(const char *text, const mica_csv_desc *desc)
{
    return mica_csv_open(NULL, scratch_text("table.csv", text), desc);
}

static void test_header_and_words(void **state)
{
    (void)state;
    float row[2];
    int32_t label;
    mica_data *data = open_text("a,b,kind\n1,2,pear\n3,4,apple\n5,6.5,pear\n",
                                &(mica_csv_desc){.label = "kind"});
    assert_good(data);
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 3);
    assert_int_equal(mica_data_shape(data).rank, 1);
    assert_int_equal(mica_data_shape(data).dim[0], 2);
    assert_int_equal(mica_data_classes(data), 2);
    assert_string_equal(mica_data_class_name(data, 0), "apple");
    assert_string_equal(mica_data_class_name(data, 1), "pear");
    assert_int_equal(mica_data_sample(data, MICA_TRAIN, 2, row, &label), MICA_OK);
    assert_near(row[0], 5);
    assert_near(row[1], 6.5f);
    assert_int_equal(label, 1);
    assert_int_equal(mica_data_sample(data, MICA_TRAIN, 3, row, &label), MICA_INVALID_ARGUMENT);
    mica_data_destroy(data);
}

static void test_rfc_4180(void **state)
{
    (void)state;
    struct mi_error error = {0};
    struct mi_table table;
    static const char text[] = "\xef\xbb\xbf\"a \"\"x\"\"\",\"b\r\nc\",d\r\n1, 2 ,\"3\"\r\n\r\n-4.5e1,"
                               "+.5,\" 6\"";
    char *copy = mi_new(sizeof text, 1);
    memcpy(copy, text, sizeof text);
    assert_int_equal(mi_table_parse(&error, "t", copy, sizeof text - 1, NULL, NULL, &table), MICA_OK);
    assert_int_equal(table.rows, 2);
    assert_int_equal(table.columns, 3);
    assert_string_equal(table.names[0], "a \"x\"");
    assert_string_equal(table.names[1], "b\r\nc");
    struct mi_cursor cursor;
    assert_true(mi_cursor_open(&table, &cursor));
    assert_true(mi_cursor_next(&cursor));
    assert_string_equal(cursor.cells[1].text, "2");
    assert_false(cursor.cells[1].quoted);
    assert_true(cursor.cells[2].quoted);
    assert_int_equal(cursor.line, 3);
    assert_true(mi_cursor_next(&cursor));
    assert_string_equal(cursor.cells[0].text, "-4.5e1");
    assert_string_equal(cursor.cells[2].text, " 6");
    assert_int_equal(cursor.line, 5);
    assert_false(mi_cursor_next(&cursor));
    mi_cursor_close(&cursor);
    mi_table_destroy(&table);
}

static void test_numbers(void **state)
{
    (void)state;
    static const char *const good[] = {"0", "-0", "1", "+1.5", ".5", "5.", "1e3", "1E-3",
                                       "123456789012345678901234567890", "0.1", "3.4028235e38", "1e-45",
                                       "2.2250738585072014e-308", "00012", "1e400", "1e-400",
                                       "0.000000000000000000000000000001", "12345.678901234567890123"};
    static const char *const bad[] = {"", ".", "e5", "1e", "1e+", "--1", "1 2", "0x10", "1,5", "nan", "inf",
                                      "1f", "-"};
    double value;
    for (size_t i = 0; i < MI_COUNT(good); i++) {
        assert_true(mi_parse_number(good[i], '.', &value));
        double expected = mi_read_double(good[i], NULL);
        if (isinf(expected))
            assert_true(isinf(value));
        else
            assert_true(fabs(value - expected) <= 1e-14 * fabs(expected) + 1e-320);
    }
    for (size_t i = 0; i < MI_COUNT(bad); i++)
        assert_false(mi_parse_number(bad[i], '.', &value));
}

static void test_delimiters(void **state)
{
    (void)state;
    static const char *const texts[] = {"a;b\n1;2\n3;4\n", "a\tb\n1\t2\n3\t4\n", "a,b\n1,2\n3,4\n",
                                        "a;b\r1;2\r3;4\r", "\"a;x\",b\n1,2\n3,4\n"};
    for (size_t i = 0; i < MI_COUNT(texts); i++) {
        mica_data *data = open_text(texts[i], &(mica_csv_desc){.label = "b", .regression = true});
        float x;
        assert_good(data);
        assert_int_equal(mica_data_count(data, MICA_TRAIN), 2);
        assert_int_equal(mica_data_sample(data, MICA_TRAIN, 1, &x, NULL), MICA_OK);
        assert_near(x, 3);
        assert_near(target_of(data)->floats[1], 4);
        mica_data_destroy(data);
    }
}

/* rows and columns of what the first row is taken for. */
static void test_header_detection(void **state)
{
    (void)state;
    static const struct { const char *text; mica_header header; int rows; } cases[] = {
        {"1,2\n3,4\n", MICA_HEADER_AUTO, 2},          {"a,b\n3,4\n", MICA_HEADER_AUTO, 1},
        {"1,2\n3,4\n", MICA_HEADER_YES, 1},           {"5,x\n6,y\n7,x\n", MICA_HEADER_AUTO, 3},
        {"f,kind\n6,y\n7,x\n", MICA_HEADER_AUTO, 2},  {"p,q\nu,v\nu,w\n", MICA_HEADER_AUTO, 2},
        {"u,v\nu,w\nx,v\n", MICA_HEADER_AUTO, 3},     {"a,b\n,4\n3,\n", MICA_HEADER_AUTO, 2},
        {"?,2\n3,4\n", MICA_HEADER_AUTO, 2},          {",1,2\n0,3,4\n1,5,6\n", MICA_HEADER_AUTO, 3}};
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        struct mi_error error = {0};
        struct mi_table table;
        struct mi_table_hints hints = {.header = cases[i].header};
        char *copy = mi_strdup(cases[i].text);
        assert_int_equal(mi_table_parse(&error, "t", copy, strlen(copy), &hints, NULL, &table), MICA_OK);
        if ((int)table.rows != cases[i].rows)
            fail_msg("case %zu: %zu rows, not %d", i, table.rows, cases[i].rows);
        mi_table_destroy(&table);
    }
}

static void test_label_columns(void **state)
{
    (void)state;
    static const struct { const char *label; float first; int32_t class_index; } cases[] = {
        {"2", 1, 0}, {"-1", 1, 0}, {"-3", 2, 0}, {"0", 2, 0}};
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        mica_data *data = open_text("1,2,0\n3,4,1\n", &(mica_csv_desc){.label = cases[i].label});
        float row[2];
        int32_t label;
        assert_good(data);
        assert_int_equal(mica_data_sample(data, MICA_TRAIN, 0, row, &label), MICA_OK);
        assert_near(row[0], cases[i].first);
        assert_int_equal(label, cases[i].class_index);
        mica_data_destroy(data);
    }
    mica_data *data = open_text("1,2\n3,4\n", &(mica_csv_desc){0});
    assert_good(data);
    assert_int_equal(mica_data_classes(data), 0);
    assert_int_equal(mica_data_shape(data).dim[0], 2);
    mica_data_destroy(data);
}

static void test_number_classes(void **state)
{
    (void)state;
    mica_data *data = open_text("x,y\n1,0\n1,3\n1,1\n", &(mica_csv_desc){.label = "y"});
    assert_good(data);
    assert_int_equal(mica_data_classes(data), 4);
    assert_string_equal(mica_data_class_name(data, 3), "3");
    assert_int_equal(target_of(data)->classes[1], 3);
    mica_data_destroy(data);
    data = open_text("x,y\n1,10\n1,9\n1,10\n", &(mica_csv_desc){.label = "y"});
    assert_good(data);
    assert_int_equal(mica_data_classes(data), 2);
    assert_string_equal(mica_data_class_name(data, 0), "9");
    assert_int_equal(target_of(data)->classes[0], 1);
    mica_data_destroy(data);
    data = open_text("x,y\n1,-1\n1,1\n", &(mica_csv_desc){.label = "y"});
    assert_good(data);
    assert_int_equal(mica_data_classes(data), 2);
    assert_int_equal(target_of(data)->classes[1], 1);
    mica_data_destroy(data);
}

static void test_categorical(void **state)
{
    (void)state;
    static const char *const columns[] = {"colour", NULL};
    float row[4];
    mica_data *data = open_text("size,colour,y\n1,red,0\n3,blue,1\n5,red,1\n7,green,0\n",
                                &(mica_csv_desc){.label = "y", .categorical = columns,
                                                 .normalize = {.type = MICA_STANDARD}});
    assert_good(data);
    assert_int_equal(mica_data_shape(data).dim[0], 4);
    assert_int_equal(mica_data_sample(data, MICA_TRAIN, 1, row, NULL), MICA_OK);
    assert_near(row[0], -1 / sqrtf(5)); /* mean 4, deviation sqrt 5 */
    assert_near(row[1], 1);
    assert_near(row[2], 0);
    assert_near(row[3], 0);
    mica_data_destroy(data);
}

static void test_missing(void **state)
{
    (void)state;
    static const char text[] = "a,b,y\n1,10,0\n,20,1\n5,NA,1\n";
    float row[2];
    assert_refused(open_text(text, &(mica_csv_desc){.label = "y"}), MICA_DATA,
                   "line 3, column 1 (a): the value is missing");
    mica_data *data = open_text(text, &(mica_csv_desc){.label = "y", .missing = MICA_MISSING_DROP});
    assert_good(data);
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 1);
    mica_data_destroy(data);
    data = open_text(text, &(mica_csv_desc){.label = "y", .missing = MICA_MISSING_MEAN});
    assert_good(data);
    assert_int_equal(mica_data_sample(data, MICA_TRAIN, 1, row, NULL), MICA_OK);
    assert_near(row[0], 3);
    assert_int_equal(mica_data_sample(data, MICA_TRAIN, 2, row, NULL), MICA_OK);
    assert_near(row[1], 15);
    mica_data_destroy(data);
    assert_refused(open_text("a,y\n1,0\n2,\n", &(mica_csv_desc){.label = "y", .missing = MICA_MISSING_MEAN}),
                   MICA_DATA, "line 3, column 2 (y)");
}

static void test_regression(void **state)
{
    (void)state;
    mica_data *data = open_text("x,y\n1,2.5\n2,-3\n", &(mica_csv_desc){.label = "y", .regression = true});
    assert_good(data);
    assert_int_equal(mica_data_classes(data), 0);
    assert_near(target_of(data)->floats[0], 2.5f);
    assert_int_equal(target_of(data)->elements, 1);
    mica_data_destroy(data);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        mica_csv_desc desc;
        mica_status status;
        const char *says;
    } cases[] = {
        {"", {0}, MICA_DATA, "the file is empty"},
        {"\n \n", {0}, MICA_DATA, "the file is empty"},
        {"a,b\n", {.header = MICA_HEADER_YES}, MICA_DATA, "no lines below the header"},
        {"a,b\n", {0}, MICA_DATA, "line 1, column 1: \"a\" is not a number, and the table has no other line"},
        {"1,2\n3\n", {0}, MICA_FORMAT, "line 2 has 1 cells, line 1 has 2"},
        {"1,2\n3,4\n5,6,7\n", {0}, MICA_FORMAT, "line 3 has 3 cells, line 2 has 2"},
        {"a,b\n1,\"2\n", {0}, MICA_FORMAT, "line 2, column 2: a quote is never closed"},
        {"a,b\n1,\"2\"x\n", {0}, MICA_FORMAT, "line 2, column 2: text follows a closing quote"},
        {"a,b\n1,2\n3,red\n", {.header = MICA_HEADER_YES}, MICA_DATA,
         "line 3, column 2 (b): \"red\" is not a number; a column of words is listed in \"categorical\", or left out by "
         "\"drop\""},
        {"a,b\n1,2\n3,inf\n", {.header = MICA_HEADER_YES}, MICA_DATA,
         "line 3, column 2 (b): \"inf\" is not a finite number"},
        {"1,2\n3,1e39\n", {0}, MICA_DATA, "line 2, column 2: \"1e39\" is too large for a float"},
        {"1,2\n3,-1e400\n", {0}, MICA_DATA, "line 2, column 2: \"-1e400\" is too large for a float"},
        {"a,b\n1,2\n", {.label = "c"}, MICA_DATA, "label: there is no column \"c\"; there are \"a\", \"b\""},
        {"1,2\n3,4\n", {.label = "kind"}, MICA_DATA, "the table has no header"},
        {"1,2\n3,4\n", {.label = "2"}, MICA_DATA, "there is no column with the index 2; the table has 2 columns, 0 to 1"},
        {"1,2\n3,4\n", {.label = "-3"}, MICA_DATA, "there is no column with the index -3"},
        {"y\n1\n2\n", {.label = "y"}, MICA_DATA, "no column but the label; cells stand between commas"},
        {"x|y\n1|2\n", {.label = "-1"}, MICA_DATA, "no column but the label; cells stand between commas"},
        {"x,y\n1,1.5\n2,2\n", {.label = "y"}, MICA_DATA,
         "line 2: the label 1.5 is not a class"},
        {"x,y\n1,a\n2,2\n", {.label = "y", .regression = true}, MICA_DATA,
         "line 2, column 2 (y): \"a\" is not a number"},
        {"1,2\n3,4\n", {.sample_shape = {3, {1, 2, 2}}}, MICA_SHAPE,
         "a sample has shape [2] (2 elements), not [1, 2, 2] (4"},
        {"1,2\n3,4\n", {.normalize = {.type = MICA_DIVIDE_BY}}, MICA_INVALID_ARGUMENT, "divide_by is 0"},
        {"1,2\n3,4\n", {.split = {.fraction = {0.5f, 0.4f}}}, MICA_INVALID_ARGUMENT, "must sum to 1"},
        {"1,2\n3,4\n", {.split = {.fraction = {0.8f, 0.1f, 0.1f}}}, MICA_DATA, "which is none"}};
    for (size_t i = 0; i < MI_COUNT(cases); i++)
        assert_refused(open_text(cases[i].text, &cases[i].desc), cases[i].status, cases[i].says);
    assert_refused(mica_csv_open(NULL, "/nowhere/at all.csv", &(mica_csv_desc){0}), MICA_IO,
                   "/nowhere/at all.csv: No such");
    assert_refused(mica_csv_open(NULL, scratch_write("zero.csv", "1,\0,2\n", 6), &(mica_csv_desc){0}),
                   MICA_FORMAT, "byte 2 is zero");
}

static void test_packed(void **state)
{
    (void)state;
    static const char text[] = "a,b,y\n1,2,0\n3,4,1\n";
    mica_data *data = mica_csv_open(NULL, scratch_gzip("t.csv.gz", text, sizeof text - 1),
                                    &(mica_csv_desc){.label = "y"});
    assert_good(data);
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 2);
    mica_data_destroy(data);
}

static void test_iris(void **state)
{
    (void)state;
    const char *path = shared_data("tabular/iris.csv");
    mica_data *data = mica_csv_open(NULL, path, &(mica_csv_desc){
        .label = "-1", .normalize = {.type = MICA_STANDARD}, .split = {.fraction = {0.7f, 0.15f, 0.15f}}});
    assert_good(data);
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 105);
    assert_int_equal(mica_data_count(data, MICA_VALIDATION) + mica_data_count(data, MICA_TEST), 45);
    assert_int_equal(mica_data_classes(data), 3);
    assert_string_equal(mica_data_class_name(data, 2), "virginica");
    mica_data_destroy(data);
    data = mica_csv_open(NULL, shared_data("tabular/wine_data.csv"), &(mica_csv_desc){.label = "-1"});
    assert_good(data);
    assert_int_equal(mica_data_shape(data).dim[0], 13);
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 178);
    mica_data_destroy(data);
}

static void test_digits(void **state)
{
    (void)state;
    mica_data *data = mica_csv_open(NULL, shared_data("tabular/digits.csv.gz"), &(mica_csv_desc){
        .label = "64", .sample_shape = MICA_SHAPE(1, 8, 8),
        .normalize = {.type = MICA_DIVIDE_BY, .divide_by = 16}});
    float image[64];
    int32_t label;
    assert_good(data);
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 1797);
    assert_int_equal(mica_data_classes(data), 10);
    assert_int_equal(mica_data_shape(data).rank, 3);
    assert_int_equal(mica_data_sample(data, MICA_TRAIN, 0, image, &label), MICA_OK);
    assert_int_equal(label, 0);
    assert_near(image[2], 5.0f / 16);
    mica_data_destroy(data);
}

static void test_housing(void **state)
{
    (void)state;
    static const char *const categorical[] = {"ocean_proximity", NULL};
    const char *path = shared_data("tabular/california_housing.csv.gz");
    mica_csv_desc desc = {.label = "median_house_value", .regression = true, .categorical = categorical};
    assert_refused(mica_csv_open(NULL, path, &desc), MICA_DATA,
                   "line 292, column 5 (total_bedrooms): the value is missing");
    desc.missing = MICA_MISSING_DROP;
    mica_data *data = mica_csv_open(NULL, path, &desc);
    assert_good(data);
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 20640 - 207);
    assert_int_equal(mica_data_shape(data).dim[0], 8 + 5);
    mica_data_destroy(data);
    desc.missing = MICA_MISSING_MEAN;
    desc.normalize.type = MICA_STANDARD;
    data = mica_csv_open(NULL, path, &desc);
    assert_good(data);
    float row[13];
    assert_int_equal(mica_data_sample(data, MICA_TRAIN, 290, row, NULL), MICA_OK);
    assert_near(row[4], 0); /* the mean, normalised */
    mica_data_destroy(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header_and_words), cmocka_unit_test(test_rfc_4180),
        cmocka_unit_test(test_numbers),          cmocka_unit_test(test_delimiters),
        cmocka_unit_test(test_header_detection), cmocka_unit_test(test_label_columns),
        cmocka_unit_test(test_number_classes),   cmocka_unit_test(test_categorical),
        cmocka_unit_test(test_missing),          cmocka_unit_test(test_regression),
        cmocka_unit_test(test_refusals),         cmocka_unit_test(test_packed),
        cmocka_unit_test(test_iris),             cmocka_unit_test(test_digits),
        cmocka_unit_test(test_housing),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
