/* How a chain of nodes is known to be attention:
 *
 *     mean(drop(softmax(... scores ...)), v),  scores = q k^T
 *
 * Both products are contractions of two operands, whatever the order of their axes, as their index maps tell. Between them stand
 * maps of the scores: factors, masks that are added, and choices between a score and a number; and reshapes that join or part the
 * leading axes, of which there are one, (N), or two, (N, heads). A factor that is the same for all keys goes to the query, a number
 * to the scale. Transposes and reshapes that the chain has around it meet those that are made here, and are dropped with them when
 * the graph is simplified. */
#include "ops/attention.h"

#include <math.h>

enum { MOST_STEPS = 12 };

/* -1e9 and below is as good as minus infinity for a score beside others that are not hidden. */
static const float lowest = -1e9f;

/* A map of the scores, or a reshape: input `from` has them. */
struct step {
    const struct mi_node *node;
    int from;
};

struct chain {
    struct mi_graph *graph;
    const struct mi_readers *readers;
    struct mi_contraction mean, scores;
    struct mi_operand weights, v, q, k;    /* of these */
    const struct mi_node *drop;
    struct mi_shape leading;               /* (N) or (N, heads) */
    struct mi_dim queries, keys;
    struct step step[MOST_STEPS];          /* from the softmax down to the scores */
    int steps;
    mi_value *factor, *mask;               /* of the query; what is added, or where scores stay what they are */
    float scale, hidden;
    bool causal, hides;
};

/* ---- Products ---- */

static bool is_axis(const struct mi_index *index, int axis)
{
    return index->terms == 1 && index->axis[0] == axis && index->coefficient[0] == 1 && index->offset == 0 && index->divisor == 1;
}

/* The dimension of an operand that runs along an axis; -1: none. */
static int dim_along(const struct mi_operand *operand, int axis)
{
    for (int i = 0; i < operand->value->shape.rank; i++)
        if (is_axis(&operand->index[i], axis))
            return i;
    return -1;
}

/* A sum over one axis, of operands of the result's rank. */
static bool read_product(const struct mi_node *node, struct mi_contraction *c)
{
    const struct mi_op *op = node->op;
    if (!op->contract || node->repeat || !mi_is_float(node->out[0]->type) || op->contract(node, c) != MICA_OK)
        return false;
    int rank = node->out[0]->shape.rank;
    bool one = c->axes == rank + 1 && c->out_axes == rank && (rank == 3 || rank == 4) && c->a.value->shape.rank == rank &&
               c->b.value->shape.rank == rank;
    for (int i = 0; i < rank && one; i++)
        one = is_axis(&c->out.index[i], i);
    return one;
}

/* In which order an operand's dimensions run along these axes. One that does not run along a leading axis may stand there with size
 * 1. */
static bool order_by(const struct mi_operand *operand, const int *axes, int64_t *perm)
{
    int rank = operand->value->shape.rank, missing = -1, left = rank * (rank - 1) / 2;
    for (int i = 0; i < rank; i++) {
        int at = dim_along(operand, axes[i]);
        perm[i] = at;
        left -= at < 0 ? 0 : at;
        if (at < 0 && (missing >= 0 || i >= rank - 2))
            return false;
        if (at < 0)
            missing = i;
    }
    if (missing >= 0)
        perm[missing] = left;
    return missing < 0 || (operand->index[left].terms == 0 && mi_dim_is(operand->value->shape.dim[left], 1));
}

/* ---- The way from the mean down to the scores ---- */

static bool same_rows(const struct mi_shape *x, const struct mi_shape *y)
{
    return x->rank >= 3 && y->rank >= 3 && mi_dim_equal(x->dim[x->rank - 1], y->dim[y->rank - 1]) &&
           mi_dim_equal(x->dim[x->rank - 2], y->dim[y->rank - 2]);
}

/* Whether a node only joins or parts leading axes. */
static bool regroups(const struct mi_node *node)
{
    return node->op->kind == MI_MOVE && node->op->keeps_order && node->inputs == 1 &&
           same_rows(&node->in[0]->shape, &node->out[0]->shape);
}

