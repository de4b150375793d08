/* Building a model's layers once more, for some steps at a time. What stands for a value of the model has as many where that
 * has all its steps; what does not hang on the steps is as the model has it. */
#include "nn/steps.h"

#include "compile/rewrite/rewrite.h"
#include "nn/layer.h"
#include "nn/part.h"
#include "ops/ops.h"

#include <stdlib.h>
#include <string.h>

struct stand_in {
    mi_value *by;                     /* NULL: nothing stands for the value */
    int axis;                         /* that of the steps; 0: it has none, and is there before the first */
};

struct building {
    mica_model *model;
    mica_model apart;                 /* what the layers see: it has their errors, and as its layers what masks are asked of */
    struct mi_stepping stepping;
    const mi_value *input;            /* the one that is taken in steps */
    struct stand_in *of;              /* by the id of the model's value */
};

/* ---- One layer ---- */

/* The axis along which the whole value has all steps and the other one those of a run; 0: they differ otherwise. */
static int axis_of_steps(const struct building *b, const mi_value *whole, const mi_value *some)
{
    int axis = 0;
    for (int i = 0; i < whole->shape.rank && whole->shape.rank == some->shape.rank; i++) {
        if (mi_dim_equal(whole->shape.dim[i], some->shape.dim[i]))
            continue;
        if (axis || !mi_dim_is(whole->shape.dim[i], b->stepping.most) || !mi_dim_is(some->shape.dim[i], b->stepping.length))
            return 0;
        axis = i;
    }
    return axis;
}

