/* Training in 16 bits: it learns what float32 learns, keeps less, and the scale of the loss finds itself. */
#include "nn/model.h"
#include "support/device.h"

#include <mica/mica.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SAMPLES = 48, BATCH = 16, SIDE = 8, CLASSES = 3, STEPS = 12 };

static mica_device *device;

static int begin(void **state)
{
    int failed = open_device(state);
    device = *state;
    return failed;
}

static void assert_fine(void)
{
    if (mica_device_status(device) != MICA_OK)
        fail_msg("%s", mica_device_error(device));
}

/* Stripes of three directions, with noise. */
static mica_data *stripes(void)
{
    static float images[SAMPLES * SIDE * SIDE];
    static int32_t classes[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
        classes[i] = i % CLASSES;
        for (int p = 0; p < SIDE * SIDE; p++) {
            int x = p % SIDE, y = p / SIDE, along = classes[i] == 0 ? x : classes[i] == 1 ? y : x + y;
            images[i * SIDE * SIDE + p] = (float)((along + i) / 2 % 2) + 0.3f * (float)((i * 31 + p * 17) % 13) / 13;
        }
    }
    mica_data *data = mica_arrays_open(device, &(mica_arrays_desc){
        .samples = SAMPLES, .input_shape = MICA_SHAPE(1, SIDE, SIDE), .inputs = images, .classes = classes});
    assert_fine();
    return data;
}

static mica_model *network(void)
{
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 5});
    mica_node *x = mica_input(model, NULL, MICA_SHAPE(1, SIDE, SIDE));
    x = mica_conv2d(x, &(mica_conv_desc){.filters = 12, .kernel_size = {3}, .no_bias = true});
    x = mica_activation(mica_batch_normalization(x, NULL), &(mica_activation_desc){.type = "relu"});
    x = mica_max_pooling2d(x, NULL);
    x = mica_dense(mica_flatten(x, NULL), &(mica_dense_desc){.units = 20, .activation = "relu"});
    mica_output(model, NULL, mica_dense(x, &(mica_dense_desc){.units = CLASSES}));
    assert_fine();
    return model;
}

/* The losses of some epochs. */
static void losses(mica_data *data, const mica_fit_desc *how, float out[STEPS])
{
    mica_model *model = network();
    mica_history *history = NULL;
    mica_fit_desc fit = *how;
    fit.loss = "sparse_categorical_crossentropy";
    fit.batch_size = BATCH;
    fit.epochs = STEPS;
    fit.no_shuffle = true;
    assert_int_equal(mica_fit(model, data, &fit, &history), MICA_OK);
    for (int i = 0; i < STEPS; i++)
        out[i] = (float)mica_scores_get(mica_history_epoch(history, i)->scores, "loss");
    mica_history_destroy(history);
    mica_model_destroy(model);
}

static const mica_optimizer_group slow[] = {{"*.bias", {{"learning_rate", 0.001}}}};

static const mica_fit_desc ways[] = {
    {.optimizer = {"sgd", {{"learning_rate", 0.05}}}},
    {.optimizer = {"sgd", {{"learning_rate", 0.02}, {"momentum", 0.9}}}},
    {.optimizer = {"adam", {{"learning_rate", 0.003}}}},
    {.optimizer = {"adam", {{"learning_rate", 0.003}, {"gradient_accumulation_steps", 3}}}},
    {.optimizer = {"sgd", {{"learning_rate", 0.05}, {"clipnorm", 0.5}}}},
    {.optimizer = {"sgd", {{"learning_rate", 0.05}, {"clipvalue", 0.01}}}},
    {.optimizer = {"sgd", {{"learning_rate", 0.05}, {"global_clipnorm", 0.5}, {"gradient_accumulation_steps", 2}}}},
    {.optimizer = {"adam", {{"learning_rate", 0.003}, {"use_ema", 1}, {"ema_momentum", 0.9}}}},
    {.optimizer = {"sgd", {{"learning_rate", 0.05}}}, .groups = slow, .group_count = 1},
    {.optimizer = {"adamw", {{"learning_rate", 0.003}}}},
    {.optimizer = {"amsgrad", {{"learning_rate", 0.003}}}},
    {.optimizer = {"adamax", {{"learning_rate", 0.003}}}},
    {.optimizer = {"nadam", {{"learning_rate", 0.003}, {"gradient_accumulation_steps", 3}}}},
    {.optimizer = {"adadelta", {{"learning_rate", 1}, {"epsilon", 1e-4}}}},
    {.optimizer = {"lion", {{"learning_rate", 0.001}}}},
    {.optimizer = {"ftrl", {{"learning_rate", 0.05}}}},
    {.optimizer = {"lamb", {{"learning_rate", 0.01}}}},
    {.optimizer = {"lamb", {{"learning_rate", 0.02}, {"gradient_accumulation_steps", 3}, {"use_ema", 1}, {"ema_momentum", 0.9}}},
     .groups = slow, .group_count = 1},
    {.optimizer = {"adafactor", {{"learning_rate", 0.05}}}},
    {.optimizer = {"adafactor", {{"learning_rate", 0.1}, {"gradient_accumulation_steps", 3}, {"use_ema", 1}, {"ema_momentum", 0.9}}},
     .groups = slow, .group_count = 1},
};

