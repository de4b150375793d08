/* Reductions over axes: attributes axes (or input 1), keepdims (1), noop_with_empty_axes (0). NaN in gives
 * NaN. */
#include "ops/ops.h"

static void reduced_shape(const struct mi_shape *in, uint32_t mask, bool keepdims, struct mi_shape *out)
{
    *out = (struct mi_shape){.rank = 0};
    for (int i = 0; i < in->rank; i++)
        if (!(mask >> i & 1))
            out->dim[out->rank++] = in->dim[i];
        else if (keepdims)
            out->dim[out->rank++] = mi_fixed(1);
}

static mica_status infer_kept(struct mi_node *node, uint32_t *mask)
{
    const int64_t *axes;
    int count;
    bool keepdims;
    struct mi_shape shape;
    MI_TRY(mi_fold_ints(node, 1, "axes", &axes, &count));
    mi_drop_inputs(node, 1);
    MI_TRY(mi_reduce_axes(node, mask, &keepdims));
    reduced_shape(&node->in[0]->shape, *mask, keepdims, &shape);
    for (int i = 0; i < node->outputs; i++)
        mi_infer_output(node, i, node->in[0]->type, &shape);
    return MICA_OK;
}

mica_status mi_infer_reduce(struct mi_node *node)
{
    uint32_t mask;
    MI_TRY(infer_kept(node, &mask));
    if (mask == 0)
        return mi_op_fail(node, MICA_UNSUPPORTED, "input %s: there is no axis to reduce",
                          mi_shape_text(&node->graph->arena, &node->in[0]->shape));
    return MICA_OK;
}

/* A reduction of ONNX's over no axes (noop_with_empty_axes) is the identity. */
static mica_status infer_onnx_reduce(struct mi_node *node)
{
    uint32_t mask;
    MI_TRY(infer_kept(node, &mask));
    if (mask == 0)
        node->op = &mi_op_Identity;
    return MICA_OK;
}

static mica_status infer_number_reduce(struct mi_node *node)
{
    MI_TRY(mi_number_type(node));
    return infer_onnx_reduce(node);
}

static mica_status infer_float_reduce(struct mi_node *node)
{
    MI_TRY(mi_float_type(node));
    return infer_onnx_reduce(node);
}

mi_value *mi_keepdims(struct mi_node *node, mi_value *dy)
{
    uint32_t mask;
    bool keepdims;
    struct mi_shape shape;
    if (!dy || mi_reduce_axes(node, &mask, &keepdims) != MICA_OK)
        return NULL;
    reduced_shape(&node->in[0]->shape, mask, true, &shape);
    return mi_reshape_to(node->graph, dy, &shape);
}

/* ---- Gradients ---- */

static mica_status gradient_sum(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    dx[0] = mi_expand_to(node->graph, mi_keepdims(node, dy[0]), &node->in[0]->shape);
    return node->graph->error.status;
}

/* The axes that a node reduces. */
static mica_status list_axes(const struct mi_node *node, int64_t axes[MI_MAX_RANK], int *count)
{
    uint32_t mask;
    bool keepdims;
    MI_TRY(mi_reduce_axes(node, &mask, &keepdims));
    for (int i = 0; i < node->in[0]->shape.rank; i++)
        if (mask >> i & 1)
            axes[(*count)++] = i;
    return MICA_OK;
}

/* The product of the others, which is the product by x; where one is 0, that of those that are not 0 for this one alone. */
static mica_status gradient_product(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    struct mi_graph *graph = node->graph;
    int64_t axes[MI_MAX_RANK];
    int count = 0;
    MI_TRY(list_axes(node, axes, &count));
    mi_value *x = node->in[0];
    mi_value *product = mi_reduce(graph, "ReduceProd", mi_op1(graph, "OneForZero", x), axes, count, true);
    mi_value *zeros = mi_reduce(graph, "ReduceSum", mi_op1(graph, "IsZero", x), axes, count, true);
    mi_value *others = mi_apply(graph, "ProductOfOthers", (mi_value *[]){x, product, zeros}, 3, NULL, 0);
    dx[0] = mi_op2(graph, "Mul", others, mi_keepdims(node, dy[0]));
    return graph->error.status;
}
MI_MAP_ROW(OneForZero, 1, NULL, .expr = {"x == 0 ? 1 : x"});
MI_MAP_ROW(IsZero, 1, NULL, .expr = {"x == 0 ? 1 : 0"});
MI_MAP_ROW(ProductOfOthers, 3, NULL, .expr = {"c == 0 ? b / a : c == 1 && a == 0 ? b : 0"});

