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

#ifdef __cplusplus
}
#endif
#endif
