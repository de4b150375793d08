/* Losses before any device computes: their keys in a layer's description and in C, and what errors say. */
#include "nn/fixture.h"
#include "nn/loss/loss.h"
#include "nn/objective.h"

#include <string.h>

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\", not \"%s\"", text, part);
}

#define PAIR(loss) OF("[4]", "\"type\": \"relu\", \"name\": \"y\"}, {" loss ", \"inputs\": [\"y\", \"input\"]")

static void layers_refuse(void **state)
{
    static const struct mistake mistakes[] = {
        {PAIR("\"type\": \"hubert\""), "there is no layer type \"hubert\"; did you mean \"huber\"?"},
        {PAIR("\"type\": \"huber\", \"dleta\": 1"), "layers[1]: there is no key \"dleta\"; did you mean \"delta\"?"},
        {PAIR("\"type\": \"huber\", \"delta\": \"one\""), "layers[1].delta: must be a number, not the text \"one\""},
        {PAIR("\"type\": \"huber\", \"delta\": 1, \"delta\": 2"), "layers[1].delta: is given twice"},
        {PAIR("\"type\": \"huber\", \"delta\": 0"), "huber \"huber\": loss huber: delta: must be above 0, not 0"},
        {PAIR("\"type\": \"huber\", \"from_logits\": true"), "layers[1]: there is no key \"from_logits\"; it goes with losses of probabilities"},
        {PAIR("\"type\": \"binary_crossentropy\", \"label_smoothing\": 2"), "label_smoothing: must be from 0 to 1, not 2"},
        {PAIR("\"type\": \"binary_focal_crossentropy\", \"apply_class_balancing\": 1"),
         "layers[1].apply_class_balancing: must be true or false"},
        {PAIR("\"type\": \"sparse_categorical_crossentropy\", \"ignore_class\": 0.5"),
         "layers[1].ignore_class: must be a whole number, not 0.5"},
        {PAIR("\"type\": \"sparse_categorical_crossentropy\""), "the target is float32, it must be whole numbers"},
        {OF("[4]", "\"type\": \"hinge\""), "layers[0]: hinge joins layers: \"inputs\" is missing"},
        {OF("[4]", "\"type\": \"triplet_margin\", \"inputs\": [\"input\", \"input\"]"), "triplet_margin: takes 3 inputs, not 2"},
        {OF("[4]", "\"type\": \"triplet_margin\", \"p\": 0.5, \"inputs\": [\"input\", \"input\", \"input\"]"),
         "triplet_margin \"triplet_margin\": p: must be at least 1, not 0.5"},
        {OF("[4]", "\"type\": \"dense\", \"units\": 3}, {\"type\": \"info_nce\", \"inputs\": [\"dense\", \"input\"]"),
         "info_nce \"info_nce\": input 1 has shape (n, 4), input 0 (n, 3)"},
        {OF("[4, 2]", "\"type\": \"info_nce\", \"inputs\": [\"input\", \"input\"]"),
         "input 0 is float32 of shape (n, 4, 2), needs a vector of float32 a sample"},
        {OF("[4]", "\"type\": \"info_nce\", \"temperature\": 0, \"inputs\": [\"input\", \"input\"]"),
         "temperature: must be above 0, not 0"},
    };
    (void)state;
    fixture_refuses(mistakes, MI_COUNT(mistakes));
}

/* A description keeps every key that was given, however it was given, and nothing else. */
static void keys_stay(void **state)
{
    struct fixture *f = *state;
    mica_node *x = mica_input(f->model, NULL, MICA_SHAPE(4)), *t = mica_input(f->model, "t", MICA_SHAPE(4));
    mica_node *loss = mica_binary_focal_crossentropy(x, t, &(mica_loss_desc){
        .from_logits = 1, .setting = {{"gamma", 1}, {"apply_class_balancing", 1}, {"gamma", 0}}});
    mica_output(f->model, NULL, mica_add((mica_node *[]){loss, mica_huber(x, t, NULL)}, 2, NULL));
    assert_int_equal(mica_model_status(f->model), MICA_OK);
    char *text = cJSON_PrintUnformatted(f->model->description);
    has(text, "\"from_logits\":true,\"gamma\":0,\"apply_class_balancing\":true,\"inputs\"");
    has(text, "{\"type\":\"huber\",\"name\":\"huber\",\"inputs\"");
    fixture_round_trip(f);
    cJSON_free(text);
}

