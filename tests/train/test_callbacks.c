/* Callbacks: their decisions beside Keras's own, what they write, and what they refuse. */
#include "support/files.h"
#include "train/golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 24, MOST_EPOCHS = 40 };

/* ---- A training whose loss in each epoch is what the test wants: the model says 0, the targets are the loss's root ---- */

struct played {
    float scores[MOST_EPOCHS];
    size_t count;
};

static bool fill(void *user, uint64_t epoch, int64_t first, int64_t count, void *const *values)
{
    const struct played *played = user;
    (void)first;
    for (int64_t i = 0; i < count; i++) {
        if (values[0])
            ((float *)values[0])[i] = 1;
        if (values[1])
            ((float *)values[1])[i] = sqrtf(played->scores[epoch ? (epoch - 1) % played->count : 0]);
    }
    return true;
}

static mica_data *open_played(mica_device *device, struct played *played)
{
    static const mica_field fields[] = {{.role = MICA_INPUT, .shape = {1, {1}}}, {.role = MICA_TARGET, .shape = {1, {1}}}};
    mica_data *data = mica_fields_open(device, &(mica_fields_desc){.samples = 4, .fields = fields, .field_count = 2, .fill = fill,
                                                                   .user = played});
    golden_assert_fine(device);
    return data;
}

/* A weight of 0, which note_rate sets back behind each step. */
static mica_model *make_still(mica_device *device)
{
    mica_model *model = mica_model_create(device, NULL);
    mica_node *x = mica_input(model, NULL, MICA_SHAPE(1));
    mica_output(model, NULL, mica_dense(x, &(mica_dense_desc){.units = 1}));
    assert_int_equal(mica_model_write(model, "dense.weight", (const float[]){0}, 1), MICA_OK);
    return model;
}

static mica_fit_desc still_fit(const mica_callback *callbacks, int count, int epochs)
{
    return (mica_fit_desc){.loss = "mean_squared_error", .optimizer = {"sgd", {{"learning_rate", 1}}}, .train = "dense.weight",
                           .batch_size = 4, .epochs = epochs, .callbacks = callbacks, .callback_count = count};
}

struct rates {
    float rate[MOST_EPOCHS];
    int count;
};

/* Called behind the others: the rate of the next epoch's steps. */
static bool note_rate(void *user, const mica_progress *now)
{
    struct rates *rates = user;
    rates->rate[rates->count++] = now->learning_rate;
    return mica_model_write(mica_training_model(now->training), "dense.weight", (const float[]){0}, 1) == MICA_OK;
}

static mica_callback read_callback(const cJSON *json)
{
    mica_callback callback = {0};
    const cJSON *item;
    int count = 0;
    cJSON_ArrayForEach(item, json) {
        if (!strcmp(item->string, "type"))
            callback.type = item->valuestring;
        else if (!strcmp(item->string, "monitor"))
            callback.monitor = item->valuestring;
        else if (!strcmp(item->string, "mode"))
            callback.mode = item->valuestring;
        else
            callback.setting[count++] = (mica_setting){item->string, cJSON_IsNumber(item) ? item->valuedouble : cJSON_IsTrue(item)};
    }
    return callback;
}

/* The rates of all epochs but the first are those that Keras has behind the one before; and there are as many epochs. */
static void as_keras(void **state)
{
    struct golden golden = {0};
    golden_open(&golden, "callbacks.safetensors");
    cJSON *cases = golden_json(&golden, "cases");
    const cJSON *item;
    int done = 0;
    cJSON_ArrayForEach(item, cases) {
        size_t epochs = 0;
        struct played played = {.count = 0};
        struct rates rates = {.count = 0};
        float *scores = golden_floats(&golden, item->string, "scores", &played.count);
        float *wanted = golden_floats(&golden, item->string, "rates", &epochs);
        memcpy(played.scores, scores, played.count * sizeof *scores);
        const mica_callback callbacks[] = {read_callback(item), {.epoch = note_rate, .user = &rates}};
        const mica_fit_desc desc = still_fit(callbacks, 2, (int)played.count);
        mica_data *data = open_played(*state, &played);
        mica_model *model = make_still(*state);
        assert_int_equal(mica_fit(model, data, &desc, NULL), MICA_OK);
        golden_assert_fine(*state);
        if (rates.count != (int)epochs)
            fail_msg("%s: %d epochs, not %zu", item->string, rates.count, epochs);
        golden_compare(item->string, rates.rate + 1, wanted, epochs - 1, 1e-6);
        mica_model_destroy(model);
        mica_data_destroy(data);
        free(scores);
        free(wanted);
        done++;
    }
    assert_true(done >= 14);
    cJSON_Delete(cases);
    golden_close(&golden);
}

