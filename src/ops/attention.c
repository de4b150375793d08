/* Attention(q (N, T, heads * d), k (N, S, groups * d), v (N, S, groups * e), mask or none; q_num_heads, kv_num_heads, is_causal,
 * scale, rate, seed, hidden, alibi, slope) -> y (N, T, heads * e), and of each query (N, heads, T, 1) the largest score and one
 * over the sum of exponentials, of which the gradient makes the weights again:
 *
 *     y = drop(softmax(scale * q k^T + mask)) v          in each head
 *
 * as ONNX's, with three axes. `mask` fits (N, heads, T, S); where it is bool nothing is added, and scores are `hidden` (minus
 * infinity) where it is false. Heads of q that lie side by side share one of k and v. is_causal: a query sees the keys up to its
 * own number. One that sees none, all of whose scores are minus infinity, gets zeros. `rate` is the chance that a weight is 0 in
 * training. `alibi`, where it is not 0: from a score is taken the distance of query and key in steps, times the slope of the head,
 * exp(slope * number): the number of head h is h + 1, and of the heads from alibi on h - alibi + 1/2 (Press, Smith, Lewis: "Train
 * Short, Test Long", ICLR 2022).
 *
 * It is lowered to products, maps and reductions, which keep the scores; or where a kernel for it pays, on a CPU with enough
 * queries, to one that never has them in memory (attention_tiled.c). */
#include "ops/attention.h"

#include <math.h>

static mica_status infer_sizes(struct mi_node *node, struct mi_attention *a)
{
    struct mi_arena *arena = &node->graph->arena;
    const struct mi_shape *q = &node->in[0]->shape, *k = &node->in[1]->shape, *v = &node->in[2]->shape;
    if (q->rank != 3 || k->rank != 3 || v->rank != 3 || !mi_dim_equal(k->dim[1], v->dim[1]) || q->dim[2].a || k->dim[2].a ||
        v->dim[2].a || q->dim[1].a || k->dim[1].a || !mi_dim_equal(q->dim[0], k->dim[0]) || !mi_dim_equal(q->dim[0], v->dim[0]))
        return mi_op_fail(node, MICA_SHAPE, "query %s, key %s and value %s must be (n, steps, features), of one n, key and value "
                          "of as many steps", mi_shape_text(arena, q), mi_shape_text(arena, k), mi_shape_text(arena, v));
    if (a->heads < 1 || a->groups < 1 || a->heads % a->groups)
        return mi_op_fail(node, MICA_INVALID_ARGUMENT, "%lld heads of the query and %lld of key and value: the first must be a "
                          "multiple of the second", (long long)a->heads, (long long)a->groups);
    if (q->dim[2].b % a->heads || k->dim[2].b % a->groups || v->dim[2].b % a->groups ||
        q->dim[2].b / a->heads != k->dim[2].b / a->groups)
        return mi_op_fail(node, MICA_SHAPE, "query %s in %lld heads does not fit key %s and value %s in %lld",
                          mi_shape_text(arena, q), (long long)a->heads, mi_shape_text(arena, k), mi_shape_text(arena, v),
                          (long long)a->groups);
    return MICA_OK;
}

static bool has_bool_mask(const struct mi_node *node)
{
    return node->inputs > MI_ATTENTION_MASK && node->in[MI_ATTENTION_MASK] && node->in[MI_ATTENTION_MASK]->type == MI_BOOL;
}

