/* Layers that prepare data: what errors say, and what those learn that learn from data. */
#include "nn/fixture.h"
#include "nn/layer.h"

#include <mica/mica.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LAYER(keys) OF("[2, 3]", keys)
#define RESCALE "\"type\": \"rescaling\", "
#define NORMAL "\"type\": \"normalization\", \"name\": \"n\""
#define BINS "\"type\": \"discretization\", \"name\": \"d\", "

static void test_errors(void **state)
{
    static const struct mistake mistakes[] = {
        {LAYER("\"type\": \"rescaling\""), "layers[0]: \"scale\" is missing"},
        {LAYER(RESCALE "\"scale\": 0"), "scale 0 must be a finite number other than 0"},
        {LAYER(RESCALE "\"scal\": 1"), "there is no key \"scal\"; did you mean \"scale\"?"},
        {LAYER(NORMAL ", \"axis\": 0"), "layers[0].axis: must not be 0"},
        {LAYER(NORMAL ", \"axis\": 3"), "axis 3; a sample of the input has axes 1 to 2"},
        {LAYER(NORMAL ", \"mean\": 1"), "given together or not at all: variance is missing"},
        {LAYER(NORMAL ", \"mean\": [1, 2], \"variance\": 1"), "mean has 2 numbers, the axis has 3"},
        {LAYER(NORMAL ", \"mean\": 1, \"variance\": -1"), "variance holds -1, it must be at least 0"},
        {LAYER(NORMAL ", \"mean\": \"one\", \"variance\": 1"), "mean must be a number or a list of numbers"},
        {LAYER(NORMAL ", \"mean\": [], \"variance\": 1"), "mean is an empty list"},
        {LAYER("\"type\": \"discretization\""), "takes bin_boundaries or num_bins"},
        {LAYER(BINS "\"num_bins\": 2, \"bin_boundaries\": [1]"), "takes bin_boundaries or num_bins, not both"},
        {LAYER(BINS "\"num_bins\": 1"), "layers[0].num_bins: must lie between 2 and 16777216, not 1"},
        {LAYER(BINS "\"bin_boundaries\": [2, 1]"), "bin_boundaries must rise, 1 comes after 2"},
        {LAYER(BINS "\"num_bins\": 3, \"output_mode\": \"onehot\""),
         "there is no output_mode \"onehot\"; did you mean \"one_hot\"?"},
        {LAYER("\"type\": \"category_encoding\""), "\"num_tokens\" is missing"},
        {LAYER("\"type\": \"category_encoding\", \"num_tokens\": 4, \"output_mode\": \"int\""), "there is no output_mode \"int\""},
        {LAYER("\"type\": \"hashing\", \"num_bins\": 0"), "num_bins: must lie between 1 and 16777216, not 0"},
        {LAYER("\"type\": \"masking\", \"mask\": 0"), "there is no key \"mask\"; did you mean \"mask_value\"?"},
    };
    (void)state;
    fixture_refuses(mistakes, MI_COUNT(mistakes));
}

/* ---- Learning ---- */

enum { SAMPLES = 1000, TRAINED = 750 };

/* Feature 0 far from zero, feature 1 never changes; the last quarter, which is not trained on, is of another kind. */
static mica_data *make_data(mica_device *device)
{
    static float inputs[SAMPLES * 2], values[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
        inputs[2 * i] = i < TRAINED ? 1000 + (float)(i % 5) : -1e6f;
        inputs[2 * i + 1] = 7;
        values[i] = (float)(i % 5);
    }
    return mica_arrays_open(device, &(mica_arrays_desc){
        .samples = SAMPLES, .input_shape = MICA_SHAPE(2), .label_shape = MICA_SHAPE(1), .inputs = inputs, .values = values,
        .split = {.fraction = {0.75f, 0, 0.25f}, .no_shuffle = true}});
}

static mica_model *make_model(mica_device *device, const char *layers)
{
    char text[512];
    mi_format(text, sizeof text, OF("[2]", "%s"), layers);
    mica_model *model = mica_model_create(device, NULL);
    if (mica_model_add_json(model, text) != MICA_OK)
        fail_msg("%s", mica_model_error(model));
    return model;
}

static void assert_values(mica_model *model, const char *name, const float *wanted, size_t count)
{
    float got[8];
    assert_int_equal(mica_model_read(model, name, got, count), MICA_OK);
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(got[i] - wanted[i]) <= 1e-5f * (1 + fabsf(wanted[i]))))
            fail_msg("%s[%zu] is %g, not %g", name, i, (double)got[i], (double)wanted[i]);
}

static void test_waits(void **state)
{
    mica_device *device = *state;
    mica_model *model = make_model(device, NORMAL);
    mica_data *data = make_data(device);
    mica_plan *plan = mica_compile(model, NULL);
    assert_non_null(strstr(mica_plan_error(plan), "normalization \"n\": its mean is not known yet: mica_fit learns it from the "
                                                  "training data, or mica_model_adapt before it"));
    mica_plan_destroy(plan);
    mica_device_clear_error(device);
    assert_int_equal(mica_model_adapt(model, data), MICA_OK);
    assert_values(model, "n.mean", (const float[]){1002, 7}, 2);
    assert_values(model, "n.variance", (const float[]){2, 0}, 2);
    plan = mica_compile(model, NULL);
    assert_int_equal(mica_plan_status(plan), MICA_OK);
    mica_plan_destroy(plan);
    mica_data_destroy(data);
    mica_model_destroy(model);
}

