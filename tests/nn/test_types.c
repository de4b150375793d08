/* Element types through the public calls: inputs, constants and outputs of every type, files, and data in their own type. */
#include "base/types.h"
#include "support/device.h"

#include <mica/mica.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 5, BATCH = 3, COUNT = SIZE * BATCH };

static mica_device *device;

static int begin(void **state)
{
    int failed = open_device(state);
    device = *state;
    return failed;
}

static bool is_absent(mica_type type)
{
    return type == MICA_FLOAT64 && !mica_device_get_info(device)->fp64;
}

static void assert_fine(const mica_model *model)
{
    if (mica_model_status(model) != MICA_OK || mica_device_status(device) != MICA_OK)
        fail_msg("%s%s", mica_model_error(model), mica_device_error(device));
}

/* Elements first, first + 1, ... of a type. */
static void count_up(mica_type type, double first, size_t count, void *elements)
{
    for (size_t i = 0; i < count; i++)
        mi_element_set((enum mi_type)type, elements, i, type == MICA_BOOL ? (double)(i % 2) : first + (double)i);
}

/* x + constant, whatever the type; of bool: whether they are equal. */
static mica_model *sum_model(mica_type type)
{
    uint64_t elements[SIZE];
    mica_model *model = mica_model_create(device, NULL);
    mica_node *x = mica_input_typed(model, "x", MICA_SHAPE(SIZE), type);
    count_up(type, 1, SIZE, elements);
    mica_node *constant = mica_constant_elements(model, "constant", MICA_SHAPE(SIZE), type, elements);
    mica_node *y = type == MICA_BOOL ? mica_op((mica_node *[]){x, constant}, 2, &(mica_op_desc){.op = "Equal"})
                                     : mica_op_add(x, constant);
    mica_output(model, "y", y);
    assert_fine(model);
    assert_int_equal(mica_node_type(x), type);
    assert_int_equal(mica_node_type(y), type);
    assert_int_equal(mica_model_variable_type(model, 0), type);
    return model;
}

static void check_sums(mica_model *model, mica_type type)
{
    uint64_t in[COUNT], out[COUNT];
    float floats[COUNT], wanted[COUNT];
    mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = BATCH});
    count_up(type, 2, COUNT, in);
    assert_fine(model);
    assert_int_equal(mica_plan_write_elements(plan, "x", type, in, COUNT), MICA_OK);
    assert_int_equal(mica_plan_run(plan, BATCH), MICA_OK);
    assert_int_equal(mica_plan_read_elements(plan, "y", type, out, COUNT), MICA_OK);
    for (size_t i = 0; i < COUNT; i++) {
        wanted[i] = type == MICA_BOOL ? (float)(i % 2 == i % SIZE % 2) : (float)(2 + i + 1 + i % SIZE);
        assert_true(mi_element((enum mi_type)type, out, i) == (double)wanted[i]);
        floats[i] = (float)mi_element((enum mi_type)type, in, i);
    }
    assert_int_equal(mica_plan_write(plan, "x", floats, COUNT), MICA_OK); /* the same as floats */
    assert_int_equal(mica_plan_run(plan, BATCH), MICA_OK);
    assert_int_equal(mica_plan_read(plan, "y", floats, COUNT), MICA_OK);
    assert_memory_equal(floats, wanted, sizeof floats);
    mica_plan_destroy(plan);
}

static void in_and_out(void **state)
{
    (void)state;
    for (mica_type type = MICA_FLOAT32; type <= MICA_BOOL; type++) {
        if (is_absent(type))
            continue;
        mica_model *model = sum_model(type);
        check_sums(model, type);
        mica_model_destroy(model);
    }
}

/* A constant of a type is in the file as it is, and a model that is loaded computes the same. */
static void in_files(void **state)
{
    static const char path[] = "types.safetensors";
    (void)state;
    for (mica_type type = MICA_FLOAT32; type <= MICA_BOOL; type++) {
        float before[SIZE], after[SIZE];
        if (is_absent(type))
            continue;
        mica_model *model = sum_model(type);
        assert_int_equal(mica_model_save(model, path), MICA_OK);
        mica_model *loaded = mica_model_load(device, path);
        assert_fine(loaded);
        assert_int_equal(mica_model_read(model, "constant.value", before, SIZE), MICA_OK);
        assert_int_equal(mica_model_read(loaded, "constant.value", after, SIZE), MICA_OK);
        assert_memory_equal(before, after, sizeof before);
        assert_int_equal(mica_model_write(loaded, "constant.value", before, SIZE), MICA_OK);
        check_sums(loaded, type);
        mica_model_destroy(loaded);
        mica_model_destroy(model);
    }
    remove(path);
}