/* Takes note of the leading axes where they stand apart. */
static bool note_leading(struct chain *c, const struct mi_shape *scores)
{
    struct mi_shape leading = mi_shape_of(scores->rank - 2, scores->dim);
    if (leading.rank > 2 || leading.rank < 1)
        return false;
    if (leading.rank > c->leading.rank)
        c->leading = leading;
    return leading.rank < c->leading.rank || mi_shape_equal(&leading, &c->leading);
}

/* Whether a node's input may have the scores of which it makes others: of two, either. */
static bool may_come_from(const struct mi_node *node, int i)
{
    const struct mi_op *op = node->op;
    if (!node->in[i] || node->out[0]->type != node->in[i]->type)
        return false;
    if (i == 0 && regroups(node))
        return true;
    return mi_shape_equal(&node->in[i]->shape, &node->out[0]->shape) &&
           (((op == &mi_op_Mul || op == &mi_op_Add) && i <= 1) || ((op == &mi_op_Div || op == &mi_op_Sub) && i == 0) ||
            (op == &mi_op_Where && i >= 1));
}

static bool find_scores(struct chain *c, const mi_value *at)
{
    const struct mi_node *node = at->node;
    const struct mi_shape leading = c->leading;
    int steps = c->steps;
    if (!mi_read_once(c->readers, at) || node->repeat || node->outputs != 1 || !note_leading(c, &at->shape))
        return false;
    if (read_product(node, &c->scores))
        return true;
    for (int i = 0; i < node->inputs && i < 3 && steps < MOST_STEPS; i++) {
        if (!may_come_from(node, i))
            continue;
        c->step[steps] = (struct step){node, i};
        c->steps = steps + 1;
        if (find_scores(c, node->in[i]))
            return true;
        c->leading = leading;
        c->steps = steps;
    }
    return false;
}

/* From the weights as the mean takes them to what the softmax is of. */
static bool find_softmax(struct chain *c, const mi_value *weights)
{
    const mi_value *at = weights;
    for (int depth = 0; depth < MOST_STEPS; depth++) {
        const struct mi_node *node = at->node;
        int shared = 0, rank = at->shape.rank;
        if (!mi_read_once(c->readers, at) || node->repeat || !note_leading(c, &at->shape))
            return false;
        if (node->op == &mi_op_Softmax)
            return mi_attribute_int(node, "axis", -1) == rank - 1 && find_scores(c, node->in[0]);
        bool drops = node->op == &mi_op_Dropout && !c->drop && !mi_attribute_ints(node, "shared", &shared);
        if (!drops && !regroups(node))
            return false;
        c->drop = drops ? node : c->drop;
        at = node->in[0];
    }
    return false;
}

/* ---- Both products ---- */

/* The axes of the weights in the mean, (leading..., query, key), and how the values run along those. */
static bool read_mean(const struct chain *c, int axes[MI_MAX_RANK], int64_t perm[MI_MAX_RANK])
{
    int rank = c->weights.value->shape.rank, sum = c->mean.out_axes, last = sum * (sum - 1) / 2;
    for (int i = 0; i < rank; i++) {
        axes[i] = c->weights.index[i].terms ? c->weights.index[i].axis[0] : -1;
        if (axes[i] < 0 || !is_axis(&c->weights.index[i], axes[i]) || (axes[i] == sum) != (i == rank - 1))
            return false;
        last -= i < rank - 1 ? axes[i] : 0;
    }
    int order[MI_MAX_RANK];
    for (int i = 0; i < rank - 2; i++)
        order[i] = axes[i];
    order[rank - 2] = sum;
    order[rank - 1] = last;
    axes[rank - 1] = last;
    return order_by(&c->v, order, perm);
}

