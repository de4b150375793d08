/* Models of series: trained as by windows that are cut by hand, and answering in the units that the data have. */
#include "train/golden.h"

#include "support/files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 60, LENGTH = 5, HORIZON = 2, WINDOWS = ROWS - LENGTH - HORIZON + 1, TRAINED = 40 };

static float series[ROWS];

static void make_series(void)
{
    for (int t = 0; t < ROWS; t++)
        series[t] = 200 + 30 * sinf(0.7f * (float)t) + 0.5f * (float)t;
}

static mica_model *make_model(mica_device *device)
{
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 3});
    mica_node *x = mica_input(model, NULL, MICA_SHAPE(LENGTH, 1));
    x = mica_gru(&x, 1, &(mica_recurrent_desc){.units = 6});
    mica_output(model, NULL, mica_dense(x, &(mica_dense_desc){.units = HORIZON}));
    golden_assert_fine(device);
    return model;
}

static mica_data *open_series(mica_device *device, mica_normalize normalize)
{
    const mica_field fields[] = {
        {.role = MICA_INPUT, .shape = MICA_SHAPE(1), .values = series, .normalize = normalize},
        {.role = MICA_TARGET, .shape = MICA_SHAPE(1), .values = series, .normalize = normalize},
    };
    mica_data *data = mica_fields_open(device, &(mica_fields_desc){
        .samples = ROWS, .fields = fields, .field_count = 2, .series = {.sequence_length = LENGTH, .horizon = HORIZON},
        .split = {.fraction = {0.75f, 0, 0.25f}}});
    golden_assert_fine(device);
    return data;
}

/* The same windows, copied and scaled by hand. */
static mica_data *open_copies(mica_device *device, float subtract, float divide)
{
    static float inputs[WINDOWS][LENGTH], targets[WINDOWS][HORIZON];
    for (int i = 0; i < TRAINED; i++) {
        for (int s = 0; s < LENGTH; s++)
            inputs[i][s] = (series[i + s] - subtract) / divide;
        for (int s = 0; s < HORIZON; s++)
            targets[i][s] = (series[i + LENGTH + s] - subtract) / divide;
    }
    return mica_arrays_open(device, &(mica_arrays_desc){.samples = TRAINED, .input_shape = MICA_SHAPE(LENGTH, 1),
                                                        .inputs = inputs[0], .label_shape = MICA_SHAPE(HORIZON),
                                                        .values = targets[0]});
}

static double fit(mica_model *model, mica_data *data)
{
    mica_history *history = NULL;
    mica_fit(model, data, &(mica_fit_desc){.loss = "mse", .metrics = {{"mae"}}, .batch_size = 8, .epochs = 3,
                                           .optimizer = {"adam", {{"learning_rate", 0.01}}}}, &history);
    double loss = mica_history_epoch(history, 2) ? (double)mica_history_epoch(history, 2)->loss : (double)NAN;
    mica_history_destroy(history);
    return loss;
}

/* The mean absolute error of the test part in units of the series, of what the model answers to raw windows. */
static double error_by_hand(mica_model *model)
{
    double error = 0;
    int tested = 0;
    for (int i = TRAINED + 1; i < WINDOWS; i++, tested++) {
        float answer[HORIZON];
        mica_predict(model, series + i, 1, answer, HORIZON);
        for (int s = 0; s < HORIZON; s++)
            error += fabs((double)answer[s] - (double)series[i + LENGTH + s]) / HORIZON;
    }
    return error / tested;
}

