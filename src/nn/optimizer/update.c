/* Gradients, what clips them, and the updates of parameters with their moments. */
#include "nn/optimizer/optimizer.h"

#include "ops/ops.h"

#include <stdlib.h>
#include <string.h>

/* ---- Moments ---- */

/* What the moments of the rule begin with; what stands around it begins with 0. */
static float first_value(const struct mi_optimizer *optimizer, int k)
{
    const struct mi_optimizer_row *row = optimizer->row;
    if (k >= mi_op_find(mi_ops, mi_optimizer_update(optimizer))->outputs - 1)
        return 0;
    for (int i = 0; row->first && row->keys[i].name; i++)
        if (strcmp(row->keys[i].name, row->first) == 0)
            return optimizer->value[i];
    return 0;
}

/* A moment's first values, the caller's to free. */
static float *first_values(const struct mi_optimizer *optimizer, const struct mi_variable *of, int k)
{
    size_t count = mi_variable_count(of);
    float *values = mi_new(count, sizeof *values), first = first_value(optimizer, k);
    for (size_t i = 0; values && i < count; i++)
        values[i] = first;
    return values;
}

/* The k-th moment of a parameter, made when first needed; optimizers share them one after another. */
static struct mi_variable *moment(mica_model *model, const struct mi_optimizer *optimizer, struct mi_variable *parameter, int k)
{
    struct mi_text name = {0};
    mi_text_add(&name, "moment%d/%s", k + 1, parameter->name);
    struct mi_variable *found = name.failed ? NULL : mi_variable_find(&model->variables, name.data);
    if (!found && !name.failed) {
        float *values = first_values(optimizer, parameter, k);
        if (values)
            found = mi_variable_add(&model->variables, &model->device->error, name.data, MI_MOMENT, MI_FLOAT,
                                    &parameter->shape, values);
        if (found)
            found->shadows = parameter;
    }
    mi_text_destroy(&name);
    return found;
}

/* Which of its parameter's moments one is, by its name: "moment2/..." is number 1. */
static int number_of(const struct mi_variable *moment_)
{
    return moment_->name[strlen("moment")] - '1';
}

mica_status mi_optimizer_reset(mica_model *model, const struct mi_optimizer *optimizer, const char *train)
{
    mica_status status = MICA_OK;
    for (size_t i = 0; i < model->variables.count && status == MICA_OK; i++) {
        struct mi_variable *variable = model->variables.list[i];
        if (variable->role != MI_MOMENT || !mi_name_matches(train, variable->shadows->name))
            continue;
        float *values = first_values(optimizer, variable, number_of(variable));
        if (!values)
            return mi_out_of_memory(&model->device->error);
        status = mi_store_write(model->store, variable, values);
        free(values);
    }
    return status;
}

/* ---- Clipping ---- */

static mi_value *sum_of_squares(struct mi_graph *graph, mi_value *x)
{
    mi_value *square = mi_op2(graph, "Mul", x, x);
    return mi_apply(graph, "ReduceSum", &square, 1, (const struct mi_attribute[]){MI_INT("keepdims", 0)}, 1);
}

/* What scales a gradient whose squares sum up to `squares` to a norm of at most `most`: most / max(norm, most). */
static mi_value *scale_to(struct mi_graph *graph, mi_value *squares, float most)
{
    mi_value *bound = mi_scalar(graph, most);
    return mi_op2(graph, "Div", bound, mi_op2(graph, "Max", mi_op1(graph, "Sqrt", squares), bound));
}

static void clip_values(struct mi_graph *graph, float most, mi_value **gradient, int count)
{
    const struct mi_attribute bounds[] = {MI_REAL("min", -most), MI_REAL("max", most)};
    for (int i = 0; i < count; i++)
        if (gradient[i])
            gradient[i] = mi_apply(graph, "Clip", &gradient[i], 1, bounds, 2);
}

static void clip_norms(struct mi_graph *graph, float most, mi_value **gradient, int count)
{
    for (int i = 0; i < count; i++)
        if (gradient[i])
            gradient[i] = mi_op2(graph, "Mul", gradient[i], scale_to(graph, sum_of_squares(graph, gradient[i]), most));
}

static void clip_global_norm(struct mi_graph *graph, float most, mi_value **gradient, int count)
{
    mi_value *squares = NULL;
    for (int i = 0; i < count; i++)
        if (gradient[i]) {
            mi_value *own = sum_of_squares(graph, gradient[i]);
            squares = squares ? mi_op2(graph, "Add", squares, own) : own;
        }
    mi_value *scale = squares ? scale_to(graph, squares, most) : NULL;
    for (int i = 0; i < count; i++)
        if (gradient[i])
            gradient[i] = mi_op2(graph, "Mul", gradient[i], scale);
}

