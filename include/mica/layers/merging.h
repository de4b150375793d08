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
/* Joins along an axis of the sample's tensor with its batch, as Keras counts: 1 is the first after the batch, -1 the last.
 * 0 stands for Keras's default, -1. */
MICA_API mica_node *mica_concatenate(mica_node *const *x, int count, int axis, const char *name);

#ifdef __cplusplus
}
#endif
#endif
