/* The training loop, evaluation and prediction, through the public header. */
#include "train/golden.h"

#include "device/device.h"
#include "nn/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 50, INPUTS = 3 };

/* Points in a cube; the class says on which side of a plane, the value how far from it. */
struct points {
    float inputs[SAMPLES * INPUTS], values[SAMPLES];
    int32_t classes[SAMPLES];
};

static void make_points(struct points *points)
{
    for (int i = 0; i < SAMPLES; i++) {
        float distance = 0;
        for (int k = 0; k < INPUTS; k++) {
            float x = 2 * mi_uniform(1, 2, (uint64_t)(i * INPUTS + k)) - 1;
            points->inputs[i * INPUTS + k] = x;
            distance += (float)(k + 1) * x;
        }
        points->values[i] = distance;
        points->classes[i] = distance > 0;
    }
}

static mica_data *open_points(mica_device *device, const struct points *points, bool classes)
{
    mica_arrays_desc desc = {.samples = SAMPLES, .input_shape = MICA_SHAPE(INPUTS), .inputs = points->inputs,
                             .normalize = {.type = MICA_STANDARD}};
    if (classes) {
        desc.classes = points->classes;
    } else {
        desc.values = points->values;
        desc.label_shape = MICA_SHAPE(1);
    }
    mica_data *data = mica_arrays_open(device, &desc);
    golden_assert_fine(device);
    return data;
}

static mica_model *make_model(mica_device *device, int64_t outputs, const char *activation)
{
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 4});
    mica_node *x = mica_input(model, NULL, MICA_SHAPE(INPUTS));
    x = mica_dense(x, &(mica_dense_desc){.units = 8, .activation = "tanh"});
    x = mica_dropout(x, &(mica_dropout_desc){.rate = 0.1f});
    mica_output(model, NULL, mica_dense(x, &(mica_dense_desc){.units = outputs, .activation = activation}));
    golden_assert_fine(device);
    return model;
}

/* ---- Learning, by every loss ---- */

static void learns(mica_device *device, const char *loss, int64_t outputs, const char *activation, bool classes)
{
    struct points points;
    mica_history *history = NULL;
    mica_scores *result = NULL;
    make_points(&points);
    mica_data *data = open_points(device, &points, classes);
    mica_model *model = make_model(device, outputs, activation);
    mica_fit(model, data, &(mica_fit_desc){.loss = loss, .optimizer = {"adam", {{"learning_rate", 0.03}}},
                                           .batch_size = 16, .epochs = 40, .metrics = {{classes ? "accuracy" : NULL}}}, &history);
    mica_evaluate(model, data, MICA_TRAIN, NULL, 0, &result);
    golden_assert_fine(device);
    assert_int_equal(mica_history_epochs(history), 40);
    assert_true(mica_history_peak_bytes(history) > 0);
    const mica_progress *first = mica_history_epoch(history, 0), *last = mica_history_epoch(history, 39);
    assert_int_equal(first->samples, SAMPLES);
    assert_int_equal(first->batches, 4);
    assert_true(last->loss < 0.6f * first->loss);
    assert_true(isnan(last->val_loss));
    double measured = mica_scores_get(result, "accuracy"), trained = mica_scores_get(last->scores, "accuracy");
    if (classes)
        assert_true(measured > 0.9 && trained > 0.85);
    else
        assert_true(isnan(measured) && isnan(trained));
    mica_scores_destroy(result);
    assert_null(mica_history_epoch(history, 40));
    mica_history_destroy(history);
    mica_model_destroy(model);
    mica_data_destroy(data);
}

static void losses(void **state)
{
    learns(*state, "sparse_categorical_crossentropy", 2, NULL, true);
    learns(*state, "sparse_categorical_crossentropy", 2, "softmax", true);
    learns(*state, "categorical_crossentropy", 2, NULL, true);
    learns(*state, "binary_crossentropy", 1, NULL, true);
    learns(*state, "binary_crossentropy", 1, "sigmoid", true);
    learns(*state, "mean_squared_error", 1, NULL, false);
    learns(*state, "mean_squared_error", 2, "softmax", true);
}

/* ---- Callbacks ---- */

struct watch {
    int calls, epoch_ends, stop_after;
    mica_device *device;
    uint64_t builds, buffers;   /* as the first epoch ended */
};

