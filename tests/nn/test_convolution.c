/* Convolutions and poolings before any device computes: shapes, variables, JSON both ways, and what errors say. */
#include "nn/fixture.h"
#include "nn/layer.h"

#define LAYER(shape, layer) OF("[" shape "]", "\"name\": \"a\", \"type\": " layer)
#define CONV "\"filters\": 4, \"kernel_size\": "
static void shapes_of(void **state)
{
    const struct {
        const char *json;
        mica_shape shape;
    } cases[] = {
        {LAYER("3, 5, 7, 9", "\"conv3d\", " CONV "3"), MICA_SHAPE(4, 3, 5, 7)},
        {LAYER("3, 5, 7, 9", "\"conv3d\", " CONV "[3, 2, 1], \"strides\": [1, 2, 4], \"padding\": \"same\""),
         MICA_SHAPE(4, 5, 4, 3)},
        {LAYER("3, 5, 7, 9", "\"conv3d\", " CONV "3, \"padding\": [1, 0, 2, 0, 1, 1]"), MICA_SHAPE(4, 4, 6, 10)},
        {LAYER("3, 7", "\"conv1d_transpose\", " CONV "3, \"strides\": 2"), MICA_SHAPE(4, 15)},
        {LAYER("3, 7", "\"conv1d_transpose\", " CONV "2, \"strides\": 5"), MICA_SHAPE(4, 35)},
        {LAYER("3, 7", "\"conv1d_transpose\", " CONV "2, \"strides\": 5, \"output_padding\": 0"), MICA_SHAPE(4, 32)},
        {LAYER("3, 7", "\"conv1d_transpose\", " CONV "3, \"strides\": 2, \"dilation_rate\": 3, \"output_padding\": 1"),
         MICA_SHAPE(4, 20)},
        {LAYER("3, 7, 4", "\"conv2d_transpose\", " CONV "[5, 4], \"strides\": [2, 3], \"padding\": \"same\""),
         MICA_SHAPE(4, 14, 12)},
        {LAYER("3, 7, 4", "\"conv2d_transpose\", " CONV "[5, 4], \"strides\": [2, 3], \"padding\": \"same\", \"output_padding\": 0"),
         MICA_SHAPE(4, 13, 9)},
        {LAYER("3, 7, 4", "\"conv2d_transpose\", " CONV "[5, 4], \"strides\": 3, \"padding\": \"same\", \"output_padding\": [2, 0]"),
         MICA_SHAPE(4, 21, 9)},
        {LAYER("3, 7, 4", "\"conv2d_transpose\", " CONV "3, \"strides\": 2, \"padding\": 1, \"output_padding\": 1"),
         MICA_SHAPE(4, 14, 8)},
        {LAYER("3, 2, 7, 4", "\"conv3d_transpose\", " CONV "2, \"strides\": 2"), MICA_SHAPE(4, 4, 14, 8)},
        {LAYER("3, 5, 7", "\"depthwise_conv2d\", \"kernel_size\": 3, \"depth_multiplier\": 2"), MICA_SHAPE(6, 3, 5)},
        {LAYER("3, 7", "\"depthwise_conv1d\", \"kernel_size\": 3, \"padding\": \"same\", \"strides\": 2"), MICA_SHAPE(3, 4)},
        {LAYER("3, 5, 7", "\"separable_conv2d\", " CONV "[1, 3]"), MICA_SHAPE(4, 5, 5)},
        {LAYER("3, 7", "\"separable_conv1d\", " CONV "3"), MICA_SHAPE(4, 5)},
        {LAYER("3, 5, 7, 9", "\"max_pooling3d\""), MICA_SHAPE(3, 2, 3, 4)},
        {LAYER("3, 5, 7, 9", "\"average_pooling3d\", \"pool_size\": [2, 3, 3], \"strides\": 2, \"padding\": [1, 0, 1]"),
         MICA_SHAPE(3, 3, 3, 5)},
        {LAYER("3, 5, 7, 9", "\"global_max_pooling3d\", \"keepdims\": true"), MICA_SHAPE(3, 1, 1, 1)},
        {LAYER("3, 5, 7", "\"global_average_pooling\""), MICA_SHAPE(3)},
        {LAYER("3, 5", "\"adaptive_max_pooling1d\", \"output_size\": 9"), MICA_SHAPE(3, 9)},
        {LAYER("3, 5, 7", "\"adaptive_average_pooling2d\", \"output_size\": [2, 7]"), MICA_SHAPE(3, 2, 7)},
        {LAYER("3, 4, 6, 8", "\"adaptive_average_pooling3d\", \"output_size\": 2"), MICA_SHAPE(3, 2, 2, 2)},
    };
    (void)state;
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        struct fixture *f = fixture_open(cases[i].json);
        fixture_has_shape(mica_model_node(f->model, "a"), cases[i].shape);
        fixture_close(f);
    }
}

