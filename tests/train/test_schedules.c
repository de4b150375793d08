/* Learning rates that change: every schedule beside PyTorch's, and what the steps of a training make of one. */
#include "train/golden.h"

#include "nn/optimizer/optimizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- The rates of updates ---- */

static void rates(void **state)
{
    struct golden golden = {0};
    golden_open(&golden, "schedules.safetensors");
    cJSON *cases = golden_json(&golden, "cases");
    const cJSON *item;
    int done = 0;
    (void)state;
    cJSON_ArrayForEach(item, cases) {
        struct mi_arena arena = {0};
        struct mi_error error = {0};
        struct mi_schedule schedule;
        mica_schedule given;
        size_t count = 0;
        float *wanted = golden_floats(&golden, "", item->string, &count), got[64];
        if (mi_schedule_read(&error, &arena, item, item->string, &given) != MICA_OK ||
            mi_schedule_resolve(&error, item->string, &given, 0.125f, &schedule) != MICA_OK)
            fail_msg("%s", error.text);
        assert_true(count > 0 && count <= MI_COUNT(got));
        for (size_t t = 0; t < count; t++)
            got[t] = (float)mi_schedule_rate(&schedule, t);
        golden_compare(item->string, got, wanted, count, 1e-6);
        free(wanted);
        mi_arena_destroy(&arena);
        done++;
    }
    assert_true(done >= 20);
    cJSON_Delete(cases);
    golden_close(&golden);
}

static double rate_at(const mica_schedule *given, uint64_t step)
{
    struct mi_error error = {0};
    struct mi_schedule schedule;
    if (mi_schedule_resolve(&error, "rate", given, 0.125f, &schedule) != MICA_OK)
        fail_msg("%s", error.text);
    return mi_schedule_rate(&schedule, step);
}

/* What is not given is the optimizer's; behind its end a schedule stays where it was. */
static void ends(void **state)
{
    const mica_schedule constant = {.type = NULL}, cosine = {"cosine_decay", {{"decay_steps", 5}, {"alpha", 0.5}}, NULL, NULL, 0, 0},
                        cycle = {"one_cycle", {{"total_steps", 10}, {"div_factor", 2}, {"final_div_factor", 2}}, NULL, NULL, 0, 0};
    (void)state;
    assert_true(fabs(rate_at(&constant, 1000) - 0.125) < 1e-12);
    assert_true(fabs(rate_at(&cosine, 0) - 0.125) < 1e-12);
    assert_true(fabs(rate_at(&cosine, 1000) - 0.0625) < 1e-12);
    assert_true(fabs(rate_at(&cycle, 2) - 0.125) < 1e-12);
    assert_true(fabs(rate_at(&cycle, 1000) - 0.03125) < 1e-12);
}

/* ---- Steps ---- */

/* y = w x from w = 0 and b = 0, with x = 1; the target 1 and a gradient that is clipped to 0.5 show each step's rate. */
static mica_model *open_line(mica_device *device)
{
    const float zero = 0;
    mica_model *model = mica_model_create(device, NULL);
    mica_output(model, NULL, mica_dense(mica_input(model, NULL, MICA_SHAPE(1)), &(mica_dense_desc){.name = "d", .units = 1}));
    mica_model_write(model, "d.weight", &zero, 1);
    golden_assert_fine(device);
    return model;
}

#define CLIPPED {"clipvalue", 0.5}
static const mica_schedule stairs = {.type = "step_decay", .setting = {{"step_size", 1}, {"gamma", 0.5}}};

static mica_plan *compile(mica_model *model, const mica_plan_desc *how)
{
    const mica_objective goal = {.loss = "mse"};
    mica_plan_desc desc = *how;
    desc.batch = 1;
    desc.objectives = &goal;
    desc.objective_count = 1;
    return mica_compile(model, &desc);
}

/* By how much a run moves a parameter, in halves of a rate. */
static double moved(mica_device *device, mica_model *model, mica_plan *plan, const char *name)
{
    const float x = 1, target = 100;
    float before, after;
    mica_model_read(model, name, &before, 1);
    mica_plan_write(plan, "input", &x, 1);
    mica_plan_write(plan, "output_target", &target, 1);
    assert_int_equal(mica_plan_run(plan, 1), MICA_OK);
    mica_model_read(model, name, &after, 1);
    golden_assert_fine(device);
    return 2 * (double)(after - before);
}

static void assert_moves(void **state, mica_model *model, mica_plan *plan, const char *name, double rate)
{
    double got = moved(*state, model, plan, name);
    if (fabs(got - rate) > 1e-6)
        fail_msg("%s moved by half of %g instead of %g", name, got, rate);
}

static void steps(void **state)
{
    mica_model *model = open_line(*state);
    mica_plan *plan = compile(model, &(mica_plan_desc){.optimizer = {"sgd", {{"learning_rate", 0.5}, CLIPPED}}, .schedule = &stairs});
    for (int t = 0; t < 4; t++)
        assert_moves(state, model, plan, "d.weight", ldexp(0.5, -t));
    mica_plan_set(plan, "steps", 1);
    assert_moves(state, model, plan, "d.weight", 0.25);
    mica_plan_set(plan, "learning_rate", 0.375);
    assert_moves(state, model, plan, "d.weight", 0.375);
    assert_moves(state, model, plan, "d.weight", 0.375);
    mica_plan_destroy(plan);
    mica_model_destroy(model);
}

