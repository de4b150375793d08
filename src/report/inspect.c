/* A model for a reader, as JSON: what it is made of, and with its plan, what runs on the device. */
#include "nn/layer.h"
#include "train/training.h"

#include <mica/train.h>

#include <stdlib.h>
#include <string.h>

static cJSON *shape_json(const mica_shape *shape)
{
    double dims[MICA_MAX_RANK];
    for (int i = 0; i < shape->rank; i++)
        dims[i] = (double)shape->dim[i];
    return cJSON_CreateDoubleArray(dims, shape->rank > 0 ? shape->rank : 0);
}

static bool add(cJSON *object, const char *key, cJSON *item)
{
    if (item && cJSON_AddItemToObject(object, key, item))
        return true;
    cJSON_Delete(item);
    return false;
}

static bool append(cJSON *array, cJSON *item)
{
    if (item && cJSON_AddItemToArray(array, item))
        return true;
    cJSON_Delete(item);
    return false;
}

/* ---- Layers and variables ---- */

static bool is_trained(const struct mi_variable *variable)
{
    return variable->role == MI_PARAMETER && !variable->frozen;
}

/* Elements of the variables that are trained whose names begin with the layer's. */
static double layer_parameters(const mica_model *model, const char *layer)
{
    double count = 0;
    size_t length = strlen(layer);
    for (size_t i = 0; i < model->variables.count; i++) {
        const struct mi_variable *variable = model->variables.list[i];
        const char *dot = strrchr(variable->name, '.');
        if (is_trained(variable) && dot && (size_t)(dot - variable->name) == length &&
            strncmp(variable->name, layer, length) == 0)
            count += (double)mi_variable_count(variable);
    }
    return count;
}

static bool add_layers(const mica_model *model, cJSON *out)
{
    cJSON *list = cJSON_AddArrayToObject(out, "layers");
    for (size_t i = 0; list && i < model->layer_count; i++) {
        const struct mi_layer_record *record = &model->layers[i];
        mica_shape shape = mica_node_shape(record->value);
        cJSON *layer = cJSON_Duplicate(cJSON_GetArrayItem(model->description, (int)i), true);
        bool good = layer && add(layer, "output_shape", shape_json(&shape)) &&
                    cJSON_AddNumberToObject(layer, "parameters", layer_parameters(model, record->name));
        if (!good || !append(list, layer)) {
            if (!good)
                cJSON_Delete(layer);
            return false;
        }
    }
    return list != NULL;
}

static bool add_variables(const mica_model *model, cJSON *out)
{
    cJSON *list = cJSON_AddArrayToObject(out, "variables");
    int count = mica_model_variable_count(model);
    for (int i = 0; list && i < count; i++) {
        mica_shape shape = mica_model_variable_shape(model, i);
        const char *name = mica_model_variable_name(model, i);
        cJSON *item = cJSON_CreateObject();
        bool good = item && cJSON_AddStringToObject(item, "name", name) && add(item, "shape", shape_json(&shape)) &&
                    cJSON_AddStringToObject(item, "dtype", mica_type_name(mica_model_variable_type(model, i))) &&
                    cJSON_AddBoolToObject(item, "trained", is_trained(mi_variable_find(&model->variables, name)));
        if (!good || !append(list, item)) {
            if (!good)
                cJSON_Delete(item);
            return false;
        }
    }
    return list != NULL;
}

static bool add_values(cJSON *out, const char *key, mi_value *const *values, size_t count)
{
    cJSON *list = cJSON_AddArrayToObject(out, key);
    for (size_t i = 0; list && i < count; i++) {
        mica_shape shape = mica_node_shape(values[i]);
        cJSON *item = cJSON_CreateObject();
        bool good = item && cJSON_AddStringToObject(item, "name", values[i]->name) && add(item, "shape", shape_json(&shape)) &&
                    cJSON_AddStringToObject(item, "dtype", mi_types[values[i]->type].name);
        if (!good || !append(list, item)) {
            if (!good)
                cJSON_Delete(item);
            return false;
        }
    }
    return list != NULL;
}

/* The operators of the graph as it was described; Variable, Constant and the like are none. */
static bool add_graph(const mica_model *model, cJSON *out)
{
    int operators = 0;
    cJSON *list = cJSON_AddArrayToObject(out, "graph");
    for (size_t i = 0; list && i < model->graph->node_count; i++) {
        const struct mi_node *node = model->graph->nodes[i];
        if (node->op->kind == MI_SOURCE)
            continue;
        operators++;
        struct mi_arena arena = {0};
        cJSON *item = cJSON_CreateObject();
        bool good = item && cJSON_AddStringToObject(item, "op", node->op->name) &&
                    cJSON_AddStringToObject(item, "name", node->name ? node->name : "") &&
                    (!node->outputs || cJSON_AddStringToObject(item, "shape", mi_shape_text(&arena, &node->out[0]->shape)));
        good = good && !arena.failed;
        mi_arena_destroy(&arena);
        if (!good || !append(list, item)) {
            if (!good)
                cJSON_Delete(item);
            return false;
        }
    }
    return list && cJSON_AddNumberToObject(out, "operators", operators);
}

