/* Lifting: what the turns of a repeat do not need of one another is computed for all of them at once, outside of it.
 *
 *     y = Tanh(MatMul(Turn(x; 1), w) + MatMul(h, u))      becomes    a = MatMul(x of all turns, w)
 *                                                                    y = Tanh(Turn(a; 0) + MatMul(h, u))
 *     Stack(MatMul(dz, w'))                               becomes    MatMul(Stack(dz), w')
 *
 * The first kind, before the turns, depends on nothing that is carried; the second, behind them, is wanted in all turns by those
 * alone who come afterwards, as the gradients of a sequence are. A value of all turns has their axis first. A product, of which one
 * operand is the same in all turns, becomes one of the rows of all turns, as if they were one long batch: any engine takes that.
 *
 * Products are worth it, ahead of the turns reductions too, and with them what they are made of and what follows them; what only
 * turns elements round costs less in the turn than to be kept. A repeat that has others within is left alone: its turns are made
 * to take little memory. */
#include "compile/rewrite/rewrite.h"
#include "emit/emit.h"
#include "ops/ops.h"

#include <stdlib.h>
#include <string.h>

struct lift {
    struct mi_graph *graph;
    struct mi_node *end;
    int number;                    /* of the repeat */
    int64_t turns;
    size_t nodes, values;          /* that there were */
    struct mi_users users;         /* of these */
    bool *before, *behind;         /* by node id: it may be computed ahead of the turns, or behind them ... */
    bool *chosen;                  /* ... and is, for all who read it */
    bool *needed;                  /* all turns' value of it is */
    mi_value **all;                /* by value id: that value; NULL: there is none so far */
    mi_value **replacement;
};

static bool is_within(const struct lift *l, const mi_value *value)
{
    return value && value->node->repeat == l->number;
}

/* ---- What can be lifted ---- */

static bool is_plain(const struct mi_index *index)
{
    return index->terms == 1 && index->axis[0] == 0 && index->coefficient[0] == 1 && index->offset == 0 && index->divisor == 1;
}

/* Whether the axis 0 of the result is that of the operand, or none of its axes. */
static bool has_rows(const struct mi_operand *operand, bool rows)
{
    int rank = operand->value->shape.rank;
    for (int i = 0; i < rank; i++)
        for (int k = 0; k < operand->index[i].terms && (i > 0 || !rows); k++)
            if (operand->index[i].axis[k] == 0)
                return false;
    return !rows || (rank > 0 && is_plain(&operand->index[0]));
}

/* The operand of which a product takes the rows of all turns, the other one being the same in each; -1: there is none. */
static int rows_operand(const struct lift *l, const struct mi_node *node)
{
    struct mi_contraction c;
    if (node->inputs != 2 || node->op->contract(node, &c) != MICA_OK || !has_rows(&c.out, true))
        return -1;
    const struct mi_operand *operand[] = {&c.a, &c.b};
    for (int i = 0; i < 2; i++)
        if (is_within(l, operand[i]->value) && !is_within(l, operand[1 - i]->value) && has_rows(operand[i], true) &&
            has_rows(operand[1 - i], false) && mi_dim_equal(operand[i]->value->shape.dim[0], node->out[0]->shape.dim[0]))
            return operand[i]->value == node->in[0] ? 0 : 1;
    return -1;
}

/* Whether a map's result depends on where an element stands. */
static bool asks_where(const struct mi_node *node)
{
    struct mi_map_view view;
    mi_map_view(node, &view);
    return mi_names_coordinates(node) || mi_expression_names(view.expr[0], "index");
}

/* Whether a move is no more than a broadcast, which reads the last axes where it is asked. */
static bool spreads(const struct mi_node *node)
{
    static const char *const index[MI_MAX_RANK] = {"i0", "i1", "i2", "i3", "i4", "i5", "i6", "i7"};
    struct mi_access access;
    if (node->inputs != 1 || node->op->move(&node->graph->arena, node, index, &access) != 1 ||
        access.guard)
        return false;
    const struct mi_shape *in = &node->in[0]->shape;
    int more = node->out[0]->shape.rank - in->rank;
    for (int i = 0; i < in->rank; i++)
        if (more < 0 || strcmp(access.index[i], mi_dim_is(in->dim[i], 1) ? "0" : index[more + i]))
            return false;
    return true;
}

