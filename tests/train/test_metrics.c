/* Metrics beside scikit-learn's figures of the same numbers. */
#include "train/golden.h"

#include <math.h>
#include <string.h>

/* Numbers from 0 to 1 that the figures were computed from too. */
static double drawn(double step, int i)
{
    double x = (i + 1) * step;
    return x - floor(x);
}

/* A network that gives what goes in. */
static mica_model *open_identity(mica_device *device, int64_t width)
{
    mica_model *model = mica_model_create(device, NULL);
    mica_output(model, NULL, mica_input(model, NULL, MICA_SHAPE(width)));
    golden_assert_fine(device);
    return model;
}

struct expected {
    mica_metric metric;
    double value;
};

static void check(mica_device *device, mica_data *data, int64_t width, const mica_objective *goal, const struct expected *expected,
                  size_t count)
{
    mica_model *model = open_identity(device, width);
    mica_objective objective = *goal;
    mica_scores *scores = NULL;
    for (size_t i = 0; i < count; i++)
        objective.metrics[i] = expected[i].metric;
    mica_evaluate(model, data, MICA_TRAIN, &objective, 1, &scores);
    golden_assert_fine(device);
    for (size_t i = 0; i < count; i++) {
        const char *name = mica_scores_name(scores, (int)i + 1);
        double value = mica_scores_get(scores, name);
        if (!(fabs(value - expected[i].value) <= 2e-6 * (1 + fabs(expected[i].value))))
            fail_msg("%s is %.9g, not %.9g", name, value, expected[i].value);
    }
    mica_scores_destroy(scores);
    mica_model_destroy(model);
}

static void two_classes(void **state)
{
    enum { N = 20 };
    float scores[N];
    const int32_t classes[N] = {1, 0, 1, 0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 1, 0, 1, 0};
    static const struct expected expected[] = {
        {.metric = {"accuracy"}, .value = 0.55}, {.metric = {"precision"}, .value = 0.5}, {.metric = {"recall"}, .value = 0.5555555555555556}, {.metric = {"specificity"}, .value = 0.5454545454545454},
        {.metric = {"f1"}, .value = 0.5263157894736842}, {.metric = {"auc"}, .value = 0.6161616161616161}, {.metric = {"auc_pr"}, .value = 0.5972462722462722}};
    for (int i = 0; i < N; i++)
        scores[i] = (float)drawn(0.7548776662, i);
    scores[7] = scores[3]; /* equal ones count together */
    mica_data *data = mica_arrays_open(*state, &(mica_arrays_desc){.samples = N, .input_shape = MICA_SHAPE(1), .inputs = scores,
                                                                  .classes = classes});
    check(*state, data, 1, &(mica_objective){.loss = "binary_crossentropy", .from_logits = -1}, expected, MI_COUNT(expected));
    mica_data_destroy(data);
}

static void several_classes(void **state)
{
    enum { N = 30, CLASSES = 4 };
    float scores[N * CLASSES];
    const int32_t classes[N] = {2, 0, 2, 0, 2, 1, 3, 1, 3, 1, 0, 2, 0, 2, 0, 3, 1, 3, 1, 3, 2, 0, 2, 0, 2, 1, 3, 1, 3, 1};
    const float matrix[CLASSES * CLASSES] = {4, 2, 1, 0, 4, 0, 4, 0, 4, 0, 1, 3, 2, 3, 0, 2};
    float shares[N * CLASSES] = {0};
    static const struct expected expected[] = {
        {.metric = {"accuracy"}, .value = 0.23333333333333334}, {.metric = {"top_k_accuracy", {{"k", 2}}}, .value = 0.36666666666666664},
        {.metric = {"precision"}, .value = 0.2130952380952381}, {.metric = {"recall"}, .value = 0.24553571428571427}, {.metric = {"specificity"}, .value = 0.7450592885375494},
        {.metric = {"f1"}, .value = 0.21428571428571425}, {.metric = {"perplexity"}, .value = 5.251137096813809}};
    for (int i = 0; i < N * CLASSES; i++)
        scores[i] = (float)drawn(0.8191725134, i) * 2 - 1;
    for (int i = 0; i < N; i++)
        shares[i * CLASSES + classes[i]] = 1;
    mica_arrays_desc desc = {.samples = N, .input_shape = MICA_SHAPE(CLASSES), .inputs = scores, .classes = classes};
    mica_data *data = mica_arrays_open(*state, &desc);
    check(*state, data, CLASSES, &(mica_objective){.loss = "sparse_categorical_crossentropy"}, expected, MI_COUNT(expected));
    mica_model *model = open_identity(*state, CLASSES);
    mica_scores *found = NULL;
    const mica_objective goal = {.loss = "sparse_categorical_crossentropy", .metrics = {{"confusion_matrix"}}};
    int count = 0;
    mica_evaluate(model, data, MICA_TRAIN, &goal, 1, &found);
    golden_assert_fine(*state);
    const float *parts = mica_scores_parts(found, "confusion_matrix", &count);
    assert_int_equal(count, CLASSES * CLASSES);
    assert_memory_equal(parts, matrix, sizeof matrix);
    mica_scores_destroy(found);
    mica_model_destroy(model);
    mica_data_destroy(data);
    desc.classes = NULL; /* the same as rows of shares */
    desc.values = shares;
    desc.label_shape = MICA_SHAPE(CLASSES);
    data = mica_arrays_open(*state, &desc);
    check(*state, data, CLASSES, &(mica_objective){.loss = "categorical_crossentropy"}, expected, MI_COUNT(expected));
    mica_data_destroy(data);
}

