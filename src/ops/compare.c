/* Comparisons, logic, choice and conversion, element by element. Truth values are bool: 0 or 1. */
#include "ops/ops.h"

#include <string.h>

static mica_status infer_comparison(struct mi_node *node)
{
    MI_TRY(mi_same_types(node));
    return mi_infer_broadcast(node, MI_BOOL);
}

static mica_status infer_logic(struct mi_node *node)
{
    if (node->in[0]->type != MI_BOOL)
        return mi_op_fail(node, MICA_INVALID_ARGUMENT, "input has type %s, it must be bool",
                          mi_types[node->in[0]->type].name);
    return infer_comparison(node);
}

MI_MAP_ROW(Equal, 2, infer_comparison, .expr = {"a == b"});
MI_MAP_ROW(Greater, 2, infer_comparison, .expr = {"a > b"});
MI_MAP_ROW(Less, 2, infer_comparison, .expr = {"a < b"});
MI_MAP_ROW(GreaterOrEqual, 2, infer_comparison, .expr = {"a >= b"});
MI_MAP_ROW(LessOrEqual, 2, infer_comparison, .expr = {"a <= b"});
MI_MAP_ROW(And, 2, infer_logic, .expr = {"a && b"});
MI_MAP_ROW(Or, 2, infer_logic, .expr = {"a || b"});
MI_MAP_ROW(Not, 1, infer_logic, .expr = {"!x"});

static mica_status infer_where(struct mi_node *node)
{
    if (node->in[0]->type != MI_BOOL)
        return mi_op_fail(node, MICA_INVALID_ARGUMENT, "condition has type %s, it must be bool",
                          mi_types[node->in[0]->type].name);
    if (node->in[1]->type != node->in[2]->type)
        return mi_op_fail(node, MICA_INVALID_ARGUMENT, "input 1 has type %s, input 2 has type %s",
                          mi_types[node->in[1]->type].name, mi_types[node->in[2]->type].name);
    return mi_infer_broadcast(node, node->in[1]->type);
}
MI_MAP_ROW(Where, 3, infer_where, .expr = {"a ? b : c"}, .grad = {NULL, "a ? g : 0", "a ? 0 : g"});

/* Heaviside's function with 0 at 0; its derivative is 0 wherever it has one. */
MI_MAP_ROW(Step, 1, NULL, .expr = {"x > 0 ? 1 : x != x ? x : 0"});

static mica_status fail_cast(const struct mi_node *node, const char *name)
{
    const char *names[MI_TYPES + 1];
    mi_type_names(names);
    if (!name)
        return mi_op_fail(node, MICA_INVALID_ARGUMENT, "attribute to is missing%s", mi_list(names).text);
    return mi_op_fail(node, MICA_INVALID_ARGUMENT, "there is no type \"%s\"%s", mi_show(name).text, mi_advise(name, names).text);
}

static const struct mi_op cast_to_bool, cast_to_float16, cast_to_bfloat16, double_to_float16, double_to_bfloat16;

/* Attribute `to`: a type's name, or its number in enum mi_type, which is what is written back. To integers floats are cut towards
 * zero; bool is whether x differs from 0; float16 and bfloat16 are rounded here, as a value in a register is a float. */
static mica_status infer_cast(struct mi_node *node)
{
    const char *name = mi_attribute_text(node, "to", NULL);
    int64_t to = name ? mi_type_named(name) : mi_attribute_int(node, "to", MI_TYPES);
    if (to < 0 || to >= MI_TYPES)
        return fail_cast(node, name);
    MI_TRY(mi_set_attribute(node, MI_INT("to", to)));
    if (to == node->in[0]->type)
        node->op = &mi_op_Identity;
    else if (to == MI_BOOL)
        node->op = &cast_to_bool;
    else if ((to == MI_HALF || to == MI_BFLOAT16) && node->in[0]->type == MI_DOUBLE)
        node->op = to == MI_HALF ? &double_to_float16 : &double_to_bfloat16;
    else if (to == MI_HALF || to == MI_BFLOAT16)
        node->op = to == MI_HALF ? &cast_to_float16 : &cast_to_bfloat16;
    mi_infer_output(node, 0, (enum mi_type)to, &node->in[0]->shape);
    return MICA_OK;
}

static mica_status gradient_cast(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    enum mi_type from = node->in[0]->type;
    if (!mi_is_float(from) || !mi_is_float(node->out[0]->type))
        dx[0] = NULL;
    else
        dx[0] = MI_APPLY(node->graph, "Cast", ((mi_value *[]){dy[0]}), MI_INT("to", from));
    return node->graph->error.status;
}

#define CAST(expression)                                                                     \
    {.name = "Cast", .kind = MI_MAP, .min_inputs = 1, .max_inputs = 1, .outputs = 1, .infer = infer_cast, \
     .gradient = gradient_cast, .map = &(const struct mi_map_rule){.expr = {expression}}}
const struct mi_op mi_op_Cast = CAST("x");
static const struct mi_op cast_to_bool = CAST("x != 0"), cast_to_float16 = CAST("mica_as_float16(x)"),
                          cast_to_bfloat16 = CAST("mica_as_bfloat16(x)"),
                          double_to_float16 = CAST("mica_as_float16(mica_double_to_odd(x))"),
                          double_to_bfloat16 = CAST("mica_as_bfloat16(mica_double_to_odd(x))");
