/* Attention before any device computes: shapes, variables, products, JSON both ways, and what errors say. */
#include "nn/fixture.h"
#include "nn/layer.h"

#include <math.h>
#include <string.h>

/* ---- Errors ---- */

#define HEADS "\"type\": \"multi_head_attention\", \"name\": \"a\", "
#define GROUPS "\"type\": \"grouped_query_attention\", \"name\": \"a\", "
#define BLOCK "\"type\": \"transformer_encoder\", \"name\": \"a\", "
/* A second sequence, "m", of 3 of 5 steps, or of 4 of 6 features. */
#define BESIDE(attributes, layer) "{\"input_shape\": [5, 6], \"layers\": [{\"type\": \"op\", \"name\": \"m\", \"op\": \"Slice\", " \
    "\"attributes\": {" attributes "}}, {" layer "}]}"
#define SHORT(layer) BESIDE("\"starts\": [0], \"ends\": [3], \"axes\": [1]", layer)
#define NARROW(layer) BESIDE("\"starts\": [0], \"ends\": [4], \"axes\": [2]", layer)

static void error_texts(void **state)
{
    static const struct mistake mistakes[] = {
        {OF("[5, 6]", HEADS "\"key_dim\": 3"), "layers[0]: \"num_heads\" is missing"},
        {OF("[5, 6]", HEADS "\"num_heads\": 2"), "layers[0]: \"key_dim\" is missing"},
        {OF("[5, 6]", HEADS "\"num_heads\": 0, \"key_dim\": 3"), "layers[0].num_heads: must be at least 1, not 0"},
        {OF("[5, 6]", HEADS "\"num_heads\": 2, \"key_dim\": 3, \"dropout\": 1"),
         "layers[0].dropout: must be at least 0 and below 1, not 1"},
        {OF("[5, 6]", HEADS "\"num_heads\": 2, \"key_dim\": 3, \"embed_dim\": 6"),
         "there is no key \"embed_dim\"; the input says how many features there are"},
        {OF("[6]", HEADS "\"num_heads\": 2, \"key_dim\": 3"),
         "multi_head_attention \"a\": input 0 has shape (6) per sample, needs (steps, features)"},
        {OF("[2, 5, 6]", HEADS "\"num_heads\": 2, \"key_dim\": 3"),
         "input 0 has shape (2, 5, 6) per sample, needs (steps, features)"},
        {SHORT(HEADS "\"num_heads\": 2, \"key_dim\": 3, \"inputs\": [\"input\", \"input\", \"m\"]"),
         "multi_head_attention \"a\": the key has 3 steps, the value 5: there is one of each"},
        {OF("[5, 6]", GROUPS "\"head_dim\": 2, \"num_query_heads\": 4"), "layers[0]: \"num_key_value_heads\" is missing"},
        {OF("[5, 6]", GROUPS "\"head_dim\": 2, \"num_query_heads\": 4, \"num_key_value_heads\": 3"),
         "grouped_query_attention \"a\": num_query_heads is 4, which num_key_value_heads, 3, does not divide"},
        {OF("[5, 6]", HEADS "\"num_heads\": 2, \"key_dim\": 3, \"rotary\": true"),
         "multi_head_attention \"a\": key_dim is 3 features, which are no two halves"},
        {OF("[5, 6]", HEADS "\"num_heads\": 2, \"key_dim\": 4, \"max_wavelength\": 100"),
         "max_wavelength and scaling_factor are of \"rotary\", which is not given"},
        {OF("[5, 6]", HEADS "\"num_heads\": 2, \"key_dim\": 4, \"rotary\": true, \"scaling_factor\": 0"), "must not be 0: steps are divided by it"},
        {OF("[5, 6]", GROUPS "\"head_dim\": 3, \"num_query_heads\": 4, \"num_key_value_heads\": 2, \"rotary\": true"),
         "grouped_query_attention \"a\": head_dim is 3 features, which are no two halves"},
        {OF("[5, 6]", "\"type\": \"transformer_encoder\", \"intermediate_dim\": 4, \"num_heads\": 2, \"rotary\": true"), "a head has 3 features, which are no"},
        {NARROW("\"type\": \"attention\", \"inputs\": [\"input\", \"m\"]"),
         "attention \"attention\": the query has 6 features, the key 4: they are compared one by one"},
        {NARROW("\"type\": \"additive_attention\", \"inputs\": [\"m\", \"input\"]"), "the query has 4 features, the key 6"},
        {OF("[5, 6]", "\"type\": \"attention\", \"score_mode\": \"cat\""), "there is no score_mode \"cat\""},
        {OF("[5, 6]", "\"type\": \"attention\", \"num_heads\": 2"), "there is no key \"num_heads\""},
        {OF("[5, 6]", "\"type\": \"position_embedding\", \"sequence_length\": 4"),
         "position_embedding \"position_embedding\": input has 5 steps, sequence_length is 4"},
        {OF("[5, 6]", "\"type\": \"position_embedding\", \"max_len\": 4"), "did you mean \"sequence_length\"?"},
        {OF("[5, 6]", "\"type\": \"sine_position_encoding\", \"max_wavelength\": 0"),
         "layers[0].max_wavelength: must not be 0: a wave has a length"},
        {OF("[5, 7]", "\"type\": \"rotary_embedding\""),
         "rotary_embedding \"rotary_embedding\": input has 7 features, which are no two halves"},
        {OF("[5, 6]", "\"type\": \"rotary_embedding\", \"sequence_axis\": 2"),
         "input has shape (5, 6) per sample, needs an axis of features behind that of the steps, 2"},
        {OF("[5, 6]", BLOCK "\"num_heads\": 4, \"intermediate_dim\": 8"),
         "transformer_encoder \"a\": input has 6 features, which 4 heads do not divide"},
        {OF("[5, 6]", BLOCK "\"num_heads\": 2, \"dim_feedforward\": 8"), "did you mean \"intermediate_dim\"?"},
        {OF("[5, 6]", BLOCK "\"num_heads\": 2, \"intermediate_dim\": 8, \"use_causal_mask\": true"),
         "there is no key \"use_causal_mask\"; attention has it, and \"transformer_decoder\" hides"},
        {OF("[5, 6]", BLOCK "\"num_heads\": 2, \"intermediate_dim\": 8, \"activation\": \"gelus\""),
         "there is no activation \"gelus\""},
    };
    (void)state;
    fixture_refuses(mistakes, MI_COUNT(mistakes));
}

