/* Plans of a model: inference, and the steps of training. */
#include "nn/model.h"

#include "nn/optimizer/optimizer.h"
#include "nn/part.h"
#include "ops/ops.h"
#include "tune/tune.h"

#include <string.h>

mi_value *mi_model_output(const struct mi_graph *copy, const char *name)
{
    for (size_t i = 0; i < copy->output_count; i++)
        if (!name || strcmp(copy->outputs[i]->name, name) == 0)
            return copy->outputs[i]->node->in[0]; /* the output itself is an Identity */
    return NULL;
}

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
    if (!training || mi_pick_first(*copy) == MICA_OK)
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
    struct mi_graph *graph;
};

static mica_status refuse(struct wanted *w, const char *what, const mica_node *node)
{
    if (!node)
        return mi_fail(&w->model->device->error, MICA_INVALID_ARGUMENT, "to compile: the %s is NULL", what);
    return mi_fail(&w->model->device->error, MICA_INVALID_ARGUMENT, "to compile: the %s is a node of another model", what);
}

static mica_status check(struct wanted *w)
{
    const mica_plan_desc *desc = w->desc;
    struct mi_error error = {0};
    MI_TRY(mi_model_check(w->model));
    for (int i = 0; i < desc->output_count; i++)
        if (!desc->outputs || !desc->outputs[i] || desc->outputs[i]->node->graph != w->model->graph)
            return refuse(w, "output", desc->outputs ? desc->outputs[i] : NULL);
    if (!desc->loss)
        return MICA_OK;
    if (desc->loss->node->graph != w->model->graph)
        return refuse(w, "loss", desc->loss);
    if (desc->loss->type != MI_FLOAT)
        return mi_fail(&w->model->device->error, MICA_INVALID_ARGUMENT, "to compile: the loss is %s, not float32",
                       mi_types[desc->loss->type].name);
    if (mi_optimizer_resolve(&error, "optimizer", &desc->optimizer, &w->optimizer) != MICA_OK)
        return mi_fail(&w->model->device->error, MICA_INVALID_ARGUMENT, "%s", error.text);
    return MICA_OK;
}

/* The results that can be read: those asked for, by their layers' names, or those of the model; of a step its loss, too. */
static void add_outputs(struct wanted *w)
{
    struct mi_graph *graph = w->graph;
    const mica_plan_desc *desc = w->desc;
    if (desc->loss || desc->output_count)
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
    mi_output(graph, "loss", loss);
    graph->scope = NULL;
}

static mica_status add_update(struct wanted *w)
{
    mi_value *loss = mi_model_output(w->graph, "loss");
    size_t nodes = w->graph->node_count;
    MI_TRY(mi_optimizer_add(w->model, w->graph, loss, &w->optimizer, w->desc->train));
    for (size_t i = nodes; i < w->graph->node_count; i++)
        if (w->graph->nodes[i]->op == &mi_op_assign)
            return MICA_OK;
    return mi_fail(&w->model->device->error, MICA_INVALID_ARGUMENT, "to compile: the loss depends on no parameter%s%s%s",
                   w->desc->train ? " that \"" : " of the model", w->desc->train ? mi_show(w->desc->train).text : "",
                   w->desc->train ? "\" names" : "");
}

static mica_status build(struct wanted *w)
{
    struct mi_error error = {0};
    MI_TRY(check(w));
    w->graph = mi_graph_copy(w->model->graph, &error);
    if (!w->graph)
        return mi_error_report(&w->model->device->error, &error);
    w->graph->training = w->desc->loss != NULL;
    add_outputs(w);
    if (w->graph->output_count == 0 && w->graph->error.status == MICA_OK)
        return mi_fail(&w->model->device->error, MICA_INVALID_ARGUMENT, "the model has no output: mica_output declares one");
    MI_TRY(w->graph->error.status);
    MI_TRY(mi_part_take(w->graph, w->desc->train));
    if (!w->desc->loss)
        return MICA_OK;
    MI_TRY(mi_pick_first(w->graph));
    return add_update(w);
}

static mica_plan *compile(mica_model *model, const mica_plan_desc *desc, bool described)
{
    struct wanted w = {.model = model, .desc = desc};
    struct mi_store *store = NULL;
    mica_plan *plan = NULL;
    mi_device_begin(model->device);
    mica_status status = build(&w);
    if (status != MICA_OK && w.graph)
        mi_error_report(&model->device->error, &w.graph->error);
    if (status == MICA_OK)
        status = mi_model_store(model, &store);
    if (status != MICA_OK) {
        mi_graph_destroy(w.graph);
        return failed_plan(model);
    }
    mi_plan_create(&(struct mi_plan_desc){.device = model->device, .store = store, .graph = w.graph,
                                          .batch = desc->batch ? desc->batch : 1, .choices = &model->choices, .search = mi_tune,
                                          .described = described, .exact = model->exact, .counts_steps = desc->loss != NULL,
                                          .learning_rate = w.optimizer.learning_rate, .seed = model->seed}, &plan);
    return plan;
}

mica_plan *mica_compile(mica_model *model, const mica_plan_desc *desc)
{
    return model ? compile(model, desc ? desc : &(const mica_plan_desc){0}, false) : NULL;
}

mica_plan *mi_model_plan(mica_model *model, int64_t batch, bool described)
{
    return compile(model, &(const mica_plan_desc){.batch = batch}, described);
}
