/* Losses and metrics: nodes added to a copy of a model's graph. Nothing here changes the model itself. */
#ifndef MICA_SRC_NN_LOSS_H
#define MICA_SRC_NN_LOSS_H

#include "nn/model.h"

enum mi_task { MI_VALUES, MI_BINARY, MI_CATEGORICAL, MI_SPARSE };

struct mi_loss_row {
    const char *name;       /* Keras's */
    enum mi_task task;
    const char *activation; /* the operator that makes its probabilities of logits; NULL: it takes any values */
    float lowest, highest;  /* of labels that are values */
};

extern const char *const mi_loss_names[];                    /* NULL-terminated */
const struct mi_loss_row *mi_loss_find(const char *name);    /* NULL: none of that name */

/* A loss for one model, with from_logits decided: the output's values are not known to be probabilities. */
struct mi_loss {
    const struct mi_loss_row *row;
    bool from_logits;
};

/* Finds the loss and checks it against the model's first output. from_logits: 0 deduced, 1 yes, -1 no. */
mica_status mi_loss_choose(struct mi_error *error, const struct mi_graph *graph, const char *name, int from_logits,
                           struct mi_loss *loss);

/* ---- What a network ends in (ending.c) ---- */

/* The node that makes a value, seen through layers that leave its elements as they are, and dropout. */
const struct mi_node *mi_ending(const mi_value *value);
/* Whether all values of the graph's first output lie between 0 and 1, whatever goes in: those of a sigmoid, a softmax or a
 * hard_sigmoid, rearranged, joined, multiplied or pooled. */
mica_status mi_gives_shares(struct mi_error *error, const struct mi_graph *graph, bool *shares);
/* Adds what goes into the softmax or sigmoid ("Softmax", "Sigmoid") that a value consists of, rearranged as the value is. NULL:
 * it consists of something else, or memory ran out, as graph->error says. */
mi_value *mi_logits_of(struct mi_graph *graph, mi_value *value, const char *activation);

/* ---- Losses and metrics ---- */

/* What the labels are: class indices (an int32 input "labels" of shape (n)), or values of the output's shape (float32). */
enum mi_labels { MI_LABELS_VALUES, MI_LABELS_CLASSES };

struct mi_loss_nodes {
    mi_value *output;       /* what is compared */
    mi_value *labels;       /* the graph's input */
    mi_value *sum;          /* scalar: over the samples, of each sample's loss */
    mi_value *mean;         /* scalar: sum / n, what is differentiated */
};

/* Adds the labels' input and the loss of the graph's first output. */
mica_status mi_loss_add(struct mi_graph *graph, const struct mi_loss *loss, enum mi_labels labels,
                        struct mi_loss_nodes *nodes);
/* The mean over a sample's outputs, summed over the samples. */
mi_value *mi_sum_of_means(struct mi_graph *graph, mi_value *each);
/* Adds the number of samples that are answered right, a scalar; NULL where the task has no right answers or after an
 * error. Values count as right when they are on the label's side of one half: so for labels that are 0 or 1. */
mi_value *mi_accuracy_add(struct mi_graph *graph, const struct mi_loss *loss, enum mi_labels labels,
                          const struct mi_loss_nodes *nodes);

#endif
