/* Random operands, and references in double on the host. */
#include "bench/bench.h"

#include <math.h>

enum { CLASSES = 10, MOST_SAMPLES = 4096, LEAST_SAMPLES = 64 };
#define MOST_PRODUCTS 2e7

void *mi_bench_random(enum mi_type type, size_t count, uint64_t stream, float low)
{
    float *values = mi_new(count, sizeof *values);
    int32_t *whole = (int32_t *)(void *)values;
    for (size_t i = 0; values && i < count; i++) {
        float u = mi_uniform(1, stream, i);
        if (type == MI_FLOAT)
            values[i] = low + 2 * u;
        else
            whole[i] = (int32_t)(u * CLASSES);
    }
    return values;
}

double mi_bench_flops(const struct mi_contraction *c, int64_t n)
{
    double products = 2;
    const struct mi_operand *operand[] = {&c->a, &c->b};
    for (int i = 0; i < c->axes; i++)
        products *= (double)mi_dim_at(c->extent[i], n);
    for (int k = 0; k < 2; k++)
        for (int d = 0; d < operand[k]->value->shape.rank; d++)
            products /= (double)operand[k]->index[d].divisor;
    return products;
}

/* The operand's element at the axes' coordinates; places outside it contribute nothing. */
static double element(const struct mi_operand *operand, const float *values, const int64_t *at, int64_t n)
{
    int64_t place = 0;
    for (int d = 0; d < operand->value->shape.rank; d++) {
        const struct mi_index *index = &operand->index[d];
        int64_t size = mi_dim_at(operand->value->shape.dim[d], n), i = index->offset;
        for (int t = 0; t < index->terms; t++)
            i += index->coefficient[t] * at[index->axis[t]];
        if (i < 0 || i % index->divisor || i / index->divisor >= size)
            return 0;
        place = place * size + i / index->divisor;
    }
    return (double)values[place];
}

/* Steps the axes first..last-1 in row-major order; false after the last. */
static bool next(const struct mi_contraction *c, int first, int last, int64_t n, int64_t *at)
{
    for (int i = last - 1; i >= first; i--) {
        if (++at[i] < mi_dim_at(c->extent[i], n))
            return true;
        at[i] = 0;
    }
    return false;
}

static double extent(const struct mi_contraction *c, int first, int last, int64_t n)
{
    double product = 1;
    for (int i = first; i < last; i++)
        product *= (double)mi_dim_at(c->extent[i], n);
    return product;
}

double mi_bench_product_error(const struct mi_bench_product *product, const float *got)
{
    const struct mi_contraction *c = product->c;
    int64_t n = product->n, at[MI_MAX_AXES] = {0};
    double depth = extent(c, c->out_axes, c->axes, n), elements = extent(c, 0, c->out_axes, n), most = 0, worst = 0;
    if (!(depth > 0 && elements > 0))
        return 0;
    double wanted = MOST_PRODUCTS / depth;
    int samples = wanted > MOST_SAMPLES ? MOST_SAMPLES : wanted < LEAST_SAMPLES ? LEAST_SAMPLES : (int)wanted;
    for (int s = 0; s < samples; s++) {
        /* The first element, the last, and any. */
        for (int i = 0; i < c->out_axes; i++) {
            int64_t size = mi_dim_at(c->extent[i], n);
            double u = (double)mi_uniform(2, (uint64_t)i, (uint64_t)s);
            at[i] = s == 0 ? 0 : s == 1 ? size - 1 : (int64_t)(u * (double)size);
        }
        double sum = 0;
        do
            sum += element(&c->a, product->a, at, n) * element(&c->b, product->b, at, n);
        while (next(c, c->out_axes, c->axes, n, at));
        double difference = fabs(element(&c->out, got, at, n) - sum);
        most = fabs(sum) > most ? fabs(sum) : most;
        if (!(difference <= worst))
            worst = isnan(difference) ? (double)INFINITY : difference;
    }
    return most > 0 ? worst / most : worst;
}

double mi_bench_distance(const float *got, const float *expected, size_t count)
{
    double most = 0, worst = 0;
    for (size_t i = 0; i < count; i++) {
        double difference = fabs((double)got[i] - (double)expected[i]);
        if (isnan(expected[i]) && isnan(got[i]))
            continue;
        if (isinf(expected[i]) && expected[i] - got[i] != 0)
            difference = isinf(got[i]) && (got[i] > 0) == (expected[i] > 0) ? 0 : (double)INFINITY;
        if (isfinite(expected[i]) && fabs((double)expected[i]) > most)
            most = fabs((double)expected[i]);
        if (!(difference <= worst))
            worst = isnan(difference) ? (double)INFINITY : difference;
    }
    return most > 0 ? worst / most : worst;
}
