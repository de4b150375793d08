/* The training loop: a plan with objectives, batches, and what is told of them. */
#include "train/checkpoint.h"

#include <math.h>
#include <stdlib.h>

enum { DEFAULT_BATCH = 32, EVALUATION_BATCH = 256 };

static mica_status fail(const mica_training *fit, mica_status status, const char *text)
{
    return mi_fail(&fit->task.model->device->error, status, "%s", text);
}

/* The names of an output's classes. */
static mica_status remember_classes(const mica_training *fit, const mica_objective *objective)
{
    mica_model *model = fit->task.model;
    const char *output = objective->output ? objective->output : model->graph->outputs[0]->name;
    const struct mi_field *field = mi_training_field(fit->task.data, MICA_TARGET, output, model->graph->output_count == 1);
    int classes = field ? field->preprocess.classes : 0;
    const char **names = mi_new((size_t)classes, sizeof *names);
    if (!names)
        return mi_out_of_memory(&model->device->error);
    for (int i = 0; i < classes; i++)
        names[i] = mi_field_class_name(field, i);
    mica_status status = mi_answer_set_classes(&model->device->error, mi_model_trained(model, output), names, classes);
    free(names);
    return status;
}

/* Writes down in the model what prediction needs. */
static mica_status remember(mica_training *fit)
{
    mica_model *model = fit->task.model;
    cJSON *json = mi_data_describe(fit->task.data);
    char *text = json ? mi_json_write(json, false) : NULL;
    mica_status status = text ? mi_model_set_preprocess(model, text) : mi_out_of_memory(&model->device->error);
    if (status == MICA_OK)
        status = mi_model_set_trained(model, fit->task.objectives, fit->task.count);
    for (int i = 0; i < fit->task.count && status == MICA_OK; i++)
        status = remember_classes(fit, &fit->task.objectives[i]);
    cJSON_free(text);
    cJSON_Delete(json);
    return status;
}

static mica_status check_settings(const mica_training *fit)
{
    const mica_fit_desc *desc = fit->desc;
    struct mi_error *error = &fit->task.model->device->error;
    if ((desc->batch_size < 0 && desc->batch_size != MICA_ALL_SAMPLES) || desc->batch_size > INT32_MAX)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "batch_size is %lld, must be at least 1", (long long)desc->batch_size);
    if (!(desc->validation_split >= 0 && desc->validation_split < 1))
        return mi_fail(error, MICA_INVALID_ARGUMENT, "validation_split is %g, must be at least 0 and below 1",
                       (double)desc->validation_split);
    if (desc->validation_split > 0 && desc->validation)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "validation_split is %g beside data for validation: give one of them",
                       (double)desc->validation_split);
    return MICA_OK;
}

static mica_status check(mica_training *fit, mica_model *model, mica_data *data)
{
    const mica_fit_desc *desc = fit->desc;
    struct mi_error *error = &model->device->error, wrong = {0};
    mica_objective one;
    int count;
    MI_TRY(check_settings(fit));
    MI_TRY(mi_callbacks_make(fit));
    if (mi_optimizer_resolve(&wrong, "optimizer", &desc->optimizer, &fit->optimizer) != MICA_OK ||
        mi_optimizer_set_schedule(&wrong, "optimizer", desc->schedule, &fit->optimizer) != MICA_OK)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "%s", wrong.text);
    if (desc->validation_split > 0)
        MI_TRY(mica_data_hold_out(data, desc->validation_split, desc->seed));
    const mica_objective *objectives = mi_fit_objectives(desc, &one, &count);
    MI_TRY(mi_training_begin(error, model, data, objectives, count, &fit->task));
    if (fit->epochs > 0 && mica_data_count(data, MICA_TRAIN) == 0)
        return fail(fit, MICA_DATA, "the data have no training part");
    return mi_training_balance(error, &fit->task);
}

