#include "support/reference.h"

#include <stdlib.h>
#include <string.h>

#define LIST(name, ...) MI_INTS(name, ((int64_t[]){__VA_ARGS__}), (int)MI_COUNT(((int64_t[]){__VA_ARGS__})))
#define CONV(x, w, ...)                                                                                                \
    {                                                                                                                  \
        "Conv", {IN(x), IN(w)}, {__VA_ARGS__}, .reference = reference_conv, .batch = 3, .tolerance = 5e-6              \
    }
#define PADS(...) LIST("pads", __VA_ARGS__)
#define STRIDES(...) LIST("strides", __VA_ARGS__)
#define DILATIONS(...) LIST("dilations", __VA_ARGS__)

/* At small sizes only the first cases: a device that asks for them compiles a kernel of these for seconds, or simulates it. */
static void check(void **state, const struct op_case *cases, size_t small, size_t count)
{
    op_check_all(state, cases, tests_are_small() ? small : count);
}

static void test_images(void **state)
{
    const struct op_case cases[] = {
        CONV("n 1 13 5", "1 1 1 1", {0}),
        CONV("n 4 9 7", "6 4 3 2", STRIDES(2, 3), PADS(1, 0, 2, 1)),
        CONV("n 3 11 11", "2 3 3 3", DILATIONS(2, 1), PADS(2, 1, 2, 1)),
        CONV("n 3 9 9", "5 3 3 3", {0}),
        CONV("n 2 8 8", "3 2 2 2", STRIDES(2, 2)),
        CONV("n 2 7 7", "3 2 1 1", STRIDES(3, 2)),
        CONV("n 2 5 5", "3 2 5 5", {0}),
        /* Rows of two and four, behind others that padding leaves out: their places have bits of their own. */
        CONV("1 1 1 4", "1 1 1 3", PADS(2, 0, 1, 0)),
        CONV("n 1 2 6", "2 1 2 3", PADS(2, 0, 1, 0)),
    };
    check(state, cases, 3, MI_COUNT(cases));
}

/* Every engine, every layout; tests/engines compares them with one another on more shapes. */
static void test_engines(void **state)
{
    struct op_case cases[] = {
        CONV("n 16 8 8", "16 16 3 3", PADS(1, 1, 1, 1)),
        CONV("n 17 5 5", "33 17 1 1", {0}),
        CONV("n 4 9 7", "16 4 3 2", STRIDES(2, 3), PADS(1, 0, 2, 1)),
    };
    for (size_t i = 0; i < MI_COUNT(cases); i++)
        cases[i].engines = true;
    if (tests_are_small())
        cases[0].in[0].shape = "n 16 5 5";
    check(state, cases, 1, MI_COUNT(cases));
}

static void test_groups(void **state)
{
    const struct op_case cases[] = {
        CONV("n 4 7 7", "6 2 3 3", MI_INT("group", 2), PADS(1, 1, 1, 1)),
        CONV("n 5 7 7", "5 1 3 3", MI_INT("group", 5), PADS(1, 1, 1, 1)),
        CONV("n 3 8 8", "6 1 2 2", MI_INT("group", 3), STRIDES(2, 2)),
        CONV("n 4 7 6", "6 2 1 1", MI_INT("group", 2), STRIDES(2, 3)),
    };
    check(state, cases, 2, MI_COUNT(cases));
}

static void test_one_axis(void **state)
{
    const struct op_case cases[] = {
        CONV("n 3 13", "5 3 3", {0}),
        CONV("n 4 13", "4 2 3", MI_INT("group", 2), PADS(1, 1)),
        CONV("n 3 14", "5 3 1", STRIDES(3)),
        CONV("n 2 127", "4 2 5", STRIDES(3), PADS(2, 1), DILATIONS(2)),
    };
    check(state, cases, 2, MI_COUNT(cases));
}

static void test_bias(void **state)
{
    const struct op_case cases[] = {
        {"Conv",
         {IN("n 3 6 6"), IN("5 3 3 3"), IN("5")},
         {PADS(1, 1, 1, 1)},
         .reference = reference_conv,
         .engines = !tests_are_small()},
        {"Conv", {IN("n 3 13"), IN("5 3 3"), IN("5")}, .reference = reference_conv},
        /* More places of the kernel than of x: in its gradient every load asks whether there is something, within a loop over samples. */
        {"Conv", {IN("n 6 2"), IN("2 6 4")}, {PADS(1, 2)}, .reference = reference_conv},
    };
    OP_CHECK_ALL(state, cases);
}

