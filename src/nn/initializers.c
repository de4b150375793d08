/* First values of parameters: Glorot and Bengio 2010, He et al. 2015, and plain distributions. */
#include "nn/layer.h"

#include <math.h>
#include <string.h>

static const double pi = 3.14159265358979323846;

/* How an initializer draws: a range or a standard deviation from the fans. */
enum { CONSTANT, UNIFORM, NORMAL };

static double glorot_uniform(double in, double out) { return sqrt(6 / (in + out)); }
static double glorot_normal(double in, double out) { return sqrt(2 / (in + out)); }
static double he_uniform(double in, double out) { return (void)out, sqrt(6 / in); }
static double he_normal(double in, double out) { return (void)out, sqrt(2 / in); }

static const struct {
    const char *name;
    int kind;
    double (*scale)(double fan_in, double fan_out); /* half the range, or the standard deviation; NULL: given */
    float value;
} rows[] = {
    {"zeros", CONSTANT, NULL, 0},
    {"ones", CONSTANT, NULL, 1},
    {"constant", CONSTANT, NULL, NAN},
    {"random_normal", NORMAL, NULL, 0},
    {"random_uniform", UNIFORM, NULL, 0},
    {"glorot_uniform", UNIFORM, glorot_uniform, 0},
    {"glorot_normal", NORMAL, glorot_normal, 0},
    {"he_uniform", UNIFORM, he_uniform, 0},
    {"he_normal", NORMAL, he_normal, 0},
};

const char *const mi_initializer_names[] = {
    "zeros", "ones", "constant", "random_normal", "random_uniform",
    "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", NULL,
};

const struct mi_key mi_initializer_keys[] = {
    MI_KEY_WITH(mica_initializer, "type", MI_KEY_TEXT, type, .required = true, .choices = mi_initializer_names),
    MI_KEY_WITH(mica_initializer, "value", MI_KEY_FLOAT, value, .only = "constant"),
    MI_KEY_WITH(mica_initializer, "mean", MI_KEY_FLOAT, mean, .only = "random_normal"),
    MI_KEY_WITH(mica_initializer, "stddev", MI_KEY_FLOAT, stddev, .only = "random_normal", MI_KEY_AT_LEAST(0)),
    MI_KEY_WITH(mica_initializer, "minval", MI_KEY_FLOAT, minval, .only = "random_uniform"),
    MI_KEY_WITH(mica_initializer, "maxval", MI_KEY_FLOAT, maxval, .only = "random_uniform"),
    {0},
};

/* Box and Muller: two uniform numbers of one Philox block, the first in (0, 1]. */
static float normal_number(uint64_t seed, uint64_t stream, uint64_t i, double mean, double stddev)
{
    uint32_t word[4];
    mi_philox(seed, stream, i, word);
    double u = ((double)word[0] + 1) / 4294967296.0, v = (double)word[1] / 4294967296.0;
    return (float)(mean + stddev * sqrt(-2 * log(u)) * cos(2 * pi * v));
}

bool mi_initialize(const mica_initializer *initializer, const char *otherwise, double fan_in, double fan_out, uint64_t seed,
                   uint64_t stream, float *values, size_t count)
{
    const char *type = initializer && initializer->type ? initializer->type : otherwise;
    size_t row = 0;
    while (row < MI_COUNT(rows) && strcmp(rows[row].name, type))
        row++;
    if (row == MI_COUNT(rows))
        return false;
    mica_initializer given = initializer ? *initializer : (mica_initializer){0};
    bool unset = fpclassify(given.minval) == FP_ZERO && fpclassify(given.maxval) == FP_ZERO;
    double low = unset ? -0.05 : (double)given.minval, high = unset ? 0.05 : (double)given.maxval;
    double mean = (double)given.mean, stddev = fpclassify(given.stddev) == FP_ZERO ? 0.05 : (double)given.stddev;
    if (rows[row].scale) {
        double scale = rows[row].scale(fan_in > 0 ? fan_in : 1, fan_out > 0 ? fan_out : 1);
        low = -scale;
        high = scale;
        mean = 0;
        stddev = scale;
    }
    float value = isnan(rows[row].value) ? given.value : rows[row].value;
    for (size_t i = 0; i < count; i++) {
        if (rows[row].kind == CONSTANT)
            values[i] = value;
        else if (rows[row].kind == UNIFORM)
            values[i] = (float)(low + (high - low) * (double)mi_uniform(seed, stream, i));
        else
            values[i] = normal_number(seed, stream, i, mean, stddev);
    }
    return true;
}
