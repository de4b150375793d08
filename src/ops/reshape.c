/* Moves that keep the row-major order of elements: Reshape, Flatten, Squeeze, Unsqueeze. */
#include "ops/ops.h"

/* ---- The index map ---- */

/* Dimensions of a shape without its ones. */
struct dims {
    int count, at[MI_MAX_RANK];
    struct mi_dim dim[MI_MAX_RANK];
};

static void gather_dims(const struct mi_shape *shape, struct dims *dims)
{
    dims->count = 0;
    for (int i = 0; i < shape->rank; i++)
        if (!mi_dim_is(shape->dim[i], 1)) {
            dims->at[dims->count] = i;
            dims->dim[dims->count++] = shape->dim[i];
        }
}

static bool span_product(const struct dims *dims, int first, int last, struct mi_dim *product)
{
    struct mi_shape shape = mi_shape_of(dims->count, dims->dim);
    return mi_shape_product(&shape, first, last, product);
}

/* The shortest prefixes from (i, j) whose products agree: only there one index must be computed from the
 * other. Sizes are compared for one large batch; where no prefixes agree, all that is left is one group. */
static void next_group(const struct dims *in, int i, const struct dims *out, int j, int *in_end, int *out_end)
{
    enum { PROBE = 10007 };
    int a = i + 1, b = j + 1;
    struct mi_dim pa, pb;
    while (a <= in->count && b <= out->count && span_product(in, i, a, &pa) && span_product(out, j, b, &pb)) {
        if (mi_dim_equal(pa, pb)) {
            *in_end = a;
            *out_end = b;
            return;
        }
        if (mi_dim_at(pa, PROBE) < mi_dim_at(pb, PROBE))
            a++;
        else
            b++;
    }
    *in_end = in->count;
    *out_end = out->count;
}

/* The number of elements of dims first..last-1 as a text. */
static const char *product_text(struct mi_arena *arena, const struct dims *dims, int first, int last)
{
    struct mi_dim product;
    if (span_product(dims, first, last, &product))
        return mi_dim_text(arena, product);
    const char *text = mi_dim_text(arena, dims->dim[first]);
    for (int i = first + 1; i < last; i++)
        text = mi_arena_format(arena, "%s * %s", text, mi_dim_text(arena, dims->dim[i]));
    return mi_arena_format(arena, "(%s)", text);
}

/* Row-major index of output coordinates first..last-1. */
static const char *linear_text(struct mi_arena *arena, const struct dims *out, int first, int last,
                               const char *const *index)
{
    const char *text = index[out->at[first]];
    for (int i = first + 1; i < last; i++)
        text = mi_arena_format(arena, "((%s) * %s + %s)", text, mi_dim_text(arena, out->dim[i]),
                               index[out->at[i]]);
    return text;
}

int mi_reshape_move(struct mi_arena *arena, const struct mi_node *node, const char *const *index,
                    struct mi_access *access)
{
    struct dims in, out;
    gather_dims(&node->in[0]->shape, &in);
    gather_dims(&node->out[0]->shape, &out);
    *access = (struct mi_access){.value = node->in[0]};
    for (int i = 0; i < node->in[0]->shape.rank; i++)
        access->index[i] = "0";
    for (int i = 0, j = 0, in_end, out_end; i < in.count && j < out.count; i = in_end, j = out_end) {
        next_group(&in, i, &out, j, &in_end, &out_end);
        const char *linear = linear_text(arena, &out, j, out_end, index);
        for (int k = i; k < in_end; k++) {
            const char *text = linear;
            if (k + 1 < in_end)
                text = mi_arena_format(arena, "((%s) / %s)", text, product_text(arena, &in, k + 1, in_end));
            if (k > i)
                text = mi_arena_format(arena, "((%s) %% %s)", text, mi_dim_text(arena, in.dim[k]));
            access->index[in.at[k]] = text;
        }
    }
    return 1;
}

mica_status mi_reshape_gradient(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    dx[0] = mi_reshape_to(node->graph, dy[0], &node->in[0]->shape);
    return node->graph->error.status;
}

