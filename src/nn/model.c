/* A model's life, its errors, and its variables. */
#include "nn/model.h"

#include "nn/layer.h"
#include "ops/ops.h"

#include <stdlib.h>
#include <string.h>

/* ---- Life ---- */

mica_model *mica_model_create(mica_device *device, const mica_model_desc *desc)
{
    if (!device)
        return NULL;
    mica_model *model = mi_new(1, sizeof *model);
    if (!model) {
        mi_out_of_memory(&device->error);
        return NULL;
    }
    model->device = device;
    model->seed = desc ? desc->seed : 0;
    model->exact = desc && desc->exact;
    model->graph = mi_graph_create(mi_ops, &model->variables);
    model->description = cJSON_CreateArray();
    if (!model->graph || !model->description) {
        mi_out_of_memory(&device->error);
        mica_model_destroy(model);
        return NULL;
    }
    model->graph->owner = model;
    mi_error_report(&model->error, &device->failed);
    return model;
}

void mi_model_drop_predictor(mica_model *model)
{
    mica_plan_destroy(model->predictor);
    model->predictor = NULL;
    model->predictor_batch = 0;
}

void mi_stepper_destroy(struct mi_stepper *stepper)
{
    mica_plan_destroy(stepper->several);
    mica_plan_destroy(stepper->places);
    mica_plan_destroy(stepper->early);
    mica_plan_destroy(stepper->plan); /* the last: the states are its own */
    mi_graph_destroy(stepper->early_graph);
    free(stepper->early_states);
    *stepper = (struct mi_stepper){NULL};
}

void mica_model_destroy(mica_model *model)
{
    if (!model)
        return;
    mi_model_drop_predictor(model);
    mi_stepper_destroy(&model->stepper);
    mi_store_destroy(model->store);
    mi_graph_destroy(model->graph);
    mi_variables_destroy(&model->variables);
    cJSON_Delete(model->description);
    mi_model_forget(model);
    free(model->layers);
    free(model->groups);
    free(model->penalties);
    free(model->constraints);
    mi_names_destroy(&model->layer_names);
    mi_names_destroy(&model->stems);
    free(model->place);
    mi_choices_destroy(&model->choices);
    free(model);
}

mica_status mica_model_status(const mica_model *model)
{
    return model ? model->error.status : MICA_OUT_OF_MEMORY;
}

const char *mica_model_error(const mica_model *model)
{
    return model ? model->error.text : mica_status_text(MICA_OUT_OF_MEMORY);
}

void mica_free(void *memory)
{
    free(memory);
}

/* ---- Outputs and shapes ---- */

mica_node *mica_output(mica_model *model, const char *name, mica_node *node)
{
    if (!model || !node || model->error.status != MICA_OK)
        return NULL;
    if (node->node->graph != model->graph) {
        mi_model_fail(model, MICA_INVALID_ARGUMENT, "output \"%s\": this is a node of another model", name ? name : "output");
        return NULL;
    }
    if (model->inside) {
        mi_model_fail(model, MICA_INVALID_ARGUMENT, "output \"%s\": a step of a recurrent layer has none", name ? name : "output");
        return NULL;
    }
    mi_value *value = mi_output(model->graph, name ? name : "output", node);
    return mi_model_check(model) == MICA_OK ? value : NULL;
}

mica_shape mica_node_shape(const mica_node *node)
{
    mica_shape shape = {.rank = -1};
    if (!node)
        return shape;
    int batch = node->shape.rank && node->shape.dim[0].a ? 1 : 0;
    shape.rank = node->shape.rank - batch;
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = node->shape.dim[i + batch].a ? -1 : node->shape.dim[i + batch].b;
    return shape;
}

mica_type mica_node_type(const mica_node *node)
{
    return node ? (mica_type)node->type : MICA_FLOAT32;
}

mi_value *mi_model_output(const struct mi_graph *copy, const char *name)
{
    for (size_t i = 0; i < copy->output_count; i++)
        if (!name || strcmp(copy->outputs[i]->name, name) == 0)
            return copy->outputs[i]->node->in[0]; /* the output itself is an Identity */
    return NULL;
}

mica_status mi_model_check_samples(struct mi_error *error, const mi_value *output)
{
    const struct mi_shape *shape = &output->shape;
    struct mi_arena arena = {0};
    bool good = output->type == MI_FLOAT && shape->rank > 0 && mi_dim_equal(shape->dim[0], mi_batch());
    for (int i = 1; i < shape->rank; i++)
        good = good && shape->dim[i].a == 0;
    if (!good)
        mi_fail(error, MICA_SHAPE, "the output has shape %s of %s, it must be (n, ...) of float32: the same for each of n samples",
                mi_shape_text(&arena, shape), mi_types[output->type].name);
    mi_arena_destroy(&arena);
    return good ? MICA_OK : MICA_SHAPE;
}

/* ---- Variables ---- */

bool mi_variable_in_files(const struct mi_variable *variable)
{
    return variable->role == MI_PARAMETER || variable->role == MI_STATISTIC;
}

