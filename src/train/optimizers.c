/* Optimizers by name. The formulas are the operators' (src/ops/optimizer.c) and PyTorch's; the defaults are Keras's. */
#include "train/optimizers.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Which of an optimizer's numbers an operator takes. */
struct setting {
    const char *name;
    size_t offset;
};

#define SETTING(field) {#field, offsetof(mica_optimizer, field)}

/* One row for each operator: the first whose conditions hold is used. */
struct row {
    const char *type, *op;
    bool with_momentum, nesterov;      /* only when momentum is not zero; only when nesterov is asked for */
    int moments;
    struct setting settings[5];
    size_t first_value;                /* offset of the moments' first value; 0: zeros */
};

static const struct row rows[] = {
    {"sgd", "NesterovUpdate", true, true, 1, {SETTING(weight_decay), SETTING(momentum)}, 0},
    {"sgd", "MomentumUpdate", true, false, 1, {SETTING(weight_decay), SETTING(momentum)}, 0},
    {"sgd", "SgdUpdate", false, false, 0, {SETTING(weight_decay)}, 0},
    {"adam", "AdamUpdate", false, false, 2,
     {SETTING(weight_decay), SETTING(beta_1), SETTING(beta_2), SETTING(epsilon)}, 0},
    {"rmsprop", "RmspropMomentumUpdate", true, false, 2,
     {SETTING(weight_decay), SETTING(rho), SETTING(epsilon), SETTING(momentum)}, 0},
    {"rmsprop", "RmspropUpdate", false, false, 1, {SETTING(weight_decay), SETTING(rho), SETTING(epsilon)}, 0},
    {"adagrad", "AdagradUpdate", false, false, 1, {SETTING(weight_decay), SETTING(epsilon)},
     offsetof(mica_optimizer, initial_accumulator_value)},
};

static const char *const names[] = {"sgd", "adam", "rmsprop", "adagrad", NULL};

const struct mi_key mi_optimizer_keys[] = {
    MI_KEY_WITH(mica_optimizer, "type", MI_KEY_TEXT, type, .required = true, .choices = names),
    MI_KEY_WITH(mica_optimizer, "learning_rate", MI_KEY_FLOAT, learning_rate, MI_KEY_AT_LEAST(0)),
    MI_KEY_WITH(mica_optimizer, "momentum", MI_KEY_FLOAT, momentum, .only = "sgd rmsprop", MI_KEY_BETWEEN(0, 1)),
    MI_KEY_WITH(mica_optimizer, "nesterov", MI_KEY_BOOL, nesterov, .only = "sgd"),
    MI_KEY_WITH(mica_optimizer, "beta_1", MI_KEY_FLOAT, beta_1, .only = "adam", MI_KEY_BETWEEN(0, 1)),
    MI_KEY_WITH(mica_optimizer, "beta_2", MI_KEY_FLOAT, beta_2, .only = "adam", MI_KEY_BETWEEN(0, 1)),
    MI_KEY_WITH(mica_optimizer, "rho", MI_KEY_FLOAT, rho, .only = "rmsprop", MI_KEY_BETWEEN(0, 1)),
    MI_KEY_WITH(mica_optimizer, "epsilon", MI_KEY_FLOAT, epsilon, .only = "adam rmsprop adagrad", MI_KEY_AT_LEAST(0)),
    MI_KEY_WITH(mica_optimizer, "initial_accumulator_value", MI_KEY_FLOAT, initial_accumulator_value, .only = "adagrad",
                MI_KEY_AT_LEAST(0)),
    MI_KEY_WITH(mica_optimizer, "weight_decay", MI_KEY_FLOAT, weight_decay, MI_KEY_AT_LEAST(0)),
    {0},
};

static bool is_zero(float value)
{
    return fpclassify(value) == FP_ZERO;
}

static float setting(const mica_optimizer *optimizer, size_t offset)
{
    float value;
    memcpy(&value, (const char *)optimizer + offset, sizeof value);
    return value;
}

/* ---- Defaults ---- */

static mica_status in_range(struct mi_error *error, const mica_optimizer *o, const char *name, float value, float most)
{
    if (value >= 0 && value <= most)
        return MICA_OK;
    return mi_fail(error, MICA_INVALID_ARGUMENT, "optimizer %s: %s is %g, must lie between 0 and %g", o->type, name,
                   (double)value, (double)most);
}

mica_status mi_optimizer_resolve(struct mi_error *error, const mica_optimizer *given, mica_optimizer *out)
{
    mica_optimizer o = *given;
    o.type = o.type ? o.type : "rmsprop";
    size_t i = 0;
    while (names[i] && strcmp(names[i], o.type))
        i++;
    if (!names[i]) {
        return mi_fail(error, MICA_INVALID_ARGUMENT, "there is no optimizer \"%s\"%s", mi_show(o.type).text,
                       mi_advise_term(false, o.type, names).text);
    }
    const struct {
        float *field, value;
    } defaults[] = {
        {&o.learning_rate, strcmp(o.type, "sgd") ? 0.001f : 0.01f}, {&o.beta_1, 0.9f}, {&o.beta_2, 0.999f},
        {&o.rho, 0.9f}, {&o.epsilon, 1e-7f}, {&o.initial_accumulator_value, 0.1f},
    };
    for (i = 0; i < MI_COUNT(defaults); i++)
        if (is_zero(*defaults[i].field))
            *defaults[i].field = defaults[i].value;
    MI_TRY(in_range(error, &o, "learning_rate", o.learning_rate, 1e30f));
    MI_TRY(in_range(error, &o, "momentum", o.momentum, 1));
    MI_TRY(in_range(error, &o, "beta_1", o.beta_1, 1));
    MI_TRY(in_range(error, &o, "beta_2", o.beta_2, 1));
    MI_TRY(in_range(error, &o, "rho", o.rho, 1));
    MI_TRY(in_range(error, &o, "epsilon", o.epsilon, 1e30f));
    MI_TRY(in_range(error, &o, "initial_accumulator_value", o.initial_accumulator_value, 1e30f));
    MI_TRY(in_range(error, &o, "weight_decay", o.weight_decay, 1e30f));
    *out = o;
    return MICA_OK;
}

