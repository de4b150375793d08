/* Gradients, what clips them, and the updates of parameters. */
#include "nn/constraint.h"
#include "nn/optimizer/optimizer.h"
#include "nn/penalty.h"

#include "ops/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The parameters to train, their values in the graph and, once they are known, their gradients. */
struct trained {
    struct mi_variable **parameter;
    mi_value **value, **gradient;
    int count;
};

/* The trained parameter that has a gradient, before this one: in the order in which the backward pass makes them. Nodes that are
 * added bear its name then. -1: there is no other. */
static int next_gradient(struct mi_graph *graph, const struct trained *t, int i)
{
    do
        i--;
    while (i >= 0 && !t->gradient[i]);
    if (i >= 0)
        graph->scope = t->parameter[i]->name;
    return i;
}

/* ---- Clipping ---- */

/* What scales a gradient whose squares sum up to `squares` to a norm of at most `most`: most / max(norm, most). */
static mi_value *scale_to(struct mi_graph *graph, mi_value *squares, float most)
{
    mi_value *bound = mi_scalar(graph, most);
    return mi_op2(graph, "Div", bound, mi_op2(graph, "Max", mi_op1(graph, "Sqrt", squares), bound));
}

static void clip_values(struct mi_graph *graph, float most, const struct trained *t)
{
    const struct mi_attribute bounds[] = {MI_REAL("min", -most), MI_REAL("max", most)};
    for (int i = next_gradient(graph, t, t->count); i >= 0; i = next_gradient(graph, t, i))
        t->gradient[i] = mi_apply(graph, "Clip", &t->gradient[i], 1, bounds, 2);
}

static void clip_norms(struct mi_graph *graph, float most, const struct trained *t)
{
    for (int i = next_gradient(graph, t, t->count); i >= 0; i = next_gradient(graph, t, i)) {
        mi_value *squares = mi_optimizer_squares(graph, t->gradient[i]);
        t->gradient[i] = mi_op2(graph, "Mul", t->gradient[i], scale_to(graph, squares, most));
    }
}

static void clip_global_norm(struct mi_graph *graph, float most, const struct trained *t)
{
    mi_value *squares = NULL;
    for (int i = next_gradient(graph, t, t->count); i >= 0; i = next_gradient(graph, t, i)) {
        mi_value *own = mi_optimizer_squares(graph, t->gradient[i]);
        squares = squares ? mi_op2(graph, "Add", squares, own) : own;
    }
    mi_value *scale = squares ? scale_to(graph, squares, most) : NULL;
    for (int i = next_gradient(graph, t, t->count); i >= 0; i = next_gradient(graph, t, i))
        t->gradient[i] = mi_op2(graph, "Mul", t->gradient[i], scale);
}

static void clip(struct mi_graph *graph, const struct mi_optimizer *optimizer, const struct trained *t)
{
    if (optimizer->clip_value > 0)
        clip_values(graph, optimizer->clip_value, t);
    if (optimizer->clip_norm > 0)
        clip_norms(graph, optimizer->clip_norm, t);
    if (optimizer->clip_global_norm > 0)
        clip_global_norm(graph, optimizer->clip_global_norm, t);
}

/* ---- Updates ---- */

/* A setting of the group that a parameter belongs to; `otherwise` where it has none. */
static float of_group(const struct mi_optimizer *optimizer, const struct mi_variable *parameter, const char *key, float otherwise)
{
    for (int i = 0; i < optimizer->group_count; i++) {
        const mica_optimizer_group *group = &optimizer->groups[i];
        if (!mi_name_matches(group->variables, parameter->name))
            continue;
        for (int k = 0; k < MICA_MOST_GROUP_SETTINGS && group->setting[k].key; k++)
            if (!strcmp(group->setting[k].key, key))
                return (float)group->setting[k].value;
        return otherwise;
    }
    return otherwise;
}

static int list_attributes(const struct mi_optimizer *optimizer, const struct mi_variable *parameter,
                           struct mi_attribute *attribute)
{
    int count = 0;
    float rate = of_group(optimizer, parameter, "learning_rate", optimizer->learning_rate);
    attribute[count++] = MI_REAL("weight_decay", of_group(optimizer, parameter, "weight_decay", optimizer->weight_decay));
    for (int i = 0; optimizer->row->keys[i].name; i++)
        if (!optimizer->row->keys[i].flag)
            attribute[count++] = MI_REAL(optimizer->row->keys[i].name, optimizer->value[i]);
    if (optimizer->group_count)
        attribute[count++] = MI_REAL("rate_", optimizer->learning_rate > 0 ? rate / optimizer->learning_rate : 1);
    if (optimizer->use_ema > 0)
        attribute[count++] = MI_REAL("ema_", optimizer->ema_momentum);
    return count;
}

