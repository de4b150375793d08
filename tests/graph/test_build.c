/* Building, copying, lowering and simplifying graphs. */
#include "compile/rewrite/rewrite.h"
#include "plan/inside.h"
#include "support/network.h"

#include <stdlib.h>
#include <string.h>

struct made {
    struct mi_variables variables;
    struct mi_graph *graph;
};

static int begin(void **state)
{
    struct made *made = mi_new(1, sizeof *made);
    assert_non_null(made);
    made->graph = mi_graph_create(mi_ops, &made->variables);
    assert_non_null(made->graph);
    *state = made;
    return 0;
}

static int end(void **state)
{
    struct made *made = *state;
    mi_graph_destroy(made->graph);
    mi_variables_destroy(&made->variables);
    free(made);
    return 0;
}

static mi_value *input(struct made *made, const char *name, const char *shape)
{
    struct mi_shape sizes = network_shape(shape);
    return mi_input(made->graph, name, MI_FLOAT, &sizes);
}

static int count_of(const struct mi_graph *graph, const char *op)
{
    int count = 0;
    for (size_t i = 0; i < graph->node_count; i++)
        count += strcmp(graph->nodes[i]->op->name, op) == 0;
    return count;
}

/* ---- Errors ---- */

static void assert_error(const struct made *made, mica_status status, const char *const *parts)
{
    assert_int_equal(made->graph->error.status, status);
    assert_null(strchr(made->graph->error.text, '\n'));
    for (; *parts; parts++)
        if (!strstr(made->graph->error.text, *parts))
            fail_msg("\"%s\" is not in: %s", *parts, made->graph->error.text);
}
#define ASSERT_ERROR(made, status, ...) assert_error(made, status, (const char *const[]){__VA_ARGS__, NULL})

static void test_first_error_stays(void **state)
{
    struct made *made = *state;
    mi_value *x = input(made, "x", "n 3"), *y = input(made, "y", "n 4");
    made->graph->scope = "join";
    mi_value *sum = mi_op2(made->graph, "Add", x, y);
    assert_null(sum);
    ASSERT_ERROR(made, MICA_SHAPE, "Add \"join\"", "(n, 3)", "(n, 4)");
    assert_null(mi_op1(made->graph, "NoSuchOperator", x));
    assert_null(mi_op1(made->graph, "Relu", sum)); /* NULL passes */
    assert_null(mi_output(made->graph, "z", sum));
    ASSERT_ERROR(made, MICA_SHAPE, "Add \"join\"");
}

static void test_unknown_operator(void **state)
{
    struct made *made = *state;
    assert_null(mi_op1(made->graph, "Relux", input(made, "x", "n")));
    ASSERT_ERROR(made, MICA_UNSUPPORTED, "Relux");
}

static void test_number_of_inputs(void **state)
{
    struct made *made = *state;
    assert_null(mi_op1(made->graph, "Add", input(made, "x", "n")));
    ASSERT_ERROR(made, MICA_INVALID_ARGUMENT, "Add", "2", "1");
}

static void test_null_is_no_error(void **state)
{
    struct made *made = *state;
    assert_null(mi_op2(made->graph, "Add", input(made, "x", "n"), NULL));
    assert_null(mi_variable(made->graph, NULL));
    assert_null(mi_output(made->graph, "y", NULL));
    assert_false(mi_assign(made->graph, NULL, NULL));
    assert_int_equal(made->graph->error.status, MICA_OK);
}

static void test_names_are_unique(void **state)
{
    struct made *made = *state;
    assert_non_null(input(made, "x", "n"));
    assert_null(input(made, "x", "n"));
    ASSERT_ERROR(made, MICA_INVALID_ARGUMENT, "\"x\"");
}

static void test_output_names_are_unique(void **state)
{
    struct made *made = *state;
    mi_value *x = input(made, "x", "n");
    assert_ptr_equal(mi_output(made->graph, "y", x), x);
    assert_ptr_equal(mi_output(made->graph, "again", x), x); /* one tensor, two outputs */
    assert_null(mi_output(made->graph, "y", x));
    ASSERT_ERROR(made, MICA_INVALID_ARGUMENT, "\"y\"");
}

