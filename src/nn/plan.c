/* Plans of a model: inference, and the steps of training. */
#include "nn/model.h"

#include "nn/objective.h"
#include "nn/optimizer/optimizer.h"
#include "nn/part.h"
#include "nn/penalty.h"
#include "ops/ops.h"
#include "tune/tune.h"

#include <stdlib.h>
#include <string.h>

mica_status mi_model_graph(mica_model *model, bool training, struct mi_graph **copy)
{
    *copy = NULL;
    MI_TRY(mi_model_check(model));
    if (model->graph->output_count == 0)
        return mi_fail(&model->device->error, MICA_INVALID_ARGUMENT, "the model has no output: mica_output declares one");
    struct mi_error error = {0};
    *copy = mi_graph_copy(model->graph, &error);
    if (!*copy)
        return mi_error_report(&model->device->error, &error);
    (*copy)->training = training;
    if (mi_recognise(*copy, NULL) == MICA_OK && (!training || mi_pick_first(*copy) == MICA_OK))
        return MICA_OK;
    mica_status status = mi_error_report(&model->device->error, &(*copy)->error);
    mi_graph_destroy(*copy);
    *copy = NULL;
    return status;
}

/* A plan that holds nothing but an error, so that the caller has somewhere to read it. */
static mica_plan *failed_plan(mica_model *model)
{
    mica_plan *plan = NULL;
    struct mi_graph *empty = mi_graph_create(mi_ops, &model->variables);
    if (!empty)
        return NULL;
    mi_error_report(&empty->error, model->error.status ? &model->error : &model->device->error);
    mi_plan_create(&(struct mi_plan_desc){.device = model->device, .graph = empty, .batch = 1}, &plan);
    return plan;
}

/* ---- What a plan computes ---- */

struct wanted {
    mica_model *model;
    const mica_plan_desc *desc;
    struct mi_optimizer optimizer;   /* of a training step */
    struct mi_objective *objectives;
    struct mi_graph *graph;
    mi_value *loss;                  /* what a training step makes smaller: a scalar */
    struct mi_penalties penalties;   /* part of it */
    const struct mi_plan_metric *metrics;
    int metric_count;
};

static bool trains(const struct wanted *w)
{
    return w->desc->loss || (w->desc->objective_count && !w->desc->evaluate);
}

static mica_status refuse(struct wanted *w, const char *what, const mica_node *node)
{
    if (!node)
        return mi_fail(&w->model->device->error, MICA_INVALID_ARGUMENT, "to compile: the %s is NULL", what);
    return mi_fail(&w->model->device->error, MICA_INVALID_ARGUMENT, "to compile: the %s is a node of another model", what);
}

static mica_status check_objectives(struct wanted *w)
{
    const mica_plan_desc *desc = w->desc;
    struct mi_error *error = &w->model->device->error;
    if (desc->objective_count < 0 || (desc->objective_count && (!desc->objectives || desc->loss || desc->output_count)))
        return mi_fail(error, MICA_INVALID_ARGUMENT, "to compile: %d objectives%s", desc->objective_count,
                       desc->objective_count < 0 ? "" : !desc->objectives ? ", and their list is NULL"
                                                                          : " beside a loss or outputs; give one of them");
    w->objectives = mi_new((size_t)desc->objective_count, sizeof *w->objectives);
    if (!w->objectives)
        return mi_out_of_memory(error);
    for (int i = 0; i < desc->objective_count; i++) {
        MI_TRY(mi_objective_resolve(error, w->model, &desc->objectives[i], &w->objectives[i]));
        for (int k = 0; k < i; k++)
            if (!strcmp(w->objectives[k].output, w->objectives[i].output))
                return mi_fail(error, MICA_INVALID_ARGUMENT, "to compile: two objectives are of the output \"%s\"",
                               mi_show(w->objectives[i].output).text);
    }
    return MICA_OK;
}

static mica_status check(struct wanted *w)
{
    const mica_plan_desc *desc = w->desc;
    struct mi_error error = {0};
    MI_TRY(mi_model_check(w->model));
    for (int i = 0; i < desc->output_count; i++)
        if (!desc->outputs || !desc->outputs[i] || desc->outputs[i]->node->graph != w->model->graph)
            return refuse(w, "output", desc->outputs ? desc->outputs[i] : NULL);
    if (desc->loss && desc->loss->node->graph != w->model->graph)
        return refuse(w, "loss", desc->loss);
    if (desc->loss && desc->loss->type != MI_FLOAT)
        return mi_fail(&w->model->device->error, MICA_INVALID_ARGUMENT, "to compile: the loss is %s, not float32",
                       mi_types[desc->loss->type].name);
    MI_TRY(check_objectives(w));
    if (desc->precision != MICA_FLOAT32 && (!trains(w) || (desc->precision != MICA_FLOAT16 && desc->precision != MICA_BFLOAT16))) {
        const char *name = mica_type_name(desc->precision);
        return mi_fail(&w->model->device->error, MICA_INVALID_ARGUMENT, "to compile: precision is %s%s", name ? name : "no type",
                       trains(w) ? "; training keeps float32, float16 or bfloat16" : ", and the plan does not train");
    }
    if (!trains(w))
        return MICA_OK;
    if (mi_optimizer_resolve(&error, "optimizer", &desc->optimizer, &w->optimizer) != MICA_OK ||
        mi_optimizer_set_schedule(&error, "optimizer", desc->schedule, &w->optimizer) != MICA_OK ||
        mi_optimizer_set_groups(&error, "optimizer", desc->groups, desc->group_count, &w->optimizer) != MICA_OK)
        return mi_fail(&w->model->device->error, MICA_INVALID_ARGUMENT, "%s", error.text);
    return MICA_OK;
}

