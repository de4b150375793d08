/* Inputs whose number of steps varies: layers give what they give for each sample alone, unpadded; training is that of a network with a
 * masking; data that are shorter, and what is refused. */
#include "nn/model.h"
#include "plan/inside.h"
#include "support/device.h"
#include "support/files.h"
#include "train/golden.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SAMPLES = 4, STEPS = 6, FEATURES = 3, UNITS = 4 };

static const int64_t lengths[SAMPLES] = {3, 6, 1, 5};

static mica_model *described(mica_device *device, const char *shape, const char *layers)
{
    char json[1000];
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 11});
    mi_format(json, sizeof json, "{%s, \"layers\": [%s]}", shape, layers);
    mica_model_add_json(model, json);
    golden_assert_fine(device);
    return model;
}

static void fill(float *values, int count)
{
    for (int i = 0; i < count; i++)
        values[i] = 2 * mi_uniform(3, 1, (uint64_t)i) - 1;
}

/* Sequences of several lengths, with numbers behind them that nobody may read. */
static mica_data *sequences(mica_device *device, const int64_t *of, bool targets)
{
    float values[SAMPLES * STEPS * FEATURES], wanted[SAMPLES];
    fill(values, SAMPLES * STEPS * FEATURES);
    for (int i = 0; i < SAMPLES; i++) {
        wanted[i] = values[i * STEPS * FEATURES] - values[i * STEPS * FEATURES + 1];
        for (int64_t k = of ? of[i] * FEATURES : STEPS * FEATURES; k < STEPS * FEATURES; k++)
            values[i * STEPS * FEATURES + k] = NAN;
    }
    const mica_field fields[] = {{.shape = MICA_SHAPE(STEPS, FEATURES), .values = values, .lengths = of},
                                 {.role = MICA_TARGET, .shape = MICA_SHAPE(1), .values = wanted}};
    mica_data *data = mica_fields_open(device, &(mica_fields_desc){.samples = SAMPLES, .fields = fields, .field_count = 1 + targets});
    golden_assert_fine(device);
    return data;
}

#define VARYING "\"input_shape\": [null, 3], \"max_length\": 6"

/* The number of values that a sample of so many steps gives, where each step gives UNITS or 2 UNITS, or the last one alone does. */
static const struct {
    const char *layers;
    int each;
    bool sequence;
} networks[] = {
    {"{\"type\": \"lstm\", \"units\": 4}", UNITS, false},
    {"{\"type\": \"gru\", \"units\": 4, \"return_sequences\": true}", UNITS, true},
    {"{\"type\": \"bidirectional\", \"layer\": {\"type\": \"lstm\", \"units\": 4}}", 2 * UNITS, false},
    {"{\"type\": \"bidirectional\", \"layer\": {\"type\": \"gru\", \"units\": 4, \"return_sequences\": true}}, "
     "{\"type\": \"dense\", \"units\": 4}, {\"type\": \"simple_rnn\", \"units\": 4}", UNITS, false},
    {"{\"type\": \"multi_head_attention\", \"num_heads\": 2, \"key_dim\": 3, \"inputs\": [\"input\", \"input\"]}, "
     "{\"type\": \"gru\", \"units\": 4}", UNITS, false},
    {"{\"type\": \"rnn\", \"return_sequences\": true, \"cell\": [{\"type\": \"gru_cell\", \"units\": 4}, "
     "{\"type\": \"lstm_cell\", \"units\": 4}]}", UNITS, true},
};

/* Every sample of a batch gives exactly what a network of as many steps as it has gives for it. */
static void alone(void **state)
{
    for (size_t c = 0; c < MI_COUNT(networks); c++) {
        float values[SAMPLES * STEPS * FEATURES], padded[SAMPLES * STEPS * 2 * UNITS], one[STEPS * 2 * UNITS];
        size_t each = (size_t)networks[c].each * (networks[c].sequence ? STEPS : 1);
        fill(values, SAMPLES * STEPS * FEATURES);
        mica_data *data = sequences(*state, lengths, false);
        mica_model *model = described(*state, VARYING, networks[c].layers);
        assert_int_equal(mica_predict_data(model, data, MICA_TRAIN, NULL, padded, SAMPLES * each), MICA_OK);
        for (int i = 0; i < SAMPLES; i++) {
            char shape[64];
            int count = networks[c].each * (networks[c].sequence ? (int)lengths[i] : 1);
            mi_format(shape, sizeof shape, "\"input_shape\": [%d, 3]", (int)lengths[i]);
            mica_model *fixed = described(*state, shape, networks[c].layers); /* one seed: the same parameters */
            assert_int_equal(mica_predict(fixed, values + i * STEPS * FEATURES, 1, one, (size_t)count), MICA_OK);
            for (int k = 0; k < count; k++)
                if (!(fabsf(padded[(size_t)i * each + (size_t)k] - one[k]) <= 1e-6f))
                    fail_msg("network %zu, sample %d: element %d is %.9g, alone %.9g", c, i, k,
                             (double)padded[(size_t)i * each + (size_t)k], (double)one[k]);
            mica_model_destroy(fixed);
        }
        mica_model_destroy(model);
        mica_data_destroy(data);
    }
}

