/* Repeats by rows: where rows of a batch do not depend on each other, an item takes a few of them through all turns, in one launch.
 *
 * What is carried then stays in a core's own cache, and so do the weights that every turn reads. Turn by turn there is a launch for
 * each kernel of each turn, and all cores wait for the last one every time; but a turn shares out its weights, so that a core reads
 * some of their columns alone. The one pays for small cells and for batches of a row or more a core, the other for weights that no
 * core's cache holds: what the engines say of their prices decides.
 *
 * A graph of an LSTM, a GRU or a cell of the user's is known by its nodes alone: none of them looks at another row. */
#include "compile/choose/rows.h"

#include "compile/choose/problem.h"

#include <string.h>

enum { NOWHERE = -1 };
/* Rows an item takes at most: few are shared out more evenly, and read weights from the cache more often. */
static const int most_rows[] = {8, 16};
static const double launch_seconds = 6e-6, pass_seconds = 4e-10; /* of a kernel of maps in a turn, and of each number for it */

/* ---- Rows ---- */

static bool is_fixed_behind(const struct mi_shape *shape, int first)
{
    for (int i = first; i < shape->rank; i++)
        if (shape->dim[i].a != 0)
            return false;
    return true;
}

bool mi_has_rows(const struct mi_shape *shape)
{
    return shape->rank > 0 && shape->dim[0].a > 0 && shape->dim[0].b == 0 && is_fixed_behind(shape, 1);
}

bool mi_has_no_batch(const struct mi_shape *shape)
{
    return is_fixed_behind(shape, 0);
}

/* Where an output's rows are counted by an axis, each input has an axis that counts them too, or none. */

static bool trace_map(const struct mi_node *node, int axis, int *in)
{
    struct mi_map_view view;
    static const char *const place[MI_MAX_RANK] = {"at0", "at1", "at2", "at3", "at4", "at5", "at6", "at7"};
    const struct mi_shape *out = &node->out[0]->shape;
    mi_map_view(node, &view);
    for (int o = 0; o < node->outputs; o++) {
        const char *expression = view.expr[o];
        bool asks = axis >= 0 && (mi_expression_names(expression, place[axis]) || mi_expression_names(expression, "index"));
        if (asks || mi_expression_names(expression, "n")) /* an item's n is its own */
            return false;
    }
    for (int k = 0; k < node->inputs; k++) {
        const struct mi_shape *shape = node->in[k] ? &node->in[k]->shape : NULL;
        int own = shape && axis >= 0 ? axis - (out->rank - shape->rank) : NOWHERE;
        in[k] = own >= 0 && mi_dim_equal(shape->dim[own], out->dim[axis]) ? own : NOWHERE;
    }
    return axis == 0 || !mi_draws(node); /* a number is of an element's place, which is counted from row 0 */
}

static bool trace_reduce(const struct mi_node *node, int axis, int *in)
{
    uint32_t mask;
    bool keeps;
    if (mi_reduce_axes(node, &mask, &keeps) != MICA_OK)
        return false;
    in[0] = NOWHERE;
    for (int i = 0, out = 0; i < node->in[0]->shape.rank; i++) {
        bool kept = !(mask >> i & 1);
        if (kept && out == axis)
            in[0] = i;
        out += kept || keeps;
    }
    return axis < 0 || in[0] >= 0;
}

/* Whether a dimension's index is this axis and nothing else. */
static bool is_axis(const struct mi_index *index, int axis)
{
    return index->terms == 1 && index->axis[0] == axis && index->coefficient[0] == 1 && index->offset == 0 && index->divisor == 1;
}

static bool trace_operand(const struct mi_operand *operand, int rows, int *in)
{
    *in = NOWHERE;
    for (int d = 0; d < operand->value->shape.rank; d++) {
        bool own = is_axis(&operand->index[d], rows);
        for (int t = 0; t < operand->index[d].terms && !own; t++)
            if (operand->index[d].axis[t] == rows)
                return false;
        if (own && *in >= 0)
            return false;
        *in = own ? d : *in;
    }
    return true;
}

static bool trace_product(const struct mi_node *node, int axis, int *in)
{
    struct mi_contraction c;
    if (node->op->contract(node, &c) != MICA_OK || axis < 0 || c.out.index[axis].terms != 1)
        return false;
    int rows = c.out.index[axis].axis[0], a, b;
    if (!is_axis(&c.out.index[axis], rows) || !trace_operand(&c.a, rows, &a) || !trace_operand(&c.b, rows, &b))
        return false;
    for (int k = 0; k < node->inputs; k++)
        in[k] = node->in[k] == c.a.value ? a : node->in[k] == c.b.value ? b : NOWHERE;
    return c.a.value != c.b.value || a == b;
}

/* Which of an access's indices is the row; false: one is made of it, or the guard asks for it. */
static bool trace_access(const struct mi_access *access, int *in)
{
    *in = NOWHERE;
    for (int d = 0; d < access->value->shape.rank; d++) {
        bool own = access->index[d] && strcmp(access->index[d], "row") == 0;
        if (!access->index[d] || (own ? *in >= 0 : mi_expression_names(access->index[d], "row")))
            return false;
        *in = own ? d : *in;
    }
    return !access->guard || !mi_expression_names(access->guard, "row");
}

