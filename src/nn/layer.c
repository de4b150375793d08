/* Adding a layer: its name, its checks, its record and its description; and what build functions share. */
#include "nn/layer.h"

#include "nn/penalty.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_LAYER_NAME = 200 };

mi_value *mi_layer_fail(struct mi_layer *layer, mica_status status, const char *format, ...)
{
    char text[768];
    va_list arguments;
    va_start(arguments, format);
    mi_vformat(text, sizeof text, format, arguments);
    va_end(arguments);
    mi_model_fail(layer->model, status, "%s \"%s\": %s", layer->type->type, layer->name, text);
    return NULL;
}

const char *mi_layer_shape_text(struct mi_layer *layer, const mi_value *x)
{
    struct mi_shape sample = {.rank = x->shape.rank - 1};
    for (int i = 0; i < sample.rank; i++)
        sample.dim[i] = x->shape.dim[i + 1];
    return mi_shape_text(&layer->graph->arena, &sample);
}

void mi_layer_no_axis(struct mi_layer *layer, const char *what, int64_t axis, int rank)
{
    const char *batch = axis ? "" : ", which is the batch";
    char axes[32] = "axis 1 alone";
    if (rank > 2)
        mi_format(axes, sizeof axes, "axes 1 to %d", rank - 1);
    mi_layer_fail(layer, MICA_SHAPE, "%s %lld%s; a sample of the input has %s", what, (long long)axis, batch, axes);
}

int mi_layer_axis(struct mi_layer *layer, const mi_value *x, int64_t axis)
{
    int rank = x->shape.rank;
    int64_t at = axis ? axis : -1;
    at = at < 0 ? at + rank : at;
    if (at >= 1 && at < rank)
        return (int)at;
    if (rank < 2)
        mi_layer_fail(layer, MICA_SHAPE, "input has shape %s per sample, needs at least one dimension",
                      mi_layer_shape_text(layer, x));
    else
        mi_layer_no_axis(layer, "axis", axis, rank);
    return 0;
}

/* ---- Names ---- */

bool mi_layer_is_called(const struct mi_layer_type *type, const char *name)
{
    if (strcmp(type->type, name) == 0)
        return true;
    const char *const *alias = type->aliases;
    while (alias && *alias && strcmp(*alias, name))
        alias++;
    return alias && *alias;
}

/* What an automatic name begins with. */
static const char *stem_of(const struct mi_layer *layer, const void *desc)
{
    const char *stem = layer->type->stem ? layer->type->stem(desc) : NULL;
    return stem ? stem : layer->type->type;
}

static bool is_free(struct mi_layer *layer, const char *name)
{
    if (!name)
        mi_model_fail(layer->model, MICA_OUT_OF_MEMORY, "the host is out of memory");
    else if (mi_model_layer(layer->model, name) || mi_model_group(layer->model, name))
        mi_model_fail(layer->model, MICA_INVALID_ARGUMENT, "%s \"%s\": there is a layer of that name already", layer->type->type,
                      name);
    else
        return true;
    return false;
}

/* Where *layer has no name yet, that of its descriptor, or an automatic one. */
static bool take_name(struct mi_layer *layer, const void *desc)
{
    mica_model *model = layer->model;
    const char *given;
    memcpy(&given, desc, sizeof given);
    if (!layer->name && given && (!*given || strlen(given) > LONGEST_LAYER_NAME)) {
        mi_model_fail(model, MICA_INVALID_ARGUMENT, "%s: a layer's name has 1 to %d characters", layer->type->type,
                      LONGEST_LAYER_NAME);
        return false;
    }
    if (!layer->name)
        layer->name = given ? mi_in_scope(model, given) : mi_automatic_name(model, mi_in_scope(model, stem_of(layer, desc)));
    return is_free(layer, layer->name);
}

/* ---- Description ---- */

