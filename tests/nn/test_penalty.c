/* Penalties and constraints in plans: what counts in which loss, and when a parameter changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <mica/mica.h>

#include <math.h>
#include <string.h>

static int open_one(void **state)
{
    *state = mica_device_open(NULL);
    return !*state;
}

static int close_one(void **state)
{
    mica_device_destroy(*state);
    return 0;
}

static void assert_near(double got, double wanted)
{
    if (!(fabs(got - wanted) <= 1e-5 * (1 + fabs(wanted))))
        fail_msg("%g instead of %g", got, wanted);
}

static mica_plan *compile(mica_model *model, const mica_plan_desc *desc)
{
    mica_plan *plan = mica_compile(model, desc);
    if (mica_plan_status(plan) != MICA_OK)
        fail_msg("%s", mica_plan_error(plan));
    return plan;
}

static const mica_optimizer sgd = {"sgd", {{"learning_rate", 0.5}}};
#define ONES .initializer = {.type = "ones"}
#define HALF .regularizer = {.type = "l2", .l2 = 0.5f}

/* The loss of one run on two samples, 1 and 2. */
static double run(mica_plan *plan)
{
    const float x[2] = {1, 2};
    float loss = 0;
    assert_int_equal(mica_plan_write(plan, "x", x, 2), MICA_OK);
    assert_int_equal(mica_plan_run(plan, 2), MICA_OK);
    if (mica_plan_read(plan, "loss", &loss, 1) != MICA_OK)
        fail_msg("%s", mica_plan_error(plan));
    return (double)loss;
}

static double weight(mica_model *model, const char *name)
{
    float value = 0;
    assert_int_equal(mica_model_read(model, name, &value, 1), MICA_OK);
    return (double)value;
}

/* Two layers of a factor each, y = q * (p * x), both 1 and with a penalty of w^2 / 2. */
static mica_node *two_factors(mica_model *model)
{
    mica_node *x = mica_input(model, "x", MICA_SHAPE(1));
    mica_node *p = mica_dense(x, &(mica_dense_desc){.name = "p", .units = 1, .no_bias = true, .kernel = {ONES, HALF}});
    return mica_dense(p, &(mica_dense_desc){.name = "q", .units = 1, .no_bias = true, .kernel = {ONES, HALF}});
}

/* Penalties of what is trained are in a loss of the caller's; others are not. */
static void trained_alone(void **state)
{
    mica_model *model = mica_model_create(*state, NULL);
    mica_node *y = two_factors(model);
    mica_plan *all = compile(model, &(mica_plan_desc){.batch = 2, .loss = y, .optimizer = sgd});
    mica_plan *one = compile(model, &(mica_plan_desc){.batch = 2, .loss = y, .optimizer = sgd, .train = "q.*"});
    assert_near(run(one), 1.5 + 0.5); /* the derivative by q is the mean of x and q */
    assert_near(weight(model, "q.weight"), 1 - 0.5 * (1.5 + 1));
    double q = -0.25;
    assert_near(weight(model, "p.weight"), 1);
    assert_near(run(all), 1.5 * q + 0.5 + 0.5 * q * q);
    assert_near(weight(model, "p.weight"), 1 - 0.5 * (1.5 * q + 1));
    assert_near(weight(model, "q.weight"), q - 0.5 * (1.5 + q));
    mica_plan_destroy(all);
    mica_plan_destroy(one);
    mica_model_destroy(model);
}

/* A gradient is clipped with the penalty's part. */
static void clipped(void **state)
{
    mica_model *model = mica_model_create(*state, NULL);
    mica_node *y = two_factors(model);
    mica_plan *plan = compile(model, &(mica_plan_desc){
        .batch = 2, .loss = y, .train = "q.*", .optimizer = {"sgd", {{"learning_rate", 0.5}, {"clipvalue", 2}}}});
    assert_near(run(plan), 1.5 + 0.5);
    assert_near(weight(model, "q.weight"), 1 - 0.5 * 2);
    mica_plan_destroy(plan);
    mica_model_destroy(model);
}

/* The weight of a layer that is used twice has one penalty, each of its results has its own. */
static void used_twice(void **state)
{
    mica_model *model = mica_model_create(*state, NULL);
    mica_node *x = mica_input(model, "x", MICA_SHAPE(1));
    mica_node *y = mica_dense(x, &(mica_dense_desc){.name = "p", .units = 1, .no_bias = true, .kernel = {ONES, HALF}});
    assert_ptr_equal(mica_activity_regularizer(y, &(mica_regularizer){.type = "l1", .l1 = 0.1f}), y);
    y = mica_again(model, "p", &y, 1, "again");
    mica_plan *plan = compile(model, &(mica_plan_desc){.batch = 2, .loss = y, .optimizer = sgd});
    assert_near(run(plan), 1.5 + 0.5 + 2 * 0.1 * 1.5);
    assert_near(weight(model, "p.weight"), 1 - 0.5 * (2 * 1.5 + 1 + 0.1 * (1.5 + 2 * 1.5)));
    mica_plan_destroy(plan);
    mica_model_destroy(model);
}

