/* Labels: texts until the data meet a model, then indices of its outputs or words. */
#include "scratch.h"

#include <stdlib.h>
#include <string.h>

/* A table with one input and these labels, a line each. */
static mica_data *open_labels(const char *const *labels, const struct mi_prepared *fitted)
{
    struct mi_text text = {0};
    mi_text_add(&text, "x,y\n");
    for (int i = 0; labels[i]; i++)
        mi_text_add(&text, "%d,%s\n", i, labels[i]);
    const char *path = scratch_text("labels.csv", mi_text_get(&text));
    mi_text_destroy(&text);
    return mi_csv_open(NULL, path, &(mica_csv_desc){.label = "y"}, fitted);
}

static void assert_classes(const mica_data *data, const int32_t *classes)
{
    assert_good(data);
    for (int64_t i = 0; i < data->samples; i++)
        assert_int_equal(target_of(data)->classes[i], classes[i]);
}

static mica_status settle(mica_data *data, int64_t room)
{
    struct mi_error error = {0};
    return mi_data_settle(data, target_of(data), &error, room);
}

static void test_decided_by_the_model(void **state)
{
    (void)state;
    static const struct { const char *labels[6]; int64_t room; int classes; const char *last; int32_t of[6]; } cases[] = {
        {{"1", "9", "2"}, 10, 10, "9", {1, 9, 2}},         /* no 0 occurs: indices all the same */
        {{"1", "9", "2"}, 9, 3, "9", {0, 2, 1}},           /* no room: words, as numbers in order */
        {{"0", "2", "4"}, 5, 5, "4", {0, 2, 4}},
        {{"0", "2", "4"}, 3, 3, "4", {0, 1, 2}},
        {{"1", "2", "1"}, 2, 2, "2", {0, 1, 0}},
        {{"0", "1", "0"}, 2, 2, "1", {0, 1, 0}},
        {{"7", "007", "10"}, 100, 3, "10", {1, 0, 2}},     /* 007 is no index: texts */
        {{"60", "00060", "60"}, 100, 2, "60", {1, 0, 1}},
        {{"-1", "1", "-1"}, 5, 2, "1", {0, 1, 0}},
        {{"1", "+1", "0"}, 5, 3, "1", {2, 1, 0}},
        {{"1.0", "2.0", "1.0"}, 5, 2, "2.0", {0, 1, 0}},
        {{"10", "9", "b"}, 20, 3, "b", {0, 1, 2}},
        {{"12345678901", "5", "5"}, 20, 2, "12345678901", {1, 0, 0}}};
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        mica_data *data = open_labels(cases[i].labels, NULL);
        assert_good(data);
        assert_int_equal(settle(data, 1000000), MICA_OK); /* one model, and then another */
        assert_int_equal(settle(data, cases[i].room), MICA_OK);
        assert_classes(data, cases[i].of);
        assert_int_equal(mica_data_classes(data), cases[i].classes);
        assert_string_equal(mica_data_class_name(data, cases[i].classes - 1), cases[i].last);
        mica_data_destroy(data);
    }
}

/* What is said before there is a model. */
static void test_without_a_model(void **state)
{
    (void)state;
    static const struct { const char *labels[4]; int classes; int32_t of[4]; } cases[] = {
        {{"0", "2", "1"}, 3, {0, 2, 1}}, {{"0", "4"}, 5, {0, 4}}, {{"3", "1", "2"}, 3, {2, 0, 1}},
        {{"b", "a", "b"}, 2, {1, 0, 1}}};
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        mica_data *data = open_labels(cases[i].labels, NULL);
        assert_classes(data, cases[i].of);
        assert_int_equal(mica_data_classes(data), cases[i].classes);
        mica_data_destroy(data);
    }
}

