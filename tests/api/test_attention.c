/* Attention with arguments that are wrong. */
#include "api.h"

#include <math.h>

#define NODES(built)                                                                                                     \
    mica_node *x = mica_input(built, NULL, MICA_SHAPE(5, 6)), *m = mica_input(built, "m", MICA_SHAPE(3, 6)),             \
              *k = mica_input(built, "k", MICA_SHAPE(5, 4)), *flat = mica_input(built, "flat", MICA_SHAPE(6));           \
    (void)x, (void)m, (void)k, (void)flat
#define X(...) (mica_node *const[]){__VA_ARGS__}, (int)(sizeof((mica_node *const[]){__VA_ARGS__}) / sizeof(mica_node *))
#define HEADS(...) &(mica_multi_head_attention_desc){__VA_ARGS__}
#define GROUPS(...) &(mica_grouped_query_attention_desc){__VA_ARGS__}
#define BLOCK(...) &(mica_transformer_desc){__VA_ARGS__}

static void nothing(void **state)
{
    (void)state;
    assert_null(mica_multi_head_attention(NULL, 0, NULL));
    assert_null(mica_grouped_query_attention((mica_node *const[]){NULL}, 1, NULL));
    assert_null(mica_attention(NULL, 2, NULL));
    assert_null(mica_additive_attention(NULL, 1, NULL));
    assert_null(mica_position_embedding(NULL, NULL));
    assert_null(mica_sine_position_encoding(NULL, NULL));
    assert_null(mica_rotary_embedding(NULL, NULL));
    assert_null(mica_transformer_encoder(NULL, NULL));
    assert_null(mica_transformer_decoder(NULL, 1, NULL));
}

static void heads(void **state)
{
    (void)state;
    NOT_BUILT("num_heads must be at least 1, not 0", mica_multi_head_attention(X(x), NULL));
    NOT_BUILT("num_heads must be at least 1, not -2", mica_multi_head_attention(X(x), HEADS(.num_heads = -2, .key_dim = 1)));
    NOT_BUILT("key_dim must be at least 1, not 0", mica_multi_head_attention(X(x), HEADS(.num_heads = 2)));
    NOT_BUILT("value_dim must be at least 1, not -1",
              mica_multi_head_attention(X(x), HEADS(.num_heads = 2, .key_dim = 3, .value_dim = -1)));
    NOT_BUILT("key_dim is 9223372036854775807, which is too large",
              mica_multi_head_attention(X(x), HEADS(.num_heads = 2, .key_dim = INT64_MAX)));
    NOT_BUILT("more than the device allocates",
              mica_multi_head_attention(X(x), HEADS(.num_heads = 1 << 30, .key_dim = 1 << 30, .value_dim = 1 << 30)));
    NOT_BUILT("dropout must be at least 0 and below 1, not 1",
              mica_multi_head_attention(X(x), HEADS(.num_heads = 2, .key_dim = 3, .dropout = 1)));
    NOT_BUILT("dropout must be at least 0 and below 1, not nan",
              mica_multi_head_attention(X(x), HEADS(.num_heads = 2, .key_dim = 3, .dropout = NAN)));
    NOT_BUILT("input 0 has shape (6) per sample", mica_multi_head_attention(X(flat), HEADS(.num_heads = 2, .key_dim = 3)));
    NOT_BUILT("input 1 has shape (6) per sample", mica_multi_head_attention(X(x, flat), HEADS(.num_heads = 2, .key_dim = 3)));
    NOT_BUILT("the key has 3 steps, the value 5", mica_multi_head_attention(X(x, x, m), HEADS(.num_heads = 2, .key_dim = 3)));
    NOT_BUILT("takes at most 3 inputs, not 4", mica_multi_head_attention(X(x, x, x, x), HEADS(.num_heads = 2, .key_dim = 3)));
    NOT_BUILT("input 1 of 2 is NULL", mica_multi_head_attention(X(x, NULL), HEADS(.num_heads = 2, .key_dim = 3)));
    NOT_BUILT("initializer \"x\"",
              mica_multi_head_attention(X(x), HEADS(.num_heads = 2, .key_dim = 3, .kernel.initializer.type = "x")));
    NOT_BUILT("initializer \"x\"",
              mica_multi_head_attention(X(x), HEADS(.num_heads = 2, .key_dim = 3, .bias.initializer.type = "x")));
}

static void groups(void **state)
{
    (void)state;
    NOT_BUILT("head_dim must be at least 1, not 0", mica_grouped_query_attention(X(x), NULL));
    NOT_BUILT("num_query_heads must be at least 1", mica_grouped_query_attention(X(x), GROUPS(.head_dim = 2)));
    NOT_BUILT("num_key_value_heads must be at least 1, not -1",
              mica_grouped_query_attention(X(x), GROUPS(.head_dim = 2, .num_query_heads = 2, .num_key_value_heads = -1)));
    NOT_BUILT("num_query_heads is 3, which num_key_value_heads, 2, does not divide",
              mica_grouped_query_attention(X(x), GROUPS(.head_dim = 2, .num_query_heads = 3, .num_key_value_heads = 2)));
    NOT_BUILT("the key has 3 steps, the value 5",
              mica_grouped_query_attention(X(x, x, m), GROUPS(.head_dim = 2, .num_query_heads = 2, .num_key_value_heads = 1)));
    NOT_BUILT("dropout", mica_grouped_query_attention(X(x), GROUPS(.head_dim = 2, .num_query_heads = 2, .num_key_value_heads = 1,
                                                                    .dropout = -1)));
}

