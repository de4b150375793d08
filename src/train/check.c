/* Whether a model, data and objectives fit together. */
#include "train/training.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Inputs ---- */

static mica_status no_field(struct mi_error *error, const mica_data *data, mica_role role, const char *name)
{
    static const char *const roles[] = {"input", "target", "weight"};
    const char *names[33];
    size_t count = 0;
    for (int i = 0; i < data->field_count && count + 1 < MI_COUNT(names); i++)
        if (data->fields[i]->preprocess.role == role && data->fields[i]->preprocess.name)
            names[count++] = data->fields[i]->preprocess.name;
    names[count] = NULL;
    return mi_fail(error, MICA_DATA, "the data have no %s \"%s\"%s", roles[role], mi_show(name).text, mi_advise(name, names).text);
}

static mica_status check_shape(struct mi_error *error, const struct mi_graph *graph, const mi_value *input, mica_data *data,
                               struct mi_field *field)
{
    if (mica_node_shape(input).rank > 0)
        return mi_field_fit(data, field, graph, input, error, "the model's input");
    if (field->elements == 1) /* one number a sample */
        return MICA_OK;
    return mi_fail(error, MICA_SHAPE, "the model takes one number a sample, the data have %zu", field->elements);
}

bool mi_numbers_are_free(const mi_value *input, int64_t rows)
{
    return !rows && mi_types[input->type].kind == 'f';
}

size_t mi_first_wrong(const mi_value *input, const double *numbers, size_t count, int64_t rows)
{
    size_t no_row = rows ? mi_first_no_row(MI_DOUBLE, numbers, count, rows) : count, at = 0;
    while (at < no_row && mi_type_holds(input->type, numbers[at]))
        at++;
    return at;
}

mica_status mi_numbers_refuse(struct mi_error *error, const char *sample, const struct mi_preprocess *preprocess,
                              const mi_value *input, const double *numbers, size_t at, int64_t rows)
{
    if (!mi_type_holds(input->type, numbers[at]))
        return mi_fail(error, MICA_DATA, "%s: %s is %.17g, and the input \"%s\" is %s", sample,
                       mi_preprocess_input_text(preprocess, at).text, numbers[at], mi_show(input->name).text,
                       mi_types[input->type].name);
    return mi_fail(error, MICA_DATA, "%s: %s is %.10g, the network takes whole numbers from 0 to %lld there", sample,
                   mi_preprocess_input_text(preprocess, at).text, numbers[at], (long long)(rows - 1));
}

/* What a function fills is not known before. */
static mica_status check_numbers(struct mi_error *error, const mica_data *data, const struct mi_field *field, const mi_value *input,
                                 int64_t rows)
{
    if (mi_numbers_are_free(input, rows) || data->fill || field->classes)
        return MICA_OK;
    double *numbers = mi_new(field->elements, sizeof *numbers);
    float *row = mi_new(field->elements, sizeof *row);
    if (!numbers || !row)
        mi_out_of_memory(error);
    for (int64_t i = 0; i < data->samples && error->status == MICA_OK; i++) {
        mi_field_doubles(field, i, row, numbers);
        size_t at = mi_first_wrong(input, numbers, field->elements, rows);
        if (at < field->elements)
            mi_numbers_refuse(error, mi_data_sample_text(data, i).text, &field->preprocess, input, numbers, at, rows);
    }
    free(numbers);
    free(row);
    return error->status;
}

/* Inputs that belong to outputs without an objective, and are none of the step, may be absent. */
static mica_status check_inputs(struct mi_error *error, const struct mi_graph *graph, mica_data *data)
{
    int64_t *rows = mi_new(graph->input_count, sizeof *rows);
    mica_status status = rows ? mi_index_rows(error, graph, rows) : mi_out_of_memory(error);
    for (size_t i = 0; i < graph->input_count && status == MICA_OK; i++) {
        const mi_value *input = graph->inputs[i];
        if (mi_length_of(input, NULL))
            continue;
        struct mi_field *field = mi_input_field(data, graph, input);
        if (!field)
            status = no_field(error, data, MICA_INPUT, input->name);
        if (status == MICA_OK)
            status = check_shape(error, graph, input, data, field);
        if (status == MICA_OK)
            status = check_numbers(error, data, field, input, rows[i]);
    }
    free(rows);
    return status;
}

