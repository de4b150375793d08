/* Attention: each step of one sequence takes a weighted mean of the steps of another, with weights that follow from both.
 *
 * Sequences are (N, steps, features). Inputs are query, value and key, in Keras's order: one input is all three, two are the
 * query and what is both key and value. T are the steps of the query, S those of key and value. Scores are (N, heads, T, S); their
 * softmax over S are the weights. With use_causal_mask a step t sees the steps s <= t alone. `dropout` is the chance that a weight
 * is 0, during training.
 *
 * Steps of key and value that are padding, as masking and mask_zero of embedding say, have no weight; the result has the query's
 * mask. Where all are padding, the weights are equal. */
#ifndef MICA_LAYERS_ATTENTION_H
#define MICA_LAYERS_ATTENTION_H

#include <mica/layers/parameter.h>

#ifdef __cplusplus
extern "C" {
#endif

/* For each head: softmax(Q K^T / sqrt(key_dim)) V with Q, K and V products of query, key and value; then a product of all heads.
 * Vaswani et al. 2017.  y (N, T, features of the query).
 *
 * Parameters are those of torch.nn.MultiheadAttention: in_proj_weight, whose rows are those of Q, K and V of all heads, where
 * query, key and value have one number of features, E: (num_heads * (2 key_dim + value_dim), E). Otherwise q_proj_weight,
 * k_proj_weight and v_proj_weight. in_proj_bias has the rows of all three; out_proj.weight is (features of the query, num_heads *
 * value_dim), out_proj.bias (features of the query). */
typedef struct mica_multi_head_attention_desc {
    const char *name;
    int64_t num_heads, key_dim;   /* required: key_dim features a head */
    int64_t value_dim;            /* 0: key_dim */
    float dropout;
    uint64_t seed;                /* of dropout; 0: the plan's */
    bool no_bias;
    bool use_causal_mask;
    bool alibi;                   /* scores have -slope * |t - s| added, the slope being 2^(-8 h / num_heads) of head h from 1 on
                                   * (Press et al. 2022, also for numbers of heads that are no powers of 2) */
    bool rotary;                  /* each head of query and key, with an even key_dim, is turned as rotary_embedding does, by its
                                   * own step */
    float max_wavelength, scaling_factor; /* of rotary; 0: 10000, 1 */
    mica_parameter_desc kernel, bias; /* of all products; initializers: glorot_uniform, zeros */
} mica_multi_head_attention_desc;
MICA_API mica_node *mica_multi_head_attention(mica_node *const *x, int count, const mica_multi_head_attention_desc *desc);

/* The same with fewer heads of key and value, each of which num_query_heads / num_key_value_heads heads of the query share,
 * those that lie side by side.  Ainslie et al. 2023.  q_proj.weight (num_query_heads * head_dim, features of the query),
 * k_proj.weight and v_proj.weight (num_key_value_heads * head_dim, features of key, or value), o_proj.weight (features of the
 * query, num_query_heads * head_dim), and of each a bias. */
typedef struct mica_grouped_query_attention_desc {
    const char *name;
    int64_t head_dim, num_query_heads, num_key_value_heads; /* required */
    float dropout;
    uint64_t seed;
    bool no_bias;
    bool use_causal_mask;
    bool alibi, rotary;           /* as mica_multi_head_attention_desc has them */
    float max_wavelength, scaling_factor;
    mica_parameter_desc kernel, bias; /* initializers: glorot_uniform, zeros */
} mica_grouped_query_attention_desc;
MICA_API mica_node *mica_grouped_query_attention(mica_node *const *x, int count, const mica_grouped_query_attention_desc *desc);

/* softmax(scores) V without products of its own. Scores are Q K^T, or of score_mode "concat" w times the sum of tanh(q + k)
 * over the features; with use_scale the products, or q + k, are multiplied by a number that is learnt.  scale and
 * concat_score_weight, w, are single numbers that begin with 1.  y (N, T, features of the value). */
typedef struct mica_attention_desc {
    const char *name;
    bool use_scale;
    const char *score_mode;       /* NULL: "dot" */
    float dropout;
    uint64_t seed;
    bool use_causal_mask;
} mica_attention_desc;
MICA_API mica_node *mica_attention(mica_node *const *x, int count, const mica_attention_desc *desc);

/* Scores are the sum of scale * tanh(q + k) over the features.  Bahdanau et al. 2015.  scale (features) is glorot_uniform at
 * first. */
typedef struct mica_additive_attention_desc {
    const char *name;
    bool no_scale;                /* scale is 1 */
    float dropout;
    uint64_t seed;
    bool use_causal_mask;
} mica_additive_attention_desc;
MICA_API mica_node *mica_additive_attention(mica_node *const *x, int count, const mica_additive_attention_desc *desc);

/* ---- Places of steps ---- */

/* What stands for each step, in the shape of x, to be added to it: the first rows of the weight (sequence_length, features),
 * which is learnt. x is read for its shape alone. */
typedef struct mica_position_embedding_desc {
    const char *name;
    int64_t sequence_length;      /* required: the most steps */
    mica_parameter_desc embeddings; /* initializer: glorot_uniform */
} mica_position_embedding_desc;
MICA_API mica_node *mica_position_embedding(mica_node *x, const mica_position_embedding_desc *desc);

/* The same of waves: feature i of step t is sin(t w) where i is even, else cos(t w), with w = max_wavelength^(-2 floor(i / 2) /
 * features).  Vaswani et al. 2017. */
typedef struct mica_sine_position_encoding_desc {
    const char *name;
    float max_wavelength;         /* 0: 10000 */
} mica_sine_position_encoding_desc;
MICA_API mica_node *mica_sine_position_encoding(mica_node *x, const mica_sine_position_encoding_desc *desc);

/* Turns pairs of features by an angle that grows with the step: feature i of the first half of the last axis, a, and of the second,
 * b, become a cos - b sin and b cos + a sin of the angle t / scaling_factor * max_wavelength^(-2 i / features).  Su et al. 2021.
 * x (N, T, features), or with axes between or before these. */
typedef struct mica_rotary_embedding_desc {
    const char *name;
    float max_wavelength;         /* 0: 10000 */
    float scaling_factor;         /* 0: 1 */
    int64_t sequence_axis;        /* of the steps; 0: 1 */
} mica_rotary_embedding_desc;
MICA_API mica_node *mica_rotary_embedding(mica_node *x, const mica_rotary_embedding_desc *desc);

/* ---- Blocks ---- */

/* Attention and a network of two dense layers, each beside a shortcut and normalised behind it, or with normalize_first before:
 *
 *   x = norm1(x + self_attn(x)); x = norm2(x + linear2(activation(linear1(x))))
 *   x = x + self_attn(norm1(x)); x = x + linear2(activation(linear1(norm2(x))))
 *
 * Parameters are those of torch.nn.TransformerEncoderLayer: self_attn.in_proj_weight and the others of multi_head_attention,
 * linear1.weight (intermediate_dim, features), linear2.weight (features, intermediate_dim), norm1.weight, norm2.weight (features),
 * and of each a bias. Dropout is on the weights of attention and on what is added to the shortcuts. */
typedef struct mica_transformer_desc {
    const char *name;
    int64_t intermediate_dim, num_heads; /* required; the heads divide the features */
    float dropout;
    const char *activation;       /* NULL: relu */
    float layer_norm_epsilon;     /* 0: 1e-5 */
    bool normalize_first;
    bool no_causal_mask;          /* transformer_decoder: a step of the first input sees later ones too */
    uint64_t seed;                /* of dropout */
    bool alibi, rotary;           /* of self_attn, as mica_multi_head_attention_desc has them */
    float max_wavelength, scaling_factor;
    mica_parameter_desc kernel, bias; /* of all products; initializers: glorot_uniform, zeros */
} mica_transformer_desc;
MICA_API mica_node *mica_transformer_encoder(mica_node *x, const mica_transformer_desc *desc);

/* The same with a causal mask. With a second input, the memory, there is an attention between, multihead_attn, whose query is x and
 * whose key and value are the memory; then norm2 is that one's, and the last is norm3: torch.nn.TransformerDecoderLayer. */
MICA_API mica_node *mica_transformer_decoder(mica_node *const *x, int count, const mica_transformer_desc *desc);

#ifdef __cplusplus
}
#endif
#endif
