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

static void wrong_convolutions(void **state)
{
    (void)state;
    assert_null(mica_conv_lstm1d(NULL, 0, NULL));
    assert_null(mica_conv_lstm2d(NULL, 0, NULL));
    assert_null(mica_conv_lstm3d(NULL, 0, NULL));
    NOT_BUILT("filters must be at least 1, not 0", mica_conv_lstm1d(X(x), NULL));
    NOT_BUILT("input has shape (6, 5) per sample, needs (steps, channels, length)",
              mica_conv_lstm1d(X(x), &(mica_conv_lstm_desc){.filters = 2, .kernel_size = {3}}));
    NOT_BUILT("needs (steps, channels, height, width)", mica_conv_lstm2d(X(flat), &(mica_conv_lstm_desc){.filters = 2, .kernel_size = {3}}));
    NOT_BUILT("needs (steps, channels, depth, height, width)",
              mica_conv_lstm3d(X(x), &(mica_conv_lstm_desc){.filters = 2, .kernel_size = {3}}));
    NOT_BUILT("kernel_size must be at least 1, not 0",
              mica_conv_lstm1d(X(mica_input(built, "line", MICA_SHAPE(4, 2, 9))), &(mica_conv_lstm_desc){.filters = 2}));
    NOT_BUILT("there is no padding \"all\"", mica_conv_lstm1d(X(mica_input(built, "line", MICA_SHAPE(4, 2, 9))),
                                                             &(mica_conv_lstm_desc){.filters = 2, .kernel_size = {3}, .padding = "all"}));
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

/* ---- Cells ---- */

#define OF(...) &(mica_rnn_desc){.cells = &(mica_cell){__VA_ARGS__}, .cell_count = 1}
#define OWN(function, ...) OF(.step = (function), .states = (mica_shape[]){__VA_ARGS__}, .state_count = 1)

static mica_node *none(mica_model *model, mica_node *x, mica_node *const *states, mica_node **next, void *user)
{
    (void)model, (void)x, (void)states, (void)next, (void)user;
    return NULL;
}

/* A result, and no next state. */
static mica_node *half(mica_model *model, mica_node *x, mica_node *const *states, mica_node **next, void *user)
{
    (void)model, (void)states, (void)next, (void)user;
    return mica_activation(x, &(mica_activation_desc){.type = "relu"});
}

/* Its next state comes from outside. */
static mica_node *stands_outside(mica_model *model, mica_node *x, mica_node *const *states, mica_node **next, void *user)
{
    (void)states, (void)user;
    next[0] = mica_model_node(model, "h");
    return mica_activation(x, &(mica_activation_desc){.type = "relu"});
}

/* What no step does. */
static mica_node *puts_out(mica_model *model, mica_node *x, mica_node *const *states, mica_node **next, void *user)
{
    (void)states, (void)next, (void)user;
    return mica_output(model, "y", x);
}

static mica_node *uses_again(mica_model *model, mica_node *x, mica_node *const *states, mica_node **next, void *user)
{
    (void)next, (void)user;
    mica_dense(x, &(mica_dense_desc){.name = "d", .units = 4});
    return mica_again(model, "d", states, 1, NULL);
}

static mica_node *ends_group(mica_model *model, mica_node *x, mica_node *const *states, mica_node **next, void *user)
{
    (void)states, (void)next, (void)user;
    return mica_group_end(model, x);
}

static mica_node *compiles(mica_model *model, mica_node *x, mica_node *const *states, mica_node **next, void *user)
{
    (void)user;
    mica_plan_destroy(mica_compile(model, &(mica_plan_desc){.batch = 1, .outputs = &x, .output_count = 1}));
    api_says("mica_compile", mica_device_status(api.device), mica_device_error(api.device), MICA_INVALID_ARGUMENT,
             "a step of a recurrent layer of the model is being built");
    mica_device_clear_error(api.device);
    next[0] = states[0];
    return mica_activation(x, &(mica_activation_desc){.type = "tanh"});
}

static mica_node *penalizes(mica_model *model, mica_node *x, mica_node *const *states, mica_node **next, void *user)
{
    (void)model, (void)user;
    next[0] = states[0];
    return mica_activity_regularizer(mica_activation(x, &(mica_activation_desc){.type = "tanh"}), &(mica_regularizer){.type = "l2"});
}

static void wrong_cells(void **state)
{
    (void)state;
    const mica_shape zero[] = {MICA_SHAPE(0)};
    assert_null(mica_rnn(NULL, 0, NULL));
    NOT_BUILT("has 1 to 16 cells, not 0", mica_rnn(X(x), NULL));
    NOT_BUILT("has 1 to 16 cells, not 17", mica_rnn(X(x), &(mica_rnn_desc){.cells = &(mica_cell){.type = "x"}, .cell_count = 17}));
    NOT_BUILT("there is no cell \"lstm\"; there are \"simple_rnn_cell\", \"lstm_cell\", \"gru_cell\"", mica_rnn(X(x), OF(.type = "lstm")));
    NOT_BUILT("units must be at least 1, not 0", mica_rnn(X(x), OF(.type = "lstm_cell")));
    NOT_BUILT("a cell has neither a type nor a function", mica_rnn(X(x), OF(.type = NULL)));
    NOT_BUILT("a cell has 0 to 8 states with their shapes, not 9", mica_rnn(X(x), OF(.step = none, .states = zero, .state_count = 9)));
    NOT_BUILT("a cell has 0 to 8 states with their shapes, not 1", mica_rnn(X(x), OF(.step = none, .state_count = 1)));
    NOT_BUILT("dimension 0 of state 0 must be at least 1, not 0", mica_rnn(X(x), OF(.step = none, .states = zero, .state_count = 1)));
    NOT_BUILT("state 0 has 9 dimensions", mica_rnn(X(x), OWN(none, {.rank = 9})));
    NOT_BUILT("input has shape () per sample, needs steps", mica_rnn(X(mica_input(built, "s", (mica_shape){.rank = 0})), OWN(none, MICA_SHAPE(4))));
    NOT_BUILT("the cell gives no next state 0", mica_rnn(X(x), OWN(none, MICA_SHAPE(4))));
    NOT_BUILT("the cell gives no result", mica_rnn(X(x), OF(.step = none)));
    NOT_BUILT("the cell gives no next state 0", mica_rnn(X(x), OWN(half, MICA_SHAPE(4))));
    NOT_BUILT("next state 0 is no layer's result that follows from a step", mica_rnn(X(x), OWN(stands_outside, MICA_SHAPE(4))));
    NOT_BUILT("output \"y\": a step of a recurrent layer has none", mica_rnn(X(x), OWN(puts_out, MICA_SHAPE(4))));
    NOT_BUILT("no layer is used again", mica_rnn(X(x), OWN(uses_again, MICA_SHAPE(5))));
    NOT_BUILT("a group ends that never began",
              mica_group_begin(built, "g", X(x)) ? NULL : mica_rnn(X(x), OWN(ends_group, MICA_SHAPE(5))));
    NOT_BUILT("what a step of a recurrent layer makes is not penalized", mica_rnn(X(x), OWN(penalizes, MICA_SHAPE(5))));
    mica_model *built = mica_model_create(api.device, NULL);
    NODES(built);
    assert_non_null(mica_rnn(X(x), OWN(compiles, MICA_SHAPE(5))));
    mica_model_destroy(built);
    api_still_works(&api);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing), cmocka_unit_test(wrong), cmocka_unit_test(wrong_both),
                                       cmocka_unit_test(wrong_convolutions),
                                       cmocka_unit_test(wrong_distributed), cmocka_unit_test(wrong_cells)};
    return cmocka_run_group_tests(tests, api_open, api_close);
}
