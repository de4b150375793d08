/* What losses make of a network's end and of labels, and which data they refuse. */
#include "train/golden.h"

#include "nn/objective.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 24, INPUTS = 3, EPOCHS = 6 };

static mica_model *model_of(mica_device *device, const char *json)
{
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 3});
    mica_model_add_json(model, json);
    golden_assert_fine(device);
    return model;
}

/* Far from each other, so that probabilities are 0 and 1 at first. */
static void make_inputs(float *inputs, float scale)
{
    for (size_t i = 0; i < (size_t)SAMPLES * INPUTS; i++)
        inputs[i] = scale * (2 * mi_uniform(1, 2, i) - 1);
}

/* ---- Probabilities that are rearranged behind their activation ---- */

static void train(mica_device *device, const char *json, const char *loss, bool classes, float *losses)
{
    float inputs[SAMPLES * INPUTS], values[SAMPLES * 2];
    int32_t indices[SAMPLES];
    mica_history *history = NULL;
    make_inputs(inputs, 200);
    for (int i = 0; i < SAMPLES; i++) {
        indices[i] = i % 3;
        values[2 * i] = (float)(i % 2);
        values[2 * i + 1] = (float)(i % 3 == 0);
    }
    mica_data *data = mica_arrays_open(device, &(mica_arrays_desc){
        .samples = SAMPLES, .input_shape = MICA_SHAPE(INPUTS), .inputs = inputs, .classes = classes ? indices : NULL,
        .values = classes ? NULL : values, .label_shape = {.rank = !classes, .dim = {2}}});
    mica_model *model = model_of(device, json);
    assert_int_equal(mica_fit(model, data, &(mica_fit_desc){.loss = loss, .optimizer = {"adam", {{"learning_rate", 0.01}}},
                                                            .batch_size = 8, .epochs = EPOCHS}, &history), MICA_OK);
    for (int e = 0; e < EPOCHS; e++)
        losses[e] = mica_history_epoch(history, e)->loss;
    mica_history_destroy(history);
    mica_model_destroy(model);
    mica_data_destroy(data);
}

/* The same network without its softmax or sigmoid: its loss is taken of logits. */
static void rearranged(void **state)
{
#define NET(layers) "{\"input_shape\": [3], \"layers\": [{\"type\": \"dense\", \"units\": 3, \"name\": \"d\"}" layers "]}"
#define HEADS(a, b, end) "{\"input_shape\": [3], \"layers\": [{\"type\": \"dense\", \"units\": 1, \"name\": \"a\"}, " \
    "{\"type\": \"dense\", \"units\": 1, \"name\": \"b\", \"inputs\": [\"input\"]}, " \
    "{\"type\": \"" a "\", \"name\": \"x\", \"inputs\": [\"a\"]}, {\"type\": \"" b "\", \"name\": \"y\", \"inputs\": [\"b\"]}, " \
    "{\"type\": \"concatenate\", \"inputs\": [\"x\", \"y\"]}" end "]}"
    static const struct {
        const char *logits, *moved, *loss;
        bool classes;
    } cases[] = {
        {NET(""), NET(", {\"type\": \"reshape\", \"target_shape\": [1, 3]}, {\"type\": \"softmax\"}, {\"type\": \"flatten\"}"),
         "sparse_categorical_crossentropy", true},
        {NET(""), NET(", {\"type\": \"softmax\"}, {\"type\": \"reshape\", \"target_shape\": [3, 1]}, {\"type\": \"permute\", "
                      "\"dims\": [2, 1]}, {\"type\": \"linear\"}, {\"type\": \"flatten\"}"),
         "categorical_crossentropy", true},
        {HEADS("linear", "linear", ""), HEADS("sigmoid", "sigmoid", ", {\"type\": \"linear\"}"), "binary_crossentropy", false},
    };
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        float logits[EPOCHS], moved[EPOCHS];
        train(*state, cases[i].logits, cases[i].loss, cases[i].classes, logits);
        train(*state, cases[i].moved, cases[i].loss, cases[i].classes, moved);
        assert_true(logits[0] > 1.1f * logits[EPOCHS - 1]);
        for (int e = 0; e < EPOCHS; e++)
            assert_true(fabsf(logits[e] - moved[e]) <= 1e-5f * fabsf(logits[e]));
    }
#undef NET
}

/* ---- Logits or probabilities ---- */

