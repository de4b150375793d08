/* The public call that tunes a model: compiles a plan with a search as long as asked for. */
#include "compile/tune.h"
#include "train/task.h"

#include <mica/tune.h>

static mica_status compile_plan(mica_model *model, const mica_tune_desc *desc)
{
    mica_plan *plan = NULL;
    int64_t batch = desc && desc->batch ? desc->batch : 1;
    mica_status status;
    if (desc && desc->training) {
        status = mi_training_plan(model, batch, &plan);
    } else {
        plan = mica_compile(model, &(mica_plan_desc){.batch = batch});
        status = plan ? mica_plan_status(plan) : mi_out_of_memory(&model->device->error);
    }
    mica_plan_destroy(plan);
    return status;
}

mica_status mica_tune(mica_model *model, const mica_tune_desc *desc, mica_tune_result *result)
{
    if (!model || (desc && (desc->batch < 0 || !(desc->seconds >= 0))))
        return MICA_INVALID_ARGUMENT;
    if (result)
        *result = (mica_tune_result){.path = "", .note = ""};
    MI_TRY(mi_model_check(model));
    struct mi_tuner *tuner = mi_tuner_of(model->device);
    if (!tuner)
        return mi_out_of_memory(&model->device->error);
    struct mi_tuner before = *tuner;
    mi_tuner_search(tuner, model->device, desc && desc->seconds > 0 ? desc->seconds : 60);
    mi_choices_destroy(&model->choices);
    mica_status status = compile_plan(model, desc);
    if (result)
        *result = (mica_tune_result){.tried = tuner->tried, .changed = tuner->changed,
                                     .path = tuner->path ? tuner->path : "", .note = tuner->note.text};
    tuner->level = before.level;
    tuner->seconds = before.seconds;
    tuner->candidates = before.candidates;
    tuner->candidates_each = before.candidates_each;
    return status;
}
