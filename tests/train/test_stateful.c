/* Recurrent layers that go on where the last run has left them: against the whole sequence in one run, and, where they train, against
 * layers that are given their states. */
#include "nn/model.h"
#include "train/golden.h"

#include <math.h>
#include <string.h>

enum { BATCH = 5, UNITS = 4, FEATURES = 3, PART = 3, PARTS = 3, WHOLE = PART * PARTS };

static mica_model *described(mica_device *device, const char *json)
{
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 11});
    mica_model_add_json(model, json);
    golden_assert_fine(device);
    return model;
}

static void fill(float *values, int count, uint64_t which)
{
    for (int i = 0; i < count; i++)
        values[i] = 2 * mi_uniform(3, which, (uint64_t)i) - 1;
}

static void same(const char *what, const float *got, const float *want, int count)
{
    for (int i = 0; i < count; i++)
        if (!(fabsf(got[i] - want[i]) <= 2e-6f * fmaxf(1, fabsf(want[i]))))
            fail_msg("%s: element %d is %.9g, not %.9g", what, i, (double)got[i], (double)want[i]);
}

/* ---- In parts ---- */

static const char *const cells[] = {
    "{\"type\": \"simple_rnn\", \"units\": 4, \"return_sequences\": true",
    "{\"type\": \"lstm\", \"units\": 4, \"return_sequences\": true",
    "{\"type\": \"gru\", \"units\": 4, \"return_sequences\": true",
    "{\"type\": \"gru\", \"units\": 4, \"return_sequences\": true, \"reset_after\": false",
};

static mica_model *cell_model(mica_device *device, size_t which, int steps, const char *keys)
{
    char json[320];
    mi_format(json, sizeof json, "{\"input_shape\": [%d, %d], \"layers\": [%s%s}, {\"type\": \"lstm\", \"units\": 4, "
              "\"return_sequences\": true%s}]}", steps, FEATURES, cells[which], keys, keys);
    return described(device, json);
}

/* The steps of a part, of n samples of sequences (BATCH, WHOLE, size). */
static void cut(const float *whole, int part, int n, int size, float *out)
{
    for (int i = 0; i < n; i++)
        memcpy(out + i * PART * size, whole + (i * WHOLE + part * PART) * size, PART * (size_t)size * sizeof *out);
}

static void run_part(mica_plan *plan, const float *inputs, int part, int n, float *out)
{
    float x[BATCH * PART * FEATURES];
    cut(inputs, part, n, FEATURES, x);
    mica_plan_write(plan, NULL, x, (size_t)(n * PART * FEATURES));
    mica_plan_run(plan, n);
    mica_plan_read(plan, NULL, out, (size_t)(n * PART * UNITS));
}

/* Parts one after another, the second of three samples alone, then reset and the first again, with the same bits. */
static void check_parts(mica_device *device, size_t which)
{
    float inputs[BATCH * WHOLE * FEATURES], want[BATCH * WHOLE * UNITS], part[BATCH * PART * UNITS], got[BATCH * PART * UNITS];
    float first[BATCH * PART * UNITS];
    fill(inputs, BATCH * WHOLE * FEATURES, 1);
    mica_model *whole = cell_model(device, which, WHOLE, ""), *parts = cell_model(device, which, PART, ", \"stateful\": true");
    mica_plan *plan = mica_compile(parts, &(mica_plan_desc){.batch = BATCH});
    mica_plan *other = mica_compile(parts, &(mica_plan_desc){.batch = BATCH});
    assert_int_equal(mica_predict(whole, inputs, BATCH, want, BATCH * WHOLE * UNITS), MICA_OK);
    run_part(plan, inputs, 0, BATCH, first);
    cut(want, 0, BATCH, UNITS, part);
    same("the first part", first, part, BATCH * PART * UNITS);
    run_part(plan, inputs, 1, 3, got);
    cut(want, 1, 3, UNITS, part);
    same("the second part", got, part, 3 * PART * UNITS);
    run_part(other, inputs, 0, BATCH, got);
    assert_memory_equal(got, first, sizeof first);
    run_part(plan, inputs, 2, 3, got);
    cut(want, 2, 3, UNITS, part);
    same("the third part", got, part, 3 * PART * UNITS);
    assert_int_equal(mica_plan_reset_states(plan), MICA_OK);
    run_part(plan, inputs, 0, BATCH, got);
    assert_memory_equal(got, first, sizeof first);
    golden_assert_fine(device);
    mica_plan_destroy(plan);
    mica_plan_destroy(other);
    mica_model_destroy(whole);
    mica_model_destroy(parts);
}