static const struct row *find_row(const mica_optimizer *o)
{
    for (size_t i = 0; i < MI_COUNT(rows); i++)
        if (strcmp(rows[i].type, o->type) == 0 && (!rows[i].with_momentum || o->momentum > FLT_MIN) &&
            (!rows[i].nesterov || o->nesterov))
            return &rows[i];
    return NULL;
}

/* ---- Updates ---- */

/* A moment's first values, the caller's to free. */
static float *first_values(const struct row *row, const mica_optimizer *optimizer, const struct mi_variable *of)
{
    size_t count = mi_variable_count(of);
    float *values = mi_new(count, sizeof *values);
    for (size_t k = 0; values && row->first_value && k < count; k++)
        values[k] = setting(optimizer, row->first_value);
    return values;
}

/* The k-th moment of a parameter, made when first needed; optimizers share them one after another. */
static struct mi_variable *moment(mica_model *model, const struct row *row, const mica_optimizer *optimizer,
                                  struct mi_variable *parameter, int k)
{
    struct mi_text name = {0};
    mi_text_add(&name, "moment%d/%s", k + 1, parameter->name);
    struct mi_variable *found = name.failed ? NULL : mi_variable_find(&model->variables, name.data);
    if (!found && !name.failed) {
        float *values = first_values(row, optimizer, parameter);
        if (values)
            found = mi_variable_add(&model->variables, &model->device->error, name.data, MI_MOMENT, MI_FLOAT,
                                    &parameter->shape, values);
        if (found)
            found->shadows = parameter;
    }
    mi_text_destroy(&name);
    return found;
}

static mica_status update(mica_model *model, struct mi_graph *graph, const struct row *row, const mica_optimizer *optimizer,
                          struct mi_variable *parameter, mi_value *gradient)
{
    mi_value *in[2 + MI_MOST_MOMENTS] = {mi_variable(graph, parameter), gradient};
    struct mi_variable *moments[MI_MOST_MOMENTS] = {0};
    struct mi_attribute attributes[MI_COUNT(row->settings)];
    int count = 0;
    while (count < (int)MI_COUNT(row->settings) && row->settings[count].name) {
        attributes[count] = MI_REAL(row->settings[count].name, setting(optimizer, row->settings[count].offset));
        count++;
    }
    for (int k = 0; k < row->moments; k++) {
        moments[k] = moment(model, row, optimizer, parameter, k);
        if (!moments[k])
            return mi_out_of_memory(&model->device->error);
        in[2 + k] = mi_variable(graph, moments[k]);
    }
    graph->scope = parameter->name;
    struct mi_node *node = mi_node_add(graph, row->op, in, 2 + row->moments, attributes, count);
    if (!node || !mi_assign(graph, parameter, node->out[0]))
        return graph->error.status;
    for (int k = 0; k < row->moments; k++)
        if (!mi_assign(graph, moments[k], node->out[1 + k]))
            return graph->error.status;
    return graph->error.status;
}

static bool is_trained(const struct mi_graph *graph, const struct mi_variable *variable)
{
    return variable->role == MI_PARAMETER && !variable->frozen && mi_of_variable(graph, variable).value;
}

mica_status mi_optimizer_add(mica_model *model, struct mi_graph *graph, mi_value *loss, const mica_optimizer *optimizer)
{
    size_t total = model->variables.count;
    const struct row *row = find_row(optimizer);
    struct mi_variable **parameters = mi_new(total, sizeof *parameters);
    mi_value **values = mi_new(total, sizeof(mi_value *)), **gradients = mi_new(total, sizeof(mi_value *));
    mica_status status = parameters && values && gradients ? MICA_OK : mi_out_of_memory(&model->device->error);
    int count = 0;
    for (size_t i = 0; i < total && status == MICA_OK; i++)
        if (is_trained(graph, model->variables.list[i])) {
            parameters[count] = model->variables.list[i];
            values[count] = mi_variable(graph, parameters[count]);
            count++;
        }
    if (status == MICA_OK)
        status = mi_differentiate(graph, loss, values, count, gradients);
    for (int i = 0; i < count && status == MICA_OK; i++)
        if (gradients[i])
            status = update(model, graph, row, optimizer, parameters[i], gradients[i]);
    graph->scope = NULL;
    free(parameters);
    free(values);
    free(gradients);
    return status;
}

static mica_status reset(mica_model *model, const struct row *row, const mica_optimizer *optimizer)
{
    mica_status status = MICA_OK;
    for (size_t i = 0; i < model->variables.count && status == MICA_OK; i++) {
        struct mi_variable *variable = model->variables.list[i];
        if (variable->role != MI_MOMENT)
            continue;
        float *values = first_values(row, optimizer, variable);
        if (!values)
            return mi_out_of_memory(&model->device->error);
        status = mi_store_write(model->store, variable, values);
        free(values);
    }
    return status;
}

mica_status mi_optimizer_begin(mica_model *model, const mica_optimizer *optimizer, bool restart)
{
    const struct row *row = find_row(optimizer);
    if (!restart && model->trained.update == row->op)
        return MICA_OK;
    MI_TRY(reset(model, row, optimizer));
    model->trained.update = row->op;
    model->trained.steps = model->trained.epochs = 0;
    return MICA_OK;
}