/* An image in a frame of ones, whose convolution is padded with zeros: whoever computes the frame while it convolves must not take
 * it for the padding. */
static mi_value *framed(struct mi_graph *graph, mi_value *const *in, const struct op_case *c)
{
    static const int64_t frame[] = {0, 0, 1, 1, 0, 0, 1, 1};
    mi_value *wide = MI_APPLY(graph, "Pad", ((mi_value *[]){in[0]}), MI_INTS("pads", frame, 8), MI_REAL("fill", 1));
    return mi_apply(graph, "Conv", (mi_value *[]){wide, in[1]}, 2, c->attribute, 1);
}

static void reference_framed(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    struct tensor wide = in[0], both[2] = {{0}, in[1]};
    int64_t at[MI_MAX_RANK] = {0}, i = 0;
    wide.dim[2] += 2;
    wide.dim[3] += 2;
    wide.count = wide.dim[0] * wide.dim[1] * wide.dim[2] * wide.dim[3];
    wide.data = mi_new((size_t)wide.count, sizeof *wide.data);
    assert_non_null(wide.data);
    if (wide.count == 0) {
        free(wide.data);
        return;
    }
    do {
        bool inside = at[2] > 0 && at[2] + 1 < wide.dim[2] && at[3] > 0 && at[3] + 1 < wide.dim[3];
        const int64_t from[] = {at[0], at[1], at[2] - 1, at[3] - 1};
        wide.data[i++] = inside ? in[0].data[tensor_offset(&in[0], from)] : 1;
    } while (tensor_next(&wide, at));
    both[0] = wide;
    reference_conv(c, both, out);
    free(wide.data);
}

static void test_framed(void **state)
{
    const struct op_case c = {"Conv", {IN("n 2 4 5"), IN("3 2 3 3")}, {PADS(1, 1, 1, 1)}, .build = framed,
                              .reference = reference_framed, .engines = true};
    op_check(state, &c);
}

/* Two inputs, one under the other, are convolved: of so many images, n of which are of the step. */
static mi_value *joined(struct mi_graph *graph, mi_value *const *in, const struct op_case *c)
{
    int attributes = 0;
    while (attributes < OP_ATTRIBUTES && c->attribute[attributes].name)
        attributes++;
    mi_value *both = mi_apply(graph, "Concat", in, 2, &MI_INT("axis", 0), 1);
    return mi_apply(graph, "Conv", (mi_value *[]){both, in[2]}, 2, c->attribute, attributes);
}

static void reference_joined(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    struct op_case alone = *c;
    struct tensor both = in[0], *operands = (struct tensor[]){both, in[2]};
    operands[0].dim[0] += in[1].dim[0];
    operands[0].count += in[1].count;
    operands[0].data = mi_new((size_t)operands[0].count + 1, sizeof *both.data);
    assert_non_null(operands[0].data);
    memcpy(operands[0].data, in[0].data, (size_t)in[0].count * sizeof *both.data);
    memcpy(operands[0].data + in[0].count, in[1].data, (size_t)in[1].count * sizeof *both.data);
    alone.in[2].shape = NULL; /* the bias of a convolution alone */
    reference_conv(&alone, operands, out);
    free(operands[0].data);
}

#define JOINED(x, z, w, ...)                                                                                           \
    {                                                                                                                  \
        "Conv", {IN(x), IN(z), IN(w)}, {__VA_ARGS__}, .build = joined, .reference = reference_joined, .batch = 3,      \
                                                      .tolerance = 5e-6, .engines = !tests_are_small()              \
    }

/* How many images there are is twice n, one more than n, or no matter of n. */
static void test_other_counts(void **state)
{
    const struct op_case cases[] = {
        JOINED("n 16 6 6", "n 16 6 6", "16 16 3 3", PADS(1, 1, 1, 1)),
        JOINED("n 16 6 6", "1 16 6 6", "16 1 3 3", MI_INT("group", 16), PADS(1, 1, 1, 1)),
        JOINED("1 16 6 6", "4 16 6 6", "16 16 3 3", PADS(1, 1, 1, 1)),
        JOINED("n 16 6 6", "n 16 6 6", "16 1 3 3", MI_INT("group", 16), STRIDES(2, 2)),
        JOINED("n 16 6 6", "1 16 6 6", "16 16 2 2", STRIDES(2, 2)),
        JOINED("1 16 6", "4 16 6", "16 16 3", PADS(1, 1)),
    };
    check(state, cases, 2, MI_COUNT(cases));
}

