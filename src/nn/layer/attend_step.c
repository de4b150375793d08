/* Attention of one step at a time: its key and value are kept, and it looks at all that there are. */
#include "nn/layer/attention.h"

#include "ops/attend_step.h"

#include <math.h>

bool mi_attention_steps(mi_value *const *x, int count, bool causal)
{
    for (int i = 1; i < count; i++)
        causal = causal && x[i] == x[0];
    return causal;
}

/* The state with the step's row in its place: key and value side by side, (most, N, groups * (key_dim + value_dim)). */
static mi_value *keep(struct mi_layer *layer, const char *prefix, mi_value *row)
{
    const char *name = mi_arena_format(&layer->graph->arena, "%scache", prefix);
    if (!row || !name)
        return NULL;
    const int64_t axis = 1;
    const struct mi_shape shape = {.rank = 3, .dim = {mi_fixed(layer->stepping->most), row->shape.dim[0], row->shape.dim[2]}};
    row = MI_APPLY(layer->graph, "Squeeze", ((mi_value *[]){row}), MI_INTS("axes", &axis, 1));
    return mi_append(layer->graph, mi_layer_state(layer, name, &shape), row);
}

mi_value *mi_attend_step(struct mi_layer *layer, const struct mi_heads *how, int64_t groups, mi_value *query, mi_value *row)
{
    const int64_t power = how->scoring.alibi ? mi_alibi_power(how->heads) : 0; /* 0: there are no slopes */
    const float slope = power ? mi_alibi_slope(power) : 0, scale = (float)(1 / sqrt((double)how->key_dim));
    mi_value *in[] = {query, keep(layer, how->prefix, row)};
    if (!in[0] || !in[1])
        return NULL;
    const struct mi_attribute attributes[] = {
        MI_INT("heads", how->heads),         MI_INT("groups", groups),  MI_INT("key_dim", how->key_dim),
        MI_INT("value_dim", how->value_dim), MI_REAL("scale", scale), MI_INT("alibi", power),
        MI_REAL("slope", slope)};
    struct mi_node *node = mi_node_of(layer->graph, &mi_op_AttendStep, in, 2, attributes, (int)MI_COUNT(attributes));
    return node ? node->out[0] : NULL;
}
