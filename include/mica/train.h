/* Training, evaluation and prediction. */
#ifndef MICA_TRAIN_H
#define MICA_TRAIN_H

#include <mica/data.h>
#include <mica/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is known after a batch or an epoch. val_ fields are NaN where nothing was validated, accuracy where not asked. */
typedef struct mica_progress {
    int epoch, epochs;           /* epoch counts from 1 */
    int64_t batch, batches;      /* batch counts from 1; batch == batches: the epoch is over */
    int64_t samples;             /* seen in this epoch */
    float loss, accuracy;        /* means over the samples of this epoch so far, each before its update */
    float val_loss, val_accuracy;
    double seconds;              /* since the epoch began */
} mica_progress;

typedef struct mica_fit_desc {
    const char *loss;            /* required: "mean_squared_error", "binary_crossentropy", "categorical_crossentropy",
                                  * "sparse_categorical_crossentropy" */
    int from_logits;             /* 0: deduced (not all outputs are known to lie between 0 and 1: logits), 1: yes, -1: no */
    mica_optimizer optimizer;
    int64_t batch_size;          /* 0: 32 */
    int epochs;                  /* 0: 1; negative: none */
    float validation_split;      /* of the training part, held out first */
    bool no_shuffle;
    bool accuracy;               /* also measure accuracy */
    uint64_t seed;
    int log_interval;            /* batches between calls of on_batch; 0: only at the end of an epoch */
    bool (*on_batch)(void *user, const mica_progress *now); /* returns false to stop after this batch */
    void *user;
    bool (*stop)(void *user);    /* asked after every batch, without waiting for the device; returns true to stop */
    bool restart;                /* forget what earlier fits of this model left of the optimizer; see mica_fit */
} mica_fit_desc;

typedef struct mica_history mica_history;

/* Trains the model on the training part of the data. The model has one input and one output. Labels that the loss cannot take, and
 * indices that are no row of their embedding, are MICA_DATA and name the sample, before anything is trained. *history may be NULL;
 * otherwise the caller destroys it, also after an error.
 *
 * A second fit goes on where the first ended: with the optimizer's moments, its count of steps and the order of samples that one
 * longer fit would have; an optimizer of another kind, a model that was loaded, and `restart` begin these anew. The parameters
 * stay as they are in any case.
 *
 * A stop asked for by a callback is MICA_CANCELLED, with the whole epochs so far in the history. A loss that is no number, or
 * parameters that are none at the end, are MICA_DIVERGED: the model is of no use then. */
MICA_API mica_status mica_fit(mica_model *model, mica_data *data, const mica_fit_desc *desc, mica_history **history);
MICA_API void mica_history_destroy(mica_history *history);
MICA_API int mica_history_epochs(const mica_history *history);
MICA_API const mica_progress *mica_history_epoch(const mica_history *history, int i);
MICA_API double mica_history_compile_seconds(const mica_history *history);
MICA_API uint64_t mica_history_peak_bytes(const mica_history *history);

typedef struct mica_result {
    int64_t samples;
    float loss, accuracy; /* accuracy is NaN where the task has none */
} mica_result;

/* Loss and accuracy over a part of the data, which is checked as in mica_fit. A model that was fitted or loaded knows its loss;
 * NULL takes that. */
MICA_API mica_status mica_evaluate(mica_model *model, mica_data *data, mica_part part, const char *loss, int from_logits,
                                   mica_result *result);

/* The network's own outputs for n samples of raw inputs, as the training data had them: the model applies the
 * preprocessing that it was fitted with. `count` is n times the outputs of a sample, checked. */
MICA_API mica_status mica_predict(mica_model *model, const float *inputs, int64_t n, float *outputs, size_t count);

/* The same for a part of a data set, whose numbers are normalised before they are rounded to floats. */
MICA_API mica_status mica_predict_data(mica_model *model, const mica_data *data, mica_part part, float *outputs, size_t count);

typedef struct mica_answer {
    int32_t class_index;
    const char *label;    /* borrowed from the model; the index in digits where the class has no name */
    float score;          /* a probability where the loss is a cross-entropy, else the output */
} mica_answer;

/* The k best classes of each sample, best first: n x k answers. */
MICA_API mica_status mica_classify(mica_model *model, const float *inputs, int64_t n, int k, mica_answer *answers);
MICA_API mica_status mica_classify_data(mica_model *model, const mica_data *data, mica_part part, int k, mica_answer *answers);

#ifdef __cplusplus
}
#endif
#endif