/* What no float holds comes and goes unchanged. */
static void digits(void **state)
{
    const int64_t wide[SIZE] = {INT64_MAX - 8, INT64_MIN, (1LL << 53) + 1, -1, 0};
    const uint64_t high[SIZE] = {UINT64_MAX - 8, 1, 1ull << 63, 7, 0};
    int64_t signed_out[SIZE];
    uint64_t unsigned_out[SIZE];
    (void)state;
    for (int k = 0; k < 2; k++) {
        mica_type type = k ? MICA_UINT64 : MICA_INT64;
        void *out = k ? (void *)unsigned_out : signed_out;
        const void *in = k ? (const void *)high : wide;
        mica_model *model = sum_model(type);
        mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = 1});
        assert_int_equal(mica_plan_write_elements(plan, "x", type, in, SIZE), MICA_OK);
        assert_int_equal(mica_plan_run(plan, 1), MICA_OK);
        assert_int_equal(mica_plan_read_elements(plan, "y", type, out, SIZE), MICA_OK);
        for (int i = 0; i < SIZE; i++) {
            assert_true(k || signed_out[i] == wide[i] + i + 1);
            assert_true(!k || unsigned_out[i] == high[i] + (uint64_t)i + 1);
        }
        mica_plan_destroy(plan);
        mica_model_destroy(model);
    }
}

/* Floats that are no elements are refused, with their place. */
static void refused(void **state)
{
    static const struct { mica_type type; float value; const char *says; } cases[] = {
        {MICA_INT32, 1.5f, "value 2 is 1.5, which is no int32"},
        {MICA_INT8, 128, "value 2 is 128, which is no int8"},
        {MICA_UINT8, -1, "value 2 is -1, which is no uint8"},
        {MICA_BOOL, 2, "value 2 is 2, which is no bool"},
        {MICA_UINT64, 1.8446744e19f, "which is no uint64"},
        {MICA_INT64, 0.0f / 0.0f, "which is no int64"}};
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        float values[SIZE] = {0, 1, cases[k].value};
        mica_device *own = mica_device_open(NULL);
        mica_model *model = mica_model_create(own, NULL);
        mica_output(model, "y", mica_op_cast(mica_input_typed(model, "x", MICA_SHAPE(SIZE), cases[k].type), "float32"));
        mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = 1});
        assert_int_equal(mica_plan_write(plan, "x", values, SIZE), MICA_DATA);
        if (!strstr(mica_plan_error(plan), cases[k].says) || !strstr(mica_plan_error(plan), "input \"x\", sample 0"))
            fail_msg("%s", mica_plan_error(plan));
        mica_plan_destroy(plan);
        mica_model_destroy(model);
        mica_device_destroy(own);
    }
}

/* ---- Data in their own type ---- */

enum { SAMPLES = 24, FAR = 1 << 24 };

/* Numbers that floats do not tell apart are told apart by an input of int64: y is 1 where x is odd. */
static mica_model *parity_model(void)
{
    const int64_t far = FAR;
    mica_model *model = mica_model_create(device, NULL);
    mica_node *x = mica_input_typed(model, "x", MICA_SHAPE(1), MICA_INT64);
    mica_node *rest = mica_op_sub(x, mica_constant_elements(model, "far", MICA_SHAPE(1), MICA_INT64, &far));
    mica_output(model, "y", mica_dense(mica_op_cast(rest, "float32"), &(mica_dense_desc){.units = 1}));
    assert_fine(model);
    return model;
}

static void of_data(void **state)
{
    int64_t numbers[SAMPLES];
    float values[SAMPLES], answers[SAMPLES];
    (void)state;
    for (int i = 0; i < SAMPLES; i++) {
        numbers[i] = FAR + i % 2;
        values[i] = (float)(i % 2) * 2 - 1;
    }
    const mica_field fields[] = {
        {.name = "x", .shape = MICA_SHAPE(1), .elements = numbers, .type = MICA_INT64},
        {.role = MICA_TARGET, .shape = MICA_SHAPE(1), .values = values}};
    mica_data *data = mica_fields_open(device, &(mica_fields_desc){.samples = SAMPLES, .fields = fields, .field_count = 2});
    mica_model *model = parity_model();
    assert_int_equal(mica_fit(model, data, &(mica_fit_desc){.loss = "mse", .epochs = 60, .batch_size = 4,
                                                            .optimizer = {"adam", {{"learning_rate", 0.1}}}}, NULL), MICA_OK);
    assert_int_equal(mica_predict_data(model, data, MICA_TRAIN, NULL, answers, SAMPLES), MICA_OK);
    for (int i = 0; i < SAMPLES; i++)
        assert_true(answers[i] > values[i] - 0.1f && answers[i] < values[i] + 0.1f);
    mica_model_destroy(model);
    mica_data_destroy(data);
}

