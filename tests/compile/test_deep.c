/* Networks of many layers: described, compiled and trained in a time that hardly grows faster than they do. */
#include "support/device.h"

#include <mica/mica.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { WIDTH = 8, SAMPLES = 4 };

/* Processor seconds, so that whoever else works on the machine does not count. */
static double seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static mica_model *chain(mica_device *device, int layers, bool different)
{
    mica_model *model = mica_model_create(device, NULL);
    mica_node *x = mica_input(model, NULL, MICA_SHAPE(WIDTH));
    for (int i = 0; i < layers; i++)
        x = mica_dense(x, &(mica_dense_desc){.units = different ? WIDTH + i % 97 : WIDTH, .activation = "relu"});
    mica_output(model, NULL, mica_dense(x, &(mica_dense_desc){.name = "last", .units = 2}));
    if (mica_model_status(model) != MICA_OK)
        fail_msg("%s", mica_model_error(model));
    return model;
}

static void test_description(void **state)
{
    double began = seconds();
    mica_model *model = chain(*state, 4000, false);
    assert_string_equal(mica_model_variable_name(model, 0), "dense.weight");
    assert_string_equal(mica_model_variable_name(model, 2 * 3999), "dense_3999.weight");
    assert_true(seconds() - began < 5); /* 40 s where names are compared in pairs */
    mica_model_destroy(model);
}

/* An automatic name is the first that nobody has. */
static void test_names(void **state)
{
    const char *const expected[] = {"dense.bias", "dense_2.bias", "dense_1.bias", "dense_3.bias", "dense_3_1.bias", "dense_4.bias"};
    const char *const given[] = {NULL, "dense_2", NULL, NULL, "dense_3_1", NULL};
    mica_model *model = mica_model_create(*state, NULL);
    mica_node *x = mica_input(model, NULL, MICA_SHAPE(WIDTH));
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        x = mica_dense(x, &(mica_dense_desc){.name = given[i], .units = 1});
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        assert_string_equal(mica_model_variable_name(model, 2 * (int)i + 1), expected[i]);
    mica_model_destroy(model);
}

static void test_compile(void **state)
{
    mica_model *model = chain(*state, 1000, true);
    double began = seconds();
    mica_plan *plan = mica_compile(model, NULL);
    if (mica_plan_status(plan) != MICA_OK)
        fail_msg("%s", mica_plan_error(plan));
    assert_true(seconds() - began < 30);
    mica_plan_destroy(plan);
    mica_model_destroy(model);
}

/* The gradients of the biases are small sums over equal spaces, which share launches: only as many as a kernel has arguments for. */
static void test_training(void **state)
{
    float inputs[SAMPLES * WIDTH] = {0};
    const int32_t classes[SAMPLES] = {0, 1, 0, 1};
    mica_data *data = mica_arrays_open(*state, &(mica_arrays_desc){.samples = SAMPLES, .input_shape = MICA_SHAPE(WIDTH),
                                                                   .inputs = inputs, .classes = classes});
    for (int layers = 10; layers <= 640; layers *= 4) {
        mica_model *model = chain(*state, layers, false);
        double began = seconds();
        if (mica_fit(model, data, &(mica_fit_desc){.loss = "sparse_categorical_crossentropy", .optimizer = {.type = "adam"}},
                     NULL) != MICA_OK)
            fail_msg("%d layers: %s", layers, mica_device_error(*state));
        assert_true(seconds() - began < 60);
        mica_model_destroy(model);
    }
    mica_data_destroy(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_description),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_compile),
        cmocka_unit_test(test_training),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
