/* Gather: y = x with axis `axis` (0) taken at the indices. Negative indices count from the end; where an index is out of range, a
 * float is NaN and an integer 0. Attribute `checked`: there are none such, neither negative ones. The gradient is a segmented sum
 * in a fixed order, so it repeats bit by bit. */
#include "ops/ops.h"

#include <math.h>

static mica_status infer_gather(struct mi_node *node)
{
    const struct mi_shape *data = &node->in[0]->shape, *indices = &node->in[1]->shape;
    enum mi_type type = node->in[1]->type;
    int axis;
    if (mi_types[type].kind != 'i' && mi_types[type].kind != 'u')
        return mi_op_fail(node, MICA_INVALID_ARGUMENT, "indices have type %s, they must be integers",
                          mi_types[type].name);
    MI_TRY(mi_axis(node, mi_attribute_int(node, "axis", 0), data->rank, &axis));
    MI_TRY(mi_set_attribute(node, MI_INT("axis", axis)));
    if (data->rank - 1 + indices->rank > MI_MAX_RANK)
        return mi_op_fail(node, MICA_SHAPE,
                          "data of rank %d and indices of rank %d: the result may have rank %d at most",
                          data->rank, indices->rank, MI_MAX_RANK);
    struct mi_shape out = {.rank = 0};
    for (int i = 0; i < axis; i++)
        out.dim[out.rank++] = data->dim[i];
    for (int i = 0; i < indices->rank; i++)
        out.dim[out.rank++] = indices->dim[i];
    for (int i = axis + 1; i < data->rank; i++)
        out.dim[out.rank++] = data->dim[i];
    mi_infer_output(node, 0, node->in[0]->type, &out);
    if (mi_is_float(node->in[0]->type))
        return mi_default_float(node, "fill", NAN);
    return MICA_OK;
}

static int move_gather(struct mi_arena *arena, const struct mi_node *node, const char *const *index,
                       struct mi_access *access)
{
    int axis = (int)mi_attribute_int(node, "axis", 0), indices = node->in[1]->shape.rank;
    const char *size = mi_dim_text(arena, node->in[0]->shape.dim[axis]);
    access[0] = (struct mi_access){.value = node->in[1]};
    access[1] = (struct mi_access){.value = node->in[0]};
    for (int i = 0; i < indices; i++)
        access[0].index[i] = index[axis + i];
    for (int i = 0; i < axis; i++)
        access[1].index[i] = index[i];
    bool negative = mi_types[node->in[1]->type].kind == 'i';
    access[1].index[axis] = negative ? mi_arena_format(arena, "($index < 0 ? $index + %s : $index)", size) : "((long)$index)";
    for (int i = axis + 1; i < node->in[0]->shape.rank; i++)
        access[1].index[i] = index[i - 1 + indices];
    access[1].guard = negative ? mi_arena_format(arena, "$index >= -%s && $index < %s", size, size)
                               : mi_arena_format(arena, "$index < (ulong)%s", size);
    return 2;
}

/* dy seen as (A, T, B) and the indices as (T): A before the axis, B after it. The sum is (A, V, B), V the
 * size of the axis. */
