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

mica_plan *mi_training_plan(mica_model *model, int64_t batch, mica_type precision, bool described)
{
    struct mi_arena arena = {0};
    size_t room = model->graph->output_count + 1;
    mica_objective *objectives = mi_arena_new(&arena, room, sizeof *objectives);
    mica_plan *plan = NULL;
    if (objectives) {
        int count = mi_usual_objectives(model, objectives);
        for (int i = 0; i < count; i++) {
            const struct mi_loss_row *loss = mi_loss_find(objectives[i].loss);
            objectives[i].classes = loss->task == MI_SPARSE;
            if (objectives[i].classes)
                objectives[i].metrics[0].type = "accuracy";
        }
        plan = mi_model_compile(model, &(mica_plan_desc){.batch = batch, .objectives = objectives, .objective_count = count,
                                                         .precision = precision, .optimizer = {.type = "adam"}}, described,
                                NULL, 0);
    }
    mi_arena_destroy(&arena);
    return plan;
}