static bool watch_batch(void *user, const mica_progress *now)
{
    struct watch *watch = user;
    watch->calls++;
    assert_true(now->batch == 1 ? !now->scores && isnan(now->loss) : true);
    if (now->batch % 2 == 0) {
        assert_int_equal(mica_training_look(now->training), MICA_OK);
        assert_true(now->loss > 0 && now->loss >= (float)mica_scores_get(now->scores, "loss"));
    }
    return watch->calls != watch->stop_after;
}

static bool watch_epoch(void *user, const mica_progress *now)
{
    struct watch *watch = user;
    assert_true(now->batch == now->batches);
    watch->epoch_ends++;
    if (watch->epoch_ends == 1 && watch->device) {
        watch->builds = watch->device->calls_build;
        watch->buffers = watch->device->calls_buffer;
    }
    return true;
}

static void callbacks(void **state)
{
    struct points points;
    mica_history *history = NULL;
    make_points(&points);
    mica_data *data = open_points(*state, &points, true);
    mica_model *model = make_model(*state, 2, NULL);
    struct watch watch = {.stop_after = -1};
    const mica_callback callback = {.batch = watch_batch, .epoch = watch_epoch, .user = &watch};
    mica_fit_desc desc = {.loss = "sparse_categorical_crossentropy", .batch_size = 10, .epochs = 2, .callbacks = &callback,
                          .callback_count = 1};
    assert_int_equal(mica_fit(model, data, &desc, NULL), MICA_OK);
    assert_int_equal(watch.calls, 2 * 5);
    assert_int_equal(watch.epoch_ends, 2);
    watch = (struct watch){.stop_after = 7};
    assert_int_equal(mica_fit(model, data, &desc, &history), MICA_CANCELLED);
    assert_int_equal(watch.calls, 7);
    assert_int_equal(mica_history_epochs(history), 1);
    assert_null(mica_history_epoch(history, 0)->training);
    mica_history_destroy(history);
    golden_assert_fine(*state);
    mica_model_destroy(model);
    mica_data_destroy(data);
}

/* After the first epoch nothing is built and no buffer is made. */
static void steps_only_run(void **state)
{
    struct points points;
    mica_device *device = *state;
    make_points(&points);
    mica_data *data = open_points(device, &points, true);
    mica_model *model = make_model(device, 2, NULL);
    struct watch watch = {.stop_after = -1, .device = device};
    mica_fit_desc desc = {.loss = "sparse_categorical_crossentropy", .batch_size = 7, .epochs = 4,
                          .callbacks = &(mica_callback){.batch = watch_batch, .epoch = watch_epoch, .user = &watch},
                          .callback_count = 1, .validation_split = 0.2f};
    assert_int_equal(mica_fit(model, data, &desc, NULL), MICA_OK);
    assert_int_equal(device->calls_build, watch.builds);
    assert_int_equal(device->calls_buffer, watch.buffers);
    mica_model_destroy(model);
    mica_data_destroy(data);
}

/* ---- The same again, bit by bit ---- */

static void train_weights(mica_device *device, uint64_t seed, float *weights, size_t count, float *predicted)
{
    struct points points;
    make_points(&points);
    mica_data *data = open_points(device, &points, true);
    mica_model *model = make_model(device, 2, NULL);
    mica_fit(model, data, &(mica_fit_desc){.loss = "sparse_categorical_crossentropy", .batch_size = 8, .epochs = 3,
                                           .validation_split = 0.1f, .seed = seed}, NULL);
    mica_model_read(model, "dense.weight", weights, count);
    mica_predict(model, points.inputs, SAMPLES, predicted, SAMPLES * 2);
    golden_assert_fine(device);
    mica_model_destroy(model);
    mica_data_destroy(data);
}

static void repeats(void **state)
{
    float a[8 * INPUTS], b[8 * INPUTS], pa[SAMPLES * 2], pb[SAMPLES * 2];
    train_weights(*state, 1, a, MI_COUNT(a), pa);
    train_weights(*state, 1, b, MI_COUNT(b), pb);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_equal(pa, pb, sizeof pa);
    train_weights(*state, 2, b, MI_COUNT(b), pb);
    assert_memory_not_equal(a, b, sizeof a);
}

