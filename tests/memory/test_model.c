/* Models, plans, files and training when the k-th allocation fails: the status says so, nothing crashes, nothing leaks (the
 * sanitizers' run sees that), and what succeeds all the same is right. There are hundreds of allocations, so k goes in strides;
 * MICA_TEST_ATTEMPTS is about how many are tried in each family. */
#define _XOPEN_SOURCE 700
#include "failing.h"
#include "support/network.h"

#include <mica/mica.h>

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SAMPLES = 10, CLASSES = 3, ATTEMPTS = 48 };

static mica_device *device;
static float inputs[SAMPLES * 32];
static int32_t labels[SAMPLES];
static char *described; /* by the first inspect */
static char model_path[64], out_path[64], state_path[64], log_path[64], folder_path[64], said[1024]; /* the last: what the device said */

/* ---- What is tried; each returns its status ---- */

static mica_model *build_recurrent(void)
{
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 1});
    if (!model)
        return NULL;
    mica_node *y = mica_reshape(mica_input(model, NULL, MICA_SHAPE(2, 4, 4)), NULL, MICA_SHAPE(4, 8));
    y = mica_masking(y, NULL);
    y = mica_bidirectional(&y, 1, &(mica_bidirectional_desc){
        .layer = "gru", .desc = &(mica_recurrent_desc){.units = 3, .return_sequences = true}});
    y = mica_lstm(&y, 1, &(mica_recurrent_desc){.units = 5, .go_backwards = true, .recompute = true});
    mica_output(model, NULL, mica_dense(y, &(mica_dense_desc){.units = CLASSES, .activation = "softmax"}));
    return model;
}

static mica_model *build(void)
{
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 1});
    if (!model)
        return NULL;
    mica_node *y = mica_input(model, NULL, MICA_SHAPE(2, 4, 4));
    y = mica_conv2d(y, &(mica_conv_desc){.filters = 8, .kernel_size = {3}, .padding = "same", .activation = "relu"});
    y = mica_batch_normalization(y, NULL);
    y = mica_max_pooling2d(y, NULL);
    y = mica_dropout(mica_flatten(y, NULL), &(mica_dropout_desc){.rate = 0.25f});
    y = mica_op_add(mica_op_scale(mica_op_reduce_max(y, (const int64_t[]){-1}, 1, true), 2), y);
    y = mica_op_mul(y, mica_constant(model, NULL, MICA_SHAPE(32), inputs));
    mica_output(model, NULL, mica_spectral_normalization(y, &(mica_spectral_normalization_desc){
        .layer = "dense", .desc = &(mica_dense_desc){.units = CLASSES, .activation = "softmax",
                                                     .kernel = {.regularizer = {"l2"}, .constraint = {"max_norm"}}}}));
    return model;
}

static mica_status end(mica_model *model, mica_status status)
{
    if (!model)
        return MICA_OUT_OF_MEMORY;
    if (status == MICA_OK)
        status = mica_model_status(model);
    mica_model_destroy(model);
    return status;
}

/* Probabilities that sum to 1: success is not enough. */
static void check_probabilities(const float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float sum = 0;
        for (int c = 0; c < CLASSES; c++)
            sum += y[i * CLASSES + c];
        assert_true(fabsf(sum - 1) < 1e-4f);
    }
}

static mica_status compile(mica_model *model)
{
    float y[2 * CLASSES] = {0};
    mica_plan *plan = NULL;
    mica_status status = model ? mica_model_status(model) : MICA_OUT_OF_MEMORY;
    if (status == MICA_OK) {
        plan = mica_compile(model, &(mica_plan_desc){.batch = 4});
        status = plan ? mica_plan_status(plan) : MICA_OUT_OF_MEMORY;
    }
    if (status == MICA_OK)
        status = mica_plan_write(plan, NULL, inputs, 64);
    if (status == MICA_OK)
        status = mica_plan_run(plan, 2);
    if (status == MICA_OK)
        status = mica_plan_read(plan, NULL, y, MI_COUNT(y));
    if (status == MICA_OK)
        check_probabilities(y, 2);
    mica_plan_destroy(plan);
    return end(model, status);
}

static mica_status try_compile(void)
{
    return compile(build());
}

static mica_status try_compile_recurrent(void)
{
    return compile(build_recurrent());
}