/* The schedule counts updates; a group's rate goes with it; the plan keeps the lists. */
static void turns(void **state)
{
    double lists[] = {0, 0.5, 0.25};
    const mica_optimizer_group slow = {"*.bias", {{"learning_rate", 0.125}}};
    const mica_schedule piecewise = {.type = "piecewise_constant_decay", .boundaries = lists, .boundary_count = 1,
                                     .values = lists + 1, .value_count = 2};
    mica_model *model = open_line(*state);
    mica_plan *plan = compile(model, &(mica_plan_desc){.optimizer = {"sgd", {CLIPPED, {"gradient_accumulation_steps", 2}}},
                                                       .groups = &slow, .group_count = 1, .schedule = &piecewise});
    lists[0] = lists[1] = lists[2] = 1e9;
    assert_moves(state, model, plan, "d.weight", 0);
    assert_moves(state, model, plan, "d.weight", 0.5);
    assert_moves(state, model, plan, "d.bias", 0);
    assert_moves(state, model, plan, "d.bias", 0.0625); /* a quarter of 0.25 */
    mica_plan_destroy(plan);
    mica_model_destroy(model);
}

/* A second fit goes on in the schedule, and tells the rate. */
static void goes_on(void **state)
{
    const float x[3] = {1, 1, 1}, y[3] = {100, 100, 100};
    mica_data *data = mica_arrays_open(*state, &(mica_arrays_desc){.samples = 3, .input_shape = MICA_SHAPE(1), .inputs = x,
                                                                   .values = y});
    mica_model *model = open_line(*state);
    for (int fit = 0; fit < 2; fit++) {
        mica_history *history = NULL;
        mica_fit(model, data, &(mica_fit_desc){.loss = "mse", .optimizer = {"sgd", {{"learning_rate", 0.5}, CLIPPED}}, .batch_size = 1,
                                               .schedule = &stairs}, &history);
        golden_assert_fine(*state);
        double told = (double)mica_history_epoch(history, 0)->learning_rate;
        assert_true(fabs(told - ldexp(0.5, -(fit ? 5 : 2))) < 1e-9);
        mica_history_destroy(history);
    }
    float weight;
    mica_model_read(model, "d.weight", &weight, 1);
    assert_true(fabs((double)weight - (1 - ldexp(1, -6)) / 2) < 1e-6); /* half of 0.5 + ... + 0.5 / 32 */
    mica_model_destroy(model);
    mica_data_destroy(data);
}

static void refused(void **state)
{
    const double falls[] = {3, 2}, values[] = {1, 1, -1};
    const struct { mica_schedule schedule; const char *says; } wrong[] = {
        {{.type = "cosine"}, "optimizer.learning_rate: there is no type \"cosine\""},
        {{.type = "step_decay"}, "optimizer.learning_rate: the key \"step_size\" is missing"},
        {{.type = "step_decay", .setting = {{"step_size", 1.5}}}, "step_size: must be a whole number at least 1, not 1.5"},
        {{.type = "one_cycle", .setting = {{"total_steps", 9}, {"div_factor", 0}}}, "div_factor: must be above 0, not 0"},
        {{.type = "cosine_decay_restarts", .setting = {{"first_decay_steps", 9}, {"t_mul", 0.5}}}, "t_mul: must be at least 1, not 0.5"},
        {{.type = "piecewise_constant_decay"}, "0 boundaries take 1 values, not 0"},
        {{.type = "piecewise_constant_decay", .boundary_count = 1}, "a list of them is NULL"},
        {{.type = "piecewise_constant_decay", .boundaries = falls, .boundary_count = 1, .values = values + 1, .value_count = 2},
         "optimizer.learning_rate.values[1]: must be at least 0, not -1"},
        {{.type = "piecewise_constant_decay", .boundaries = falls, .boundary_count = 2, .values = (const double[]){1, 1, 1},
          .value_count = 3}, "optimizer.learning_rate.boundaries[1]: must be above the one before, not 2"}};
    mica_model *model = open_line(*state);
    for (size_t i = 0; i < MI_COUNT(wrong); i++) {
        mica_plan *plan = compile(model, &(mica_plan_desc){.optimizer = {.type = "sgd"}, .schedule = &wrong[i].schedule});
        if (!strstr(mica_plan_error(plan), wrong[i].says))
            fail_msg("\"%s\" should say \"%s\"", mica_plan_error(plan), wrong[i].says);
        mica_plan_destroy(plan);
        mica_device_clear_error(*state);
    }
    mica_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rates), cmocka_unit_test(ends),    cmocka_unit_test(steps),
                                       cmocka_unit_test(turns), cmocka_unit_test(goes_on), cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, golden_device_open, golden_device_close);
}
