/* IDX and .npy: headers, element types, orders, parts, labels, and what is refused. */
#include "scratch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Making files ---- */

struct made {
    unsigned char bytes[4096];
    size_t size;
};

static void add(struct made *m, const void *bytes, size_t size)
{
    assert_true(m->size + size <= sizeof m->bytes);
    memcpy(m->bytes + m->size, bytes, size);
    m->size += size;
}

static struct made idx(unsigned char type, int rank, const uint32_t *dims)
{
    struct made m = {{0, 0, type, (unsigned char)rank}, 4};
    for (int i = 0; i < rank; i++) {
        unsigned char d[4] = {(unsigned char)(dims[i] >> 24), (unsigned char)(dims[i] >> 16),
                              (unsigned char)(dims[i] >> 8), (unsigned char)dims[i]};
        add(&m, d, 4);
    }
    return m;
}

static struct made npy(int version, const char *header)
{
    struct made m = {{0x93, 'N', 'U', 'M', 'P', 'Y', (unsigned char)version, 0}, 8};
    size_t length = strlen(header);
    unsigned char size[4] = {(unsigned char)length, (unsigned char)(length >> 8), 0, 0};
    add(&m, size, version == 1 ? 2 : 4);
    add(&m, header, length);
    return m;
}

static const char *written(const char *name, const struct made *m)
{
    return scratch_write(name, m->bytes, m->size);
}

static const char *npy_floats(const char *name, const char *shape, const float *values, size_t count)
{
    char header[200];
    snprintf(header, sizeof header, "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }\n", shape);
    struct made m = npy(1, header);
    add(&m, values, count * sizeof *values);
    return written(name, &m);
}

/* ---- Parsing ---- */

static void test_npy_types(void **state)
{
    (void)state;
    static const struct {
        const char *descr;
        unsigned char bytes[16];
        size_t size;
        float expected[2];
    } cases[] = {
        {"<f4", {0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0}, 8, {1.5f, -2}},
        {">f4", {0x3f, 0xc0, 0, 0, 0xc0, 0, 0, 0}, 8, {1.5f, -2}},
        {"<f8", {0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0}, 16, {1.5f, -2}},
        {"<f2", {0, 0x3e, 0, 0xc0}, 4, {1.5f, -2}},
        {"<f2", {1, 0, 0xff, 0x7b}, 4, {5.9604645e-8f, 65504}},
        {"|b1", {1, 0}, 2, {1, 0}},
        {"|u1", {200, 3}, 2, {200, 3}},
        {"|i1", {200, 3}, 2, {-56, 3}},
        {"<i2", {0xfe, 0xff, 3, 0}, 4, {-2, 3}},
        {">u2", {1, 0, 0, 3}, 4, {256, 3}},
        {"<i4", {0xff, 0xff, 0xff, 0xff, 3, 0, 0, 0}, 8, {-1, 3}},
        {">i8", {0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}, 16, {-9223372036854775808.0f, 9}},
        {"<u8", {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 7, 0, 0, 0, 0, 0, 0, 0}, 16,
         {18446744073709551616.0f, 7}}};
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        struct mi_error error = {0};
        struct mi_array array;
        char header[100];
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (2,), }",
                 cases[i].descr);
        struct made m = npy((int)(i % 3) + 1, header);
        add(&m, cases[i].bytes, cases[i].size);
        assert_int_equal(mi_npy_parse(&error, "x", m.bytes, m.size, &array), MICA_OK);
        for (size_t row = 0; row < 2; row++) {
            float value;
            mi_array_row_floats(&array, row, &value);
            if (value < cases[i].expected[row] || value > cases[i].expected[row])
                fail_msg("%s: %.9g is not %.9g", cases[i].descr, (double)value,
                         (double)cases[i].expected[row]);
        }
    }
}

