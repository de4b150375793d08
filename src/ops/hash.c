/* HashBin(x int64; bins, salt) -> a, b, c, bin (float32): a number from 0 to bins - 1 that looks as if drawn by lot for each x and
 * salt, and is always the same for the same two. It is SplitMix64 (G. Steele, D. Lea, C. Flood: "Fast splittable pseudorandom
 * number generators", OOPSLA 2014) of x and the salt: with all arithmetic modulo 2^64,
 *
 *   a = (x xor salt * 0x9e3779b97f4a7c15) + 0x9e3779b97f4a7c15
 *   b = (a xor (a >> 30)) * 0xbf58476d1ce4e5b9
 *   c = (b xor (b >> 27)) * 0x94d049bb133111eb
 *   bin = (c xor (c >> 31)) mod bins */
#include "ops/ops.h"

static mica_status infer_hash_bin(struct mi_node *node)
{
    if (node->in[0]->type != MI_INT64)
        return mi_op_fail(node, MICA_INVALID_ARGUMENT, "input has type %s, it must be int64", mi_types[node->in[0]->type].name);
    MI_TRY(mi_default_int(node, "bins", 1));
    MI_TRY(mi_default_int(node, "salt", 0));
    for (int i = 0; i < 3; i++)
        mi_infer_output(node, i, MI_UINT64, &node->in[0]->shape);
    mi_infer_output(node, 3, MI_FLOAT, &node->in[0]->shape);
    return MICA_OK;
}

const struct mi_op mi_op_HashBin = {
    .name = "HashBin", .kind = MI_MAP, .min_inputs = 1, .max_inputs = 1, .outputs = 4, .infer = infer_hash_bin,
    .map = &(const struct mi_map_rule){.in = "x", .out = "a b c bin",
                                       .expr = {"((ulong)x ^ (ulong)salt * 0x9e3779b97f4a7c15UL) + 0x9e3779b97f4a7c15UL",
                                                "(a ^ (a >> 30)) * 0xbf58476d1ce4e5b9UL", "(b ^ (b >> 27)) * 0x94d049bb133111ebUL",
                                                "(float)((c ^ (c >> 31)) % (ulong)bins)"}}};
