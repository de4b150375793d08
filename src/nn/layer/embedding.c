/* Tables of vectors, looked up by number. */
#include "nn/layer.h"

/* The host checks what comes from an input as it is. */
static bool is_checked(const mi_value *index)
{
    const struct mi_node *node = index->node;
    for (; mi_keeps_elements(node); node = node->in[0]->node)
        for (int i = 1; i < node->inputs; i++)
            if (node->in[i] && node->in[i]->node->op != &mi_op_constant)
                return false;
    return node->op == &mi_op_input;
}

static mi_value *whole(struct mi_layer *layer, mi_value *index)
{
    return index->type == MI_FLOAT ? MI_APPLY(layer->graph, "Cast", ((mi_value *[]){index}), MI_INT("to", MI_INT32)) : index;
}

/* Number 0 is padding. */
static mi_value *real_steps(struct mi_layer *layer, mi_value *index)
{
    mi_value *padding = mi_op2(layer->graph, "Equal", mi_layer_float(layer, index), mi_scalar(layer->graph, 0));
    return mi_op1(layer->graph, "Not", padding);
}

static mi_value *build(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_embedding_desc *desc = given;
    if (desc->input_dim < 1 || desc->output_dim < 1)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "input_dim and output_dim must be at least 1, not %lld and %lld",
                             (long long)desc->input_dim, (long long)desc->output_dim);
    mi_value *weight = mi_layer_parameter(layer, &(struct mi_parameter){
        .name = "weight", .rank = 2, .dim = {desc->input_dim, desc->output_dim},
        .desc = &desc->embeddings, .inputs_first = true, .otherwise = "random_uniform",
        .fan_in = (double)desc->input_dim, .fan_out = (double)desc->output_dim});
    static const char says[] = "a number that the layers before it computed is none of its rows";
    if (desc->mask_zero && x[0]->shape.rank == 2) {
        mi_value *given_mask = mi_layer_mask(layer, x[0]), *own = real_steps(layer, x[0]);
        layer->mask = given_mask ? mi_op2(layer->graph, "And", given_mask, own) : own;
    }
    mi_value *index = is_checked(x[0]) ? whole(layer, x[0]) : mi_layer_rows(layer, x[0], desc->input_dim, says);
    return mi_apply(layer->graph, "Gather", (mi_value *const[]){weight, index}, 2,
                    (const struct mi_attribute[]){MI_INT("axis", 0), MI_INT("checked", 1)}, 2);
}

static const struct mi_key keys[] = {
    MI_KEY_WITH(mica_embedding_desc, "input_dim", MI_KEY_LONG, input_dim, .required = true, MI_KEY_AT_LEAST(1)),
    MI_KEY_WITH(mica_embedding_desc, "output_dim", MI_KEY_LONG, output_dim, .required = true, MI_KEY_AT_LEAST(1)),
    MI_KEY(mica_embedding_desc, "mask_zero", MI_KEY_BOOL, mask_zero),
    MI_PARAMETER_KEYS(mica_embedding_desc, embeddings),
    {0},
};

const struct mi_layer_type mi_layer_embedding = {
    .type = "embedding", .desc_size = sizeof(mica_embedding_desc), .keys = keys, .min_inputs = 1, .max_inputs = 1,
    .keeps_steps = true, .build = build};

mica_node *mica_embedding(mica_node *x, const mica_embedding_desc *desc)
{
    return mi_layer_add(&mi_layer_embedding, &x, 1, desc);
}
