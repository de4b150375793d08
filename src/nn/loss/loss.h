/* Losses: a row each, which is a layer too.
 *
 * Adding one: its row in a file of this folder, its name in MI_LOSSES, and a prototype in include/mica/losses.h;
 * docs/adding-a-loss.md. */
#ifndef MICA_SRC_NN_LOSS_H
#define MICA_SRC_NN_LOSS_H

#include "nn/layer.h"
#include "nn/settings.h"

#include <mica/losses.h>

/* What targets are: values of the predictions' shape, signs (-1 or 1, and 0 is -1), numbers from 0 to 1, the shares of classes, the
 * number of a class, or such numbers in a row that says nothing of places (n, L). A row sees classes along axis 1; of the last kind
 * it sees steps of classes (n, T, C). */
enum mi_task { MI_VALUES, MI_SIGNS, MI_BINARY, MI_CATEGORICAL, MI_SPARSE, MI_LABELS };

/* What a loss is taken of. */
struct mi_loss_use {
    mi_value *y;                         /* predictions (n, ...) */
    mi_value *target;                    /* float32 of their shape; numbers of classes: int32 without axis 1 */
    mi_value *mask;                      /* of MI_LABELS: which steps of y are real, (n, T) of bools; NULL: all */
    bool from_logits;                    /* y goes through the row's activation yet */
    const float *value;                  /* of the row's keys */
};

struct mi_loss_row {
    struct mi_layer_type layer;
    const char *alias;                   /* Keras's short name; NULL: none */
    const struct mi_number *keys;        /* what its settings may be; ends with one without a name */
    enum mi_task task;
    const char *activation;              /* the operator that makes its probabilities of logits; NULL: it takes any values */
    bool takes_numbers;                  /* of MI_CATEGORICAL: `each` takes numbers of classes as well, without rows of zeros */
    float lowest, highest;               /* of targets that are values */
    const char *outputs;                 /* what predictions are: "numbers above 0, such as of a softplus"; NULL: any */
    /* Adds one number a sample, (n): the mean of what its places lose; NULL after an error. */
    mi_value *(*each)(struct mi_graph *graph, const struct mi_loss_use *use);
    /* Which targets count, bools of their shape, where a setting leaves some out; NULL: all. The hook may be NULL too. */
    mi_value *(*counted)(struct mi_graph *graph, const float *value, mi_value *target);
};

/* What a row begins with: its layer's name, and a table of its keys, which a layer's description, a job and a call in C share. */
#define MI_LOSS(name, numbers_of) .layer = MI_LOSS_LAYER(name, numbers_of, 2, mi_loss_build), .keys = (numbers_of)
/* The same of a loss whose predictions are probabilities, or scores that the operator makes these of: it has "from_logits". */
#define MI_LOSS_OF_SCORES(name, numbers_of, operator)                                                                            \
    .layer = MI_LOSS_TYPE(name, 2, mi_loss_build, MI_KEY(mica_loss_desc, "from_logits", MI_KEY_TRISTATE, from_logits),           \
                          MI_LOSS_NUMBERS(numbers_of)),                                                                          \
    .keys = (numbers_of), .activation = (operator)
/* The layer alone, of a loss that takes something else than predictions and targets. */
#define MI_LOSS_LAYER(name, numbers_of, inputs, function) MI_LOSS_TYPE(name, inputs, function, MI_LOSS_NUMBERS(numbers_of))
#define MI_LOSS_TYPE(name, inputs, function, ...)                                                                                \
    {.type = (name), .desc_size = sizeof(mica_loss_desc), .min_inputs = (inputs), .max_inputs = (inputs), .build = (function),    \
     .keys = (const struct mi_key[]){__VA_ARGS__, {0}}}
#define MI_LOSS_NUMBERS(numbers_of)                                                                                              \
    MI_KEY_WITH(mica_loss_desc, "setting", MI_KEY_NUMBERS, setting, .numbers = (numbers_of), .second = MICA_MOST_LOSS_SETTINGS)
mi_value *mi_loss_build(struct mi_layer *layer, mi_value *const *x, int count, const void *desc);
extern const struct mi_number mi_no_numbers[];               /* of a loss without keys */

/* The losses, one a line. */
#define MI_LOSSES(X)                                                                                                             \
    X(mean_squared_error)                                                                                                        \
    X(binary_crossentropy)                                                                                                       \
    X(categorical_crossentropy)                                                                                                  \
    X(sparse_categorical_crossentropy)                                                                                           \
    X(mean_absolute_error)                                                                                                       \
    X(mean_absolute_percentage_error)                                                                                            \
    X(mean_squared_logarithmic_error)                                                                                            \
    X(huber)                                                                                                                     \
    X(log_cosh)                                                                                                                  \
    X(poisson)                                                                                                                   \
    X(cosine_similarity)                                                                                                         \
    X(kl_divergence)                                                                                                             \
    X(binary_focal_crossentropy)                                                                                                 \
    X(categorical_focal_crossentropy)                                                                                            \
    X(hinge)                                                                                                                     \
    X(squared_hinge)                                                                                                             \
    X(categorical_hinge)                                                                                                         \
    X(dice)                                                                                                                      \
    X(tversky)                                                                                                                   \
    X(ctc)

extern const struct mi_loss_row *const mi_loss_rows[];       /* NULL-terminated (table.c) */
extern const char *const mi_loss_names[];                    /* the same with short names, for messages and keys */
const struct mi_loss_row *mi_loss_find(const char *name);    /* NULL: none of that name */