static mica_status begin_plan(mica_training *fit, mica_plan *plan, mica_data *data, const mica_batches_desc *desc,
                              struct mi_running *out)
{
    out->plan = plan;
    if (!plan)
        return mi_out_of_memory(&fit->task.model->device->error);
    MI_TRY(mica_plan_status(plan));
    MI_TRY(mica_batches_create(plan, data, desc, &out->batches));
    uint64_t peak = mica_plan_peak_bytes(plan);
    fit->history->peak_bytes = peak > fit->history->peak_bytes ? peak : fit->history->peak_bytes;
    return MICA_OK;
}

static mica_status compile_training(mica_training *fit)
{
    const struct mi_training *task = &fit->task;
    const mica_fit_desc *desc = fit->desc;
    int64_t samples = mica_data_count(task->data, MICA_TRAIN), batch = desc->batch_size ? desc->batch_size : DEFAULT_BATCH;
    if (batch == MICA_ALL_SAMPLES || batch > samples)
        batch = samples;
    if (batch > INT32_MAX)
        return fail(fit, MICA_INVALID_ARGUMENT, "a batch of all samples is too large");
    const mica_plan_desc how = {.batch = batch, .objectives = task->objectives, .objective_count = task->count,
                                .optimizer = desc->optimizer, .groups = desc->groups, .group_count = desc->group_count,
                                .schedule = desc->schedule, .train = desc->train, .precision = desc->precision};
    const mica_batches_desc order = {.part = MICA_TRAIN, .shuffle = !desc->no_shuffle, .seed = desc->seed,
                                     .bucket_by_length = desc->bucket_by_length};
    mica_plan *plan = fit->train.plan = mica_compile(task->model, &how);
    if (plan && mica_plan_status(plan) == MICA_OK)
        MI_TRY(mi_optimizer_begin(task->model, &fit->optimizer, desc->restart));
    return begin_plan(fit, plan, task->data, &order, &fit->train);
}

static mica_status compile_validation(mica_training *fit)
{
    const struct mi_training *task = &fit->task;
    mica_data *data = fit->desc->validation ? fit->desc->validation : task->data;
    mica_part part = fit->desc->validation ? MICA_TRAIN : MICA_VALIDATION;
    int64_t held = mica_data_count(data, part);
    if (!held)
        return MICA_OK;
    if (fit->desc->validation) { /* it has to fit as well */
        struct mi_training other;
        mica_status status = mi_training_begin(&task->model->device->error, task->model, data, task->objectives, task->count,
                                               &other);
        mi_training_end(&other);
        MI_TRY(status);
    }
    const mica_plan_desc how = {.batch = held < EVALUATION_BATCH ? held : EVALUATION_BATCH, .objectives = task->objectives,
                                .objective_count = task->count, .evaluate = true, .train = fit->desc->train};
    return begin_plan(fit, mica_compile(task->model, &how), data, &(mica_batches_desc){.part = part}, &fit->validation);
}

static mica_status compile(mica_training *fit)
{
    double began = mi_seconds();
    MI_TRY(compile_training(fit));
    MI_TRY(compile_validation(fit));
    fit->history->compile_seconds = mi_seconds() - began;
    fit->steps = fit->first_step = fit->task.model->trained.steps;
    float good_steps;
    MI_TRY(mi_loss_scale_read(fit->task.model, &fit->first_scale, &good_steps));
    double runs = (double)fit->steps + (double)fit->epochs * (double)mica_batches_count(fit->train.batches);
    if (runs < (double)fit->optimizer.accumulate)
        return mi_fail(&fit->task.model->device->error, MICA_INVALID_ARGUMENT,
                       "gradient_accumulation_steps is %g, the training has %g steps: nothing would be updated",
                       (double)fit->optimizer.accumulate, runs);
    return mica_plan_set(fit->train.plan, "steps", (double)fit->steps);
}

/* ---- Epochs ---- */

