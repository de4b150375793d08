/* The training loop. */
#include "train/history.h"
#include "nn/optimizer/optimizer.h"
#include "train/task.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_BATCH = 32, EVALUATION_BATCH = 256 };

/* ---- History ---- */

void mica_history_destroy(mica_history *history)
{
    if (history)
        free(history->epochs);
    free(history);
}

int mica_history_epochs(const mica_history *history)
{
    return history ? history->count : 0;
}

const mica_progress *mica_history_epoch(const mica_history *history, int i)
{
    return history && i >= 0 && i < history->count ? &history->epochs[i] : NULL;
}

double mica_history_compile_seconds(const mica_history *history)
{
    return history ? history->compile_seconds : 0;
}

uint64_t mica_history_peak_bytes(const mica_history *history)
{
    return history ? history->peak_bytes : 0;
}

/* ---- One training ---- */

struct fit {
    const mica_fit_desc *desc;
    struct mi_task_state task;
    struct mi_optimizer optimizer;
    int epochs;
    mica_plan *train_plan, *validation_plan;
    struct mi_pass train, validation;
    mica_progress now;
    double epoch_began;
    mica_history *history;
};

static mica_status fail(const struct fit *fit, mica_status status, const char *text)
{
    return mi_fail(&fit->task.model->device->error, status, "%s", text);
}

/* Writes down in the model what prediction needs. */
static mica_status remember(struct fit *fit)
{
    mica_model *model = fit->task.model;
    const mica_data *data = fit->task.data;
    int classes = mica_data_classes(data);
    cJSON *json = mi_preprocess_to_json(&data->preprocess);
    char *text = json ? mi_json_write(json, false) : NULL;
    const char **names = mi_new((size_t)classes, sizeof *names);
    mica_status status = text && names ? MICA_OK : mi_out_of_memory(&model->device->error);
    for (int i = 0; i < classes && names; i++)
        names[i] = mica_data_class_name(data, i);
    if (status == MICA_OK)
        status = mi_model_set_data(model, text, names, classes);
    if (status == MICA_OK)
        status = mi_model_set_loss(model, fit->desc->loss, fit->desc->from_logits);
    free(names);
    cJSON_free(text);
    cJSON_Delete(json);
    return status;
}

static mica_status check(struct fit *fit, mica_model *model, mica_data *data)
{
    const mica_fit_desc *desc = fit->desc;
    struct mi_error *error = &model->device->error, wrong = {0};
    if (desc->batch_size < 0 || desc->batch_size > INT32_MAX)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "batch_size is %lld, must be at least 1", (long long)desc->batch_size);
    if (!(desc->validation_split >= 0 && desc->validation_split < 1))
        return mi_fail(error, MICA_INVALID_ARGUMENT, "validation_split is %g, must be at least 0 and below 1",
                       (double)desc->validation_split);
    if (mi_optimizer_resolve(&wrong, "optimizer", &desc->optimizer, &fit->optimizer) != MICA_OK)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "%s", wrong.text);
    if (desc->validation_split > 0)
        MI_TRY(mica_data_hold_out(data, desc->validation_split, desc->seed));
    MI_TRY(mi_task_begin(model, data, desc->loss, desc->from_logits, desc->accuracy, &fit->task));
    if (fit->epochs > 0 && mica_data_count(data, MICA_TRAIN) == 0)
        return fail(fit, MICA_DATA, "the data have no training part");
    return MICA_OK;
}

static mica_status compile(struct fit *fit)
{
    struct mi_task_state *task = &fit->task;
    int64_t samples = mica_data_count(task->data, MICA_TRAIN), held = mica_data_count(task->data, MICA_VALIDATION);
    int64_t batch = fit->desc->batch_size ? fit->desc->batch_size : DEFAULT_BATCH;
    struct mi_loader_desc desc = {.part = MICA_TRAIN, .batch = batch < samples ? batch : samples, .seed = fit->desc->seed,
                                  .shuffle = !fit->desc->no_shuffle};
    double began = mi_seconds();
    MI_TRY(mi_task_compile(task, &fit->optimizer, desc.batch, &fit->train_plan));
    MI_TRY(mi_optimizer_begin(task->model, &fit->optimizer, fit->desc->restart));
    MI_TRY(mi_pass_create(task, fit->train_plan, &desc, &fit->train));
    fit->history->peak_bytes = mica_plan_peak_bytes(fit->train_plan);
    if (held > 0) {
        desc = (struct mi_loader_desc){.part = MICA_VALIDATION, .batch = held < EVALUATION_BATCH ? held : EVALUATION_BATCH};
        MI_TRY(mi_task_compile(task, NULL, desc.batch, &fit->validation_plan));
        MI_TRY(mi_pass_create(task, fit->validation_plan, &desc, &fit->validation));
        uint64_t peak = mica_plan_peak_bytes(fit->validation_plan);
        if (peak > fit->history->peak_bytes)
            fit->history->peak_bytes = peak;
    }
    fit->history->compile_seconds = mi_seconds() - began;
    fit->train.step = (struct mi_step){.learning_rate = fit->optimizer.learning_rate, .seed = task->model->seed,
                                       .step = task->model->trained.steps + 1};
    return MICA_OK;
}

