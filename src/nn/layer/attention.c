/* Attention without products of its own: scores are dot products, or follow from sums of query and key. One head. */
#include "nn/layer/attention.h"

#include "ops/ops.h"

#include <string.h>

/* A parameter of one number for each feature, or with 0 a single one. */
static mi_value *parameter(struct mi_layer *layer, const char *name, int64_t features, const char *otherwise)
{
    double fan = features ? (double)features : 1;
    return mi_layer_parameter(layer, &(struct mi_parameter){
        .name = name, .rank = features ? 1 : 0, .dim = {features}, .otherwise = otherwise, .fan_in = fan, .fan_out = fan});
}

/* x (N, steps, features) with an axis of 1 before the steps, or behind them, where sums of pairs are formed. */
static mi_value *with_axis(struct mi_graph *graph, mi_value *x, int64_t axis)
{
    return mi_op2(graph, "Unsqueeze", x, mi_ints(graph, &axis, 1));
}

static bool features_fit(struct mi_layer *layer, mi_value *const in[MI_ATTENDED])
{
    int64_t query = in[MI_Q]->shape.dim[2].b, key = in[MI_K]->shape.dim[2].b;
    if (query == key)
        return true;
    mi_layer_fail(layer, MICA_SHAPE, "the query has %lld features, the key %lld: they are compared one by one", (long long)query,
                  (long long)key);
    return false;
}

/* (N, T, S): the sum over features of weight * tanh(scale * (q + k)); both may be NULL. */
static mi_value *additive_scores(struct mi_graph *graph, mi_value *const in[MI_ATTENDED], mi_value *scale, mi_value *weight)
{
    const int64_t axis = 3;
    mi_value *sum = mi_op2(graph, "Add", with_axis(graph, in[MI_Q], 2), with_axis(graph, in[MI_K], 1));
    mi_value *bent = mi_op1(graph, "Tanh", scale ? mi_op2(graph, "Mul", scale, sum) : sum);
    return mi_reduce(graph, "ReduceSum", weight ? mi_op2(graph, "Mul", weight, bent) : bent, &axis, 1, false);
}

/* A query that is taken in steps asks a sequence that is there before the first. */
static bool asks_another(mi_value *const *x, const bool *taken, int count, bool causal)
{
    return !causal && mi_attention_steps(x, taken, count, false, false);
}

/* ---- attention ---- */

static const char *const modes[] = {"dot", "concat", NULL};

static mi_value *build_attention(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    const mica_attention_desc *desc = given;
    struct mi_scoring how = {.scale = 1, .causal = desc->use_causal_mask, .dropout = desc->dropout, .seed = desc->seed};
    struct mi_graph *graph = layer->graph;
    mi_value *in[MI_ATTENDED];
    const char *mode = desc->score_mode ? desc->score_mode : modes[0];
    bool concat = strcmp(mode, modes[1]) == 0;
    if (!concat && strcmp(mode, modes[0]))
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "there is no score_mode \"%s\"%s", mi_show(mode).text,
                             mi_advise(mode, modes).text);
    if (!mi_attention_rate(layer, desc->dropout) || !mi_attention_inputs(layer, x, count, in) || !features_fit(layer, in))
        return NULL;
    mi_value *scale = desc->use_scale ? parameter(layer, "scale", 0, "ones") : NULL;
    mi_value *weight = concat ? parameter(layer, "concat_score_weight", 0, "ones") : NULL;
    if ((desc->use_scale && !scale) || (concat && !weight))
        return NULL;
    how.mask = mi_attention_mask(layer, in[MI_K], in[MI_V]);
    if (concat) {
        mi_value *scores = mi_op2(graph, "Mul", additive_scores(graph, in, scale, NULL), weight);
        return mi_attend_scores(layer, scores, in[MI_V], &how);
    }
    in[MI_Q] = scale ? mi_op2(graph, "Mul", in[MI_Q], scale) : in[MI_Q];
    return mi_attend(layer, in, 1, 1, &how);
}

static bool attention_steps(const void *desc, mi_value *const *x, const bool *taken, int count)
{
    return asks_another(x, taken, count, ((const mica_attention_desc *)desc)->use_causal_mask);
}

#define LAST_KEYS(desc)                                                                                                          \
    MI_KEY_WITH(desc, "dropout", MI_KEY_FLOAT, dropout, MI_KEY_BELOW(0, 1)), MI_KEY(desc, "seed", MI_KEY_SEED, seed),            \
        MI_KEY(desc, "use_causal_mask", MI_KEY_BOOL, use_causal_mask), {0}

static const struct mi_key attention_keys[] = {
    MI_KEY(mica_attention_desc, "use_scale", MI_KEY_BOOL, use_scale),
    MI_KEY_WITH(mica_attention_desc, "score_mode", MI_KEY_TEXT, score_mode, .choices = modes),
    LAST_KEYS(mica_attention_desc),
};

const struct mi_layer_type mi_layer_attention = {
    .type = "attention", .desc_size = sizeof(mica_attention_desc), .keys = attention_keys, .min_inputs = 1, .max_inputs = 3,
    .steps = attention_steps, .build = build_attention};

mica_node *mica_attention(mica_node *const *x, int count, const mica_attention_desc *desc)
{
    return mi_layer_add(&mi_layer_attention, x, count, desc);
}

/* ---- additive_attention ---- */

static mi_value *build_additive(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    const mica_additive_attention_desc *desc = given;
    struct mi_scoring how = {.scale = 1, .causal = desc->use_causal_mask, .dropout = desc->dropout, .seed = desc->seed};
    mi_value *in[MI_ATTENDED];
    if (!mi_attention_rate(layer, desc->dropout) || !mi_attention_inputs(layer, x, count, in) || !features_fit(layer, in))
        return NULL;
    mi_value *scale = desc->no_scale ? NULL : parameter(layer, "scale", in[MI_Q]->shape.dim[2].b, "glorot_uniform");
    if (!scale && !desc->no_scale)
        return NULL;
    how.mask = mi_attention_mask(layer, in[MI_K], in[MI_V]);
    return mi_attend_scores(layer, additive_scores(layer->graph, in, NULL, scale), in[MI_V], &how);
}

static bool additive_steps(const void *desc, mi_value *const *x, const bool *taken, int count)
{
    return asks_another(x, taken, count, ((const mica_additive_attention_desc *)desc)->use_causal_mask);
}

static const struct mi_key additive_keys[] = {
    MI_KEY(mica_additive_attention_desc, "use_scale", MI_KEY_NOT, no_scale),
    LAST_KEYS(mica_additive_attention_desc),
};

const struct mi_layer_type mi_layer_additive_attention = {
    .type = "additive_attention", .desc_size = sizeof(mica_additive_attention_desc), .keys = additive_keys, .min_inputs = 1,
    .max_inputs = 3, .steps = additive_steps, .build = build_additive};

mica_node *mica_additive_attention(mica_node *const *x, int count, const mica_additive_attention_desc *desc)
{
    return mi_layer_add(&mi_layer_additive_attention, x, count, desc);
}
