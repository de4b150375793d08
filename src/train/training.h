/* A training or evaluation task: a model beside data, and what its outputs are compared with. */
#ifndef MICA_SRC_TRAIN_TRAINING_H
#define MICA_SRC_TRAIN_TRAINING_H

#include "data/data.h"
#include "nn/objective.h"

#include <mica/train.h>

struct mi_training {
    mica_model *model;
    mica_data *data;
    mica_objective *objectives;   /* (count) as they were given, with what the data say; owned */
    float **class_weights;        /* (count) that were computed, or NULL; owned */
    int count;
};

/* The objectives of a description, short or long. *one holds the short form. */
const mica_objective *mi_fit_objectives(const mica_fit_desc *desc, mica_objective *one, int *count);
/* Those of a model: as it was trained, or such as its outputs mostly have. `out` has room for one of each output. Returns how
 * many. */
int mi_usual_objectives(const mica_model *model, mica_objective *out);

/* Instead of an objective's metrics: every one that its output and targets have. */
#define MI_ALL_METRICS "*"

/* Checks that model, objectives and data fit together: a field for each input and each target, which the loss takes; labels in
 * its range; indices that are rows of their embedding. data NULL: only the objectives are looked at. Data of another shape
 * with as many elements are reshaped. mi_training_end in any case. */
mica_status mi_training_begin(struct mi_error *error, mica_model *model, mica_data *data, const mica_objective *objectives,
                              int count,
                          struct mi_training *task);
void mi_training_end(struct mi_training *task);
/* Sets the weights of classes that should count alike, over the training part. */
mica_status mi_training_balance(struct mi_error *error, struct mi_training *task);

/* The field that feeds an input of a model or of a plan: of that name, or the only one of its role where `only`. */
struct mi_field *mi_training_field(const mica_data *data, mica_role role, const char *name, bool only);

/* The field that feeds an input of a model: of its name, or the only one where the model has no other; of an input's lengths that
 * of how many steps each sample has. NULL: there is none, or no memory. */
struct mi_field *mi_input_field(mica_data *data, const struct mi_graph *graph, const mi_value *input);

/* Gives a field the shape of the input that it feeds: of one whose steps vary, as many as that has at most. */
mica_status mi_field_fit(mica_data *data, struct mi_field *field, const struct mi_graph *graph, const mi_value *input,
                         struct mi_error *error, const char *place);

/* Whether any number is an element of an input, which names no rows (mi_index_rows) either. */
bool mi_numbers_are_free(const mi_value *input, int64_t rows);
/* The first number of a sample that is none of the input's type, or no row of an embedding; count: there is none. And what is
 * said of it: MICA_DATA. */
size_t mi_first_wrong(const mi_value *input, const double *numbers, size_t count, int64_t rows);
mica_status mi_numbers_refuse(struct mi_error *error, const char *sample, const struct mi_preprocess *preprocess,
                              const mi_value *input, const double *numbers, size_t at, int64_t rows);

/* Sees to it that model->predictor is there, and takes n samples, or as many as it ever does, in a run (predict.c). */
mica_status mi_model_predictor(mica_model *model, int64_t n);

/* Whether a part of the data has samples for all inputs of the model but one that is `apart` (NULL: none). */
mica_status mi_samples_check(mica_model *model, mica_data *data, mica_part part, const mi_value *apart);
/* Samples of an input as elements of its type, (count, elements of a sample), which are checked as prediction does; the data
 * were. */
mica_status mi_samples_stage(mica_model *model, mica_data *data, mica_part part, int64_t first, int64_t count, size_t input,
                             void *out);

/* Layers learn from the training part: those that have yet to; `again`: all that learn (adapt.c). */
mica_status mi_adapt(mica_model *model, mica_data *data, bool again);

/* How a training step without data is compiled (usual.c): described, engine and variant as mi_model_compile has them. */
struct mi_fit_plan_desc {
    int64_t batch;
    bool described;
    const char *engine;
    int variant;
};
/* The plan of a step of a fit; of one with Adam and the model's usual losses. NULL: memory. */
mica_plan *mi_fit_plan(mica_model *model, const mica_fit_desc *fit, const struct mi_fit_plan_desc *how);
mica_plan *mi_training_plan(mica_model *model, const struct mi_fit_plan_desc *how);

/* mica_batches_begin with a batch in the middle of the epoch. */
mica_status mi_batches_begin_at(mica_batches *batches, uint64_t epoch, int64_t batch);

/* Runs a plan over an epoch of batches, and appends what it measures. */
mica_status mi_measure(mica_plan *plan, mica_batches *batches, const char *prefix, struct mi_error *error, mica_scores *scores);

/* ---- Scores (scores.c) ---- */

mica_scores *mi_scores_create(void); /* NULL: out of memory */
/* Appends a plan's metrics, each name behind `prefix`: as they came last; as they are, for which it waits. */
mica_status mi_scores_take(mica_scores *scores, struct mi_error *error, const mica_plan *plan, const char *prefix);
mica_status mi_scores_read(mica_scores *scores, struct mi_error *error, mica_plan *plan, const char *prefix);
void mi_scores_set(mica_scores *scores, const char *name, double value); /* of a score that is there */
/* Metrics that are more exact of all answers than of sums (exact.c). */
mica_status mi_scores_exact(const struct mi_training *training, mica_part part, mica_scores *scores);
bool mi_scores_add(mica_scores *scores, const char *prefix, const char *name, double value, const float *parts, int part_count);

#endif
