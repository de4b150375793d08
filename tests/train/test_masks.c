/* Losses and metrics of outputs whose steps a mask leaves out, beside numbers that are computed on the host. */
#include "train/golden.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 300, STEPS = 5, FEATURES = 3, CLASSES = 4, PLACES = SAMPLES * STEPS };

#define LAYERS "\"layers\": [{\"type\": \"masking\"}, {\"type\": \"dense\", \"units\": 4, \"name\": \"d\"}]"
static const char masked[] = "{\"input_shape\": [5, 3], " LAYERS "}";

/* Sequences of 0 to 5 steps, which class each step is of, as rows of one 1, and how much each sequence counts. */
struct sequences {
    float inputs[PLACES * FEATURES], hot[PLACES * CLASSES], weights[SAMPLES];
    int32_t classes[PLACES];
    bool real[PLACES];
    float outputs[PLACES * CLASSES];
};

static struct sequences *draw(void)
{
    struct sequences *s = calloc(1, sizeof *s);
    assert_non_null(s);
    for (size_t i = 0; i < PLACES; i++) {
        s->real[i] = i % STEPS < i / STEPS % (STEPS + 1);
        s->classes[i] = (int32_t)(mi_uniform(7, 1, i) * CLASSES);
        s->hot[i * CLASSES + (size_t)s->classes[i]] = 1;
        for (size_t k = 0; k < FEATURES && s->real[i]; k++)
            s->inputs[i * FEATURES + k] = 2 * mi_uniform(7, 2, i * FEATURES + k) - 1;
    }
    for (size_t i = 0; i < SAMPLES; i++)
        s->weights[i] = (float)(i % 3);
    return s;
}

static mica_model *model_of(mica_device *device, const char *json)
{
    mica_model *model = mica_model_create(device, &(mica_model_desc){.seed = 3});
    mica_model_add_json(model, json);
    golden_assert_fine(device);
    return model;
}

static mica_data *data_of(mica_device *device, const struct sequences *s, bool weighted)
{
    mica_field fields[] = {
        {.role = MICA_INPUT, .shape = MICA_SHAPE(STEPS, FEATURES), .values = s->inputs},
        {.role = MICA_TARGET, .shape = MICA_SHAPE(STEPS, CLASSES), .values = s->hot},
        {.role = MICA_WEIGHT, .shape = MICA_SHAPE(1), .values = s->weights}};
    const mica_fields_desc desc = {.samples = SAMPLES, .fields = fields, .field_count = weighted ? 3 : 2};
    mica_data *data = mica_fields_open(device, &desc);
    golden_assert_fine(device);
    return data;
}

/* -log p of a class. */
static double crossentropy(const float *scores, int32_t class)
{
    double sum = 0;
    for (int c = 0; c < CLASSES; c++)
        sum += exp((double)scores[c] - (double)scores[class]);
    return log(sum);
}

static int largest(const float *scores)
{
    int best = 0;
    for (int c = 1; c < CLASSES; c++)
        best = scores[c] > scores[best] ? c : best;
    return best;
}

static void near(const char *what, double got, double wanted)
{
    if (!(fabs(got - wanted) <= 1e-5 * (1 + fabs(wanted))))
        fail_msg("%s is %.9g, not %.9g", what, got, wanted);
}

