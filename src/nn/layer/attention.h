/* Attention: what its layers are made of (attend.c, multi_head_attention.c). Sequences are (N, steps, features), heads (N, heads,
 * steps, features). */
#ifndef MICA_SRC_NN_LAYER_ATTENTION_H
#define MICA_SRC_NN_LAYER_ATTENTION_H

#include "nn/layer.h"

/* The inputs of an attention, in the order in which their products lie in one weight. */
enum { MI_Q, MI_K, MI_V, MI_ATTENDED };

/* What becomes of scores before they weigh values. */
struct mi_scoring {
    float scale;
    bool causal, alibi;
    float dropout;                   /* of the weights */
    uint64_t seed;
    mi_value *mask;                  /* which steps of key and value are real (N, S); NULL: all */
};

/* Pairs of features turned by an angle that grows with the step, as rotary_embedding does. */
struct mi_rotary {
    bool on;
    float max_wavelength, scaling_factor; /* 0: 10000, 1 */
};
#define MI_ROTARY(desc) {(desc)->rotary, (desc)->max_wavelength, (desc)->scaling_factor}
/* The keys of what an attention knows of places. */
#define MI_PLACE_KEYS(desc)                                                                                                      \
    MI_KEY(desc, "alibi", MI_KEY_BOOL, alibi), MI_KEY(desc, "rotary", MI_KEY_BOOL, rotary), MI_WAVELENGTH_KEY(desc),             \
    MI_SCALING_KEY(desc)
#define MI_WAVELENGTH_KEY(desc)                                                                                                  \
    MI_KEY_WITH(desc, "max_wavelength", MI_KEY_FLOAT, max_wavelength, MI_KEY_AT_LEAST(0), .not_zero = "a wave has a length")
#define MI_SCALING_KEY(desc)                                                                                                     \
    MI_KEY_WITH(desc, "scaling_factor", MI_KEY_FLOAT, scaling_factor, MI_KEY_AT_LEAST(0), .not_zero = "steps are divided by it")

/* Of the attentions with products of their own. */
struct mi_heads {
    const char *prefix;              /* of its parameters' names: "" or "self_attn." */
    int64_t heads;
    int64_t key_dim, value_dim;
    bool no_bias;
    const mica_parameter_desc *kernel, *bias;
    struct mi_rotary rotary;         /* of query and key */
    struct mi_scoring scoring;
};

/* Query, key and value of Keras's inputs, [query, value, key], as float32; false: they do not fit one another. The query's
 * mask is the result's. */
bool mi_attention_inputs(struct mi_layer *layer, mi_value *const *x, int count, mi_value *in[MI_ATTENDED]);
/* Which steps of both key and value are real, (N, S); NULL: all. */
mi_value *mi_attention_mask(struct mi_layer *layer, const mi_value *key, const mi_value *value);
/* Whether a chance to drop something is one. */
bool mi_attention_rate(struct mi_layer *layer, float dropout);
/* x where a chance is left of it to be something else than 0, in training. */
mi_value *mi_attention_dropout(struct mi_layer *layer, mi_value *x, float rate, uint64_t seed);

/* ALiBi's slopes follow from the largest power of 2 among the heads: the logarithm of the first one of those. */
int64_t mi_alibi_power(int64_t heads);
float mi_alibi_slope(int64_t power);

/* The mean of the values with weights of the dot products: query (N, T, heads * d), key (N, S, groups * d) and value (N, S,
 * groups * e) make (N, T, heads * e). Heads of the query that lie side by side share one of the others. */
mi_value *mi_attend(struct mi_layer *layer, mi_value *const of[MI_ATTENDED], int64_t heads, int64_t groups,
                    const struct mi_scoring *how);
/* The same with scores (N, T, S) of another kind, for v (N, S, d): neither scale nor alibi count. */
mi_value *mi_attend_scores(struct mi_layer *layer, mi_value *scores, mi_value *v, const struct mi_scoring *how);

/* Whether attention of these inputs can be built for some steps at a time: of a sequence to itself and its past alone, where
 * it is `causal`, or to one that is there before the first step, of which a causal mask or `places` would ask for the steps'
 * numbers. */
bool mi_attention_steps(mi_value *const *x, const bool *taken, int count, bool causal, bool places);
/* Whether a layer that is built so attends to its own steps. */
bool mi_attends_to_itself(const struct mi_layer *layer, mi_value *const in[MI_ATTENDED]);
/* What it gives then, (N, T, heads * value_dim), of the heads of its steps, the first of query (N, T, ...), and their rows:
 * key and value of all groups, (N, T, groups * (key_dim + value_dim)), which a state keeps, with the mask. */
mi_value *mi_attend_step(struct mi_layer *layer, const struct mi_heads *how, int64_t groups, mi_value *query, mi_value *rows);

/* x (N, steps, features) times a weight (rows, features), and a bias or NULL: (N, steps, rows). */
mi_value *mi_rows_product(struct mi_graph *graph, mi_value *x, mi_value *weight, mi_value *bias);

/* Whether so many features, which `what` says, can be turned so, and the numbers are some. */
bool mi_rotary_fits(struct mi_layer *layer, const struct mi_rotary *rotary, const char *what, int64_t features);
/* x, turned by the steps along an axis, which is not the last. */
mi_value *mi_rotary_turn(struct mi_layer *layer, const struct mi_rotary *rotary, mi_value *x, int axis);

/* multi_head_attention with the parameters of torch.nn.MultiheadAttention. */
mi_value *mi_multi_head(struct mi_layer *layer, const struct mi_heads *how, mi_value *const in[MI_ATTENDED]);

#endif
