/* The loss of what a sequence spells, and what is read from scores: beside all ways to spell it, one by one. */
#include "train/golden.h"

#include <mica/ctc.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 5, CLASSES = 3, WAYS = 243, MOST = 6 };

static void draw(float *scores, uint64_t seed)
{
    for (size_t i = 0; i < (size_t)STEPS * CLASSES; i++)
        scores[i] = 4 * mi_uniform(5, seed, i) - 2;
}

/* What a way of classes spells. */
static int64_t spell(const int32_t *way, int64_t steps, int32_t blank, int32_t *labels)
{
    int64_t count = 0;
    for (int64_t t = 0; t < steps; t++)
        if (way[t] != blank && (t == 0 || way[t] != way[t - 1]))
            labels[count++] = way[t];
    return count;
}

/* The probability of labels as the sum over all ways. */
static double sum_of_ways(const float *scores, int64_t steps, int32_t blank, const int32_t *labels, int64_t count)
{
    double all = 0;
    int ways = 1;
    for (int64_t t = 0; t < steps; t++)
        ways *= CLASSES;
    for (int w = 0; w < ways; w++) {
        int32_t way[STEPS], spelled[STEPS];
        double p = 1;
        int rest = w;
        for (int64_t t = 0; t < steps; t++, rest /= CLASSES) {
            double sum = 0;
            way[t] = rest % CLASSES;
            for (int c = 0; c < CLASSES; c++)
                sum += exp((double)scores[t * CLASSES + c] - (double)scores[t * CLASSES + way[t]]);
            p /= sum;
        }
        int64_t length = spell(way, steps, blank, spelled);
        if (length == count && !memcmp(spelled, labels, (size_t)count * sizeof *labels))
            all += p;
    }
    return all;
}

/* All labels that so many steps can spell, each with its probability: the best one is what a wide search finds. */
static double best_of_all(const float *scores, int32_t blank, int32_t *labels, int64_t *count)
{
    double best = -1;
    for (int w = 0; w < WAYS; w++) {
        int32_t way[STEPS], spelled[STEPS];
        int rest = w;
        for (int t = 0; t < STEPS; t++, rest /= CLASSES)
            way[t] = rest % CLASSES;
        int64_t length = spell(way, STEPS, blank, spelled);
        double p = sum_of_ways(scores, STEPS, blank, spelled, length);
        if (p > best) {
            best = p;
            *count = length;
            memcpy(labels, spelled, (size_t)length * sizeof *labels);
        }
    }
    return best;
}

static void wide_search_is_exact(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        float scores[STEPS * CLASSES];
        int32_t wanted[STEPS], found[STEPS], blank = (int32_t)(seed % CLASSES);
        int64_t count = 0, length = 0;
        double log_p = 0;
        draw(scores, seed);
        double best = best_of_all(scores, blank, wanted, &count);
        assert_int_equal(mica_ctc_beam(scores, STEPS, CLASSES, blank, WAYS, found, &length, &log_p), MICA_OK);
        assert_int_equal(length, count);
        assert_memory_equal(found, wanted, (size_t)count * sizeof *wanted);
        assert_true(fabs(exp(log_p) - best) < 1e-12);
        assert_int_equal(mica_ctc_beam(scores, STEPS, CLASSES, blank, 1, found, &length, NULL), MICA_OK);
        assert_true(length <= STEPS);
    }
}

