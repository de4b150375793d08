/* Recurrent layers before any device computes: their variables, first values, results, JSON both ways, and what errors say. */
#include "nn/fixture.h"
#include "nn/layer.h"

#include <math.h>
#include <string.h>

/* ---- Errors ---- */

#define LSTM "\"type\": \"lstm\", \"units\": 4"
#define BOTH(within) "\"type\": \"bidirectional\", \"layer\": {" within "}"

static void error_texts(void **state)
{
    static const struct mistake mistakes[] = {
        {OF("[5, 3]", "\"type\": \"lstm\""), "layers[0]: \"units\" is missing"},
        {OF("[5, 3]", "\"type\": \"gru\", \"units\": 0"), "layers[0].units: must be at least 1, not 0"},
        {OF("[3]", LSTM), "lstm \"lstm\": input has shape (3) per sample, needs (steps, features)"},
        {OF("[2, 5, 3]", LSTM), "input has shape (2, 5, 3) per sample, needs (steps, features)"},
        {OF("[5, 3]", LSTM "}, {\"type\": \"gru\", \"units\": 2"), "gru \"gru\": input has shape (4) per sample"},
        {OF("[5, 3]", LSTM ", \"dropout\": 1"), "layers[0].dropout: must be at least 0 and below 1, not 1"},
        {OF("[5, 3]", LSTM ", \"recurrent_dropout\": -0.5"), "layers[0].recurrent_dropout: must be at least 0 and below 1"},
        {OF("[5, 3]", LSTM ", \"activation\": \"tnah\""), "there is no activation \"tnah\"; did you mean \"tanh\"?"},
        {OF("[5, 3]", LSTM ", \"recurrent_activation\": \"sigmod\""), "no activation \"sigmod\"; did you mean \"sigmoid\"?"},
        {OF("[5, 3]", LSTM ", \"activation\": \"glu\""), "lstm \"lstm\": activation \"glu\" makes (2) of (4)"},
        {OF("[5, 3]", "\"type\": \"simple_rnn\", \"units\": 4, \"recurrent_activation\": \"tanh\""),
         "there is no key \"recurrent_activation\"; \"lstm\" and \"gru\" have gates"},
        {OF("[5, 3]", LSTM ", \"reset_after\": true"), "there is no key \"reset_after\"; \"gru\" has it"},
        {OF("[4, 4]", LSTM ", \"inputs\": [\"input\", \"input\"]"), "takes a sequence, and 2 states to begin with or none, not 1"},
        {OF("[4, 4]", LSTM ", \"inputs\": [\"input\", \"input\", \"input\"]"), "input 1, a state to begin with, is float32 of shape (4, 4)"},
        {OF("[5, 3]", LSTM ", \"name\": \"a\"}, {\"type\": \"relu\", \"inputs\": [\"a:1\"]"), "\"a\" has no result 1"},
        {OF("[5, 3]", LSTM ", \"name\": \"a\", \"return_state\": true}, {\"type\": \"relu\", \"inputs\": [\"a:3\"]"), "\"a\" has no result 3"},
        {OF("[5, 3]", "\"type\": \"bidirectional\", \"units\": 4"), "\"layer\", the layer that bidirectional is around, is missing"},
        {OF("[5, 3]", BOTH("\"type\": \"dense\", \"units\": 4")), "bidirectional \"bidirectional\": dense is no recurrent layer"},
        {OF("[5, 3]", BOTH(LSTM) ", \"merge_mode\": \"add\""), "there is no merge_mode \"add\"; there are \"concat\", "},
        {OF("[5, 3]", BOTH(LSTM ", \"name\": \"a\"")), "layers[0].layer.name: it stands beside \"layer\""},
        {OF("[5, 3]", BOTH(BOTH(LSTM))), "a wrapper has no bidirectional within"},
        {OF("[5, 3]", "\"type\": \"spectral_normalization\", \"layer\": {" LSTM "}"), "lstm has no parameter \"weight\""},
        {OF("[5, 3]", LSTM ", \"name\": \"a\", \"return_sequences\": true}, {\"layer\": \"a\""), "\"a\" has (16, 3)"},
    };
    (void)state;
    fixture_refuses(mistakes, MI_COUNT(mistakes));
}

#define CONV "\"type\": \"conv_lstm2d\", \"filters\": 4, \"kernel_size\": 3"

