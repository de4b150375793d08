#include "support/ops.h"

#include <math.h>
#include <string.h>

/* Which axes a case folds. */
static uint32_t axes_of(const struct op_case *c, int rank)
{
    int count;
    uint32_t mask = 0;
    const int64_t *axes = op_ints(c, "axes", &count);
    for (int i = 0; i < count; i++)
        mask |= 1u << (axes[i] < 0 ? axes[i] + rank : axes[i]);
    return count ? mask : op_int(c, "noop_with_empty_axes", 0) ? 0 : (1u << rank) - 1;
}

struct folded {
    double sum, product, most, least, count, squares;
};

static void fold(const struct op_case *c, const struct tensor *x, struct tensor *out, struct folded *folded)
{
    uint32_t mask = axes_of(c, x->rank);
    int64_t at[MI_MAX_RANK] = {0};
    for (int64_t i = 0; i < out->count; i++)
        folded[i] = (struct folded){0, 1, -(double)INFINITY, (double)INFINITY, 0, 0};
    if (x->count == 0)
        return;
    do {
        int64_t place = 0;
        for (int i = 0; i < x->rank; i++)
            if (!(mask >> i & 1))
                place = place * x->dim[i] + at[i];
        struct folded *f = &folded[place];
        double value = x->data[tensor_offset(x, at)];
        f->sum += value;
        f->product *= value;
        f->squares += value * value;
        f->most = value > f->most || isnan(value) ? value : f->most;
        f->least = value < f->least || isnan(value) ? value : f->least;
        f->count++;
    } while (tensor_next(x, at));
}

static void reference(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    struct folded *folded = mi_new((size_t)out->count, sizeof *folded);
    assert_non_null(folded);
    fold(c, &in[0], out, folded);
    for (int64_t i = 0; i < out->count; i++) {
        const struct folded *f = &folded[i];
        out->data[i] = strcmp(c->op, "ReduceSum") == 0    ? f->sum
                       : strcmp(c->op, "ReduceMean") == 0 ? f->sum / f->count
                       : strcmp(c->op, "ReduceProd") == 0 ? f->product
                       : strcmp(c->op, "ReduceSquares") == 0 ? f->squares
                       : strcmp(c->op, "ReduceMeanSquare") == 0 ? f->squares / f->count
                       : strcmp(c->op, "ReduceMax") == 0  ? f->most
                                                          : f->least;
    }
    free(folded);
}

#define AXES(...) MI_INTS("axes", ((int64_t[]){__VA_ARGS__}), (int)MI_COUNT(((int64_t[]){__VA_ARGS__})))
#define DROP MI_INT("keepdims", 0)
#define REDUCE(name, sizes, ...) {name, {IN(sizes)}, {__VA_ARGS__}, .reference = reference}

static void test_sum(void **state)
{
    const struct op_case cases[] = {
        REDUCE("ReduceSum", "n 127", AXES(1)),
        REDUCE("ReduceSum", "n 13 5", AXES(0)),
        REDUCE("ReduceSum", "n 13 5", AXES(0, 2), DROP),
        REDUCE("ReduceSum", "n 3 4 5", AXES(1, -1), DROP),
        REDUCE("ReduceSum", "n 3", DROP),
        REDUCE("ReduceSum", "127 2", AXES(0), DROP),
        REDUCE("ReduceSum", "17 300", AXES(0)),
        REDUCE("ReduceSum", "n 1", AXES(1)),
        REDUCE("ReduceSum", "n 0 3", AXES(1)),
        REDUCE("ReduceSum", "n 3", MI_INT("noop_with_empty_axes", 1)),
        {"ReduceSum", {INTEGERS("n 13", -9, 9)}, {AXES(1)}, .reference = reference},
        {"ReduceSquares", {IN("13 7")}, {DROP}, .reference = reference, .no_gradient = true},
        {"ReduceSquares", {IN("n 300")}, {AXES(1)}, .reference = reference, .no_gradient = true},
        {"ReduceMeanSquare", {IN("13 7")}, {DROP}, .reference = reference, .no_gradient = true},
        {"ReduceMeanSquare", {IN("n 300")}, {AXES(1)}, .reference = reference, .no_gradient = true},
    };
    OP_CHECK_ALL(state, cases);
}

