/* What reading may take is checked before it is taken: the text, the columns, the samples, the labels. */
#include "scratch.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS = 2000, COLUMNS = 10 };

static const char *table_path(void)
{
    struct mi_text text = {0};
    for (int row = 0; row < ROWS; row++)
        for (int c = 0; c < COLUMNS; c++)
            mi_text_add(&text, c ? ",%d" : "\n%d", c % 10);
    const char *path = scratch_text("table.csv", mi_text_get(&text));
    mi_text_destroy(&text);
    return path;
}

static void test_tables(void **state)
{
    (void)state;
    const uint64_t text = 2 * ROWS * COLUMNS, columns = 256 * COLUMNS, samples = ROWS * (4 * COLUMNS + 40);
    const struct { uint64_t bytes; const char *says; } cases[] = {
        {text - 1, "table.csv: holds more than the limit of 39999 bytes; \"limits\" of the data can be raised"},
        {text + columns - 1, "table.csv: the columns take 2560 bytes, and 2559 of 42559 are left; \"limits\""},
        {text + columns + samples - 1, "table.csv: the samples take 160000 bytes, and 159999 of 202559 are left"}};
    const char *path = table_path();
    for (size_t i = 0; i < MI_COUNT(cases); i++)
        assert_refused(mica_csv_open(NULL, path, &(mica_csv_desc){.limits = {.bytes = cases[i].bytes}}), MICA_FORMAT,
                       cases[i].says);
    mica_data *data = mica_csv_open(NULL, path, &(mica_csv_desc){.limits = {.bytes = text + columns + samples}});
    assert_good(data);
    mica_data_destroy(data);
}

/* A few bytes of text that stand for many columns, or many words for many features. */
static void test_what_grows(void **state)
{
    (void)state;
    struct mi_text text = {0};
    for (int i = 0; i < 100000; i++)
        mi_text_add(&text, ",");
    const char *path = scratch_text("wide.csv", mi_text_get(&text));
    assert_refused(mica_csv_open(NULL, path, &(mica_csv_desc){.limits = {.bytes = 1 << 20}}), MICA_FORMAT,
                   "wide.csv: the columns take 25600256 bytes");
    mi_text_clear(&text);
    mi_text_add(&text, "word,x\n");
    for (int i = 0; i < 3000; i++)
        mi_text_add(&text, "w%d,1\n", i);
    assert_refused(mica_csv_open(NULL, scratch_text("words.csv", mi_text_get(&text)), &(mica_csv_desc){
                       .categorical = (const char *const[]){"word", NULL}, .limits = {.bytes = 1 << 20}}),
                   MICA_FORMAT, "words.csv: the samples take 36132000 bytes");
    mi_text_destroy(&text);
}

static void test_arrays(void **state)
{
    (void)state;
    static float values[1000];
    struct mi_error error = {0};
    const char *inputs = scratch_path("x.npy"), *labels = scratch_path("y.npy");
    assert_int_equal(mi_npy_write(&error, inputs, values, &MICA_SHAPE(10), 100), MICA_OK);
    assert_int_equal(mi_npy_write(&error, labels, values, &MICA_SHAPE(2), 100), MICA_OK);
    const uint64_t files = 4000 + 128 + 800 + 128;
    const struct { uint64_t bytes; const char *says; } cases[] = {
        {4000, "x.npy: holds more than the limit of 4000 bytes"},
        {files - 1, "y.npy: holds more than the limit of 927 bytes"},
        {files + 3999, "x.npy: the samples take 4000 bytes, and 3999 of 9055 are left"}};
    for (size_t i = 0; i < MI_COUNT(cases); i++)
        assert_refused(mica_npy_open(NULL, &(mica_files_desc){.part = {{inputs, labels}}, .regression = true,
                                                              .limits = {.bytes = cases[i].bytes}}),
                       MICA_FORMAT, cases[i].says);
    mica_data *data = mica_npy_open(NULL, &(mica_files_desc){.part = {{inputs, labels}}, .regression = true,
                                                            .limits = {.bytes = files + 4000}});
    assert_good(data); /* the labels come into the room of the inputs' file */
    mica_data_destroy(data);
}

/* Files of other kinds are named. */
static void test_foreign(void **state)
{
    (void)state;
    static const struct { const char *bytes, *says; } cases[] = {
        {"PK\3\4 ...", "this is a zip archive, as .npz and .xlsx are; save one array as .npy with numpy.save"},
        {"PAR1 ...", "this is a Parquet file"}, {"\x89HDF\r\n", "this is an HDF5 file"}, {"\x89PNG\r\n", "this is an image"},
        {"BZh91AY", "this is packed by bzip2; only gzip can be undone"}};
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        const char *path = scratch_text("foreign", cases[i].bytes);
        assert_refused(mica_csv_open(NULL, path, &(mica_csv_desc){0}), MICA_FORMAT, cases[i].says);
        assert_refused(mica_npy_open(NULL, &(mica_files_desc){.part = {{path, NULL}}}), MICA_FORMAT, cases[i].says);
        assert_refused(mi_inputs_open(NULL, path, NULL, "input", &MICA_SHAPE(1)), MICA_FORMAT, cases[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),  cmocka_unit_test(test_what_grows),
        cmocka_unit_test(test_arrays),  cmocka_unit_test(test_foreign),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
