/* What a training leaves behind. */
#ifndef MICA_SRC_TRAIN_HISTORY_H
#define MICA_SRC_TRAIN_HISTORY_H

#include <mica/train.h>

struct mica_history {
    struct mi_epoch {
        mica_progress progress;
        mica_scores *scores;    /* its own */
    } *epochs;
    int count;
    size_t capacity;
    double compile_seconds;
    uint64_t peak_bytes;
};

/* Adds an epoch; takes the scores. False: out of memory. */
bool mi_history_add(mica_history *history, const mica_progress *progress, mica_scores *scores);

#endif