static mica_status diverged(const struct fit *fit, const char *what, float value)
{
    return mi_fail(&fit->task.model->device->error, MICA_DIVERGED, "epoch %d: the training diverged, %s is %g: a smaller learning "
                   "rate may help", fit->now.epoch, what, (double)value);
}

/* Brings fit->now up to date; waits for the device. */
static mica_status look(struct fit *fit)
{
    MI_TRY(mi_pass_read(&fit->task, &fit->train, &fit->now.loss, &fit->now.accuracy));
    fit->now.batch = fit->train.batch;
    fit->now.samples = fit->train.samples;
    fit->now.seconds = mi_seconds() - fit->epoch_began;
    return isfinite(fit->now.loss) ? MICA_OK : diverged(fit, "its loss", fit->now.loss);
}

static mica_status show(const struct fit *fit)
{
    bool goes_on = !fit->desc->on_batch || fit->desc->on_batch(fit->desc->user, &fit->now);
    return goes_on ? MICA_OK : MICA_CANCELLED;
}

static mica_status run_steps(struct fit *fit)
{
    int interval = fit->desc->log_interval;
    for (;;) {
        bool more = true;
        MI_TRY(mi_pass_step(&fit->task, &fit->train, &more));
        if (!more)
            return MICA_OK;
        if (fit->desc->stop && fit->desc->stop(fit->desc->user))
            return MICA_CANCELLED;
        if (interval > 0 && fit->train.batch % interval == 0 && fit->train.batch < fit->train.batches) {
            MI_TRY(look(fit));
            MI_TRY(show(fit));
        }
    }
}

static mica_status run_epoch(struct fit *fit, int epoch)
{
    fit->now = (mica_progress){.epoch = epoch, .epochs = fit->epochs, .batches = fit->train.batches, .loss = NAN,
                               .accuracy = NAN, .val_loss = NAN, .val_accuracy = NAN};
    fit->epoch_began = mi_seconds();
    MI_TRY(mi_pass_begin(&fit->task, &fit->train, ++fit->task.model->trained.epochs));
    MI_TRY(run_steps(fit));
    MI_TRY(look(fit));
    if (fit->validation_plan)
        MI_TRY(mi_pass_run(&fit->task, &fit->validation, &fit->now.val_loss, &fit->now.val_accuracy));
    mica_history *history = fit->history;
    if (!mi_grow(&history->epochs, &history->capacity, (size_t)history->count + 1, sizeof *history->epochs))
        return mi_out_of_memory(&fit->task.model->device->error);
    history->epochs[history->count++] = fit->now;
    return show(fit);
}

/* A loss is of the parameters before an update: those after the last one are looked at themselves. */
static mica_status check_parameters(const struct fit *fit)
{
    mica_model *model = fit->task.model;
    mica_status status = MICA_OK;
    for (size_t i = 0; i < model->variables.count && status == MICA_OK; i++) {
        const struct mi_variable *variable = model->variables.list[i];
        size_t count = mi_variable_in_files(variable) ? mi_variable_count(variable) : 0;
        float *values = count ? mi_new(count, sizeof *values) : NULL;
        if (count && !values)
            return mi_out_of_memory(&model->device->error);
        if (count)
            status = mi_store_read(model->store, variable, values);
        for (size_t k = 0; k < count && status == MICA_OK; k++)
            if (!isfinite(values[k]))
                status = diverged(fit, variable->name, values[k]);
        free(values);
    }
    return status;
}

/* What the next fit goes on with: nothing after a failure. */
static void leave(struct fit *fit, mica_status status)
{
    mica_model *model = fit->task.model;
    model->trained.steps = fit->train.step.step - 1;
    if (status != MICA_OK && status != MICA_CANCELLED)
        model->trained.update = NULL;
}

static mica_status run(struct fit *fit, mica_model *model, mica_data *data)
{
    mica_status status = MICA_OK;
    MI_TRY(check(fit, model, data));
    MI_TRY(remember(fit));
    if (fit->epochs == 0)
        return MICA_OK;
    MI_TRY(compile(fit));
    for (int epoch = 1; epoch <= fit->epochs && status == MICA_OK; epoch++)
        status = run_epoch(fit, epoch);
    if (status == MICA_OK || status == MICA_CANCELLED) {
        mica_status found = check_parameters(fit);
        status = found == MICA_OK ? status : found;
    }
    leave(fit, status);
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
    struct fit fit = {.desc = desc, .task = {.model = model, .data = data}};
    fit.epochs = desc->epochs == 0 ? 1 : desc->epochs < 0 ? 0 : desc->epochs;
    fit.history = mi_new(1, sizeof *fit.history);
    if (!fit.history)
        return mi_out_of_memory(&model->device->error);
    mica_status status = run(&fit, model, data);
    mi_pass_destroy(&fit.task, &fit.train);
    mi_pass_destroy(&fit.task, &fit.validation);
    mica_plan_destroy(fit.train_plan);
    mica_plan_destroy(fit.validation_plan);
    if (history)
        *history = fit.history;
    else
        mica_history_destroy(fit.history);
    return status;
}