/* With the whole name, as groups are none in a description. */
static bool add_tied(const struct mi_layer *layer, cJSON *json)
{
    return !layer->tied || cJSON_AddStringToObject(json, "tied_to", mi_inside_name(layer->model, layer->tied));
}

/* Hands the list of cells over: one cell as it is, several as a list. */
static bool add_cells(struct mi_layer *layer, cJSON *json)
{
    cJSON *cells = layer->cells;
    layer->cells = NULL;
    if (!cells)
        return true;
    if (cJSON_GetArraySize(cells) == 1) {
        cJSON *one = cJSON_DetachItemFromArray(cells, 0);
        cJSON_Delete(cells);
        cells = one;
    }
    bool added = cJSON_AddItemToObject(json, "cell", cells);
    if (!added)
        cJSON_Delete(cells);
    return added;
}

bool mi_layer_write_within(struct mi_layer *wrapper, const struct mi_around *around)
{
    bool good = !around->written || (mi_keys_write(around->type->keys, around->within, around->written) &&
                                     add_cells(wrapper, around->written));
    cJSON_Delete(wrapper->cells);
    wrapper->cells = NULL;
    if (!good)
        mi_layer_fail(wrapper, MICA_OUT_OF_MEMORY, "the host is out of memory");
    return good;
}

/* {"type", "name", keys..., "inputs"}, or {"layer", "name", "inputs"} of one that is used again; inputs are written where they are
 * not the layer before. */
static cJSON *layer_json(struct mi_layer *layer, mi_value *const *x, int count, const void *desc)
{
    const mica_model *model = layer->model;
    cJSON *json = cJSON_CreateObject();
    bool own = !layer->again || model->inside; /* a step that is built again describes its layers as if they were new */
    const char *key = own ? "type" : "layer", *of = own ? layer->type->type : layer->again;
    bool good = json && cJSON_AddStringToObject(json, key, of) &&
                cJSON_AddStringToObject(json, "name", mi_inside_name(model, layer->name)) &&
                (!own || (mi_keys_write(layer->type->keys, desc, json) && add_cells(layer, json) && add_tied(layer, json)));
    bool chained = count == 1 && model->layer_count && model->layers[model->layer_count - 1].value == x[0];
    if (good && count && !chained) {
        cJSON *inputs = cJSON_AddArrayToObject(json, "inputs");
        good = inputs != NULL;
        for (int i = 0; i < count && good; i++) {
            const char *from = mi_model_layer_of(model, x[i]);
            cJSON *name = cJSON_CreateString(from ? mi_inside_name(model, from) : "");
            good = name && cJSON_AddItemToArray(inputs, name);
        }
    }
    if (good)
        return json;
    cJSON_Delete(json);
    return NULL;
}

static bool record(struct mi_layer *layer, mi_value *const *x, int count, const void *desc, mi_value *value)
{
    mica_model *model = layer->model;
    mi_value *mask = mi_layer_mask_of_result(layer, x, count, value);
    cJSON *json = layer_json(layer, x, count, desc);
    mi_value **in = mi_arena_new(&model->graph->arena, (size_t)count, sizeof *in);
    int results = layer->results ? layer->result_count : 1;
    mi_value **all = mi_arena_new(&model->graph->arena, (size_t)results, sizeof *all);
    if (!json || !in || !all || !mi_grow(&model->layers, &model->layer_capacity, model->layer_count + 1, sizeof *model->layers) ||
        !mi_names_add(&model->layer_names, layer->name, model->layer_count) || !cJSON_AddItemToArray(model->description, json)) {
        cJSON_Delete(json);
        mi_model_fail(model, MICA_OUT_OF_MEMORY, "the host is out of memory");
        return false;
    }
    for (int i = 0; i < count; i++)
        in[i] = x[i];
    for (int i = 0; i < results; i++)
        all[i] = layer->results ? layer->results[i] : value;
    model->layers[model->layer_count++] = (struct mi_layer_record){
        .name = layer->name, .type = layer->type, .in = in, .value = value, .results = all, .inputs = count,
        .result_count = results, .mask = mask, .json = json};
    model->before = value;
    return true;
}

