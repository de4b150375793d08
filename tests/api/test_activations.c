/* The functions of activations, of layers that join and of equations with arguments that do not fit, and with NULL. */
#include "api.h"

#include <math.h>

/* A description that does not fit leaves its line in the model: x is (2, 6, 6) a sample, v is (5). */
#define NODES(built)                                                                                                     \
    mica_node *x = mica_input(built, NULL, MICA_SHAPE(2, 6, 6)), *v = mica_input(built, "v", MICA_SHAPE(5));             \
    (void)x, (void)v

static void activations(void **state)
{
    (void)state;
    NOT_BUILT("max_value nan", mica_relu(v, &(mica_relu_desc){.max_value = NAN}));
    NOT_BUILT("negative_slope -1", mica_relu(v, &(mica_relu_desc){.negative_slope = -1}));
    NOT_BUILT("alpha is -1", mica_leaky_relu(v, -1, NULL));
    NOT_BUILT("alpha is -1", mica_elu(v, -1, NULL));
    NOT_BUILT("alpha is -1", mica_celu(v, -1, NULL));
    NOT_BUILT("b is -1", mica_squareplus(v, -1, NULL));
    NOT_BUILT("lambd is -1", mica_hard_shrink(v, -1, NULL));
    NOT_BUILT("lambd is -1", mica_soft_shrink(v, -1, NULL));
    NOT_BUILT("a layer's name", mica_hard_sigmoid(v, 0, ""));
    NOT_BUILT("a layer's name", mica_thresholded_relu(v, 0, ""));
    NOT_BUILT("that name already", mica_gelu(v, false, "v"));
    NOT_BUILT("min_value 1 must be below max_value 1", mica_hard_tanh(v, &(mica_hard_tanh_desc){.min_value = 1}));
    NOT_BUILT("threshold nan", mica_threshold(v, &(mica_threshold_desc){.threshold = NAN}));
    NOT_BUILT("axis 4", mica_softmax(x, 4, NULL));
    NOT_BUILT("axis -4", mica_log_softmax(x, -4, NULL));
    NOT_BUILT("axis", mica_sparsemax(x, INT32_MIN, NULL));
    NOT_BUILT("axis 1 has 5 elements", mica_glu(v, 0, NULL));
    NOT_BUILT("axis -1", mica_prelu(x, &(mica_prelu_desc){.shared_axes = MICA_SHAPE(-1)}));
    NOT_BUILT("2147483647 axes", mica_prelu(x, &(mica_prelu_desc){.shared_axes = {.rank = INT32_MAX}}));
    NOT_BUILT("-1 axes", mica_prelu(x, &(mica_prelu_desc){.shared_axes = {.rank = -1}}));
    NOT_BUILT("initializer \"x\"", mica_prelu(x, &(mica_prelu_desc){.alpha.initializer = {.type = "x"}}));
}

static void joining(void **state)
{
    (void)state;
    NOT_BUILT("input 1 of 2 is NULL", mica_subtract(x, NULL, NULL));
    NOT_BUILT("do not fit together", mica_subtract(x, v, NULL));
    NOT_BUILT("at least 2 inputs, not 1", mica_average(&x, 1, NULL));
    NOT_BUILT("do not fit together", mica_maximum((mica_node *[]){x, v}, 2, NULL));
    NOT_BUILT("another model", mica_minimum((mica_node *[]){x, api.input}, 2, NULL));
}

static void products(void **state)
{
    (void)state;
    NOT_BUILT("axis 1 of (5) has 5 elements, axis 3 of (2, 6, 6) has 6", mica_dot(v, x, &(mica_dot_desc){.axes = {1, 3}}));
    NOT_BUILT("axis 4", mica_dot(x, x, &(mica_dot_desc){.axes = {4}}));
    NOT_BUILT("axis", mica_dot(x, x, &(mica_dot_desc){.axes = {1, INT64_MIN}}));
    NOT_BUILT("input 1 of 2 is NULL", mica_dot(x, NULL, NULL));
    NOT_BUILT("equation is missing", mica_einsum_dense(v, NULL));
    NOT_BUILT("output_shape has 0 dimensions", mica_einsum_dense(v, &(mica_einsum_dense_desc){.equation = "ab,bc->ac"}));
    NOT_BUILT("output_shape has -1", mica_einsum_dense(v, &(mica_einsum_dense_desc){
        .equation = "ab,bc->ac", .output_shape = {.rank = -1}}));
    NOT_BUILT("output_shape says -5 for c", mica_einsum_dense(v, &(mica_einsum_dense_desc){
        .equation = "ab,bc->ac", .output_shape = MICA_SHAPE(-5)}));
    NOT_BUILT("bias_axes \"\"", mica_einsum_dense(v, &(mica_einsum_dense_desc){
        .equation = "ab,bc->ac", .output_shape = MICA_SHAPE(2), .bias_axes = ""}));
}

static void nothing(void **state)
{
    (void)state;
    assert_null(mica_relu(NULL, NULL));
    assert_null(mica_leaky_relu(NULL, 0, NULL));
    assert_null(mica_thresholded_relu(NULL, 0, NULL));
    assert_null(mica_elu(NULL, 0, NULL));
    assert_null(mica_celu(NULL, 0, NULL));
    assert_null(mica_hard_sigmoid(NULL, 0, NULL));
    assert_null(mica_squareplus(NULL, 0, NULL));
    assert_null(mica_hard_shrink(NULL, 0, NULL));
    assert_null(mica_soft_shrink(NULL, 0, NULL));
    assert_null(mica_gelu(NULL, false, NULL));
    assert_null(mica_hard_tanh(NULL, NULL));
    assert_null(mica_threshold(NULL, NULL));
    assert_null(mica_softmax(NULL, 0, NULL));
    assert_null(mica_log_softmax(NULL, 0, NULL));
    assert_null(mica_sparsemax(NULL, 0, NULL));
    assert_null(mica_glu(NULL, 0, NULL));
    assert_null(mica_prelu(NULL, NULL));
    assert_null(mica_subtract(NULL, NULL, NULL));
    assert_null(mica_dot(NULL, NULL, NULL));
    assert_null(mica_einsum_dense(NULL, NULL));
    assert_null(mica_average(NULL, 2, NULL));
    assert_null(mica_maximum(NULL, 2, NULL));
    assert_null(mica_minimum(NULL, 2, NULL));
}

/* Every default is taken where there is no description. */
static void defaults(void **state)
{
    mica_model *model = mica_model_create(api.device, NULL);
    mica_node *x = mica_input(model, NULL, MICA_SHAPE(6));
    (void)state;
    assert_non_null(mica_relu(x, NULL));
    assert_non_null(mica_hard_tanh(x, NULL));
    assert_non_null(mica_threshold(x, NULL));
    assert_non_null(mica_prelu(x, NULL));
    assert_non_null(mica_glu(x, 0, NULL));
    assert_int_equal(mica_model_parameter_count(model), 6);
    mica_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activations),
        cmocka_unit_test(joining),
        cmocka_unit_test(products),
        cmocka_unit_test(nothing),
        cmocka_unit_test(defaults),
    };
    return cmocka_run_group_tests(tests, api_open, api_close);
}