/* Of all batches of an evaluation, of which the last is smaller and has other lengths. */
static void classes_of_steps(void **state)
{
    struct sequences *s = draw();
    mica_model *model = model_of(*state, masked);
    for (int weighted = 0; weighted < 2; weighted++) {
        mica_data *data = data_of(*state, s, weighted);
        const mica_objective goal = {.loss = "categorical_crossentropy", .setting = {{"axis", -1}},
            .metrics = {{"accuracy"}, {"perplexity"}, {"confusion_matrix"}, {"top_k_accuracy", {{"k", 2}}}}};
        mica_scores *scores = NULL;
        double loss = 0, plain = 0, right = 0, count = 0, among = 0;
        float matrix[CLASSES * CLASSES] = {0};
        mica_predict_data(model, data, MICA_TRAIN, NULL, s->outputs, PLACES * CLASSES);
        mica_evaluate(model, data, MICA_TRAIN, &goal, 1, &scores);
        golden_assert_fine(*state);
        for (size_t i = 0; i < PLACES; i++) {
            const float *out = s->outputs + i * CLASSES;
            int better = 0;
            if (!s->real[i])
                continue;
            count++;
            plain += crossentropy(out, s->classes[i]);
            loss += (weighted ? (double)s->weights[i / STEPS] : 1) * crossentropy(out, s->classes[i]);
            right += largest(out) == s->classes[i];
            matrix[s->classes[i] * CLASSES + largest(out)]++;
            for (int c = 0; c < CLASSES; c++)
                better += out[c] > out[s->classes[i]];
            among += better < 2;
        }
        near("loss", mica_scores_get(scores, "loss"), loss / count);
        near("accuracy", mica_scores_get(scores, "accuracy"), right / count);
        near("perplexity", mica_scores_get(scores, "perplexity"), exp(plain / count));
        near("top_k_accuracy", mica_scores_get(scores, "top_k_accuracy"), among / count);
        assert_memory_equal(mica_scores_parts(scores, "confusion_matrix", NULL), matrix, sizeof matrix);
        mica_scores_destroy(scores);
        mica_data_destroy(data);
    }
    mica_model_destroy(model);
    free(s);
}

/* A model that was loaded measures what the one that was saved does, by the loss that it was fitted with. */
static void assert_saved(mica_device *device, mica_model *model, mica_data *data)
{
    mica_scores *saved = NULL, *loaded = NULL;
    mica_model_save(model, "test_masks.safetensors");
    mica_model *other = mica_model_load(device, "test_masks.safetensors");
    mica_evaluate(model, data, MICA_TRAIN, NULL, 0, &saved);
    mica_evaluate(other, data, MICA_TRAIN, NULL, 0, &loaded);
    golden_assert_fine(device);
    near("loss", mica_scores_get(loaded, "loss"), mica_scores_get(saved, "loss"));
    near("accuracy", mica_scores_get(loaded, "accuracy"), mica_scores_get(saved, "accuracy"));
    mica_scores_destroy(saved);
    mica_scores_destroy(loaded);
    mica_model_destroy(other);
}

/* Indices of classes at each place are what rows of one 1 are, in evaluation and in training. */
static void numbers_of_classes(void **state)
{
    struct sequences *s = draw();
    double losses[2];
    float trained[2][FEATURES * CLASSES];
    for (int numbers = 0; numbers < 2; numbers++) {
        mica_model *model = model_of(*state, masked);
        const mica_field fields[] = {
            {.role = MICA_INPUT, .shape = MICA_SHAPE(STEPS, FEATURES), .values = s->inputs},
            {.role = MICA_TARGET, .shape = MICA_SHAPE(STEPS), .classes = s->classes}};
        mica_data *data = numbers ? mica_fields_open(*state, &(mica_fields_desc){.samples = SAMPLES, .fields = fields, .field_count = 2})
                                  : data_of(*state, s, false);
        const mica_objective goal = {.loss = numbers ? "sparse_categorical_crossentropy" : "categorical_crossentropy",
                                     .setting = {{"axis", -1}}, .metrics = {{"accuracy"}}};
        mica_scores *scores = NULL;
        mica_evaluate(model, data, MICA_TRAIN, &goal, 1, &scores);
        losses[numbers] = mica_scores_get(scores, "loss");
        mica_fit(model, data, &(mica_fit_desc){.objectives = &goal, .objective_count = 1, .optimizer = {"sgd"}}, NULL);
        mica_model_read(model, "d.weight", trained[numbers], FEATURES * CLASSES);
        golden_assert_fine(*state);
        if (numbers) {
            assert_int_equal(mica_data_classes(data), CLASSES);
            assert_saved(*state, model, data);
        }
        mica_scores_destroy(scores);
        mica_data_destroy(data);
        mica_model_destroy(model);
    }
    near("loss", losses[1], losses[0]);
    for (size_t i = 0; i < FEATURES * CLASSES; i++)
        near("weight", (double)trained[1][i], (double)trained[0][i]);
    free(s);
}