/* ---- Adding ---- */

static bool shape_fits(const struct mi_layer *layer, const mi_value *x, int i)
{
    const char *type = layer->type->type;
    bool fits = x->shape.rank > 0;
    for (int k = 1; k < x->shape.rank; k++)
        fits = fits && x->shape.dim[k].a == 0;
    if (fits || layer->type->takes_any)
        return true;
    if (x->shape.rank == 0)
        mi_model_fail(layer->model, MICA_SHAPE, "%s: input %d is a single number, without a batch", type, i);
    else
        mi_model_fail(layer->model, MICA_SHAPE, "%s: input %d has shape %s, only its first dimension may grow with the batch", type,
                      i, mi_shape_text(&layer->graph->arena, &x->shape));
    return false;
}

static bool inputs_fit(const struct mi_layer *layer, mica_node *const *x, int count)
{
    if (count < layer->type->min_inputs || (layer->type->max_inputs >= 0 && count > layer->type->max_inputs)) {
        bool most = count > layer->type->min_inputs;
        int bound = most ? layer->type->max_inputs : layer->type->min_inputs;
        const char *which = layer->type->max_inputs == layer->type->min_inputs ? "" : most ? "at most " : "at least ";
        mi_model_fail(layer->model, MICA_INVALID_ARGUMENT, "%s: takes %s%d input%s, not %d", layer->type->type, which, bound,
                      bound == 1 ? "" : "s", count);
        return false;
    }
    for (int i = 0; i < count; i++)
        if (!x[i] || x[i]->node->graph != layer->graph) {
            if (x[i])
                mi_model_fail(layer->model, MICA_INVALID_ARGUMENT, "%s: input %d is a node of another model",
                              layer->type->type, i);
            return false;
        } else if (!shape_fits(layer, x[i], i))
            return false;
    return true;
}

/* Within a step, what names of variables have besides is what the layer has that runs it. */
static bool take_variables(struct mi_layer *layer)
{
    const struct mi_inside *inside = layer->model->inside;
    if (!inside)
        return true;
    layer->suffix = inside->suffix;
    if (inside->again)
        layer->again = mi_arena_format(&layer->graph->arena, "%s%s", inside->again, mi_inside_name(layer->model, layer->name));
    return !layer->graph->arena.failed;
}

mi_value *mi_layer_build(struct mi_layer *layer, mica_node *const *x, int count, const void *desc)
{
    if (!inputs_fit(layer, x, count) || !take_name(layer, desc) || !take_variables(layer))
        return NULL;
    const char *outer = layer->graph->scope;
    layer->graph->scope = layer->name;
    mi_value *value = layer->type->build(layer, x, count, desc);
    layer->graph->scope = outer;
    if (mi_model_check(layer->model) != MICA_OK || !value || !record(layer, x, count, desc, value))
        value = NULL;
    cJSON_Delete(layer->cells);
    return value;
}

mi_value *mi_layer_within(struct mi_layer *wrapper, const struct mi_layer_type *type, const void *desc,
                          struct mi_wrapping *wrapping, mi_value *const *x, int count)
{
    struct mi_layer layer = *wrapper;
    layer.type = type;
    layer.wrapping = wrapping;
    layer.wrapped = true;
    mi_value *value = inputs_fit(&layer, x, count) ? type->build(&layer, x, count, desc) : NULL;
    mi_layer_results(wrapper, layer.results, layer.result_count);
    wrapper->cells = layer.cells;
    wrapper->mask = layer.mask;
    return value;
}

mica_node *mi_layer_add_to(mica_model *model, const struct mi_layer_type *type, mica_node *const *x, int count,
                           const void *desc)
{
    if (!model || model->error.status != MICA_OK)
        return NULL;
    void *zero = desc ? NULL : mi_new(1, type->desc_size);
    if (!desc && !zero) {
        mi_model_fail(model, MICA_OUT_OF_MEMORY, "the host is out of memory");
        return NULL;
    }
    struct mi_layer layer = {.model = model, .graph = model->graph, .type = type};
    mi_value *value = mi_layer_build(&layer, x, count, desc ? desc : zero);
    free(zero);
    return value;
}

