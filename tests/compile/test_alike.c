/* Work at the end of a step, of which a launch does that of several parameters: of awkward sizes, on devices that write it in other
 * ways. PyTorch's values for these rules are in tests/golden. */
#include "mica/mica.h"
#include "nn/model.h"
#include "plan/inside.h"
#include "support/network.h"

#include <stdlib.h>

enum { BATCH = 6, WIDTH = 5, STEPS = 4, MOST_VALUES = 8192 };

static const mica_optimizer optimizers[] = {
    {.type = "lamb", .setting = {{"learning_rate", 0.01}, {"weight_decay", 0.1}}},
    {.type = "adam", .setting = {{"learning_rate", 0.01}, {"global_clipnorm", 0.01}}},
    {.type = "adafactor", .setting = {{"learning_rate", 0.01}, {"clipnorm", 0.1}, {"gradient_accumulation_steps", 2}}},
};

/* Layers whose parameters have 1 number, fewer and more than a vector, and a prime of them. */
static mica_model *open_model(mica_device *device)
{
    static const int units[] = {1, 33, 3};
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 5});
    mica_node *x = mica_input(model, NULL, MICA_SHAPE(WIDTH));
    for (size_t i = 0; i < MI_COUNT(units); i++)
        x = mica_op_tanh(mica_dense(x, &(mica_dense_desc){.units = units[i]}));
    mica_output(model, NULL, x);
    return model;
}

/* The parameters after some steps, and how many of the last plan's launches were for several kernels. */
static size_t train(mica_device *device, const mica_optimizer *optimizer, float *values, int *several)
{
    const mica_objective goal = {.loss = "mse"};
    mica_model *model = open_model(device);
    mica_plan *plan = mi_model_compile(model, &(const mica_plan_desc){.batch = BATCH, .objectives = &goal, .objective_count = 1,
                                                                      .optimizer = *optimizer}, false, NULL, 0);
    float x[BATCH * WIDTH], t[BATCH * 3];
    size_t count = 0;
    for (int i = 0; i < BATCH * WIDTH; i++)
        x[i] = (float)(i * 7 % 11) / 5 - 1;
    for (int i = 0; i < BATCH * 3; i++)
        t[i] = (float)(i * 5 % 7) / 7;
    for (int step = 0; step < STEPS; step++) {
        mica_plan_write(plan, "input", x, BATCH * WIDTH);
        mica_plan_write(plan, "output_target", t, BATCH * 3);
        mica_plan_run(plan, BATCH);
    }
    if (mica_plan_status(plan) != MICA_OK)
        fail_msg("%s: %s", optimizer->type, mica_plan_error(plan));
    for (int i = 0; i < mica_model_variable_count(model); i++) {
        const struct mi_variable *variable = model->variables.list[i];
        if (variable->role != MI_PARAMETER)
            continue;
        size_t own = mi_variable_count(variable);
        assert_true(count + own <= MOST_VALUES);
        assert_int_equal(mica_model_read(model, variable->name, values + count, own), MICA_OK);
        count += own;
    }
    for (size_t a = 0; a < plan->assignment_count; a++) /* a copy for each parameter would cost as much as a launch */
        assert_true(plan->assignments[a].in_place || plan->assignments[a].variable->role != MI_PARAMETER);
    if (mica_plan_peak_bytes(plan) < 2 * count * sizeof(float)) /* the parameters, and a state of an optimizer */
        fail_msg("%s: the moments are not counted", optimizer->type);
    *several = 0;
    for (size_t i = 0; i < plan->action_count; i++)
        *several += plan->actions[i].table.mem && plan->actions[i].launch.global[1] > 1;
    mica_plan_destroy(plan);
    mica_model_destroy(model);
    return count;
}

static void on_other_devices(void **state)
{
    float *wanted = mi_new(MOST_VALUES, sizeof *wanted), *got = mi_new(MOST_VALUES, sizeof *got);
    int several;
    assert_true(wanted && got);
    for (int debug = 0; debug < 2; debug++) {
        mica_device *device = mica_device_open(&(mica_device_desc){.debug = debug, .limits = {.gpu_kernels = !debug}});
        for (size_t i = 0; i < MI_COUNT(optimizers) && device; i++) {
            size_t count = train(*state, &optimizers[i], wanted, &several);
            assert_true(several > 0);
            assert_int_equal(train(device, &optimizers[i], got, &several), count);
            assert_int_equal(several > 0, !debug); /* in debug mode each value has memory of its own */
            assert_near(optimizers[i].type, got, wanted, count, 1e-4);
        }
        mica_device_destroy(device);
    }
    free(wanted);
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(on_other_devices)};
    return cmocka_run_group_tests_name("alike", tests, open_device, close_device);
}
