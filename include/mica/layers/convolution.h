/* Convolutions. Legend: N batch, C channels, D depth, H height, W width, L length. */
#ifndef MICA_LAYERS_CONVOLUTION_H
#define MICA_LAYERS_CONVOLUTION_H

#include <mica/layers/parameter.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sizes are one an axis of space, outermost first; a later 0 repeats the first.
 * Padding of a window: "valid" (NULL) none, "same" so that the output has ceil(in / stride), or "explicit" with pads. */
typedef struct mica_conv_desc {
    const char *name;
    int64_t filters;              /* required */
    int64_t kernel_size[3];       /* required */
    int64_t strides[3];           /* 0: 1 */
    const char *padding;
    int64_t pads[6];              /* "explicit": top, left, bottom, right (conv1d: before, after), as ONNX has them */
    int64_t dilation_rate[3];     /* 0: 1 */
    int64_t groups;               /* 0: 1 */
    const char *activation;
    bool no_bias;
    mica_parameter_desc kernel, bias; /* initializers: glorot_uniform, zeros */
} mica_conv_desc;
/* y[n,k,p,q] = b[k] + sum_{c,r,s} w[k,c,r,s] x[n, c, p*sh + r*dh - top, q*sw + s*dw - left]   (cross-correlation)
 * x (N, C, H, W) -> (N, filters, P, Q);  weight (filters, C/groups, R, S), bias (filters). */
MICA_API mica_node *mica_conv2d(mica_node *x, const mica_conv_desc *desc);
/* The same over one spatial axis: x (N, C, L) -> (N, filters, P). */
MICA_API mica_node *mica_conv1d(mica_node *x, const mica_conv_desc *desc);
/* Over three: x (N, C, D, H, W) -> (N, filters, O, P, Q). */
MICA_API mica_node *mica_conv3d(mica_node *x, const mica_conv_desc *desc);

/* Transposed convolution: the gradient of a convolution by its input, as a layer. With reach = (kernel - 1) * dilation + 1 the
 * output has, along each axis,
 *     "valid":     (in - 1) * stride + max(reach, stride), or with output_padding (in - 1) * stride + reach + output_padding
 *     "same":      in * stride, or with output_padding (in - 1) * stride + reach % 2 + output_padding
 *     "explicit":  (in - 1) * stride + reach + output_padding - before - after
 * The first two are Keras's, the last one PyTorch's. What "same" leaves out of (in - 1) * stride + reach places is half before them
 * and half after, the odd one after. */
typedef struct mica_conv_transpose_desc {
    const char *name;
    int64_t filters;              /* required */
    int64_t kernel_size[3];       /* required */
    int64_t strides[3];           /* 0: 1 */
    const char *padding;
    int64_t pads[6];              /* "explicit": places left out before each axis, then after each */
    int64_t output_padding[3];    /* 0: not said; -1: 0; below the strides */
    int64_t dilation_rate[3];     /* 0: 1 */
    int64_t groups;               /* 0: 1 */
    const char *activation;
    bool no_bias;
    mica_parameter_desc kernel, bias; /* initializers: glorot_uniform, zeros */
} mica_conv_transpose_desc;
/* y[n,k,h,w] = b[k] + sum_{c,r,s} x[n, c, (h + top - r*dh) / sh, (w + left - s*dw) / sw] w[c,k,r,s]   where these divide
 * x (N, C, H, W) -> (N, filters, P, Q);  weight (C, filters/groups, R, S), bias (filters). */
MICA_API mica_node *mica_conv2d_transpose(mica_node *x, const mica_conv_transpose_desc *desc);
MICA_API mica_node *mica_conv1d_transpose(mica_node *x, const mica_conv_transpose_desc *desc);
MICA_API mica_node *mica_conv3d_transpose(mica_node *x, const mica_conv_transpose_desc *desc);

/* A convolution in which each channel has depth_multiplier kernels of its own: with as many groups as channels. */
typedef struct mica_depthwise_conv_desc {
    const char *name;
    int64_t kernel_size[2];       /* required */
    int64_t strides[2];           /* 0: 1 */
    const char *padding;
    int64_t pads[4];
    int64_t dilation_rate[2];     /* 0: 1 */
    int64_t depth_multiplier;     /* 0: 1 */
    const char *activation;
    bool no_bias;
    mica_parameter_desc depthwise, bias; /* initializers: glorot_uniform, zeros */
} mica_depthwise_conv_desc;
/* y[n, c*m + i, p, q] = b[c*m + i] + sum_{r,s} w[c*m + i, 0, r, s] x[n, c, p*sh + r*dh - top, q*sw + s*dw - left], m the multiplier
 * x (N, C, H, W) -> (N, C*m, P, Q);  weight (C*m, 1, R, S), bias (C*m). */
MICA_API mica_node *mica_depthwise_conv2d(mica_node *x, const mica_depthwise_conv_desc *desc);
/* x (N, C, L) -> (N, C*m, P) */
MICA_API mica_node *mica_depthwise_conv1d(mica_node *x, const mica_depthwise_conv_desc *desc);

/* A depthwise convolution, then one of a single place that joins the channels (Chollet 2017, arXiv:1610.02357). */
typedef struct mica_separable_conv_desc {
    const char *name;
    int64_t filters;              /* required */
    int64_t kernel_size[2];       /* required */
    int64_t strides[2];           /* 0: 1 */
    const char *padding;
    int64_t pads[4];
    int64_t dilation_rate[2];     /* 0: 1 */
    int64_t depth_multiplier;     /* 0: 1 */
    const char *activation;
    bool no_bias;
    mica_parameter_desc depthwise, pointwise, bias; /* initializers: glorot_uniform, glorot_uniform, zeros */
} mica_separable_conv_desc;
/* x (N, C, H, W) -> (N, filters, P, Q);  depthwise.weight (C*m, 1, R, S), pointwise.weight (filters, C*m, 1, 1), bias (filters). */
MICA_API mica_node *mica_separable_conv2d(mica_node *x, const mica_separable_conv_desc *desc);
/* x (N, C, L) -> (N, filters, P) */
MICA_API mica_node *mica_separable_conv1d(mica_node *x, const mica_separable_conv_desc *desc);

#ifdef __cplusplus
}
#endif
#endif