static void test_npy_orders(void **state)
{
    (void)state;
    struct mi_error error = {0};
    struct mi_array array;
    float row[6];
    struct made m = npy(1, "{\"shape\": (2L, 3, 2), 'fortran_order':True,'descr':'|u1'}");
    unsigned char bytes[12]; /* element (i, j, k) is i * 6 + j * 2 + k, at i + 2 * j + 6 * k */
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++)
            for (int k = 0; k < 2; k++)
                bytes[i + 2 * j + 6 * k] = (unsigned char)(i * 6 + j * 2 + k);
    add(&m, bytes, sizeof bytes);
    assert_int_equal(mi_npy_parse(&error, "x", m.bytes, m.size, &array), MICA_OK);
    for (size_t i = 0; i < 2; i++) {
        mi_array_row_floats(&array, i, row);
        for (size_t e = 0; e < 6; e++)
            assert_near(row[e], (float)(i * 6 + e));
    }
}

static void test_npy_refusals(void **state)
{
    (void)state;
    static const struct { const char *header; const char *says; } cases[] = {
        {"", "is not a dictionary"},
        {"{'descr': '<f4'", "is not a dictionary"},
        {"{'descr': '<f4', 'fortran_order': False}", "lacks descr"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", "of type \"<c8\""},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "cannot be read (records"},
        {"{'descr': '<f4', 'fortran_order': 1, 'shape': (1,)}", "not True or False"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1 2)}", "a shape that cannot be read"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "a shape that cannot be read"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", "more than 8 dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296,4294967296)}", "is too large"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
         "a shape that cannot be read"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}",
         "says 12 bytes of elements, the file has 8"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
         "says 4 bytes of elements, the file has 8"},
        {"{'descr': '<f4', 'descr': '<f4', 'shape': (1,)}", "unknown or repeated key"}};
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        struct mi_error error = {0};
        struct mi_array array;
        struct made m = npy(1, cases[i].header);
        add(&m, "12345678", 8);
        assert_int_equal(mi_npy_parse(&error, "x", m.bytes, m.size, &array), MICA_FORMAT);
        assert_says(error.text, cases[i].says);
    }
}

static void test_npy_write(void **state)
{
    (void)state;
    static const float values[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, -12.5f};
    struct mi_error error = {0};
    struct mi_array array;
    unsigned char *bytes;
    size_t size;
    const char *path = scratch_path("out.npy");
    assert_int_equal(mi_npy_write(&error, path, values, &MICA_SHAPE(3, 2), 2), MICA_OK);
    assert_int_equal(mi_file_read(&error, path, 1000, &bytes, &size), MICA_OK);
    assert_int_equal(mi_npy_parse(&error, path, bytes, size, &array), MICA_OK);
    assert_int_equal((array.data - bytes) % 64, 0);
    assert_int_equal(array.rank, 3);
    assert_int_equal(array.dim[1], 3);
    float row[6];
    mi_array_row_floats(&array, 1, row);
    assert_near(row[5], -12.5f);
    free(bytes);
    assert_int_equal(mi_npy_write(&error, scratch_path("no-folder/x.npy"), values, &MICA_SHAPE(3, 2), 2),
                     MICA_IO);
}

static void test_idx_types(void **state)
{
    (void)state;
    static const unsigned char codes[] = {0x08, 0x09, 0x0b, 0x0c, 0x0d, 0x0e};
    static const unsigned char values[6][8] = {{200}, {200}, {0xff, 0xfe}, {0xff, 0xff, 0xff, 0xfe},
                                               {0x3f, 0xc0, 0, 0}, {0x3f, 0xf8, 0, 0, 0, 0, 0, 0}};
    static const size_t sizes[] = {1, 1, 2, 4, 4, 8};
    static const float expected[] = {200, -56, -2, -2, 1.5f, 1.5f};
    for (size_t i = 0; i < 6; i++) {
        struct mi_error error = {0};
        struct mi_array array;
        float value;
        struct made m = idx(codes[i], 1, (uint32_t[]){1});
        add(&m, values[i], sizes[i]);
        assert_true(mi_is_idx(m.bytes, m.size));
        assert_int_equal(mi_idx_parse(&error, "x", m.bytes, m.size, &array), MICA_OK);
        mi_array_row_floats(&array, 0, &value);
        assert_near(value, expected[i]);
    }
}