static void stand(struct building *b, const mi_value *whole, mi_value *by, bool early)
{
    int axis = by && !early ? axis_of_steps(b, whole, by) : 0;
    if (by && (axis || early))
        b->of[whole->id] = (struct stand_in){by, axis};
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

/* Whether what the layer makes is there before the first step: its inputs are. */
static bool is_early(const struct building *b, const struct mi_layer_record *record)
{
    bool early = record->value != b->input;
    for (int i = 0; i < record->inputs && early; i++)
        early = b->of[record->in[i]->id].by && !b->of[record->in[i]->id].axis;
    return early;
}

/* Whether the layer can take some steps of its inputs at a time, and these are there. */
static bool may_step(const struct building *b, const struct mi_layer_record *record, const void *desc, bool *taken)
{
    const struct mi_layer_type *type = record->type;
    bool may = record->inputs > 0 && (type->steps || type->keeps_steps);
    for (int i = 0; i < record->inputs && may; i++) {
        const struct stand_in *in = &b->of[record->in[i]->id];
        taken[i] = in->axis > 0;
        may = in->by && (in->axis == 1 || !type->keeps_steps) && (type->steps || record->in[i]->shape.rank > 2);
    }
    if (may && type->steps)
        return type->steps(desc, record->in, taken, record->inputs);
    return may && !is_along_steps(type, desc, record->in[0]);
}

/* So that layers behind find the mask of what this one gives. */
static mica_status record_result(struct building *b, struct mi_layer *layer, mi_value *const *x, int count, mi_value *value)
{
    mica_model *apart = &b->apart;
    mi_value **results = mi_arena_new(&apart->graph->arena, 1, sizeof *results);
    if (!results || !mi_grow(&apart->layers, &apart->layer_capacity, apart->layer_count + 1, sizeof *apart->layers))
        return mi_out_of_memory(&apart->error);
    results[0] = value;
    apart->layers[apart->layer_count++] = (struct mi_layer_record){
        .type = layer->type, .value = value, .results = results, .result_count = 1,
        .mask = mi_layer_mask_of_result(layer, x, count, value)};
    return MICA_OK;
}

static mica_status build_layer(struct building *b, const struct mi_layer_record *record, struct mi_layer *layer, mi_value *const *x,
                               const void *desc)
{
    size_t nodes = layer->graph->node_count;
    layer->graph->scope = layer->name;
    mi_value *value = layer->type->build(layer, x, record->inputs, desc);
    layer->graph->scope = NULL;
    cJSON_Delete(layer->cells);
    MI_TRY(mi_model_check(&b->apart));
    if (!value)
        return MICA_OK;
    for (; nodes < layer->graph->node_count && !layer->stepping; nodes++)
        if (layer->graph->nodes[nodes]->variable && layer->graph->nodes[nodes]->variable->role == MI_STATE)
            return MICA_OK; /* it goes on from sequence to sequence, so it is not there before each */
    stand(b, record->value, value, !layer->stepping);
    for (int i = 0; i < record->result_count && i < layer->result_count; i++)
        stand(b, record->results[i], layer->results[i], !layer->stepping);
    return record_result(b, layer, x, record->inputs, value);
}

static mica_status add_layer(struct building *b, const struct mi_layer_record *record)
{
    const char *used = mi_layer_used(record);
    const struct mi_layer_record *owner = used ? mi_model_layer(b->model, used) : record;
    const struct mi_layer_type *type = NULL;
    mica_regularizer activity;
    void *desc = NULL;
    struct mi_arena *arena = &b->apart.graph->arena;
    mi_value **x = mi_arena_new(arena, (size_t)record->inputs + 1, sizeof *x);
    bool *taken = mi_arena_new(arena, (size_t)record->inputs + 1, sizeof *taken), early = is_early(b, record);
    if (!owner || !x || !taken)
        return mi_out_of_memory(&b->apart.error);
    MI_TRY(mi_layer_read(&b->apart.error, arena, b->model->device, owner->json, owner->name, &type, &desc, &activity));
    struct mi_layer layer = {.model = &b->apart, .whole = b->model, .graph = b->apart.graph, .type = type, .name = record->name,
                             .again = owner->name, .stepping = early ? NULL : &b->stepping};
    for (int i = 0; i < record->inputs; i++)
        x[i] = b->of[record->in[i]->id].by;
    return early || may_step(b, record, desc, taken) ? build_layer(b, record, &layer, x, desc) : MICA_OK;
}

/* ---- All of them ---- */

/* The number of the run's first step, from 0. */
static mi_value *place(struct mi_graph *graph, int64_t length)
{
    const struct mi_shape one = {.rank = 1, .dim = {mi_fixed(1)}};
    mi_value *run = mi_op1(graph, "UpdateCount", mi_expand_to(graph, mi_scalar(graph, 1), &one));
    return mi_op2(graph, "Sub", run, mi_scalar(graph, (float)length));
}

static mica_status add_layers(struct building *b, int64_t length)
{
    struct mi_graph *graph = b->apart.graph;
    struct mi_shape shape = b->input->shape;
    shape.dim[1] = mi_fixed(length);
    b->stepping.most = b->input->shape.dim[1].b;
    b->stepping.length = length;
    b->stepping.place = place(graph, length);
    stand(b, b->input, mi_input(graph, b->input->name, b->input->type, &shape), false);
    for (size_t i = 0; i < b->model->layer_count; i++)
        if (b->model->layers[i].value != b->input)
            MI_TRY(add_layer(b, &b->model->layers[i]));
    return graph->error.status;
}

/* Whether some layer keeps each step. */
static bool keeps_all(const struct mi_graph *graph)
{
    for (size_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i]->op == &mi_op_append)
            return true;
    return false;
}

/* ---- What is there before the first step ---- */

enum { BESIDE, EARLY, LATE }; /* of variables and numbers alone, of other inputs, and of steps */

static unsigned char *mark_nodes(const struct building *b)
{
    const struct mi_graph *graph = b->apart.graph;
    const struct mi_node *input = b->of[b->input->id].by->node, *place = b->stepping.place->node;
    unsigned char *when = mi_new(graph->node_count, sizeof *when);
    for (size_t i = 0; when && i < graph->node_count; i++) {
        const struct mi_node *node = graph->nodes[i];
        bool source = node->op == &mi_op_input, state = node->variable && node->variable->role == MI_STATE;
        when[i] = state || node == input || node == place ? LATE : source ? EARLY : BESIDE;
        for (int k = 0; k < node->inputs; k++)
            if (node->in[k] && when[node->in[k]->node->id] > when[i])
                when[i] = when[node->in[k]->node->id];
    }
    return when;
}

