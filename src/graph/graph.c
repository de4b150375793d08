/* The graph's life: create, add, copy, destroy. */
#include "graph/graph.h"
#include "graph/op.h"

#include <stdlib.h>
#include <string.h>

struct mi_graph *mi_graph_create(const struct mi_op *const *ops, struct mi_variables *variables)
{
    struct mi_graph *graph = mi_new(1, sizeof *graph);
    if (graph) {
        graph->ops = ops;
        graph->variables = variables;
        graph->next_stable = 1;
    }
    return graph;
}

void mi_graph_destroy(struct mi_graph *graph)
{
    if (!graph)
        return;
    free(graph->values);
    free(graph->nodes);
    free(graph->inputs);
    free(graph->outputs);
    free(graph->of_variable);
    free(graph->repeats);
    mi_arena_destroy(&graph->arena);
    free(graph);
}

const struct mi_op *mi_op_find(const struct mi_op *const *ops, const char *name)
{
    for (; *ops; ops++)
        if (strcmp((*ops)->name, name) == 0)
            return *ops;
    return NULL;
}

static bool list_push(mi_value ***list, size_t *count, size_t *capacity, mi_value *value)
{
    if (!mi_grow(list, capacity, *count + 1, sizeof **list))
        return false;
    (*list)[(*count)++] = value;
    return true;
}

static mi_value *value_new(struct mi_graph *graph, struct mi_node *node, int output)
{
    mi_value *value = mi_arena_new(&graph->arena, 1, sizeof *value);
    if (!value || !list_push(&graph->values, &graph->value_count, &graph->value_capacity, value))
        return NULL;
    value->node = node;
    value->output = output;
    value->id = (int)graph->value_count - 1;
    node->out[output] = value;
    return value;
}

static bool attributes_copy(struct mi_graph *graph, struct mi_node *node, const struct mi_attribute *from, int count)
{
    node->attributes = count;
    node->attribute = mi_arena_new(&graph->arena, (size_t)count, sizeof *from);
    if (!node->attribute)
        return false;
    for (int i = 0; i < count; i++) {
        struct mi_attribute *to = &node->attribute[i];
        *to = from[i];
        to->name = mi_arena_strdup(&graph->arena, from[i].name);
        to->s = mi_arena_strdup(&graph->arena, from[i].s);
        if (from[i].ints) {
            int64_t *ints = mi_arena_new(&graph->arena, (size_t)from[i].count, sizeof *ints);
            if (!ints)
                return false;
            memcpy(ints, from[i].ints, (size_t)from[i].count * sizeof *ints);
            to->ints = ints;
        }
    }
    return !graph->arena.failed;
}

/* A node with its outputs, not yet inferred. */
static struct mi_node *node_new(struct mi_graph *graph, const struct mi_op *op, mi_value *const *inputs, int input_count,
                                const struct mi_attribute *attributes, int attribute_count)
{
    struct mi_node *node = mi_arena_new(&graph->arena, 1, sizeof *node);
    if (!node || !mi_grow(&graph->nodes, &graph->node_capacity, graph->node_count + 1, sizeof *graph->nodes) ||
        !(node->in = mi_arena_new(&graph->arena, (size_t)input_count, sizeof *node->in)) ||
        !attributes_copy(graph, node, attributes, attribute_count)) {
        mi_out_of_memory(&graph->error);
        return NULL;
    }
    node->op = op;
    node->graph = graph;
    node->name = mi_arena_strdup(&graph->arena, graph->scope ? graph->scope : op->name);
    node->inputs = input_count;
    node->outputs = op->outputs;
    node->stable = graph->next_stable++;
    node->backward = graph->backward;
    if (input_count)
        memcpy(node->in, inputs, (size_t)input_count * sizeof *inputs);
    for (int i = 0; i < op->outputs; i++)
        if (!value_new(graph, node, i)) {
            mi_out_of_memory(&graph->error);
            return NULL;
        }
    node->id = (int)graph->node_count;
    graph->nodes[graph->node_count++] = node;
    return node;
}

