/* The blocks of a transformer: attention and two dense layers, each beside a shortcut and normalised. */
#include "nn/layer/attention.h"

#include "ops/ops.h"

#include <math.h>

/* ---- Parts ---- */

/* NAME.weight or NAME.bias. */
static mi_value *parameter(struct mi_layer *layer, const char *name, const char *which, struct mi_parameter made)
{
    made.name = mi_arena_format(&layer->graph->arena, "%s.%s", name, which);
    return made.name ? mi_layer_parameter(layer, &made) : mi_layer_fail(layer, MICA_OUT_OF_MEMORY, "the host is out of memory");
}

/* x (N, steps, features) -> (N, steps, units) */
static mi_value *dense(struct mi_layer *layer, mi_value *x, const char *name, int64_t units, const mica_transformer_desc *desc)
{
    if (!x)
        return NULL;
    int64_t features = x->shape.dim[2].b;
    mi_value *weight = parameter(layer, name, "weight", (struct mi_parameter){
        .rank = 2, .dim = {units, features}, .desc = &desc->kernel, .otherwise = "glorot_uniform", .fan_in = (double)features,
        .fan_out = (double)units});
    mi_value *bias = parameter(layer, name, "bias", (struct mi_parameter){
        .rank = 1, .dim = {units}, .desc = &desc->bias, .otherwise = "zeros", .fan_in = (double)features,
        .fan_out = (double)units});
    return bias ? mi_rows_product(layer->graph, x, weight, bias) : NULL;
}

static mi_value *norm(struct mi_layer *layer, mi_value *x, const char *name, const mica_transformer_desc *desc)
{
    const int64_t axis = 2;
    float epsilon = fpclassify(desc->layer_norm_epsilon) == FP_ZERO ? 1e-5f : desc->layer_norm_epsilon;
    if (!x)
        return NULL;
    struct mi_parameter made = {.rank = 1, .dim = {x->shape.dim[2].b}, .otherwise = "ones"};
    mi_value *gamma = parameter(layer, name, "weight", made);
    made.otherwise = "zeros";
    mi_value *in[] = {x, gamma, parameter(layer, name, "bias", made)};
    if (!in[1] || !in[2])
        return NULL;
    return mi_apply(layer->graph, "LayerNormalization", in, 3,
                    (const struct mi_attribute[]){MI_INTS("axes", &axis, 1), MI_REAL("epsilon", epsilon)}, 2);
}

/* What stands beside a shortcut: self-attention, attention to a memory, or the dense layers. */
struct part {
    const char *norm;
    bool dense, causal;
    mi_value *memory;
    mi_value *mask;                  /* of what is attended to; NULL: none */
};

static mi_value *attend(struct mi_layer *layer, mi_value *x, const struct part *part, const mica_transformer_desc *desc)
{
    int64_t size = x->shape.dim[2].b / desc->num_heads;
    const struct mi_rotary none = {.on = false}, rotary = MI_ROTARY(desc);
    const struct mi_heads how = {
        .prefix = part->memory ? "multihead_attn." : "self_attn.", .heads = desc->num_heads, .key_dim = size, .value_dim = size,
        .kernel = &desc->kernel, .bias = &desc->bias, .rotary = part->memory ? none : rotary,
        .scoring = {.causal = part->causal, .alibi = desc->alibi && !part->memory, .mask = part->mask, .dropout = desc->dropout,
                    .seed = desc->seed}};
    mi_value *of = part->memory ? part->memory : x;
    return mi_multi_head(layer, &how, (mi_value *[]){x, of, of});
}

static mi_value *feed_forward(struct mi_layer *layer, mi_value *x, const mica_transformer_desc *desc)
{
    mi_value *wide = dense(layer, x, "linear1", desc->intermediate_dim, desc);
    wide = mi_layer_activation(layer, wide, desc->activation ? desc->activation : "relu", 0, -1);
    return dense(layer, wide, "linear2", x->shape.dim[2].b, desc);
}

/* ---- Blocks ---- */

static mi_value *add_part(struct mi_layer *layer, mi_value *x, const struct part *part, const mica_transformer_desc *desc)
{
    mi_value *before = desc->normalize_first ? norm(layer, x, part->norm, desc) : x;
    if (!before)
        return NULL;
    mi_value *made = part->dense ? feed_forward(layer, before, desc) : attend(layer, before, part, desc);
    mi_value *sum = mi_op2(layer->graph, "Add", x, mi_attention_dropout(layer, made, desc->dropout, desc->seed));
    return desc->normalize_first ? sum : norm(layer, sum, part->norm, desc);
}

