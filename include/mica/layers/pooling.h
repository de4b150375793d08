/* Poolings. Legend: N batch, C channels, H height, W width, L length. */
#ifndef MICA_LAYERS_POOLING_H
#define MICA_LAYERS_POOLING_H

#include <mica/model.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mica_pool_desc {
    const char *name;
    int64_t pool_size[2];         /* 0: 2; the second 0: as the first */
    int64_t strides[2];           /* 0: pool_size */
    const char *padding;          /* as a convolution's; padded places never count */
    int64_t pads[4];
} mica_pool_desc;
/* y[n,c,p,q] = max (or mean) over the window of x.  x (N, C, H, W) -> (N, C, P, Q). */
MICA_API mica_node *mica_max_pooling2d(mica_node *x, const mica_pool_desc *desc);
MICA_API mica_node *mica_average_pooling2d(mica_node *x, const mica_pool_desc *desc);
MICA_API mica_node *mica_max_pooling1d(mica_node *x, const mica_pool_desc *desc);
MICA_API mica_node *mica_average_pooling1d(mica_node *x, const mica_pool_desc *desc);
/* Mean (or maximum) over all spatial axes: (N, C, ...) -> (N, C). */
MICA_API mica_node *mica_global_average_pooling(mica_node *x, const char *name);
MICA_API mica_node *mica_global_max_pooling(mica_node *x, const char *name);

#ifdef __cplusplus
}
#endif
#endif