static bool can_be_lifted(const struct lift *l, const struct mi_node *node)
{
    if (node->repeat != l->number || node->outputs != 1 || node->out[0]->name || node->out[0]->shape.rank >= MI_MAX_RANK)
        return false;
    return node->op == &mi_op_turn || (node->op->kind == MI_MAP && !mi_draws(node) && !asks_where(node)) ||
           (node->op->kind == MI_REDUCE && node->inputs == 1) || (node->op->kind == MI_CONTRACT && rows_operand(l, node) >= 0) ||
           (node->op->kind == MI_MOVE && (node->op->keeps_order || spreads(node)));
}

/* ---- What is ---- */

static bool reads(const struct lift *l, const struct mi_node *node, const bool *those)
{
    for (int i = 0; i < node->inputs; i++)
        if (is_within(l, node->in[i]) && those[node->in[i]->node->id])
            return true;
    return false;
}

static bool is_carried_on(const struct lift *l, const mi_value *value)
{
    for (int i = 0; i < l->graph->repeats[l->number].carries; i++)
        if (l->end->in[i] == value)
            return true;
    return false;
}

/* Whether all who read a node's value stand behind the turns. */
static bool is_read_behind(const struct lift *l, const struct mi_node *node)
{
    const mi_value *value = node->out[0];
    for (size_t u = l->users.first[value->id]; u < l->users.first[value->id + 1]; u++)
        if (l->users.node[u] != l->end && !l->behind[l->users.node[u]->id])
            return false;
    return !is_carried_on(l, value);
}

static void look_ahead(struct lift *l)
{
    for (size_t i = 0; i < l->nodes; i++) {
        const struct mi_node *node = l->graph->nodes[i];
        l->before[i] = can_be_lifted(l, node);
        for (int k = 0; k < node->inputs && l->before[i]; k++)
            l->before[i] = !is_within(l, node->in[k]) || l->before[node->in[k]->node->id];
        bool dear = node->op->kind == MI_CONTRACT || node->op->kind == MI_REDUCE;
        l->chosen[i] = l->before[i] && (dear || reads(l, node, l->chosen));
    }
}

static void look_behind(struct lift *l)
{
    for (size_t i = l->nodes; i-- > 0;) {
        const struct mi_node *node = l->graph->nodes[i];
        l->behind[i] = !l->before[i] && can_be_lifted(l, node) && is_read_behind(l, node);
    }
    for (size_t i = 0; i < l->nodes; i++) {
        const struct mi_node *node = l->graph->nodes[i];
        if (l->behind[i])
            l->chosen[i] = node->op->kind == MI_CONTRACT || reads(l, node, l->chosen);
    }
}

/* What is chosen; what lies ahead of it; and parts of a tensor that somebody wants in all turns again. False: there is nothing. */
static bool find_needed(struct lift *l)
{
    bool any = false;
    for (int i = l->graph->repeats[l->number].carries; i < l->end->inputs; i++)
        if (l->end->in[i]->node->op == &mi_op_turn)
            l->chosen[l->end->in[i]->node->id] = true;
    for (size_t i = l->nodes; i-- > 0;) {
        const struct mi_node *node = l->graph->nodes[i];
        l->needed[i] = l->needed[i] || l->chosen[i];
        any = any || l->chosen[i];
        for (int k = 0; k < node->inputs && l->needed[i]; k++)
            if (is_within(l, node->in[k]) && l->before[node->in[k]->node->id])
                l->needed[node->in[k]->node->id] = true;
    }
    return any;
}

/* ---- Nodes of all turns: what one makes of turns that do not run is theirs alone, and undefined too ---- */

static mi_value *in_all_turns(struct lift *l, mi_value *value)
{
    if (!is_within(l, value))
        return value;
    mi_value **all = &l->all[value->id];
    return *all = *all ? *all : mi_stack_of_run(l->end, value);
}

