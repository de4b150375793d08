/* Loss and metrics over a part of the data. */
#include "train/training.h"

enum { EVALUATION_BATCH = 256 };

static const char *const part_names[] = {"training", "validation", "test"};

/* ---- A pass ---- */

static mica_status run_batches(mica_plan *plan, mica_batches *batches)
{
    int64_t n = 1;
    MI_TRY(mica_plan_reset_metrics(plan));
    MI_TRY(mica_batches_begin(batches, 0));
    while (n > 0) {
        MI_TRY(mica_batches_next(batches, &n));
        MI_TRY(mica_plan_reset_states(plan)); /* each sample is measured by itself */
        if (n > 0)
            MI_TRY(mica_plan_run(plan, n));
    }
    return MICA_OK;
}

mica_status mi_measure(mica_plan *plan, mica_batches *batches, const char *prefix, struct mi_error *error, mica_scores *scores)
{
    MI_TRY(run_batches(plan, batches));
    return mi_scores_read(scores, error, plan, prefix);
}

static mica_status measure_part(const struct mi_training *task, mica_part part, mica_scores *scores)
{
    mica_batches *batches = NULL;
    int64_t count = mica_data_count(task->data, part), batch = count < EVALUATION_BATCH ? count : EVALUATION_BATCH;
    mica_plan *plan = mica_compile(task->model, &(mica_plan_desc){.batch = batch, .objectives = task->objectives,
                                                                  .objective_count = task->count, .evaluate = true});
    mica_status status = plan ? mica_plan_status(plan) : mi_out_of_memory(&task->model->device->error);
    if (status == MICA_OK)
        status = mica_batches_create(plan, task->data, &(mica_batches_desc){.part = part}, &batches);
    if (status == MICA_OK)
        status = mi_measure(plan, batches, "", &task->model->device->error, scores);
    mica_batches_destroy(batches);
    mica_plan_destroy(plan);
    return status;
}

/* ---- The call ---- */

static mica_status evaluate(mica_model *model, mica_data *data, mica_part part, const mica_objective *objectives, int count,
                            mica_scores *scores)
{
    struct mi_training task;
    struct mi_error *error = &model->device->error;
    mica_status status = mi_training_begin(error, model, data, objectives, count, &task);
    if (status == MICA_OK && mica_data_count(data, part) == 0)
        status = mi_fail(error, MICA_DATA, "the data have no %s part", part_names[part]);
    if (status == MICA_OK)
        status = measure_part(&task, part, scores);
    if (status == MICA_OK)
        status = mi_scores_exact(&task, part, scores);
    mi_training_end(&task);
    return status;
}

static mica_status evaluate_as_trained(mica_model *model, mica_data *data, mica_part part, mica_scores *scores)
{
    struct mi_arena arena = {0};
    int count = model->answer_count;
    if (!count)
        return mi_fail(&model->device->error, MICA_INVALID_ARGUMENT, "the model was never trained: name a loss");
    mica_objective *objectives = mi_arena_new(&arena, (size_t)count, sizeof *objectives);
    if (!objectives)
        return mi_out_of_memory(&model->device->error);
    mi_usual_objectives(model, objectives);
    for (int i = 0; i < count; i++)
        objectives[i].metrics[0].type = MI_ALL_METRICS;
    mica_status status = evaluate(model, data, part, objectives, count, scores);
    mi_arena_destroy(&arena);
    return status;
}

mica_status mica_evaluate(mica_model *model, mica_data *data, mica_part part, const mica_objective *objectives, int count,
                          mica_scores **scores)
{
    if (scores)
        *scores = NULL;
    if (!model)
        return MICA_INVALID_ARGUMENT;
    MI_TRY(mi_model_begin(model));
    struct mi_error *error = &model->device->error;
    if (!data || !scores)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "to evaluate takes data and a place for the scores; the %s NULL",
                       !data ? "data are" : "place is");
    if ((int)part < MICA_TRAIN || part > MICA_TEST)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "part %d of the data to evaluate, there are 0 to 2", (int)part);
    if (count < 0 || (count && !objectives))
        return mi_fail(error, MICA_INVALID_ARGUMENT, "%d objectives to evaluate%s", count,
                       count < 0 ? "" : ", and their list is NULL");
    *scores = mi_scores_create();
    if (!*scores)
        return mi_out_of_memory(error);
    mica_status status = count ? evaluate(model, data, part, objectives, count, *scores)
                               : evaluate_as_trained(model, data, part, *scores);
    if (status != MICA_OK) {
        mica_scores_destroy(*scores);
        *scores = NULL;
    }
    return status;
}