/* The second layer learns from what the first makes, and a fit leaves alone what has learnt. */
static void test_fit(void **state)
{
    mica_device *device = *state;
    mica_model *model = make_model(device, NORMAL "}, {" BINS "\"num_bins\": 8, \"output_mode\": \"count\"}, "
                                                        "{\"type\": \"dense\", \"units\": 1");
    mica_data *data = make_data(device);
    const mica_fit_desc how = {.loss = "mean_squared_error"};
    const float root = 1.41421356f, mine[2] = {5, 5};
    assert_int_equal(mica_fit(model, data, &how, NULL), MICA_OK);
    assert_values(model, "n.mean", (const float[]){1002, 7}, 2);
    /* Of 1500 sorted values 150 each are -sqrt(2) and -1 / sqrt(2), 900 are 0, and 150 each 1 / sqrt(2) and sqrt(2). */
    const float boundaries[] = {-1 / root, 0, 0, 0, 0, 0, 1 / root};
    assert_values(model, "d.bin_boundaries", boundaries, 7);
    assert_int_equal(mica_model_write(model, "n.mean", mine, 2), MICA_OK);
    assert_int_equal(mica_fit(model, data, &how, NULL), MICA_OK);
    assert_values(model, "n.mean", mine, 2);
    assert_int_equal(mica_model_save(model, "test_preprocessing.safetensors"), MICA_OK);
    mica_model *loaded = mica_model_load(device, "test_preprocessing.safetensors");
    assert_int_equal(mica_model_status(loaded), MICA_OK);
    assert_values(loaded, "n.variance", (const float[]){2, 0}, 2);
    assert_values(loaded, "d.bin_boundaries", boundaries, 7);
    float out[2];
    assert_int_equal(mica_predict(loaded, (const float[]){1000, 7, 1004, 7}, 2, out, 2), MICA_OK);
    assert_true(isfinite(out[0]) && isfinite(out[1]));
    mica_model_destroy(loaded);
    assert_int_equal(mica_model_adapt(model, data), MICA_OK); /* all of them once more */
    assert_values(model, "n.mean", (const float[]){1002, 7}, 2);
    remove("test_preprocessing.safetensors");
    mica_data_destroy(data);
    mica_model_destroy(model);
}

/* ---- What is no token ---- */

static void test_tokens(void **state)
{
    mica_device *device = *state;
    mica_model *model = make_model(device, "\"type\": \"category_encoding\", \"name\": \"c\", \"num_tokens\": 3, "
                                           "\"output_mode\": \"count\"");
    mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = 2});
    float out[6];
    assert_int_equal(mica_plan_write(plan, NULL, (const float[]){0, 2, 1, 1}, 4), MICA_OK);
    assert_int_equal(mica_plan_run(plan, 2), MICA_OK);
    assert_int_equal(mica_plan_read(plan, NULL, out, 6), MICA_OK);
    assert_memory_equal(out, ((const float[]){1, 0, 1, 0, 2, 0}), sizeof out);
    assert_int_equal(mica_plan_write(plan, NULL, (const float[]){0, 2, 1, 1.5f}, 4), MICA_DATA);
    assert_non_null(strstr(mica_device_error(device), "sample 1: value 1 is 1.5, the network takes whole numbers from 0 to 2 there"));
    mica_device_clear_error(device);
    mica_plan_destroy(plan);
    mica_model_destroy(model);
}

/* Numbers that layers compute are looked at on the device, which counts them. */
static void test_computed_tokens(void **state)
{
    mica_device *device = *state;
    mica_model *model = make_model(device, "\"type\": \"map\", \"expression\": \"x + 1\"}, "
                                           "{\"type\": \"category_encoding\", \"name\": \"c\", \"num_tokens\": 3");
    mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = 2});
    static const struct { float x[4]; const char *says; } cases[] = {
        {{0, 2, -1, 1}, "\"c\": a number that the layers before it computed is none of its tokens 0 to 2"},
        {{0, 2, -2, NAN}, "is none of its tokens 0 to 2 (3 times)"}};
    float out[6];
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        assert_int_equal(mica_plan_write(plan, NULL, cases[i].x, 4), MICA_OK);
        assert_int_equal(mica_plan_run(plan, 2), MICA_OK);
        assert_int_equal(mica_plan_read(plan, NULL, out, 6), MICA_DATA);
        assert_non_null(strstr(mica_device_error(device), cases[i].says));
        mica_device_clear_error(device);
    }
    mica_plan_destroy(plan);
    mica_model_destroy(model);
}

/* What is no number stays none. */
static void test_nan(void **state)
{
    static const char *const layers[] = {RESCALE "\"scale\": 2", NORMAL ", \"mean\": 0, \"variance\": 1",
                                         BINS "\"bin_boundaries\": [0, 1]", "\"type\": \"masking\"",
                                         BINS "\"bin_boundaries\": [0, 1], \"output_mode\": \"multi_hot\""};
    for (size_t i = 0; i < MI_COUNT(layers); i++) {
        mica_model *model = make_model(*state, layers[i]);
        mica_plan *plan = mica_compile(model, NULL);
        float out[3] = {0};
        size_t count = i == 4 ? 3 : 2;
        assert_int_equal(mica_plan_write(plan, NULL, (const float[]){NAN, 1}, 2), MICA_OK);
        assert_int_equal(mica_plan_run(plan, 1), MICA_OK);
        assert_int_equal(mica_plan_read(plan, NULL, out, count), MICA_OK);
        assert_true(isnan(out[0]));
        mica_plan_destroy(plan);
        mica_model_destroy(model);
    }
}

static int open_device(void **state)
{
    *state = mica_device_open(NULL);
    return mica_device_status(*state) != MICA_OK;
}

static int close_device(void **state)
{
    mica_device_destroy(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors), cmocka_unit_test(test_waits), cmocka_unit_test(test_fit),
        cmocka_unit_test(test_tokens), cmocka_unit_test(test_computed_tokens), cmocka_unit_test(test_nan),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
