/* Layers around others with arguments that are wrong. */
#include "api.h"

#define NODES(built) mica_node *x = mica_input(built, NULL, MICA_SHAPE(6, 5))
#define SPECTRAL(...) mica_spectral_normalization(x, &(mica_spectral_normalization_desc){__VA_ARGS__})
#define WEIGHT(...) mica_weight_normalization(x, &(mica_weight_normalization_desc){__VA_ARGS__})

static void nothing(void **state)
{
    (void)state;
    assert_null(mica_spectral_normalization(NULL, NULL));
    assert_null(mica_weight_normalization(NULL, NULL));
}

static void wrong(void **state)
{
    (void)state;
    const mica_dense_desc dense = {.units = 4}, none = {.units = 0};
    NOT_BUILT("spectral_normalization: layer, the type of the layer within, is NULL", mica_spectral_normalization(x, NULL));
    NOT_BUILT("weight_normalization: layer, the type of the layer within, is NULL", mica_weight_normalization(x, NULL));
    NOT_BUILT("there is no layer type \"dens\"; did you mean \"dense\"?", SPECTRAL(.layer = "dens", .desc = &dense));
    NOT_BUILT("there is no layer type \"\"", WEIGHT(.layer = ""));
    NOT_BUILT("units must be at least 1, not 0", SPECTRAL(.layer = "dense"));
    NOT_BUILT("units must be at least 1, not 0", WEIGHT(.layer = "dense", .desc = &none));
    NOT_BUILT("equation is missing", WEIGHT(.layer = "einsum_dense"));
    NOT_BUILT("normalization has no parameter \"weight\"", SPECTRAL(.layer = "normalization", .desc = &dense));
    NOT_BUILT("dropout has no parameter \"weight\"", WEIGHT(.layer = "dropout"));
    NOT_BUILT("spectral_normalization has no parameter \"weight\"", WEIGHT(.layer = "spectral_normalization"));
    NOT_BUILT("needs two dimensions", SPECTRAL(.layer = "batch_normalization"));
    NOT_BUILT("power_iterations must lie between 1 and 100, not -1", SPECTRAL(.layer = "dense", .desc = &dense,
                                                                             .power_iterations = -1));
    NOT_BUILT("power_iterations must lie between 1 and 100, not 101", SPECTRAL(.layer = "dense", .desc = &dense,
                                                                              .power_iterations = 101));
    NOT_BUILT("axis 2, its weight has axes 0 to 1", WEIGHT(.layer = "dense", .desc = &dense, .axis = 2));
    NOT_BUILT("axis -2147483648, its weight", WEIGHT(.layer = "dense", .desc = &dense, .axis = INT32_MIN));
    NOT_BUILT("a layer's name has 1 to", SPECTRAL(.layer = "dense", .desc = &dense, .name = ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing), cmocka_unit_test(wrong)};
    return cmocka_run_group_tests(tests, api_open, api_close);
}
