/* The public call that tunes a model: compiles a plan with a search as long as asked for. */
#include "tune/tune.h"
#include "train/training.h"

#include <mica/tune.h>

static mica_status compile_plan(mica_model *model, const mica_tune_desc *desc)
{
    int64_t batch = desc && desc->batch ? desc->batch : 1;
    bool training = desc && desc->training;
    mica_plan *plan = training ? mi_training_plan(model, &(const struct mi_fit_plan_desc){.batch = batch})
                               : mica_compile(model, &(mica_plan_desc){.batch = batch});
    mica_status status = plan ? mica_plan_status(plan) : mi_out_of_memory(&model->device->error);
    mica_plan_destroy(plan);
    return status;
}

/* The device's tuner, which may search now; NULL: out of memory. `before` is what it was allowed until now. */
static struct mi_tuner *begin(mica_device *device, double seconds, struct mi_tuner *before)
{
    struct mi_tuner *tuner = mi_tuner_of(device);
    if (!tuner)
        return NULL;
    *before = *tuner;
    mi_tuner_search(tuner, device, seconds > 0 ? seconds : 60);
    return tuner;
}

static void end(struct mi_tuner *tuner, const struct mi_tuner *before, mica_tune_result *result)
{
    if (result)
        *result = (mica_tune_result){.tried = tuner->tried,
                                     .changed = tuner->changed,
                                     .path = tuner->path ? tuner->path : "",
                                     .note = tuner->note.text};
    tuner->level = before->level;
    tuner->seconds = before->seconds;
    tuner->candidates = before->candidates;
    tuner->candidates_each = before->candidates_each;
}

mica_status mica_tune(mica_model *model, const mica_tune_desc *desc, mica_tune_result *result)
{
    if (result)
        *result = (mica_tune_result){.path = "", .note = ""};
    if (!model)
        return MICA_INVALID_ARGUMENT;
    MI_TRY(mi_model_begin(model));
    if (desc && (desc->batch < 0 || !(desc->seconds >= 0)))
        return mi_fail(&model->device->error, MICA_INVALID_ARGUMENT, "to tune a batch of %lld in %g seconds: neither is negative",
                       (long long)desc->batch, desc->seconds);
    struct mi_tuner before, *tuner = begin(model->device, desc ? desc->seconds : 0, &before);
    if (!tuner)
        return mi_out_of_memory(&model->device->error);
    mi_choices_destroy(&model->choices);
    mica_status status = compile_plan(model, desc);
    end(tuner, &before, result);
    return status;
}

mica_status mica_tune_clblast(mica_device *device, double seconds, double *gain, mica_tune_result *result)
{
    double found = 0;
    if (gain)
        *gain = 0;
    if (result)
        *result = (mica_tune_result){.path = "", .note = ""};
    if (!device)
        return MICA_INVALID_ARGUMENT;
    mi_device_begin(device);
    MI_TRY(device->failed.status);
    if (!(seconds >= 0))
        return mi_fail(&device->error, MICA_INVALID_ARGUMENT, "to tune for %g seconds: it must not be negative", seconds);
    struct mi_tuner before, *tuner = begin(device, seconds, &before);
    if (!tuner)
        return mi_out_of_memory(&device->error);
    mica_status status = mi_tune_clblast(device, tuner, tuner->seconds, &found);
    if (gain)
        *gain = found;
    end(tuner, &before, result);
    return status;
}
