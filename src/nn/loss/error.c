/* How far values are from their targets. y is a prediction, t its target, means are over a sample's places. */
#include "nn/loss/loss.h"

#include <float.h>

#define ANY_VALUE .task = MI_VALUES, .lowest = -FLT_MAX, .highest = FLT_MAX
#define NOT_NEGATIVE .task = MI_VALUES, .lowest = 0, .highest = FLT_MAX

static mi_value *difference(struct mi_graph *graph, const struct mi_loss_use *use)
{
    return mi_op2(graph, "Sub", use->y, use->target);
}

/* mean (y - t)^2 */
static mi_value *squared(struct mi_graph *graph, const struct mi_loss_use *use)
{
    return mi_mean_of_sample(graph, mi_op2(graph, "SquaredError", use->y, use->target));
}

const struct mi_loss_row mi_loss_mean_squared_error = {
    MI_LOSS("mean_squared_error", mi_no_numbers), .alias = "mse", ANY_VALUE, .each = squared};

/* mean |y - t| */
static mi_value *absolute(struct mi_graph *graph, const struct mi_loss_use *use)
{
    return mi_mean_of_sample(graph, mi_op1(graph, "Abs", difference(graph, use)));
}

const struct mi_loss_row mi_loss_mean_absolute_error = {
    MI_LOSS("mean_absolute_error", mi_no_numbers), .alias = "mae", ANY_VALUE, .each = absolute};

/* 100 mean |y - t| / max(|t|, epsilon) */
static mi_value *relative(struct mi_graph *graph, const struct mi_loss_use *use)
{
    mi_value *size = mi_at_least(graph, mi_op1(graph, "Abs", use->target), MI_LOSS_EPSILON);
    mi_value *share = mi_op2(graph, "Div", mi_op1(graph, "Abs", difference(graph, use)), size);
    return mi_mean_of_sample(graph, mi_times(graph, share, 100));
}

const struct mi_loss_row mi_loss_mean_absolute_percentage_error = {
    MI_LOSS("mean_absolute_percentage_error", mi_no_numbers), .alias = "mape", ANY_VALUE, .each = relative};

/* log(max(x, epsilon) + 1) */
static mi_value *logarithm(struct mi_graph *graph, mi_value *x)
{
    return mi_op1(graph, "Log", mi_plus(graph, mi_at_least(graph, x, MI_LOSS_EPSILON), 1));
}

/* mean (log(y + 1) - log(t + 1))^2 */
static mi_value *logarithmic(struct mi_graph *graph, const struct mi_loss_use *use)
{
    return mi_mean_of_sample(graph, mi_op2(graph, "SquaredError", logarithm(graph, use->y), logarithm(graph, use->target)));
}

const struct mi_loss_row mi_loss_mean_squared_logarithmic_error = {
    MI_LOSS("mean_squared_logarithmic_error", mi_no_numbers), .alias = "msle", NOT_NEGATIVE, .each = logarithmic};

/* ---- Squares of small errors, and not of large ones ---- */

static const struct mi_number huber_keys[] = {{.name = "delta", .otherwise = 1, .least = 0, .most = 1e30f, .above = true}, {0}};

/* mean c (|e| - c / 2), e = y - t, c = min(|e|, delta): e^2 / 2 up to delta, and from there on the straight line that goes on. */
static mi_value *huber(struct mi_graph *graph, const struct mi_loss_use *use)
{
    mi_value *size = mi_op1(graph, "Abs", difference(graph, use));
    mi_value *near = mi_op2(graph, "Min", size, mi_scalar(graph, use->value[0]));
    return mi_mean_of_sample(graph, mi_op2(graph, "Mul", near, mi_op2(graph, "Sub", size, mi_times(graph, near, 0.5f))));
}

const struct mi_loss_row mi_loss_huber = {MI_LOSS("huber", huber_keys), ANY_VALUE, .each = huber};

/* mean log(cosh(e)) = |e| + log(1 + exp(-2 |e|)) - log 2, which does not overflow. */
static mi_value *log_cosh(struct mi_graph *graph, const struct mi_loss_use *use)
{
    mi_value *size = mi_op1(graph, "Abs", difference(graph, use));
    mi_value *rest = mi_op1(graph, "Softplus", mi_times(graph, size, -2));
    return mi_mean_of_sample(graph, mi_plus(graph, mi_op2(graph, "Add", size, rest), -0.69314718f));
}

const struct mi_loss_row mi_loss_log_cosh = {MI_LOSS("log_cosh", mi_no_numbers), ANY_VALUE, .each = log_cosh};

/* ---- Counts ---- */

/* mean y - t log(y + epsilon): the likelihood of t under a Poisson distribution of mean y, but for what does not depend on y. */
static mi_value *poisson(struct mi_graph *graph, const struct mi_loss_use *use)
{
    mi_value *logs = mi_op1(graph, "Log", mi_plus(graph, use->y, MI_LOSS_EPSILON));
    return mi_mean_of_sample(graph, mi_op2(graph, "Sub", use->y, mi_op2(graph, "Mul", use->target, logs)));
}

const struct mi_loss_row mi_loss_poisson = {
    MI_LOSS("poisson", mi_no_numbers), NOT_NEGATIVE, .outputs = "numbers above 0, such as of a softplus", .each = poisson};