/* The classes of a model: by name, or by number where the model's data had numbers. */
static void test_of_a_model(void **state)
{
    (void)state;
    static const char *names[] = {"low", "high"}, *numbers[] = {"1", "2", "3"};
    struct mi_column x = {.name = "x"}, y = {.name = "y", .index = 1};
    struct mi_preprocess fields[] = {
        {.role = MICA_INPUT, .shape = MICA_SHAPE(1), .columns = &x, .column_count = 1, .table_columns = 2},
        {.role = MICA_TARGET, .columns = &y, .column_count = 1, .table_columns = 2, .classes = 2, .class_names = names}};
    const struct mi_prepared fitted = {fields, 2};
    mica_data *data = open_labels((const char *const[]){"high", "low", NULL}, &fitted);
    assert_classes(data, (const int32_t[]){1, 0});
    mica_data_destroy(data);
    assert_refused(open_labels((const char *const[]){"1", "0", NULL}, &fitted), MICA_DATA,
                   "line 3: the label \"0\" is not one of the 2 known classes");
    fields[1].label_numbers = true;
    data = open_labels((const char *const[]){"1", "0", NULL}, &fitted);
    assert_classes(data, (const int32_t[]){1, 0});
    mica_data_destroy(data);
    assert_refused(open_labels((const char *const[]){"1", "2", NULL}, &fitted), MICA_DATA,
                   "line 3: the label \"2\" is not one of the 2 known classes");
    fields[1].label_numbers = false;
    fields[1].class_names = numbers;
    fields[1].classes = 3;
    data = open_labels((const char *const[]){"3", "1", NULL}, &fitted);
    assert_classes(data, (const int32_t[]){2, 0});
    assert_int_equal(settle(data, 10), MICA_OK); /* a model's classes stay */
    assert_classes(data, (const int32_t[]){2, 0});
    mica_data_destroy(data);
    assert_refused(open_labels((const char *const[]){"3", "03", NULL}, &fitted), MICA_DATA, "line 3: the label \"03\"");
    fields[1].class_names = NULL;
    data = open_labels((const char *const[]){"2", "1", NULL}, &fitted);
    assert_classes(data, (const int32_t[]){2, 1});
    mica_data_destroy(data);
    assert_refused(open_labels((const char *const[]){"2", "pear", NULL}, &fitted), MICA_DATA,
                   "line 3: the label \"pear\" is no number of a class, and the model's 3 classes have no names");
}

/* scikit-learn's first line names the classes of numbers; a model that was trained so takes the table again. */
static void test_first_line_of_names(void **state)
{
    (void)state;
    static const char text[] = "4,2,low,high\n0,1,0\n1,2,1\n2,2,1\n3,0,0\n", *path;
    mica_data *data = mica_csv_open(NULL, path = scratch_text("t.csv", text), &(mica_csv_desc){.label = "-1"});
    assert_classes(data, (const int32_t[]){0, 1, 1, 0});
    assert_string_equal(mica_data_class_name(data, 1), "high");
    assert_int_equal(settle(data, 2), MICA_OK);
    assert_string_equal(mica_data_class_name(data, 1), "high");
    struct mi_prepared *loaded = prepared_of(data);
    mica_data *again = mi_csv_open(NULL, path, &(mica_csv_desc){.label = "-1"}, loaded);
    assert_classes(again, target_of(data)->classes);
    mica_data_destroy(again);
    again = mi_csv_open(NULL, scratch_text("u.csv", "0,1,1\n1,2,0\n"), &(mica_csv_desc){.label = "-1"}, loaded);
    assert_classes(again, (const int32_t[]){1, 0}); /* the same without that line */
    mica_data_destroy(again);
    loaded->fields[1].label_numbers = false; /* a model of before this was written down: the names tell */
    again = mi_csv_open(NULL, path, &(mica_csv_desc){.label = "-1"}, loaded);
    assert_classes(again, target_of(data)->classes);
    mica_data_destroy(again);
    mica_data_destroy(data);
}

/* Labels of array files go the same way. */
static void test_arrays(void **state)
{
    (void)state;
    static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 3, 4, 1, 2},
                               inputs[] = {0, 0, 8, 2, 0, 0, 0, 3, 0, 0, 0, 1, 7, 8, 9};
    mica_data *data = mica_idx_open(NULL, &(mica_files_desc){
        .part = {{scratch_write("i", inputs, sizeof inputs), scratch_write("l", labels, sizeof labels)}}});
    assert_classes(data, (const int32_t[]){2, 0, 1});
    assert_int_equal(settle(data, 5), MICA_OK);
    assert_classes(data, (const int32_t[]){4, 1, 2});
    assert_int_equal(mica_data_classes(data), 5);
    assert_string_equal(mica_data_class_name(data, 4), "4");
    mica_data_destroy(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decided_by_the_model), cmocka_unit_test(test_without_a_model),
        cmocka_unit_test(test_of_a_model),           cmocka_unit_test(test_first_line_of_names),
        cmocka_unit_test(test_arrays),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
