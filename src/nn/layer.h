/* What a layer type says: one row, read by the builder functions, the JSON reader and the writer alike.
 *
 * Adding a layer: a row in its family's file, named in table.c, and a prototype in its header of include/mica/layers. */
#ifndef MICA_SRC_NN_LAYER_H
#define MICA_SRC_NN_LAYER_H

#include "json/keys.h"
#include "nn/constraint.h"
#include "nn/initializer/initializer.h"
#include "nn/model.h"
#include "nn/regularizer.h"

#include <mica/layers.h>

struct mi_adapting;
struct mi_cell;
struct mi_layer;
struct mi_recurrence;

/* What a wrapper makes of the weight of the layer within it. */
struct mi_wrapping {
    const char *trained;             /* the name of the trained variable that the layer's "weight" is made of */
    mi_value *(*turn)(struct mi_layer *layer, const struct mi_wrapping *wrapping, mi_value *weight);
    const void *desc;                /* the wrapper's */
    bool met;                        /* the layer has asked for its weight */
};

/* What the descriptor of a wrapper begins with. */
struct mi_around {
    const char *name;
    const cJSON *layer;              /* the layer within, as it is recorded */
    const struct mi_layer_type *type; /* its type, ... */
    const void *within;              /* ... its descriptor, ... */
    cJSON *written;                  /* ... and `layer`, to which its keys are written once it is built; NULL: they are there */
};

/* Of a layer that takes some steps of its sequences in each run, and keeps what it needs of those before in states. */
struct mi_stepping {
    int64_t length;                  /* steps of a run */
    int64_t most;                    /* of a layer that keeps steps apart: so many at most */
    mi_value *place;                 /* the number of the run's first step from 0, float32 of one element */
};

/* A layer that is being built. */
struct mi_layer {
    mica_model *model;
    mica_model *whole;               /* whose layer is built once more, apart from it; NULL: it is the model's */
    struct mi_graph *graph;
    const struct mi_layer_type *type;
    const char *name;
    const char *again;               /* the layer whose variables it uses; NULL: it makes its own */
    const char *suffix;              /* of its parameters' names; NULL: none */
    struct mi_wrapping *wrapping;    /* of a layer within a wrapper; else NULL */
    mi_value **results;              /* (result_count) where it has several; NULL: its output alone */
    int result_count;
    mi_value *mask;                  /* of the output, where the layer makes one; else NULL */
    const char *tied;                /* the layer whose weight it uses; NULL: it has its own */
    bool wrapped;                    /* it is within a wrapper */
    cJSON *cells;                    /* of a layer that has cells, a list of them as its description has it; else NULL */
    const struct mi_stepping *stepping; /* it is built to be run step by step; NULL: for whole sequences */
};

struct mi_layer_type {
    const char *type;                /* "conv2d" */
    const char *const *aliases;      /* other names in JSON; NULL-terminated; NULL: none */
    size_t desc_size;                /* of the descriptor, which begins with const char *name */
    const struct mi_key *keys;       /* how JSON says it */
    int min_inputs, max_inputs;      /* max -1: any number */
    int spatial;                     /* axes of space, of a row whose family is there for several numbers of them */
    const char *op;                  /* the operator, where rows of a family differ by it */
    const struct mi_cell *cell;      /* of a recurrent layer that has one of its own, or of a cell; else NULL */
    /* The cells and flags that a recurrent layer's descriptor says, false after an error; NULL: it is no recurrent layer. */
    bool (*recurs)(struct mi_layer *layer, const void *desc, struct mi_recurrence *out);
    bool has_cells;                  /* the descriptor is a mica_rnn_desc, whose cells JSON has as "cell" */
    bool wraps;                      /* around another layer: the descriptor begins with a struct mi_around */
    bool keeps_steps;                /* step t of the result is made of step t of the inputs: their mask is the result's */
    bool takes_any;                  /* inputs of every shape; else they have a first axis, and no other grows with the batch */
    /* Whether it can be built for some steps at a time (layer->stepping), though its steps hang on one another, on their
     * numbers, or are none of its axes; NULL: where it keeps steps. x are the inputs of whole sequences, of which some are
     * taken in steps, and the others are there before the first. */
    bool (*steps)(const void *desc, mi_value *const *x, const bool *taken, int count);
    /* Adds variables and nodes; NULL after an error. */
    mi_value *(*build)(struct mi_layer *layer, mi_value *const *x, int count, const void *desc);
    /* Where automatic names begin otherwise than with the type; NULL: they do not. */
    const char *(*stem)(const void *desc);
    /* Of a type that learns statistics of data before the first step: the one that is NaN until then, and what computes all of
     * them. A layer to which they are given has no such statistic. */
    const char *adapts;
    mica_status (*adapt)(struct mi_adapting *adapting);
};

/* What a layer learns from: the values of its first input for all samples, some at a time. */
struct mi_adapting {
    mica_model *model;
    const struct mi_layer_record *layer;
    int64_t samples, elements;       /* of the data; of a sample */
    /* The values of the next *n samples, (*n, elements), borrowed until the next call; 0: that was all, and the next call begins
     * anew. */
    mica_status (*next)(struct mi_adapting *adapting, const float **values, int64_t *n);
};

