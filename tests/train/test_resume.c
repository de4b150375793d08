/* A training that is stopped and resumed ends with the bits of one that never stopped: weights, moments, scores and what callbacks
 * decide, wherever it stops. A file that is not whole, or another model's, is refused. */
#include "support/files.h"
#include "train/golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 44, STEPS = 5, FEATURES = 3, EPOCHS = 4, BATCH = 8 };

static const char state[] = "test_resume.safetensors", again[] = "test_resume_again.safetensors";

static mica_data *open_data(mica_device *device)
{
    static float inputs[SAMPLES][STEPS * FEATURES];
    static int32_t classes[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
        for (int k = 0; k < STEPS * FEATURES; k++)
            inputs[i][k] = mi_uniform(2, 1, (uint64_t)(i * STEPS * FEATURES + k)) - 0.5f;
        classes[i] = inputs[i][0] + inputs[i][4] > 0;
    }
    mica_data *data = mica_arrays_open(device, &(mica_arrays_desc){
        .samples = SAMPLES, .input_shape = MICA_SHAPE(STEPS, FEATURES), .inputs = inputs[0], .classes = classes});
    golden_assert_fine(device);
    return data;
}

/* Everything that a training carries: dropout's numbers, running statistics, states from batch to batch. */
static mica_model *make_model(mica_device *device)
{
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 9});
    mica_node *x = mica_input(model, NULL, MICA_SHAPE(STEPS, FEATURES));
    x = mica_gru(&x, 1, &(mica_recurrent_desc){.units = 4, .stateful = true});
    x = mica_batch_normalization(mica_dropout(x, &(mica_dropout_desc){.rate = 0.3f}), NULL);
    mica_output(model, NULL, mica_dense(x, &(mica_dense_desc){.units = 2}));
    golden_assert_fine(device);
    return model;
}

/* ---- Where it stops ---- */

struct stopping {
    int epoch;
    int64_t batch;               /* 0: behind the epoch */
};

static bool at_batch(void *user, const mica_progress *now)
{
    const struct stopping *stopping = user;
    if (now->epoch != stopping->epoch || now->batch != stopping->batch)
        return true;
    return mica_training_save(now->training, state) != MICA_OK;
}

static bool at_epoch(void *user, const mica_progress *now)
{
    const struct stopping *stopping = user;
    return stopping->batch || now->epoch != stopping->epoch;
}

/* The rate falls, and the best weights are kept. */
static mica_status run(mica_device *device, mica_model *model, const char *optimizer, struct stopping *stopping, const char *resume,
                       mica_history **history)
{
    const mica_callback callbacks[] = {
        {"reduce_lr_on_plateau", .monitor = "loss", .setting = {{"patience", 1}, {"min_delta", 0.2}, {"factor", 0.5}}},
        {"early_stopping", .setting = {{"patience", 9}, {"restore_best_weights", 1}}},
        {"model_checkpoint", .path = state},
        {.batch = stopping ? at_batch : NULL, .epoch = stopping ? at_epoch : NULL, .user = stopping}};
    mica_data *data = open_data(device);
    const mica_setting twice = {"gradient_accumulation_steps", 2};
    mica_fit_desc desc = {.loss = "sparse_categorical_crossentropy", .metrics = {{"accuracy"}, {"auc"}}, .epochs = EPOCHS,
                          .optimizer = {optimizer, {{"learning_rate", 0.05}, twice}}, .batch_size = BATCH, .validation_split = 0.1f,
                          .callbacks = callbacks, .callback_count = 4, .seed = 3, .resume = resume};
    mica_status status = mica_fit(model, data, &desc, history);
    mica_data_destroy(data);
    return status;
}

/* ---- The same bits ---- */

static void assert_same_models(mica_model *a, mica_model *b)
{
    for (size_t i = 0; i < a->variables.count; i++) {
        const struct mi_variable *variable = a->variables.list[i];
        if (variable->role == MI_GRADIENT || variable->role == MI_STATE || variable->role == MI_FAULT)
            continue;
        const struct mi_variable *other = mi_variable_find(&b->variables, variable->name);
        size_t size = mi_variable_bytes(variable);
        unsigned char *x = malloc(size), *y = malloc(size);
        assert_non_null(other);
        assert_int_equal(mi_store_read(a->store, variable, x), MICA_OK);
        assert_int_equal(mi_store_read(b->store, other, y), MICA_OK);
        if (memcmp(x, y, size))
            fail_msg("%s differs", variable->name);
        free(x);
        free(y);
    }
    assert_int_equal(a->trained.steps, b->trained.steps);
    assert_int_equal(a->trained.epochs, b->trained.epochs);
}

