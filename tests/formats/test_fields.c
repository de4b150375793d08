/* Several fields: groups of a table's columns, an array file each, arrays of .npz archives. */
#include "scratch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static char folder[320];

static bool is_price(const void *user, const char *target)
{
    (void)user;
    return target && !strcmp(target, "price");
}

static mica_data *open_spec(const char *text, const struct mi_prepared *fitted)
{
    const struct mi_regressions regressions = {is_price, NULL};
    cJSON *json = cJSON_Parse(text);
    assert_non_null(json);
    mi_format(folder, sizeof folder, "%s", scratch_path("x"));
    *strrchr(folder, '/') = 0;
    mica_data *data = mi_data_from_spec(NULL, json, folder, "job.json: data", fitted, &regressions);
    cJSON_Delete(json);
    return data;
}

static float value_of(const mica_data *data, mica_role role, const char *name, int64_t sample, int element)
{
    float row[8];
    const struct mi_field *field = mi_data_field(data, role, name);
    assert_non_null(field);
    if (field->classes)
        return (float)field->classes[sample];
    mi_field_values(field, sample, row);
    return row[element];
}

/* ---- Tables ---- */

static const char table[] = "id,size,colour,price,kind,w\n7,1,red,2.5,b,1\n8,3,blue,3.5,a,0.5\n9,5,red,4.5,a,2\n";

static const char of_table[] =
    "{\"format\": \"csv\", \"path\": \"t.csv\", \"inputs\": {\"who\": \"id\", \"what\": [\"size\", \"col*\"]}, "
    "\"targets\": {\"price\": \"price\", \"kind\": \"kind\"}, \"sample_weight\": \"w\", \"categorical\": [\"colour\"], "
    "\"normalize\": {\"what\": \"min_max\"}}";

static void assert_table(const mica_data *data)
{
    assert_good(data);
    assert_int_equal(data->samples, 3);
    assert_near(value_of(data, MICA_INPUT, "who", 1, 0), 8); /* nothing was said of it */
    assert_near(value_of(data, MICA_INPUT, "what", 1, 0), 0.5f);
    assert_near(value_of(data, MICA_INPUT, "what", 1, 1), 1);
    assert_near(value_of(data, MICA_INPUT, "what", 2, 2), 1);
    assert_near(value_of(data, MICA_TARGET, "price", 2, 0), 4.5f);
    assert_near(value_of(data, MICA_TARGET, "kind", 0, 0), 1);
    assert_near(value_of(data, MICA_WEIGHT, NULL, 1, 0), 0.5f);
}

/* A target of values can be normalised by its name, and is answered as it was; a class cannot. */
static void test_scaled_target(void **state)
{
    (void)state;
    scratch_text("t.csv", table);
    mica_data *data = open_spec("{\"format\": \"csv\", \"path\": \"t.csv\", \"inputs\": \"size\", \"targets\": {\"price\": \"price\"}, "
                                "\"normalize\": {\"price\": \"min_max\"}}", NULL);
    float price = 0.5f;
    assert_good(data);
    assert_near(value_of(data, MICA_INPUT, NULL, 2, 0), 5); /* nothing was said of it */
    assert_near(value_of(data, MICA_TARGET, "price", 2, 0), 1);
    mi_preprocess_undo(&mi_data_field(data, MICA_TARGET, "price")->preprocess, &price, 1);
    assert_near(price, 3.5f);
    mica_data_destroy(data);
    assert_refused(open_spec("{\"format\": \"csv\", \"path\": \"t.csv\", \"targets\": {\"kind\": \"kind\"}, "
                             "\"normalize\": {\"kind\": \"standard\"}}", NULL), MICA_FORMAT,
                   "normalize.kind: the target is a class, not a value");
    assert_refused(open_spec("{\"format\": \"csv\", \"path\": \"t.csv\", \"targets\": {\"price\": \"price\"}, "
                             "\"normalize\": {\"prize\": \"standard\"}}", NULL), MICA_FORMAT,
                   "normalize: there is no key \"prize\"; did you mean \"price\"?");
}