/* 11 and 8 bits of a number, some of which cancel. bfloat16 has no scale, so a few ways are enough. */
static void same_losses(void **state)
{
    static const struct { mica_type type; float near; } types[] = {{MICA_FLOAT16, 0.02f}, {MICA_BFLOAT16, 0.1f}};
    mica_data *data = stripes();
    (void)state;
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        float exact[STEPS], rounded[STEPS];
        losses(data, &ways[w], exact);
        assert_true(exact[STEPS - 1] < 0.9f * exact[0]);
        for (size_t t = 0; t < (w < 3 ? 2 : 1); t++) {
            mica_fit_desc how = ways[w];
            how.precision = types[t].type;
            losses(data, &how, rounded);
            for (int i = 0; i < STEPS; i++)
                if (!(fabsf(rounded[i] - exact[i]) <= types[t].near * exact[0]))
                    fail_msg("way %zu in %s, epoch %d: loss %g, in float32 %g", w, mica_type_name(types[t].type), i + 1,
                             (double)rounded[i], (double)exact[i]);
        }
    }
    mica_data_destroy(data);
}

/* Gradients of a largest element look for its equal, whether what they read is kept or computed again; so they see it rounded as it
 * was, or not at all. */
static mica_node *swish(mica_model *model, mica_node *x)
{
    (void)model;
    return mica_conv2d(x, &(mica_conv_desc){.filters = 8, .kernel_size = {1}, .activation = "hard_swish"});
}

static mica_node *residual(mica_model *model, mica_node *x)
{
    (void)model;
    mica_node *a = mica_conv2d(x, &(mica_conv_desc){.filters = 8, .kernel_size = {3}, .padding = "same", .activation = "relu"});
    return mica_add((mica_node *[]){a, mica_conv2d(a, &(mica_conv_desc){.filters = 8, .kernel_size = {1}})}, 2, NULL);
}

static mica_node *gated(mica_model *model, mica_node *x)
{
    (void)model;
    mica_node *a = mica_conv2d(x, &(mica_conv_desc){.filters = 8, .kernel_size = {3}}),
              *b = mica_conv2d(x, &(mica_conv_desc){.filters = 8, .kernel_size = {3}, .activation = "sigmoid"});
    return mica_multiply((mica_node *[]){a, b}, 2, NULL);
}

static mica_node *squared(mica_model *model, mica_node *x)
{
    mica_node *a = mica_conv2d(x, &(mica_conv_desc){.filters = 8, .kernel_size = {3}});
    return mica_op_add(mica_op_mul(a, a), mica_scalar(model, 1));
}

static float pooled_loss(mica_node *(*trunk)(mica_model *, mica_node *), mica_type precision)
{
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 5});
    mica_data *data = stripes();
    mica_history *history = NULL;
    mica_node *x = mica_global_max_pooling(trunk(model, mica_input(model, NULL, MICA_SHAPE(1, SIDE, SIDE))), NULL);
    mica_output(model, NULL, mica_dense(x, &(mica_dense_desc){.units = CLASSES}));
    const mica_fit_desc how = {.loss = "sparse_categorical_crossentropy", .epochs = 5, .batch_size = BATCH, .no_shuffle = true,
                               .optimizer = {"sgd", {{"learning_rate", 0.1}}}, .precision = precision};
    assert_int_equal(mica_fit(model, data, &how, &history), MICA_OK);
    float loss = (float)mica_scores_get(mica_history_epoch(history, 4)->scores, "loss");
    mica_history_destroy(history);
    mica_data_destroy(data);
    mica_model_destroy(model);
    return loss;
}

