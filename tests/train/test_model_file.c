/* Models in files: saved, loaded, cut short, lying; and weights by name. */
#include "train/golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char path[] = "test_model_file.safetensors";

static mica_model *make_model(mica_device *device)
{
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 9});
    mica_node *x = mica_input(model, NULL, MICA_SHAPE(1, 6, 6));
    x = mica_conv2d(x, &(mica_conv_desc){.name = "conv", .filters = 3, .kernel_size = {3}, .activation = "leaky_relu"});
    x = mica_batch_normalization(x, &(mica_batch_normalization_desc){.name = "norm"});
    x = mica_flatten(x, NULL);
    mica_output(model, NULL, mica_dense(x, &(mica_dense_desc){.name = "head", .units = 4}));
    golden_assert_fine(device);
    return model;
}

static void train(mica_device *device, mica_model *model)
{
    static float inputs[20 * 36];
    int32_t classes[20];
    for (int i = 0; i < 20 * 36; i++)
        inputs[i] = mi_uniform(1, 1, (uint64_t)i);
    for (int i = 0; i < 20; i++)
        classes[i] = i % 4;
    mica_data *data = mica_arrays_open(device, &(mica_arrays_desc){
        .samples = 20, .input_shape = MICA_SHAPE(1, 6, 6), .inputs = inputs, .classes = classes,
        .normalize = {.type = MICA_STANDARD}});
    mica_fit(model, data, &(mica_fit_desc){.loss = "sparse_categorical_crossentropy", .epochs = 2}, NULL);
    golden_assert_fine(device);
    mica_data_destroy(data);
}

static unsigned char *read_file(size_t *size)
{
    struct mi_error error = {0};
    unsigned char *bytes = NULL;
    assert_int_equal(mi_file_read(&error, path, 1 << 24, &bytes, size), MICA_OK);
    return bytes;
}

static void predict(mica_model *model, float outputs[8])
{
    float inputs[2 * 36];
    for (int i = 0; i < 2 * 36; i++)
        inputs[i] = mi_uniform(2, 1, (uint64_t)i);
    assert_int_equal(mica_predict(model, inputs, 2, outputs, 8), MICA_OK);
}

static void round_trip(void **state)
{
    float before[8], after[8];
    size_t size = 0;
    mica_answer answer;
    mica_model *model = make_model(*state);
    train(*state, model);
    predict(model, before);
    assert_int_equal(mica_model_save(model, path), MICA_OK);
    mica_model_destroy(model);

    model = mica_model_load(*state, path);
    golden_assert_fine(*state);
    predict(model, after);
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(mica_classify(model, (const float[36]){1}, 1, 1, &answer), MICA_OK);
    assert_true(answer.score > 0.25f && answer.score <= 1);
    mica_model_destroy(model);

    unsigned char *bytes = read_file(&size);
    model = mica_model_load_memory(*state, bytes, size);
    golden_assert_fine(*state);
    predict(model, after);
    assert_memory_equal(before, after, sizeof before);
    train(*state, model); /* trains on */
    mica_model_destroy(model);
    free(bytes);
}

/* huber of 0 beside -3 to 3 is 0.5 * y^2 within delta and delta * (|y| - delta / 2) beyond. */
static void keys_of_a_loss(void **state)
{
    const char *own = "test_model_file_loss.safetensors";
    float y[7], zero[7] = {0};
    double wanted = 0;
    for (int i = 0; i < 7; i++) {
        y[i] = (float)(i - 3);
        wanted += (i == 3 ? 0 : 0.5 * (abs(i - 3) - 0.25)) / 7;
    }
    mica_data *data = mica_arrays_open(*state, &(mica_arrays_desc){
        .samples = 7, .input_shape = MICA_SHAPE(1), .inputs = y, .label_shape = MICA_SHAPE(1), .values = zero});
    mica_model *model = mica_model_create(*state, NULL);
    const mica_parameter_desc one = {.initializer = {.type = "ones"}};
    mica_output(model, NULL, mica_dense(mica_input(model, NULL, MICA_SHAPE(1)), &(mica_dense_desc){.units = 1, .kernel = one}));
    const mica_objective huber = {.loss = "huber", .setting = {{"delta", 0.5}}};
    mica_fit(model, data, &(mica_fit_desc){.objectives = &huber, .objective_count = 1, .epochs = 1,
                                           .optimizer = {"sgd", {{"learning_rate", 0}}}}, NULL);
    mica_model_save(model, own);
    mica_model_destroy(model);
    model = mica_model_load(*state, own);
    mica_scores *scores = NULL;
    mica_evaluate(model, data, MICA_TRAIN, NULL, 0, &scores);
    golden_assert_fine(*state);
    assert_true(fabs(mica_scores_get(scores, "loss") - wanted) < 1e-5);
    mica_scores_destroy(scores);
    mica_model_destroy(model);
    mica_data_destroy(data);
}