/* A loss for one model, with from_logits decided: the output's values are not known to be probabilities. */
struct mi_loss {
    const struct mi_loss_row *row;
    bool from_logits;
    int axis;                                                /* of the classes: 1, or the last one */
    float value[MICA_MOST_LOSS_SETTINGS];                    /* of the row's keys */
};

/* The key of the axis along which classes lie, of rows whose targets are classes. */
#define MI_CLASS_AXIS {.name = "axis", .otherwise = 1, .least = -1, .most = MI_MAX_RANK - 1, .whole = true}

/* A loss with all settings as by default. */
struct mi_loss mi_loss_plain(const char *name, bool from_logits);
/* Checks the settings, and whether the loss takes such predictions, of which a mask may say which steps are real; and whether they
 * are logits: as `from_logits` says (1 yes, -1 no), else by what they end in. The error begins with the loss. */
mica_status mi_loss_resolve(struct mi_error *error, const struct mi_loss_row *row, const mi_value *y, bool masked,
                            const mica_setting *setting, int from_logits, struct mi_loss *loss);
/* Adds one number a sample: of predictions that consist of a softmax or sigmoid the loss is taken of what went in, the same number
 * without the cancellation that probabilities near 0 and 1 suffer from. `mask` is as mi_loss_use has it. */
mi_value *mi_loss_each(struct mi_graph *graph, const struct mi_loss *loss, mi_value *y, mi_value *target, mi_value *mask);
/* How many numbers a target of MI_LABELS has, where the data do not say it: as the key "labels", or as many as there are steps. */
int64_t mi_loss_labels(const struct mi_loss *loss, const mi_value *y);
/* The shape of targets that are numbers of classes: that of the predictions without the classes' axis. */
struct mi_shape mi_without_classes(const struct mi_shape *y, int axis);
/* How many numbers of predictions are a sample's, which may be a place of one (mi_places). */
int64_t mi_loss_units(const mi_value *y);
/* What a prediction must exceed to say yes. */
float mi_loss_threshold(const struct mi_loss *loss);

/* ---- Places that are samples of their own (places.c) ---- */

/* Where classes lie along the last axis, or a mask says which steps are real, each place of a sample is compared as a sample of its
 * own: (n, T, ...) as (n T, ...). */
struct mi_places {
    int axes;                 /* how many axes behind the batch's are joined with it; 0: none */
    int64_t each;             /* places of a sample; 1 where there are no such axes */
};
struct mi_places mi_places_of(const struct mi_loss *loss, const struct mi_shape *y, bool masked);
/* The shape with those axes joined. */
struct mi_shape mi_places_shape(const struct mi_places *places, const struct mi_shape *shape);
/* (n, T, ...) -> (n T, ...) */
mi_value *mi_places_join(struct mi_graph *graph, const struct mi_places *places, mi_value *x);
/* A number of each sample (n), or of each step (n, T), for each place: -> (n T ...). `y` has all axes. */
mi_value *mi_places_spread(struct mi_graph *graph, const struct mi_places *places, const mi_value *y, mi_value *x);
/* Which places count, (n T ...) of bools: by the mask (n, T), and by what the loss leaves out of the targets, which are joined.
 * NULL: all of them, or after an error. */
mi_value *mi_places_counted(struct mi_graph *graph, const struct mi_loss *loss, const struct mi_places *places, const mi_value *y,
                            mi_value *mask, mi_value *target);
/* x with 0 where a place does not count, whatever stands there, even NaN; `counted` NULL: x. */
mi_value *mi_places_only(struct mi_graph *graph, mi_value *counted, mi_value *x);
/* How many count: a scalar, float32. */
mi_value *mi_places_count(struct mi_graph *graph, mi_value *counted);

/* ---- For rows ---- */

#define MI_LOSS_EPSILON 1e-7f /* Keras's: probabilities are clipped to [epsilon, 1 - epsilon] */

/* x + number, x * number and the larger of both, element by element. */
mi_value *mi_plus(struct mi_graph *graph, mi_value *x, float number);
mi_value *mi_times(struct mi_graph *graph, mi_value *x, float number);
mi_value *mi_at_least(struct mi_graph *graph, mi_value *x, float number);
/* The sum over an axis, which is left out, or kept with one place. */
mi_value *mi_sum_axis(struct mi_graph *graph, mi_value *x, int axis, bool keep);
/* x / |x| over the last axis; |x| is at least epsilon. */
mi_value *mi_unit(struct mi_graph *graph, mi_value *x);
/* The mean, the sum of each sample's places: (n, ...) -> (n). */
mi_value *mi_mean_of_sample(struct mi_graph *graph, mi_value *each);
mi_value *mi_sum_of_sample(struct mi_graph *graph, mi_value *each);

/* ---- What a network ends in (ending.c) ---- */

/* The node that makes a value, seen through layers that leave its elements as they are, and dropout. */
const struct mi_node *mi_ending(const mi_value *value);
/* Whether all elements of a value lie between 0 and 1, whatever goes in: those of a sigmoid, a softmax or a hard_sigmoid,
 * rearranged, joined, multiplied or pooled. */
mica_status mi_gives_shares(struct mi_error *error, const mi_value *value, bool *shares);
/* Adds what goes into the softmax or sigmoid ("Softmax", "Sigmoid") that a value consists of, rearranged as the value is; a
 * softmax is one over the whole sample, or over what became that axis of the value. NULL: it consists of something else, or
 * memory ran out, as graph->error says. */
mi_value *mi_logits_of(struct mi_graph *graph, mi_value *value, const char *activation, int axis);

#endif