static void plain(void **state)
{
    (void)state;
    NOT_BUILT("there is no score_mode \"x\"; there are \"dot\", \"concat\"",
              mica_attention(X(x), &(mica_attention_desc){.score_mode = "x"}));
    NOT_BUILT("the query has 6 features, the key 4", mica_attention(X(x, k), NULL));
    NOT_BUILT("the query has 6 features, the key 4", mica_additive_attention(X(x, x, k), NULL));
    NOT_BUILT("the key has 3 steps, the value 5", mica_additive_attention(X(x, x, m), NULL));
    NOT_BUILT("dropout", mica_attention(X(x), &(mica_attention_desc){.dropout = 2}));
    NOT_BUILT("dropout", mica_additive_attention(X(x), &(mica_additive_attention_desc){.dropout = -INFINITY}));
}

static void positions(void **state)
{
    (void)state;
    NOT_BUILT("sequence_length must be at least 1, not 0", mica_position_embedding(x, NULL));
    NOT_BUILT("input has 5 steps, sequence_length is 4",
              mica_position_embedding(x, &(mica_position_embedding_desc){.sequence_length = 4}));
    NOT_BUILT("input has shape (6) per sample",
              mica_position_embedding(flat, &(mica_position_embedding_desc){.sequence_length = 6}));
    NOT_BUILT("input has shape (6) per sample", mica_sine_position_encoding(flat, NULL));
    NOT_BUILT("max_wavelength must be above 0 and finite, not -1",
              mica_sine_position_encoding(x, &(mica_sine_position_encoding_desc){.max_wavelength = -1}));
    NOT_BUILT("max_wavelength must be above 0", mica_rotary_embedding(x, &(mica_rotary_embedding_desc){.max_wavelength = NAN}));
    NOT_BUILT("scaling_factor must be above 0",
              mica_rotary_embedding(x, &(mica_rotary_embedding_desc){.scaling_factor = INFINITY}));
    NOT_BUILT("axis 3; a sample of the input has axes 1 to 2",
              mica_rotary_embedding(x, &(mica_rotary_embedding_desc){.sequence_axis = 3}));
    NOT_BUILT("needs an axis of features behind that of the steps, 2",
              mica_rotary_embedding(x, &(mica_rotary_embedding_desc){.sequence_axis = -1}));
    NOT_BUILT("needs an axis of features behind that of the steps, 1", mica_rotary_embedding(flat, NULL));
    NOT_BUILT("input has 5 features, which are no two halves",
              mica_rotary_embedding(mica_dense(x, &(mica_dense_desc){.units = 5}), NULL));
}

static void blocks(void **state)
{
    (void)state;
    NOT_BUILT("intermediate_dim must be at least 1, not 0", mica_transformer_encoder(x, NULL));
    NOT_BUILT("num_heads must be at least 1, not -3", mica_transformer_encoder(x, BLOCK(.intermediate_dim = 8, .num_heads = -3)));
    NOT_BUILT("input has 6 features, which 4 heads do not divide",
              mica_transformer_encoder(x, BLOCK(.intermediate_dim = 8, .num_heads = 4)));
    NOT_BUILT("layer_norm_epsilon must be above 0, not -1",
              mica_transformer_encoder(x, BLOCK(.intermediate_dim = 8, .num_heads = 2, .layer_norm_epsilon = -1)));
    NOT_BUILT("dropout", mica_transformer_decoder(X(x, m), BLOCK(.intermediate_dim = 8, .num_heads = 2, .dropout = 1)));
    NOT_BUILT("no activation \"x\"",
              mica_transformer_decoder(X(x), BLOCK(.intermediate_dim = 8, .num_heads = 2, .activation = "x")));
    NOT_BUILT("input 0 has shape (6) per sample", mica_transformer_encoder(flat, BLOCK(.intermediate_dim = 8, .num_heads = 2)));
    NOT_BUILT("takes at most 2 inputs, not 3", mica_transformer_decoder(X(x, m, m), BLOCK(.intermediate_dim = 8, .num_heads = 2)));
    NOT_BUILT("too large", mica_transformer_encoder(x, BLOCK(.intermediate_dim = INT64_MAX, .num_heads = 2)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing), cmocka_unit_test(heads),     cmocka_unit_test(groups),
                                       cmocka_unit_test(plain),   cmocka_unit_test(positions), cmocka_unit_test(blocks)};
    return cmocka_run_group_tests(tests, api_open, api_close);
}