/* Writes LAYER.name; a value that is no finite number is an error. */
mica_status mi_adapting_write(struct mi_adapting *adapting, const char *name, const float *values, size_t count);
/* Whether a layer learns from data, and whether it has yet to. */
mica_status mi_layer_learns(mica_model *model, const struct mi_layer_record *layer, bool *learns, bool *waits);

extern const struct mi_layer_type *const mi_layer_types[]; /* NULL-terminated (table.c) */
/* Whether this is a type's name, or one of its others. */
bool mi_layer_is_called(const struct mi_layer_type *type, const char *name);

/* Descriptors of layers that have nothing but a name, or a shape. */
struct mi_named {
    const char *name;
};
struct mi_shaped {
    const char *name;
    mica_shape shape;
};

/* ---- For the public functions ---- */

/* Adds a layer on nodes of one model; desc NULL: all defaults. */
mica_node *mi_layer_add(const struct mi_layer_type *type, mica_node *const *x, int count, const void *desc);
/* The model of the nodes, which has the error where one of several is NULL; NULL: of none. */
mica_model *mi_layer_model(const struct mi_layer_type *type, mica_node *const *x, int count);
/* mi_layer_add where there is no node yet. */
mica_node *mi_layer_add_to(mica_model *model, const struct mi_layer_type *type, mica_node *const *x, int count,
                           const void *desc);

/* Adds the layer that *layer says: its name, its nodes, its record. */
mi_value *mi_layer_build(struct mi_layer *layer, mica_node *const *x, int count, const void *desc);

/* Adds the nodes and variables of a layer within a wrapper, whose name and inputs are the wrapper's. */
mi_value *mi_layer_within(struct mi_layer *wrapper, const struct mi_layer_type *type, const void *desc,
                          struct mi_wrapping *wrapping, mi_value *const *x, int count);

/* Adds to what a wrapper records of the layer within its keys, and its cells; false: the error is recorded. */
bool mi_layer_write_within(struct mi_layer *wrapper, const struct mi_around *around);

/* A type by its name; NULL: there is none (read.c). */
const struct mi_layer_type *mi_layer_type_named(const char *name);
/* `PLACE: there is no layer type "NAME"; did you mean ...`, or which there are: first those that the application registered with
 * the device (NULL: none). */
mica_status mi_layer_type_unknown(struct mi_error *error, const mica_device *device, const char *place, const char *name);
/* A layer's type, its descriptor, which is made in the arena, and what its result is penalized by, from JSON. Texts stay the
 * JSON's (read.c). */
mica_status mi_layer_read(struct mi_error *error, struct mi_arena *arena, const mica_device *device, const cJSON *json,
                          const char *place, const struct mi_layer_type **type, void **desc, mica_regularizer *activity);

/* The name of the layer that a record uses again; NULL: it is a layer of its own. Of a wrapper "layer" is an object. */
static inline const char *mi_layer_used(const struct mi_layer_record *record)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(record->json, "layer"));
}

/* ---- Penalties on what a layer gives (activity.c) ---- */

/* Penalizes what the last layer gives, which is `value`; a type that is NULL does not. */
mica_status mi_activity_add(mica_model *model, mi_value *value, const mica_regularizer *given);
extern const struct mi_key mi_activity_keys[]; /* "activity_regularizer" of a mica_regularizer */

/* ---- Masks (masks.c) ---- */

/* Which steps of a layer's input are real, (N, T) of bools; NULL: all. */
mi_value *mi_layer_mask(const struct mi_layer *layer, const mi_value *x);
/* The name of the input of lengths that a mask says no more than; NULL: it is of something else. */
const char *mi_mask_lengths(const mi_value *mask);
/* The mask of what the layer has made of its inputs: its own, or theirs where it keeps their steps. */
mi_value *mi_layer_mask_of_result(struct mi_layer *layer, mi_value *const *x, int count, const mi_value *y);

/* ---- Groups (group.c) ---- */

/* Layers that are added from here to mi_group_end are one group, made of x: their names begin with its name (NULL: an automatic
 * one of `stem`) and a dot. */
mica_status mi_group_begin(mica_model *model, const char *name, const char *stem, mica_node *const *x, int count);
mica_node *mi_group_end(mica_model *model, mica_node *value);
const struct mi_layer_group *mi_model_group(const mica_model *model, const char *name);

/* A layer's name without what the step that it stands in puts before it. */
const char *mi_inside_name(const mica_model *model, const char *name);
/* The name as it is within the groups that are open; NULL: no memory. */
const char *mi_in_scope(mica_model *model, const char *name);
/* "dense", "dense_1", "dense_2", ...: the first that is free; those before the last that was given are not. NULL: no memory. */
const char *mi_automatic_name(mica_model *model, const char *stem);

/* ---- For build functions ---- */

