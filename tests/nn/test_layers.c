/* Layers before any device computes: shapes, names, variables, JSON both ways, and what errors say. */
#include "nn/fixture.h"
#include "nn/layer.h"

#include <string.h>

static void assert_error(const struct fixture *f, const char *text)
{
    if (!strstr(mica_model_error(f->model), text))
        fail_msg("error is \"%s\", not \"%s\"", mica_model_error(f->model), text);
    assert_int_not_equal(mica_model_status(f->model), MICA_OK);
    assert_string_equal(f->device.error.text, mica_model_error(f->model));
}

/* ---- Shapes ---- */

static void shapes(void **state)
{
    struct fixture *f = *state;
    mica_node *x = mica_input(f->model, NULL, MICA_SHAPE(3, 28, 28));
    mica_node *y = mica_conv2d(x, &(mica_conv_desc){.filters = 8, .kernel_size = {3}});
    fixture_has_shape(y, MICA_SHAPE(8, 26, 26));
    fixture_has_shape(mica_max_pooling2d(y, NULL), MICA_SHAPE(8, 13, 13));
    fixture_has_shape(mica_conv2d(x, &(mica_conv_desc){.filters = 8, .kernel_size = {3}, .strides = {2}, .padding = "same"}),
                 MICA_SHAPE(8, 14, 14));
    fixture_has_shape(mica_conv2d(x, &(mica_conv_desc){.filters = 2, .kernel_size = {3, 5}, .padding = "explicit",
                                                  .pads = {1, 2, 0, 3}, .dilation_rate = {2, 1}}), MICA_SHAPE(2, 25, 29));
    fixture_has_shape(mica_average_pooling2d(x, &(mica_pool_desc){.pool_size = {3}, .padding = "same"}), MICA_SHAPE(3, 10, 10));
    fixture_has_shape(mica_global_average_pooling(x, NULL), MICA_SHAPE(3));
    fixture_has_shape(mica_flatten(x, NULL), MICA_SHAPE(2352));
    fixture_has_shape(mica_reshape(x, NULL, MICA_SHAPE(-1, 14)), MICA_SHAPE(168, 14));
    fixture_has_shape(mica_permute(x, NULL, MICA_SHAPE(2, 3, 1)), MICA_SHAPE(28, 28, 3));
    fixture_has_shape(mica_batch_normalization(x, NULL), MICA_SHAPE(3, 28, 28));
    fixture_has_shape(mica_dense(x, &(mica_dense_desc){.units = 5}), MICA_SHAPE(3, 28, 5));
    fixture_has_shape(mica_concatenate((mica_node *[]){x, y}, 1, 0, NULL), MICA_SHAPE(3, 28, 28));
    fixture_has_shape(mica_concatenate((mica_node *[]){x, x}, 2, 1, NULL), MICA_SHAPE(6, 28, 28));
    mica_node *words = mica_input_integer(f->model, "words", MICA_SHAPE(12));
    fixture_has_shape(mica_embedding(words, &(mica_embedding_desc){.input_dim = 100, .output_dim = 16}), MICA_SHAPE(12, 16));
    assert_int_equal(mica_model_status(f->model), MICA_OK);
}

static void names_and_variables(void **state)
{
    struct fixture *f = *state;
    mica_node *x = mica_input(f->model, NULL, MICA_SHAPE(4));
    x = mica_dense(x, &(mica_dense_desc){.units = 3});
    x = mica_dense(x, &(mica_dense_desc){.name = "dense_1", .units = 5});
    x = mica_dense(x, &(mica_dense_desc){.units = 2, .no_bias = true});
    x = mica_batch_normalization(x, &(mica_batch_normalization_desc){.no_scale = true});
    static const char *const names[] = {"dense.weight", "dense.bias", "dense_1.weight", "dense_1.bias", "dense_2.weight",
                                        "batch_normalization.bias", "batch_normalization.running_mean",
                                        "batch_normalization.running_var"};
    assert_non_null(x);
    assert_int_equal(mica_model_variable_count(f->model), MI_COUNT(names));
    for (size_t i = 0; i < MI_COUNT(names); i++)
        assert_string_equal(mica_model_variable_name(f->model, (int)i), names[i]);
    mica_shape shape = mica_model_variable_shape(f->model, 0);
    assert_int_equal(shape.rank, 2);
    assert_int_equal(shape.dim[0], 3);
    assert_int_equal(shape.dim[1], 4);
    assert_int_equal(mica_model_parameter_count(f->model), 3 * 4 + 3 + 5 * 3 + 5 + 2 * 5 + 2);
    assert_null(mica_model_variable_name(f->model, 99));
}

