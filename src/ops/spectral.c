/* The largest singular value of a matrix, by the power method. */
#include "ops/ops.h"

/* SpectralNorm(w (m, n), u (m), v (n); iterations, epsilon) -> sigma (), u, v
 *
 * sigma = u^T w v. A training step first takes u to w v and v to w^T u, each divided by its length, `iterations` times: so both
 * come near the singular vectors of the largest singular value, and sigma near that (Miyato et al. 2018, arXiv:1802.05957). */

static mica_status infer(struct mi_node *node)
{
    static const char *const names[] = {"w", "u", "v"};
    struct mi_arena *arena = &node->graph->arena;
    const struct mi_shape *w = &node->in[0]->shape, scalar = {.rank = 0};
    MI_TRY(mi_default_int(node, "iterations", 1));
    MI_TRY(mi_default_float(node, "epsilon", 1e-12f));
    MI_TRY(mi_float_types(node));
    if (w->rank != 2)
        return mi_op_fail(node, MICA_SHAPE, "w has rank %d, it must be a matrix", w->rank);
    for (int i = 1; i < 3; i++) {
        const struct mi_shape *vector = &node->in[i]->shape;
        if (vector->rank != 1 || !mi_dim_equal(vector->dim[0], w->dim[i - 1]))
            return mi_op_fail(node, MICA_SHAPE, "w has shape %s, %s has shape %s", mi_shape_text(arena, w), names[i],
                              mi_shape_text(arena, vector));
        mi_infer_output(node, i, node->in[i]->type, vector);
    }
    mi_infer_output(node, 0, node->in[0]->type, &scalar);
    return MICA_OK;
}

/* u (m, 1), v (1, n) and w^T u (1, n), of which all that an output or a gradient asks for is made. */
struct vectors {
    mi_value *u, *v, *product;
};

/* The sum of w * vector over an axis, which becomes a one. */
static mi_value *product(struct mi_graph *graph, mi_value *w, mi_value *vector, int64_t axis)
{
    return mi_reduce(graph, "ReduceSum", mi_op2(graph, "Mul", w, vector), &axis, 1, true);
}

/* A vector by its length, which counts as at least epsilon. */
static mi_value *unit(struct mi_node *node, mi_value *vector)
{
    struct mi_graph *graph = node->graph;
    mi_value *square = mi_reduce(graph, "ReduceSum", mi_op2(graph, "Mul", vector, vector), (const int64_t[]){0, 1}, 2, true);
    mi_value *least = mi_scalar(graph, mi_attribute_float(node, "epsilon", 0));
    return mi_op2(graph, "Div", vector, mi_op2(graph, "Max", mi_op1(graph, "Sqrt", square), least));
}

static bool vectors(struct mi_node *node, struct vectors *of)
{
    struct mi_graph *graph = node->graph;
    mi_value *w = node->in[0];
    const struct mi_shape column = {.rank = 2, .dim = {w->shape.dim[0], mi_fixed(1)}},
                          row = {.rank = 2, .dim = {mi_fixed(1), w->shape.dim[1]}};
    int64_t iterations = mi_trains(node) ? mi_attribute_int(node, "iterations", 1) : 0;
    of->u = mi_reshape_to(graph, node->in[1], &column);
    of->v = mi_reshape_to(graph, node->in[2], &row);
    for (int64_t i = 0; i < iterations; i++) {
        of->u = unit(node, product(graph, w, of->v, 1));
        of->product = product(graph, w, of->u, 0);
        of->v = unit(node, of->product);
    }
    if (!iterations)
        of->product = product(graph, w, of->u, 0);
    return of->product && of->v;
}

static mica_status lower(struct mi_node *node, mi_value **out)
{
    struct mi_graph *graph = node->graph;
    struct vectors of = {0};
    if (!vectors(node, &of))
        return graph->error.status;
    out[0] = mi_reduce(graph, "ReduceSum", mi_op2(graph, "Mul", of.product, of.v), (const int64_t[]){0, 1}, 2, false);
    out[1] = mi_trains(node) ? mi_reshape_to(graph, of.u, &node->in[1]->shape) : node->in[1];
    out[2] = mi_trains(node) ? mi_reshape_to(graph, of.v, &node->in[2]->shape) : node->in[2];
    return graph->error.status;
}

/* dw = dsigma u v^T: u and v count as constants. */
static mica_status gradient(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    struct mi_graph *graph = node->graph;
    struct vectors of = {0};
    if (!dy[0] || !vectors(node, &of))
        return graph->error.status;
    dx[0] = mi_op2(graph, "Mul", mi_op2(graph, "Mul", of.u, of.v), dy[0]);
    return graph->error.status;
}

const struct mi_op mi_op_SpectralNorm = {
    .name = "SpectralNorm", .kind = MI_COMPOSITE, .min_inputs = 3, .max_inputs = 3, .outputs = 3, .next_of = {[1] = 1, [2] = 2},
    .infer = infer, .gradient = gradient, .lower = lower};