/* ---- Variables ---- */

static int count_of(const struct fixture *f, const char *op)
{
    int count = 0;
    for (size_t i = 0; i < f->model->graph->node_count; i++)
        count += strcmp(f->model->graph->nodes[i]->op->name, op) == 0;
    return count;
}

static void of_heads(void **state)
{
    struct fixture *f = *state;
    mica_node *x = mica_input(f->model, NULL, MICA_SHAPE(5, 6)), *m = mica_input(f->model, "m", MICA_SHAPE(3, 4));
    mica_node *y = mica_multi_head_attention(&x, 1, &(mica_multi_head_attention_desc){.name = "a", .num_heads = 2, .key_dim = 3});
    fixture_has_shape(y, MICA_SHAPE(5, 6));
    assert_int_equal(count_of(f, "Gemm"), 2); /* the three products of self-attention are one */
    assert_int_equal(count_of(f, "Attention"), 1);
    fixture_has_variable(f, "a.in_proj_weight", MICA_SHAPE(18, 6));
    fixture_has_variable(f, "a.in_proj_bias", MICA_SHAPE(18));
    fixture_has_variable(f, "a.out_proj.weight", MICA_SHAPE(6, 6));
    fixture_has_variable(f, "a.out_proj.bias", MICA_SHAPE(6));
    y = mica_multi_head_attention((mica_node *const[]){x, m}, 2, &(mica_multi_head_attention_desc){
        .name = "b", .num_heads = 3, .key_dim = 4, .value_dim = 5, .no_bias = true});
    fixture_has_shape(y, MICA_SHAPE(5, 6));
    fixture_has_variable(f, "b.q_proj_weight", MICA_SHAPE(12, 6));
    fixture_has_variable(f, "b.k_proj_weight", MICA_SHAPE(12, 4));
    fixture_has_variable(f, "b.v_proj_weight", MICA_SHAPE(15, 4));
    fixture_has_variable(f, "b.out_proj.weight", MICA_SHAPE(6, 15));
    assert_null(mi_variable_find(&f->model->variables, "b.in_proj_bias"));
    y = mica_grouped_query_attention((mica_node *const[]){x, m}, 2, &(mica_grouped_query_attention_desc){
        .name = "c", .head_dim = 2, .num_query_heads = 6, .num_key_value_heads = 2});
    fixture_has_shape(y, MICA_SHAPE(5, 6));
    fixture_has_variable(f, "c.q_proj.weight", MICA_SHAPE(12, 6));
    fixture_has_variable(f, "c.k_proj.weight", MICA_SHAPE(4, 4));
    fixture_has_variable(f, "c.v_proj.bias", MICA_SHAPE(4));
    fixture_has_variable(f, "c.o_proj.weight", MICA_SHAPE(6, 12));
}