/* ---- Targets ---- */

/* Element i of the raw values, which are mi_field_count. */
static double raw_value(const struct mi_field *field, size_t i)
{
    return field->bytes ? field->bytes[i] : field->doubles ? field->doubles[i] : (double)field->floats[i];
}

static bool all_zero_or_one(const mica_data *data, const struct mi_field *field)
{
    size_t count = data->fill ? 0 : mi_field_count(data, field);
    if (data->fill || field->preprocess.count || field->preprocess.logarithm)
        return false;
    for (size_t i = 0; i < count; i++) {
        double value = raw_value(field, i);
        if (islessgreater(value, 0.0) && islessgreater(value, 1.0))
            return false;
    }
    return true;
}

/* place: among several labels of a sample; -1: it is the only one. */
static void refuse_value(struct mi_error *error, const struct mi_loss_row *row, const char *sample, int64_t place, double value)
{
    char label[40] = "label";
    if (place >= 0)
        mi_format(label, sizeof label, "label %lld", (long long)place);
    mi_fail(error, MICA_DATA, row->highest < FLT_MAX ? "%s: its %s is %g, loss %s takes labels from %g to %g"
                                                     : "%s: its %s is %g, loss %s takes labels of at least %g",
            sample, label, value, row->layer.type, (double)row->lowest, (double)row->highest);
}

