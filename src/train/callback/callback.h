/* Callbacks: a row each. What a training does beside its steps.
 *
 * Adding one: its row in a file of this folder, and its name in MI_CALLBACKS; docs/adding-a-callback.md. */
#ifndef MICA_SRC_TRAIN_CALLBACK_H
#define MICA_SRC_TRAIN_CALLBACK_H

#include "nn/settings.h"
#include "train/callback/kept.h"

#include <mica/train.h>

enum { MI_MOST_CALLBACK_STATES = 4 };

/* One callback of a training. */
struct mi_callback {
    const struct mi_callback_row *row;
    const mica_callback *given;
    int number;                          /* in the list */
    float value[MICA_MOST_CALLBACK_SETTINGS]; /* of the row's numbers */
    bool resumed;                        /* the state was there before this training began */
    bool rises;                          /* a larger score of the monitor is better */
    mica_training *training;
    double state[MI_MOST_CALLBACK_STATES]; /* what goes on with a training that is resumed; NaN where `begin` sets nothing */
    struct mi_kept kept;                 /* the same of weights */
};

struct mi_callback_row {
    const char *name;
    /* Of mica_callback, as jobs have them; MI_CALLBACK_MONITOR and others below. Ends with one without a name. */
    const struct mi_key *keys;
    const struct mi_number *numbers;     /* of the keys those that are settings; ends with one without a name */
    const char *in_c_alone;              /* it takes a function; what a job has instead. NULL: jobs have it too */
    bool saves;                          /* it writes down what the others have made of an epoch: it comes after them */
    /* Each may be NULL. MICA_CANCELLED stops the training. */
    mica_status (*begin)(struct mi_callback *callback);
    mica_status (*epoch_begin)(struct mi_callback *callback);
    mica_status (*batch)(struct mi_callback *callback);
    mica_status (*epoch)(struct mi_callback *callback);
    mica_status (*end)(struct mi_callback *callback, mica_status how); /* how it ended; also after an error */
};

/* The callbacks, one a line. */
#define MI_CALLBACKS(X)                                                                                                          \
    X(early_stopping)                                                                                                            \
    X(model_checkpoint)                                                                                                          \
    X(reduce_lr_on_plateau)                                                                                                      \
    X(learning_rate_scheduler)                                                                                                   \
    X(terminate_on_nan)                                                                                                          \
    X(csv_logger)                                                                                                                \
    X(tensorboard)

extern const struct mi_callback_row *const mi_callback_rows[];  /* NULL-terminated (table.c) */
extern const char *const mi_callback_names[];                   /* for messages */
const struct mi_callback_row *mi_callback_find(const char *type); /* NULL: none of that name; of NULL the application's own */

/* Finds the row and checks the settings, which need no training. `place` begins errors: "callbacks[1]". */
mica_status mi_callback_resolve(struct mi_error *error, const char *place, const mica_callback *given, struct mi_callback *out);

/* Keys of rows. */
#define MI_CALLBACK_MONITOR                                                                                                      \
    MI_KEY(mica_callback, "monitor", MI_KEY_TEXT, monitor),                                                                      \
    MI_KEY_WITH(mica_callback, "mode", MI_KEY_TEXT, mode, .choices = mi_callback_modes)
#define MI_CALLBACK_PATH(key) MI_KEY_WITH(mica_callback, key, MI_KEY_TEXT, path, .required = true)
#define MI_CALLBACK_NUMBERS(list)                                                                                                \
    MI_KEY_WITH(mica_callback, "setting", MI_KEY_NUMBERS, setting, .numbers = (list), .second = MICA_MOST_CALLBACK_SETTINGS)
extern const char *const mi_callback_modes[];
/* A number that is optional: none is infinite. */
#define MI_CALLBACK_NONE INFINITY

/* ---- All of a training (all.c) ---- */

struct mi_callbacks {
    struct mi_callback *list;
    int count;
};

/* Makes those of the training's description. */
mica_status mi_callbacks_make(mica_training *training);
void mi_callbacks_destroy(struct mi_callbacks *callbacks);
/* One after the other; the first that does not go on ends the calls. At the end all are called. */
mica_status mi_callbacks_begin(const struct mi_callbacks *callbacks);
mica_status mi_callbacks_epoch_begin(const struct mi_callbacks *callbacks);
mica_status mi_callbacks_batch(const struct mi_callbacks *callbacks);
mica_status mi_callbacks_epoch(const struct mi_callbacks *callbacks);
mica_status mi_callbacks_end(const struct mi_callbacks *callbacks, mica_status how);

/* ---- For rows ---- */

/* The score that a callback monitors: whether the training has one of that name, and what is better; what it is, NaN where there is
 * none in this epoch; its name. */
mica_status mi_monitor_check(struct mi_callback *callback);
double mi_monitored(const struct mi_callback *callback);
const char *mi_monitor(const struct mi_callback *callback);
/* Whether a score is better than another one by more than `margin`; than NaN any number is. */
bool mi_is_better(const struct mi_callback *callback, double score, double than, double margin);
/* Whether the optimizer's rate can be set: it is no schedule. */
mica_status mi_callback_check_rate(const struct mi_callback *callback);
/* A state as a number of bytes; of what is none, 0. */
uint64_t mi_callback_bytes(double state);
struct mi_error *mi_callback_error(const struct mi_callback *callback);
/* An error of this callback's; "callbacks[1] csv_logger: ". */
mica_status mi_callback_fail(const struct mi_callback *callback, mica_status status, const char *format, ...) MI_PRINTF(3, 4);

#endif
