/* What a contraction should give, by its index maps: sums in double of sampled elements. */
#include "tune/tune.h"

#include <math.h>

enum { MOST_SAMPLES = 4096, LEAST_SAMPLES = 64 };

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

double mi_product_error(const struct mi_contraction *c, const float *a, const float *b, const float *got, int64_t n,
                        double products)
{
    int64_t at[MI_MAX_AXES] = {0};
    double depth = extent(c, c->out_axes, c->axes, n), elements = extent(c, 0, c->out_axes, n), most = 0, worst = 0;
    if (!(depth > 0 && elements > 0))
        return 0;
    double wanted = products / depth;
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
            sum += element(&c->a, a, at, n) * element(&c->b, b, at, n);
        while (next(c, c->out_axes, c->axes, n, at));
        double difference = fabs(element(&c->out, got, at, n) - sum);
        most = fabs(sum) > most ? fabs(sum) : most;
        if (!(difference <= worst))
            worst = isnan(difference) ? (double)INFINITY : difference;
    }
    return most > 0 ? worst / most : worst;
}