static mica_status try_json(void)
{
    static const char json[] =
        "{\"input_shape\": [12], \"layers\": [{\"type\": \"weight_normalization\", \"layer\": "
        "{\"type\": \"dense\", \"units\": 4, \"activation\": \"tanh\"}}, "
        "{\"type\": \"dropout\", \"rate\": 0.5}, {\"type\": \"dense\", \"units\": 2, \"name\": \"last\"}]}";
    mica_model *model = mica_model_create(device, NULL);
    mica_status status = model ? mica_model_add_json(model, json) : MICA_OUT_OF_MEMORY;
    if (status == MICA_OK)
        assert_int_equal(mica_model_parameter_count(model), 12 * 4 + 4 + 4 + 4 * 2 + 2);
    return end(model, status);
}

static mica_status try_save(void)
{
    mica_model *model = build();
    return end(model, model ? mica_model_save(model, out_path) : MICA_OUT_OF_MEMORY);
}

static mica_status try_load(void)
{
    float y[2 * CLASSES] = {0};
    mica_answer answers[2];
    mica_model *model = mica_model_load(device, model_path);
    mica_status status = model ? mica_model_status(model) : MICA_OUT_OF_MEMORY;
    if (status == MICA_OK)
        status = mica_predict(model, inputs, 2, y, MI_COUNT(y));
    if (status == MICA_OK)
        check_probabilities(y, 2);
    if (status == MICA_OK)
        status = mica_classify(model, inputs, 2, 1, answers);
    return end(model, status);
}

static mica_status try_weights(void)
{
    mica_model *model = build();
    return end(model, model ? mica_model_load_weights(model, model_path, NULL) : MICA_OUT_OF_MEMORY);
}

/* Of its own in each attempt: data keep their first error. */
static mica_data *open_data(void)
{
    return mica_arrays_open(device, &(mica_arrays_desc){.samples = SAMPLES, .input_shape = MICA_SHAPE(2, 4, 4), .inputs = inputs,
                                                        .classes = labels});
}

static mica_status try_fit(void)
{
    mica_history *history = NULL;
    mica_model *model = build();
    mica_data *data = open_data();
    mica_status status = !model || !data ? MICA_OUT_OF_MEMORY : mica_fit(model, data, &(mica_fit_desc){
        .loss = "sparse_categorical_crossentropy", .batch_size = 4, .epochs = 1, .metrics = {{"accuracy"}}, .no_shuffle = true,
        .optimizer = {.type = "adam"}}, &history);
    if (status == MICA_OK) {
        assert_int_equal(mica_history_epochs(history), 1);
        assert_true(isfinite(mica_history_epoch(history, 0)->loss));
    }
    mica_history_destroy(history);
    mica_data_destroy(data);
    return end(model, status);
}

static bool save_state(void *user, const mica_progress *now)
{
    (void)user;
    return mica_training_save(now->training, state_path) != MICA_OK;
}

static mica_status train_small(const mica_callback *callbacks, int count, const char *resume)
{
    mica_model *model = mica_model_create(device, NULL);
    mica_data *data = open_data();
    if (model)
        mica_output(model, NULL, mica_dense(mica_flatten(mica_input(model, NULL, MICA_SHAPE(2, 4, 4)), NULL),
                                            &(mica_dense_desc){.units = CLASSES}));
    mica_status status = !model || !data ? MICA_OUT_OF_MEMORY : mica_fit(model, data, &(mica_fit_desc){
        .loss = "sparse_categorical_crossentropy", .batch_size = 4, .epochs = 2, .metrics = {{"accuracy"}}, .callbacks = callbacks,
        .callback_count = count, .resume = resume}, NULL);
    mica_data_destroy(data);
    return end(model, status);
}

static mica_status try_resume(void)
{
    const mica_callback callbacks[] = {
        {"early_stopping", .monitor = "loss", .setting = {{"patience", 9}, {"restore_best_weights", 1}}},
        {"csv_logger", .path = log_path}, {"tensorboard", .path = folder_path}, {"model_checkpoint", .path = out_path}};
    return train_small(callbacks, 4, state_path);
}

static mica_status try_evaluate(void)
{
    mica_scores *scores = NULL;
    mica_data *data = open_data();
    mica_model *model = mica_model_load(device, model_path);
    mica_status status = model && data ? mica_model_status(model) : MICA_OUT_OF_MEMORY;
    if (status == MICA_OK)
        status = mica_evaluate(model, data, MICA_TRAIN, NULL, 0, &scores);
    if (status == MICA_OK)
        assert_true(mica_scores_count(scores) > 1);
    mica_scores_destroy(scores);
    mica_data_destroy(data);
    return end(model, status);
}

