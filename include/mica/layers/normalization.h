/* Normalisations. */
#ifndef MICA_LAYERS_NORMALIZATION_H
#define MICA_LAYERS_NORMALIZATION_H

#include <mica/layers/parameter.h>

#ifdef __cplusplus
extern "C" {
#endif

/* y = gamma (x - mean) / sqrt(variance + epsilon) + beta per channel (axis 1), over batch and space; in inference with the
 * running statistics. weight = gamma, bias = beta, running_mean, running_var (C).
 * running <- momentum * running + (1 - momentum) * batch; the running variance is the unbiased one, as PyTorch has it. */
typedef struct mica_batch_normalization_desc {
    const char *name;
    float momentum;               /* 0: 0.99 */
    float epsilon;                /* 0: 1e-3 */
    bool no_center, no_scale;
    mica_parameter_desc gamma, beta; /* initializers: ones, zeros */
} mica_batch_normalization_desc;
MICA_API mica_node *mica_batch_normalization(mica_node *x, const mica_batch_normalization_desc *desc);

/* y = gamma (x - mean) / sqrt(variance + epsilon) + beta, mean and variance of each sample over the axes: Ba, Kiros, Hinton 2016,
 * arXiv:1607.06450. weight = gamma, bias = beta, of the normalised axes' shape, as PyTorch's LayerNorm has them.
 * Axes count as Keras's: 1 is the first after the batch, -1 the last; of images that is their width. */
typedef struct mica_layer_normalization_desc {
    const char *name;
    mica_shape axis;              /* rank 0: MICA_SHAPE(-1) */
    float epsilon;                /* 0: 1e-3 */
    bool no_center, no_scale;
    mica_parameter_desc gamma, beta; /* initializers: ones, zeros */
} mica_layer_normalization_desc;
MICA_API mica_node *mica_layer_normalization(mica_node *x, const mica_layer_normalization_desc *desc);

/* y = gamma x / sqrt(mean(x^2) + epsilon), the mean over the axes: Zhang and Sennrich 2019, arXiv:1910.07467. weight = gamma. */
typedef struct mica_rms_normalization_desc {
    const char *name;
    mica_shape axis;              /* as mica_layer_normalization_desc has it */
    float epsilon;                /* 0: 1e-6 */
} mica_rms_normalization_desc;
MICA_API mica_node *mica_rms_normalization(mica_node *x, const mica_rms_normalization_desc *desc);

/* y as of layer normalisation, x (N, C, ...), over the channels of each group and all their places, with a gamma and a beta for
 * each channel: Wu and He 2018, arXiv:1803.08494. weight = gamma, bias = beta (C). */
typedef struct mica_group_normalization_desc {
    const char *name;
    int64_t groups;               /* 0: 32; -1: as many as channels */
    float epsilon;                /* 0: 1e-3 */
    bool no_center, no_scale;
    mica_parameter_desc gamma, beta; /* initializers: ones, zeros */
} mica_group_normalization_desc;
MICA_API mica_node *mica_group_normalization(mica_node *x, const mica_group_normalization_desc *desc);
/* The same of each channel alone, x (N, C, L...): Ulyanov, Vedaldi, Lempitsky 2016, arXiv:1607.08022. PyTorch's InstanceNorm with
 * affine = True. `groups` is not read. */
MICA_API mica_node *mica_instance_normalization(mica_node *x, const mica_group_normalization_desc *desc);

/* y = x / max(|x|, 1e-7), |x| = sqrt(sum(x^2)) over the axes. No parameters. */
typedef struct mica_unit_normalization_desc {
    const char *name;
    mica_shape axis;              /* as mica_layer_normalization_desc has it */
} mica_unit_normalization_desc;
MICA_API mica_node *mica_unit_normalization(mica_node *x, const mica_unit_normalization_desc *desc);

#ifdef __cplusplus
}
#endif
#endif
