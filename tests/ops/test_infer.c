/* Shapes and errors of the rows, without a device. */
#include "support/network.h"
#include "support/ops.h"

#include <stdio.h>
#include <string.h>

#define LIST(name, ...) MI_INTS(name, ((int64_t[]){__VA_ARGS__}), (int)MI_COUNT(((int64_t[]){__VA_ARGS__})))

struct infer_case {
    const char *op;
    struct op_input in[OP_INPUTS];
    struct mi_attribute attribute[OP_ATTRIBUTES];
    const char *expected; /* a shape, "(n, 3)", or an error */
};

static void check(const struct infer_case *c)
{
    struct mi_variables variables = {0};
    struct mi_graph *graph = mi_graph_create(mi_ops, &variables);
    mi_value *in[OP_INPUTS];
    int inputs = 0, attributes = 0;
    char name[16];
    assert_non_null(graph);
    for (; inputs < OP_INPUTS && c->in[inputs].shape; inputs++) {
        struct mi_shape shape = network_shape(c->in[inputs].shape);
        snprintf(name, sizeof name, "x%d", inputs);
        in[inputs] = mi_input(graph, name, c->in[inputs].type, &shape);
    }
    while (attributes < OP_ATTRIBUTES && c->attribute[attributes].name)
        attributes++;
    graph->scope = "here";
    mi_value *y = mi_apply(graph, c->op, in, inputs, c->attribute, attributes);
    const char *got = y ? mi_shape_text(&graph->arena, &y->shape) : graph->error.text;
    if (strcmp(got, c->expected) != 0)
        fail_msg("%s: got %s, expected %s", c->op, got, c->expected);
    mi_graph_destroy(graph);
    mi_variables_destroy(&variables);
}

static void check_all(const struct infer_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check(&cases[i]);
}

static const int64_t one_each[] = {1, 1};

static void test_shapes(void **state)
{
    (void)state;
    const struct infer_case cases[] = {
        {"Add", {IN("n 3 1"), IN("4")}, {{0}}, "(n, 3, 4)"},
        {"Gemm", {IN("n 5"), IN("7 5"), IN("7")}, {MI_INT("transB", 1)}, "(n, 7)"},
        {"MatMul", {IN("3 1 5 4"), IN("n 4 6")}, {{0}}, "(3, n, 5, 6)"},
        {"Conv",
         {IN("n 3 28 28"), IN("8 3 3 3")},
         {MI_TEXT("auto_pad", "SAME_UPPER"), LIST("strides", 2, 2)},
         "(n, 8, 14, 14)"},
        {"Conv", {IN("n 3 28 28"), IN("8 3 3 3")}, {LIST("dilations", 2, 2)}, "(n, 8, 24, 24)"},
        {"ConvTranspose", {IN("n 3 7 5"), IN("3 4 3 2")}, {LIST("strides", 2, 3), MI_INT("group", 1)}, "(n, 4, 15, 14)"},
        {"ConvTranspose", {IN("n 4 7"), IN("4 3 3")},
         {LIST("strides", 2), LIST("pads", 1, 1), LIST("output_padding", 1), MI_INT("group", 2)}, "(n, 6, 14)"},
        {"ConvTranspose", {IN("n 4 7"), IN("4 3 5")}, {LIST("strides", 2), MI_TEXT("auto_pad", "SAME_UPPER")}, "(n, 3, 14)"},
        {"AdaptiveMaxPool", {IN("n 3 7 5")}, {LIST("output_size", 2, 9)}, "(n, 3, 2, 9)"},
        {"MaxPool", {IN("n 3 7 7")}, {LIST("kernel_shape", 2, 2), LIST("strides", 2, 2)}, "(n, 3, 3, 3)"},
        {"MaxPool",
         {IN("n 3 7 7")},
         {LIST("kernel_shape", 2, 2), LIST("strides", 2, 2), MI_INT("ceil_mode", 1)},
         "(n, 3, 4, 4)"},
        {"GlobalAveragePool", {IN("n 3 7 7")}, {{0}}, "(n, 3, 1, 1)"},
        {"Flatten", {IN("n 3 4 5")}, {{0}}, "(n, 60)"},
        {"Reshape", {IN("n 3 4")}, {LIST("shape", -1, 6)}, "((2*n), 6)"},
        {"Concat", {IN("n 3"), IN("5 3"), IN("n 3")}, {MI_INT("axis", 0)}, "((2*n + 5), 3)"},
        {"Gather", {IN("10 4"), INTEGERS("n 7", 0, 9)}, {{0}}, "(n, 7, 4)"},
        {"ReduceSum", {IN("n 3 4")}, {LIST("axes", 1), MI_INT("keepdims", 0)}, "(n, 4)"},
        {"Slice",
         {IN("n 10")},
         {LIST("starts", -1), LIST("ends", INT64_MIN), LIST("axes", 1), LIST("steps", -3)},
         "(n, 4)"},
        {"SoftmaxCrossEntropyLoss", {IN("n 10"), INTEGERS("n", 0, 9)}, {{0}}, "()"},
    };
    check_all(cases, MI_COUNT(cases));
}

