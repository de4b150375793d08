/* What cross-entropies share: smoothed targets, and logarithms of probabilities that come as such or as logits. */
#ifndef MICA_SRC_NN_PROBABILITY_H
#define MICA_SRC_NN_PROBABILITY_H

#include "nn/loss/loss.h"

/* The key of smoothed targets: s of a target is spread evenly. */
#define MI_LABEL_SMOOTHING {.name = "label_smoothing", .otherwise = 0, .least = 0, .most = 1}

/* (1 - s) t + s / 2 of numbers from 0 to 1, (1 - s) t + s / C of shares of C classes. */
mi_value *mi_smooth_bits(struct mi_graph *graph, mi_value *target, float s);
mi_value *mi_smooth_shares(struct mi_graph *graph, mi_value *target, float s);

/* Of each place -t log p - (1 - t) log(1 - p). */
mi_value *mi_binary_crossentropies(struct mi_graph *graph, const struct mi_loss_use *use, mi_value *target);
/* log p of each class, along axis 1. */
mi_value *mi_log_probabilities(struct mi_graph *graph, const struct mi_loss_use *use);

#endif