static void assert_refused(mica_device *device, const void *bytes, size_t size, const char *text)
{
    mica_model *model = mica_model_load_memory(device, bytes, size);
    assert_non_null(model);
    assert_int_not_equal(mica_model_status(model), MICA_OK);
    if (text && !strstr(mica_model_error(model), text))
        fail_msg("\"%s\", not \"%s\"", mica_model_error(model), text);
    assert_string_equal(mica_device_error(device), mica_model_error(model));
    assert_null(strchr(mica_model_error(model), '\n'));
    assert_null(mica_dense((mica_node *)NULL, NULL));
    mica_model_destroy(model);
    mica_device_clear_error(device);
}

static void cut_short(void **state)
{
    size_t size = 0;
    unsigned char *bytes = read_file(&size);
    for (size_t cut = 0; cut < size; cut += cut < 64 ? 1 : 61)
        assert_refused(*state, bytes, cut, NULL);
    assert_refused(*state, NULL, 0, "missing");
    free(bytes);
}

/* Replaces a text in the header by one of the same length. */
static void with_lie(mica_device *device, const char *from, const char *to, const char *error)
{
    size_t size = 0, length = strlen(from);
    unsigned char *bytes = read_file(&size), *at = NULL;
    assert_int_equal(strlen(to), length);
    for (size_t i = 8; i + length < size && !at; i++)
        if (memcmp(bytes + i, from, length) == 0)
            at = bytes + i;
    if (!at)
        fail_msg("the file lacks %s", from);
    memcpy(at, to, length);
    assert_refused(device, bytes, size, error);
    free(bytes);
}

static void lies(void **state)
{
    with_lie(*state, "head.bias", "head.bibs", "\"head.bias\" is missing");
    with_lie(*state, "\\\"units\\\":4", "\\\"units\\\":9", "\"head.weight\" has shape [4, 48], the model's has [9, 48]");
    with_lie(*state, "\\\"filters\\\":3", "\\\"filtars\\\":3", "model.layers[1]: there is no key \"filtars\"");
    with_lie(*state, "\\\"type\\\":\\\"flatten", "\\\"type\\\":\\\"flattan", "there is no layer type \"flattan\"");
    with_lie(*state, "\\\"version\\\":2", "\\\"version\\\":7", "\"version\" is newer");
    with_lie(*state, "sparse_categorical", "sparse_categorycal", "there is no loss");
    with_lie(*state, "{\\\"version", "[\\\"version", "this is not valid JSON");
    with_lie(*state, "\"mica\"", "\"mika\"", "its metadata lack \"mica\"");
    with_lie(*state, "\\\"shape\\\":[1,6,6]", "\\\"shape\\\":[9,6,6]", NULL);
    mica_model *model = mica_model_load(*state, "nowhere.safetensors");
    assert_int_equal(mica_model_status(model), MICA_IO);
    assert_string_equal(mica_model_error(model), "nowhere.safetensors: No such file or directory");
    mica_model_destroy(model);
    mica_device_clear_error(*state);
}

/* ---- Weights by name ---- */

static void count_note(void *user, const char *line)
{
    (void)line;
    ++*(int *)user;
}