static void test_variables(void **state)
{
    struct made *made = *state;
    struct mi_error error = {0};
    struct mi_shape shape = network_shape("3 2"), other = network_shape("2 3");
    struct mi_variable *w = mi_variable_add(&made->variables, &error, "w", MI_PARAMETER, MI_FLOAT, &shape, NULL);
    assert_non_null(w);
    assert_int_equal(mi_variable_count(w), 6);
    assert_ptr_equal(mi_variable_find(&made->variables, "w"), w);
    assert_null(mi_variable_find(&made->variables, "v"));
    assert_null(mi_variable_add(&made->variables, &error, "w", MI_PARAMETER, MI_FLOAT, &shape, malloc(24)));
    assert_int_equal(error.status, MICA_INVALID_ARGUMENT);
    assert_ptr_equal(mi_variable(made->graph, w), mi_variable(made->graph, w)); /* one value a variable */
    assert_false(mi_assign(made->graph, w, mi_input(made->graph, "x", MI_FLOAT, &other)));
    ASSERT_ERROR(made, MICA_SHAPE, "\"w\"", "(3, 2)", "(2, 3)");
}

/* ---- Reading ---- */

static void test_attributes(void **state)
{
    struct made *made = *state;
    const int64_t perm[] = {1, 0};
    int count = 0;
    mi_value *x = input(made, "x", "3 4");
    struct mi_node *node = mi_node_add(made->graph, "Transpose", &x, 1,
                                       (struct mi_attribute[]){MI_INTS("perm", perm, 2), MI_TEXT("note", "hello"),
                                                               MI_REAL("factor", 0.5f), MI_INT("number", -3)}, 4);
    assert_non_null(node);
    assert_ptr_not_equal(mi_attribute_ints(node, "perm", &count), perm); /* copied */
    assert_int_equal(count, 2);
    assert_string_equal(mi_attribute_text(node, "note", "?"), "hello");
    assert_true(mi_attribute_float(node, "factor", 0) > 0.4f);
    assert_int_equal(mi_attribute_int(node, "number", 0), -3);
    assert_int_equal(mi_attribute_int(node, "factor", 7), 7); /* of another type */
    assert_int_equal(mi_attribute_int(node, "absent", 9), 9);
    assert_null(mi_attribute_find(node, "absent"));
}

static void test_constants(void **state)
{
    struct made *made = *state;
    const int64_t values[] = {4, -5, 6};
    int count = 0;
    float number = 0;
    const int64_t *read = mi_constant_ints(mi_ints(made->graph, values, 3), &count);
    assert_memory_equal(read, values, sizeof values);
    assert_int_equal(count, 3);
    assert_null(mi_constant_ints(input(made, "x", "3"), &count));
    assert_null(mi_constant_ints(NULL, &count));
    assert_true(mi_constant_float(mi_scalar(made->graph, 2.5f), &number) && number > 2.4f);
    assert_false(mi_constant_float(mi_ints(made->graph, values, 3), &number));
}

/* ---- Copies ---- */

static void test_copy(void **state)
{
    struct made *made = *state;
    struct mi_error error = {0};
    const int64_t axis = 1;
    made->graph->training = true;
    mi_value *x = input(made, "x", "n 3");
    mi_value *y = MI_APPLY(made->graph, "Dropout", ((mi_value *[]){x}), MI_REAL("rate", 0.5f));
    y = mi_op2(made->graph, "ReduceSum", mi_op2(made->graph, "Mul", y, mi_scalar(made->graph, 3)), mi_ints(made->graph, &axis, 1));
    mi_output(made->graph, "y", y);
    struct mi_graph *copy = mi_graph_copy(made->graph, &error);
    assert_non_null(copy);
    assert_int_equal(copy->value_count, made->graph->value_count);
    assert_true(copy->training && copy->next_stable == made->graph->next_stable);
    for (size_t i = 0; i < copy->node_count; i++) {
        const struct mi_node *to = copy->nodes[i], *from = made->graph->nodes[i];
        assert_true(to != from && to->graph == copy && to->op == from->op && to->stable == from->stable);
        for (int k = 0; k < to->inputs; k++)
            assert_true(to->in[k] == (from->in[k] ? copy->values[from->in[k]->id] : NULL));
    }
    mi_output(copy, "more", mi_op1(copy, "Relu", copy->values[x->id])); /* the original stays as it is */
    assert_int_equal(made->graph->output_count, 1);
    assert_string_equal(copy->outputs[0]->name, "y");
    mi_graph_destroy(copy);
}