static void test_idx_refusals(void **state)
{
    (void)state;
    struct mi_error error = {0};
    struct mi_array array;
    struct made m = idx(8, 3, (uint32_t[]){0xffffffff, 0xffffffff, 0xffffffff});
    assert_int_equal(mi_idx_parse(&error, "x", m.bytes, m.size, &array), MICA_FORMAT);
    assert_says(error.text, "too large");
    static const struct { unsigned char bytes[8]; size_t size; const char *says; } cases[] = {
        {{0}, 0, "not an IDX file"},
        {{0, 0, 8}, 3, "not an IDX file"},
        {{0, 0, 7, 1}, 4, "not an IDX file"},
        {{0, 0, 8, 0}, 4, "has 0 dimensions"},
        {{0, 0, 8, 9}, 4, "has 9 dimensions"},
        {{0, 0, 8, 1, 0}, 5, "ends early: 5 bytes of 8"},
        {{0, 0, 8, 1, 0, 0, 0, 1}, 8, "says 1 bytes of elements, the file has 0"}};
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        error = (struct mi_error){0};
        assert_int_equal(mi_idx_parse(&error, "x", cases[i].bytes, cases[i].size, &array), MICA_FORMAT);
        assert_says(error.text, cases[i].says);
    }
}

/* ---- Data sets ---- */

/* n images of 2 x 3 whose pixels are all i, and labels i % classes. */
static mica_files make_images(const char *name, uint32_t n, int classes)
{
    static char paths[4][2][400];
    static int next;
    char file[64];
    struct made images = idx(8, 3, (uint32_t[]){n, 2, 3}), labels = idx(8, 1, &n);
    for (uint32_t i = 0; i < n; i++) {
        unsigned char pixels[6], label = (unsigned char)(i % (uint32_t)classes);
        memset(pixels, (int)i, sizeof pixels);
        add(&images, pixels, sizeof pixels);
        add(&labels, &label, 1);
    }
    char (*pair)[400] = paths[next++ % 4];
    snprintf(file, sizeof file, "%s-images", name);
    snprintf(pair[0], sizeof pair[0], "%s", scratch_gzip(file, images.bytes, images.size));
    snprintf(file, sizeof file, "%s-labels", name);
    snprintf(pair[1], sizeof pair[1], "%s", written(file, &labels));
    return (mica_files){pair[0], pair[1]};
}

static void test_idx_parts(void **state)
{
    (void)state;
    mica_data *data = mica_idx_open(NULL, &(mica_files_desc){
        .part = {[MICA_TRAIN] = make_images("train", 10, 4), [MICA_TEST] = make_images("test", 3, 2)},
        .normalize = {.type = MICA_DIVIDE_BY, .divide_by = 2}});
    float image[6];
    int32_t label;
    assert_good(data);
    mica_shape shape = mica_data_shape(data);
    assert_int_equal(shape.rank, 3);
    assert_int_equal(shape.dim[0], 1);
    assert_int_equal(shape.dim[2], 3);
    assert_int_equal(mica_data_count(data, MICA_TRAIN), 10);
    assert_int_equal(mica_data_count(data, MICA_VALIDATION), 0);
    assert_int_equal(mica_data_count(data, MICA_TEST), 3);
    assert_int_equal(mica_data_classes(data), 4);
    assert_non_null(input_of(data)->bytes);
    assert_null(input_of(data)->floats);
    assert_int_equal(mica_data_sample(data, MICA_TRAIN, 7, image, &label), MICA_OK);
    assert_near(image[5], 3.5f);
    assert_int_equal(label, 3);
    assert_int_equal(mica_data_sample(data, MICA_TEST, 2, image, &label), MICA_OK);
    assert_near(image[0], 1);
    assert_int_equal(label, 0);
    mica_data_destroy(data);
}

