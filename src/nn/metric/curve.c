/* Areas under curves of two classes: of the share of found samples over that of false alarms (ROC), and of precision over recall.
 *
 * What is answered for class 1 depends on a threshold; 200 of them from 0 to 1 give as many points of a curve, between
 * which it is straight. An evaluation has the exact areas. */
#include "nn/metric/metric.h"

#include <math.h>
#include <stdlib.h>

enum { THRESHOLDS = 200 };

static mica_status check(struct mi_error *error, const struct mi_metric_use *use, const char *name)
{
    MI_TRY(mi_metric_needs_classes(error, use, name));
    if (mi_metric_units(use) <= 2 && use->loss->row->task == MI_SIGNS)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "metric %s: its thresholds go from 0 to 1, those of loss %s have no bounds",
                       name, use->loss->row->layer.type);
    if (mi_metric_units(use) <= 2)
        return MICA_OK;
    return mi_fail(error, MICA_INVALID_ARGUMENT, "metric %s: it is of two classes, the output has %lld", name,
                   (long long)mi_metric_units(use));
}

/* The probability of class 1, (n, 1). */
static mi_value *probability(struct mi_graph *graph, const struct mi_metric_use *use)
{
    mi_value *output = use->output;
    if (mi_metric_units(use) == 1)
        return use->loss->from_logits ? mi_op1(graph, "Sigmoid", output) : output;
    if (use->loss->from_logits)
        output = mi_apply(graph, "Softmax", &output, 1, (const struct mi_attribute[]){MI_INT("axis", 1)}, 1);
    mi_value *second = mi_held(graph, (const float[]){0, 1}, 2);
    return mi_metric_sum_axis(graph, mi_op2(graph, "Mul", output, second), 1, true);
}

/* For each class, how many of its samples lie above each threshold: (2, THRESHOLDS). The first threshold is below 0, so that all
 * do. */
static mi_value *sum(struct mi_graph *graph, const struct mi_metric_use *use)
{
    float threshold[THRESHOLDS];
    for (int i = 0; i < THRESHOLDS; i++)
        threshold[i] = i ? (float)i / (THRESHOLDS - 1) : -1e-7f;
    threshold[THRESHOLDS - 1] = 1 + 1e-6f;
    mi_value *passed = mi_op2(graph, "Greater", probability(graph, use), mi_held(graph, threshold, THRESHOLDS));
    return mi_metric_products(graph, use, mi_metric_truth(graph, use), mi_metric_cast(graph, passed, MI_FLOAT));
}

/* ---- Areas ---- */

static double area(const float *alarms, const float *found, size_t points)
{
    double all = 0, negatives = (double)alarms[0], positives = (double)found[0];
    if (!(negatives > 0) || !(positives > 0))
        return (double)NAN;
    for (size_t i = 0; i + 1 < points; i++)
        all += ((double)alarms[i] - (double)alarms[i + 1]) * ((double)found[i] + (double)found[i + 1]) / 2;
    return all / (negatives * positives);
}

static double auc(const float *sum_, size_t places, double samples)
{
    (void)samples;
    return area(sum_, sum_ + places / 2, places / 2);
}

/* As a sum of steps, scikit-learn's average precision: between points of a curve of precision nothing is straight. */
static double auc_pr(const float *sum_, size_t places, double samples)
{
    size_t points = places / 2;
    const float *alarms = sum_, *found = sum_ + points;
    double all = 0, positives = (double)found[0];
    (void)samples;
    if (!(positives > 0))
        return (double)NAN;
    for (size_t i = 0; i < points; i++) {
        double passed = (double)found[i] + (double)alarms[i], next = i + 1 < points ? (double)found[i + 1] : 0;
        all += passed > 0 ? ((double)found[i] - next) * (double)found[i] / passed : 0;
    }
    return all / positives;
}

/* ---- Exactly: a threshold at every answer ---- */

/* An answer, which need be no probability, as only their order counts, and whether class 1 is true. */
struct scored {
    float score;
    bool positive;
};

static int falling(const void *a, const void *b)
{
    float left = ((const struct scored *)a)->score, right = ((const struct scored *)b)->score;
    return (left < right) - (left > right);
}

/* Sorted, the best first; NULL: out of memory. The caller frees them. */
static struct scored *sorted(const struct mi_metric_answers *answers)
{
    struct scored *all = mi_new(answers->n, sizeof *all);
    for (size_t i = 0; all && i < answers->n; i++) {
        const float *output = answers->outputs + i * answers->units;
        const float *target = answers->targets ? answers->targets + i * answers->units : NULL;
        bool two = answers->units == 2;
        all[i].score = two ? output[1] - output[0] : output[0];
        all[i].positive = !target ? answers->classes[i] == 1 : two ? target[1] > target[0] : target[0] > 0.5f;
    }
    if (all)
        qsort(all, answers->n, sizeof *all, falling);
    return all;
}

/* Goes through the answers from the best on, those of one score together, and adds what each step of the curve adds to an area. */
static double over_answers(const struct mi_metric_answers *answers,
                           double (*step)(double found, double alarms, double more_found, double more_alarms), bool per_alarm)
{
    struct scored *all = sorted(answers);
    double found = 0, alarms = 0, sum_ = 0;
    for (size_t i = 0; all && i < answers->n;) {
        double more_found = 0, more_alarms = 0;
        float score = all[i].score;
        for (; i < answers->n && !(all[i].score < score) && !(all[i].score > score); i++) {
            more_found += all[i].positive;
            more_alarms += !all[i].positive;
        }
        sum_ += step(found, alarms, more_found, more_alarms);
        found += more_found;
        alarms += more_alarms;
    }
    free(all);
    return all && found > 0 && (alarms > 0 || !per_alarm) ? sum_ / (found * (per_alarm ? alarms : 1)) : (double)NAN;
}

static double trapezium(double found, double alarms, double more_found, double more_alarms)
{
    (void)alarms;
    return more_alarms * (found + more_found / 2);
}

static double precision_step(double found, double alarms, double more_found, double more_alarms)
{
    double passed = found + alarms + more_found + more_alarms;
    return passed > 0 ? more_found * (found + more_found) / passed : 0;
}

static double exact_auc(const struct mi_metric_answers *answers)
{
    return over_answers(answers, trapezium, true);
}

static double exact_auc_pr(const struct mi_metric_answers *answers)
{
    return over_answers(answers, precision_step, false);
}

/* ---- The rows ---- */

static mica_status check_auc(struct mi_error *error, const struct mi_metric_use *use)
{
    return check(error, use, "auc");
}

static mica_status check_auc_pr(struct mi_error *error, const struct mi_metric_use *use)
{
    return check(error, use, "auc_pr");
}

const struct mi_metric_row mi_metric_auc = {.name = "auc", .rises = true, .check = check_auc, .sum = sum, .result = auc,
                                             .exact = exact_auc};
const struct mi_metric_row mi_metric_auc_pr = {.name = "auc_pr", .rises = true, .check = check_auc_pr, .sum = sum,
                                                .result = auc_pr, .exact = exact_auc_pr};
