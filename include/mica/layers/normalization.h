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
} mica_batch_normalization_desc;
MICA_API mica_node *mica_batch_normalization(mica_node *x, const mica_batch_normalization_desc *desc);

#ifdef __cplusplus
}
#endif
#endif
