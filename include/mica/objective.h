/* What an output of a model is trained by, and measured by: by names, as jobs have them.
 *
 *     mica_objective goal = {.loss = "sparse_categorical_crossentropy", .classes = true, .metrics = {{"accuracy"}}};
 *
 * A plan with objectives makes their targets and losses itself; what they cannot say is written with the layers of losses.h. */
#ifndef MICA_OBJECTIVE_H
#define MICA_OBJECTIVE_H

#include <mica/optimizer.h>

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MICA_MOST_METRICS 16
#define MICA_MOST_METRIC_SETTINGS 4
#define MICA_MOST_LOSS_SETTINGS 4

/* A metric by name, and what is not as by default (docs/jobs.md lists them). */
typedef struct mica_metric {
    const char *type;
    mica_setting setting[MICA_MOST_METRIC_SETTINGS]; /* up to the first without a key */
} mica_metric;

/* How targets were scaled, where they were: t = (f(x) - subtract[c]) / divide[c], of each `count` numbers that lie together,
 * where f is the natural logarithm of those with logarithm[c]. */
typedef struct mica_scale {
    const double *subtract, *divide; /* NULL: 0 and 1 */
    const bool *logarithm;        /* NULL: of none */
    int count;                    /* 0: they were not */
} mica_scale;

/* The loss that is made smaller is the sum over the objectives of weight * (1 / n) * sum over the samples of
 * sample weight * class weight * loss of the sample, which is Keras's. Metrics do not know the weights. Where a mask says which
 * steps of the output are real, or classes lie along the last of several axes, each real step or place counts as a sample here. */
typedef struct mica_objective {
    const char *output;           /* NULL: the model's only one */
    const char *loss;             /* a name of losses.h, or its short form: "mse" */
    mica_setting setting[MICA_MOST_LOSS_SETTINGS]; /* of the loss, as mica_loss_desc has them */
    int from_logits;              /* of crossentropies, as mica_loss_desc has it */
    float weight;                 /* of this loss among several; 0: 1 */
    bool classes;                 /* targets are numbers of classes (N), of each place where there are several (N, ...), int32;
                                   * otherwise values of the output's shape */
    bool sample_weight;           /* an input says how much each sample counts */
    const float *class_weight;    /* (class_count) how much samples of each class count in training; copied. NULL: alike */
    int class_count;
    bool balance;                 /* of mica_fit: samples / (classes * samples of the class), so that classes count alike */
    mica_scale scale;             /* metrics are those of x, the loss is that of t; mica_fit and mica_evaluate take it from their
                                   * data. Borrowed until the plan is compiled */
    mica_metric metrics[MICA_MOST_METRICS]; /* up to the first without a type */
} mica_objective;

#ifdef __cplusplus
}
#endif
#endif