/* How query and key run along (leading..., step, feature); they are told apart by their axes. */
static bool read_scores(struct chain *c, int64_t of_q[MI_MAX_RANK], int64_t of_k[MI_MAX_RANK])
{
    int rank = c->scores.out_axes, order[MI_MAX_RANK];
    bool first = dim_along(&c->scores.a, rank - 2) >= 0;
    c->q = first ? c->scores.a : c->scores.b;
    c->k = first ? c->scores.b : c->scores.a;
    for (int i = 0; i < rank; i++)
        order[i] = i;
    order[rank - 1] = rank;
    if (!order_by(&c->q, order, of_q))
        return false;
    order[rank - 2] = rank - 1;
    return order_by(&c->k, order, of_k);
}

/* ---- What stands between them ---- */

/* Whether a value asks for the scores, if only for their shape: with it they would have to be there. */
static bool needs_scores(const struct chain *c, const mi_value *x, int depth)
{
    const struct mi_node *node = x->node, *scores = c->scores.out.value->node;
    bool needs = node == scores || (node->id > scores->id && depth == MOST_STEPS);
    for (int i = 0; i < node->inputs && node->id > scores->id && !needs; i++)
        needs = node->in[i] && needs_scores(c, node->in[i], depth + 1);
    return needs;
}

static mi_value *shaped(struct mi_graph *graph, mi_value *x, const struct mi_shape *shape)
{
    return !x || mi_shape_equal(&x->shape, shape) ? x : mi_reshape_to(graph, x, shape);
}

/* What meets scores of `rank` axes, as it meets those of (N, heads, ...): with ones where it is spread. */
static mi_value *beside_scores(const struct chain *c, mi_value *x, int rank)
{
    struct mi_shape shape = {.rank = 4};
    int lead = rank - x->shape.rank;
    for (int i = 0; i < 4; i++)
        shape.dim[i] = mi_fixed(1);
    for (int i = 1; i <= 2; i++)
        if (x->shape.rank >= i)
            shape.dim[4 - i] = x->shape.dim[x->shape.rank - i];
    bool joined = rank == 3 && c->leading.rank == 2 && lead == 0 && !mi_dim_is(x->shape.dim[0], 1);
    for (int i = 0; i < rank - 2; i++)
        if (i >= lead && !joined)
            shape.dim[i] = x->shape.dim[i - lead];
    for (int i = 0; i < 2 && joined; i++)
        shape.dim[i] = c->leading.dim[i];
    return shaped(c->graph, x, &shape);
}

/* The number that every element is; false: it is none that is known. */
static bool is_number(const mi_value *x, float *out)
{
    while (x->node->op->kind == MI_MOVE && x->node->op->keeps_order)
        x = x->node->in[0];
    return mi_constant_float(x, out);
}

/* Which of the last two axes of the scores an index is of: 1 the last, 2 the one before; 0: it is no index of all their places. */
static int axis_of(const struct chain *c, const mi_value *x)
{
    const struct mi_node *node = x->node;
    while (node->op == &mi_op_Cast || node->op == &mi_op_Identity)
        node = node->in[0]->node;
    if (node->op != &mi_op_Index)
        return 0;
    const struct mi_shape *shape = &node->in[0]->shape;
    int64_t given = mi_attribute_int(node, "axis", 0), axis = given < 0 ? given + shape->rank : given;
    int from_end = shape->rank - (int)axis;
    const struct mi_dim *size = from_end == 1 ? &c->keys : from_end == 2 ? &c->queries : NULL;
    return size && mi_dim_equal(shape->dim[axis], *size) ? from_end : 0;
}

/* Whether a condition is that a key is behind its query, or, *shows, that it is not. */
static bool is_causal(const struct chain *c, const mi_value *condition, bool *shows)
{
    const struct mi_node *node = condition->node;
    const struct mi_op *op = node->op;
    bool greater = op == &mi_op_Greater || op == &mi_op_GreaterOrEqual, less = op == &mi_op_Less || op == &mi_op_LessOrEqual;
    if (!greater && !less)
        return false;
    int left = axis_of(c, node->in[0]), right = axis_of(c, node->in[1]);
    bool strict = op == &mi_op_Greater || op == &mi_op_Less;
    bool behind = (greater && left == 1 && right == 2) || (less && left == 2 && right == 1); /* the key's number is larger */
    bool before = (less && left == 1 && right == 2) || (greater && left == 2 && right == 1);
    *shows = before;
    return (behind && strict) || (before && !strict);
}

