#include "support/ops.h"

#define LIST(name, ...) MI_INTS(name, ((int64_t[]){__VA_ARGS__}), (int)MI_COUNT(((int64_t[]){__VA_ARGS__})))

/* NumPy's slice, place by place: starting at start, the output's dimension says how many. */
static void reference(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    int count, given;
    const int64_t *starts = op_ints(c, "starts", &count), *axes = op_ints(c, "axes", &given),
                  *steps = op_ints(c, "steps", &given);
    int64_t at[MI_MAX_RANK] = {0}, from[MI_MAX_RANK], first[MI_MAX_RANK] = {0}, step[MI_MAX_RANK], i = 0;
    for (int d = 0; d < out->rank; d++)
        step[d] = 1;
    for (int k = 0; k < count; k++) {
        int64_t axis = axes ? axes[k] : k, start = starts[k];
        axis = axis < 0 ? axis + out->rank : axis;
        start = start < 0 ? start + in[0].dim[axis] : start;
        step[axis] = steps ? steps[k] : 1;
        first[axis] = start < 0 ? 0 : start >= in[0].dim[axis] ? in[0].dim[axis] - 1 : start;
    }
    if (out->count == 0)
        return;
    do {
        for (int d = 0; d < out->rank; d++)
            from[d] = first[d] + at[d] * step[d];
        out->data[i++] = in[0].data[tensor_offset(&in[0], from)];
    } while (tensor_next(out, at));
}

#define END INT64_MAX
#define SLICE(sizes, ...) {"Slice", {IN(sizes)}, {__VA_ARGS__}, .reference = reference}

static void test_slice(void **state)
{
    const struct op_case cases[] = {
        SLICE("n 13", LIST("starts", 3), LIST("ends", 9), LIST("axes", 1)),
        SLICE("n 13", LIST("starts", 1), LIST("ends", END), LIST("axes", 1), LIST("steps", 3)),
        SLICE("n 13", LIST("starts", -1), LIST("ends", -END), LIST("axes", -1), LIST("steps", -1)),
        SLICE("n 13", LIST("starts", 10), LIST("ends", 2), LIST("axes", 1), LIST("steps", -4)),
        SLICE("n 13", LIST("starts", 20), LIST("ends", -20), LIST("axes", 1), LIST("steps", -5)),
        SLICE("n 13", LIST("starts", 5), LIST("ends", 5), LIST("axes", 1)),
        SLICE("n 13 7", LIST("starts", 0, 2, -3), LIST("ends", END, -1, END)),
        SLICE("13 n", LIST("starts", -2), LIST("ends", END)),
        {"Slice",
         {INTEGERS("n 13", -9, 9)},
         {LIST("starts", 3), LIST("ends", 9), LIST("axes", 1)},
         .reference = reference},
    };
    OP_CHECK_ALL(state, cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_slice)};
    return cmocka_run_group_tests_name("slice", tests, op_devices_open, op_devices_close);
}
