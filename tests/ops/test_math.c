/* Exponentials, logarithms and their kin, over floats of every size: within the errors that OpenCL C allows, right at the ends of
 * their ranges and for NaN, infinities and numbers without a leading one. */
#include "support/network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STRIDE = 4099, SWEEP = (int)(4294967296 / STRIDE) }; /* a prime: every exponent and sign, all kinds of low bits */

static const float ends[] = {0.0f,      -0.0f,       INFINITY,    -INFINITY,   NAN,         1.0f,        -1.0f,      1e-45f,
                             -1e-45f,   1.1754942e-38f, 1.17549435e-38f, 3.4028235e38f, -3.4028235e38f, 88.72283f, 88.72284f, 89.0f,
                             -87.33655f, -103.97208f, -103.97209f, -104.0f,     0.99999994f, 1.0000001f,  0.34657359f, -0.34657359f,
                             0.70710677f, 0.70710683f, 1.4142135f,  8.9f,        9.1f,        -9.1f,       9.3f,        13.0f,      -5.0f,       -12.9f,      3.9f,        4.1f,
                             16777216.0f, 1e-8f,       -1e-8f,      -17.4f,      88.3763f,    -88.0f,      3.92f,       -3.93f,
                             88.722832f,  -87.33654f};

static double elu(double x) { return x <= 0 ? expm1(x) : x; }
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
/* 0, which is not compared, where a factor may be taken for it. */
static double gelu(double x)
{
    double share = erfc(-x * sqrt(0.5));
    return share < 1.2e-38 && !isinf(x) ? 0 : 0.5 * x * share;
}
static double softplus(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }

static const struct function {
    const char *op;
    double (*reference)(double x);
    double most; /* units in the last place */
} functions[] = {{"Exp", exp, 3}, {"Log", log, 3}, {"Tanh", tanh, 5}, {"Erf", erf, 16}, {"Elu", elu, 3}, {"Sigmoid", sigmoid, 8},
                 {"Softplus", softplus, 6}, {"Erfc", erfc, 16}, {"Gelu", gelu, 256}};

/* No operator is this one, but that of gelu's tail is no better. */
static const struct mi_op complement = {.name = "Erfc", .kind = MI_MAP, .min_inputs = 1, .max_inputs = 1, .outputs = 1,
                                        .map = &(const struct mi_map_rule){.expr = {"erfc(x)"}}};

/* Every operator and that one. The caller's to free. */
static const struct mi_op **with_complement(void)
{
    size_t count = 0;
    while (mi_ops[count])
        count++;
    const struct mi_op **ops = malloc((count + 2) * sizeof *ops);
    assert_non_null(ops);
    memcpy(ops, mi_ops, count * sizeof *ops);
    ops[count] = &complement;
    ops[count + 1] = NULL;
    return ops;
}

/* The distance in units of the last place of the exact result. */
static double distance(float got, double exact)
{
    int exponent;
    if (isnan(exact) || isnan(got))
        return isnan(exact) && isnan(got) ? 0 : INFINITY;
    if (isinf((float)exact) || isinf(got))
        return (double)got == (double)(float)exact ? 0 : INFINITY;
    frexp(exact, &exponent);
    return fabs((double)got - exact) / ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

static void test_errors(void **state)
{
    struct network net;
    const int every = tests_are_small() ? 64 : 1, sweep = SWEEP / every,
              count = sweep + (int)MI_COUNT(ends);
    float *x = malloc((size_t)count * sizeof *x);
    assert_non_null(x);
    memcpy(x, ends, sizeof ends);
    for (uint32_t i = 0; i < (uint32_t)sweep; i++)
        memcpy(x + MI_COUNT(ends) + i, &(uint32_t){i * (uint32_t)every * STRIDE}, sizeof *x);
    network_begin(&net, *state);
    const struct mi_op **ops = with_complement();
    net.graph->ops = ops;
    mi_value *in = network_input(&net, "x", "n", MI_FLOAT);
    for (size_t f = 0; f < MI_COUNT(functions); f++)
        mi_output(net.graph, functions[f].op, mi_op1(net.graph, functions[f].op, in));
    network_compile(&net, count, NULL);
    network_feed(&net, "x", x, count);
    network_step(&net, count, 1);
    for (size_t f = 0; f < MI_COUNT(functions); f++) {
        size_t values;
        float *y = network_fetch(&net, functions[f].op, count, &values);
        double worst = 0;
        float where = 0;
        for (size_t i = 0; i < values; i++) {
            double exact = functions[f].reference((double)x[i]), off = distance(y[i], exact);
            bool flushed = fabs(exact) < 1.2e-38 || fabsf(x[i]) < 1.2e-38f; /* a device may take such for zero */
            if (off > worst && !flushed) {
                worst = off;
                where = x[i];
            }
        }
        print_message("%s: %.2f units in the last place, at %.9g\n", functions[f].op, worst, (double)where);
        if (worst > functions[f].most)
            fail_msg("%s(%.9g) is %g units in the last place off", functions[f].op, (double)where, worst);
        free(y);
    }
    free(x);
    network_end(&net);
    free(ops);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_errors)};
    return cmocka_run_group_tests(tests, open_device, close_device);
}
