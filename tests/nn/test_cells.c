/* Layers of cells: their variables and results, cells of the user's own from JSON and from C, and what errors say. */
#include "nn/fixture.h"
#include "nn/layer.h"

#include <string.h>

#define RNN(cell) "\"type\": \"rnn\", \"name\": \"r\", \"cell\": " cell
#define GRU "{\"type\": \"gru_cell\", \"units\": 4}"
#define OWN(states, layers) "{\"states\": [" states "], \"layers\": [{" layers "}]}"
#define H "{\"name\": \"h\", \"shape\": [4], \"next\": \"new\"}"
#define NEW "\"type\": \"dense\", \"units\": 4, \"name\": \"new\", \"inputs\": [\"h\"]"

/* ---- Errors ---- */

static void error_texts(void **state)
{
    static const struct mistake mistakes[] = {
        {OF("[5, 3]", "\"type\": \"rnn\""), "layers[0]: \"cell\" is missing"},
        {OF("[5, 3]", RNN("[]")), "layers[0].cell: must be a list of 1 to 16 objects"},
        {OF("[5, 3]", RNN("4")), "layers[0].cell: a cell is an object with a \"type\", or with \"states\" and \"layers\""},
        {OF("[5, 3]", RNN("[" GRU ", {\"type\": \"grucell\"}]")), "layers[0].cell[1]: there is no cell \"grucell\"; did you mean \"gru_cell\"?"},
        {OF("[5, 3]", RNN("{\"type\": \"lstm\", \"units\": 4}")), "there is no cell \"lstm\"; did you mean \"lstm_cell\"?"},
        {OF("[5, 3]", RNN("{\"type\": \"lstm_cell\"}")), "layers[0].cell: \"units\" is missing"},
        {OF("[5, 3]", RNN("{\"type\": \"lstm_cell\", \"units\": 4, \"return_state\": true}")), "layers[0].cell: there is no key \"return_state\""},
        {OF("[5, 3]", RNN(GRU) ", \"units\": 4"), "layers[0]: there is no key \"units\""},
        {OF("[3]", RNN(GRU)), "rnn \"r\": input has shape (3) per sample, needs (steps, features)"},
        {OF("[4, 4]", RNN("[" GRU ", " GRU "]") ", \"inputs\": [\"input\", \"input\"]"), "takes a sequence, and 2 states to begin with or none, not 1"},
        {OF("[5, 3]", "\"type\": \"lstm\", \"units\": 4, \"cell\": " GRU), "there is no key \"cell\"; the cell is the layer's type"},
        {OF("[5, 3]", RNN(OWN(H, NEW) ", \"more\": 1")), "layers[0]: there is no key \"more\""},
        {OF("[5, 3]", RNN("{\"layers\": []}")), "layers[0].cell: \"states\" is missing"},
        {OF("[5, 3]", RNN("{\"states\": [], \"layers\": []}")), "layers[0].cell.layers: must be a list of 1 to 1000 objects"},
        {OF("[5, 3]", RNN("{\"states\": 3, \"layers\": [{" NEW "}]}")), "layers[0].cell.states: must be a list of 0 to 8 objects"},
        {OF("[5, 3]", RNN(OWN("{\"name\": \"h\", \"next\": \"new\"}", NEW))), "layers[0].cell.states[0]: \"shape\" is missing"},
        {OF("[5, 3]", RNN(OWN(H, "\"type\": \"desne\""))), "layers[0].cell.layers[0]: there is no layer type \"desne\"; did you mean \"dense\"?"},
        {OF("[5, 3]", RNN(OWN(H, "\"type\": \"dense\""))), "layers[0].cell.layers[0]: \"units\" is missing"},
        {OF("[5, 3]", RNN(OWN(H, NEW ", \"activity_regularizer\": \"l2\""))), "layers[0].cell.layers[0].activity_regularizer: what a step makes is not"},
        {OF("[5, 3]", RNN(OWN(H, "\"type\": \"add\""))), "layers[0].cell.layers[0]: add joins layers: \"inputs\" is missing"},
        {OF("[5, 3]", RNN(OWN(H, "\"type\": \"relu\", \"inputs\": [\"g\"]"))), "layers[0]: cell: inputs: there is no earlier layer \"g\""},
        {OF("[5, 3]", RNN(OWN(H, "\"type\": \"relu\", \"name\": \"other\""))), "layers[0]: cell: next: there is no earlier layer \"new\""},
        {OF("[5, 3]", RNN(OWN("{\"name\": \"x\", \"shape\": [4], \"next\": \"new\"}", NEW))), "rnn \"r\": cell: there is a layer or a state \"r.x\" already"},
        {OF("[5, 3]", RNN(OWN(H ", " H, NEW))), "rnn \"r\": cell: there is a layer or a state \"r.h\" already"},
        {OF("[5, 3]", RNN(OWN(H, "\"type\": \"relu\", \"name\": \"x\""))), "relu \"r.x\": there is a layer of that name already"},
        {OF("[5, 3]", RNN(OWN(H, NEW "}, {\"type\": \"dense\", \"units\": 4, \"name\": \"new\""))), "dense \"r.new\": there is a layer of that name already"},
        {OF("[5, 3]", RNN(OWN(H, "\"type\": \"dense\", \"units\": 3, \"name\": \"new\""))),
         "rnn \"r\": the cell's next state 0 is float32 of shape (3) per sample, needs float32 (4)"},
        {OF("[5, 4]", RNN(OWN(H, "\"type\": \"variable\", \"shape\": [4], \"name\": \"new\""))),
         "rnn \"r\": the cell's next state 0 is no layer's result that follows from a step"},
        {OF("[5, 4]", RNN(OWN(H, NEW "}, {\"type\": \"permute\", \"dims\": [1], \"inputs\": [\"input\"]"))), "permute \"r.permute\""},
        /* What cannot be within. */
        {OF("[5, 3]", RNN(OWN(H, NEW "}, {\"type\": \"batch_normalization\""))),
         "batch_normalization \"r.batch_normalization\": its running_mean would change in each step of the recurrent layer around it"},
        {OF("[5, 3]", RNN(OWN(H, NEW "}, {\"type\": \"spectral_normalization\", \"layer\": {\"type\": \"dense\", \"units\": 2}"))), "would change in each step"},
        {OF("[5, 3]", RNN(OWN(H, NEW "}, {\"type\": \"normalization\""))), "would change in each step of the recurrent layer around it"},
        {OF("[5, 3]", RNN(OWN(H, NEW "}, {\"type\": \"embedding\", \"input_dim\": 2, \"output_dim\": 2"))), "it checks numbers that layers compute"},
        {OF("[5, 3]", RNN(OWN(H, NEW "}, {\"type\": \"input\", \"shape\": [2]"))), "input \"r.input\": a step of a recurrent layer has no inputs"},
        {OF("[5, 3]", RNN(GRU) "}, {\"type\": \"relu\", \"inputs\": [\"r.x\"]"), "there is no earlier layer \"r.x\""},
        {OF("[5, 3]", RNN(OWN(H, NEW)) "}, {\"type\": \"relu\", \"inputs\": [\"r.new\"]"), "there is no earlier layer \"r.new\""},
        {OF("[5, 3]", RNN(OWN(H, NEW)) "}, {\"layer\": \"r.new\""), "there is no layer \"r.new\" to use again"},
        {OF("[5, 3]", RNN(OWN(H, NEW)) "}, {\"type\": \"dense\", \"units\": 4, \"name\": \"r.new\""), "two variables have the name \"r.new.weight\""},
        {OF("[5, 4]", RNN(OWN("{\"name\": \"h\", \"shape\": [4], \"next\": \"h\"}", NEW)) ", \"inputs\": [\"input\", \"input\"]"), "needs float32 (4)"},
    };
    (void)state;
    fixture_refuses(mistakes, MI_COUNT(mistakes));
}