static mica_status infer_attention(struct mi_node *node)
{
    struct mi_node floats = *node;
    floats.inputs = has_bool_mask(node) ? MI_ATTENTION_MASK : node->inputs;
    MI_TRY(mi_float_types(&floats));
    MI_TRY(mi_default_float(node, "hidden", -INFINITY));
    MI_TRY(mi_default_int(node, "q_num_heads", 1));
    MI_TRY(mi_default_int(node, "kv_num_heads", mi_attribute_int(node, "q_num_heads", 1)));
    MI_TRY(mi_default_int(node, "is_causal", 0));
    MI_TRY(mi_default_float(node, "rate", 0));
    float rate = mi_attribute_float(node, "rate", 0);
    if (!(rate >= 0 && rate < 1))
        return mi_op_fail(node, MICA_INVALID_ARGUMENT, "rate is %g, it must be at least 0 and below 1", (double)rate);
    struct mi_attention a = {.heads = mi_attribute_int(node, "q_num_heads", 1),
                             .groups = mi_attribute_int(node, "kv_num_heads", 1)};
    MI_TRY(infer_sizes(node, &a));
    MI_TRY(mi_default_float(node, "scale", (float)(1 / sqrt((double)(node->in[0]->shape.dim[2].b / a.heads)))));
    a = mi_attention_read(node, MI_ATTENTION_MASK);
    const struct mi_shape scores = {.rank = 4, .dim = {a.batch, mi_fixed(a.heads), a.queries, a.keys}};
    const struct mi_shape y = {.rank = 3, .dim = {a.batch, a.queries, mi_fixed(a.heads * a.value_dim)}};
    const struct mi_shape rows = {.rank = 4, .dim = {a.batch, mi_fixed(a.heads), a.queries, mi_fixed(1)}};
    struct mi_arena *arena = &node->graph->arena;
    const struct mi_shape *mask = a.mask ? &a.mask->shape : &scores;
    struct mi_shape fits;
    if (mask->rank != 4 || !mi_shape_broadcast(&scores, mask, &fits) || !mi_shape_equal(&scores, &fits))
        return mi_op_fail(node, MICA_SHAPE, "the mask %s does not fit scores %s", mi_shape_text(arena, mask),
                          mi_shape_text(arena, &scores));
    mi_infer_output(node, MI_ATTENTION_Y, node->in[0]->type, &y);
    mi_infer_output(node, MI_ATTENTION_LARGEST, node->in[0]->type, &rows);
    mi_infer_output(node, MI_ATTENTION_PART, node->in[0]->type, &rows);
    return MICA_OK;
}

/* ---- Of products, maps and reductions ---- */

/* (N, steps, heads * d) as (N, heads, steps, d); or where heads share keys, as (N, groups, heads / groups, steps, d), with those
 * side by side that do. */
static mi_value *split(struct mi_graph *graph, mi_value *x, const struct mi_attention *a, int64_t heads)
{
    static const int64_t order[2][5] = {{0, 2, 1, 3}, {0, 2, 3, 1, 4}};
    bool apart = a->heads != a->groups;
    if (!x)
        return NULL;
    const struct mi_dim *dim = x->shape.dim, each = mi_fixed(dim[2].b / heads);
    const struct mi_shape alone = {.rank = 4, .dim = {dim[0], mi_fixed(1), dim[1], each}};
    const struct mi_shape parts = apart ? (struct mi_shape){.rank = 5, .dim = {dim[0], dim[1], mi_fixed(a->groups),
                                                                               mi_fixed(heads / a->groups), each}}
                                        : (struct mi_shape){.rank = 4, .dim = {dim[0], dim[1], mi_fixed(heads), each}};
    x = mi_reshape_to(graph, x, a->heads == 1 ? &alone : &parts);
    return a->heads == 1 ? x : MI_APPLY(graph, "Transpose", ((mi_value *[]){x}), MI_INTS("perm", order[apart], parts.rank));
}

/* The way back, to the shape of `like`; the sum of those heads where it has fewer. */
static mi_value *join(struct mi_graph *graph, mi_value *x, const mi_value *like, bool shared)
{
    static const int64_t order[2][5] = {{0, 2, 1, 3}, {0, 3, 1, 2, 4}}, axis = 2;
    if (!x)
        return NULL;
    bool apart = x->shape.rank == 5;
    if (shared && apart)
        x = mi_reduce(graph, "ReduceSum", x, &axis, 1, true);
    if (x && (apart || !mi_dim_is(x->shape.dim[1], 1)))
        x = MI_APPLY(graph, "Transpose", ((mi_value *[]){x}), MI_INTS("perm", order[apart], x->shape.rank));
    return mi_reshape_to(graph, x, &like->shape);
}

/* x (N, heads, ...) beside what `split` has made, or back. */
static mi_value *regroup(struct mi_graph *graph, mi_value *x, const struct mi_attention *a, bool apart)
{
    if (!x || a->heads == a->groups)
        return x;
    bool one = mi_dim_is(x->shape.dim[1], 1);
    struct mi_shape shape = {.rank = apart ? 5 : 4, .dim = {x->shape.dim[0], mi_fixed(apart ? one ? 1 : a->groups : a->heads)}};
    if (apart)
        shape.dim[2] = mi_fixed(one ? 1 : a->heads / a->groups);
    for (int i = 1; i <= 2; i++)
        shape.dim[shape.rank - i] = x->shape.dim[x->shape.rank - i];
    return mi_reshape_to(graph, x, &shape);
}