mica_model *mi_layer_model(const struct mi_layer_type *type, mica_node *const *x, int count)
{
    mica_model *model = NULL;
    int missing = -1;
    for (int i = 0; x && i < count; i++) {
        if (!x[i])
            missing = i;
        else if (!model)
            model = x[i]->node->graph->owner;
    }
    if (model && missing >= 0 && model->error.status == MICA_OK) /* otherwise the error says why there is no node */
        mi_model_fail(model, MICA_INVALID_ARGUMENT, "%s: input %d of %d is NULL", type->type, missing, count);
    return model;
}

mica_node *mi_layer_add(const struct mi_layer_type *type, mica_node *const *x, int count, const void *desc)
{
    mica_model *model = mi_layer_model(type, x, count);
    return model ? mi_layer_add_to(model, type, x, count, desc) : NULL;
}

/* ---- For build functions ---- */

void mi_layer_results(struct mi_layer *layer, mi_value **results, int count)
{
    layer->results = results;
    layer->result_count = count;
}

bool mi_layer_size(struct mi_layer *layer, const char *what, int64_t value, int64_t least)
{
    if (value >= least && value <= MI_MOST_SIZE)
        return true;
    if (value < least)
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "%s must be at least %lld, not %lld", what, (long long)least, (long long)value);
    else
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "%s is %lld, which is too large: at most %d", what, (long long)value,
                      MI_MOST_SIZE);
    return false;
}

/* Refuses what neither the device nor, while loading, the file can hold, before anything is allocated. */
static bool fits_beside(struct mi_layer *layer, const char *name, const char *shape, uint64_t own)
{
    mica_model *model = layer->model;
    uint64_t bytes = model->bytes + own, memory = model->device->info.memory_bytes;
    if (memory && bytes > memory) {
        mi_layer_fail(layer, MICA_DEVICE_MEMORY, "%s has shape %s, with the layers before it %llu bytes, the device has %llu", name,
                      shape, (unsigned long long)bytes, (unsigned long long)memory);
        return false;
    }
    model->bytes = bytes;
    return true;
}

static bool fits(struct mi_layer *layer, const char *name, const struct mi_shape *shape, enum mi_type type)
{
    mica_model *model = layer->model;
    int64_t count = mi_shape_count(shape, 0);
    /* A tensor lies in one allocation. */
    uint64_t memory = model->device->info.memory_bytes, most = model->device->info.largest_allocation_bytes;
    if (most && most < memory)
        memory = most;
    const char *text = mi_shape_text(&layer->graph->arena, shape);
    if (count < 0 || (memory && (uint64_t)count > memory / mi_types[type].bytes)) {
        mi_layer_fail(layer, MICA_DEVICE_MEMORY, "%s has shape %s, more than the device allocates at once (%llu MiB)", name, text,
                      (unsigned long long)(memory >> 20));
        return false;
    }
    if (model->loading && (uint64_t)count > model->room) {
        mi_layer_fail(layer, MICA_FORMAT, "%s has shape %s, more than the file holds", name, text);
        return false;
    }
    model->room -= model->loading ? (uint64_t)count : 0;
    return fits_beside(layer, name, text, (uint64_t)count * mi_types[type].bytes);
}

/* A variable whose first values are made when they are needed: a description alone takes no memory. */
static struct mi_variable *add_variable(struct mi_layer *layer, const char *name, enum mi_role role, enum mi_type type,
                                        const struct mi_shape *shape, const struct mi_initial *make)
{
    struct mi_variable *variable =
        mi_variable_add(layer->graph->variables, &layer->graph->error, name, role, type, shape, NULL);
    if (variable && !layer->model->loading)
        variable->make = *make;
    return variable;
}

