/* What is said of words that are Keras's or PyTorch's, and of slips. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json/keys.h"
#include "nn/layer.h"
#include "nn/loss/loss.h"

#include <stdlib.h>
#include <string.h>

static const char *types[256];
static const char *const activations[] = {"linear", "relu", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "softmax", NULL};
static const char *const optimizers[] = {"sgd", "adam", "adamw", "rmsprop", "adagrad", NULL};
static const char *const of_job[] = {"model", "data", "loss", "metrics", "optimizer", "batch_size", "epochs", "validation_split",
                                     "seed", "shuffle", NULL};
static const char *const of_adam[] = {"type", "learning_rate", "beta_1", "beta_2", "epsilon", "weight_decay", NULL};
static const char *const of_dense[] = {"units", "activation", "use_bias", "kernel_initializer", "bias_initializer", "type", "name",
                                       "inputs", NULL};
static const char *const of_conv[] = {"filters", "kernel_size", "strides", "padding", "dilation_rate", "groups", "activation",
                                      "use_bias", "kernel_initializer", "type", "name", "inputs", NULL};
static const char *const of_pool[] = {"pool_size", "strides", "padding", "type", "name", "inputs", NULL};
static const char *const of_table[] = {"format", "path", "label", "header", "missing", "categorical", "normalize", "split", "seed",
                                       "shuffle", NULL};

static int list_types(void **state)
{
    size_t count = 0;
    (void)state;
    for (const struct mi_layer_type *const *type = mi_layer_types; *type; type++)
        types[count++] = (*type)->type;
    return 0;
}

static void check(bool key, const char *word, const char *const *words, const char *expected)
{
    struct mi_advice advice = mi_advise_term(key, word, words);
    if (strncmp(advice.text, expected, strlen(expected)))
        fail_msg("%s: \"%s\", not \"%s\"", word, advice.text, expected);
}

static void meant(bool key, const char *word, const char *const *words, const char *expected)
{
    char text[128];
    mi_format(text, sizeof text, "; did you mean \"%s\"?", expected);
    check(key, word, words, text);
}

static void test_layers(void **state)
{
    (void)state;
    static const char *const named[][2] = {
        {"Dense", "dense"}, {"Linear", "dense"}, {"nn.Linear", "dense"}, {"Conv2d", "conv2d"}, {"torch.nn.Conv1d", "conv1d"},
        {"MaxPool2d", "max_pooling2d"}, {"AvgPool1d", "average_pooling1d"}, {"AdaptiveAvgPool2d", "adaptive_average_pooling2d"},
        {"nn.ConvTranspose2d", "conv2d_transpose"}, {"MaxPool3d", "max_pooling3d"}, {"GlobalAvgPool2d", "global_average_pooling"},
        {"BatchNorm2d", "batch_normalization"}, {"nn.ReLU", "relu"}, {"LeakyReLU", "leaky_relu"}, {"Flaten", "flatten"},
        {"keras.layers.Concatenate", "concatenate"}, {"swish", "silu"}, {"nn.PReLU", "prelu"}, {"GLU", "glu"}, {"Softshrink", "soft_shrink"},
        {"LSTM", "lstm"}, {"nn.LSTM", "lstm"}, {"nn.LSTMCell", "lstm"}, {"GRU", "gru"}, {"GRUCell", "gru"}, {"SimpleRNN", "simple_rnn"},
        {"RNN", "simple_rnn"}, {"ConvLSTM2D", "conv_lstm2d"}, {"keras.layers.Bidirectional", "bidirectional"},
        {"MultiheadAttention", "multi_head_attention"}, {"nn.MultiheadAttention", "multi_head_attention"},
        {"keras.layers.MultiHeadAttention", "multi_head_attention"}, {"self_attention", "multi_head_attention"},
        {"Attention", "attention"}, {"scaled_dot_product_attention", "attention"}, {"AdditiveAttention", "additive_attention"},
        {"GroupQueryAttention", "grouped_query_attention"}, {"Transformer", "transformer_encoder"},
        {"nn.TransformerEncoderLayer", "transformer_encoder"}, {"TransformerEncoder", "transformer_encoder"},
        {"nn.TransformerDecoderLayer", "transformer_decoder"}, {"PositionalEncoding", "sine_position_encoding"},
        {"PositionEmbedding", "position_embedding"}, {"RoPE", "rotary_embedding"}, {"RotaryEmbedding", "rotary_embedding"},
    };
    static const char *const missing[][2] = {
        {"BiLSTM", "; both ways are a layer around one: {\"type\": \"bidirectional\""},
        {"StackedRNNCells", "; \"rnn\" takes a list of cells"},
        {"TokenAndPositionEmbedding", "; that is an \"embedding\" and a \"position_embedding\""},
        {"ALiBi", "; it is a key of \"multi_head_attention\""},
        {"frobnicate", "; there are \"input\", \"dense\", "},
    };
    for (size_t i = 0; i < MI_COUNT(named); i++)
        meant(false, named[i][0], types, named[i][1]);
    for (size_t i = 0; i < MI_COUNT(missing); i++)
        check(false, missing[i][0], types, missing[i][1]);
}

static void test_values(void **state)
{
    (void)state;
    meant(false, "Linear", activations, "linear");
    meant(false, "ReLU", activations, "relu");
    meant(false, "swish", activations, "silu");
    check(false, "geglu", activations, "; there are \"linear\", \"relu\", ");
    check(false, "radam", optimizers, "; there are \"sgd\", \"adam\", ");
    meant(false, "AdamW", optimizers, "adamw");
    meant(false, "Adam", optimizers, "adam");
    check(false, "crossentropy", mi_loss_names, "; classes are learnt with sparse_categorical_crossentropy");
    meant(false, "L1Loss", mi_loss_names, "mean_absolute_error");
    meant(false, "SmoothL1Loss", mi_loss_names, "huber");
    meant(false, "KLDivLoss", mi_loss_names, "kl_divergence");
    meant(false, "NLLLoss", mi_loss_names, "sparse_categorical_crossentropy");
    meant(false, "BCEWithLogitsLoss", mi_loss_names, "binary_crossentropy");
    meant(false, "mean_square_error", mi_loss_names, "mean_squared_error");
}

static void test_keys(void **state)
{
    (void)state;
    check(true, "lr", of_job, "; the optimizer has it");
    check(true, "learning_rate", of_job, "; the optimizer has it");
    meant(true, "lr", of_adam, "learning_rate");
    meant(true, "batch", of_job, "batch_size");
    check(true, "callbacks", of_job, "; a job has no callbacks");
    check(true, "early_stopping", of_job, "; a job has no callbacks");
    check(true, "EarlyStopping", of_job, "; a job has no callbacks");
    meant(true, "out_features", of_dense, "units");
    check(true, "in_features", of_dense, "; Mica finds the number of inputs by itself");
    check(true, "input_shape", of_dense, "; the model has it");
    meant(true, "kernel", of_conv, "kernel_size");
    meant(true, "out_channels", of_conv, "filters");
    meant(true, "stride", of_conv, "strides");
    meant(true, "dilation", of_conv, "dilation_rate");
    meant(true, "kernel_size", of_pool, "pool_size");
    meant(true, "target", of_table, "label");
    check(true, "delimiter", of_table, "; what stands between cells is found by itself");
    check(true, "normalize_labels", of_table, "; labels are taken as they are");
    check(true, "frobnicate", of_pool, "; there are \"pool_size\", \"strides\", \"padding\", ");
}

/* Keys of recurrent layers: of another library, or beside a layer that has none of them. */
static void test_recurrent(void **state)
{
    (void)state;
    static const char *const of_lstm[] = {"units", "activation", "recurrent_activation", "unit_forget_bias", "use_bias",
                                          "recurrent_initializer", "dropout", "recurrent_dropout", "return_sequences", "return_state",
                                          "go_backwards", NULL};
    static const char *const of_both[] = {"layer", "merge_mode", NULL};
    static const char *const meant_by[][2] = {
        {"hidden_size", "units"}, {"returnSequences", "return_sequences"}, {"return_sequence", "return_sequences"},
        {"return_states", "return_state"}, {"reverse", "go_backwards"}, {"inner_activation", "recurrent_activation"},
        {"recurrent_init", "recurrent_initializer"}, {"forget_bias", "unit_forget_bias"}, {"rate", "dropout"}, {"p", "dropout"},
        {"nonlinearity", "activation"}, {"bias", "use_bias"},
    };
    static const char *const said[][2] = {
        {"input_size", "; Mica finds the number of inputs by itself"}, {"num_layers", "; a layer is one: list several"},
        {"batch_first", "; the batch comes first, then the steps"}, {"time_major", "; the batch comes first, then the steps"},
        {"stateful", "; the recurrent layers have it"}, {"unroll", "; there is nothing like it here"},
        {"initial_state", "; states to begin with are inputs behind the sequence"}, {"bidirectional", "; both ways are a layer around one"},
        {"reset_after", "; \"gru\" has it"}, {"merge_mode", "; \"bidirectional\" has it"}, {"proj_size", "; h has as many elements"},
        {"mask_zero", "; an \"embedding\" has it"}, {"mask", "; a \"masking\" layer before says"}, {"timesteps", "; the input says how many steps there are"},
        {"cell", "; the cell is the layer's type"},
    };
    for (size_t i = 0; i < MI_COUNT(meant_by); i++)
        meant(true, meant_by[i][0], of_lstm, meant_by[i][1]);
    for (size_t i = 0; i < MI_COUNT(said); i++)
        check(true, said[i][0], of_lstm, said[i][1]);
    meant(true, "merge", of_both, "merge_mode");
    check(true, "backward_layer", of_both, "; both ways have the keys of \"layer\"");
    check(true, "units", of_both, "; the layers that have units are \"dense\" and the recurrent ones");
    check(true, "return_sequences", of_dense, "; the recurrent layers have it");
    check(true, "recurrent_activation", of_dense, "; \"lstm\" and \"gru\" have gates");
    check(true, "unit_forget_bias", of_dense, "; \"lstm\" has it");
}

