#include "support/ops.h"

#include <math.h>
#include <string.h>

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

static double relu(const double *x) { return x[0] <= 0 ? 0 : x[0]; }
static double relu6(const double *x) { return x[0] <= 0 ? 0 : x[0] >= 6 ? 6 : x[0]; }
static double leaky(const double *x) { return x[0] < 0 ? 0.25 * x[0] : x[0]; }
static double leaky_default(const double *x) { return x[0] < 0 ? 0.01 * x[0] : x[0]; }
static double thresholded(const double *x) { return x[0] <= 1 ? 0 : x[0]; }
static double elu(const double *x) { return x[0] < 0 ? 0.5 * expm1(x[0]) : x[0]; }
static double celu(const double *x) { return x[0] < 0 ? 0.5 * expm1(x[0] / 0.5) : x[0]; }
static double selu(const double *x) { return 1.05070102 * (x[0] < 0 ? 1.67326319 * expm1(x[0]) : x[0]); }
static double logistic(const double *x) { return sigmoid(x[0]); }
static double hard_sigmoid(const double *x)
{
    double y = 0.2 * x[0] + 0.5;
    return y < 0 ? 0 : y > 1 ? 1 : y;
}
static double hyperbolic(const double *x) { return tanh(x[0]); }
static double softplus(const double *x) { return x[0] > 30 ? x[0] : log1p(exp(x[0])); }
static double softsign(const double *x) { return x[0] / (1 + fabs(x[0])); }
static double hard_swish(const double *x) { return x[0] * (x[0] <= -3 ? 0 : x[0] >= 3 ? 1 : x[0] / 6 + 0.5); }
static double silu(const double *x) { return x[0] * sigmoid(x[0]); }
static double gelu(const double *x) { return 0.5 * x[0] * erfc(-x[0] / sqrt(2)); }
static double gelu_by_tanh(const double *x)
{
    return 0.5 * x[0] * (1 + tanh(sqrt(2 / acos(-1)) * (x[0] + 0.044715 * pow(x[0], 3))));
}
static double log_sigmoid(const double *x) { return x[0] < -30 ? x[0] : -log1p(exp(-x[0])); }
static double tanh_shrink(const double *x) { return x[0] - tanh(x[0]); }
static double sparse_plus(const double *x) { return x[0] <= -1 ? 0 : x[0] >= 1 ? x[0] : (x[0] + 1) * (x[0] + 1) / 4; }
static double squareplus(const double *x) { return (x[0] + sqrt(x[0] * x[0] + 4)) / 2; }
static double squareplus_of_1(const double *x) { return (x[0] + sqrt(x[0] * x[0] + 1)) / 2; }
static double mish(const double *x) { return x[0] * tanh(softplus(x)); }
static double threshold(const double *x) { return x[0] > 0 || isnan(x[0]) ? x[0] : 0; }
static double threshold_of_1(const double *x) { return x[0] > 1 || isnan(x[0]) ? x[0] : -2; }
static double hard_shrink(const double *x) { return fabs(x[0]) <= 0.5 ? 0 : x[0]; }
static double soft_shrink(const double *x) { return fabs(x[0]) <= 0.75 ? 0 : x[0] - copysign(0.75, x[0]); }
static double bounded(const double *x) { return x[0] <= 1 ? 0.25 * (x[0] - 1) : x[0] > 3 ? 3 : x[0]; }

#define WIDE IN_RANGE("n 13", -7, 7)

static const struct {
    const char *name;
    double (*map)(const double *x);
} plain[] = {{"Relu", relu},         {"LeakyRelu", leaky_default}, {"ThresholdedRelu", thresholded},
             {"Selu", selu},         {"Sigmoid", logistic},        {"HardSigmoid", hard_sigmoid},
             {"Tanh", hyperbolic},   {"Softplus", softplus},       {"Softsign", softsign},
             {"HardSwish", hard_swish}, {"Silu", silu},            {"Gelu", gelu},
             {"Relu6", relu6},       {"LogSigmoid", log_sigmoid},  {"TanhShrink", tanh_shrink},
             {"SparsePlus", sparse_plus}, {"Squareplus", squareplus}, {"Mish", mish},
             {"Threshold", threshold}, {"Shrink", hard_shrink},    {"BoundedRelu", relu}};

static void test_activations(void **state)
{
    struct op_case cases[MI_COUNT(plain)];
    for (size_t i = 0; i < MI_COUNT(plain); i++)
        cases[i] = (struct op_case){plain[i].name, {WIDE}, .map = plain[i].map};
    OP_CHECK_TOGETHER(state, cases);
    op_check(state, &(struct op_case){"Sigmoid", {WIDE}, .map = logistic, .apart = true});
}

static void test_attributes(void **state)
{
    const struct op_case cases[] = {
        {"LeakyRelu", {WIDE}, {MI_REAL("alpha", 0.25f)}, .map = leaky},
        {"Elu", {WIDE}, {MI_REAL("alpha", 0.5f)}, .map = elu},
        {"Celu", {WIDE}, {MI_REAL("alpha", 0.5f)}, .map = celu},
        {"Gelu", {WIDE}, {MI_TEXT("approximate", "none")}, .map = gelu},
        {"Gelu", {WIDE}, {MI_TEXT("approximate", "tanh")}, .map = gelu_by_tanh},
        {"Squareplus", {WIDE}, {MI_REAL("b", 1)}, .map = squareplus_of_1},
        {"Threshold", {WIDE}, {MI_REAL("threshold", 1), MI_REAL("value", -2)}, .map = threshold_of_1},
        {"Shrink", {WIDE}, {MI_REAL("lambd", 0.75f), MI_REAL("bias", 0.75f)}, .map = soft_shrink},
        {"BoundedRelu", {WIDE}, {MI_REAL("alpha", 0.25f), MI_REAL("threshold", 1), MI_REAL("max", 3)}, .map = bounded},
    };
    OP_CHECK_TOGETHER(state, cases);
}

static void test_special_values(void **state)
{
    const double special[] = {(double)NAN, 0, 100, -100};
    struct op_case cases[MI_COUNT(plain)];
    for (size_t i = 0; i < MI_COUNT(plain); i++)
        cases[i] = (struct op_case){plain[i].name, {{.shape = "n 6", .first = special, .firsts = 4}},
                                    .map = plain[i].map, .no_gradient = true};
    OP_CHECK_TOGETHER(state, cases);
}

/* Every activation of the list is tested here. */
static void test_all_are_tested(void **state)
{
    (void)state;
#define NAME(id, defaults, expression, derivative) #id,
    static const char *const names[] = {MI_ACTIVATIONS(NAME)};
    for (size_t k = 0; k < MI_COUNT(names); k++) {
        bool found = strcmp(names[k], "Elu") == 0 || strcmp(names[k], "Celu") == 0;
        for (size_t i = 0; i < MI_COUNT(plain); i++)
            found = found || strcmp(names[k], plain[i].name) == 0;
        if (!found)
            fail_msg("activation %s has no test", names[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_special_values),
        cmocka_unit_test(test_all_are_tested),
    };
    return cmocka_run_group_tests_name("activation", tests, op_devices_open, op_devices_close);
}