mica_status mi_gradient_mean(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    uint32_t mask;
    bool keepdims;
    MI_TRY(mi_reduce_axes(node, &mask, &keepdims));
    mi_value *share = mi_divide_by_count(node->graph, mi_keepdims(node, dy[0]), &node->in[0]->shape, mask);
    dx[0] = mi_expand_to(node->graph, share, &node->in[0]->shape);
    return node->graph->error.status;
}

/* Elements that equal the extremum share its gradient evenly, as PyTorch's amax. */
mica_status mi_gradient_extremum(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    struct mi_graph *graph = node->graph;
    int64_t axes[MI_MAX_RANK];
    int count = 0;
    MI_TRY(list_axes(node, axes, &count));
    mi_value *equal = mi_op2(graph, "EqualShare", node->in[0], mi_keepdims(node, node->out[0]));
    mi_value *share = mi_op2(graph, "Div", mi_keepdims(node, dy[0]),
                             mi_reduce(graph, "ReduceSum", equal, axes, count, true));
    dx[0] = mi_op2(graph, "Mul", equal, share);
    return graph->error.status;
}
MI_MAP_ROW(EqualShare, 2, NULL, .expr = {"a == b ? 1 : 0"});

/* ---- Rows ---- */

#define REDUCE(id, inference, derivative, ...)                                               \
    const struct mi_op mi_op_##id = {.name = #id, .kind = MI_REDUCE, .min_inputs = 1,        \
        .max_inputs = 2, .outputs = 1, .infer = (inference), .gradient = (derivative),       \
        .reduce = &(const struct mi_reduce_rule){__VA_ARGS__}}

REDUCE(ReduceSum, infer_number_reduce, gradient_sum, .state = {"T"}, .init = "s0 = 0;", .step = "s0 += x;",
       .merge = "s0 += t0;", .finish = {"s0"});
/* The sum and the mean of the squares, which are nowhere stored. */
REDUCE(ReduceSquares, mi_infer_reduce, NULL, .state = {"T"}, .init = "s0 = 0;", .step = "s0 += x * x;", .merge = "s0 += t0;",
       .finish = {"s0"});
REDUCE(ReduceMeanSquare, infer_float_reduce, NULL, .state = {"T"}, .init = "s0 = 0;", .step = "s0 += x * x;",
       .merge = "s0 += t0;", .finish = {"s0 / count"});
REDUCE(ReduceMean, infer_float_reduce, mi_gradient_mean, .state = {"T"}, .init = "s0 = 0;",
       .step = "s0 += x;", .merge = "s0 += t0;", .finish = {"s0 / count"});
REDUCE(ReduceProd, infer_number_reduce, gradient_product, .state = {"T"}, .init = "s0 = 1;", .step = "s0 *= x;",
       .merge = "s0 *= t0;", .finish = {"s0"});
REDUCE(ReduceMax, infer_onnx_reduce, mi_gradient_extremum, .state = {"T"}, .init = "s0 = lowest;",
       .step = "s0 = x > s0 || x != x ? x : s0;", .merge = "s0 = t0 > s0 || t0 != t0 ? t0 : s0;",
       .finish = {"s0"});
/* The largest of those that are numbers, for operators that meet a NaN again by themselves: one instruction where ReduceMax takes
 * four. */
REDUCE(ReduceMaxNumber, infer_onnx_reduce, NULL, .state = {"T"}, .init = "s0 = lowest;", .step = "s0 = x > s0 ? x : s0;",
       .merge = "s0 = t0 > s0 ? t0 : s0;", .finish = {"s0"});
