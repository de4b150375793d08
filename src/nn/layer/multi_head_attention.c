/* Attention with products of its own: multi_head_attention, and the one whose heads of the query share those of key and value. */
#include "nn/layer/attention.h"

#include "ops/ops.h"

#include <math.h>

/* ---- Parameters ---- */

/* PREFIX + name: a weight (rows, columns), or with columns 0 a bias. Fans are those of Keras's kernels, which have axes for heads
 * and for what a head has. */
static mi_value *parameter(struct mi_layer *layer, const struct mi_heads *how, const char *name, int64_t rows, int64_t columns,
                           double fan_in, double fan_out)
{
    const char *full = mi_arena_format(&layer->graph->arena, "%s%s", how->prefix, name);
    if (!full)
        return mi_layer_fail(layer, MICA_OUT_OF_MEMORY, "the host is out of memory");
    return mi_layer_parameter(layer, &(struct mi_parameter){
        .name = full, .rank = columns ? 2 : 1, .dim = {rows, columns}, .desc = columns ? how->kernel : how->bias,
        .otherwise = columns ? "glorot_uniform" : "zeros", .fan_in = fan_in, .fan_out = fan_out});
}

static mi_value *projection_weight(struct mi_layer *layer, const struct mi_heads *how, const char *name, int64_t rows,
                                   const mi_value *x, int64_t heads, int64_t dim)
{
    double features = (double)x->shape.dim[2].b;
    return parameter(layer, how, name, rows, x->shape.dim[2].b, features * (double)heads, features * (double)dim);
}

static mi_value *bias_of(struct mi_layer *layer, const struct mi_heads *how, const char *name, int64_t rows)
{
    return how->no_bias ? NULL : parameter(layer, how, name, rows, 0, (double)rows, (double)rows);
}

/* ---- Products ---- */

/* x from one number to another along an axis of `size`. */
static mi_value *part(struct mi_graph *graph, mi_value *x, int64_t axis, int64_t from, int64_t to, int64_t size)
{
    if (!x || (from == 0 && to == size))
        return x;
    return MI_APPLY(graph, "Slice", ((mi_value *[]){x}), MI_INTS("starts", &from, 1), MI_INTS("ends", &to, 1),
                    MI_INTS("axes", &axis, 1));
}

/* Q, K and V, (N, steps, heads * dim) each. Where all read inputs of one number of features their rows are one weight's, and
 * those that read the same input are one product. */
static bool project(struct mi_layer *layer, const struct mi_heads *how, mi_value *const in[MI_ATTENDED], mi_value *out[MI_ATTENDED])
{
    static const char *const names[] = {"q_proj_weight", "k_proj_weight", "v_proj_weight"};
    struct mi_graph *graph = layer->graph;
    const int64_t dims[] = {how->key_dim, how->key_dim, how->value_dim};
    int64_t start[MI_ATTENDED + 1] = {0}, features = in[MI_Q]->shape.dim[2].b;
    for (int i = 0; i < MI_ATTENDED; i++)
        start[i + 1] = start[i] + how->heads * dims[i];
    const int64_t all = start[MI_ATTENDED];
    bool same = in[MI_K]->shape.dim[2].b == features && in[MI_V]->shape.dim[2].b == features;
    mi_value *weight = same ? projection_weight(layer, how, "in_proj_weight", all, in[MI_Q], how->heads, how->key_dim) : NULL;
    mi_value *bias = bias_of(layer, how, "in_proj_bias", all);
    if ((same && !weight) || (!how->no_bias && !bias))
        return false;
    for (int i = 0, next; i < MI_ATTENDED; i = next) {
        for (next = i + 1; same && next < MI_ATTENDED && in[next] == in[i];)
            next++;
        int64_t from = start[i], to = start[next];
        mi_value *w = same ? part(graph, weight, 0, from, to, all)
                           : projection_weight(layer, how, names[i], to - from, in[i], how->heads, dims[i]);
        mi_value *y = mi_rows_product(graph, in[i], w, part(graph, bias, 0, from, to, all));
        for (int k = i; k < next; k++)
            out[k] = part(graph, y, 2, start[k] - from, start[k + 1] - from, to - from);
    }
    return out[MI_V] != NULL;
}

/* x (N, steps, heads * d) with each head turned by its step. */
static mi_value *turned(struct mi_layer *layer, const struct mi_rotary *rotary, mi_value *x, int64_t heads)
{
    struct mi_graph *graph = layer->graph;
    if (!x || !rotary->on)
        return x;
    const int64_t apart[] = {0, 0, heads, x->shape.dim[2].b / heads};
    return mi_reshape_to(graph, mi_rotary_turn(layer, rotary, mi_op2(graph, "Reshape", x, mi_ints(graph, apart, 4)), 1), &x->shape);
}