/* A choice between 0 and what hides: whether it is the causal mask. */
static bool is_causal_mask(const struct chain *c, const mi_value *mask, float *hidden)
{
    const struct mi_node *node = mask->node;
    float chosen, other;
    bool shows;
    while (node->op == &mi_op_Cast || node->op == &mi_op_Identity)
        node = node->in[0]->node;
    if (node->op != &mi_op_Where || !is_causal(c, node->in[0], &shows) || !is_number(node->in[1], &chosen) ||
        !is_number(node->in[2], &other))
        return false;
    *hidden = shows ? other : chosen;
    return (shows ? chosen : other) == 0;
}

static bool times(struct chain *c, const struct mi_node *node, mi_value *by, int rank)
{
    struct mi_graph *graph = c->graph;
    float number;
    bool divides = node->op == &mi_op_Div;
    if (is_number(by, &number) && (!divides || number != 0)) {
        number = divides ? 1 / number : number;
        c->scale *= number;
        if (c->mask && !c->hides)
            c->mask = mi_op2(graph, "Mul", c->mask, mi_number(graph, c->mask->type, (double)number));
        c->hidden *= number;
        return number > 0;
    }
    mi_value *beside = needs_scores(c, by, 0) ? NULL : beside_scores(c, by, rank);
    if (!beside || c->mask || c->causal || !mi_dim_is(beside->shape.dim[3], 1))
        return false;
    mi_value *one = c->factor ? c->factor : mi_number(graph, by->type, 1);
    c->factor = mi_op2(graph, divides ? "Div" : "Mul", one, beside);
    return c->factor != NULL;
}

/* A causal mask of a finite number is minus infinity only where it is the only one: else a row might have nothing that counts. */
static bool hides_the_later(struct chain *c, float hidden, bool alone)
{
    bool taken = hidden == -INFINITY || (hidden <= lowest && alone);
    c->causal = c->causal || taken;
    return taken;
}

static bool plus(struct chain *c, const struct mi_node *node, mi_value *what, int rank, bool alone)
{
    struct mi_graph *graph = c->graph;
    float hidden = 0;
    bool minus = node->op == &mi_op_Sub;
    if (!minus && is_causal_mask(c, what, &hidden) && hides_the_later(c, hidden, alone))
        return true;
    mi_value *mask = needs_scores(c, what, 0) ? NULL : beside_scores(c, what, rank);
    bool trained = graph->training && (size_t)what->id < c->readers->known && c->readers->learns[what->id];
    if (!mask || c->hides || trained)
        return false;
    mask = minus ? mi_op1(graph, "Neg", mask) : mask;
    c->mask = c->mask ? mi_op2(graph, "Add", c->mask, mask) : mask;
    return c->mask != NULL;
}

/* A score, or a number: what is hidden, wherever the condition holds or wherever it does not. */
static bool choose(struct chain *c, const struct step *step, int rank, bool alone)
{
    struct mi_graph *graph = c->graph;
    const struct mi_node *node = step->node;
    float hidden;
    bool shows;
    if (!is_number(node->in[3 - step->from], &hidden) || hidden >= 0)
        return false;
    if (is_causal(c, node->in[0], &shows) && shows == (step->from == 1) && hides_the_later(c, hidden, alone))
        return true;
    bool needs = needs_scores(c, node->in[0], 0);
    mi_value *condition = needs || step->from == 1 ? node->in[0] : mi_op1(graph, "Not", node->in[0]);
    mi_value *mask = condition && !needs ? beside_scores(c, condition, rank) : NULL;
    if (!mask || c->mask || (c->causal && hidden != -INFINITY))
        return false;
    c->mask = mask;
    c->hides = true;
    c->hidden = hidden;
    return true;
}

