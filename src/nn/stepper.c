/* Building a model's layers once more, for one step at a time. What stands for a value of the model has 1 where that has steps. */
#include "nn/stepper.h"

#include "nn/layer.h"
#include "nn/part.h"
#include "ops/ops.h"
#include "tune/tune.h"

#include <stdlib.h>
#include <string.h>

struct stand_in {
    mi_value *by;                     /* NULL: nothing stands for the value */
    int axis;                         /* that of the steps */
};

struct building {
    mica_model *model;
    mica_model apart;                 /* what the layers see: it has their errors, and no layers */
    struct mi_stepping stepping;
    struct stand_in *of;              /* by the id of the model's value */
};

/* ---- One layer ---- */

/* The axis along which the whole value has the steps and the other one has 1; 0: they differ otherwise. */
static int axis_of_steps(const struct building *b, const mi_value *whole, const mi_value *one)
{
    int axis = 0;
    for (int i = 0; i < whole->shape.rank && whole->shape.rank == one->shape.rank; i++) {
        if (mi_dim_equal(whole->shape.dim[i], one->shape.dim[i]))
            continue;
        if (axis || !mi_dim_is(whole->shape.dim[i], b->stepping.most) || !mi_dim_is(one->shape.dim[i], 1))
            return 0;
        axis = i;
    }
    return axis;
}

static void stand(struct building *b, const mi_value *whole, mi_value *one)
{
    int axis = one ? axis_of_steps(b, whole, one) : 0;
    if (axis)
        b->of[whole->id] = (struct stand_in){one, axis};
}

/* Whether a layer that keeps steps works along them all the same, as its key "axis" says. */
static bool is_along_steps(const struct mi_layer_type *type, const void *desc, const mi_value *x)
{
    for (const struct mi_key *key = type->keys; key->name; key++) {
        const char *at = (const char *)desc + key->offset;
        const mica_shape *axes = (const void *)at;
        int64_t axis = -1;
        if (strcmp(key->name, "axis") != 0)
            continue;
        for (int i = 0; key->type == MI_KEY_AXES && i < axes->rank; i++)
            if (axes->dim[i] == 1 || axes->dim[i] == 1 - x->shape.rank)
                return true;
        if (key->type == MI_KEY_INT)
            axis = *(const int *)(const void *)at;
        if (axis == 1 || axis == 1 - x->shape.rank)
            return true;
    }
    return false;
}

/* Whether the layer can take one step of its inputs at a time, and these are there. */
static bool may_step(const struct building *b, const struct mi_layer_record *record, const void *desc)
{
    const struct mi_layer_type *type = record->type;
    bool may = record->inputs > 0 && (type->steps || type->keeps_steps) && !record->mask;
    for (int i = 0; i < record->inputs && may; i++) {
        const struct stand_in *in = &b->of[record->in[i]->id];
        may = in->by && (in->axis == 1 || !type->keeps_steps) && (type->steps || record->in[i]->shape.rank > 2);
    }
    if (may && type->steps)
        return type->steps(desc, record->in, record->inputs);
    return may && !is_along_steps(type, desc, record->in[0]);
}

static mica_status add_layer(struct building *b, const struct mi_layer_record *record)
{
    const char *used = mi_layer_used(record);
    const struct mi_layer_record *owner = used ? mi_model_layer(b->model, used) : record;
    const struct mi_layer_type *type = NULL;
    mica_regularizer activity;
    void *desc = NULL;
    mi_value **x = mi_arena_new(&b->apart.graph->arena, (size_t)record->inputs + 1, sizeof *x);
    if (!owner || !x)
        return mi_out_of_memory(&b->apart.error);
    MI_TRY(mi_layer_read(&b->apart.error, &b->apart.graph->arena, b->model->device, owner->json, owner->name, &type, &desc,
                         &activity));
    struct mi_layer layer = {.model = &b->apart, .graph = b->apart.graph, .type = type, .name = record->name, .again = owner->name,
                             .stepping = &b->stepping};
    for (int i = 0; i < record->inputs; i++)
        x[i] = b->of[record->in[i]->id].by;
    if (may_step(b, record, desc)) {
        layer.graph->scope = layer.name;
        mi_value *value = type->build(&layer, x, record->inputs, desc);
        layer.graph->scope = NULL;
        stand(b, record->value, value);
        for (int i = 0; i < record->result_count && i < layer.result_count; i++)
            stand(b, record->results[i], layer.results[i]);
    }
    return mi_model_check(&b->apart);
}

/* ---- All of them ---- */

