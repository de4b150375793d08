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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_softmax)};
    return cmocka_run_group_tests_name("softmax", tests, op_devices_open, op_devices_close);
}