static void assert_same_scores(const mica_progress *a, const mica_progress *b)
{
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->samples, b->samples);
    assert_int_equal(mica_scores_count(a->scores), mica_scores_count(b->scores));
    for (int i = 0; i < mica_scores_count(a->scores); i++) {
        double x = mica_scores_value(a->scores, i), y = mica_scores_value(b->scores, i);
        assert_memory_equal(&x, &y, sizeof x);
    }
    assert_memory_equal(&a->learning_rate, &b->learning_rate, sizeof(float));
}

static void same_bits(void **device)
{
    static const struct stopping stops[] = {{1, 1}, {2, 0}, {3, 4}, {EPOCHS, 0}};
    static const char *const optimizers[] = {"adam", "sgd"};
    for (size_t o = 0; o < MI_COUNT(optimizers); o++) {
        mica_history *whole = NULL;
        mica_model *model = make_model(*device);
        assert_int_equal(run(*device, model, optimizers[o], NULL, NULL, &whole), MICA_OK);
        for (size_t i = o; i < MI_COUNT(stops); i += MI_COUNT(optimizers)) {
            mica_history *rest = NULL;
            struct stopping stopping = stops[i];
            mica_model *first = make_model(*device), *second = make_model(*device);
            assert_int_equal(run(*device, first, optimizers[o], &stopping, NULL, NULL), MICA_CANCELLED);
            mica_model_destroy(first);
            assert_int_equal(run(*device, second, optimizers[o], NULL, state, &rest), MICA_OK);
            golden_assert_fine(*device);
            assert_same_models(model, second);
            int epochs = mica_history_epochs(rest);
            assert_int_equal(epochs, EPOCHS - stopping.epoch + (stopping.batch > 0));
            for (int k = 1; k <= epochs; k++)
                assert_same_scores(mica_history_epoch(whole, EPOCHS - k), mica_history_epoch(rest, epochs - k));
            mica_history_destroy(rest);
            mica_model_destroy(second);
        }
        mica_history_destroy(whole);
        mica_model_destroy(model);
    }
}

/* The file is a model as well. */
static void is_a_model(void **device)
{
    mica_model *model = make_model(*device);
    struct stopping stopping = {2, 2};
    float weights[8], loaded[8];
    assert_int_equal(run(*device, model, "adam", &stopping, NULL, NULL), MICA_CANCELLED);
    mica_model *saved = mica_model_load(*device, state);
    golden_assert_fine(*device);
    assert_int_equal(mica_model_read(model, "dense.weight", weights, 8), MICA_OK);
    assert_int_equal(mica_model_read(saved, "dense.weight", loaded, 8), MICA_OK);
    assert_memory_equal(weights, loaded, sizeof weights);
    assert_true(mica_model_variable_count(saved) == mica_model_variable_count(model));
    mica_model_destroy(saved);
    mica_model_destroy(model);
}

/* ---- What is not whole, or not of this training ---- */

static void refused(mica_device *device, const char *path, const char *optimizer, const char *text)
{
    mica_model *model = make_model(device);
    assert_int_not_equal(run(device, model, optimizer, NULL, path, NULL), MICA_OK);
    if (!strstr(mica_device_error(device), text))
        fail_msg("\"%s\" is not in: %s", text, mica_device_error(device));
    mica_device_clear_error(device);
    mica_model_destroy(model);
}

static void damages(void **device)
{
    struct mi_error error = {0};
    unsigned char *bytes = NULL;
    size_t size = 0;
    mica_model *model = make_model(*device);
    struct stopping stopping = {1, 2};
    assert_int_equal(run(*device, model, "adam", &stopping, NULL, NULL), MICA_CANCELLED);
    assert_int_equal(mi_file_read(&error, state, 1 << 24, &bytes, &size), MICA_OK);
    refused(*device, "nowhere.safetensors", "adam", "nowhere.safetensors: No such file or directory");
    refused(*device, state, "rmsprop", "was saved with another optimizer than rmsprop");
    for (size_t at = 8; at < size; at += size / 7) { /* a bit that fell over */
        bytes[at] ^= 4;
        write_bytes(again, bytes, size);
        refused(*device, again, "adam", again);
        bytes[at] ^= 4;
    }
    for (size_t left = size - 1; left > 16; left /= 3) { /* the end is missing */
        write_bytes(again, bytes, left);
        refused(*device, again, "adam", again);
    }
    assert_int_equal(mica_model_save(model, again), MICA_OK);
    refused(*device, again, "adam", "holds no state of a training to go on with");
    mica_model_destroy(model);
    free(bytes);
    remove(again);
    remove(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_bits), cmocka_unit_test(is_a_model), cmocka_unit_test(damages)};
    return cmocka_run_group_tests(tests, golden_device_open, golden_device_close);
}
