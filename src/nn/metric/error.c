/* How far values are from their targets. y is the output, t the target, means are over a sample's places and the samples. */
#include "nn/metric/metric.h"

#include <math.h>

static mi_value *difference(struct mi_graph *graph, const struct mi_metric_use *use)
{
    return mi_op2(graph, "Sub", use->output, use->target);
}

#define OF_VALUES(metric)                                                                                                        \
    static mica_status check_##metric(struct mi_error *error, const struct mi_metric_use *use)                                   \
    {                                                                                                                            \
        return mi_metric_needs_values(error, use, #metric);                                                                      \
    }

/* mean |y - t| */
static mi_value *absolute(struct mi_graph *graph, const struct mi_metric_use *use)
{
    return mi_metric_sum(graph, use, mi_op1(graph, "Abs", difference(graph, use)));
}

OF_VALUES(mean_absolute_error)
const struct mi_metric_row mi_metric_mean_absolute_error = {
    .name = "mean_absolute_error", .alias = "mae", .check = check_mean_absolute_error, .sum = absolute};

/* mean (y - t)^2, and its root */
static mi_value *squared(struct mi_graph *graph, const struct mi_metric_use *use)
{
    mi_value *d = difference(graph, use);
    return mi_metric_sum(graph, use, mi_op2(graph, "Mul", d, d));
}

static double root(const float *sum, size_t places, double samples)
{
    (void)places;
    return sqrt((double)sum[0] / samples);
}

OF_VALUES(mean_squared_error)
const struct mi_metric_row mi_metric_mean_squared_error = {
    .name = "mean_squared_error", .alias = "mse", .check = check_mean_squared_error, .sum = squared};
OF_VALUES(root_mean_squared_error)
const struct mi_metric_row mi_metric_root_mean_squared_error = {
    .name = "root_mean_squared_error", .alias = "rmse", .check = check_root_mean_squared_error, .sum = squared, .result = root};

/* 100 mean |y - t| / max(|t|, 1e-7) */
static mi_value *relative(struct mi_graph *graph, const struct mi_metric_use *use)
{
    mi_value *size = mi_op2(graph, "Max", mi_op1(graph, "Abs", use->target), mi_scalar(graph, MI_LOSS_EPSILON));
    mi_value *share = mi_op2(graph, "Div", mi_op1(graph, "Abs", difference(graph, use)), size);
    return mi_metric_sum(graph, use, mi_op2(graph, "Mul", share, mi_scalar(graph, 100)));
}

OF_VALUES(mean_absolute_percentage_error)
const struct mi_metric_row mi_metric_mean_absolute_percentage_error = {
    .name = "mean_absolute_percentage_error", .alias = "mape", .check = check_mean_absolute_percentage_error, .sum = relative};

/* ---- The share of the targets' variance that is explained ---- */

/* For each place sums of (y - t)^2, t and t^2: (3, places). */
static mi_value *moments(struct mi_graph *graph, const struct mi_metric_use *use)
{
    int64_t flat[] = {0, mi_metric_units(use)};
    mi_value *d = mi_places_only(graph, use->counted, mi_op2(graph, "Reshape", difference(graph, use), mi_ints(graph, flat, 2)));
    mi_value *t = mi_places_only(graph, use->counted, mi_op2(graph, "Reshape", use->target, mi_ints(graph, flat, 2)));
    mi_value *const sums[] = {mi_metric_sum_axis(graph, mi_op2(graph, "Mul", d, d), 0, true), mi_metric_sum_axis(graph, t, 0, true),
                              mi_metric_sum_axis(graph, mi_op2(graph, "Mul", t, t), 0, true)};
    return mi_apply(graph, "Concat", sums, 3, (const struct mi_attribute[]){MI_INT("axis", 0)}, 1);
}

/* 1 - sum (y - t)^2 / sum (t - mean t)^2, the mean over the places; targets that never change have none, as scikit-learn has it: 0,
 * or 1 where they are met. */
static double explained(const float *sum, size_t places, double samples)
{
    size_t each = places / 3;
    double all = 0;
    for (size_t i = 0; i < each; i++) {
        double left = (double)sum[i], mean = (double)sum[each + i] / samples;
        double spread = (double)sum[2 * each + i] - samples * mean * mean;
        all += spread > 0 ? 1 - left / spread : left > 0 ? 0 : 1;
    }
    return all / (double)each;
}

/* The same with the mean taken first, which rounds less. */
static double exact_explained(const struct mi_metric_answers *answers)
{
    double all = 0;
    for (size_t u = 0; u < answers->units && answers->targets; u++) {
        double mean = 0, left = 0, spread = 0;
        for (size_t i = u; i < answers->n * answers->units; i += answers->units)
            mean += (double)answers->targets[i] / (double)answers->n;
        for (size_t i = u; i < answers->n * answers->units; i += answers->units) {
            double d = (double)answers->outputs[i] - (double)answers->targets[i], t = (double)answers->targets[i] - mean;
            left += d * d;
            spread += t * t;
        }
        all += spread > 0 ? 1 - left / spread : left > 0 ? 0 : 1;
    }
    return answers->targets ? all / (double)answers->units : (double)NAN;
}

OF_VALUES(r2_score)
const struct mi_metric_row mi_metric_r2_score = {
    .name = "r2_score", .alias = "r2", .rises = true, .check = check_r2_score, .sum = moments, .result = explained,
    .exact = exact_explained};

/* ---- Directions ---- */

static mi_value *length(struct mi_graph *graph, mi_value *rows)
{
    mi_value *squares = mi_metric_sum_axis(graph, mi_op2(graph, "Mul", rows, rows), 1, false);
    return mi_op1(graph, "Sqrt", mi_op2(graph, "Max", squares, mi_scalar(graph, 1e-12f)));
}

/* mean of y . t / (|y| |t|), over all of a sample's places */
static mi_value *cosine(struct mi_graph *graph, const struct mi_metric_use *use)
{
    mi_value *flat = mi_ints(graph, (int64_t[]){0, mi_metric_units(use)}, 2);
    mi_value *y = mi_op2(graph, "Reshape", use->output, flat), *t = mi_op2(graph, "Reshape", use->target, flat);
    mi_value *dot = mi_metric_sum_axis(graph, mi_op2(graph, "Mul", y, t), 1, false);
    return mi_metric_sum(graph, use, mi_op2(graph, "Div", dot, mi_op2(graph, "Mul", length(graph, y), length(graph, t))));
}

static mica_status check_cosine_similarity(struct mi_error *error, const struct mi_metric_use *use)
{
    MI_TRY(mi_metric_needs_values(error, use, "cosine_similarity"));
    return mi_metric_units(use) > 1 ? MICA_OK : mi_fail(error, MICA_INVALID_ARGUMENT, "metric cosine_similarity: one number has no "
                                                        "direction");
}

const struct mi_metric_row mi_metric_cosine_similarity = {
    .name = "cosine_similarity", .rises = true, .check = check_cosine_similarity, .sum = cosine};
