/* Rates along a cosine: Loshchilov and Hutter 2017, once or with restarts, as Keras has them; and Smith and Topin's 1cycle 2018, as
 * PyTorch's OneCycleLR. */
#include "nn/schedule/schedule.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

/* From 1 at 0 to 0 at 1, half a wave. */
static double wave(double part)
{
    return (1 + cos(pi * part)) / 2;
}

/* ---- cosine_decay ---- */

enum { INITIAL, STEPS, ALPHA, TARGET };

/* Where the decay begins: Keras's warmup_target, or the initial rate, from which the warm-up would rise to that. */
static double peak(const struct mi_schedule *s)
{
    return (double)(s->value[TARGET] < 0 ? s->value[INITIAL] : s->value[TARGET]);
}

static double from(const struct mi_schedule *s)
{
    return (double)(s->value[TARGET] < 0 ? s->warmup_from : s->value[INITIAL]);
}

/* peak * ((1 - alpha) * wave(step / decay_steps) + alpha) */
static double decay(const struct mi_schedule *s, double step)
{
    double alpha = (double)s->value[ALPHA];
    return peak(s) * ((1 - alpha) * wave(fmin(step / (double)s->value[STEPS], 1)) + alpha);
}

/* ---- cosine_decay_restarts ---- */

enum { T_MUL = 2, M_MUL, FLOOR };

/* Each period is t_mul times as long as the one before, and begins at m_mul times its rate. */
static double restarts(const struct mi_schedule *s, double step)
{
    double length = (double)s->value[STEPS], grows = (double)s->value[T_MUL], alpha = (double)s->value[FLOOR], periods = 0;
    if (grows > 1)
        for (; step >= length; length *= grows, periods++)
            step -= length;
    else {
        periods = floor(step / length);
        step -= periods * length;
    }
    return (double)s->value[INITIAL] * ((1 - alpha) * pow((double)s->value[M_MUL], periods) * wave(step / length) + alpha);
}

/* ---- one_cycle ---- */

enum { MOST, TOTAL, RISES, DIVIDED, DIVIDED_AGAIN };

/* From max / div_factor up to max in the first pct_start of the steps, and down to that first rate / final_div_factor. */
static double cycle(const struct mi_schedule *s, double step)
{
    double most = (double)s->value[MOST], first = most / (double)s->value[DIVIDED], last = first / (double)s->value[DIVIDED_AGAIN];
    double end = (double)s->value[TOTAL] - 1, top = (double)s->value[RISES] * (double)s->value[TOTAL] - 1;
    if (step <= top)
        return top > 0 ? most + (first - most) * wave(step / top) : most;
    return end > top ? last + (most - last) * wave(fmin((step - top) / (end - top), 1)) : last;
}

const struct mi_schedule_row mi_schedule_cosine_decay = {
    .name = "cosine_decay", .rate = decay, .from = from,
    .keys = {MI_INITIAL_RATE, MI_STEPS("decay_steps", NAN), {"alpha", 0, .most = 1},
             {"warmup_target", MI_OF_OPTIMIZER, .most = 1e30f}}};
const struct mi_schedule_row mi_schedule_cosine_decay_restarts = {
    .name = "cosine_decay_restarts", .rate = restarts,
    .keys = {MI_INITIAL_RATE, MI_STEPS("first_decay_steps", NAN), {"t_mul", 2, .least = 1, .most = 1e30f},
             {"m_mul", 1, .most = 1e30f}, {"alpha", 0, .most = 1}}};
const struct mi_schedule_row mi_schedule_one_cycle = {
    .name = "one_cycle", .rate = cycle,
    .keys = {{"max_learning_rate", MI_OF_OPTIMIZER, .most = 1e30f}, MI_STEPS("total_steps", NAN), {"pct_start", 0.3f, .most = 1},
             {"div_factor", 25, .above = true, .most = 1e30f}, {"final_div_factor", 1e4f, .above = true, .most = 1e30f}}};