/* ---- A second fit goes on ---- */

enum { WEIGHTS = 8 * INPUTS };

static mica_fit_desc fit_with(const char *optimizer, int epochs)
{
    return (mica_fit_desc){.loss = "sparse_categorical_crossentropy", .optimizer = {optimizer, {{"learning_rate", 0.02}}},
                           .batch_size = 16, .epochs = epochs, .seed = 5};
}

static void read_weights(mica_model *model, float *weights)
{
    assert_int_equal(mica_model_read(model, "dense.weight", weights, WEIGHTS), MICA_OK);
}

/* Six epochs and six times one: the same dropout, order of samples, moments and steps, so the same bits. */
static void goes_on(void **state)
{
    static const char *const optimizers[] = {"adam", "rmsprop", "adagrad"};
    struct points points;
    make_points(&points);
    mica_data *data = open_points(*state, &points, true);
    for (size_t k = 0; k < MI_COUNT(optimizers); k++) {
        float whole[WEIGHTS], parts[WEIGHTS];
        mica_model *one = make_model(*state, 2, NULL), *other = make_model(*state, 2, NULL);
        mica_fit_desc desc = fit_with(optimizers[k], 6);
        assert_int_equal(mica_fit(one, data, &desc, NULL), MICA_OK);
        read_weights(one, whole);
        desc.epochs = 1;
        for (int i = 0; i < 6; i++)
            assert_int_equal(mica_fit(other, data, &desc, NULL), MICA_OK);
        read_weights(other, parts);
        assert_memory_equal(whole, parts, sizeof whole);
        mica_model_destroy(one);
        mica_model_destroy(other);
    }
    mica_data_destroy(data);
}

/* Gives a model the variables that make_model began with. */
static void set_back(mica_device *device, mica_model *model)
{
    mica_model *fresh = make_model(device, 2, NULL);
    for (int i = 0; i < mica_model_variable_count(fresh); i++) {
        float values[64];
        const char *name = mica_model_variable_name(fresh, i);
        size_t count = mi_variable_count(mi_variable_find(&fresh->variables, name));
        mica_model_read(fresh, name, values, count);
        mica_model_write(model, name, values, count);
    }
    golden_assert_fine(device);
    mica_model_destroy(fresh);
}

/* Asked to, or after another kind of optimizer, a fit begins anew. */
static void restarts(void **state)
{
    struct points points;
    float first[WEIGHTS], again[WEIGHTS];
    make_points(&points);
    mica_data *data = open_points(*state, &points, true);
    mica_model *model = make_model(*state, 2, NULL);
    mica_fit_desc adam = fit_with("adam", 2), sgd = fit_with("sgd", 1);
    mica_fit(model, data, &adam, NULL);
    read_weights(model, first);
    set_back(*state, model);
    mica_fit(model, data, &adam, NULL);
    read_weights(model, again);
    assert_memory_not_equal(first, again, sizeof first);
    set_back(*state, model);
    adam.restart = true;
    mica_fit(model, data, &adam, NULL);
    read_weights(model, again);
    assert_memory_equal(first, again, sizeof first);
    mica_fit(model, data, &sgd, NULL);
    set_back(*state, model);
    adam.restart = false;
    mica_fit(model, data, &adam, NULL);
    read_weights(model, again);
    assert_memory_equal(first, again, sizeof first);
    mica_model_destroy(model);
    mica_data_destroy(data);
}

/* ---- Training that goes wrong, or is stopped ---- */

static bool stop_at_third(void *user, const mica_progress *now)
{
    (void)now;
    return ++*(int *)user < 3;
}

static bool look(void *user, const mica_progress *now)
{
    (void)user;
    mica_status status = mica_training_look(now->training);
    assert_true(status == MICA_OK || status == MICA_DIVERGED);
    return status == MICA_OK;
}