static void test_npy_labels(void **state)
{
    (void)state;
    static const float values[6] = {1, 2, 3, 4, 5, 6}, whole[3] = {0, 1, 2};
    const char *inputs = npy_floats("x.npy", "(3, 2)", values, 6);
    struct made m = npy(1, "{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }");
    for (int64_t i = 0; i < 3; i++)
        add(&m, &i, sizeof i);
    const char *integers = written("y.npy", &m);
    mica_data *data = mica_npy_open(NULL, &(mica_files_desc){.part = {{inputs, integers}}});
    assert_good(data);
    assert_int_equal(mica_data_classes(data), 3);
    mica_data_destroy(data);
    data = mica_npy_open(NULL, &(mica_files_desc){.part = {{inputs, integers}}, .regression = true});
    assert_good(data);
    assert_null(target_of(data)->classes);
    assert_near(target_of(data)->floats[2], 2);
    mica_data_destroy(data);
    data = mica_npy_open(NULL, &(mica_files_desc){.part = {{inputs, npy_floats("z.npy", "(3,)", whole, 3)}}});
    assert_good(data);
    assert_int_equal(target_of(data)->elements, 1);
    mica_data_destroy(data);
    data = mica_npy_open(NULL, &(mica_files_desc){.part = {{inputs, inputs}}});
    assert_good(data);
    assert_int_equal(target_of(data)->elements, 2);
    assert_near(target_of(data)->floats[5], 6);
    mica_data_destroy(data);
}

static void test_data_refusals(void **state)
{
    (void)state;
    static const float values[12] = {1, 2, 3, 4, 5, NAN, 7, 8, 9, 10, INFINITY, 12};
    mica_files images = make_images("a", 4, 2), others = make_images("b", 5, 2);
    assert_refused(mica_idx_open(NULL, &(mica_files_desc){.part = {{images.inputs, others.labels}}}),
                   MICA_DATA, "b-labels has 5 labels, ");
    assert_refused(mica_idx_open(NULL, &(mica_files_desc){.part = {{images.inputs, "/nowhere"}}}), MICA_IO,
                   "/nowhere: No such");
    assert_refused(mica_idx_open(NULL, &(mica_files_desc){.part = {{NULL, images.labels}}}),
                   MICA_INVALID_ARGUMENT, "labels without a file of inputs");
    assert_refused(mica_idx_open(NULL, &(mica_files_desc){.regression = false}), MICA_INVALID_ARGUMENT,
                   "no file of inputs is given");
    assert_refused(mica_idx_open(NULL, &(mica_files_desc){.part = {images, {others.inputs, NULL}}}),
                   MICA_DATA, "has none");
    assert_refused(mica_npy_open(NULL, &(mica_files_desc){.part = {images}}), MICA_FORMAT, "not a .npy file");
    const char *bad = npy_floats("bad.npy", "(3, 2, 2)", values, 12);
    assert_refused(mica_npy_open(NULL, &(mica_files_desc){.part = {{bad, NULL}}}), MICA_DATA,
                   "bad.npy: row 1, element [0, 1] is nan");
    bad = npy_floats("bad.npy", "(2, 2)", values + 8, 4);
    assert_refused(mica_npy_open(NULL, &(mica_files_desc){.part = {{bad, NULL}}}), MICA_DATA,
                   "bad.npy: row 1, column 0 is inf");
    bad = npy_floats("bad.npy", "(0, 2)", values, 0);
    assert_refused(mica_npy_open(NULL, &(mica_files_desc){.part = {{bad, NULL}}}), MICA_DATA,
                   "there are no samples");
    bad = npy_floats("bad.npy", "()", values, 1);
    assert_refused(mica_npy_open(NULL, &(mica_files_desc){.part = {{bad, NULL}}}), MICA_DATA,
                   "a single value");
    const char *flat = npy_floats("flat.npy", "(4, 2)", values + 6, 0);
    assert_refused(mica_npy_open(NULL, &(mica_files_desc){.part = {{flat, NULL}}}), MICA_FORMAT,
                   "says 32 bytes");
}

