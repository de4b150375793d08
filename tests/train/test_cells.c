/* A recurrent cell that is a function of the application's: it computes what lstm does, trains as that does, and is in files. */
#include "nn/model.h"
#include "train/golden.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BATCH = 5, STEPS = 6, IN = 3, UNITS = 4, RUNS = 4 };

static void fill(float *values, int count, uint64_t which)
{
    for (int i = 0; i < count; i++)
        values[i] = 2 * mi_uniform(7, which, (uint64_t)i) - 1;
}

static mica_node *part(mica_node *gates, int which, const char *activation)
{
    mica_node *gate = mica_op_slice(gates, 1, UNITS * which, UNITS * (which + 1));
    return mica_activation(gate, &(mica_activation_desc){.type = activation});
}

static mica_node *mul(mica_node *a, mica_node *b)
{
    return mica_multiply((mica_node *const[]){a, b}, 2, NULL);
}

static mica_node *add(mica_node *a, mica_node *b)
{
    return mica_add((mica_node *const[]){a, b}, 2, NULL);
}

static mica_node *lstm_step(mica_model *model, mica_node *x, mica_node *const *states, mica_node **next, void *user)
{
    (void)model, (void)user;
    mica_node *in = mica_dense(x, &(mica_dense_desc){.name = "in", .units = 4 * UNITS});
    mica_node *gates = add(in, mica_dense(states[0], &(mica_dense_desc){.name = "of_h", .units = 4 * UNITS}));
    mica_node *kept = mul(part(gates, 1, "sigmoid"), states[1]), *made = mul(part(gates, 0, "sigmoid"), part(gates, 2, "tanh"));
    next[1] = add(kept, made);
    next[0] = mul(part(gates, 3, "sigmoid"), mica_activation(next[1], &(mica_activation_desc){.type = "tanh"}));
    return next[0];
}

static mica_model *make(mica_device *device, bool own)
{
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 3});
    const mica_shape shapes[] = {MICA_SHAPE(UNITS), MICA_SHAPE(UNITS)};
    const mica_cell cell = {.step = lstm_step, .states = shapes, .state_count = 2};
    mica_node *x = mica_masking(mica_input(model, NULL, MICA_SHAPE(STEPS, IN)), NULL);
    mica_node *y = own ? mica_rnn(&x, 1, &(mica_rnn_desc){.name = "r", .cells = &cell, .cell_count = 1})
                       : mica_lstm(&x, 1, &(mica_recurrent_desc){.name = "r", .units = UNITS});
    mica_output(model, NULL, mica_dense(y, &(mica_dense_desc){.name = "d", .units = 2}));
    golden_assert_fine(device);
    return model;
}

static void copy(mica_model *to, const char *name, mica_model *from, const char *of, size_t count)
{
    float values[16 * UNITS];
    assert_int_equal(mica_model_read(from, of, values, count), MICA_OK);
    assert_int_equal(mica_model_write(to, name, values, count), MICA_OK);
}

/* Losses of some steps of SGD, and what the model then makes of the inputs. */
static void train(mica_model *model, double *losses, float *out)
{
    const mica_objective goal = {.loss = "mse"};
    float inputs[BATCH * STEPS * IN], targets[BATCH * 2];
    fill(inputs, BATCH * STEPS * IN, 1);
    fill(targets, BATCH * 2, 2);
    memset(inputs + 4 * IN, 0, 2 * IN * sizeof *inputs); /* the end of the first sequence is padding */
    mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = BATCH, .objectives = &goal, .objective_count = 1,
                                                            .optimizer = {"sgd", {{"learning_rate", 0.5}}}});
    for (int i = 0; i < RUNS; i++) {
        mica_plan_reset_metrics(plan);
        mica_plan_write(plan, "input", inputs, BATCH * STEPS * IN);
        mica_plan_write(plan, "output_target", targets, BATCH * 2);
        mica_plan_run(plan, BATCH);
        mica_plan_metrics(plan, &losses[i], 1);
    }
    mica_plan_destroy(plan);
    assert_int_equal(mica_predict(model, inputs, BATCH, out, BATCH * 2), MICA_OK);
}

static void as_lstm(void **state)
{
    static const char path[] = "test_cells.safetensors";
    double losses[2][RUNS];
    float out[2][BATCH * 2], again[BATCH * 2], inputs[BATCH * STEPS * IN];
    mica_model *layer = make(*state, false), *own = make(*state, true);
    copy(own, "r.in.weight", layer, "r.weight_ih_l0", 4 * UNITS * IN);
    copy(own, "r.of_h.weight", layer, "r.weight_hh_l0", 4 * UNITS * UNITS);
    copy(own, "r.in.bias", layer, "r.bias_ih_l0", 4 * UNITS);
    copy(own, "r.of_h.bias", layer, "r.bias_hh_l0", 4 * UNITS);
    copy(own, "d.weight", layer, "d.weight", 2 * UNITS);
    train(layer, losses[0], out[0]);
    train(own, losses[1], out[1]);
    golden_assert_fine(*state);
    for (int i = 0; i < RUNS; i++)
        assert_true(fabs(losses[0][i] - losses[1][i]) < 1e-6);
    assert_true(losses[0][RUNS - 1] < losses[0][0]);
    for (int i = 0; i < BATCH * 2; i++)
        assert_true(fabsf(out[0][i] - out[1][i]) < 1e-5f);

    assert_int_equal(mica_model_save(own, path), MICA_OK);
    mica_model *loaded = mica_model_load(*state, path);
    golden_assert_fine(*state);
    fill(inputs, BATCH * STEPS * IN, 1);
    memset(inputs + 4 * IN, 0, 2 * IN * sizeof *inputs);
    assert_int_equal(mica_predict(loaded, inputs, BATCH, again, BATCH * 2), MICA_OK);
    assert_memory_equal(again, out[1], sizeof again);
    mica_model_destroy(loaded);
    mica_model_destroy(layer);
    mica_model_destroy(own);
    remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_lstm)};
    return cmocka_run_group_tests(tests, golden_device_open, golden_device_close);
}
