/* What a network ends in: probabilities or logits. Layers behind the last activation may rearrange its values, join several, drop
 * some or pool them. */
#include "nn/loss/loss.h"

#include <stdlib.h>
#include <string.h>

static bool is_op(const struct mi_node *node, const char *name)
{
    return strcmp(node->op->name, name) == 0;
}

static bool is_one_of(const struct mi_node *node, const char *const *names)
{
    while (*names && !is_op(node, *names))
        names++;
    return *names != NULL;
}

const struct mi_node *mi_ending(const mi_value *value)
{
    const struct mi_node *node = value->node;
    while (node->inputs == 1 && (mi_keeps_elements(node) || is_op(node, "Dropout")))
        node = node->in[0]->node;
    return node;
}

/* ---- Probabilities ---- */

/* Operators whose results lie between 0 and 1, and those whose results do where what goes in does. */
static const char *const makes_shares[] = {"Sigmoid", "HardSigmoid", "Softmax", NULL};
static const char *const keeps_shares[] = {"Dropout", "Mul", "MaxPool", "AveragePool", "ReduceMax", "ReduceMean", NULL};

/* shares: of each value of the graph, as far as it is known. */
static bool node_gives_shares(const struct mi_node *node, const bool *shares)
{
    if (is_one_of(node, makes_shares))
        return true;
    if (!is_one_of(node, keeps_shares) && !mi_keeps_elements(node))
        return false;
    for (int i = 0; i < node->inputs; i++)
        if (!node->in[i] || ((i == 0 || mi_types[node->in[i]->type].kind == 'f') && !shares[node->in[i]->id]))
            return false; /* axes, behind the first, are no values */
    return node->inputs > 0;
}

mica_status mi_gives_shares(struct mi_error *error, const mi_value *value, bool *shares)
{
    const struct mi_graph *graph = value->node->graph;
    bool *known = mi_new(graph->value_count, sizeof *known);
    if (!known)
        return mi_out_of_memory(error);
    for (size_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i]->outputs == 1)
            known[graph->nodes[i]->out[0]->id] = node_gives_shares(graph->nodes[i], known);
    *shares = known[value->id];
    free(known);
    return MICA_OK;
}

/* ---- Logits ---- */

struct unwrapping {
    struct mi_graph *graph;
    const char *activation;
    int64_t elements;        /* of a sample of the whole value */
    struct unwrapped {
        mi_value *value;
        int axis;
    } *done;                 /* by the value that they stand for */
};

/* A softmax must be over all of the sample, or along the axis of the classes: of others the loss is another. */
static bool is_activation(const struct unwrapping *u, const struct mi_node *node, int classes)
{
    if (!is_op(node, u->activation))
        return false;
    int64_t axis = mi_attribute_int(node, "axis", -1);
    return !is_op(node, "Softmax") || (axis > 0 && (axis == classes || mi_dim_is(node->in[0]->shape.dim[axis], u->elements)));
}

/* The axis of a shape that has so many places, and as many elements behind it; 0: none. */
static int find_axis(const struct mi_shape *shape, int64_t behind, struct mi_dim places)
{
    int64_t product = 1;
    for (int i = shape->rank - 1; i > 0; product *= shape->dim[i--].b)
        if (product == behind && mi_dim_equal(shape->dim[i], places))
            return i;
    return 0;
}

/* Where the axis of a node's result lies in its inputs; 0: nowhere. */
static int axis_before(const struct mi_node *node, int axis)
{
    const struct mi_shape *in = &node->in[0]->shape, *out = &node->out[0]->shape;
    static const char *const keeps_order[] = {"Reshape", "Flatten", "Squeeze", "Unsqueeze", NULL};
    int count = 0;
    int64_t behind = 1;
    const int64_t *perm = is_op(node, "Transpose") ? mi_attribute_ints(node, "perm", &count) : NULL;
    if (axis < 1 || axis >= out->rank)
        return 0;
    if (perm)
        return (int)perm[axis];
    for (int i = axis + 1; i < out->rank; i++)
        behind *= out->dim[i].b;
    if (is_one_of(node, keeps_order))
        return find_axis(in, behind, out->dim[axis]);
    return in->rank == out->rank && mi_dim_equal(in->dim[axis], out->dim[axis]) ? axis : 0;
}

static mi_value *unwrap(const struct unwrapping *u, const mi_value *value, int axis)
{
    const struct mi_node *node = value->node;
    struct unwrapped *done = &u->done[value->id];
    if (done->value && done->axis == axis)
        return done->value;
    if (is_activation(u, node, axis))
        return node->in[0];
    bool ignored = is_op(node, "Dropout") && !u->graph->training;
    if (!ignored && (node->inputs < 1 || !mi_keeps_elements(node)))
        return NULL;
    mi_value **in = mi_arena_new(&u->graph->arena, (size_t)node->inputs, sizeof *in);
    if (!in) {
        mi_out_of_memory(&u->graph->error);
        return NULL;
    }
    for (int i = 0; i < node->inputs; i++)
        if (!(in[i] = unwrap(u, node->in[i], axis_before(node, axis))))
            return NULL;
    struct mi_node *made = ignored ? NULL : mi_node_of(u->graph, node->op, in, node->inputs, node->attribute, node->attributes);
    *done = (struct unwrapped){ignored ? in[0] : made ? made->out[0] : NULL, axis};
    return done->value;
}

mi_value *mi_logits_of(struct mi_graph *graph, mi_value *value, const char *activation, int axis)
{
    struct unwrapped *done = mi_new(graph->value_count, sizeof *done);
    if (!done) {
        mi_out_of_memory(&graph->error);
        return NULL;
    }
    mi_value *logits = unwrap(&(struct unwrapping){graph, activation, mi_loss_units(value), done}, value, axis);
    free(done);
    return logits;
}
