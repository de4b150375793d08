/* Objectives: found by name, and added behind a copy of a model's graph. */
#include "nn/objective.h"

#include "ops/ops.h"
#include "plan/plan.h"

#include <math.h>
#include <string.h>

/* ---- Finding ---- */

static const mi_value *find_output(const struct mi_graph *graph, const mica_objective *given, const char **name)
{
    for (size_t i = 0; i < graph->output_count; i++)
        if (!given->output || !strcmp(graph->outputs[i]->name, given->output)) {
            *name = graph->outputs[i]->name;
            return graph->outputs[i]->node->in[0];
        }
    return NULL;
}

static mica_status no_output(struct mi_error *error, const struct mi_graph *graph, const char *name)
{
    const char *names[33];
    size_t count = 0;
    for (size_t i = 0; i < graph->output_count && count + 1 < MI_COUNT(names); i++)
        names[count++] = graph->outputs[i]->name;
    names[count] = NULL;
    return mi_fail(error, MICA_INVALID_ARGUMENT, "the model has no output \"%s\"%s", mi_show(name).text, mi_advise(name,
            names).text);
}

static mica_status find_loss(struct mi_error *error, const mica_model *model, const mica_objective *given, const mi_value *output,
                             struct mi_objective *out)
{
    if (!given->loss)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "the loss is missing");
    out->loss.row = mi_loss_find(given->loss);
    if (!out->loss.row)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "there is no loss \"%s\"%s", mi_show(given->loss).text,
                       mi_advise_term(false, given->loss, mi_loss_names).text);
    if (!output)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "loss %s: the model has no output", given->loss);
    MI_TRY(mi_model_check_samples(error, output));
    out->mask = mi_model_mask(model, output);
    MI_TRY(mi_loss_resolve(error, out->loss.row, output, out->mask != NULL, given->setting, given->from_logits, &out->loss));
    out->places = mi_places_of(&out->loss, &output->shape, out->mask != NULL);
    if (given->classes && out->loss.row->task == MI_LABELS)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "loss %s: the targets are rows of labels, not a class index for each sample",
                       out->loss.row->layer.type);
    if (!out->places.axes || !given->classes || out->loss.row->task == MI_SPARSE)
        return MICA_OK;
    return mi_fail(error, MICA_INVALID_ARGUMENT, "loss %s: each place of the output is compared, and its targets are class "
                   "indices, which sparse_categorical_crossentropy takes", out->loss.row->layer.type);
}

static mica_status find_metrics(struct mi_error *error, const mica_objective *given, mi_value *output, struct mi_objective *out)
{
    for (int i = 0; i < MICA_MOST_METRICS && given->metrics[i].type; i++) {
        struct mi_metric *metric = &out->metrics[out->metric_count];
        MI_TRY(mi_metric_resolve(error, "metrics", &given->metrics[i], metric));
        MI_TRY(mi_metric_once(error, "metrics", given->metrics, i));
        const struct mi_metric_use use = {.loss = &out->loss, .output = output, .classes = given->classes, .value = metric->value};
        if (metric->row->check)
            MI_TRY(metric->row->check(error, &use));
        out->metric_count++;
    }
    return MICA_OK;
}

/* What lies together is a part of an output. */
static mica_status check_scale(struct mi_error *error, const mica_objective *given, const mi_value *output)
{
    const mica_scale *scale = &given->scale;
    int64_t units = mi_shape_count(&output->shape, 1);
    if (!scale->count)
        return MICA_OK;
    if (scale->count < 0 || !scale->subtract != !scale->divide || units % scale->count)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "a scale of %d numbers%s, the output has %lld", scale->count,
                       !scale->subtract == !scale->divide ? "" : ", and one list of them is NULL", (long long)units);
    return MICA_OK;
}

static mica_status check_weights(struct mi_error *error, const mica_objective *given, const mi_value *output)
{
    int64_t units = mi_loss_units(output);
    if (!isfinite(given->weight) || given->weight < 0)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "the weight of loss %s is %g, it must be at least 0", given->loss,
                       (double)given->weight);
    if (!given->class_weight)
        return MICA_OK;
    int64_t classes = units == 1 ? 2 : units;
    if (output->shape.rank != 2 || given->class_count != classes)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "there are %d weights of classes, the output has %lld classes",
                       given->class_count, output->shape.rank == 2 ? (long long)classes : 0);
    for (int i = 0; i < given->class_count; i++)
        if (!isfinite(given->class_weight[i]) || given->class_weight[i] < 0)
            return mi_fail(error, MICA_INVALID_ARGUMENT, "the weight of class %d is %g, it must be at least 0", i,
                           (double)given->class_weight[i]);
    return MICA_OK;
}