static void run(mica_plan *plan, const float *values, const float *steps, int64_t n, float *out, size_t each)
{
    assert_int_equal(mica_plan_write(plan, "input", values, (size_t)n * STEPS * FEATURES), MICA_OK);
    if (steps)
        assert_int_equal(mica_plan_write(plan, "input_length", steps, (size_t)n), MICA_OK);
    assert_int_equal(mica_plan_run(plan, n), MICA_OK);
    assert_int_equal(mica_plan_read(plan, NULL, out, (size_t)n * each), MICA_OK);
}

/* Recurrent layers run no further than the longest sample of a run, and give what they give beside a sample with all steps; also at
 * the steps behind, whatever stood there before. How far is known of so many samples as had their lengths written. */
static void early(void **state)
{
    (void)state;
    static const float short_ones[SAMPLES] = {2, 1, 2, 6}, none[] = {0, 0, 0};
    mica_device *debug = mica_device_open(&(mica_device_desc){.debug = true});
    for (size_t c = 0; c < MI_COUNT(networks); c++) {
        float values[SAMPLES * STEPS * FEATURES], wanted[SAMPLES * STEPS * 2 * UNITS], got[SAMPLES * STEPS * 2 * UNITS];
        size_t each = (size_t)networks[c].each * (networks[c].sequence ? STEPS : 1);
        fill(values, SAMPLES * STEPS * FEATURES);
        mica_model *model = described(debug, VARYING, networks[c].layers); /* where undefined numbers are NaN */
        mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = SAMPLES});
        run(plan, values, short_ones, SAMPLES, wanted, each);
        assert_int_equal(plan->turns[1].run, STEPS);
        run(plan, values, short_ones, 3, got, each);
        assert_int_equal(plan->turns[1].run, 2);
        assert_int_equal(plan->rows[1] > 0, debug->is_cpu);
        for (size_t k = 0; k < 3 * each; k++)
            if (!(fabsf(got[k] - wanted[k]) <= 1e-6f))
                fail_msg("network %zu: element %zu is %.9g, with more turns %.9g", c, k, (double)got[k], (double)wanted[k]);
        run(plan, values, none, 3, got, each);
        assert_int_equal(plan->turns[1].run, 0);
        for (size_t k = 0; k < 3 * each; k++)
            assert_true(isfinite(got[k]));
        run(plan, values, NULL, SAMPLES, got, each); /* of the fourth the host has been told nothing since */
        assert_int_equal(plan->turns[1].run, STEPS);
        mica_plan_destroy(plan);
        mica_model_destroy(model);
    }
    mica_device_destroy(debug);
}

static void trained(mica_device *device, mica_model *model, mica_data *data, float *weights, int count)
{
    const mica_fit_desc fit = {.loss = "mse", .optimizer = {"adam", {{"learning_rate", 0.01}}}, .batch_size = 3, .epochs = 4, .seed = 5};
    assert_int_equal(mica_fit(model, data, &fit, NULL), MICA_OK);
    golden_assert_fine(device);
    assert_int_equal(mica_model_read(model, "r.weight_hh_l0", weights, (size_t)count), MICA_OK);
}

/* Training takes the steps that a masking leaves, of samples whose padding is zeros; where no sample is shorter, it is that of a network
 * of fixed steps. */
