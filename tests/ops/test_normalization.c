#include "support/ops.h"

#include <math.h>
#include <string.h>

/* Inputs x, scale, bias, mean, var, and which elements count, or all; outputs y, new mean, new var. */
static void reference(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    const struct tensor *x = &in[0];
    double epsilon = op_float(c, "epsilon", 1e-5), momentum = op_float(c, "momentum", 0.9);
    int64_t channels = x->dim[1], inner = 1;
    for (int i = 2; i < x->rank; i++)
        inner *= x->dim[i];
    int64_t all = x->dim[0] * inner;
    for (int64_t k = 0; k < channels; k++) {
        double mean = 0, square = 0, count = 0;
#define AT(i) ((i) / inner * channels + k) * inner + (i) % inner
#define COUNTS(i) (c->in[5].shape ? in[5].data[(i) / inner * channels + k] : 1)
        for (int64_t i = 0; i < all; i++)
            count += COUNTS(i);
        for (int64_t i = 0; i < all; i++)
            mean += count > 0 ? COUNTS(i) * x->data[AT(i)] / count : 0;
        for (int64_t i = 0; i < all; i++)
            square += COUNTS(i) * pow(x->data[AT(i)] - mean, 2);
        double used_mean = c->training ? mean : in[3].data[k];
        double used = c->training ? square / (count > 1 ? count : 1) : in[4].data[k];
        double new_mean = count > 0 ? mean : in[3].data[k], unbiased = count > 1 ? square / (count - 1) : in[4].data[k];
        for (int64_t i = 0; i < all; i++)
            out[0].data[AT(i)] = (x->data[AT(i)] - used_mean) / sqrt(used + epsilon) * in[1].data[k] + in[2].data[k];
        out[1].data[k] = c->training ? in[3].data[k] * momentum + new_mean * (1 - momentum) : in[3].data[k];
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

/* Of a channel all elements count, of others some, one, or none. */
static void test_counted(void **state)
{
    static const double some[] = {1, 1, 0, 0, 1, 1, 1, 0, 1, 0, 0, 0};
#define COUNTED(x, trains)                                                                                   \
    {"BatchNormalization", {IN(x), IN("4"), IN("4"), STATISTICS("4"), STATISTICS("4"),                       \
                            {.shape = "n 4", .first = some, .firsts = 12, .no_gradient = true}},             \
     {MI_REAL("epsilon", 0.1f)}, .reference = reference, .outputs = 3, .training = (trains), .batch = 3,     \
     .tolerance = 5e-6, .gradient_tolerance = 5e-4}
    const struct op_case cases[] = {COUNTED("n 4 3", true), COUNTED("n 4", true), COUNTED("n 4 3", false)};
    OP_CHECK_ALL(state, cases);
}

/* ---- Of each sample ---- */

/* Over the axes of `mask`, with a scale and a bias (NULL: none) that are broadcast; the mean counts unless it is RMSNormalization. */
static void normalize(const struct op_case *c, const struct tensor *x, uint32_t mask, const struct tensor *scale,
                      const struct tensor *bias, struct tensor *out)
{
    double epsilon = op_float(c, "epsilon", 1e-5);
    bool centered = strcmp(c->op, "RMSNormalization") != 0;
    int64_t at[MI_MAX_RANK] = {0}, i = 0;
    if (!x->count)
        return;
    do {
        double sum = 0, square = 0, count = 0;
        int64_t of[MI_MAX_RANK] = {0}, k = 0;
        for (int pass = 0; pass < 2; pass++, k = 0)
            do {
                bool same = true;
                for (int d = 0; d < x->rank; d++)
                    same = same && (mask >> d & 1 || of[d] == at[d]);
                count += same && !pass;
                sum += same && !pass && centered ? x->data[k] : 0;
                square += same && pass ? pow(x->data[k] - sum / count, 2) : 0;
                k++;
            } while (tensor_next(x, of));
        double y = (x->data[i] - sum / count) / sqrt(square / count + epsilon) * tensor_broadcast(scale, x->rank, at);
        out->data[i++] = y + (bias ? tensor_broadcast(bias, x->rank, at) : 0);
    } while (tensor_next(x, at));
}

static void reference_axes(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    int count = 0, rank = in[0].rank;
    const int64_t *axes = op_ints(c, "axes", &count);
    int64_t first = op_int(c, "axis", -1);
    uint32_t mask = 0;
    for (int64_t i = first < 0 ? first + rank : first; !axes && i < rank; i++)
        mask |= 1u << i;
    for (int i = 0; axes && i < count; i++)
        mask |= 1u << (axes[i] < 0 ? axes[i] + rank : axes[i]);
    normalize(c, &in[0], mask, &in[1], c->in[2].shape ? &in[2] : NULL, out);
}

/* Of channels in groups: x as (N, groups, C / groups, ...). */
static void reference_channels(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    int64_t channels = in[0].dim[1], groups = op_int(c, "num_groups", channels);
    struct tensor x = in[0], scale = in[1], bias = in[2];
    x.rank = in[0].rank + 1;
    x.dim[1] = groups;
    x.dim[2] = channels / groups;
    for (int i = 2; i < in[0].rank; i++)
        x.dim[i + 1] = in[0].dim[i];
    scale.rank = bias.rank = x.rank - 1;
    for (int i = 0; i < scale.rank; i++)
        scale.dim[i] = bias.dim[i] = i < 2 ? x.dim[i + 1] : 1;
    normalize(c, &x, ((1u << x.rank) - 1) & ~3u, &scale, &bias, out);
}

#define LOOSE .tolerance = 5e-6, .gradient_tolerance = 5e-4
#define ALONG(op, x, scale, ...) {op, {IN(x), IN(scale)}, {__VA_ARGS__}, .reference = reference_axes, LOOSE}
#define LAYER(x, scale, bias, ...)                                                           \
    {"LayerNormalization", {IN(x), IN(scale), IN(bias)}, {__VA_ARGS__}, .reference = reference_axes, LOOSE}

static void test_layer(void **state)
{
    static const int64_t outer[] = {1, 3}, every[] = {-1, 1, 2};
    const struct op_case cases[] = {
        LAYER("n 127", "127", "127", MI_REAL("epsilon", 1e-3f)),
        LAYER("n 5 7", "7", "7", {0}),
        LAYER("n 5 7", "5 7", "5 7", MI_INT("axis", 1)),
        LAYER("n 5 7", "", "7", MI_INT("axis", -2)),
        LAYER("n 3 4 5", "3 1 5", "3 1 5", MI_INTS("axes", outer, 2)),
        LAYER("n 3 4 5", "3 4 5", "3 1 1", MI_INTS("axes", every, 3)),
        ALONG("LayerNormalization", "n 17", "17", {0}),
        LAYER("4 6", "6", "1", MI_INT("axis", 0)),
    };
    OP_CHECK_ALL(state, cases);
}

static void test_rms(void **state)
{
    static const int64_t channels[] = {1};
    const struct op_case cases[] = {
        ALONG("RMSNormalization", "n 13", "13", {0}),
        ALONG("RMSNormalization", "n 1", "1", MI_REAL("epsilon", 0.5f)),
        ALONG("RMSNormalization", "n 5 7", "5 7", MI_INT("axis", 1)),
        ALONG("RMSNormalization", "n 5 7", "", {0}),
        ALONG("RMSNormalization", "n 3 4 5", "3 1 1", MI_INTS("axes", channels, 1)),
    };
    OP_CHECK_ALL(state, cases);
}

#define CHANNELS(op, x, c, ...) {op, {IN(x), IN(c), IN(c)}, {__VA_ARGS__}, .reference = reference_channels, LOOSE}

static void test_channels(void **state)
{
    const struct op_case cases[] = {
        CHANNELS("InstanceNormalization", "n 3 7", "3", {0}),
        CHANNELS("InstanceNormalization", "n 2 5 3", "2", MI_REAL("epsilon", 1e-3f)),
        CHANNELS("InstanceNormalization", "n 1 2 2 3", "1", {0}),
        CHANNELS("GroupNormalization", "n 6 5 3", "6", MI_INT("num_groups", 2)),
        CHANNELS("GroupNormalization", "n 6 5 3", "6", MI_INT("num_groups", 6)),
        CHANNELS("GroupNormalization", "n 12", "12", MI_INT("num_groups", 3)),
    };
    OP_CHECK_ALL(state, cases);
}

/* A mean far from zero costs the variance no digits. */
static void test_samples_far_from_zero(void **state)
{
    const struct op_case cases[] = {
        {"LayerNormalization", {IN_RANGE("n 31", 1000, 1001), IN("31"), IN("31")}, .reference = reference_axes,
         .tolerance = 1e-3, .no_gradient = true},
        {"GroupNormalization", {IN_RANGE("n 4 31", 1000, 1001), IN("4"), IN("4")}, {MI_INT("num_groups", 2)},
         .reference = reference_channels, .tolerance = 1e-3, .no_gradient = true},
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
        cmocka_unit_test(test_inference), cmocka_unit_test(test_counted),
        cmocka_unit_test(test_layer),
        cmocka_unit_test(test_rms),
        cmocka_unit_test(test_channels),
        cmocka_unit_test(test_samples_far_from_zero),
    };
    return cmocka_run_group_tests_name("normalization", tests, op_devices_open, op_devices_close);
}
