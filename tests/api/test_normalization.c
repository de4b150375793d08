/* Normalisations and noise with arguments that are wrong. */
#include "api.h"

#include <math.h>

#define NODES(built)                                                                                                     \
    mica_node *x = mica_input(built, NULL, MICA_SHAPE(6, 5, 5)), *v = mica_input(built, "v", MICA_SHAPE(4));             \
    (void)x, (void)v

static void nothing(void **state)
{
    (void)state;
    assert_null(mica_layer_normalization(NULL, NULL));
    assert_null(mica_rms_normalization(NULL, NULL));
    assert_null(mica_group_normalization(NULL, NULL));
    assert_null(mica_instance_normalization(NULL, NULL));
    assert_null(mica_unit_normalization(NULL, NULL));
    assert_null(mica_spatial_dropout1d(NULL, NULL));
    assert_null(mica_spatial_dropout2d(NULL, NULL));
    assert_null(mica_spatial_dropout3d(NULL, NULL));
    assert_null(mica_alpha_dropout(NULL, NULL));
    assert_null(mica_gaussian_dropout(NULL, NULL));
    assert_null(mica_gaussian_noise(NULL, NULL));
}

static void normalizations(void **state)
{
    (void)state;
    NOT_BUILT("axis 4", mica_layer_normalization(x, &(mica_layer_normalization_desc){.axis = MICA_SHAPE(4)}));
    NOT_BUILT("axis 0", mica_layer_normalization(x, &(mica_layer_normalization_desc){.axis = MICA_SHAPE(0)}));
    NOT_BUILT("1 to 8 axes", mica_layer_normalization(x, &(mica_layer_normalization_desc){.axis = {.rank = -1}}));
    NOT_BUILT("1 to 8 axes", mica_rms_normalization(x, &(mica_rms_normalization_desc){.axis = {.rank = INT32_MAX}}));
    NOT_BUILT("axis -9223372036854775808",
              mica_unit_normalization(x, &(mica_unit_normalization_desc){.axis = MICA_SHAPE(INT64_MIN)}));
    NOT_BUILT("given twice", mica_unit_normalization(x, &(mica_unit_normalization_desc){.axis = MICA_SHAPE(3, -1)}));
    NOT_BUILT("epsilon", mica_layer_normalization(x, &(mica_layer_normalization_desc){.epsilon = -1}));
    NOT_BUILT("epsilon", mica_rms_normalization(x, &(mica_rms_normalization_desc){.epsilon = NAN}));
    NOT_BUILT("epsilon", mica_instance_normalization(x, &(mica_group_normalization_desc){.epsilon = -1e-3f}));
    NOT_BUILT("initializer \"x\"",
              mica_layer_normalization(x, &(mica_layer_normalization_desc){.beta.initializer = {.type = "x"}}));
    NOT_BUILT("initializer \"x\"",
              mica_batch_normalization(x, &(mica_batch_normalization_desc){.gamma.initializer = {.type = "x"}}));
    NOT_BUILT("32 groups", mica_group_normalization(x, NULL));
    NOT_BUILT("groups must be at least 1, not -2", mica_group_normalization(x, &(mica_group_normalization_desc){.groups = -2}));
    NOT_BUILT("too large", mica_group_normalization(x, &(mica_group_normalization_desc){.groups = INT64_MAX}));
    NOT_BUILT("several places", mica_instance_normalization(v, NULL));
}

static void noise(void **state)
{
    (void)state;
    NOT_BUILT("rate", mica_spatial_dropout2d(x, &(mica_dropout_desc){.rate = 1}));
    NOT_BUILT("rate", mica_alpha_dropout(x, &(mica_dropout_desc){.rate = NAN}));
    NOT_BUILT("rate", mica_gaussian_dropout(x, &(mica_dropout_desc){.rate = -1}));
    NOT_BUILT("(channels, length)", mica_spatial_dropout1d(x, NULL));
    NOT_BUILT("(channels, depth, height, width)", mica_spatial_dropout3d(x, NULL));
    NOT_BUILT("noise_shape", mica_dropout(x, &(mica_dropout_desc){.rate = 0.5f, .noise_shape = MICA_SHAPE(2, 5, 5)}));
    NOT_BUILT("noise_shape has 1 to", mica_alpha_dropout(x, &(mica_dropout_desc){.rate = 0.5f, .noise_shape = {.rank = -1}}));
    NOT_BUILT("stddev", mica_gaussian_noise(x, &(mica_gaussian_noise_desc){.stddev = INFINITY}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing), cmocka_unit_test(normalizations), cmocka_unit_test(noise)};
    return cmocka_run_group_tests(tests, api_open, api_close);
}
