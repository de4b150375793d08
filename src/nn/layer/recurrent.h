/* Recurrent layers: what is the same around every cell (recurrent.c), what its products are (products.c), what a cell says
 * (cells.c), and the layers that run cells. */
#ifndef MICA_SRC_NN_LAYER_RECURRENT_H
#define MICA_SRC_NN_LAYER_RECURRENT_H

#include "nn/layer/window.h"

enum { MI_MOST_STATES = 8, MI_MOST_CELLS = 16, MI_MOST_LAST = MI_MOST_STATES * MI_MOST_CELLS };

struct mi_turn;

/* What a cell does. */
struct mi_cell {
    int gates, states;               /* states 0: the descriptor says how many */
    bool adds_bias;                  /* the turn adds bias_hh; else it goes along with bias_ih */
    /* Makes the parameters, turn->inputs, which each turn reads a step of, and the shapes of states. */
    bool (*begin)(struct mi_turn *turn, mi_value *x);
    /* next[] of now[], the states; its result, NULL after an error. x is the step of turn->inputs. */
    mi_value *(*turn)(const struct mi_turn *turn, mi_value *x, mi_value *const *now, mi_value **next);
    bool (*begin_bias)(const struct mi_turn *turn, mi_value *bias); /* NULL: as any other */
};

/* A cell with its keys. */
struct mi_cell_use {
    const struct mi_cell *cell;
    const mica_recurrent_desc *desc; /* units: of a cell that convolves its filters */
    const struct mi_window_fields *window; /* of one that convolves; else NULL */
    const mica_cell *own;            /* of a cell of the user's, ... */
    cJSON *described;                /* ... an object for its layers, empty until they are there; not owned */
    int states;
};

/* What a recurrent layer's descriptor says. The result of a cell is what the next one reads. */
struct mi_recurrence {
    struct mi_cell_use cell[MI_MOST_CELLS];
    int cells;
    bool return_sequences, return_state, go_backwards;
    bool stateful;                   /* what a run leaves is what the next one begins with */
    bool recompute;                  /* in chunks of turns, which training computes again */
};

/* A cell on its way through a sequence. */
struct mi_turn {
    struct mi_layer *layer;
    const struct mi_cell_use *use;
    const mica_recurrent_desc *desc; /* the use's */
    int number;                      /* of the cell, which is a part of its parameters' names */
    bool several;                    /* there are others */
    mi_value *weight, *bias;         /* weight_hh, and bias_hh where the turn adds it; else NULL */
    mi_value *mask;                  /* of recurrent dropout; NULL: none */
    struct mi_window window;         /* of the products with states, of a cell that convolves */
    mi_value *inputs;                /* (N, T, ...); where there are chunks, those of one */
    int64_t chunks, steps;           /* 0: there is but one repeat; else how many chunks, and steps of all */
    struct mi_shape shape[MI_MOST_STATES]; /* of the states */
    struct mi_variable *kept[MI_MOST_STATES]; /* where they are from run to run; NULL: nowhere */
};

/* What running a layer over a sequence gives. */
struct mi_run {
    mi_value *all;                   /* (T, N, ...): by the number of the step */
    mi_value *result;                /* that of the last turn */
    mi_value *last[MI_MOST_LAST];
};

/* Of lstm, gru and simple_rnn: the type's own cell. */
bool mi_recurs_alone(struct mi_layer *layer, const void *desc, struct mi_recurrence *out);

/* How many states all of its cells have. */
int mi_recurrence_states(const struct mi_recurrence *how);
/* The row's build: runs once, the way that go_backwards says. */
mi_value *mi_recurrent_build(struct mi_layer *layer, mi_value *const *x, int count, const void *desc);
/* The mask of what the layer returns: that of its sequence, where it returns one of the same order. */
void mi_recurrent_mask(struct mi_layer *layer, const struct mi_recurrence *how, const mi_value *x);
/* Whether the inputs are a sequence and, if any, so many states. */
bool mi_recurrent_fits(struct mi_layer *layer, int count, int states);
/* Runs all cells; first: their states, or NULL: zeros. The layer's suffix is part of the parameters' names. */
bool mi_recurrent_run(struct mi_layer *layer, const struct mi_recurrence *how, mi_value *x, mi_value *const *first, bool backwards,
                      struct mi_run *run);