/* The loss is of scaled values, as by hand; predictions and metrics are in the series' own units. */
static void test_same(void **state)
{
    mica_device *device = *state;
    make_series();
    mica_data *data = open_series(device, (mica_normalize){.type = MICA_MEAN_STD, .mean = (const float[]){200}, .std = (const float[]){32},
                                                           .count = 1});
    mica_data *copies = open_copies(device, 200, 32);
    mica_model *model = make_model(device), *other = make_model(device);
    assert_int_equal(mica_data_count(data, MICA_TRAIN), TRAINED); /* one of 41 tells what the test part does */
    double loss = fit(model, data), expected = fit(other, copies);
    golden_assert_fine(device);
    assert_true(fabs(loss - expected) < 1e-5 * expected);
    mica_scores *scores = NULL;
    mica_evaluate(model, data, MICA_TEST, NULL, 0, &scores);
    golden_assert_fine(device);
    double mae = mica_scores_get(scores, "mean_absolute_error"), by_hand = error_by_hand(model);
    assert_true(by_hand > 1);
    assert_true(fabs(mae - by_hand) < 1e-4 * by_hand);
    assert_true(mica_scores_get(scores, "loss") < 4); /* squared, of scaled values */
    assert_true(mica_scores_get(scores, "mean_squared_error") > mae * mae);
    mica_scores_destroy(scores);
    mica_model_destroy(model);
    mica_model_destroy(other);
    mica_data_destroy(data);
    mica_data_destroy(copies);
}

/* One of two columns to tell is learned as its logarithm: metrics, the exact ones of an evaluation too, are of what was read. */
static void test_logarithm(void **state)
{
    mica_device *device = *state;
    char path[512];
    float answers[(ROWS - 4) * 2];
    snprintf(path, sizeof path, "%s/series-logarithm.csv", MICA_BINARY_DIR);
    make_series();
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("plain,steep\n", file);
    for (int t = 0; t < ROWS; t++)
        fprintf(file, "%.9g,%.9g\n", (double)series[t], exp((double)series[t] / 40));
    fclose(file);
    const mica_normalize standard = {.type = MICA_STANDARD};
    const char *const both[] = {"plain", "steep", NULL}, *const steep[] = {"steep", NULL};
    const mica_column_field fields[] = {{.role = MICA_INPUT, .columns = both, .normalize = standard},
                                        {.role = MICA_TARGET, .columns = both, .regression = true, .normalize = standard}};
    mica_data *data = mica_csv_open(device, path, &(mica_csv_desc){.fields = fields, .field_count = 2, .logarithm = steep,
                                                                   .series = {.sequence_length = 4}});
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 3});
    mica_node *x = mica_input(model, NULL, MICA_SHAPE(4, 2));
    mica_output(model, NULL, mica_dense(mica_flatten(x, NULL), &(mica_dense_desc){.units = 2}));
    (void)fit(model, data);
    mica_scores *scores = NULL;
    mica_evaluate(model, data, MICA_TRAIN, NULL, 0, &scores);
    mica_predict_data(model, data, MICA_TRAIN, NULL, answers, MI_COUNT(answers));
    float *raw = NULL, answer[2];
    int64_t windows = 0;
    mica_read_inputs(model, path, &raw, &windows); /* as the table has them, of which the network makes the same */
    assert_int_equal(windows, ROWS - 3);
    assert_true(fabs((double)raw[9] - exp((double)series[1] / 40)) < 1e-5 * (double)raw[9]); /* window 1, step 0, steep */
    mica_predict(model, raw + 8, 1, answer, 2);
    for (int c = 0; c < 2; c++)
        assert_true(fabs((double)answer[c] - (double)answers[2 + c]) < 1e-5 * fabs((double)answer[c]));
    mica_free(raw);
    golden_assert_fine(device);
    double error = 0, left[2] = {0}, mean[2] = {0}, spread[2] = {0}, r2 = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < ROWS - 4; i++)
            for (int c = 0; c < 2; c++) {
                double target = c ? exp((double)series[i + 4] / 40) : (double)series[i + 4], d = (double)answers[2 * i + c] - target;
                mean[c] += pass ? 0 : target / (ROWS - 4);
                error += pass ? fabs(d) / (2 * (ROWS - 4)) : 0;
                left[c] += pass ? d * d : 0;
                spread[c] += pass ? (target - mean[c]) * (target - mean[c]) : 0;
            }
    for (int c = 0; c < 2; c++)
        r2 += (1 - left[c] / spread[c]) / 2;
    assert_true(fabs(mica_scores_get(scores, "mean_absolute_error") - error) < 1e-4 * error);
    assert_true(fabs(mica_scores_get(scores, "r2_score") - r2) < 1e-4 * fabs(r2) + 1e-5);
    mica_scores_destroy(scores);
    mica_model_destroy(model);
    mica_data_destroy(data);
    remove(path);
}