/* ---- Errors of C calls: NULL goes through, the first error stays ---- */

static void first_error_stays(void **state)
{
    struct fixture *f = *state;
    mica_node *x = mica_input(f->model, NULL, MICA_SHAPE(4));
    x = mica_conv2d(x, &(mica_conv_desc){.name = "c1", .filters = 8, .kernel_size = {3}});
    assert_null(x);
    x = mica_dense(mica_flatten(mica_max_pooling2d(x, NULL), NULL), &(mica_dense_desc){.units = -1});
    assert_null(mica_output(f->model, NULL, x));
    assert_error(f, "conv2d \"c1\": input has shape (4) per sample, needs (channels, height, width)");
    assert_int_equal(mica_model_status(f->model), MICA_SHAPE);
}

static void error_texts(void **state)
{
    static const struct mistake mistakes[] = {
        {"{", "line 1, column 1: this is not valid JSON"},
        {"[]", "must be a JSON object"},
        {"{\"layer\": []}", "there is no key \"layer\"; did you mean \"layers\"?"},
        {"{\"input_shape\": [4]}", "layers must be a list of layers"},
        {"{\"input_shape\": [4], \"layers\": []}", "layers is empty: there is at least one layer in a list of them"},
        {"{\"input_shape\": [0], \"layers\": []}", "input_shape: must be at least 1, not 0"},
        {"{\"input_shape\": [4.5], \"layers\": []}", "input_shape: must be a whole number, not 4.5"},
        {"{\"layers\": [{\"type\": \"dense\", \"units\": 3}]}", "layers[0]: there is no input: \"input_shape\" is missing"},
        {OF("[4]", "\"type\": \"dens\""), "layers[0]: there is no layer type \"dens\"; did you mean \"dense\"?"},
        {OF("[4]", "\"units\": 3"), "layers[0]: a layer is an object with a \"type\""},
        {OF("[4]", "\"type\": \"dense\""), "layers[0]: \"units\" is missing"},
        {OF("[4]", "\"type\": \"flatten\"}, {\"type\": \"dense\", \"unit\": 3"),
         "layers[1]: there is no key \"unit\"; did you mean \"units\"?"},
        {OF("[4]", "\"type\": \"dense\", \"units\": \"ten\""), "layers[0].units: must be a whole number"},
        {OF("[4]", "\"type\": \"dense\", \"units\": 0"), "layers[0].units: must be at least 1"},
        {OF("[4]", "\"type\": \"dense\", \"units\": 3, \"units\": 4"), "layers[0].units: is given twice"},
        {OF("[4]", "\"type\": \"dense\", \"units\": 3, \"activation\": \"rellu\""),
         "layers[0]: there is no activation \"rellu\"; did you mean \"relu\"?"},
        {OF("[4]", "\"type\": \"dense\", \"units\": 3, \"kernel_initializer\": \"he_normale\""),
         "there is no type \"he_normale\"; did you mean \"he_normal\"?"},
        {OF("[4]", "\"type\": \"dense\", \"units\": 3, \"kernel_initializer\": {\"type\": \"constant\", \"valu\": 1}"),
         "layers[0].kernel_initializer: there is no key \"valu\"; did you mean \"value\"?"},
        {OF("[1, 8, 8]", "\"type\": \"conv2d\", \"filters\": 2, \"kernel_size\": 3, \"padding\": \"sam\""),
         "there is no padding \"sam\"; did you mean \"same\"?"},
        {OF("[1, 8, 8]", "\"type\": \"conv2d\", \"filters\": 2, \"kernel_size\": [3, 3, 3]"),
         "layers[0].kernel_size: must be a number or a list of 2, one for each axis"},
        {OF("[1, 2, 8]", "\"type\": \"conv2d\", \"name\": \"c\", \"filters\": 2, \"kernel_size\": 3"),
         "layers[0]: conv2d \"c\": a window of 3 does not fit into an input of 2"},
        /* Too large is called so, with what would do. */
        {OF("[1, 8, 8]", "\"type\": \"conv2d\", \"filters\": 1125899906842624, \"kernel_size\": 1"),
         "filters is 1125899906842624, which is too large: at most 1073741824"},
        {OF("[1, 8, 8]", "\"type\": \"conv2d\", \"filters\": 1, \"kernel_size\": 3, \"dilation_rate\": 2147483647"),
         "dilation_rate is 2147483647, which is too large: at most 1073741824"},
        {OF("[4]", "\"type\": \"dense\", \"units\": 4611686018427387904"),
         "layers[0].units: is 4.61169e+18, which is too large: at most 9007199254740992"},
        {OF("[4]", "\"type\": \"dense\", \"units\": -3"), "layers[0].units: must be at least 1, not -3"},
        {OF("[4]", "\"type\": \"leaky_relu\", \"alpha\": 1e39"),
         "layers[0].alpha: is 1e+39, which is too large: at most 3.40282e+38"},
        {OF("[128, 3]", "\"type\": \"conv1d\", \"filters\": 2, \"kernel_size\": 5"),
         "input has shape (128, 3) per sample; sequences are channels first: (3, 128)"},
        {OF("[28, 28, 3]", "\"type\": \"conv2d\", \"filters\": 2, \"kernel_size\": 3"), "images are channels first"},
        {OF("[4, 8, 8]", "\"type\": \"conv2d\", \"filters\": 3, \"kernel_size\": 3, \"groups\": 2"), "2 groups"},
        {OF("[4]", "\"type\": \"dropout\", \"rate\": 1.5"), "rate: must be at least 0 and below 1"},
        {OF("[4]", "\"type\": \"reshape\", \"target_shape\": [3]"), "4 elements"},
        {OF("[4]", "\"type\": \"add\""), "add joins layers: \"inputs\" is missing"},
        {OF("[4]", "\"type\": \"dense\", \"name\": \"left\", \"units\": 2}, {\"type\": \"add\", \"inputs\": [\"lefd\", \"input\"]"),
         "layers[1]: inputs: there is no earlier layer \"lefd\"; did you mean \"left\"?"},
        {OF("[4]", "\"type\": \"dense\", \"name\": \"left\", \"units\": 2}, {\"type\": \"add\", \"inputs\": [\"left\", \"input\"]"),
         "inputs of shapes (2) and (4)"},
        {OF("[4]", "\"type\": \"concatenate\", \"inputs\": [\"input\", \"input\"], \"axis\": 0"), "layers[0].axis: must not be 0: that is the batch"},
        {OF("[4]", "\"type\": \"add\", \"inputs\": [\"input\", 3]"), "inputs must hold layers' names"},
        {"{\"input_shape\": [4], \"layers\": [{\"type\": \"relu\"}], \"outputs\": {\"y\": \"rely\"}}",
         "outputs: there is no earlier layer \"rely\"; did you mean \"relu\"?"},
        {OF("[4]", "\"type\": \"relu\", \"name\": \"a\"}, {\"type\": \"tanh\", \"name\": \"a\""),
         "there is a layer of that name already"},
        {OF("[1000000, 1000]", "\"type\": \"flatten\"}, {\"type\": \"dense\", \"units\": 9000000000000000"),
         "more than the device allocates at once"},
    };
    (void)state;
    fixture_refuses(mistakes, MI_COUNT(mistakes));
}