static mica_status resolve(struct mi_error *error, const mica_model *model, const mica_objective *given, struct mi_objective *out)
{
    const struct mi_graph *graph = model->graph;
    const char *name = NULL;
    const mi_value *output = find_output(graph, given, &name);
    *out = (struct mi_objective){.output = NULL};
    if (!output && given->output)
        return no_output(error, graph, given->output);
    *out = (struct mi_objective){.output = name, .weight = given->weight > 0 ? given->weight : 1, .classes = given->classes,
                                 .sample_weight = given->sample_weight, .class_weight = given->class_weight,
                                 .class_count = given->class_count, .scale = given->scale};
    MI_TRY(find_loss(error, model, given, output, out));
    mi_value seen = *output; /* of which only the shape is looked at, as it is compared */
    seen.shape = mi_places_shape(&out->places, &output->shape);
    MI_TRY(check_scale(error, given, output));
    MI_TRY(check_weights(error, given, &seen));
    return find_metrics(error, given, &seen, out);
}

mica_status mi_objective_resolve(struct mi_error *error, const mica_model *model, const mica_objective *given,
                                 struct mi_objective *out)
{
    struct mi_error why = {0};
    if (resolve(&why, model, given, out) == MICA_OK)
        return MICA_OK;
    bool several = model->graph->output_count > 1 && out->output && given->output;
    return mi_fail(error, why.status, several ? "output \"%s\": %s" : "%.0s%s", several ? mi_show(out->output).text : "", why.text);
}

/* ---- Targets ---- */

const char *mi_target_name(struct mi_graph *graph, const char *output)
{
    return mi_arena_format(&graph->arena, "%s_target", output);
}

const char *mi_weight_name(struct mi_graph *graph, const char *output)
{
    return mi_arena_format(&graph->arena, "%s_weight", output);
}

static struct mi_shape rows_only(void)
{
    return (struct mi_shape){.rank = 1, .dim = {mi_batch()}};
}

/* Classes (n) as the values that an output of shape (n, C) should have: one-hot, or the number itself where C is 1. */
static mi_value *class_values(struct mi_graph *graph, mi_value *output, mi_value *classes)
{
    struct mi_shape sample = output->shape;
    int64_t column[MI_MAX_RANK] = {0};
    for (int i = 1; i < sample.rank; i++)
        column[i] = 1;
    mi_value *wide = mi_op2(graph, "Reshape", classes, mi_ints(graph, column, sample.rank));
    if (mi_loss_units(output) == 1)
        return mi_metric_cast(graph, wide, MI_FLOAT);
    if (sample.rank != 2) {
        mi_fail(&graph->error, MICA_SHAPE, "targets are class indices, the output has shape %s: they need a row of classes",
                mi_shape_text(&graph->arena, &sample));
        return NULL;
    }
    mi_value *index = mi_apply(graph, "Index", &output, 1, (const struct mi_attribute[]){MI_INT("axis", 1)}, 1);
    return mi_metric_cast(graph, mi_op2(graph, "Equal", index, wide), MI_FLOAT);
}

/* An input of classes says how many the output tells apart: one unit two. What labels mean hangs on that. */
static mi_value *add_target(struct mi_graph *graph, const struct mi_objective *objective, const mi_value *output)
{
    int axis = objective->loss.axis;
    const struct mi_shape shape = objective->loss.row->task == MI_SPARSE ? mi_without_classes(&output->shape, axis) : rows_only();
    const struct mi_shape labels = {.rank = 2, .dim = {output->shape.dim[0], mi_fixed(mi_loss_labels(&objective->loss, output))}};
    const char *name = mi_target_name(graph, objective->output);
    if (!objective->classes)
        return mi_input(graph, name, MI_FLOAT, objective->loss.row->task == MI_LABELS ? &labels : &output->shape);
    mi_value *target = mi_input(graph, name, MI_INT32, &shape);
    int64_t units = output->shape.rank > axis ? output->shape.dim[axis].b : 1;
    if (target && mi_set_attribute(target->node, MI_INT(MI_CLASSES, units == 1 ? 2 : units)) != MICA_OK)
        return NULL;
    return target;
}

/* ---- Weights ---- */