static void clip(struct mi_graph *graph, const struct mi_optimizer *optimizer, mi_value **gradient, int count)
{
    graph->scope = "clip";
    if (optimizer->clip_value > 0)
        clip_values(graph, optimizer->clip_value, gradient, count);
    if (optimizer->clip_norm > 0)
        clip_norms(graph, optimizer->clip_norm, gradient, count);
    if (optimizer->clip_global_norm > 0)
        clip_global_norm(graph, optimizer->clip_global_norm, gradient, count);
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

/* One parameter's update, which reads its gradient (or, where `sums` is not, the clipped mean of several). */
static mica_status update(mica_model *model, struct mi_graph *graph, const struct mi_optimizer *optimizer, const struct mi_op *op,
                          struct mi_variable *parameter, mi_value *gradient)
{
    int moments = op->outputs - 1;
    mi_value *in[2 + MI_MOST_MOMENTS] = {mi_variable(graph, parameter), gradient};
    struct mi_variable *own[MI_MOST_MOMENTS] = {0};
    struct mi_attribute attribute[3 + MI_MOST_OPTIMIZER_KEYS];
    int attributes = list_attributes(optimizer, parameter, attribute);
    for (int k = 0; k < moments; k++) {
        own[k] = moment(model, optimizer, parameter, k);
        if (!own[k])
            return mi_out_of_memory(&model->device->error);
        in[2 + k] = mi_variable(graph, own[k]);
    }
    graph->scope = parameter->name;
    struct mi_node *node = mi_node_of(graph, op, in, 2 + moments, attribute, attributes);
    if (!node || !mi_assign(graph, parameter, node->out[0]))
        return graph->error.status;
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

/* The parameters to train, their values in the graph and, once they are known, their gradients. */
struct trained {
    struct mi_variable **parameter;
    mi_value **value, **gradient;
    int count;
};

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

/* Norms are of the mean over the runs: it is computed in each, and the sum is kept by an assignment of its own. */
static mica_status add_up(mica_model *model, struct mi_graph *graph, const struct mi_optimizer *optimizer, int moments,
                          const struct trained *t)
{
    for (int i = 0; i < t->count; i++) {
        struct mi_variable *own = t->gradient[i] ? moment(model, optimizer, t->parameter[i], moments) : NULL;
        if (!t->gradient[i])
            continue;
        if (!own)
            return mi_out_of_memory(&model->device->error);
        graph->scope = t->parameter[i]->name;
        mi_value *sum = mi_op2(graph, "Add", mi_variable(graph, own), t->gradient[i]);
        mi_value *kept = sum ? mi_optimizer_keep_sum(graph, optimizer, sum) : NULL;
        if (!kept || !mi_assign(graph, own, kept))
            return graph->error.status ? graph->error.status : mi_out_of_memory(&graph->error);
        t->gradient[i] = mi_op2(graph, "Mul", sum, mi_scalar(graph, 1 / optimizer->accumulate));
    }
    return graph->error.status;
}

static mica_status add_updates(mica_model *model, struct mi_graph *graph, const struct mi_optimizer *optimizer,
                               const struct trained *t)
{
    bool several = optimizer->accumulate > 1;
    bool clips = optimizer->clip_value > 0 || optimizer->clip_norm > 0 || optimizer->clip_global_norm > 0;
    const struct mi_op *op = mi_optimizer_op(graph, optimizer, several && !clips);
    if (!op)
        return mi_out_of_memory(&graph->error);
    model->trained.average = optimizer->use_ema > 0 ? op->outputs - 1 : 0;
    if (several && clips)
        MI_TRY(add_up(model, graph, optimizer, op->outputs - 1, t));
    clip(graph, optimizer, t->gradient, t->count);
    for (int i = 0; i < t->count; i++)
        if (t->gradient[i])
            MI_TRY(update(model, graph, optimizer, op, t->parameter[i], t->gradient[i]));
    return MICA_OK;
}

/* A group that names no parameter is a mistake. */
static mica_status check_groups(mica_model *model, const struct mi_optimizer *optimizer)
{
    for (int i = 0; i < optimizer->group_count; i++) {
        const char *names[33];
        size_t count = 0;
        bool any = false;
        for (size_t k = 0; k < model->variables.count; k++) {
            const struct mi_variable *variable = model->variables.list[k];
            if (variable->role != MI_PARAMETER)
                continue;
            any = any || mi_name_matches(optimizer->groups[i].variables, variable->name);
            if (count + 1 < MI_COUNT(names))
                names[count++] = variable->name;
        }
        names[count] = NULL;
        if (!any)
            return mi_fail(&model->device->error, MICA_INVALID_ARGUMENT, "optimizer.groups[%d]: no parameter is called \"%s\"%s", i,
                           mi_show(optimizer->groups[i].variables).text, mi_advise(optimizer->groups[i].variables, names).text);
    }
    return MICA_OK;
}

mica_status mi_optimizer_add(mica_model *model, struct mi_graph *graph, mi_value *loss, const struct mi_optimizer *optimizer,
                             const char *train)
{
    struct trained t = {0};
    mica_status status = check_groups(model, optimizer);
    if (status == MICA_OK)
        status = list_trained(model, graph, train, &t);
    if (status == MICA_OK)
        status = mi_differentiate(graph, loss, t.value, t.count, t.gradient);
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
    uint64_t kind = mi_hash(update, strlen(update), 2 * (uint64_t)optimizer->accumulate + (optimizer->use_ema > 0));
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

static mica_status take_average(mica_model *model, struct mi_variable *parameter, const struct mi_variable *average)
{
    size_t count = mi_variable_count(parameter);
    float *values = mi_new(count, sizeof *values);
    mica_status status = values ? mi_store_read(model->store, average, values) : mi_out_of_memory(&model->device->error);
    if (status == MICA_OK)
        status = mi_store_write(model->store, parameter, values);
    free(values);
    return status;
}

mica_status mica_model_take_averages(mica_model *model)
{
    char beginning[24];
    if (!model)
        return MICA_INVALID_ARGUMENT;
    MI_TRY(mi_model_begin(model));
    if (!model->trained.average || !model->store)
        return mi_fail(&model->device->error, MICA_INVALID_ARGUMENT,
                       "there are no averages: no optimizer with use_ema has trained the "
                       "model");
    mi_format(beginning, sizeof beginning, "moment%d/", model->trained.average);
    for (size_t i = 0; i < model->variables.count; i++) {
        struct mi_variable *variable = model->variables.list[i];
        if (variable->role == MI_MOMENT && !strncmp(variable->name, beginning, strlen(beginning)))
            MI_TRY(take_average(model, variable->shadows, variable));
    }
    return MICA_OK;
}