/* ---- Variables and results ---- */

static void stacked(void **state)
{
    struct fixture *f = *state;
    const mica_recurrent_desc two = {.units = 2}, four = {.units = 4};
    const mica_cell cells[] = {{.type = "lstm_cell", .desc = &two}, {.type = "gru_cell", .desc = &four}};
    mica_node *x = mica_input(f->model, NULL, MICA_SHAPE(5, 3));
    mica_node *y = mica_rnn(&x, 1, &(mica_rnn_desc){.name = "r", .cells = cells, .cell_count = 2, .return_state = true});
    fixture_has_shape(y, MICA_SHAPE(4));
    fixture_has_shape(mica_model_node(f->model, "r:2"), MICA_SHAPE(2));
    fixture_has_shape(mica_model_node(f->model, "r:3"), MICA_SHAPE(4));
    fixture_has_variable(f, "r.weight_ih_l0", MICA_SHAPE(8, 3));
    fixture_has_variable(f, "r.weight_ih_l1", MICA_SHAPE(12, 2));
    fixture_has_variable(f, "r.bias_hh_l1", MICA_SHAPE(12));
    assert_int_equal(mica_model_variable_count(f->model), 8);
    mica_bidirectional(&x, 1, &(mica_bidirectional_desc){.name = "b", .layer = "rnn", .desc = &(mica_rnn_desc){
        .cells = cells, .cell_count = 2, .return_sequences = true}});
    fixture_has_variable(f, "b.weight_hh_l1_reverse", MICA_SHAPE(12, 4));
    fixture_has_shape(mica_model_node(f->model, "b"), MICA_SHAPE(5, 8));
    assert_int_equal(mica_model_status(f->model), MICA_OK);
    fixture_round_trip(f);
}

