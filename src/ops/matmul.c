/* Matrix products: MatMul with NumPy's broadcasting of leading axes, and Gemm. */
#include "ops/ops.h"

/* MatMul also takes transA and transB (0): the last two axes of an operand swapped. An operand of rank 1 is a
 * row on the left and a column on the right, and its axis vanishes from the result. */

struct product {
    bool trans_a, trans_b, row_a, column_b; /* row_a, column_b: rank 1 */
    struct mi_dim m, n, ka, kb;
};

static void read_product(const struct mi_node *node, struct product *p)
{
    const struct mi_shape *a = &node->in[0]->shape, *b = &node->in[1]->shape;
    p->row_a = a->rank == 1;
    p->column_b = b->rank == 1;
    p->trans_a = mi_attribute_int(node, "transA", 0) != 0 && !p->row_a;
    p->trans_b = mi_attribute_int(node, "transB", 0) != 0 && !p->column_b;
    p->m = p->row_a ? mi_fixed(1) : a->dim[a->rank - (p->trans_a ? 1 : 2)];
    p->ka = a->dim[a->rank - (p->trans_a ? 2 : 1)];
    p->n = p->column_b ? mi_fixed(1) : b->dim[b->rank - (p->trans_b ? 2 : 1)];
    p->kb = p->column_b ? b->dim[0] : b->dim[b->rank - (p->trans_b ? 1 : 2)];
}

static struct mi_shape batch_of(const struct mi_shape *shape)
{
    return mi_shape_of(shape->rank > 2 ? shape->rank - 2 : 0, shape->dim);
}

static mica_status infer_matmul(struct mi_node *node)
{
    struct mi_arena *arena = &node->graph->arena;
    const struct mi_shape *a = &node->in[0]->shape, *b = &node->in[1]->shape;
    struct product p;
    struct mi_shape batch_a = batch_of(a), batch_b = batch_of(b), out;
    MI_TRY(mi_number_types(node));
    if (a->rank == 0 || b->rank == 0)
        return mi_op_fail(node, MICA_SHAPE, "inputs %s and %s: a scalar has no matrix product",
                          mi_shape_text(arena, a), mi_shape_text(arena, b));
    read_product(node, &p);
    if (!mi_dim_equal(p.ka, p.kb))
        return mi_op_fail(node, MICA_SHAPE, "inputs %s and %s: %s columns meet %s rows",
                          mi_shape_text(arena, a), mi_shape_text(arena, b), mi_dim_text(arena, p.ka),
                          mi_dim_text(arena, p.kb));
    if (!mi_shape_broadcast(&batch_a, &batch_b, &out))
        return mi_op_fail(node, MICA_SHAPE, "leading axes of %s and %s do not broadcast",
                          mi_shape_text(arena, a), mi_shape_text(arena, b));
    if (!p.row_a)
        out.dim[out.rank++] = p.m;
    if (!p.column_b)
        out.dim[out.rank++] = p.n;
    mi_infer_output(node, 0, node->in[0]->type, &out);
    return MICA_OK;
}

static struct mi_index plain(int axis)
{
    return (struct mi_index){.terms = 1, .axis = {axis}, .coefficient = {1}, .divisor = 1};
}

static const struct mi_index zero_index = {.terms = 0, .divisor = 1};

/* Leading axes of an operand follow the output's, from the right; a broadcast one stays at 0. */
static void batch_indices(const struct mi_shape *shape, int batch, struct mi_operand *operand)
{
    int own = batch_of(shape).rank;
    for (int i = 0; i < own; i++)
        operand->index[i] = mi_dim_is(shape->dim[i], 1) ? zero_index : plain(batch - own + i);
}

static mica_status contract_matmul(const struct mi_node *node, struct mi_contraction *c)
{
    const struct mi_shape *a = &node->in[0]->shape, *b = &node->in[1]->shape, *out = &node->out[0]->shape;
    struct product p;
    read_product(node, &p);
    *c = (struct mi_contraction){.out_axes = out->rank, .axes = out->rank + 1,
                                 .a.value = node->in[0], .b.value = node->in[1], .out.value = node->out[0]};
    for (int i = 0; i < out->rank; i++) {
        c->extent[i] = out->dim[i];
        c->out.index[i] = plain(i);
    }
    int batch = out->rank - !p.row_a - !p.column_b, k = out->rank;
    c->extent[k] = p.ka;
    batch_indices(a, batch, &c->a);
    batch_indices(b, batch, &c->b);
    c->a.index[a->rank - (p.trans_a ? 2 : 1)] = plain(k);
    c->b.index[p.column_b ? 0 : b->rank - (p.trans_b ? 1 : 2)] = plain(k);
    if (!p.row_a)
        c->a.index[a->rank - (p.trans_a ? 1 : 2)] = plain(batch);
    if (!p.column_b)
        c->b.index[b->rank - (p.trans_b ? 2 : 1)] = plain(batch + !p.row_a);
    return MICA_OK;
}

static mi_value *product(struct mi_graph *graph, mi_value *a, bool trans_a, mi_value *b, bool trans_b)
{
    return MI_APPLY(graph, "MatMul", ((mi_value *[]){a, b}), MI_INT("transA", trans_a),
                    MI_INT("transB", trans_b));
}

/* An operand of rank 1 as a matrix. */
static mi_value *as_matrix(struct mi_graph *graph, mi_value *value, bool row)
{
    if (value->shape.rank > 1)
        return value;
    struct mi_shape shape = {.rank = 2, .dim = {row ? mi_fixed(1) : value->shape.dim[0],
                                                row ? value->shape.dim[0] : mi_fixed(1)}};
    return mi_reshape_to(graph, value, &shape);
}

