/* The activations: layers without variables, whose names are also values of every layer's "activation".
 *
 * Adding one: its row in elementwise.c, if it is one operator, or in a file of its own, and its name here. */
#ifndef MICA_SRC_NN_ACTIVATION_H
#define MICA_SRC_NN_ACTIVATION_H

#include "nn/layer.h"

#define MI_ACTIVATION_LAYERS(X)                                                                                                  \
    X(linear) X(relu) X(relu6) X(leaky_relu) X(thresholded_relu) X(elu) X(celu) X(selu)                                          \
    X(sigmoid) X(hard_sigmoid) X(sparse_sigmoid) X(log_sigmoid) X(tanh) X(hard_tanh) X(softplus) X(sparse_plus) X(squareplus)    \
    X(softsign) X(silu) X(hard_silu) X(gelu) X(mish) X(glu) X(soft_shrink) X(hard_shrink) X(tanh_shrink) X(exponential) X(step)  \
    X(softmax) X(log_softmax) X(sparsemax)

#define MI_DECLARE_ACTIVATION_LAYER(id) extern const struct mi_layer_type mi_layer_##id;
MI_ACTIVATION_LAYERS(MI_DECLARE_ACTIVATION_LAYER)

/* The row of an activation `id` with a function build_ID; other_names: NULL-terminated, or NULL. */
#define MI_ACTIVATION_ROW(id, other_names, descriptor, table)                                                                    \
    const struct mi_layer_type mi_layer_##id = {.type = #id, .aliases = (other_names), .desc_size = sizeof(descriptor),          \
        .keys = (table), .min_inputs = 1, .max_inputs = 1, .keeps_steps = true, .build = build_##id}

#endif