/* ReduceMax of floats: whether there was a NaN is noted apart, for two elements together where a compiler writes them out. */
REDUCE(ReduceMaxFloat, infer_float_reduce, NULL, .state = {"T", "int"}, .init = "s0 = lowest; s1 = 0;",
       .step = "s0 = x > s0 ? x : s0; s1 |= -(x != x);", .merge = "s0 = t0 > s0 ? t0 : s0; s1 |= t1;",
       .finish = {"s1 ? MICA_NAN : s0"});
REDUCE(ReduceMin, infer_onnx_reduce, mi_gradient_extremum, .state = {"T"}, .init = "s0 = highest;",
       .step = "s0 = x < s0 || x != x ? x : s0;", .merge = "s0 = t0 < s0 || t0 != t0 ? t0 : s0;",
       .finish = {"s0"});

/* ---- The place of the maximum ---- */

static mica_status infer_place(struct mi_node *node)
{
    MI_TRY(mi_infer_reduce(node));
    node->out[0]->type = MI_INT32;
    return MICA_OK;
}

/* Of 255 places at most: no place is 255. */
static mica_status infer_near_place(struct mi_node *node)
{
    MI_TRY(mi_infer_reduce(node));
    node->out[0]->type = MI_UINT8;
    return MICA_OK;
}

/* NaN counts as larger than every number. Among equals the first (last) place wins: a state meets its elements in the order of
 * their places, and states are merged in any order. Selects and no branches, so that lanes stay together. The first place
 * needs no sign of an empty state: where the largest is the least there is, so are all, and the first of them is 0. */
#define TAKE(condition, value, place)                                                        \
    "{ const int take = " condition "; s1 = take ? " place " : s1; s0 = take ? " value " : s0; }"
#define LARGER(value) "(!(" value " <= s0) & (s0 == s0))"
#define SAME "((t0 == s0) | ((t0 != t0) & (s0 != s0)))"
#define FIRST                                                                                \
    .state = {"T", "int"}, .init = "s0 = lowest; s1 = 0;", .step = TAKE(LARGER("x"), "x", "r"), \
    .merge = TAKE(LARGER("t0") " | (" SAME " & (t1 < s1))", "t0", "t1"), .finish = {"s1"}

/* The row-major place of the first (last) maximum among the elements of all reduced axes, int32; Near: uint8. */
REDUCE(ReduceArgMax, infer_place, NULL, FIRST);
REDUCE(ReduceArgMaxNear, infer_near_place, NULL, FIRST);
REDUCE(ReduceArgMaxLast, infer_place, NULL, .state = {"T", "int"}, .init = "s0 = lowest; s1 = -1;",
       .step = TAKE("(s1 < 0) | (x >= s0) | (x != x)", "x", "r"),
       .merge = TAKE("(t1 >= 0) & ((s1 < 0) | " LARGER("t0") " | (" SAME " & (t1 > s1)))", "t0", "t1"), .finish = {"s1"});

/* ArgMax: attributes axis (0), keepdims (1), select_last_index (0); int64. */
static mica_status infer_argmax(struct mi_node *node)
{
    int axis;
    struct mi_shape shape;
    MI_TRY(mi_axis(node, mi_attribute_int(node, "axis", 0), node->in[0]->shape.rank, &axis));
    MI_TRY(mi_set_attribute(node, MI_INT("axis", axis)));
    reduced_shape(&node->in[0]->shape, 1u << axis, mi_attribute_int(node, "keepdims", 1) != 0, &shape);
    mi_infer_output(node, 0, MI_INT64, &shape);
    return MICA_OK;
}

static mica_status lower_argmax(struct mi_node *node, mi_value **out)
{
    const char *op = mi_attribute_int(node, "select_last_index", 0) ? "ReduceArgMaxLast" : "ReduceArgMax";
    int64_t axis = mi_attribute_int(node, "axis", 0);
    mi_value *place =
        mi_reduce(node->graph, op, node->in[0], &axis, 1, mi_attribute_int(node, "keepdims", 1) != 0);
    out[0] = MI_APPLY(node->graph, "Cast", ((mi_value *[]){place}), MI_INT("to", MI_INT64));
    return node->graph->error.status;
}

MI_COMPOSITE_ROW(ArgMax, 1, 1, 1, infer_argmax, NULL, lower_argmax);
