/* safetensors: what is read, what is written, what is refused. */
#include "scratch.h"

#include "formats/model/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct made {
    unsigned char bytes[2048];
    size_t size;
};

static struct made file_of(const char *header, size_t data_bytes)
{
    struct made m = {{0}, 0};
    size_t length = strlen(header);
    m.bytes[0] = (unsigned char)length;
    m.bytes[1] = (unsigned char)(length >> 8);
    memcpy(m.bytes + 8, header, length);
    m.size = 8 + length + data_bytes;
    assert_true(m.size <= sizeof m.bytes);
    return m;
}

static void test_types(void **state)
{
    (void)state;
    static const struct {
        const char *dtype;
        unsigned char bytes[16];
        size_t size;
        float expected[2];
    } cases[] = {
        {"F32", {0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0}, 8, {1.5f, -2}},
        {"F64", {0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0}, 16, {1.5f, -2}},
        {"F16", {0, 0x3e, 0, 0xc0}, 4, {1.5f, -2}},
        {"BF16", {0xc0, 0x3f, 0, 0xc0}, 4, {1.5f, -2}},
        {"I64", {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 3}, 16, {-1, 3}},
        {"I32", {0xfe, 0xff, 0xff, 0xff, 3}, 8, {-2, 3}},
        {"I8", {0x80, 3}, 2, {-128, 3}},
        {"U8", {0x80, 3}, 2, {128, 3}},
        {"BOOL", {1, 0}, 2, {1, 0}}};
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        struct mi_error error = {0};
        struct mi_safetensors file;
        char header[200];
        float values[2];
        snprintf(header, sizeof header, "{\"t\":{\"dtype\":\"%s\",\"shape\":[2,1],"
                 "\"data_offsets\":[0,%zu]}}  ", cases[i].dtype, cases[i].size);
        struct made m = file_of(header, cases[i].size);
        memcpy(m.bytes + m.size - cases[i].size, cases[i].bytes, cases[i].size);
        assert_int_equal(mi_safetensors_open(&error, "x", m.bytes, m.size, &file), MICA_OK);
        const struct mi_safetensor *t = mi_safetensors_find(&file, "t");
        assert_non_null(t);
        assert_null(mi_safetensors_find(&file, "u"));
        assert_int_equal(t->rank, 2);
        assert_int_equal(mi_safetensors_read(&error, "x", &file, t, MI_FLOAT, values, 2), MICA_OK);
        for (int v = 0; v < 2; v++)
            assert_near(values[v], cases[i].expected[v]);
        assert_int_equal(mi_safetensors_read(&error, "x", &file, t, MI_FLOAT, values, 1), MICA_SHAPE);
        mi_safetensors_close(&file);
    }
}

