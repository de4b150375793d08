/* Layers around another one. */
#ifndef MICA_SRC_NN_LAYER_WRAPPER_H
#define MICA_SRC_NN_LAYER_WRAPPER_H

#include "nn/layer.h"

struct mi_wrapper_desc {
    struct mi_around around;
    int power_iterations, axis;
};

struct mi_bidirectional_desc {
    struct mi_around around;
    const char *merge_mode;
};

extern const struct mi_layer_type mi_layer_bidirectional, mi_layer_time_distributed;
extern const struct mi_layer_type mi_layer_spectral_normalization, mi_layer_weight_normalization;

#endif
