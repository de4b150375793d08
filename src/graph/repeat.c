/* Repeats: parts of a graph that run some turns in a row, as a recurrent layer's cell does; and what grows by some rows with
 * each run.
 *
 * There is one graph: a repeat's nodes stand among the others and say which repeat runs them. What is read at the turn, and
 * what is carried from one turn to the next, is where a repeat begins; a node that reads neither, through whatever lies
 * between, runs once. With x (n, 5, 8), of 5 turns, and weights w (8, 4) and u (4, 4),
 *
 *     h = Carry(zeros)                 the repeat's
 *     x_t = Turn(x; axis 1)            the repeat's: (n, 8)
 *     w' = Transpose(w)                runs once
 *     y = Tanh(x_t w + h u)            the repeat's
 *     end = Repeat(y)                  y is carried on; it may have more inputs, whose values in each turn are kept
 *     last = Last(end), all = Stack(end)     (n, 4) and (5, n, 4)
 *
 * Repeat has no result but the one that makes Last and Stack wait for all turns.
 *
 * A repeat that begins while another one is open stands within it: each turn of the outer one runs all of its turns. What it reads
 * is made once in the outer turn, or outside of both; its Last and Stack are values of the outer turn.
 *
 * Where samples are sequences of several lengths, a repeat may end, or backwards begin, with the longest of them: in the turns
 * behind every sample has but padding, and what is carried stays as it is. How many run is a number that the host knows when it
 * feeds the lengths; the device computes it once more for those who read all turns. */
#include "graph/op.h"

#include <string.h>

/* ---- Rows ---- */

static mica_status infer_turn(struct mi_node *node)
{
    int axis = (int)mi_attribute_int(node, "axis", 0);
    mi_value *out = node->out[0];
    out->type = node->in[0]->type;
    out->shape.rank = 0;
    for (int i = 0; i < node->in[0]->shape.rank; i++)
        if (i != axis)
            out->shape.dim[out->shape.rank++] = node->in[0]->shape.dim[i];
    return MICA_OK;
}

static int move_turn(struct mi_arena *arena, const struct mi_node *node, const char *const *index, struct mi_access *access)
{
    (void)arena;
    int axis = (int)mi_attribute_int(node, "axis", 0), from = 0;
    *access = (struct mi_access){.value = node->in[0]};
    for (int i = 0; i < node->in[0]->shape.rank; i++)
        access->index[i] = i == axis ? mi_turn_name(node->graph, node->repeat) : index[from++];
    return 1;
}

static mica_status infer_append(struct mi_node *node)
{
    struct mi_graph *graph = node->graph;
    const mi_value *kept = node->in[0], *rows = node->in[1];
    struct mi_shape all = rows->shape;
    bool fits = kept->node->variable && kept->node->variable->role == MI_STATE && kept->type == rows->type && all.rank > 0 &&
                kept->shape.rank == all.rank && !kept->shape.dim[0].a && !all.dim[0].a && all.dim[0].b <= kept->shape.dim[0].b;
    all.dim[0] = kept->shape.dim[0];
    if (!fits || !mi_shape_equal(&all, &kept->shape))
        return mi_fail(&graph->error, MICA_SHAPE, "Append \"%s\": rows of %s of shape %s are none of a state of %s of shape %s",
                       node->name, mi_types[rows->type].name, mi_shape_text(&graph->arena, &rows->shape),
                       mi_types[kept->type].name, mi_shape_text(&graph->arena, &kept->shape));
    node->out[0]->type = kept->type;
    node->out[0]->shape = kept->shape;
    return MICA_OK;
}

static const struct mi_map_rule same = {.in = "x", .expr = {"x"}};

const struct mi_op mi_op_carry = {.name = "Carry", .kind = MI_SOURCE, .min_inputs = 1, .max_inputs = 1, .outputs = 1};
const struct mi_op mi_op_turn = {
    .name = "Turn", .kind = MI_MOVE, .min_inputs = 1, .max_inputs = 1, .outputs = 1, .infer = infer_turn, .move = move_turn};
const struct mi_op mi_op_repeat = {.name = "Repeat", .kind = MI_SOURCE, .max_inputs = -1, .outputs = 1};
const struct mi_op mi_op_last = {.name = "Last", .kind = MI_SOURCE, .min_inputs = 1, .max_inputs = 1, .outputs = 1};
const struct mi_op mi_op_stack = {.name = "Stack", .kind = MI_SOURCE, .min_inputs = 1, .max_inputs = 1, .outputs = 1};
const struct mi_op mi_op_append = {.name = "Append", .kind = MI_SOURCE, .min_inputs = 2, .max_inputs = 2, .outputs = 1};
const struct mi_op mi_op_ring = {.name = "Ring", .kind = MI_SOURCE, .outputs = 1};
const struct mi_op mi_op_part = {.name = "Part", .kind = MI_SOURCE, .min_inputs = 2, .max_inputs = 2, .outputs = 1};
const struct mi_op mi_op_put = {.name = "Put", .kind = MI_MAP, .min_inputs = 1, .max_inputs = 1, .outputs = 1, .map = &same};