static void deduced(void **state)
{
#define NET(layers) "{\"input_shape\": [2, 4], \"layers\": [" layers "]}"
    static const struct {
        const char *json, *loss;
        int given;
        bool from_logits;
    } cases[] = {
        {NET("{\"type\": \"conv1d\", \"filters\": 3, \"kernel_size\": 1, \"activation\": \"softmax\"}, "
             "{\"type\": \"global_average_pooling1d\"}"), "sparse_categorical_crossentropy", 0, false},
        {NET("{\"type\": \"sigmoid\"}, {\"type\": \"global_max_pooling1d\"}"), "binary_crossentropy", 0, false},
        {NET("{\"type\": \"hard_sigmoid\"}, {\"type\": \"flatten\"}"), "binary_crossentropy", 0, false},
        {NET("{\"type\": \"flatten\"}, {\"type\": \"softmax\"}, {\"type\": \"dropout\", \"rate\": 0.5}"),
         "categorical_crossentropy", 0, false},
        {NET("{\"type\": \"flatten\", \"name\": \"f\"}, {\"type\": \"sigmoid\", \"name\": \"s\"}, "
             "{\"type\": \"multiply\", \"inputs\": [\"s\", \"s\"]}"), "binary_crossentropy", 0, false},
        {NET("{\"type\": \"flatten\", \"name\": \"f\"}, {\"type\": \"sigmoid\", \"name\": \"s\"}, "
             "{\"type\": \"multiply\", \"inputs\": [\"s\", \"f\"]}"), "binary_crossentropy", 0, true},
        {NET("{\"type\": \"flatten\", \"name\": \"f\"}, {\"type\": \"sigmoid\", \"name\": \"s\"}, "
             "{\"type\": \"concatenate\", \"inputs\": [\"s\", \"f\"]}"), "binary_crossentropy", 0, true},
        {NET("{\"type\": \"flatten\"}, {\"type\": \"log_softmax\"}"), "sparse_categorical_crossentropy", 0, true},
        {NET("{\"type\": \"flatten\"}, {\"type\": \"relu\"}"), "binary_crossentropy", 0, true},
        {NET("{\"type\": \"flatten\"}, {\"type\": \"dense\", \"units\": 3}, "
             "{\"type\": \"op\", \"op\": \"Cast\", \"attributes\": {\"to\": \"float64\"}}, "
             "{\"type\": \"op\", \"op\": \"Cast\", \"attributes\": {\"to\": \"float32\"}}"),
         "sparse_categorical_crossentropy", 0, true},
        {NET("{\"type\": \"flatten\"}, {\"type\": \"relu\"}"), "binary_crossentropy", -1, false},
        {NET("{\"type\": \"flatten\"}, {\"type\": \"hard_sigmoid\"}"), "binary_crossentropy", 1, true},
    };
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        mica_model *model = mica_model_create(*state, NULL);
        struct mi_error error = {0};
        struct mi_objective objective;
        mica_model_add_json(model, cases[i].json);
        golden_assert_fine(*state);
        const mica_objective given = {.loss = cases[i].loss, .from_logits = cases[i].given};
        assert_int_equal(mi_objective_resolve(&error, model, &given, &objective), MICA_OK);
        if (objective.loss.from_logits != cases[i].from_logits)
            fail_msg("%s: %s", cases[i].json, objective.loss.from_logits ? "logits" : "probabilities");
        mica_model_destroy(model);
    }
#undef NET
}

/* Probabilities that no sigmoid made: the loss is taken of them as they are. */
static void probabilities(void **state)
{
    const float inputs[] = {0.2f, 0.9f, 0.5f, 0.01f}, values[] = {0, 1, 1, 0}, one = 1;
    double expected = 0;
    mica_scores *result = NULL;
    for (int i = 0; i < 4; i++)
        expected -= log(values[i] > 0.5f ? (double)inputs[i] : 1 - (double)inputs[i]) / 4;
    mica_data *data = mica_arrays_open(*state, &(mica_arrays_desc){.samples = 4, .input_shape = MICA_SHAPE(1), .inputs = inputs,
                                                                  .values = values, .label_shape = MICA_SHAPE(1)});
    mica_model *model = model_of(*state, "{\"input_shape\": [1], \"layers\": [{\"type\": \"dense\", \"units\": 1, "
                                         "\"use_bias\": false, \"name\": \"d\"}]}");
    mica_model_write(model, "d.weight", &one, 1);
    assert_int_equal(mica_evaluate(model, data, MICA_TRAIN, &(mica_objective){.loss = "binary_crossentropy", .from_logits = -1}, 1, &result), MICA_OK);
    assert_true(fabs(mica_scores_get(result, "loss") - expected) < 1e-6);
    mica_scores_destroy(result);
    mica_model_destroy(model);
    mica_data_destroy(data);
}