/* How much the class of each sample counts, (n): looked up by its number, or added up over the shares that a target gives them. */
static mi_value *class_weights(struct mi_graph *graph, const struct mi_objective *objective, mi_value *output, mi_value *target)
{
    mi_value *weights = mi_held(graph, objective->class_weight, (size_t)objective->class_count);
    if (!weights)
        return NULL;
    if (objective->classes)
        return mi_op2(graph, "Gather", weights, target);
    if (mi_loss_units(output) == 1) { /* the value itself says how much of class 1 it is; a sign of -1 nothing */
        mi_value *flat = mi_op2(graph, "Reshape", mi_at_least(graph, target, 0), mi_ints(graph, (int64_t[]){0}, 1));
        float zero = objective->class_weight[0], one = objective->class_weight[1];
        return mi_op2(graph, "Add", mi_op2(graph, "Mul", flat, mi_scalar(graph, one - zero)), mi_scalar(graph, zero));
    }
    mi_value *shares = mi_op2(graph, "Mul", target, weights);
    return mi_apply(graph, "ReduceSum", (mi_value *const[]){shares, mi_ints(graph, (int64_t[]){1}, 1)}, 2,
                    (const struct mi_attribute[]){MI_INT("keepdims", 0)}, 1);
}

/* What each sample loses as often as it counts; places have the weight of their sample. */
static mi_value *weighted(struct mi_graph *graph, const struct mi_objective *objective, bool training, mi_value *each,
                          const struct mi_objective_nodes *nodes)
{
    const struct mi_shape rows = rows_only();
    const mi_value *whole = mi_model_output(graph, objective->output);
    each = mi_places_only(graph, nodes->counted, each);
    if (objective->sample_weight) {
        mi_value *weight = mi_input(graph, mi_weight_name(graph, objective->output), MI_FLOAT, &rows);
        each = mi_op2(graph, "Mul", each, mi_places_spread(graph, &objective->places, whole, weight));
    }
    if (objective->class_weight && training && each && objective->loss.row->task == MI_VALUES) {
        mi_fail(&graph->error, MICA_INVALID_ARGUMENT, "class_weight of \"%s\": loss %s has values as targets, not classes",
                mi_show(objective->output).text, objective->loss.row->layer.type);
        return NULL;
    }
    if (objective->class_weight && training && each)
        each = mi_op2(graph, "Mul", each, class_weights(graph, objective, nodes->output, nodes->target));
    return each;
}

/* ---- Adding ---- */

/* What is compared, and which of it counts. */
static void add_compared(struct mi_graph *graph, const struct mi_objective *objective, struct mi_objective_nodes *nodes)
{
    const struct mi_places *places = &objective->places;
    mi_value *whole = mi_model_output(graph, objective->output);
    mi_value *mask = objective->mask ? graph->values[objective->mask->id] : NULL;
    nodes->output = mi_places_join(graph, places, whole);
    nodes->target = mi_places_join(graph, places, add_target(graph, objective, whole));
    nodes->counted = mi_places_counted(graph, &objective->loss, places, whole, mask, nodes->target);
    nodes->count = nodes->counted ? mi_places_count(graph, nodes->counted) : NULL;
}

static mi_value *mean_of(struct mi_graph *graph, const struct mi_objective *objective, const struct mi_objective_nodes *nodes)
{
    const struct mi_attribute samples[] = {MI_INT("per_n", objective->places.each), MI_INT("fixed", 0)};
    return nodes->count ? mi_op2(graph, "Div", nodes->sum, mi_at_least(graph, nodes->count, 1))
                        : mi_apply(graph, "DivideByCount", &nodes->sum, 1, samples, 2);
}

mica_status mi_objective_add(struct mi_graph *graph, const struct mi_objective *objective, bool training,
                             struct mi_objective_nodes *nodes)
{
    const struct mi_loss_row *row = objective->loss.row;
    if (row->task == MI_SPARSE && !objective->classes)
        return mi_fail(&graph->error, MICA_DATA, "loss %s: the targets are values, it needs class indices", row->layer.type);
    graph->scope = "loss";
    add_compared(graph, objective, nodes);
    mi_value *target = nodes->target;
    if (objective->classes && row->task != MI_SPARSE && !row->takes_numbers)
        target = class_values(graph, nodes->output, target);
    mi_value *mask = objective->mask ? graph->values[objective->mask->id] : NULL;
    mi_value *each = mi_loss_each(graph, &objective->loss, nodes->output, target, mask);
    each = weighted(graph, objective, training, each, nodes);
    nodes->sum = mi_apply(graph, "ReduceSum", &each, 1, (const struct mi_attribute[]){MI_INT("keepdims", 0)}, 1);
    nodes->mean = mean_of(graph, objective, nodes);
    graph->scope = NULL;
    return graph->error.status;
}

/* ---- Sums over the samples of many runs ---- */

struct adding {
    mica_model *model;
    struct mi_graph *graph;
    bool training, several;
    struct mi_plan_metric *metrics;
    int count;
};

