/* Makes the rate smaller where a training gets no better. */
#include "train/fit.h"

#include <math.h>

enum { FACTOR, PATIENCE, MIN_DELTA, COOLDOWN, MIN_LR };

static const struct mi_number numbers[] = {
    [FACTOR] = {"factor", .otherwise = 0.1f, .least = 0, .most = 1, .below = true},
    [PATIENCE] = {"patience", .otherwise = 10, .least = 0, .most = 1e9f, .whole = true},
    [MIN_DELTA] = {"min_delta", .otherwise = 1e-4f, .least = 0, .most = 1e30f},
    [COOLDOWN] = {"cooldown", .otherwise = 0, .least = 0, .most = 1e9f, .whole = true},
    [MIN_LR] = {"min_lr", .otherwise = 0, .least = 0, .most = 1e30f},
    {0},
};

enum { BEST, WAITED, COOLING };

static mica_status begin(struct mi_callback *callback)
{
    MI_TRY(mi_monitor_check(callback));
    MI_TRY(mi_callback_check_rate(callback));
    if (!callback->resumed)
        callback->state[WAITED] = callback->state[COOLING] = 0;
    return MICA_OK;
}

static mica_status reduce(struct mi_callback *callback)
{
    float rate = callback->training->now.learning_rate, least = callback->value[MIN_LR];
    if (rate <= least)
        return MICA_OK;
    callback->state[WAITED] = 0;
    callback->state[COOLING] = (double)callback->value[COOLDOWN];
    return mica_training_set_learning_rate(callback->training, (double)fmaxf(rate * callback->value[FACTOR], least));
}

static mica_status epoch(struct mi_callback *callback)
{
    double *state = callback->state, score = mi_monitored(callback);
    if (isnan(score))
        return MICA_OK;
    if (state[COOLING] > 0) {
        state[COOLING]--;
        state[WAITED] = 0;
    }
    if (mi_is_better(callback, score, state[BEST], (double)callback->value[MIN_DELTA])) {
        state[BEST] = score;
        state[WAITED] = 0;
        return MICA_OK;
    }
    if (state[COOLING] > 0)
        return MICA_OK;
    state[WAITED]++;
    return state[WAITED] >= (double)callback->value[PATIENCE] ? reduce(callback) : MICA_OK;
}

const struct mi_callback_row mi_callback_reduce_lr_on_plateau = {
    .name = "reduce_lr_on_plateau", .numbers = numbers, .begin = begin, .epoch = epoch,
    .keys = (const struct mi_key[]){MI_CALLBACK_MONITOR, MI_CALLBACK_NUMBERS(numbers), {0}}};