/* The steps' best classes spell nothing, but most of the probability is that of one label (Graves, 2006, figure 2). */
static void known_answers(void **state)
{
    const float mixed[2 * 2] = {logf(0.6f), logf(0.4f), logf(0.6f), logf(0.4f)};
    const float twice[5 * 3] = {0, 5, 0, 0, 5, 0, 5, 0, 0, 0, 5, 0, 0, 0, 5};
    const float none[2 * 2] = {NAN, 0, -INFINITY, -INFINITY};
    const int32_t aab[] = {1, 1, 2};
    int32_t labels[5];
    int64_t count;
    double log_p;
    (void)state;
    mica_ctc_greedy(mixed, 2, 2, 0, labels, &count);
    assert_int_equal(count, 0);
    mica_ctc_beam(mixed, 2, 2, 0, 8, labels, &count, &log_p);
    assert_int_equal(count, 1);
    assert_true(labels[0] == 1 && fabs(exp(log_p) - 0.64) < 1e-6);
    mica_ctc_greedy(twice, 5, 3, 0, labels, &count);
    assert_int_equal(count, 3);
    assert_memory_equal(labels, aab, sizeof aab);
    mica_ctc_beam(twice, 5, 3, 0, 4, labels, &count, NULL);
    assert_int_equal(count, 3);
    assert_memory_equal(labels, aab, sizeof aab);
    mica_ctc_greedy(none, 1, 2, 0, labels, &count);
    assert_int_equal(count, 1);
    assert_int_equal(mica_ctc_beam(none, 2, 2, 0, 3, labels, &count, &log_p), MICA_OK);
}

static void distances(void **state)
{
    static const char *const words[][2] = {{"kitten", "sitting"}, {"", "abc"}, {"flaw", "lawn"}, {"same", "same"}, {"abc", ""}};
    static const int64_t wanted[] = {3, 3, 2, 0, 3};
    (void)state;
    for (size_t i = 0; i < MI_COUNT(wanted); i++) {
        int32_t a[8], b[8];
        size_t n = strlen(words[i][0]), m = strlen(words[i][1]);
        for (size_t k = 0; k < n; k++)
            a[k] = words[i][0][k];
        for (size_t k = 0; k < m; k++)
            b[k] = words[i][1][k];
        assert_int_equal(mica_edit_distance(a, (int64_t)n, b, (int64_t)m), wanted[i]);
    }
}

/* Values by all ways, of labels that fit and that do not; and a gradient that is a number wherever the loss is none. */
static void losses(void **state)
{
    static const int32_t labels[MOST][4] = {{1, 2, -1, -1}, {1, 1, 1, -1}, {0, 0, 0, 0}, {1, 1, 2, 2}, {2, 1, 2, 1}, {1, 7, -1, -1}};
    static const int64_t lengths[MOST] = {2, 3, 0, 4, 4, 2};
    float scores[MOST * STEPS * CLASSES], each[2][MOST], gradient[CLASSES];
    for (int zero = 0; zero < 2; zero++) {
        mica_model *model = mica_model_create(*state, &(mica_model_desc){.seed = 3});
        mica_node *x = mica_input(model, "x", MICA_SHAPE(STEPS, CLASSES)), *t = mica_input_integer(model, "t", MICA_SHAPE(4));
        mica_node *y = mica_dense(x, &(mica_dense_desc){.name = "d", .units = CLASSES,
                                                        .kernel = {.initializer = {.type = "identity"}}});
        mica_node *loss = mica_ctc(y, t, &(mica_loss_desc){.name = "loss", .setting = {{"zero_infinity", zero}}});
        mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = MOST, .outputs = &loss, .output_count = 1});
        for (int i = 0; i < MOST; i++)
            draw(scores + i * STEPS * CLASSES, (uint64_t)i);
        mica_plan_write(plan, "x", scores, MOST * STEPS * CLASSES);
        mica_plan_write_elements(plan, "t", MICA_INT32, labels, (size_t)MOST * 4);
        mica_plan_run(plan, MOST);
        mica_plan_read(plan, "loss", each[zero], MOST);
        golden_assert_fine(*state);
        mica_plan_destroy(plan);
        plan = mica_compile(model, &(mica_plan_desc){.batch = MOST, .loss = loss, .optimizer = {"sgd", {{"learning_rate", 0.1}}}});
        mica_plan_write(plan, "x", scores, MOST * STEPS * CLASSES);
        mica_plan_write_elements(plan, "t", MICA_INT32, labels, (size_t)MOST * 4);
        mica_plan_run(plan, MOST);
        mica_model_read(model, "d.bias", gradient, CLASSES);
        golden_assert_fine(*state);
        for (int c = 0; c < CLASSES; c++)
            assert_true(isfinite(gradient[c]) && fabsf(gradient[c]) > 1e-6f);
        mica_plan_destroy(plan);
        mica_model_destroy(model);
    }
    for (int i = 0; i < MOST; i++) {
        double p = sum_of_ways(scores + i * STEPS * CLASSES, STEPS, 0, labels[i], lengths[i]);
        if (p > 0 && !(fabs((double)each[0][i] + log(p)) <= 1e-5 * fabs(log(p))))
            fail_msg("sample %d loses %.9g, not %.9g", i, (double)each[0][i], -log(p));
        assert_true(p > 0 || isinf(each[0][i]));
        assert_true(p > 0 ? fabsf(each[0][i] - each[1][i]) <= 1e-6f * each[0][i] : !(each[1][i] > 0 || each[1][i] < 0));
    }
}