/* Keras's layer that only penalizes; what the loss does not depend on is not penalized. */
static void activities(void **state)
{
    mica_model *model = mica_model_create(*state, NULL);
    mica_node *x = mica_input(model, "x", MICA_SHAPE(1));
    mica_node *y = mica_dense(x, &(mica_dense_desc){.name = "p", .units = 1, .no_bias = true, .kernel = {ONES}});
    mica_node *penalized = mica_activity_regularization(y, &(mica_activity_regularization_desc){.l2 = 0.2f});
    mica_plan *plan = compile(model, &(mica_plan_desc){.batch = 2, .loss = y, .optimizer = sgd});
    assert_near(run(plan), 1.5);
    mica_plan_destroy(plan);
    double w = weight(model, "p.weight"); /* 0.25: the mean of squares is 2.5 w^2 */
    plan = compile(model, &(mica_plan_desc){.batch = 2, .loss = penalized, .optimizer = sgd});
    assert_near(run(plan), 1.5 * w + 0.2 * 2.5 * w * w);
    assert_near(weight(model, "p.weight"), w - 0.5 * (1.5 + 0.2 * 5 * w));
    mica_plan_destroy(plan);
    mica_model_destroy(model);
}

/* The first number that a plan measures. */
static double measured(mica_plan *plan, int which)
{
    double values[3];
    const float x[2] = {1, 2}, t[2] = {0, 0};
    assert_int_equal(mica_plan_metric_count(plan), 3);
    assert_int_equal(mica_plan_write(plan, "x", x, 2), MICA_OK);
    assert_int_equal(mica_plan_write(plan, "a_target", t, 2), MICA_OK);
    assert_int_equal(mica_plan_write(plan, "b_target", t, 2), MICA_OK);
    assert_int_equal(mica_plan_run(plan, 2), MICA_OK);
    assert_int_equal(mica_plan_metrics(plan, values, 3), MICA_OK);
    return values[which];
}

/* Of several outputs the whole loss has the penalties, in training and evaluation; each output's own has not. */
static void told(void **state)
{
    mica_model *model = mica_model_create(*state, NULL);
    mica_node *y = two_factors(model);
    mica_activity_regularizer(y, &(mica_regularizer){.type = "l1", .l1 = 0.1f});
    mica_output(model, "a", y);
    mica_output(model, "b", mica_op_scale(y, 2));
    const mica_objective objectives[] = {{.output = "a", .loss = "mse"}, {.output = "b", .loss = "mse"}};
    mica_plan_desc desc = {.batch = 4, .objectives = objectives, .objective_count = 2, .evaluate = true};
    mica_plan *plan = compile(model, &desc);
    assert_near(measured(plan, 1), 2.5);
    assert_near(measured(plan, 2), 10);
    assert_near(measured(plan, 0), 12.5 + 1 + 0.1 * 1.5);
    mica_plan_destroy(plan);
    desc.evaluate = false;
    desc.optimizer = sgd;
    plan = compile(model, &desc);
    assert_near(measured(plan, 0), 12.5 + 1 + 0.1 * 1.5); /* before the update */
    mica_plan_destroy(plan);
    mica_model_destroy(model);
}

/* Runs that only add gradients leave every bit of a parameter, though its constraint would change it. */
static void constrained_in_turn(void **state)
{
    const float before = 3.0000002f;
    float now;
    mica_model *model = mica_model_create(*state, NULL);
    mica_node *x = mica_input(model, "x", MICA_SHAPE(1));
    mica_node *y = mica_dense(x, &(mica_dense_desc){.name = "p", .units = 1, .no_bias = true,
                                                    .kernel.constraint = {.type = "max_norm", .max_value = 1}});
    assert_int_equal(mica_model_write(model, "p.weight", &before, 1), MICA_OK);
    mica_plan *plan = compile(model, &(mica_plan_desc){
        .batch = 2, .loss = y, .optimizer = {"sgd", {{"learning_rate", 0.5}, {"gradient_accumulation_steps", 2}}}});
    run(plan);
    assert_int_equal(mica_model_read(model, "p.weight", &now, 1), MICA_OK);
    assert_memory_equal(&now, &before, sizeof now);
    run(plan);
    assert_near(weight(model, "p.weight"), 1);
    mica_plan_destroy(plan);
    mica_model_destroy(model);
}