/* ---- Building ---- */

mi_value *mi_append(struct mi_graph *graph, struct mi_variable *state, mi_value *rows)
{
    mi_value *in[] = {mi_variable(graph, state), rows};
    struct mi_node *node = in[0] && rows ? mi_node_of(graph, &mi_op_append, in, 2, NULL, 0) : NULL;
    return node && infer_append(node) == MICA_OK ? node->out[0] : NULL;
}

bool mi_repeat_begin(struct mi_graph *graph, int64_t turns, bool backwards)
{
    if (graph->error.status != MICA_OK)
        return false;
    int outer = graph->open > 0 ? graph->open : 0;
    if (mi_repeat_depth(graph, outer) == MI_MOST_REPEATS) {
        mi_fail(&graph->error, MICA_UNSUPPORTED, "a repeat within %d others, more than %d are not possible", MI_MOST_REPEATS,
                MI_MOST_REPEATS);
        return false;
    }
    if (turns < 1 || turns > INT32_MAX) {
        mi_fail(&graph->error, MICA_INVALID_ARGUMENT, "a repeat of %lld turns, there must be from 1 to %d",
                       (long long)turns, INT32_MAX);
        return false;
    }
    size_t number = graph->repeat_count ? graph->repeat_count : 1;
    if (!mi_grow(&graph->repeats, &graph->repeat_capacity, number + 1, sizeof *graph->repeats)) {
        mi_out_of_memory(&graph->error);
        return false;
    }
    graph->repeats[number] = (struct mi_repeat){.turns = turns, .backwards = backwards, .outer = outer};
    graph->repeat_count = number + 1;
    graph->open = (int)number;
    return true;
}

void mi_repeat_until(struct mi_graph *graph, const char *lengths)
{
    if (graph->open > 0)
        graph->repeats[graph->open].lengths = lengths;
}

/* The largest length, which is one of turns. */
mi_value *mi_repeat_runs(struct mi_graph *graph, int repeat)
{
    const struct mi_repeat *of = &graph->repeats[repeat];
    const int64_t axis = 0;
    mi_value *lengths = NULL;
    for (size_t i = 0; i < graph->input_count && of->lengths && !lengths; i++)
        lengths = strcmp(graph->inputs[i]->name, of->lengths) == 0 ? graph->inputs[i] : NULL;
    if (!lengths)
        return NULL;
    mi_value *most = MI_APPLY(graph, "ReduceMax", ((mi_value *[]){lengths}), MI_INTS("axes", &axis, 1), MI_INT("keepdims", 0));
    most = mi_op2(graph, "Min", most, mi_number(graph, MI_INT32, (double)of->turns));
    return mi_op2(graph, "Max", most, mi_number(graph, MI_INT32, 0));
}

mi_value *mi_where_run(struct mi_graph *graph, int repeat, mi_value *x)
{
    mi_value *runs = x ? mi_repeat_runs(graph, repeat) : NULL;
    int64_t beside[MI_MAX_RANK];
    if (!runs)
        return x;
    for (int i = 0; i < x->shape.rank; i++)
        beside[i] = i ? 1 : x->shape.dim[0].b;
    mi_value *turn = MI_APPLY(graph, "Expand", ((mi_value *[]){mi_scalar(graph, 0)}), MI_INTS("shape", beside, x->shape.rank));
    turn = MI_APPLY(graph, "Index", ((mi_value *[]){turn}), MI_INT("axis", 0));
    mi_value *const in[] = {mi_op2(graph, "Less", turn, runs), x, mi_number(graph, x->type, 0)};
    return mi_apply(graph, "Where", in, 3, NULL, 0);
}

static struct mi_node *inner_node(struct mi_graph *graph, const struct mi_op *op, mi_value *in, const char *key, int64_t number)
{
    struct mi_node *node = mi_node_of(graph, op, &in, 1, (const struct mi_attribute[]){MI_INT(key, number)}, 1);
    if (node)
        node->repeat = graph->open;
    return node;
}

mi_value *mi_carry(struct mi_graph *graph, mi_value *first)
{
    struct mi_repeat *repeat = graph->open > 0 ? &graph->repeats[graph->open] : NULL;
    struct mi_node *node = repeat ? inner_node(graph, &mi_op_carry, first, "carry", repeat->carries) : NULL;
    if (!node)
        return NULL;
    repeat->carries++;
    node->out[0]->type = first->type;
    node->out[0]->shape = first->shape;
    return node->out[0];
}

int mi_carry_number(const struct mi_node *carry)
{
    return (int)mi_attribute_int(carry, "carry", 0);
}

