#include "support/ops.h"

#include <math.h>
#include <string.h>

static void reference(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    const struct tensor *x = &in[0];
    int axis = (int)op_int(c, "axis", -1);
    int64_t outer = 1, inner = 1, size;
    axis = axis < 0 ? axis + x->rank : axis;
    size = x->dim[axis];
    for (int i = 0; i < x->rank; i++)
        *(i < axis ? &outer : &inner) *= i == axis ? 1 : x->dim[i];
    for (int64_t i = 0; i < outer * inner; i++) {
        const double *from = x->data + i / inner * size * inner + i % inner;
        double *to = out->data + (from - x->data), most = -(double)INFINITY, sum = 0;
        for (int64_t k = 0; k < size; k++)
            most = from[k * inner] > most ? from[k * inner] : most;
        for (int64_t k = 0; k < size; k++)
            sum += exp(from[k * inner] - most);
        for (int64_t k = 0; k < size; k++)
            to[k * inner] = strcmp(c->op, "Softmax") == 0 ? exp(from[k * inner] - most) / sum
                                                          : from[k * inner] - most - log(sum);
    }
}

static void test_softmax(void **state)
{
    const struct op_case cases[] = {
        {"Softmax", {IN("n 127")}, .reference = reference},
        {"Softmax", {IN_RANGE("n 10", -300, 300)}, .reference = reference, .no_gradient = true},
        {"Softmax", {IN("n 1")}, .reference = reference},
        {"Softmax", {IN("n 5 3")}, {MI_INT("axis", 1)}, .reference = reference, .apart = true},
        {"Softmax", {IN("n 3")}, {MI_INT("axis", 0)}, .reference = reference},
        {"LogSoftmax", {IN("n 10")}, .reference = reference},
        {"LogSoftmax", {IN_RANGE("n 10", -300, 300)}, .reference = reference, .no_gradient = true},
        {"LogSoftmax", {IN("n 3 13")}, {MI_INT("axis", -2)}, .reference = reference},
    };
    OP_CHECK_ALL(state, cases);
}

/* The largest t of (sum of the k largest - 1) / k. */
static void sparsemax(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    const struct tensor *x = &in[0];
    int axis = (int)op_int(c, "axis", -1);
    int64_t inner = 1, size;
    axis = axis < 0 ? axis + x->rank : axis;
    size = x->dim[axis];
    for (int i = axis + 1; i < x->rank; i++)
        inner *= x->dim[i];
    for (int64_t i = 0; i < x->count; i++) {
        const double *row = x->data + i / (size * inner) * size * inner + i % inner;
        double most = -(double)INFINITY;
        for (int64_t k = 0; k < size; k++) {
            double sum = 0, count = 0;
            for (int64_t m = 0; m < size; m++)
                if (row[m * inner] >= row[k * inner]) {
                    sum += row[m * inner];
                    count++;
                }
            most = fmax(most, (sum - 1) / count);
        }
        out->data[i] = fmax(x->data[i] - most, 0);
    }
}

static void test_sparsemax(void **state)
{
    static const double ties[] = {1, 1, 1, 0.5, 0.5, 0.5, 0.5, -3};
    const struct op_case cases[] = {
        {"Sparsemax", {IN_RANGE("n 13", -1, 1)}, .reference = sparsemax},
        {"Sparsemax", {IN_RANGE("n 127", 1000, 1003)}, .reference = sparsemax, .no_gradient = true, .tolerance = 3e-4},
        {"Sparsemax", {IN("n 1")}, .reference = sparsemax},
        {"Sparsemax", {{.shape = "n 4", .first = ties, .firsts = 8}}, .reference = sparsemax, .no_gradient = true},
        {"Sparsemax", {IN_RANGE("n 5 3", -1, 1)}, {MI_INT("axis", 1)}, .reference = sparsemax, .apart = true},
    };
    OP_CHECK_ALL(state, cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_softmax), cmocka_unit_test(test_sparsemax)};
    return cmocka_run_group_tests_name("softmax", tests, op_devices_open, op_devices_close);
}
