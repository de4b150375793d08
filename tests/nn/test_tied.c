/* Rows of an embedding that are padding, and layers that use another layer's weight: what they have, and what errors say. */
#include "nn/fixture.h"
#include "nn/layer.h"

#include <math.h>
#include <string.h>

#define TABLE "\"type\": \"embedding\", \"name\": \"e\", \"input_dim\": 7, \"output_dim\": 4"
#define TIED(keys) OF("[5]", TABLE "}, {\"type\": \"dense\", \"name\": \"s\", \"tied_to\": " keys)

static void error_texts(void **state)
{
    static const struct mistake mistakes[] = {
        {OF("[5]", TABLE ", \"padding_idx\": 7"), "embedding \"e\": padding_idx is 7, there are rows 0 to 6"},
        {OF("[5]", TABLE ", \"padding_idx\": [0, -8]"), "embedding \"e\": padding_idx is -8, there are rows 0 to 6"},
        {OF("[5]", TABLE ", \"padding_idx\": 0.5"), "layers[0].padding_idx: must be a whole number"},
        {OF("[5]", TABLE ", \"padding_idx\": [0, 1, 2, 3, 4, 5, 6, 0, 1]"), "layers[0].padding_idx"},
        {TIED("\"f\", \"units\": 7"), "dense \"s\": tied_to: there is no earlier layer \"f\""},
        {TIED("\"s\", \"units\": 7"), "dense \"s\": tied_to: there is no earlier layer \"s\""},
        {TIED("\"input\", \"units\": 7"), "dense \"s\": tied_to: input \"input\" has no weight"},
        {TIED("\"e\", \"units\": 6"), "dense \"s\": tied_to: the weight of \"e\" has shape (7, 4), needs (6, 4)"},
        {TIED("\"e\", \"units\": 7, \"kernel_initializer\": \"zeros\""), "what a kernel has is said where the weight is, by \"e\""},
        {TIED("\"e\", \"units\": 7, \"kernel_regularizer\": \"l2\""), "what a kernel has is said where the weight is, by \"e\""},
        {OF("[5]", TABLE "}, {\"type\": \"time_distributed\", \"layer\": {\"type\": \"dense\", \"units\": 7, \"tied_to\": \"e\"}"),
         "tied_to: a layer within a wrapper has a weight of its own"},
        {OF("[5, 4]", "\"type\": \"rnn\", \"name\": \"r\", \"cell\": {\"states\": [], \"layers\": [{\"type\": \"dense\", \"units\": 4, \"name\": \"a\"}]}}, "
                      "{\"type\": \"dense\", \"units\": 4, \"tied_to\": \"r.a\""), "tied_to: there is no earlier layer \"r.a\""},
    };
    (void)state;
    fixture_refuses(mistakes, MI_COUNT(mistakes));
}

/* Zeros in these rows; in the others what there would be without them. */
static void first_values(void **state)
{
    (void)state;
    struct fixture *with = fixture_open(OF("[5]", TABLE ", \"padding_idx\": [-1, 2]")), *without = fixture_open(OF("[5]", TABLE));
    struct mi_variable *a = fixture_has_variable(with, "e.weight", MICA_SHAPE(7, 4));
    struct mi_variable *b = fixture_has_variable(without, "e.weight", MICA_SHAPE(7, 4));
    assert_true(mi_variable_make(a) && mi_variable_make(b));
    const float *got = a->initial, *all = b->initial;
    for (int row = 0; row < 7; row++)
        for (int i = 4 * row; i < 4 * row + 4; i++)
            assert_true(fabsf(got[i] - (row == 2 || row == 6 ? 0 : all[i])) < 1e-9f);
    fixture_close(with);
    fixture_close(without);
}

/* The weight is there once; in a group, used again, and within the cell of a recurrent layer too. */
static void variables(void **state)
{
    struct fixture *f = *state;
    mica_node *x = mica_input_integer(f->model, NULL, MICA_SHAPE(5));
    x = mica_embedding(x, &(mica_embedding_desc){.name = "e", .input_dim = 7, .output_dim = 4, .padding_idx = MICA_SHAPE(0)});
    mica_group_begin(f->model, "g", &x, 1);
    mica_dense(x, &(mica_dense_desc){.name = "e", .units = 3});
    mica_node *y = mica_group_end(f->model, mica_dense(x, &(mica_dense_desc){.units = 3, .tied_to = "e"}));
    fixture_has_shape(y, MICA_SHAPE(5, 3));
    fixture_has_variable(f, "g.dense.bias", MICA_SHAPE(3));
    mica_again(f->model, "g", &x, 1, "h");
    mica_node *s = mica_dense(x, &(mica_dense_desc){.name = "s", .units = 7, .no_bias = true, .tied_to = "e"});
    fixture_has_shape(s, MICA_SHAPE(5, 7));
    assert_int_equal(mica_model_variable_count(f->model), 1 + 3);
    mica_output(f->model, NULL, s);
    fixture_round_trip(f);
    fixture_round_trip_of(
        OF("[5]", TABLE "}, {\"type\": \"rnn\", \"cell\": {\"states\": [{\"name\": \"h\", \"shape\": [4], \"next\": \"b\"}], \"layers\": ["
           "{\"type\": \"dense\", \"units\": 4, \"name\": \"a\"}, {\"type\": \"dense\", \"units\": 4, \"name\": \"b\", \"tied_to\": \"a\"}, "
           "{\"type\": \"dense\", \"units\": 7, \"tied_to\": \"e\"}]}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_texts),
        cmocka_unit_test(first_values),
        cmocka_unit_test_setup_teardown(variables, fixture_begin, fixture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