/* Early values that steps read become states, which the early graph's outputs fill. false: an error, or they cannot. */
static bool find_border(struct mi_steps *out, const unsigned char *when, mi_value **replacement)
{
    struct mi_graph *graph = out->steps;
    size_t nodes = graph->node_count;
    for (size_t i = 0; i < nodes; i++)
        for (int k = 0; k < graph->nodes[i]->inputs && when[i] == LATE; k++) {
            mi_value *value = graph->nodes[i]->in[k];
            if (!value || when[value->node->id] != EARLY || replacement[value->id])
                continue;
            const char *name = mi_arena_format(&graph->arena, "early.%d", out->state_count);
            struct mi_variable *state = name ? mi_variable_find(graph->variables, name) : NULL;
            if (!name || value->node->repeat || value->node->op == &mi_op_input)
                return false;
            if (!state)
                state = mi_variable_add(graph->variables, &graph->error, name, MI_STATE, value->type, &value->shape, NULL);
            if (!state || state->type != value->type || !mi_shape_equal(&state->shape, &value->shape) ||
                !mi_output(out->early, name, out->early->values[value->id]) ||
                !(replacement[value->id] = mi_variable(graph, state)))
                return false;
            out->state[out->state_count++] = state;
        }
    return true;
}

/* Takes the graph apart, where the model has other inputs. */
static bool separate(const struct building *b, struct mi_steps *out)
{
    struct mi_graph *graph = out->steps;
    unsigned char *when = mark_nodes(b);
    mi_value **replacement = mi_new(2 * graph->value_count, sizeof *replacement);
    out->state = mi_arena_new(&graph->arena, graph->value_count, sizeof(struct mi_variable *));
    out->early = mi_graph_copy(graph, &graph->error);
    bool good = when && replacement && out->state && out->early;
    if (good) {
        out->early->output_count = 0;
        good = find_border(out, when, replacement) && mi_graph_rebuild(graph, replacement) == MICA_OK;
    }
    free(when);
    free(replacement);
    if (good && !out->state_count) {
        mi_graph_destroy(out->early);
        out->early = NULL;
    }
    return good;
}

/* ---- The graphs ---- */

static bool build(struct building *b, const mi_value *output, int64_t length, struct mi_steps *out)
{
    struct mi_graph *graph = b->apart.graph;
    bool needs = false;
    if (add_layers(b, length) != MICA_OK || !b->of[output->id].axis ||
        !mi_output(graph, "output", b->of[output->id].by) ||
        mi_part_needs(graph, b->of[b->input->id].by, &needs) != MICA_OK || !needs ||
        mi_part_needs(graph, b->stepping.place, &out->ends) != MICA_OK)
        return false;
    out->ends = out->ends || keeps_all(graph);
    return graph->input_count == 1 || separate(b, out);
}

void mi_steps_build(mica_model *model, const mi_value *input, const mi_value *output, int64_t length, struct mi_steps *out)
{
    struct building b = {.model = model, .input = input, .apart = {.device = model->device, .seed = model->seed}};
    struct mi_error before = model->device->error;
    *out = (struct mi_steps){NULL};
    if (input->shape.rank < 2 || input->shape.dim[1].a || input->shape.dim[1].b < 2 || mi_model_mask(model, input))
        return;
    b.of = mi_new(model->graph->value_count, sizeof *b.of);
    out->steps = b.apart.graph = mi_graph_create(mi_ops, &model->variables);
    if (!b.of || !out->steps || !build(&b, output, length, out)) {
        mi_graph_destroy(out->steps);
        mi_graph_destroy(out->early);
        *out = (struct mi_steps){NULL};
    }
    model->device->error = before; /* what a layer could not do is nobody's business */
    free(b.apart.layers);
    free(b.of);
}