static struct mi_shape of_turns(const struct lift *l, const struct mi_shape *shape, int rank)
{
    struct mi_shape out = {.rank = 1 + rank, .dim = {mi_fixed(l->turns)}};
    for (int i = 1; i <= rank; i++)
        out.dim[i] = i <= rank - shape->rank ? mi_fixed(1) : shape->dim[i - 1 - (rank - shape->rank)];
    return out;
}

/* The rows of all turns, (turns * rows, ...), of such a shape of one. */
static struct mi_shape of_rows(const struct lift *l, const struct mi_shape *shape)
{
    struct mi_shape out = *shape;
    out.dim[0] = (struct mi_dim){l->turns * shape->dim[0].a, l->turns * shape->dim[0].b};
    return out;
}

static mi_value *as_rows(struct lift *l, mi_value *value)
{
    mi_value *all = in_all_turns(l, value);
    if (!all)
        return NULL;
    const struct mi_shape rows = of_rows(l, &value->shape);
    mi_value *under = all->node->op->keeps_order && all->node->inputs ? all->node->in[0] : NULL;
    return under && mi_shape_equal(&under->shape, &rows) ? under : mi_reshape_to(l->graph, all, &rows);
}

/* What a node makes of these inputs, which has that shape. */
static mi_value *made_like(struct lift *l, const struct mi_node *node, mi_value *const *in, const struct mi_shape *shape)
{
    struct mi_node *made = mi_node_of(l->graph, node->op, in, node->inputs, node->attribute, node->attributes);
    if (!made)
        return NULL;
    made->of = node->of;
    made->wrt = node->wrt;
    if (mi_shape_equal(&made->out[0]->shape, shape))
        return made->out[0];
    mi_fail(&l->graph->error, MICA_INTERNAL, "%s \"%s\" of all turns has shape %s, not %s", node->op->name, node->name,
            mi_shape_text(&l->graph->arena, &made->out[0]->shape), mi_shape_text(&l->graph->arena, shape));
    return NULL;
}

/* The node with attributes of its own, which may be set; false: out of memory. */
static bool copy_attributes(struct lift *l, const struct mi_node *node, struct mi_node *copy)
{
    *copy = *node;
    copy->attribute = mi_arena_new(&l->graph->arena, (size_t)node->attributes + 1, sizeof *copy->attribute);
    if (copy->attribute && node->attributes)
        memcpy(copy->attribute, node->attribute, (size_t)node->attributes * sizeof *copy->attribute);
    return copy->attribute != NULL;
}

static mi_value *lift_turn(struct lift *l, const struct mi_node *node)
{
    int64_t perm[MI_MAX_RANK], axis = mi_attribute_int(node, "axis", 0);
    for (int i = 0; i < node->in[0]->shape.rank; i++)
        perm[i] = i == 0 ? axis : i <= axis ? i - 1 : i;
    return axis ? MI_APPLY(l->graph, "Transpose", ((mi_value *[]){node->in[0]}), MI_INTS("perm", perm, node->in[0]->shape.rank))
                : node->in[0];
}

/* Whether a map may be computed on rows, as a product before it makes them: what it reads has all of these, or none. */
static bool maps_rows(const struct lift *l, const struct mi_node *node)
{
    const struct mi_shape *out = &node->out[0]->shape;
    for (int i = 0; i < node->inputs; i++) {
        const mi_value *in = node->in[i];
        bool fits = !in || (is_within(l, in) ? in->shape.rank == out->rank && mi_dim_equal(in->shape.dim[0], out->dim[0])
                                             : in->shape.rank < out->rank || mi_dim_is(in->shape.dim[0], 1));
        if (!fits)
            return false;
    }
    return out->rank > 0;
}

static mi_value *lift_map(struct lift *l, const struct mi_node *node)
{
    mi_value *in[MI_MAX_INPUTS] = {NULL};
    const struct mi_shape *one = &node->out[0]->shape, whole = of_turns(l, one, one->rank), rows = of_rows(l, one);
    bool by_rows = maps_rows(l, node);
    for (int i = 0; i < node->inputs; i++) {
        mi_value *given = node->in[i];
        if (!is_within(l, given)) {
            in[i] = given;
            continue;
        }
        const struct mi_shape aligned = of_turns(l, &given->shape, one->rank);
        in[i] = by_rows ? as_rows(l, given) : mi_reshape_to(l->graph, in_all_turns(l, given), &aligned);
        if (!in[i])
            return NULL;
    }
    return mi_reshape_to(l->graph, made_like(l, node, in, by_rows ? &rows : &whole), &whole);
}

