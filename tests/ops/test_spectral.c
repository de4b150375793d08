#include "support/ops.h"

#include <math.h>

/* y = w x, or w^T x. */
static void multiply(const struct tensor *w, bool transposed, const double *x, double *y)
{
    int64_t m = w->dim[0], n = w->dim[1], rows = transposed ? n : m, columns = transposed ? m : n;
    for (int64_t i = 0; i < rows; i++) {
        y[i] = 0;
        for (int64_t k = 0; k < columns; k++)
            y[i] += (transposed ? w->data[k * n + i] : w->data[i * n + k]) * x[k];
    }
}

static void divide_by_length(double *x, int64_t count, double epsilon)
{
    double square = 0;
    for (int64_t i = 0; i < count; i++)
        square += x[i] * x[i];
    for (int64_t i = 0; i < count; i++)
        x[i] /= sqrt(square) > epsilon ? sqrt(square) : epsilon;
}

/* Inputs w (m, n), u, v; outputs sigma, the next u and v. */
static void reference(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    const struct tensor *w = &in[0];
    double *u = out[1].data, *v = out[2].data, product[64], epsilon = op_float(c, "epsilon", 1e-12);
    for (int64_t i = 0; i < in[1].count; i++)
        u[i] = in[1].data[i];
    for (int64_t i = 0; i < in[2].count; i++)
        v[i] = in[2].data[i];
    for (int64_t k = c->training ? op_int(c, "iterations", 1) : 0; k > 0; k--) {
        multiply(w, false, v, u);
        divide_by_length(u, in[1].count, epsilon);
        multiply(w, true, u, v);
        divide_by_length(v, in[2].count, epsilon);
    }
    multiply(w, false, v, product);
    out[0].data[0] = 0;
    for (int64_t i = 0; i < in[1].count; i++)
        out[0].data[0] += u[i] * product[i];
}

#define VECTOR(size) {.shape = (size), .no_gradient = true}
#define NORM(m, n, ...) {"SpectralNorm", {IN(m " " n), VECTOR(m), VECTOR(n)}, {__VA_ARGS__}, .reference = reference, .outputs = 3}

/* u and v do not change, so that differences of sigma are its derivative. */
static void test_inference(void **state)
{
    const struct op_case cases[] = {
        NORM("1", "1", {0}), NORM("5", "1", {0}), NORM("1", "13", {0}), NORM("13", "7", MI_INT("iterations", 3)),
        NORM("17", "61", {0}),
    };
    OP_CHECK_ALL(state, cases);
}

/* In a derivative u and v are constants, in a difference they are not: tests/golden compares gradients with PyTorch. */
static void test_training(void **state)
{
    struct op_case cases[] = {
        NORM("1", "1", {0}), NORM("5", "1", {0}), NORM("1", "13", {0}), NORM("13", "7", {0}), NORM("17", "61", {0}),
        NORM("13", "7", MI_INT("iterations", 3)), NORM("13", "7", MI_REAL("epsilon", 100)),
    };
    for (size_t i = 0; i < MI_COUNT(cases); i++)
        cases[i].training = cases[i].no_gradient = true;
    OP_CHECK_ALL(state, cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_inference), cmocka_unit_test(test_training)};
    return cmocka_run_group_tests(tests, op_devices_open, op_devices_close);
}