/* A function gives floats, as of old, and they become what the input takes. */
static bool fill(void *user, uint64_t epoch, int64_t first, int64_t count, void *const *values)
{
    (void)user, (void)epoch;
    for (int64_t i = 0; i < count; i++) {
        if (values[0])
            ((float *)values[0])[i] = (float)((first + i) % 7);
        if (values[1])
            ((float *)values[1])[i] = (float)((first + i) % 7);
    }
    return true;
}

static void of_functions(void **state)
{
    const mica_field fields[] = {{.name = "x", .shape = MICA_SHAPE(1)}, {.role = MICA_TARGET, .shape = MICA_SHAPE(1)}};
    (void)state;
    for (mica_type type = MICA_FLOAT32; type < MICA_BOOL; type++) {
        if (is_absent(type))
            continue;
        mica_data *data = mica_fields_open(device, &(mica_fields_desc){.samples = 28, .fields = fields, .field_count = 2,
                                                                       .fill = fill});
        mica_model *model = mica_model_create(device, NULL);
        mica_node *x = mica_input_typed(model, "x", MICA_SHAPE(1), type);
        mica_output(model, "y", type == MICA_FLOAT32 ? mica_op_mul(x, mica_scalar(model, 1)) : mica_op_cast(x, "float32"));
        mica_scores *scores = NULL;
        assert_int_equal(mica_evaluate(model, data, MICA_TRAIN, &(mica_objective){.loss = "mse"}, 1, &scores), MICA_OK);
        assert_true(mica_scores_get(scores, "loss") == 0);
        mica_scores_destroy(scores);
        mica_model_destroy(model);
        mica_data_destroy(data);
    }
}

static void wrong_data(void **state)
{
    float numbers[SAMPLES] = {0, 1, 2.5f}, values[SAMPLES] = {0};
    const mica_field fields[] = {{.name = "x", .shape = MICA_SHAPE(1), .values = numbers},
                                 {.role = MICA_TARGET, .shape = MICA_SHAPE(1), .values = values}};
    (void)state;
    mica_device *own = mica_device_open(NULL), *kept = device;
    mica_data *data = mica_fields_open(own, &(mica_fields_desc){.samples = SAMPLES, .fields = fields, .field_count = 2});
    device = own;
    mica_model *model = parity_model();
    device = kept;
    assert_int_equal(mica_fit(model, data, &(mica_fit_desc){.loss = "mse"}, NULL), MICA_DATA);
    if (!strstr(mica_device_error(own), "sample 2: input 0 is 2.5, and the input \"x\" is int64"))
        fail_msg("%s", mica_device_error(own));
    mica_model_destroy(model);
    mica_data_destroy(data);
    mica_device_destroy(own);
}

/* The largest numbers of a type are taken, the least part of one that is none is not, in training and in prediction. */
static void edges(void **state)
{
    static const struct { mica_type type; double number; bool good; } cases[] = {
        {MICA_INT32, 2147483647, true},  {MICA_INT32, -2147483648.0, true}, {MICA_INT32, 2147483648.0, false},
        {MICA_UINT32, 4294967295, true}, {MICA_UINT8, 255, true},           {MICA_UINT8, 256, false},
        {MICA_INT8, 200, false},         {MICA_INT32, 0.9999999999, false}, {MICA_INT64, 16777216.5, false},
        {MICA_BOOL, 1, true},            {MICA_BOOL, 20, false},            {MICA_UINT8, -1, false}};
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        double numbers[2] = {0, cases[k].number};
        float values[2] = {0, 1}, answers[2];
        mica_device *own = mica_device_open(NULL);
        const mica_field fields[] = {{.name = "x", .shape = MICA_SHAPE(1), .elements = numbers, .type = MICA_FLOAT64},
                                     {.role = MICA_TARGET, .shape = MICA_SHAPE(1), .values = values}};
        mica_data *data = mica_fields_open(own, &(mica_fields_desc){.samples = 2, .fields = fields, .field_count = 2});
        mica_model *model = mica_model_create(own, NULL);
        mica_node *x = mica_op_cast(mica_input_typed(model, "x", MICA_SHAPE(1), cases[k].type), "float32");
        mica_output(model, NULL, mica_dense(mica_op_mul(x, mica_scalar(model, 1e-10f)), &(mica_dense_desc){.units = 1}));
        mica_status fitted = mica_fit(model, data, &(mica_fit_desc){.loss = "mse"}, NULL);
        mica_status predicted = mica_predict_data(model, data, MICA_TRAIN, NULL, answers, 2);
        if (fitted != (cases[k].good ? MICA_OK : MICA_DATA) || predicted != fitted ||
            (!cases[k].good && !strstr(mica_device_error(own), "sample 1: input 0 is ")))
            fail_msg("%s of %.12g: %d and %d, %s", mica_type_name(cases[k].type), cases[k].number, fitted, predicted,
                     mica_device_error(own));
        mica_model_destroy(model);
        mica_data_destroy(data);
        mica_device_destroy(own);
    }
}