/* Whether what goes into the softmax is found, behind layers that move the probabilities: classes must come to lie on axis 1. */
static void logits_are_found(void **state)
{
#define SOFTMAX(axis) "\"type\": \"op\", \"op\": \"Softmax\", \"attributes\": {\"axis\": " axis "}"
#define RESHAPE(shape) "}, {\"type\": \"reshape\", \"target_shape\": [" shape "]"
#define PERMUTE(dims) "}, {\"type\": \"permute\", \"dims\": [" dims "]"
    static const struct {
        const char *json;
        bool found;
    } cases[] = {
        {OF("[4]", SOFTMAX("1")), true},
        {OF("[4, 1]", SOFTMAX("1") "}, {\"type\": \"flatten\""), true},
        {OF("[4]", SOFTMAX("1") RESHAPE("2, 2")), true}, /* the whole sample: the loss says what classes are */
        {OF("[4, 2, 3]", SOFTMAX("1")), true},
        {OF("[4, 2, 3]", SOFTMAX("3")), false},
        {OF("[4, 2, 3]", SOFTMAX("1") RESHAPE("4, 6")), true},
        {OF("[4, 2, 3]", SOFTMAX("1") RESHAPE("2, 2, 6")), false},
        {OF("[4, 2, 3]", SOFTMAX("1") RESHAPE("8, 3")), false},
        {OF("[3, 4]", SOFTMAX("2") PERMUTE("2, 1")), true},
        {OF("[3, 4]", SOFTMAX("1") PERMUTE("2, 1")), false},
        {OF("[2, 3, 4]", SOFTMAX("-1") RESHAPE("6, 4") PERMUTE("2, 1") RESHAPE("4, 3, 2")), true},
        {OF("[4, 2, 3]", SOFTMAX("1") PERMUTE("2, 1, 3")), false},
    };
    (void)state;
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        struct fixture *f = fixture_open(cases[i].json);
        mi_value *y = mi_model_output(f->model->graph, NULL), *logits = mi_logits_of(f->model->graph, y, "Softmax", 1);
        if ((logits != NULL) != cases[i].found)
            fail_msg("%s: the logits are %sfound", cases[i].json, logits ? "" : "not ");
        assert_true(!logits || mi_shape_equal(&logits->shape, &y->shape));
        fixture_close(f);
    }
}

/* Keys are as many as a descriptor has room for. */
static void tables(void **state)
{
    (void)state;
    for (const struct mi_loss_row *const *row = mi_loss_rows; *row; row++) {
        int count = 0;
        while ((*row)->keys[count].name)
            count++;
        assert_true(count <= MICA_MOST_LOSS_SETTINGS);
        assert_ptr_equal((*row)->layer.keys[(*row)->activation ? 1 : 0].numbers, (*row)->keys);
        assert_true(!(*row)->alias || mi_loss_find((*row)->alias) == *row);
    }
    for (const char *const *name = mi_loss_names; *name; name++)
        assert_non_null(mi_loss_find(*name));
}

static void objectives_refuse(void **state)
{
    static const struct {
        mica_objective goal;
        const char *error;
    } cases[] = {
        {{.loss = "huber", .setting = {{"dleta", 1}}}, "loss huber: there is no key \"dleta\"; did you mean \"delta\"?"},
        {{.loss = "huber", .setting = {{"delta", -1}}}, "loss huber: delta: must be above 0, not -1"},
        {{.loss = "mse", .setting = {{"delta", 1}}}, "loss mean_squared_error: there is no key \"delta\""},
        {{.loss = "triplet_margin"}, "there is no loss \"triplet_margin\""},
        {{.loss = "hinge", .classes = true, .metrics = {{"auc"}}}, "metric auc"},
        {{.loss = "categorical_hinge", .classes = true, .metrics = {{"perplexity"}}},
         "metric perplexity: with loss categorical_hinge the output has no probabilities"},
        {{.loss = "kl_divergence", .metrics = {{"mae"}}}, "the targets are classes, it needs values and a loss of values"},
    };
    struct fixture *f = *state;
    assert_int_equal(mica_model_add_json(f->model, "{\"input_shape\": [4], \"layers\": [{\"type\": \"linear\"}]}"), MICA_OK);
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        struct mi_error error = {0};
        struct mi_objective resolved;
        assert_int_not_equal(mi_objective_resolve(&error, f->model, &cases[i].goal, &resolved), MICA_OK);
        has(error.text, cases[i].error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_refuse), cmocka_unit_test_setup_teardown(keys_stay, fixture_begin, fixture_end), cmocka_unit_test(tables),
        cmocka_unit_test(logits_are_found),
        cmocka_unit_test_setup_teardown(objectives_refuse, fixture_begin, fixture_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
