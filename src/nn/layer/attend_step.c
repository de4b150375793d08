/* Attention of some steps at a time: their keys and values are kept, and each looks at all that there are up to its own. */
#include "nn/layer/attention.h"

#include "ops/attend_step.h"
#include "ops/ops.h"

bool mi_attention_steps(mi_value *const *x, const bool *taken, int count, bool causal, bool places)
{
    bool itself = taken[0], other = taken[0] && count > 1;
    for (int i = 1; i < count; i++) {
        itself = itself && x[i] == x[0];
        other = other && !taken[i];
    }
    return itself ? causal : other && !causal && !places;
}

bool mi_attends_to_itself(const struct mi_layer *layer, mi_value *const in[MI_ATTENDED])
{
    return layer->stepping && in[MI_K] == in[MI_Q] && in[MI_V] == in[MI_Q];
}

/* Rows with a number more, which is added to the scores of a step: so low a one where it is padding that no weight is left. */
static mi_value *with_mask(struct mi_graph *graph, mi_value *rows, mi_value *real)
{
    if (!rows || !real)
        return rows;
    struct mi_shape shape = rows->shape;
    shape.dim[2] = mi_fixed(1);
    mi_value *in[] = {mi_reshape_to(graph, real, &shape), mi_scalar(graph, 0), mi_scalar(graph, -1e30f)};
    mi_value *both[] = {rows, mi_apply(graph, "Where", in, 3, NULL, 0)};
    return MI_APPLY(graph, "Concat", both, MI_INT("axis", 2));
}

/* The state with the steps' rows in their places: (most, N, width). */
static mi_value *keep(struct mi_layer *layer, const char *prefix, mi_value *rows)
{
    static const int64_t order[] = {1, 0, 2};
    const char *name = mi_arena_format(&layer->graph->arena, "%scache", prefix);
    if (!rows || !name)
        return NULL;
    const struct mi_shape shape = {.rank = 3, .dim = {mi_fixed(layer->stepping->most), rows->shape.dim[0], rows->shape.dim[2]}};
    rows = MI_APPLY(layer->graph, "Transpose", ((mi_value *[]){rows}), MI_INTS("perm", order, 3));
    return mi_append(layer->graph, mi_layer_state(layer, name, &shape), rows);
}

mi_value *mi_attend_step(struct mi_layer *layer, const struct mi_heads *how, int64_t groups, mi_value *query, mi_value *rows)
{
    const int64_t power = how->scoring.alibi ? mi_alibi_power(how->heads) : 0; /* 0: there are no slopes */
    const float slope = power ? mi_alibi_slope(power) : 0;
    mi_value *in[] = {query, keep(layer, how->prefix, with_mask(layer->graph, rows, how->scoring.mask))};
    if (!in[0] || !in[1])
        return NULL;
    const struct mi_attribute attributes[] = {
        MI_INT("heads", how->heads),         MI_INT("groups", groups),              MI_INT("key_dim", how->key_dim),
        MI_INT("value_dim", how->value_dim), MI_REAL("scale", how->scoring.scale), MI_INT("alibi", power),
        MI_REAL("slope", slope),             MI_INT("masked", how->scoring.mask != NULL)};
    struct mi_node *node = mi_node_of(layer->graph, &mi_op_AttendStep, in, 2, attributes, (int)MI_COUNT(attributes));
    return node ? node->out[0] : NULL;
}
