/* First values that follow from the first values of another variable. */
#include "nn/initializer/initializer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The other's values, which the caller frees; NULL: no memory. */
static float *made(const struct mi_initial_source *of)
{
    float *values = mi_new((size_t)mi_shape_count(&of->shape, 0), sizeof *values);
    if (values && of->make.fill && !of->make.fill(&of->make, &of->shape, values)) {
        free(values);
        values = NULL;
    }
    return values;
}

/* ---- Norms ---- */

static bool fill_norms(const struct mi_initial *how, const struct mi_shape *shape, float *values)
{
    const struct mi_initial_source *of = how->user;
    int64_t count = mi_shape_count(shape, 0), inner = 1, all = mi_shape_count(&of->shape, 0);
    float *w = made(of);
    double *square = mi_new((size_t)count, sizeof *square);
    bool good = w && square;
    for (int i = of->axis + 1; i < of->shape.rank; i++)
        inner *= of->shape.dim[i].b;
    for (int64_t i = 0; i < all && good; i++)
        square[i / inner % count] += (double)w[i] * (double)w[i];
    for (int64_t i = 0; i < count && good; i++)
        values[i] = (float)sqrt(square[i]);
    free(w);
    free(square);
    return good;
}

struct mi_initial mi_initial_norms(struct mi_initial_source *of)
{
    return (struct mi_initial){.fill = fill_norms, .user = of};
}

/* ---- Singular vectors ---- */

enum { STEPS = 15 }; /* as PyTorch takes */

static void divide_by_length(double *vector, int64_t count)
{
    double square = 0;
    for (int64_t i = 0; i < count; i++)
        square += vector[i] * vector[i];
    for (int64_t i = 0; i < count && square > 0; i++)
        vector[i] /= sqrt(square);
}

/* u = w v, v = w^T u, each by its length. A w of zeros leaves both zero. */
static void step(const float *w, int64_t m, int64_t n, double *u, double *v)
{
    for (int64_t i = 0; i < m; i++) {
        u[i] = 0;
        for (int64_t k = 0; k < n; k++)
            u[i] += (double)w[i * n + k] * v[k];
    }
    divide_by_length(u, m);
    memset(v, 0, (size_t)n * sizeof *v);
    for (int64_t i = 0; i < m; i++)
        for (int64_t k = 0; k < n; k++)
            v[k] += (double)w[i * n + k] * u[i];
    divide_by_length(v, n);
}

static bool fill_singular(const struct mi_initial *how, const struct mi_shape *shape, float *values)
{
    const struct mi_initial_source *of = how->user;
    int64_t count = mi_shape_count(shape, 0), m = of->shape.dim[0].b, n = mi_shape_count(&of->shape, 0) / m;
    const struct mi_shape row = {.rank = 1, .dim = {mi_fixed(n)}};
    const struct mi_initial normal = {.draw = mi_draw_normal, .high = 1, .seed = how->seed, .stream = how->stream};
    float *w = made(of), *drawn = mi_new((size_t)n, sizeof *drawn);
    double *u = mi_new((size_t)m, sizeof *u), *v = mi_new((size_t)n, sizeof *v);
    bool good = w && drawn && u && v;
    if (good) {
        mi_fill_blocks(&normal, &row, drawn);
        for (int64_t i = 0; i < n; i++)
            v[i] = (double)drawn[i];
        divide_by_length(v, n);
        for (int i = 0; i < STEPS; i++)
            step(w, m, n, u, v);
        for (int64_t i = 0; i < count; i++)
            values[i] = (float)(of->axis ? v[i] : u[i]);
    }
    free(w);
    free(drawn);
    free(u);
    free(v);
    return good;
}

struct mi_initial mi_initial_singular(struct mi_initial_source *of, uint64_t seed, uint64_t stream)
{
    return (struct mi_initial){.fill = fill_singular, .user = of, .seed = seed, .stream = stream};
}
