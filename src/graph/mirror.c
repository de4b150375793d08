/* What the backward pass of a repeat reads of its forward pass: the value of each turn, taken again in that turn of the repeat that
 * runs back. Cheap maps are computed again from it; what else there is was kept, in all turns.
 *
 *     forward    h = Carry(zeros)    y = MatMul(h, u)    z = Relu(y)    ... end = Repeat(z)
 *     back       h' = Turn(Stack(end; h))    y' = Turn(Stack(end; y))    z' = Relu(y')
 *
 * What nobody reads of all that is dropped when the graph is simplified, and then not kept either.
 *
 * A turn that has repeats within it is computed again as a whole, from what was carried into it: that alone is kept. So a long
 * repeat that is written as an outer one of chunks and an inner one of their turns keeps the states between chunks, and for a chunk
 * at a time what its turns make; the inner repeat runs once more in the turn that runs back, and from that its own gradient is
 * taken. */
#include "graph/differentiate.h"

/* What a repeat's nodes and values are where the backward pass computes them again; at first, themselves. */
struct again {
    struct mi_graph *graph;
    struct mi_node *end;
    mi_value **mirror;
    int *number;                   /* by repeat: the one that stands for it where turns are computed again */
};

static mi_value *now(const struct again *a, mi_value *value)
{
    return value && a->mirror[value->id] ? a->mirror[value->id] : value;
}

/* What a value was in the turn: it is kept in all turns of the repeat that ran last. */
static mi_value *kept(const struct again *a, mi_value *value)
{
    return mi_at_turn(a->graph, mi_stack_of_run(now(a, a->end->out[0])->node, now(a, value)), 0);
}

static bool is_computed_again(const struct mi_node *node)
{
    return node->op->kind == MI_MOVE || mi_map_is_cheap(node);
}

static void compute_again(const struct again *a, const struct mi_node *node)
{
    mi_value **in = mi_arena_new(&a->graph->arena, (size_t)node->inputs + 1, sizeof *in);
    for (int i = 0; i < node->inputs && in; i++)
        in[i] = now(a, node->in[i]);
    struct mi_node *made = in ? mi_node_of(a->graph, node->op, in, node->inputs, node->attribute, node->attributes) : NULL;
    if (!made)
        return;
    made->stable = node->stable;
    made->of = node->of;
    made->wrt = node->wrt;
    made->still = node->still;
    for (int o = 0; o < node->outputs; o++)
        a->mirror[node->out[o]->id] = made->out[o];
}

static void mirror_node(const struct again *a, const struct mi_node *node)
{
    if (node->op == &mi_op_turn)
        a->mirror[node->out[0]->id] = mi_at_turn(a->graph, now(a, node->in[0]), (int)mi_attribute_int(node, "axis", 0));
    else if (is_computed_again(node) && node->inputs <= MI_MAX_INPUTS)
        compute_again(a, node);
    else
        for (int o = 0; o < node->outputs; o++)
            a->mirror[node->out[o]->id] = kept(a, node->out[o]);
}

/* ---- Turns that have repeats within them ---- */

/* Opens the repeat that stands for the one which runs a node, and begins it with its first node. */
static bool open_again(const struct again *a, int repeat)
{
    struct mi_graph *graph = a->graph;
    if (!a->number[repeat]) {
        const struct mi_repeat of = graph->repeats[repeat];
        if (!open_again(a, of.outer) || !mi_repeat_begin(graph, of.turns, of.backwards))
            return false;
        mi_repeat_until(graph, of.lengths);
        a->number[repeat] = graph->open;
    }
    graph->open = a->number[repeat];
    return true;
}

/* The next values of a repeat are those of its end, behind which results come. */
static mi_value *end_again(const struct again *a, const struct mi_node *end)
{
    struct mi_graph *graph = a->graph;
    int carries = graph->repeats[end->ends].carries;
    mi_value **next = mi_arena_new(&graph->arena, (size_t)carries + 1, sizeof *next);
    for (int i = 0; i < carries && next; i++)
        next[i] = now(a, end->in[i]);
    struct mi_node *made = next && open_again(a, end->ends) ? mi_repeat_end(graph, next, carries) : NULL;
    return made ? made->out[0] : NULL;
}

static void mirror_turn(const struct again *a, const struct mi_node *node)
{
    struct mi_graph *graph = a->graph;
    mi_value **mirror = node->outputs ? &a->mirror[node->out[0]->id] : NULL;
    int number = (int)mi_attribute_int(node, "of", 0);
    if (node->op == &mi_op_repeat)
        *mirror = end_again(a, node);
    else if (!open_again(a, node->repeat))
        return;
    else if (node->op == &mi_op_turn)
        *mirror = mi_at_turn(graph, now(a, node->in[0]), (int)mi_attribute_int(node, "axis", 0));
    else if (node->op == &mi_op_carry)
        *mirror = node->repeat == a->end->ends ? kept(a, node->out[0]) : mi_carry(graph, now(a, node->in[0]));
    else if (node->op == &mi_op_last)
        *mirror = mi_last(now(a, node->in[0])->node, number);
    else if (node->op == &mi_op_stack)
        *mirror = mi_stack_of_run(now(a, node->in[0])->node, now(a, node->in[0]->node->in[number]));
    else
        compute_again(a, node);
}

/* ---- Either ---- */

mica_status mi_mirror(struct mi_node *end, mi_value **mirror)
{
    struct mi_graph *graph = end->graph;
    bool whole = mi_repeat_has_inner(graph, end->ends);
    struct again a = {.graph = graph, .end = end, .mirror = mirror};
    int back = graph->open;
    a.number = mi_arena_new(&graph->arena, graph->repeat_count, sizeof *a.number);
    if (!a.number)
        return mi_out_of_memory(&graph->error);
    a.number[end->ends] = back;
    for (int id = 0; id < end->id && graph->error.status == MICA_OK; id++) {
        const struct mi_node *node = graph->nodes[id];
        graph->scope = node->name;
        if (whole && mi_repeat_within(graph, node->repeat, end->ends))
            mirror_turn(&a, node);
        else if (node->repeat == end->ends)
            mirror_node(&a, node);
    }
    graph->open = back;
    return graph->error.status;
}

/* ---- Sums over turns ---- */

/* A value of the repeat that `end` ends in all its turns, along a first axis: a tensor that was taken apart by turns, or what is
 * kept of it. */
static mi_value *in_all_turns(struct mi_node *end, mi_value *value)
{
    const struct mi_node *node = value->node;
    if (node->op == &mi_op_turn && mi_attribute_int(node, "axis", 0) == 0)
        return mi_where_run(end->graph, end->ends, node->in[0]);
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
    if (node->repeat != end->ends) {
        mi_value *runs = mi_repeat_runs(graph, end->ends);
        mi_value *count = runs ? MI_APPLY(graph, "Cast", ((mi_value *[]){runs}), MI_INT("to", value->type))
                               : mi_number(graph, value->type, (double)graph->repeats[end->ends].turns);
        return mi_op2(graph, "Mul", value, count);
    }
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