/* LAYER.name; of a layer that is used again the variable is there. */
static const char *variable_name(struct mi_layer *layer, const char *name)
{
    const char *of = layer->again ? layer->again : layer->name;
    return mi_arena_format(&layer->graph->arena, "%s.%s%s", of, name, layer->suffix ? layer->suffix : "");
}

/* The variable of a layer that is used again: none, where its inputs are such that it would have another. */
static struct mi_variable *find_again(struct mi_layer *layer, const char *name, const struct mi_shape *shape)
{
    struct mi_variable *found = mi_variable_find(layer->graph->variables, name);
    if (found && mi_shape_equal(&found->shape, shape))
        return found;
    mi_layer_fail(layer, MICA_SHAPE, "is used again with inputs that ask for a %s of shape %s, \"%s\" has %s",
                  strrchr(name, '.') + 1, mi_shape_text(&layer->graph->arena, shape), layer->again,
                  found ? mi_shape_text(&layer->graph->arena, &found->shape) : "none");
    return NULL;
}

enum mi_type mi_layer_dtype(struct mi_layer *layer, const char *name)
{
    const char *names[MI_TYPES + 1];
    enum mi_type type = name ? mi_type_named(name) : MI_FLOAT;
    mi_type_names(names);
    if (type == MI_TYPES)
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "there is no dtype \"%s\"%s", mi_show(name).text, mi_advise(name, names).text);
    return type;
}

/* Penalty and constraint of a parameter; an error names it. */
static mi_value *attach(struct mi_layer *layer, const struct mi_parameter *parameter, mi_value *value)
{
    const mica_parameter_desc *desc = parameter->desc;
    struct mi_error error = {0};
    if (value && desc && desc->regularizer.type)
        mi_penalty_add(layer->model, &error, value, &desc->regularizer, parameter->inputs_first);
    if (value && desc && desc->constraint.type && error.status == MICA_OK)
        mi_constraint_add(layer->model, &error, &desc->constraint, value->node->variable, parameter->inputs_first);
    return error.status == MICA_OK ? value : mi_layer_fail(layer, error.status, "%s: %s", parameter->name, error.text);
}

static mi_value *trained_parameter(struct mi_layer *layer, const struct mi_parameter *parameter)
{
    const char *name = variable_name(layer, parameter->name);
    struct mi_shape shape = {.rank = parameter->rank};
    struct mi_initial make = {.seed = layer->model->seed, .stream = mi_hash(name, strlen(name), 0)};
    struct mi_error error = {0};
    for (int i = 0; i < parameter->rank; i++)
        shape.dim[i] = mi_fixed(parameter->dim[i]);
    if (layer->again)
        return mi_variable(layer->graph, find_again(layer, name, &shape));
    if (!fits(layer, parameter->name, &shape, parameter->type))
        return NULL;
    const struct mi_initializer_use use = {
        .given = parameter->desc ? &parameter->desc->initializer : NULL, .otherwise = parameter->otherwise,
        .fan_in = parameter->fan_in, .fan_out = parameter->fan_out, .shape = &shape};
    if (mi_initializer_choose(&error, &use, &make) != MICA_OK)
        return mi_layer_fail(layer, error.status, "%s: %s", parameter->name, error.text);
    struct mi_variable *variable = add_variable(layer, name, MI_PARAMETER, parameter->type, &shape, &make);
    return attach(layer, parameter, mi_variable(layer->graph, variable));
}

mi_value *mi_layer_parameter(struct mi_layer *layer, const struct mi_parameter *parameter)
{
    struct mi_wrapping *wrapping = strcmp(parameter->name, "weight") == 0 ? layer->wrapping : NULL;
    if (!wrapping)
        return trained_parameter(layer, parameter);
    struct mi_parameter trained = *parameter;
    trained.name = wrapping->trained;
    wrapping->met = true;
    mi_value *weight = trained_parameter(layer, &trained);
    return weight ? wrapping->turn(layer, wrapping, weight) : NULL;
}

