/* Training, evaluation and prediction. */
#ifndef MICA_TRAIN_H
#define MICA_TRAIN_H

#include <mica/callback.h>
#include <mica/data.h>
#include <mica/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Scores: the loss and the metrics of an epoch or of an evaluation, by their names ---- */

MICA_API void mica_scores_destroy(mica_scores *scores); /* NULL is fine */
MICA_API int mica_scores_count(const mica_scores *scores);
MICA_API const char *mica_scores_name(const mica_scores *scores, int i); /* "loss", "val_accuracy", "kind_loss" */
MICA_API double mica_scores_value(const mica_scores *scores, int i);
MICA_API double mica_scores_get(const mica_scores *scores, const char *name); /* NaN: there is none of that name */
/* The numbers that a score consists of: of a confusion matrix its rows, by the true class. Borrowed; NULL: it is one number. */
MICA_API const float *mica_scores_parts(const mica_scores *scores, const char *name, int *count);

/* ---- Batches: data fed to a plan, prepared while the device works ---- */

typedef struct mica_batches mica_batches;

#define MICA_ALL_SAMPLES (-1)        /* of a batch size: one batch is the whole part */

typedef struct mica_batches_desc {
    mica_part part;
    int64_t batch_size;              /* 0: as many as the plan takes */
    bool shuffle;                    /* each epoch in an order of its own */
    uint64_t seed;                   /* of these orders */
    bool bucket_by_length;           /* batches have samples of similar lengths (of texts, and `lengths` of mica_field): samples in
                                      * their order are taken in pools of up to 50 batches, a quarter of them all at most, each
                                      * sorted by length. Where they are shuffled the batches are, too, but for a smaller one at
                                      * the end. Data whose samples all have as many steps are MICA_INVALID_ARGUMENT */
} mica_batches_desc;

/* Feeds the plan's inputs from the fields of the data: a field of the input's name; for an input "OUTPUT_target" the target,
 * and for "OUTPUT_weight" the weight of that output; where there is one of a role alone, its name does not matter. Plan and
 * data outlive the batches. An input without a field, or one of another size, is an error. Several plans, also of several
 * models, can be fed from the same data at once; only where text labels are numbers of outputs for one of them and names for
 * another, the later is refused. */
MICA_API mica_status mica_batches_create(mica_plan *plan, mica_data *data, const mica_batches_desc *desc, mica_batches **out);
MICA_API void mica_batches_destroy(mica_batches *batches); /* NULL is fine */
MICA_API int64_t mica_batches_count(const mica_batches *batches);        /* in an epoch */
MICA_API mica_status mica_batches_begin(mica_batches *batches, uint64_t epoch);
/* Feeds the next batch, of *n samples; 0: the epoch is over. Waits for the device only where it is two batches behind. */
MICA_API mica_status mica_batches_next(mica_batches *batches, int64_t *n);

/* ---- Layers that learn from data before the first step (layers/preprocessing.h) ---- */

/* Each such layer learns its statistics from the training part, in the order of the network, from what the layers before it
 * make of it. mica_fit does that for layers that have not learnt yet; this call for all of them, as Keras's adapt does. Plans
 * see the new values; one that needs a layer that has not learnt does not compile. */
MICA_API mica_status mica_model_adapt(mica_model *model, mica_data *data);

/* ---- Training ---- */