static void test_no_copy_of_a_failure(void **state)
{
    struct made *made = *state;
    struct mi_error error = {0};
    mi_op1(made->graph, "NoSuchOperator", input(made, "x", "n"));
    assert_null(mi_graph_copy(made->graph, &error));
    assert_int_equal(error.status, MICA_UNSUPPORTED);
}

/* ---- Simplifying ---- */

static void test_same_computation_once(void **state)
{
    struct made *made = *state;
    mi_value *x = input(made, "x", "n 3"), *y = input(made, "y", "n 3");
    mi_value *a = mi_op2(made->graph, "Add", mi_op1(made->graph, "Exp", x), mi_scalar(made->graph, 2));
    mi_value *b = mi_op2(made->graph, "Add", mi_op1(made->graph, "Exp", x), mi_scalar(made->graph, 2));
    mi_value *c = mi_op2(made->graph, "Add", mi_op1(made->graph, "Exp", y), mi_scalar(made->graph, 2.5f));
    mi_output(made->graph, "z", mi_op2(made->graph, "Mul", mi_op2(made->graph, "Sub", a, b), c));
    assert_int_equal(mi_simplify(made->graph, 1), MICA_OK);
    assert_int_equal(count_of(made->graph, "Exp"), 2);
    assert_int_equal(count_of(made->graph, "Add"), 2);
    assert_int_equal(count_of(made->graph, "Constant"), 2);
}

/* Attributes tell nodes apart, and two random draws are two. */
static void test_what_is_not_the_same(void **state)
{
    struct made *made = *state;
    const int64_t first = 0, second = 1;
    made->graph->training = true;
    mi_value *x = input(made, "x", "3 3");
    mi_value *a = MI_APPLY(made->graph, "ReduceSum", ((mi_value *[]){x, mi_ints(made->graph, &first, 1)}), MI_INT("keepdims", 0));
    mi_value *b = MI_APPLY(made->graph, "ReduceSum", ((mi_value *[]){x, mi_ints(made->graph, &second, 1)}), MI_INT("keepdims", 0));
    mi_value *c = MI_APPLY(made->graph, "Dropout", ((mi_value *[]){x}), MI_REAL("rate", 0.5f));
    mi_value *d = MI_APPLY(made->graph, "Dropout", ((mi_value *[]){x}), MI_REAL("rate", 0.5f));
    mi_output(made->graph, "y", mi_op2(made->graph, "Sub", a, b));
    mi_output(made->graph, "z", mi_op2(made->graph, "Sub", c, d));
    assert_int_equal(mi_lower(made->graph, 1), MICA_OK);
    assert_int_equal(mi_simplify(made->graph, 1), MICA_OK);
    assert_int_equal(count_of(made->graph, "ReduceSum"), 2);
    assert_int_equal(count_of(made->graph, "RandomDrop"), 2);
}

static void test_dead_code_and_identities(void **state)
{
    struct made *made = *state;
    mi_value *x = input(made, "x", "n 3");
    mi_op1(made->graph, "Exp", mi_op1(made->graph, "Log", x)); /* nobody looks */
    mi_value *y = mi_op1(made->graph, "Identity", mi_op1(made->graph, "Identity", mi_op1(made->graph, "Neg", x)));
    mi_output(made->graph, "y", y);
    input(made, "unused", "n");
    assert_int_equal(mi_simplify(made->graph, 1), MICA_OK);
    assert_int_equal(count_of(made->graph, "Exp") + count_of(made->graph, "Log"), 0);
    assert_int_equal(count_of(made->graph, "Identity"), 1); /* the output's own place */
    assert_int_equal(count_of(made->graph, "Input"), 2);     /* inputs stay: a caller feeds them */
    for (size_t i = 0; i < made->graph->node_count; i++)
        assert_int_equal(made->graph->nodes[i]->id, i);
    for (size_t v = 0; v < made->graph->value_count; v++)
        assert_int_equal(made->graph->values[v]->id, v);
}

