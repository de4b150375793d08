/* Recurrent layers with arguments that are wrong. */
#include "api.h"

#define NODES(built)                                                                                                   \
    mica_node *x = mica_input(built, NULL, MICA_SHAPE(6, 5)), *h = mica_input(built, "h", MICA_SHAPE(4)),              \
              *flat = mica_input(built, "flat", MICA_SHAPE(3));                                                        \
    (void)x, (void)h, (void)flat
#define X(...) (mica_node *const[]){__VA_ARGS__}, sizeof((mica_node *const[]){__VA_ARGS__}) / sizeof(mica_node *)
#define RNN(...) &(mica_recurrent_desc){__VA_ARGS__}
#define BOTH(...) &(mica_bidirectional_desc){__VA_ARGS__}

static void nothing(void **state)
{
    (void)state;
    assert_null(mica_simple_rnn(NULL, 0, NULL));
    assert_null(mica_lstm(NULL, 1, NULL));
    assert_null(mica_gru((mica_node *const[]){NULL}, 1, NULL));
    assert_null(mica_bidirectional(NULL, 0, NULL));
}

static void wrong(void **state)
{
    (void)state;
    NOT_BUILT("units must be at least 1, not 0", mica_lstm(X(x), NULL));
    NOT_BUILT("units must be at least 1, not -4", mica_gru(X(x), RNN(.units = -4)));
    NOT_BUILT("which is too large: at most 1073741824", mica_simple_rnn(X(x), RNN(.units = INT64_MAX)));
    NOT_BUILT("input has shape (3) per sample, needs (steps, features)", mica_lstm(X(flat), RNN(.units = 4)));
    NOT_BUILT("dropout must be at least 0 and below 1, not 1", mica_gru(X(x), RNN(.units = 4, .dropout = 1)));
    NOT_BUILT("recurrent_dropout must be at least 0 and below 1, not -0.5",
              mica_simple_rnn(X(x), RNN(.units = 4, .recurrent_dropout = -0.5f)));
    NOT_BUILT("there is no activation \"tan\"; did you mean \"tanh\"?", mica_simple_rnn(X(x), RNN(.units = 4, .activation = "tan")));
    NOT_BUILT("there is no activation \"\"", mica_gru(X(x), RNN(.units = 4, .recurrent_activation = "")));
    NOT_BUILT("takes a sequence, and 2 states to begin with or none, not 1", mica_lstm(X(x, h), RNN(.units = 4)));
    NOT_BUILT("input 1, a state to begin with, is float32 of shape (3) per sample, needs float32 (4)",
              mica_gru(X(x, flat), RNN(.units = 4)));
    NOT_BUILT("input 2, a state to begin with, is float32 of shape (6, 5) per sample, needs float32 (4)",
              mica_lstm(X(x, h, x), RNN(.units = 4)));
    NOT_BUILT("takes at most 3 inputs, not 4", mica_lstm(X(x, h, h, h), RNN(.units = 4)));
    NOT_BUILT("takes at most 2 inputs, not 3", mica_simple_rnn(X(x, h, h), RNN(.units = 4)));
}

static void wrong_both(void **state)
{
    (void)state;
    const mica_recurrent_desc fine = {.units = 4}, none = {.units = 0};
    const mica_dense_desc dense = {.units = 4};
    NOT_BUILT("bidirectional: layer, the type of the layer within, is NULL", mica_bidirectional(X(x), NULL));
    NOT_BUILT("there is no layer type \"LSTM\"; did you mean \"lstm\"?", mica_bidirectional(X(x), BOTH(.layer = "LSTM", .desc = &fine)));
    NOT_BUILT("dense is no recurrent layer", mica_bidirectional(X(x), BOTH(.layer = "dense", .desc = &dense)));
    NOT_BUILT("units must be at least 1, not 0", mica_bidirectional(X(x), BOTH(.layer = "gru", .desc = &none)));
    NOT_BUILT("units must be at least 1, not 0", mica_bidirectional(X(x), BOTH(.layer = "lstm")));
    NOT_BUILT("there is no merge_mode \"add\"; there are \"concat\", \"sum\", \"mul\", \"ave\"",
              mica_bidirectional(X(x), BOTH(.layer = "gru", .desc = &fine, .merge_mode = "add")));
    NOT_BUILT("takes a sequence, and 4 states to begin with or none, not 2",
              mica_bidirectional(X(x, h, h), BOTH(.layer = "lstm", .desc = &fine)));
    NOT_BUILT("input has shape (3) per sample, needs (steps, features)",
              mica_bidirectional(X(flat), BOTH(.layer = "simple_rnn", .desc = &fine)));
}

static void wrong_distributed(void **state)
{
    (void)state;
    const mica_conv_desc conv = {.filters = 2, .kernel_size = {3}};
    const mica_recurrent_desc states = {.units = 4, .return_state = true};
    assert_null(mica_time_distributed(NULL, NULL));
    NOT_BUILT("time_distributed: layer, the type of the layer within, is NULL", mica_time_distributed(x, NULL));
    NOT_BUILT("input has shape (3) per sample, needs steps and what one has",
              mica_time_distributed(flat, &(mica_time_distributed_desc){.layer = "flatten"}));
    NOT_BUILT("conv2d", mica_time_distributed(x, &(mica_time_distributed_desc){.layer = "conv2d", .desc = &conv}));
    NOT_BUILT("lstm", mica_time_distributed(x, &(mica_time_distributed_desc){.layer = "lstm", .desc = &states}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing), cmocka_unit_test(wrong), cmocka_unit_test(wrong_both),
                                       cmocka_unit_test(wrong_distributed)};
    return cmocka_run_group_tests(tests, api_open, api_close);
}