/* The product of all heads side by side, with as many features as the query. */
static mi_value *finish(struct mi_layer *layer, const struct mi_heads *how, mi_value *y, const char *name, const mi_value *query)
{
    struct mi_graph *graph = layer->graph;
    int64_t features = query->shape.dim[2].b, rows = how->heads * how->value_dim;
    const char *weight_name = mi_arena_format(&graph->arena, "%s.weight", name);
    const char *bias_name = mi_arena_format(&graph->arena, "%s.bias", name);
    if (!y || !weight_name || !bias_name)
        return NULL;
    mi_value *weight = parameter(layer, how, weight_name, features, rows, (double)rows, (double)how->heads * (double)features);
    mi_value *bias = bias_of(layer, how, bias_name, features);
    return weight && (bias || how->no_bias) ? mi_rows_product(graph, y, weight, bias) : NULL;
}

/* Of a run's steps, Q, K and V (N, T, heads * dim). Where they are parts of one product, the query is read from that. */
static mi_value *attend_step(struct mi_layer *layer, const struct mi_heads *how, int64_t groups, mi_value *const of[MI_ATTENDED],
                             const char *name, const mi_value *query)
{
    mi_value *all = of[MI_Q] && of[MI_K] && of[MI_V] ? of[MI_Q]->node->in[0] : NULL;
    if (!all)
        return NULL;
    bool parts = all == of[MI_K]->node->in[0] && all == of[MI_V]->node->in[0];
    int64_t width = all->shape.dim[all->shape.rank - 1].b, first = of[MI_Q]->shape.dim[2].b;
    mi_value *rows = parts ? part(layer->graph, all, 2, first, width, width)
                           : MI_APPLY(layer->graph, "Concat", ((mi_value *[]){of[MI_K], of[MI_V]}), MI_INT("axis", 2));
    return finish(layer, how, mi_attend_step(layer, how, groups, parts ? all : of[MI_Q], rows), name, query);
}

mi_value *mi_multi_head(struct mi_layer *layer, const struct mi_heads *how, mi_value *const in[MI_ATTENDED])
{
    mi_value *of[MI_ATTENDED] = {NULL};
    if (!project(layer, how, in, of))
        return NULL;
    of[MI_Q] = turned(layer, &how->rotary, of[MI_Q], how->heads);
    of[MI_K] = turned(layer, &how->rotary, of[MI_K], how->heads);
    struct mi_heads scaled = *how;
    scaled.scoring.scale = (float)(1 / sqrt((double)how->key_dim));
    if (mi_attends_to_itself(layer, in))
        return attend_step(layer, &scaled, how->heads, of, "out_proj", in[MI_Q]);
    return finish(layer, how, mi_attend(layer, of, how->heads, how->heads, &scaled.scoring), "out_proj", in[MI_Q]);
}

/* ---- multi_head_attention ---- */

static mi_value *build_multi_head(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    const mica_multi_head_attention_desc *desc = given;
    mi_value *in[MI_ATTENDED];
    struct mi_heads how = {
        .prefix = "", .heads = desc->num_heads, .key_dim = desc->key_dim,
        .value_dim = desc->value_dim ? desc->value_dim : desc->key_dim,
        .no_bias = desc->no_bias, .kernel = &desc->kernel, .bias = &desc->bias, .rotary = MI_ROTARY(desc),
        .scoring = {.causal = desc->use_causal_mask, .alibi = desc->alibi, .dropout = desc->dropout, .seed = desc->seed}};
    if (!mi_layer_size(layer, "num_heads", how.heads, 1) || !mi_layer_size(layer, "key_dim", how.key_dim, 1) ||
        !mi_layer_size(layer, "value_dim", how.value_dim, 1) || !mi_attention_rate(layer, desc->dropout) ||
        !mi_rotary_fits(layer, &how.rotary, "key_dim is", how.key_dim) || !mi_attention_inputs(layer, x, count, in))
        return NULL;
    how.scoring.mask = mi_attention_mask(layer, in[MI_K], in[MI_V]);
    return mi_multi_head(layer, &how, in);
}

static bool multi_head_steps(const void *given, mi_value *const *x, const bool *taken, int count)
{
    const mica_multi_head_attention_desc *desc = given;
    return mi_attention_steps(x, taken, count, desc->use_causal_mask, desc->alibi || desc->rotary);
}

#define LAST_KEYS(desc)                                                                                                          \
    MI_KEY_WITH(desc, "dropout", MI_KEY_FLOAT, dropout, MI_KEY_BELOW(0, 1)), MI_KEY(desc, "seed", MI_KEY_SEED, seed),            \
        MI_KEY(desc, "use_bias", MI_KEY_NOT, no_bias), MI_KEY(desc, "use_causal_mask", MI_KEY_BOOL, use_causal_mask),            \
        MI_PARAMETER_KEYS(desc, kernel), MI_PARAMETER_KEYS(desc, bias), {0}

static const struct mi_key multi_head_keys[] = {
    MI_KEY_WITH(mica_multi_head_attention_desc, "num_heads", MI_KEY_LONG, num_heads, .required = true, MI_KEY_AT_LEAST(1)),
    MI_KEY_WITH(mica_multi_head_attention_desc, "key_dim", MI_KEY_LONG, key_dim, .required = true, MI_KEY_AT_LEAST(1)),
    MI_KEY_WITH(mica_multi_head_attention_desc, "value_dim", MI_KEY_LONG, value_dim, MI_KEY_AT_LEAST(1)),
    MI_PLACE_KEYS(mica_multi_head_attention_desc),
    LAST_KEYS(mica_multi_head_attention_desc),
};