/* ---- Losses without probabilities: an output above 0 says yes ---- */

/* Labels of -1, of 0 and of class 0 are the same. */
static void signs(void **state)
{
    const float inputs[] = {2, -0.25f, 0.25f, -3}, below[] = {1, -1, -1, -1}, zero[] = {1, 0, 0, 0}, one = 1;
    const int32_t classes[] = {1, 0, 0, 0};
    for (int i = 0; i < 3; i++) {
        const mica_objective goal = {.loss = "hinge", .metrics = {{"accuracy"}, {"precision"}}};
        mica_scores *result = NULL;
        mica_answer answers[4];
        mica_data *data = mica_arrays_open(*state, &(mica_arrays_desc){
            .samples = 4, .input_shape = MICA_SHAPE(1), .inputs = inputs, .values = i == 0 ? below : i == 1 ? zero : NULL,
            .classes = i == 2 ? classes : NULL, .label_shape = {.rank = i != 2, .dim = {1}}});
        mica_model *model = model_of(*state, "{\"input_shape\": [1], \"layers\": [{\"type\": \"dense\", \"units\": 1, "
                                             "\"use_bias\": false, \"name\": \"d\"}]}");
        mica_model_write(model, "d.weight", &one, 1);
        mica_fit(model, data, &(mica_fit_desc){.objectives = &goal, .objective_count = 1, .epochs = 1,
                                               .optimizer = {"sgd", {{"learning_rate", 0}}}}, NULL);
        mica_evaluate(model, data, MICA_TRAIN, &goal, 1, &result);
        golden_assert_fine(*state);
        assert_true(fabs(mica_scores_get(result, "loss") - 0.5) < 1e-6);
        assert_true(fabs(mica_scores_get(result, "accuracy") - 0.75) < 1e-6);
        assert_true(fabs(mica_scores_get(result, "precision") - 0.5) < 1e-6);
        assert_int_equal(mica_classify(model, inputs, 4, 1, answers), MICA_OK);
        for (int k = 0; k < 4; k++)
            assert_int_equal(answers[k].class_index, inputs[k] > 0);
        mica_scores_destroy(result);
        mica_model_destroy(model);
        mica_data_destroy(data);
    }
}

/* ---- Labels that a loss cannot learn, outputs without a loss ---- */

static void assert_refused(mica_device *device, mica_status status, const char *text)
{
    if (!status || !strstr(mica_device_error(device), text))
        fail_msg("\"%s\", not \"%s\"", mica_device_error(device), text);
    mica_device_clear_error(device);
}

static void labels(void **state)
{
    static const struct {
        const char *loss;
        float label;
        const char *error; /* NULL: it is taken */
    } cases[] = {
        {"binary_crossentropy", 1, NULL},
        {"binary_crossentropy", 0.25f, NULL},
        {"binary_crossentropy", 2, "sample 2: its label 1 is 2, loss binary_crossentropy takes labels from 0 to 1"},
        {"binary_crossentropy", -1, "sample 2: its label 1 is -1, loss binary_crossentropy takes labels from 0 to 1"},
        {"categorical_crossentropy", 1.5f, "sample 2: its label 1 is 1.5, loss categorical_crossentropy takes labels from 0 to 1"},
        {"mean_squared_error", -300, NULL},
        {"hinge", -1, NULL},
        {"hinge", 3, "sample 2: its label 1 is 3, loss hinge takes labels from -1 to 1"},
        {"poisson", -2, "sample 2: its label 1 is -2, loss poisson takes labels of at least 0"},
        {"poisson", 2, "loss poisson: the last layer has no activation; its outputs must be numbers above 0, such as of a softplus"},
        {"dice", 1, "loss dice: the last layer has no activation; its outputs must be numbers from 0 to 1, such as of a sigmoid"},
        {"tversky", 1, "loss tversky: the last layer has no activation"},
    };
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        const float inputs[3] = {1, 2, 3}, values[6] = {0, 1, 1, 0, 0, cases[i].label};
        mica_scores *result = NULL;
        mica_data *data = mica_arrays_open(*state, &(mica_arrays_desc){.samples = 3, .input_shape = MICA_SHAPE(1),
                                           .inputs = inputs, .values = values, .label_shape = MICA_SHAPE(2)});
        mica_model *model = model_of(*state, "{\"input_shape\": [1], \"layers\": [{\"type\": \"dense\", \"units\": 2}]}");
        mica_status fitted = mica_fit(model, data, &(mica_fit_desc){.loss = cases[i].loss}, NULL);
        if (cases[i].error) {
            assert_refused(*state, fitted, cases[i].error);
            assert_refused(*state, mica_evaluate(model, data, MICA_TRAIN, &(mica_objective){.loss = cases[i].loss}, 1, &result), cases[i].error);
        }
        golden_assert_fine(*state);
        mica_model_destroy(model);
        mica_data_destroy(data);
    }
}

