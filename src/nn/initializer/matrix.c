/* Values that are a matrix of a certain kind: its first axis by all others. */
#include "nn/initializer/initializer.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static float gain_of(const struct mi_initializer_use *use)
{
    return fpclassify(use->given->gain) == FP_ZERO ? 1 : use->given->gain;
}

/* ---- Identity ---- */

static bool fill_identity(const struct mi_initial *how, const struct mi_shape *shape, float *values)
{
    int64_t rows = shape->dim[0].b, columns = shape->dim[1].b;
    memset(values, 0, (size_t)(rows * columns) * sizeof *values);
    for (int64_t i = 0; i < rows && i < columns; i++)
        values[i * columns + i] = how->high;
    return true;
}

static mica_status set_identity(struct mi_error *error, const struct mi_initializer_row *row,
                                const struct mi_initializer_use *use, struct mi_initial *out)
{
    (void)error, (void)row;
    out->fill = fill_identity;
    out->high = gain_of(use);
    return MICA_OK;
}

const struct mi_initializer_row mi_initializer_identity = {
    .name = "identity", .least_rank = 2, .most_rank = 2, .set = set_identity};

/* ---- Orthogonal: Saxe et al. 2014 ----
 *
 * Q of the decomposition A = Q R of a normal matrix (m, n), m >= n, with a positive diagonal of R, without A: the k-th reflection
 * of Householder's decomposition depends on A only through m - k numbers, which are normal and independent of all before, so they
 * are drawn as such (Stewart 1980, "The efficient generation of random orthogonal matrices"). Q's columns are those of H_0 H_1 ...
 * H_(n-1), H_k x = x - scale_k v_k (v_k . x), times the signs that the diagonal would have. */

/* So many columns of Q are made side by side: a reflection is read once for all of them. */
enum { COLUMNS = 16 };

struct orthogonal {
    int64_t m, n;
    bool turned;                     /* values are (n, m) */
    float gain, *values;
    const float *v;                  /* (n, m): the numbers of reflection k stand from place k on; head[k] replaces the first */
    const double *head, *scale;
    double (*panel)[COLUMNS];        /* (m) rows a thread */
    atomic_llong next;               /* the first columns that nobody has taken */
};

/* x -> H_k x of each column: rows k and up change. */
static void reflect(const struct orthogonal *o, int64_t k, double (*x)[COLUMNS])
{
    const float *v = o->v + k * o->m;
    double dot[COLUMNS];
    for (int c = 0; c < COLUMNS; c++)
        dot[c] = o->head[k] * x[k][c];
    for (int64_t i = k + 1; i < o->m; i++)
        for (int c = 0; c < COLUMNS; c++)
            dot[c] += (double)v[i] * x[i][c];
    for (int c = 0; c < COLUMNS; c++) {
        dot[c] *= o->scale[k];
        x[k][c] -= o->head[k] * dot[c];
    }
    for (int64_t i = k + 1; i < o->m; i++)
        for (int c = 0; c < COLUMNS; c++)
            x[i][c] -= (double)v[i] * dot[c];
}

/* Columns `first` and up of Q: those of the identity, reflected. H_k with k > j leaves column j as it is. */
static void make_columns(const struct orthogonal *o, int64_t first, double (*x)[COLUMNS])
{
    int64_t last = first + COLUMNS < o->n ? first + COLUMNS : o->n;
    memset(x, 0, (size_t)o->m * sizeof *x);
    for (int64_t j = first; j < last; j++)
        x[j][j - first] = 1;
    for (int64_t k = last - 1; k >= 0; k--)
        reflect(o, k, x);
    for (int64_t j = first; j < last; j++) {
        double factor = o->head[j] > 0 ? -(double)o->gain : (double)o->gain; /* the diagonal's sign is not that of the head */
        for (int64_t i = 0; i < o->m; i++)
            o->values[o->turned ? j * o->m + i : i * o->n + j] = (float)(factor * x[i][j - first]);
    }
}

static void make_some_columns(void *context, int thread)
{
    struct orthogonal *o = context;
    int64_t first;
    while ((first = COLUMNS * atomic_fetch_add(&o->next, 1)) < o->n)
        make_columns(o, first, o->panel + thread * o->m);
}

/* v = a + sign(a_0) |a| e_0, which H takes a to -sign(a_0) |a| e_0 by; a_k stand in row k. */
static void set_reflections(const struct orthogonal *o, double *head, double *scale)
{
    for (int64_t k = 0; k < o->n; k++) {
        const float *a = o->v + k * o->m;
        double rest = 0, first = (double)a[k];
        for (int64_t i = k + 1; i < o->m; i++)
            rest += (double)a[i] * (double)a[i];
        double norm = sqrt(first * first + rest);
        head[k] = first < 0 ? first - norm : first + norm;
        double squares = head[k] * head[k] + rest;
        scale[k] = squares > 0 ? 2 / squares : 0;
    }
}

static bool fill_orthogonal(const struct mi_initial *how, const struct mi_shape *shape, float *values)
{
    int64_t rows = shape->dim[0].b, columns = mi_shape_count(shape, 0) / rows;
    int64_t m = rows > columns ? rows : columns, n = rows > columns ? columns : rows;
    const struct mi_shape drawn = {.rank = 2, .dim = {mi_fixed(n), mi_fixed(m)}};
    const struct mi_initial normal = {.draw = mi_draw_normal, .high = 1, .seed = how->seed, .stream = how->stream};
    int threads = n <= COLUMNS ? 1 : mi_processors();
    float *v = mi_new((size_t)(m * n), sizeof *v);
    double *head = mi_new((size_t)n, 2 * sizeof *head);
    double (*panel)[COLUMNS] = mi_new((size_t)m * (size_t)threads, sizeof *panel);
    bool good = v && head && panel;
    if (good) {
        struct orthogonal o = {.m = m, .n = n, .turned = rows < columns, .gain = how->high, .values = values, .v = v,
                               .head = head, .scale = head + n, .panel = panel};
        mi_fill_blocks(&normal, &drawn, v);
        set_reflections(&o, head, head + n);
        mi_parallel(threads, make_some_columns, &o);
    }
    free(v);
    free(head);
    free(panel);
    return good;
}

static mica_status set_orthogonal(struct mi_error *error, const struct mi_initializer_row *row,
                                  const struct mi_initializer_use *use, struct mi_initial *out)
{
    (void)error, (void)row;
    out->fill = fill_orthogonal;
    out->high = gain_of(use);
    return MICA_OK;
}

const struct mi_initializer_row mi_initializer_orthogonal = {
    .name = "orthogonal", .least_rank = 2, .most_rank = MI_MAX_RANK, .set = set_orthogonal};