static void test_reshape(void **state)
{
    (void)state;
    static float values[2 * 5 * 5 * 3];
    const char *last = npy_floats("last.npy", "(2, 5, 5, 3)", values, 150);
    const char *gray = npy_floats("gray.npy", "(6, 5, 5, 1)", values, 150);
    mica_files_desc desc = {.part = {{last, NULL}}, .sample_shape = MICA_SHAPE(3, 5, 5)};
    assert_refused(mica_npy_open(NULL, &desc), MICA_SHAPE,
                   "have their channels last, the shape [3, 5, 5] has them first");
    desc.sample_shape = MICA_SHAPE(1, 5, 5);
    assert_refused(mica_npy_open(NULL, &desc), MICA_SHAPE,
                   "images are channels first: [3, 5, 5], not [5, 5, 3]");
    desc.sample_shape = MICA_SHAPE(75);
    mica_data *data = mica_npy_open(NULL, &desc);
    assert_good(data);
    struct mi_error error = {MICA_OK, ""};
    assert_int_equal(mi_data_reshape(data, input_of(data), &error, "model", MICA_SHAPE(5, 15)), MICA_OK);
    assert_int_equal(mi_data_reshape(data, input_of(data), &error, "model", MICA_SHAPE(5, 16)), MICA_SHAPE);
    assert_good(data);
    assert_says(error.text,
                "model: a sample has shape [5, 15] (75 elements), not [5, 16] (80 elements)");
    mica_data_destroy(data);
    desc = (mica_files_desc){.part = {{gray, NULL}}, .sample_shape = MICA_SHAPE(1, 5, 5)};
    data = mica_npy_open(NULL, &desc);
    assert_good(data);
    assert_int_equal(mica_data_shape(data).dim[0], 1);
    mica_data_destroy(data);
}

static void test_mnist(void **state)
{
    (void)state;
    mica_data *data = mica_idx_open(NULL, &(mica_files_desc){
        .part = {[MICA_TEST] = {shared_data("mnist/t10k-images-idx3-ubyte.gz"),
                                shared_data("mnist/t10k-labels-idx1-ubyte.gz")}},
        .normalize = {.type = MICA_DIVIDE_BY, .divide_by = 255}});
    float image[784];
    int32_t label;
    assert_good(data);
    assert_int_equal(mica_data_count(data, MICA_TEST), 10000);
    assert_int_equal(mica_data_classes(data), 10);
    assert_int_equal(mica_data_sample(data, MICA_TEST, 0, image, &label), MICA_OK);
    assert_int_equal(label, 7);
    assert_near(image[7 * 28 + 6], 84.0f / 255);
    mica_data_destroy(data);
}

/* Whole numbers that floats cannot tell apart are normalised as they are. */
static void test_wide_numbers(void **state)
{
    (void)state;
    struct made whole = npy(1, "{'descr': '<i8', 'fortran_order': True, 'shape': (4, 2), }\n");
    struct made real = npy(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (4, 2), }\n");
    double values[8];
    int64_t numbers[8];
    for (int i = 0; i < 4; i++) {
        numbers[i] = 1700000000 + i;
        numbers[4 + i] = i * i;
        values[2 * i] = 1700000000 + i;
        values[2 * i + 1] = i * i;
    }
    add(&whole, numbers, sizeof numbers);
    add(&real, values, sizeof values);
    const char *const paths[] = {written("whole.npy", &whole), written("real.npy", &real)};
    for (int f = 0; f < 2; f++) {
        mica_data *data = mica_npy_open(NULL, &(mica_files_desc){.part = {{paths[f], NULL}},
                                                                 .normalize = {.type = MICA_MIN_MAX}});
        assert_good(data);
        mica_data *inputs = mi_inputs_open(NULL, paths[f], prepared_of(data), "input", &MICA_SHAPE(2));
        assert_good(inputs);
        for (int i = 0; i < 4; i++) {
            float sample[2], again[2];
            assert_int_equal(mica_data_sample(data, MICA_TRAIN, i, sample, NULL), MICA_OK);
            assert_int_equal(mica_data_sample(inputs, MICA_TRAIN, i, again, NULL), MICA_OK);
            assert_near(sample[0], (float)i / 3);
            assert_near(sample[1], (float)(i * i) / 9);
            assert_memory_equal(sample, again, sizeof sample);
        }
        mica_data_destroy(inputs);
        mica_data_destroy(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_npy_types),     cmocka_unit_test(test_npy_orders),
        cmocka_unit_test(test_npy_refusals),  cmocka_unit_test(test_npy_write),
        cmocka_unit_test(test_idx_types),     cmocka_unit_test(test_idx_refusals),
        cmocka_unit_test(test_idx_parts),     cmocka_unit_test(test_npy_labels),
        cmocka_unit_test(test_data_refusals), cmocka_unit_test(test_reshape),
        cmocka_unit_test(test_wide_numbers),  cmocka_unit_test(test_mnist),
    };
    return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