static void training(void **state)
{
    static const char layers[] = "{\"type\": \"lstm\", \"name\": \"r\", \"units\": 4}, {\"type\": \"dense\", \"units\": 1}";
    static const char masked[] = "{\"type\": \"masking\"}, {\"type\": \"lstm\", \"name\": \"r\", \"units\": 4}, "
                                 "{\"type\": \"dense\", \"units\": 1}";
    enum { COUNT = 4 * UNITS * UNITS };
    float got[COUNT], want[COUNT];
    for (int full = 0; full < 2; full++) {
        mica_data *data = sequences(*state, full ? NULL : lengths, true);
        mica_model *varying = described(*state, VARYING, layers);
        mica_model *fixed = described(*state, "\"input_shape\": [6, 3]", full ? layers : masked);
        trained(*state, varying, data, got, COUNT);
        trained(*state, fixed, data, want, COUNT);
        for (int i = 0; i < COUNT; i++)
            if (!(fabsf(got[i] - want[i]) <= 1e-6f))
                fail_msg("weight %d is %.9g, not %.9g", i, (double)got[i], (double)want[i]);
        mica_model_destroy(varying);
        mica_model_destroy(fixed);
        mica_data_destroy(data);
    }
}

/* A file says that the steps vary; a plan is written the lengths; samples of a caller have all their steps. */
static void files(void **state)
{
    float values[STEPS * FEATURES], got[UNITS], want[UNITS], length = 2;
    fill(values, STEPS * FEATURES);
    mica_model *model = described(*state, VARYING, networks[0].layers);
    assert_int_equal(mica_model_save(model, "lengths.safetensors"), MICA_OK);
    mica_model *loaded = mica_model_load(*state, "lengths.safetensors");
    remove("lengths.safetensors");
    golden_assert_fine(*state);
    mica_model *fixed = described(*state, "\"input_shape\": [6, 3]", networks[0].layers);
    assert_int_equal(mica_predict(loaded, values, 1, got, UNITS), MICA_OK);
    assert_int_equal(mica_predict(fixed, values, 1, want, UNITS), MICA_OK);
    assert_memory_equal(got, want, sizeof got);
    mica_plan *plan = mica_compile(loaded, NULL);
    assert_int_equal(mica_plan_write(plan, "input", values, STEPS * FEATURES), MICA_OK);
    assert_int_equal(mica_plan_write(plan, "input_length", &length, 1), MICA_OK);
    assert_int_equal(mica_plan_run(plan, 1), MICA_OK);
    assert_int_equal(mica_plan_read(plan, NULL, got, UNITS), MICA_OK);
    mica_plan_destroy(plan);
    mica_model *two = described(*state, "\"input_shape\": [2, 3]", networks[0].layers);
    assert_int_equal(mica_predict(two, values, 1, want, UNITS), MICA_OK);
    for (int i = 0; i < UNITS; i++)
        assert_true(fabsf(got[i] - want[i]) <= 1e-6f);
    mica_model_destroy(two);
    mica_model_destroy(fixed);
    mica_model_destroy(loaded);
    mica_model_destroy(model);
}

/* Tokens: a column of texts is masked by its lengths, whatever number 0 means; data of fewer steps than the model takes are padded. */
static void tokens(void **state)
{
    float got[3 * UNITS], want[UNITS];
    static const char layers[] = "{\"type\": \"embedding\", \"input_dim\": 9, \"output_dim\": 3}, {\"type\": \"lstm\", \"units\": 4}";
    const mica_text_column text = {.tokens = MICA_WORDS, .max_length = 4};
    write_text("lengths.tsv", "a b c d e\t0\nb\t1\nc a\t0\n");
    mica_data *data = mica_csv_open(*state, "lengths.tsv", &(mica_csv_desc){.label = "-1", .header = MICA_HEADER_NO, .text = &text});
    remove("lengths.tsv");
    golden_assert_fine(*state);
    mica_model *model = described(*state, "\"input_shape\": [null], \"max_length\": 6", layers);
    assert_int_equal(mica_predict_data(model, data, MICA_TRAIN, NULL, got, 3 * UNITS), MICA_OK);
    assert_int_equal(mica_data_shape(data).dim[0], 6);
    static const float numbers[3][4] = {{1, 2, 3, 4}, {2}, {3, 1}};
    static const int64_t counts[] = {4, 1, 2};
    for (int i = 0; i < 3; i++) {
        char shape[64];
        mi_format(shape, sizeof shape, "\"input_shape\": [%d]", (int)counts[i]);
        mica_model *fixed = described(*state, shape, layers);
        assert_int_equal(mica_predict(fixed, numbers[i], 1, want, UNITS), MICA_OK);
        for (int k = 0; k < UNITS; k++)
            assert_true(fabsf(got[i * UNITS + k] - want[k]) <= 1e-6f);
        mica_model_destroy(fixed);
    }
    mica_model_destroy(model);
    mica_data_destroy(data);
}

