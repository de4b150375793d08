/* What training leaves behind in a model, for those who make answers of its outputs. */
#include "nn/loss/loss.h"
#include "nn/model.h"

#include <stdlib.h>
#include <string.h>

static void forget_classes(struct mi_trained_output *answer)
{
    for (int i = 0; i < answer->class_count && answer->class_names; i++)
        free(answer->class_names[i]);
    free(answer->class_names);
    answer->class_names = NULL;
    answer->class_count = 0;
}

static void forget_answers(mica_model *model)
{
    for (int i = 0; i < model->answer_count; i++) {
        free(model->answers[i].output);
        free(model->answers[i].loss);
        forget_classes(&model->answers[i]);
    }
    free(model->answers);
    model->answers = NULL;
    model->answer_count = 0;
}

void mi_model_forget(mica_model *model)
{
    forget_answers(model);
    forget_classes(&model->untrained);
    free(model->preprocess);
    model->preprocess = NULL;
}

/* Keys of settings may be borrowed: those of the loss's row stay. */
static void copy_settings(const mica_objective *from, struct mi_trained_output *to)
{
    const struct mi_number *keys = mi_loss_find(from->loss)->keys;
    for (int i = 0; i < MICA_MOST_LOSS_SETTINGS && from->setting[i].key; i++)
        for (int k = 0; keys[k].name; k++)
            if (!strcmp(keys[k].name, from->setting[i].key))
                to->setting[i] = (mica_setting){keys[k].name, from->setting[i].value};
}

static bool copy_answer(const mica_model *model, const mica_objective *from, struct mi_trained_output *to)
{
    const char *output = from->output ? from->output : model->graph->outputs[0]->name;
    to->output = mi_strdup(output);
    to->loss = mi_strdup(from->loss);
    to->from_logits = from->from_logits;
    to->weight = from->weight;
    copy_settings(from, to);
    return to->output && to->loss;
}

mica_status mi_model_set_trained(mica_model *model, const mica_objective *objectives, int count)
{
    forget_answers(model);
    model->answers = mi_new((size_t)count, sizeof *model->answers);
    if (!model->answers)
        return mi_out_of_memory(&model->device->error);
    for (int i = 0; i < count; i++) {
        model->answer_count++;
        if (!copy_answer(model, &objectives[i], &model->answers[i]))
            return mi_out_of_memory(&model->device->error);
    }
    return MICA_OK;
}

struct mi_trained_output *mi_model_trained(const mica_model *model, const char *output)
{
    const char *name = output ? output : model->graph->output_count ? model->graph->outputs[0]->name : "";
    for (int i = 0; i < model->answer_count; i++)
        if (!strcmp(model->answers[i].output, name))
            return &model->answers[i];
    return NULL;
}

mica_status mi_answer_set_classes(struct mi_error *error, struct mi_trained_output *answer, const char *const *names, int count)
{
    char **copy = mi_new((size_t)count, sizeof *copy);
    bool good = copy != NULL;
    for (int i = 0; i < count && good; i++)
        good = (copy[i] = mi_strdup(names[i])) != NULL;
    if (good) { /* the names may be those of before */
        forget_classes(answer);
        answer->class_names = copy;
        answer->class_count = count;
        return MICA_OK;
    }
    for (int i = 0; i < count && copy; i++)
        free(copy[i]);
    free(copy);
    return mi_out_of_memory(error);
}

mica_status mi_model_set_preprocess(mica_model *model, const char *json)
{
    char *copy = json ? mi_strdup(json) : NULL;
    if (json && !copy)
        return mi_out_of_memory(&model->device->error);
    free(model->preprocess);
    model->preprocess = copy;
    return MICA_OK;
}

const char *mica_model_class_name(const mica_model *model, const char *output, int i)
{
    const struct mi_trained_output *answer = model ? mi_model_trained(model, output) : NULL;
    return answer && i >= 0 && i < answer->class_count ? answer->class_names[i] : NULL;
}
