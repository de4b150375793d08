/* Ten steps of training against PyTorch: every loss, and the weights at the end. */
#include "train/golden.h"

#include <stdlib.h>
#include <string.h>

enum { STEPS = 10 };

/* The mean loss of the epoch after each step. */
struct losses {
    double mean[STEPS];
    int64_t samples[STEPS];
    int count;
};

static bool note_loss(void *user, const mica_progress *now)
{
    struct losses *losses = user;
    assert_int_equal(mica_training_look(now->training), MICA_OK);
    if (losses->count < STEPS) {
        losses->mean[losses->count] = (double)now->loss;
        losses->samples[losses->count++] = now->samples;
    }
    return true;
}

static mica_data *read_data(mica_device *device, const struct golden *golden)
{
    size_t count = 0, samples = 0;
    const struct mi_safetensor *tensor = golden_find(golden, "", "x");
    float *x = golden_floats(golden, "", "x", &count);
    int32_t *labels = golden_integers(golden, "", "labels", &samples);
    mica_arrays_desc desc = {.samples = (int64_t)samples, .inputs = x, .classes = labels};
    desc.input_shape.rank = tensor->rank - 1;
    for (int i = 1; i < tensor->rank; i++)
        desc.input_shape.dim[i - 1] = tensor->dim[i];
    mica_data *data = mica_arrays_open(device, &desc);
    free(x);
    free(labels);
    golden_assert_fine(device);
    return data;
}

static void compare_losses(const struct golden *golden, const struct losses *losses)
{
    size_t count = 0;
    float *wanted = golden_floats(golden, "", "losses", &count), got[STEPS];
    assert_int_equal(count, STEPS);
    assert_int_equal(losses->count, STEPS);
    for (int i = 0; i < STEPS; i++) {
        double before = i ? losses->mean[i - 1] * (double)losses->samples[i - 1] : 0;
        int64_t seen = losses->samples[i] - (i ? losses->samples[i - 1] : 0);
        got[i] = (float)((losses->mean[i] * (double)losses->samples[i] - before) / (double)seen);
    }
    golden_compare("losses", got, wanted, count, GOLDEN_TOLERANCE);
    free(wanted);
}

static void compare_weights(mica_model *model, const struct golden *golden)
{
    for (int i = 0; i < mica_model_variable_count(model); i++) {
        size_t count = 0;
        const char *name = mica_model_variable_name(model, i);
        float *wanted = golden_floats(golden, "final", name, &count), *got = mi_new(count, sizeof *got);
        assert_non_null(wanted);
        assert_int_equal(mica_model_read(model, name, got, count), MICA_OK);
        golden_compare(name, got, wanted, count, GOLDEN_TOLERANCE);
        free(wanted);
        free(got);
    }
}

static void check(mica_device *device, const char *name)
{
    struct golden golden = {0};
    struct losses losses = {.count = 0};
    print_message("%s\n", name);
    golden_open(&golden, name);
    mica_data *data = read_data(device, &golden);
    mica_model *model = mica_model_create(device, NULL);
    mica_model_add_json(model, mi_safetensors_metadata(&golden.file, "model"));
    golden_assert_fine(device);
    golden_write(model, &golden, "initial");
    cJSON *json = golden_json(&golden, "optimizer");
    struct mi_arena arena = {0};
    const mica_schedule *schedule;
    const mica_optimizer optimizer = golden_optimizer(json, &arena, &schedule);
    mica_fit(model, data, &(mica_fit_desc){
        .loss = "sparse_categorical_crossentropy", .optimizer = optimizer, .schedule = schedule,
        .batch_size = strtol(mi_safetensors_metadata(&golden.file, "batch"), NULL, 10), .no_shuffle = true,
        .callbacks = &(mica_callback){.batch = note_loss, .user = &losses}, .callback_count = 1}, NULL);
    golden_assert_fine(device);
    cJSON_Delete(json);
    mi_arena_destroy(&arena);
    compare_losses(&golden, &losses);
    compare_weights(model, &golden);
    mica_model_destroy(model);
    mica_data_destroy(data);
    golden_close(&golden);
}

static void mlp(void **state)
{
    static const char *const files[] = {
        "train_mlp_sgd.safetensors", "train_mlp_momentum.safetensors", "train_mlp_nesterov.safetensors",
        "train_mlp_adam.safetensors", "train_mlp_adam_decay.safetensors", "train_mlp_rmsprop.safetensors",
        "train_mlp_rmsprop_momentum.safetensors", "train_mlp_adagrad.safetensors",
        "train_mlp_adamw.safetensors", "train_mlp_adamw_amsgrad.safetensors", "train_mlp_amsgrad.safetensors",
        "train_mlp_nadam.safetensors", "train_mlp_adamax.safetensors", "train_mlp_rmsprop_centered.safetensors",
        "train_mlp_rmsprop_centered_momentum.safetensors", "train_mlp_adadelta.safetensors", "train_mlp_lion.safetensors",
        "train_mlp_ftrl.safetensors", "train_mlp_lamb.safetensors", "train_mlp_lamb_decay.safetensors",
        "train_mlp_adafactor.safetensors", "train_mlp_adafactor_clipped.safetensors", "train_mlp_cosine.safetensors",
        "train_mlp_one_cycle.safetensors"};
    for (size_t i = 0; i < MI_COUNT(files); i++)
        check(*state, files[i]);
}

static void cnn(void **state)
{
    check(*state, "train_cnn_momentum.safetensors");
    check(*state, "train_cnn_adam.safetensors");
    check(*state, "train_cnn_rmsprop.safetensors");
    check(*state, "train_cnn_adafactor.safetensors");
}

static void normalized(void **state)
{
    check(*state, "train_normalized_momentum.safetensors");
}

static void parameters(void **state)
{
    static const char *const files[] = {
        "parameter_l1.safetensors", "parameter_l2.safetensors", "parameter_l1_l2.safetensors", "parameter_orthogonal.safetensors",
        "parameter_orthogonal_columns.safetensors", "parameter_activity.safetensors", "parameter_max_norm.safetensors",
        "parameter_max_norm_axis.safetensors", "parameter_non_neg.safetensors", "parameter_unit_norm.safetensors",
        "parameter_min_max_norm.safetensors", "parameter_l2_lamb.safetensors"};
    for (size_t i = 0; i < MI_COUNT(files); i++)
        check(*state, files[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(mlp), cmocka_unit_test(cnn), cmocka_unit_test(normalized), cmocka_unit_test(parameters)};
    return cmocka_run_group_tests(tests, golden_device_open, golden_device_close);
}