static void nodes_of_two_models(void **state)
{
    struct fixture *f = *state;
    mica_model *other = mica_model_create(&f->device, NULL);
    mica_node *x = mica_input(f->model, NULL, MICA_SHAPE(4)), *y = mica_input(other, NULL, MICA_SHAPE(4));
    assert_null(mica_add((mica_node *[]){x, y}, 2, NULL));
    assert_error(f, "a node of another model");
    mica_model_destroy(other);
}

/* ---- Sizes ---- */

/* A description makes no values: 4 TB of weights cost nothing where the device says no limit. */
static void describing_takes_no_memory(void **state)
{
    struct fixture *f = *state;
    mica_node *x = mica_input(f->model, NULL, MICA_SHAPE(1 << 20));
    x = mica_dense(x, &(mica_dense_desc){.units = 1 << 20});
    x = mica_batch_normalization(x, NULL);
    assert_non_null(x);
    assert_int_equal(mica_model_parameter_count(f->model), (1LL << 40) + 3 * (1 << 20));
    for (size_t i = 0; i < f->model->variables.count; i++)
        assert_null(f->model->variables.list[i]->initial);
    struct mi_variable *bias = mi_variable_find(&f->model->variables, "batch_normalization.running_var");
    assert_true(bias && mi_variable_make(bias));
    const float *values = bias->initial;
    assert_true(values[0] >= 1 && values[(1 << 20) - 1] <= 1);
}