int mica_model_variable_count(const mica_model *model)
{
    int count = 0;
    for (size_t i = 0; model && i < model->variables.count; i++)
        count += mi_variable_in_files(model->variables.list[i]);
    return count;
}

static struct mi_variable *variable_at(const mica_model *model, int index)
{
    for (size_t i = 0; model && index >= 0 && i < model->variables.count; i++)
        if (mi_variable_in_files(model->variables.list[i]) && index-- == 0)
            return model->variables.list[i];
    return NULL;
}

const char *mica_model_variable_name(const mica_model *model, int i)
{
    const struct mi_variable *variable = variable_at(model, i);
    return variable ? variable->name : NULL;
}

mica_shape mica_model_variable_shape(const mica_model *model, int i)
{
    const struct mi_variable *variable = variable_at(model, i);
    mica_shape shape = {.rank = variable ? variable->shape.rank : -1};
    for (int k = 0; k < shape.rank; k++)
        shape.dim[k] = variable->shape.dim[k].b;
    return shape;
}

mica_type mica_model_variable_type(const mica_model *model, int i)
{
    const struct mi_variable *variable = variable_at(model, i);
    return variable ? (mica_type)variable->type : MICA_FLOAT32;
}

int64_t mica_model_parameter_count(const mica_model *model)
{
    int64_t count = 0;
    for (size_t i = 0; model && i < model->variables.count; i++)
        if (model->variables.list[i]->role == MI_PARAMETER && !model->variables.list[i]->frozen)
            count += (int64_t)mi_variable_count(model->variables.list[i]);
    return count;
}

static mica_status find_variable(mica_model *model, const char *name, const float *values, size_t count,
                                 struct mi_variable **out)
{
    struct mi_error *error = &model->device->error;
    struct mi_variable *variable = name ? mi_variable_find(&model->variables, name) : NULL;
    if (!variable || !mi_variable_in_files(variable))
        return mi_fail(error, MICA_INVALID_ARGUMENT, "the model has no variable \"%.200s\"", name ? name : "(null)");
    if (!values)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "variable \"%s\": the values are NULL", name);
    if (mi_variable_count(variable) != count)
        return mi_fail(error, MICA_SHAPE, "variable \"%s\" has %zu elements, not %zu", name, mi_variable_count(variable),
                       count);
    *out = variable;
    return MICA_OK;
}

/* The elements of a variable that is not of floats, on their way from or to them; NULL: out of memory. */
static void *room_for(mica_model *model, const struct mi_variable *variable)
{
    void *elements = mi_new(mi_variable_count(variable), mi_types[variable->type].bytes);
    if (!elements)
        mi_out_of_memory(&model->device->error);
    return elements;
}

static mica_status read_variable(mica_model *model, struct mi_store *store, const struct mi_variable *variable, float *values)
{
    if (variable->type == MI_FLOAT)
        return mi_store_read(store, variable, values);
    void *elements = room_for(model, variable);
    mica_status status = elements ? mi_store_read(store, variable, elements) : MICA_OUT_OF_MEMORY;
    if (status == MICA_OK)
        mi_elements_to_floats(variable->type, elements, mi_variable_count(variable), values);
    free(elements);
    return status;
}

static mica_status write_variable(mica_model *model, struct mi_store *store, struct mi_variable *variable, const float *values)
{
    size_t count = mi_variable_count(variable);
    if (variable->type == MI_FLOAT)
        return mi_store_write(store, variable, values);
    for (size_t i = 0; i < count; i++)
        if (!mi_type_holds(variable->type, (double)values[i]))
            return mi_fail(&model->device->error, MICA_DATA, "variable \"%s\": value %zu is %g, which is no %s", variable->name, i,
                           (double)values[i], mi_types[variable->type].name);
    void *elements = room_for(model, variable);
    if (!elements)
        return MICA_OUT_OF_MEMORY;
    mi_elements_from_floats(variable->type, values, count, elements);
    mica_status status = mi_store_write(store, variable, elements);
    free(elements);
    return status;
}

mica_status mica_model_read(mica_model *model, const char *name, float *values, size_t count)
{
    struct mi_variable *variable = NULL;
    struct mi_store *store = NULL;
    if (!model)
        return MICA_INVALID_ARGUMENT;
    MI_TRY(mi_model_begin(model));
    MI_TRY(find_variable(model, name, values, count, &variable));
    MI_TRY(mi_model_store(model, &store));
    return read_variable(model, store, variable, values);
}

mica_status mica_model_write(mica_model *model, const char *name, const float *values, size_t count)
{
    struct mi_variable *variable = NULL;
    struct mi_store *store = NULL;
    if (!model)
        return MICA_INVALID_ARGUMENT;
    MI_TRY(mi_model_begin(model));
    MI_TRY(find_variable(model, name, values, count, &variable));
    MI_TRY(mi_model_store(model, &store));
    return write_variable(model, store, variable, values);
}

mica_status mi_model_store(mica_model *model, struct mi_store **store)
{
    if (!model->store)
        MI_TRY(mi_store_create(model->device, &model->variables, &model->store));
    *store = model->store;
    return MICA_OK;
}
