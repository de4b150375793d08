#include "support/ops.h"

#include <string.h>

#define LIST(name, ...) MI_INTS(name, ((int64_t[]){__VA_ARGS__}), (int)MI_COUNT(((int64_t[]){__VA_ARGS__})))

/* The order of elements stays. */
static void reference(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    (void)c;
    assert_int_equal(in[0].count, out->count);
    if (out->count)
        memcpy(out->data, in[0].data, (size_t)out->count * sizeof *out->data);
}

#define MOVED(op, sizes, ...) {op, {IN(sizes)}, {__VA_ARGS__}, .reference = reference}

static void test_reshape(void **state)
{
    const struct op_case cases[] = {
        MOVED("Reshape", "n 12", LIST("shape", 0, 3, 4)),
        MOVED("Reshape", "n 3 4", LIST("shape", -1, 2, 6)),
        MOVED("Reshape", "n 3 4", LIST("shape", 0, -1)),
        MOVED("Reshape", "n 3 4", LIST("shape", -1)),
        MOVED("Reshape", "2 n 3", LIST("shape", -1, 3)),
        MOVED("Reshape", "6 35", LIST("shape", 10, 21)),
        MOVED("Reshape", "n 2 3 5 7", LIST("shape", 0, 6, 35)),
        MOVED("Reshape", "n 6 35", LIST("shape", 0, 10, 21)),
        MOVED("Reshape", "1", LIST("shape", 1, 1)),
        MOVED("Reshape", "n 0 3", LIST("shape", 0, -1, 1, 3)),
        {"Reshape", {INTEGERS("n 6", -9, 9)}, {LIST("shape", 0, 2, 3)}, .reference = reference},
    };
    OP_CHECK_ALL(state, cases);
}

static void test_others(void **state)
{
    const struct op_case cases[] = {
        MOVED("Flatten", "n 3 4 5", {0}),
        MOVED("Flatten", "2 3 4 5", MI_INT("axis", 2)),
        MOVED("Flatten", "n 3", MI_INT("axis", 0)),
        MOVED("Flatten", "n 3", MI_INT("axis", -1)),
        MOVED("Squeeze", "n 1 3 1", LIST("axes", 1, -1)),
        MOVED("Squeeze", "n 1 3 1", {0}),
        MOVED("Unsqueeze", "n 3", LIST("axes", 1, -1)),
        MOVED("Unsqueeze", "n 3", LIST("axes", 0)),
    };
    OP_CHECK_ALL(state, cases);
}

/* A reshape between two computations: the index arithmetic is part of a kernel. */
static mi_value *between(struct mi_graph *graph, mi_value *const *in, const struct op_case *c)
{
    mi_value *moved =
        mi_apply(graph, "Reshape", (mi_value *[]){mi_op1(graph, "Neg", in[0])}, 1, c->attribute, 1);
    return mi_op2(graph, "Mul", moved, in[1]);
}

static void reference_between(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    (void)c;
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = -in[0].data[i] * in[1].data[i];
}

static void test_between(void **state)
{
    const struct op_case cases[] = {
        {"Reshape",
         {IN("n 6 35"), IN("n 10 21")},
         {LIST("shape", 0, 10, 21)},
         .build = between,
         .reference = reference_between,
         .apart = true},
        {"Reshape",
         {IN("n 3 4"), IN("n 12")},
         {LIST("shape", 0, -1)},
         .build = between,
         .reference = reference_between},
    };
    OP_CHECK_ALL(state, cases);
}

/* The same axes with the ones elsewhere: relu(x + w) * v, with a reshape before the product. */
static mi_value *ones_moved(struct mi_graph *graph, mi_value *const *in, const struct op_case *c)
{
    mi_value *sum = mi_op1(graph, "Relu", mi_op2(graph, "Add", in[0], in[1]));
    return mi_op2(graph, "Mul", mi_apply(graph, "Reshape", &sum, 1, c->attribute, 1), in[2]);
}

static void reference_ones_moved(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    (void)c;
    for (int64_t i = 0; i < out->count; i++) {
        double sum = in[0].data[i] + in[1].data[i % in[1].count];
        out->data[i] = (sum > 0 ? sum : 0) * in[2].data[i % in[2].count];
    }
}

#define ONES_MOVED(from, w, v, ...)                                                                    \
    {"Reshape", {IN(from), IN_RANGE(w, 2.5, 4), IN(v)}, {LIST("shape", __VA_ARGS__)}, .build = ones_moved, \
     .reference = reference_ones_moved}

static void test_ones_moved(void **state)
{
    const struct op_case cases[] = {
        ONES_MOVED("n 1 6", "6", "6 1", 0, 6, 1),
        ONES_MOVED("n 6 1", "6 1", "6", 0, 1, 6),
        ONES_MOVED("n 1 6", "6", "6", 0, 6),
        ONES_MOVED("n 6", "6", "6 1", 0, 6, 1),
        ONES_MOVED("n 4 1 6", "4 1 6", "24", 0, 24),
        ONES_MOVED("n 1 4 6", "6", "6 1", -1, 4, 6, 1),
        ONES_MOVED("n 1 4 6", "6", "1 6", -1, 4, 1, 6),
    };
    OP_CHECK_ALL(state, cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reshape),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_between),
        cmocka_unit_test(test_ones_moved),
    };
    return cmocka_run_group_tests_name("reshape", tests, op_devices_open, op_devices_close);
}