/* A scaled loss: penalties and constraints act on what is left of it, with and without clipping. */
static void scaled(void **state)
{
    static const mica_optimizer optimizers[] = {{"sgd", {{"learning_rate", 0.5}}},
                                                {"sgd", {{"learning_rate", 0.5}, {"clipvalue", 100}}},
                                                {"sgd", {{"learning_rate", 0.5}, {"gradient_accumulation_steps", 1}}}};
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++) {
        mica_model *model = mica_model_create(*state, NULL);
        mica_node *x = mica_input(model, "x", MICA_SHAPE(1));
        mica_node *y = mica_dense(x, &(mica_dense_desc){.name = "p", .units = 1, .no_bias = true, .kernel = {
            ONES, .regularizer = {.type = "l1_l2", .l1 = 0.25f, .l2 = 0.5f}, .constraint = {.type = "min_max_norm", .max_value = 0.125f}}});
        mica_plan *plan = compile(model, &(mica_plan_desc){.batch = 2, .loss = mica_op_scale(y, 0.25f), .optimizer = optimizers[i],
                                                           .precision = MICA_FLOAT16});
        assert_near(run(plan), 0.25 * 1.5 + 0.25 + 0.5);
        assert_near(weight(model, "p.weight"), fmin(0.125, 1 - 0.5 * (0.25 * 1.5 + 0.25 + 1)));
        assert_near(run(plan), (0.25 * 1.5 + 0.25) * 0.125 + 0.5 * 0.125 * 0.125);
        mica_plan_destroy(plan);
        mica_model_destroy(model);
    }
}

/* Averages are of what the rule makes; a parameter that they overwrite is constrained after that. */
static void averaged(void **state)
{
    mica_model *model = mica_model_create(*state, NULL);
    mica_node *x = mica_input(model, "x", MICA_SHAPE(1));
    mica_node *y = mica_dense(x, &(mica_dense_desc){.name = "p", .units = 1, .no_bias = true,
                                                    .kernel = {ONES, .constraint = {.type = "non_neg"}}});
    mica_plan *plan = compile(model, &(mica_plan_desc){
        .batch = 2, .loss = y, .optimizer = {"sgd", {{"learning_rate", 1}, {"use_ema", 1}, {"ema_momentum", 0.5},
                                                     {"ema_overwrite_frequency", 2}}}});
    run(plan); /* 1 - 1.5, which is the first average, and 0 once it is constrained */
    assert_near(weight(model, "p.weight"), 0);
    run(plan); /* -1.5, the average with -0.5 is -1, which overwrites it */
    assert_near(weight(model, "p.weight"), 0);
    assert_int_equal(mica_model_take_averages(model), MICA_OK);
    assert_near(weight(model, "p.weight"), -1);
    mica_plan_destroy(plan);
    mica_model_destroy(model);
}

static mica_node *constrained_dense(mica_model *model, mica_shape axis)
{
    return mica_dense(mica_input(model, "x", MICA_SHAPE(2)), &(mica_dense_desc){
        .name = "p", .units = 2, .no_bias = true, .kernel.constraint = {.type = "unit_norm", .axis = axis}});
}

static mica_node *constrained_einsum(mica_model *model, mica_shape axis)
{
    return mica_einsum_dense(mica_input(model, "x", MICA_SHAPE(2)), &(mica_einsum_dense_desc){
        .name = "p", .equation = "ab,bc->ac", .output_shape = MICA_SHAPE(2),
        .kernel.constraint = {.type = "unit_norm", .axis = axis}});
}

static mica_node *constrained_bias(mica_model *model, mica_shape axis)
{
    return mica_einsum_dense(mica_input(model, "x", MICA_SHAPE(2)), &(mica_einsum_dense_desc){
        .name = "p", .equation = "ab,bcd->acd", .output_shape = MICA_SHAPE(2, 2), .bias_axes = "cd",
        .bias = {ONES, .constraint = {.type = "unit_norm", .axis = axis}}});
}

static mica_node *constrained_gamma(mica_model *model, mica_shape axis)
{
    mica_node *x = mica_repeat_vector(mica_input(model, "x", MICA_SHAPE(2)), NULL, 2);
    return mica_layer_normalization(x, &(mica_layer_normalization_desc){
        .name = "p", .axis = MICA_SHAPE(1, 2), .gamma.constraint = {.type = "unit_norm", .axis = axis}});
}

