/* Losses are layers: they take predictions and targets, and give one number a sample. Names, formulas and defaults are Keras 3's;
 * targets are ordinary inputs. A plan makes one of them smaller, or what operators make of some of them (mica_plan_desc).
 *
 *     mica_node *loss = mica_binary_crossentropy(mica_dense(x, &unit), mica_input(model, "target", MICA_SHAPE(1)), NULL);
 *     mica_node *near = mica_huber(y, target, &(mica_loss_desc){.setting = {{"delta", 0.5}}});
 *
 * y are predictions, t their targets of the same shape (axes of one place may be left out); mean and sum are over all that a sample
 * has, unless it is said; epsilon is 1e-7. Where a mask says which of y's steps are real (masking, mask_zero of embedding), the sum
 * is over what each of these loses, divided by how many of them a sample of the batch has in the mean, so that the mean over the
 * samples is that over all real steps: Keras's. */
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
    mica_setting setting[MICA_MOST_LOSS_SETTINGS]; /* numbers by the names below, up to the first without a key */
} mica_loss_desc;

/* ---- Of values: y, t (N, ...) -> (N) ---- */

/* mean (y - t)^2 */
MICA_API mica_node *mica_mean_squared_error(mica_node *y, mica_node *target, const mica_loss_desc *desc);
/* mean |y - t| */
MICA_API mica_node *mica_mean_absolute_error(mica_node *y, mica_node *target, const mica_loss_desc *desc);
/* 100 mean |y - t| / max(|t|, epsilon) */
MICA_API mica_node *mica_mean_absolute_percentage_error(mica_node *y, mica_node *target, const mica_loss_desc *desc);
/* mean (log(max(y, epsilon) + 1) - log(max(t, epsilon) + 1))^2, of values of at least 0 */
MICA_API mica_node *mica_mean_squared_logarithmic_error(mica_node *y, mica_node *target, const mica_loss_desc *desc);
/* mean of e^2 / 2 where |e| <= delta, else delta |e| - delta^2 / 2, with e = y - t.  delta (1) */
MICA_API mica_node *mica_huber(mica_node *y, mica_node *target, const mica_loss_desc *desc);
/* mean log(cosh(y - t)) */
MICA_API mica_node *mica_log_cosh(mica_node *y, mica_node *target, const mica_loss_desc *desc);
/* mean y - t log(y + epsilon), of counts: y > 0, t >= 0 */
MICA_API mica_node *mica_poisson(mica_node *y, mica_node *target, const mica_loss_desc *desc);
/* -y . t / (|y| |t|) over the last axis, the mean over the others; a length counts as at least epsilon. */
MICA_API mica_node *mica_cosine_similarity(mica_node *y, mica_node *target, const mica_loss_desc *desc);

/* ---- Of yes and no: y, t (N, ...) -> (N) ----
 *
 * p is y, or the sigmoid of logits. label_smoothing (0): (1 - label_smoothing) t + label_smoothing / 2 takes t's place. */

/* mean -t log p - (1 - t) log(1 - p), t from 0 to 1.  label_smoothing */
MICA_API mica_node *mica_binary_crossentropy(mica_node *y, mica_node *target, const mica_loss_desc *desc);
/* mean (1 - q)^gamma (-t log p - (1 - t) log(1 - p)), q = t p + (1 - t) (1 - p), t from 0 to 1; with apply_class_balancing (false)
 * times t alpha + (1 - t) (1 - alpha).  alpha (0.25), gamma (2), label_smoothing.  Lin et al., 2017, arXiv:1708.02002. */
MICA_API mica_node *mica_binary_focal_crossentropy(mica_node *y, mica_node *target, const mica_loss_desc *desc);
/* mean max(1 - t y, 0), and its square; t -1 or 1, where 0 counts as -1, as of labels that are 0 and 1. */
MICA_API mica_node *mica_hinge(mica_node *y, mica_node *target, const mica_loss_desc *desc);
MICA_API mica_node *mica_squared_hinge(mica_node *y, mica_node *target, const mica_loss_desc *desc);
/* 1 - (2 sum(y t) + smooth) / (sum(y) + sum(t) + smooth + epsilon), y and t from 0 to 1.  smooth (0) */
MICA_API mica_node *mica_dice(mica_node *y, mica_node *target, const mica_loss_desc *desc);
/* 1 - (sum(y t) + smooth) / (sum(y t) + alpha sum((1 - y) t) + beta sum(y (1 - t)) + smooth + epsilon), y and t from 0 to 1.
 * alpha (0.5) is of what is missed, beta (0.5) of false alarms; smooth (0).  Salehi et al., 2017, arXiv:1706.05721. */
