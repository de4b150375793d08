/* Layers: names, arguments and defaults are Keras 3's (docs/defaults.md lists every exception).
 *
 * A layer takes a node and gives a node. Given NULL it gives NULL, so calls nest without checks; the first error stays
 * in the model. Every desc may be NULL where its fields all have defaults, and starts with the layer's name (NULL: the
 * type and a number, "dense_1"), under which its parameters are saved. Legend: N batch, C channels, H height, W width.
 */
#ifndef MICA_LAYERS_H
#define MICA_LAYERS_H

#include <mica/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An initializer by name: "zeros", "ones", "constant", "random_normal", "random_uniform", "glorot_uniform", "glorot_normal",
 * "he_uniform", "he_normal". NULL type: the layer's default. Unlike Keras, the normal ones are not truncated. */
typedef struct mica_initializer {
    const char *type;
    float value;                  /* constant */
    float mean, stddev;           /* random_normal; stddev 0: 0.05 */
    float minval, maxval;         /* random_uniform; both 0: -0.05, 0.05 */
} mica_initializer;

/* y = x W^T + b.  x (N, ..., in) -> (N, ..., units);  weight (units, in), bias (units). */
typedef struct mica_dense_desc {
    const char *name;
    int64_t units;                /* required */
    const char *activation;       /* NULL: linear; else "relu", "leaky_relu", "elu", "sigmoid", "tanh", "softplus", "softmax" */
    bool no_bias;
    mica_initializer kernel_initializer, bias_initializer; /* glorot_uniform, zeros */
} mica_dense_desc;
MICA_API mica_node *mica_dense(mica_node *x, const mica_dense_desc *desc);

/* Padding of a window: "valid" (NULL) none, "same" so that the output has ceil(in / stride), or "explicit" with pads. */
typedef struct mica_conv_desc {
    const char *name;
    int64_t filters;              /* required */
    int64_t kernel_size[2];       /* required; the second 0: as the first */
    int64_t strides[2];           /* 0: 1; the second 0: as the first */
    const char *padding;
    int64_t pads[4];              /* "explicit": top, left, bottom, right (conv1d: before, after), as ONNX has them */
    int64_t dilation_rate[2];     /* 0: 1 */
    int64_t groups;               /* 0: 1 */
    const char *activation;
    bool no_bias;
    mica_initializer kernel_initializer, bias_initializer; /* glorot_uniform, zeros */
} mica_conv_desc;
/* y[n,k,p,q] = b[k] + sum_{c,r,s} w[k,c,r,s] x[n, c, p*sh + r*dh - top, q*sw + s*dw - left]   (cross-correlation)
 * x (N, C, H, W) -> (N, filters, P, Q);  weight (filters, C/groups, R, S), bias (filters). */
MICA_API mica_node *mica_conv2d(mica_node *x, const mica_conv_desc *desc);
/* The same over one spatial axis: x (N, C, L) -> (N, filters, P). */
MICA_API mica_node *mica_conv1d(mica_node *x, const mica_conv_desc *desc);

typedef struct mica_pool_desc {
    const char *name;
    int64_t pool_size[2];         /* 0: 2; the second 0: as the first */
    int64_t strides[2];           /* 0: pool_size */
    const char *padding;          /* as a convolution's; padded places never count */
    int64_t pads[4];
} mica_pool_desc;
/* y[n,c,p,q] = max (or mean) over the window of x.  x (N, C, H, W) -> (N, C, P, Q). */
MICA_API mica_node *mica_max_pooling2d(mica_node *x, const mica_pool_desc *desc);
MICA_API mica_node *mica_average_pooling2d(mica_node *x, const mica_pool_desc *desc);
MICA_API mica_node *mica_max_pooling1d(mica_node *x, const mica_pool_desc *desc);
MICA_API mica_node *mica_average_pooling1d(mica_node *x, const mica_pool_desc *desc);
/* Mean (or maximum) over all spatial axes: (N, C, ...) -> (N, C). */
MICA_API mica_node *mica_global_average_pooling(mica_node *x, const char *name);
MICA_API mica_node *mica_global_max_pooling(mica_node *x, const char *name);

