/* Layers that join branches. */
#ifndef MICA_LAYERS_MERGING_H
#define MICA_LAYERS_MERGING_H

#include <mica/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Join two or more nodes of one rank element by element (NumPy broadcasting over a sample's axes): their sum, product, mean,
 * largest or least. */
MICA_API mica_node *mica_add(mica_node *const *x, int count, const char *name);
MICA_API mica_node *mica_multiply(mica_node *const *x, int count, const char *name);
MICA_API mica_node *mica_average(mica_node *const *x, int count, const char *name);
MICA_API mica_node *mica_maximum(mica_node *const *x, int count, const char *name);
MICA_API mica_node *mica_minimum(mica_node *const *x, int count, const char *name);
/* y = a - b, with the same broadcasting. */
MICA_API mica_node *mica_subtract(mica_node *a, mica_node *b, const char *name);
/* y[n, i..., j...] = sum over k of a[n, i..., k, ...] * b[n, j..., k, ...]: the sum is over one axis of each, of as many elements;
 * the other axes of a's samples stand before those of b's; (N, 1) where there are none. Axes count as those of mica_concatenate.
 * normalize: both are divided by their norms along the axis first (at least 1e-7), so that y is the cosine. */
typedef struct mica_dot_desc {
    const char *name;
    int64_t axes[2];              /* 0: -1; the second 0: as the first */
    bool normalize;
} mica_dot_desc;
MICA_API mica_node *mica_dot(mica_node *a, mica_node *b, const mica_dot_desc *desc);
/* Joins along an axis of the sample's tensor with its batch, as Keras counts: 1 is the first after the batch, -1 the last.
 * 0 stands for Keras's default, -1. */
MICA_API mica_node *mica_concatenate(mica_node *const *x, int count, int axis, const char *name);

#ifdef __cplusplus
}
#endif
#endif