static mica_status run_steps(mica_training *fit)
{
    while (!fit->ended) {
        int64_t n;
        MI_TRY(mica_batches_next(fit->train.batches, &n));
        if (n == 0)
            return MICA_OK;
        MI_TRY(mica_plan_run(fit->train.plan, n));
        fit->steps++;
        fit->now.batch++;
        fit->now.samples += n;
        MI_TRY(mi_fit_hear(fit));
        MI_TRY(mi_callbacks_batch(&fit->callbacks));
    }
    return MICA_OK;
}

/* The history takes the scores. */
static mica_status write_down(mica_training *fit)
{
    if (!mi_history_add(fit->history, &fit->now, fit->scores))
        return mi_out_of_memory(&fit->task.model->device->error);
    fit->scores = NULL;
    return MICA_OK;
}

/* An epoch that a resumed training goes on with has its sums, and what began with it, already. */
static mica_status begin_epoch(mica_training *fit, int epoch)
{
    mica_scores_destroy(fit->scores);
    fit->scores = NULL;
    fit->now = (mica_progress){.epoch = epoch, .epochs = fit->epochs, .batches = mica_batches_count(fit->train.batches),
                               .loss = NAN, .val_loss = NAN, .learning_rate = mi_plan_learning_rate(fit->train.plan),
                               .training = fit};
    fit->epoch_began = mi_seconds();
    fit->good_batch = fit->asked_batch = epoch == fit->first.epoch ? fit->first.batch : 0;
    if (epoch == fit->first.epoch && fit->first.batch) {
        fit->now.batch = fit->first.batch;
        fit->now.samples = fit->first.samples;
        mi_plan_set_samples(fit->train.plan, (uint64_t)fit->now.samples);
        return mi_batches_begin_at(fit->train.batches, fit->task.model->trained.epochs, fit->now.batch);
    }
    MI_TRY(mica_plan_reset_metrics(fit->train.plan));
    MI_TRY(mica_plan_reset_states(fit->train.plan));
    MI_TRY(mica_batches_begin(fit->train.batches, ++fit->task.model->trained.epochs));
    return mi_callbacks_epoch_begin(&fit->callbacks);
}

static mica_status end_epoch(mica_training *fit)
{
    MI_TRY(mi_fit_look(fit));
    if (fit->validation.plan) {
        struct mi_error *error = &fit->task.model->device->error;
        MI_TRY(mi_measure(fit->validation.plan, fit->validation.batches, "val_", error, fit->scores));
        fit->now.val_loss = (float)mica_scores_get(fit->scores, "val_loss");
    }
    MI_TRY(write_down(fit));
    return mi_callbacks_epoch(&fit->callbacks);
}

static mica_status run_epoch(mica_training *fit, int epoch)
{
    MI_TRY(begin_epoch(fit, epoch));
    fit->in_epoch = true;
    mica_status status = run_steps(fit);
    fit->in_epoch = false;
    return status == MICA_OK && fit->now.batch == fit->now.batches ? end_epoch(fit) : status;
}

static mica_status run_epochs(mica_training *fit)
{
    fit->now = (mica_progress){.epochs = fit->epochs, .batches = mica_batches_count(fit->train.batches), .loss = NAN,
                               .val_loss = NAN, .learning_rate = mi_plan_learning_rate(fit->train.plan), .training = fit};
    MI_TRY(mi_callbacks_begin(&fit->callbacks));
    for (int epoch = fit->first.epoch ? fit->first.epoch : 1; epoch <= fit->epochs && !fit->ended; epoch++)
        MI_TRY(run_epoch(fit, epoch));
    return MICA_OK;
}