static void convolutions_refused(void **state)
{
    static const struct mistake mistakes[] = {
        {OF("[5, 2, 6, 7]", "\"type\": \"conv_lstm2d\", \"filters\": 4"), "layers[0]: \"kernel_size\" is missing"},
        {OF("[5, 2, 6, 7]", "\"type\": \"conv_lstm2d\", \"kernel_size\": 3"), "layers[0]: \"filters\" is missing"},
        {OF("[2, 6, 7]", CONV), "conv_lstm2d \"conv_lstm2d\": input has shape (2, 6, 7) per sample, needs (steps, channels, height, width)"},
        {OF("[5, 3]", "\"type\": \"conv_lstm1d\", \"filters\": 4, \"kernel_size\": 3"), "needs (steps, channels, length)"},
        {OF("[5, 3]", "\"type\": \"conv_lstm3d\", \"filters\": 4, \"kernel_size\": 3"), "needs (steps, channels, depth, height, width)"},
        {OF("[5, 2, 2, 7]", CONV), "a window of 3 does not fit into an input of 2"},
        {OF("[5, 2, 6, 7]", CONV ", \"units\": 3"), "there is no key \"units\""},
        {OF("[5, 2, 6, 7]", CONV ", \"groups\": 2"), "there is no key \"groups\""},
        {OF("[5, 2, 6, 7]", CONV ", \"dropout\": 1"), "layers[0].dropout: must be at least 0 and below 1"},
        {OF("[5, 2, 6, 7]", CONV ", \"activation\": \"glu\""), "activation \"glu\" makes (2, 4, 5) of (4, 4, 5)"},
        {OF("[5, 4, 4, 4]", CONV ", \"inputs\": [\"input\", \"input\"]"), "takes a sequence, and 2 states to begin with or none, not 1"},
        {OF("[5, 4, 4, 4]", CONV ", \"inputs\": [\"input\", \"input\", \"input\"]"),
         "input 1, a state to begin with, is float32 of shape (5, 4, 4, 4) per sample, needs float32 (4, 2, 2)"},
        {OF("[5, 3]", BOTH(CONV)), "conv_lstm2d \"bidirectional\": input has shape (5, 3) per sample, needs (steps, channels, height"},
    };
    (void)state;
    fixture_refuses(mistakes, MI_COUNT(mistakes));
}

/* ---- Variables and results ---- */

