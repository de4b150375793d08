/* Every element type: as inputs, constants, between operators and as results; sums of integers are exact. */
#include "support/reference.h"

#include <math.h>
#include <string.h>

#define TYPED(sizes, of, from, to) {.shape = (sizes), .type = (of), .low = (from), .high = (to)}

static double plus(const double *x) { return x[0] + x[1]; }
static double minus(const double *x) { return x[0] - x[1]; }
static double times(const double *x) { return x[0] * x[1]; }
static double size_of(const double *x) { return fabs(x[0]); }
static double larger(const double *x) { return fmax(x[0], x[1]); }
static double is_less(const double *x) { return x[0] < x[1]; }
static double chosen(const double *x) { return x[0] != 0 ? x[1] : x[2]; }
static double same(const double *x) { return x[0]; }
static double truncated(const double *x) { return trunc(x[0]); }

static bool skipped(void **state, enum mi_type type)
{
    mica_device *device = *(mica_device **)*state; /* the first of the devices */
    return type == MI_DOUBLE && !device->info.fp64;
}

/* Numbers of both signs where there are some; small enough for products in 8 bits. */
static double least(enum mi_type type)
{
    return mi_types[type].kind == 'u' ? 0 : mi_types[type].kind == 'f' ? -2 : -11;
}

static double most(enum mi_type type)
{
    return mi_types[type].kind == 'f' ? 2 : 11;
}

/* All in one kernel, whose results come as floats. */
static void test_maps(void **state)
{
    for (enum mi_type t = MI_FLOAT; t < MI_BOOL; t++) {
        double low = least(t), high = most(t), near = mi_types[t].bytes == 2 && mi_types[t].kind == 'f' ? 1e-2 : 0;
        const struct op_case cases[] = {
            {"Add", {TYPED("n 5", t, low, high), TYPED("5", t, low, high)}, .map = plus},
            {"Sub", {TYPED("n 5", t, high / 2, high), TYPED("5", t, 0, high / 2 - 1)}, .map = minus},
            {"Mul", {TYPED("n 5", t, low, high), TYPED("n 1", t, low, high)}, .map = times},
            {"Abs", {TYPED("n 5", t, low, high)}, .map = size_of},
            {"Max", {TYPED("n 5", t, low, high), TYPED("5", t, low, high)}, .map = larger},
            {"Less", {TYPED("n 5", t, low, high), TYPED("5", t, low, high)}, .map = is_less},
            {"Where", {BOOLS("n 5"), TYPED("n 5", t, low, high), TYPED("5", t, low, high)}, .map = chosen},
        };
        struct op_case rounded[MI_COUNT(cases)];
        for (size_t i = 0; i < MI_COUNT(cases); i++) {
            rounded[i] = cases[i];
            rounded[i].no_gradient = true;
            rounded[i].tolerance = near;
        }
        if (!skipped(state, t))
            OP_CHECK_TOGETHER(state, rounded);
    }
}

/* 300 numbers of a type are summed; of 8 bits only so many as it holds. */
static void reference_sum(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    (void)c;
    for (int64_t i = 0; i < out->count; i++) {
        out->data[i] = 0;
        for (int64_t k = 0; k < in->dim[1]; k++)
            out->data[i] += in->data[i * in->dim[1] + k];
    }
}

static void reference_largest(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    (void)c;
    for (int64_t i = 0; i < out->count; i++) {
        out->data[i] = in->data[i * in->dim[1]];
        for (int64_t k = 1; k < in->dim[1]; k++)
            out->data[i] = fmax(out->data[i], in->data[i * in->dim[1] + k]);
    }
}

static void reference_transpose(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    (void)c;
    for (int64_t i = 0; i < in->dim[0]; i++)
        for (int64_t k = 0; k < in->dim[1]; k++)
            out->data[k * in->dim[0] + i] = in->data[i * in->dim[1] + k];
}

static void reference_gather(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    (void)c;
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = in[0].data[(int64_t)in[1].data[i / 3] * 3 + i % 3];
}

static const int64_t last_axis[] = {1}, turned[] = {1, 0};

/* Largest numbers whose sums a double still has, and a float has not. */
static double wide(enum mi_type type)
{
    return mi_types[type].kind == 'f' ? 2 : mi_types[type].bytes == 8 ? 4e15 / 300 : mi_types[type].bytes == 4 ? 7e6 : 100;
}

