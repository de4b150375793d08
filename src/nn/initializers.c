/* First values of parameters: Glorot and Bengio 2010, He et al. 2015, and plain distributions. */
#include "nn/layer.h"

#include <math.h>
#include <stdatomic.h>
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

/* A block of random numbers makes this many values. */
enum { BLOCK = 4 };

static void uniform_numbers(const uint32_t word[BLOCK], float low, float high, float out[BLOCK])
{
    for (int k = 0; k < BLOCK; k++)
        out[k] = low + (high - low) * ((float)(word[k] >> 8) * (1.0f / 16777216.0f));
}

/* Box and Muller: two uniform numbers, the first in (0, 1], make two normal ones. */
static void normal_numbers(const uint32_t word[BLOCK], float mean, float stddev, float out[BLOCK])
{
    for (int k = 0; k < BLOCK; k += 2) {
        float u = (float)(((double)word[k] + 1) / 4294967296.0), turn = (float)(2 * pi / 4294967296.0 * (double)word[k + 1]);
        float radius = stddev * sqrtf(-2 * logf(u));
        out[k] = mean + radius * cosf(turn);
        out[k + 1] = mean + radius * sinf(turn);
    }
}

/* What to draw: of a constant low; else from low to high, or with the mean low and the standard deviation high. */
static void fill(const struct mi_initial *draw, size_t begin, size_t end, float *values)
{
    for (size_t i = begin; i < end; i += BLOCK) {
        uint32_t word[BLOCK];
        float drawn[BLOCK] = {draw->low, draw->low, draw->low, draw->low};
        if (draw->kind != CONSTANT)
            mi_philox(draw->seed, draw->stream, i / BLOCK, word);
        if (draw->kind == UNIFORM)
            uniform_numbers(word, draw->low, draw->high, drawn);
        else if (draw->kind == NORMAL)
            normal_numbers(word, draw->low, draw->high, drawn);
        memcpy(values + i, drawn, (end - i < BLOCK ? end - i : BLOCK) * sizeof *values);
    }
}

/* What a thread takes at a time: whole blocks, and a millisecond's work. */
enum { PIECE = 1 << 16 };

struct filling {
    const struct mi_initial *draw;
    float *values;
    size_t count;
    atomic_size_t next;           /* the first piece that nobody has taken */
};

static void fill_pieces(void *context, int thread)
{
    struct filling *f = context;
    size_t piece;
    (void)thread;
    while ((piece = atomic_fetch_add(&f->next, 1)) < (f->count + PIECE - 1) / PIECE) {
        size_t begin = piece * PIECE, left = f->count - begin;
        fill(f->draw, begin, begin + (left < PIECE ? left : PIECE), f->values);
    }
}

/* A block's numbers follow from its place, so threads change nothing but the time. */
static void fill_all(const struct mi_initial *draw, float *values, size_t count)
{
    struct filling filling = {.draw = draw, .values = values, .count = count};
    mi_parallel(count <= PIECE || draw->kind == CONSTANT ? 1 : mi_processors(), fill_pieces, &filling);
}

bool mi_initializer_choose(const mica_initializer *initializer, const char *otherwise, double fan_in, double fan_out,
                           struct mi_initial *out)
{
    const char *type = initializer && initializer->type ? initializer->type : otherwise;
    size_t row = 0;
    while (row < MI_COUNT(rows) && strcmp(rows[row].name, type))
        row++;
    if (row == MI_COUNT(rows))
        return false;
    mica_initializer given = initializer ? *initializer : (mica_initializer){0};
    struct mi_initial draw = {.fill = fill_all, .kind = rows[row].kind, .seed = out->seed, .stream = out->stream};
    if (rows[row].scale) {
        draw.high = (float)rows[row].scale(fan_in > 0 ? fan_in : 1, fan_out > 0 ? fan_out : 1);
        draw.low = draw.kind == UNIFORM ? -draw.high : 0;
    } else if (draw.kind == UNIFORM) {
        bool unset = fpclassify(given.minval) == FP_ZERO && fpclassify(given.maxval) == FP_ZERO;
        draw.low = unset ? -0.05f : given.minval;
        draw.high = unset ? 0.05f : given.maxval;
    } else if (draw.kind == NORMAL) {
        draw.low = given.mean;
        draw.high = fpclassify(given.stddev) == FP_ZERO ? 0.05f : given.stddev;
    } else
        draw.low = isnan(rows[row].value) ? given.value : rows[row].value;
    *out = draw;
    return true;
}

struct mi_initial mi_initial_constant(float value)
{
    return (struct mi_initial){.fill = fill_all, .kind = CONSTANT, .low = value};
}
