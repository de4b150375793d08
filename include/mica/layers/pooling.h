/* Poolings. Legend: N batch, C channels, D depth, H height, W width, L length. */
#ifndef MICA_LAYERS_POOLING_H
#define MICA_LAYERS_POOLING_H

#include <mica/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sizes are one an axis of space, outermost first; a later 0 repeats the first. */
typedef struct mica_pool_desc {
    const char *name;
    int64_t pool_size[3];         /* 0: 2 */
    int64_t strides[3];           /* 0: pool_size */
    const char *padding;          /* as a convolution's; padded places never count */
    int64_t pads[6];
} mica_pool_desc;
/* y[n,c,p,q] = max (or mean) over the window of x.  x (N, C, H, W) -> (N, C, P, Q). */
MICA_API mica_node *mica_max_pooling2d(mica_node *x, const mica_pool_desc *desc);
MICA_API mica_node *mica_average_pooling2d(mica_node *x, const mica_pool_desc *desc);
/* x (N, C, L) -> (N, C, P) */
MICA_API mica_node *mica_max_pooling1d(mica_node *x, const mica_pool_desc *desc);
MICA_API mica_node *mica_average_pooling1d(mica_node *x, const mica_pool_desc *desc);
/* x (N, C, D, H, W) -> (N, C, O, P, Q) */
MICA_API mica_node *mica_max_pooling3d(mica_node *x, const mica_pool_desc *desc);
MICA_API mica_node *mica_average_pooling3d(mica_node *x, const mica_pool_desc *desc);

typedef struct mica_global_pool_desc {
    const char *name;
    bool keepdims;                /* (N, C, 1, ...) */
    const char *data_format;      /* "channels_first" (NULL), or "channels_last": (N, ..., C) -> (N, C), or (N, 1, ..., C) */
} mica_global_pool_desc;
/* Mean (or maximum) over all spatial axes: (N, C, ...) -> (N, C). With channels last, (N, steps, C), steps that a mask says are
 * padding are left out; of a sequence of nothing else it is 0. */
MICA_API mica_node *mica_global_average_pooling(mica_node *x, const mica_global_pool_desc *desc);
MICA_API mica_node *mica_global_max_pooling(mica_node *x, const mica_global_pool_desc *desc);

typedef struct mica_adaptive_pool_desc {
    const char *name;
    int64_t output_size[3];       /* required */
} mica_adaptive_pool_desc;
/* The mean (or maximum) of windows that share each axis out: window i of `out` over `in` places is those from
 * floor(i * in / out) to ceil((i + 1) * in / out) - 1, as PyTorch has it.  x (N, C, H, W) -> (N, C, output_size...). */
MICA_API mica_node *mica_adaptive_average_pooling2d(mica_node *x, const mica_adaptive_pool_desc *desc);
MICA_API mica_node *mica_adaptive_max_pooling2d(mica_node *x, const mica_adaptive_pool_desc *desc);
/* x (N, C, L) */
MICA_API mica_node *mica_adaptive_average_pooling1d(mica_node *x, const mica_adaptive_pool_desc *desc);
MICA_API mica_node *mica_adaptive_max_pooling1d(mica_node *x, const mica_adaptive_pool_desc *desc);
/* x (N, C, D, H, W) */
MICA_API mica_node *mica_adaptive_average_pooling3d(mica_node *x, const mica_adaptive_pool_desc *desc);
MICA_API mica_node *mica_adaptive_max_pooling3d(mica_node *x, const mica_adaptive_pool_desc *desc);

#ifdef __cplusplus
}
#endif
#endif