static const struct mistake mistakes[] = {
    {LAYER("3, 5, 7", "\"conv3d\", " CONV "3"),
     "conv3d \"a\": input has shape (3, 5, 7) per sample, needs (channels, depth, height, width)"},
    {LAYER("16, 16, 16, 1", "\"conv3d\", " CONV "3"), "volumes are channels first: (1, 16, 16, 16)"},
    {LAYER("3, 5, 7, 9", "\"conv3d\", " CONV "[3, 3]"),
     "layers[0].kernel_size: must be a number or a list of 3, one for each axis"},
    {LAYER("3, 5, 7", "\"conv2d\", " CONV "[3]"), "layers[0].kernel_size: must be a number or a list of 2, one for each axis"},
    {LAYER("3, 5, 7", "\"conv2d\", " CONV "3, \"strides\": [2]"), "layers[0].strides: must be a number or a list of 2"},
    {LAYER("3, 5, 7", "\"conv2d\", " CONV "3, \"dilation_rate\": []"), "layers[0].dilation_rate: must be a number or a list of 2"},
    {LAYER("3, 5, 7", "\"max_pooling2d\", \"pool_size\": [3]"), "layers[0].pool_size: must be a number or a list of 2"},
    {LAYER("3, 5, 7", "\"adaptive_max_pooling2d\", \"output_size\": [1, 2, 3]"),
     "layers[0].output_size: must be a number or a list of 2"},
    {LAYER("3, 5, 7, 9", "\"conv3d\", " CONV "3, \"padding\": [1, 1]"),
     "must be \"same\", \"valid\", a number, or a list of 3 or 6"},
    {LAYER("3, 5, 7, 9", "\"conv3d\", " CONV "[1, 6, 1], \"strides\": 2, \"dilation_rate\": 2"),
     "a window of 11 does not fit into an input of 7"},
    {LAYER("3, 5, 7, 9", "\"conv3d\", " CONV "3, \"groups\": 2"), "3 channels and 4 filters do not divide into 2 groups"},
    {LAYER("3, 5", "\"conv1d\", " CONV "[3, 3]"), "layers[0].kernel_size: must be a number or a list of 1, one for each axis"},
    {LAYER("3, 5, 7", "\"conv2d_transpose\", " CONV "3, \"strides\": 2, \"output_padding\": 2"),
     "conv2d_transpose \"a\": output_padding of 2 must be smaller than the strides of 2"},
    {LAYER("3, 5, 7", "\"conv2d_transpose\", " CONV "3, \"output_padding\": -1"),
     "layers[0].output_padding: must be at least 0, not -1"},
    {LAYER("3, 1, 7", "\"conv2d_transpose\", " CONV "3, \"padding\": [2, 0]"),
     "padding of 2 and 2 leaves nothing of the 3 places that an input of 1 makes"},
    {LAYER("3, 1", "\"conv1d_transpose\", " CONV "4, \"padding\": \"same\", \"output_padding\": 0"),
     "leaves nothing of the 4 places that an input of 1 makes"},
    {LAYER("3, 5, 7", "\"conv2d_transpose\", \"kernel_size\": 3"), "layers[0]: \"filters\" is missing"},
    {LAYER("3, 5, 7", "\"depthwise_conv2d\", " CONV "3"), "layers[0]: there is no key \"filters\""},
    {LAYER("3, 5, 7", "\"depthwise_conv2d\", \"kernel_size\": 3, \"depth_multiplier\": 0"),
     "depth_multiplier: must be at least 1, not 0"},
    {LAYER("3, 5, 7", "\"depthwise_conv2d\", \"kernel_size\": 3, \"depth_multiplier\": 1000000000"),
     "channels times depth_multiplier is 3000000000, which is too large"},
    {LAYER("3, 5, 7", "\"separable_conv1d\", " CONV "3"),
     "separable_conv1d \"a\": input has shape (3, 5, 7) per sample, needs (channels, length)"},
    {LAYER("3, 5, 7", "\"separable_conv2d\", \"kernel_size\": 3"), "layers[0]: \"filters\" is missing"},
    {LAYER("3, 5, 7", "\"max_pooling3d\""), "needs (channels, depth, height, width)"},
    {LAYER("3, 5, 7, 9", "\"average_pooling3d\", \"padding\": 2"), "padding of 2 is not smaller than the window of 2"},
    {LAYER("3, 5, 7", "\"adaptive_average_pooling2d\""), "layers[0]: \"output_size\" is missing"},
    {LAYER("3, 5, 7", "\"adaptive_average_pooling2d\", \"output_size\": [0, 2]"),
     "layers[0].output_size: must be at least 1, not 0"},
    {LAYER("3, 5, 7", "\"adaptive_max_pooling2d\", \"output_size\": 1000000000"),
     "output_size holds 1000000000, for an input of 5"},
    {LAYER("3, 5, 7", "\"adaptive_max_pooling1d\", \"output_size\": 2"), "needs (channels, length)"},
};

