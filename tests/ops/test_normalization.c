#include "support/ops.h"

#include <math.h>

/* Inputs x, scale, bias, mean, var; outputs y, new mean, new var. */
static void reference(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    const struct tensor *x = &in[0];
    double epsilon = op_float(c, "epsilon", 1e-5), momentum = op_float(c, "momentum", 0.9);
    int64_t channels = x->dim[1], inner = 1;
    for (int i = 2; i < x->rank; i++)
        inner *= x->dim[i];
    int64_t count = x->dim[0] * inner;
    for (int64_t k = 0; k < channels; k++) {
        double mean = 0, square = 0;
        for (int64_t i = 0; i < count; i++)
            mean += x->data[(i / inner * channels + k) * inner + i % inner] / (double)count;
        for (int64_t i = 0; i < count; i++)
            square += pow(x->data[(i / inner * channels + k) * inner + i % inner] - mean, 2);
        double used_mean = c->training ? mean : in[3].data[k],
               used = c->training ? square / (double)count : in[4].data[k];
        double unbiased = count > 1 ? square / (double)(count - 1) : in[4].data[k];
        for (int64_t i = 0; i < count; i++) {
            int64_t at = (i / inner * channels + k) * inner + i % inner;
            out[0].data[at] =
                (x->data[at] - used_mean) / sqrt(used + epsilon) * in[1].data[k] + in[2].data[k];
        }
        out[1].data[k] = c->training ? in[3].data[k] * momentum + mean * (1 - momentum) : in[3].data[k];
        out[2].data[k] = c->training ? in[4].data[k] * momentum + unbiased * (1 - momentum) : in[4].data[k];
    }
}

#define STATISTICS(sizes) {.shape = (sizes), .low = 0.5, .high = 2, .no_gradient = true}
#define NORMALIZE(x, channels, trains, ...)                                                                \
    {"BatchNormalization", {IN(x), IN(channels), IN(channels), STATISTICS(channels), STATISTICS(channels)}, \
     {__VA_ARGS__}, .reference = reference, .outputs = 3, .training = (trains), .tolerance = 5e-6,        \
     .gradient_tolerance = 5e-4}

static void test_axes_of_one(void **state)
{
    const struct op_case cases[] = {
        NORMALIZE("n 1", "1", true, {0}),
        NORMALIZE("n 1 5 5", "1", true, {0}),
        NORMALIZE("n 4 1 5", "4", true, {0}),
        NORMALIZE("n 4 5 1", "4", true, {0}),
        NORMALIZE("n 1 1 7", "1", true, {0}),
        NORMALIZE("n 1 1 7", "1", false, {0}),
    };
    OP_CHECK_ALL(state, cases);
}

/* One value a channel: the running variance stays. */
static void test_one_value(void **state)
{
    struct op_case cases[] = {
        NORMALIZE("n 5", "5", true, {0}),
        NORMALIZE("n 5 1 1", "5", true, {0}),
        NORMALIZE("1 5", "5", true, {0}),
    };
    for (size_t i = 0; i < MI_COUNT(cases); i++)
        cases[i].batch = 1;
    OP_CHECK_ALL(state, cases);
}

static void test_training(void **state)
{
    const struct op_case cases[] = {
        NORMALIZE("n 3 5 5", "3", true, MI_REAL("epsilon", 1e-3f), MI_REAL("momentum", 0.99f)),
        NORMALIZE("n 13", "13", true, MI_REAL("epsilon", 0.1f)),
        NORMALIZE("n 2 127", "2", true, {0}),
        NORMALIZE("n 17 2 3", "17", true, {0}),
    };
    OP_CHECK_ALL(state, cases);
}

/* A mean far from zero must not cost the variance its digits; nor must a first element that is far from all others. */
static void test_far_from_zero(void **state)
{
    static const double far[] = {1000, 1, -1, 0.5};
    const struct op_case cases[] = {
        {"BatchNormalization",
         {IN_RANGE("n 2 31", 1000, 1001), IN("2"), IN("2"), STATISTICS("2"), STATISTICS("2")},
         .reference = reference, .outputs = 3, .training = true, .tolerance = 1e-3, .no_gradient = true},
        {"BatchNormalization",
         {{.shape = "n 2 31", .first = far, .firsts = 4}, IN("2"), IN("2"), STATISTICS("2"), STATISTICS("2")},
         .reference = reference, .outputs = 3, .training = true, .tolerance = 1e-4, .no_gradient = true}};
    OP_CHECK_ALL(state, cases);
}

static void test_inference(void **state)
{
    const struct op_case cases[] = {
        NORMALIZE("n 3 5 5", "3", false, {0}),
        NORMALIZE("n 13", "13", false, {0}),
    };
    OP_CHECK_ALL(state, cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_training),
        cmocka_unit_test(test_axes_of_one),
        cmocka_unit_test(test_one_value),
        cmocka_unit_test(test_far_from_zero),
        cmocka_unit_test(test_inference),
    };
    return cmocka_run_group_tests_name("normalization", tests, op_devices_open, op_devices_close);
}
