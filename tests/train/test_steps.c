/* What stands around an optimizer's rule, beside PyTorch: gradients of several runs, averages of parameters, groups. */
#include "train/golden.h"

#include "nn/model.h"
#include "nn/optimizer/optimizer.h"

#include <math.h>
#include <string.h>

enum { EACH = 4, RUNS = 12 };

static double drawn(double step, int i)
{
    double x = (i + 1) * step;
    return x - floor(x);
}

static mica_model *open_model(mica_device *device)
{
    float a[8], p[4];
    mica_model *model = mica_model_create(device, NULL);
    mica_node *h = mica_op_tanh(mica_dense(mica_input(model, NULL, MICA_SHAPE(2)),
                                           &(mica_dense_desc){.name = "a", .units = 4, .no_bias = true}));
    mica_output(model, NULL, mica_dense(h, &(mica_dense_desc){.name = "p", .units = 1, .no_bias = true}));
    for (int i = 0; i < 8; i++)
        a[i] = (float)(drawn(0.1234567891, i) - 0.5);
    for (int i = 0; i < 4; i++)
        p[i] = (float)(drawn(0.3456789123, i) - 0.5);
    mica_model_write(model, "a.weight", a, 8);
    mica_model_write(model, "p.weight", p, 4);
    golden_assert_fine(device);
    return model;
}

/* Twelve runs over three batches in turn. */
static void run(mica_device *device, mica_plan *plan)
{
    float inputs[EACH * 2], targets[EACH];
    for (int r = 0; r < RUNS; r++) {
        int first = r % 3 * EACH;
        for (int i = 0; i < EACH * 2; i++)
            inputs[i] = (float)(drawn(0.7548776662, 2 * first + i) * 2 - 1);
        for (int i = 0; i < EACH; i++)
            targets[i] = (float)(drawn(0.3819660113, first + i) * 4 - 2);
        mica_plan_write(plan, "input", inputs, EACH * 2);
        mica_plan_write(plan, "output_target", targets, EACH);
        mica_plan_run(plan, EACH);
    }
    golden_assert_fine(device);
}

struct expected {
    const char *name;
    mica_optimizer optimizer;
    float value[4], average[4]; /* of p.weight */
};

#define ROUNDS {"gradient_accumulation_steps", 3}, {"use_ema", 1}, {"ema_momentum", 0.9}
#define SGD {"learning_rate", 0.1}, {"momentum", 0.9}