static void test_folds_and_moves(void **state)
{
    for (enum mi_type t = MI_FLOAT; t < MI_BOOL; t++) {
        double low = mi_types[t].kind == 'u' ? 0 : -wide(t), high = wide(t);
        bool tiny = mi_types[t].bytes == 1;
        const struct op_case cases[] = {
            {"ReduceSum", {TYPED(tiny ? "n 2" : "n 300", t, tiny ? low / 2 : low, tiny ? high / 2 : high)},
             {MI_INTS("axes", last_axis, 1), MI_INT("keepdims", 0)}, .reference = reference_sum},
            {"ReduceMax", {TYPED("n 33", t, low, high)}, {MI_INTS("axes", last_axis, 1), MI_INT("keepdims", 0)},
             .reference = reference_largest, .no_gradient = true},
            {"Transpose", {TYPED("n 21", t, low, high)}, {MI_INTS("perm", turned, 2)}, .reference = reference_transpose},
            {"MatMul", {TYPED("n 9", t, least(t) / 4, most(t) / 4), TYPED("9 5", t, least(t) / 4, most(t) / 4)},
             .reference = reference_matmul},
            {"Gather", {TYPED("7 3", t, low, high), INTEGERS("n", 0, 6)}, .reference = reference_gather},
        };
        if (!skipped(state, t))
            OP_CHECK_ALL(state, cases);
    }
}

static void test_indices(void **state)
{
    for (enum mi_type t = MI_INT8; t < MI_BOOL; t++) {
        const struct op_case cases[] = {{"Gather", {IN("7 3"), TYPED("n", t, 0, 6)}, .reference = reference_gather}};
        OP_CHECK_ALL(state, cases);
    }
}

static void test_casts(void **state)
{
    for (enum mi_type t = MI_FLOAT; t < MI_BOOL; t++) {
        const struct op_case cases[] = {
            {"Cast", {TYPED("n 5", t, least(t), most(t))}, {MI_INT("to", MI_FLOAT)}, .map = same,
             .gradient_tolerance = t == MI_BFLOAT16 ? 1e-2 : 1e-3},
            {"Cast", {TYPED("n 5", MI_FLOAT, mi_types[t].kind == 'u' ? 0 : -99, 99)}, {MI_INT("to", t)},
             .map = mi_types[t].kind == 'f' ? same : truncated, .gradient_tolerance = t == MI_BFLOAT16 ? 1e-2 : 1e-3},
        };
        if (!skipped(state, t))
            OP_CHECK_ALL(state, cases);
    }
}

/* Rounding is the host's, for halves that are normal, subnormal, too large, between two, and none. */
static const double awkward[] = {0, 1, -1.0009765625, 1.00048828125, 1.001464843875, 65504, 65519, 65520, -1e9, 6.1e-5, 5.96e-8,
                                 2.9e-8, 2.98023223876953125e-8, 1e-9, 3.0517578125e-5, 1.5, 257.5, 255.5, 1.00390625, 1.01171875,
                                 3.3895e38};

static double host(enum mi_type type, double x)
{
    uint64_t room = 0;
    mi_element_set(type, &room, 0, (double)(float)x);
    return mi_element(type, &room, 0);
}
static double to_half(const double *x) { return host(MI_HALF, x[0]); }
static double to_bfloat16(const double *x) { return host(MI_BFLOAT16, x[0]); }

static mi_value *there_and_back(struct mi_graph *graph, mi_value *const *in, const struct op_case *c)
{
    mi_value *stored = MI_APPLY(graph, "Cast", ((mi_value *[]){in[0]}), c->attribute[0]);
    return MI_APPLY(graph, "Cast", ((mi_value *[]){stored}), MI_INT("to", MI_FLOAT));
}

/* A cast and back is not left out where both are in one kernel. */
static void test_rounding(void **state)
{
    const struct op_case cases[] = {
        {"Cast", {{.shape = "n 3", .first = awkward, .firsts = MI_COUNT(awkward)}}, {MI_INT("to", MI_HALF)}, .map = to_half,
         .build = there_and_back, .tolerance = 1e-300, .no_gradient = true, .apart = true},
        {"Cast", {{.shape = "n 3", .first = awkward, .firsts = MI_COUNT(awkward)}}, {MI_INT("to", MI_BFLOAT16)},
         .map = to_bfloat16, .build = there_and_back, .tolerance = 1e-300, .no_gradient = true, .apart = true},
    };
    OP_CHECK_ALL(state, cases);
}

/* Functions of doubles are OpenCL's own, whatever stands before a program. */
static double exponential(const double *x) { return exp(x[0]); }
static double tangent(const double *x) { return tanh(x[0]); }
static double logarithm(const double *x) { return log(x[0]); }
static double error_function(const double *x) { return erf(x[0]); }
static double root(const double *x) { return sqrt(x[0]); }
static double below(const double *x) { return floor(x[0]); }
static double logistic(const double *x) { return 1 / (1 + exp(-x[0])); }