/* From data and by name: a network learns which labels its steps spell. */
static void learns(void **state)
{
    enum { SAMPLES = 64, LABELS = 3 };
    static float inputs[SAMPLES * STEPS * CLASSES], labels[SAMPLES * LABELS];
    for (size_t i = 0; i < SAMPLES; i++) {
        int32_t way[STEPS], spelled[STEPS];
        for (size_t t = 0; t < STEPS; t++) {
            way[t] = (int32_t)(mi_uniform(9, i, t) * CLASSES);
            inputs[(i * STEPS + t) * CLASSES + (size_t)way[t]] = 1;
        }
        int64_t count = spell(way, STEPS, 0, spelled);
        for (int64_t k = 0; k < LABELS; k++)
            labels[i * LABELS + (size_t)k] = k < count ? (float)spelled[k] : -1;
    }
    const mica_field fields[] = {{.role = MICA_INPUT, .shape = MICA_SHAPE(STEPS, CLASSES), .values = inputs},
                                 {.role = MICA_TARGET, .shape = MICA_SHAPE(LABELS), .values = labels}};
    mica_data *data = mica_fields_open(*state, &(mica_fields_desc){.samples = SAMPLES, .fields = fields, .field_count = 2});
    mica_model *model = mica_model_create(*state, &(mica_model_desc){.seed = 3});
    mica_model_add_json(model, "{\"input_shape\": [5, 3], \"layers\": [{\"type\": \"dense\", \"units\": 3}]}");
    const mica_objective goal = {.loss = "ctc", .setting = {{"labels", LABELS}, {"zero_infinity", 1}}};
    mica_history *history = NULL;
    mica_scores *scores = NULL;
    mica_fit(model, data, &(mica_fit_desc){.objectives = &goal, .objective_count = 1, .batch_size = 16, .epochs = 30,
                                           .optimizer = {"adam", {{"learning_rate", 0.1}}}}, &history);
    golden_assert_fine(*state);
    float first = mica_history_epoch(history, 0)->loss, last = mica_history_epoch(history, 29)->loss;
    if (!(last < first / 4))
        fail_msg("the loss was %g and is %g", (double)first, (double)last);
    mica_evaluate(model, data, MICA_TRAIN, NULL, 0, &scores);
    golden_assert_fine(*state);
    assert_true(mica_scores_get(scores, "loss") < (double)first / 4);
    mica_scores_destroy(scores);
    mica_history_destroy(history);
    mica_model_destroy(model);
    mica_data_destroy(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wide_search_is_exact), cmocka_unit_test(known_answers), cmocka_unit_test(distances), cmocka_unit_test(losses),
        cmocka_unit_test(learns)};
    return cmocka_run_group_tests(tests, golden_device_open, golden_device_close);
}
