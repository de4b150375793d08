/* Ends a training that gets no better. */
#include "train/fit.h"

#include <math.h>

enum { MIN_DELTA, PATIENCE, BASELINE, START_FROM_EPOCH, RESTORE };

static const struct mi_number numbers[] = {
    [MIN_DELTA] = {"min_delta", .otherwise = 0, .least = 0, .most = 1e30f},
    [PATIENCE] = {"patience", .otherwise = 0, .least = 0, .most = 1e9f, .whole = true},
    [BASELINE] = {"baseline", .otherwise = MI_CALLBACK_NONE, .least = -1e30f, .most = 1e30f},
    [START_FROM_EPOCH] = {"start_from_epoch", .otherwise = 0, .least = 0, .most = 1e9f, .whole = true},
    [RESTORE] = {"restore_best_weights", .otherwise = 0, .most = 1, .flag = true},
    {0},
};

enum { BEST, WAITED };

static mica_status begin(struct mi_callback *callback)
{
    MI_TRY(mi_monitor_check(callback));
    if (!callback->resumed)
        callback->state[WAITED] = 0;
    return MICA_OK;
}

static mica_status keep(struct mi_callback *callback)
{
    return callback->value[RESTORE] > 0 ? mi_kept_take(&callback->kept, callback->training->task.model) : MICA_OK;
}

static mica_status epoch(struct mi_callback *callback)
{
    mica_training *training = callback->training;
    const double score = mi_monitored(callback), margin = (double)callback->value[MIN_DELTA];
    const double baseline = (double)callback->value[BASELINE];
    if (isnan(score) || (float)training->now.epoch <= callback->value[START_FROM_EPOCH])
        return MICA_OK;
    callback->state[WAITED]++;
    if (mi_is_better(callback, score, callback->state[BEST], margin)) {
        callback->state[BEST] = score;
        if (isinf(baseline) || mi_is_better(callback, score, baseline, margin))
            callback->state[WAITED] = 0;
        return keep(callback);
    }
    return callback->state[WAITED] >= (double)callback->value[PATIENCE] ? mica_training_stop(training) : MICA_OK;
}

static mica_status end(struct mi_callback *callback, mica_status how)
{
    if (how != MICA_OK || !callback->kept.count)
        return MICA_OK;
    callback->training->restored = true;
    return mi_kept_give(&callback->kept, callback->training->task.model);
}

const struct mi_callback_row mi_callback_early_stopping = {
    .name = "early_stopping", .numbers = numbers, .begin = begin, .epoch = epoch, .end = end,
    .keys = (const struct mi_key[]){MI_CALLBACK_MONITOR, MI_CALLBACK_NUMBERS(numbers), {0}}};