const struct mi_layer_type mi_layer_multi_head_attention = {
    .type = "multi_head_attention", .desc_size = sizeof(mica_multi_head_attention_desc), .keys = multi_head_keys, .min_inputs = 1,
    .max_inputs = 3, .steps = multi_head_steps, .build = build_multi_head};

mica_node *mica_multi_head_attention(mica_node *const *x, int count, const mica_multi_head_attention_desc *desc)
{
    return mi_layer_add(&mi_layer_multi_head_attention, x, count, desc);
}

/* ---- grouped_query_attention ---- */

/* The heads of input i side by side, (N, steps, heads * dim): a product with parameters of its own. */
static mi_value *own_heads(struct mi_layer *layer, const struct mi_heads *how, mi_value *x, int i, int64_t heads)
{
    static const char *const names[][2] = {{"q_proj.weight", "q_proj.bias"}, {"k_proj.weight", "k_proj.bias"},
                                           {"v_proj.weight", "v_proj.bias"}};
    int64_t rows = heads * how->key_dim;
    mi_value *weight = projection_weight(layer, how, names[i][0], rows, x, heads, how->key_dim);
    mi_value *bias = bias_of(layer, how, names[i][1], rows);
    if (!weight || (!bias && !how->no_bias))
        return NULL;
    return mi_rows_product(layer->graph, x, weight, bias);
}

static mi_value *build_grouped(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    const mica_grouped_query_attention_desc *desc = given;
    mi_value *in[MI_ATTENDED], *of[MI_ATTENDED];
    struct mi_heads how = {
        .prefix = "", .heads = desc->num_query_heads, .key_dim = desc->head_dim, .value_dim = desc->head_dim,
        .no_bias = desc->no_bias, .kernel = &desc->kernel, .bias = &desc->bias, .rotary = MI_ROTARY(desc),
        .scoring = {.causal = desc->use_causal_mask, .alibi = desc->alibi, .dropout = desc->dropout, .seed = desc->seed,
                    .scale = (float)(1 / sqrt((double)desc->head_dim))}};
    int64_t groups = desc->num_key_value_heads;
    if (!mi_layer_size(layer, "head_dim", desc->head_dim, 1) || !mi_layer_size(layer, "num_query_heads", how.heads, 1) ||
        !mi_layer_size(layer, "num_key_value_heads", groups, 1) || !mi_attention_rate(layer, desc->dropout))
        return NULL;
    if (how.heads % groups)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT,
                             "num_query_heads is %lld, which num_key_value_heads, %lld, does not divide", (long long)how.heads,
                             (long long)groups);
    if (!mi_rotary_fits(layer, &how.rotary, "head_dim is", desc->head_dim) || !mi_attention_inputs(layer, x, count, in))
        return NULL;
    how.scoring.mask = mi_attention_mask(layer, in[MI_K], in[MI_V]);
    for (int i = 0; i < MI_ATTENDED; i++) {
        int64_t heads = i == MI_Q ? how.heads : groups;
        of[i] = own_heads(layer, &how, in[i], i, heads);
        of[i] = i == MI_V ? of[i] : turned(layer, &how.rotary, of[i], heads);
    }
    if (mi_attends_to_itself(layer, in))
        return attend_step(layer, &how, groups, of, "o_proj", in[MI_Q]);
    return finish(layer, &how, mi_attend(layer, of, how.heads, groups, &how.scoring), "o_proj", in[MI_Q]);
}

static bool grouped_steps(const void *given, mi_value *const *x, const bool *taken, int count)
{
    const mica_grouped_query_attention_desc *desc = given;
    return mi_attention_steps(x, taken, count, desc->use_causal_mask, desc->alibi || desc->rotary);
}

static const struct mi_key grouped_keys[] = {
    MI_KEY_WITH(mica_grouped_query_attention_desc, "head_dim", MI_KEY_LONG, head_dim, .required = true, MI_KEY_AT_LEAST(1)),
    MI_KEY_WITH(mica_grouped_query_attention_desc, "num_query_heads", MI_KEY_LONG, num_query_heads, .required = true,
                MI_KEY_AT_LEAST(1)),
    MI_KEY_WITH(mica_grouped_query_attention_desc, "num_key_value_heads", MI_KEY_LONG, num_key_value_heads, .required = true,
                MI_KEY_AT_LEAST(1)),
    MI_PLACE_KEYS(mica_grouped_query_attention_desc),
    LAST_KEYS(mica_grouped_query_attention_desc),
};

const struct mi_layer_type mi_layer_grouped_query_attention = {
    .type = "grouped_query_attention", .desc_size = sizeof(mica_grouped_query_attention_desc), .keys = grouped_keys,
    .min_inputs = 1, .max_inputs = 3, .steps = grouped_steps, .build = build_grouped};

mica_node *mica_grouped_query_attention(mica_node *const *x, int count, const mica_grouped_query_attention_desc *desc)
{
    return mi_layer_add(&mi_layer_grouped_query_attention, x, count, desc);
}
