#include "support/ops.h"

#include <math.h>

static double add(const double *x) { return x[0] + x[1]; }
static double sub(const double *x) { return x[0] - x[1]; }
static double mul(const double *x) { return x[0] * x[1]; }
static double divide(const double *x) { return x[0] / x[1]; }
static double power(const double *x) { return pow(x[0], x[1]); }
static double rectified(const double *x) { return x[0] < 0 ? x[0] * x[1] : x[0]; }
static double neg(const double *x) { return -x[0]; }
static double exponential(const double *x) { return exp(x[0]); }
static double logarithm(const double *x) { return log(x[0]); }
static double root(const double *x) { return sqrt(x[0]); }
static double absolute(const double *x) { return fabs(x[0]); }
static double reciprocal(const double *x) { return 1 / x[0]; }
static double error(const double *x) { return erf(x[0]); }
static double sine(const double *x) { return sin(x[0]); }
static double cosine(const double *x) { return cos(x[0]); }
static double down(const double *x) { return floor(x[0]); }
static double up(const double *x) { return ceil(x[0]); }
static double nearest(const double *x) { return rint(x[0]); }
static double sign(const double *x) { return x[0] > 0 ? 1 : x[0] < 0 ? -1 : x[0]; }
static double smaller(const double *x) { return isnan(x[0]) || isnan(x[1]) ? (double)NAN : fmin(x[0], x[1]); }
static double larger(const double *x) { return isnan(x[0]) || isnan(x[1]) ? (double)NAN : fmax(x[0], x[1]); }
static double same(const double *x) { return x[0]; }
static double size_penalty(const double *x)
{
    return 0.25 * fabs(x[0]) + 0.5 * x[0] * x[0];
}

static double clipped(const double *x) { return x[0] < -0.5 ? -0.5 : x[0] > 1 ? 1 : x[0]; }
static double clipped_across(const double *x) { (void)x; return -0.5; }
static double clipped_below(const double *x) { return x[0] < 0.25 ? 0.25 : x[0]; }

static void test_two_inputs(void **state)
{
    const struct op_case alone[] = {
        {"Add", {IN("n 127"), IN("127")}, .map = add},
        {"Add", {IN(""), IN("")}, .map = add},
        {"Add", {IN("n 0"), IN("1")}, .map = add},
        {"Div", {IN("n 13"), IN_RANGE("13", 0.5, 2)}, .map = divide, .apart = true},
    };
    const struct op_case together[] = {
        {"Add", {IN("n 1 3"), IN("n 5 1")}, .map = add},
        {"Add", {IN("1"), IN("n 13")}, .map = add},
        {"Add", {INTEGERS("n 3", -9, 9), INTEGERS("3", -9, 9)}, .map = add},
        {"Sub", {IN("n 13"), IN("n 1")}, .map = sub},
        {"Sub", {IN("n 3 4"), IN("4")}, .map = sub},
        {"Mul", {IN("n 13"), IN("13")}, .map = mul},
        {"Mul", {IN("n 2 3"), IN("2 1")}, .map = mul},
        {"PRelu", {IN("n 4 13"), IN("4 1")}, .map = rectified},
        {"Pow", {IN_RANGE("n 7", 0.5, 2), IN("7")}, .map = power, .tolerance = 1e-5},
        {"Min", {IN("n 13"), IN("13")}, .map = smaller},
        {"Max", {IN("n 13"), IN("n 13")}, .map = larger},
    };
    OP_CHECK_ALL(state, alone);
    OP_CHECK_TOGETHER(state, together);
}

/* Axes of size 1 between, before and behind those that one input has and the other has not. */
static void test_axes_of_one(void **state)
{
    const struct op_case alone[] = {
        {"Add", {IN("2 1 6"), IN("2 1 1")}, .map = add},
        {"Add", {IN("1 n 6"), IN("6")}, .map = add},
        {"Add", {IN("n 4 1 6 1"), IN("4 1 1 1")}, .map = add},
    };
    const struct op_case together[] = {
        {"Add", {IN("n 1 6"), IN("6")}, .map = add},
        {"Sub", {IN("n 4 1 6"), IN("4 1 1")}, .map = sub},
        {"Mul", {IN("n 1 1 6"), IN("n 1 1 1")}, .map = mul},
        {"Add", {IN("n 1 5 1 6"), IN("5 1 1")}, .map = add},
        {"Sub", {IN("n 1 5 1 6"), IN("n 1 1 1 6")}, .map = sub},
        {"Mul", {IN("n 4 1 1"), IN("4 1 6")}, .map = mul},
        {"Add", {IN("n 6 1"), IN("1 1")}, .map = add},
        {"Max", {IN("n 1 4 1"), IN("n 3 1 1")}, .map = larger},
    };
    OP_CHECK_ALL(state, alone);
    OP_CHECK_TOGETHER(state, together);
}

