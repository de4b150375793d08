/* Convolutions. Legend: N batch, C channels, H height, W width, L length. */
#ifndef MICA_LAYERS_CONVOLUTION_H
#define MICA_LAYERS_CONVOLUTION_H

#include <mica/layers/parameter.h>

#ifdef __cplusplus
extern "C" {
#endif

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
    mica_parameter_desc kernel, bias; /* initializers: glorot_uniform, zeros */
} mica_conv_desc;
/* y[n,k,p,q] = b[k] + sum_{c,r,s} w[k,c,r,s] x[n, c, p*sh + r*dh - top, q*sw + s*dw - left]   (cross-correlation)
 * x (N, C, H, W) -> (N, filters, P, Q);  weight (filters, C/groups, R, S), bias (filters). */
MICA_API mica_node *mica_conv2d(mica_node *x, const mica_conv_desc *desc);
/* The same over one spatial axis: x (N, C, L) -> (N, filters, P). */
MICA_API mica_node *mica_conv1d(mica_node *x, const mica_conv_desc *desc);

#ifdef __cplusplus
}
#endif
#endif