/* Keys of attention, as PyTorch and others have them. */
static void test_attention(void **state)
{
    (void)state;
    static const char *const of_heads[] = {"num_heads", "key_dim", "value_dim", "dropout", "use_bias", "use_causal_mask", NULL};
    static const char *const of_groups[] = {"head_dim", "num_query_heads", "num_key_value_heads", "use_causal_mask", NULL};
    static const char *const of_block[] = {"intermediate_dim", "num_heads", "layer_norm_epsilon", "normalize_first", NULL};
    static const char *const of_places[] = {"sequence_length", "initializer", NULL};
    static const char *const of_waves[] = {"max_wavelength", NULL};
    static const char *const of_embedding[] = {"input_dim", "output_dim", NULL};
    meant(true, "nhead", of_heads, "num_heads");
    meant(true, "heads", of_groups, "num_query_heads");
    meant(true, "num_heads", of_groups, "num_query_heads");
    meant(true, "num_kv_heads", of_groups, "num_key_value_heads");
    meant(true, "head_dim", of_heads, "key_dim");
    meant(true, "key_dim", of_groups, "head_dim");
    meant(true, "attn_dropout", of_heads, "dropout");
    meant(true, "is_causal", of_heads, "use_causal_mask");
    meant(true, "dim_feedforward", of_block, "intermediate_dim");
    meant(true, "norm_first", of_block, "normalize_first");
    meant(true, "layer_norm_eps", of_block, "layer_norm_epsilon");
    meant(true, "max_len", of_places, "sequence_length");
    meant(true, "base", of_waves, "max_wavelength");
    meant(true, "embed_dim", of_embedding, "output_dim");
    check(true, "embed_dim", of_heads, "; the input says how many features there are");
    check(true, "d_model", of_block, "; the input says how many features there are");
    check(true, "kdim", of_heads, "; the input says how many features there are");
    check(true, "use_causal_mask", of_block, "; attention has it, and \"transformer_decoder\" hides later steps");
    check(true, "key_padding_mask", of_heads, "; \"masking\", or \"mask_zero\" of \"embedding\", says which steps are padding");
    check(true, "add_zero_attn", of_heads, "; there is nothing like it here");
}