/* ---- Points that are learned ---- */

static mica_data *open_points(mica_device *device)
{
    static float inputs[SAMPLES][2];
    static int32_t classes[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
        for (int k = 0; k < 2; k++)
            inputs[i][k] = 2 * mi_uniform(7, 1, (uint64_t)(2 * i + k)) - 1;
        classes[i] = mi_uniform(7, 2, (uint64_t)i) < 0.5f; /* nothing to learn: what is told of others gets worse */
    }
    mica_data *data = mica_arrays_open(device, &(mica_arrays_desc){
        .samples = SAMPLES, .input_shape = MICA_SHAPE(2), .inputs = inputs[0], .classes = classes,
        .split = {.fraction = {0.5f, 0.5f, 0}}});
    golden_assert_fine(device);
    return data;
}

static mica_model *make_model(mica_device *device)
{
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 4});
    mica_node *x = mica_dense(mica_input(model, NULL, MICA_SHAPE(2)), &(mica_dense_desc){.units = 8, .activation = "tanh"});
    mica_output(model, NULL, mica_dense(x, &(mica_dense_desc){.units = 2}));
    return model;
}

static mica_fit_desc fit_with(const mica_callback *callbacks, int count, int epochs)
{
    return (mica_fit_desc){.loss = "sparse_categorical_crossentropy", .optimizer = {"adam", {{"learning_rate", 0.1}}},
                           .metrics = {{"accuracy"}}, .batch_size = 5, .epochs = epochs, .callbacks = callbacks,
                           .callback_count = count};
}

/* The model ends with the weights of the epoch whose score was the best. */
static void restores(void **state)
{
    const mica_callback stopping = {"early_stopping", .setting = {{"patience", 4}, {"restore_best_weights", 1}}};
    mica_data *data = open_points(*state);
    mica_model *model = make_model(*state);
    mica_history *history = NULL;
    mica_scores *scores = NULL;
    const mica_fit_desc desc = fit_with(&stopping, 1, 60);
    assert_int_equal(mica_fit(model, data, &desc, &history), MICA_OK);
    int epochs = mica_history_epochs(history), best = 0;
    for (int i = 1; i < epochs; i++)
        best = mica_history_epoch(history, i)->val_loss < mica_history_epoch(history, best)->val_loss ? i : best;
    assert_true(epochs < 60 && epochs == best + 5);
    assert_int_equal(mica_evaluate(model, data, MICA_VALIDATION, NULL, 0, &scores), MICA_OK);
    assert_true(fabs(mica_scores_get(scores, "loss") - (double)mica_history_epoch(history, best)->val_loss) < 1e-6);
    mica_scores_destroy(scores);
    mica_history_destroy(history);
    mica_model_destroy(model);
    mica_data_destroy(data);
}

static double halve(void *user, int epoch, double rate)
{
    *(int *)user = epoch;
    return epoch > 1 ? rate / 2 : rate;
}

/* Whether a file holds a line. */
static bool holds(const char *path, const char *text)
{
    static char all[4096];
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(all, 1, sizeof all - 1, file) : 0;
    all[size] = 0;
    if (file)
        fclose(file);
    return strstr(all, text) != NULL;
}

static void writes(void **state)
{
    int epoch = 0;
    char line[64];
    const mica_callback callbacks[] = {
        {"learning_rate_scheduler", .schedule = halve, .user = &epoch},
        {"model_checkpoint", .path = "test_callbacks_{epoch:02}.safetensors", .setting = {{"period", 2}, {"save_weights_only", 1}}},
        {"model_checkpoint", .path = "test_callbacks_best.safetensors", .monitor = "val_accuracy", .setting = {{"save_best_only", 1}}},
        {"csv_logger", .path = "test_callbacks.csv", .separator = ";"}};
    mica_data *data = open_points(*state);
    mica_model *model = make_model(*state);
    mica_history *history = NULL;
    mica_fit_desc desc = fit_with(callbacks, 4, 4);
    remove("test_callbacks.csv");
    assert_int_equal(mica_fit(model, data, &desc, &history), MICA_OK);
    golden_assert_fine(*state);
    assert_int_equal(epoch, 4);
    assert_true(fabs((double)mica_history_epoch(history, 3)->learning_rate - 0.1 / 8) < 1e-8);
    assert_true(holds("test_callbacks.csv", "epoch;loss;accuracy;val_loss;val_accuracy;learning_rate;seconds\n1;"));
    mi_format(line, sizeof line, "\n4;%.9g;", mica_scores_get(mica_history_epoch(history, 3)->scores, "loss"));
    assert_true(holds("test_callbacks.csv", line));
    static const char *const made[] = {"test_callbacks_02.safetensors", "test_callbacks_04.safetensors",
                                       "test_callbacks_best.safetensors"};
    for (size_t i = 0; i < MI_COUNT(made); i++) {
        mica_model *saved = mica_model_load(*state, made[i]);
        golden_assert_fine(*state);
        mica_model_destroy(saved);
        remove(made[i]);
    }
    assert_int_not_equal(remove("test_callbacks_03.safetensors"), 0); /* there is none */
    remove("test_callbacks.csv");
    mica_history_destroy(history);
    mica_model_destroy(model);
    mica_data_destroy(data);
}

