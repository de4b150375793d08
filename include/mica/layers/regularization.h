/* Layers that disturb a training. */
#ifndef MICA_LAYERS_REGULARIZATION_H
#define MICA_LAYERS_REGULARIZATION_H

#include <mica/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* In training y = x / (1 - rate) where a random number is >= rate, else 0; otherwise y = x. */
typedef struct mica_dropout_desc {
    const char *name;
    float rate;                   /* 0 <= rate < 1 */
} mica_dropout_desc;
MICA_API mica_node *mica_dropout(mica_node *x, const mica_dropout_desc *desc);

#ifdef __cplusplus
}
#endif
#endif