#define WORDS(...) (const char *const[]){__VA_ARGS__, NULL}

/* A word of another library, beside keys or names that Mica has: the one that is meant, or what is said of it. */
static void test_others(void **state)
{
    (void)state;
    const struct {
        bool key;
        const char *word, *const *words, *meant, *says;
    } cases[] = {
        {true, "num_groups", WORDS("groups", "epsilon"), "groups", NULL},
        {true, "max_lr", WORDS("max_learning_rate", "total_steps"), "max_learning_rate", NULL},
        {true, "alpha", WORDS("learning_rate", "rho", "momentum"), "rho", NULL},
        {true, "value", WORDS("threshold", "default_value"), "default_value", NULL},
        {true, "value", WORDS("type", "max_value", "axis"), "max_value", NULL},
        {true, "dim", WORDS("axis", "type"), "axis", NULL},
        {true, "dim", WORDS("axes", "normalize"), "axes", NULL},
        {true, "axis", WORDS("momentum", "epsilon"), NULL, "; it has no axis to choose"},
        {true, "normalized_shape", WORDS("axis", "epsilon"), NULL, "; \"axis\" says over which axes it works"},
        {true, "rate", WORDS("stddev", "seed"), "stddev", NULL},
        {true, "max_tokens", WORDS("num_tokens", "output_mode"), "num_tokens", NULL},
        {true, "out_features", WORDS("type", "name", "inputs"), NULL, "; the layers that have units are \"dense\""},
        {true, "scale_factor", WORDS("size", "interpolation"), "size", NULL},
        {true, "perm", WORDS("dims", "type"), "dims", NULL},
        {true, "slope", WORDS("negative_slope", "alpha"), "negative_slope", NULL},
        {true, "negative_slope", WORDS("alpha", "type"), "alpha", NULL},
        {true, "std", WORDS("mean", "stddev"), "stddev", NULL},
        {true, "lambda", WORDS("type", "l2"), "l2", NULL},
        {true, "T_max", WORDS("initial_learning_rate", "decay_steps"), "decay_steps", NULL},
        {true, "gamma", WORDS("initial_learning_rate", "decay_rate"), "decay_rate", NULL},
        {true, "lr_scheduler", WORDS("learning_rate", "momentum"), NULL, "; a rate that changes is an object: \"learning_rate\""},
        {true, "from_logits", WORDS("type", "delta"), NULL, "; it goes with losses of probabilities"},
        {false, "StepLR", WORDS("constant", "step_decay"), "step_decay", NULL},
        {false, "optim.lr_scheduler.MultiStepLR", WORDS("step_decay", "piecewise_constant_decay"), "piecewise_constant_decay", NULL},
        {false, "cosine", WORDS("cosine_decay", "one_cycle"), "cosine_decay", NULL},
        {false, "cosine", WORDS("huber", "cosine_similarity"), "cosine_similarity", NULL},
        {false, "TimeDistributed", types, NULL, "; did you mean \"time_distributed\"?"},
    };
    for (size_t i = 0; i < MI_COUNT(cases); i++)
        if (cases[i].meant)
            meant(cases[i].key, cases[i].word, cases[i].words, cases[i].meant);
        else
            check(cases[i].key, cases[i].word, cases[i].words, cases[i].says);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_recurrent),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests(tests, list_types, NULL);
}