mi_value *mi_at_turn(struct mi_graph *graph, mi_value *x, int axis)
{
    if (!x || graph->error.status != MICA_OK || graph->open <= 0)
        return NULL;
    int64_t turns = graph->repeats[graph->open].turns;
    if (axis < 0 || axis >= x->shape.rank || !mi_dim_is(x->shape.dim[axis], turns)) {
        mi_fail(&graph->error, MICA_SHAPE, "axis %d of shape %s is not %lld turns long", axis,
                mi_shape_text(&graph->arena, &x->shape), (long long)turns);
        return NULL;
    }
    struct mi_node *node = inner_node(graph, &mi_op_turn, x, "axis", axis);
    return node ? node->out[0] : NULL;
}

static bool check_next(struct mi_graph *graph, const mi_value *const *carry, mi_value *const *next, int count)
{
    for (int i = 0; i < count; i++) {
        if (!next[i] || !carry[i])
            return false;
        if (next[i]->type == carry[i]->type && mi_shape_equal(&next[i]->shape, &carry[i]->shape))
            continue;
        mi_fail(&graph->error, MICA_SHAPE, "carried value %d is %s of shape %s, the next one %s of shape %s", i,
                mi_types[carry[i]->type].name, mi_shape_text(&graph->arena, &carry[i]->shape), mi_types[next[i]->type].name,
                mi_shape_text(&graph->arena, &next[i]->shape));
        return false;
    }
    return true;
}

struct mi_node *mi_repeat_end(struct mi_graph *graph, mi_value *const *next, int count)
{
    int repeat = graph->open, outer = repeat > 0 ? graph->repeats[repeat].outer : 0;
    graph->open = outer;
    if (graph->error.status != MICA_OK || repeat <= 0)
        return NULL;
    const mi_value **carry = mi_arena_new(&graph->arena, (size_t)count + 1, sizeof *carry);
    if (!carry) {
        mi_out_of_memory(&graph->error);
        return NULL;
    }
    if (graph->repeats[repeat].carries != count) {
        mi_fail(&graph->error, MICA_INVALID_ARGUMENT, "%d values are carried, %d next ones are given",
                       graph->repeats[repeat].carries, count);
        return NULL;
    }
    for (size_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i]->op == &mi_op_carry && graph->nodes[i]->repeat == repeat)
            carry[mi_carry_number(graph->nodes[i])] = graph->nodes[i]->out[0];
    if (!check_next(graph, carry, next, count))
        return NULL;
    graph->open = MI_ANY_REPEAT;
    struct mi_node *node = mi_node_of(graph, &mi_op_repeat, next, count, NULL, 0);
    graph->open = outer;
    if (!node)
        return NULL;
    node->repeat = outer;
    node->ends = repeat;
    node->out[0]->type = MI_BOOL;
    return node;
}

/* ---- Results ---- */

static mi_value *result(struct mi_node *repeat, const struct mi_op *op, int number, const struct mi_shape *shape)
{
    const mi_value *of = repeat->in[number];
    struct mi_node *node = mi_node_of(repeat->graph, op, repeat->out, 1, (const struct mi_attribute[]){MI_INT("of", number)}, 1);
    if (!node)
        return NULL;
    node->out[0]->type = of->type;
    node->out[0]->shape = *shape;
    return node->out[0];
}

mi_value *mi_last(struct mi_node *repeat, int i)
{
    return repeat ? result(repeat, &mi_op_last, i, &repeat->in[i]->shape) : NULL;
}

/* The number of the value among the inputs of Repeat, to which it is added where it is new; -1: out of memory. */
static int keep(struct mi_node *repeat, mi_value *value)
{
    struct mi_graph *graph = repeat->graph;
    for (int i = 0; i < repeat->inputs; i++)
        if (repeat->in[i] == value)
            return i;
    mi_value **in = mi_arena_new(&graph->arena, (size_t)repeat->inputs + 1, sizeof(mi_value *));
    if (!in) {
        mi_out_of_memory(&graph->error);
        return -1;
    }
    if (repeat->inputs)
        memcpy(in, repeat->in, (size_t)repeat->inputs * sizeof *in);
    in[repeat->inputs] = value;
    repeat->in = in;
    return repeat->inputs++;
}

mi_value *mi_stack_of_run(struct mi_node *repeat, mi_value *value)
{
    int number = repeat && value ? keep(repeat, value) : -1;
    if (number < 0)
        return NULL;
    struct mi_shape shape = {.rank = value->shape.rank + 1};
    if (shape.rank > MI_MAX_RANK) {
        mi_fail(&repeat->graph->error, MICA_UNSUPPORTED, "shape %s has no room for an axis of turns",
                mi_shape_text(&repeat->graph->arena, &value->shape));
        return NULL;
    }
    shape.dim[0] = mi_fixed(repeat->graph->repeats[repeat->ends].turns);
    memcpy(&shape.dim[1], value->shape.dim, (size_t)value->shape.rank * sizeof *shape.dim);
    return result(repeat, &mi_op_stack, number, &shape);
}

mi_value *mi_stack(struct mi_node *repeat, mi_value *value)
{
    mi_value *all = mi_stack_of_run(repeat, value);
    return all ? mi_where_run(repeat->graph, repeat->ends, all) : NULL;
}