static mi_value *lift_reduce(struct lift *l, const struct mi_node *node)
{
    uint32_t mask = 0;
    bool keepdims;
    int64_t axes[MI_MAX_RANK];
    int count = 0;
    struct mi_node copy;
    const struct mi_shape whole = of_turns(l, &node->out[0]->shape, node->out[0]->shape.rank);
    mi_value *in = in_all_turns(l, node->in[0]);
    if (mi_reduce_axes(node, &mask, &keepdims) != MICA_OK || !copy_attributes(l, node, &copy))
        return NULL;
    for (int i = 0; i < node->in[0]->shape.rank; i++)
        if (mask >> i & 1)
            axes[count++] = i + 1;
    return mi_set_attribute(&copy, MI_INTS("axes", axes, count)) == MICA_OK ? made_like(l, &copy, &in, &whole) : NULL;
}

/* A gradient's row is told by attributes what it makes. */
static mi_value *lift_product(struct lift *l, const struct mi_node *node)
{
    int which = rows_operand(l, node);
    const struct mi_shape *one = &node->out[0]->shape, whole = of_turns(l, one, one->rank), rows = of_rows(l, one);
    mi_value *in[] = {node->in[0], node->in[1]};
    struct mi_shape said;
    struct mi_node copy;
    in[which] = as_rows(l, node->in[which]);
    if (!in[which] || !copy_attributes(l, node, &copy) || (mi_get_shape(node, &said) && mi_set_shape(&copy, &rows) != MICA_OK))
        return NULL;
    return mi_reshape_to(l->graph, made_like(l, &copy, in, &rows), &whole);
}

static mi_value *lift_order(struct lift *l, const struct mi_node *node)
{
    const struct mi_shape whole = of_turns(l, &node->out[0]->shape, node->out[0]->shape.rank);
    return mi_reshape_to(l->graph, in_all_turns(l, node->in[0]), &whole);
}

static mi_value *lift_spread(struct lift *l, const struct mi_node *node)
{
    const int rank = node->out[0]->shape.rank;
    const struct mi_shape whole = of_turns(l, &node->out[0]->shape, rank), aligned = of_turns(l, &node->in[0]->shape, rank);
    return mi_expand_to(l->graph, mi_reshape_to(l->graph, in_all_turns(l, node->in[0]), &aligned), &whole);
}

static mi_value *lifted(struct lift *l, const struct mi_node *node)
{
    return node->op == &mi_op_turn           ? lift_turn(l, node)
           : node->op->kind == MI_MAP        ? lift_map(l, node)
           : node->op->kind == MI_REDUCE     ? lift_reduce(l, node)
           : node->op->kind == MI_CONTRACT   ? lift_product(l, node)
           : node->op->keeps_order           ? lift_order(l, node)
                                             : lift_spread(l, node);
}

/* ---- The repeat without them ---- */

/* Those who read in a turn what lies ahead of the turns read its part. */
static void replace_in_turns(struct lift *l)
{
    l->graph->open = l->number;
    for (size_t i = 0; i < l->nodes; i++) {
        const struct mi_node *node = l->graph->nodes[i];
        if (l->chosen[i] && l->before[i] && node->op != &mi_op_turn)
            l->replacement[node->out[0]->id] = mi_at_turn(l->graph, l->all[node->out[0]->id], 0);
    }
    l->graph->open = MI_ANY_REPEAT;
}

/* Whether what the end keeps of each turn is there without it. */
static bool is_known(const struct lift *l, int number)
{
    const mi_value *value = l->end->in[number];
    bool old = (size_t)value->id < l->values && (size_t)value->node->id < l->nodes;
    return old && number >= l->graph->repeats[l->number].carries && l->chosen[value->node->id];
}

