/* Gradients, what clips them, and the updates of parameters with their moments. */
#include "nn/optimizer/optimizer.h"

#include <stdlib.h>
#include <string.h>

const char *mi_optimizer_update(const struct mi_optimizer *optimizer)
{
    return optimizer->row->update(optimizer->value);
}

/* ---- Moments ---- */

/* What moments begin with. */
static float first_value(const struct mi_optimizer *optimizer)
{
    const struct mi_optimizer_row *row = optimizer->row;
    for (int i = 0; row->first && row->keys[i].name; i++)
        if (strcmp(row->keys[i].name, row->first) == 0)
            return optimizer->value[i];
    return 0;
}

/* A moment's first values, the caller's to free. */
static float *first_values(const struct mi_optimizer *optimizer, const struct mi_variable *of)
{
    size_t count = mi_variable_count(of);
    float *values = mi_new(count, sizeof *values), first = first_value(optimizer);
    for (size_t k = 0; values && k < count; k++)
        values[k] = first;
    return values;
}

/* The k-th moment of a parameter, made when first needed; optimizers share them one after another. */
static struct mi_variable *moment(mica_model *model, const struct mi_optimizer *optimizer, struct mi_variable *parameter, int k)
{
    struct mi_text name = {0};
    mi_text_add(&name, "moment%d/%s", k + 1, parameter->name);
    struct mi_variable *found = name.failed ? NULL : mi_variable_find(&model->variables, name.data);
    if (!found && !name.failed) {
        float *values = first_values(optimizer, parameter);
        if (values)
            found = mi_variable_add(&model->variables, &model->device->error, name.data, MI_MOMENT, MI_FLOAT,
                                    &parameter->shape, values);
        if (found)
            found->shadows = parameter;
    }
    mi_text_destroy(&name);
    return found;
}

mica_status mi_optimizer_reset(mica_model *model, const struct mi_optimizer *optimizer, const char *train)
{
    mica_status status = MICA_OK;
    for (size_t i = 0; i < model->variables.count && status == MICA_OK; i++) {
        struct mi_variable *variable = model->variables.list[i];
        if (variable->role != MI_MOMENT || !mi_name_matches(train, variable->shadows->name))
            continue;
        float *values = first_values(optimizer, variable);
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

static int list_attributes(const struct mi_optimizer *optimizer, struct mi_attribute *attribute)
{
    int count = 0;
    attribute[count++] = MI_REAL("weight_decay", optimizer->weight_decay);
    for (int i = 0; optimizer->row->keys[i].name; i++)
        if (!optimizer->row->keys[i].flag)
            attribute[count++] = MI_REAL(optimizer->row->keys[i].name, optimizer->value[i]);
    return count;
}

static mica_status update(mica_model *model, struct mi_graph *graph, const struct mi_optimizer *optimizer,
                          struct mi_variable *parameter, mi_value *gradient)
{
    const char *name = mi_optimizer_update(optimizer);
    int moments = mi_op_find(graph->ops, name)->outputs - 1;
    mi_value *in[2 + MI_MOST_MOMENTS] = {mi_variable(graph, parameter), gradient};
    struct mi_variable *own[MI_MOST_MOMENTS] = {0};
    struct mi_attribute attribute[1 + MI_MOST_OPTIMIZER_KEYS];
    int attributes = list_attributes(optimizer, attribute);
    for (int k = 0; k < moments; k++) {
        own[k] = moment(model, optimizer, parameter, k);
        if (!own[k])
            return mi_out_of_memory(&model->device->error);
        in[2 + k] = mi_variable(graph, own[k]);
    }
    graph->scope = parameter->name;
    struct mi_node *node = mi_node_add(graph, name, in, 2 + moments, attribute, attributes);
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

mica_status mi_optimizer_add(mica_model *model, struct mi_graph *graph, mi_value *loss, const struct mi_optimizer *optimizer,
                             const char *train)
{
    struct trained t = {0};
    mica_status status = list_trained(model, graph, train, &t);
    if (status == MICA_OK)
        status = mi_differentiate(graph, loss, t.value, t.count, t.gradient);
    if (status == MICA_OK)
        clip(graph, optimizer, t.gradient, t.count);
    for (int i = 0; i < t.count && status == MICA_OK; i++)
        if (t.gradient[i])
            status = update(model, graph, optimizer, t.parameter[i], t.gradient[i]);
    graph->scope = NULL;
    free(t.parameter);
    free(t.value);
    free(t.gradient);
    return status;
}

mica_status mi_optimizer_begin(mica_model *model, const struct mi_optimizer *optimizer, bool restart)
{
    const char *update = mi_optimizer_update(optimizer);
    if (!restart && model->trained.update && strcmp(model->trained.update, update) == 0)
        return MICA_OK;
    MI_TRY(mi_optimizer_reset(model, optimizer, NULL));
    model->trained.update = update;
    model->trained.steps = model->trained.epochs = 0;
    return MICA_OK;
}