static void test_columns(void **state)
{
    (void)state;
    scratch_text("t.csv", table);
    mica_data *data = open_spec(of_table, NULL);
    assert_table(data);
    assert_string_equal(mica_data_note(data, 1), "inputs \"who\": id; inputs \"what\": size, colour (2 words)");
    assert_string_equal(mica_data_note(data, 2), "label \"price\": price, a value; label \"kind\": kind; 2 classes, words in sorted "
                        "order: a, b; weights: w");
    const struct mi_prepared *model = prepared_of(data);
    mica_data_destroy(data);
    scratch_text("t.csv", "w,kind,colour,price,size,id\n1,b,red,2.5,1,7\n0.5,a,blue,3.5,3,8\n2,a,red,4.5,5,9\n");
    data = open_spec("{\"format\": \"csv\", \"path\": \"t.csv\"}", model); /* by name, wherever they stand */
    assert_table(data);
    mica_data_destroy(data);
    scratch_text("t.csv", "size,colour,id\n3,blue,8\n");
    data = mi_inputs_open(NULL, scratch_path("t.csv"), model, "what", &MICA_SHAPE(3)); /* what is asked for may be absent */
    assert_good(data);
    assert_near(value_of(data, MICA_INPUT, "what", 0, 0), 0.5f);
    mica_data_destroy(data);
}

/* Without names, columns are found by their places; those that should be answered may be left out. */
static void test_places(void **state)
{
    (void)state;
    scratch_text("t.csv", "7,1,2.5,10\n8,3,3.5,30\n");
    mica_data *data = open_spec("{\"format\": \"csv\", \"path\": \"t.csv\", \"header\": false, \"inputs\": {\"a\": 3, \"b\": [0, 1]}, "
                                "\"targets\": {\"price\": 2}}", NULL);
    assert_good(data);
    const struct mi_prepared *model = prepared_of(data);
    mica_data_destroy(data);
    static const char *const same[] = {"7,1,2.5,10\n8,3,3.5,30\n", "7,1,10\n8,3,30\n"};
    for (size_t i = 0; i < MI_COUNT(same); i++) {
        const char *path = scratch_text("same.csv", same[i]);
        mica_data *a = mi_inputs_open(NULL, path, model, "a", &MICA_SHAPE(1));
        mica_data *b = mi_inputs_open(NULL, path, model, "b", &MICA_SHAPE(2));
        assert_good(a);
        assert_good(b);
        assert_near(value_of(a, MICA_INPUT, "a", 1, 0), 30);
        assert_near(value_of(b, MICA_INPUT, "b", 1, 1), 3);
        mica_data_destroy(a);
        mica_data_destroy(b);
    }
}

/* A row that lacks a value in any field is a row that lacks one. */
static void test_missing(void **state)
{
    (void)state;
    scratch_text("t.csv", "a,b,price\n1,2,3\n,5,6\n7,,9\n10,11,\n13,14,15\n");
    mica_data *data = open_spec("{\"format\": \"csv\", \"path\": \"t.csv\", \"inputs\": {\"a\": \"a\", \"b\": \"b\"}, "
                                "\"targets\": {\"price\": \"price\"}, \"missing\": \"drop\"}", NULL);
    assert_good(data);
    assert_int_equal(data->samples, 2);
    assert_near(value_of(data, MICA_INPUT, "a", 1, 0), 13);
    assert_near(value_of(data, MICA_INPUT, "b", 1, 0), 14);
    assert_near(value_of(data, MICA_TARGET, "price", 1, 0), 15);
    mica_data_destroy(data);
}

/* ---- Arrays ---- */

