/* Several inputs, outputs and losses: beside PyTorch's figures, and however the data come. */
#include "train/golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 12, STEPS = 6 };

static double drawn(double step, int i)
{
    double x = (i + 1) * step;
    return x - floor(x);
}

/* What both sides draw: two inputs, a value, a class and a weight a sample. */
struct samples {
    float a[N * 2], b[N * 3], price[N], weight[N];
    int32_t kind[N];
};

static const struct samples *draw(void)
{
    static struct samples s;
    for (int i = 0; i < N * 2; i++)
        s.a[i] = (float)(drawn(0.7548776662, i) * 2 - 1);
    for (int i = 0; i < N * 3; i++)
        s.b[i] = (float)(drawn(0.5698402910, i) * 2 - 1);
    for (int i = 0; i < N; i++) {
        s.price[i] = (float)(drawn(0.3819660113, i) * 4 - 2);
        s.kind[i] = (int32_t)(drawn(0.6180339887, i) * 3);
        s.weight[i] = (float)drawn(0.2360679775, i);
    }
    return &s;
}

enum { FIELDS = 5 };

static void describe(const struct samples *s, mica_field out[FIELDS])
{
    const mica_field fields[FIELDS] = {
        {.name = "kind", .role = MICA_TARGET, .classes = s ? s->kind : NULL},
        {.name = "b", .shape = MICA_SHAPE(3), .values = s ? s->b : NULL},
        {.name = "kind", .role = MICA_WEIGHT, .shape = MICA_SHAPE(1), .values = s ? s->weight : NULL},
        {.name = "a", .shape = MICA_SHAPE(2), .values = s ? s->a : NULL},
        {.name = "price", .role = MICA_TARGET, .shape = MICA_SHAPE(1), .values = s ? s->price : NULL}};
    memcpy(out, fields, sizeof fields);
}

static mica_data *open_arrays(mica_device *device)
{
    mica_field fields[FIELDS];
    describe(draw(), fields);
    return mica_fields_open(device, &(mica_fields_desc){.samples = N, .fields = fields, .field_count = FIELDS});
}

static bool fill(void *user, uint64_t epoch, int64_t first, int64_t count, void *const *values)
{
    const struct samples *s = draw();
    const void *const from[FIELDS] = {s->kind, s->b, s->weight, s->a, s->price};
    const size_t each[FIELDS] = {1, 3, 1, 2, 1};
    (void)epoch;
    for (int f = 0; f < FIELDS; f++)
        if (values[f])
            memcpy(values[f], (const char *)from[f] + (size_t)first * each[f] * 4, (size_t)count * each[f] * 4);
    return !user || --*(int *)user >= 0;
}

static mica_data *open_filled(mica_device *device, int *times)
{
    mica_field fields[FIELDS];
    describe(NULL, fields);
    return mica_fields_open(device, &(mica_fields_desc){.samples = N, .fields = fields, .field_count = FIELDS, .fill = fill,
                                                        .user = times});
}

static void write(mica_model *model, const char *name, double step, size_t count)
{
    float values[16];
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(drawn(step, (int)i) - 0.5);
    mica_model_write(model, name, values, count);
}

/* tanh(W a + V b), and two heads. */
static mica_model *open_model(mica_device *device)
{
    mica_model *model = mica_model_create(device, NULL);
    mica_node *a = mica_input(model, "a", MICA_SHAPE(2)), *b = mica_input(model, "b", MICA_SHAPE(3));
    mica_node *h = mica_op_tanh(mica_op_add(mica_dense(a, &(mica_dense_desc){.name = "wa", .units = 4, .no_bias = true}),
                                            mica_dense(b, &(mica_dense_desc){.name = "wb", .units = 4, .no_bias = true})));
    mica_output(model, "price", mica_dense(h, &(mica_dense_desc){.name = "p", .units = 1, .no_bias = true}));
    mica_output(model, "kind", mica_dense(h, &(mica_dense_desc){.name = "k", .units = 3, .no_bias = true}));
    write(model, "wa.weight", 0.1234567891, 8);
    write(model, "wb.weight", 0.2345678912, 12);
    write(model, "p.weight", 0.3456789123, 4);
    write(model, "k.weight", 0.4567891234, 12);
    golden_assert_fine(device);
    return model;
}

static const float class_weight[3] = {0.5f, 1, 2};
static const mica_objective goals[2] = {
    {.output = "price", .loss = "mse", .weight = 0.3f},
    {.output = "kind", .loss = "sparse_categorical_crossentropy", .weight = 2, .class_weight = class_weight, .class_count = 3,
     .metrics = {{"accuracy"}}}};
static const mica_optimizer sgd = {"sgd", {{"learning_rate", 0.3}, {"momentum", 0.9}}};