/* A variable that the sum of a batch is added to in each run, NULL after an error. Training and evaluation have their own. */
static struct mi_variable *accumulate(struct adding *a, const char *name, mi_value *sum)
{
    struct mi_graph *graph = a->graph;
    const char *shape = sum && sum->shape.rank ? mi_shape_text(&graph->arena, &sum->shape) : "";
    const char *own = mi_arena_format(&graph->arena, "%s/%s%s", a->training ? "train" : "evaluate", name, shape);
    struct mi_variable *variable = sum && own ? mi_variable_find(&a->model->variables, own) : NULL;
    if (sum && own && !variable)
        variable = mi_variable_add(&a->model->variables, &graph->error, own, MI_ACCUMULATOR, MI_FLOAT, &sum->shape, NULL);
    if (variable && mi_assign(graph, variable, mi_op2(graph, "Add", mi_variable(graph, variable), sum)))
        return variable;
    if (!graph->error.status)
        mi_out_of_memory(&graph->error);
    return NULL;
}

/* of: whose samples the sum is over (NULL: the batch's), and the sum of those that count (NULL: all do). */
static mica_status carry(struct adding *a, const char *name, mi_value *sum, double (*result)(const float *, size_t, double),
                         const struct mi_objective *of, struct mi_variable *count)
{
    struct mi_variable *variable = accumulate(a, name, sum);
    if (!variable)
        return a->graph->error.status;
    a->metrics[a->count++] = (struct mi_plan_metric){
        .name = name, .sum = variable, .result = result, .count = count, .places = of ? of->places.each : 1};
    return MICA_OK;
}

/* "accuracy", or "kind_accuracy" where there are several objectives. */
static const char *name_of(struct adding *a, const struct mi_objective *objective, const char *what)
{
    return a->several ? mi_arena_format(&a->graph->arena, "%s_%s", objective->output, what)
                      : mi_arena_strdup(&a->graph->arena, what);
}

/* Numbers as a vector of the graph; NULL after an error. */
static mi_value *held_numbers(struct mi_graph *graph, const double *from, size_t count)
{
    float *numbers = mi_arena_new(&graph->arena, count, sizeof *numbers);
    for (size_t i = 0; numbers && i < count; i++)
        numbers[i] = (float)from[i];
    return numbers ? mi_held(graph, numbers, count) : NULL;
}

/* exp(x) of those numbers of a row of which the logarithm was taken. */
static mi_value *exponentials(struct mi_graph *graph, const bool *logarithm, size_t count, mi_value *x)
{
    float *marks = mi_arena_new(&graph->arena, count, sizeof *marks);
    bool all = true;
    for (size_t i = 0; marks && i < count; i++) {
        marks[i] = logarithm[i];
        all = all && logarithm[i];
    }
    if (!marks)
        return NULL;
    mi_value *exponential = mi_op1(graph, "Exp", x);
    mi_value *chosen = all ? NULL : mi_op2(graph, "Greater", mi_held(graph, marks, count), mi_scalar(graph, 0));
    return all ? exponential : mi_apply(graph, "Where", (mi_value *const[]){chosen, exponential, x}, 3, NULL, 0);
}

/* What was scaled as it was before: t * divide + subtract, or exp of that. Of samples that are places a scale is of all of them. */
static mi_value *unscaled(struct mi_graph *graph, const struct mi_objective *objective, mi_value *scaled)
{
    const mica_scale *scale = &objective->scale;
    if (!scale->count || !scaled)
        return scaled;
    size_t count = (size_t)scale->count;
    int64_t runs = mi_loss_units(scaled) * objective->places.each / scale->count;
    const struct mi_shape own_shape = {.rank = 3, .dim = {mi_batch(), mi_fixed(runs), mi_fixed(scale->count)}};
    mi_value *own = mi_reshape_to(graph, scaled, &own_shape);
    if (scale->subtract)
        own = mi_op2(graph, "Add", mi_op2(graph, "Mul", own, held_numbers(graph, scale->divide, count)),
                     held_numbers(graph, scale->subtract, count));
    if (scale->logarithm)
        own = exponentials(graph, scale->logarithm, count, own);
    return own ? mi_reshape_to(graph, own, &scaled->shape) : NULL;
}