static void test_one_input(void **state)
{
    const struct op_case cases[] = {
        {"Neg", {IN("n 13")}, .map = neg},
        {"Exp", {IN("n 13")}, .map = exponential},
        {"Log", {IN_RANGE("n 13", 0.1, 3)}, .map = logarithm},
        {"Sqrt", {IN_RANGE("n 13", 0.1, 3)}, .map = root},
        {"Abs", {IN("n 13")}, .map = absolute},
        {"Abs", {INTEGERS("n 13", -5, 5)}, .map = absolute},
        {"Reciprocal", {IN_RANGE("n 13", 0.2, 3)}, .map = reciprocal},
        {"Erf", {IN("n 127")}, .map = error},
        {"Sin", {IN("n 13")}, .map = sine},
        {"Cos", {IN("n 13")}, .map = cosine},
        {"Floor", {IN_RANGE("n 13", -9, 9)}, .map = down, .no_gradient = true},
        {"Ceil", {IN_RANGE("n 13", -9, 9)}, .map = up, .no_gradient = true},
        {"Round", {IN_RANGE("n 13", -9, 9)}, .map = nearest, .no_gradient = true},
        {"Sign", {IN("n 13")}, .map = sign, .no_gradient = true},
        {"Identity", {IN("n 13")}, .map = same},
        {"SizePenalty", {IN("n 13")}, {MI_REAL("l1", 0.25f), MI_REAL("l2", 0.5f)}, .map = size_penalty},
        {"Clip", {IN("n 13")}, {MI_REAL("min", -0.5f), MI_REAL("max", 1.0f)}, .map = clipped},
        {"Clip", {IN("n 13")}, {MI_REAL("min", 0.25f)}, .map = clipped_below},
        {"Clip", {IN("n 13")}, {MI_REAL("min", 1.0f), MI_REAL("max", -0.5f)}, .map = clipped_across},
    };
    OP_CHECK_TOGETHER(state, cases);
}

/* NaN comes out wherever it goes in; infinities as in C. */
static void test_special_values(void **state)
{
    const double special[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, 0, -0.0};
#define SPECIAL(sizes) {.shape = (sizes), .first = special, .firsts = 5}
    const struct op_case cases[] = {
        {"Add", {SPECIAL("n 7"), IN("7")}, .map = add, .no_gradient = true},
        {"Min", {SPECIAL("n 7"), IN("7")}, .map = smaller, .no_gradient = true},
        {"Min", {IN("7"), SPECIAL("n 7")}, .map = smaller, .no_gradient = true},
        {"Max", {SPECIAL("n 7"), IN("7")}, .map = larger, .no_gradient = true},
        {"Max", {IN("7"), SPECIAL("n 7")}, .map = larger, .no_gradient = true},
        {"Abs", {SPECIAL("n 7")}, .map = absolute, .no_gradient = true},
        {"Exp", {SPECIAL("n 7")}, .map = exponential, .no_gradient = true},
        {"Log", {SPECIAL("n 7")}, .map = logarithm, .no_gradient = true},
        {"Sqrt", {SPECIAL("n 7")}, .map = root, .no_gradient = true},
        {"Clip",
         {SPECIAL("n 7")},
         {MI_REAL("min", -0.5f), MI_REAL("max", 1.0f)},
         .map = clipped,
         .no_gradient = true},
        {"Sign", {SPECIAL("n 7")}, .map = sign, .no_gradient = true},
    };
    OP_CHECK_TOGETHER(state, cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_inputs),
        cmocka_unit_test(test_axes_of_one),
        cmocka_unit_test(test_one_input),
        cmocka_unit_test(test_special_values),
    };
    return cmocka_run_group_tests_name("arithmetic", tests, op_devices_open, op_devices_close);
}
