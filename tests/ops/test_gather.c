#include "support/ops.h"

#include <math.h>

static void reference(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    const struct tensor *data = &in[0], *indices = &in[1];
    int axis = (int)op_int(c, "axis", 0);
    int64_t outer = 1, inner = 1, size;
    axis = axis < 0 ? axis + data->rank : axis;
    size = data->dim[axis];
    for (int i = 0; i < data->rank; i++)
        *(i < axis ? &outer : &inner) *= i == axis ? 1 : data->dim[i];
    for (int64_t a = 0; a < outer; a++)
        for (int64_t t = 0; t < indices->count; t++)
            for (int64_t b = 0; b < inner; b++) {
                int64_t at = (int64_t)indices->data[t];
                at = at < 0 ? at + size : at;
                double missing = data->type == MI_FLOAT ? (double)NAN : 0;
                out->data[(a * indices->count + t) * inner + b] =
                    at < 0 || at >= size ? missing : data->data[(a * size + at) * inner + b];
            }
}

static void test_gather(void **state)
{
    const double wild[] = {-8, 7, 6, -7, 1000000};
    const struct op_case cases[] = {
        {"Gather", {IN("7 5"), INTEGERS("n 3", 0, 6)}, .reference = reference},
        {"Gather", {IN("127 13"), INTEGERS("n", -127, 126)}, .reference = reference},
        {"Gather", {IN("n 7"), INTEGERS("4", -7, 6)}, {MI_INT("axis", 1)}, .reference = reference},
        {"Gather", {IN("3 7 2"), INTEGERS("n 2", 0, 6)}, {MI_INT("axis", 1)}, .reference = reference},
        {"Gather", {IN("1 1"), INTEGERS("n", 0, 0)}, .reference = reference},
        {"Gather",
         {IN("7 5"), {.shape = "n 3", .type = MI_INT64, .low = 0, .high = 6}},
         .reference = reference},
        {"Gather",
         {INTEGERS("7", -9, 9), {.shape = "n 5", .type = MI_INT32, .high = 6, .first = wild, .firsts = 5}},
         .reference = reference},
        {"Gather",
         {IN("7 2"), {.shape = "n 5", .type = MI_INT32, .high = 6, .first = wild, .firsts = 5}},
         .reference = reference,
         .no_gradient = true},
    };
    OP_CHECK_ALL(state, cases);
}

/* What is no row's number gives a row near it. */
static mi_value *look_up(struct mi_graph *graph, mi_value *const *in, const struct op_case *c)
{
    mi_value *index = mi_apply(graph, "RowIndex", &in[1], 1, c->attribute, 1);
    return mi_op2(graph, "Gather", in[0], index);
}

static void reference_look_up(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    int64_t rows = op_int(c, "rows", 0), width = in[0].dim[1];
    for (int64_t i = 0; i < out->count; i++) {
        double index = in[1].data[i / width];
        int64_t row = index >= 0 ? (index < (double)rows ? (int64_t)index : rows - 1) : 0;
        out->data[i] = in[0].data[row * width + i % width];
    }
}

static void test_row_index(void **state)
{
    const double wild[] = {3, -1, 1.5, 7, 0, 6, -0.0, (double)NAN, (double)INFINITY, -1e30, 3e9, 6.999};
    const struct op_case wild_case = {"RowIndex",
                                      {IN("7 2"), {.shape = "n 4", .first = wild, .firsts = 12}},
                                      {MI_INT("rows", 7)},
                                      .build = look_up,
                                      .reference = reference_look_up,
                                      .batch = 3,
                                      .no_gradient = true};
    op_check(state, &wild_case);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gather), cmocka_unit_test(test_row_index)};
    return cmocka_run_group_tests_name("gather", tests, op_devices_open, op_devices_close);
}
