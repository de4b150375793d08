/* Cells of the user's own: what they add to a model are the layers of one step, which a recurrent layer's record holds. */
#include "nn/layer/recurrent.h"

/* ---- Layers within ---- */

/* What a model has before layers are added within a cell, and has again behind it. */
struct before {
    size_t layers, groups;
    cJSON *description;
    const char *scope, *of_graph;
    mi_value *last;
    const struct mi_inside *inside;
};

static void out_of_memory(mica_model *model)
{
    mi_model_fail(model, MICA_OUT_OF_MEMORY, "the host is out of memory");
}

/* Makes a value known by a name, as the result of a layer is. */
static bool name_value(const struct mi_turn *turn, const char *name, mi_value *value)
{
    mica_model *model = turn->layer->model;
    const char *full = mi_in_scope(model, name);
    mi_value **results = mi_arena_new(&model->graph->arena, 1, sizeof *results);
    if (mi_model_layer(model, full))
        return mi_layer_fail(turn->layer, MICA_INVALID_ARGUMENT, "cell: there is a layer or a state \"%s\" already", full) != NULL;
    if (!results || !mi_grow(&model->layers, &model->layer_capacity, model->layer_count + 1, sizeof *model->layers) ||
        !mi_names_add(&model->layer_names, full, model->layer_count))
        return out_of_memory(model), false;
    results[0] = value;
    model->layers[model->layer_count++] = (struct mi_layer_record){
        .name = full, .type = turn->layer->type, .value = value, .results = results, .result_count = 1};
    model->before = value;
    return true;
}

static bool begin_within(const struct mi_turn *turn, struct mi_inside *inside, struct before *before)
{
    mica_model *model = turn->layer->model;
    struct mi_arena *arena = &model->graph->arena;
    const struct mi_layer *layer = turn->layer;
    const char *part = turn->several ? mi_arena_format(arena, "l%d.", turn->number) : "";
    *before = (struct before){model->layer_count, model->group_count, model->description, model->scope, model->graph->scope,
                              model->before, model->inside};
    *inside = (struct mi_inside){.scope = mi_arena_format(arena, "%s.%s", layer->name, part), .suffix = layer->suffix,
                                 .groups = model->group_count,
                                 .again = layer->again ? mi_arena_format(arena, "%s.%s", layer->again, part) : NULL};
    model->description = cJSON_CreateArray();
    model->scope = inside->scope;
    model->inside = inside;
    if (!model->description)
        out_of_memory(model);
    return model->description != NULL;
}

/* What was added is known by its names no more. The description of its layers, the caller's. */
static cJSON *end_within(mica_model *model, const struct before *before)
{
    cJSON *layers = model->description;
    model->description = before->description;
    model->layer_count = before->layers;
    model->group_count = before->groups;
    model->scope = before->scope;
    model->graph->scope = before->of_graph;
    model->before = before->last;
    model->inside = before->inside;
    return layers;
}

/* ---- Description ---- */

static const char *state_name(const struct mi_turn *turn, int i)
{
    const mica_cell *own = turn->use->own;
    const struct mi_cell_layers *list = own->step == mi_cell_of_layers ? own->user : NULL;
    return list && list->state[i] ? list->state[i] : mi_arena_format(&turn->layer->graph->arena, "state_%d", i);
}

static const char *name_of(const mica_model *model, const mi_value *value)
{
    const char *full = mi_model_layer_of(model, value);
    return full ? mi_inside_name(model, full) : NULL;
}

static bool describe_state(const struct mi_turn *turn, int i, const mi_value *next, cJSON *states)
{
    const mica_shape *shape = &turn->use->own->states[i];
    cJSON *state = cJSON_CreateObject(), *dims = state ? cJSON_AddArrayToObject(state, "shape") : NULL;
    if (!dims || !cJSON_AddItemToArray(states, state)) {
        cJSON_Delete(state);
        return false;
    }
    for (int k = 0; k < shape->rank; k++) {
        cJSON *dim = cJSON_CreateNumber((double)shape->dim[k]);
        if (!dim || !cJSON_AddItemToArray(dims, dim))
            return false;
    }
    return cJSON_AddStringToObject(state, "name", state_name(turn, i)) &&
           cJSON_AddStringToObject(state, "next", name_of(turn->layer->model, next));
}

/* {"states": [{"name", "shape", "next"}], "layers": [...], "output"}, while names within are known. */
static void describe(const struct mi_turn *turn, const mi_value *y, mi_value *const *next)
{
    mica_model *model = turn->layer->model;
    cJSON *to = turn->use->described, *states = cJSON_AddArrayToObject(to, "states"), *layers;
    bool good = states != NULL;
    for (int i = 0; i < turn->use->states && good; i++)
        good = describe_state(turn, i, next[i], states);
    layers = good ? cJSON_Duplicate(model->description, true) : NULL;
    good = layers && cJSON_AddItemToObject(to, "layers", layers) && cJSON_AddStringToObject(to, "output", name_of(model, y));
    if (!good)
        out_of_memory(model);
}

/* ---- A step ---- */