static mi_value *place(struct mi_graph *graph)
{
    const struct mi_shape one = {.rank = 1, .dim = {mi_fixed(1)}};
    mi_value *run = mi_op1(graph, "UpdateCount", mi_expand_to(graph, mi_scalar(graph, 1), &one));
    return mi_op2(graph, "Sub", run, mi_scalar(graph, 1));
}

static mica_status add_layers(struct building *b, const mi_value *input)
{
    struct mi_graph *graph = b->apart.graph;
    struct mi_shape shape = input->shape;
    shape.dim[1] = mi_fixed(1);
    b->stepping.whole = b->model;
    b->stepping.most = input->shape.dim[1].b;
    b->stepping.place = place(graph);
    stand(b, input, mi_input(graph, input->name, input->type, &shape));
    for (size_t i = 0; i < b->model->layer_count; i++)
        if (b->model->layers[i].value != input)
            MI_TRY(add_layer(b, &b->model->layers[i]));
    return graph->error.status;
}

/* Whether steps come to an end: some layer keeps each of them. */
static bool keeps_all(const struct mi_graph *graph)
{
    for (size_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i]->op == &mi_op_append)
            return true;
    return false;
}

/* The graph of one step; NULL: there is none. Where layers ask for the steps' numbers these come to an end too. */
static struct mi_graph *build(mica_model *model, bool *ends)
{
    const struct mi_graph *whole = model->graph;
    const mi_value *output = mi_model_output(whole, NULL), *input = whole->input_count == 1 ? whole->inputs[0] : NULL;
    struct building b = {.model = model, .apart = {.device = model->device, .seed = model->seed}};
    bool needs = false;
    if (!output || !input || input->shape.rank < 2 || input->shape.dim[1].a || input->shape.dim[1].b < 2)
        return NULL;
    b.of = mi_new(whole->value_count, sizeof *b.of);
    b.apart.graph = mi_graph_create(mi_ops, &model->variables);
    bool built = b.of && b.apart.graph && add_layers(&b, input) == MICA_OK && b.of[output->id].by &&
                 mi_output(b.apart.graph, whole->outputs[0]->name, b.of[output->id].by) &&
                 mi_part_needs(b.apart.graph, b.of[input->id].by, &needs) == MICA_OK && needs &&
                 mi_part_needs(b.apart.graph, b.stepping.place, ends) == MICA_OK;
    free(b.of);
    if (built) {
        *ends = *ends || keeps_all(b.apart.graph);
        return b.apart.graph;
    }
    mi_graph_destroy(b.apart.graph);
    return NULL;
}

/* A compiled graph, which is taken over. */
static mica_status compile(mica_model *model, struct mi_graph *graph, mica_plan **plan)
{
    struct mi_store *store = NULL;
    mica_status status = mi_part_take(graph, NULL);
    if (status == MICA_OK)
        status = mi_adapted_check(model, graph);
    if (status == MICA_OK)
        status = mi_model_store(model, &store);
    if (status != MICA_OK) {
        mi_error_report(&model->device->error, &graph->error);
        mi_graph_destroy(graph);
        return status;
    }
    const struct mi_plan_desc how = {.device = model->device, .store = store, .graph = graph, .batch = 1, .exact = model->exact,
                                     .choices = &model->choices, .search = mi_tune, .seed = model->seed};
    mi_plan_create(&how, plan);
    return *plan ? mica_plan_status(*plan) : mi_out_of_memory(&model->device->error);
}

mica_status mi_stepper_create(mica_model *model, struct mi_stepper *out)
{
    *out = (struct mi_stepper){NULL};
    MI_TRY(mi_model_check(model));
    struct mi_error before = model->device->error;
    bool ends = false;
    struct mi_graph *graph = build(model, &ends);
    model->device->error = before; /* what a layer could not do is nobody's business */
    if (!graph)
        return MICA_OK;
    out->most = ends ? model->graph->inputs[0]->shape.dim[1].b : 0;
    mica_status status = compile(model, graph, &out->plan);
    if (status == MICA_OK)
        return MICA_OK;
    mica_plan_destroy(out->plan);
    out->plan = NULL;
    return status;
}

mica_status mi_stepper_begin(struct mi_stepper *stepper)
{
    stepper->taken = 0;
    return mica_plan_reset_states(stepper->plan);
}

mica_status mi_stepper_run(struct mi_stepper *stepper)
{
    return mi_plan_step(stepper->plan, &(struct mi_step){.n = 1, .step = (uint64_t)++stepper->taken});
}