mi_value *mi_causal_mask(struct mi_graph *graph, const struct mi_shape *steps)
{
    mi_value *space = mi_expand_to(graph, mi_scalar(graph, 0), steps);
    mi_value *key = MI_APPLY(graph, "Index", ((mi_value *[]){space}), MI_INT("axis", 1));
    mi_value *query = MI_APPLY(graph, "Index", ((mi_value *[]){space}), MI_INT("axis", 0));
    mi_value *in[] = {mi_op2(graph, "Greater", key, query), mi_scalar(graph, -INFINITY), mi_scalar(graph, 0)};
    return mi_apply(graph, "Where", in, 3, NULL, 0);
}

/* Numbers along one axis of a shape, as floats. */
static mi_value *places(struct mi_graph *graph, const struct mi_shape *shape, int axis)
{
    mi_value *space = mi_expand_to(graph, mi_scalar(graph, 0), shape);
    return mi_cast(graph, MI_APPLY(graph, "Index", ((mi_value *[]){space}), MI_INT("axis", axis)), MI_FLOAT);
}

/* (1, heads, T, S): -slope * |t - s| */
static mi_value *distances(struct mi_graph *graph, const struct mi_attention *a)
{
    const struct mi_shape each = {.rank = 4, .dim = {mi_fixed(1), mi_fixed(a->heads), mi_fixed(1), mi_fixed(1)}};
    const struct mi_shape steps = {.rank = 4, .dim = {mi_fixed(1), mi_fixed(1), a->queries, a->keys}};
    mi_value *head = places(graph, &each, 1);
    mi_value *in[] = {mi_op2(graph, "Less", head, mi_scalar(graph, (float)a->alibi)),
                      mi_op2(graph, "Add", head, mi_scalar(graph, 1)),
                      mi_op2(graph, "Sub", head, mi_scalar(graph, (float)a->alibi - 0.5f))};
    mi_value *number = mi_apply(graph, "Where", in, 3, NULL, 0);
    mi_value *slope = mi_op1(graph, "Exp", mi_op2(graph, "Mul", number, mi_scalar(graph, a->slope)));
    mi_value *distance = mi_op1(graph, "Abs", mi_op2(graph, "Sub", places(graph, &steps, 2), places(graph, &steps, 3)));
    return mi_op1(graph, "Neg", mi_op2(graph, "Mul", distance, slope));
}

/* What the forward pass has on its way; the gradient makes the same nodes, which simplification joins. */
struct chain {
    mi_value *q, *k, *v;             /* in heads */
    mi_value *largest, *part;
    mi_value *weights, *dropped;
};

static mi_value *dropped(struct mi_node *node, const char *op, mi_value *x)
{
    float rate = mi_attribute_float(node, "rate", 0);
    const struct mi_attribute attributes[] = {MI_REAL("rate", rate), MI_INT("seed", mi_attribute_int(node, "seed", 0)),
                                              MI_REAL("factor", 1 / (1 - rate)), MI_REAL("shift", 0), MI_REAL("dropped", 0)};
    mi_value *made = rate > 0 && mi_trains(node) ? mi_apply(node->graph, op, &x, 1, attributes, (int)MI_COUNT(attributes)) : x;
    if (made && made != x)
        made->node->stable = node->stable;
    return made;
}

/* x where the mask holds. */
static mi_value *hide(struct mi_graph *graph, mi_value *mask, mi_value *x, double otherwise)
{
    mi_value *in[] = {mask, x, x ? mi_number(graph, x->type, otherwise) : NULL};
    return mi_apply(graph, "Where", in, 3, NULL, 0);
}

/* Whether a query may see nothing: a mask can make all its scores minus infinity, which the first key's never is without. */
static bool may_see_nothing(const struct mi_attention *a)
{
    return a->mask && !(a->hides && isfinite(a->hidden));
}

