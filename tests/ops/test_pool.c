#include "support/reference.h"

#include <math.h>

#define LIST(name, ...) MI_INTS(name, ((int64_t[]){__VA_ARGS__}), (int)MI_COUNT(((int64_t[]){__VA_ARGS__})))
#define KERNEL(...) LIST("kernel_shape", __VA_ARGS__)
#define PADS(...) LIST("pads", __VA_ARGS__)
#define STRIDES(...) LIST("strides", __VA_ARGS__)
#define DILATIONS(...) LIST("dilations", __VA_ARGS__)
#define MAX(x, ...) {"MaxPool", {IN(x)}, {__VA_ARGS__}, .reference = reference_max_pool, .batch = 5}
#define AVERAGE(x, ...) \
    {"AveragePool", {IN(x)}, {__VA_ARGS__}, .reference = reference_average_pool, .batch = 5}

static void test_max(void **state)
{
    const double special[] = {(double)NAN,      1, -(double)INFINITY, -(double)INFINITY, -(double)INFINITY,
                              -(double)INFINITY};
    const struct op_case cases[] = {
        MAX("n 3 8 8", KERNEL(2, 2), STRIDES(2, 2)),
        MAX("n 3 9 7", KERNEL(3, 2), STRIDES(2, 1), PADS(1, 0, 1, 1)),
        MAX("n 2 7 7", KERNEL(3, 3), STRIDES(2, 2), MI_INT("ceil_mode", 1)),
        MAX("n 2 8 8", KERNEL(2, 2), DILATIONS(3, 2)),
        MAX("n 2 9 43", KERNEL(3, 3), STRIDES(2, 2), PADS(1, 1, 1, 1)),
        MAX("n 2 5 38", KERNEL(2, 2), STRIDES(2, 2)),
        MAX("n 1 7 37", KERNEL(3, 3), STRIDES(3, 3), PADS(1, 0, 1, 0)),
        MAX("n 1 18 17", KERNEL(17, 16), STRIDES(1, 1)),
        MAX("n 3 13", KERNEL(3), STRIDES(2)),
        MAX("n 3 13", KERNEL(2), STRIDES(3), PADS(1, 0)),
        MAX("n 2 7 9", KERNEL(2, 3), STRIDES(2, 4)),
        MAX("n 1 1 1", KERNEL(1, 1)),
        MAX("n 2 4 5 3", KERNEL(2, 2, 2), STRIDES(2, 2, 2)),
        MAX("n 1 5 4 5", KERNEL(3, 2, 2), STRIDES(1, 2, 1), PADS(1, 0, 1, 0, 1, 0)),
        MAX("n 1 4 3 5", KERNEL(2, 2, 2), DILATIONS(2, 1, 3)),
        {"MaxPool", {{.shape = "n 1 6", .first = special, .firsts = 6}}, {KERNEL(2), STRIDES(2)},
         .reference = reference_max_pool, .no_gradient = true},
    };
    OP_CHECK_ALL(state, cases);
}

static void test_average(void **state)
{
    const struct op_case cases[] = {
        AVERAGE("n 3 8 8", KERNEL(2, 2), STRIDES(2, 2)),
        AVERAGE("n 3 9 7", KERNEL(3, 2), STRIDES(2, 1), PADS(1, 0, 1, 1)),
        AVERAGE("n 3 9 7", KERNEL(3, 2), STRIDES(2, 1), PADS(1, 0, 1, 1), MI_INT("count_include_pad", 1)),
        AVERAGE("n 2 7 8", KERNEL(3, 3), STRIDES(2, 2), MI_INT("ceil_mode", 1)),
        AVERAGE("n 2 8 8", KERNEL(3, 3), STRIDES(2, 2), PADS(1, 1, 1, 1), MI_INT("ceil_mode", 1),
                MI_INT("count_include_pad", 1)),
        AVERAGE("n 2 9 9", KERNEL(2, 3), DILATIONS(3, 2), PADS(2, 1, 2, 1)),
        AVERAGE("n 3 13", KERNEL(3), STRIDES(2)),
        AVERAGE("n 1 1 1", KERNEL(2, 3), DILATIONS(2, 2), PADS(1, 2, 1, 2)), /* a window that holds nothing: 0 */
        AVERAGE("n 2 1 5", KERNEL(2, 1), DILATIONS(2, 1), PADS(1, 0, 1, 0)),
        AVERAGE("n 2 4 5 3", KERNEL(2, 3, 1), STRIDES(2, 1, 1), PADS(1, 1, 0, 0, 1, 0)),
        AVERAGE("n 1 5 3 4", KERNEL(2, 2, 3), DILATIONS(3, 1, 1), PADS(0, 1, 1, 1, 0, 1)),
    };
    OP_CHECK_ALL(state, cases);
}

