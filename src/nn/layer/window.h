/* Windows of convolutions and poolings: defaults, padding and the size of their output. */
#ifndef MICA_SRC_NN_WINDOW_H
#define MICA_SRC_NN_WINDOW_H

#include "nn/layer.h"

struct mi_window {
    int spatial;                 /* axes: 1 or 2 */
    int64_t size[2], stride[2], dilation[2];
    int64_t pads[4];             /* before..., after..., as ONNX has them */
};

/* Resolves a descriptor's fields over the spatial axes of x (N, C, ...). A size of 0 takes `size_default` (0: required).
 * "same": the output has ceil(in / stride), with the odd element of padding after, as TensorFlow does. */
bool mi_window_resolve(struct mi_layer *layer, const mi_value *x, int spatial, const int64_t size[2], int64_t size_default,
                       const int64_t stride[2], const int64_t dilation[2], const char *padding, const int64_t pads[4],
                       struct mi_window *out);

#endif