void mi_layer_first_values(struct mi_layer *layer, struct mi_variable *variable, const struct mi_initial *make)
{
    if (variable && !layer->again && !layer->model->loading)
        variable->make = *make;
}

struct mi_variable *mi_layer_statistic(struct mi_layer *layer, const char *name, int64_t size, float value)
{
    struct mi_shape shape = {.rank = 1, .dim = {mi_fixed(size)}};
    struct mi_initial make = mi_initial_constant(value);
    if (layer->model->inside)
        return mi_layer_fail(layer, MICA_UNSUPPORTED, "its %s would change in each step of the recurrent layer around it",
                             name), NULL;
    if (layer->again)
        return find_again(layer, variable_name(layer, name), &shape);
    if (!fits(layer, name, &shape, MI_FLOAT))
        return NULL;
    return add_variable(layer, variable_name(layer, name), MI_STATISTIC, MI_FLOAT, &shape, &make);
}

struct mi_variable *mi_layer_state(struct mi_layer *layer, const char *name, const struct mi_shape *shape)
{
    struct mi_graph *graph = layer->graph;
    const char *full = mi_arena_format(&graph->arena, "%s.%s%s", layer->name, name, layer->suffix ? layer->suffix : "");
    struct mi_variable *known = full ? mi_variable_find(graph->variables, full) : NULL;
    if (!full || (known && known->role == MI_STATE && mi_shape_equal(&known->shape, shape)))
        return known;
    return mi_variable_add(graph->variables, &graph->error, full, MI_STATE, MI_FLOAT, shape, NULL);
}

mi_value *mi_layer_place(struct mi_layer *layer)
{
    return layer->stepping->place;
}

bool mi_layer_fault(struct mi_layer *layer, mi_value *count, const char *says)
{
    const struct mi_shape scalar = {.rank = 0};
    if (layer->model->inside)
        return mi_layer_fail(layer, MICA_UNSUPPORTED, "it checks numbers that layers compute, which no step of a recurrent layer "
                             "does: put it before") != NULL;
    struct mi_variable *fault = mi_variable_add(layer->graph->variables, &layer->graph->error, layer->name, MI_FAULT, MI_FLOAT,
                                                &scalar, NULL);
    if (!fault)
        return false;
    fault->says = says;
    return mi_assign(layer->graph, fault, mi_op2(layer->graph, "Add", mi_variable(layer->graph, fault), count));
}

mi_value *mi_layer_float(struct mi_layer *layer, mi_value *x)
{
    return !x || x->type == MI_FLOAT ? x : MI_APPLY(layer->graph, "Cast", ((mi_value *[]){x}), MI_INT("to", MI_FLOAT));
}

mi_value *mi_layer_rows(struct mi_layer *layer, mi_value *x, int64_t rows, const char *says)
{
    struct mi_graph *graph = layer->graph;
    mi_value *number = mi_layer_float(layer, x);
    struct mi_node *node = mi_node_add(graph, "RowIndex", &number, 1, &MI_INT("rows", rows), 1);
    if (!node)
        return NULL;
    mi_value *missed = MI_APPLY(graph, "ReduceSum", ((mi_value *[]){node->out[1]}), MI_INT("keepdims", 0));
    const char *text = mi_arena_format(&graph->arena, "%s 0 to %lld", says, (long long)(rows - 1));
    return mi_layer_fault(layer, missed, text) ? node->out[0] : NULL;
}

mi_value *mi_layer_reshape(struct mi_layer *layer, mi_value *x, const int64_t *dims, int rank)
{
    int64_t target[MI_MAX_RANK] = {0}; /* 0: the batch, as it is */
    for (int i = 0; i < rank; i++)
        target[i + 1] = dims[i];
    return mi_op2(layer->graph, "Reshape", x, mi_ints(layer->graph, target, rank + 1));
}