/* What a program needs to know to show predictions of an output; NULL: the first. */
static bool add_task(const mica_model *model, const char *output, cJSON *out)
{
    const struct mi_trained_output *answer = mi_model_trained(model, output);
    const struct mi_loss_row *loss = answer ? mi_loss_find(answer->loss) : NULL;
    bool classes = answer && (answer->class_count > 0 || loss->task != MI_VALUES);
    cJSON *names = cJSON_AddArrayToObject(out, "classes");
    for (int i = 0; names && answer && i < answer->class_count; i++)
        if (!append(names, cJSON_CreateString(answer->class_names[i])))
            return false;
    if (loss && !cJSON_AddStringToObject(out, "loss", loss->layer.type))
        return false;
    return names && cJSON_AddStringToObject(out, "task", !loss ? "unknown" : classes ? "classification" : "regression");
}

/* How the model reads a table, in lines for a person: its inputs, and what it answers. */
static bool add_data(const mica_model *model, cJSON *out)
{
    struct mi_error error = {0};
    struct mi_prepared prepared;
    struct mi_text lines[2] = {{0}, {0}};
    cJSON *list = cJSON_AddArrayToObject(out, "data");
    bool good = list && mi_prepared_parse(&error, "the model", model->preprocess, &prepared) == MICA_OK;
    for (int i = 0; good && i < prepared.count; i++)
        mi_note_field(&prepared.fields[i], &lines[prepared.fields[i].role != MICA_INPUT]);
    for (int i = 0; i < 2; i++) {
        good = good && !lines[i].failed && (!lines[i].size || append(list, cJSON_CreateString(mi_text_get(&lines[i]))));
        mi_text_destroy(&lines[i]);
    }
    if (list && error.status == MICA_OK)
        mi_prepared_destroy(&prepared);
    return good;
}

/* ---- The plan ---- */

static bool add_plan(const mica_plan *plan, const struct mi_text *described, cJSON *out)
{
    cJSON *json = mi_json_read(mi_text_get(described), described->size, NULL);
    return add(out, "plan", json) && cJSON_AddNumberToObject(out, "launches", mica_plan_launches(plan)) &&
           cJSON_AddNumberToObject(out, "peak_bytes", (double)mica_plan_peak_bytes(plan));
}

static mica_status describe_plan(mica_model *model, const mica_inspect_desc *desc, cJSON *out)
{
    struct mi_text described = {0};
    int64_t batch = desc->batch ? desc->batch : 1;
    const struct mi_fit_plan_desc how = {.batch = batch, .described = true};
    mica_plan *plan = !desc->training ? mi_model_compile(model, &(mica_plan_desc){.batch = batch}, true, NULL, 0)
                      : desc->fit     ? mi_fit_plan(model, desc->fit, &how)
                                      : mi_training_plan(model, &how);
    mica_status status = plan ? mica_plan_status(plan) : mi_out_of_memory(&model->device->error);
    if (status == MICA_OK)
        status = mi_plan_describe(plan, true, &described);
    if (status == MICA_OK && (described.failed || !add_plan(plan, &described, out)))
        status = mi_out_of_memory(&model->device->error);
    mi_text_destroy(&described);
    mica_plan_destroy(plan);
    return status;
}

/* The same of each output, beside its shape. */
static bool add_tasks(const mica_model *model, cJSON *out)
{
    cJSON *item;
    size_t i = 0;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(out, "outputs"))
        if (!add_task(model, model->graph->outputs[i++]->name, item))
            return false;
    return add_task(model, NULL, out);
}

static bool describe_model(const mica_model *model, cJSON *out)
{
    const struct mi_graph *graph = model->graph;
    return add_layers(model, out) &&
           cJSON_AddNumberToObject(out, "parameters", (double)mica_model_parameter_count(model)) &&
           add_variables(model, out) && add_values(out, "inputs", graph->inputs, graph->input_count) &&
           add_values(out, "outputs", graph->outputs, graph->output_count) && add_tasks(model, out) && add_data(model, out) &&
           add_graph(model, out);
}

mica_status mica_model_inspect(mica_model *model, const mica_inspect_desc *desc, char **json)
{
    if (json)
        *json = NULL;
    if (!model)
        return MICA_INVALID_ARGUMENT;
    MI_TRY(mi_model_begin(model));
    if (!json)
        return mi_fail(&model->device->error, MICA_INVALID_ARGUMENT, "to inspect takes a place for the text; it is NULL");
    cJSON *out = cJSON_CreateObject();
    mica_status status = out && describe_model(model, out) ? MICA_OK : mi_out_of_memory(&model->device->error);
    if (status == MICA_OK && desc && desc->with_plan)
        status = describe_plan(model, desc, out);
    char *text = status == MICA_OK ? mi_json_write(out, true) : NULL;
    cJSON_Delete(out);
    if (status != MICA_OK)
        return status;
    *json = text ? mi_strdup(text) : NULL;
    cJSON_free(text);
    return *json ? MICA_OK : mi_out_of_memory(&model->device->error);
}
