/* Whether a model, data and a loss fit together. */
#include "train/task.h"

#include <math.h>
#include <stdlib.h>

/* ---- The model ---- */

static mica_status check_input(struct mi_error *error, const struct mi_graph *graph)
{
    if (graph->input_count == 1)
        return MICA_OK;
    return mi_fail(error, MICA_UNSUPPORTED, "the model has %zu inputs; training and evaluation feed one", graph->input_count);
}

mica_status mi_task_check_output(struct mi_error *error, const struct mi_graph *graph)
{
    if (graph->output_count > 1)
        return mi_fail(error, MICA_UNSUPPORTED, "the model has %zu outputs (\"%.60s\", \"%.60s\"%s); training and evaluation "
                       "take one, as a loss is of one output", graph->output_count, graph->outputs[0]->name,
                       graph->outputs[1]->name, graph->output_count > 2 ? ", ..." : "");
    return MICA_OK;
}

/* ---- Inputs ---- */

static mica_status check_shape(struct mi_error *error, const struct mi_graph *graph, mica_data *data)
{
    mica_shape wanted = mica_node_shape(graph->inputs[0]);
    if (wanted.rank > 0)
        return mi_data_reshape(data, error, "the model's input", wanted);
    if (data->elements == 1) /* one number a sample */
        return MICA_OK;
    return mi_fail(error, MICA_SHAPE, "the model takes one number a sample, the data have %zu", data->elements);
}

/* An index that is no row of an embedding would read what is not there. */
static mica_status check_indices(struct mi_error *error, const struct mi_graph *graph, const mica_data *data)
{
    int64_t rows = 0;
    MI_TRY(mi_index_rows(error, graph, &rows));
    float *inputs = rows ? mi_new(data->elements, sizeof *inputs) : NULL;
    if (rows && !inputs)
        return mi_out_of_memory(error);
    for (int64_t i = 0; rows && i < data->samples && error->status == MICA_OK; i++) {
        mi_data_input(data, i, inputs);
        size_t at = mi_first_no_row(inputs, data->elements, rows);
        if (at < data->elements)
            mi_fail(error, MICA_DATA, "%s: %s is %g, the embedding has rows 0 to %lld", mi_data_sample_text(data, i).text,
                    mi_preprocess_input_text(&data->preprocess, at).text, (double)inputs[at], (long long)(rows - 1));
    }
    free(inputs);
    return error->status;
}

/* ---- Labels ---- */

/* What they mean is decided by what the output has room for: one unit tells two classes apart. */
static mica_status settle_labels(struct mi_error *error, const struct mi_graph *graph, mica_data *data)
{
    int64_t units = mi_shape_count(&mi_model_output(graph, NULL)->shape, 1);
    return mi_data_settle(data, error, units == 1 ? 2 : units);
}

static bool all_zero_or_one(const mica_data *data)
{
    size_t count = data->label_elements * (size_t)data->samples;
    for (size_t i = 0; i < count; i++)
        if (fpclassify(data->values[i]) != FP_ZERO && (data->values[i] < 1 || data->values[i] > 1))
            return false;
    return true;
}

/* Outside its range a loss may have no bound: it would fall for ever. */
static mica_status check_values(struct mi_error *error, const struct mi_loss_row *row, const mica_data *data)
{
    size_t each = data->label_elements, count = each * (size_t)data->samples;
    char column[40] = "label";
    for (size_t i = 0; i < count; i++) {
        float value = data->values[i];
        if (value >= row->lowest && value <= row->highest)
            continue;
        if (each > 1)
            mi_format(column, sizeof column, "label %zu", i % each);
        return mi_fail(error, MICA_DATA, "%s: its %s is %g, loss %s takes labels from %g to %g",
                       mi_data_sample_text(data, (int64_t)(i / each)).text, column, (double)value, row->layer.type,
                       (double)row->lowest, (double)row->highest);
    }
    return MICA_OK;
}

/* Names show where one class too many comes from: a header among the labels, a slip. */
static mica_status too_many_classes(struct mi_error *error, const struct mi_preprocess *p, int64_t room)
{
    struct mi_text names = {0};
    mi_list_classes(p, &names);
    bool named = !names.failed && p->class_names;
    mi_fail(error, MICA_DATA, "the data have %lld classes%s%s%s, the model's output has room for %lld", (long long)p->classes,
            named ? " (" : "", named ? mi_text_get(&names) : "", named ? ")" : "", (long long)room);
    mi_text_destroy(&names);
    return error->status;
}

static mica_status check_classes(struct mi_error *error, const struct mi_loss_row *row, const mica_data *data,
                                 const mi_value *output, int64_t units)
{
    int64_t room = units == 1 ? 2 : units;
    if (row->task == MI_BINARY && units > 1)
        return mi_fail(error, MICA_DATA, "loss %s: the labels are class indices, which take one output, not %lld; "
                       "sparse_categorical_crossentropy takes one a class", row->layer.type, (long long)units);
    if (units > 1 && output->shape.rank != 2)
        return mi_fail(error, MICA_SHAPE, "labels are class indices, the output has %d dimensions per sample, needs one",
                       output->shape.rank - 1);
    if (data->preprocess.classes > room)
        return too_many_classes(error, &data->preprocess, room);
    return MICA_OK;
}

/* Whether the labels are what the loss and the output take. */
static mica_status check_labels(struct mi_error *error, const struct mi_loss_row *row, const mica_data *data,
                                const mi_value *output)
{
    int64_t units = mi_shape_count(&output->shape, 1);
    if (data->classes)
        return check_classes(error, row, data, output, units);
    if (!data->values)
        return mi_fail(error, MICA_DATA, "the data have no labels; loss %s needs them", row->layer.type);
    if (row->task == MI_SPARSE)
        return mi_fail(error, MICA_DATA, "the labels are values (floats), loss %s needs class indices, which are integers",
                       row->layer.type);
    if ((int64_t)data->label_elements != units)
        return mi_fail(error, MICA_SHAPE, "a label has %zu values, the model's output has %lld", data->label_elements,
                       (long long)units);
    return check_values(error, row, data);
}

bool mi_task_has_accuracy(const struct mi_task_state *task)
{
    if (task->labels == MI_LABELS_CLASSES)
        return true;
    return task->loss.row->task == MI_CATEGORICAL || task->loss.row->task == MI_BINARY || all_zero_or_one(task->data);
}

/* ---- All together ---- */

mica_status mi_task_check(struct mi_error *error, mica_model *model, mica_data *data, const char *loss, int from_logits,
                          struct mi_task_state *task)
{
    const struct mi_graph *graph = model->graph;
    *task = (struct mi_task_state){.model = model, .data = data};
    MI_TRY(mi_model_check(model));
    MI_TRY(mi_loss_choose(error, graph, loss, from_logits, &task->loss));
    MI_TRY(check_input(error, graph));
    if (!data)
        return MICA_OK;
    MI_TRY(mi_task_check_output(error, graph));
    if (data->error.status != MICA_OK)
        return mi_error_report(error, &data->error);
    MI_TRY(check_shape(error, graph, data));
    MI_TRY(settle_labels(error, graph, data));
    task->labels = data->classes ? MI_LABELS_CLASSES : MI_LABELS_VALUES;
    MI_TRY(check_labels(error, task->loss.row, data, mi_model_output(graph, NULL)));
    return check_indices(error, graph, data);
}