/* Norms of a unit's weights by default: of rows where weights are PyTorch's (units, inputs), of columns where they are Keras's, of
 * which `axis` names the axes of both. */
static void axes(void **state)
{
    static const double rows[4] = {0.6, 0.8, 0.6, 0.8}, columns[4] = {0.4472136, 0.4472136, 0.8944272, 0.8944272},
                        all[4] = {0.2683282, 0.3577709, 0.5366563, 0.7155418};
    const struct {
        mica_node *(*make)(mica_model *model, mica_shape axis);
        const char *name;
        mica_shape axis;
        const double *wanted;
    } cases[] = {{constrained_dense, "p.weight", {0}, rows}, {constrained_dense, "p.weight", {1, {0}}, rows},
                 {constrained_dense, "p.weight", {1, {1}}, columns}, {constrained_dense, "p.weight", {2, {0, 1}}, all},
                 {constrained_einsum, "p.weight", {0}, columns}, {constrained_einsum, "p.weight", {1, {0}}, columns},
                 {constrained_einsum, "p.weight", {1, {1}}, rows}, {constrained_einsum, "p.weight", {2, {0, 1}}, all},
                 {constrained_bias, "p.bias", {0}, columns}, {constrained_bias, "p.bias", {1, {-1}}, rows},
                 {constrained_gamma, "p.weight", {0}, columns}, {constrained_gamma, "p.weight", {1, {1}}, rows}};
    const float before[4] = {3, 4, 6, 8}, x[2] = {0, 0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float now[4];
        mica_model *model = mica_model_create(*state, NULL);
        mica_node *y = cases[i].make(model, cases[i].axis);
        assert_int_equal(mica_model_write(model, cases[i].name, before, 4), MICA_OK);
        mica_plan *plan = compile(model, &(mica_plan_desc){.batch = 1, .loss = mica_op_scale(y, 0), .optimizer = sgd});
        assert_int_equal(mica_plan_write(plan, "x", x, 2), MICA_OK);
        assert_int_equal(mica_plan_run(plan, 1), MICA_OK);
        assert_int_equal(mica_model_read(model, cases[i].name, now, 4), MICA_OK);
        for (int k = 0; k < 4; k++)
            assert_near((double)now[k], cases[i].wanted[k]);
        mica_plan_destroy(plan);
        mica_model_destroy(model);
    }
}

/* The rows of Keras's kernel are those of a weight by an equation, and the columns of a dense layer's. */
static void orthogonal(void **state)
{
    static const char *const modes[] = {"rows", "columns"};
    static const double cosines[] = {12 / (3 * 6.4031242), 20 / (5 * 5.0)};
    const float before[4] = {3, 0, 4, 5}, x[2] = {0, 0};
    for (int i = 0; i < 4; i++) {
        float loss = 0;
        const mica_parameter_desc kernel = {.regularizer = {.type = "orthogonal", .factor = 1, .mode = modes[i % 2]}};
        mica_model *model = mica_model_create(*state, NULL);
        mica_node *input = mica_input(model, "x", MICA_SHAPE(2)), *y;
        if (i < 2)
            y = mica_einsum_dense(input, &(mica_einsum_dense_desc){.name = "p", .equation = "ab,bc->ac", .kernel = kernel,
                                                                   .output_shape = MICA_SHAPE(2)});
        else
            y = mica_dense(input, &(mica_dense_desc){.name = "p", .units = 2, .no_bias = true, .kernel = kernel});
        assert_int_equal(mica_model_write(model, "p.weight", before, 4), MICA_OK);
        mica_plan *plan = compile(model, &(mica_plan_desc){.batch = 1, .loss = y, .optimizer = sgd});
        assert_int_equal(mica_plan_write(plan, "x", x, 2), MICA_OK);
        assert_int_equal(mica_plan_run(plan, 1), MICA_OK);
        assert_int_equal(mica_plan_read(plan, "loss", &loss, 1), MICA_OK);
        assert_near((double)loss, cosines[i < 2 ? i : 3 - i]);
        mica_plan_destroy(plan);
        mica_model_destroy(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(trained_alone), cmocka_unit_test(clipped), cmocka_unit_test(used_twice),
                                       cmocka_unit_test(activities), cmocka_unit_test(told), cmocka_unit_test(axes),
                                       cmocka_unit_test(orthogonal), cmocka_unit_test(scaled),
                                       cmocka_unit_test(averaged),
                                       cmocka_unit_test(constrained_in_turn)};
    return cmocka_run_group_tests(tests, open_one, close_one);
}