typedef struct mica_fit_desc {
    /* One output: */
    const char *loss;            /* a name of losses.h: "mean_squared_error" */
    int from_logits;             /* 0: deduced (not all outputs are known to lie between 0 and 1: logits), 1: yes, -1: no */
    mica_metric metrics[MICA_MOST_METRICS];
    /* Or several, or weights of classes; `classes` and `sample_weight` are what the data say: */
    const mica_objective *objectives;
    int objective_count;

    mica_optimizer optimizer;
    const mica_optimizer_group *groups; /* (group_count) of the optimizer */
    int group_count;
    const mica_schedule *schedule; /* of the optimizer's rate; NULL: it stays as it is */
    const char *train;           /* which variables may change, as mica_plan_desc has it */
    int64_t batch_size;          /* 0: 32; MICA_ALL_SAMPLES: batch gradient descent */
    int epochs;                  /* 0: 1; negative: none */
    float validation_split;      /* of the training part, held out first */
    mica_data *validation;       /* instead: the training part of other data */
    bool no_shuffle;
    bool bucket_by_length;       /* as mica_batches_desc has it */
    uint64_t seed;
    const char *resume;          /* a file that model_checkpoint or mica_training_save has written: the training goes on from there,
                                  * also in the middle of an epoch, to the same bits as if it had never stopped; its epochs are
                                  * those in all. NULL: it begins */
    const mica_callback *callbacks; /* (callback_count) */
    int callback_count;
    mica_type precision;         /* of training, as mica_plan_desc has it; evaluation is in float32 */
    bool restart;                /* forget what earlier fits of this model left of the optimizer; see mica_fit */
} mica_fit_desc;

typedef struct mica_history mica_history;

/* Trains the model on the training part of the data; with use_ema, the parameters are their averages at the end: a plan with
 * objectives, in a loop over its batches (examples/loop.c is that loop). Targets that a loss cannot take, and indices that are
 * no row of their embedding, are MICA_DATA and name the sample, before anything is trained. *history may be NULL; otherwise
 * the caller destroys it, also after an error.
 *
 * A second fit goes on where the first ended: with the optimizer's moments, its count of steps and the order of samples that
 * one longer fit would have; an optimizer of another kind, a model that was loaded, and `restart` begin these anew. The
 * parameters stay as they are in any case.
 *
 * A stop asked for by a callback is MICA_CANCELLED, with the whole epochs so far in the history. A loss that is no number, or
 * parameters that are none at the end, are MICA_DIVERGED: the model is of no use then. */
MICA_API mica_status mica_fit(mica_model *model, mica_data *data, const mica_fit_desc *desc, mica_history **history);
MICA_API void mica_history_destroy(mica_history *history);
MICA_API int mica_history_epochs(const mica_history *history);
MICA_API const mica_progress *mica_history_epoch(const mica_history *history, int i);
MICA_API double mica_history_compile_seconds(const mica_history *history);
MICA_API uint64_t mica_history_peak_bytes(const mica_history *history);

/* ---- Evaluation and prediction ---- */

/* Loss and metrics over a part of the data, which is checked as in mica_fit. count 0: the losses that a model was fitted with,
 * which a file keeps, and every metric that its outputs have. The caller destroys *scores; NULL after an error. */
MICA_API mica_status mica_evaluate(mica_model *model, mica_data *data, mica_part part, const mica_objective *objectives, int count,
                                   mica_scores **scores);

/* The network's own outputs for n samples of raw inputs, as the training data had them: the model applies the
 * preprocessing that it was fitted with. It has one input; of several outputs, the first is meant. `count` is n times the outputs
 * of a sample, checked. */
MICA_API mica_status mica_predict(mica_model *model, const float *inputs, int64_t n, float *outputs, size_t count);

/* The same for a part of a data set, of all inputs, whose numbers are normalised before they are rounded to floats. output NULL:
 * the
 * first. */
MICA_API mica_status mica_predict_data(mica_model *model, mica_data *data, mica_part part, const char *output, float *outputs,
                                       size_t count);

typedef struct mica_answer {
    int32_t class_index;
    const char *label;    /* borrowed from the model; the index in digits where the class has no name */
    float score;          /* a probability where the loss is a cross-entropy, else the output */
} mica_answer;

/* The k best classes of each sample, best first: n x k answers. */
MICA_API mica_status mica_classify(mica_model *model, const float *inputs, int64_t n, int k, mica_answer *answers);
MICA_API mica_status mica_classify_data(mica_model *model, mica_data *data, mica_part part, const char *output, int k,
                                        mica_answer *answers);

#ifdef __cplusplus
}
#endif
#endif
