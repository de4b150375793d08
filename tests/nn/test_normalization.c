/* Normalisations and noise before any device computes: shapes, variables, JSON both ways, and what errors say. */
#include "nn/fixture.h"
#include "nn/layer.h"

#include <math.h>

/* ---- Errors ---- */

static void error_texts(void **state)
{
    static const struct mistake mistakes[] = {
        {OF("[4]", "\"type\": \"layer_normalization\", \"axis\": 2"),
         "layers[0]: layer_normalization \"layer_normalization\": axis 2; a sample of the input has axis 1 alone"},
        {OF("[4]", "\"type\": \"layer_normalization\", \"axis\": 0"), "axis 0, which is the batch; a sample of the input has axis 1 alone"},
        {OF("[4, 3]", "\"type\": \"layer_normalization\", \"axis\": [1, -2]"), "axis 1 is given twice"},
        {OF("[4]", "\"type\": \"layer_normalization\", \"axis\": \"last\""), "layers[0].axis: must be a whole number"},
        {OF("[4]", "\"type\": \"layer_normalization\", \"axis\": -9"), "layers[0].axis: must lie between -8 and 8, not -9"},
        {OF("[4]", "\"type\": \"layer_normalization\", \"epsilon\": -1"), "layers[0].epsilon: must be at least 0"},
        {OF("[4]", "\"type\": \"layer_normalization\", \"gamma_initializer\": \"one\""), "did you mean \"ones\"?"},
        {OF("[4]", "\"type\": \"layer_norm\""), "there is no layer type \"layer_norm\"; did you mean \"layer_normalization\"?"},
        {OF("[4]", "\"type\": \"rms_normalization\", \"axis\": 1.5"), "layers[0].axis: must be a whole number, not 1.5"},
        {OF("[4]", "\"type\": \"rms_normalization\", \"center\": true"), "there is no key \"center\""},
        {OF("[4]", "\"type\": \"unit_normalization\", \"axis\": -3"), "axis -3; a sample of the input has axis 1 alone"},
        {OF("[6, 2, 2]", "\"type\": \"group_normalization\""), "input has 6 channels, which 32 groups do not divide"},
        {OF("[6, 2, 2]", "\"type\": \"group_normalization\", \"groups\": 0"), "layers[0].groups: must not be 0: there is a group at least"},
        {OF("[6, 2, 2]", "\"type\": \"group_normalization\", \"groups\": -2"), "layers[0].groups: must be at least -1, not -2"},
        {OF("[6, 2, 2]", "\"type\": \"group_normalization\", \"axis\": 1"), "there is no key \"axis\"; it has no axis to choose: channels are the first"},
        {OF("[6]", "\"type\": \"instance_normalization\""), "input has shape (6) per sample, needs channels with several places"},
        {OF("[6]", "\"type\": \"gaussian_noise\""), "\"stddev\" is missing"},
        {OF("[6]", "\"type\": \"gaussian_noise\", \"stddev\": -1"), "layers[0].stddev: must be at least 0"},
        {OF("[6]", "\"type\": \"gaussian_dropout\", \"rate\": 1"), "layers[0].rate: must be at least 0 and below 1, not 1"},
        {OF("[6]", "\"type\": \"alpha_dropout\", \"rate\": -0.1"), "layers[0].rate: must be at least 0 and below 1, not -0.1"},
        {OF("[6]", "\"type\": \"dropout\", \"rate\": 0.99999999"),
         "layers[0].rate: must be at least 0 and below 1, not 0.99999999, which is 1 as a float"},
        {OF("[6]", "\"type\": \"reshape\", \"target_shape\": [6.0000001]"),
         "layers[0].target_shape: must be a whole number, not 6.0000001"},
        {OF("[6]", "\"type\": \"spatial_dropout1d\", \"rate\": 0.5"), "input has shape (6) per sample, needs (channels, length)"},
        {OF("[6, 2]", "\"type\": \"spatial_dropout2d\", \"rate\": 0.5"), "needs (channels, height, width)"},
        {OF("[6, 2]", "\"type\": \"spatial_dropout3d\", \"rate\": 0.5"), "needs (channels, depth, height, width)"},
        {OF("[6, 2]", "\"type\": \"dropout\", \"rate\": 0.5, \"noise_shape\": [2, 1]"),
         "input has shape (6, 2) per sample, noise_shape is (2, 1): the same, or 1 where it is shared"},
        {OF("[6, 2]", "\"type\": \"dropout\", \"rate\": 0.5, \"noise_shape\": [1]"), "noise_shape is (1)"},
        {OF("[6, 2]", "\"type\": \"dropout\", \"rate\": 0.5, \"noise_shape\": 1"), "layers[0].noise_shape: must be a list"},
        {OF("[6]", "\"type\": \"dropout2d\""), "did you mean \"spatial_dropout2d\"?"},
        {OF("[6]", "\"type\": \"batch_normalization\", \"beta_initializer\": \"nul\""), "there is no type \"nul\""},
    };
    (void)state;
    fixture_refuses(mistakes, MI_COUNT(mistakes));
}

