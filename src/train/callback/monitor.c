/* Scores that callbacks monitor: whether there is one of that name, what it is, and what is better. */
#include "train/fit.h"

#include <math.h>
#include <string.h>

const char *const mi_callback_modes[] = {"auto", "min", "max", NULL};

const char *mi_monitor(const struct mi_callback *callback)
{
    return callback->given->monitor ? callback->given->monitor : "val_loss";
}

double mi_monitored(const struct mi_callback *callback)
{
    return mica_scores_get(callback->training->now.scores, mi_monitor(callback));
}

bool mi_is_better(const struct mi_callback *callback, double score, double than, double margin)
{
    if (isnan(score) || isnan(than))
        return !isnan(score);
    return callback->rises ? score - margin > than : score + margin < than;
}

/* ---- Whether a training has it ---- */

/* Whether a larger one is better: the metric that the name ends in says so, a loss falls. */
static bool rises(const char *score)
{
    size_t length = strlen(score), longest = 0;
    bool up = false;
    for (const struct mi_metric_row *const *row = mi_metric_rows; *row; row++) {
        size_t size = strlen((*row)->name);
        bool ends = size <= length && !strcmp(score + length - size, (*row)->name) &&
                    (size == length || score[length - size - 1] == '_');
        if (ends && size > longest) {
            longest = size;
            up = (*row)->rises;
        }
    }
    return up;
}

/* The names of a training's scores, up to the end of the list; false: memory ran out. */
static bool list_scores(const mica_training *training, struct mi_arena *arena, const char **names, size_t most)
{
    const struct mi_running *const parts[] = {&training->train, &training->validation};
    static const char *const prefixes[] = {"", "val_"};
    size_t count = 0;
    for (int p = 0; p < 2; p++)
        for (int i = 0; i < mica_plan_metric_count(parts[p]->plan) && count + 1 < most; i++)
            names[count++] = mi_arena_format(arena, "%s%s", prefixes[p], mica_plan_metric_name(parts[p]->plan, i));
    names[count] = NULL;
    return !arena->failed;
}

mica_status mi_monitor_check(struct mi_callback *callback)
{
    enum { MOST_SCORES = 128 };
    const mica_training *training = callback->training;
    const char *names[MOST_SCORES], *monitor = mi_monitor(callback), *mode = callback->given->mode;
    struct mi_arena arena = {0};
    bool known = false, listed = list_scores(training, &arena, names, MOST_SCORES);
    for (int i = 0; names[i]; i++)
        known = known || !strcmp(names[i], monitor);
    callback->rises = mode && strcmp(mode, "auto") ? !strcmp(mode, "max") : rises(monitor);
    mica_status status = MICA_OK;
    if (!listed)
        status = mi_out_of_memory(mi_callback_error(callback));
    else if (!known && !training->validation.plan && !strncmp(monitor, "val_", 4))
        status = mi_callback_fail(callback, MICA_INVALID_ARGUMENT, "there is no \"%s\" to monitor: no data are for validation",
                                  mi_show(monitor).text);
    else if (!known)
        status = mi_callback_fail(callback, MICA_INVALID_ARGUMENT, "there is no score \"%s\" to monitor%s", mi_show(monitor).text,
                                  mi_advise(monitor, names).text);
    mi_arena_destroy(&arena);
    return status;
}
