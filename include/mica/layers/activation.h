/* Activations. All but glu keep the shape; docs/layers.md lists those that are called by name alone. */
#ifndef MICA_LAYERS_ACTIVATION_H
#define MICA_LAYERS_ACTIVATION_H

#include <mica/layers/parameter.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Any of them by its name, which "activation" of other layers takes too. */
typedef struct mica_activation_desc {
    const char *name;
    const char *type;             /* required: "relu", "mish", "softmax", ... */
    float alpha;                  /* of leaky_relu, elu, celu, hard_sigmoid and thresholded_relu, as below */
} mica_activation_desc;
MICA_API mica_node *mica_activation(mica_node *x, const mica_activation_desc *desc);

/* y = max_value where x >= max_value, x where threshold < x < max_value, else negative_slope * (x - threshold). */
typedef struct mica_relu_desc {
    const char *name;
    float max_value;              /* 0: none */
    float negative_slope, threshold;
} mica_relu_desc;
MICA_API mica_node *mica_relu(mica_node *x, const mica_relu_desc *desc);

/* y = x where x >= 0, else weight * x, with a weight that is learnt: one for each place of a sample, or for all along the shared
 * axes, counted from 1 (He et al., 2015). The weight has the sample's shape with 1 for shared axes, and none of these at its end:
 * x (N, C, H, W) with shared_axes (2, 3) has a weight (C), as PyTorch's. */
typedef struct mica_prelu_desc {
    const char *name;
    mica_shape shared_axes;       /* rank 0: none */
    mica_parameter_desc alpha;    /* initializer: zeros */
} mica_prelu_desc;
MICA_API mica_node *mica_prelu(mica_node *x, const mica_prelu_desc *desc);

/* y = min(max(x, min_value), max_value). */
typedef struct mica_hard_tanh_desc {
    const char *name;
    float min_value;              /* 0: -1 */
    float max_value;              /* 0: 1 */
} mica_hard_tanh_desc;
MICA_API mica_node *mica_hard_tanh(mica_node *x, const mica_hard_tanh_desc *desc);

/* y = x where x > threshold, else default_value. */
typedef struct mica_threshold_desc {
    const char *name;
    float threshold, default_value;
} mica_threshold_desc;
MICA_API mica_node *mica_threshold(mica_node *x, const mica_threshold_desc *desc);

/* y = x where x >= 0, else negative_slope * x. 0: 0.2, as Keras's function has it. */
MICA_API mica_node *mica_leaky_relu(mica_node *x, float negative_slope, const char *name);
/* y = x where x > theta, else 0. 0: 1. */
MICA_API mica_node *mica_thresholded_relu(mica_node *x, float theta, const char *name);
/* y = x where x > 0, else alpha * (e^x - 1). 0: 1. (Clevert et al., 2016) */
MICA_API mica_node *mica_elu(mica_node *x, float alpha, const char *name);
/* y = x where x > 0, else alpha * (e^(x / alpha) - 1). 0: 1. (Barron, 2017) */
MICA_API mica_node *mica_celu(mica_node *x, float alpha, const char *name);
/* y = min(max(alpha * x + 1/2, 0), 1). 0: 1/6. */
MICA_API mica_node *mica_hard_sigmoid(mica_node *x, float alpha, const char *name);
/* y = (x + sqrt(x^2 + b)) / 2. 0: 4. (Barron, 2021) */
MICA_API mica_node *mica_squareplus(mica_node *x, float b, const char *name);
/* y = x where |x| > threshold, else 0. 0: 1/2. */
MICA_API mica_node *mica_hard_shrink(mica_node *x, float threshold, const char *name);
/* y = x - threshold where x > threshold, x + threshold where x < -threshold, else 0. 0: 1/2. */
MICA_API mica_node *mica_soft_shrink(mica_node *x, float threshold, const char *name);

/* y = x P(X <= x) with X of the standard normal distribution; approximate: by a tanh. (Hendrycks and Gimpel, 2016) */
MICA_API mica_node *mica_gelu(mica_node *x, bool approximate, const char *name);

/* Along an axis of the sample's tensor with its batch: 1 is the first after the batch, -1 the last, which 0 stands for.
 *   softmax      y = e^x / sum of e^x
 *   log_softmax  y = x - log(sum of e^x)
 *   sparsemax    y = max(x - t, 0) with the t for which y sums to 1 (Martins and Astudillo, 2016): K^2 steps for K elements
 *   glu          y = a * sigmoid(b), a and b the two halves of x along the axis (Dauphin et al., 2017) */
MICA_API mica_node *mica_softmax(mica_node *x, int axis, const char *name);
MICA_API mica_node *mica_log_softmax(mica_node *x, int axis, const char *name);
MICA_API mica_node *mica_sparsemax(mica_node *x, int axis, const char *name);
MICA_API mica_node *mica_glu(mica_node *x, int axis, const char *name);

#ifdef __cplusplus
}
#endif
#endif