/* Steps that are padding change nothing: whatever their targets are, the trained parameters are the same. */
static void padding_teaches_nothing(void **state)
{
    float trained[2][FEATURES * CLASSES], first[FEATURES * CLASSES];
    for (int other = 0; other < 2; other++) {
        struct sequences *s = draw();
        mica_model *model = model_of(*state, masked);
        mica_history *history = NULL;
        for (size_t i = 0; i < PLACES * CLASSES && other; i++)
            if (!s->real[i / CLASSES])
                s->hot[i] = 0.25f;
        mica_data *data = data_of(*state, s, true);
        const float weights[CLASSES] = {1, 2, 0.5f, 0};
        const mica_objective goal = {.loss = "categorical_crossentropy", .setting = {{"axis", -1}}, .class_weight = weights,
                                     .class_count = CLASSES, .metrics = {{"accuracy"}}};
        mica_model_read(model, "d.weight", first, MI_COUNT(first));
        mica_fit(model, data, &(mica_fit_desc){.objectives = &goal, .objective_count = 1, .batch_size = 64, .epochs = 3,
                                               .optimizer = {"adam"}}, &history);
        mica_model_read(model, "d.weight", trained[other], MI_COUNT(first));
        golden_assert_fine(*state);
        assert_true(mica_history_epoch(history, 2)->loss < mica_history_epoch(history, 0)->loss);
        mica_history_destroy(history);
        mica_data_destroy(data);
        mica_model_destroy(model);
        free(s);
    }
    assert_memory_equal(trained[0], trained[1], sizeof first);
    assert_memory_not_equal(trained[0], first, sizeof first);
}

/* The sum of losses of which some have a mask, with a penalty; and what a plan of a loss as a layer makes smaller, which is the
 * same. */
static void several_outputs(void **state)
{
    struct sequences *s = draw();
    float mean[SAMPLES];
    static const char json[] = "{\"input_shape\": [5, 3], \"layers\": [{\"type\": \"masking\"}, {\"type\": \"dense\", \"units\": 4, "
        "\"name\": \"d\"}, {\"type\": \"flatten\"}, {\"type\": \"dense\", \"units\": 1, \"name\": \"m\", "
        "\"kernel_regularizer\": {\"type\": \"l2\", \"l2\": 0.5}}], \"outputs\": {\"steps\": \"d\", \"mean\": \"m\"}}";
    mica_model *model = model_of(*state, json);
    for (size_t i = 0; i < SAMPLES; i++)
        mean[i] = (float)(i % 7);
    const mica_field fields[] = {
        {.role = MICA_INPUT, .shape = MICA_SHAPE(STEPS, FEATURES), .values = s->inputs},
        {.name = "steps", .role = MICA_TARGET, .shape = MICA_SHAPE(STEPS, CLASSES), .values = s->hot},
        {.name = "mean", .role = MICA_TARGET, .shape = MICA_SHAPE(1), .values = mean}};
    mica_data *data = mica_fields_open(*state, &(mica_fields_desc){.samples = SAMPLES, .fields = fields, .field_count = 3});
    const mica_objective goals[] = {{.output = "steps", .loss = "mse", .weight = 3}, {.output = "mean", .loss = "mse", .weight = 0.5f}};
    mica_scores *scores = NULL;
    float kernel[STEPS * CLASSES], out[SAMPLES];
    double steps = 0, count = 0, whole = 0, penalty = 0;
    mica_model_read(model, "m.weight", kernel, MI_COUNT(kernel));
    mica_predict_data(model, data, MICA_TRAIN, "steps", s->outputs, PLACES * CLASSES);
    mica_predict_data(model, data, MICA_TRAIN, "mean", out, SAMPLES);
    mica_evaluate(model, data, MICA_TRAIN, goals, 2, &scores);
    golden_assert_fine(*state);
    for (size_t i = 0; i < PLACES * CLASSES; i++) {
        double d = (double)s->outputs[i] - (double)s->hot[i];
        steps += s->real[i / CLASSES] ? d * d : 0;
        count += s->real[i / CLASSES];
    }
    for (size_t i = 0; i < SAMPLES; i++)
        whole += ((double)out[i] - (double)mean[i]) * ((double)out[i] - (double)mean[i]) / SAMPLES;
    for (size_t i = 0; i < MI_COUNT(kernel); i++)
        penalty += 0.5 * (double)kernel[i] * (double)kernel[i];
    near("steps_loss", mica_scores_get(scores, "steps_loss"), steps / count);
    near("mean_loss", mica_scores_get(scores, "mean_loss"), whole);
    near("loss", mica_scores_get(scores, "loss"), 3 * steps / count + whole / 2 + penalty);
    mica_scores_destroy(scores);
    mica_data_destroy(data);
    mica_model_destroy(model);
    free(s);
}