/* Outside its range a loss may have no bound: it would fall for ever. It sees what is normalised. */
static mica_status check_values(struct mi_error *error, const struct mi_loss_row *row, const mica_data *data,
                                const struct mi_field *field)
{
    bool bounded = row->lowest < row->highest && !data->fill;
    float *values = bounded ? mi_new(field->elements, sizeof *values) : NULL;
    if (bounded && !values)
        return mi_out_of_memory(error);
    for (int64_t i = 0; i < data->samples && bounded && error->status == MICA_OK; i++) {
        mi_field_values(field, i, values);
        for (size_t k = 0; k < field->elements && error->status == MICA_OK; k++)
            if (!(values[k] >= row->lowest && values[k] <= row->highest))
                refuse_value(error, row, mi_data_sample_text(data, i).text, field->elements > 1 ? (int64_t)k : -1,
                             (double)values[k]);
    }
    free(values);
    return error->status;
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

static mica_status check_classes(struct mi_error *error, const struct mi_loss_row *row, const struct mi_field *field,
                                 const mi_value *output, int64_t units)
{
    int64_t room = units == 1 ? 2 : units;
    if ((row->task == MI_BINARY || row->task == MI_SIGNS) && units > 1)
        return mi_fail(error, MICA_DATA, "loss %s: the labels are class indices, which take one output, not %lld; "
                       "sparse_categorical_crossentropy takes one a class", row->layer.type, (long long)units);
    if (units > 1 && output->shape.rank != 2)
        return mi_fail(error, MICA_SHAPE, "labels are class indices, the output has %d dimensions per sample, needs one",
                       output->shape.rank - 1);
    if (field->preprocess.classes > room)
        return too_many_classes(error, &field->preprocess, room);
    return MICA_OK;
}

/* Numbers of classes at each of a sample's places beside scores of (classes, places), or the other way round. */
static mica_status check_places(struct mi_error *error, const struct mi_loss *loss, const struct mi_field *field,
                                const mi_value *output)
{
    const struct mi_loss_row *row = loss->row;
    int64_t units = mi_shape_count(&output->shape, 1);
    int64_t classes = output->shape.rank > 1 ? output->shape.dim[loss->axis].b : units;
    struct mi_arena arena = {0};
    if (row->task != MI_SPARSE)
        return mi_fail(error, MICA_DATA, "loss %s: a sample has class indices at %zu places, which sparse_categorical_crossentropy "
                       "takes", row->layer.type, field->elements);
    if (output->shape.rank > 2 && units / classes == (int64_t)field->elements)
        return field->preprocess.classes > classes ? too_many_classes(error, &field->preprocess, classes) : MICA_OK;
    mi_fail(error, MICA_SHAPE, "a sample has class indices at %zu places, the output has shape %s: it must be (classes, places), "
            "or (places, classes) and the loss's axis -1", field->elements, mi_shape_text(&arena, &output->shape));
    mi_arena_destroy(&arena);
    return error->status;
}

/* Whether the labels are what the loss and the output take. */
static mica_status check_labels(struct mi_error *error, const struct mi_loss *loss, const mica_data *data,
                                const struct mi_field *field, const mi_value *output)
{
    const struct mi_loss_row *row = loss->row;
    int64_t units = mi_shape_count(&output->shape, 1);
    if (!field->preprocess.shape.rank)
        return check_classes(error, row, field, output, units);
    if (mi_is_classes(&field->preprocess))
        return check_places(error, loss, field, output);
    if (row->task == MI_SPARSE)
        return mi_fail(error, MICA_DATA, "the labels are values (floats), loss %s needs class indices, which are integers",
                       row->layer.type);
    if (row->task == MI_LABELS && (int64_t)field->elements != mi_loss_labels(loss, output))
        return mi_fail(error, MICA_SHAPE, "a sample has %zu labels, loss %s takes %lld, which its key \"labels\" says",
                       field->elements, row->layer.type, (long long)mi_loss_labels(loss, output));
    if (row->task != MI_LABELS && (int64_t)field->elements != units)
        return mi_fail(error, MICA_SHAPE, "a label has %zu values, the model's output has %lld", field->elements,
                       (long long)units);
    return check_values(error, row, data, field);
}

/* What comes from a layer without activation has no bounds, and such a loss none either. */
static mica_status check_ending(struct mi_error *error, const struct mi_loss_row *row, const mi_value *output)
{
    static const char *const boundless[] = {"Gemm", "MatMul", "Einsum", "Conv", "ConvTranspose"};
    const char *last = mi_ending(output)->op->name;
    for (size_t i = 0; i < MI_COUNT(boundless) && row->outputs; i++)
        if (!strcmp(boundless[i], last))
            return mi_fail(error, MICA_INVALID_ARGUMENT, "loss %s: the last layer has no activation; its outputs must be %s",
                           row->layer.type, row->outputs);
    return MICA_OK;
}

/* Answers are right or wrong where targets are classes, shares of them, or all 0 or 1. */
static bool has_accuracy(const struct mi_objective *objective, const mica_data *data, const struct mi_field *field)
{
    return objective->classes || objective->loss.row->task != MI_VALUES || all_zero_or_one(data, field);
}

/* Whether it was there. */
static bool drop_accuracy(mica_objective *objective)
{
    int count = 0, before = 0;
    while (before < MICA_MOST_METRICS && objective->metrics[before].type)
        before++;
    for (int i = 0; i < MICA_MOST_METRICS && objective->metrics[i].type; i++)
        if (strcmp(objective->metrics[i].type, "accuracy") && strcmp(objective->metrics[i].type, "acc"))
            objective->metrics[count++] = objective->metrics[i];
    for (int i = count; i < MICA_MOST_METRICS; i++)
        objective->metrics[i] = (mica_metric){.type = NULL};
    return count < before;
}

/* Every metric without settings that the output has. */
static void take_all_metrics(const mica_model *model, mica_objective *objective)
{
    int count = 0;
    for (const struct mi_metric_row *const *row = mi_metric_rows; *row && count < MICA_MOST_METRICS; row++) {
        struct mi_error ignored = {0};
        struct mi_objective resolved;
        objective->metrics[count] = (mica_metric){.type = (*row)->name};
        if (mi_objective_resolve(&ignored, model, objective, &resolved) == MICA_OK)
            count++;
    }
    if (count < MICA_MOST_METRICS)
        objective->metrics[count] = (mica_metric){.type = NULL};
}

/* Metrics are looked at once it is known what targets are. */
static mica_status resolve_loss(struct mi_error *error, const mica_model *model, const mica_objective *given,
                                struct mi_objective *out)
{
    mica_objective alone = *given;
    alone.metrics[0] = (mica_metric){.type = NULL};
    return mi_objective_resolve(error, model, &alone, out);
}

/* One number for each of a raw row, of those that neighbours share; the field's. NULL: out of memory. */
static double *spread_numbers(struct mi_preprocess *target, const double *from, size_t row)
{
    double *out = mi_arena_new(&target->arena, row, sizeof *out);
    for (size_t i = 0; out && i < row; i++)
        out[i] = from[i / (row / (size_t)target->count)];
    return out;
}

/* What targets were normalised by, for metrics in the data's own units; the field's. */
static mica_status take_scale(struct mi_error *error, struct mi_preprocess *target, mica_scale *scale)
{
    *scale = (mica_scale){0};
    if (!target->shape.rank || !(target->count || target->logarithm))
        return MICA_OK;
    size_t row = mi_preprocess_row(target);
    bool one = target->count <= 1 && !target->logarithm, whole = !target->count || (size_t)target->count == row;
    *scale = (mica_scale){.subtract = target->count ? target->subtract : NULL, .divide = target->count ? target->divide : NULL,
                          .logarithm = target->logarithm, .count = one ? target->count : (int)row};
    if (one || whole)
        return MICA_OK;
    scale->subtract = spread_numbers(target, target->subtract, row);
    scale->divide = spread_numbers(target, target->divide, row);
    return scale->subtract && scale->divide ? MICA_OK : mi_out_of_memory(error);
}

static mica_status check_target(struct mi_error *error, mica_data *data, const mica_model *model, mica_objective *given, bool only)
{
    struct mi_objective objective;
    MI_TRY(resolve_loss(error, model, given, &objective));
    struct mi_field *field = mi_training_field(data, MICA_TARGET, objective.output, only);
    if (!field && !mi_data_fields(data, MICA_TARGET))
        return mi_fail(error, MICA_DATA, "the data have no labels; loss %s needs them", objective.loss.row->layer.type);
    if (!field)
        return no_field(error, data, MICA_TARGET, objective.output);
    /* What labels mean is decided by what the output has room for: one unit tells two classes apart. */
    const mi_value *output = mi_model_output(model->graph, objective.output);
    int64_t units = mi_shape_count(&output->shape, 1);
    MI_TRY(mi_data_settle(data, field, error, units == 1 ? 2 : units));
    given->classes = objective.classes = mi_is_classes(&field->preprocess);
    given->sample_weight = mi_training_field(data, MICA_WEIGHT, objective.output, only) != NULL;
    MI_TRY(check_labels(error, &objective.loss, data, field, output));
    MI_TRY(take_scale(error, &field->preprocess, &given->scale));
    MI_TRY(check_ending(error, objective.loss.row, output));
    bool all = given->metrics[0].type && !strcmp(given->metrics[0].type, MI_ALL_METRICS);
    if (all)
        take_all_metrics(model, given);
    if (!has_accuracy(&objective, data, field) && drop_accuracy(given) && !all)
        return mi_fail(error, MICA_INVALID_ARGUMENT,
                       "metric accuracy of \"%s\": its targets are values, neither classes nor all 0 or 1",
                       mi_show(objective.output).text);
    return mi_objective_resolve(error, model, given, &objective);
}

/* Weights are numbers of 0 or more. */
static mica_status check_weights(struct mi_error *error, const mica_data *data)
{
    for (int f = 0; f < data->field_count && !data->fill; f++) {
        const struct mi_field *field = data->fields[f];
        for (int64_t i = 0; field->preprocess.role == MICA_WEIGHT && i < data->samples; i++) {
            float weight = 0;
            mi_field_values(field, i, &weight);
            if (weight < 0)
                return mi_fail(error, MICA_DATA, "%s: its weight is %g, it must be at least 0", mi_data_sample_text(data, i).text,
                               (double)weight);
        }
    }
    return MICA_OK;
}

/* ---- All together ---- */

const mica_objective *mi_fit_objectives(const mica_fit_desc *desc, mica_objective *one, int *count)
{
    *count = desc->objective_count;
    if (desc->objective_count)
        return desc->objectives;
    *one = (mica_objective){.loss = desc->loss, .from_logits = desc->from_logits};
    memcpy(one->metrics, desc->metrics, sizeof one->metrics);
    *count = 1;
    return one;
}

static mica_status several_outputs(struct mi_error *error, const struct mi_graph *graph)
{
    return mi_fail(error, MICA_INVALID_ARGUMENT,
                   "the model has %zu outputs (\"%.60s\", \"%.60s\"%s), and the loss is not said to be of "
                   "one of them", graph->output_count, graph->outputs[0]->name, graph->outputs[1]->name,
                   graph->output_count > 2 ? ", ..." : "");
}

/* An error that names the output, where there are several and it does not do so already. */
static mica_status of_output(struct mi_error *error, const struct mi_graph *graph, const mica_objective *objective,
                             const struct mi_error *why)
{
    if (graph->output_count < 2 || !strncmp(why->text, "output ", strlen("output ")))
        return mi_error_report(error, why);
    return mi_fail(error, why->status, "output \"%s\": %s", mi_show(objective->output).text, why->text);
}

static mica_status check(struct mi_error *error, struct mi_training *task)
{
    const struct mi_graph *graph = task->model->graph;
    struct mi_objective objective;
    mica_data *data = task->data;
    MI_TRY(mi_model_check(task->model));
    for (int i = 0; i < task->count; i++) {
        MI_TRY(resolve_loss(error, task->model, &task->objectives[i], &objective));
        if (data && !task->objectives[i].output && graph->output_count > 1)
            return several_outputs(error, graph);
    }
    if (!data)
        return MICA_OK;
    if (data->error.status != MICA_OK)
        return mi_error_report(error, &data->error);
    MI_TRY(check_inputs(error, graph, data));
    MI_TRY(check_weights(error, data));
    for (int i = 0; i < task->count; i++) {
        struct mi_error why = {0};
        if (check_target(&why, data, task->model, &task->objectives[i], graph->output_count == 1) != MICA_OK)
            return of_output(error, graph, &task->objectives[i], &why);
    }
    return MICA_OK;
}

mica_status mi_training_begin(struct mi_error *error, mica_model *model, mica_data *data, const mica_objective *objectives,
                              int count,
                          struct mi_training *task)
{
    *task = (struct mi_training){.model = model, .data = data};
    if (count < 1 || !objectives)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "there are no objectives");
    task->objectives = mi_new((size_t)count, sizeof *task->objectives);
    task->class_weights = mi_new((size_t)count, sizeof *task->class_weights);
    if (!task->objectives || !task->class_weights)
        return mi_out_of_memory(error);
    memcpy(task->objectives, objectives, (size_t)count * sizeof *task->objectives);
    task->count = count;
    return check(error, task);
}

void mi_training_end(struct mi_training *task)
{
    for (int i = 0; i < task->count && task->class_weights; i++)
        free(task->class_weights[i]);
    free(task->class_weights);
    free(task->objectives);
    *task = (struct mi_training){0};
}
