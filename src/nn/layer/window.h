/* Windows of convolutions and poolings: defaults, padding and the size of their output. */
#ifndef MICA_SRC_NN_WINDOW_H
#define MICA_SRC_NN_WINDOW_H

#include "nn/layer.h"

enum { MI_MOST_AXES = 3 }; /* of space */

struct mi_window {
    int spatial;                 /* axes: 1 to 3 */
    int64_t size[MI_MOST_AXES], stride[MI_MOST_AXES], dilation[MI_MOST_AXES];
    int64_t pads[2 * MI_MOST_AXES]; /* before..., after..., as ONNX has them */
    int64_t beyond[MI_MOST_AXES];   /* of a transposed convolution: ONNX's output_padding */
};

/* What a descriptor says of its window, axis by axis: 0 is the default, or repeats the first axis. */
struct mi_window_fields {
    const int64_t *size, *stride, *dilation; /* dilation NULL: 1 */
    const char *padding;
    const int64_t *pads;
    const int64_t *beyond;       /* output_padding, of a transposed convolution; -1: none */
    int64_t size_default;        /* of a pool, whose stride is its size by default; 0: the size is required */
};
/* Those of a convolution's descriptor. */
#define MI_WINDOW_FIELDS(desc)                                                                                                   \
    .size = (desc)->kernel_size, .stride = (desc)->strides, .dilation = (desc)->dilation_rate, .padding = (desc)->padding,        \
    .pads = (desc)->pads

/* Resolves them over the spatial axes of x (N, C, ...), as many as the layer's type has.
 * "same": the output has ceil(in / stride), with the odd element of padding after, as TensorFlow does. */
bool mi_window_resolve(struct mi_layer *layer, const mi_value *x, const struct mi_window_fields *fields, struct mi_window *out);
/* The same of a transposed convolution, whose pads are places that are left out of its output. "same": the output has
 * in * stride. */
bool mi_window_resolve_transposed(struct mi_layer *layer, const mi_value *x, const struct mi_window_fields *fields,
                                  struct mi_window *out);

/* The places of a window. */
double mi_window_places(const struct mi_window *window);

/* The keys of sizes, one an axis; and those of a window, a convolution's and a pool's. */
#define MI_SIZES_KEY(desc, name, field, axes, ...)                                                                               \
    MI_KEY_WITH(desc, name, MI_KEY_SIZES, field, .spatial = (axes), __VA_ARGS__)
#define MI_PADDING_KEY(desc, axes)                                                                                               \
    MI_KEY_WITH(desc, "padding", MI_KEY_PADDING, padding, .spatial = (axes), .second = offsetof(desc, pads))
#define MI_WINDOW_KEYS(desc, axes)                                                                                               \
    MI_SIZES_KEY(desc, "kernel_size", kernel_size, axes, .required = true, MI_KEY_AT_LEAST(1)),                                  \
    MI_SIZES_KEY(desc, "strides", strides, axes, MI_KEY_AT_LEAST(1)),                                                            \
    MI_PADDING_KEY(desc, axes),                                                                                                  \
    MI_SIZES_KEY(desc, "dilation_rate", dilation_rate, axes, MI_KEY_AT_LEAST(1))

/* The row of a layer of one input over so many axes; operator NULL: its family's rows differ by none. */
#define MI_SPATIAL_ROW(name, desc, axes, table, function, operator)                                                              \
    {.type = (name), .desc_size = sizeof(desc), .keys = (table), .min_inputs = 1, .max_inputs = 1, .spatial = (axes),            \
     .op = (operator), .build = (function)}

#endif
