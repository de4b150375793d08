/* Layers that disturb a training, and in inference hand on their input; and penalties on what layers give. */
#ifndef MICA_LAYERS_REGULARIZATION_H
#define MICA_LAYERS_REGULARIZATION_H

#include <mica/layers/parameter.h>

#ifdef __cplusplus
extern "C" {
#endif

/* y = x / (1 - rate) where a random number is >= rate, else 0: Srivastava et al. 2014. */
typedef struct mica_dropout_desc {
    const char *name;
    float rate;                   /* 0 <= rate < 1 */
    mica_shape noise_shape;       /* of a sample: along axes of size 1 one number serves all elements; rank 0: none is shared */
    uint64_t seed;                /* 0: the model's */
} mica_dropout_desc;
MICA_API mica_node *mica_dropout(mica_node *x, const mica_dropout_desc *desc);
/* Dropout of whole channels, x (N, C, L), (N, C, H, W) or (N, C, D, H, W): Tompson et al. 2015, arXiv:1411.4280. noise_shape is not
 * read. */
MICA_API mica_node *mica_spatial_dropout1d(mica_node *x, const mica_dropout_desc *desc);
MICA_API mica_node *mica_spatial_dropout2d(mica_node *x, const mica_dropout_desc *desc);
MICA_API mica_node *mica_spatial_dropout3d(mica_node *x, const mica_dropout_desc *desc);
/* Dropout for selu, which keeps mean and variance: y = a x + b where a random number is >= rate, else a d + b, with d = -1.7580993,
 * a = 1 / sqrt((1 - rate) (1 + rate d^2)), b = -a rate d: Klambauer et al. 2017, arXiv:1706.02515. */
MICA_API mica_node *mica_alpha_dropout(mica_node *x, const mica_dropout_desc *desc);
/* y = x (1 + z sqrt(rate / (1 - rate))), z of the standard normal distribution: Srivastava et al. 2014. noise_shape is not read. */
MICA_API mica_node *mica_gaussian_dropout(mica_node *x, const mica_dropout_desc *desc);

/* y = x + stddev z, z of the standard normal distribution. */
typedef struct mica_gaussian_noise_desc {
    const char *name;
    float stddev;                 /* at least 0 */
    uint64_t seed;                /* 0: the model's */
} mica_gaussian_noise_desc;
MICA_API mica_node *mica_gaussian_noise(mica_node *x, const mica_gaussian_noise_desc *desc);

/* y = x, and the loss of a training is raised by the sum of l1 * |x| + l2 * x^2 over a batch, divided by its samples. */
typedef struct mica_activity_regularization_desc {
    const char *name;
    float l1, l2;                 /* 0: not */
} mica_activity_regularization_desc;
MICA_API mica_node *mica_activity_regularization(mica_node *x, const mica_activity_regularization_desc *desc);

/* The same for what any layer gives, whose key "activity_regularizer" this is; returns y. Each use of a layer that is used again
 * from then on has the penalty as well. */
MICA_API mica_node *mica_activity_regularizer(mica_node *y, const mica_regularizer *regularizer);

#ifdef __cplusplus
}
#endif
#endif