static void of_others(void **state)
{
    struct fixture *f = *state;
    mica_node *x = mica_input(f->model, NULL, MICA_SHAPE(5, 6)), *m = mica_input(f->model, "m", MICA_SHAPE(3, 6));
    mica_node *both[] = {x, m};
    fixture_has_shape(mica_attention(both, 2, &(mica_attention_desc){.name = "a", .use_scale = true, .score_mode = "concat"}),
                      MICA_SHAPE(5, 6));
    fixture_has_variable(f, "a.scale", (mica_shape){.rank = 0});
    fixture_has_variable(f, "a.concat_score_weight", (mica_shape){.rank = 0});
    fixture_has_shape(mica_additive_attention(both, 2, &(mica_additive_attention_desc){.name = "b"}), MICA_SHAPE(5, 6));
    fixture_has_variable(f, "b.scale", MICA_SHAPE(6));
    fixture_has_shape(mica_position_embedding(x, &(mica_position_embedding_desc){.name = "p", .sequence_length = 9}),
                      MICA_SHAPE(5, 6));
    fixture_has_variable(f, "p.weight", MICA_SHAPE(9, 6));
    fixture_has_shape(mica_sine_position_encoding(x, NULL), MICA_SHAPE(5, 6));
    fixture_has_shape(mica_rotary_embedding(x, NULL), MICA_SHAPE(5, 6));
    const mica_transformer_desc block = {.intermediate_dim = 8, .num_heads = 2};
    fixture_has_shape(mica_transformer_encoder(x, &block), MICA_SHAPE(5, 6));
    fixture_has_variable(f, "transformer_encoder.self_attn.in_proj_weight", MICA_SHAPE(18, 6));
    fixture_has_variable(f, "transformer_encoder.linear1.weight", MICA_SHAPE(8, 6));
    fixture_has_variable(f, "transformer_encoder.linear2.bias", MICA_SHAPE(6));
    fixture_has_variable(f, "transformer_encoder.norm2.weight", MICA_SHAPE(6));
    fixture_has_shape(mica_transformer_decoder(both, 2, &block), MICA_SHAPE(5, 6));
    fixture_has_variable(f, "transformer_decoder.multihead_attn.out_proj.weight", MICA_SHAPE(6, 6));
    fixture_has_variable(f, "transformer_decoder.norm3.bias", MICA_SHAPE(6));
    fixture_has_shape(mica_transformer_decoder(both, 1, &block), MICA_SHAPE(5, 6));
    assert_null(mi_variable_find(&f->model->variables, "transformer_decoder_1.norm3.bias"));
    assert_null(mi_variable_find(&f->model->variables, "transformer_decoder_1.multihead_attn.in_proj_weight"));
}

/* Layers that are attention together become the operator in a plan's graph; where the weights are a result too they stay. */
static void of_layers(void **state)
{
    (void)state;
    for (int weights_too = 0; weights_too < 2; weights_too++) {
        struct fixture *f = fixture_open(
            "{\"input_shape\": [5, 6], \"layers\": [{\"type\": \"dense\", \"name\": \"k\", \"units\": 6},"
            "{\"type\": \"dot\", \"axes\": [2, 2], \"inputs\": [\"input\", \"k\"]}, {\"type\": \"softmax\", \"name\": \"w\"},"
            "{\"type\": \"dot\", \"name\": \"y\", \"axes\": [2, 1], \"inputs\": [\"w\", \"input\"]}]}");
        if (weights_too)
            assert_non_null(mica_output(f->model, "weights", mica_model_node(f->model, "w")));
        struct mi_graph *graph;
        int found = 0;
        assert_int_equal(mi_model_graph(f->model, true, &graph), MICA_OK);
        for (size_t i = 0; i < graph->node_count; i++)
            found += strcmp(graph->nodes[i]->op->name, "Attention") == 0;
        assert_int_equal(found, !weights_too);
        mi_graph_destroy(graph);
        fixture_close(f);
    }
}