/* Whether a value is made in each step, by a layer, with the shape of this state; of the result, NULL, for each sample. */
static bool made_fits(const struct mi_turn *turn, const char *what, const mi_value *value, const mi_value *state)
{
    struct mi_layer *layer = turn->layer;
    const mi_value *like = state ? state : turn->inputs;
    if (!value)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "the cell gives no %s", what) != NULL;
    bool made = value->node->graph == layer->graph && value->node->repeat == layer->graph->open;
    bool fits = value->type == MI_FLOAT && value->shape.rank > 0 && mi_dim_equal(value->shape.dim[0], like->shape.dim[0]) &&
                (!state || mi_shape_equal(&value->shape, &state->shape));
    if (!made || !mi_model_layer_of(layer->model, value))
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "the cell's %s is no layer's result that follows from a step", what);
    else if (!fits)
        mi_layer_fail(layer, MICA_SHAPE, "the cell's %s is %s of shape %s per sample, needs float32%s%s", what,
                      mi_types[value->type].name, mi_layer_shape_text(layer, value), state ? " " : " of each sample",
                      state ? mi_layer_shape_text(layer, state) : "");
    else
        return true;
    return false;
}

static bool step_fits(const struct mi_turn *turn, const mi_value *y, mi_value *const *now, mi_value *const *next)
{
    for (int i = 0; i < turn->use->states; i++)
        if (!made_fits(turn, mi_arena_format(&turn->layer->graph->arena, "next state %d", i), next[i], now[i]))
            return false;
    return made_fits(turn, "result", y, NULL);
}

static mi_value *turn_own(const struct mi_turn *turn, mi_value *x, mi_value *const *now, mi_value **next)
{
    mica_model *model = turn->layer->model;
    const mica_cell *own = turn->use->own;
    struct mi_inside inside;
    struct before before;
    mi_value *y = NULL;
    bool good = begin_within(turn, &inside, &before);
    for (int i = 0; i < turn->use->states && good; i++)
        good = name_value(turn, state_name(turn, i), now[i]);
    good = good && name_value(turn, "x", x);
    if (good)
        y = own->step(model, x, now, next, own->user);
    good = good && mi_model_check(model) == MICA_OK && step_fits(turn, y, now, next);
    if (good && !turn->use->described->child)
        describe(turn, y, next);
    cJSON_Delete(end_within(model, &before));
    return good && mi_model_check(model) == MICA_OK ? y : NULL;
}

/* ---- Before ---- */

static bool begin_own(struct mi_turn *turn, mi_value *x)
{
    struct mi_layer *layer = turn->layer;
    const mica_cell *own = turn->use->own;
    if (x->shape.rank < 2 || x->shape.dim[1].b < 1)
        return mi_layer_fail(layer, MICA_SHAPE, "input has shape %s per sample, needs steps",
                             mi_layer_shape_text(layer, x)) != NULL;
    turn->inputs = mi_layer_float(layer, x);
    for (int i = 0; i < own->state_count; i++) {
        struct mi_shape *shape = &turn->shape[i];
        const mica_shape *given = &own->states[i];
        if (given->rank < 0 || given->rank > MI_MAX_RANK - 2)
            return mi_layer_fail(layer, MICA_SHAPE, "state %d has %d dimensions, at most %d are possible", i, given->rank,
                                 MI_MAX_RANK - 2) != NULL;
        *shape = (struct mi_shape){.rank = 1 + given->rank, .dim = {x->shape.dim[0]}};
        for (int k = 0; k < given->rank; k++) {
            if (!mi_layer_size(layer, mi_arena_format(&layer->graph->arena, "dimension %d of state %d", k, i), given->dim[k], 1))
                return false;
            shape->dim[1 + k] = mi_fixed(given->dim[k]);
        }
    }
    return turn->inputs != NULL;
}

const struct mi_cell mi_cell_own = {.begin = begin_own, .turn = turn_own};

/* ---- A step of layers that JSON says ---- */

static mi_value *named(mica_model *model, const char *what, const char *name)
{
    mi_value *value = name ? mi_scoped_value(model, name) : NULL;
    if (!value)
        mi_model_fail(model, MICA_FORMAT, "cell: %s: there is no earlier layer \"%s\"", what, name ? mi_show(name).text : "");
    return value;
}

/* The inputs of a layer; -1: an error. */
static int inputs_of(mica_model *model, const struct mi_cell_layer *layer, mi_value **x, int most)
{
    const cJSON *item;
    int count = 0;
    if (!layer->inputs) {
        x[0] = model->before;
        return layer->type->max_inputs == 0 ? 0 : 1;
    }
    cJSON_ArrayForEach(item, layer->inputs) {
        if (count == most)
            return mi_model_fail(model, MICA_FORMAT, "cell: inputs names more than %d layers", most), -1;
        x[count] = named(model, "inputs", cJSON_GetStringValue(item));
        if (!x[count++])
            return -1;
    }
    return count;
}

mica_node *mi_cell_of_layers(mica_model *model, mica_node *x, mica_node *const *states, mica_node **next, void *user)
{
    enum { MOST_INPUTS = 64 };
    const struct mi_cell_layers *list = user;
    mi_value *in[MOST_INPUTS], *value = x;
    (void)states;
    for (int i = 0; i < list->count && value; i++) {
        const struct mi_cell_layer *layer = &list->layer[i];
        int count = inputs_of(model, layer, in, MOST_INPUTS);
        value = count < 0 ? NULL : mi_layer_add_to(model, layer->type, in, count, layer->desc);
    }
    for (int i = 0; i < MI_MOST_STATES && list->next[i] && value; i++)
        if (!(next[i] = named(model, "next", list->next[i])))
            return NULL;
    return value && list->output ? named(model, "output", list->output) : value;
}