static const struct expected cases[] = {
    {.name = "sgd", .optimizer = {"sgd", {SGD, ROUNDS}}, .value = {-0.1570708f, 0.1954610f, -0.4530315f, -0.1023278f},
     .average = {-0.1551885f, 0.1923889f, -0.4602067f, -0.1131256f}},
    {.name = "adam", .optimizer = {"adam", {{"learning_rate", 0.05}, ROUNDS}},
     .value = {-0.1302159f, 0.3820330f, -0.4291185f, -0.1034656f}, .average = {-0.1890929f, 0.2675961f, -0.4151267f, -0.0739700f}},
    {.name = "rmsprop", .optimizer = {"rmsprop", {{"learning_rate", 0.05}, ROUNDS}},
     .value = {-0.1922992f, 0.3871812f, -0.3565054f, -0.0341209f}, .average = {-0.2819131f, 0.3659197f, -0.3234209f, 0.0166155f}},
    {.name = "adagrad", .optimizer = {"adagrad", {{"learning_rate", 0.05}, ROUNDS}},
     .value = {-0.1558660f, 0.1943491f, -0.4564466f, -0.1074870f}, .average = {-0.1551972f, 0.1924386f, -0.4601296f, -0.1130135f}},
    {.name = "adamw", .optimizer = {"adamw", {{"learning_rate", 0.05}, {"weight_decay", 0.1}, ROUNDS}},
     .value = {-0.1248388f, 0.3768802f, -0.4233111f, -0.1044543f}, .average = {-0.1875466f, 0.2658817f, -0.4120954f, -0.0736032f}},
    {.name = "nadam", .optimizer = {"nadam", {{"learning_rate", 0.05}, ROUNDS}},
     .value = {-0.1696948f, 0.3611777f, -0.4391559f, -0.0966734f}, .average = {-0.1976351f, 0.2667559f, -0.4161858f, -0.0718837f}},
    {.name = "adadelta", .optimizer = {"adadelta", {{"learning_rate", 0.5}, {"epsilon", 1e-3}, ROUNDS}},
     .value = {-0.1535272f, 0.2026757f, -0.4488586f, -0.0959155f}, .average = {-0.1560808f, 0.1950968f, -0.4551308f, -0.1055126f}},
    {.name = "lamb", .optimizer = {"lamb", {{"learning_rate", 0.05}, ROUNDS}},
     .value = {-0.1544263f, 0.2588705f, -0.4113265f, -0.0739093f}, .average = {-0.1668249f, 0.2145453f, -0.4419423f, -0.0974389f}},
    {.name = "adafactor", .optimizer = {"adafactor", {{"learning_rate", 0.05}, ROUNDS}},
     .value = {-0.1509326f, 0.2507820f, -0.4296777f, -0.0873498f}, .average = {-0.1643630f, 0.2134049f, -0.4454712f, -0.1004948f}},
    {.name = "clipvalue", .optimizer = {"sgd", {SGD, ROUNDS, {"clipvalue", 0.01}}}, .value = {-0.1576728f, 0.1953341f, -0.4539278f, -0.1082353f},
     .average = {-0.1552722f, 0.1923711f, -0.4605909f, -0.1149106f}},
    {.name = "clipnorm", .optimizer = {"sgd", {SGD, ROUNDS, {"clipnorm", 0.03}}}, .value = {-0.1571425f, 0.1954161f, -0.4528720f, -0.1021592f},
     .average = {-0.1551985f, 0.1923826f, -0.4601845f, -0.1131021f}},
    {.name = "global_clipnorm", .optimizer = {"sgd", {SGD, ROUNDS, {"global_clipnorm", 0.03}}}, .value = {-0.1564060f, 0.1940357f, -0.4560549f, -0.1068666f},
     .average = {-0.1549264f, 0.1920285f, -0.4611098f, -0.1144863f}},
    {.name = "overwritten", .optimizer = {"sgd", {SGD, ROUNDS, {"ema_overwrite_frequency", 3}}},
     .value = {-0.1560340f, 0.1936049f, -0.4572206f, -0.1086259f}, .average = {-0.1550848f, 0.1922033f, -0.4606257f, -0.1137554f}},
    {.name = "overwritten often",
     .optimizer = {"adam", {{"learning_rate", 0.05}, {"use_ema", 1}, {"ema_momentum", 0.9}, {"ema_overwrite_frequency", 2}}},
     .value = {-0.1112761f, 0.2300708f, -0.4997078f, -0.1560650f}, .average = {-0.1112761f, 0.2300708f, -0.4997078f, -0.1560650f}},
};

static void compare(const char *name, const char *what, const float *values, const float *expected)
{
    for (int i = 0; i < 4; i++)
        if (!(fabsf(values[i] - expected[i]) < 2e-6f))
            fail_msg("%s: %s %d is %.8g, not %.8g", name, what, i, (double)values[i], (double)expected[i]);
}

static void several_runs(void **state)
{
    for (size_t c = 0; c < MI_COUNT(cases); c++) {
        const mica_objective goal = {.loss = "mse"};
        float values[4], again[4];
        for (int round = 0; round < 2; round++) {
            mica_model *model = open_model(*state);
            mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = EACH, .objectives = &goal, .objective_count = 1,
                                                                    .optimizer = cases[c].optimizer});
            run(*state, plan);
            mica_model_read(model, "p.weight", round ? again : values, 4);
            compare(cases[c].name, "weight", values, cases[c].value);
            mica_model_take_averages(model);
            golden_assert_fine(*state);
            float average[4];
            mica_model_read(model, "p.weight", average, 4);
            compare(cases[c].name, "average", average, cases[c].average);
            mica_plan_destroy(plan);
            mica_model_destroy(model);
        }
        assert_memory_equal(values, again, sizeof values);
    }
}

