/* Layers of noise over many elements: mean, variance and share of zeros; another step draws other numbers, the same step and seed the
 * same bits; in inference nothing happens. */
#include "nn/model.h"
#include "train/golden.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 64, CHANNELS = 64, PLACES = 64, COUNT = SAMPLES * CHANNELS * PLACES };

/* What the layer makes of ones. */
static void run(mica_device *device, const char *layer, bool training, uint64_t seed, uint64_t step, float *out)
{
    static float ones[COUNT];
    char json[256];
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 5});
    mi_format(json, sizeof json, "{\"input_shape\": [%d, %d], \"layers\": [{%s}]}", CHANNELS, PLACES, layer);
    mica_model_add_json(model, json);
    golden_assert_fine(device);
    for (int i = 0; i < COUNT; i++)
        ones[i] = 1;
    golden_run(model, training, ones, SAMPLES, &(struct mi_step){.n = SAMPLES, .step = step, .seed = seed}, out);
    mica_model_destroy(model);
}

static const struct {
    const char *layer;
    double mean, variance, dropped;  /* of ones; the share of zeros */
    double draws;                    /* how many numbers are independent */
    bool seeded;
} rows[] = {
    {"\"type\": \"dropout\", \"rate\": 0.25", 1, 1.0 / 3, 0.25, COUNT, false},
    {"\"type\": \"dropout\", \"rate\": 0.25, \"noise_shape\": [1, 64], \"seed\": 9", 1, 1.0 / 3, 0.25, SAMPLES * PLACES, true},
    {"\"type\": \"spatial_dropout1d\", \"rate\": 0.5", 1, 1, 0.5, SAMPLES * CHANNELS, false},
    {"\"type\": \"gaussian_dropout\", \"rate\": 0.2", 1, 0.25, 0, COUNT, false},
    {"\"type\": \"gaussian_noise\", \"stddev\": 2", 1, 4, 0, COUNT, false},
    {"\"type\": \"gaussian_noise\", \"stddev\": 2, \"seed\": 9007199254740991", 1, 4, 0, COUNT, true},
};

static void moments(const float *y, double *mean, double *variance, double *zeros)
{
    *mean = *variance = *zeros = 0;
    for (int i = 0; i < COUNT; i++) {
        *mean += (double)y[i] / COUNT;
        *zeros += (fabsf(y[i]) < 1e-30f) / (double)COUNT;
    }
    for (int i = 0; i < COUNT; i++)
        *variance += pow((double)y[i] - *mean, 2) / COUNT;
}

/* Five standard errors are allowed: of a share, a mean, and (with a fourth moment of 3 at most) a variance. */
static void distributions(void **state)
{
    static float y[COUNT];
    for (size_t i = 0; i < MI_COUNT(rows); i++) {
        double mean, variance, zeros;
        run(*state, rows[i].layer, true, 42, 3, y);
        moments(y, &mean, &variance, &zeros);
        if (fabs(mean - rows[i].mean) > 5 * sqrt(rows[i].variance / rows[i].draws) ||
            fabs(variance - rows[i].variance) > 5 * rows[i].variance * sqrt(3 / rows[i].draws) ||
            fabs(zeros - rows[i].dropped) > 5 * sqrt(0.25 / rows[i].draws) * (rows[i].dropped > 0))
            fail_msg("%s: mean %g, variance %g, zeros %g", rows[i].layer, mean, variance, zeros);
    }
}

/* alpha_dropout keeps a mean of 0 and a variance of 1: here of what ones become, a (1 or d) + b. */
static void alpha(void **state)
{
    static float y[COUNT];
    const double rate = 0.25, low = -1.7580993408473766, a = 1 / sqrt((1 - rate) * (1 + rate * low * low)), b = -a * rate * low;
    double kept = 0;
    run(*state, "\"type\": \"alpha_dropout\", \"rate\": 0.25", true, 42, 3, y);
    for (int i = 0; i < COUNT; i++) {
        bool is_kept = fabs((double)y[i] - (a + b)) < 1e-6;
        assert_true(is_kept || fabs((double)y[i] - (a * low + b)) < 1e-6);
        kept += is_kept / (double)COUNT;
    }
    assert_true(fabs(kept - 0.75) < 5 * sqrt(0.25 / COUNT));
}

static void steps_and_seeds(void **state)
{
    static float first[COUNT], again[COUNT], next[COUNT], other[COUNT], still[COUNT];
    for (size_t i = 0; i < MI_COUNT(rows); i++) {
        run(*state, rows[i].layer, true, 42, 3, first);
        run(*state, rows[i].layer, true, 42, 3, again);
        run(*state, rows[i].layer, true, 42, 4, next);
        run(*state, rows[i].layer, true, 43, 3, other);
        run(*state, rows[i].layer, false, 42, 3, still);
        assert_memory_equal(first, again, sizeof first);
        assert_memory_not_equal(first, next, sizeof first);
        if (rows[i].seeded) /* the model's seed is none of its business */
            assert_memory_equal(first, other, sizeof first);
        else
            assert_memory_not_equal(first, other, sizeof first);
        for (int k = 0; k < COUNT; k++)
            assert_true(fabsf(still[k] - 1) < 1e-30f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(distributions), cmocka_unit_test(alpha), cmocka_unit_test(steps_and_seeds)};
    return cmocka_run_group_tests(tests, golden_device_open, golden_device_close);
}