static void two_outputs(void **state)
{
    const float inputs[2] = {1, 2}, values[2] = {0, 1};
    const char *text = "the model has 2 outputs (\"h\", \"y\")";
    mica_scores *result = NULL;
    mica_data *data = mica_arrays_open(*state, &(mica_arrays_desc){.samples = 2, .input_shape = MICA_SHAPE(1), .inputs = inputs,
                                                                  .values = values, .label_shape = MICA_SHAPE(1)});
    mica_model *model = model_of(*state, "{\"input_shape\": [1], \"layers\": [{\"type\": \"dense\", \"units\": 1, \"name\": \"a\"}, "
                                         "{\"type\": \"dense\", \"units\": 1, \"name\": \"b\"}], "
                                         "\"outputs\": {\"h\": \"a\", \"y\": \"b\"}}");
    assert_refused(*state, mica_fit(model, data, &(mica_fit_desc){.loss = "mse"}, NULL), text);
    assert_refused(*state, mica_evaluate(model, data, MICA_TRAIN, &(mica_objective){.loss = "mse"}, 1, &result), text);
    mica_model_destroy(model);
    mica_data_destroy(data);
}

/* ---- Indices that are no row of an embedding ---- */

#define EMBEDDING "{\"input_shape\": [2, 3], \"layers\": [{\"type\": \"permute\", \"dims\": [2, 1]}, {\"type\": \"flatten\"}, " \
    "{\"type\": \"embedding\", \"input_dim\": 5, \"output_dim\": 2}, {\"type\": \"flatten\"}, {\"type\": \"dense\", \"units\": 1}]}"

static void indices(void **state)
{
    static const float bad[] = {5, -1, 2.5f, 3e9f};
    static const char *const shown[] = {"is 5,", "is -1,", "is 2.5,", "is 3000000000,"};
    enum { N = 300, EACH = 6 };
    float *inputs = mi_new((size_t)N * EACH, sizeof *inputs), *values = mi_new(N, sizeof *values), outputs[N];
    mica_scores *result = NULL;
    char text[128];
    for (int i = 0; i < N * EACH; i++)
        inputs[i] = (float)(i % 5);
    mica_model *model = model_of(*state, EMBEDDING);
    mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = N});
    mica_arrays_desc desc = {.samples = N, .input_shape = MICA_SHAPE(2, 3), .inputs = inputs, .values = values,
                             .label_shape = MICA_SHAPE(1)};
    mica_data *good = mica_arrays_open(*state, &desc);
    assert_int_equal(mica_fit(model, good, &(mica_fit_desc){.loss = "mse"}, NULL), MICA_OK);
    assert_int_equal(mica_predict(model, inputs, N, outputs, N), MICA_OK);
    assert_int_equal(mica_plan_write(plan, NULL, inputs, N * EACH), MICA_OK);
    for (size_t i = 0; i < MI_COUNT(bad); i++) {
        inputs[290 * EACH + 4] = bad[i]; /* beyond the first batch of a prediction */
        snprintf(text, sizeof text, "sample 290: input 4 %s the network takes whole numbers from 0 to 4 there", shown[i]);
        mica_data *data = mica_arrays_open(*state, &desc);
        assert_refused(*state, mica_fit(model, data, &(mica_fit_desc){.loss = "mse"}, NULL), text);
        assert_refused(*state, mica_evaluate(model, data, MICA_TRAIN, NULL, 0, &result), text);
        assert_refused(*state, mica_predict(model, inputs, N, outputs, N), text);
        mica_data_destroy(data);
    }
    assert_refused(*state, mica_plan_write(plan, NULL, inputs, N * EACH), "input \"input\", sample 290: value 4 is 3e+09");
    mica_plan_destroy(plan);
    mica_data_destroy(good);
    mica_model_destroy(model);
    free(inputs);
    free(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rearranged), cmocka_unit_test(deduced),     cmocka_unit_test(probabilities), cmocka_unit_test(signs),
        cmocka_unit_test(labels),     cmocka_unit_test(two_outputs), cmocka_unit_test(indices),
    };
    return cmocka_run_group_tests(tests, golden_device_open, golden_device_close);
}