static void largest_elements(void **state)
{
    static mica_node *(*const trunks[])(mica_model *, mica_node *) = {swish, residual, gated, squared};
    (void)state;
    for (size_t i = 0; i < sizeof trunks / sizeof *trunks; i++) {
        float exact = pooled_loss(trunks[i], MICA_FLOAT32), half = pooled_loss(trunks[i], MICA_FLOAT16);
        float brain = pooled_loss(trunks[i], MICA_BFLOAT16);
        if (!(fabsf(half - exact) <= 0.02f * exact && fabsf(brain - exact) <= 0.1f * exact))
            fail_msg("trunk %zu: losses %g and %g, in float32 %g", i, (double)half, (double)brain, (double)exact);
    }
}

/* ---- Memory ---- */

static uint64_t peak(mica_type precision)
{
    mica_model *model = mica_model_create(device, NULL);
    const mica_objective goal = {.loss = "sparse_categorical_crossentropy", .classes = true};
    mica_node *x = mica_input(model, NULL, MICA_SHAPE(3, 32, 32));
    for (int i = 0; i < 8; i++) {
        x = mica_conv2d(x, &(mica_conv_desc){.filters = 16, .kernel_size = {3}, .padding = "same", .no_bias = true});
        x = mica_activation(mica_batch_normalization(x, NULL), &(mica_activation_desc){.type = "relu"});
    }
    mica_output(model, NULL, mica_dense(mica_global_average_pooling(x, NULL), &(mica_dense_desc){.units = 10}));
    mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = 16, .objectives = &goal, .objective_count = 1,
                                                            .precision = precision});
    assert_fine();
    uint64_t bytes = mica_plan_peak_bytes(plan);
    mica_plan_destroy(plan);
    mica_model_destroy(model);
    return bytes;
}

static void less_memory(void **state)
{
    (void)state;
    uint64_t exact = peak(MICA_FLOAT32), half = peak(MICA_FLOAT16), brain = peak(MICA_BFLOAT16);
    if (!(10 * half < 8 * exact && 10 * brain < 8 * exact))
        fail_msg("%llu and %llu bytes, in float32 %llu", (unsigned long long)half, (unsigned long long)brain,
                 (unsigned long long)exact);
}

/* ---- The scale of the loss ---- */

static float number(mica_model *model, const char *name)
{
    float value = -1;
    const struct mi_variable *variable = mi_variable_find(&model->variables, name);
    assert_non_null(variable);
    assert_int_equal(mi_store_read(model->store, variable, &value), MICA_OK);
    return value;
}

static mica_plan *line(mica_model *model, const mica_objective *goal, const char *optimizer)
{
    mica_output(model, "y", mica_dense(mica_dense(mica_input(model, "x", MICA_SHAPE(4)), &(mica_dense_desc){.units = 4}),
                                       &(mica_dense_desc){.units = 1}));
    mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = 2, .objectives = goal, .objective_count = 1,
                                                            .precision = MICA_FLOAT16, .optimizer = {optimizer}});
    assert_fine();
    return plan;
}

/* Gradients that no half holds: steps change nothing until the scale is small enough. */
static void falls(const char *optimizer)
{
    const mica_objective goal = {.loss = "mean_squared_error"};
    const float x[8] = {1, -2, 0.5f, 1, 2, 1, 0, -1}, y[2] = {9e4f, -9e4f};
    float before[16], after[16];
    int left_out = 0;
    mica_model *model = mica_model_create(device, NULL);
    mica_plan *plan = line(model, &goal, optimizer);
    assert_int_equal(mica_plan_write(plan, "x", x, 8), MICA_OK);
    assert_int_equal(mica_plan_write(plan, "y_target", y, 2), MICA_OK);
    for (int step = 0; step < 40; step++) {
        assert_int_equal(mica_model_read(model, "dense.weight", before, 16), MICA_OK);
        float scale = step ? number(model, "loss_scale") : 32768;
        assert_int_equal(mica_plan_run(plan, 2), MICA_OK);
        assert_int_equal(mica_model_read(model, "dense.weight", after, 16), MICA_OK);
        bool same = memcmp(before, after, sizeof before) == 0, fell = number(model, "loss_scale") < scale;
        if (same != fell)
            fail_msg("%s: step %d %s, and the scale %s", optimizer, step, same ? "changed nothing" : "changed", fell ? "fell" : "stayed");
        left_out += same;
    }
    assert_in_range(left_out, 5, 20);
    assert_true(number(model, "loss_scale") == ldexpf(32768, -left_out));
    assert_true(isfinite(after[0]) && isfinite(after[15]));
    mica_plan_destroy(plan);
    mica_model_destroy(model);
}