/* Upwards from the scores: what each step makes of them. */
static bool read_steps(struct chain *c)
{
    int masks = 0;
    for (int i = 0; i < c->steps; i++)
        masks += c->step[i].node->op == &mi_op_Add || c->step[i].node->op == &mi_op_Sub || c->step[i].node->op == &mi_op_Where;
    for (int i = c->steps - 1; i >= 0; i--) {
        const struct step *step = &c->step[i];
        const struct mi_node *node = step->node;
        int rank = node->out[0]->shape.rank;
        bool taken = node->op->kind == MI_MOVE || (node->op == &mi_op_Where && choose(c, step, rank, masks == 1));
        if (!taken && (node->op == &mi_op_Mul || node->op == &mi_op_Div))
            taken = times(c, node, node->in[1 - step->from], rank);
        if (!taken && (node->op == &mi_op_Add || node->op == &mi_op_Sub))
            taken = plus(c, node, node->in[1 - step->from], rank, masks == 1);
        if (!taken)
            return false;
    }
    return true;
}

/* ---- The operator ---- */

static mi_value *transposed(struct mi_graph *graph, mi_value *x, const int64_t *perm)
{
    bool plain = true;
    for (int i = 0; x && i < x->shape.rank; i++)
        plain = plain && perm[i] == i;
    return plain ? x : MI_APPLY(graph, "Transpose", ((mi_value *[]){x}), MI_INTS("perm", perm, x->shape.rank));
}

/* (leading..., steps, features) of an operand; NULL: its leading axes are not those of the scores, or an error. */
static mi_value *in_heads(const struct chain *c, const struct mi_operand *operand, const int64_t *perm, bool shares)
{
    mi_value *x = transposed(c->graph, operand->value, perm);
    if (!x)
        return NULL;
    struct mi_shape shape = {.rank = c->leading.rank + 2}, own = mi_shape_of(x->shape.rank - 2, x->shape.dim);
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = i < c->leading.rank ? c->leading.dim[i] : x->shape.dim[x->shape.rank - shape.rank + i];
    if (own.rank == c->leading.rank && own.rank == 2 && shares && mi_dim_is(own.dim[1], 1))
        shape.dim[1] = mi_fixed(1);
    const struct mi_shape leading = mi_shape_of(c->leading.rank, shape.dim);
    struct mi_dim whole, of_own;
    bool fits = own.rank == leading.rank ? mi_shape_equal(&own, &leading)
                                         : mi_shape_product(&leading, 0, leading.rank, &whole) &&
                                               mi_shape_product(&own, 0, own.rank, &of_own) && mi_dim_equal(whole, of_own);
    return fits ? shaped(c->graph, x, &shape) : NULL;
}

static const int64_t exchanged[] = {0, 2, 1, 3};

/* (N, heads, steps, features) as (N, steps, heads * features). */
static mi_value *side_by_side(struct mi_graph *graph, mi_value *x)
{
    if (!x || x->shape.rank == 3)
        return x;
    const struct mi_dim *dim = x->shape.dim;
    const struct mi_shape shape = {.rank = 3, .dim = {dim[0], dim[2], mi_fixed(dim[1].b * dim[3].b)}};
    return shaped(graph, mi_dim_is(dim[1], 1) ? x : transposed(graph, x, exchanged), &shape);
}

/* (N, queries, heads * features) as the mean has it. */
static mi_value *as_mean(const struct chain *c, mi_value *y, int64_t heads, const int *axes)
{
    struct mi_graph *graph = c->graph;
    int rank = c->mean.out_axes;
    int64_t perm[MI_MAX_RANK];
    if (!y)
        return NULL;
    const struct mi_dim *dim = y->shape.dim;
    const struct mi_shape apart = {.rank = 4, .dim = {dim[0], dim[1], mi_fixed(heads), mi_fixed(dim[2].b / heads)}};
    struct mi_shape shape = {.rank = rank};
    for (int i = 0; i < rank; i++)
        shape.dim[i] = c->mean.extent[axes[i]];
    if (c->leading.rank == 2)
        y = transposed(graph, shaped(graph, y, &apart), exchanged);
    for (int i = 0; i < rank; i++)
        perm[axes[i]] = i;
    return transposed(graph, shaped(graph, y, &shape), perm);
}