/* Of the model's outputs those that have an objective, and which of their steps are real: what only others need is none of the
 * plan. */
static void keep_outputs(struct wanted *w)
{
    struct mi_graph *graph = w->graph;
    size_t count = 0;
    for (size_t i = 0; i < graph->output_count; i++)
        for (int k = 0; k < w->desc->objective_count; k++)
            if (!strcmp(w->objectives[k].output, graph->outputs[i]->name)) {
                graph->outputs[count++] = graph->outputs[i];
                break;
            }
    graph->output_count = count;
    for (int k = 0; k < w->desc->objective_count; k++)
        if (w->objectives[k].mask)
            mi_output(graph, mi_arena_format(&graph->arena, "%s mask", w->objectives[k].output),
                      graph->values[w->objectives[k].mask->id]);
}

/* Penalties of what the roots depend on. What is clipped, or whose norm counts, has their derivatives in it; otherwise updates add
 * them. */
static mica_status add_penalties(struct wanted *w, mi_value *const *roots, size_t count)
{
    const struct mi_optimizer_row *row = w->optimizer.row; /* NULL: nothing is updated */
    w->optimizer.penalizes = w->model->penalty_count && !(row && row->apart) && !mi_optimizer_clips(&w->optimizer);
    return mi_penalties_add(w->model, w->graph, w->desc->train, roots, count, w->optimizer.penalizes, &w->penalties);
}

/* The results that can be read: those asked for, by their layers' names, or those of the model; of a step its loss, too. */
static void add_outputs(struct wanted *w)
{
    struct mi_graph *graph = w->graph;
    const mica_plan_desc *desc = w->desc;
    if (desc->objective_count)
        keep_outputs(w);
    else if (desc->loss || desc->output_count)
        graph->output_count = 0;
    for (int i = 0; i < desc->output_count; i++) {
        const char *name = mi_model_layer_of(w->model, desc->outputs[i]);
        mi_output(graph, name ? name : desc->outputs[i]->node->name, graph->values[desc->outputs[i]->id]);
    }
    if (!desc->loss)
        return;
    mi_value *loss = graph->values[desc->loss->id];
    graph->scope = "loss";
    if (loss->shape.rank)
        loss = mi_apply(graph, "ReduceMean", &loss, 1, (const struct mi_attribute[]){MI_INT("keepdims", 0)}, 1);
    graph->scope = NULL;
    if (!loss || add_penalties(w, &loss, 1) != MICA_OK)
        return;
    w->loss = mi_penalties_to_mean(graph, &w->penalties, false, loss);
    mi_output(graph, "loss", mi_penalties_to_mean(graph, &w->penalties, true, loss));
}

/* Penalties of what objectives look at are part of the loss that is made smaller, and of the one that is told. */
static mica_status add_to_loss(struct wanted *w, struct mi_variable *told)
{
    mi_value *sum = mi_newest(w->graph, told), *with = mi_penalties_to_sum(w->graph, &w->penalties, sum);
    w->loss = mi_penalties_to_mean(w->graph, &w->penalties, false, w->loss);
    if (with != sum)
        mi_assign(w->graph, told, with);
    return w->graph->error.status;
}

/* Targets and losses by names. What is measured are sums; the model's outputs are none of the plan. */
static mica_status add_objectives(struct wanted *w)
{
    if (!w->desc->objective_count)
        return MICA_OK;
    MI_TRY(mi_objectives_add(w->model, w->graph, w->objectives, w->desc->objective_count, w->graph->training, &w->loss, &w->metrics,
                             &w->metric_count));
    w->graph->output_count = 0;
    return add_to_loss(w, w->metrics[0].sum); /* the first is the loss */
}

