/* Every loss of predictions and targets that are as extreme as they can be: its value and its gradient are numbers, and of
 * probabilities that a softmax or sigmoid made the value is that of the logits, wherever layers moved them. */
#include "train/golden.h"

#include "nn/loss/loss.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SAMPLES = 6, UNITS = 4 };

static const float inputs[SAMPLES * UNITS] = {0,   0,   0,   0,   1e4f, -1e4f, 0,     1,    -1e4f, -1e4f, -1e4f, -1e4f,
                                              1e4f, 1e4f, 1e4f, 1e4f, 1,    0,     1e-30f, 0.5f, 20,    -20,   0,     1};
static const float values[SAMPLES * UNITS] = {0, 0, 0, 0, 0, 1, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0.25f, 0.25f, 0.5f, 0};
static const int32_t numbers[SAMPLES] = {0, 1, 2, 3, 0, 1};

/* Weights of one, so that outputs are the inputs, and a step of plain SGD, which leaves a NaN where the gradient has one. */
static double loss_of(mica_device *device, const mica_objective *goal, const char *layers)
{
    char json[512];
    float weights[UNITS * UNITS] = {0};
    double loss = NAN;
    mica_model *model = mica_model_create(device, NULL);
    for (int i = 0; i < UNITS; i++)
        weights[i * UNITS + i] = 1;
    snprintf(json, sizeof json, "{\"input_shape\": [4], \"layers\": [{\"type\": \"dense\", \"name\": \"d\", \"units\": 4, "
             "\"use_bias\": false}%s]}", layers);
    mica_model_add_json(model, json);
    golden_assert_fine(device);
    mica_model_write(model, "d.weight", weights, UNITS * UNITS);
    mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = SAMPLES, .objectives = goal, .objective_count = 1,
                                                            .optimizer = {"sgd", {{"learning_rate", 1e-6}}}});
    mica_plan_write(plan, "input", inputs, SAMPLES * UNITS);
    if (goal->classes)
        mica_plan_write_elements(plan, "output_target", MICA_INT32, numbers, SAMPLES);
    else
        mica_plan_write(plan, "output_target", values, SAMPLES * UNITS);
    mica_plan_run(plan, SAMPLES);
    mica_plan_metrics(plan, &loss, 1);
    mica_model_read(model, "d.weight", weights, UNITS * UNITS);
    golden_assert_fine(device);
    for (int i = 0; i < UNITS * UNITS; i++)
        if (!isfinite(weights[i]))
            fail_msg("%s%s: the gradient of weight %d is %g", goal->loss, layers, i, (double)weights[i]);
    if (!isfinite(loss))
        fail_msg("%s%s: the loss is %g", goal->loss, layers, loss);
    mica_plan_destroy(plan);
    mica_model_destroy(model);
    return loss;
}

#define MOVED ", {\"type\": \"reshape\", \"target_shape\": [2, 2]}, {\"type\": \"permute\", \"dims\": [2, 1]}, {\"type\": \"flatten\"}"

static void check(mica_device *device, const struct mi_loss_row *row, const mica_objective *goal)
{
    mica_objective taken = *goal;
    char layers[256];
    if (!row->activation) { /* a Poisson distribution has no negative mean */
        loss_of(device, goal, strcmp(goal->loss, "poisson") ? "" : ", {\"type\": \"relu\"}");
        return;
    }
    taken.from_logits = -1;
    loss_of(device, &taken, ", {\"type\": \"relu\"}");
    double logits = loss_of(device, goal, MOVED);
    snprintf(layers, sizeof layers, ", {\"type\": \"%s\"}" MOVED, strcmp(row->activation, "Sigmoid") ? "softmax" : "sigmoid");
    double moved = loss_of(device, goal, layers);
    if (!(fabs(logits - moved) <= 1e-6 * fabs(logits)))
        fail_msg("%s: %.9g of probabilities, %.9g of logits", goal->loss, moved, logits);
}

static void objectives(void **state)
{
    for (const struct mi_loss_row *const *row = mi_loss_rows; *row; row++) {
        if ((*row)->task == MI_LABELS)
            continue; /* it takes sequences: test_ctc.c */
        mica_objective goal = {.loss = (*row)->layer.type, .classes = (*row)->task == MI_SPARSE};
        print_message("%s\n", goal.loss);
        check(*state, *row, &goal);
        if (!strcmp((*row)->keys[0].name ? (*row)->keys[0].name : "", "gamma")) { /* below 1 a power has no slope at 0 */
            goal.setting[0] = (mica_setting){"gamma", 0.5};
            check(*state, *row, &goal);
        }
    }
}

/* ---- Embeddings: the same, opposite, and without a direction ---- */

static void embeddings(void **state)
{
    static const char *const layers[] = {
        "{\"type\": \"triplet_margin\", \"name\": \"l\", \"inputs\": [\"d\", \"d\", \"d\"]}",
        "{\"type\": \"triplet_margin\", \"p\": 1, \"margin\": 0, \"inputs\": [\"d\", \"input\", \"d\"]}",
        "{\"type\": \"triplet_margin\", \"p\": 30, \"inputs\": [\"d\", \"input\", \"e\"]}",
        "{\"type\": \"info_nce\", \"inputs\": [\"d\", \"d\"]}",
        "{\"type\": \"info_nce\", \"temperature\": 0.001, \"inputs\": [\"d\", \"e\"]}",
    };
    for (size_t i = 0; i < MI_COUNT(layers); i++) {
        char text[400];
        snprintf(text, sizeof text, ", {\"type\": \"dense\", \"name\": \"e\", \"units\": 4, \"use_bias\": false, \"inputs\": [\"input\"]}, %s, "
                 "{\"type\": \"reshape\", \"target_shape\": [1]}, {\"type\": \"dense\", \"units\": 4, \"kernel_initializer\": \"ones\"}, "
                 "{\"type\": \"linear\"}", layers[i]);
        loss_of(*state, &(mica_objective){.loss = "mse"}, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(objectives), cmocka_unit_test(embeddings)};
    return cmocka_run_group_tests(tests, golden_device_open, golden_device_close);
}
