/* Contractions that are convolutions, recognised by their index maps:
 *
 *     out[n, k, p...] = sum over c, r... of x[n, c, p*stride + r*dilation + offset ...] * w[k, c, r...]
 *
 * The forward pass is one, and so is the gradient of the data where the stride is 1 (dilation is then negative, and the roles
 * of k and c in w are exchanged). One or two spatial axes. In groups the filters of one meet its own channels alone: k is then
 * group * (k / groups) + member, x's channel is group * c + member, and so is one dimension of w. */
#ifndef MICA_SRC_MATCH_CONV_H
#define MICA_SRC_MATCH_CONV_H

#include "engines/engine.h"

struct mi_conv {
    const struct mi_operand *x, *w;       /* of a weight gradient, w is dy */
    int spatial;                          /* 1 or 2 */
    int w_k, w_c, w_r[2];                 /* which dimension of w is k, c and the kernel's */
    int64_t groups;                       /* 1: every filter meets every channel */
    int64_t k, c;                         /* filters in all, and channels of a group */
    int64_t in[2], out[2], kernel[2];     /* extents; [0] is 1 where there is one spatial axis */
    int64_t stride[2], dilation[2], offset[2];
    int64_t divisor[2];                   /* 1, but where x is read at (p + r*dilation + offset) / divisor */
    int64_t low[2], high[2];              /* how far x is read before its first and past its last place */
};

/* Whether the axis is the step's n samples, no more and no less, and no other varies with n: kernels for convolutions count on
 * it. */
bool mi_conv_is_by_sample(const struct mi_contraction *c, int samples);

bool mi_conv_match(const struct mi_contraction *c, struct mi_conv *conv); /* one group */

/* Also in groups, and the gradient of the data of a strided convolution: places that do not divide are not there, so
 * divisor*divisor phases of the output are convolutions each with some of the kernel's places. */
bool mi_conv_match_phased(const struct mi_contraction *c, struct mi_conv *conv);

/* One phase along an axis: output places p*divisor + phase for p below `out`. Its kernel's places are first, first + step, ...;
 * for number j of them, x is read at p*stride + j*dilation + offset. */
struct mi_phase {
    int64_t phase, out, kernel, first, step, stride, dilation, offset;
};
struct mi_phase mi_conv_phase(const struct mi_conv *conv, int axis, int64_t phase);

/* The gradient of the weight: dw[k, c, r...] = sum over n, p... of dy[n, k, p...] * x[n, c, p*stride + r*dilation + offset...] */
bool mi_conv_weight_match(const struct mi_contraction *c, struct mi_conv *conv);

#endif