/* ---- Variables ---- */

/* Parameters have the shape of the normalised axes, in their order. */
static void variables(void **state)
{
    struct fixture *f = *state;
    mica_node *x = mica_input(f->model, NULL, MICA_SHAPE(64, 3, 5));
    x = mica_layer_normalization(x, NULL);
    x = mica_layer_normalization(x, &(mica_layer_normalization_desc){.axis = MICA_SHAPE(-1, 1), .no_center = true});
    x = mica_rms_normalization(x, &(mica_rms_normalization_desc){.axis = MICA_SHAPE(2, 3)});
    x = mica_group_normalization(x, NULL);
    x = mica_instance_normalization(x, &(mica_group_normalization_desc){.no_scale = true});
    x = mica_unit_normalization(x, NULL);
    x = mica_batch_normalization(x, &(mica_batch_normalization_desc){.gamma.initializer = {.type = "zeros"}});
    assert_non_null(x);
    assert_int_equal(mica_node_shape(x).rank, 3);
    fixture_has_variable(f, "layer_normalization.weight", MICA_SHAPE(5));
    fixture_has_variable(f, "layer_normalization.bias", MICA_SHAPE(5));
    fixture_has_variable(f, "layer_normalization_1.weight", MICA_SHAPE(64, 5));
    assert_null(mi_variable_find(&f->model->variables, "layer_normalization_1.bias"));
    fixture_has_variable(f, "rms_normalization.weight", MICA_SHAPE(3, 5));
    fixture_has_variable(f, "group_normalization.weight", MICA_SHAPE(64));
    fixture_has_variable(f, "instance_normalization.bias", MICA_SHAPE(64));
    assert_null(mi_variable_find(&f->model->variables, "instance_normalization.weight"));
    struct mi_variable *gamma = mi_variable_find(&f->model->variables, "batch_normalization.weight");
    assert_true(gamma && mi_variable_make(gamma));
    assert_true(fabsf(*(const float *)gamma->initial) < 1e-30f);
}

/* ---- A description read again describes the same ---- */

static const char whole[] =
    "{\"input_shape\": [4, 6, 6], \"layers\": ["
    "{\"type\": \"layer_normalization\", \"axis\": [1, -1], \"epsilon\": 1e-5, \"center\": false, "
    "\"gamma_initializer\": \"zeros\"},"
    "{\"type\": \"layer_normalization\", \"axis\": 2}, {\"type\": \"rms_normalization\", \"epsilon\": 0.01},"
    "{\"type\": \"group_normalization\", \"groups\": 2}, {\"type\": \"group_normalization\", \"groups\": -1},"
    "{\"type\": \"instance_normalization\", \"scale\": false, \"beta_initializer\": \"ones\"},"
    "{\"type\": \"unit_normalization\", \"axis\": 1}, {\"type\": \"batch_normalization\", \"gamma_initializer\": \"zeros\"},"
    "{\"type\": \"dropout\", \"rate\": 0.5, \"noise_shape\": [4, 1, 1], \"seed\": 3}, {\"type\": \"spatial_dropout2d\", \"rate\": 0.1},"
    "{\"type\": \"alpha_dropout\", \"rate\": 0}, {\"type\": \"gaussian_dropout\", \"rate\": 0.1, \"seed\": 7},"
    "{\"type\": \"gaussian_noise\", \"stddev\": 0.1}, {\"type\": \"reshape\", \"target_shape\": [4, 36]},"
    "{\"type\": \"spatial_dropout1d\", \"rate\": 0.1}, {\"type\": \"reshape\", \"target_shape\": [4, 3, 3, 4]},"
    "{\"type\": \"spatial_dropout3d\", \"rate\": 0.1}]}";

static void round_trip(void **state)
{
    (void)state;
    fixture_round_trip_of(whole);
}

/* Batch normalisation is told which steps are real, and hands that on. */
static void masked(void **state)
{
    struct fixture *f = *state;
    mica_node *x = mica_input(f->model, NULL, MICA_SHAPE(5, 6));
    mica_node *y = mica_batch_normalization(mica_masking(x, NULL), NULL), *plain = mica_batch_normalization(x, NULL);
    assert_int_equal(y->node->inputs, 6);
    assert_int_equal(plain->node->inputs, 5);
    assert_non_null(mi_model_mask(f->model, y));
    assert_null(mi_model_mask(f->model, plain));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_texts),
        cmocka_unit_test_setup_teardown(masked, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(variables, fixture_begin, fixture_end),
        cmocka_unit_test(round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
