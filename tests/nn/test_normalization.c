/* Normalisations and noise before any device computes: shapes, variables, JSON both ways, and what errors say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nn/layer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static mica_device device;

static mica_model *begin(void)
{
    device = (mica_device){.context = (cl_context)(void *)&device}; /* not NULL: it is open */
    mica_model *model = mica_model_create(&device, NULL);
    assert_non_null(model);
    return model;
}

/* ---- Errors ---- */

#define OF(shape, layer) "{\"input_shape\": " shape ", \"layers\": [{" layer "}]}"

static void error_texts(void **state)
{
    static const struct {
        const char *json, *error;
    } cases[] = {
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
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        mica_model *model = begin();
        assert_int_not_equal(mica_model_add_json(model, cases[i].json), MICA_OK);
        if (!strstr(mica_model_error(model), cases[i].error))
            fail_msg("error is \"%s\", not \"%s\"", mica_model_error(model), cases[i].error);
        mica_model_destroy(model);
    }
}

/* ---- Variables ---- */

static void has_variable(mica_model *model, const char *name, const char *shape)
{
    struct mi_arena arena = {0};
    struct mi_variable *found = mi_variable_find(&model->variables, name);
    assert_non_null(found);
    assert_string_equal(mi_shape_text(&arena, &found->shape), shape);
    mi_arena_destroy(&arena);
}

/* Parameters have the shape of the normalised axes, in their order. */
static void variables(void **state)
{
    (void)state;
    mica_model *model = begin();
    mica_node *x = mica_input(model, NULL, MICA_SHAPE(64, 3, 5));
    x = mica_layer_normalization(x, NULL);
    x = mica_layer_normalization(x, &(mica_layer_normalization_desc){.axis = MICA_SHAPE(-1, 1), .no_center = true});
    x = mica_rms_normalization(x, &(mica_rms_normalization_desc){.axis = MICA_SHAPE(2, 3)});
    x = mica_group_normalization(x, NULL);
    x = mica_instance_normalization(x, &(mica_group_normalization_desc){.no_scale = true});
    x = mica_unit_normalization(x, NULL);
    x = mica_batch_normalization(x, &(mica_batch_normalization_desc){.gamma.initializer = {.type = "zeros"}});
    assert_non_null(x);
    assert_int_equal(mica_node_shape(x).rank, 3);
    has_variable(model, "layer_normalization.weight", "(5)");
    has_variable(model, "layer_normalization.bias", "(5)");
    has_variable(model, "layer_normalization_1.weight", "(64, 5)");
    assert_null(mi_variable_find(&model->variables, "layer_normalization_1.bias"));
    has_variable(model, "rms_normalization.weight", "(3, 5)");
    has_variable(model, "group_normalization.weight", "(64)");
    has_variable(model, "instance_normalization.bias", "(64)");
    assert_null(mi_variable_find(&model->variables, "instance_normalization.weight"));
    struct mi_variable *gamma = mi_variable_find(&model->variables, "batch_normalization.weight");
    assert_true(gamma && mi_variable_make(gamma));
    assert_true(fabsf(*(const float *)gamma->initial) < 1e-30f);
    mica_model_destroy(model);
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
    mica_model *model = begin(), *again = mica_model_create(&device, NULL);
    if (mica_model_add_json(model, whole) != MICA_OK)
        fail_msg("%s", mica_model_error(model));
    cJSON *once = mi_model_describe(model);
    char *text = cJSON_PrintUnformatted(once);
    if (mica_model_add_json(again, text) != MICA_OK)
        fail_msg("%s in %s", mica_model_error(again), text);
    cJSON *twice = mi_model_describe(again);
    assert_true(cJSON_Compare(once, twice, true));
    assert_int_equal(mica_model_variable_count(again), mica_model_variable_count(model));
    cJSON_Delete(once);
    cJSON_Delete(twice);
    cJSON_free(text);
    mica_model_destroy(model);
    mica_model_destroy(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_texts),
        cmocka_unit_test(variables),
        cmocka_unit_test(round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