#define RESHAPE(id, most, inference)                                                         \
    const struct mi_op mi_op_##id = {.name = #id, .kind = MI_MOVE, .min_inputs = 1,          \
        .max_inputs = (most), .outputs = 1, .infer = (inference),                            \
        .gradient = mi_reshape_gradient, .move = mi_reshape_move, .keeps_order = true}

/* ---- Reshape: shape as input 1 or attribute; 0 copies a dimension (unless allowzero), -1 is what is left
 * ---- */

static mica_status fail_reshape(struct mi_node *node, const struct mi_shape *target)
{
    return mi_op_fail(node, MICA_SHAPE, "input %s does not fit shape %s",
                      mi_shape_text(&node->graph->arena, &node->in[0]->shape),
                      mi_shape_text(&node->graph->arena, target));
}

/* Both shapes' products, with dimensions that vary matched one to one: at most one is left on either side. */
static bool same_count(const struct mi_shape *x, const struct mi_shape *y)
{
    struct mi_dim px, py;
    if (mi_shape_equal(x, y))
        return true;
    return mi_shape_product(x, 0, x->rank, &px) && mi_shape_product(y, 0, y->rank, &py) &&
           mi_dim_equal(px, py);
}

/* Fills the one unknown dimension so that the counts agree. */
static bool solve_dim(const struct mi_shape *in, struct mi_shape *out, int unknown)
{
    struct mi_dim total, rest;
    out->dim[unknown] = mi_fixed(1);
    if (!mi_shape_product(in, 0, in->rank, &total) || !mi_shape_product(out, 0, out->rank, &rest))
        return false;
    if (rest.a != 0 && rest.b == 0 && total.b == 0 && total.a % rest.a == 0) {
        out->dim[unknown] = mi_fixed(total.a / rest.a);
        return true;
    }
    if (rest.a != 0 || rest.b == 0 || total.a % rest.b != 0 || total.b % rest.b != 0)
        return false;
    out->dim[unknown] = (struct mi_dim){total.a / rest.b, total.b / rest.b};
    return true;
}

static mica_status target_shape(struct mi_node *node, const int64_t *sizes, int count, struct mi_shape *out,
                                int *unknown)
{
    const struct mi_shape *in = &node->in[0]->shape;
    bool allow_zero = mi_attribute_int(node, "allowzero", 0) != 0;
    *unknown = -1;
    if (count > MI_MAX_RANK)
        return mi_op_fail(node, MICA_SHAPE, "shape has %d dimensions, at most %d are possible", count,
                          MI_MAX_RANK);
    *out = (struct mi_shape){.rank = count};
    for (int i = 0; i < count; i++) {
        out->dim[i] = mi_fixed(sizes[i]);
        if (sizes[i] == 0 && !allow_zero && i >= in->rank)
            return mi_op_fail(node, MICA_SHAPE, "shape copies dimension %d, input has rank %d", i, in->rank);
        if (sizes[i] == 0 && !allow_zero)
            out->dim[i] = in->dim[i];
        if (sizes[i] == -1 && *unknown >= 0)
            return mi_op_fail(node, MICA_SHAPE, "dimensions %d and %d of shape are both -1", *unknown, i);
        if (sizes[i] == -1)
            *unknown = i;
        if (sizes[i] < -1)
            return mi_op_fail(node, MICA_SHAPE, "dimension %d of shape is %lld", i, (long long)sizes[i]);
    }
    return MICA_OK;
}

static mica_status infer_reshape(struct mi_node *node)
{
    const struct mi_shape *in = &node->in[0]->shape;
    struct mi_shape out;
    const int64_t *sizes;
    int count, unknown = -1;
    if (node->inputs > 1 || !mi_get_shape(node, &out)) {
        MI_TRY(mi_fold_ints(node, 1, "shape", &sizes, &count));
        if (!sizes)
            return mi_op_fail(node, MICA_INVALID_ARGUMENT, "shape is missing");
        MI_TRY(target_shape(node, sizes, count, &out, &unknown));
    }
    mi_drop_inputs(node, 1);
    if (unknown >= 0 && !solve_dim(in, &out, unknown)) {
        out.dim[unknown] = mi_fixed(-1);
        return fail_reshape(node, &out);
    }
    if (!same_count(in, &out))
        return fail_reshape(node, &out);
    mi_infer_output(node, 0, node->in[0]->type, &out);
    return mi_set_shape(node, &out);
}
RESHAPE(Reshape, 2, infer_reshape);