MICA_API mica_node *mica_tversky(mica_node *y, mica_node *target, const mica_loss_desc *desc);

/* ---- Of classes: y (N, C, ...) -> (N) ----
 *
 * Sums are over the C classes, along axis 1, and means over a sample's places behind it. axis (1): with -1 classes lie along the
 * last axis, y (N, ..., C), and t (N, ..., C) or (N, ...). p is y, or the softmax of logits.
 * label_smoothing (0): (1 - label_smoothing) t + label_smoothing / C takes t's place. */

/* -sum t log p, t (N, C, ...).  label_smoothing */
MICA_API mica_node *mica_categorical_crossentropy(mica_node *y, mica_node *target, const mica_loss_desc *desc);
/* -log p[t], the same for whole numbers t (N, ...) (mica_input_integer).  label_smoothing; ignore_class (none): places of that
 * number count neither in the sum nor in the mean, and a sample that has no other loses 0. With axis -1 the mean over the samples
 * is that over all places of the batch that count. */
MICA_API mica_node *mica_sparse_categorical_crossentropy(mica_node *y, mica_node *target, const mica_loss_desc *desc);
/* -alpha sum (1 - p)^gamma t log p, t (N, C, ...).  alpha (0.25), gamma (2), label_smoothing */
MICA_API mica_node *mica_categorical_focal_crossentropy(mica_node *y, mica_node *target, const mica_loss_desc *desc);
/* sum t log(t / p), t (N, C, ...); t and p that are no logits are clipped to [epsilon, 1]. */
MICA_API mica_node *mica_kl_divergence(mica_node *y, mica_node *target, const mica_loss_desc *desc);
/* max(1 + max((1 - t) y) - sum(t y), 0), t (N, C, ...) rows of one 1, y scores of any size */
MICA_API mica_node *mica_categorical_hinge(mica_node *y, mica_node *target, const mica_loss_desc *desc);

/* ---- Of sequences: y (N, T, C), t (N, L) -> (N) ---- */

/* -log p of the labels t of a sample, as the T steps may spell them: a step says a label or the blank, the same label in steps
 * one behind the other is one, and blanks are left out. p are y, or the softmax of logits. t are numbers of classes, any
 * number of them, padded to L at the end by the blank or numbers below 0. A mask of y says how many steps a sample has. What
 * that many steps cannot spell, with a blank between two labels that are alike, loses infinity, whose gradient is 0 (PyTorch
 * has NaN); a label that is no class is such.
 *
 * blank (0): its class. zero_infinity (false): what cannot be spelled loses 0. normalize (false): divided by the number of
 * labels or 1, as PyTorch's reduction "mean" has it. labels (T): L of an objective. Time and memory are N T L, and N L C
 * beside that. Graves et al., 2006; torch.nn.functional.ctc_loss, whose log_probs are (T, N, C). */
MICA_API mica_node *mica_ctc(mica_node *y, mica_node *target, const mica_loss_desc *desc);

/* ---- Of embeddings, vectors (N, D) -> (N): no objectives, since they have no targets ---- */

/* max(d(anchor, positive) - d(anchor, negative) + margin, 0), d(x, y) = (sum |x - y + 1e-6|^p)^(1 / p).  margin (1), p (2).
 * PyTorch's; Balntas et al., 2016. */
MICA_API mica_node *mica_triplet_margin(mica_node *anchor, mica_node *positive, mica_node *negative, const mica_loss_desc *desc);
/* Of pairs x_i, y_i that belong together, and to no other of their batch: with s[i][k] = x_i . y_k / (|x_i| |y_k| temperature) half
 * of -log softmax_k(s[i][k])[i] - log softmax_k(s[k][i])[i].  temperature (0.1).  van den Oord et al., 2018, arXiv:1807.03748, as
 * CLIP has it, Radford et al., 2021, arXiv:2103.00020. */
MICA_API mica_node *mica_info_nce(mica_node *x, mica_node *y, const mica_loss_desc *desc);

#ifdef __cplusplus
}
#endif
#endif