/* What the layers have together is more than the device has: the layer that is one too many says so. */
static void layers_beside_each_other(void **state)
{
    struct fixture *f = *state;
    f->device.info.memory_bytes = 3 << 20;
    f->device.info.largest_allocation_bytes = 2 << 20;
    mica_node *x = mica_input(f->model, NULL, MICA_SHAPE(512));
    x = mica_dense(x, &(mica_dense_desc){.units = 512});
    x = mica_dense(x, &(mica_dense_desc){.units = 512});
    assert_non_null(x);
    assert_null(mica_dense(x, &(mica_dense_desc){.units = 768}));
    assert_error(f, "dense \"dense_2\": weight has shape (768, 512), with the layers before it 3674112 bytes, the device has 3145728");
}

static void one_layer_too_large(void **state)
{
    struct fixture *f = *state;
    f->device.info.memory_bytes = 3 << 20;
    f->device.info.largest_allocation_bytes = 2 << 20;
    assert_null(mica_dense(mica_input(f->model, NULL, MICA_SHAPE(64)), &(mica_dense_desc){.units = 1000000000}));
    assert_error(f, "dense \"dense\": weight has shape (1000000000, 64), more than the device allocates at once (2 MiB)");
}

/* ---- A description read again describes the same ---- */

static const char whole[] =
    "{\"input_shape\": [2, 12, 12], \"layers\": ["
    "{\"type\": \"conv2d\", \"filters\": 4, \"kernel_size\": [3, 2], \"padding\": [1, 0, 2, 1], \"strides\": 2, "
    "\"use_bias\": false, \"kernel_initializer\": {\"type\": \"random_normal\", \"stddev\": 0.1}},"
    "{\"type\": \"batch_normalization\", \"momentum\": 0.9, \"center\": false},"
    "{\"type\": \"leaky_relu\", \"negative_slope\": 0.3},"
    "{\"type\": \"max_pooling2d\", \"pool_size\": [2, 1], \"padding\": \"same\"},"
    "{\"type\": \"flatten\", \"name\": \"flat\"},"
    "{\"type\": \"dense\", \"units\": 6, \"activation\": \"tanh\", \"bias_initializer\": \"ones\"},"
    "{\"type\": \"dense\", \"name\": \"side\", \"units\": 6, \"inputs\": [\"flat\"]},"
    "{\"type\": \"concatenate\", \"inputs\": [\"dense\", \"side\"], \"axis\": 1},"
    "{\"type\": \"dropout\", \"rate\": 0.25}, {\"type\": \"softmax\"}]}";

static void round_trip(void **state)
{
    (void)state;
    fixture_round_trip_of(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shapes, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(names_and_variables, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(first_error_stays, fixture_begin, fixture_end),
        cmocka_unit_test(error_texts),
        cmocka_unit_test_setup_teardown(nodes_of_two_models, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(describing_takes_no_memory, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(layers_beside_each_other, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(one_layer_too_large, fixture_begin, fixture_end),
        cmocka_unit_test(round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