/* Those who read a value of all turns read what was made of all; the end no longer keeps it, and counts the others anew. */
static void replace_behind(struct lift *l)
{
    struct mi_node *end = l->end;
    int *counted = mi_arena_new(&l->graph->arena, (size_t)end->inputs + 1, sizeof *counted), kept = 0;
    for (int i = 0; i < end->inputs && counted; i++)
        counted[i] = is_known(l, i) ? -1 : kept++;
    for (size_t i = 0; i < l->graph->node_count && counted; i++) {
        struct mi_node *node = l->graph->nodes[i];
        bool result = (node->op == &mi_op_stack || node->op == &mi_op_last) && node->in[0] == end->out[0];
        int number = result ? (int)mi_attribute_int(node, "of", 0) : 0;
        if (result && counted[number] < 0)
            l->replacement[node->out[0]->id] = l->all[end->in[number]->id];
        else if (result)
            node->attribute[0].i = counted[number];
    }
    for (int i = 0; i < end->inputs && counted; i++)
        if (counted[i] >= 0)
            end->in[counted[i]] = end->in[i];
    end->inputs = counted ? kept : end->inputs;
}

static mica_status lift_chosen(struct lift *l)
{
    struct mi_graph *graph = l->graph;
    for (size_t i = 0; i < l->nodes && graph->error.status == MICA_OK; i++) {
        const struct mi_node *node = graph->nodes[i];
        if (!l->needed[i])
            continue;
        graph->scope = node->name;
        graph->backward = node->backward;
        l->all[node->out[0]->id] = lifted(l, node);
    }
    graph->scope = NULL;
    graph->backward = false;
    MI_TRY(graph->error.status);
    replace_in_turns(l);
    replace_behind(l);
    if (graph->arena.failed)
        return mi_out_of_memory(&graph->error);
    MI_TRY(graph->error.status);
    return mi_graph_rebuild(graph, l->replacement);
}

/* ---- The pass ---- */

/* How many values there are when each that is needed has its node of all turns, and whatever lies between. */
static size_t most_values(const struct lift *l)
{
    size_t count = l->values;
    for (size_t i = 0; i < l->nodes; i++)
        count += l->needed[i] ? 4 + 3 * (size_t)l->graph->nodes[i]->inputs : 0;
    return count;
}

static mica_status lift_from(struct mi_graph *graph, struct mi_node *end)
{
    struct lift l = {.graph = graph, .end = end, .number = end->ends, .turns = graph->repeats[end->ends].turns,
                     .nodes = graph->node_count, .values = graph->value_count};
    bool *marks = mi_new(l.nodes, 4 * sizeof *marks);
    l.all = mi_new(l.values, sizeof(mi_value *));
    mica_status status = marks && l.all && mi_users_list(graph, &l.users) ? MICA_OK : mi_out_of_memory(&graph->error);
    if (status == MICA_OK) {
        l.before = marks;
        l.behind = marks + l.nodes;
        l.chosen = marks + 2 * l.nodes;
        l.needed = marks + 3 * l.nodes;
        look_ahead(&l);
        look_behind(&l);
        if (find_needed(&l)) {
            l.replacement = mi_new(most_values(&l), sizeof *l.replacement);
            status = l.replacement ? lift_chosen(&l) : mi_out_of_memory(&graph->error);
        }
    }
    mi_users_free(&l.users);
    free(marks);
    free(l.all);
    free(l.replacement);
    return status;
}

static struct mi_node *end_of(const struct mi_graph *graph, int repeat)
{
    for (size_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i]->op == &mi_op_repeat && graph->nodes[i]->ends == repeat)
            return graph->nodes[i];
    return NULL;
}

mica_status mi_lift(struct mi_graph *graph, int64_t batch)
{
    (void)batch;
    for (int repeat = (int)graph->repeat_count - 1; repeat > 0; repeat--) {
        struct mi_node *end = end_of(graph, repeat);
        if (end && !mi_repeat_has_inner(graph, repeat))
            MI_TRY(lift_from(graph, end));
    }
    return MICA_OK;
}
