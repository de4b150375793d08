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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_dropout), cmocka_unit_test(test_two_masks)};
    return cmocka_run_group_tests_name("random", tests, op_devices_open, op_devices_close);
}