static void test_errors(void **state)
{
    (void)state;
    const struct infer_case cases[] = {
        {"Add", {IN("n 3"), IN("4")}, {{0}}, "Add \"here\": shapes (n, 3) and (4) do not broadcast"},
        {"Add",
         {IN("n 3"), INTEGERS("3", 0, 1)},
         {{0}},
         "Add \"here\": input 0 has type float32, input 1 has type int32: Cast makes them one"},
        {"Add", {BOOLS("3"), BOOLS("3")}, {{0}}, "Add \"here\": input has type bool, it must be numbers: Cast makes them"},
        {"ReduceSum", {BOOLS("3")}, {{0}}, "ReduceSum \"here\": input has type bool, it must be numbers: Cast makes them"},
        {"Pad", {{.shape = "3", .type = MI_UINT8}}, {MI_INTS("pads", one_each, 2), MI_REAL("constant_value", 300.7f)},
         "Pad \"here\": constant_value is 300.7, which is no uint8"},
        {"Exp",
         {INTEGERS("3", 0, 1)},
         {{0}},
         "Exp \"here\": input has type int32, it must be one of floating point"},
        {"Elu", {IN("n")}, {MI_REAL("alpha", -1)}, "Elu \"here\": alpha is -1, it must be at least 0"},
        {"MatMul",
         {IN("n 3"), IN("4 5")},
         {{0}},
         "MatMul \"here\": inputs (n, 3) and (4, 5): 3 columns meet 4 rows"},
        {"Gemm",
         {IN("n 3"), IN("3 5"), IN("4")},
         {{0}},
         "Gemm \"here\": input C has shape (4), product has (n, 5)"},
        {"Conv",
         {IN("n 3 8 8"), IN("5 16 3 3")},
         {{0}},
         "Conv \"here\": input has 3 channels, weight expects 16"},
        {"Conv",
         {IN("n 3 2 8"), IN("5 3 3 3")},
         {{0}},
         "Conv \"here\": window spans 3 places, input has 2 with padding"},
        {"Conv",
         {IN("n 4 8 8"), IN("5 2 3 3")},
         {MI_INT("group", 2)},
         "Conv \"here\": 5 filters do not divide into 2 groups"},
        {"Conv",
         {IN("n 3 8 8"), IN("5 3 3 3"), IN("4")},
         {{0}},
         "Conv \"here\": bias has shape (4), weight has 5 filters"},
        {"ConvTranspose", {IN("n 3 7"), IN("4 2 3")}, {{0}}, "ConvTranspose \"here\": input has 3 channels, weight expects 4"},
        {"ConvTranspose", {IN("n 3 7"), IN("3 2 3")}, {MI_INT("group", 2)},
         "ConvTranspose \"here\": 3 channels do not divide into 2 groups"},
        {"ConvTranspose", {IN("n 3 7"), IN("3 2 3")}, {LIST("output_padding", 1)},
         "ConvTranspose \"here\": output_padding holds 1, it must be below the stride of 1"},
        {"ConvTranspose", {IN("n 3 1"), IN("3 2 3")}, {LIST("pads", 2, 1)},
         "ConvTranspose \"here\": axis 2 of the result would have 0 places"},
        {"AdaptiveMaxPool", {IN("n 3 7")}, {LIST("output_size", 2, 2)},
         "AdaptiveMaxPool \"here\": output_size has 2 values, input has rank 3"},
        {"AdaptiveAveragePool", {IN("n 3 8")}, {LIST("output_size", 268435455)},
         "AdaptiveAveragePool \"here\": output_size holds 268435455, for an input of 8 it must be 1 to 268435454"},
        {"Conv",
         {IN("n 3 8 8"), IN("5 3 3 3")},
         {LIST("strides", 1)},
         "Conv \"here\": strides has 1 values, 2 are needed"},
        {"Conv",
         {IN("n 3 8 8"), IN("5 3 3 3")},
         {LIST("strides", 0, 1)},
         "Conv \"here\": strides holds 0, it must be 1 to 2147483647"},
        {"MaxPool", {IN("n 3 8 8")}, {{0}}, "MaxPool \"here\": attribute kernel_shape is missing"},
        {"Reshape",
         {IN("n 3")},
         {LIST("shape", 0, 4)},
         "Reshape \"here\": input (n, 3) does not fit shape (n, 4)"},
        {"Reshape",
         {IN("n 3")},
         {LIST("shape", -1, -1)},
         "Reshape \"here\": dimensions 0 and 1 of shape are both -1"},
        {"Transpose",
         {IN("n 3")},
         {LIST("perm", 0, 0)},
         "Transpose \"here\": perm holds 0, it must name each axis once"},
        {"Concat",
         {IN("n 3"), IN("n 4")},
         {MI_INT("axis", 0)},
         "Concat \"here\": input 0 has shape (n, 3), input 1 has shape (n, 4)"},
        {"Squeeze", {IN("n 3")}, {LIST("axes", 1)}, "Squeeze \"here\": axis 1 of (n, 3) has size 3, not 1"},
        {"Gather",
         {IN("5"), IN("n")},
         {{0}},
         "Gather \"here\": indices have type float32, they must be integers"},
        {"ReduceArgMax", {IN("")}, {{0}}, "ReduceArgMax \"here\": input (): there is no axis to reduce"},
        {"Softmax", {IN("n 3")}, {MI_INT("axis", 2)}, "Softmax \"here\": axis is 2, input has rank 2"},
        {"Dropout",
         {IN("n 3")},
         {MI_REAL("rate", 1)},
         "Dropout \"here\": rate is 1, it must be at least 0 and below 1"},
        {"BatchNormalization",
         {IN("n 3"), IN("3"), IN("4"), IN("3"), IN("3")},
         {{0}},
         "BatchNormalization \"here\": input has 3 channels, bias has shape (4)"},
        {"SpectralNorm", {IN("3 4 1"), IN("3"), IN("4")}, {{0}}, "SpectralNorm \"here\": w has rank 3, it must be a matrix"},
        {"SpectralNorm", {IN("3 4"), IN("4"), IN("4")}, {{0}}, "SpectralNorm \"here\": w has shape (3, 4), u has shape (4)"},
        {"SoftmaxCrossEntropyLoss",
         {IN("n 3"), INTEGERS("n 3", 0, 2)},
         {{0}},
         "SoftmaxCrossEntropyLoss \"here\": scores (n, 3) and labels (n, 3) do not fit together"},
        {"AdamUpdate",
         {IN("3"), IN("3"), IN("3"), IN("4")},
         {{0}},
         "AdamUpdate \"here\": parameter has shape (3), input 3 has (4)"},
        {"Slice",
         {IN("n 3")},
         {LIST("starts", 0), LIST("ends", 2)},
         "Slice \"here\": axis 0 has size n, it can only be taken whole"},
    };
    check_all(cases, MI_COUNT(cases));
}