static mica_status try_inspect(void)
{
    char *json = NULL;
    mica_model *model = build();
    mica_status status = !model ? MICA_OUT_OF_MEMORY
                                : mica_model_inspect(model, &(mica_inspect_desc){.with_plan = true, .batch = 2}, &json);
    if (status == MICA_OK && !described)
        described = strdup(json);
    if (status == MICA_OK && strcmp(json, described)) { /* not whole, since an allocation failed */
        size_t at = 0;
        while (json[at] == described[at])
            at++;
        fail_msg("inspect says \"%.80s\", expected \"%.80s\"", json + at, described + at);
    }
    mica_free(json);
    return end(model, status);
}

static mica_status try_open(void)
{
    mica_devices *found = mica_devices_find();
    mica_status status = found ? mica_devices_status(found) : MICA_OUT_OF_MEMORY;
    mica_devices_destroy(found);
    if (status != MICA_OK)
        return status;
    mica_device *other = mica_device_open(NULL);
    status = other ? mica_device_status(other) : MICA_OUT_OF_MEMORY;
    mica_device_destroy(other);
    return status;
}

/* ---- Failing ---- */

struct family {
    const char *name;
    mica_status (*run)(void);
    bool parses;                /* cJSON does not say whether it is out of memory or the text is wrong */
};

static const struct family families[] = {
    {"compile", try_compile, false}, {"compile a recurrent network", try_compile_recurrent, false}, {"json", try_json, true}, {"save", try_save, false},
    {"load", try_load, true},        {"weights", try_weights, true}, {"fit", try_fit, true},
    {"resume", try_resume, true},
    {"evaluate", try_evaluate, true}, {"inspect", try_inspect, false}, {"open", try_open, false},
};

/* Returns the status with the k-th allocation failing. */
static mica_status attempt(mica_status (*run)(void), long k)
{
    fail_allocation(k);
    mica_status status = run();
    snprintf(said, sizeof said, "%s", mica_device_error(device));
    mica_device_clear_error(device);
    return status;
}

static void fail_in_strides(const struct family *family)
{
    mica_status (*run)(void) = family->run;
    long total;
    assert_int_equal(attempt(run, 0), MICA_OK);
    assert_int_equal(attempt(run, 0), MICA_OK); /* programs are built by now */
    total = allocations();
    assert_true(total > 2);
    const char *wanted = getenv("MICA_TEST_ATTEMPTS");
    long attempts = wanted ? atol(wanted) : ATTEMPTS, stride = total / (attempts < 1 ? 1 : attempts) + 1;
    for (long k = 1; k <= total; k += k < attempts / 4 ? 1 : stride) {
        mica_status status = attempt(run, k);
        fail_allocation(0);
        if (status != MICA_OUT_OF_MEMORY && status != MICA_OK && !(family->parses && status == MICA_FORMAT))
            fail_msg("%s: allocation %ld of %ld fails: status %d: %s", family->name, k, total, (int)status, said);
    }
    assert_int_equal(attempt(run, 0), MICA_OK);
}

static void test_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < MI_COUNT(families); i++) {
        print_message("  %s\n", families[i].name);
        fail_in_strides(&families[i]);
    }
}

/* ---- Before and after ---- */

static void empty_file(char *path)
{
    strcpy(path, "/tmp/mica-memory-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
}

static int begin(void **state)
{
    cJSON_InitHooks(&(cJSON_Hooks){malloc, free}); /* so that they fail too */
    if (open_device(state))
        return -1;
    device = *state;
    for (size_t i = 0; i < MI_COUNT(inputs); i++)
        inputs[i] = mi_uniform(3, 1, i);
    for (int i = 0; i < SAMPLES; i++)
        labels[i] = i % CLASSES;
    mica_data *data = open_data();
    empty_file(model_path);
    empty_file(out_path);
    empty_file(state_path);
    empty_file(log_path);
    strcpy(folder_path, "/tmp/mica-memory-XXXXXX");
    assert_non_null(mkdtemp(folder_path));
    assert_int_equal(train_small(&(mica_callback){.batch = save_state}, 1, NULL), MICA_CANCELLED);
    mica_model *model = build();
    mica_status status = mica_fit(model, data, &(mica_fit_desc){.loss = "sparse_categorical_crossentropy"}, NULL);
    if (status == MICA_OK)
        status = mica_model_save(model, model_path);
    if (status != MICA_OK)
        print_error("%s\n", mica_device_error(device));
    mica_model_destroy(model);
    mica_data_destroy(data);
    return status == MICA_OK ? 0 : -1;
}

static int finish(void **state)
{
    free(described);
    unlink(model_path);
    unlink(out_path);
    unlink(state_path);
    unlink(log_path);
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder_path);
    return system(command) ? -1 : close_device(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all)};
    return cmocka_run_group_tests(tests, begin, finish);
}
