/* Layers that disturb a training, and penalties on what layers give. */
#ifndef MICA_LAYERS_REGULARIZATION_H
#define MICA_LAYERS_REGULARIZATION_H

#include <mica/layers/parameter.h>

#ifdef __cplusplus
extern "C" {
#endif

/* In training y = x / (1 - rate) where a random number is >= rate, else 0; otherwise y = x. */
typedef struct mica_dropout_desc {
    const char *name;
    float rate;                   /* 0 <= rate < 1 */
} mica_dropout_desc;
MICA_API mica_node *mica_dropout(mica_node *x, const mica_dropout_desc *desc);

/* y = x, and the loss of a training is raised by the sum of l1 * |x| + l2 * x^2 over a batch, divided by its samples. */
typedef struct mica_activity_regularization_desc {
    const char *name;
    float l1, l2;                 /* 0: not */
} mica_activity_regularization_desc;
MICA_API mica_node *mica_activity_regularization(mica_node *x, const mica_activity_regularization_desc *desc);

/* The same for what any layer gives, whose key "activity_regularizer" this is; returns y. Each use of a layer that is used again
 * from then on has the penalty as well. */
MICA_API mica_node *mica_activity_regularizer(mica_node *y, const mica_regularizer *regularizer);

#ifdef __cplusplus
}
#endif
#endif
