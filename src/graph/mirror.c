/* What the backward pass of a repeat reads of its forward pass: the value of each turn, taken again in that turn of the repeat that
 * runs back. Cheap maps are computed again from it; what else there is was kept, in all turns.
 *
 *     forward    h = Carry(zeros)    y = MatMul(h, u)    z = Relu(y)    ... end = Repeat(z)
 *     back       h' = Turn(Stack(end; h))    y' = Turn(Stack(end; y))    z' = Relu(y')
 *
 * What nobody reads of all that is dropped when the graph is simplified, and then not kept either. */
#include "graph/differentiate.h"

static mi_value *kept(struct mi_node *end, mi_value *value)
{
    return mi_at_turn(end->graph, mi_stack(end, value), 0);
}

static bool is_computed_again(const struct mi_node *node)
{
    return node->op->kind == MI_MOVE || mi_map_is_cheap(node);
}

static void mirror_node(struct mi_node *end, const struct mi_node *node, mi_value **mirror)
{
    struct mi_graph *graph = end->graph;
    mi_value *in[MI_MAX_INPUTS] = {NULL};
    if (node->op == &mi_op_turn) {
        mirror[node->out[0]->id] = mi_at_turn(graph, node->in[0], (int)mi_attribute_int(node, "axis", 0));
        return;
    }
    if (!is_computed_again(node) || node->inputs > MI_MAX_INPUTS) {
        for (int o = 0; o < node->outputs; o++)
            mirror[node->out[o]->id] = kept(end, node->out[o]);
        return;
    }
    for (int i = 0; i < node->inputs; i++)
        in[i] = node->in[i] && mirror[node->in[i]->id] ? mirror[node->in[i]->id] : node->in[i];
    struct mi_node *made = mi_node_of(graph, node->op, in, node->inputs, node->attribute, node->attributes);
    if (!made)
        return;
    made->stable = node->stable;
    made->of = node->of;
    made->wrt = node->wrt;
    for (int o = 0; o < node->outputs; o++)
        mirror[node->out[o]->id] = made->out[o];
}

mica_status mi_mirror(struct mi_node *end, mi_value **mirror)
{
    struct mi_graph *graph = end->graph;
    for (int id = 0; id < end->id && graph->error.status == MICA_OK; id++)
        if (graph->nodes[id]->repeat == end->ends) {
            graph->scope = graph->nodes[id]->name;
            mirror_node(end, graph->nodes[id], mirror);
        }
    return graph->error.status;
}

/* ---- Sums over turns ---- */

/* A value of the repeat that `end` ends in all its turns, along a first axis: a tensor that was taken apart by turns, or what is
 * kept of it. */
static mi_value *in_all_turns(struct mi_node *end, mi_value *value)
{
    const struct mi_node *node = value->node;
    if (node->op == &mi_op_turn && mi_attribute_int(node, "axis", 0) == 0)
        return node->in[0];
    return mi_stack(end, value);
}

/* (turns, r, c) as one matrix of all rows, (turns * r, c). */
static mi_value *rows_of_all_turns(struct mi_node *end, mi_value *value)
{
    mi_value *all = in_all_turns(end, value);
    int64_t columns = value->shape.dim[1].b;
    return all ? mi_op2(end->graph, "Reshape", all, mi_ints(end->graph, (int64_t[]){-1, columns}, 2)) : NULL;
}

/* Whether it is a product of matrices that sums over the rows of both, which have a fixed number of columns. */
static bool sums_rows(const struct mi_node *node)
{
    struct mi_contraction c;
    if (node->op->kind != MI_CONTRACT || node->in[0]->shape.rank != 2 || node->in[1]->shape.rank != 2 ||
        node->op->contract(node, &c) != MICA_OK || c.axes != 3 || c.out_axes != 2)
        return false;
    for (int i = 0; i < 2; i++) {
        const struct mi_operand *operand = i ? &c.b : &c.a;
        if (operand->index[0].terms != 1 || operand->index[0].axis[0] != 2 || operand->value->shape.dim[1].a)
            return false;
    }
    return true;
}

/* A sum over some axes, over the turns as well. */
static mi_value *sum_reduction(struct mi_node *end, const struct mi_node *node)
{
    uint32_t mask = 0;
    bool keepdims;
    int64_t axes[MI_MAX_RANK + 1] = {0};
    int count = 1;
    if (mi_reduce_axes(node, &mask, &keepdims) != MICA_OK)
        return NULL;
    for (int i = 0; i < node->in[0]->shape.rank; i++)
        if (mask >> i & 1)
            axes[count++] = i + 1;
    mi_value *all = in_all_turns(end, node->in[0]);
    mi_value *sum = MI_APPLY(end->graph, "ReduceSum", ((mi_value *[]){all}), MI_INTS("axes", axes, count),
                             MI_INT("keepdims", keepdims));
    return sum && keepdims ? MI_APPLY(end->graph, "Squeeze", ((mi_value *[]){sum}), MI_INTS("axes", ((int64_t[]){0}), 1)) : sum;
}

mi_value *mi_sum_of_turns(struct mi_node *end, mi_value *value)
{
    struct mi_graph *graph = end->graph;
    if (!value)
        return NULL;
    struct mi_node *node = value->node;
    int64_t first = 0;
    if (node->repeat != end->ends)
        return mi_op2(graph, "Mul", value, mi_number(graph, value->type, (double)graph->repeats[end->ends].turns));
    if (node->op == mi_op_find(graph->ops, "Add") && mi_shape_equal(&node->in[0]->shape, &node->in[1]->shape))
        return mi_op2(graph, "Add", mi_sum_of_turns(end, node->in[0]), mi_sum_of_turns(end, node->in[1]));
    if (node->op->keeps_order) {
        mi_value *in = mi_sum_of_turns(end, node->in[0]);
        struct mi_node *made = in ? mi_node_of(graph, node->op, &in, 1, node->attribute, node->attributes) : NULL;
        return made ? made->out[0] : NULL;
    }
    if (mi_reduce_is_sum(node))
        return sum_reduction(end, node);
    if (!sums_rows(node))
        return MI_APPLY(graph, "ReduceSum", ((mi_value *[]){in_all_turns(end, value)}), MI_INTS("axes", &first, 1),
                        MI_INT("keepdims", 0));
    mi_value *in[] = {rows_of_all_turns(end, node->in[0]), rows_of_all_turns(end, node->in[1])};
    struct mi_node *made = mi_node_of(graph, node->op, in, 2, node->attribute, node->attributes);
    return made ? made->out[0] : NULL;
}
