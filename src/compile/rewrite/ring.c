/* What goes from turn to turn in a repeat, and what a value was in each, has a place in memory: a tensor of parts.
 *
 * A carried value is read from one part and stored in the next, round and round; of two parts one is always free. Where the value
 * of each turn is wanted afterwards there are as many parts as turns, and one for the first value, so that nothing is ever
 * copied. In the example of graph/repeat.c that becomes
 *
 *     ring = Ring()                             (6, n, 4)
 *     first = Put(zeros)                        part 0 of it
 *     h = Part(ring, first)                     part t, in turn t
 *     y' = Put(y)                               part t + 1: rides on what makes y, and stands for it from there on
 *     end = Repeat(y', ring)
 *     last = Part(ring, end)                    part 5
 *     all = Part(ring, end)                     parts 1 to 5
 *
 * A repeat that runs backwards puts its first value behind the others and goes down, so that what is kept of turn t is part t of
 * `all` in any case. */
#include "compile/rewrite/rewrite.h"

#include <stdlib.h>
#include <string.h>

struct rings {
    struct mi_graph *graph;
    mi_value **replacement;        /* by value id, of those that there were */
    struct mi_node *end;           /* the repeat's */
    const struct mi_repeat *repeat;
    struct mi_node **carry;        /* by number; NULL: nothing reads it */
    bool *stacked;                 /* by number of the end's inputs: its values in all turns are wanted ... */
    bool *last;                    /* ... the last one is */
};

/* Which part of a ring, as mi_part has it. */
struct place {
    int64_t shift;
    bool turns;
    int until;
};

/* Which of the end's inputs a result is of. */
static int number_of(const struct mi_node *result)
{
    return (int)mi_attribute_int(result, "of", 0);
}

static bool is_result(const struct rings *r, const struct mi_node *node)
{
    return (node->op == &mi_op_last || node->op == &mi_op_stack) && node->in[0] == r->end->out[0];
}

/* The carried value that an input of the end is, or NULL. */
static struct mi_node *carry_at(const struct rings *r, int number)
{
    struct mi_node *node = r->end->in[number]->node;
    bool carries = node->op == &mi_op_carry && node->repeat == r->end->ends;
    return number >= r->repeat->carries && carries ? node : NULL;
}

static void look(struct rings *r, size_t nodes)
{
    for (size_t i = 0; i < nodes; i++) {
        struct mi_node *node = r->graph->nodes[i];
        if (node->op == &mi_op_carry && node->repeat == r->end->ends)
            r->carry[mi_carry_number(node)] = node;
        if (!is_result(r, node))
            continue;
        const struct mi_node *carry = carry_at(r, number_of(node));
        int which = carry ? mi_carry_number(carry) : number_of(node);
        r->stacked[which] = r->stacked[which] || node->op == &mi_op_stack;
        r->last[which] = r->last[which] || node->op == &mi_op_last;
    }
}

/* A node that is, or lies in, a part of a ring. */
static mi_value *part(struct rings *r, const struct mi_op *op, mi_value *const *in, int inputs, struct place place)
{
    const struct mi_attribute attributes[] = {MI_INT("shift", place.shift), MI_INT("turns", place.turns),
                                              MI_INT("until", place.until)};
    struct mi_node *node = mi_node_of(r->graph, op, in, inputs, attributes, 3);
    if (!node)
        return NULL;
    node->repeat = place.turns ? r->end->ends : r->end->repeat;
    return node->out[0];
}

/* The part of a number that all turns together lead to. */
static struct place behind_all(const struct rings *r)
{
    bool all = !r->repeat->lengths;
    return (struct place){.shift = all ? r->repeat->turns : 0, .until = all ? 0 : r->end->ends};
}

