/* Callbacks: what a training does beside its steps. Names, arguments and defaults are Keras 3's (docs/defaults.md has the
 * exceptions).
 *
 *     const mica_callback callbacks[] = {
 *         {"early_stopping", .setting = {{"patience", 3}, {"restore_best_weights", 1}}},
 *         {"csv_logger", .path = "log.csv"},
 *         {.epoch = show}};
 */
#ifndef MICA_CALLBACK_H
#define MICA_CALLBACK_H

#include <mica/model.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mica_scores mica_scores;
typedef struct mica_training mica_training; /* a mica_fit that runs; callbacks alone see it */

/* What is known of a training. */
typedef struct mica_progress {
    int epoch, epochs;           /* epoch counts from 1 */
    int64_t batch, batches;      /* batch counts from 1; batch == batches: all batches of the epoch have run */
    int64_t samples;             /* seen in this epoch */
    float loss, val_loss;        /* means over the samples of this epoch that were measured; NaN: none yet, nothing was validated */
    const mica_scores *scores;   /* these and the metrics, each before its update; those of the validation part begin with "val_".
                                  * Between epochs' ends as they were when somebody last looked; NULL: nobody has in this epoch */
    double seconds;              /* since the epoch began */
    float learning_rate;         /* of the last step */
    mica_training *training;     /* for the calls below, while a callback runs; NULL in a history */
} mica_progress;

/* ---- Descriptions ---- */

#define MICA_MOST_CALLBACK_SETTINGS 8

/* A callback by its name, and what is not as by default:
 *
 *     early_stopping        ends the training where `monitor` has not got better by more than min_delta (0) for `patience` (0)
 *                           epochs; epochs up to start_from_epoch (0) do not count, and a score is only worth waiting on where it
 *                           is better than `baseline` (none), too. restore_best_weights (false): the model ends with the weights
 *                           of its best epoch
 *     model_checkpoint      saves the training (mica_training_save) at `path` at the end of every `period` (1) epochs, or with
 *                           save_freq (0) after every so many batches of an epoch; and where it is stopped; with save_seconds (0)
 *                           also where so many have passed since. save_weights_only (false): the model alone. save_best_only
 *                           (false): only where `monitor` is better than ever, and than initial_value_threshold (none). In the
 *                           path "{epoch}" and "{val_loss}" stand for these numbers, "{epoch:03}" for three digits,
 *                           "{val_loss:.2}" for two decimals
 *     reduce_lr_on_plateau  multiplies the rate by `factor` (0.1), down to min_lr (0), where `monitor` has not got better by more
 *                           than min_delta (1e-4) for `patience` (10) epochs, and then waits for `cooldown` (0) epochs
 *     learning_rate_scheduler  sets the rate of each epoch to schedule(user, epoch, rate), epoch counting from 1
 *     terminate_on_nan      ends the training soon after a step whose loss is no number: MICA_DIVERGED, and the batches
 *                           within which that was
 *     csv_logger            writes a line for each epoch at `path`: its number, the scores, the rate and the seconds, with
 *                           `separator` (",") between them. append (false): behind what is there
 *     tensorboard           writes the scores of each epoch for TensorBoard, in the folders train and validation of `path`
 *
 * Files are replaced or added to whole, and are as they were where that fails, which ends the training with MICA_IO.
 *
 * Without a type it is the application's own: what is not NULL is called before the first step, after each batch and epoch, and at
 * the end, also after a stop and an error. A call that returns false stops the training: MICA_CANCELLED. Callbacks are called in
 * their order; those that save come after the others. */
typedef struct mica_callback {
    const char *type;
    const char *monitor;         /* a score, by its name; NULL: "val_loss" */
    const char *mode;            /* "min" or "max": what is better; NULL or "auto": max of metrics such as "val_accuracy" */
    const char *path;            /* in jobs filepath, filename or log_dir */
    const char *separator;
    mica_setting setting[MICA_MOST_CALLBACK_SETTINGS]; /* up to the first without a key */
    double (*schedule)(void *user, int epoch, double learning_rate);
    bool (*begin)(void *user, const mica_progress *now);
    bool (*batch)(void *user, const mica_progress *now); /* waits for nothing: `scores` are of the last look */
    bool (*epoch)(void *user, const mica_progress *now); /* the epoch is over, its scores are known */
    bool (*end)(void *user, const mica_progress *now);
    void *user;
} mica_callback;

/* ---- Calls in a callback, on now->training ---- */

MICA_API mica_model *mica_training_model(mica_training *training);
/* Waits for the device, and brings the scores of `now` up to date, of this epoch so far. */
MICA_API mica_status mica_training_look(mica_training *training);
/* The same without waiting: asks for the scores as they are behind this batch, which `now` has after one of the next ones. */
MICA_API mica_status mica_training_ask(mica_training *training);
/* The rate of the steps that follow. An optimizer whose rate is a schedule has none to set: MICA_INVALID_ARGUMENT. */
MICA_API mica_status mica_training_set_learning_rate(mica_training *training, double learning_rate);
/* Ends the training after this batch or epoch; mica_fit returns MICA_OK. */
MICA_API mica_status mica_training_stop(mica_training *training);

/* Saves what the training can be gone on with (mica_fit_desc.resume): a model's file with the optimizer's state, the place in the
 * epoch and the callbacks' states beside it, and a checksum. The file is replaced whole, or left as it was. Waits. */
MICA_API mica_status mica_training_save(mica_training *training, const char *path);

#ifdef __cplusplus
}
#endif
#endif
