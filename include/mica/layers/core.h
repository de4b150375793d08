/* Layers of weights: dense and embedding; a map and a layer of your own. */
#ifndef MICA_LAYERS_CORE_H
#define MICA_LAYERS_CORE_H

#include <mica/layers/parameter.h>

#ifdef __cplusplus
extern "C" {
#endif

/* y = x W^T + b.  x (N, ..., in) -> (N, ..., units);  weight (units, in), bias (units). */
typedef struct mica_dense_desc {
    const char *name;
    int64_t units;                /* required */
    const char *activation;       /* NULL: linear; else "relu", "leaky_relu", "elu", "sigmoid", "tanh", "softplus", "softmax" */
    bool no_bias;
    mica_parameter_desc kernel, bias; /* initializers: glorot_uniform, zeros */
    const char *tied_to;          /* an earlier layer whose weight (units, in) this one uses, instead of one of its own: that of
                                   * an embedding, to whose rows it gives scores (Press and Wolf 2016). Gradients of both uses
                                   * add up, and a file holds the weight once, with the earlier layer. NULL: its own */
} mica_dense_desc;
MICA_API mica_node *mica_dense(mica_node *x, const mica_dense_desc *desc);

/* y = einsum(equation, x, weight) + bias, where the equation names the axes of x, of the weight and of y by letters: "abc,cd->abd"
 * sums over c, "..." stands for the axes that no letter names: "...x,xy->...y". The first axis is the batch and stays so.
 * weight has the sizes of its letters, bias those of bias_axes, in the order of y. */
typedef struct mica_einsum_dense_desc {
    const char *name;
    const char *equation;         /* required */
    mica_shape output_shape;      /* sizes of y's letters without the batch; -1 or 0 for what x says */
    const char *activation;
    const char *bias_axes;        /* letters of y, "d"; NULL: no bias */
    mica_parameter_desc kernel, bias; /* initializers: glorot_uniform, zeros */
} mica_einsum_dense_desc;
MICA_API mica_node *mica_einsum_dense(mica_node *x, const mica_einsum_dense_desc *desc);

/* y[n, t, :] = weight[x[n, t], :].  Integer x (N, T) -> (N, T, output_dim);  weight (input_dim, output_dim). */
typedef struct mica_embedding_desc {
    const char *name;
    int64_t input_dim, output_dim; /* required */
    mica_shape padding_idx;       /* numbers of rows, below 0 from the end, that begin with zeros and have no gradient of being
                                   * looked up: PyTorch's padding_idx 0 is MICA_SHAPE(0). Rank 0: none */
    bool mask_zero;               /* steps of number 0 are padding: recurrent layers and attention pass them over (recurrent.h) */
    mica_parameter_desc embeddings; /* initializer: random_uniform */
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

#ifdef __cplusplus
}
#endif
#endif