/* A .npy of a vector or of rows. */
static size_t npy(unsigned char *out, const char *type, const char *shape, const void *values, size_t bytes)
{
    char header[119];
    mi_format(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", type, shape);
    size_t length = strlen(header);
    memset(header + length, ' ', sizeof header - 1 - length);
    header[sizeof header - 2] = '\n';
    memcpy(out, "\x93NUMPY\1\0\x76\0", 10);
    memcpy(out + 10, header, sizeof header - 1);
    memcpy(out + 128, values, bytes);
    return 128 + bytes;
}

static void test_files(void **state)
{
    (void)state;
    static const float a[4] = {1, 2, 3, 4}, price[2] = {5, 6};
    static const int64_t kind[2] = {1, 0};
    unsigned char file[256];
    scratch_write("a.npy", file, npy(file, "<f4", "(2, 2)", a, sizeof a));
    scratch_write("p.npy", file, npy(file, "<f4", "(2,)", price, sizeof price));
    scratch_write("k.npy", file, npy(file, "<i8", "(2,)", kind, sizeof kind));
    mica_data *data = open_spec("{\"format\": \"npy\", \"train\": {\"inputs\": {\"a\": \"a.npy\"}, \"targets\": {\"price\": \"p.npy\", "
                                "\"kind\": \"k.npy\"}}, \"test\": {\"inputs\": {\"a\": \"a.npy\"}, \"targets\": {\"kind\": \"k.npy\", "
                                "\"price\": \"p.npy\"}}}", NULL);
    assert_good(data);
    assert_int_equal(mica_data_count(data, MICA_TEST), 2);
    assert_int_equal(mica_data_field_count(data), 3);
    assert_string_equal(mica_data_note(data, 0), "inputs \"a\": shape [2]");
    assert_string_equal(mica_data_note(data, 1), "label \"price\": shape [1], a value; labels \"kind\"; classes are the outputs 0 to 1");
    assert_near(value_of(data, MICA_INPUT, "a", 3, 1), 4);
    assert_near(value_of(data, MICA_TARGET, "price", 2, 0), 5);
    assert_near(value_of(data, MICA_TARGET, "kind", 2, 0), 1);
    mica_data_destroy(data);
    assert_refused(open_spec("{\"format\": \"npy\", \"train\": {\"inputs\": {\"a\": \"a.npy\"}, \"targets\": {\"price\": \"p.npy\"}}, "
                             "\"test\": {\"inputs\": {\"a\": \"a.npy\"}}}", NULL), MICA_DATA,
                   "p.npy has labels, the test part has none");
}

/* What does not fit a model is said of the file that holds it. */
static void test_file_names(void **state)
{
    (void)state;
    static const float a[4] = {1, 2, 3, 4}, price[2] = {5, 6};
    static const char text[] = "{\"format\": \"npy\", \"train\": {\"inputs\": {\"a\": \"a.npy\"}, \"targets\": {\"price\": \"p.npy\"}}}";
    unsigned char file[256];
    scratch_write("a.npy", file, npy(file, "<f4", "(2, 2)", a, sizeof a));
    scratch_write("p.npy", file, npy(file, "<f4", "(2,)", price, sizeof price));
    mica_data *data = open_spec(text, NULL);
    const struct mi_prepared *model = prepared_of(data);
    scratch_write("p.npy", file, npy(file, "<f4", "(2, 2)", a, sizeof a));
    assert_refused(open_spec(text, model), MICA_SHAPE, "/p.npy: a sample has shape [2] (2 elements), not [1] (1 elements)");
    mica_data_destroy(data);
}

/* ---- Archives ---- */

static void put(unsigned char **at, unsigned long value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *(*at)++ = (unsigned char)(i < 8 ? value >> 8 * i : 0);
}

struct member {
    const char *name;
    const unsigned char *bytes;
    size_t size;
};

/* A zip archive whose members are stored as they are. */
static size_t zip(unsigned char *out, const struct member *members, int count)
{
    unsigned char *at = out, *directory;
    unsigned long place[8];
    for (int pass = 0; pass < 2; pass++) {
        directory = at;
        for (int i = 0; i < count; i++) {
            unsigned long size = (unsigned long)members[i].size, crc = crc32(0, members[i].bytes, (uInt)size);
            size_t name = strlen(members[i].name);
            if (!pass)
                place[i] = (unsigned long)(at - out);
            put(&at, pass ? 0x02014b50 : 0x04034b50, 4);
            put(&at, 20, pass ? 2 : 0);
            put(&at, 20, 2);
            put(&at, 0, 8);
            put(&at, crc, 4);
            put(&at, size, 4);
            put(&at, size, 4);
            put(&at, (unsigned long)name, 2);
            put(&at, 0, pass ? 12 : 2);
            put(&at, place[i], pass ? 4 : 0);
            memcpy(at, members[i].name, name);
            at += name;
            if (!pass)
                memcpy(at, members[i].bytes, size);
            at += pass ? 0 : size;
        }
    }
    unsigned long length = (unsigned long)(at - directory);
    put(&at, 0x06054b50, 4);
    put(&at, 0, 4);
    put(&at, (unsigned long)count, 2);
    put(&at, (unsigned long)count, 2);
    put(&at, length, 4);
    put(&at, (unsigned long)(directory - out), 4);
    put(&at, 0, 2);
    return (size_t)(at - out);
}

static const char of_archive[] = "{\"format\": \"npz\", \"train\": \"t.npz\", \"inputs\": {\"a\": \"x\"}, \"targets\": {\"kind\": \"y\"}}";

#if defined(MICA_LIBZIP)
static size_t archive(unsigned char *out)
{
    static const float x[4] = {1, 2, 3, 4};
    static const int64_t y[2] = {1, 0};
    unsigned char first[256], second[256];
    const struct member members[] = {{"x.npy", first, npy(first, "<f4", "(2, 2)", x, sizeof x)},
                                     {"y.npy", second, npy(second, "<i8", "(2,)", y, sizeof y)}};
    return zip(out, members, 2);
}

static void test_archives(void **state)
{
    (void)state;
    unsigned char file[1024];
    size_t size = archive(file);
    scratch_write("t.npz", file, size);
    mica_data *data = open_spec(of_archive, NULL);
    assert_good(data);
    assert_near(value_of(data, MICA_INPUT, "a", 1, 0), 3);
    assert_near(value_of(data, MICA_TARGET, "kind", 0, 0), 1);
    mica_data_destroy(data);
    assert_refused(open_spec("{\"format\": \"npz\", \"train\": \"t.npz\", \"inputs\": \"z\"}", NULL), MICA_DATA,
                   "there is no array \"z\"; there are \"x\", \"y\"");
    assert_refused(open_spec("{\"format\": \"npz\", \"train\": \"none.npz\", \"inputs\": \"x\"}", NULL), MICA_IO, "none.npz: ");
    for (size_t cut = 0; cut < size; cut += 7) { /* what is left is no archive, or a broken one */
        scratch_write("t.npz", file, cut);
        data = open_spec(of_archive, NULL);
        assert_int_not_equal(mica_data_status(data), MICA_OK);
        mica_data_destroy(data);
    }
    file[170] ^= 0xff; /* in the values of x: the sum of its bytes tells */
    scratch_write("t.npz", file, size);
    data = open_spec(of_archive, NULL);
    assert_int_equal(mica_data_status(data), MICA_FORMAT);
    mica_data_destroy(data);
}
#else
static void test_archives(void **state)
{
    (void)state, (void)zip;
    assert_refused(open_spec(of_archive, NULL), MICA_UNSUPPORTED, "t.npz: .npz files need a library that was built with libzip");
}
#endif

/* ---- Mistakes ---- */

static void test_refused(void **state)
{
    (void)state;
    scratch_text("t.csv", table);
    static const struct { const char *text, *says; } cases[] = {
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"inputs\": {\"a\": \"sise\"}}", "inputs.a: there is no column \"sise\"; did you mean"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"inputs\": {}}", "\"inputs\" must be what the field is read from"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"inputs\": {\"a\": []}}", "\"inputs.a\" must be a column, or a list of columns"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"inputs\": {\"a\": {}}}", "\"inputs.a\" must be the name or the index"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"inputs\": \"size\", \"columns\": [\"size\"]}",
         "\"columns\" stands beside \"inputs\": give one of them"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"targets\": \"kind\", \"label\": \"kind\"}", "\"label\" stands beside \"targets\""},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"inputs\": \"size\", \"targets\": {\"kind\": [\"kind\", \"price\"]}}",
         "targets.kind: a class is one column, these are 2"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"inputs\": {\"a\": \"size\"}, \"normalize\": {\"b\": \"standard\"}}",
         "normalize: there is no key \"b\"; there is \"a\""},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"inputs\": {\"a\": [\"size\", \"price\"]}, \"targets\": {\"price\": \"price\"}}",
         "(price) is a target or a weight"},
        {"{\"format\": \"csv\", \"path\": \"t.csv\", \"inputs\": {\"a\": \"size\"}, \"normalize\": {\"a\": \"standart\"}}",
         "there is no normalize.a \"standart\"; did you mean \"standard\"?"},
        {"{\"format\": \"npz\", \"inputs\": \"x\"}", "\"train\" must be given: the path of an .npz file"},
        {"{\"format\": \"npz\", \"train\": \"t.npz\"}", "\"inputs\" must be given"},
        {"{\"format\": \"npz\", \"train\": \"t.npz\", \"inputs\": 3}", "\"inputs\" must be the name of an array"},
        {"{\"format\": \"npy\", \"train\": {\"inputs\": {\"a\": 3}}}", "\"train.inputs.a\" must be the path of a file"},
        {"{\"format\": \"npy\", \"train\": {\"inputs\": \"a.npy\", \"labels\": \"a.npy\", \"targets\": \"a.npy\"}}",
         "\"train\" must be with \"targets\" or with \"labels\""}};
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        mica_data *data = open_spec(cases[i].text, NULL);
        assert_refused(data, mica_data_status(data), cases[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_columns), cmocka_unit_test(test_scaled_target),  cmocka_unit_test(test_places), cmocka_unit_test(test_missing),
                                       cmocka_unit_test(test_files),    cmocka_unit_test(test_file_names),
                                       cmocka_unit_test(test_archives),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
