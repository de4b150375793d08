/* Weights that make classes count alike, however many samples each has. */
#include "train/training.h"

#include <stdlib.h>

/* The class of a sample; -1: it has none alone. */
static int64_t class_of(const struct mi_field *field, int64_t index)
{
    int64_t best = -1;
    if (field->classes)
        return field->classes[index];
    if (!field->floats || field->starts)
        return -1;
    const float *row = field->floats + (size_t)index * field->elements;
    if (field->elements == 1)
        return row[0] > 0.5f;
    for (size_t i = 0; i < field->elements; i++)
        best = best < 0 || row[i] > row[best] ? (int64_t)i : best;
    return best;
}

/* weight of class c = samples / (classes * samples of c), scikit-learn's "balanced": the mean weight of a sample is 1. A class
 * without
 * samples has weight 1, as nothing is ever multiplied by it. */
static mica_status weigh(struct mi_error *error, const mica_data *data, const struct mi_field *field, mica_objective *objective,
                         int64_t classes, float **weights)
{
    int64_t *seen = mi_new((size_t)classes, sizeof *seen), present = 0, samples = data->count[MICA_TRAIN];
    *weights = mi_new((size_t)classes, sizeof **weights);
    if (!seen || !*weights) {
        free(seen);
        return mi_out_of_memory(error);
    }
    for (int64_t i = 0; i < samples; i++) {
        int64_t c = class_of(field, mi_data_index(data, MICA_TRAIN, i));
        if (c >= 0 && c < classes)
            present += seen[c]++ == 0;
    }
    for (int64_t c = 0; c < classes; c++)
        (*weights)[c] = seen[c] ? (float)((double)samples / ((double)present * (double)seen[c])) : 1;
    objective->class_weight = *weights;
    objective->class_count = (int)classes;
    free(seen);
    return MICA_OK;
}

mica_status mi_training_balance(struct mi_error *error, struct mi_training *task)
{
    const struct mi_graph *graph = task->model->graph;
    for (int i = 0; i < task->count; i++) {
        mica_objective *objective = &task->objectives[i];
        if (!objective->balance)
            continue;
        if (task->data->fill)
            return mi_fail(error, MICA_INVALID_ARGUMENT, "classes cannot be balanced where a function fills the batches");
        const mi_value *output = mi_model_output(graph, objective->output);
        const char *name = objective->output ? objective->output : graph->outputs[0]->name;
        const struct mi_field *field = mi_training_field(task->data, MICA_TARGET, name, graph->output_count == 1);
        const struct mi_loss_row *loss = mi_loss_find(objective->loss);
        int64_t units = mi_shape_count(&output->shape, 1);
        bool two = units == 1 && (loss->task == MI_BINARY || loss->task == MI_SIGNS);
        bool classes = objective->classes || loss->task == MI_CATEGORICAL || two;
        if (!classes || output->shape.rank != 2)
            return mi_fail(error, MICA_INVALID_ARGUMENT, "output \"%s\": its targets are no classes that could be balanced",
                           mi_show(name).text);
        MI_TRY(weigh(error, task->data, field, objective, units == 1 ? 2 : units, &task->class_weights[i]));
    }
    return MICA_OK;
}
