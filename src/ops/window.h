/* The geometry of a window that slides over the spatial axes of (N, C, ...): convolutions and pools. */
#ifndef MICA_SRC_WINDOW_H
#define MICA_SRC_WINDOW_H

#include "graph/op.h"

enum { MI_MAX_SPATIAL = 3 };

struct mi_window {
    int axes;                        /* spatial axes: rank - 2 */
    int64_t in[MI_MAX_SPATIAL];      /* sizes of the input */
    int64_t out[MI_MAX_SPATIAL];     /* numbers of windows */
    int64_t kernel[MI_MAX_SPATIAL], stride[MI_MAX_SPATIAL], dilation[MI_MAX_SPATIAL];
    int64_t before[MI_MAX_SPATIAL], after[MI_MAX_SPATIAL]; /* padding */
};

/* Reads a node's attributes kernel_shape, strides, pads, dilations, auto_pad and ceil_mode against the shape
 * of its input, and writes them back in full: auto_pad and defaults become pads. kernel: the weight's spatial
 * sizes, or NULL where the attribute kernel_shape is required. */
mica_status mi_window_infer(struct mi_node *node, const struct mi_shape *in, const int64_t *kernel,
                            struct mi_window *out);

/* The same of a transposed convolution, which also has output_padding: out->in are the sizes of its result, in which its input's
 * places are the windows. */
mica_status mi_window_infer_transposed(struct mi_node *node, const struct mi_shape *in, const int64_t *kernel,
                                       struct mi_window *out);

/* Reads attributes that these wrote; `in` and `out` are the larger and the smaller tensor's
 * shapes. */
void mi_window_get(const struct mi_node *node, const struct mi_shape *in, const struct mi_shape *out,
                   struct mi_window *window);

/* Whether every window lies inside the input. */
bool mi_window_inside(const struct mi_window *window);

#endif