/* (N, ...) -> (N, product of the rest). */
MICA_API mica_node *mica_flatten(mica_node *x, const char *name);
/* Another shape per sample of the same elements; one dimension may be -1. */
MICA_API mica_node *mica_reshape(mica_node *x, const char *name, mica_shape target);
/* Reorders the axes of a sample; Keras counts them from 1: {2, 1} swaps two. */
MICA_API mica_node *mica_permute(mica_node *x, const char *name, mica_shape dims);

typedef struct mica_activation_desc {
    const char *name;
    const char *type;             /* required: "relu", "softmax", ..., or any row of src/ops/activation.h in snake_case */
    float alpha;                  /* leaky_relu (0: 0.2), elu (0: 1.0), hard_sigmoid (0: 1/6) */
} mica_activation_desc;
MICA_API mica_node *mica_activation(mica_node *x, const mica_activation_desc *desc);

/* In training y = x / (1 - rate) where a random number is >= rate, else 0; otherwise y = x. */
typedef struct mica_dropout_desc {
    const char *name;
    float rate;                   /* 0 <= rate < 1 */
} mica_dropout_desc;
MICA_API mica_node *mica_dropout(mica_node *x, const mica_dropout_desc *desc);

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

/* y[n, t, :] = weight[x[n, t], :].  Integer x (N, T) -> (N, T, output_dim);  weight (input_dim, output_dim). */
typedef struct mica_embedding_desc {
    const char *name;
    int64_t input_dim, output_dim; /* required */
    mica_initializer embeddings_initializer; /* random_uniform */
} mica_embedding_desc;
MICA_API mica_node *mica_embedding(mica_node *x, const mica_embedding_desc *desc);

/* A map of your own, element by element with broadcasting: an expression of its inputs, called x where there is one, else
 * a, b, c, d (at most 4). It is parsed, not pasted, and computed in float32: numbers, + - * /, comparisons (1 or 0), && || !, ?:
 * and the functions exp expm1 log log1p sqrt sin cos tanh sigmoid erf abs sign floor ceil round min max pow. */
typedef struct mica_map_desc {
    const char *name;
    const char *expression;       /* required: "x > 0 ? x : 0.1 * (exp(x) - 1)" */
    const char *derivative[4];    /* by each input, where it shall be another than the expression's; may also name the result, y */
} mica_map_desc;
MICA_API mica_node *mica_map(mica_node *const *x, int count, const mica_map_desc *desc);

/* Layers of your own: a function that makes a node of nodes by the calls of these headers. To use it in C, call it. To use it in
 * JSON, register it with the device under a name, before the job or the description is read: {"type": "NAME", KEYS...,
 * "inputs": [...]} then calls it with its keys. What it adds is a group (model.h), which a model file holds layer by layer: loading
 * takes no function. A key that the function does not ask for is an error, which names the nearest that it does. */
typedef struct mica_layer_keys mica_layer_keys;
typedef mica_node *(*mica_layer_build)(mica_model *model, mica_node *const *x, int count, mica_layer_keys *keys);
/* `user` is the application's, and lives as long as the device. A name that is taken is MICA_INVALID_ARGUMENT. */
MICA_API mica_status mica_layer_register(mica_device *device, const char *type, mica_layer_build build, void *user);
MICA_API void *mica_layer_user(const mica_layer_keys *keys);
/* The value of a key; `otherwise` where it is not given. true and false are 1 and 0. Texts are borrowed for the call. */
MICA_API double mica_layer_number(mica_layer_keys *keys, const char *key, double otherwise);
MICA_API const char *mica_layer_text(mica_layer_keys *keys, const char *key, const char *otherwise);

/* Join `count` nodes element by element (NumPy broadcasting over a sample's axes). */
MICA_API mica_node *mica_add(mica_node *const *x, int count, const char *name);
MICA_API mica_node *mica_multiply(mica_node *const *x, int count, const char *name);
/* Joins along an axis of the sample's tensor with its batch, as Keras counts: 1 is the first after the batch, -1 the last.
 * 0 stands for Keras's default, -1. */
MICA_API mica_node *mica_concatenate(mica_node *const *x, int count, int axis, const char *name);

#ifdef __cplusplus
}
#endif
#endif