/* Of each step: the loss that is made smaller, the price's and the kind's. */
static const double torch[STEPS][3] = {{1.8814139, 1.3281189, 0.7414891}, {1.8575900, 1.2969139, 0.7342579},
                                       {1.8189000, 1.2503843, 0.7218924}, {1.7745180, 1.2056943, 0.7064049},
                                       {1.7288237, 1.1728511, 0.6884842}, {1.6800896, 1.1528244, 0.6671211}};

static void compare(const mica_scores *scores, int step)
{
    static const char *const names[3] = {"loss", "price_loss", "kind_loss"};
    for (int i = 0; i < 3; i++)
        if (!(fabs(mica_scores_get(scores, names[i]) - torch[step][i]) < 2e-6))
            fail_msg("step %d: %s is %.8g, not %.8g", step, names[i], mica_scores_get(scores, names[i]), torch[step][i]);
}

static void fits(mica_device *device, mica_data *data)
{
    mica_model *model = open_model(device);
    mica_history *history = NULL;
    mica_fit(model, data, &(mica_fit_desc){.objectives = goals, .objective_count = 2, .optimizer = sgd,
                                           .batch_size = MICA_ALL_SAMPLES, .epochs = STEPS}, &history);
    golden_assert_fine(device);
    for (int i = 0; i < STEPS; i++)
        compare(mica_history_epoch(history, i)->scores, i);
    mica_history_destroy(history);
    mica_model_destroy(model);
    mica_data_destroy(data);
}

static void beside_torch(void **state)
{
    fits(*state, open_arrays(*state));
    fits(*state, open_filled(*state, NULL));
}

/* The loop of an application, with public calls alone; batches of 5, so that sums go over several. */
static void own_loop(void **state)
{
    mica_data *data = open_arrays(*state);
    mica_model *fitted = open_model(*state), *model = open_model(*state);
    mica_objective own[2];
    mica_history *history = NULL;
    mica_batches *batches = NULL;
    float a[12], b[12];
    memcpy(own, goals, sizeof own);
    own[1].classes = own[1].sample_weight = true;
    mica_fit(fitted, data, &(mica_fit_desc){.objectives = goals, .objective_count = 2, .optimizer = sgd, .batch_size = 5, .epochs = 3,
                                            .seed = 7}, &history);
    mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = 5, .objectives = own, .objective_count = 2, .optimizer = sgd});
    mica_batches_create(plan, data, &(mica_batches_desc){.shuffle = true, .seed = 7}, &batches);
    assert_int_equal(mica_batches_count(batches), 3);
    for (uint64_t epoch = 1; epoch <= 3; epoch++) {
        double values[4];
        mica_plan_reset_metrics(plan);
        mica_batches_begin(batches, epoch);
        for (int64_t n; mica_batches_next(batches, &n) == MICA_OK && n > 0;)
            mica_plan_run(plan, n);
        assert_int_equal(mica_plan_metrics(plan, values, mica_plan_metric_count(plan)), MICA_OK);
        const mica_scores *scores = mica_history_epoch(history, (int)epoch - 1)->scores;
        for (int i = 0; i < 4; i++)
            assert_true(values[i] == mica_scores_get(scores, mica_plan_metric_name(plan, i)));
    }
    golden_assert_fine(*state);
    mica_model_read(fitted, "k.weight", a, 12);
    mica_model_read(model, "k.weight", b, 12);
    assert_memory_equal(a, b, sizeof a);
    mica_batches_destroy(batches);
    mica_plan_destroy(plan);
    mica_history_destroy(history);
    mica_model_destroy(fitted);
    mica_model_destroy(model);
    mica_data_destroy(data);
}

/* A file keeps what each output was trained for; predictions of each output are asked for by its name. */
static void saved(void **state)
{
    mica_data *data = open_arrays(*state);
    mica_model *model = open_model(*state);
    mica_scores *before = NULL, *after = NULL;
    float outputs[N * 3];
    mica_answer answers[N];
    mica_fit(model, data, &(mica_fit_desc){.objectives = goals, .objective_count = 2, .optimizer = sgd, .epochs = 2}, NULL);
    mica_evaluate(model, data, MICA_TRAIN, NULL, 0, &before);
    mica_model_save(model, "test_fields.safetensors");
    mica_model_destroy(model);
    model = mica_model_load(*state, "test_fields.safetensors");
    mica_evaluate(model, data, MICA_TRAIN, NULL, 0, &after);
    golden_assert_fine(*state);
    assert_int_equal(mica_scores_count(before), mica_scores_count(after));
    for (int i = 0; i < mica_scores_count(before); i++) {
        double left = mica_scores_value(before, i), right = mica_scores_value(after, i);
        assert_true(left == right || (isnan(left) && isnan(right)));
    }
    assert_true(mica_scores_get(after, "price_r2_score") < 1);
    mica_predict_data(model, data, MICA_TRAIN, "kind", outputs, N * 3);
    mica_classify_data(model, data, MICA_TRAIN, "kind", 1, answers);
    golden_assert_fine(*state);
    for (int i = 0; i < N; i++)
        for (int c = 0; c < 3; c++)
            assert_true(outputs[i * 3 + c] <= outputs[i * 3 + answers[i].class_index]);
    assert_int_equal(mica_predict_data(model, data, MICA_TRAIN, "knid", outputs, N * 3), MICA_INVALID_ARGUMENT);
    assert_non_null(strstr(mica_device_error(*state), "did you mean \"kind\""));
    mica_device_clear_error(*state);
    mica_scores_destroy(before);
    mica_scores_destroy(after);
    mica_model_destroy(model);
    mica_data_destroy(data);
    remove("test_fields.safetensors");
}

