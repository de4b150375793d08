/* Slice and its gradient. starts, ends, axes (all) and steps (1) are inputs 1 to 4 or attributes; infer
 * writes them back as `from` (and `from_n`, its factor of n) and `step`, one for each axis, beside shape and
 * shape_n. */
#include "ops/ops.h"


struct slice {
    struct mi_dim from[MI_MAX_RANK];
    int64_t step[MI_MAX_RANK];
    struct mi_shape out;
};

static int64_t clamped(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* NumPy's rule for one axis of fixed size. */
static void slice_axis(struct slice *slice, int axis, int64_t size, int64_t start, int64_t end, int64_t step)
{
    if (start < 0)
        start = start < -size ? -1 : start + size;
    if (end < 0)
        end = end < -size ? -1 : end + size;
    start = step > 0 ? clamped(start, 0, size) : clamped(start, -1, size - 1);
    end = step > 0 ? clamped(end, 0, size) : clamped(end, -1, size - 1);
    int64_t reach = step > 0 ? end - start : start - end, stride = step > 0 ? step : -step;
    slice->from[axis] = mi_fixed(start < 0 ? 0 : start);
    slice->step[axis] = step;
    slice->out.dim[axis] = mi_fixed(reach <= 0 ? 0 : (reach - 1) / stride + 1);
}

static mica_status read_slice(struct mi_node *node, struct slice *slice)
{
    static const char *const names[] = {"starts", "ends", "axes", "steps"};
    const int64_t *list[4];
    int count[4], axis;
    const struct mi_shape *in = &node->in[0]->shape;
    for (int i = 0; i < 4; i++)
        MI_TRY(mi_fold_ints(node, 1 + i, names[i], &list[i], &count[i]));
    mi_drop_inputs(node, 1);
    if (!list[0] || !list[1])
        return mi_op_fail(node, MICA_INVALID_ARGUMENT, "starts or ends are missing");
    if (count[0] != count[1] || (list[2] && count[2] != count[0]) || (list[3] && count[3] != count[0]))
        return mi_op_fail(node, MICA_SHAPE, "%d starts, %d ends, %d axes, %d steps", count[0], count[1],
                          list[2] ? count[2] : count[0], list[3] ? count[3] : count[0]);
    for (int i = 0; i < count[0]; i++) {
        MI_TRY(mi_axis(node, list[2] ? list[2][i] : i, in->rank, &axis));
        int64_t step = list[3] ? list[3][i] : 1;
        if (step == 0 || step <= -INT32_MAX)
            return mi_op_fail(node, MICA_INVALID_ARGUMENT, "step of axis %d is %lld", axis, (long long)step);
        if (in->dim[axis].a == 0)
            slice_axis(slice, axis, in->dim[axis].b, list[0][i], list[1][i], step);
        else if (step != 1 || list[0][i] != 0 || list[1][i] < INT32_MAX)
            return mi_op_fail(node, MICA_UNSUPPORTED, "axis %d has size %s, it can only be taken whole", axis,
                              mi_dim_text(&node->graph->arena, in->dim[axis]));
    }
    return MICA_OK;
}

static mica_status write_slice(struct mi_node *node, const struct slice *slice)
{
    int64_t from[MI_MAX_RANK], from_n[MI_MAX_RANK];
    int rank = slice->out.rank;
    for (int i = 0; i < rank; i++) {
        from[i] = slice->from[i].b;
        from_n[i] = slice->from[i].a;
    }
    MI_TRY(mi_set_attribute(node, MI_INTS("from", from, rank)));
    MI_TRY(mi_set_attribute(node, MI_INTS("from_n", from_n, rank)));
    MI_TRY(mi_set_attribute(node, MI_INTS("step", slice->step, rank)));
    return mi_set_shape(node, &slice->out);
}

static bool get_slice(const struct mi_node *node, struct slice *slice)
{
    int count = 0;
    const int64_t *from = mi_attribute_ints(node, "from", &count),
                  *from_n = mi_attribute_ints(node, "from_n", &count);
    const int64_t *step = mi_attribute_ints(node, "step", &count);
    if (!from || !from_n || !step || !mi_get_shape(node, &slice->out))
        return false;
    for (int i = 0; i < count; i++) {
        slice->from[i] = (struct mi_dim){from_n[i], from[i]};
        slice->step[i] = step[i];
    }
    return true;
}

static mica_status infer_slice(struct mi_node *node)
{
    struct slice slice = {.out = node->in[0]->shape};
    for (int i = 0; i < slice.out.rank; i++)
        slice.step[i] = 1;
    if (node->inputs > 1 || !get_slice(node, &slice)) {
        MI_TRY(read_slice(node, &slice));
        MI_TRY(write_slice(node, &slice));
    }
    mi_infer_output(node, 0, node->in[0]->type, &slice.out);
    return MICA_OK;
}

static int move_slice(struct mi_arena *arena, const struct mi_node *node, const char *const *index,
                      struct mi_access *access)
{
    struct slice slice;
    *access = (struct mi_access){.value = node->in[0]};
    if (!get_slice(node, &slice))
        return 0;
    for (int i = 0; i < slice.out.rank; i++) {
        bool whole = mi_dim_is(slice.from[i], 0) && slice.step[i] == 1;
        access->index[i] = whole
                               ? index[i]
                               : mi_arena_format(arena, "((%s) * %lld + %s)", index[i],
                                                 (long long)slice.step[i], mi_dim_text(arena, slice.from[i]));
    }
    return 1;
}

/* SliceGrad: dx[i] = dy[(i - from) / step] where that divides and exists. Attributes from, from_n, step of
 * the slice; shape and shape_n are the result's. */
static mica_status infer_slice_grad(struct mi_node *node)
{
    struct slice slice;
    if (!get_slice(node, &slice))
        return mi_op_fail(node, MICA_INVALID_ARGUMENT,
                          "attributes from, from_n, step, shape or shape_n are missing");
    mi_infer_output(node, 0, node->in[0]->type, &slice.out);
    return MICA_OK;
}

static int move_slice_grad(struct mi_arena *arena, const struct mi_node *node, const char *const *index,
                           struct mi_access *access)
{
    struct slice slice;
    *access = (struct mi_access){.value = node->in[0], .knows = true, .exact = true};
    if (!get_slice(node, &slice))
        return 0;
    for (int i = 0; i < slice.out.rank; i++) {
        struct mi_dim size = node->in[0]->shape.dim[i];
        access->index[i] = index[i];
        if (mi_dim_equal(size, slice.out.dim[i]) && slice.step[i] == 1)
            continue;
        long long stride = slice.step[i] > 0 ? slice.step[i] : -slice.step[i];
        const char *from = mi_dim_text(arena, slice.from[i]);
        const char *place = slice.step[i] > 0 ? mi_arena_format(arena, "((%s) - %s)", index[i], from)
                                              : mi_arena_format(arena, "(%s - (%s))", from, index[i]);
        const char *guard = mi_arena_format(arena, "%s >= 0 && %s < %s * %lld", place, place,
                                            mi_dim_text(arena, size), stride);
        if (stride > 1)
            guard = mi_arena_format(arena, "%s && %s %% %lld == 0", guard, place, stride);
        access->guard = access->guard ? mi_arena_format(arena, "%s && %s", access->guard, guard) : guard;
        access->index[i] = stride > 1 ? mi_arena_format(arena, "(%s / %lld)", place, stride) : place;
        access->knows = access->knows && slice.step[i] == 1 && !slice.from[i].a && !size.a && size.b > 0;
        access->inside[i] = (struct mi_range){slice.from[i].b, slice.from[i].b + size.b};
    }
    return 1;
}

static mica_status moved_back(struct mi_node *node, const char *op, mi_value *const *dy, mi_value **dx)
{
    struct mi_attribute shape[2];
    mi_shape_attributes(node->graph, &node->in[0]->shape, shape);
    dx[0] = mi_apply_as(node, op, dy, 1, shape, 2);
    return node->graph->error.status;
}

static mica_status gradient_slice(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    return moved_back(node, "SliceGrad", dy, dx);
}

static mica_status gradient_slice_grad(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    return moved_back(node, "Slice", dy, dx);
}

MI_MOVE_ROW(Slice, 5, infer_slice, gradient_slice, move_slice);
MI_MOVE_ROW(SliceGrad, 1, infer_slice_grad, gradient_slice_grad, move_slice_grad);