/* What goes into the network is divided first, and padding stays 0. */
static void normalized(void **state)
{
    const unsigned char values[] = {2, 4, 99, 6, 8, 10};
    const int64_t two[] = {2, 3};
    float row[3];
    mica_field field = {.shape = MICA_SHAPE(3), .elements = values, .type = MICA_UINT8, .lengths = two,
                        .normalize = {.type = MICA_MEAN_STD, .mean = (const float[]){1}, .std = (const float[]){2}, .count = 1}};
    mica_fields_desc desc = {.samples = 2, .fields = &field, .field_count = 1};
    mica_data *data = mica_fields_open(*state, &desc);
    golden_assert_fine(*state);
    assert_int_equal(mica_data_sample(data, MICA_TRAIN, 0, row, NULL), MICA_OK);
    assert_true(row[0] == 0.5f && row[1] == 1.5f && row[2] == 0);
    assert_int_equal(mica_data_sample(data, MICA_TRAIN, 1, row, NULL), MICA_OK);
    assert_true(row[0] == 2.5f && row[2] == 4.5f);
    mica_data_destroy(data);
    field.normalize = (mica_normalize){.type = MICA_STANDARD};
    data = mica_fields_open(*state, &desc);
    assert_int_equal(mica_data_status(data), MICA_INVALID_ARGUMENT);
    assert_non_null(strstr(mica_data_error(data), "sequences of different lengths"));
    mica_data_destroy(data);
    mica_device_clear_error(*state);
}

static void says(mica_device *device, const char *text)
{
    if (!strstr(mica_device_error(device), text))
        fail_msg("\"%s\" is not in: %s", text, mica_device_error(device));
    mica_device_clear_error(device);
}

static void refused(void **state)
{
    static const struct { const char *json, *says; } models[] = {
        {"{\"input_shape\": [null, 3], \"layers\": [{\"type\": \"lstm\", \"units\": 4}]}", "max_length, the most steps that a sample has"},
        {"{\"input_shape\": [4, 3], \"max_length\": 4, \"layers\": [{\"type\": \"lstm\", \"units\": 4}]}", "that begins with null"},
        {"{\"input_shape\": [3, null], \"max_length\": 4, \"layers\": [{\"type\": \"lstm\", \"units\": 4}]}", "input_shape: must be"},
        {"{\"layers\": [{\"type\": \"input\", \"shape\": [null, 3]}, {\"type\": \"lstm\", \"units\": 4}]}", "or null where max_length"},
        {"{\"layers\": [{\"type\": \"input\", \"shape\": [2, 3], \"max_length\": 5}]}", "whose first dimension is null"},
        {"{\"input_shape\": [null, 3], \"max_length\": 0, \"layers\": [{\"type\": \"lstm\", \"units\": 4}]}", "max_length: must lie"}};
    for (size_t i = 0; i < MI_COUNT(models); i++) {
        mica_model *model = mica_model_create(*state, NULL);
        assert_int_not_equal(mica_model_add_json(model, models[i].json), MICA_OK);
        says(*state, models[i].says);
        mica_model_destroy(model);
    }
    float out[SAMPLES * UNITS];
    mica_data *data = sequences(*state, lengths, false);
    mica_model *model = described(*state, "\"input_shape\": [null, 3], \"max_length\": 5", networks[0].layers);
    assert_int_equal(mica_predict_data(model, data, MICA_TRAIN, NULL, out, SAMPLES * UNITS), MICA_SHAPE);
    says(*state, "sample 1 has 6 steps, the model takes up to 5");
    mica_model_destroy(model);
    mica_data_destroy(data);
    const float values[4] = {0};
    const int64_t long_one[] = {1, 3};
    const int32_t classes[] = {0, 1};
    mica_field field = {.shape = MICA_SHAPE(2), .values = values, .lengths = long_one};
    mica_fields_desc desc = {.samples = 2, .fields = &field, .field_count = 1};
    mica_data_destroy(mica_fields_open(*state, &desc));
    says(*state, "arrays: inputs: row 1 has 3 steps, it must be from 0 to 2");
    field = (mica_field){.role = MICA_TARGET, .classes = classes, .lengths = long_one};
    mica_data_destroy(mica_fields_open(*state, &desc));
    says(*state, "only inputs whose values are given have lengths");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alone), cmocka_unit_test(early), cmocka_unit_test(training), cmocka_unit_test(files),
        cmocka_unit_test(tokens), cmocka_unit_test(normalized), cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests_name("lengths", tests, open_device, close_device);
}
