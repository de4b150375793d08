/* Moves that reorder, join and repeat: Transpose, Concat, Expand. Each output element is one input
 * element, or the fill. */
#include "ops/ops.h"

#include <string.h>

/* ---- Transpose: attribute perm (the axes reversed) ---- */

static mica_status infer_transpose(struct mi_node *node)
{
    const struct mi_shape *in = &node->in[0]->shape;
    int count = 0;
    int64_t reversed[MI_MAX_RANK];
    uint32_t seen = 0;
    for (int i = 0; i < in->rank; i++)
        reversed[i] = in->rank - 1 - i;
    if (!mi_attribute_ints(node, "perm", &count))
        MI_TRY(mi_set_attribute(node, MI_INTS("perm", reversed, in->rank)));
    const int64_t *perm = mi_attribute_ints(node, "perm", &count);
    if (count != in->rank)
        return mi_op_fail(node, MICA_SHAPE, "perm names %d axes, input has rank %d", count, in->rank);
    struct mi_shape out = {.rank = count};
    for (int i = 0; i < count; i++) {
        if (perm[i] < 0 || perm[i] >= count || seen >> perm[i] & 1)
            return mi_op_fail(node, MICA_INVALID_ARGUMENT, "perm holds %lld, it must name each axis once",
                              (long long)perm[i]);
        seen |= 1u << perm[i];
        out.dim[i] = in->dim[perm[i]];
    }
    mi_infer_output(node, 0, node->in[0]->type, &out);
    return MICA_OK;
}

static mica_status gradient_transpose(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    int count = 0;
    const int64_t *perm = mi_attribute_ints(node, "perm", &count);
    int64_t back[MI_MAX_RANK];
    for (int i = 0; i < count; i++)
        back[perm[i]] = i;
    dx[0] = MI_APPLY(node->graph, "Transpose", ((mi_value *[]){dy[0]}), MI_INTS("perm", back, count));
    return node->graph->error.status;
}

static int move_transpose(struct mi_arena *arena, const struct mi_node *node, const char *const *index,
                          struct mi_access *access)
{
    (void)arena;
    int count = 0;
    const int64_t *perm = mi_attribute_ints(node, "perm", &count);
    *access = (struct mi_access){.value = node->in[0]};
    for (int i = 0; i < count; i++)
        access->index[perm[i]] = index[i];
    return 1;
}
MI_MOVE_ROW(Transpose, 1, infer_transpose, gradient_transpose, move_transpose);

/* ---- Concat: attribute axis ---- */

static mica_status infer_concat(struct mi_node *node)
{
    struct mi_arena *arena = &node->graph->arena;
    struct mi_shape out = node->in[0]->shape;
    int axis;
    if (!mi_attribute_find(node, "axis"))
        return mi_op_fail(node, MICA_INVALID_ARGUMENT, "attribute axis is missing");
    MI_TRY(mi_axis(node, mi_attribute_int(node, "axis", 0), out.rank, &axis));
    MI_TRY(mi_set_attribute(node, MI_INT("axis", axis)));
    for (int i = 1; i < node->inputs; i++) {
        if (!node->in[i])
            return mi_op_fail(node, MICA_INVALID_ARGUMENT, "input %d is missing", i);
        struct mi_shape next = node->in[i]->shape;
        struct mi_dim size = next.rank == out.rank ? next.dim[axis] : mi_fixed(0);
        next.dim[axis] = out.dim[axis];
        if (!mi_shape_equal(&next, &out))
            return mi_op_fail(node, MICA_SHAPE, "input 0 has shape %s, input %d has shape %s",
                              mi_shape_text(arena, &node->in[0]->shape), i,
                              mi_shape_text(arena, &node->in[i]->shape));
        out.dim[axis] = (struct mi_dim){out.dim[axis].a + size.a, out.dim[axis].b + size.b};
    }
    MI_TRY(mi_same_types(node));
    mi_infer_output(node, 0, node->in[0]->type, &out);
    return MICA_OK;
}

