#include "support/ops.h"

#include <math.h>

static double equal(const double *x) { return x[0] == x[1]; }
static double greater(const double *x) { return x[0] > x[1]; }
static double less(const double *x) { return x[0] < x[1]; }
static double greater_or_equal(const double *x) { return x[0] >= x[1]; }
static double less_or_equal(const double *x) { return x[0] <= x[1]; }
static double and(const double *x) { return x[0] != 0 && x[1] != 0; }
static double or(const double *x) { return x[0] != 0 || x[1] != 0; }
static double not(const double *x) { return x[0] == 0; }
static double where(const double *x) { return x[0] != 0 ? x[1] : x[2]; }
static double step(const double *x) { return isnan(x[0]) ? x[0] : x[0] > 0; }
static double truncated(const double *x) { return trunc(x[0]); }
static double same(const double *x) { return x[0]; }
static double differs(const double *x) { return x[0] != 0; }

static void test_comparisons(void **state)
{
    const double special[] = {(double)NAN, (double)INFINITY, 1, 0};
    const struct op_case cases[] = {
        {"Equal", {INTEGERS("n 13", -2, 2), INTEGERS("13", -2, 2)}, .map = equal, .no_gradient = true},
        {"Greater", {IN("n 13"), IN("1")}, .map = greater, .no_gradient = true},
        {"Less", {INTEGERS("n 13", -2, 2), INTEGERS("13", -2, 2)}, .map = less, .no_gradient = true},
        {"GreaterOrEqual",
         {{.shape = "n 13", .first = special, .firsts = 4}, IN("13")},
         .map = greater_or_equal, .no_gradient = true},
        {"LessOrEqual", {INTEGERS("n 13", -2, 2), INTEGERS("n 13", -2, 2)}, .map = less_or_equal, .no_gradient = true},
    };
    op_check(state, &cases[0]); /* stored as what it is, too */
    OP_CHECK_TOGETHER(state, cases);
}

static void test_logic(void **state)
{
    const struct op_case cases[] = {
        {"And", {BOOLS("n 13"), BOOLS("13")}, .map = and},
        {"Or", {BOOLS("n 13"), BOOLS("n 1")}, .map = or},
        {"Not", {BOOLS("n 13")}, .map = not},
    };
    OP_CHECK_TOGETHER(state, cases);
}

static void test_where(void **state)
{
    const struct op_case cases[] = {
        {"Where", {BOOLS("n 13"), IN("n 13"), IN("13")}, .map = where},
        {"Where", {BOOLS("13"), IN("1"), IN("n 1")}, .map = where},
        {"Where", {BOOLS("n 5"), INTEGERS("5", -9, 9), INTEGERS("n 5", -9, 9)}, .map = where},
    };
    OP_CHECK_TOGETHER(state, cases);
}

static void test_step(void **state)
{
    const double special[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, 0};
    const struct op_case cases[] = {
        {"Step", {{.shape = "n 13", .first = special, .firsts = 4}}, .map = step, .no_gradient = true}};
    OP_CHECK_TOGETHER(state, cases);
}

static void test_cast(void **state)
{
    const struct op_case cases[] = {
        {"Cast", {IN_RANGE("n 13", -9, 9)}, {MI_INT("to", MI_INT32)}, .map = truncated, .no_gradient = true},
        {"Cast", {IN_RANGE("n 13", -9, 9)}, {MI_INT("to", MI_INT64)}, .map = truncated, .no_gradient = true},
        {"Cast", {INTEGERS("n 13", -9, 9)}, {MI_INT("to", MI_FLOAT)}, .map = same, .no_gradient = true},
        {"Cast", {INTEGERS("n 13", -1, 1)}, {MI_INT("to", MI_BOOL)}, .map = differs, .no_gradient = true},
        {"Cast", {IN("n 13")}, {MI_INT("to", MI_BOOL)}, .map = differs, .no_gradient = true},
        {"Cast", {BOOLS("n 13")}, {MI_INT("to", MI_INT32)}, .map = same},
        {"Cast", {IN("n 13")}, {MI_INT("to", MI_FLOAT)}, .map = same},
    };
    op_check(state, &cases[0]);
    op_check(state, &cases[1]);
    OP_CHECK_TOGETHER(state, cases);
}

/* Through half precision and back: 11 bits are left. */
static mi_value *through_half(struct mi_graph *graph, mi_value *const *in, const struct op_case *c)
{
    (void)c;
    mi_value *half = MI_APPLY(graph, "Cast", ((mi_value *[]){in[0]}), MI_INT("to", MI_HALF));
    return MI_APPLY(graph, "Cast", ((mi_value *[]){mi_op2(graph, "Add", half, half)}),
                    MI_INT("to", MI_FLOAT));
}

static double twice(const double *x) { return 2 * x[0]; }

static void test_half(void **state)
{
    const struct op_case cases[] = {{"Cast",
                                     {IN("n 13")},
                                     .build = through_half,
                                     .map = twice,
                                     .tolerance = 1e-3,
                                     .gradient_tolerance = 1e-3}};
    OP_CHECK_ALL(state, cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comparisons), cmocka_unit_test(test_logic), cmocka_unit_test(test_where),
        cmocka_unit_test(test_step),        cmocka_unit_test(test_cast),
        cmocka_unit_test(test_half),
    };
    return cmocka_run_group_tests_name("compare", tests, op_devices_open, op_devices_close);
}
