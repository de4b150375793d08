/* What a parameter of a layer begins with. */
#ifndef MICA_LAYERS_PARAMETER_H
#define MICA_LAYERS_PARAMETER_H

#include <mica/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An initializer by name; NULL type: the layer's default.
 *   zeros, ones, constant                   a number
 *   random_uniform                          between minval and maxval
 *   random_normal, truncated_normal         of the second, values beyond two deviations are drawn again
 *   variance_scaling                        of the variance scale / n, n being fan_in, fan_out, or (fan_in + fan_out) / 2: fan_avg
 *   lecun_uniform, lecun_normal             scale 1, fan_in (LeCun et al. 1998); the normal ones are truncated
 *   glorot_uniform, glorot_normal           scale 1, fan_avg (Glorot and Bengio 2010)
 *   he_uniform, he_normal                   scale 2, fan_in (He et al. 2015)
 *   orthogonal                              gain times a random matrix, first axis by all others, whose rows or columns, whichever
 *                                           are fewer, are orthonormal (Saxe et al. 2014)
 *   identity                                gain on the diagonal of a matrix, else 0
 * A function of your own, `fill`, comes before any of these. It is called once, when values are first needed, with the parameter's
 * shape and its values in row-major order; `user` lives as long as the model. A description in JSON has `type`, or nothing: models
 * that are loaded have their values from the file. */
typedef struct mica_initializer {
    const char *type;
    float value;                  /* constant */
    float mean, stddev;           /* stddev 0: 0.05 */
    float minval, maxval;         /* both 0: -0.05, 0.05 */
    float scale;                  /* 0: 1 */
    const char *mode;             /* NULL: "fan_in" */
    const char *distribution;     /* NULL: "truncated_normal"; else "untruncated_normal", "uniform" */
    float gain;                   /* 0: 1 */
    void (*fill)(void *user, const int64_t *shape, int rank, float *values);
    void *user;
} mica_initializer;

/* What a loss is raised by for a parameter w, or for what a layer gives; NULL type: nothing.
 *   l1                        sum of l1 * |w|
 *   l2                        sum of l2 * w^2
 *   l1_l2                     both
 *   orthogonal_regularizer    (or orthogonal) of a matrix: factor times the mean of |cosine| over all pairs of rows, or of columns,
 *                             of Keras's kernel (inputs, units), which Mica's weight (units, inputs) is turned */
typedef struct mica_regularizer {
    const char *type;
    float l1, l2;                 /* neither given: 0.01 */
    float factor;                 /* 0: 0.01 */
    const char *mode;             /* NULL: "rows"; else "columns" */
} mica_regularizer;

/* What a parameter w becomes after each update; NULL type: it stays as it is. norm is taken over `axis`.
 *   non_neg                   w where w >= 0, else 0
 *   max_norm                  w * min(norm, max_value) / (1e-7 + norm)
 *   unit_norm                 w / (1e-7 + norm)
 *   min_max_norm              w * (rate * clip(norm, min_value, max_value) + (1 - rate) * norm) / (1e-7 + norm) */
typedef struct mica_constraint {
    const char *type;
    float max_value;              /* 0: 2; of min_max_norm 1 */
    float min_value;
    float rate;                   /* 0: 1 */
    /* Axes of Keras's kernel (window..., inputs, units), of which Mica's weight is (units, inputs, window...), counted from 0, or
     * from the end below it. Rank 0: all axes but that of the units, so that the norm is that of a unit's or a filter's weights; of
     * einsum_dense, a normalisation, an embedding, a variable and a vector, which are stored as Keras has them, axis 0. */
    mica_shape axis;
} mica_constraint;

/* What a layer's parameter has: "kernel_initializer" of a job is kernel.initializer in C. */
typedef struct mica_parameter_desc {
    mica_initializer initializer;
    mica_regularizer regularizer;
    mica_constraint constraint;
} mica_parameter_desc;

#ifdef __cplusplus
}
#endif
#endif
