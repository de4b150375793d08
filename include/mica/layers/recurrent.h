/* Recurrent layers: a cell that reads a sequence step by step and carries a state from each step to the next.
 *
 * x (N, T, features) -> (N, units), the state h behind the last step, or with return_sequences (N, T, units), h behind each.
 * Further inputs are the states that the first step begins with, (N, units) each; without them these are zeros. With return_state
 * the layer's further results, "NAME:1" and "NAME:2", are the last states.
 *
 * Steps that are padding, as masking and mask_zero of embedding say, change nothing: the states stay, and the result of such a
 * step is that of the one before. Layers that make step t of their result of step t of their inputs alone hand this on: dense,
 * activations, dropouts, layer normalisation, merging, attention, recurrent layers that return sequences.
 *
 * Parameters have PyTorch's names, layouts and order of gates: weight_ih_l0 (gates * units, features), weight_hh_l0 (gates *
 * units, units), bias_ih_l0 and bias_hh_l0 (gates * units). Below W x stands for a gate's rows of weight_ih_l0 times x with
 * bias_ih_l0, and U h for those of weight_hh_l0 times h with bias_hh_l0. The products of x of all steps are one product. */
#ifndef MICA_LAYERS_RECURRENT_H
#define MICA_LAYERS_RECURRENT_H

#include <mica/layers/parameter.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mica_recurrent_desc {
    const char *name;
    int64_t units;                /* required */
    const char *activation;       /* NULL: tanh */
    const char *recurrent_activation; /* of gates; NULL: sigmoid */
    bool no_bias;
    mica_parameter_desc kernel, recurrent, bias; /* initializers: glorot_uniform, orthogonal, zeros */
    bool no_unit_forget_bias;     /* lstm: the bias of the forget gate begins with zeros too; otherwise with ones, where the bias
                                   * has no initializer of its own */
    bool reset_before;            /* gru: Keras's reset_after is false */
    float dropout, recurrent_dropout; /* the chance that an element of x, or of h before its product, is 0: in all steps of a
                                   * sequence alike, during training */
    uint64_t seed;                /* of these; 0: the plan's */
    bool return_sequences, return_state;
    bool go_backwards;            /* the last step first, and so are the results */
    bool recompute;               /* training keeps the states of every k-th step alone, k about the square root of the steps, and
                                   * computes the steps between once more for their gradients: less memory for a third more work */
    bool stateful;                /* without states of its own to begin with: those in which the last run of the plan has left the
                                   * same sample of its batch; zeros at first and behind mica_plan_reset_states */
} mica_recurrent_desc;

/* h' = activation(W x + U h).  Elman 1990. */
MICA_API mica_node *mica_simple_rnn(mica_node *const *x, int count, const mica_recurrent_desc *desc);

/* Gates in the order i, f, g, o: i = r(W x + U h), f and o likewise, g = a(W x + U h), with r the recurrent activation and a the
 * activation; c' = f c + i g, h' = o a(c').  States: h, c.  Hochreiter and Schmidhuber 1997; Gers et al. 2000. */
MICA_API mica_node *mica_lstm(mica_node *const *x, int count, const mica_recurrent_desc *desc);

/* Gates in the order r, z, n: r = r(W x + U h), z likewise, n = a(W x + r (U h)), with reset_before n = a(W x + U (r h));
 * h' = (1 - z) n + z h.  Cho et al. 2014. */
MICA_API mica_node *mica_gru(mica_node *const *x, int count, const mica_recurrent_desc *desc);

/* An lstm over films, or over what has one or three axes of space: W x and U h are convolutions.  x (N, T, channels, ...) ->
 * (N, filters, ...), or with return_sequences (N, T, filters, ...); states have the shape of one step's result. The window, its
 * strides, padding and dilation are those of W x; U h keeps sizes, by padding "same".  weight_ih_l0 (4 filters, channels,
 * window...), weight_hh_l0 (4 filters, filters, window...), and one bias, bias_ih_l0 (4 filters).  Shi et al. 2015, without its
 * peepholes, as in Keras. */