/* The query's mask is the result's, and goes through what keeps steps. */
static void masks(void **state)
{
    struct fixture *f = *state;
    mica_node *x = mica_input(f->model, NULL, MICA_SHAPE(5, 6)), *real = mica_masking(x, NULL);
    mica_node *y = mica_transformer_encoder(mica_rotary_embedding(real, NULL), &(mica_transformer_desc){
        .intermediate_dim = 8, .num_heads = 2});
    y = mica_attention((mica_node *const[]){y, x}, 2, NULL);
    assert_non_null(mica_attention((mica_node *const[]){x, y}, 2, NULL));
    const struct mi_layer_record *layers = f->model->layers; /* input, masking, rotary, encoder, attention, attention */
    assert_non_null(layers[1].mask);
    for (int i = 2; i < 5; i++)
        assert_ptr_equal(layers[i].mask, layers[1].mask);
    assert_null(layers[5].mask);
}

/* First values lie within what Keras's kernels of (features, heads, dim) and (heads, dim, features) have. */
static void first_values(void **state)
{
    struct fixture *f = *state;
    mica_node *x = mica_input(f->model, NULL, MICA_SHAPE(5, 60));
    const mica_multi_head_attention_desc desc = {.name = "a", .num_heads = 3, .key_dim = 20};
    assert_non_null(mica_multi_head_attention(&x, 1, &desc));
    const struct {
        const char *name;
        double most;
        int64_t count;
    } wanted[] = {{"a.in_proj_weight", sqrt(6.0 / (60 * (3 + 20))), 180 * 60},
                  {"a.out_proj.weight", sqrt(6.0 / (3 * (20 + 60))), 3600}};
    for (size_t i = 0; i < MI_COUNT(wanted); i++) {
        struct mi_variable *variable = mi_variable_find(&f->model->variables, wanted[i].name);
        assert_true(variable && mi_variable_make(variable));
        double largest = 0;
        for (int64_t k = 0; k < wanted[i].count; k++)
            largest = fmax(largest, fabs((double)((const float *)variable->initial)[k]));
        assert_true(largest <= wanted[i].most && largest > 0.98 * wanted[i].most);
    }
}

/* ---- A description read again describes the same ---- */

static const char whole[] =
    "{\"input_shape\": [5, 6], \"layers\": ["
    "{\"type\": \"multi_head_attention\", \"name\": \"a\", \"num_heads\": 2, \"key_dim\": 3, \"value_dim\": 4, \"dropout\": 0.1, "
    "\"seed\": 3, \"use_bias\": false, \"use_causal_mask\": true, \"alibi\": true, \"kernel_initializer\": \"he_normal\"},"
    "{\"type\": \"grouped_query_attention\", \"name\": \"b\", \"head_dim\": 2, \"num_query_heads\": 4, \"num_key_value_heads\": 2, "
    "\"rotary\": true, \"max_wavelength\": 50, \"inputs\": [\"a\", \"input\"], \"bias_initializer\": \"ones\", \"kernel_regularizer\": \"l2\"},"
    "{\"type\": \"attention\", \"use_scale\": true, \"score_mode\": \"concat\", \"dropout\": 0.5, \"use_causal_mask\": true},"
    "{\"type\": \"additive_attention\", \"use_scale\": false, \"inputs\": [\"a\", \"b\", \"input\"]},"
    "{\"type\": \"position_embedding\", \"sequence_length\": 7, \"initializer\": \"zeros\"},"
    "{\"type\": \"sine_position_encoding\", \"max_wavelength\": 100},"
    "{\"type\": \"rotary_embedding\", \"max_wavelength\": 100, \"scaling_factor\": 2, \"sequence_axis\": 1},"
    "{\"type\": \"transformer_encoder\", \"name\": \"e\", \"intermediate_dim\": 8, \"num_heads\": 3, \"dropout\": 0.1, "
    "\"activation\": \"gelu\", \"layer_norm_epsilon\": 0.001, \"normalize_first\": true},"
    "{\"type\": \"transformer_decoder\", \"intermediate_dim\": 8, \"num_heads\": 1, \"use_causal_mask\": false},"
    "{\"layer\": \"e\", \"name\": \"again\"},"
    "{\"type\": \"transformer_encoder\", \"intermediate_dim\": 8, \"num_heads\": 3, \"rotary\": true, \"scaling_factor\": 2, \"alibi\": true},"
    "{\"type\": \"transformer_decoder\", \"intermediate_dim\": 8, \"num_heads\": 2, \"inputs\": [\"e\", \"a\"]}]}";

static void round_trip(void **state)
{
    (void)state;
    fixture_round_trip_of(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_texts),
        cmocka_unit_test_setup_teardown(of_heads, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(of_others, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(masks, fixture_begin, fixture_end),
        cmocka_unit_test(of_layers),
        cmocka_unit_test_setup_teardown(first_values, fixture_begin, fixture_end),
        cmocka_unit_test(round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