#define TENSOR(name, shape, offsets) \
    "\"" name "\":{\"dtype\":\"U8\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void test_layouts(void **state)
{
    (void)state;
    static const struct { const char *header; size_t bytes; } good[] = {
        {"{}", 0},
        {"{" TENSOR("b", "[4]", "[4,8]") "," TENSOR("a", "[2,2]", "[0,4]") "}", 8},
        {"{" TENSOR("a", "[0]", "[0,0]") "," TENSOR("b", "[2]", "[0,2]") ","
         TENSOR("c", "[3,0]", "[2,2]") "}", 2},
        {"{" TENSOR("a", "[]", "[0,1]") "}", 1},
        {"{\"__metadata__\":{\"k\":\"v\"}," TENSOR("a", "[1]", "[0,1]") "}", 1},
        {"{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[3],\"data_offsets\":[0,3]}}", 3}};
    for (size_t i = 0; i < MI_COUNT(good); i++) {
        struct mi_error error = {0};
        struct mi_safetensors file;
        struct made m = file_of(good[i].header, good[i].bytes);
        if (mi_safetensors_open(&error, "x", m.bytes, m.size, &file) != MICA_OK)
            fail_msg("%s: %s", good[i].header, error.text);
        mi_safetensors_close(&file);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct { const char *header; size_t bytes; const char *says; } bad[] = {
        {"", 0, "does not begin with {"},
        {"[]", 0, "does not begin with {"},
        {" {}", 0, "does not begin with {"},
        {"{", 0, "not valid JSON"},
        {"{} x", 0, "bytes follow the header"},
        {"{\"a\":1}", 0, "tensor \"a\": is not an object"},
        {"{\"a\":{}}", 0, "\"dtype\" is missing"},
        {"{\"a\":{\"dtype\":\"F4\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "\"dtype\" is \"F4\""},
        {"{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, "\"shape\" is not a list"},
        {"{" TENSOR("a", "[-1]", "[0,1]") "}", 1, "not a dimension"},
        {"{" TENSOR("a", "[1.5]", "[0,1]") "}", 1, "not a dimension"},
        {"{" TENSOR("a", "[1,1,1,1,1,1,1,1,1]", "[0,1]") "}", 1, "more than 8 dimensions"},
        {"{" TENSOR("a", "[4294967296,4294967296]", "[0,1]") "}", 1, "too large"},
        {"{" TENSOR("a", "[1]", "[0]") "}", 1, "list of two offsets"},
        {"{" TENSOR("a", "[1]", "[1,0]") "}", 1, "are 1 to 0"},
        {"{" TENSOR("a", "[2]", "[0,2]") "}", 1, "are 0 to 2, the file has 1 bytes"},
        {"{" TENSOR("a", "[2]", "[0,1]") "}", 1, "span 1 bytes, 2 elements of U8"},
        {"{" TENSOR("a", "[1]", "[0,1]") "}", 2, "the tensors need 1 bytes, the file has 2"},
        {"{" TENSOR("a", "[1]", "[1,2]") "}", 2, "leave a hole"},
        {"{" TENSOR("a", "[2]", "[0,2]") "," TENSOR("b", "[2]", "[1,3]") "}", 3, "overlap"},
        {"{" TENSOR("a", "[1]", "[0,1]") "," TENSOR("a", "[1]", "[1,2]") "}", 2, "occurs twice"},
        {"{\"__metadata__\":{\"k\":1}}", 0, "\"k\" is not a text"},
        {"{\"__metadata__\":[]}", 0, "is not an object"}};
    for (size_t i = 0; i < MI_COUNT(bad); i++) {
        struct mi_error error = {0};
        struct mi_safetensors file;
        struct made m = file_of(bad[i].header, bad[i].bytes);
        assert_int_equal(mi_safetensors_open(&error, "x", m.bytes, m.size, &file), MICA_FORMAT);
        assert_says(error.text, bad[i].says);
        assert_null(file.arena.chunks);
    }
    struct mi_error error = {0};
    struct mi_safetensors file;
    unsigned char huge[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, '{', '}'};
    assert_int_equal(mi_safetensors_open(&error, "x", huge, sizeof huge, &file), MICA_FORMAT);
    assert_says(error.text, "the header has 18446744073709551615 bytes");
    error = (struct mi_error){0};
    assert_int_equal(mi_safetensors_open(&error, "x", huge, 7, &file), MICA_FORMAT);
    assert_says(error.text, "7 bytes are too few");
}

static mica_status give(void *user, size_t i, void *elements)
{
    int *calls = user;
    float *values = elements;
    for (int v = 0; v < 3; v++)
        values[v] = (float)(i + 1) * 100 + (float)v;
    return ++*calls > 1 ? MICA_DEVICE : MICA_OK;
}

static void test_write(void **state)
{
    (void)state;
    static const float one[4] = {1, 2, 3, -4.25f};
    int calls = 0;
    struct mi_error error = {0};
    struct mi_safetensors file;
    struct mi_safetensor_out tensors[3] = {{"a.weight", MICA_SHAPE(2, 2), one, MI_FLOAT},
                                           {"s", {0}, one + 3, MI_FLOAT},
                                           {"b", MICA_SHAPE(3), NULL, MI_FLOAT}};
    struct mi_metadata metadata[2] = {{"mica", "{\"x\": \"\\u00e4\n\"}"}, {"other", ""}};
    struct mi_safetensors_out what = {tensors, 3, metadata, 2, give, &calls, NULL};
    const char *path = scratch_path("w.safetensors");
    unsigned char *bytes;
    size_t size;
    float values[4];
    assert_int_equal(mi_safetensors_write(&error, path, &what), MICA_OK);
    assert_int_equal(mi_file_read(&error, path, 10000, &bytes, &size), MICA_OK);
    assert_int_equal((bytes[0] | bytes[1] << 8) % 8, 0);
    assert_int_equal(mi_safetensors_open(&error, path, bytes, size, &file), MICA_OK);
    assert_string_equal(mi_safetensors_metadata(&file, "mica"), metadata[0].value);
    assert_string_equal(mi_safetensors_metadata(&file, "other"), "");
    assert_null(mi_safetensors_metadata(&file, "nothing"));
    assert_int_equal(mi_safetensors_read(&error, path, &file, mi_safetensors_find(&file, "a.weight"),
                                         MI_FLOAT, values, 4), MICA_OK);
    assert_near(values[3], -4.25f);
    assert_int_equal(mi_safetensors_read(&error, path, &file, mi_safetensors_find(&file, "s"), MI_FLOAT, values, 1),
                     MICA_OK);
    assert_near(values[0], -4.25f);
    assert_int_equal(mi_safetensors_read(&error, path, &file, mi_safetensors_find(&file, "b"), MI_FLOAT, values, 3),
                     MICA_OK);
    assert_near(values[2], 302);
    mi_safetensors_close(&file);
    free(bytes);
    assert_int_equal(mi_safetensors_write(&error, path, &what), MICA_DEVICE); /* the old file stays */
    assert_int_equal(mi_file_read(&error, path, 10000, &bytes, &size), MICA_OK);
    assert_int_equal(mi_safetensors_open(&error, path, bytes, size, &file), MICA_OK);
    mi_safetensors_close(&file);
    free(bytes);
}

static void test_truncated(void **state)
{
    (void)state;
    struct made m = file_of("{" TENSOR("b", "[4]", "[4,8]") "," TENSOR("a", "[2,2]", "[0,4]") "}", 8);
    for (size_t size = 0; size < m.size; size++) {
        struct mi_error error = {0};
        struct mi_safetensors file;
        unsigned char *exact = mi_new(size, 1);
        memcpy(exact, m.bytes, size);
        assert_int_equal(mi_safetensors_open(&error, "x", exact, size, &file), MICA_FORMAT);
        free(exact);
    }
}

static void test_model(void **state)
{
    (void)state;
    struct mi_error error = {0};
    struct mi_safetensors file;
    unsigned char *bytes;
    size_t size;
    const char *path = shared_data("models/mnist-cnn/mnist.safetensors");
    assert_int_equal(mi_file_read(&error, path, 1u << 30, &bytes, &size), MICA_OK);
    assert_int_equal(mi_safetensors_open(&error, path, bytes, size, &file), MICA_OK);
    const struct mi_safetensor *t = mi_safetensors_find(&file, "fc1.weight");
    assert_non_null(t);
    assert_int_equal(t->rank, 2);
    assert_int_equal(t->dim[0], 32);
    assert_int_equal(t->dim[1], 11616);
    mi_safetensors_close(&file);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types), cmocka_unit_test(test_layouts),   cmocka_unit_test(test_refused),
        cmocka_unit_test(test_write), cmocka_unit_test(test_truncated), cmocka_unit_test(test_model),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