/* A rate and a decay of one layer's own; without them an update is the same node as ever. */
static void groups(void **state)
{
    const float value[4] = {-0.1375026f, 0.2150472f, -0.4540388f, -0.1197512f};
    const mica_objective goal = {.loss = "mse"};
    mica_optimizer_group group = {.variables = "a.*", .setting = {{"learning_rate", 0.01}, {"weight_decay", 0.1}}};
    mica_plan_desc desc = {.batch = EACH, .objectives = &goal, .objective_count = 1, .optimizer = {"adam", {{"learning_rate", 0.05}}},
                           .groups = &group, .group_count = 1};
    float found[4];
    mica_model *model = open_model(*state);
    mica_plan *plan = mica_compile(model, &desc);
    run(*state, plan);
    mica_model_read(model, "p.weight", found, 4);
    compare("groups", "weight", found, value);
    assert_int_equal(mica_model_take_averages(model), MICA_INVALID_ARGUMENT);
    mica_device_clear_error(*state);
    mica_plan_destroy(plan);
    group.variables = "b.*";
    plan = mica_compile(model, &desc);
    assert_non_null(strstr(mica_plan_error(plan), "optimizer.groups[0]: no parameter is called \"b.*\""));
    mica_plan_destroy(plan);
    group = (mica_optimizer_group){.variables = "a.*", .setting = {{"learning_rat", 1}}};
    plan = mica_compile(model, &desc);
    assert_non_null(strstr(mica_plan_error(plan), "optimizer.groups[0]: there is no key \"learning_rat\"; did you mean \"learning_rate\"?"));
    mica_plan_destroy(plan);
    mica_device_clear_error(*state);
    mica_model_destroy(model);
}

/* Small parameters are still updated together: no launch more. */
static void launches(void **state)
{
    const mica_objective goal = {.loss = "mse"};
    mica_model *model = open_model(*state);
    mica_plan_desc desc = {.batch = EACH, .objectives = &goal, .objective_count = 1, .optimizer = {"adam", {{"learning_rate", 0.05}}}};
    mica_plan *plain = mica_compile(model, &desc);
    desc.optimizer = (mica_optimizer){"adam", {{"learning_rate", 0.05}, ROUNDS}};
    mica_plan *around = mica_compile(model, &desc);
    golden_assert_fine(*state);
    assert_int_equal(mica_plan_launches(around), mica_plan_launches(plain));
    mica_plan_destroy(plain);
    mica_plan_destroy(around);
    mica_model_destroy(model);
}

/* Launches of a step of dense layers, two parameters each. */
static int launches_of(mica_device *device, const char *type, int layers)
{
    const mica_objective goal = {.loss = "mse"};
    mica_model *model = mica_model_create(device, NULL);
    mica_node *x = mica_input(model, NULL, MICA_SHAPE(3));
    for (int i = 0; i < layers; i++)
        x = mica_op_tanh(mica_dense(x, &(mica_dense_desc){.units = 3}));
    mica_output(model, NULL, x);
    mica_plan *plan = mi_model_compile(model, &(const mica_plan_desc){.batch = 2, .objectives = &goal, .objective_count = 1,
                                                                      .optimizer = {.type = type}}, true, NULL, 0);
    int launches = mica_plan_launches(plan);
    if (mica_plan_status(plan) != MICA_OK)
        fail_msg("%s: %s", type, mica_plan_error(plan));
    mica_plan_destroy(plan);
    mica_model_destroy(model);
    return launches;
}

/* However many parameters there are, an optimizer makes at most four launches more than another. */
static void launches_of_all(void **state)
{
    static const int layers[] = {5, 100};
    for (size_t k = 0; k < MI_COUNT(layers); k++) {
        int adam = launches_of(*state, "adam", layers[k]);
        for (const struct mi_optimizer_row *const *row = mi_optimizer_rows; *row; row++) {
            int launches = launches_of(*state, (*row)->name, layers[k]);
            print_message("%s: %d launches with %d parameters, adam %d\n", (*row)->name, launches, 2 * layers[k], adam);
            assert_true(launches <= adam + 4);
        }
    }
}

