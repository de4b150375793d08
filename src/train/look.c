/* How far a training is: its loss and metrics, and whether they are numbers. */
#include "train/fit.h"

#include <math.h>

/* Outputs that a loss does not take diverge at any rate, so it says which it takes; and between which looks it happened. */
mica_status mi_fit_diverged(const mica_training *fit, const char *what, float value)
{
    char takes[120] = "", since[80] = "";
    int64_t first = fit->good_batch + 1, last = fit->asked_batch;
    for (int i = fit->task.count; i-- > 0;) {
        const struct mi_loss_row *row = mi_loss_find(fit->task.objectives[i].loss);
        if (row->outputs)
            mi_format(takes, sizeof takes, "%s takes %s; if they are, ", row->layer.type, row->outputs);
    }
    if (first == last)
        mi_format(since, sizeof since, " since batch %lld", (long long)last);
    else if (first < last && (first > 1 || last < fit->now.batches))
        mi_format(since, sizeof since, " since one of batches %lld to %lld", (long long)first, (long long)last);
    return mi_fail(&fit->task.model->device->error, MICA_DIVERGED, "epoch %d: the training diverged, %s is %g%s: %sa smaller "
                   "learning rate may help", fit->now.epoch, what, (double)value, since, takes);
}

mica_status mi_fit_check_scale(const mica_training *fit, bool at_the_end)
{
    float scale, good_steps, least = ldexpf(1, -20);
    int steps = fit->steps - fit->first_step > 60 ? 60 : (int)(fit->steps - fit->first_step);
    if (fit->desc->precision != MICA_FLOAT16)
        return MICA_OK;
    MI_TRY(mi_loss_scale_read(fit->task.model, &scale, &good_steps));
    bool none = at_the_end && steps > 0 && good_steps <= 0 && scale <= ldexpf(fit->first_scale, -steps);
    if (!none && (scale > least || good_steps > 0))
        return MICA_OK;
    return mi_fail(&fit->task.model->device->error, MICA_DIVERGED, "epoch %d: the training diverged, its gradients are no numbers "
                   "that float16 holds, at a scale of the loss of %g: a smaller learning rate, or bfloat16, may help",
                   fit->now.epoch, (double)scale);
}

/* The sums that have come become scores. */
static mica_status take_scores(mica_training *fit)
{
    struct mi_error *error = &fit->task.model->device->error;
    mica_scores_destroy(fit->scores);
    fit->asked = false;
    fit->now.scores = fit->scores = mi_scores_create();
    if (!fit->scores)
        return mi_out_of_memory(error);
    MI_TRY(mi_scores_take(fit->scores, error, fit->train.plan, ""));
    fit->now.loss = (float)mica_scores_get(fit->scores, "loss");
    if (!isfinite(fit->now.loss))
        return mi_fit_diverged(fit, "its loss", fit->now.loss);
    fit->good_batch = fit->asked_batch;
    return MICA_OK;
}

static void tell_time(mica_training *fit)
{
    fit->now.seconds = mi_seconds() - fit->epoch_began;
    fit->now.learning_rate = mi_plan_learning_rate(fit->train.plan);
}

mica_status mi_fit_look(mica_training *fit)
{
    MI_TRY(mi_plan_measure(fit->train.plan));
    fit->asked_batch = fit->now.batch;
    tell_time(fit);
    MI_TRY(take_scores(fit));
    return mi_fit_check_scale(fit, false);
}

mica_status mi_fit_hear(mica_training *fit)
{
    tell_time(fit);
    return fit->asked && mi_plan_heard(fit->train.plan) ? take_scores(fit) : MICA_OK;
}

/* ---- What callbacks may ask ---- */

static mica_status not_now(const mica_training *fit, const char *what)
{
    return mi_fail(&fit->task.model->device->error, MICA_INVALID_ARGUMENT, "%s between epochs: a callback of a batch may ask",
                   what);
}

mica_model *mica_training_model(mica_training *training)
{
    return training ? training->task.model : NULL;
}

mica_status mica_training_look(mica_training *training)
{
    if (!training)
        return MICA_INVALID_ARGUMENT;
    return training->in_epoch ? mi_fit_look(training) : not_now(training, "scores are looked at");
}

mica_status mica_training_ask(mica_training *training)
{
    if (!training)
        return MICA_INVALID_ARGUMENT;
    if (!training->in_epoch)
        return not_now(training, "scores are asked for");
    if (training->asked)
        return MICA_OK;
    training->asked = true;
    training->asked_batch = training->now.batch;
    return mi_plan_ask(training->train.plan);
}

mica_status mica_training_set_learning_rate(mica_training *training, double learning_rate)
{
    if (!training)
        return MICA_INVALID_ARGUMENT;
    if (training->optimizer.schedule.row)
        return mi_fail(&training->task.model->device->error, MICA_INVALID_ARGUMENT,
                       "the learning rate of the optimizer is a schedule, %s: it cannot be set to %g besides",
                       training->optimizer.schedule.row->name, learning_rate);
    training->rate_is_set = true;
    return mica_plan_set(training->train.plan, "learning_rate", learning_rate);
}

mica_status mica_training_stop(mica_training *training)
{
    if (!training)
        return MICA_INVALID_ARGUMENT;
    training->ended = true;
    return MICA_OK;
}
