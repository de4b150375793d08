/* Recurrent layers: what is the same around every cell (recurrent.c), and what a cell says (cells.c). */
#ifndef MICA_SRC_NN_LAYER_RECURRENT_H
#define MICA_SRC_NN_LAYER_RECURRENT_H

#include "nn/layer.h"

enum { MI_MOST_STATES = 2 };

/* What a cell has in a turn. */
struct mi_turn {
    struct mi_layer *layer;
    const mica_recurrent_desc *desc;
    mi_value *weight, *bias;         /* weight_hh, and bias_hh where the turn adds it; else NULL */
    mi_value *mask;                  /* of recurrent dropout; NULL: none */
};

struct mi_cell {
    int gates, states;
    bool adds_bias;                  /* the turn adds bias_hh; else it goes along with bias_ih */
    /* next[] of now[], the states, the first of which is the result. x (N, gates * units): what the input gives to each gate. */
    void (*turn)(const struct mi_turn *turn, mi_value *x, mi_value *const *now, mi_value **next);
    bool (*begin_bias)(struct mi_layer *layer, const mica_recurrent_desc *desc, mi_value *bias); /* NULL: as any other */
};

/* What running a cell over a sequence gives. */
struct mi_run {
    mi_value *all;                   /* (T, N, units): by the number of the step */
    mi_value *last[MI_MOST_STATES];
};

/* The mask of what the layer returns: that of its sequence, where it returns one of the same order. */
void mi_recurrent_mask(struct mi_layer *layer, const mica_recurrent_desc *desc, const mi_value *x);

/* Whether the inputs are a sequence and, if any, the states of so many cells. */
bool mi_recurrent_fits(struct mi_layer *layer, const mica_recurrent_desc *desc, mi_value *const *x, int count, int states);
/* Runs a cell; first (states) or NULL: zeros. The layer's suffix is part of the parameters' names. */
bool mi_recurrent_run(struct mi_layer *layer, const struct mi_cell *cell, const mica_recurrent_desc *desc, mi_value *x,
                      mi_value *const *first, bool backwards, struct mi_run *run);
/* (T, N, units) as (N, T, units); `reversed`: the last step first. */
mi_value *mi_recurrent_sequence(struct mi_layer *layer, mi_value *all, bool reversed);
/* One gate's part of a value (N, gates * units). */
mi_value *mi_gate(const struct mi_turn *turn, mi_value *gates, int which);
/* U h with the bias that the turn adds. */
mi_value *mi_recurrent_product(const struct mi_turn *turn, mi_value *h);

#endif
