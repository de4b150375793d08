/* The epochs of a training, one by one. */
#include "train/history.h"

#include "base/base.h"

#include <stdlib.h>

void mica_history_destroy(mica_history *history)
{
    for (int i = 0; history && i < history->count; i++)
        mica_scores_destroy(history->epochs[i].scores);
    if (history)
        free(history->epochs);
    free(history);
}

bool mi_history_add(mica_history *history, const mica_progress *progress, mica_scores *scores)
{
    if (!mi_grow(&history->epochs, &history->capacity, (size_t)history->count + 1, sizeof *history->epochs))
        return false;
    history->epochs[history->count] = (struct mi_epoch){*progress, scores};
    history->epochs[history->count++].progress.training = NULL;
    return true;
}

int mica_history_epochs(const mica_history *history)
{
    return history ? history->count : 0;
}

const mica_progress *mica_history_epoch(const mica_history *history, int i)
{
    return history && i >= 0 && i < history->count ? &history->epochs[i].progress : NULL;
}

double mica_history_compile_seconds(const mica_history *history)
{
    return history ? history->compile_seconds : 0;
}

uint64_t mica_history_peak_bytes(const mica_history *history)
{
    return history ? history->peak_bytes : 0;
}
