/* Depthwise convolutions and their gradients, recognised by their index maps: every channel meets a kernel of its own,
 *
 *     out[n, c, p...] = sum over r... of x[n, c, (p*stride + r*dilation + offset)/divisor ...] * w[c, 0, r...]
 *     dw[c, 0, r...] = sum over n, p... of dy[n, c, p...] * x[n, c, p*stride + r*dilation + offset ...]
 *
 * The forward pass is the first with divisor 1. The gradient of the data is the first too: with dilation turned round, and
 * with the forward pass's stride as divisor; places that it does not divide contribute nothing. */
#ifndef MICA_SRC_MATCH_DEPTHWISE_H
#define MICA_SRC_MATCH_DEPTHWISE_H

#include "engines/match/conv.h"

struct mi_depthwise {
    struct mi_conv conv; /* k and c are the channels; of a weight gradient, w is dy */
    int64_t divisor[2];  /* 1 but in the gradient of the data by a stride */
};

bool mi_depthwise_match(const struct mi_contraction *c, struct mi_depthwise *d);
bool mi_depthwise_weight_match(const struct mi_contraction *c, struct mi_depthwise *d);

/* Whether the device and the problem's types are those of the kernels on blocked tensors. */
bool mi_depthwise_fits(const struct mi_problem *problem, const struct mi_depthwise *d);

#endif
