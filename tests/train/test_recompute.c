/* Recurrent layers whose turns have others within: those that compute chunks of their turns again for the gradients, beside the
 * same ones that keep all turns, and one in each step of another one. */
#include "nn/model.h"
#include "train/golden.h"

#include <math.h>
#include <string.h>

enum { BATCH = 4, STEPS = 100, FEATURES = 3, RUNS = 2, MOST = 1024 };

#define LSTM(key) "{\"type\": \"lstm\", \"units\": 4, \"go_backwards\": true" key "}"
/* Seven steps are three chunks of three turns, of which the last two are padding. */
#define OWN(key)                                                                                                                 \
    "{\"type\": \"masking\"}, {\"type\": \"rnn\", \"cell\": {"                                                                     \
    "\"states\": [{\"name\": \"h\", \"shape\": [3], \"next\": \"next\"}], \"layers\": ["                                           \
    "{\"type\": \"dense\", \"units\": 3, \"name\": \"in\", \"inputs\": [\"x\"]}, "                                              \
    "{\"type\": \"add\", \"inputs\": [\"in\", \"h\"]}, "                                                                         \
    "{\"type\": \"tanh\", \"name\": \"next\"}, {\"type\": \"dense\", \"units\": 4}]}" key "}"
/* Steps of four are sequences of five: an lstm runs over these in each step, or over all of them before. */
#define STEP "{\"type\": \"reshape\", \"target_shape\": [4, 5, 3]}, "
#define CELL(more, of_x)                                                                                                         \
    "{\"type\": \"rnn\", \"cell\": {\"states\": [{\"name\": \"h\", \"shape\": [4], \"next\": \"next\"}], \"layers\": [" more        \
    "{\"type\": \"dense\", \"units\": 4, \"name\": \"of_h\", \"inputs\": [\"h\"]}, "                                               \
    "{\"type\": \"add\", \"inputs\": [\"of_h\", \"" of_x "\"]}, {\"type\": \"tanh\", \"name\": \"next\"}]}}"
#define BEFORE                                                                                                                   \
    STEP "{\"type\": \"time_distributed\", \"name\": \"rnn.in\", \"layer\": {\"type\": \"lstm\", \"units\": 4}}, " CELL("", "x")
#define WITHIN STEP CELL("{\"type\": \"lstm\", \"units\": 4, \"name\": \"in\", \"inputs\": [\"x\"]}, ", "in")
#define AGAIN ", \"recompute\": true"

static const struct row {
    int steps;
    const char *layers[2];         /* in one repeat after the other, and one within the other */
    double saves;                  /* how many times less memory that takes, at least */
} rows[] = {{100, {LSTM(""), LSTM(AGAIN)}, 3}, {7, {OWN(""), OWN(AGAIN)}, 0.5}, {20, {BEFORE, WITHIN}, 0}};

struct outcome {
    float losses[RUNS], values[MOST];
    size_t count;
    uint64_t bytes;
};

static mica_model *described(mica_device *device, int steps, const char *of)
{
    char json[1200];
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 11});
    mi_format(json, sizeof json, "{\"input_shape\": [%d, %d], \"layers\": [%s]}", steps, FEATURES, of);
    mica_model_add_json(model, json);
    golden_assert_fine(device);
    return model;
}

/* Losses of two steps, of all samples and of some, and every variable behind them. The last steps of some samples are zeros. */
static void train(mica_device *device, int steps, const char *of, struct outcome *out)
{
    const mica_objective goal = {.loss = "mse"};
    float inputs[BATCH * STEPS * FEATURES], targets[BATCH * 4];
    mica_model *model = described(device, steps, of);
    mica_plan *plan = mica_compile(model, &(mica_plan_desc){
        .batch = BATCH, .objectives = &goal, .objective_count = 1, .optimizer = {"sgd", {{"learning_rate", 0.5}}}});
    for (int i = 0; i < BATCH * steps * FEATURES; i++)
        inputs[i] = i / FEATURES % steps > 1 + i / FEATURES / steps * 2 ? 0 : 2 * mi_uniform(3, 1, (uint64_t)i) - 1;
    for (int i = 0; i < BATCH * 4; i++)
        targets[i] = mi_uniform(3, 2, (uint64_t)i);
    for (int r = 0; r < RUNS; r++) {
        int n = r ? BATCH - 1 : BATCH;
        double told = 0;
        mica_plan_reset_metrics(plan);
        mica_plan_write(plan, "input", inputs, (size_t)(n * steps * FEATURES));
        mica_plan_write(plan, "output_target", targets, (size_t)n * 4);
        mica_plan_run(plan, n);
        mica_plan_metrics(plan, &told, 1);
        out->losses[r] = (float)told;
    }
    golden_assert_fine(device);
    out->bytes = mica_plan_peak_bytes(plan);
    out->count = 0;
    for (int v = 0; v < mica_model_variable_count(model); v++) {
        const struct mi_variable *variable = model->variables.list[v];
        size_t count = mi_variable_count(variable);
        assert_true(out->count + count <= MOST);
        assert_int_equal(mica_model_read(model, variable->name, out->values + out->count, count), MICA_OK);
        out->count += count;
    }
    mica_plan_destroy(plan);
    mica_model_destroy(model);
}

static void assert_same(const char *what, const struct outcome *got, const struct outcome *expected, float bound)
{
    assert_int_equal(got->count, expected->count);
    for (int r = 0; r < RUNS; r++)
        if (!(fabsf(got->losses[r] - expected->losses[r]) <= bound))
            fail_msg("%s: loss %d is %.9g, not %.9g", what, r, (double)got->losses[r], (double)expected->losses[r]);
    for (size_t i = 0; i < got->count; i++)
        if (!(fabsf(got->values[i] - expected->values[i]) <= bound))
            fail_msg("%s: value %zu is %.9g, not %.9g", what, i, (double)got->values[i], (double)expected->values[i]);
}

/* The same to the rounding of sums, which are of chunks; the same bits in a second run; and with every tensor in a buffer of its
 * own that was filled with NaN. */
static void trained(void **state)
{
    mica_device *debug = mica_device_open(&(mica_device_desc){.debug = true});
    for (const struct row *row = rows; row < rows + MI_COUNT(rows); row++) {
        struct outcome whole, chunks, other;
        train(*state, row->steps, row->layers[0], &whole);
        train(*state, row->steps, row->layers[1], &chunks);
        assert_same("one within the other", &chunks, &whole, 1e-6f);
        assert_true(whole.losses[0] != whole.losses[1]);
        if ((double)chunks.bytes * row->saves > (double)whole.bytes)
            fail_msg("%llu bytes, and %llu without", (unsigned long long)chunks.bytes, (unsigned long long)whole.bytes);
        train(*state, row->steps, row->layers[1], &other);
        assert_memory_equal(other.losses, chunks.losses, sizeof other.losses);
        assert_memory_equal(other.values, chunks.values, other.count * sizeof *other.values);
        train(debug, row->steps, row->layers[1], &other);
        assert_same("in the debug mode", &other, &chunks, 1e-6f);
    }
    mica_device_destroy(debug);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(trained)};
    return cmocka_run_group_tests_name("recompute", tests, golden_device_open, golden_device_close);
}
