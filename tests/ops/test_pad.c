#include "support/ops.h"

#include <string.h>

#define LIST(name, ...) MI_INTS(name, ((int64_t[]){__VA_ARGS__}), (int)MI_COUNT(((int64_t[]){__VA_ARGS__})))

/* The element that stands so many places from the first: one step after another, from the inside out. */
static int64_t walk(const char *mode, int64_t size, int64_t place)
{
    int64_t at = place < 0 ? 0 : size - 1, step = place < 0 ? -1 : 1;
    if ((place >= 0 && place < size) || strcmp(mode, "constant") == 0)
        return place;
    for (int64_t left = place < 0 ? -place : place - size + 1; left > 0; left--) {
        if (strcmp(mode, "wrap") == 0)
            at = at + step < 0 ? size - 1 : at + step == size ? 0 : at + step;
        else if (strcmp(mode, "reflect") == 0)
            at -= step;
    }
    return at;
}

static void reference_pad(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    int count;
    const int64_t *pads = op_ints(c, "pads", &count);
    const char *mode = "constant";
    for (int i = 0; i < OP_ATTRIBUTES && c->attribute[i].name; i++)
        mode = strcmp(c->attribute[i].name, "mode") == 0 ? c->attribute[i].s : mode;
    int64_t at[MI_MAX_RANK] = {0}, from[MI_MAX_RANK], i = 0;
    if (out->count == 0)
        return;
    do {
        bool inside = true;
        for (int d = 0; d < out->rank; d++) {
            from[d] = walk(mode, in[0].dim[d], at[d] - pads[d]);
            inside = inside && from[d] >= 0 && from[d] < in[0].dim[d];
        }
        out->data[i++] = inside ? in[0].data[tensor_offset(&in[0], from)] : op_float(c, "fill", 0);
    } while (tensor_next(out, at));
}

static void test_pad(void **state)
{
    const struct op_case cases[] = {
        {"Pad", {IN("n 3")}, {LIST("pads", 0, 1, 0, 2)}, .reference = reference_pad},
        {"Pad",
         {IN("n 3 4")},
         {LIST("pads", 0, 1, 0, 0, 0, 2), MI_REAL("fill", 1.5f)},
         .reference = reference_pad},
        {"Pad",
         {IN("n 3 45")},
         {LIST("pads", 0, 2, 9, 0, 1, 17), MI_REAL("fill", 1.5f)},
         .reference = reference_pad},
        {"Pad", {IN("n 5")}, {LIST("pads", 1, -1, 1, -2)}, .reference = reference_pad},
        {"Pad", {IN("n 3")}, {LIST("pads", 0, -1, 0, 2)}, .reference = reference_pad},
    };
    OP_CHECK_ALL(state, cases);
}

static void test_modes(void **state)
{
    const struct op_case cases[] = {
        {"Pad", {IN("n 3")}, {LIST("pads", 0, 5, 0, 2), MI_TEXT("mode", "edge")}, .reference = reference_pad},
        {"Pad", {IN("n 1 13")}, {LIST("pads", 0, 1, 0, 0, 2, 7), MI_TEXT("mode", "edge")}, .reference = reference_pad},
        {"Pad", {IN("n 3")}, {LIST("pads", 0, 2, 0, 1), MI_TEXT("mode", "reflect")}, .reference = reference_pad},
        {"Pad", {IN("n 1 13")}, {LIST("pads", 0, 0, 12, 0, 0, 12), MI_TEXT("mode", "reflect")}, .reference = reference_pad},
        {"Pad", {IN("n 5 37")}, {LIST("pads", 0, 1, 3, 0, 4, 0), MI_TEXT("mode", "reflect")}, .reference = reference_pad},
        {"Pad", {IN("n 3")}, {LIST("pads", 0, 3, 0, 2), MI_TEXT("mode", "wrap")}, .reference = reference_pad},
        {"Pad", {IN("n 1 13")}, {LIST("pads", 0, 1, 13, 0, 1, 1), MI_TEXT("mode", "wrap")}, .reference = reference_pad},
        {"Pad", {INTEGERS("n 4 5", -9, 9)}, {LIST("pads", 0, 1, 2, 0, 3, 4), MI_TEXT("mode", "wrap")}, .reference = reference_pad},
    };
    OP_CHECK_ALL(state, cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pad),
        cmocka_unit_test(test_modes),
    };
    return cmocka_run_group_tests_name("pad", tests, op_devices_open, op_devices_close);
}