/* Half of the samples are of one class: balanced, both classes count alike. */
static void balanced(void **state)
{
    enum { MANY = 8 };
    const float inputs[MANY] = {0}, zero[2] = {0}, step = 1;
    const int32_t classes[MANY] = {0, 0, 0, 0, 0, 0, 1, 1};
    float bias[2];
    mica_data *data = mica_arrays_open(*state, &(mica_arrays_desc){.samples = MANY, .input_shape = MICA_SHAPE(1), .inputs = inputs,
                                                                  .classes = classes});
    mica_model *model = mica_model_create(*state, NULL);
    mica_output(model, NULL, mica_dense(mica_input(model, NULL, MICA_SHAPE(1)), &(mica_dense_desc){.name = "d", .units = 2}));
    mica_model_write(model, "d.bias", zero, 2);
    const mica_objective goal = {.loss = "sparse_categorical_crossentropy", .balance = true};
    mica_fit(model, data, &(mica_fit_desc){.objectives = &goal, .objective_count = 1, .batch_size = MICA_ALL_SAMPLES,
                                           .optimizer = {"sgd", {{"learning_rate", (double)step}}}}, NULL);
    mica_model_read(model, "d.bias", bias, 2);
    golden_assert_fine(*state);
    assert_true(fabsf(bias[0]) < 1e-6f && fabsf(bias[1]) < 1e-6f); /* else 0.25 and -0.25 */
    mica_model_destroy(model);
    mica_data_destroy(data);
}

static void assert_error(mica_device *device, mica_status status, const char *says)
{
    if (!status || !strstr(mica_device_error(device), says))
        fail_msg("\"%s\" should say \"%s\"", mica_device_error(device), says);
    mica_device_clear_error(device);
}

static void mistakes(void **state)
{
    int times = 1;
    mica_data *data = open_arrays(*state), *failing = open_filled(*state, &times);
    mica_model *model = open_model(*state);
    mica_fit_desc desc = {.objectives = goals, .objective_count = 2, .batch_size = 4};
    mica_objective two[2] = {goals[0], goals[0]};
    assert_error(*state, mica_fit(model, failing, &desc, NULL), "the function that fills batches could not");
    desc.validation_split = 0.5f;
    assert_error(*state, mica_fit(model, failing, &desc, NULL), "nothing can be held out");
    desc.validation_split = 0;
    desc.objectives = two;
    const float weights[2] = {5, 1};
    two[1] = goals[1];
    two[0].class_weight = weights;
    two[0].class_count = 2;
    assert_error(*state, mica_fit(model, data, &desc, NULL), "has values as targets, not classes");
    two[0] = two[1] = goals[0];
    two[0].metrics[0].type = "accuracy";
    two[1] = goals[1];
    assert_error(*state, mica_fit(model, data, &desc, NULL), "metric accuracy of \"price\": its targets are values");
    two[0] = two[1] = goals[0];
    mica_fit_desc slow = {.objectives = goals, .objective_count = 2, .batch_size = 4,
                          .optimizer = {"sgd", {{"gradient_accumulation_steps", 1000}}}};
    assert_error(*state, mica_fit(model, data, &slow, NULL), "gradient_accumulation_steps is 1000, the training has 3 steps");
    assert_error(*state, mica_fit(model, data, &desc, NULL), "two objectives are of the output \"price\"");
    two[1] = (mica_objective){.output = "kind", .loss = "binary_crossentropy"};
    assert_error(*state, mica_fit(model, data, &desc, NULL), "output \"kind\": loss binary_crossentropy: the labels are class indices");
    mica_model *other = mica_model_create(*state, NULL);
    mica_output(other, NULL, mica_dense(mica_input(other, "c", MICA_SHAPE(2)), &(mica_dense_desc){.units = 1}));
    assert_error(*state, mica_fit(other, data, &(mica_fit_desc){.loss = "mse"}, NULL), "the data have no input \"c\"");
    mica_model_destroy(other);
    other = mica_model_create(*state, NULL);
    mica_input(other, "c", MICA_SHAPE(2));
    assert_error(*state, mica_model_save(other, "test_fields.safetensors"), "to save a model: it has no output");
    mica_model_destroy(other);
    mica_model_destroy(model);
    mica_data_destroy(data);
    mica_data_destroy(failing);
}

