/* Loss and accuracy over a part of the data. */
#include "train/task.h"

enum { EVALUATION_BATCH = 256 };

static const char *const part_names[] = {"training", "validation", "test"};

static mica_status evaluate(mica_model *model, mica_data *data, mica_part part, const char *loss, int from_logits,
                            mica_result *result)
{
    struct mi_task_state task;
    struct mi_pass pass = {0};
    mica_plan *plan = NULL;
    int64_t count = mica_data_count(data, part);
    if (!loss) {
        loss = model->loss;
        from_logits = from_logits ? from_logits : model->from_logits;
    }
    if (!loss)
        return mi_fail(&model->device->error, MICA_INVALID_ARGUMENT, "the model was never trained: name a loss");
    MI_TRY(mi_task_begin(model, data, loss, from_logits, true, &task));
    if (count == 0)
        return mi_fail(&model->device->error, MICA_DATA, "the data have no %s part", part_names[part]);
    struct mi_loader_desc desc = {.part = part, .batch = count < EVALUATION_BATCH ? count : EVALUATION_BATCH};
    mica_status status = mi_task_compile(&task, NULL, desc.batch, &plan);
    if (status == MICA_OK)
        status = mi_pass_create(&task, plan, &desc, &pass);
    if (status == MICA_OK)
        status = mi_pass_run(&task, &pass, &result->loss, &result->accuracy);
    result->samples = pass.samples;
    mi_pass_destroy(&task, &pass);
    mica_plan_destroy(plan);
    return status;
}

mica_status mica_evaluate(mica_model *model, mica_data *data, mica_part part, const char *loss, int from_logits,
                          mica_result *result)
{
    if (result)
        *result = (mica_result){0};
    if (!model)
        return MICA_INVALID_ARGUMENT;
    MI_TRY(mi_model_begin(model));
    if (!data || !result)
        return mi_fail(&model->device->error, MICA_INVALID_ARGUMENT, "to evaluate takes data and room for a result; the %s NULL",
                       !data ? "data are" : "result is");
    if ((int)part < MICA_TRAIN || part > MICA_TEST)
        return mi_fail(&model->device->error, MICA_INVALID_ARGUMENT, "part %d of the data to evaluate, there are 0 to 2",
                       (int)part);
    return evaluate(model, data, part, loss, from_logits, result);
}