/* (..., r, c) as one matrix (... * r, c); NULL when the rows, or all elements, have no affine count. */
static mi_value *as_rows(struct mi_graph *graph, mi_value *value)
{
    struct mi_shape rows = {.rank = 2};
    struct mi_dim all;
    int last = value->shape.rank - 1;
    if (!mi_shape_product(&value->shape, 0, last, &rows.dim[0]) || !mi_shape_product(&value->shape, 0, last + 1, &all))
        return NULL;
    rows.dim[1] = value->shape.dim[last];
    return mi_reshape_to(graph, value, &rows);
}

/* For Y = A' B': dA' = dY B'^T and dB' = A'^T dY, each transposed back; summed over axes that were broadcast.
 * A matrix B shared by a batch of rows sees them as one long matrix, so that no batch of dB is ever
 * stored. */
static mica_status gradient_matmul(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    struct mi_graph *graph = node->graph;
    struct product p;
    read_product(node, &p);
    mi_value *a = as_matrix(graph, node->in[0], true), *b = as_matrix(graph, node->in[1], false), *g = dy[0];
    if (!a || !b)
        return graph->error.status;
    if (p.row_a || p.column_b) {
        struct mi_shape shape = node->out[0]->shape;
        shape.rank -= !p.row_a + !p.column_b;
        shape.dim[shape.rank++] = p.m;
        shape.dim[shape.rank++] = p.n;
        g = mi_reshape_to(graph, g, &shape);
    }
    mi_value *da =
                 p.trans_a ? product(graph, b, p.trans_b, g, true) : product(graph, g, false, b, !p.trans_b),
             *db;
    mi_value *rows = NULL, *rows_g = NULL;
    if (b->shape.rank == 2 && a->shape.rank > 2 && !p.trans_a) {
        rows = as_rows(graph, a);
        rows_g = as_rows(graph, g);
    }
    if (!rows || !rows_g) {
        rows = a;
        rows_g = g;
    }
    db = p.trans_b ? product(graph, rows_g, true, rows, p.trans_a)
                   : product(graph, rows, !p.trans_a, rows_g, false);
    if (!da || !db)
        return graph->error.status;
    dx[0] = mi_reshape_to(graph, mi_sum_to(graph, da, &a->shape), &node->in[0]->shape);
    dx[1] = mi_reshape_to(graph, mi_sum_to(graph, db, &b->shape), &node->in[1]->shape);
    return graph->error.status;
}

MI_CONTRACT_ROW(MatMul, infer_matmul, gradient_matmul, contract_matmul);

/* ---- Gemm: y = alpha A' B' + beta C; attributes alpha (1), beta (1), transA (0), transB (0); C is optional
 * ---- */

static bool has_c(const struct mi_node *node)
{
    return node->inputs > 2 && node->in[2];
}

static mica_status infer_gemm(struct mi_node *node)
{
    struct mi_arena *arena = &node->graph->arena;
    const struct mi_shape *a = &node->in[0]->shape, *b = &node->in[1]->shape;
    struct mi_shape joined;
    MI_TRY(mi_float_types(node));
    if (a->rank != 2 || b->rank != 2)
        return mi_op_fail(node, MICA_SHAPE, "inputs %s and %s must be matrices", mi_shape_text(arena, a),
                          mi_shape_text(arena, b));
    struct product p;
    read_product(node, &p);
    struct mi_shape out = {.rank = 2, .dim = {p.m, p.n}};
    if (!mi_dim_equal(p.ka, p.kb))
        return mi_op_fail(node, MICA_SHAPE, "inputs %s and %s: %s columns meet %s rows",
                          mi_shape_text(arena, a), mi_shape_text(arena, b), mi_dim_text(arena, p.ka),
                          mi_dim_text(arena, p.kb));
    if (has_c(node) &&
        (!mi_shape_broadcast(&out, &node->in[2]->shape, &joined) || !mi_shape_equal(&joined, &out)))
        return mi_op_fail(node, MICA_SHAPE, "input C has shape %s, product has %s",
                          mi_shape_text(arena, &node->in[2]->shape), mi_shape_text(arena, &out));
    mi_infer_output(node, 0, node->in[0]->type, &out);
    return MICA_OK;
}

static mi_value *scaled(struct mi_node *node, const char *attribute, mi_value *value)
{
    float factor = mi_attribute_float(node, attribute, 1.0f);
    return factor == 1.0f ? value : mi_op2(node->graph, "Mul", value, mi_number(node->graph, value->type, (double)factor));
}

static mica_status lower_gemm(struct mi_node *node, mi_value **out)
{
    struct product p;
    read_product(node, &p);
    out[0] = scaled(node, "alpha", product(node->graph, node->in[0], p.trans_a, node->in[1], p.trans_b));
    if (has_c(node))
        out[0] = mi_op2(node->graph, "Add", out[0], scaled(node, "beta", node->in[2]));
    return node->graph->error.status;
}

static mica_status gradient_gemm(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    struct mi_graph *graph = node->graph;
    mi_value *a = node->in[0], *b = node->in[1], *g = scaled(node, "alpha", dy[0]);
    struct product p;
    read_product(node, &p);
    dx[0] = p.trans_a ? product(graph, b, p.trans_b, g, true) : product(graph, g, false, b, !p.trans_b);
    dx[1] = p.trans_b ? product(graph, g, true, a, p.trans_a) : product(graph, a, !p.trans_a, g, false);
    if (has_c(node))
        dx[2] = mi_sum_to(graph, scaled(node, "beta", dy[0]), &node->in[2]->shape);
    return graph->error.status;
}

MI_COMPOSITE_ROW(Gemm, 2, 3, 1, infer_gemm, gradient_gemm, lower_gemm);
