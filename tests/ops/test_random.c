#include "support/ops.h"

#include <math.h>

/* The random stream of a node: the step (the harness runs step 3 with seed 42) and the node's stable id, of a
 * graph that has `inputs` inputs before it. */
static double uniform(int64_t inputs, int64_t i)
{
    return (double)mi_chance(42, ((uint64_t)3 << 32) + (uint64_t)(inputs + 1), (uint64_t)i);
}

static void reference_training(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    double rate = op_float(c, "rate", 0.5);
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = uniform(1, i) < rate ? 0 : in[0].data[i] / (1 - rate);
}

static void reference_inference(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    (void)c;
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = in[0].data[i];
}

/* The gradient's mask is the forward's: finite differences of the reference would not agree with another
 * one. */
static void test_dropout(void **state)
{
    const struct op_case cases[] = {
        {"Dropout",
         {IN("n 127")},
         {MI_REAL("rate", 0.25f)},
         .reference = reference_training,
         .training = true},
        {"Dropout", {IN("n 3 5")}, .reference = reference_training, .training = true},
        {"Dropout", {IN("n 13")}, {MI_REAL("rate", 0.0f)}, .reference = reference_training, .training = true},
        {"Dropout", {IN("n 13")}, {MI_REAL("rate", 0.25f)}, .reference = reference_inference},
    };
    OP_CHECK_ALL(state, cases);
}

/* Two dropouts of the same tensor draw different masks. */
static mi_value *twice(struct mi_graph *graph, mi_value *const *in, const struct op_case *c)
{
    mi_value *first = mi_apply(graph, "Dropout", in, 1, c->attribute, 1);
    mi_value *second = mi_apply(graph, "Dropout", in, 1, c->attribute, 1);
    return mi_op2(graph, "Sub", first, second);
}

static void reference_twice(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    double rate = op_float(c, "rate", 0.5);
    for (int64_t i = 0; i < out->count; i++) {
        double kept = in[0].data[i] / (1 - rate);
        out->data[i] = (uniform(1, i) < rate ? 0 : kept) - (uniform(2, i) < rate ? 0 : kept);
    }
}

static void test_two_masks(void **state)
{
    const struct op_case cases[] = {{"Dropout", {IN("n 127")}, {MI_REAL("rate", 0.5f)}, .build = twice,
                                     .reference = reference_twice, .training = true}};
    OP_CHECK_ALL(state, cases);
}

/* ---- One draw for elements along an axis; other things than zeros; normal numbers ---- */

static void reference_shared(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    int count = 0;
    const int64_t *shared = op_ints(c, "shared", &count);
    double rate = op_float(c, "rate", 0.5);
    int64_t at[MI_MAX_RANK] = {0}, i = 0;
    if (out->count)
        do {
            int64_t drawn = 0;
            for (int d = 0; d < out->rank; d++) {
                bool own = true;
                for (int k = 0; k < count; k++)
                    own = own && (shared[k] + out->rank) % out->rank != d;
                drawn = own ? drawn * out->dim[d] + at[d] : drawn;
            }
            out->data[i] = uniform(1, drawn) < rate ? 0 : in[0].data[i] / (1 - rate);
            i++;
        } while (tensor_next(out, at));
}

static void reference_alpha(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    const double rate = op_float(c, "rate", 0.5), low = -1.0507009873554805 * 1.6732632423543772;
    const double a = pow((1 - rate) * (1 + rate * low * low), -0.5), b = -a * low * rate;
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = a * (uniform(1, i) < rate ? low : in[0].data[i]) + b;
}

static double normal(uint64_t seed, int64_t i)
{
    return mi_normal(seed ? seed : 42, ((uint64_t)3 << 32) + 2, (uint64_t)i);
}

static void reference_gaussian_dropout(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    const double rate = op_float(c, "rate", 0.5);
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = in[0].data[i] * (1 + sqrt(rate / (1 - rate)) * normal((uint64_t)op_int(c, "seed", 0), i));
}

static void reference_gaussian_noise(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = in[0].data[i] + op_float(c, "stddev", 1) * normal((uint64_t)op_int(c, "seed", 0), i);
}

static void test_shared(void **state)
{
    static const int64_t places[] = {2, 3}, first[] = {-2};
    const struct op_case cases[] = {
        {"Dropout", {IN("n 7 3 5")}, {MI_REAL("rate", 0.25f), MI_INTS("shared", places, 2)}, .reference = reference_shared,
         .training = true},
        {"Dropout", {IN("n 5 13")}, {MI_INTS("shared", first, 1)}, .reference = reference_shared, .training = true},
        {"Dropout", {IN("n 5 13")}, {MI_INTS("shared", first, 1)}, .reference = reference_inference},
    };
    OP_CHECK_ALL(state, cases);
}

static void test_alpha(void **state)
{
    const struct op_case cases[] = {
        {"AlphaDropout", {IN("n 127")}, {MI_REAL("rate", 0.25f)}, .reference = reference_alpha, .training = true},
        {"AlphaDropout", {IN("n 13")}, {MI_REAL("rate", 0.25f)}, .reference = reference_inference},
    };
    OP_CHECK_ALL(state, cases);
}

static void test_normal(void **state)
{
    const struct op_case cases[] = {
        {"GaussianNoise", {IN("n 127")}, {MI_REAL("stddev", 0.5f)}, .reference = reference_gaussian_noise, .training = true},
        {"GaussianNoise", {IN("n 3 5")}, {MI_INT("seed", 7)}, .reference = reference_gaussian_noise, .training = true},
        {"GaussianNoise", {IN("n 13")}, .reference = reference_inference},
        {"GaussianDropout", {IN("n 129")}, {MI_REAL("rate", 0.25f), MI_INT("seed", 9)},
         .reference = reference_gaussian_dropout, .training = true},
        {"GaussianDropout", {IN("n 13")}, {MI_REAL("rate", 0.25f)}, .reference = reference_inference},
    };
    OP_CHECK_ALL(state, cases);
}

/* Of a million numbers the moments, and how many are beyond 1 to 5: five standard errors of each are allowed. */
static void test_distribution(void **state)
{
    enum { COUNT = 1 << 20 };
    static const double beyond[] = {0.31731051, 0.045500264, 0.0026997961, 6.3342484e-5, 5.7330314e-7};
    double sum[4] = {0}, found[5] = {0};
    (void)state;
    for (uint64_t i = 0; i < COUNT; i++) {
        double z = mi_normal(1, 2, i), power = 1;
        for (int k = 0; k < 4; k++)
            sum[k] += (power *= z) / COUNT;
        for (int k = 0; k < 5; k++)
            found[k] += fabs(z) > k + 1;
    }
    static const double moments[] = {0, 1, 0, 3}, variances[] = {1, 2, 15, 96};
    for (int k = 0; k < 4; k++)
        assert_true(fabs(sum[k] - moments[k]) < 5 * sqrt(variances[k] / COUNT));
    for (int k = 0; k < 5; k++)
        assert_true(fabs(found[k] - beyond[k] * COUNT) < 5 * sqrt(beyond[k] * COUNT) + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dropout), cmocka_unit_test(test_two_masks),    cmocka_unit_test(test_shared),
        cmocka_unit_test(test_alpha),   cmocka_unit_test(test_normal),       cmocka_unit_test(test_distribution),
    };
    return cmocka_run_group_tests_name("random", tests, op_devices_open, op_devices_close);
}