static void in_parts(void **state)
{
    for (size_t i = 0; i < MI_COUNT(cells); i++)
        check_parts(*state, i);
}

static void debug(void **state)
{
    (void)state;
    mica_device *device = mica_device_open(&(mica_device_desc){.debug = true});
    check_parts(device, 1);
    check_parts(device, 2);
    mica_device_destroy(device);
}

/* A sample that a run leaves out goes on from where it was left. */
static void left_out(void **state)
{
    float inputs[BATCH * WHOLE * FEATURES], want[BATCH * WHOLE * UNITS], got[BATCH * PART * UNITS], part[BATCH * PART * UNITS];
    fill(inputs, BATCH * WHOLE * FEATURES, 2);
    mica_model *parts = cell_model(*state, 1, PART, ", \"stateful\": true"), *whole = cell_model(*state, 1, WHOLE, "");
    mica_plan *plan = mica_compile(parts, &(mica_plan_desc){.batch = BATCH});
    run_part(plan, inputs, 0, BATCH, got);
    run_part(plan, inputs, 2, 2, got);
    run_part(plan, inputs, 1, BATCH, got);
    assert_int_equal(mica_predict(whole, inputs, BATCH, want, BATCH * WHOLE * UNITS), MICA_OK);
    cut(want, 1, BATCH, UNITS, part);
    same("samples that were left out", got + 2 * PART * UNITS, part + 2 * PART * UNITS, 3 * PART * UNITS);
    golden_assert_fine(*state);
    mica_plan_destroy(plan);
    mica_model_destroy(parts);
    mica_model_destroy(whole);
}

/* ---- Bidirectional, states that are given, parts of a model ---- */

static void plan_of(mica_device *device, const char *json, const char *output, size_t states)
{
    mica_model *model = described(device, json);
    mica_node *node = mica_model_node(model, output);
    mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = 2, .outputs = &node, .output_count = 1});
    golden_assert_fine(device);
    size_t found = 0;
    for (size_t i = 0; i < model->variables.count; i++)
        found += model->variables.list[i]->role == MI_STATE;
    assert_int_equal(found, states);
    assert_int_equal(mica_model_variable_count(model), output[0] == 'b' ? 8 : 4);
    mica_plan_destroy(plan);
    mica_model_destroy(model);
}

static void states(void **state)
{
    plan_of(*state, "{\"input_shape\": [3, 2], \"layers\": [{\"type\": \"bidirectional\", \"name\": \"b\", \"layer\": {\"type\": \"lstm\", "
                    "\"units\": 4, \"stateful\": true}}]}", "b", 4);
    plan_of(*state, "{\"layers\": [{\"type\": \"input\", \"name\": \"x\", \"shape\": [3, 2]}, {\"type\": \"input\", \"name\": \"h\", "
                    "\"shape\": [4]}, {\"type\": \"gru\", \"name\": \"r\", \"units\": 4, \"stateful\": true, \"inputs\": [\"x\", \"h\"]}]}",
            "r", 0);
    plan_of(*state, "{\"input_shape\": [3, 2], \"layers\": [{\"type\": \"activation\", \"activation\": \"tanh\", \"name\": \"a\"}, "
                    "{\"type\": \"gru\", \"name\": \"r\", \"units\": 4, \"stateful\": true}]}", "a", 1);
}

/* ---- Training ---- */

enum { STEPS = 4, WEIGHTS = 16 * UNITS };

static const mica_objective goal = {.loss = "mse"};