static bool fits(struct mi_layer *layer, mi_value *const *x, int count, const mica_transformer_desc *desc,
                 mi_value *in[MI_ATTENDED])
{
    if (!mi_layer_size(layer, "intermediate_dim", desc->intermediate_dim, 1) ||
        !mi_layer_size(layer, "num_heads", desc->num_heads, 1) || !mi_attention_rate(layer, desc->dropout) ||
        !mi_attention_inputs(layer, x, count, in))
        return false;
    int64_t features = in[MI_Q]->shape.dim[2].b;
    if (!(desc->layer_norm_epsilon >= 0))
        mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "layer_norm_epsilon must be above 0, not %g", (double)desc->layer_norm_epsilon);
    else if (features % desc->num_heads)
        mi_layer_fail(layer, MICA_SHAPE, "input has %lld features, which %lld heads do not divide", (long long)features,
                      (long long)desc->num_heads);
    else
        return mi_rotary_fits(layer, &(const struct mi_rotary)MI_ROTARY(desc), "a head has", features / desc->num_heads);
    return false;
}

static mi_value *build_encoder(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    const mica_transformer_desc *desc = given;
    mi_value *in[MI_ATTENDED];
    if (!fits(layer, x, count, desc, in))
        return NULL;
    const struct part self = {.norm = "norm1", .mask = mi_layer_mask(layer, in[MI_Q])};
    mi_value *y = add_part(layer, in[MI_Q], &self, desc);
    return add_part(layer, y, &(struct part){.norm = "norm2", .dense = true}, desc);
}

static mi_value *build_decoder(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    const mica_transformer_desc *desc = given;
    mi_value *in[MI_ATTENDED];
    if (!fits(layer, x, count, desc, in))
        return NULL;
    const struct part self = {.norm = "norm1", .causal = !desc->no_causal_mask, .mask = mi_layer_mask(layer, in[MI_Q])};
    const struct part cross = {.norm = "norm2", .memory = in[MI_V], .mask = mi_layer_mask(layer, in[MI_V])};
    mi_value *y = add_part(layer, in[MI_Q], &self, desc);
    if (count > 1)
        y = add_part(layer, y, &cross, desc);
    return add_part(layer, y, &(struct part){.norm = count > 1 ? "norm3" : "norm2", .dense = true}, desc);
}

static bool decoder_steps(const void *desc, mi_value *const *x, const bool *taken, int count)
{
    bool memory = count == 1 || !taken[1];
    return memory && mi_attention_steps(x, taken, 1, !((const mica_transformer_desc *)desc)->no_causal_mask, false);
}

/* ---- Rows ---- */

#define FIRST_KEYS                                                                                                               \
    MI_KEY_WITH(mica_transformer_desc, "intermediate_dim", MI_KEY_LONG, intermediate_dim, .required = true, MI_KEY_AT_LEAST(1)), \
    MI_KEY_WITH(mica_transformer_desc, "num_heads", MI_KEY_LONG, num_heads, .required = true, MI_KEY_AT_LEAST(1)),               \
    MI_KEY_WITH(mica_transformer_desc, "dropout", MI_KEY_FLOAT, dropout, MI_KEY_BELOW(0, 1)),                                    \
    MI_KEY(mica_transformer_desc, "activation", MI_KEY_TEXT, activation),                                                        \
    MI_KEY_WITH(mica_transformer_desc, "layer_norm_epsilon", MI_KEY_FLOAT, layer_norm_epsilon, MI_KEY_AT_LEAST(0)),              \
    MI_KEY(mica_transformer_desc, "normalize_first", MI_KEY_BOOL, normalize_first), MI_PLACE_KEYS(mica_transformer_desc)
#define LAST_KEYS                                                                                                                \
    MI_KEY(mica_transformer_desc, "seed", MI_KEY_SEED, seed), MI_PARAMETER_KEYS(mica_transformer_desc, kernel),                  \
    MI_PARAMETER_KEYS(mica_transformer_desc, bias), {0}

static const struct mi_key encoder_keys[] = {FIRST_KEYS, LAST_KEYS};
static const struct mi_key decoder_keys[] = {
    FIRST_KEYS, MI_KEY(mica_transformer_desc, "use_causal_mask", MI_KEY_NOT, no_causal_mask), LAST_KEYS};

const struct mi_layer_type mi_layer_transformer_encoder = {
    .type = "transformer_encoder", .desc_size = sizeof(mica_transformer_desc), .keys = encoder_keys, .min_inputs = 1,
    .max_inputs = 1, .build = build_encoder};
const struct mi_layer_type mi_layer_transformer_decoder = {
    .type = "transformer_decoder", .desc_size = sizeof(mica_transformer_desc), .keys = decoder_keys, .min_inputs = 1,
    .max_inputs = 2, .steps = decoder_steps, .build = build_decoder};

mica_node *mica_transformer_encoder(mica_node *x, const mica_transformer_desc *desc)
{
    return mi_layer_add(&mi_layer_transformer_encoder, &x, 1, desc);
}

mica_node *mica_transformer_decoder(mica_node *const *x, int count, const mica_transformer_desc *desc)
{
    return mi_layer_add(&mi_layer_transformer_decoder, x, count, desc);
}