static mica_status infer_default(struct mi_node *node)
{
    struct mi_graph *graph = node->graph;
    struct mi_shape shape = node->in[0]->shape;
    for (int i = 1; i < node->inputs; i++)
        if (node->in[i] && !mi_shape_broadcast(&shape, &node->in[i]->shape, &shape))
            return mi_fail(&graph->error, MICA_SHAPE, "%s \"%s\": shapes %s and %s do not broadcast", node->op->name,
                           node->name, mi_shape_text(&graph->arena, &shape),
                           mi_shape_text(&graph->arena, &node->in[i]->shape));
    for (int i = 0; i < node->outputs; i++) {
        node->out[i]->shape = shape;
        node->out[i]->type = node->op->makes_bool ? MI_BOOL : node->in[0]->type;
    }
    return MICA_OK;
}

static bool inputs_fit(struct mi_graph *graph, const struct mi_op *op, mi_value *const *inputs, int count)
{
    if (count < op->min_inputs || (op->max_inputs >= 0 && count > op->max_inputs)) {
        mi_fail(&graph->error, MICA_INVALID_ARGUMENT, "%s: takes %d to %d inputs, not %d", op->name, op->min_inputs,
                op->max_inputs, count);
        return false;
    }
    if (op->kind == MI_MAP && count > MI_MAX_INPUTS) {
        mi_fail(&graph->error, MICA_UNSUPPORTED, "%s: a map of %d inputs, at most %d are possible", op->name, count, MI_MAX_INPUTS);
        return false;
    }
    for (int i = 0; i < op->min_inputs; i++)
        if (!inputs[i])
            return false;
    return true;
}

/* A node runs in every turn of a repeat if one of its inputs does, of several in the innermost; what comes after all turns runs
 * once, or once in a turn of the repeat around. */
static mica_status find_repeat(struct mi_node *node)
{
    struct mi_graph *graph = node->graph;
    for (int i = 0; i < node->inputs; i++) {
        int repeat = node->in[i] ? node->in[i]->node->repeat : 0;
        if (!repeat)
            continue;
        if (graph->open != MI_ANY_REPEAT && !mi_repeat_within(graph, graph->open, repeat))
            return mi_fail(&graph->error, MICA_INVALID_ARGUMENT,
                           "%s \"%s\": takes \"%s\", which is made anew in every turn of a repeat, outside of it", node->op->name,
                           node->name, node->in[i]->node->name);
        if (mi_repeat_within(graph, repeat, node->repeat))
            node->repeat = repeat;
    }
    return MICA_OK;
}

static struct mi_node *node_make(struct mi_graph *graph, const struct mi_op *op, mi_value *const *inputs, int input_count,
                                 const struct mi_attribute *attributes, int attribute_count)
{
    if (graph->error.status != MICA_OK || !inputs_fit(graph, op, inputs, input_count))
        return NULL;
    struct mi_node *node = node_new(graph, op, inputs, input_count, attributes, attribute_count);
    if (!node)
        return NULL;
    mica_status status = find_repeat(node);
    if (status == MICA_OK && op->kind != MI_SOURCE)
        status = op->infer ? op->infer(node) : infer_default(node);
    if (graph->arena.failed)
        status = mi_out_of_memory(&graph->error);
    return status == MICA_OK ? node : NULL;
}

struct mi_node *mi_node_add(struct mi_graph *graph, const char *name, mi_value *const *inputs, int input_count,
                            const struct mi_attribute *attributes, int attribute_count)
{
    const struct mi_op *op = mi_op_find(graph->ops, name);
    if (!op) {
        mi_fail(&graph->error, MICA_UNSUPPORTED, "there is no operator \"%s\"", name);
        return NULL;
    }
    return node_make(graph, op, inputs, input_count, attributes, attribute_count);
}

struct mi_node *mi_node_of(struct mi_graph *graph, const struct mi_op *op, mi_value *const *inputs, int input_count,
                           const struct mi_attribute *attributes, int attribute_count)
{
    return node_make(graph, op, inputs, input_count, attributes, attribute_count);
}

mi_value *mi_apply(struct mi_graph *graph, const char *op, mi_value *const *inputs, int input_count,
                   const struct mi_attribute *attributes, int attribute_count)
{
    struct mi_node *node = mi_node_add(graph, op, inputs, input_count, attributes, attribute_count);
    return node ? node->out[0] : NULL;
}