static void stops(void **state)
{
    struct points points;
    int asked = 0;
    float before[WEIGHTS], after[WEIGHTS];
    make_points(&points);
    mica_data *data = open_points(*state, &points, true);
    mica_model *model = make_model(*state, 2, NULL);
    mica_fit_desc desc = fit_with("adam", 2);
    desc.callbacks = &(mica_callback){.batch = stop_at_third, .user = &asked};
    desc.callback_count = 1;
    read_weights(model, before);
    assert_int_equal(mica_fit(model, data, &desc, NULL), MICA_CANCELLED);
    assert_int_equal(asked, 3);
    assert_int_equal(model->trained.steps, 3);
    read_weights(model, after);
    assert_memory_not_equal(before, after, sizeof before);
    golden_assert_fine(*state);
    mica_model_destroy(model);
    mica_data_destroy(data);
}

/* Whether the loss shows it in the middle of an epoch, at its end, or only the parameters after the last step do. */
static void diverges(void **state)
{
    static const struct {
        int64_t batch;
        int epochs, looks;
        const char *what;
    } cases[] = {{10, 9, 1, "its loss is "}, {10, 9, 0, "its loss is "}, {SAMPLES, 1, 0, "dense"}};
    const mica_callback looking = {.batch = look};
    struct points points;
    mica_history *history = NULL;
    make_points(&points);
    mica_data *data = open_points(*state, &points, false);
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        mica_model *model = make_model(*state, 1, NULL);
        mica_fit_desc desc = {.loss = "mean_squared_error", .optimizer = {"sgd", {{"learning_rate", 1e30}}},
                              .batch_size = cases[i].batch, .epochs = cases[i].epochs, .callbacks = &looking,
                              .callback_count = cases[i].looks};
        desc.optimizer.setting[1] = (mica_setting){"weight_decay", 1e20};
        assert_int_equal(mica_fit(model, data, &desc, &history), MICA_DIVERGED);
        assert_true(mica_history_epochs(history) < 9);
        assert_non_null(strstr(mica_device_error(*state), "the training diverged, "));
        if (!strstr(mica_device_error(*state), cases[i].what))
            fail_msg("%s", mica_device_error(*state));
        mica_history_destroy(history);
        mica_device_clear_error(*state);
        mica_model_destroy(model);
    }
    mica_data_destroy(data);
}

/* Outputs below 0 have no logarithm, at whatever rate. */
static void says_what_a_loss_takes(void **state)
{
    struct points points;
    make_points(&points);
    for (int i = 0; i < SAMPLES; i++)
        points.values[i] = 1;
    mica_data *data = open_points(*state, &points, false);
    mica_model *model = make_model(*state, 1, "tanh");
    assert_int_equal(mica_fit(model, data, &(mica_fit_desc){.loss = "poisson"}, NULL), MICA_DIVERGED);
    assert_non_null(strstr(mica_device_error(*state), "its loss is nan: poisson takes numbers above 0, such as of a softplus; if they "
                           "are, a smaller learning rate may help"));
    mica_device_clear_error(*state);
    mica_model_destroy(model);
    mica_data_destroy(data);
}

/* ---- Prediction ---- */

static void predicts(void **state)
{
    struct points points;
    float all[SAMPLES], some[SAMPLES], values[SAMPLES];
    make_points(&points);
    mica_data *data = open_points(*state, &points, false);
    mica_model *model = make_model(*state, 1, NULL);
    mica_fit(model, data, &(mica_fit_desc){.loss = "mean_squared_error", .epochs = -1}, NULL);
    assert_int_equal(mica_predict(model, points.inputs, SAMPLES, all, SAMPLES), MICA_OK);
    for (int n = 1; n <= SAMPLES; n++) { /* every other batch, the same answers */
        assert_int_equal(mica_predict(model, points.inputs, n, some, (size_t)n), MICA_OK);
        golden_compare("a smaller batch", some, all, (size_t)n, 1e-6);
    }
    assert_int_equal(mica_predict(model, points.inputs + 7 * INPUTS, 1, some, 1), MICA_OK);
    golden_compare("one sample", some, all + 7, 1, 1e-6);
    for (int i = 0; i < SAMPLES; i++) {   /* raw inputs are normalised as in training */
        float sample[INPUTS];
        int32_t class_index;
        mica_data_sample(data, MICA_TRAIN, i, sample, &class_index);
        values[i] = sample[0];
    }
    assert_true(fabsf(values[0] - points.inputs[0]) > 1e-4f);
    assert_int_equal(mica_predict_data(model, data, MICA_TRAIN, NULL, some, SAMPLES), MICA_OK); /* and those of a data set */
    golden_compare("a data set", some, all, SAMPLES, 1e-6);
    assert_int_equal(mica_predict(model, points.inputs, 0, NULL, 0), MICA_OK);
    assert_int_equal(mica_predict(model, points.inputs, 2, all, 3), MICA_SHAPE);
    mica_device_clear_error(*state);
    mica_model_destroy(model);
    mica_data_destroy(data);
}