/* The query times its factor, which is (N or 1, heads or 1, T or 1, 1). */
static mi_value *multiplied(const struct chain *c, mi_value *q)
{
    if (!c->factor)
        return q;
    const struct mi_dim *dim = c->factor->shape.dim;
    const struct mi_shape flat = {.rank = 3, .dim = {dim[0], dim[2], mi_fixed(1)}};
    return mi_op2(c->graph, "Mul", q, q->shape.rank == 3 ? shaped(c->graph, c->factor, &flat) : c->factor);
}

static mi_value *apply(const struct chain *c, mi_value *const of[3], const int *axes)
{
    struct mi_graph *graph = c->graph;
    const struct mi_node *drop = c->drop;
    bool apart = c->leading.rank == 2;
    int64_t heads = apart ? c->leading.dim[1].b : 1, groups = apart ? of[1]->shape.dim[1].b : 1;
    mi_value *in[] = {side_by_side(graph, multiplied(c, of[0])), side_by_side(graph, of[1]), side_by_side(graph, of[2]), c->mask};
    const struct mi_attribute attributes[] = {
        MI_INT("q_num_heads", heads), MI_INT("kv_num_heads", groups), MI_INT("is_causal", c->causal), MI_REAL("scale", c->scale),
        MI_REAL("hidden", c->hidden), MI_REAL("rate", drop ? mi_attribute_float(drop, "rate", 0) : 0),
        MI_INT("seed", drop ? mi_attribute_int(drop, "seed", 0) : 0)};
    struct mi_node *made = mi_node_add(graph, "Attention", in, c->mask ? 4 : 3, attributes, (int)MI_COUNT(attributes));
    if (!made)
        return NULL;
    made->stable = drop ? drop->stable : made->stable; /* the same numbers drop the same weights */
    return as_mean(c, made->out[MI_ATTENTION_Y], heads, axes);
}

/* Whether the sizes are those that attention takes. */
static bool fits(struct chain *c)
{
    const struct mi_shape *scores = &c->scores.out.value->shape;
    c->queries = scores->dim[scores->rank - 2];
    c->keys = scores->dim[scores->rank - 1];
    bool features = !c->scores.extent[c->scores.axes - 1].a && c->scores.extent[c->scores.axes - 1].b > 0;
    bool steps = !c->queries.a && !c->keys.a && c->queries.b > 0 && c->keys.b > 0;
    return same_rows(scores, &c->weights.value->shape) && steps && features &&
           (c->leading.rank < 2 || (!c->leading.dim[1].a && c->leading.dim[1].b > 0));
}

static mi_value *recognise(struct chain *c)
{
    int axes[MI_MAX_RANK];
    int64_t of_q[MI_MAX_RANK], of_k[MI_MAX_RANK], of_v[MI_MAX_RANK];
    if (!find_softmax(c, c->weights.value) || !fits(c) || !read_mean(c, axes, of_v) || !read_scores(c, of_q, of_k))
        return NULL;
    mi_value *q = in_heads(c, &c->q, of_q, false), *k = in_heads(c, &c->k, of_k, true), *v = in_heads(c, &c->v, of_v, true);
    bool same = q && k && v && q->type == k->type && q->type == v->type && !v->shape.dim[v->shape.rank - 1].a;
    if (!same || (c->leading.rank == 2 && !mi_dim_equal(k->shape.dim[1], v->shape.dim[1])) || !read_steps(c))
        return NULL;
    return apply(c, (mi_value *[]){q, k, v}, axes);
}

mi_value *mi_attention_recognise(struct mi_node *end, const struct mi_readers *readers)
{
    struct mi_contraction mean;
    if (!read_product(end, &mean))
        return NULL;
    for (int i = 0; i < 2; i++) {
        struct chain c = {.graph = end->graph, .readers = readers, .mean = mean, .scale = 1, .hidden = -INFINITY,
                          .weights = i ? mean.b : mean.a, .v = i ? mean.a : mean.b};
        mi_value *made = recognise(&c);
        if (made)
            return made;
    }
    return NULL;
}
