/* Losses: a row each, which is a layer too.
 *
 * Adding one: its row in a file of this folder, its name in MI_LOSSES, and a prototype in include/mica/losses.h;
 * docs/adding-a-loss.md. */
#ifndef MICA_SRC_NN_LOSS_H
#define MICA_SRC_NN_LOSS_H

#include "nn/layer.h"

#include <mica/losses.h>

/* What targets are: values of the predictions' shape, numbers from 0 to 1, the shares of classes, or the number of a class. */
enum mi_task { MI_VALUES, MI_BINARY, MI_CATEGORICAL, MI_SPARSE };

struct mi_loss_row {
    struct mi_layer_type layer;          /* MI_LOSS_LAYER */
    const char *alias;                   /* Keras's short name; NULL: none */
    enum mi_task task;
    const char *activation;              /* the operator that makes its probabilities of logits; NULL: it takes any values */
    float lowest, highest;               /* of targets that are values */
    /* Adds one number a sample, (n): the mean of what its places lose. Targets are float32 of the predictions' shape; MI_SPARSE:
     * int32 (n). */
    mi_value *(*each)(struct mi_graph *graph, mi_value *y, mi_value *target, bool from_logits);
};

/* The layer of a loss: `keys` are mi_loss_keys, or mi_crossentropy_keys of those that know logits. */
#define MI_LOSS_LAYER(name, keys_of)                                                                                             \
    {.type = (name), .desc_size = sizeof(mica_loss_desc), .keys = (keys_of), .min_inputs = 2, .max_inputs = 2,                    \
     .build = mi_loss_build}
extern const struct mi_key mi_loss_keys[], mi_crossentropy_keys[];
mi_value *mi_loss_build(struct mi_layer *layer, mi_value *const *x, int count, const void *desc);

/* The losses, one a line. */
#define MI_LOSSES(X)                                                                                                             \
    X(mean_squared_error)                                                                                                        \
    X(binary_crossentropy)                                                                                                       \
    X(categorical_crossentropy)                                                                                                  \
    X(sparse_categorical_crossentropy)

extern const struct mi_loss_row *const mi_loss_rows[];       /* NULL-terminated (table.c) */
extern const char *const mi_loss_names[];                    /* the same with short names, for messages and keys */
const struct mi_loss_row *mi_loss_find(const char *name);    /* NULL: none of that name */

/* The mean of each sample's places: (n, ...) -> (n). */
mi_value *mi_mean_of_sample(struct mi_graph *graph, mi_value *each);
#define MI_LOSS_EPSILON 1e-7f /* Keras's: probabilities are clipped to [epsilon, 1 - epsilon] */

/* A loss for one model, with from_logits decided: the output's values are not known to be probabilities. */
struct mi_loss {
    const struct mi_loss_row *row;
    bool from_logits;
};

/* Whether the loss takes such predictions; and whether these are logits: as `from_logits` says (1 yes, -1 no), else by what they
 * end in. The error begins with the loss. */
mica_status mi_loss_check(struct mi_error *error, const mi_value *y, int from_logits, struct mi_loss *loss);
/* Adds one number a sample: of predictions that consist of a softmax or sigmoid the loss is taken of what went in, the same number
 * without the cancellation that probabilities near 0 and 1 suffer from. */
mi_value *mi_loss_each(struct mi_graph *graph, const struct mi_loss *loss, mi_value *y, mi_value *target);

/* ---- What a network ends in (ending.c) ---- */

/* The node that makes a value, seen through layers that leave its elements as they are, and dropout. */
const struct mi_node *mi_ending(const mi_value *value);
/* Whether all elements of a value lie between 0 and 1, whatever goes in: those of a sigmoid, a softmax or a hard_sigmoid,
 * rearranged, joined, multiplied or pooled. */
mica_status mi_gives_shares(struct mi_error *error, const mi_value *value, bool *shares);
/* Adds what goes into the softmax or sigmoid ("Softmax", "Sigmoid") that a value consists of, rearranged as the value is. NULL:
 * it consists of something else, or memory ran out, as graph->error says. */
mi_value *mi_logits_of(struct mi_graph *graph, mi_value *value, const char *activation);

#endif