static void classifies(void **state)
{
    struct points points;
    mica_answer answers[SAMPLES * 2];
    float outputs[SAMPLES * 2];
    make_points(&points);
    mica_data *data = open_points(*state, &points, true);
    mica_model *model = make_model(*state, 2, NULL);
    mica_fit(model, data, &(mica_fit_desc){.loss = "sparse_categorical_crossentropy", .epochs = 30,
                                           .optimizer = {"adam", {{"learning_rate", 0.03}}}}, NULL);
    assert_int_equal(mica_classify(model, points.inputs, SAMPLES, 2, answers), MICA_OK);
    assert_int_equal(mica_predict(model, points.inputs, SAMPLES, outputs, SAMPLES * 2), MICA_OK);
    int right = 0;
    for (int i = 0; i < SAMPLES; i++) {
        const mica_answer *best = &answers[2 * i];
        int expected = outputs[2 * i + 1] > outputs[2 * i];
        float share = 1 / (1 + expf(-fabsf(outputs[2 * i + 1] - outputs[2 * i])));
        assert_int_equal(best->class_index, expected);
        assert_string_equal(best->label, expected ? "1" : "0");
        assert_true(fabsf(best[0].score + best[1].score - 1) < 1e-5f);
        assert_true(fabsf(best[0].score - share) < 1e-5f);
        right += best->class_index == points.classes[i];
    }
    assert_true(right > 45);
    assert_int_equal(mica_classify(model, points.inputs, SAMPLES, 3, answers), MICA_INVALID_ARGUMENT);
    mica_device_clear_error(*state);
    mica_model_destroy(model);
    mica_data_destroy(data);
}

/* ---- What does not fit together ---- */

static void mismatches(void **state)
{
    static const struct {
        const char *loss, *activation;
        int64_t outputs;
        bool classes;
        const char *error;
    } cases[] = {
        {"mean_squared_eror", NULL, 1, false, "there is no loss \"mean_squared_eror\"; did you mean \"mean_squared_error\"?"},
        {NULL, NULL, 1, false, "the loss is missing"},
        {"sparse_categorical_crossentropy", NULL, 2, false, "the labels are values (floats)"},
        {"mean_squared_error", NULL, 4, false, "a label has 1 values, the model's output has 4"},
        {"sparse_categorical_crossentropy", NULL, 1, true, "needs at least 2"},
        {"sparse_categorical_crossentropy", "sigmoid", 2, true, "the last layer is a sigmoid"},
        {"binary_crossentropy", "softmax", 2, true, "the last layer is a softmax"},
        {"binary_crossentropy", NULL, 2, true, "which take one output, not 2"},
    };
    struct points points;
    make_points(&points);
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        mica_data *data = open_points(*state, &points, cases[i].classes);
        mica_model *model = make_model(*state, cases[i].outputs, cases[i].activation);
        assert_int_not_equal(mica_fit(model, data, &(mica_fit_desc){.loss = cases[i].loss}, NULL), MICA_OK);
        if (!strstr(mica_device_error(*state), cases[i].error))
            fail_msg("\"%s\", not \"%s\"", mica_device_error(*state), cases[i].error);
        mica_device_clear_error(*state);
        mica_model_destroy(model);
        mica_data_destroy(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses),   cmocka_unit_test(callbacks),  cmocka_unit_test(steps_only_run), cmocka_unit_test(repeats),
        cmocka_unit_test(goes_on),  cmocka_unit_test(restarts),   cmocka_unit_test(stops),          cmocka_unit_test(diverges), cmocka_unit_test(says_what_a_loss_takes),
        cmocka_unit_test(predicts), cmocka_unit_test(classifies), cmocka_unit_test(mismatches),
    };
    return cmocka_run_group_tests(tests, golden_device_open, golden_device_close);
}
