/* A training or evaluation task: a model beside data, a loss that fits both, and the plans of its steps. */
#ifndef MICA_SRC_TRAIN_TASK_H
#define MICA_SRC_TRAIN_TASK_H

#include "data/data.h"
#include "nn/loss/loss.h"
#include "nn/optimizer/optimizer.h"

#include <mica/train.h>

struct mi_task_state {
    mica_model *model;
    mica_data *data;
    struct mi_loss loss;
    enum mi_labels labels;
    bool accuracy;                           /* it is measured */
    struct mi_variable *loss_sum, *right;    /* accumulators; right NULL without accuracy */
    bool described;                          /* its plans are only looked at */
    const char *engine;                      /* of its plans, as mi_plan_desc has them */
    int variant;
};

/* Checks that model, loss and data fit together: one input and one output, which the loss takes; labels in its range; indices
 * that are rows of their embedding. data NULL: nothing is to be trained, so there may be more outputs. Data of another shape with
 * as many elements are reshaped. Fills in loss and labels of *task. */
mica_status mi_task_check(struct mi_error *error, mica_model *model, mica_data *data, const char *loss, int from_logits,
                          struct mi_task_state *task);
/* A loss is of one output: which of several is not said. */
mica_status mi_task_check_output(struct mi_error *error, const struct mi_graph *graph);
/* Classes are right or wrong; so are values that are all 0 or 1, except for the shares of a softmax. */
bool mi_task_has_accuracy(const struct mi_task_state *task);

/* Checks, and prepares the accumulators. Errors go to the device. */
mica_status mi_task_begin(mica_model *model, mica_data *data, const char *loss, int from_logits, bool accuracy,
                          struct mi_task_state *task);

/* The same for a step that is only looked at. */
mica_status mi_task_without_data(mica_model *model, const struct mi_loss *loss, enum mi_labels labels, bool accuracy,
                                 struct mi_task_state *task);

/* A plan of one step for up to `batch` samples. optimizer NULL: evaluation. */
mica_status mi_task_compile(struct mi_task_state *task, const struct mi_optimizer *optimizer, int64_t batch, mica_plan **plan);

/* The plan of a training step of a model without data: Adam, and the model's usual loss. */
mica_status mi_training_plan(mica_model *model, int64_t batch, bool described, mica_plan **plan);

struct mi_pass {
    mica_plan *plan;
    struct mi_loader *loader;
    struct mi_step step;                     /* the next step's, without n */
    int input, labels;                       /* indices of the plan's inputs */
    int64_t batches, batch, samples;         /* in this epoch so far */
    struct {
        bool held;
        cl_event inputs, labels;             /* passed once the device has read them */
    } slot[MI_LOADER_SLOTS];
    int oldest;                              /* the slot that was filled first of those held */
};

mica_status mi_pass_create(struct mi_task_state *task, mica_plan *plan, const struct mi_loader_desc *desc,
                           struct mi_pass *pass);
void mi_pass_destroy(struct mi_task_state *task, struct mi_pass *pass);
/* Begins an epoch with sums of zero. */
mica_status mi_pass_begin(struct mi_task_state *task, struct mi_pass *pass, uint64_t epoch);
/* Enqueues one step; *more false: the epoch was over already. */
mica_status mi_pass_step(struct mi_task_state *task, struct mi_pass *pass, bool *more);
/* Waits, and reads the means over the samples of this epoch so far; accuracy is NaN where it is not measured. */
mica_status mi_pass_read(struct mi_task_state *task, const struct mi_pass *pass, float *loss, float *accuracy);
/* A whole epoch. */
mica_status mi_pass_run(struct mi_task_state *task, struct mi_pass *pass, float *loss, float *accuracy);

#endif