static void error_texts(void **state)
{
    (void)state;
    fixture_refuses(mistakes, MI_COUNT(mistakes));
}

/* Names, and shapes as PyTorch's. */
static void variables(void **state)
{
    struct fixture *f = *state;
    mica_node *x = mica_input(f->model, NULL, MICA_SHAPE(4, 6, 6));
    x = mica_conv2d_transpose(x, &(mica_conv_transpose_desc){.filters = 6, .kernel_size = {3, 2}, .groups = 2, .strides = {2},
                                                            .output_padding = {1, -1}});
    assert_int_equal(mica_node_shape(x).dim[1], 14);
    assert_int_equal(mica_node_shape(x).dim[2], 12);
    x = mica_depthwise_conv2d(x, &(mica_depthwise_conv_desc){.kernel_size = {3}, .depth_multiplier = 2});
    x = mica_separable_conv2d(x, &(mica_separable_conv_desc){.filters = 5, .kernel_size = {2}});
    assert_non_null(x);
    fixture_has_variable(f, "conv2d_transpose.weight", MICA_SHAPE(4, 3, 3, 2));
    fixture_has_variable(f, "conv2d_transpose.bias", MICA_SHAPE(6));
    fixture_has_variable(f, "depthwise_conv2d.weight", MICA_SHAPE(12, 1, 3, 3));
    fixture_has_variable(f, "depthwise_conv2d.bias", MICA_SHAPE(12));
    fixture_has_variable(f, "separable_conv2d.depthwise.weight", MICA_SHAPE(12, 1, 2, 2));
    fixture_has_variable(f, "separable_conv2d.pointwise.weight", MICA_SHAPE(5, 12, 1, 1));
    fixture_has_variable(f, "separable_conv2d.bias", MICA_SHAPE(5));
    assert_int_equal(mica_model_variable_count(f->model), 7);
}

/* What C says, a description keeps, also a size that is 0 or repeats the first. */
static void round_trip(void **state)
{
    static const char wanted[] =
        "[{\"type\":\"conv2d_transpose\",\"name\":\"t\",\"filters\":2,\"kernel_size\":3,\"strides\":[2,3],\"padding\":[0,1,2,3],"
        "\"output_padding\":[1,0]},{\"type\":\"adaptive_max_pooling2d\",\"name\":\"p\",\"output_size\":[2,3]},"
        "{\"type\":\"global_max_pooling\",\"name\":\"g\",\"keepdims\":true}]";
    struct fixture *f = *state;
    mica_node *x = mica_input(f->model, NULL, MICA_SHAPE(4, 6, 6));
    x = mica_conv2d_transpose(x, &(mica_conv_transpose_desc){.name = "t", .filters = 2, .kernel_size = {3}, .strides = {2, 3},
                                                            .padding = "explicit", .pads = {0, 1, 2, 3}, .output_padding = {1, -1}});
    x = mica_adaptive_max_pooling2d(x, &(mica_adaptive_pool_desc){.name = "p", .output_size = {2, 3}});
    x = mica_global_max_pooling(x, &(mica_global_pool_desc){.name = "g", .keepdims = true});
    assert_non_null(mica_output(f->model, NULL, x));
    cJSON *once = mi_model_describe(f->model), *layers = cJSON_Parse(wanted);
    char *text = cJSON_PrintUnformatted(once);
    for (int i = 0; i < cJSON_GetArraySize(layers); i++) {
        const cJSON *item, *got = cJSON_GetArrayItem(cJSON_GetObjectItem(once, "layers"), i + 1);
        cJSON_ArrayForEach(item, cJSON_GetArrayItem(layers, i))
            if (!cJSON_Compare(item, cJSON_GetObjectItem(got, item->string), true))
                fail_msg("%s of layer %d in %s", item->string, i, text);
    }
    cJSON_Delete(once);
    cJSON_Delete(layers);
    cJSON_free(text);
    fixture_round_trip(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_of),
        cmocka_unit_test(error_texts),
        cmocka_unit_test_setup_teardown(variables, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(round_trip, fixture_begin, fixture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
