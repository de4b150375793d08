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

/* Of the attentions with products of their own. */
struct mi_heads {
    const char *prefix;              /* of its parameters' names: "" or "self_attn." */
    int64_t heads;
    int64_t key_dim, value_dim;
    bool no_bias;
    const mica_parameter_desc *kernel, *bias;
    struct mi_scoring scoring;
};

/* Query, key and value of Keras's inputs, [query, value, key], as float32; false: they do not fit one another. The query's mask is
 * the result's. */
bool mi_attention_inputs(struct mi_layer *layer, mi_value *const *x, int count, mi_value *in[MI_ATTENDED]);
/* Which steps of both key and value are real, (N, S); NULL: all. */
mi_value *mi_attention_mask(struct mi_layer *layer, const mi_value *key, const mi_value *value);
/* Whether a chance to drop something is one. */
bool mi_attention_rate(struct mi_layer *layer, float dropout);
/* x where a chance is left of it to be something else than 0, in training. */
mi_value *mi_attention_dropout(struct mi_layer *layer, mi_value *x, float rate, uint64_t seed);

/* The mean of the values with weights of the dot products: query (N, T, heads * d), key (N, S, groups * d) and value (N, S,
 * groups * e) make (N, T, heads * e). Heads of the query that lie side by side share one of the others. */
mi_value *mi_attend(struct mi_layer *layer, mi_value *const of[MI_ATTENDED], int64_t heads, int64_t groups,
                    const struct mi_scoring *how);
/* The same with scores (N, T, S) of another kind, for v (N, S, d): neither scale nor alibi count. */
mi_value *mi_attend_scores(struct mi_layer *layer, mi_value *scores, mi_value *v, const struct mi_scoring *how);

/* x (N, steps, features) times a weight (rows, features), and a bias or NULL: (N, steps, rows). */
mi_value *mi_rows_product(struct mi_graph *graph, mi_value *x, mi_value *weight, mi_value *bias);

/* multi_head_attention with the parameters of torch.nn.MultiheadAttention. */
mi_value *mi_multi_head(struct mi_layer *layer, const struct mi_heads *how, mi_value *const in[MI_ATTENDED]);

#endif