static mica_status gradient_gather(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    struct mi_graph *graph = node->graph;
    int axis = (int)mi_attribute_int(node, "axis", 0);
    const struct mi_shape *data = &node->in[0]->shape, *indices = &node->in[1]->shape;
    struct mi_shape wide = {.rank = 3}, flat = {.rank = 1};
    if (!mi_shape_product(data, 0, axis, &wide.dim[0]) ||
        !mi_shape_product(indices, 0, indices->rank, &flat.dim[0]) ||
        !mi_shape_product(data, axis + 1, data->rank, &wide.dim[2]) || data->dim[axis].a != 0 ||
        (wide.dim[0].a != 0) + (flat.dim[0].a != 0) + (wide.dim[2].a != 0) > 1)
        return mi_op_fail(node, MICA_UNSUPPORTED,
                          "gradient of %s by indices %s: too many dimensions vary with the batch",
                          mi_shape_text(&graph->arena, data), mi_shape_text(&graph->arena, indices));
    wide.dim[1] = flat.dim[0];
    mi_value *in[] = {mi_reshape_to(graph, dy[0], &wide), mi_reshape_to(graph, node->in[1], &flat)};
    enum mi_type type = dy[0]->type;
    if (mi_types[type].bytes == 2) /* sums of what is stored in 16 bits have 32 */
        in[0] = MI_APPLY(graph, "Cast", ((mi_value *[]){in[0]}), MI_INT("to", MI_FLOAT));
    mi_value *sum = MI_APPLY(graph, "GatherGrad", in, MI_INT("size", data->dim[axis].b));
    if (sum && sum->type != type)
        sum = MI_APPLY(graph, "Cast", ((mi_value *[]){sum}), MI_INT("to", type));
    dx[0] = sum ? mi_reshape_to(graph, sum, data) : NULL;
    return graph->error.status;
}

const struct mi_op mi_op_Gather = {.name = "Gather",
                                   .kind = MI_INDEXED,
                                   .min_inputs = 2,
                                   .max_inputs = 2,
                                   .outputs = 1,
                                   .infer = infer_gather,
                                   .gradient = gradient_gather,
                                   .move = move_gather};

/* RowIndex(x; rows) -> row, missed: x where it is a whole number from 0 to rows - 1, otherwise a row near it and a missed of 1, so
 * that nothing is read that is not there and somebody can count it. */
static mica_status infer_row_index(struct mi_node *node)
{
    MI_TRY(mi_float_types(node));
    MI_TRY(mi_default_int(node, "rows", 1));
    mi_infer_output(node, 0, MI_INT32, &node->in[0]->shape);
    mi_infer_output(node, 1, MI_FLOAT, &node->in[0]->shape);
    return MICA_OK;
}
const struct mi_op mi_op_RowIndex = {
    .name = "RowIndex", .kind = MI_MAP, .min_inputs = 1, .max_inputs = 1, .outputs = 2, .infer = infer_row_index,
    .map = &(const struct mi_map_rule){.in = "x", .out = "row missed",
                                       .expr = {"x >= 0 ? (x < rows ? (int)x : rows - 1) : 0",
                                                "x >= 0 && x < rows && x == floor(x) ? 0.0f : 1.0f"}}};

/* GatherGrad(dy (A, T, B), indices (T); size V) -> (A, V, B): out[a, v, b] is the sum of dy[a, t, b] over the
 * t whose index is v (or v - V), in the order of t. */
static mica_status infer_gather_grad(struct mi_node *node)
{
    const struct mi_shape *dy = &node->in[0]->shape, *indices = &node->in[1]->shape;
    if (dy->rank != 3 || indices->rank != 1 || !mi_dim_equal(dy->dim[1], indices->dim[0]))
        return mi_op_fail(node, MICA_SHAPE, "gradient %s and indices %s do not fit together",
                          mi_shape_text(&node->graph->arena, dy),
                          mi_shape_text(&node->graph->arena, indices));
    struct mi_shape out = *dy;
    out.dim[1] = mi_fixed(mi_attribute_int(node, "size", 0));
    mi_infer_output(node, 0, node->in[0]->type, &out);
    return MICA_OK;
}

/* One item a row of the sum. */
static struct mi_dim gather_grad_items(const struct mi_node *node)
{
    struct mi_dim rows = mi_fixed(0);
    mi_shape_product(&node->out[0]->shape, 0, 2, &rows);
    return rows;
}

const struct mi_op mi_op_GatherGrad = {.name = "GatherGrad",
                                       .kind = MI_OWN,
                                       .min_inputs = 2,
                                       .max_inputs = 2,
                                       .outputs = 1,
                                       .infer = infer_gather_grad,
                                       .own = "segment_sum",
                                       .items = gather_grad_items};