static void values(void **state)
{
    enum { N = 25, WIDTH = 2 };
    float outputs[N * WIDTH], targets[N * WIDTH];
    static const struct expected expected[] = {
        {.metric = {"mae"}, .value = 0.1675008237361908}, {.metric = {"mse"}, .value = 0.040977418422698975}, {.metric = {"rmse"}, .value = 0.2024287984025469}, {.metric = {"mape"}, .value = 35.04017889499664},
        {.metric = {"r2"}, .value = 0.9406131505966187}, {.metric = {"cosine_similarity"}, .value = 0.9933120912452859}};
    for (int i = 0; i < N * WIDTH; i++) {
        targets[i] = (float)(drawn(0.6710436067, i) * 3);
        outputs[i] = (float)((double)targets[i] * 0.8 + drawn(0.4450418679, i) * 0.5);
    }
    mica_data *data = mica_arrays_open(*state, &(mica_arrays_desc){.samples = N, .input_shape = MICA_SHAPE(WIDTH), .inputs = outputs,
                                                                  .values = targets, .label_shape = MICA_SHAPE(WIDTH)});
    check(*state, data, WIDTH, &(mica_objective){.loss = "mean_squared_error"}, expected, MI_COUNT(expected));
    mica_data_destroy(data);
}

/* What an output has not is said in one line; what is asked for by "*" leaves it out. */
static void refused(void **state)
{
    static const struct { mica_objective goal; int64_t width; const char *says; } cases[] = {
        {{.loss = "mse", .metrics = {{"precision"}}}, 2, "metric precision: the output does not tell classes apart"},
        {{.loss = "sparse_categorical_crossentropy", .classes = true, .metrics = {{"auc"}}}, 3, "metric auc: it is of two classes"},
        {{.loss = "sparse_categorical_crossentropy", .classes = true, .metrics = {{"mae"}}}, 3, "the targets are classes"},
        {{.loss = "mse", .metrics = {{"cosine_similarity"}}}, 1, "one number has no direction"},
        {{.loss = "sparse_categorical_crossentropy", .classes = true, .metrics = {{"top_k_accuracy"}}}, 4, "the 5 best of 4"},
        {{.loss = "mse", .metrics = {{"mae", {{"k", 2}}}}}, 2, "metrics: there is no key \"k\""},
        {{.loss = "mse", .metrics = {{"mae"}, {"mean_absolute_error"}}}, 2, "metrics: \"mean_absolute_error\" is given twice"},
        {{.loss = "sparse_categorical_crossentropy", .classes = true, .metrics = {{"top_k_accuracy", {{"k", 0.5}}}}}, 4,
         "metrics.k: must be a whole number from 1 to"}};
    for (size_t i = 0; i < MI_COUNT(cases); i++) {
        mica_model *model = open_identity(*state, cases[i].width);
        mica_plan *plan = mica_compile(model, &(mica_plan_desc){.objectives = &cases[i].goal, .objective_count = 1, .evaluate = true});
        if (!strstr(mica_plan_error(plan), cases[i].says))
            fail_msg("\"%s\" should say \"%s\"", mica_plan_error(plan), cases[i].says);
        mica_plan_destroy(plan);
        mica_model_destroy(model);
        mica_device_clear_error(*state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(two_classes), cmocka_unit_test(several_classes), cmocka_unit_test(values),
                                       cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, golden_device_open, golden_device_close);
}