static void reference_global(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    int64_t places = 1;
    for (int i = 2; i < in[0].rank; i++)
        places *= in[0].dim[i];
    for (int64_t i = 0; i < out->count; i++) {
        double sum = 0, most = -(double)INFINITY;
        for (int64_t k = 0; k < places; k++) {
            sum += in[0].data[i * places + k];
            most = fmax(most, in[0].data[i * places + k]);
        }
        out->data[i] = c->op[6] == 'A' ? sum / (double)places : most;
    }
}

static void test_global(void **state)
{
    const struct op_case cases[] = {
        {"GlobalAveragePool", {IN("n 3 5 7")}, .reference = reference_global},
        {"GlobalAveragePool", {IN("n 3 13")}, .reference = reference_global},
        {"GlobalMaxPool", {IN("n 3 5 7")}, .reference = reference_global},
    };
    OP_CHECK_ALL(state, cases);
}

/* Every place is asked whether it lies in the window, by fractions. */
static void reference_adaptive(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    int64_t at[MI_MAX_RANK] = {0}, i = 0;
    if (out->count == 0)
        return;
    do {
        int64_t from[MI_MAX_RANK] = {0}, k = 0;
        double sum = 0, most = -(double)INFINITY, places = 0;
        do {
            bool inside = from[0] == at[0] && from[1] == at[1];
            for (int d = 2; d < in[0].rank; d++) {
                double share = (double)in[0].dim[d] / (double)out->dim[d];
                inside = inside && (double)from[d] > (double)at[d] * share - 1 + 1e-9 && (double)from[d] < (double)(at[d] + 1) * share - 1e-9;
            }
            if (inside) {
                sum += in[0].data[k];
                most = fmax(most, in[0].data[k]);
                places++;
            }
            k++;
        } while (tensor_next(&in[0], from));
        out->data[i++] = c->op[8] == 'A' ? sum / places : most;
    } while (tensor_next(out, at));
}

#define SIZES(...) LIST("output_size", __VA_ARGS__)
static void test_adaptive(void **state)
{
    const struct op_case cases[] = {
        {"AdaptiveAveragePool", {IN("n 2 7 6")}, {SIZES(3, 4)}, .reference = reference_adaptive},
        {"AdaptiveMaxPool", {IN("n 2 7 6")}, {SIZES(3, 4)}, .reference = reference_adaptive},
        {"AdaptiveAveragePool", {IN("n 1 5")}, {SIZES(13)}, .reference = reference_adaptive},
        {"AdaptiveMaxPool", {IN("n 3 127")}, {SIZES(13)}, .reference = reference_adaptive},
        {"AdaptiveMaxPool", {IN("n 1 3 5 4")}, {SIZES(2, 5, 3)}, .reference = reference_adaptive},
        {"AdaptiveAveragePool", {IN("n 1 3 5 4")}, {SIZES(2, 7, 1)}, .reference = reference_adaptive},
    };
    OP_CHECK_ALL(state, cases);
}

/* Where a window's values are equal, the first takes the whole gradient. */
static void reference_first_of_equals(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    (void)c;
    for (int64_t i = 0; i < in[0].count; i++)
        out->data[i] = i % 4 == 0 ? 1 : 0;
}

static mi_value *gradient_of_equals(struct mi_graph *graph, mi_value *const *in, const struct op_case *c)
{
    mi_value *gradient = NULL, *zeros = mi_op2(graph, "Mul", in[0], mi_scalar(graph, 0));
    mi_value *pool = mi_apply(graph, "MaxPool", &zeros, 1, c->attribute, 2);
    mi_value *loss = MI_APPLY(graph, "ReduceSum", ((mi_value *[]){pool}), MI_INT("keepdims", 0));
    mi_differentiate(graph, loss, &zeros, 1, &gradient);
    return gradient;
}

static void test_first_of_equals(void **state)
{
    const struct op_case cases[] = {{"MaxPool",
                                     {IN("n 2 8")},
                                     {KERNEL(4), STRIDES(4)},
                                     .build = gradient_of_equals,
                                     .reference = reference_first_of_equals,
                                     .no_gradient = true}};
    OP_CHECK_ALL(state, cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_max),
        cmocka_unit_test(test_average),
        cmocka_unit_test(test_global),
        cmocka_unit_test(test_adaptive),
        cmocka_unit_test(test_first_of_equals),
    };
    return cmocka_run_group_tests_name("pool", tests, op_devices_open, op_devices_close);
}
