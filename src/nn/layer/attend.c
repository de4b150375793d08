/* What every attention does: its inputs, what is added to scores, and the mean of the values. */
#include "nn/layer/attention.h"

#include "ops/ops.h"

#include <math.h>

/* ---- Inputs ---- */

static bool is_sequence(struct mi_layer *layer, const mi_value *x, int number)
{
    const struct mi_shape *shape = &x->shape;
    if (shape->rank == 3 && shape->dim[1].b > 0 && shape->dim[2].b > 0)
        return true;
    mi_layer_fail(layer, MICA_SHAPE, "input %d has shape %s per sample, needs (steps, features)", number,
                  mi_layer_shape_text(layer, x));
    return false;
}

bool mi_attention_inputs(struct mi_layer *layer, mi_value *const *x, int count, mi_value *in[MI_ATTENDED])
{
    static const int place[][MI_ATTENDED] = {{0, 0, 0}, {0, 1, 1}, {0, 2, 1}};
    for (int i = 0; i < count; i++)
        if (!is_sequence(layer, x[i], i))
            return false;
    for (int i = 0; i < MI_ATTENDED; i++)
        in[i] = x[place[count - 1][i]];
    int64_t keys = in[MI_K]->shape.dim[1].b, values = in[MI_V]->shape.dim[1].b;
    if (keys != values) {
        mi_layer_fail(layer, MICA_SHAPE, "the key has %lld steps, the value %lld: there is one of each", (long long)keys,
                      (long long)values);
        return false;
    }
    layer->mask = mi_layer_mask(layer, x[0]);
    for (int i = 0; i < MI_ATTENDED; i++) { /* what is one value stays one */
        mi_value *same = i && in[i] == x[place[count - 1][i - 1]] ? in[i - 1] : NULL;
        in[i] = same ? same : mi_layer_float(layer, in[i]);
    }
    return in[MI_V] != NULL;
}

mi_value *mi_attention_mask(struct mi_layer *layer, const mi_value *key, const mi_value *value)
{
    mi_value *of_key = mi_layer_mask(layer, key), *of_value = mi_layer_mask(layer, value);
    if (!of_key || !of_value || of_key == of_value)
        return of_key ? of_key : of_value;
    return mi_op2(layer->graph, "And", of_key, of_value);
}

bool mi_attention_rate(struct mi_layer *layer, float dropout)
{
    if (dropout >= 0 && dropout < 1)
        return true;
    mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "dropout must be at least 0 and below 1, not %g", (double)dropout);
    return false;
}

mi_value *mi_attention_dropout(struct mi_layer *layer, mi_value *x, float rate, uint64_t seed)
{
    const struct mi_attribute attributes[] = {MI_REAL("rate", rate), MI_INT("seed", (int64_t)seed)};
    return rate > 0 ? mi_apply(layer->graph, "Dropout", &x, 1, attributes, 2) : x;
}

/* ---- Products ---- */

mi_value *mi_rows_product(struct mi_graph *graph, mi_value *x, mi_value *weight, mi_value *bias)
{
    if (!x || !weight)
        return NULL;
    const int64_t rows[] = {-1, x->shape.dim[2].b}, back[] = {-1, x->shape.dim[1].b, weight->shape.dim[0].b};
    mi_value *in[] = {mi_op2(graph, "Reshape", x, mi_ints(graph, rows, 2)), weight, bias};
    mi_value *y = mi_apply(graph, "Gemm", in, bias ? 3 : 2, (const struct mi_attribute[]){MI_INT("transB", 1)}, 1);
    return mi_op2(graph, "Reshape", y, mi_ints(graph, back, 3));
}

/* ---- What is added to scores ---- */

/* (N, 1, 1, S): so low a number where a step is padding that no weight is left, and finite, so that where all are padding the
 * weights are equal and not 0 / 0. */
static mi_value *padding_mask(struct mi_graph *graph, mi_value *real)
{
    const struct mi_dim *dim = real->shape.dim;
    const struct mi_shape beside = {.rank = 4, .dim = {dim[0], mi_fixed(1), mi_fixed(1), dim[1]}};
    mi_value *in[] = {mi_reshape_to(graph, real, &beside), mi_scalar(graph, 0), mi_scalar(graph, -1e30f)};
    return mi_apply(graph, "Where", in, 3, NULL, 0);
}

int64_t mi_alibi_power(int64_t heads)
{
    int64_t power = 1;
    while (power <= heads / 2)
        power *= 2;
    return power;
}

float mi_alibi_slope(int64_t power)
{
    return (float)(-8 * log(2) / (double)power);
}

/* ---- The mean ---- */

mi_value *mi_attend(struct mi_layer *layer, mi_value *const of[MI_ATTENDED], int64_t heads, int64_t groups,
                    const struct mi_scoring *how)
{
    if (!of[MI_Q] || !of[MI_K] || !of[MI_V])
        return NULL;
    const int64_t power = how->alibi ? mi_alibi_power(heads) : 0; /* 0: there are no slopes */
    mi_value *in[] = {of[MI_Q], of[MI_K], of[MI_V], how->mask ? padding_mask(layer->graph, how->mask) : NULL};
    const struct mi_attribute attributes[] = {MI_INT("q_num_heads", heads), MI_INT("kv_num_heads", groups),
                                              MI_INT("is_causal", how->causal), MI_REAL("scale", how->scale),
                                              MI_REAL("rate", how->dropout), MI_INT("seed", (int64_t)how->seed),
                                              MI_INT("alibi", power), MI_REAL("slope", power ? mi_alibi_slope(power) : 0)};
    return mi_apply(layer->graph, "Attention", in, in[3] ? 4 : 3, attributes, (int)MI_COUNT(attributes));
}

mi_value *mi_attend_scores(struct mi_layer *layer, mi_value *scores, mi_value *v, const struct mi_scoring *how)
{
    struct mi_graph *graph = layer->graph;
    if (!scores || !v)
        return NULL;
    const struct mi_shape steps = {.rank = 2, .dim = {scores->shape.dim[1], scores->shape.dim[2]}};
    if (how->mask) {
        const struct mi_dim *dim = how->mask->shape.dim;
        const struct mi_shape beside = {.rank = 3, .dim = {dim[0], mi_fixed(1), dim[1]}};
        scores = mi_op2(graph, "Add", scores, mi_reshape_to(graph, padding_mask(graph, how->mask), &beside));
    }
    if (how->causal)
        scores = mi_op2(graph, "Add", scores, mi_causal_mask(graph, &steps));
    mi_value *weights = MI_APPLY(graph, "Softmax", ((mi_value *[]){scores}), MI_INT("axis", -1));
    return mi_op2(graph, "MatMul", mi_attention_dropout(layer, weights, how->dropout, how->seed), v);
}