static mi_value *ring_of(struct rings *r, const mi_value *value, int64_t parts)
{
    struct mi_node *node = mi_node_of(r->graph, &mi_op_ring, NULL, 0, NULL, 0);
    if (!node)
        return NULL;
    mi_value *ring = node->out[0];
    node->repeat = r->end->repeat;
    ring->type = value->type;
    ring->shape.rank = value->shape.rank + 1;
    ring->shape.dim[0] = mi_fixed(parts);
    memcpy(&ring->shape.dim[1], value->shape.dim, (size_t)value->shape.rank * sizeof *ring->shape.dim);
    return ring;
}

/* Whether those that read the value in a turn may read it where it was put. */
static bool may_be_read(const struct rings *r, const mi_value *value)
{
    enum mi_kind kind = value->node->op->kind;
    return value->node->repeat == r->end->ends && kind != MI_SOURCE && kind != MI_MOVE && kind != MI_INDEXED;
}

/* Puts the value of each turn in a part; those that read it in the repeat read it there. */
static mi_value *put(struct rings *r, mi_value *value, int64_t shift, size_t nodes)
{
    mi_value *stored = part(r, &mi_op_put, &value, 1, (struct place){.shift = shift, .turns = true});
    for (size_t i = 0; i < nodes && stored && may_be_read(r, value); i++) {
        struct mi_node *node = r->graph->nodes[i];
        for (int k = 0; k < node->inputs && mi_repeat_within(r->graph, node->repeat, r->end->ends); k++)
            if (node->in[k] == value)
                node->in[k] = stored;
    }
    return stored;
}

/* The parts that the results of one input of the end are. */
static void replace_results(struct rings *r, int number, mi_value *ring, int64_t all, struct place last, size_t nodes)
{
    for (size_t i = 0; i < nodes; i++) {
        struct mi_node *node = r->graph->nodes[i];
        if (!is_result(r, node) || number_of(node) != number)
            continue;
        const struct place place = node->op == &mi_op_last ? last : (struct place){.shift = all};
        mi_value *made = part(r, &mi_op_part, (mi_value *const[]){ring, r->end->out[0]}, 2, place);
        if (!made)
            return;
        made->type = node->out[0]->type;
        made->shape = node->out[0]->shape;
        r->replacement[node->out[0]->id] = made;
    }
}

/* Gives a carried value its ring, and its next one a part of that. */
static void place_carry(struct rings *r, int number, mi_value **puts, mi_value **rings, size_t nodes)
{
    struct mi_node *carry = r->carry[number];
    int64_t turns = r->repeat->turns, parts = r->stacked[number] ? turns + 1 : 2;
    int64_t before = r->repeat->backwards ? 1 : 0, after = 1 - before;
    const struct place front = {.shift = 0}, behind = behind_all(r);
    if (!carry && !r->stacked[number] && !r->last[number])
        return;
    mi_value *ring = rings[number] = ring_of(r, r->end->in[number], parts);
    puts[number] = put(r, r->end->in[number], after, nodes);
    replace_results(r, number, ring, after, r->repeat->backwards ? front : behind, nodes);
    if (!carry)
        return;
    mi_value *first = part(r, &mi_op_put, &carry->in[0], 1, r->repeat->backwards ? behind : front);
    mi_value *now = part(r, &mi_op_part, (mi_value *const[]){ring, first}, 2, (struct place){.shift = before, .turns = true});
    if (!now)
        return;
    now->type = carry->out[0]->type;
    now->shape = carry->out[0]->shape;
    r->replacement[carry->out[0]->id] = now;
    for (int k = r->repeat->carries; k < r->end->inputs; k++)
        if (carry_at(r, k) == carry)
            replace_results(r, k, ring, before, front, nodes);
}