static void test_volume(void **state)
{
    const struct op_case cases[] = {
        CONV("n 2 4 4 4", "3 2 2 2 2", STRIDES(1, 2, 1), PADS(0, 1, 1, 1, 0, 0)),
        CONV("n 4 5 5 3", "6 2 2 3 1", STRIDES(2, 1, 1), PADS(1, 0, 0, 0, 2, 0), DILATIONS(1, 2, 1), MI_INT("group", 2)),
        CONV("n 3 1 5 2", "2 3 1 1 1", STRIDES(1, 2, 2)),
    };
    check(state, cases, 1, MI_COUNT(cases));
}

/* Each place of x, times the kernel, is added to the places of the result that its window has. */
static void reference_transpose(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    int count, axes = in[0].rank - 2;
    const int64_t *strides = op_ints(c, "strides", &count), *pads = op_ints(c, "pads", &count);
    const int64_t *dilations = op_ints(c, "dilations", &count);
    int64_t channel = 1, filters = in[1].dim[1], members = in[1].dim[0] / (out->dim[1] / filters);
    for (int i = 0; i < axes; i++)
        channel *= out->dim[2 + i];
    for (int64_t i = 0; i < out->count; i++)
        out->data[i] = c->in[2].shape ? in[2].data[i / channel % out->dim[1]] : 0;
    int64_t at[MI_MAX_RANK] = {0}, x = 0;
    do {
        int64_t r[MI_MAX_RANK] = {0}, w = 0;
        do {
            int64_t to[MI_MAX_RANK] = {at[0], at[1] / members * filters + r[1]};
            bool inside = r[0] == at[1] && in[0].count > 0;
            for (int i = 2; i < 2 + axes; i++) {
                to[i] = at[i] * (strides ? strides[i - 2] : 1) + r[i] * (dilations ? dilations[i - 2] : 1) - (pads ? pads[i - 2] : 0);
                inside = inside && to[i] >= 0 && to[i] < out->dim[i];
            }
            if (inside)
                out->data[tensor_offset(out, to)] += in[0].data[x] * in[1].data[w];
            w++;
        } while (tensor_next(&in[1], r));
        x++;
    } while (tensor_next(&in[0], at));
}

#define MORE(...) LIST("output_padding", __VA_ARGS__)
#define TRANSPOSE(x, w, ...)                                                                                           \
    {                                                                                                                  \
        "ConvTranspose", {IN(x), IN(w)}, {__VA_ARGS__}, .reference = reference_transpose, .batch = 3, .tolerance = 5e-6 \
    }

static void test_transpose(void **state)
{
    struct op_case cases[] = {
        TRANSPOSE("n 3 4 5", "3 2 3 2", STRIDES(2, 1), PADS(1, 0, 0, 1)),
        {"ConvTranspose", {IN("n 2 7"), IN("2 3 4"), IN("3")}, {STRIDES(3), DILATIONS(2)}, .reference = reference_transpose},
        TRANSPOSE("n 4 3 3", "4 3 3 3", STRIDES(2, 2), MI_INT("group", 2), MORE(1, 0)),
        TRANSPOSE("n 3 5 4", "3 2 1 1", STRIDES(2, 3), MORE(1, 2)),
        TRANSPOSE("n 2 2 3 2", "2 2 2 3 2", STRIDES(2, 1, 2), PADS(0, 1, 0, 1, 1, 0)),
        TRANSPOSE("n 1 1 1", "1 1 1 1", {0}),
        TRANSPOSE("n 16 5 6", "16 16 3 3", STRIDES(2, 2), PADS(1, 1, 1, 1)),
    };
    cases[MI_COUNT(cases) - 1].engines = true;
    check(state, cases, 2, MI_COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_images), cmocka_unit_test(test_engines), cmocka_unit_test(test_groups),
        cmocka_unit_test(test_one_axis), cmocka_unit_test(test_bias), cmocka_unit_test(test_framed),
        cmocka_unit_test(test_other_counts), cmocka_unit_test(test_volume), cmocka_unit_test(test_transpose),
    };
    return cmocka_run_group_tests_name("conv", tests, op_devices_open, op_devices_close);
}