static mica_status add_metrics(struct adding *a, const struct mi_objective *objective, const struct mi_objective_nodes *nodes,
                               struct mi_variable *count)
{
    mi_value *output = unscaled(a->graph, objective, nodes->output), *target = unscaled(a->graph, objective, nodes->target);
    for (int i = 0; i < objective->metric_count; i++) {
        const struct mi_metric *metric = &objective->metrics[i];
        const struct mi_metric_use use = {.loss = &objective->loss, .output = output, .target = target,
                                          .counted = nodes->counted, .classes = objective->classes, .value = metric->value};
        const char *name = name_of(a, objective, metric->row->name);
        a->graph->scope = name;
        MI_TRY(carry(a, name, metric->row->sum(a->graph, &use), metric->row->result, objective, count));
        a->graph->scope = NULL;
    }
    return MICA_OK;
}

static mi_value *times(struct mi_graph *graph, mi_value *x, float weight)
{
    return weight > 1 || weight < 1 ? mi_op2(graph, "Mul", x, mi_scalar(graph, weight)) : x;
}

static mi_value *plus(struct mi_graph *graph, mi_value *sum, mi_value *more)
{
    return sum ? mi_op2(graph, "Add", sum, more) : more;
}

/* What the sums of total_sum mean: the first is of all samples, the others are pairs of a sum and of how many it is of. */
static double total(const float *sum, size_t places, double samples)
{
    double all = (double)sum[0] / samples;
    for (size_t i = 1; i + 1 < places; i += 2)
        all += sum[i + 1] > 0 ? (double)sum[i] / (double)sum[i + 1] : 0;
    return all;
}

/* The loss over the samples: a sum, or where samples of some outputs do not all count a vector, the sum of all other outputs and a
 * sum and a count of each such output. */
static mi_value *total_sum(struct mi_graph *graph, const struct mi_objective *objectives, int count,
                           const struct mi_objective_nodes *nodes)
{
    mi_value **parts = mi_arena_new(&graph->arena, 2 * (size_t)count + 1, sizeof *parts), *plain = NULL;
    int made = 1;
    if (!parts) {
        mi_out_of_memory(&graph->error);
        return NULL;
    }
    for (int i = 0; i < count; i++)
        if (nodes[i].count) {
            parts[made++] = times(graph, nodes[i].sum, objectives[i].weight);
            parts[made++] = nodes[i].count;
        } else
            plain = plus(graph, plain, times(graph, nodes[i].sum, objectives[i].weight / (float)objectives[i].places.each));
    if (made == 1)
        return plain;
    parts[0] = plain ? plain : mi_scalar(graph, 0);
    for (int i = 0; i < made; i++)
        parts[i] = mi_op2(graph, "Reshape", parts[i], mi_ints(graph, (int64_t[]){1}, 1));
    return mi_apply(graph, "Concat", parts, made, (const struct mi_attribute[]){MI_INT("axis", 0)}, 1);
}

static mica_status add_all(struct adding *a, const struct mi_objective *objectives, int count, struct mi_objective_nodes *nodes,
                           mi_value **mean)
{
    struct mi_graph *graph = a->graph;
    for (int i = 0; i < count; i++) {
        MI_TRY(mi_objective_add(graph, &objectives[i], a->training, &nodes[i]));
        *mean = plus(graph, *mean, times(graph, nodes[i].mean, objectives[i].weight));
    }
    mi_value *sum = total_sum(graph, objectives, count, nodes);
    MI_TRY(carry(a, "loss", sum, sum && sum->shape.rank ? total : NULL, NULL, NULL));
    for (int i = 0; i < count; i++) {
        struct mi_variable *counts = NULL;
        if (nodes[i].count && !(counts = accumulate(a, name_of(a, &objectives[i], "count"), nodes[i].count)))
            return graph->error.status;
        if (a->several)
            MI_TRY(carry(a, name_of(a, &objectives[i], "loss"), nodes[i].sum, NULL, &objectives[i], counts));
        MI_TRY(add_metrics(a, &objectives[i], &nodes[i], counts));
    }
    return graph->error.status;
}

mica_status mi_objectives_add(mica_model *model, struct mi_graph *graph, const struct mi_objective *objectives, int count,
                              bool training, mi_value **mean, const struct mi_plan_metric **metrics, int *metric_count)
{
    size_t most = (size_t)count * (MICA_MOST_METRICS + 1) + 1;
    struct adding a = {.model = model, .graph = graph, .training = training, .several = count > 1};
    struct mi_objective_nodes *nodes = mi_arena_new(&graph->arena, (size_t)count, sizeof *nodes);
    a.metrics = mi_arena_new(&graph->arena, most, sizeof *a.metrics);
    if (!nodes || !a.metrics)
        return mi_out_of_memory(&graph->error);
    *mean = NULL;
    MI_TRY(add_all(&a, objectives, count, nodes, mean));
    *metrics = a.metrics;
    *metric_count = a.count;
    return MICA_OK;
}