/* A model that is saved and loaded answers as before. */
static void test_saved(void **state)
{
    mica_device *device = *state;
    char path[512];
    float before[HORIZON], after[HORIZON] = {0};
    snprintf(path, sizeof path, "%s/series-model.safetensors", MICA_BINARY_DIR);
    make_series();
    mica_data *data = open_series(device, (mica_normalize){.type = MICA_STANDARD});
    mica_model *model = make_model(device);
    (void)fit(model, data);
    mica_predict(model, series, 1, before, HORIZON);
    mica_model_save(model, path);
    mica_model *loaded = mica_model_load(device, path);
    mica_predict(loaded, series, 1, after, HORIZON);
    golden_assert_fine(device);
    assert_true(before[0] > 100);
    assert_memory_equal(before, after, sizeof before);
    mica_model_destroy(loaded);
    mica_model_destroy(model);
    mica_data_destroy(data);
    remove(path);
}

/* Targets that have a scale for each step, of which a mask leaves some out: the metric is of the real steps, in the data's units. */
static void test_masked(void **state)
{
    enum { SAMPLES = 12, STEPS = 5, UNITS = 2 };
    static float inputs[SAMPLES][STEPS], targets[SAMPLES][STEPS][UNITS], answers[SAMPLES][STEPS][UNITS];
    mica_device *device = *state;
    for (int i = 0; i < SAMPLES; i++)
        for (int s = 0; s < STEPS; s++) {
            inputs[i][s] = s <= i % STEPS ? (float)(1 + i + s) : 0; /* behind the sample's end padding */
            for (int u = 0; u < UNITS; u++)
                targets[i][s][u] = (float)(100 * (s + 1) + 3 * i * (u + 1) + s * u);
        }
    const mica_field fields[] = {{.shape = MICA_SHAPE(STEPS, 1), .values = inputs[0]},
                                 {.role = MICA_TARGET, .shape = MICA_SHAPE(STEPS, UNITS), .values = targets[0][0],
                                  .normalize = {.type = MICA_STANDARD}}};
    mica_data *data = mica_fields_open(device, &(mica_fields_desc){.samples = SAMPLES, .fields = fields, .field_count = 2});
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 3});
    mica_node *x = mica_masking(mica_input(model, NULL, MICA_SHAPE(STEPS, 1)), NULL);
    mica_output(model, NULL, mica_dense(x, &(mica_dense_desc){.units = UNITS}));
    (void)fit(model, data);
    golden_assert_fine(device);
    mica_scores *scores = NULL;
    mica_evaluate(model, data, MICA_TRAIN, NULL, 0, &scores);
    mica_predict(model, inputs[0], SAMPLES, answers[0][0], SAMPLES * STEPS * UNITS);
    golden_assert_fine(device);
    double sum = 0, mae = mica_scores_get(scores, "mean_absolute_error");
    int count = 0;
    for (int i = 0; i < SAMPLES; i++)
        for (int s = 0; s <= i % STEPS; s++)
            for (int u = 0; u < UNITS; u++, count++)
                sum += fabs((double)answers[i][s][u] - (double)targets[i][s][u]);
    assert_true(sum / count > 1);
    assert_true(fabs(mae - sum / count) < 1e-4 * sum / count);
    mica_scores_destroy(scores);
    mica_model_destroy(model);
    mica_data_destroy(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same), cmocka_unit_test(test_logarithm), cmocka_unit_test(test_saved),
                                       cmocka_unit_test(test_masked)};
    return cmocka_run_group_tests(tests, golden_device_open, golden_device_close);
}