mi_value *mi_op1(struct mi_graph *graph, const char *op, mi_value *x)
{
    return mi_apply(graph, op, (mi_value *const[]){x}, 1, NULL, 0);
}

mi_value *mi_op2(struct mi_graph *graph, const char *op, mi_value *x, mi_value *y)
{
    return mi_apply(graph, op, (mi_value *const[]){x, y}, 2, NULL, 0);
}

static mi_value *source(struct mi_graph *graph, const struct mi_op *op, enum mi_type type, const struct mi_shape *shape)
{
    struct mi_node *node = node_make(graph, op, NULL, 0, NULL, 0);
    if (!node)
        return NULL;
    node->out[0]->type = type;
    node->out[0]->shape = *shape;
    return node->out[0];
}

mi_value *mi_input(struct mi_graph *graph, const char *name, enum mi_type type, const struct mi_shape *shape)
{
    for (size_t i = 0; i < graph->input_count; i++)
        if (strcmp(graph->inputs[i]->name, name) == 0) {
            mi_fail(&graph->error, MICA_INVALID_ARGUMENT, "two inputs have the name \"%s\"", name);
            return NULL;
        }
    mi_value *value = source(graph, &mi_op_input, type, shape);
    if (!value)
        return NULL;
    value->name = mi_arena_strdup(&graph->arena, name);
    if (!value->name || !list_push(&graph->inputs, &graph->input_count, &graph->input_capacity, value)) {
        mi_out_of_memory(&graph->error);
        return NULL;
    }
    return value;
}

mi_value *mi_input_length(struct mi_graph *graph, const mi_value *input)
{
    const struct mi_shape shape = {.rank = 1, .dim = {input ? input->shape.dim[0] : mi_fixed(1)}};
    const char *name = input ? mi_arena_format(&graph->arena, "%s_length", input->name) : NULL;
    mi_value *length = name ? mi_input(graph, name, MI_INT32, &shape) : NULL;
    struct mi_attribute *says = length ? mi_arena_new(&graph->arena, 2, sizeof *says) : NULL;
    if (!says)
        return NULL;
    says[0] = MI_TEXT("length_of", input->name);
    says[1] = MI_INT("steps", input->shape.dim[1].b);
    length->node->attribute = says;
    length->node->attributes = 2;
    return length;
}

const char *mi_length_of(const mi_value *input, int64_t *steps)
{
    if (steps)
        *steps = mi_attribute_int(input->node, "steps", 0);
    return mi_attribute_text(input->node, "length_of", NULL);
}

size_t mi_inputs_beside_lengths(const struct mi_graph *graph)
{
    size_t count = 0;
    for (size_t i = 0; i < graph->input_count; i++)
        count += !mi_length_of(graph->inputs[i], NULL);
    return count;
}

mi_value *mi_output(struct mi_graph *graph, const char *name, mi_value *value)
{
    if (!value || graph->error.status != MICA_OK)
        return NULL;
    for (size_t i = 0; i < graph->output_count; i++)
        if (strcmp(graph->outputs[i]->name, name) == 0) {
            mi_fail(&graph->error, MICA_INVALID_ARGUMENT, "two outputs have the name \"%s\"", name);
            return NULL;
        }
    /* An output of its own name, so that one tensor may be several outputs, or an input too. Its node is the layer's. */
    mi_value *output = mi_op1(graph, "Identity", value);
    if (!output)
        return NULL;
    output->node->name = value->node->name;
    output->name = mi_arena_strdup(&graph->arena, name);
    if (!output->name || !list_push(&graph->outputs, &graph->output_count, &graph->output_capacity, output)) {
        mi_out_of_memory(&graph->error);
        return NULL;
    }
    return value;
}

/* ---- Variables ---- */

struct mi_of_variable mi_of_variable(const struct mi_graph *graph, const struct mi_variable *variable)
{
    const struct mi_of_variable nothing = {NULL, NULL};
    return (size_t)variable->index < graph->of_variable_capacity ? graph->of_variable[variable->index] : nothing;
}

