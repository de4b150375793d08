/* Saves a training, or its model alone, as it goes. */
#include "train/fit.h"

#include <math.h>
#include <string.h>

enum { BEST_ONLY, WEIGHTS_ONLY, PERIOD, SAVE_FREQ, SAVE_SECONDS, THRESHOLD };

static const struct mi_number numbers[] = {
    [BEST_ONLY] = {"save_best_only", .otherwise = 0, .most = 1, .flag = true},
    [WEIGHTS_ONLY] = {"save_weights_only", .otherwise = 0, .most = 1, .flag = true},
    [PERIOD] = {"period", .otherwise = 1, .least = 1, .most = 1e9f, .whole = true},
    [SAVE_FREQ] = {"save_freq", .otherwise = 0, .least = 0, .most = 1e9f, .whole = true},
    [SAVE_SECONDS] = {"save_seconds", .otherwise = 0, .least = 0, .most = 1e9f},
    [THRESHOLD] = {"initial_value_threshold", .otherwise = MI_CALLBACK_NONE, .least = -1e30f, .most = 1e30f},
    {0},
};

enum { BEST, SAVED }; /* the second: when, by this process's clock */

/* ---- The path ---- */

/* Adds what stands for "name", "name:03" or "name:.2": the epoch or a score. False: there is no such number. */
static bool add_field(const struct mi_callback *callback, struct mi_text *path, const char *field, size_t size)
{
    const mica_progress *now = &callback->training->now;
    char name[128];
    mi_format(name, sizeof name, "%.*s", (int)(size < sizeof name ? size : sizeof name - 1), field);
    char *format = strchr(name, ':');
    if (format)
        *format++ = 0;
    int digits = format ? (int)mi_read_double(format + (*format == '.'), NULL) : 0;
    digits = digits < 0 ? 0 : digits > 20 ? 20 : digits;
    double score = mica_scores_get(now->scores, name);
    if (!strcmp(name, "epoch"))
        mi_text_add(path, "%0*d", digits, now->epoch);
    else if (format && *format == '.')
        mi_text_add(path, "%.*f", digits, score);
    else
        mi_text_add(path, "%g", score);
    return !strcmp(name, "epoch") || !isnan(score);
}

static mica_status make_path(const struct mi_callback *callback, struct mi_text *path)
{
    for (const char *at = callback->given->path; *at;) {
        const char *end = *at == '{' ? strchr(at, '}') : NULL;
        if (end && !add_field(callback, path, at + 1, (size_t)(end - at - 1)))
            return mi_callback_fail(callback, MICA_INVALID_ARGUMENT, "filepath %s: there is no \"%.*s\" in this epoch",
                                    mi_show(callback->given->path).text, (int)(end - at - 1), at + 1);
        if (!end)
            mi_text_append(path, at, 1);
        at = end ? end + 1 : at + 1;
    }
    return path->failed ? mi_out_of_memory(mi_callback_error(callback)) : MICA_OK;
}

/* ---- Saving ---- */

static mica_status save(struct mi_callback *callback)
{
    struct mi_text path = {0};
    mica_training *training = callback->training;
    mica_status status = make_path(callback, &path);
    callback->state[SAVED] = mi_seconds();
    if (status == MICA_OK)
        status = callback->value[WEIGHTS_ONLY] > 0 ? mica_model_save(training->task.model, mi_text_get(&path))
                                                   : mica_training_save(training, mi_text_get(&path));
    mi_text_destroy(&path);
    return status;
}

static mica_status begin(struct mi_callback *callback)
{
    const char *path = callback->given->path;
    if (callback->value[BEST_ONLY] > 0)
        MI_TRY(mi_monitor_check(callback));
    if (!callback->resumed && isfinite(callback->value[THRESHOLD]))
        callback->state[BEST] = (double)callback->value[THRESHOLD];
    callback->state[SAVED] = mi_seconds();
    return strchr(path, '{') ? MICA_OK : mi_file_check_place(mi_callback_error(callback), path);
}

static mica_status batch(struct mi_callback *callback)
{
    int64_t every = (int64_t)callback->value[SAVE_FREQ];
    double seconds = (double)callback->value[SAVE_SECONDS];
    bool due = every && callback->training->now.batch % every == 0;
    due = due || (seconds > 0 && mi_seconds() - callback->state[SAVED] >= seconds);
    return due && callback->value[BEST_ONLY] <= 0 ? save(callback) : MICA_OK;
}

static mica_status epoch(struct mi_callback *callback)
{
    if (callback->training->now.epoch % (int)callback->value[PERIOD] || callback->value[SAVE_FREQ] > 0)
        return MICA_OK;
    if (callback->value[BEST_ONLY] <= 0)
        return save(callback);
    double score = mi_monitored(callback);
    if (!mi_is_better(callback, score, callback->state[BEST], 0))
        return MICA_OK;
    callback->state[BEST] = score;
    return save(callback);
}

/* A training that was stopped is not lost; a path that names scores may have none of them in the middle of an epoch. */
static mica_status end(struct mi_callback *callback, mica_status how)
{
    bool saved = callback->value[BEST_ONLY] <= 0 && !strchr(callback->given->path, '{');
    return how == MICA_CANCELLED && saved && callback->training->now.batch > 0 ? save(callback) : MICA_OK;
}

const struct mi_callback_row mi_callback_model_checkpoint = {
    .name = "model_checkpoint", .saves = true, .numbers = numbers, .begin = begin, .batch = batch, .epoch = epoch, .end = end,
    .keys = (const struct mi_key[]){MI_CALLBACK_PATH("filepath"), MI_CALLBACK_MONITOR, MI_CALLBACK_NUMBERS(numbers), {0}}};