/* First values and values of files that are no elements of a variable's type are refused. */
static void wrong_values(void **state)
{
    static const struct { mica_initializer initializer; const char *dtype, *says; } cases[] = {
        {{.type = "constant", .value = 300}, "uint8", "value is 300, which is no uint8"},
        {{.type = "constant", .value = 2.5f}, "int32", "value is 2.5, which is no int32"},
        {{.type = "random_normal"}, "int64", "initializer random_normal makes no int64"}};
    static const char path[] = "types_weights.safetensors";
    const int64_t wide[] = {1, 300};
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        mica_device *own = mica_device_open(NULL);
        mica_model *model = mica_model_create(own, NULL);
        assert_null(mica_variable(model, &(mica_variable_desc){.shape = MICA_SHAPE(2), .frozen = true, .dtype = cases[k].dtype,
                                                               .value.initializer = cases[k].initializer}));
        if (!strstr(mica_model_error(model), cases[k].says))
            fail_msg("%s", mica_model_error(model));
        mica_model_destroy(model);
        mica_device_destroy(own);
    }
    mica_device *own = mica_device_open(NULL);
    mica_model *from = mica_model_create(own, NULL), *to = mica_model_create(own, NULL);
    mica_output(from, "y", mica_op_add(mica_input_typed(from, "x", MICA_SHAPE(2), MICA_INT64),
                                       mica_constant_elements(from, "v", MICA_SHAPE(2), MICA_INT64, wide)));
    mica_output(to, "y", mica_op_add(mica_input_typed(to, "x", MICA_SHAPE(2), MICA_UINT8),
                                     mica_variable(to, &(mica_variable_desc){.name = "v", .shape = MICA_SHAPE(2), .frozen = true,
                                                                             .dtype = "uint8"})));
    assert_int_equal(mica_model_save(from, path), MICA_OK);
    assert_int_equal(mica_model_load_weights(to, path, NULL), MICA_DATA);
    if (!strstr(mica_device_error(own), "tensor \"v.value\": element 1 is 300, which is no uint8"))
        fail_msg("%s", mica_device_error(own));
    mica_model_destroy(from);
    mica_model_destroy(to);
    mica_device_destroy(own);
    remove(path);
}

/* ---- JSON ---- */

static void of_json(void **state)
{
    static const char text[] =
        "{\"layers\": [{\"type\": \"input\", \"name\": \"x\", \"shape\": [2], \"dtype\": \"uint8\"},"
        "{\"type\": \"op\", \"op\": \"Cast\", \"attributes\": {\"to\": \"float32\"}}, {\"type\": \"dense\", \"units\": 1}]}";
    (void)state;
    mica_model *model = mica_model_create(device, NULL);
    mica_model_add_json(model, text);
    assert_fine(model);
    assert_int_equal(mica_node_type(mica_model_node(model, "x")), MICA_UINT8);
    mica_model_destroy(model);
    mica_device *own = mica_device_open(NULL);
    model = mica_model_create(own, NULL);
    mica_model_add_json(model, "{\"layers\": [{\"type\": \"input\", \"shape\": [2], \"dtype\": \"unit8\"}]}");
    if (!strstr(mica_model_error(model), "there is no dtype \"unit8\"; did you mean \"uint8\"?"))
        fail_msg("%s", mica_model_error(model));
    mica_model_destroy(model);
    mica_device_destroy(own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_and_out), cmocka_unit_test(in_files),     cmocka_unit_test(digits),     cmocka_unit_test(refused),
        cmocka_unit_test(of_data),    cmocka_unit_test(of_functions), cmocka_unit_test(wrong_data), cmocka_unit_test(of_json),
        cmocka_unit_test(edges),      cmocka_unit_test(wrong_values),
    };
    return cmocka_run_group_tests_name("types", tests, begin, close_device);
}