static void has_parameters(struct fixture *f, const char *layer, int gates, int64_t features, const char *suffix)
{
    static const char *const names[] = {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"};
    const mica_shape shapes[] = {MICA_SHAPE(gates * 4, features), MICA_SHAPE(gates * 4, 4), MICA_SHAPE(gates * 4), MICA_SHAPE(gates * 4)};
    for (int i = 0; i < 4; i++) {
        char name[64];
        mi_format(name, sizeof name, "%s.%s%s", layer, names[i], suffix);
        assert_int_equal(fixture_has_variable(f, name, shapes[i])->role, MI_PARAMETER);
    }
}

static void variables(void **state)
{
    struct fixture *f = *state;
    const mica_recurrent_desc all = {.units = 4, .return_sequences = true}, last = {.units = 4};
    mica_node *x = mica_input(f->model, NULL, MICA_SHAPE(5, 3));
    x = mica_simple_rnn(&x, 1, &all);
    has_parameters(f, "simple_rnn", 1, 3, "");
    x = mica_lstm(&x, 1, &all);
    has_parameters(f, "lstm", 4, 4, "");
    x = mica_bidirectional(&x, 1, &(mica_bidirectional_desc){.name = "b", .layer = "lstm", .desc = &all});
    has_parameters(f, "b", 4, 4, "");
    has_parameters(f, "b", 4, 4, "_reverse");
    fixture_has_shape(x, MICA_SHAPE(5, 8));
    x = mica_gru(&x, 1, &last);
    has_parameters(f, "gru", 3, 8, "");
    fixture_has_shape(x, MICA_SHAPE(4));
    assert_int_equal(mica_model_variable_count(f->model), 5 * 4);
}

static void results(void **state)
{
    struct fixture *f = *state;
    const mica_recurrent_desc desc = {.name = "r", .units = 4, .return_state = true, .return_sequences = true};
    mica_node *x = mica_input(f->model, NULL, MICA_SHAPE(5, 3));
    mica_node *y = mica_lstm(&x, 1, &desc);
    fixture_has_shape(y, MICA_SHAPE(5, 4));
    fixture_has_shape(mica_model_node(f->model, "r:1"), MICA_SHAPE(4));
    fixture_has_shape(mica_model_node(f->model, "r:2"), MICA_SHAPE(4));
    mica_node *begun[] = {y, mica_model_node(f->model, "r:1")};
    fixture_has_shape(mica_gru(begun, 2, &(mica_recurrent_desc){.units = 4}), MICA_SHAPE(4));
    mica_bidirectional(&x, 1, &(mica_bidirectional_desc){.name = "b", .layer = "lstm", .desc = &desc, .merge_mode = "mul"});
    fixture_has_shape(mica_model_node(f->model, "b"), MICA_SHAPE(5, 4));
    fixture_has_shape(mica_model_node(f->model, "b:4"), MICA_SHAPE(4));
    assert_int_equal(mica_model_status(f->model), MICA_OK);
    assert_null(mica_model_node(f->model, "b:5"));
}

/* ---- First values ---- */

static const float *first_values(struct fixture *f, const char *name)
{
    struct mi_variable *variable = mi_variable_find(&f->model->variables, name);
    assert_true(variable && mi_variable_make(variable));
    return variable->initial;
}

/* The forget gate is the second of four; a bias that has an initializer of its own is what that says. */
static void forget_bias(void **state)
{
    static const struct {
        const char *keys;
        float input, forget;
    } rows[] = {
        {"", 0, 1}, {", \"unit_forget_bias\": true", 0, 1}, {", \"unit_forget_bias\": false", 0, 0},
        {", \"bias_initializer\": {\"type\": \"constant\", \"value\": 0.5}", 0.5f, 0.5f},
        {", \"bias_initializer\": \"zeros\", \"unit_forget_bias\": true", 0, 0},
    };
    (void)state;
    for (size_t r = 0; r < MI_COUNT(rows); r++) {
        char json[256];
        mi_format(json, sizeof json, "{\"input_shape\": [5, 3], \"layers\": [{\"name\": \"r\", " LSTM "%s}]}", rows[r].keys);
        struct fixture *f = fixture_open(json);
        const float *in = first_values(f, "r.bias_ih_l0"), *state_bias = first_values(f, "r.bias_hh_l0");
        for (int i = 0; i < 16; i++) {
            float wanted = i / 4 == 1 ? rows[r].forget : rows[r].input;
            assert_memory_equal(&in[i], &wanted, sizeof wanted);
            assert_memory_equal(&state_bias[i], &rows[r].input, sizeof wanted);
        }
        fixture_close(f);
    }
}

/* Rows of the recurrent weight of one gate are orthonormal, as there are as many rows as columns. */
static void first_weights(void **state)
{
    (void)state;
    struct fixture *f = fixture_open(OF("[5, 3]", "\"name\": \"r\", \"type\": \"simple_rnn\", \"units\": 4"));
    const float *w = first_values(f, "r.weight_hh_l0");
    for (int a = 0; a < 4; a++)
        for (int b = 0; b < 4; b++) {
            double product = 0;
            for (int k = 0; k < 4; k++)
                product += (double)w[4 * a + k] * (double)w[4 * b + k];
            assert_true(product - (a == b) < 1e-6 && product - (a == b) > -1e-6);
        }
    fixture_close(f);
}

/* Penalties and constraints are on each way's parameters; a layer that is used again has them once. */
static void attached(void **state)
{
    (void)state;
    const char *keys = ", \"recurrent_regularizer\": \"l2\", \"kernel_constraint\": \"max_norm\", \"bias_regularizer\": \"l1\"";
    char json[512];
    mi_format(json, sizeof json, "{\"input_shape\": [5, 4], \"layers\": [{\"name\": \"r\", \"return_sequences\": true, " LSTM "%s}, "
                                 "{\"layer\": \"r\"}, {" BOTH(LSTM "%s") "}]}", keys, keys);
    struct fixture *f = fixture_open(json);
    assert_int_equal(f->model->penalty_count, 3 * 3);
    assert_int_equal(f->model->constraint_count, 3);
    assert_int_equal(mica_model_variable_count(f->model), 3 * 4);
    fixture_close(f);
}

/* ---- Convolutions ---- */

/* One bias, whose second part, that of the forget gate, begins with ones. */
static void convolutions(void **state)
{
    struct fixture *f = *state;
    const mica_conv_lstm_desc desc = {.name = "r", .filters = 4, .kernel_size = {3, 2}, .padding = "same", .strides = {2}, .dropout = 0.25f,
                                      .return_sequences = true, .return_state = true};
    mica_node *x = mica_input(f->model, NULL, MICA_SHAPE(5, 2, 6, 7));
    mica_node *y = mica_conv_lstm2d(&x, 1, &desc);
    fixture_has_shape(y, MICA_SHAPE(5, 4, 3, 4));
    fixture_has_shape(mica_model_node(f->model, "r:2"), MICA_SHAPE(4, 3, 4));
    fixture_has_variable(f, "r.weight_ih_l0", MICA_SHAPE(16, 2, 3, 2));
    fixture_has_variable(f, "r.weight_hh_l0", MICA_SHAPE(16, 4, 3, 2));
    struct mi_variable *bias = fixture_has_variable(f, "r.bias_ih_l0", MICA_SHAPE(16));
    assert_int_equal(mica_model_variable_count(f->model), 3);
    const float *first = first_values(f, bias->name);
    for (int i = 0; i < 16; i++)
        assert_true(fabsf(first[i] - (i / 4 == 1 ? 1.0f : 0.0f)) < 1e-9f);
    mica_bidirectional(&y, 1, &(mica_bidirectional_desc){.layer = "conv_lstm2d", .desc = &(mica_conv_lstm_desc){
        .filters = 3, .kernel_size = {2}, .no_unit_forget_bias = true}});
    fixture_has_shape(mica_model_node(f->model, "bidirectional"), MICA_SHAPE(6, 2, 3));
    x = mica_input(f->model, "lines", MICA_SHAPE(5, 2, 9));
    fixture_has_shape(mica_conv_lstm1d(&x, 1, &(mica_conv_lstm_desc){.filters = 2, .kernel_size = {3}}), MICA_SHAPE(2, 7));
    x = mica_input(f->model, "volumes", MICA_SHAPE(5, 2, 4, 4, 5));
    y = mica_conv_lstm3d(&x, 1, &(mica_conv_lstm_desc){.filters = 2, .kernel_size = {2}, .return_sequences = true});
    fixture_has_shape(y, MICA_SHAPE(5, 2, 3, 3, 4));
    mica_output(f->model, NULL, y);
    fixture_round_trip(f);
}

/* ---- A description read again describes the same ---- */

static void round_trip(void **state)
{
    struct fixture *f = *state, *read = fixture_open(
        OF("[5, 4]", "\"name\": \"a\", \"return_sequences\": true, \"dropout\": 0.25, \"recurrent_dropout\": 0.5, \"seed\": 7, " LSTM
                     ", \"unit_forget_bias\": false}, {\"layer\": \"a\"}, {\"type\": \"gru\", \"name\": \"g\", \"units\": 4, \"reset_after\": "
                     "false, \"go_backwards\": true, \"return_sequences\": true, \"return_state\": true}, {\"merge_mode\": \"ave\", "
                     "\"inputs\": [\"a\", \"g:1\", \"g:1\"], \"activity_regularizer\": \"l2\", "
                     BOTH("\"type\": \"simple_rnn\", \"units\": 4, \"use_bias\": false, \"activation\": \"relu\"")));
    fixture_round_trip(read);
    fixture_close(read);
    mica_node *x = mica_input(f->model, NULL, MICA_SHAPE(5, 3));
    x = mica_bidirectional(&x, 1, &(mica_bidirectional_desc){.layer = "lstm", .desc = &(mica_recurrent_desc){
        .units = 4, .return_sequences = true, .recurrent.regularizer = {.type = "l2"}, .recurrent_dropout = 0.5f}});
    mica_output(f->model, NULL, mica_gru(&x, 1, &(mica_recurrent_desc){.units = 2, .no_bias = true, .reset_before = true}));
    fixture_round_trip(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_texts),
        cmocka_unit_test(convolutions_refused),
        cmocka_unit_test_setup_teardown(convolutions, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(variables, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(results, fixture_begin, fixture_end),
        cmocka_unit_test(forget_bias),
        cmocka_unit_test(first_weights),
        cmocka_unit_test(attached),
        cmocka_unit_test_setup_teardown(round_trip, fixture_begin, fixture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