static void as_a_layer(void **state)
{
    struct sequences *s = draw();
    enum { SOME = 11 };
    mica_model *model = mica_model_create(*state, &(mica_model_desc){.seed = 3});
    mica_node *x = mica_input(model, "x", MICA_SHAPE(STEPS, FEATURES)), *t = mica_input_integer(model, "t", MICA_SHAPE(STEPS));
    mica_node *y = mica_dense(mica_masking(x, NULL), &(mica_dense_desc){.units = CLASSES});
    mica_node *loss = mica_sparse_categorical_crossentropy(y, t, &(mica_loss_desc){.setting = {{"axis", -1}, {"ignore_class", 2}}});
    mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = SOME, .outputs = (mica_node *[]){loss, y}, .output_count = 2});
    float each[SOME];
    double mean = 0, wanted = 0, count = 0;
    mica_plan_write(plan, "x", s->inputs, SOME * STEPS * FEATURES);
    mica_plan_write_elements(plan, "t", MICA_INT32, s->classes, SOME * STEPS);
    mica_plan_run(plan, SOME);
    mica_plan_read(plan, "sparse_categorical_crossentropy", each, SOME);
    mica_plan_read(plan, "dense", s->outputs, SOME * STEPS * CLASSES);
    golden_assert_fine(*state);
    for (size_t i = 0; i < SOME * STEPS; i++)
        if (s->real[i] && s->classes[i] != 2) {
            wanted += crossentropy(s->outputs + i * CLASSES, s->classes[i]);
            count++;
        }
    for (size_t i = 0; i < SOME; i++)
        mean += (double)each[i] / SOME;
    near("mean", mean, wanted / count);
    assert_true(each[0] < 1e-30f && each[0] > -1e-30f); /* no step is real */
    mica_plan_destroy(plan);
    mica_model_destroy(model);
    free(s);
}

/* What a mask does not go with. */
static void refused(void **state)
{
    static const struct {
        mica_objective goal;
        const char *error;
    } cases[] = {
        {{.loss = "categorical_crossentropy"}, "loss categorical_crossentropy: axis 1 of the output is that of steps"},
        {{.loss = "categorical_crossentropy", .setting = {{"axis", 0}}}, "axis is 0; of an output of 2 dimensions per sample classes lie "
                                                                        "along 1 or -1"},
        {{.loss = "mse", .classes = true}, "class indices, which sparse_categorical_crossentropy takes"},
    };
    mica_model *model = model_of(*state, masked);
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = 2, .objectives = &cases[i].goal, .objective_count = 1});
        if (!strstr(mica_plan_error(plan), cases[i].error))
            fail_msg("\"%s\", not \"%s\"", mica_plan_error(plan), cases[i].error);
        mica_plan_destroy(plan);
        mica_device_clear_error(*state);
    }
    mica_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_of_steps), cmocka_unit_test(numbers_of_classes), cmocka_unit_test(padding_teaches_nothing),
        cmocka_unit_test(several_outputs), cmocka_unit_test(as_a_layer), cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, golden_device_open, golden_device_close);
}