static mica_plan *step_of(mica_model *model)
{
    return mica_compile(model, &(mica_plan_desc){.batch = BATCH, .objectives = &goal, .objective_count = 1,
                                                 .optimizer = {"sgd", {{"learning_rate", 0.5}}}});
}

static void train_stateful(mica_device *device, float *weight)
{
    float x[BATCH * PART * FEATURES], targets[BATCH * UNITS];
    mica_model *model = described(device, "{\"input_shape\": [3, 3], \"layers\": [{\"type\": \"lstm\", \"name\": \"r\", \"units\": 4, "
                                          "\"stateful\": true}]}");
    mica_plan *plan = step_of(model);
    for (int s = 0; s < STEPS; s++) {
        fill(x, BATCH * PART * FEATURES, 10 + (uint64_t)s);
        fill(targets, BATCH * UNITS, 20 + (uint64_t)s);
        mica_plan_write(plan, "input", x, BATCH * PART * FEATURES);
        mica_plan_write(plan, "output_target", targets, BATCH * UNITS);
        mica_plan_run(plan, BATCH);
    }
    mica_model_read(model, "r.weight_hh_l0", weight, WEIGHTS);
    golden_assert_fine(device);
    mica_plan_destroy(plan);
    mica_model_destroy(model);
}

/* The same with states that the host hands on. */
static void train_given(mica_device *device, float *weight)
{
    float x[BATCH * PART * FEATURES], targets[BATCH * UNITS], h[BATCH * UNITS] = {0}, c[BATCH * UNITS] = {0};
    mica_model *model = described(device, "{\"layers\": [{\"type\": \"input\", \"name\": \"x\", \"shape\": [3, 3]}, {\"type\": \"input\", "
        "\"name\": \"h\", \"shape\": [4]}, {\"type\": \"input\", \"name\": \"c\", \"shape\": [4]}, {\"type\": \"lstm\", \"name\": \"r\", "
        "\"units\": 4, \"return_state\": true, \"inputs\": [\"x\", \"h\", \"c\"]}, {\"type\": \"activation\", \"activation\": \"linear\", "
        "\"name\": \"next_c\", \"inputs\": [\"r:2\"]}], \"outputs\": {\"output\": \"r\"}}");
    mica_node *outputs[] = {mica_model_node(model, "r"), mica_model_node(model, "next_c")};
    mica_plan *states = mica_compile(model, &(mica_plan_desc){.batch = BATCH, .outputs = outputs, .output_count = 2});
    mica_plan *plan = step_of(model);
    for (int s = 0; s < STEPS; s++) {
        fill(x, BATCH * PART * FEATURES, 10 + (uint64_t)s);
        fill(targets, BATCH * UNITS, 20 + (uint64_t)s);
        for (int p = 0; p < 2; p++) {
            mica_plan_write(p ? plan : states, "x", x, BATCH * PART * FEATURES);
            mica_plan_write(p ? plan : states, "h", h, BATCH * UNITS);
            mica_plan_write(p ? plan : states, "c", c, BATCH * UNITS);
        }
        mica_plan_write(plan, "output_target", targets, BATCH * UNITS);
        mica_plan_run(states, BATCH);
        mica_plan_read(states, "r", h, BATCH * UNITS);
        mica_plan_read(states, "next_c", c, BATCH * UNITS);
        mica_plan_run(plan, BATCH);
    }
    mica_model_read(model, "r.weight_hh_l0", weight, WEIGHTS);
    golden_assert_fine(device);
    mica_plan_destroy(plan);
    mica_plan_destroy(states);
    mica_model_destroy(model);
}

/* Gradients end at the states that a run begins with. */
static void training(void **state)
{
    float got[WEIGHTS], again[WEIGHTS], want[WEIGHTS];
    train_stateful(*state, got);
    train_stateful(*state, again);
    train_given(*state, want);
    assert_memory_equal(got, again, sizeof got);
    same("a weight behind four steps", got, want, WEIGHTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_parts), cmocka_unit_test(debug),    cmocka_unit_test(left_out),
        cmocka_unit_test(states),   cmocka_unit_test(training),
    };
    return cmocka_run_group_tests(tests, golden_device_open, golden_device_close);
}