/* A loss is of the parameters before an update: those after the last one are looked at themselves. */
static mica_status check_parameters(const mica_training *fit)
{
    mica_model *model = fit->task.model;
    mica_status status = MICA_OK;
    for (size_t i = 0; i < model->variables.count && status == MICA_OK; i++) {
        const struct mi_variable *variable = model->variables.list[i];
        size_t count = mi_variable_in_files(variable) && !variable->frozen ? mi_variable_count(variable) : 0;
        float *values = count ? mi_new(count, sizeof *values) : NULL;
        if (count && !values)
            return mi_out_of_memory(&model->device->error);
        if (count)
            status = mi_store_read(model->store, variable, values);
        for (size_t k = 0; k < count && status == MICA_OK; k++)
            if (!isfinite(values[k]))
                status = mi_fit_diverged(fit, variable->name, values[k]);
        free(values);
    }
    return status;
}

/* What the next fit goes on with: nothing after a failure. */
static void leave(mica_training *fit, mica_status status)
{
    mica_model *model = fit->task.model;
    model->trained.steps = fit->steps;
    if (status != MICA_OK && status != MICA_CANCELLED)
        model->trained.kind = 0;
}

static mica_status run(mica_training *fit, mica_model *model, mica_data *data, struct mi_checkpoint *checkpoint)
{
    mica_status status = MICA_OK;
    MI_TRY(check(fit, model, data));
    if (fit->desc->resume && fit->epochs > 0)
        MI_TRY(mi_checkpoint_open(checkpoint, fit->desc->resume, fit));
    MI_TRY(remember(fit));
    if (fit->epochs > 0 || mica_data_count(data, MICA_TRAIN) > 0)
        MI_TRY(mi_adapt(model, data, false));
    if (fit->epochs == 0)
        return MICA_OK;
    MI_TRY(compile(fit));
    if (fit->desc->resume) {
        float good_steps;
        MI_TRY(mi_checkpoint_restore(checkpoint, fit));
        MI_TRY(mi_loss_scale_read(model, &fit->first_scale, &good_steps));
    }
    status = run_epochs(fit);
    mica_status last = mi_callbacks_end(&fit->callbacks, status);
    status = status == MICA_OK ? last : status;
    if (status == MICA_OK || status == MICA_CANCELLED) {
        mica_status found = check_parameters(fit);
        found = found == MICA_OK ? mi_fit_check_scale(fit, true) : found;
        status = found == MICA_OK ? status : found;
    }
    leave(fit, status);
    float every = fit->optimizer.accumulate > 1 ? fit->optimizer.accumulate : 1;
    if ((status == MICA_OK || status == MICA_CANCELLED) && fit->optimizer.use_ema > 0 && (float)fit->steps >= every &&
        !fit->restored) {
        mica_status taken = mica_model_take_averages(model);
        status = status == MICA_OK ? taken : status;
    }
    return status;
}

mica_status mica_fit(mica_model *model, mica_data *data, const mica_fit_desc *desc, mica_history **history)
{
    if (history)
        *history = NULL;
    if (!model)
        return MICA_INVALID_ARGUMENT;
    MI_TRY(mi_model_begin(model));
    if (!data || !desc)
        return mi_fail(&model->device->error, MICA_INVALID_ARGUMENT, "to fit takes data and a description; the %s NULL",
                       !data ? "data are" : "description is");
    mica_training fit = {.desc = desc, .task = {.model = model, .data = data}};
    fit.epochs = desc->epochs == 0 ? 1 : desc->epochs < 0 ? 0 : desc->epochs;
    fit.history = mi_new(1, sizeof *fit.history);
    if (!fit.history)
        return mi_out_of_memory(&model->device->error);
    struct mi_checkpoint checkpoint = {0};
    mica_status status = run(&fit, model, data, &checkpoint);
    mica_batches_destroy(fit.train.batches);
    mica_batches_destroy(fit.validation.batches);
    mica_plan_destroy(fit.train.plan);
    mica_plan_destroy(fit.validation.plan);
    mica_scores_destroy(fit.scores);
    mi_checkpoint_close(&checkpoint);
    mi_callbacks_destroy(&fit.callbacks);
    mi_training_end(&fit.task);
    if (history)
        *history = fit.history;
    else
        mica_history_destroy(fit.history);
    return status;
}
