/* What a depthwise convolution's kernel shares with the one that computes it behind a 1 x 1 convolution. */
#ifndef MICA_SRC_DEPTHWISE_H
#define MICA_SRC_DEPTHWISE_H

#include "engines/conv/conv.h"
#include "engines/match/depthwise.h"

/* The text that stores the B channels of `lane`: computed lane by lane, stored as vectors where the layout has such blocks. The
 * kernel's variables are img, kb, oh and w_. */
const char *mi_depthwise_emit_stores(struct mi_emitter *e, const struct mi_conv *conv);

#endif
