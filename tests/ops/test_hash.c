#include "support/ops.h"

/* SplitMix64 as its authors step it: the state goes on by the golden ratio, and is mixed. */
static void reference_hash(const struct op_case *c, const struct tensor *in, struct tensor *out)
{
    uint64_t bins = (uint64_t)c->attribute[0].i, salt = (uint64_t)c->attribute[1].i;
    for (int64_t i = 0; i < out->count; i++) {
        uint64_t z = (uint64_t)(int64_t)in[0].data[i] ^ (salt * 0x9e3779b97f4a7c15u);
        z += 0x9e3779b97f4a7c15u;
        z ^= z >> 30;
        z *= 0xbf58476d1ce4e5b9u;
        z ^= z >> 27;
        z *= 0x94d049bb133111ebu;
        z ^= z >> 31;
        out->data[i] = (double)(z % bins);
    }
}

static mi_value *bin(struct mi_graph *graph, mi_value *const *in, const struct op_case *c)
{
    struct mi_node *node = mi_node_add(graph, "HashBin", in, 1, c->attribute, 2);
    return node ? node->out[3] : NULL;
}

static void test_hash(void **state)
{
    const struct op_case cases[] = {
        {"HashBin", {{.shape = "n 13", .type = MI_INT64, .low = -1000, .high = 1000000}}, {MI_INT("bins", 1000), MI_INT("salt", 0)},
         .build = bin, .reference = reference_hash, .no_gradient = true},
        {"HashBin", {{.shape = "n 1 127", .type = MI_INT64, .low = -9, .high = 9}}, {MI_INT("bins", 7), MI_INT("salt", 99)},
         .build = bin, .reference = reference_hash, .no_gradient = true},
    };
    OP_CHECK_ALL(state, cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hash)};
    return cmocka_run_group_tests_name("hash", tests, op_devices_open, op_devices_close);
}