/* ---- Records for TensorBoard, read by another way: CRC-32C by a table of nibbles ---- */

static uint32_t crc(const unsigned char *bytes, size_t size)
{
    uint32_t table[16], value = 0xffffffffu;
    for (uint32_t i = 0; i < 16; i++) {
        table[i] = i;
        for (int k = 0; k < 4; k++)
            table[i] = table[i] & 1 ? table[i] >> 1 ^ 0x82f63b78u : table[i] >> 1;
    }
    for (size_t i = 0; i < size; i++) {
        value = value >> 4 ^ table[(value ^ bytes[i]) & 15];
        value = value >> 4 ^ table[(value ^ (uint32_t)(bytes[i] >> 4)) & 15];
    }
    return ~value;
}

static void assert_masked(const unsigned char *bytes, size_t size, const unsigned char *stored)
{
    uint32_t plain = crc(bytes, size), masked = (plain >> 15 | plain << 17) + 0xa282ead8u;
    for (int i = 0; i < 4; i++)
        assert_int_equal(stored[i], masked >> (8 * i) & 255);
}

/* The records of a file, each with its checks; whether one of them holds a tag and its number. */
static int read_records(const char *path, const char *tag, float number, bool *found)
{
    struct mi_error error = {0};
    unsigned char *bytes = NULL;
    size_t size = 0, at = 0, length = strlen(tag);
    int count = 0;
    if (mi_file_read(&error, path, 1 << 20, &bytes, &size) != MICA_OK)
        fail_msg("%s", error.text);
    for (; at < size; count++) {
        size_t record = bytes[at] | (size_t)bytes[at + 1] << 8;
        assert_masked(bytes + at, 8, bytes + at + 8);
        assert_true(at + 16 + record <= size);
        assert_masked(bytes + at + 12, record, bytes + at + 12 + record);
        for (size_t i = at + 12; i + length + 5 <= at + 12 + record; i++)
            *found = *found || (!memcmp(bytes + i, tag, length) && bytes[i + length] == 0x15 &&
                                !memcmp(bytes + i + length + 1, &number, 4));
        at += 16 + record;
    }
    assert_int_equal(at, size);
    free(bytes);
    return count;
}

static void shows(void **state)
{
    const mica_callback callback = {.type = "tensorboard", .path = "test_callbacks"};
    mica_data *data = open_points(*state);
    mica_model *model = make_model(*state);
    mica_history *history = NULL;
    bool loss = false, validated = false;
    const mica_fit_desc desc = fit_with(&callback, 1, 3);
    assert_int_equal(crc((const unsigned char *)"123456789", 9), 0xe3069283u);
    assert_int_equal(mica_fit(model, data, &desc, &history), MICA_OK);
    const mica_progress *last = mica_history_epoch(history, 2);
    assert_int_equal(read_records("test_callbacks/train/events.out.tfevents.mica", "epoch_loss", last->loss, &loss), 4);
    assert_int_equal(read_records("test_callbacks/validation/events.out.tfevents.mica", "epoch_loss", last->val_loss, &validated), 4);
    assert_true(loss && validated);
    assert_int_equal(system("rm -r test_callbacks"), 0);
    mica_history_destroy(history);
    mica_model_destroy(model);
    mica_data_destroy(data);
}

/* What was asked for without waiting comes with one of the next batches. */
struct heard {
    int asked, came;
};

static bool ask(void *user, const mica_progress *now)
{
    struct heard *heard = user;
    heard->came += now->scores != NULL && now->loss > 0;
    heard->asked += mica_training_ask(now->training) == MICA_OK;
    return true;
}

static bool ask_between(void *user, const mica_progress *now)
{
    (void)user;
    assert_int_equal(mica_training_ask(now->training), MICA_INVALID_ARGUMENT);
    assert_int_equal(mica_training_stop(now->training), MICA_OK);
    mica_device_clear_error(mica_training_model(now->training)->device);
    return true;
}