/* The part of a joined value that begins at `from` on the axis, with the shape of `like`. */
static mi_value *part(struct mi_graph *graph, mi_value *value, int axis, struct mi_dim from,
                      const struct mi_shape *like)
{
    int64_t first[MI_MAX_RANK] = {0}, first_n[MI_MAX_RANK] = {0},
            step[MI_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
    first[axis] = from.b;
    first_n[axis] = from.a;
    struct mi_attribute attributes[5] = {MI_INTS("from", first, like->rank),
                                         MI_INTS("from_n", first_n, like->rank),
                                         MI_INTS("step", step, like->rank)};
    mi_shape_attributes(graph, like, attributes + 3);
    return mi_apply(graph, "Slice", &value, 1, attributes, (int)MI_COUNT(attributes));
}

static mica_status gradient_concat(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    int axis = (int)mi_attribute_int(node, "axis", 0);
    struct mi_dim from = mi_fixed(0);
    for (int i = 0; i < node->inputs; i++) {
        struct mi_dim size = node->in[i]->shape.dim[axis];
        dx[i] = part(node->graph, dy[0], axis, from, &node->in[i]->shape);
        from = (struct mi_dim){from.a + size.a, from.b + size.b};
    }
    return node->graph->error.status;
}

static int move_concat(struct mi_arena *arena, const struct mi_node *node, const char *const *index,
                       struct mi_access *access)
{
    int axis = (int)mi_attribute_int(node, "axis", 0);
    struct mi_dim from = mi_fixed(0);
    const char *place = index[axis];
    for (int i = 0; i < node->inputs; i++) {
        struct mi_dim size = node->in[i]->shape.dim[axis], end = {from.a + size.a, from.b + size.b};
        access[i] = (struct mi_access){.value = node->in[i]};
        for (int k = 0; k < node->out[0]->shape.rank; k++)
            access[i].index[k] = index[k];
        if (!mi_dim_is(from, 0))
            access[i].index[axis] = mi_arena_format(arena, "((%s) - %s)", place, mi_dim_text(arena, from));
        access[i].guard = mi_arena_format(arena, "%s >= %s && %s < %s", place, mi_dim_text(arena, from),
                                          place, mi_dim_text(arena, end));
        access[i].knows = access[i].exact = !from.a && !end.a && from.b < end.b;
        access[i].inside[axis] = (struct mi_range){from.b, end.b};
        from = end;
    }
    return node->inputs;
}

/* Joins of some in a row, joined in turn. */
static mica_status lower_concat(struct mi_node *node, mi_value **out)
{
    enum { TOGETHER = 8 };
    int parts = (node->inputs + TOGETHER - 1) / TOGETHER;
    mi_value **joined = mi_arena_new(&node->graph->arena, (size_t)parts, sizeof *joined);
    if (!joined)
        return mi_out_of_memory(&node->graph->error);
    for (int i = 0; i < parts; i++) {
        int left = node->inputs - i * TOGETHER;
        joined[i] = mi_apply_as(node, "Concat", node->in + i * TOGETHER, left < TOGETHER ? left : TOGETHER, NULL, 0);
    }
    out[0] = mi_apply_as(node, "Concat", joined, parts, NULL, 0);
    return node->graph->error.status;
}

const struct mi_op mi_op_Concat = {.name = "Concat", .kind = MI_MOVE, .min_inputs = 1, .max_inputs = -1, .outputs = 1,
                                   .infer = infer_concat, .gradient = gradient_concat, .move = move_concat,
                                   .lower = lower_concat};

/* ---- Expand: shape as input 1 or attribute; broadcasts in both directions ---- */

static mica_status infer_expand(struct mi_node *node)
{
    struct mi_arena *arena = &node->graph->arena;
    struct mi_shape target, out;
    const int64_t *sizes;
    int count;
    if (node->inputs > 1 || !mi_get_shape(node, &target)) {
        MI_TRY(mi_fold_ints(node, 1, "shape", &sizes, &count));
        if (!sizes || count > MI_MAX_RANK)
            return mi_op_fail(node, MICA_SHAPE, "shape has %d dimensions, at most %d are possible", count,
                              MI_MAX_RANK);
        target = (struct mi_shape){.rank = count};
        for (int i = 0; i < count; i++) {
            if (sizes[i] < 0)
                return mi_op_fail(node, MICA_SHAPE, "dimension %d of shape is %lld", i, (long long)sizes[i]);
            target.dim[i] = mi_fixed(sizes[i]);
        }
    }
    mi_drop_inputs(node, 1);
    if (!mi_shape_broadcast(&node->in[0]->shape, &target, &out))
        return mi_op_fail(node, MICA_SHAPE, "input %s does not broadcast to %s",
                          mi_shape_text(arena, &node->in[0]->shape), mi_shape_text(arena, &target));
    mi_infer_output(node, 0, node->in[0]->type, &out);
    return mi_set_shape(node, &out);
}

static mica_status gradient_expand(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    dx[0] = mi_sum_to(node->graph, dy[0], &node->in[0]->shape);
    return node->graph->error.status;
}

static int move_expand(struct mi_arena *arena, const struct mi_node *node, const char *const *index,
                       struct mi_access *access)
{
    (void)arena;
    const struct mi_shape *in = &node->in[0]->shape;
    int lead = node->out[0]->shape.rank - in->rank;
    *access = (struct mi_access){.value = node->in[0]};
    for (int i = 0; i < in->rank; i++)
        access->index[i] = mi_dim_is(in->dim[i], 1) ? "0" : index[lead + i];
    return 1;
}
MI_MOVE_ROW(Expand, 2, infer_expand, gradient_expand, move_expand);
