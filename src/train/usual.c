/* What a model's outputs are compared with where nothing is asked for. */
#include "train/training.h"

#include <string.h>

static const char *usual_loss(const mi_value *output)
{
    bool classes = output->shape.rank == 2 && output->shape.dim[1].b > 1 && strcmp(mi_ending(output)->op->name, "Sigmoid") != 0;
    return classes ? "sparse_categorical_crossentropy" : "mean_squared_error";
}

int mi_usual_objectives(const mica_model *model, mica_objective *out)
{
    const struct mi_graph *graph = model->graph;
    for (int i = 0; i < model->answer_count; i++) {
        const struct mi_trained_output *answer = &model->answers[i];
        out[i] = (mica_objective){.output = answer->output, .loss = answer->loss, .from_logits = answer->from_logits,
                                  .weight = answer->weight};
        memcpy(out[i].setting, answer->setting, sizeof answer->setting);
    }
    if (model->answer_count)
        return model->answer_count;
    for (size_t i = 0; i < graph->output_count; i++)
        out[i] = (mica_objective){.output = graph->outputs[i]->name, .loss = usual_loss(graph->outputs[i]->node->in[0])};
    return (int)graph->output_count;
}

mica_plan *mi_fit_plan(mica_model *model, const mica_fit_desc *fit, const struct mi_fit_plan_desc *how)
{
    struct mi_arena arena = {0};
    mica_objective one;
    int count;
    const mica_objective *given = mi_fit_objectives(fit, &one, &count);
    mica_objective *objectives = mi_arena_new(&arena, (size_t)count, sizeof *objectives);
    for (int i = 0; objectives && i < count; i++) {
        const struct mi_loss_row *loss = given[i].loss ? mi_loss_find(given[i].loss) : NULL;
        objectives[i] = given[i];
        objectives[i].classes = loss && loss->task == MI_SPARSE;
    }
    const mica_plan_desc desc = {.batch = how->batch, .objectives = objectives, .objective_count = count,
                                 .optimizer = fit->optimizer, .groups = fit->groups, .group_count = fit->group_count,
                                 .schedule = fit->schedule, .train = fit->train, .precision = fit->precision};
    mica_plan *plan = objectives ? mi_model_compile(model, &desc, how->described, how->engine, how->variant) : NULL;
    mi_arena_destroy(&arena);
    return plan;
}

mica_plan *mi_training_plan(mica_model *model, const struct mi_fit_plan_desc *how)
{
    struct mi_arena arena = {0};
    size_t room = model->graph->output_count + (size_t)model->answer_count;
    mica_objective *objectives = mi_arena_new(&arena, room, sizeof *objectives);
    int count = objectives ? mi_usual_objectives(model, objectives) : 0;
    for (int i = 0; i < count; i++)
        if (mi_loss_find(objectives[i].loss)->task == MI_SPARSE)
            objectives[i].metrics[0].type = "accuracy";
    const mica_fit_desc fit = {.objectives = objectives, .objective_count = count, .optimizer = {.type = "adam"}};
    mica_plan *plan = objectives ? mi_fit_plan(model, &fit, how) : NULL;
    mi_arena_destroy(&arena);
    return plan;
}