/* Its place in the list, made where there is none; NULL: out of memory. */
static struct mi_of_variable *place_of(struct mi_graph *graph, const struct mi_variable *variable)
{
    size_t index = (size_t)variable->index;
    if (!mi_grow(&graph->of_variable, &graph->of_variable_capacity, index + 1, sizeof *graph->of_variable)) {
        mi_out_of_memory(&graph->error);
        return NULL;
    }
    return &graph->of_variable[index];
}

bool mi_graph_list_variables(struct mi_graph *graph)
{
    for (size_t i = 0; i < graph->of_variable_capacity; i++)
        graph->of_variable[i] = (struct mi_of_variable){0};
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct mi_node *node = graph->nodes[i];
        struct mi_of_variable *of = node->variable ? place_of(graph, node->variable) : NULL;
        if (node->variable && !of)
            return false;
        if (node->op == &mi_op_variable)
            of->value = node->out[0];
        else if (node->op == &mi_op_assign && node->in[0]->node->variable != node->variable)
            of->assigned = graph->nodes[i]; /* one that assigns the variable to itself counts no more */
    }
    return true;
}

mi_value *mi_variable(struct mi_graph *graph, struct mi_variable *variable)
{
    struct mi_of_variable *of = variable ? place_of(graph, variable) : NULL;
    if (!of || of->value)
        return of ? of->value : NULL;
    mi_value *value = source(graph, &mi_op_variable, variable->type, &variable->shape);
    if (value)
        value->node->variable = variable;
    return of->value = value;
}

bool mi_assign(struct mi_graph *graph, struct mi_variable *variable, mi_value *value)
{
    if (!value || !variable)
        return false;
    if (!mi_shape_equal(&value->shape, &variable->shape)) {
        mi_fail(&graph->error, MICA_SHAPE, "variable \"%s\": shape %s, assigned value has %s", variable->name,
                mi_shape_text(&graph->arena, &variable->shape), mi_shape_text(&graph->arena, &value->shape));
        return false;
    }
    if (value->node->repeat) {
        mi_fail(&graph->error, MICA_UNSUPPORTED, "variable \"%s\" changes in a turn of a repeat: only what is carried can",
                variable->name);
        return false;
    }
    struct mi_node *before = mi_of_variable(graph, variable).assigned;
    struct mi_node *node = node_make(graph, &mi_op_assign, &value, 1, NULL, 0);
    struct mi_of_variable *of = node ? place_of(graph, variable) : NULL;
    if (!of)
        return false;
    node->variable = variable;
    of->assigned = node;
    if (before)
        before->in[0] = mi_variable(graph, variable); /* what becomes itself is left out when the graph is simplified */
    return true;
}

mi_value *mi_newest(struct mi_graph *graph, struct mi_variable *variable)
{
    mi_value *own = mi_variable(graph, variable);
    struct mi_of_variable *of = own ? place_of(graph, variable) : NULL;
    return of && of->assigned ? of->assigned->in[0] : own;
}

static mi_value *constant(struct mi_graph *graph, enum mi_type type, const struct mi_shape *shape, const void *elements,
                          size_t bytes)
{
    mi_value *value = source(graph, &mi_op_constant, type, shape);
    void *copy = value ? mi_arena_new(&graph->arena, bytes, 1) : NULL;
    if (!copy) {
        if (value)
            mi_out_of_memory(&graph->error);
        return NULL;
    }
    if (bytes)
        memcpy(copy, elements, bytes);
    value->node->constant = copy;
    return value;
}

mi_value *mi_number(struct mi_graph *graph, enum mi_type type, double number)
{
    struct mi_shape shape = {.rank = 0};
    uint64_t room;
    mi_element_set(type, &room, 0, number);
    return constant(graph, type, &shape, &room, mi_types[type].bytes);
}

mi_value *mi_scalar(struct mi_graph *graph, float number)
{
    return mi_number(graph, MI_FLOAT, (double)number);
}

mi_value *mi_ints(struct mi_graph *graph, const int64_t *values, int count)
{
    struct mi_shape shape = {.rank = 1, .dim = {mi_fixed(count)}};
    return constant(graph, MI_INT64, &shape, values, (size_t)count * sizeof *values);
}