static bool trace_move(const struct mi_node *node, int axis, int *in)
{
    const char *index[MI_MAX_RANK] = {"i0", "i1", "i2", "i3", "i4", "i5", "i6", "i7"};
    struct mi_arena arena = {0};
    struct mi_access access[MI_MAX_INPUTS];
    bool good = true;
    if (axis == 0 && node->op->keeps_order && mi_has_rows(&node->out[0]->shape) && mi_has_rows(&node->in[0]->shape)) {
        in[0] = 0; /* a sample's elements lie together on both sides */
        return true;
    }
    if (axis >= 0)
        index[axis] = "row";
    for (int k = 0; k < node->inputs; k++)
        in[k] = NOWHERE;
    int count = node->op->move(&arena, node, index, access);
    for (int i = 0; i < count && good; i++) {
        int own = NOWHERE;
        good = trace_access(&access[i], &own);
        for (int k = 0; k < node->inputs && good; k++)
            if (node->in[k] == access[i].value) {
                good = in[k] < 0 || in[k] == own;
                in[k] = own;
            }
    }
    good = good && !arena.failed;
    mi_arena_destroy(&arena);
    return good;
}

bool mi_trace_rows(const struct mi_node *node, int axis, int in[MI_MAX_INPUTS])
{
    bool (*const trace[])(const struct mi_node *, int, int *) = {
        [MI_MAP] = trace_map, [MI_REDUCE] = trace_reduce, [MI_CONTRACT] = trace_product, [MI_MOVE] = trace_move};
    enum mi_kind kind = node->op->kind;
    bool good = node->inputs <= MI_MAX_INPUTS && kind < MI_COUNT(trace) && trace[kind] && trace[kind](node, axis, in);
    for (int k = 0; k < node->inputs && good; k++) /* a row is as much of what goes in as of what comes out */
        good = !node->in[k] || in[k] < 0 || node->op->keeps_order ||
               mi_dim_equal(node->in[k]->shape.dim[in[k]], node->out[0]->shape.dim[axis]);
    return good;
}

/* A part of a ring, or of a tensor of all turns, which has an axis ahead of the rows. */
static bool is_part(const struct mi_node *node)
{
    return node->op == &mi_op_part || (node->op == &mi_op_turn && mi_attribute_int(node, "axis", 0) == 0);
}

/* Whether a node of a repeat makes each row of the same row of its inputs, and of what has no batch. */
static bool keeps_rows(const struct mi_node *node)
{
    int in[MI_MAX_INPUTS];
    for (int o = 0; o < node->outputs; o++)
        if (!mi_has_rows(&node->out[o]->shape) || !mi_dim_equal(node->out[o]->shape.dim[0], mi_batch()))
            return false;
    if (is_part(node))
        return true;
    bool good = mi_trace_rows(node, 0, in);
    for (int k = 0; k < node->inputs && good; k++)
        good = !node->in[k] || (in[k] == 0 ? mi_has_rows(&node->in[k]->shape) : in[k] < 0 && mi_has_no_batch(&node->in[k]->shape));
    return good;
}

/* ---- Prices ---- */

/* A batch in parts of equal size, of at most so many rows, as many as there are cores or some for each. */
static int rows_of_an_item(const struct mica_plan *plan, int most)
{
    int64_t units = plan->graph->target.units, share = mi_divide_up(plan->batch, units);
    int64_t parts = units * mi_divide_up(share, most);
    return (int)mi_divide_up(plan->batch, parts);
}

/* Seconds of the repeat's nodes in one turn. Maps between two products are taken as one launch, whose numbers come from the cache
 * of another core. */
static mica_status price_turn(struct mica_plan *plan, int repeat, double *seconds)
{
    *seconds = plan->rows[repeat] ? 0 : launch_seconds;
    for (size_t i = 0; i < plan->graph->node_count; i++) {
        const struct mi_node *node = plan->graph->nodes[i];
        struct mi_problem problem;
        if (node->op->kind != MI_CONTRACT || node->repeat != repeat)
            continue;
        MI_TRY(mi_read_problem(plan, node, &problem));
        *seconds += mi_cheapest(plan, &problem)->cost(&problem);
        if (!plan->rows[repeat])
            *seconds += pass_seconds * (double)mi_shape_count(&node->out[0]->shape, plan->batch);
    }
    return MICA_OK;
}

static mica_status choose(struct mica_plan *plan, int repeat)
{
    double least, seconds;
    int best = 0;
    if (mi_repeat_has_inner(plan->graph, repeat))
        return MICA_OK;
    for (size_t i = 0; i < plan->graph->node_count; i++)
        if (plan->graph->nodes[i]->repeat == repeat && !keeps_rows(plan->graph->nodes[i]))
            return MICA_OK;
    MI_TRY(price_turn(plan, repeat, &least));
    for (size_t i = 0; i < MI_COUNT(most_rows); i++) {
        plan->rows[repeat] = rows_of_an_item(plan, most_rows[i]);
        MI_TRY(price_turn(plan, repeat, &seconds));
        seconds *= (double)mi_divide_up(mi_divide_up(plan->batch, plan->rows[repeat]), plan->graph->target.units);
        if (seconds < least) {
            least = seconds;
            best = plan->rows[repeat];
        }
    }
    plan->rows[repeat] = best;
    return MICA_OK;
}

mica_status mi_choose_rows(struct mica_plan *plan)
{
    size_t count = plan->graph->repeat_count;
    plan->rows = mi_arena_new(&plan->arena, count + 1, sizeof *plan->rows);
    if (!plan->rows)
        return mi_out_of_memory(&plan->error);
    for (size_t r = 1; r < count && plan->device->is_cpu && !plan->desc.no_fusion; r++)
        MI_TRY(choose(plan, (int)r));
    return MICA_OK;
}