static void refused(void **state)
{
    static const struct { mica_optimizer optimizer; const char *says; } wrong[] = {
        {{"sgd", {{"gradient_accumulation_steps", 2.5}}}, "optimizer.gradient_accumulation_steps: must be a whole number from 1 to 1e+06, not 2.5"},
        {{"sgd", {{"gradient_accumulation_steps", -1}}}, "optimizer.gradient_accumulation_steps: must be a whole number from 1 to 1e+06, not -1"},
        {{"sgd", {{"use_ema", 2}}}, "optimizer.use_ema: must be true or false"},
        {{"sgd", {{"ema_momentum", 1}}}, "optimizer.ema_momentum: must be at least 0 and below 1, not 1"},
        {{"sgd", {{"ema_momntum", 1}}}, "there is no key \"ema_momntum\"; did you mean \"ema_momentum\"?"}};
    const mica_objective goal = {.loss = "mse"};
    mica_model *model = open_model(*state);
    for (size_t i = 0; i < MI_COUNT(wrong); i++) {
        mica_plan *plan = mica_compile(model, &(mica_plan_desc){.objectives = &goal, .objective_count = 1, .optimizer = wrong[i].optimizer});
        if (!strstr(mica_plan_error(plan), wrong[i].says))
            fail_msg("\"%s\" should say \"%s\"", mica_plan_error(plan), wrong[i].says);
        mica_plan_destroy(plan);
        mica_device_clear_error(*state);
    }
    mica_model_destroy(model);
}

/* ---- Several plans over one model ---- */

/* y = p a x, from a = p = 1; with x = 1 and the target 0 the gradient of a is 2 a p p. */
static mica_model *open_line(mica_device *device)
{
    const float one = 1;
    mica_model *model = mica_model_create(device, NULL);
    mica_node *h = mica_dense(mica_input(model, NULL, MICA_SHAPE(1)), &(mica_dense_desc){.name = "a", .units = 1, .no_bias = true});
    mica_output(model, NULL, mica_dense(h, &(mica_dense_desc){.name = "p", .units = 1, .no_bias = true}));
    mica_model_write(model, "a.weight", &one, 1);
    mica_model_write(model, "p.weight", &one, 1);
    golden_assert_fine(device);
    return model;
}

static mica_plan *step_of(mica_model *model, mica_optimizer optimizer, const char *train)
{
    const mica_objective goal = {.loss = "mse"};
    return mica_compile(model, &(mica_plan_desc){.batch = 1, .objectives = &goal, .objective_count = 1, .optimizer = optimizer,
                                                 .train = train});
}

static void run_line(mica_plan *plan, int times)
{
    const float x = 1, target = 0;
    for (int i = 0; i < times; i++) {
        mica_plan_write(plan, "input", &x, 1);
        mica_plan_write(plan, "output_target", &target, 1);
        mica_plan_run(plan, 1);
    }
}

static void assert_value(mica_model *model, const char *name, float expected)
{
    float value;
    assert_int_equal(mica_model_read(model, name, &value, 1), MICA_OK);
    if (!(fabsf(value - expected) < 1e-6f))
        fail_msg("%s is %.8g, not %.8g", name, (double)value, (double)expected);
}

/* Averages that one plan makes are no other plan's moments, in whichever order they were compiled. */
static void averages_of_one(void **state)
{
    const mica_optimizer averaged = {"sgd", {{"learning_rate", 0.01}, {"use_ema", 1}, {"ema_momentum", 0.5}}};
    const mica_optimizer adam = {"adam", {{"learning_rate", 0.01}}};
    for (int order = 0; order < 2; order++) {
        float p, a = 1, average = 0;
        mica_model *model = open_line(*state);
        mica_plan *first = order ? step_of(model, adam, "p.*") : step_of(model, averaged, "a.*");
        mica_plan *second = order ? step_of(model, averaged, "a.*") : step_of(model, adam, "p.*");
        for (int i = 0; i < 3; i++) {
            a -= 0.01f * 2 * a;
            average = i ? 0.5f * average + 0.5f * a : a;
        }
        run_line(order ? second : first, 3);
        run_line(order ? first : second, 3);
        mica_model_read(model, "p.weight", &p, 1);
        assert_int_equal(mica_model_take_averages(model), MICA_OK);
        assert_value(model, "a.weight", average);
        assert_value(model, "p.weight", p);
        golden_assert_fine(*state);
        mica_plan_destroy(first);
        mica_plan_destroy(second);
        mica_model_destroy(model);
    }
}