static void scale_falls(void **state)
{
    static const char *const optimizers[] = {"adam",     "adamw", "amsgrad", "adamax", "nadam",
                                             "adadelta", "lion",  "ftrl",    "lamb",   "adafactor"};
    (void)state;
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++)
        falls(optimizers[i]);
}

static void scale_rises(void **state)
{
    const mica_objective goal = {.loss = "mean_squared_error"};
    const float x[8] = {1, -2, 0.5f, 1, 2, 1, 0, -1}, y[2] = {0.1f, -0.1f};
    (void)state;
    mica_model *model = mica_model_create(device, NULL);
    mica_plan *plan = line(model, &goal, "adam");
    assert_int_equal(mica_plan_write(plan, "x", x, 8), MICA_OK);
    assert_int_equal(mica_plan_write(plan, "y_target", y, 2), MICA_OK);
    for (int step = 1; step <= 2000; step++) {
        assert_int_equal(mica_plan_run(plan, 2), MICA_OK);
        if (step == 1999)
            assert_true(number(model, "loss_scale") == 32768 && number(model, "loss_scale_steps") == 1999);
    }
    assert_true(number(model, "loss_scale") == 65536 && number(model, "loss_scale_steps") == 0);
    mica_plan_destroy(plan);
    mica_model_destroy(model);
}

/* Gradients that are finite at no scale: all three say so. */
static void no_scale(void **state)
{
    static const mica_type types[] = {MICA_FLOAT32, MICA_FLOAT16, MICA_BFLOAT16};
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        mica_device *kept = device;
        device = mica_device_open(NULL);
        mica_data *data = stripes();
        mica_model *model = mica_model_create(device, NULL);
        mica_node *x = mica_flatten(mica_input(model, NULL, MICA_SHAPE(1, SIDE, SIDE)), NULL);
        x = mica_dense(x, &(mica_dense_desc){.units = 6, .kernel.initializer = {.type = "zeros"}});
        x = mica_map(&x, 1, &(mica_map_desc){.expression = "sqrt(abs(x))"});
        mica_output(model, NULL, mica_dense(x, &(mica_dense_desc){.units = CLASSES}));
        assert_int_equal(mica_fit(model, data, &(mica_fit_desc){.loss = "sparse_categorical_crossentropy", .batch_size = BATCH,
                                                                .optimizer = {"sgd"}, .precision = types[i]}, NULL),
                         MICA_DIVERGED);
        assert_non_null(strstr(mica_device_error(device), "the training diverged"));
        mica_model_destroy(model);
        mica_data_destroy(data);
        mica_device_destroy(device);
        device = kept;
    }
}

/* ---- What is refused ---- */

static void refused(void **state)
{
    const mica_objective goal = {.loss = "sparse_categorical_crossentropy", .classes = true};
    const struct { mica_plan_desc desc; const char *says; } cases[] = {
        {{.precision = MICA_FLOAT16}, "precision is float16, and the plan does not train"},
        {{.objectives = &goal, .objective_count = 1, .precision = MICA_INT8},
         "precision is int8; training keeps float32, float16 or bfloat16"},
        {{.objectives = &goal, .objective_count = 1, .precision = (mica_type)77}, "precision is no type"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mica_device *kept = device;
        device = mica_device_open(NULL);
        mica_model *model = network();
        mica_plan *plan = mica_compile(model, &cases[i].desc);
        if (mica_plan_status(plan) != MICA_INVALID_ARGUMENT || !strstr(mica_plan_error(plan), cases[i].says))
            fail_msg("%s", mica_plan_error(plan));
        mica_plan_destroy(plan);
        mica_model_destroy(model);
        mica_device_destroy(device);
        device = kept;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_losses), cmocka_unit_test(less_memory), cmocka_unit_test(scale_falls),
        cmocka_unit_test(scale_rises), cmocka_unit_test(refused),     cmocka_unit_test(largest_elements), cmocka_unit_test(no_scale),
    };
    return cmocka_run_group_tests_name("precision", tests, begin, close_device);
}