/* The value of a parameter after its update, which its constraint has the last word on. */
static mi_value *new_value(mica_model *model, struct mi_graph *graph, const struct mi_optimizer *optimizer,
                           const struct mi_variable *parameter, struct mi_node *update, mi_value *factor)
{
    mi_value *value = update->out[0], *constrained = mi_constrained(model, graph, parameter, value);
    if (constrained == value)
        return value;
    return mi_optimizer_in_turn(graph, optimizer, constrained, update->in[0], update->in[1], factor);
}

/* One parameter's update, which reads its gradient, or the clipped mean of several, and the factor, where it applies that. */
static mica_status update(mica_model *model, struct mi_graph *graph, const struct mi_optimizer *optimizer, const struct mi_op *op,
                          struct mi_variable *parameter, mi_value *gradient, mi_value *factor)
{
    bool unscales = mi_optimizer_unscales(optimizer);
    int moments = op->outputs - 1, own_of_rule = mi_op_find(graph->ops, mi_optimizer_update(optimizer))->outputs - 1;
    int average = optimizer->use_ema > 0 ? moments - 1 : moments;
    mi_value *in[MI_MAX_INPUTS] = {mi_variable(graph, parameter), gradient};
    struct mi_variable *own[MI_MOST_MOMENTS] = {0};
    struct mi_attribute attribute[7 + MI_MOST_OPTIMIZER_KEYS];
    int attributes = list_attributes(optimizer, parameter, attribute), more = op->max_inputs - 2 - moments - unscales;
    const struct mi_updating of = {model, graph, optimizer, parameter, in, attribute, attributes};
    for (int k = 0; k < moments; k++) {
        own[k] = mi_optimizer_moment(model, optimizer, parameter, k < own_of_rule ? k : k == average ? MI_AVERAGE : MI_SUM);
        if (!own[k])
            return mi_out_of_memory(&model->device->error);
        in[2 + k] = mi_variable(graph, own[k]);
    }
    graph->scope = parameter->name;
    if (optimizer->row->ahead)
        MI_TRY(optimizer->row->ahead(&of, &in[2 + moments]));
    if (unscales)
        in[2 + moments + more] = factor;
    if (optimizer->row->apart)
        attribute[attributes++] = MI_INT("apart_", 1);
    else if (unscales || more)
        attribute[attributes++] = MI_INT("number_", 1);
    if (optimizer->penalizes) {
        float l1, l2;
        mi_penalty_slopes(model, parameter, &l1, &l2);
        attribute[attributes++] = MI_REAL("l1_", l1);
        attribute[attributes++] = MI_REAL("l2_", l2);
    }
    struct mi_node *node = mi_node_of(graph, op, in, op->max_inputs, attribute, attributes);
    mi_value *value = node ? new_value(model, graph, optimizer, parameter, node, factor) : NULL;
    if (!value || !mi_assign(graph, parameter, value))
        return graph->error.status ? graph->error.status : mi_out_of_memory(&graph->error);
    for (int k = 0; k < moments; k++)
        if (!mi_assign(graph, own[k], node->out[1 + k]))
            return graph->error.status;
    return graph->error.status;
}

static bool is_trained(const struct mi_graph *graph, const struct mi_variable *variable, const char *train)
{
    return variable->role == MI_PARAMETER && !variable->frozen && mi_of_variable(graph, variable).value &&
           mi_name_matches(train, variable->name);
}

static mica_status list_trained(mica_model *model, struct mi_graph *graph, const char *train, struct trained *t)
{
    size_t total = model->variables.count;
    t->parameter = mi_new(total, sizeof *t->parameter);
    t->value = mi_new(total, sizeof *t->value);
    t->gradient = mi_new(total, sizeof *t->gradient);
    if (!t->parameter || !t->value || !t->gradient)
        return mi_out_of_memory(&model->device->error);
    for (size_t i = 0; i < total; i++)
        if (is_trained(graph, model->variables.list[i], train)) {
            t->parameter[t->count] = model->variables.list[i];
            t->value[t->count] = mi_variable(graph, t->parameter[t->count]);
            t->count++;
        }
    return MICA_OK;
}