/* The largest score, one over the sum of exponentials, and the weights. For a query that sees nothing 0 stands for the largest,
 * which is minus infinity, and for one over the sum, which is 1 / 0: all its weights are exp(-infinity) * 0. */
static void build_weights(struct mi_graph *graph, const struct mi_attention *a, mi_value *scores, struct chain *c)
{
    const int64_t last = a->heads == a->groups ? 3 : 4;
    c->largest = mi_reduce(graph, "ReduceMaxNumber", scores, &last, 1, true);
    bool some = may_see_nothing(a) && c->largest;
    mi_value *sees = some ? mi_op2(graph, "Greater", c->largest, mi_number(graph, c->largest->type, -(double)INFINITY)) : NULL;
    mi_value *low = some ? hide(graph, sees, c->largest, 0) : c->largest;
    mi_value *power = mi_op1(graph, "Exp", mi_op2(graph, "Sub", scores, low));
    c->part = mi_op1(graph, "Reciprocal", mi_reduce(graph, "ReduceSum", power, &last, 1, true));
    if (some)
        c->part = hide(graph, sees, c->part, 0);
    c->weights = mi_op2(graph, "Mul", power, c->part);
}

static bool build_chain(struct mi_node *node, const struct mi_attention *a, struct chain *c)
{
    struct mi_graph *graph = node->graph;
    const struct mi_shape steps = {.rank = 2, .dim = {a->queries, a->keys}};
    enum mi_type type = node->in[0]->type;
    c->q = split(graph, node->in[0], a, a->heads);
    c->k = split(graph, node->in[1], a, a->groups);
    c->v = split(graph, node->in[2], a, a->groups);
    mi_value *scores = MI_APPLY(graph, "MatMul", ((mi_value *[]){c->q, c->k}), MI_INT("transB", 1));
    if (a->scale < 1 || a->scale > 1)
        scores = mi_op2(graph, "Mul", scores, mi_number(graph, type, (double)a->scale));
    if (a->alibi)
        scores = mi_op2(graph, "Add", scores, regroup(graph, mi_cast(graph, distances(graph, a), type), a, true));
    mi_value *mask = regroup(graph, a->mask, a, true);
    if (mask)
        scores = a->hides ? hide(graph, mask, scores, (double)a->hidden) : mi_op2(graph, "Add", scores, mask);
    if (a->causal)
        scores = mi_op2(graph, "Add", scores, mi_cast(graph, mi_causal_mask(graph, &steps), type));
    build_weights(graph, a, scores, c);
    c->dropped = dropped(node, "RandomDrop", c->weights);
    return c->dropped != NULL;
}

static mica_status lower_attention(struct mi_node *node, mi_value **out)
{
    struct mi_graph *graph = node->graph;
    struct mi_attention a = mi_attention_read(node, MI_ATTENTION_MASK);
    struct chain c;
    if (mi_attention_tiles(node->graph, &a))
        return mi_attention_lower_tiled(node, false, &a, out);
    if (!build_chain(node, &a, &c))
        return graph->error.status;
    out[MI_ATTENTION_Y] = join(graph, mi_op2(graph, "MatMul", c.dropped, c.v), node->out[MI_ATTENTION_Y], false);
    out[MI_ATTENTION_LARGEST] = regroup(graph, c.largest, &a, false);
    out[MI_ATTENTION_PART] = regroup(graph, c.part, &a, false);
    return graph->error.status;
}

/* ---- The gradient: AttentionGrad(q, k, v, y, largest, part, dy, mask or none) -> dq, dk, dv; AttentionScoreGrad of the same ->
 * that of the scores, (N, heads, T, S) ---- */

static mica_status gradient_attention(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    struct mi_graph *graph = node->graph;
    mi_value *mask = node->inputs > MI_ATTENTION_MASK ? node->in[MI_ATTENTION_MASK] : NULL;
    mi_value *in[] = {node->in[0], node->in[1], node->in[2], node->out[0], node->out[1], node->out[2], dy[0], mask};
    if (!dy[0])
        return MICA_OK;
    bool added = mask && mask->type != MI_BOOL;
    struct mi_node *of[2] = {mi_node_add(graph, "AttentionGrad", in, mask ? 8 : 7, node->attribute, node->attributes),
                             added ? mi_node_add(graph, "AttentionScoreGrad", in, 8, node->attribute, node->attributes) : NULL};
    if (!of[0] || (added && !of[1]))
        return graph->error.status;
    of[0]->stable = node->stable;
    for (int i = 0; i < 3; i++)
        dx[i] = of[0]->out[i];
    if (added) {
        of[1]->stable = node->stable;
        dx[MI_ATTENTION_MASK] = mi_sum_to(graph, of[1]->out[0], &mask->shape);
    }
    return graph->error.status;
}

