/* What an attention's node says of its sizes. */
#include "ops/attention.h"

#include <math.h>

struct mi_attention mi_attention_read(const struct mi_node *node, int mask)
{
    const struct mi_shape *q = &node->in[0]->shape, *k = &node->in[1]->shape, *v = &node->in[2]->shape;
    struct mi_attention a = {.heads = mi_attribute_int(node, "q_num_heads", 1), .groups = mi_attribute_int(node, "kv_num_heads", 1),
                             .causal = mi_attribute_int(node, "is_causal", 0) != 0, .scale = mi_attribute_float(node, "scale", 1),
                             .rate = mi_attribute_float(node, "rate", 0),
                             .type = node->in[0]->type, .batch = q->dim[0], .queries = q->dim[1], .keys = k->dim[1]};
    a.dim = q->dim[2].b / a.heads;
    a.value_dim = v->dim[2].b / a.groups;
    a.mask = node->inputs > mask ? node->in[mask] : NULL;
    a.alibi = mi_attribute_int(node, "alibi", 0);
    a.slope = mi_attribute_float(node, "slope", 0);
    a.hides = a.mask && a.mask->type == MI_BOOL;
    a.hidden = mi_attribute_float(node, "hidden", -INFINITY);
    return a;
}
