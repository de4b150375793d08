/* Rates that stay, or fall along a power, a hyperbola or stairs: Keras's schedules of these names, and PyTorch's StepLR. */
#include "nn/schedule/schedule.h"

#include <math.h>

enum { INITIAL, STEPS, DECAY, STAIRCASE };           /* exponential_decay, inverse_time_decay, step_decay */
enum { END = DECAY, POWER, CYCLE };                  /* polynomial_decay */

static double constant(const struct mi_schedule *s, double step)
{
    (void)step;
    return (double)s->value[INITIAL];
}

/* values[0] up to the first boundary, which is of it, values[1] up to the second, ... */
static double piecewise(const struct mi_schedule *s, double step)
{
    int i = 0;
    while (i < s->count && step > s->boundaries[i])
        i++;
    return s->values[i];
}

/* initial * gamma^floor(step / step_size) */
static double stairs(const struct mi_schedule *s, double step)
{
    return (double)s->value[INITIAL] * pow((double)s->value[DECAY], floor(step / (double)s->value[STEPS]));
}

/* step / decay_steps, whole where the decay is a staircase. */
static double done(const struct mi_schedule *s, double step)
{
    double part = step / (double)s->value[STEPS];
    return s->value[STAIRCASE] > 0 ? floor(part) : part;
}

/* initial * decay_rate^(step / decay_steps) */
static double exponential(const struct mi_schedule *s, double step)
{
    return (double)s->value[INITIAL] * pow((double)s->value[DECAY], done(s, step));
}

/* initial / (1 + decay_rate * step / decay_steps) */
static double inverse_time(const struct mi_schedule *s, double step)
{
    return (double)s->value[INITIAL] / (1 + (double)s->value[DECAY] * done(s, step));
}

/* (initial - end) * (1 - step / decay_steps)^power + end; in a cycle decay_steps is its multiple that step has not passed. */
static double polynomial(const struct mi_schedule *s, double step)
{
    double steps = (double)s->value[STEPS], end = (double)s->value[END];
    if (s->value[CYCLE] > 0)
        steps *= step > 0 ? ceil(step / steps) : 1;
    return ((double)s->value[INITIAL] - end) * pow(1 - fmin(step, steps) / steps, (double)s->value[POWER]) + end;
}

#define DECAY_KEYS                                                                                                               \
    {MI_INITIAL_RATE, MI_STEPS("decay_steps", NAN), {"decay_rate", NAN, .most = 1e30f}, {"staircase", 0, .flag = true}}

const struct mi_schedule_row mi_schedule_constant = {.name = "constant", .rate = constant, .keys = {MI_INITIAL_RATE}};
const struct mi_schedule_row mi_schedule_piecewise_constant_decay = {
    .name = "piecewise_constant_decay", .rate = piecewise, .lists = true};
const struct mi_schedule_row mi_schedule_step_decay = {
    .name = "step_decay", .rate = stairs,
    .keys = {MI_INITIAL_RATE, MI_STEPS("step_size", NAN), {"gamma", 0.1f, .most = 1e30f}}};
const struct mi_schedule_row mi_schedule_exponential_decay = {
    .name = "exponential_decay", .rate = exponential, .keys = DECAY_KEYS};
const struct mi_schedule_row mi_schedule_inverse_time_decay = {
    .name = "inverse_time_decay", .rate = inverse_time, .keys = DECAY_KEYS};
const struct mi_schedule_row mi_schedule_polynomial_decay = {
    .name = "polynomial_decay", .rate = polynomial,
    .keys = {MI_INITIAL_RATE, MI_STEPS("decay_steps", NAN), {"end_learning_rate", 1e-4f, .most = 1e30f},
             {"power", 1, .most = 1e30f}, {"cycle", 0, .flag = true}}};
