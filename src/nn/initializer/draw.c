/* Values that are drawn one by one, and constants: each follows from the seed, the stream and its place alone. */
#include "nn/initializer/initializer.h"

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

static const double pi = 3.14159265358979323846;

/* ---- Numbers ---- */

void mi_draw_constant(const struct mi_initial *how, uint64_t index, float *out)
{
    (void)index;
    for (int k = 0; k < MI_BLOCK; k++)
        out[k] = how->low;
}

void mi_draw_uniform(const struct mi_initial *how, uint64_t index, float *out)
{
    uint32_t word[MI_BLOCK];
    mi_philox(how->seed, how->stream, index, word);
    for (int k = 0; k < MI_BLOCK; k++)
        out[k] = how->low + (how->high - how->low) * ((float)(word[k] >> 8) * (1.0f / 16777216.0f));
}

/* Box and Muller: two uniform numbers, the first in (0, 1], make two normal ones. */
static void normal_numbers(const uint32_t word[MI_BLOCK], float mean, float stddev, float *out)
{
    for (int k = 0; k < MI_BLOCK; k += 2) {
        float u = (float)(((double)word[k] + 1) / 4294967296.0), turn = (float)(2 * pi / 4294967296.0 * (double)word[k + 1]);
        float radius = stddev * sqrtf(-2 * logf(u));
        out[k] = mean + radius * cosf(turn);
        out[k + 1] = mean + radius * sinf(turn);
    }
}

void mi_draw_normal(const struct mi_initial *how, uint64_t index, float *out)
{
    uint32_t word[MI_BLOCK];
    mi_philox(how->seed, how->stream, index, word);
    normal_numbers(word, how->low, how->high, out);
}

/* A value that lies too far out is the one at its place in the first of further blocks where it does not: one in 22 does. */
void mi_draw_truncated_normal(const struct mi_initial *how, uint64_t index, float *out)
{
    enum { SHIFT = 48 }; /* the block's own index is below 2^48 */
    float bound = 2, drawn[MI_BLOCK];
    bool good[MI_BLOCK] = {false};
    int left = MI_BLOCK;
    for (uint64_t round = 0; left > 0; round++) {
        uint32_t word[MI_BLOCK];
        mi_philox(how->seed, how->stream, index + (round << SHIFT), word);
        normal_numbers(word, 0, 1, drawn);
        for (int k = 0; k < MI_BLOCK; k++)
            if (!good[k] && drawn[k] >= -bound && drawn[k] <= bound) {
                out[k] = how->low + how->high * drawn[k];
                good[k] = true;
                left--;
            }
    }
}

/* ---- Filling ---- */

/* What a thread takes at a time: whole blocks, and a millisecond's work. */
enum { PIECE = 1 << 16 };

struct filling {
    const struct mi_initial *how;
    float *values;
    size_t count;
    atomic_size_t next;           /* the first piece that nobody has taken */
};

static void fill_piece(const struct filling *f, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i += MI_BLOCK) {
        float drawn[MI_BLOCK];
        f->how->draw(f->how, i / MI_BLOCK, drawn);
        memcpy(f->values + i, drawn, (end - i < MI_BLOCK ? end - i : MI_BLOCK) * sizeof *f->values);
    }
}

static void fill_pieces(void *context, int thread)
{
    struct filling *f = context;
    size_t piece;
    (void)thread;
    while ((piece = atomic_fetch_add(&f->next, 1)) < (f->count + PIECE - 1) / PIECE) {
        size_t begin = piece * PIECE, left = f->count - begin;
        fill_piece(f, begin, begin + (left < PIECE ? left : PIECE));
    }
}

bool mi_fill_blocks(const struct mi_initial *how, const struct mi_shape *shape, float *values)
{
    struct filling filling = {.how = how, .values = values, .count = (size_t)mi_shape_count(shape, 0)};
    mi_parallel(filling.count <= PIECE || how->draw == mi_draw_constant ? 1 : mi_processors(), fill_pieces, &filling);
    return true;
}

/* ---- Rows ---- */

/* What was given: a tiny number stands for 0. */
static float given(float number)
{
    return fabsf(number) <= FLT_MIN ? 0 : number;
}

static mica_status set_constant(struct mi_error *error, const struct mi_initializer_row *row, const struct mi_initializer_use *use,
                                struct mi_initial *out)
{
    (void)error;
    out->draw = mi_draw_constant;
    out->low = isnan(row->number) ? use->given->value : row->number;
    return MICA_OK;
}

static mica_status set_uniform(struct mi_error *error, const struct mi_initializer_row *row, const struct mi_initializer_use *use,
                               struct mi_initial *out)
{
    float low = use->given->minval, high = use->given->maxval;
    bool unset = fpclassify(low) == FP_ZERO && fpclassify(high) == FP_ZERO;
    out->draw = mi_draw_uniform;
    out->low = unset ? -0.05f : given(low);
    out->high = unset ? 0.05f : given(high);
    if (out->low <= out->high)
        return MICA_OK;
    return mi_fail(error, MICA_INVALID_ARGUMENT, "initializer %s: minval is %g, above maxval, which is %g", row->name,
                   (double)out->low, (double)out->high);
}

static void set_normal(const struct mi_initializer_use *use, mi_draw *draw, struct mi_initial *out)
{
    out->low = given(use->given->mean);
    out->high = fpclassify(use->given->stddev) == FP_ZERO ? 0.05f : given(use->given->stddev);
    out->draw = out->high > 0 ? draw : mi_draw_constant;
}

static mica_status set_plain_normal(struct mi_error *error, const struct mi_initializer_row *row,
                                    const struct mi_initializer_use *use, struct mi_initial *out)
{
    (void)error, (void)row;
    set_normal(use, mi_draw_normal, out);
    return MICA_OK;
}

static mica_status set_truncated_normal(struct mi_error *error, const struct mi_initializer_row *row,
                                        const struct mi_initializer_use *use, struct mi_initial *out)
{
    (void)error, (void)row;
    set_normal(use, mi_draw_truncated_normal, out);
    return MICA_OK;
}

const struct mi_initializer_row mi_initializer_zeros = {.name = "zeros", .set = set_constant};
const struct mi_initializer_row mi_initializer_ones = {.name = "ones", .number = 1, .set = set_constant};
const struct mi_initializer_row mi_initializer_constant = {.name = "constant", .number = NAN, .set = set_constant};
const struct mi_initializer_row mi_initializer_random_normal = {.name = "random_normal", .set = set_plain_normal};
const struct mi_initializer_row mi_initializer_random_uniform = {.name = "random_uniform", .set = set_uniform};
const struct mi_initializer_row mi_initializer_truncated_normal = {.name = "truncated_normal", .set = set_truncated_normal};

struct mi_initial mi_initial_constant(float value)
{
    return (struct mi_initial){.fill = mi_fill_blocks, .draw = mi_draw_constant, .low = value};
}
