#include "support/ops.h"

#include <string.h>

#define LIST(name, ...) MI_INTS(name, ((int64_t[]){__VA_ARGS__}), (int)MI_COUNT(((int64_t[]){__VA_ARGS__})))

static void reference_transpose(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    int count;
    const int64_t *perm = op_ints(c, "perm", &count);
    int64_t at[MI_MAX_RANK] = {0}, from[MI_MAX_RANK], i = 0;
    if (out->count == 0)
        return;
    do {
        for (int d = 0; d < out->rank; d++)
            from[perm ? perm[d] : out->rank - 1 - d] = at[d];
        out->data[i++] = in[0].data[tensor_offset(&in[0], from)];
    } while (tensor_next(out, at));
}

static void reference_symmetric(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    (void)c;
    int64_t size = in[0].dim[1];
    for (int64_t i = 0; i < out->count; i++) {
        int64_t row = i / size % size, column = i % size, image = i / (size * size);
        out->data[i] = in[0].data[i] + 2 * in[0].data[(image * size + column) * size + row];
    }
}

/* The same tensor is read along its rows and across them. */
static mi_value *symmetric(struct mi_graph *graph, mi_value *const *in, const struct op_case *c)
{
    mi_value *turned = mi_apply(graph, "Transpose", in, 1, c->attribute, 1);
    return mi_op2(graph, "Add", in[0], mi_op2(graph, "Mul", turned, mi_scalar(graph, 2)));
}

static void test_transpose(void **state)
{
    const struct op_case cases[] = {
        {"Transpose", {IN("n 13")}, .reference = reference_transpose},
        {"Transpose", {IN("n 3 4 5")}, {LIST("perm", 0, 2, 3, 1)}, .reference = reference_transpose},
        {"Transpose", {IN("n 67 19")}, {LIST("perm", 0, 2, 1)}, .reference = reference_transpose, .batch = 2},
        {"Transpose",
         {IN("n 517 270")},
         {LIST("perm", 0, 2, 1)},
         .reference = reference_transpose,
         .batch = 1,
         .no_gradient = true},
        {"Transpose", {IN("n 43 43")}, {LIST("perm", 0, 2, 1)}, .build = symmetric, .reference = reference_symmetric},
        {"Transpose", {IN("3 n 127")}, {LIST("perm", 1, 0, 2)}, .reference = reference_transpose},
        {"Transpose", {INTEGERS("n 1 4", -9, 9)}, {LIST("perm", 2, 1, 0)}, .reference = reference_transpose},
    };
    OP_CHECK_ALL(state, cases);
}

static void reference_concat(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    int axis = (int)op_int(c, "axis", 0);
    int64_t at[MI_MAX_RANK] = {0}, from[MI_MAX_RANK], i = 0;
    axis = axis < 0 ? axis + out->rank : axis;
    if (out->count == 0)
        return;
    do {
        int k = 0;
        memcpy(from, at, sizeof from);
        while (from[axis] >= in[k].dim[axis])
            from[axis] -= in[k++].dim[axis];
        out->data[i++] = in[k].data[tensor_offset(&in[k], from)];
    } while (tensor_next(out, at));
}

static void test_concat(void **state)
{
    const struct op_case cases[] = {
        {"Concat", {IN("n 3"), IN("n 1"), IN("n 13")}, {MI_INT("axis", 1)}, .reference = reference_concat},
        {"Concat", {IN("n 37"), IN("n 5"), IN("n 20")}, {MI_INT("axis", 1)}, .reference = reference_concat},
        {"Concat", {IN("n 3 5"), IN("n 4 5")}, {MI_INT("axis", -2)}, .reference = reference_concat},
        {"Concat", {IN("n 3"), IN("2 3"), IN("n 3")}, {MI_INT("axis", 0)}, .reference = reference_concat},
        {"Concat", {IN("n 0"), IN("n 4")}, {MI_INT("axis", 1)}, .reference = reference_concat},
        {"Concat", {IN("n 4")}, {MI_INT("axis", 1)}, .reference = reference_concat},
    };
    OP_CHECK_ALL(state, cases);
}

static void reference_expand(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    (void)c;
    int64_t at[MI_MAX_RANK] = {0}, i = 0;
    if (out->count == 0)
        return;
    do
        out->data[i++] = tensor_broadcast(&in[0], out->rank, at);
    while (tensor_next(out, at));
}

static void test_expand(void **state)
{
    const struct op_case cases[] = {
        {"Expand", {IN("n 1 3")}, {LIST("shape", 4, 1)}, .reference = reference_expand},
        {"Expand", {IN("n 1")}, {LIST("shape", 3, 1, 127)}, .reference = reference_expand},
        {"Expand", {IN("")}, {LIST("shape", 2, 3)}, .reference = reference_expand},
        {"Expand", {IN("n 3")}, {LIST("shape", 1)}, .reference = reference_expand},
        {"Expand", {IN("n 1 1 1")}, {LIST("shape", 6, 5)}, .reference = reference_expand},
        {"Expand", {IN("n 1 6")}, {LIST("shape", 1, 6)}, .reference = reference_expand},
        {"Expand", {IN("n 4 1 1")}, {LIST("shape", 4, 1, 6)}, .reference = reference_expand},
    };
    OP_CHECK_ALL(state, cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transpose),
        cmocka_unit_test(test_concat),
        cmocka_unit_test(test_expand),
    };
    return cmocka_run_group_tests_name("move", tests, op_devices_open, op_devices_close);
}