/* An input on which nothing depends is read by nobody, in training, evaluation and prediction. */
static void unused(void **state)
{
    mica_data *data = open_arrays(*state);
    mica_model *model = mica_model_create(*state, NULL);
    mica_scores *scores = NULL;
    float out[N];
    mica_node *a = mica_input(model, "a", MICA_SHAPE(2));
    mica_input(model, "b", MICA_SHAPE(3));
    mica_output(model, "price", mica_dense(a, &(mica_dense_desc){.units = 1}));
    assert_int_equal(mica_fit(model, data, &(mica_fit_desc){.loss = "mse", .batch_size = 5}, NULL), MICA_OK);
    assert_int_equal(mica_evaluate(model, data, MICA_TRAIN, NULL, 0, &scores), MICA_OK);
    assert_int_equal(mica_predict_data(model, data, MICA_TRAIN, NULL, out, N), MICA_OK);
    golden_assert_fine(*state);
    mica_scores_destroy(scores);
    mica_model_destroy(model);
    mica_data_destroy(data);
}

/* ---- Several models over one data set ---- */

enum { LABELS = 6 };

static mica_model *open_classes(mica_device *device, int units)
{
    mica_model *model = mica_model_create(device, NULL);
    mica_output(model, NULL, mica_dense(mica_input(model, NULL, MICA_SHAPE(2)), &(mica_dense_desc){.units = units}));
    return model;
}

static mica_plan *step_of(mica_model *model)
{
    const mica_objective goal = {.loss = "sparse_categorical_crossentropy", .classes = true};
    return mica_compile(model, &(mica_plan_desc){.batch = LABELS, .objectives = &goal, .objective_count = 1, .optimizer = sgd});
}

/* Labels are numbers of outputs where these have room for them: the first loss of zeros is log(units), and what counts is read. Two
 * models that read them alike share the data; one that reads them otherwise is refused while others read. */
static void shared_data(void **state)
{
    FILE *table = fopen("test_fields.csv", "w");
    assert_non_null(table);
    fputs("x,y,class\n0,0,1\n0,0,2\n0,0,3\n0,0,1\n0,0,2\n0,0,3\n", table);
    assert_int_equal(fclose(table), 0);
    mica_data *data = mica_csv_open(*state, "test_fields.csv", &(mica_csv_desc){.label = "class"});
    const int units[3] = {4, 7, 3};
    mica_model *model[3];
    mica_plan *plan[3];
    mica_batches *batches[3] = {NULL};
    for (int i = 0; i < 3; i++) {
        model[i] = open_classes(*state, units[i]);
        plan[i] = step_of(model[i]);
        mica_batches_create(plan[i], data, NULL, &batches[i]);
        assert_true((batches[i] != NULL) == (i < 2));
    }
    assert_non_null(strstr(mica_plan_error(plan[2]), "whose output has room for 3 classes: they cannot share the data"));
    assert_int_equal(mica_data_hold_out(data, 0.5f, 1), MICA_INVALID_ARGUMENT); /* not under those who read */
    for (int i = 0; i < 2; i++) {
        int64_t n = 0;
        float bias[7];
        mica_batches_begin(batches[i], 1);
        mica_batches_next(batches[i], &n);
        mica_plan_run(plan[i], n);
        mica_model_read(model[i], "dense.bias", bias, (size_t)units[i]);
        for (int c = 0; c < units[i]; c++) /* the gradient of a class's bias is its share of 1 less what occurs */
            assert_true(c >= 1 && c <= 3 ? bias[c] > 0 : bias[c] < 0);
        mica_batches_destroy(batches[i]);
    }
    mica_device_clear_error(*state);
    mica_plan_destroy(plan[2]);
    plan[2] = step_of(model[2]);
    assert_int_equal(mica_batches_create(plan[2], data, NULL, &batches[2]), MICA_OK); /* nobody else reads any more */
    mica_batches_destroy(batches[2]);
    for (int i = 0; i < 3; i++) {
        mica_plan_destroy(plan[i]);
        mica_model_destroy(model[i]);
    }
    remove("test_fields.csv");
    mica_data_destroy(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(beside_torch), cmocka_unit_test(own_loop), cmocka_unit_test(saved),
                                       cmocka_unit_test(balanced), cmocka_unit_test(mistakes),
                                       cmocka_unit_test(shared_data), cmocka_unit_test(unused)};
    return cmocka_run_group_tests(tests, golden_device_open, golden_device_close);
}
