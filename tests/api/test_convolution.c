/* Convolutions and poolings with arguments that are wrong: the line stays in the model. */
#include "api.h"

/* x has a sequence, an image and a volume. */
#define NODES(built)                                                                                                     \
    mica_node *x[] = {NULL, mica_input(built, "x1", MICA_SHAPE(2, 6)), mica_input(built, "x2", MICA_SHAPE(2, 6, 6)),     \
                      mica_input(built, "x3", MICA_SHAPE(2, 6, 6, 6))}

static void convolutions(void **state)
{
    const int64_t huge = INT64_MAX;
    (void)state;
    assert_null(mica_conv3d(NULL, NULL));
    assert_null(mica_conv1d_transpose(NULL, NULL));
    assert_null(mica_depthwise_conv1d(NULL, NULL));
    assert_null(mica_separable_conv1d(NULL, NULL));
    NOT_BUILT("kernel_size", mica_conv3d(x[3], NULL));
    NOT_BUILT("needs (channels, depth, height, width)", mica_conv3d(x[2], &(mica_conv_desc){.filters = 1, .kernel_size = {1}}));
    NOT_BUILT("strides", mica_conv3d(x[3], &(mica_conv_desc){.filters = 1, .kernel_size = {1}, .strides = {1, 1, -1}}));
    NOT_BUILT("a pad", mica_conv3d(x[3], &(mica_conv_desc){.filters = 1, .kernel_size = {1}, .padding = "explicit",
                                                          .pads = {0, 0, 0, 0, 0, -1}}));
    NOT_BUILT("kernel_size", mica_conv1d_transpose(x[1], NULL));
    NOT_BUILT("filters", mica_conv2d_transpose(x[2], &(mica_conv_transpose_desc){.kernel_size = {1}}));
    NOT_BUILT("groups", mica_conv2d_transpose(x[2], &(mica_conv_transpose_desc){.filters = 2, .kernel_size = {1}, .groups = -1}));
    NOT_BUILT("must be smaller than the strides", mica_conv2d_transpose(x[2], &(mica_conv_transpose_desc){
              .filters = 2, .kernel_size = {1}, .output_padding = {huge}}));
    NOT_BUILT("an output's side", mica_conv2d_transpose(x[2], &(mica_conv_transpose_desc){
              .filters = 2, .kernel_size = {1}, .strides = {1 << 30}}));
    NOT_BUILT("leaves nothing", mica_conv3d_transpose(x[3], &(mica_conv_transpose_desc){
              .filters = 2, .kernel_size = {1}, .padding = "explicit", .pads = {6}}));
    NOT_BUILT("padding \"smae\"", mica_conv3d_transpose(x[3], &(mica_conv_transpose_desc){
              .filters = 2, .kernel_size = {1}, .padding = "smae"}));
    NOT_BUILT("kernel_size", mica_depthwise_conv1d(x[1], NULL));
    NOT_BUILT("depth_multiplier", mica_depthwise_conv2d(x[2], &(mica_depthwise_conv_desc){.kernel_size = {1}, .depth_multiplier = -1}));
    NOT_BUILT("depth_multiplier", mica_depthwise_conv2d(x[2], &(mica_depthwise_conv_desc){.kernel_size = {1}, .depth_multiplier = huge}));
    NOT_BUILT("filters", mica_separable_conv1d(x[1], &(mica_separable_conv_desc){.kernel_size = {1}}));
    NOT_BUILT("activation \"rleu\"", mica_separable_conv2d(x[2], &(mica_separable_conv_desc){
              .filters = 1, .kernel_size = {1}, .activation = "rleu"}));
}

static void poolings(void **state)
{
    const int64_t huge = INT64_MAX;
    (void)state;
    assert_null(mica_max_pooling3d(NULL, NULL));
    assert_null(mica_adaptive_max_pooling1d(NULL, NULL));
    NOT_BUILT("needs (channels, depth, height, width)", mica_max_pooling3d(x[2], NULL));
    NOT_BUILT("pool_size", mica_average_pooling3d(x[3], &(mica_pool_desc){.pool_size = {2, 2, -1}}));
    NOT_BUILT("output_size", mica_adaptive_average_pooling1d(x[1], NULL));
    NOT_BUILT("output_size", mica_adaptive_average_pooling2d(x[2], &(mica_adaptive_pool_desc){.output_size = {2, -1}}));
    NOT_BUILT("output_size", mica_adaptive_average_pooling3d(x[3], &(mica_adaptive_pool_desc){.output_size = {huge}}));
    NOT_BUILT("output_size", mica_adaptive_max_pooling1d(x[1], &(mica_adaptive_pool_desc){.output_size = {1 << 30}}));
    NOT_BUILT("needs (channels, height, width)", mica_adaptive_max_pooling2d(x[1], &(mica_adaptive_pool_desc){.output_size = {1}}));
    NOT_BUILT("needs (channels, depth, height, width)", mica_adaptive_max_pooling3d(x[1], NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(convolutions), cmocka_unit_test(poolings)};
    return cmocka_run_group_tests(tests, api_open, api_close);
}
