/* What the loss of a model is raised by: penalties on parameters and on what layers give. */
#ifndef MICA_SRC_NN_PENALTY_H
#define MICA_SRC_NN_PENALTY_H

#include "nn/model.h"
#include "nn/regularizer.h"

/* From now on `of` is penalized, a parameter's value or what a layer gives. */
mica_status mi_penalty_add(mica_model *model, struct mi_error *error, mi_value *of, const mica_regularizer *given,
                           bool inputs_first);

/* Scalars of a plan's graph; NULL: there is none. */
struct mi_penalties {
    mi_value *parameters;
    mi_value *differentiated;     /* those on parameters whose derivative no update adds */
    mi_value *activities;         /* the sum over the samples of a run */
};

/* The derivatives of a parameter's penalties that an update can add to the gradient: l1 * sign(p) + l2 * p. */
void mi_penalty_slopes(const mica_model *model, const struct mi_variable *parameter, float *l1, float *l2);

/* Adds the penalties of all that `roots` depend on, in a copy of the model's graph that no pass has changed. Of parameters those
 * count that are trained: not frozen, and named by `train` (NULL: all are). updates_add: their updates add the slopes above. */
mica_status mi_penalties_add(const mica_model *model, struct mi_graph *graph, const char *train, mi_value *const *roots,
                             size_t root_count, bool updates_add, struct mi_penalties *out);

/* A mean over the samples of a run, raised by the penalties: as it is told, or as it is to be differentiated. A sum over the
 * samples, raised so that its mean is. */
mi_value *mi_penalties_to_mean(struct mi_graph *graph, const struct mi_penalties *penalties, bool told, mi_value *mean);
mi_value *mi_penalties_to_sum(struct mi_graph *graph, const struct mi_penalties *penalties, mi_value *sum);

#endif