/* An average begins with the first update, whatever the count of steps says; before it there is none. */
static void averages_begin(void **state)
{
    mica_model *model = open_line(*state);
    mica_plan *plan = step_of(model, (mica_optimizer){"sgd", {{"learning_rate", 0}, {"use_ema", 1}}}, NULL);
    assert_int_equal(mica_model_take_averages(model), MICA_INVALID_ARGUMENT);
    mica_device_clear_error(*state);
    assert_value(model, "a.weight", 1);
    mica_plan_set(plan, "steps", 100);
    run_line(plan, 1);
    assert_int_equal(mica_model_take_averages(model), MICA_OK);
    assert_value(model, "a.weight", 1);
    golden_assert_fine(*state);
    mica_plan_destroy(plan);
    mica_model_destroy(model);
}

/* What a plan had added up in a turn that it did not end is nothing to the next plan. */
static void turns_begin(void **state)
{
    const mica_optimizer twice = {"sgd", {{"learning_rate", 0.01}, {"gradient_accumulation_steps", 2}}};
    mica_model *model = open_line(*state);
    for (int i = 0; i < 2; i++) {
        mica_plan *plan = step_of(model, twice, "a.*");
        run_line(plan, 1 + i);
        mica_plan_destroy(plan);
    }
    assert_value(model, "a.weight", 0.98f);
    golden_assert_fine(*state);
    mica_model_destroy(model);
}

/* Moments lie where they belong, though another plan has made others before. */
static void moments_lie_apart(void **state)
{
    mica_model *model = open_line(*state);
    mica_plan *other = step_of(model, (mica_optimizer){"adagrad", {{"clipvalue", 100}, {"gradient_accumulation_steps", 2}}}, "a.*");
    mica_plan *plan = step_of(model, (mica_optimizer){"adagrad", {{"learning_rate", 0.01}}}, NULL);
    run_line(plan, 1);
    assert_value(model, "a.weight", 1 - 0.01f * 2 / sqrtf(0.1f + 4));
    assert_value(model, "p.weight", 1 - 0.01f * 2 / sqrtf(0.1f + 4));
    golden_assert_fine(*state);
    mica_plan_destroy(other);
    mica_plan_destroy(plan);
    mica_model_destroy(model);
}

static void patterns_name_something(void **state)
{
    mica_optimizer_group group = {.variables = "a.*, zzz.*", .setting = {{"learning_rate", 0.01}}};
    const mica_objective goal = {.loss = "mse"};
    mica_plan_desc desc = {.batch = 1, .objectives = &goal, .objective_count = 1, .groups = &group, .group_count = 1};
    mica_model *model = open_line(*state);
    mica_plan *plan = mica_compile(model, &desc);
    assert_non_null(strstr(mica_plan_error(plan), "optimizer.groups[0]: no parameter is called \"zzz.*\""));
    mica_plan_destroy(plan);
    group.variables = "a.*";
    desc.train = "q.*,a.*";
    plan = mica_compile(model, &desc);
    assert_non_null(strstr(mica_plan_error(plan), "train: no parameter is called \"q.*\""));
    mica_plan_destroy(plan);
    desc.train = NULL;
    desc.optimizer = (mica_optimizer){"sgd", {{"learning_rate", 0}}};
    plan = mica_compile(model, &desc);
    assert_non_null(strstr(mica_plan_error(plan), "optimizer.groups[0].learning_rate: goes with the optimizer's own, which is 0"));
    mica_plan_destroy(plan);
    mica_device_clear_error(*state);
    mica_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_runs),    cmocka_unit_test(groups),         cmocka_unit_test(launches), cmocka_unit_test(launches_of_all),
        cmocka_unit_test(refused),         cmocka_unit_test(averages_of_one), cmocka_unit_test(averages_begin),
        cmocka_unit_test(turns_begin),     cmocka_unit_test(moments_lie_apart), cmocka_unit_test(patterns_name_something)};
    return cmocka_run_group_tests(tests, golden_device_open, golden_device_close);
}