/* Inputs that are constants become attributes, so no kernel sees them. */
static void test_constants_fold(void **state)
{
    (void)state;
    struct mi_variables variables = {0};
    struct mi_graph *graph = mi_graph_create(mi_ops, &variables);
    struct mi_shape shape = network_shape("n 12");
    mi_value *x = mi_input(graph, "x", MI_FLOAT, &shape);
    mi_value *y = mi_op2(graph, "Reshape", x, mi_ints(graph, (int64_t[]){0, 3, 4}, 3));
    mi_value *z = mi_apply(graph, "Clip", (mi_value *[]){y, mi_scalar(graph, -1), mi_scalar(graph, 2)}, 3, NULL, 0);
    mi_value *s = mi_op2(graph, "ReduceSum", z, mi_ints(graph, (int64_t[]){-1}, 1));
    assert_non_null(s);
    assert_int_equal(y->node->inputs, 1);
    assert_int_equal(z->node->inputs, 1);
    assert_int_equal(s->node->inputs, 1);
    assert_string_equal(mi_shape_text(&graph->arena, &s->shape), "(n, 3, 1)");
    assert_true(mi_attribute_float(z->node, "max", 0) > 1.5f);
    assert_null(mi_op2(graph, "Reshape", x, x));
    assert_string_equal(graph->error.text,
                        "Reshape \"Reshape\": shape (input 1) must be a constant of int64");
    mi_graph_destroy(graph);
    mi_variables_destroy(&variables);
}

/* Every row is complete for its kind, and no name stands twice. */
static void test_table(void **state)
{
    (void)state;
    for (const struct mi_op *const *op = mi_ops; *op; op++) {
        const struct mi_op *row = *op;
        if (mi_op_find(mi_ops, row->name) != row)
            fail_msg("two rows have the name %s", row->name);
        bool complete =
            row->kind == MI_SOURCE || row == &mi_op_derivative || (row->kind == MI_MAP && row->map) ||
            (row->kind == MI_REDUCE && row->reduce) || (row->kind == MI_CONTRACT && row->contract) ||
            ((row->kind == MI_MOVE || row->kind == MI_INDEXED) && row->move) ||
            (row->kind == MI_OWN && row->own && row->items) || (row->kind == MI_COMPOSITE && row->lower);
        if (!complete)
            fail_msg("row %s lacks the rule of its kind", row->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_constants_fold),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests_name("infer", tests, NULL, NULL);
}
