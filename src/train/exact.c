/* Metrics of an evaluation that are not sums: of all answers, on the host. */
#include "train/training.h"

#include <stdlib.h>

struct exact {
    const struct mi_training *training;
    mica_part part;
    mica_scores *scores;
};

/* The targets of a part, as floats or classes, behind one another; NULL: out of memory. */
static void *targets_of(const struct exact *e, const struct mi_field *field)
{
    int64_t n = mica_data_count(e->training->data, e->part);
    float *values = mi_new((size_t)n * field->elements, sizeof *values);
    int32_t *classes = (int32_t *)(void *)values;
    for (int64_t i = 0; values && i < n; i++) {
        int64_t index = mi_data_index(e->training->data, e->part, i);
        if (field->classes)
            classes[i] = field->classes[index];
        else
            mi_field_values(field, index, values + (size_t)i * field->elements);
    }
    if (values && !field->classes)
        mi_preprocess_undo(&field->preprocess, values, (size_t)n); /* as answers are */
    return values;
}

static void measure(const struct exact *e, const struct mi_objective *objective, const struct mi_metric_answers *answers)
{
    for (int i = 0; i < objective->metric_count; i++) {
        const struct mi_metric_row *row = objective->metrics[i].row;
        struct mi_text name = {0};
        if (!row->exact)
            continue;
        mi_text_add(&name, e->training->count > 1 ? "%s_%s" : "%.0s%s", objective->output, row->name);
        if (!name.failed)
            mi_scores_set(e->scores, mi_text_get(&name), row->exact(answers));
        mi_text_destroy(&name);
    }
}

static mica_status answer(const struct exact *e, const mica_objective *given)
{
    mica_model *model = e->training->model;
    struct mi_error *error = &model->device->error;
    struct mi_objective objective;
    bool any = false;
    MI_TRY(mi_objective_resolve(error, model, given, &objective));
    for (int i = 0; i < objective.metric_count; i++)
        any = any || objective.metrics[i].row->exact;
    if (!any || objective.mask || (objective.places.axes && objective.loss.row->counted))
        return MICA_OK; /* which answers count is known on the device alone */
    const struct mi_field *field = mi_training_field(e->training->data, MICA_TARGET, objective.output,
                                                     model->graph->output_count == 1);
    const mi_value *output = mi_model_output(model->graph, objective.output);
    size_t n = (size_t)mica_data_count(e->training->data, e->part), units = (size_t)mi_shape_count(&output->shape, 1), count;
    if (!mi_mul_size(n, units, &count))
        return mi_out_of_memory(error);
    float *outputs = mi_new(count, sizeof *outputs);
    void *targets = targets_of(e, field);
    mica_status status = outputs && targets ? MICA_OK : mi_out_of_memory(error);
    if (status == MICA_OK)
        status = mica_predict_data(model, e->training->data, e->part, objective.output, outputs, count);
    if (status == MICA_OK)
        measure(e, &objective, &(struct mi_metric_answers){
            .outputs = outputs, .targets = field->classes ? NULL : targets, .classes = field->classes ? targets : NULL,
            .n = n * (size_t)objective.places.each, .units = units / (size_t)objective.places.each});
    free(outputs);
    free(targets);
    return status;
}

mica_status mi_scores_exact(const struct mi_training *training, mica_part part, mica_scores *scores)
{
    const struct exact e = {training, part, scores};
    mica_status status = MICA_OK;
    for (int i = 0; i < training->count && status == MICA_OK && !training->data->fill; i++)
        status = answer(&e, &training->objectives[i]);
    return status;
}