/* So many states that their numbers have two digits. */
static void many(void **state)
{
    struct fixture *f = *state;
    const mica_recurrent_desc desc = {.units = 2};
    mica_cell cells[16];
    for (int i = 0; i < 16; i++)
        cells[i] = (mica_cell){.type = "lstm_cell", .desc = &desc};
    mica_node *x = mica_input(f->model, NULL, MICA_SHAPE(5, 3));
    mica_rnn(&x, 1, &(mica_rnn_desc){.name = "r", .cells = cells, .cell_count = 16, .return_state = true});
    mica_node *last = mica_model_node(f->model, "r:32");
    fixture_has_shape(last, MICA_SHAPE(2));
    mica_output(f->model, NULL, mica_activation(last, &(mica_activation_desc){.name = "y", .type = "relu"}));
    fixture_round_trip(f);
    assert_null(mica_model_node(f->model, "r:33"));
}

/* ---- A cell in C ---- */

struct asked {
    mica_node *outside;
    int calls;
};

/* h' = tanh(W x + U h + what stands outside), with a group within and names that are found by themselves. */
static mica_node *step(mica_model *model, mica_node *x, mica_node *const *states, mica_node **next, void *user)
{
    struct asked *asked = user;
    mica_node *in = mica_dense(x, &(mica_dense_desc){.units = 4});
    mica_group_begin(model, "inner", &states[0], 1);
    mica_node *of_h = mica_group_end(model, mica_dense(states[0], &(mica_dense_desc){.units = 4, .no_bias = true}));
    mica_node *sum = mica_add((mica_node *const[]){in, of_h, asked->outside}, 3, NULL);
    asked->calls++;
    next[0] = mica_activation(sum, &(mica_activation_desc){.type = "tanh"});
    next[1] = mica_map((mica_node *const[]){states[1], x}, 2, &(mica_map_desc){.expression = "a + b"});
    return mica_dense(next[0], &(mica_dense_desc){.units = 2});
}

static mica_node *run(mica_model *model, const char *name, bool both, struct asked *asked)
{
    const mica_shape states[] = {MICA_SHAPE(4), MICA_SHAPE(3)};
    const mica_cell cell = {.step = step, .user = asked, .states = states, .state_count = 2};
    const mica_rnn_desc desc = {.name = name, .cells = &cell, .cell_count = 1, .return_sequences = true, .return_state = !both};
    mica_node *x = mica_model_node(model, "input");
    asked->outside = mica_model_node(model, "outside");
    return both ? mica_bidirectional(&x, 1, &(mica_bidirectional_desc){.name = name, .layer = "rnn", .desc = &desc})
                : mica_rnn(&x, 1, &desc);
}

static void own(void **state)
{
    struct fixture *f = *state;
    struct asked asked = {0};
    mica_node *x = mica_input(f->model, NULL, MICA_SHAPE(5, 3));
    mica_dense(mica_flatten(x, NULL), &(mica_dense_desc){.name = "outside", .units = 4});
    fixture_has_shape(run(f->model, "r", false, &asked), MICA_SHAPE(5, 2));
    fixture_has_shape(mica_model_node(f->model, "r:1"), MICA_SHAPE(4));
    fixture_has_shape(mica_model_node(f->model, "r:2"), MICA_SHAPE(3));
    assert_int_equal(asked.calls, 1);
    mica_node *b = run(f->model, "b", true, &asked);
    if (!b)
        fail_msg("%s", mica_model_error(f->model));
    fixture_has_shape(b, MICA_SHAPE(5, 4));
    assert_int_equal(asked.calls, 3);
    fixture_has_variable(f, "r.dense.weight", MICA_SHAPE(4, 3));
    fixture_has_variable(f, "r.inner.dense.weight", MICA_SHAPE(4, 4));
    fixture_has_variable(f, "r.dense_1.bias", MICA_SHAPE(2));
    fixture_has_variable(f, "b.dense_1.bias_reverse", MICA_SHAPE(2));
    mica_output(f->model, NULL, mica_again(f->model, "r", &x, 1, "again"));
    assert_int_equal(asked.calls, 3); /* a layer is used again by its description */
    if (mica_model_status(f->model) != MICA_OK)
        fail_msg("%s", mica_model_error(f->model));
    assert_int_equal(mica_model_variable_count(f->model), 2 + 3 * 5);
    fixture_round_trip(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_texts),
        cmocka_unit_test_setup_teardown(stacked, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(many, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(own, fixture_begin, fixture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