static void weights(void **state)
{
    int notes = 0;
    float loaded[4], head[4];
    mica_model *model = mica_model_create(*state, NULL);
    mica_node *x = mica_input(model, NULL, MICA_SHAPE(48));
    x = mica_dense(x, &(mica_dense_desc){.name = "head", .units = 4});
    mica_output(model, NULL, mica_dense(x, &(mica_dense_desc){.name = "more", .units = 2}));
    assert_int_equal(mica_model_load_weights(model, path, NULL), MICA_FORMAT);
    assert_non_null(strstr(mica_device_error(*state), "\"more.weight\" is missing"));
    mica_device_clear_error(*state);
    mica_weights_desc partial = {.partial = true, .note = count_note, .user = &notes};
    assert_int_equal(mica_model_load_weights(model, path, &partial), MICA_OK);
    assert_int_equal(notes, 2 + 6); /* two that the file lacks, six that the model has no use for */
    mica_model *whole = mica_model_load(*state, path);
    assert_int_equal(mica_model_read(whole, "head.bias", head, 4), MICA_OK);
    assert_int_equal(mica_model_read(model, "head.bias", loaded, 4), MICA_OK);
    assert_memory_equal(head, loaded, sizeof head);
    assert_int_equal(mica_model_read(model, "head.bia", loaded, 4), MICA_INVALID_ARGUMENT);
    mica_device_clear_error(*state);
    assert_int_equal(mica_model_write(model, "head.bias", loaded, 3), MICA_SHAPE);
    mica_device_clear_error(*state);
    mica_model_destroy(whole);
    mica_model_destroy(model);
    remove(path);
}

static mica_model *make_dense(mica_device *device, const char *name)
{
    mica_model *model = mica_model_create(device, NULL);
    mica_output(model, NULL, mica_dense(mica_input(model, NULL, MICA_SHAPE(3)), &(mica_dense_desc){.name = name, .units = 2}));
    golden_assert_fine(device);
    return model;
}

/* A file whose names have a part before those of the model says so; half a word is no such part. */
static void prefixes(void **state)
{
    mica_model *wrapped = make_dense(*state, "module.fc"), *plain = make_dense(*state, "fc"), *half = make_dense(*state, "c");
    assert_int_equal(mica_model_save(wrapped, path), MICA_OK);
    assert_int_equal(mica_model_load_weights(plain, path, NULL), MICA_FORMAT);
    assert_non_null(strstr(mica_device_error(*state), "\"fc.weight\" is missing, but \"module.fc.weight\" is there: its prefix "
                                                      "\"module.\" must go"));
    mica_device_clear_error(*state);
    assert_int_equal(mica_model_load_weights(half, path, NULL), MICA_FORMAT);
    assert_null(strstr(mica_device_error(*state), "prefix"));
    mica_device_clear_error(*state);
    mica_model_destroy(wrapped);
    mica_model_destroy(plain);
    mica_model_destroy(half);
    remove(path);
}

/* ---- A model of someone else's ---- */

static void inspects(void **state)
{
    char *text = NULL;
    mica_model *model = make_model(*state);
    assert_int_equal(mica_model_inspect(model, &(mica_inspect_desc){.with_plan = true, .training = true, .batch = 4}, &text),
                     MICA_OK);
    cJSON *json = cJSON_Parse(text);
    assert_non_null(json);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "layers")), 5);
    assert_true(cJSON_GetObjectItem(json, "launches")->valuedouble > 0);
    assert_true(cJSON_GetObjectItem(json, "peak_bytes")->valuedouble > 0);
    assert_true(cJSON_GetObjectItem(json, "operators")->valuedouble >= 4);
    assert_true((int64_t)cJSON_GetObjectItem(json, "parameters")->valuedouble == mica_model_parameter_count(model));
    cJSON_Delete(json);
    mica_free(text);
    mica_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(keys_of_a_loss), cmocka_unit_test(cut_short), cmocka_unit_test(lies),
                                       cmocka_unit_test(weights), cmocka_unit_test(prefixes), cmocka_unit_test(inspects)};
    return cmocka_run_group_tests(tests, golden_device_open, golden_device_close);
}