static mica_status place_repeat(struct rings *r, size_t nodes)
{
    struct mi_graph *graph = r->graph;
    int count = r->end->inputs;
    mi_value **in = mi_arena_new(&graph->arena, 2 * (size_t)count, sizeof *in);
    if (!in)
        return mi_out_of_memory(&graph->error);
    look(r, nodes);
    for (int i = 0; i < r->repeat->carries; i++)
        place_carry(r, i, in, in + count, nodes);
    for (int i = r->repeat->carries; i < count; i++) {
        if (!r->stacked[i] || carry_at(r, i))
            continue;
        in[count + i] = ring_of(r, r->end->in[i], r->repeat->turns);
        in[i] = put(r, r->end->in[i], 0, nodes);
        replace_results(r, i, in[count + i], 0, (struct place){.shift = 0}, nodes);
    }
    r->end->in = in;
    r->end->inputs = 2 * count;
    return graph->error.status;
}

static mica_status place_repeats(struct mi_graph *graph, mi_value **replacement)
{
    size_t nodes = graph->node_count;
    for (size_t i = 0; i < nodes; i++) {
        struct mi_node *end = graph->nodes[i];
        if (end->op != &mi_op_repeat)
            continue;
        struct rings r = {.graph = graph, .replacement = replacement, .end = end, .repeat = &graph->repeats[end->ends]};
        size_t count = (size_t)end->inputs + 1;
        r.carry = mi_arena_new(&graph->arena, count, sizeof *r.carry);
        r.stacked = mi_arena_new(&graph->arena, count, sizeof *r.stacked);
        r.last = mi_arena_new(&graph->arena, count, sizeof *r.last);
        if (!r.carry || !r.stacked || !r.last)
            return mi_out_of_memory(&graph->error);
        graph->scope = end->name;
        MI_TRY(place_repeat(&r, nodes));
    }
    graph->scope = NULL;
    return MICA_OK;
}

/* ---- What grows by some rows with each run ---- */

/* The rows are put in the state's parts of this run, the last of which has its number, and who reads the state then reads all. */
static mica_status place_appends(struct mi_graph *graph, mi_value **replacement)
{
    size_t nodes = graph->node_count;
    for (size_t i = 0; i < nodes; i++) {
        const struct mi_node *node = graph->nodes[i];
        if (node->op != &mi_op_append)
            continue;
        const struct mi_attribute moves[] = {MI_INT("runs", 1), MI_INT("shift", 1 - node->in[1]->shape.dim[0].b)};
        graph->scope = node->name;
        struct mi_node *stored = mi_node_of(graph, &mi_op_put, &node->in[1], 1, moves, 2);
        struct mi_node *all = stored ? mi_node_of(graph, &mi_op_part, (mi_value *const[]){node->in[0], stored->out[0]}, 2, NULL, 0)
                                     : NULL;
        graph->scope = NULL;
        if (!all)
            return graph->error.status;
        all->out[0]->type = node->out[0]->type;
        all->out[0]->shape = node->out[0]->shape;
        replacement[node->out[0]->id] = all->out[0];
    }
    return MICA_OK;
}

/* ---- The pass ---- */

/* How many values there are when each repeat has what it may need. */
static size_t most_values(const struct mi_graph *graph)
{
    size_t count = graph->value_count;
    for (size_t i = 0; i < graph->node_count; i++) {
        count += graph->nodes[i]->op == &mi_op_append ? 2 : 0;
        if (graph->nodes[i]->op == &mi_op_repeat)
            count += 4 * (size_t)graph->nodes[i]->inputs + graph->node_count;
    }
    return count;
}

mica_status mi_ring(struct mi_graph *graph, int64_t batch)
{
    (void)batch;
    bool any = graph->repeat_count > 0;
    for (size_t i = 0; i < graph->node_count && !any; i++)
        any = graph->nodes[i]->op == &mi_op_append;
    if (!any)
        return MICA_OK;
    mi_value **replacement = mi_new(most_values(graph), sizeof *replacement);
    mica_status status = replacement ? place_repeats(graph, replacement) : mi_out_of_memory(&graph->error);
    if (status == MICA_OK)
        status = place_appends(graph, replacement);
    if (status == MICA_OK)
        status = mi_graph_rebuild(graph, replacement);
    free(replacement);
    return status;
}