/* ---- Flatten: attribute axis (1); (d0 * ... * d(axis-1), the rest) ---- */

static mica_status infer_flatten(struct mi_node *node)
{
    const struct mi_shape *in = &node->in[0]->shape;
    struct mi_shape out = {.rank = 2};
    int64_t axis = mi_attribute_int(node, "axis", 1);
    if (axis < -in->rank || axis > in->rank)
        return mi_op_fail(node, MICA_SHAPE, "axis is %lld, input has rank %d", (long long)axis, in->rank);
    int split = (int)(axis < 0 ? axis + in->rank : axis);
    if (!mi_shape_product(in, 0, split, &out.dim[0]) || !mi_shape_product(in, split, in->rank, &out.dim[1]))
        return mi_op_fail(node, MICA_UNSUPPORTED, "two dimensions of %s vary with the batch",
                          mi_shape_text(&node->graph->arena, in));
    mi_infer_output(node, 0, node->in[0]->type, &out);
    return MICA_OK;
}
RESHAPE(Flatten, 1, infer_flatten);

/* ---- Squeeze and Unsqueeze: axes as input 1 or attribute ---- */

static mica_status axes_mask(struct mi_node *node, int rank, uint32_t *mask, bool *given)
{
    const int64_t *axes;
    int count, axis;
    MI_TRY(mi_fold_ints(node, 1, "axes", &axes, &count));
    mi_drop_inputs(node, 1);
    *mask = 0;
    *given = axes != NULL;
    for (int i = 0; i < count; i++) {
        MI_TRY(mi_axis(node, axes[i], rank, &axis));
        if (*mask >> axis & 1)
            return mi_op_fail(node, MICA_INVALID_ARGUMENT, "axis %d is named twice", axis);
        *mask |= 1u << axis;
    }
    return MICA_OK;
}

static mica_status infer_squeeze(struct mi_node *node)
{
    const struct mi_shape *in = &node->in[0]->shape;
    struct mi_shape out = {.rank = 0};
    uint32_t mask;
    bool given;
    MI_TRY(axes_mask(node, in->rank, &mask, &given));
    for (int i = 0; i < in->rank; i++) {
        bool one = mi_dim_is(in->dim[i], 1), named = mask >> i & 1;
        if (named && !one)
            return mi_op_fail(node, MICA_SHAPE, "axis %d of %s has size %s, not 1", i,
                              mi_shape_text(&node->graph->arena, in),
                              mi_dim_text(&node->graph->arena, in->dim[i]));
        if (given ? !named : !one)
            out.dim[out.rank++] = in->dim[i];
    }
    mi_infer_output(node, 0, node->in[0]->type, &out);
    return MICA_OK;
}
RESHAPE(Squeeze, 2, infer_squeeze);

static mica_status infer_unsqueeze(struct mi_node *node)
{
    const struct mi_shape *in = &node->in[0]->shape;
    const int64_t *axes;
    int count, next = 0;
    uint32_t mask;
    bool given;
    MI_TRY(mi_fold_ints(node, 1, "axes", &axes, &count));
    if (in->rank + count > MI_MAX_RANK)
        return mi_op_fail(node, MICA_SHAPE, "rank %d and %d new axes: at most %d are possible", in->rank,
                          count, MI_MAX_RANK);
    struct mi_shape out = {.rank = in->rank + count};
    MI_TRY(axes_mask(node, out.rank, &mask, &given));
    for (int i = 0; i < out.rank; i++)
        out.dim[i] = mask >> i & 1 ? mi_fixed(1) : in->dim[next++];
    mi_infer_output(node, 0, node->in[0]->type, &out);
    return MICA_OK;
}
RESHAPE(Unsqueeze, 2, infer_unsqueeze);