/* An Assign keeps what it needs alive; one of a variable to itself goes. */
static void test_assignments_live(void **state)
{
    struct made *made = *state;
    struct mi_error error = {0};
    struct mi_shape shape = network_shape("3");
    struct mi_variable *w = mi_variable_add(&made->variables, &error, "w", MI_STATISTIC, MI_FLOAT, &shape, NULL);
    struct mi_variable *v = mi_variable_add(&made->variables, &error, "v", MI_STATISTIC, MI_FLOAT, &shape, NULL);
    assert_true(mi_assign(made->graph, w, mi_op1(made->graph, "Neg", mi_variable(made->graph, w))));
    assert_true(mi_assign(made->graph, v, mi_op1(made->graph, "Identity", mi_variable(made->graph, v))));
    assert_int_equal(mi_simplify(made->graph, 1), MICA_OK);
    assert_int_equal(count_of(made->graph, "Assign"), 1);
    assert_int_equal(count_of(made->graph, "Neg"), 1);
}

/* ---- Lowering ---- */

static void test_lowering(void **state)
{
    struct made *made = *state;
    mi_value *x = input(made, "x", "n 3 4"), *w = input(made, "w", "5 3 3"), *b = input(made, "b", "5");
    mi_value *y = mi_apply(made->graph, "Conv", (mi_value *[]){x, w, b}, 3, NULL, 0);
    mi_output(made->graph, "y", MI_APPLY(made->graph, "Softmax", ((mi_value *[]){y}), MI_INT("axis", 1)));
    struct mi_shape shape = y->shape;
    assert_int_equal(mi_lower(made->graph, 1), MICA_OK);
    for (size_t i = 0; i < made->graph->node_count; i++)
        assert_int_not_equal(made->graph->nodes[i]->op->kind, MI_COMPOSITE);
    assert_int_equal(made->graph->output_count, 1);
    assert_string_equal(made->graph->outputs[0]->name, "y");
    assert_true(mi_shape_equal(&made->graph->outputs[0]->shape, &shape));
}

/* ---- Gradients ---- */

static void test_gradients(void **state)
{
    struct made *made = *state;
    mi_value *x = input(made, "x", "n 3"), *y = input(made, "y", "3"), *z = input(made, "z", "3"), *gradient[3];
    mi_value *loss = MI_APPLY(made->graph, "ReduceSum", ((mi_value *[]){mi_op2(made->graph, "Mul", x, y)}), MI_INT("keepdims", 0));
    assert_int_equal(mi_differentiate(made->graph, loss, (mi_value *[]){x, y, z}, 3, gradient), MICA_OK);
    assert_true(mi_shape_equal(&gradient[0]->shape, &x->shape));
    assert_true(mi_shape_equal(&gradient[1]->shape, &y->shape)); /* summed over what was broadcast */
    assert_null(gradient[2]);
    assert_int_equal(mi_differentiate(made->graph, x, &y, 1, gradient), MICA_SHAPE);
    ASSERT_ERROR(made, MICA_SHAPE, "(n, 3)");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_first_error_stays),
        TEST(test_unknown_operator),
        TEST(test_number_of_inputs),
        TEST(test_null_is_no_error),
        TEST(test_names_are_unique),
        TEST(test_output_names_are_unique),
        TEST(test_variables),
        TEST(test_attributes),
        TEST(test_constants),
        TEST(test_copy),
        TEST(test_no_copy_of_a_failure),
        TEST(test_same_computation_once),
        TEST(test_what_is_not_the_same),
        TEST(test_dead_code_and_identities),
        TEST(test_assignments_live),
        TEST(test_lowering),
        TEST(test_gradients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
