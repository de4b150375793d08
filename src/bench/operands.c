/* Random operands, and references in double on the host. */
#include "bench/bench.h"
#include "tune/tune.h"

#include <math.h>

enum { CLASSES = 10 };
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

double mi_bench_product_error(const struct mi_bench_product *product, const float *got)
{
    return mi_product_error(product->c, product->a, product->b, got, product->n, MOST_PRODUCTS);
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