typedef struct mica_conv_lstm_desc {
    const char *name;
    int64_t filters;              /* required */
    int64_t kernel_size[3];       /* required */
    int64_t strides[3], dilation_rate[3]; /* as mica_conv_desc has them, ... */
    const char *padding;
    int64_t pads[6];
    const char *activation;       /* ... and from here on as mica_recurrent_desc */
    const char *recurrent_activation;
    bool no_bias;
    mica_parameter_desc kernel, recurrent, bias;
    bool no_unit_forget_bias;
    float dropout, recurrent_dropout;
    uint64_t seed;
    bool return_sequences, return_state;
    bool go_backwards, recompute;
} mica_conv_lstm_desc;
MICA_API mica_node *mica_conv_lstm1d(mica_node *const *x, int count, const mica_conv_lstm_desc *desc);
MICA_API mica_node *mica_conv_lstm2d(mica_node *const *x, int count, const mica_conv_lstm_desc *desc);
MICA_API mica_node *mica_conv_lstm3d(mica_node *const *x, int count, const mica_conv_lstm_desc *desc);

/* One cell of a recurrent layer: of Keras's SimpleRNNCell, LSTMCell and GRUCell, or of your own. */
typedef struct mica_cell {
    const char *type;             /* "simple_rnn_cell", "lstm_cell", "gru_cell", whose desc is a mica_recurrent_desc, of which what
                                   * says how a sequence is run is not read; NULL: your own */
    const void *desc;
    /* Your own adds the layers of one step by the calls of these headers: of x (N, ...), the step, and states (N, shape...) it
     * makes its result and next[], the states that the next step begins with. NULL is an error. It is called once, or within
     * bidirectional twice. What its layers take from outside, all steps see alike; a dropout drops the same in all of them. Layers
     * within have names that begin with the recurrent layer's and a dot. Those that run over a sequence themselves may be within,
     * four in one another, of which one with recompute counts twice; those that change statistics in training, as
     * batch_normalization does, cannot. A model file holds the layers: loading takes no function. */
    mica_node *(*step)(mica_model *model, mica_node *x, mica_node *const *states, mica_node **next, void *user);
    void *user;
    const mica_shape *states;     /* (state_count): the shapes of a sample's states; at most 8 */
    int state_count;
} mica_cell;

/* Cells over a sequence: what the first makes of a step is what the second reads, as in Keras's StackedRNNCells. The result is that
 * of the last cell. States, at the beginning and as results, are those of the first cell, then those of the second. Parameters of
 * cells that have names are those of the layers: weight_ih_l0 of the first cell, weight_ih_l1 of the second, as of torch.nn.LSTM
 * with several layers. Layers of a cell of your own are "NAME.dense", where there are several cells "NAME.l0.dense". Where a
 * cell's result is none of its states, the result of a step that is padding is that of the step before, and at first zeros. */
typedef struct mica_rnn_desc {
    const char *name;
    const mica_cell *cells;       /* required: (cell_count), at most 16 */
    int cell_count;
    bool return_sequences, return_state, go_backwards, recompute; /* as mica_recurrent_desc has them */
} mica_rnn_desc;
MICA_API mica_node *mica_rnn(mica_node *const *x, int count, const mica_rnn_desc *desc);

/* A recurrent layer twice, from the first step to the last and back, each with parameters of its own: those of the second have
 * names that end in _reverse.  Schuster and Paliwal 1997. Both results stand at the steps that they belong to. States at the
 * beginning, and last ones, are those of the first way, then those of the second. */
typedef struct mica_bidirectional_desc {
    const char *name;
    const char *layer;            /* required: "lstm", "gru", "simple_rnn", "rnn" or a conv_lstm */
    const void *desc;             /* its descriptor, of that type: a mica_recurrent_desc */
    const char *merge_mode;       /* NULL: "concat", features side by side; "sum", "mul", "ave", element by element */
} mica_bidirectional_desc;
MICA_API mica_node *mica_bidirectional(mica_node *const *x, int count, const mica_bidirectional_desc *desc);

/* A layer that takes each step of x (N, T, ...) as a sample of its own: conv2d over the images of a film. dense and what acts
 * element by element do so by themselves. */
typedef struct mica_time_distributed_desc {
    const char *name;
    const char *layer;            /* required: "conv2d" */
    const void *desc;             /* its descriptor, of that type: a mica_conv_desc; NULL: all defaults */
} mica_time_distributed_desc;
MICA_API mica_node *mica_time_distributed(mica_node *x, const mica_time_distributed_desc *desc);

#ifdef __cplusplus
}
#endif
#endif