/* Norms, say, are of the mean over the runs: it is computed in each, and the sum is kept by an assignment of its own. */
static mica_status add_up(mica_model *model, struct mi_graph *graph, const struct mi_optimizer *optimizer, const struct trained *t)
{
    for (int i = 0; i < t->count; i++) {
        if (!t->gradient[i])
            continue;
        struct mi_variable *own = mi_optimizer_moment(model, optimizer, t->parameter[i], MI_SUM);
        if (!own)
            return mi_out_of_memory(&model->device->error);
        graph->scope = t->parameter[i]->name;
        mi_value *sum = mi_optimizer_sum(graph, optimizer, mi_variable(graph, own), t->gradient[i]);
        if (!sum || !mi_assign(graph, own, sum))
            return graph->error.status ? graph->error.status : mi_out_of_memory(&graph->error);
        t->gradient[i] = mi_op2(graph, "Mul", sum, mi_scalar(graph, 1 / optimizer->accumulate));
    }
    return graph->error.status;
}

static mica_status add_updates(mica_model *model, struct mi_graph *graph, const struct mi_optimizer *optimizer,
                               const struct trained *t)
{
    bool several = optimizer->accumulate > 1;
    bool needs = mi_optimizer_needs_gradient(optimizer), any = false;
    mi_value *factor = NULL;
    const struct mi_op *op = mi_optimizer_op(graph, optimizer, several && !needs);
    if (!op)
        return mi_out_of_memory(&graph->error);
    for (int i = 0; i < t->count; i++)
        any = any || t->gradient[i];
    if (optimizer->scales_loss && any && !(factor = mi_loss_factor(model, graph, t->gradient, t->count)))
        return graph->error.status ? graph->error.status : mi_out_of_memory(&graph->error);
    if (factor && needs)
        mi_loss_unscale(graph, factor, several, t->gradient, t->count);
    if (several && needs)
        MI_TRY(add_up(model, graph, optimizer, t));
    clip(graph, optimizer, t);
    for (int i = 0; i < t->count; i++)
        if (t->gradient[i])
            MI_TRY(update(model, graph, optimizer, op, t->parameter[i], t->gradient[i], factor));
    return MICA_OK;
}

mica_status mi_optimizer_add(mica_model *model, struct mi_graph *graph, mi_value *loss, const struct mi_optimizer *optimizer,
                             const char *train)
{
    struct trained t = {0};
    mica_status status = mi_optimizer_check_names(&model->device->error, model, optimizer, train);
    if (status == MICA_OK)
        status = list_trained(model, graph, train, &t);
    if (optimizer->scales_loss)
        loss = mi_op2(graph, "Mul", loss, mi_loss_scale(model, graph));
    if (status == MICA_OK)
        status = loss ? mi_differentiate(graph, loss, t.value, t.count, t.gradient) : mi_out_of_memory(&graph->error);
    if (status == MICA_OK)
        status = add_updates(model, graph, optimizer, &t);
    graph->scope = NULL;
    free(t.parameter);
    free(t.value);
    free(t.gradient);
    return status;
}

uint64_t mi_optimizer_kind(const struct mi_optimizer *optimizer)
{
    const char *update = mi_optimizer_update(optimizer);
    uint64_t kind = mi_hash(update, strlen(update), (uint64_t)optimizer->accumulate);
    return kind ? kind : 1;
}

mica_status mi_optimizer_begin(mica_model *model, const struct mi_optimizer *optimizer, bool restart)
{
    uint64_t kind = mi_optimizer_kind(optimizer);
    if (!restart && model->trained.kind == kind)
        return MICA_OK;
    MI_TRY(mi_optimizer_reset(model, optimizer, NULL));
    model->trained.kind = kind;
    model->trained.steps = model->trained.epochs = 0;
    return MICA_OK;
}

/* An average that holds no value yet leaves the parameter as it is. */
static mica_status take_average(mica_model *model, const struct mi_variable *average, bool *taken)
{
    size_t count = mi_variable_count(average);
    float *values = mi_new(count, sizeof *values);
    mica_status status = values ? mi_store_read(model->store, average, values) : mi_out_of_memory(&model->device->error);
    bool holds = status == MICA_OK && count && !isnan(values[0]);
    if (holds)
        status = mi_store_write(model->store, average->shadows, values);
    *taken = *taken || holds;
    free(values);
    return status;
}

mica_status mica_model_take_averages(mica_model *model)
{
    bool taken = false;
    if (!model)
        return MICA_INVALID_ARGUMENT;
    MI_TRY(mi_model_begin(model));
    for (size_t i = 0; i < model->variables.count && model->store; i++) {
        const struct mi_variable *variable = model->variables.list[i];
        if (variable->role == MI_MOMENT && variable->moment == MI_AVERAGE)
            MI_TRY(take_average(model, variable, &taken));
    }
    if (!taken)
        return mi_fail(&model->device->error, MICA_INVALID_ARGUMENT,
                       "there are no averages: no optimizer with use_ema has trained the model");
    return MICA_OK;
}