/* Records `TYPE "NAME": ...` and gives NULL. */
mi_value *mi_layer_fail(struct mi_layer *layer, mica_status status, const char *format, ...) MI_PRINTF(3, 4);
enum { MI_MOST_SIZE = 1 << 30 }; /* of a layer's sizes: products of two stay far from overflow */
/* All that a layer gives, where it is more than the output that `build` returns. */
void mi_layer_results(struct mi_layer *layer, mi_value **results, int count);

/* Whether least <= value <= MI_MOST_SIZE; otherwise an error says so of `what`. */
bool mi_layer_size(struct mi_layer *layer, const char *what, int64_t value, int64_t least);
/* Fails for an axis that a sample of an input of so many axes, with the batch, does not have: "axis 5; a sample ...". */
void mi_layer_no_axis(struct mi_layer *layer, const char *what, int64_t axis, int rank);
/* An axis of x as Keras counts it, 1 the first behind the batch and -1 the last, which 0 stands for too: from 1 on. 0: an
 * error. */
int mi_layer_axis(struct mi_layer *layer, const mi_value *x, int64_t axis);
/* The shape of a value without its batch, as text: "(3, 28, 28)". */
const char *mi_layer_shape_text(struct mi_layer *layer, const mi_value *x);

struct mi_parameter {
    const char *name;                /* "weight": the variable is LAYER.weight */
    int rank;
    int64_t dim[MI_MAX_RANK];
    const mica_parameter_desc *desc; /* NULL: all defaults */
    const char *otherwise;           /* the initializer's default type */
    double fan_in, fan_out;
    enum mi_type type;               /* float32 unless it is said */
    bool inputs_first;               /* its axes are in Keras's order, those of its units last; else PyTorch's, units first */
};
/* What the layer uses: the variable, or what a wrapper makes of it. */
mi_value *mi_layer_parameter(struct mi_layer *layer, const struct mi_parameter *parameter);
/* The weight of an earlier layer, of that shape: gradients of all its uses add up, and files hold it once (tied.c). */
mi_value *mi_layer_tied(struct mi_layer *layer, const char *to, const struct mi_shape *shape);
/* LAYER.name, a vector that Assign changes. */
struct mi_variable *mi_layer_statistic(struct mi_layer *layer, const char *name, int64_t size, float value);
/* LAYER.name, a state of the plan: what the layer's last run left there; zeros at first. A layer that is used again has states of
 * its own for each use. */
struct mi_variable *mi_layer_state(struct mi_layer *layer, const char *name, const struct mi_shape *shape);
/* The number of the first step that is taken, from 0, of one element: of a layer that is built for some steps at a time. */
mi_value *mi_layer_place(struct mi_layer *layer);
/* Another initializer of a variable than those that have names; NULL stays NULL. */
void mi_layer_first_values(struct mi_layer *layer, struct mi_variable *variable, const struct mi_initial *make);

/* A type by its name; NULL: float32. MI_TYPES after an error. */
enum mi_type mi_layer_dtype(struct mi_layer *layer, const char *name);
/* x through an activation by name (NULL, "linear": x itself); alpha 0: the activation's default. Softmax is over `axis`. */
mi_value *mi_layer_activation(struct mi_layer *layer, mi_value *x, const char *type, float alpha, int64_t axis);
/* Whether there is such an activation; and the names of all, NULL-terminated, at most `limit` with their end. */
bool mi_activation_exists(const char *name);
void mi_activation_names(const char **names, size_t limit);

/* Adds `count` (a scalar) to a fault of the layer's: once it is above 0, whoever reads a result is told it and what the graph's
 * text `says`. false: the graph has the error. */
bool mi_layer_fault(struct mi_layer *layer, mi_value *count, const char *says);
/* Whole numbers from 0 to rows - 1 as int32. What is none becomes one near it, and is a fault: `says`, "0 to ROWS - 1". */
mi_value *mi_layer_rows(struct mi_layer *layer, mi_value *x, int64_t rows, const char *says);
/* x as float32. */
mi_value *mi_layer_float(struct mi_layer *layer, mi_value *x);
/* A reshape of each sample. */
mi_value *mi_layer_reshape(struct mi_layer *layer, mi_value *x, const int64_t *dims, int rank);

/* The keys of a parameter: those of the descriptor's field `kernel` are "kernel_initializer" and so on; of MI_PARAMETER_KEYS_OF
 * with the prefix "" they are "initializer". */
#define MI_PARAMETER_KEYS(desc, field) MI_PARAMETER_KEYS_OF(desc, #field "_", field)
#define MI_PARAMETER_KEYS_OF(desc, prefix, field)                                                                                \
    MI_KEY_WITH(desc, prefix "initializer", MI_KEY_OBJECT, field.initializer, .keys = mi_initializer_keys),                      \
    MI_KEY_WITH(desc, prefix "regularizer", MI_KEY_OBJECT, field.regularizer, .keys = mi_regularizer_keys),                      \
    MI_KEY_WITH(desc, prefix "constraint", MI_KEY_OBJECT, field.constraint, .keys = mi_constraint_keys)

#endif