static double gelu(const double *x) { return 0.5 * x[0] * erfc(-x[0] * sqrt(0.5)); }

static void reference_padded_mean(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    (void)c;
    int64_t size = in->dim[2];
    for (int64_t i = 0; i < out->count; i++) {
        int64_t at = i % size, first = at > 0 ? at - 1 : 0, last = at + 1 < size ? at + 1 : at;
        out->data[i] = 0;
        for (int64_t k = first; k <= last; k++)
            out->data[i] += in->data[i / size * size + k] / (double)(last - first + 1);
    }
}

/* A double that a float would round to a tie of the halves: rounded once, it is the nearest. */
static const double near_ties[] = {1 + 0x1p-11 + 0x1p-40, 1 + 0x1p-11 - 0x1p-40, 0x1p-25 + 0x1p-60, -1 - 0x1p-11 - 0x1p-40,
                                   65519.9999999, 1e300, -1e300, 0.1, 1 + 0x1p-8 + 0x1p-40, 1 + 0x1p-8};

static double half_of_double(const double *x)
{
    uint64_t room = 0;
    mi_element_set(MI_HALF, &room, 0, x[0]);
    return mi_element(MI_HALF, &room, 0);
}

static double bfloat16_of_double(const double *x)
{
    uint64_t bits, rest;
    double y = x[0];
    memcpy(&bits, &y, sizeof bits);
    if (fabs(y) > 3.4e38)
        return y > 0 ? (double)INFINITY : -(double)INFINITY;
    rest = bits & (((uint64_t)1 << 45) - 1); /* a double has 45 digits more */
    bits -= rest;
    bits += rest > (uint64_t)1 << 44 || (rest == (uint64_t)1 << 44 && bits >> 45 & 1) ? (uint64_t)1 << 45 : 0;
    memcpy(&y, &bits, sizeof y);
    return y;
}

static void test_doubles(void **state)
{
    static const int64_t three[] = {3}, ones[] = {1, 1};
    const struct op_case cases[] = {
        {"AveragePool", {TYPED("n 2 7", MI_DOUBLE, -2, 2)}, {MI_INTS("kernel_shape", three, 1), MI_INTS("pads", ones, 2)},
         .reference = reference_padded_mean, .gradient_tolerance = 1e-6},
        {"Gelu", {TYPED("n 5", MI_DOUBLE, -3, 3)}, .map = gelu, .gradient_tolerance = 1e-6},
        {"Gemm", {TYPED("n 4", MI_DOUBLE, -2, 2), TYPED("4 3", MI_DOUBLE, -2, 2), TYPED("3", MI_DOUBLE, -2, 2)},
         {MI_REAL("alpha", 0.5f), MI_REAL("beta", 2)}, .reference = reference_gemm},
        {"Cast", {{.shape = "n 3", .type = MI_DOUBLE, .first = near_ties, .firsts = MI_COUNT(near_ties)}},
         {MI_INT("to", MI_HALF)}, .map = half_of_double, .build = there_and_back, .tolerance = 1e-300, .no_gradient = true},
        {"Cast", {{.shape = "n 3", .type = MI_DOUBLE, .first = near_ties, .firsts = MI_COUNT(near_ties)}},
         {MI_INT("to", MI_BFLOAT16)}, .map = bfloat16_of_double, .build = there_and_back, .tolerance = 1e-300,
         .no_gradient = true},
        {"Exp", {TYPED("n 5", MI_DOUBLE, -9, 9)}, .map = exponential},
        {"Tanh", {TYPED("n 5", MI_DOUBLE, -3, 3)}, .map = tangent},
        {"Log", {TYPED("n 5", MI_DOUBLE, 0.1, 9)}, .map = logarithm},
        {"Erf", {TYPED("n 5", MI_DOUBLE, -3, 3)}, .map = error_function, .gradient_tolerance = 1e-6},
        {"Sqrt", {TYPED("n 5", MI_DOUBLE, 0.1, 9)}, .map = root},
        {"Floor", {TYPED("n 5", MI_DOUBLE, -9, 9)}, .map = below, .no_gradient = true},
        {"Sigmoid", {TYPED("n 5", MI_DOUBLE, -9, 9)}, .map = logistic},
    };
    if (!skipped(state, MI_DOUBLE))
        OP_CHECK_ALL(state, cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_maps),   cmocka_unit_test(test_folds_and_moves), cmocka_unit_test(test_indices),
        cmocka_unit_test(test_casts),  cmocka_unit_test(test_rounding),        cmocka_unit_test(test_doubles),
    };
    return cmocka_run_group_tests_name("types", tests, op_devices_open, op_devices_close);
}
