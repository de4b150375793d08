/* Layers that change the shape of a sample, or the order of its elements. */
#ifndef MICA_LAYERS_SHAPE_H
#define MICA_LAYERS_SHAPE_H

#include <mica/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* (N, ...) -> (N, product of the rest). */
MICA_API mica_node *mica_flatten(mica_node *x, const char *name);
/* Another shape per sample of the same elements; one dimension may be -1. */
MICA_API mica_node *mica_reshape(mica_node *x, const char *name, mica_shape target);
/* Reorders the axes of a sample; Keras counts them from 1: {2, 1} swaps two. */
MICA_API mica_node *mica_permute(mica_node *x, const char *name, mica_shape dims);

/* y[n, k, f] = x[n, f] for each k < times.  x (N, F) -> (N, times, F). Keras calls `times` n, and so does JSON. */
MICA_API mica_node *mica_repeat_vector(mica_node *x, const char *name, int64_t times);

/* Zeros before and after each spatial axis.  x (N, C, L) / (N, C, H, W) / (N, C, D, H, W); each axis grows by its two numbers. */
typedef struct mica_zero_padding_desc {
    const char *name;
    int64_t padding[3][2];        /* of each axis before and after; all 0: 1 everywhere */
} mica_zero_padding_desc;
MICA_API mica_node *mica_zero_padding1d(mica_node *x, const mica_zero_padding_desc *desc);
MICA_API mica_node *mica_zero_padding2d(mica_node *x, const mica_zero_padding_desc *desc);
MICA_API mica_node *mica_zero_padding3d(mica_node *x, const mica_zero_padding_desc *desc);

/* Cuts places off before and after each spatial axis; shapes as above, each axis shrinks. */
typedef struct mica_cropping_desc {
    const char *name;
    int64_t cropping[3][2];       /* of each axis before and after; all 0: of two axes nothing, of one or three 1 everywhere */
} mica_cropping_desc;
MICA_API mica_node *mica_cropping1d(mica_node *x, const mica_cropping_desc *desc);
MICA_API mica_node *mica_cropping2d(mica_node *x, const mica_cropping_desc *desc);
MICA_API mica_node *mica_cropping3d(mica_node *x, const mica_cropping_desc *desc);

/* Makes each spatial axis `size` times as long.  x (N, C, L) / (N, C, H, W) / (N, C, D, H, W).
 * "nearest": y[i] = x[floor(i / size)] along each axis. "bilinear" and "bicubic", of two axes only: place i stands for
 * (i + 1/2) / size - 1/2 of x, beyond whose sides its last elements go on; along each axis
 *   y = sum over t of k(place - t) x[t],
 *   bilinear  k(d) = 1 - |d|                                            for |d| < 1,
 *   bicubic   k(d) = (a + 2) |d|^3 - (a + 3) d^2 + 1                    for |d| < 1,
 *             k(d) = a |d|^3 - 5 a d^2 + 8 a |d| - 4 a                  for 1 <= |d| < 2,  with a = -3/4
 * (R. Keys: "Cubic convolution interpolation for digital image processing", 1981), as PyTorch's interpolate with
 * align_corners=False and ONNX's Resize have it. */
typedef struct mica_up_sampling_desc {
    const char *name;
    int64_t size[3];              /* 0: 2 of the first axis, that of the first of the others */
    const char *interpolation;    /* NULL: "nearest" */
} mica_up_sampling_desc;
MICA_API mica_node *mica_up_sampling1d(mica_node *x, const mica_up_sampling_desc *desc);
MICA_API mica_node *mica_up_sampling2d(mica_node *x, const mica_up_sampling_desc *desc);
MICA_API mica_node *mica_up_sampling3d(mica_node *x, const mica_up_sampling_desc *desc);

#ifdef __cplusplus
}
#endif
#endif