static mica_status add_update(struct wanted *w)
{
    size_t nodes = w->graph->node_count;
    w->optimizer.scales_loss = w->desc->precision == MICA_FLOAT16;
    MI_TRY(mi_optimizer_add(w->model, w->graph, w->loss, &w->optimizer, w->desc->train));
    for (size_t i = nodes; i < w->graph->node_count; i++)
        if (w->graph->nodes[i]->op == &mi_op_assign)
            return MICA_OK;
    return mi_fail(&w->model->device->error, MICA_INVALID_ARGUMENT, "to compile: the loss depends on no parameter%s%s%s",
                   w->desc->train ? " that \"" : " of the model", w->desc->train ? mi_show(w->desc->train).text : "",
                   w->desc->train ? "\" names" : "");
}

static mica_status build(struct wanted *w, bool described)
{
    struct mi_error error = {0};
    MI_TRY(check(w));
    w->graph = mi_graph_copy(w->model->graph, &error);
    if (!w->graph)
        return mi_error_report(&w->model->device->error, &error);
    w->graph->training = trains(w);
    w->graph->precision = (enum mi_type)w->desc->precision;
    add_outputs(w);
    if (w->graph->output_count == 0 && w->graph->error.status == MICA_OK)
        return mi_fail(&w->model->device->error, MICA_INVALID_ARGUMENT, "the model has no output: mica_output declares one");
    MI_TRY(w->graph->error.status);
    if (w->desc->objective_count)
        MI_TRY(add_penalties(w, w->graph->outputs, w->graph->output_count));
    MI_TRY(mi_part_take(w->graph, w->desc->train));
    if (!described)
        MI_TRY(mi_adapted_check(w->model, w->graph));
    if (trains(w))
        MI_TRY(mi_pick_first(w->graph));
    MI_TRY(add_objectives(w));
    if (!w->model->exact) /* which computes what is written, as it is */
        MI_TRY(mi_recognise(w->graph, &w->loss));
    return trains(w) ? add_update(w) : MICA_OK;
}

/* The rate of a run, which ends an update or adds to one. */
struct rate {
    struct mi_schedule schedule;
    uint64_t runs;               /* to an update */
};

static float rate_of(const void *of, uint64_t runs)
{
    const struct rate *rate = of;
    return (float)mi_schedule_rate(&rate->schedule, runs / rate->runs);
}

/* The schedule as the plan keeps it, in the memory of its graph. *out NULL: there is none. */
static mica_status keep_schedule(struct wanted *w, const struct rate **out)
{
    const struct mi_schedule *given = &w->optimizer.schedule;
    size_t count = given->row && given->row->lists ? (size_t)given->count : 0;
    struct rate *rate = given->row ? mi_arena_new(&w->graph->arena, 1, sizeof *rate) : NULL;
    double *lists = given->row ? mi_arena_new(&w->graph->arena, 2 * count + 1, sizeof *lists) : NULL;
    *out = rate;
    if (!given->row)
        return MICA_OK;
    if (!rate || !lists)
        return mi_out_of_memory(&w->model->device->error);
    *rate = (struct rate){*given, w->optimizer.accumulate < 2 ? 1 : (uint64_t)w->optimizer.accumulate};
    if (!given->row->lists)
        return MICA_OK;
    rate->schedule.values = memcpy(lists, given->values, (count + 1) * sizeof *lists);
    rate->schedule.boundaries = lists + count + 1;
    if (count)
        memcpy(lists + count + 1, given->boundaries, count * sizeof *lists);
    return MICA_OK;
}

mica_plan *mi_model_compile(mica_model *model, const mica_plan_desc *desc, bool described, const char *engine, int variant)
{
    struct wanted w = {.model = model, .desc = desc};
    struct mi_store *store = NULL;
    mica_plan *plan = NULL;
    const struct rate *rate = NULL;
    mica_status status = mi_model_begin(model);
    if (status == MICA_OK)
        status = build(&w, described);
    if (status == MICA_OK)
        status = keep_schedule(&w, &rate);
    if (status != MICA_OK && w.graph)
        mi_error_report(&model->device->error, &w.graph->error);
    if (status == MICA_OK)
        status = mi_model_store(model, &store);
    free(w.objectives);
    if (status != MICA_OK) {
        mi_graph_destroy(w.graph);
        return failed_plan(model);
    }
    const struct mi_plan_desc how = {
        .device = model->device, .store = store, .graph = w.graph, .batch = desc->batch ? desc->batch : 1, .engine = engine,
        .variant = variant, .choices = &model->choices, .search = mi_tune, .described = described, .exact = model->exact,
        .counts_steps = trains(&w), .learning_rate = w.optimizer.learning_rate, .seed = model->seed, .metrics = w.metrics,
        .metric_count = w.metric_count, .rate = rate ? rate_of : NULL, .rate_of = rate};
    mi_plan_create(&how, &plan);
    return plan;
}

mica_plan *mica_compile(mica_model *model, const mica_plan_desc *desc)
{
    return model ? mi_model_compile(model, desc ? desc : &(const mica_plan_desc){0}, false, NULL, 0) : NULL;
}
