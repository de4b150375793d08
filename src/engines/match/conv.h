/* Contractions that are convolutions, recognised by their index maps:
 *
 *     out[n, k, p...] = sum over c, r... of x[n, c, p*stride + r*dilation + offset ...] * w[k, c, r...]
 *
 * The forward pass is one, and so is the gradient of the data where the stride is 1 (dilation is then negative, and the roles
 * of k and c in w are exchanged). One to three spatial axes. In groups the filters of one meet its own channels alone: k is then
 * group * (k / groups) + member, x's channel is group * c + member, and so is one dimension of w. */
#ifndef MICA_SRC_MATCH_CONV_H
#define MICA_SRC_MATCH_CONV_H

#include "engines/engine.h"

enum { MI_CONV_HEIGHT, MI_CONV_WIDTH, MI_CONV_DEPTH, MI_CONV_AXES };

struct mi_conv {
    const struct mi_operand *x, *w;       /* of a weight gradient, w is dy */
    int spatial;                          /* 1 to 3 */
    int w_k, w_c, w_r[MI_CONV_AXES];      /* which dimension of w is k, c and the kernel's */
    int64_t groups;                       /* 1: every filter meets every channel */
    int64_t k, c;                         /* filters in all, and channels of a group */
    /* Extents by axis; 1 of an axis that is not there: one spatial axis is the width, two are height and width. */
    int64_t in[MI_CONV_AXES], out[MI_CONV_AXES], kernel[MI_CONV_AXES];
    int64_t stride[MI_CONV_AXES], dilation[MI_CONV_AXES], offset[MI_CONV_AXES];
    int64_t divisor[MI_CONV_AXES];        /* 1, but where x is read at (p + r*dilation + offset) / divisor */
    int64_t low[MI_CONV_AXES], high[MI_CONV_AXES]; /* how far x is read before its first and past its last place */
};

/* The axis of a dimension of x, 2 and on. */
static inline int mi_conv_axis(const struct mi_conv *conv, int dim)
{
    return dim < conv->spatial ? MI_CONV_DEPTH : dim - conv->spatial;
}

/* A product over the axes, such as mi_conv_volume(conv->kernel). */
static inline int64_t mi_conv_volume(const int64_t sizes[MI_CONV_AXES])
{
    return sizes[MI_CONV_HEIGHT] * sizes[MI_CONV_WIDTH] * sizes[MI_CONV_DEPTH];
}

/* Whether the axis is the step's n samples, no more and no less, and no other varies with n: kernels for convolutions count on
 * it. */
bool mi_conv_is_by_sample(const struct mi_contraction *c, int samples);

bool mi_conv_match(const struct mi_contraction *c, struct mi_conv *conv); /* one group */

/* Also in groups, and the gradient of the data of a strided convolution: places that do not divide are not there, so
 * as many phases of the output as the divisors' product are convolutions each with some of the kernel's places. */
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