/* What the layer returns of it: the last result, or all of them, (N, T, ...), in the order of go_backwards. */
mi_value *mi_recurrent_result(struct mi_layer *layer, const struct mi_recurrence *how, const struct mi_run *run);
/* Makes y and last states, `count` of `states`, the layer's results; NULL after an error. */
mi_value *mi_recurrent_results(struct mi_layer *layer, mi_value *y, mi_value *const *states, int count);

/* One gate's part of a value (N, gates * units, ...). */
mi_value *mi_gate(const struct mi_turn *turn, mi_value *gates, int which);
/* U h with the bias that the turn adds: a product, or a convolution. */
mi_value *mi_recurrent_product(const struct mi_turn *turn, mi_value *h);
/* Makes weights and biases, and W x of all steps. */
bool mi_begin_products(struct mi_turn *turn, mi_value *x);

extern const struct mi_cell mi_cell_lstm;

/* ---- Cells of the user's (own_cell.c) ---- */

extern const struct mi_cell mi_cell_own;

/* A cell that JSON says layer by layer: the user of mi_cell_of_layers. */
struct mi_cell_layer {
    const struct mi_layer_type *type;
    const void *desc;
    const cJSON *inputs;             /* names; NULL: the layer before */
};
struct mi_cell_layers {
    struct mi_cell_layer *layer;
    int count;
    const char *state[MI_MOST_STATES], *next[MI_MOST_STATES]; /* names of states, and of layers that make the next ones */
    const char *output;              /* the name of the layer whose result is the cell's; NULL: the last */
};
/* The step of such a cell. */
mica_node *mi_cell_of_layers(mica_model *model, mica_node *x, mica_node *const *states, mica_node **next, void *user);

/* ---- Cells that have names (cells.c) ---- */

/* Types of cells that have names; NULL-terminated. They have keys and a cell, and are no layers by themselves. */
extern const struct mi_layer_type *const mi_cell_types[];

/* The keys of a cell's products. */
#define MI_PRODUCT_KEYS(desc)                                                                                                    \
    MI_KEY(desc, "use_bias", MI_KEY_NOT, no_bias), MI_PARAMETER_KEYS(desc, kernel), MI_PARAMETER_KEYS(desc, recurrent),          \
    MI_PARAMETER_KEYS(desc, bias), MI_KEY_WITH(desc, "dropout", MI_KEY_FLOAT, dropout, MI_KEY_BELOW(0, 1)),                      \
    MI_KEY_WITH(desc, "recurrent_dropout", MI_KEY_FLOAT, recurrent_dropout, MI_KEY_BELOW(0, 1)),                                 \
    MI_KEY(desc, "seed", MI_KEY_SEED, seed)
/* The keys of what runs cells. */
#define MI_SEQUENCE_KEYS(desc)                                                                                                   \
    MI_KEY(desc, "return_sequences", MI_KEY_BOOL, return_sequences), MI_KEY(desc, "return_state", MI_KEY_BOOL, return_state),    \
    MI_KEY(desc, "go_backwards", MI_KEY_BOOL, go_backwards), MI_KEY(desc, "recompute", MI_KEY_BOOL, recompute)

/* ---- Steps (steps.c) ---- */

/* (N, T, ...) -> (N T, ...): each step a sample; and back to the steps of x. */
mi_value *mi_steps_as_samples(struct mi_graph *graph, mi_value *x);
mi_value *mi_samples_as_steps(struct mi_graph *graph, const mi_value *x, mi_value *y);
/* The last step first. */
mi_value *mi_steps_reversed(struct mi_graph *graph, mi_value *x);

#endif
