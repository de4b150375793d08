/* Where definitions differ (docs/defaults.md): what the layers answer, beside numbers that the formulas give by hand. */
#include "support/device.h"

#include <mica/mica.h>

#include <math.h>
#include <stdlib.h>

/* What a model of one layer's output answers to one sample. */
static void check(mica_device *device, mica_model *model, mica_node *y, const float *x, const double *expected, size_t count,
                  const char *what)
{
    float *got = calloc(count, sizeof *got);
    assert_non_null(got);
    mica_output(model, NULL, y);
    if (mica_predict(model, x, 1, got, count) != MICA_OK)
        fail_msg("%s: %s", what, mica_device_error(device));
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)got[i] - expected[i]) <= 1e-5 * fabs(expected[i])))
            fail_msg("%s: element %zu is %.9g, expected %.9g", what, i, (double)got[i], expected[i]);
    mica_model_destroy(model);
    free(got);
}

/* Slopes and forms of activations, without an alpha. */
static void test_activations(void **state)
{
    static const struct {
        const char *type;
        float x;
        double y;
    } values[] = {{"leaky_relu", -1, -0.2},       {"elu", -1, -0.632120559},    {"celu", -1, -0.632120559},
                  {"selu", -1, -1.11133074},      {"hard_sigmoid", 1, 2.0 / 3}, {"hard_sigmoid", -2, 1.0 / 6},
                  {"hard_swish", 1, 2.0 / 3},     {"gelu", 1, 0.841344746},     {"gelu", -5, -1.43325785e-6},
                  {"softplus", -20, 2.06115362e-9}, {"silu", -1, -0.268941421}, {"thresholded_relu", 1.5f, 1.5}};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        mica_model *model = mica_model_create(*state, NULL);
        mica_node *x = mica_input(model, NULL, MICA_SHAPE(1));
        check(*state, model, mica_activation(x, &(mica_activation_desc){.type = values[i].type}), &values[i].x, &values[i].y, 1,
              values[i].type);
    }
}

/* Before any training mean and variance are 0 and 1, and epsilon is 1e-3. */
static void test_normalization(void **state)
{
    const float x[] = {1, -2, 3, 0.5f};
    double expected[4];
    for (int i = 0; i < 4; i++)
        expected[i] = (double)x[i] / sqrt(1.001);
    mica_model *model = mica_model_create(*state, NULL);
    mica_node *in = mica_input(model, NULL, MICA_SHAPE(2, 1, 2));
    check(*state, model, mica_batch_normalization(in, NULL), x, expected, 4, "batch_normalization");
}

/* "same" puts the odd place after, and padded places do not count in a mean. */
static void test_padding(void **state)
{
    const float x[] = {1, 2, 4, 8, 16};
    const double means[] = {1.5, 6, 16}, largest[] = {4, 16}, chained[] = {1, 2, 4, 8, 16, 1, 2, 4, 8, 16};
    mica_model *model = mica_model_create(*state, NULL);
    mica_node *in = mica_input(model, NULL, MICA_SHAPE(1, 5));
    check(*state, model, mica_average_pooling1d(in, &(mica_pool_desc){.pool_size = {2}, .padding = "same"}), x, means, 3,
          "average_pooling1d");
    model = mica_model_create(*state, NULL);
    in = mica_input(model, NULL, MICA_SHAPE(1, 5)); /* two windows of 4, from place -1 and 2 on */
    mica_pool_desc every_third = {.pool_size = {4}, .strides = {3}, .padding = "same"};
    check(*state, model, mica_max_pooling1d(in, &every_third), x, largest, 2, "max_pooling1d");
    model = mica_model_create(*state, NULL);
    in = mica_input(model, NULL, MICA_SHAPE(1, 5));
    check(*state, model, mica_concatenate((mica_node *[]){in, in}, 2, -1, NULL), x, chained, 10, "concatenate");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_activations), cmocka_unit_test(test_normalization),
                                       cmocka_unit_test(test_padding)};
    return cmocka_run_group_tests_name("definitions", tests, open_device, close_device);
}
