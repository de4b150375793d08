/* Losses are layers: they take predictions and targets, and give one number a sample. Names and arguments are Keras 3's; targets
 * are ordinary inputs. A plan makes one of them smaller, or what operators make of some of them (mica_plan_desc).
 *
 *     mica_node *loss = mica_binary_crossentropy(mica_dense(x, &unit), mica_input(model, "target", MICA_SHAPE(1)), NULL);
 */
#ifndef MICA_LOSSES_H
#define MICA_LOSSES_H

#include <mica/model.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mica_loss_desc {
    const char *name;
    int from_logits; /* of crossentropies. 0: deduced (logits, where predictions are not known to lie between 0 and 1), 1: yes,
                      * -1: no */
} mica_loss_desc;

/* mean over a sample of (y - t)^2.  y, t (N, ...) -> (N). Axes of one place may be left out of t. */
MICA_API mica_node *mica_mean_squared_error(mica_node *y, mica_node *target, const mica_loss_desc *desc);
/* mean over a sample of -t log p - (1 - t) log(1 - p), where p is y, or the sigmoid of logits.  y, t (N, ...) -> (N). */
MICA_API mica_node *mica_binary_crossentropy(mica_node *y, mica_node *target, const mica_loss_desc *desc);
/* -sum over classes of t log p, where p is y, or the softmax of logits.  y, t (N, C) -> (N). */
MICA_API mica_node *mica_categorical_crossentropy(mica_node *y, mica_node *target, const mica_loss_desc *desc);
/* -log p[t], the same for whole numbers t (mica_input_integer).  y (N, C), t (N) -> (N). */
MICA_API mica_node *mica_sparse_categorical_crossentropy(mica_node *y, mica_node *target, const mica_loss_desc *desc);

#ifdef __cplusplus
}
#endif
#endif