static void test_mean(void **state)
{
    const struct op_case cases[] = {
        REDUCE("ReduceMean", "n 127", AXES(-1)),
        {"ReduceMean", {IN("n 3 5")}, {AXES(0, 2)}, .reference = reference, .apart = true},
        REDUCE("ReduceMean", "n 13", DROP),
        REDUCE("ReduceMean", "n 3 2", AXES(1), DROP),
    };
    OP_CHECK_ALL(state, cases);
}

/* No zero, one, two: the gradient of a product that is 0 is that of one zero alone. */
static const double zeros[] = {1, -2, 0.5, 1.5, 2, 1, 0, 2, -1, 0.5, 0, 1, 0, 2, 1};

static void test_extrema(void **state)
{
    const double special[] = {1, (double)NAN, (double)INFINITY, -(double)INFINITY};
    const struct op_case cases[] = {
        REDUCE("ReduceMax", "n 127", AXES(1)),
        REDUCE("ReduceMax", "n 3 5", AXES(0, 2), DROP),
        REDUCE("ReduceMax", "n 3", DROP),
        REDUCE("ReduceMin", "n 13", AXES(1)),
        REDUCE("ReduceMin", "n 3 5", AXES(1), DROP),
        {"ReduceMax", {INTEGERS("n 13", -9, -3)}, {AXES(1)}, .reference = reference},
        {"ReduceMin", {INTEGERS("n 13", 3, 9)}, {AXES(1)}, .reference = reference},
        {"ReduceMax",
         {{.shape = "n 4", .first = special, .firsts = 4}},
         {AXES(1)},
         .reference = reference,
         .no_gradient = true},
        {"ReduceMin",
         {{.shape = "n 4", .first = special, .firsts = 4}},
         {AXES(1)},
         .reference = reference,
         .no_gradient = true},
        {"ReduceProd", {IN("n 5")}, {AXES(1)}, .reference = reference},
        {"ReduceProd", {{.shape = "n 5", .first = zeros, .firsts = MI_COUNT(zeros)}}, {AXES(1)}, .reference = reference},
    };
    OP_CHECK_ALL(state, cases);
}

/* The first (or last) maximum along an axis; NaN is the largest. */
static void reference_argmax(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    const struct tensor *x = &in[0];
    int axis = (int)op_int(c, "axis", 0);
    int64_t outer = 1, inner = 1, size;
    axis = axis < 0 ? axis + x->rank : axis;
    size = x->dim[axis];
    for (int i = 0; i < x->rank; i++)
        *(i < axis ? &outer : &inner) *= i == axis ? 1 : x->dim[i];
    for (int64_t i = 0; i < outer * inner; i++) {
        int64_t best = 0;
        for (int64_t k = 1; k < size; k++) {
            const double *values = x->data + i / inner * size * inner + i % inner;
            double value = values[k * inner], most = values[best * inner];
            bool tie = value == most || (isnan(value) && isnan(most));
            if (value > most || (isnan(value) && !isnan(most)) || (tie && op_int(c, "select_last_index", 0)))
                best = k;
        }
        out->data[i] = (double)best;
    }
}

static void test_argmax(void **state)
{
    const double special[] = {1,
                              (double)NAN,
                              (double)NAN,
                              2,
                              -(double)INFINITY,
                              -(double)INFINITY,
                              -(double)INFINITY,
                              -(double)INFINITY};
#define ARGMAX(input, ...) {"ArgMax", {input}, {__VA_ARGS__}, .reference = reference_argmax}
    const struct op_case cases[] = {
        ARGMAX(IN("n 127"), MI_INT("axis", 1)),
        ARGMAX(IN("n 10"), MI_INT("axis", -1), DROP),
        ARGMAX(IN("n 3 5"), MI_INT("axis", 1), DROP),
        ARGMAX(IN("n 5"), MI_INT("axis", 0)),
        ARGMAX(INTEGERS("n 13", 0, 3), MI_INT("axis", 1)),
        ARGMAX(INTEGERS("n 13", -3, -1), MI_INT("axis", 1), MI_INT("select_last_index", 1)),
        {"ArgMax",
         {{.shape = "n 4", .first = special, .firsts = 8}},
         {MI_INT("axis", 1)},
         .reference = reference_argmax},
    };
    OP_CHECK_ALL(state, cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sum),
        cmocka_unit_test(test_mean),
        cmocka_unit_test(test_extrema),
        cmocka_unit_test(test_argmax),
    };
    return cmocka_run_group_tests_name("reduce", tests, op_devices_open, op_devices_close);
}
