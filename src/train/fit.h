/* A fit while it runs: what its loop and its callbacks share. */
#ifndef MICA_SRC_TRAIN_FIT_H
#define MICA_SRC_TRAIN_FIT_H

#include "nn/optimizer/optimizer.h"
#include "train/callback/callback.h"
#include "train/history.h"
#include "train/training.h"

/* A plan and what it is fed with. */
struct mi_running {
    mica_plan *plan;
    mica_batches *batches;
};

struct mica_training {
    const mica_fit_desc *desc;
    struct mi_training task;
    struct mi_optimizer optimizer;
    int epochs;
    struct mi_running train, validation;
    uint64_t steps;              /* that the optimizer has made, those of earlier fits too */
    uint64_t first_step;         /* before this fit */
    float first_scale;           /* of the loss in float16 */
    mica_progress now;
    mica_scores *scores;         /* of now, until the history has them */
    bool in_epoch;               /* batches run: scores can be looked at */
    bool asked;                  /* scores are on their way ... */
    int64_t asked_batch;         /* ... as they were behind this batch */
    int64_t good_batch;          /* the last one behind which the loss was a number */
    double epoch_began;
    mica_history *history;
    struct mi_callbacks callbacks;
    struct mi_fit_place {        /* where a training that is resumed goes on; epoch 0: it begins */
        int epoch;
        int64_t batch, samples;  /* of the epoch, that have run */
    } first;
    bool rate_is_set;            /* by a callback */
    bool ended;                  /* a callback asked for the end */
    bool restored;               /* the parameters are those of another epoch */
};

/* Brings the progress up to date: waits for the device; without waiting, where what was asked for has come (look.c). A loss that is
 * no number is MICA_DIVERGED. */
mica_status mi_fit_look(mica_training *fit);
mica_status mi_fit_hear(mica_training *fit);
/* The training is of no use: `what` is no number. */
mica_status mi_fit_diverged(const mica_training *fit, const char *what, float value);
/* In float16 a step whose gradients are no finite numbers is left out: whether that was so with every one of this fit, or with so
 * many that the scale of the loss is as small as it gets. */
mica_status mi_fit_check_scale(const mica_training *fit, bool at_the_end);

#endif
