/* Arithmetic, element by element. Integers and floats alike unless a row asks for floats. */
#include "ops/ops.h"

#include <float.h>

static mica_status infer_same(struct mi_node *node)
{
    MI_TRY(mi_number_types(node));
    return mi_infer_broadcast(node, node->in[0]->type);
}

MI_MAP_ROW(Add, 2, infer_same, .expr = {"a + b"}, .grad = {"g", "g"}, .affine = true);
MI_MAP_ROW(Sub, 2, infer_same, .expr = {"a - b"}, .grad = {"g", "-g"}, .affine = true);
MI_MAP_ROW(Mul, 2, infer_same, .expr = {"a * b"}, .grad = {"g * b", "g * a"}, .affine = true);
MI_MAP_ROW(Div, 2, infer_same, .expr = {"a / b"}, .grad = {"g / b", "-g * y / b"}, .affine = true);
MI_MAP_ROW(Neg, 1, infer_same, .expr = {"-x"}, .grad = {"-g"}, .affine = true);
/* Not by a choice: for integers compilers make an intrinsic of that, which Oclgrind does not know. + 0: no negative zero. */
MI_MAP_ROW(Abs, 1, infer_same, .expr = {"x*((x > 0) - (x < 0)) + 0"}, .grad = {"x > 0 ? g : x < 0 ? -g : 0 * x"});
MI_MAP_ROW(Sign, 1, infer_same, .expr = {"x > 0 ? 1 : x < 0 ? -1 : x"});
MI_MAP_ROW(Identity, 1, NULL, .expr = {"x"}, .grad = {"g"});
MI_MAP_ROW(StopGradient, 1, NULL, .expr = {"x"});

/* NaN in either is NaN; the gradient of a tie is shared, as in PyTorch. */
MI_MAP_ROW(Min, 2, infer_same, .expr = {"a < b || a != a ? a : b"},
           .grad = {"a < b ? g : a == b ? 0.5f * g : 0", "b < a ? g : a == b ? 0.5f * g : 0"});
MI_MAP_ROW(Max, 2, infer_same, .expr = {"a > b || a != a ? a : b"},
           .grad = {"a > b ? g : a == b ? 0.5f * g : 0", "b > a ? g : a == b ? 0.5f * g : 0"});

/* A slope for each place, or one that is broadcast. */
MI_MAP_ROW(PRelu, 2, mi_infer_float_map, .expr = {"a < 0 ? b * a : a"}, .grad = {"a < 0 ? b * g : g", "a < 0 ? a * g : 0"});

MI_MAP_ROW(Exp, 1, mi_infer_float_map, .expr = {"exp(x)"}, .grad = {"g * y"});
MI_MAP_ROW(Log, 1, mi_infer_float_map, .expr = {"log(x)"}, .grad = {"g / x"});
MI_MAP_ROW(Sqrt, 1, mi_infer_float_map, .expr = {"sqrt(x)"}, .grad = {"0.5f * g / y"});
MI_MAP_ROW(Reciprocal, 1, mi_infer_float_map, .expr = {"1.0f / x"}, .grad = {"-g * y * y"});
MI_MAP_ROW(Sin, 1, mi_infer_float_map, .expr = {"sin(x)"}, .grad = {"g * cos(x)"});
MI_MAP_ROW(Cos, 1, mi_infer_float_map, .expr = {"cos(x)"}, .grad = {"-g * sin(x)"});
MI_MAP_ROW(Erf, 1, mi_infer_float_map, .expr = {"erf(x)"}, .grad = {"g * 1.1283791670955126f * exp(-x * x)"});
MI_MAP_ROW(Floor, 1, mi_infer_float_map, .expr = {"floor(x)"});
MI_MAP_ROW(Ceil, 1, mi_infer_float_map, .expr = {"ceil(x)"});
MI_MAP_ROW(Round, 1, mi_infer_float_map, .expr = {"rint(x)"});
/* At a = 0 the gradient by the exponent is 0 where b >= 0. */
MI_MAP_ROW(Pow, 2, mi_infer_float_map, .expr = {"pow(a, b)"},
           .grad = {"b == 0 ? 0 : g * b * pow(a, b - 1.0f)", "a == 0 && b >= 0 ? 0 : g * y * log(a)"});

/* ---- Clip: min and max as constant inputs 1 and 2 or attributes (no bound); max where min is above it ---- */

static mica_status read_bound(struct mi_node *node, int input, const char *name, float otherwise)
{
    float value;
    if (node->inputs <= input || !node->in[input])
        return mi_default_float(node, name, otherwise);
    if (!mi_constant_float(node->in[input], &value))
        return mi_op_fail(node, MICA_UNSUPPORTED, "%s (input %d) must be a constant of float32", name, input);
    return mi_set_attribute(node, MI_REAL(name, value));
}

static mica_status infer_clip(struct mi_node *node)
{
    MI_TRY(read_bound(node, 1, "min", -FLT_MAX));
    MI_TRY(read_bound(node, 2, "max", FLT_MAX));
    mi_drop_inputs(node, 1);
    return mi_infer_float_map(node);
}

const struct mi_op mi_op_Clip = {
    .name = "Clip", .kind = MI_MAP, .min_inputs = 1, .max_inputs = 3, .outputs = 1, .infer = infer_clip,
    .map = &(const struct mi_map_rule){.expr = {"(x < min ? min : x) > max ? max : (x < min ? min : x)"},
                                       .grad = {"x < min || x > max ? 0 : g"}}};

/* ---- The number of elements of a mean, and coordinates ---- */

static mica_status infer_divide_by_count(struct mi_node *node)
{
    MI_TRY(mi_default_int(node, "per_n", 0));
    MI_TRY(mi_default_int(node, "fixed", 1));
    return mi_infer_float_map(node);
}
MI_MAP_ROW(DivideByCount, 1, infer_divide_by_count, .expr = {"x / (float)(per_n * n + fixed)"},
           .grad = {"g / (float)(per_n * n + fixed)"});

/* What a regularizer adds to the loss for each element. */
static mica_status infer_size_penalty(struct mi_node *node)
{
    MI_TRY(mi_default_float(node, "l1", 0));
    MI_TRY(mi_default_float(node, "l2", 0));
    return mi_infer_float_map(node);
}
MI_MAP_ROW(SizePenalty, 1, infer_size_penalty, .expr = {"l1 * fabs(x) + l2 * x * x"},
           .grad = {"g * ((x > 0 ? l1 : x < 0 ? -l1 : 0) + 2.0f * l2 * x)"});

static mica_status infer_index(struct mi_node *node)
{
    int axis;
    const struct mi_shape *shape = &node->in[0]->shape;
    MI_TRY(mi_axis(node, mi_attribute_int(node, "axis", 0), shape->rank, &axis));
    struct mi_dim inner;
    if (!mi_shape_product(shape, axis + 1, shape->rank, &inner) || inner.a != 0 ||
        (axis > 0 && shape->dim[axis].a != 0))
        return mi_op_fail(node, MICA_UNSUPPORTED,
                          "axis %d of shape %s: only the first axis may vary with the batch", axis,
                          mi_shape_text(&node->graph->arena, shape));
    MI_TRY(mi_set_attribute(node, MI_INT("inner", inner.b ? inner.b : 1)));
    MI_TRY(mi_set_attribute(node,
                            MI_INT("size", axis > 0 && shape->dim[axis].b ? shape->dim[axis].b : INT32_MAX)));
    mi_infer_output(node, 0, MI_INT32, shape);
    return MICA_OK;
}
MI_MAP_ROW(Index, 1, infer_index, .expr = {"(int)((index / inner) % size)"});
