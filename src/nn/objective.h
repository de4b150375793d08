/* What outputs are trained and measured by: targets, losses and metrics that a plan adds behind a copy of the model's graph. */
#ifndef MICA_SRC_NN_OBJECTIVE_H
#define MICA_SRC_NN_OBJECTIVE_H

#include "nn/loss/loss.h"
#include "nn/metric/metric.h"

/* An objective that is known to fit a model. */
struct mi_objective {
    const char *output;           /* the name of the model's output; the graph's */
    const mi_value *mask;         /* which steps of the output are real, in the model's graph; NULL: all */
    struct mi_loss loss;
    struct mi_places places;      /* of the output, which are samples of their own */
    float weight;
    bool classes, sample_weight;
    const float *class_weight;    /* borrowed */
    int class_count;
    mica_scale scale;             /* borrowed */
    struct mi_metric metrics[MICA_MOST_METRICS];
    int metric_count;
};

/* Finds output, loss and metrics, and checks that they fit; errors name the output where there are several. */
mica_status mi_objective_resolve(struct mi_error *error, const mica_model *model, const mica_objective *given,
                                 struct mi_objective *out);

/* Samples are places, where these are samples of their own. */
struct mi_objective_nodes {
    mi_value *output;             /* what is compared */
    mi_value *target;             /* the same of an input */
    mi_value *counted;            /* which samples count, (n) of bools, and how many: a scalar; NULL: all */
    mi_value *count;
    mi_value *sum;                /* scalar: over the samples, of each sample's loss as often as it counts */
    mi_value *mean;               /* scalar: sum / n, or sum / count; 0 where none counts */
};

/* Adds the inputs of target and weight, and the loss. training: classes count as they should. */
mica_status mi_objective_add(struct mi_graph *graph, const struct mi_objective *objective, bool training,
                             struct mi_objective_nodes *nodes);

/* The names of the inputs that an output's target and weights come in by: "OUTPUT_target", "OUTPUT_weight". The graph's. */
const char *mi_target_name(struct mi_graph *graph, const char *output);
const char *mi_weight_name(struct mi_graph *graph, const char *output);

/* What a plan measures: a sum on the device, and what it means. */
struct mi_plan_metric;

/* Adds all objectives, and sums of losses and metrics over the samples, which variables of the model carry from run to run. *mean
 * is what is made smaller. metrics: the arena's of the graph. */
mica_status mi_objectives_add(mica_model *model, struct mi_graph *graph, const struct mi_objective *objectives, int count,
                              bool training, mi_value **mean, const struct mi_plan_metric **metrics, int *metric_count);

#endif