static mica_status infer_gradient(struct mi_node *node)
{
    for (int i = 0; i < 3; i++)
        mi_infer_output(node, i, node->in[i]->type, &node->in[i]->shape);
    return MICA_OK;
}

static mica_status infer_score_gradient(struct mi_node *node)
{
    struct mi_attention a = mi_attention_read(node, MI_ATTENTION_GRAD_MASK);
    const struct mi_shape scores = {.rank = 4, .dim = {a.batch, mi_fixed(a.heads), a.queries, a.keys}};
    mi_infer_output(node, 0, node->in[0]->type, &scores);
    return MICA_OK;
}

struct chain_gradient {
    struct chain forward;
    mi_value *dy;                    /* in heads */
    mi_value *scores;
};

static bool build_gradient(struct mi_node *node, const struct mi_attention *a, struct chain_gradient *c)
{
    struct mi_graph *graph = node->graph;
    const int64_t last = a->heads == a->groups ? 3 : 4;
    if (!build_chain(node, a, &c->forward))
        return false;
    c->dy = split(graph, node->in[MI_ATTENTION_GRAD_DY], a, a->heads);
    mi_value *weights = MI_APPLY(graph, "MatMul", ((mi_value *[]){c->dy, c->forward.v}), MI_INT("transB", 1));
    weights = dropped(node, "Drop", weights);
    mi_value *sum = mi_reduce(graph, "ReduceSum", mi_op2(graph, "Mul", weights, c->forward.weights), &last, 1, true);
    c->scores = mi_op2(graph, "Mul", c->forward.weights, mi_op2(graph, "Sub", weights, sum));
    if (a->hides)
        c->scores = hide(graph, regroup(graph, a->mask, a, true), c->scores, 0);
    return c->scores != NULL;
}

static mica_status lower_gradient(struct mi_node *node, mi_value **out)
{
    struct mi_graph *graph = node->graph;
    struct mi_attention a = mi_attention_read(node, MI_ATTENTION_GRAD_MASK);
    struct chain_gradient c;
    if (mi_attention_tiles(graph, &a))
        return mi_attention_lower_tiled(node, true, &a, out);
    if (!build_gradient(node, &a, &c))
        return graph->error.status;
    const struct chain *f = &c.forward;
    mi_value *scores = mi_op2(graph, "Mul", c.scores, mi_number(graph, node->in[0]->type, (double)a.scale));
    out[0] = join(graph, mi_op2(graph, "MatMul", scores, f->k), node->in[0], false);
    mi_value *dk = MI_APPLY(graph, "MatMul", ((mi_value *[]){scores, f->q}), MI_INT("transA", 1));
    mi_value *dv = MI_APPLY(graph, "MatMul", ((mi_value *[]){f->dropped, c.dy}), MI_INT("transA", 1));
    out[1] = join(graph, dk, node->in[1], true);
    out[2] = join(graph, dv, node->in[2], true);
    return graph->error.status;
}

static mica_status lower_score_gradient(struct mi_node *node, mi_value **out)
{
    struct mi_attention a = mi_attention_read(node, MI_ATTENTION_GRAD_MASK);
    struct chain_gradient c;
    if (build_gradient(node, &a, &c))
        out[0] = regroup(node->graph, c.scores, &a, false);
    return node->graph->error.status;
}

const struct mi_op mi_op_Attention = {.name = "Attention", .kind = MI_COMPOSITE, .min_inputs = 3, .max_inputs = 4, .outputs = 3,
                                      .infer = infer_attention, .gradient = gradient_attention, .lower = lower_attention,
                                      .recognise = mi_attention_recognise};
MI_COMPOSITE_ROW(AttentionGrad, 7, 8, 3, infer_gradient, NULL, lower_gradient);
MI_COMPOSITE_ROW(AttentionScoreGrad, 7, 8, 1, infer_score_gradient, NULL, lower_score_gradient);