static void asks(void **state)
{
    struct heard heard = {0};
    const mica_callback asking = {.batch = ask, .epoch = ask_between, .user = &heard};
    mica_data *data = open_points(*state);
    mica_model *model = make_model(*state);
    mica_fit_desc desc = fit_with(&asking, 1, 30);
    desc.batch_size = 1;
    assert_int_equal(mica_fit(model, data, &desc, NULL), MICA_OK);
    assert_int_equal(heard.asked, SAMPLES / 2); /* it was stopped behind the first epoch */
    assert_true(heard.came > 0);
    mica_model_destroy(model);
    mica_data_destroy(data);
}

static void terminates(void **state)
{
    const mica_callback callback = {.type = "terminate_on_nan"};
    mica_data *data = open_points(*state);
    mica_model *model = make_model(*state);
    mica_history *history = NULL;
    mica_fit_desc desc = fit_with(&callback, 1, 3);
    desc.optimizer = (mica_optimizer){"sgd", {{"learning_rate", 1e30}, {"weight_decay", 1e20}}};
    desc.batch_size = 1;
    assert_int_equal(mica_fit(model, data, &desc, &history), MICA_DIVERGED);
    assert_non_null(strstr(mica_device_error(*state), "the training diverged"));
    assert_non_null(strstr(mica_device_error(*state), " since ")); /* a batch, or one of some */
    assert_int_equal(mica_history_epochs(history), 0);
    mica_device_clear_error(*state);
    mica_history_destroy(history);
    mica_model_destroy(model);
    mica_data_destroy(data);
}

/* ---- Mistakes ---- */

static void refuses(void **state)
{
    static const struct {
        mica_callback callback;
        mica_status status;
        const char *text;
    } cases[] = {
        {{.type = "early_stoping"}, MICA_INVALID_ARGUMENT, "callbacks[0]: there is no type \"early_stoping\"; did you mean \"early_stopping\"?"},
        {{"early_stopping", .monitor = "val_los"}, MICA_INVALID_ARGUMENT, "\"val_los\" to monitor; did you mean \"val_loss\"?"},
        {{"early_stopping", .mode = "up"}, MICA_INVALID_ARGUMENT, "callbacks[0]: there is no mode \"up\""},
        {{"early_stopping", .setting = {{"patience", -1}}}, MICA_INVALID_ARGUMENT, "callbacks[0].patience: must be a whole number "},
        {{"early_stopping", .setting = {{"factor", 1}}}, MICA_INVALID_ARGUMENT, "there is no key \"factor\""},
        {{"reduce_lr_on_plateau", .setting = {{"factor", 1}}}, MICA_INVALID_ARGUMENT, "callbacks[0].factor: must be at least 0 and below 1"},
        {{.type = "csv_logger"}, MICA_INVALID_ARGUMENT, "callbacks[0]: the key \"filename\" is missing"},
        {{"csv_logger", .path = "/nowhere/log.csv"}, MICA_IO, "/nowhere/log.csv: No such file or directory"},
        {{"model_checkpoint", .path = "/nowhere/x.safetensors"}, MICA_IO, "/nowhere/x.safetensors: no file can be made in the folder"},
        {{"model_checkpoint", .path = "x{val_los}.safetensors"}, MICA_INVALID_ARGUMENT, "there is no \"val_los\" in this epoch"},
        {{.type = "learning_rate_scheduler"}, MICA_INVALID_ARGUMENT, "its schedule is NULL"},
    };
    mica_data *data = open_points(*state);
    mica_model *model = make_model(*state);
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        const mica_fit_desc desc = fit_with(&cases[i].callback, 1, 1);
        mica_status status = mica_fit(model, data, &desc, NULL);
        if (status != cases[i].status || !strstr(mica_device_error(*state), cases[i].text))
            fail_msg("case %zu: %d, %s", i, (int)status, mica_device_error(*state));
        mica_device_clear_error(*state);
    }
    const mica_callback plateau = {.type = "reduce_lr_on_plateau"};
    const mica_schedule schedule = {"step_decay", {{"step_size", 5}}, NULL, NULL, 0, 0};
    mica_fit_desc desc = fit_with(&plateau, 1, 1);
    desc.schedule = &schedule;
    assert_int_equal(mica_fit(model, data, &desc, NULL), MICA_INVALID_ARGUMENT);
    assert_non_null(strstr(mica_device_error(*state), "is a schedule, step_decay: it cannot be set besides"));
    mica_device_clear_error(*state);
    mica_model_destroy(model);
    mica_data_destroy(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_keras), cmocka_unit_test(restores), cmocka_unit_test(writes), cmocka_unit_test(shows),
        cmocka_unit_test(asks),
        cmocka_unit_test(terminates), cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, golden_device_open, golden_device_close);
}
