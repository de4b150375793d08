/* Tables of vectors, looked up by number. */
#include "nn/layer.h"

static mi_value *build(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_embedding_desc *desc = given;
    if (desc->input_dim < 1 || desc->output_dim < 1)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "input_dim and output_dim must be at least 1, not %lld and %lld",
                             (long long)desc->input_dim, (long long)desc->output_dim);
    mi_value *weight = mi_layer_parameter(layer, &(struct mi_parameter){
        .name = "weight", .rank = 2, .dim = {desc->input_dim, desc->output_dim},
        .initializer = &desc->embeddings_initializer, .otherwise = "random_uniform",
        .fan_in = (double)desc->input_dim, .fan_out = (double)desc->output_dim});
    mi_value *index = x[0];
    if (index->type == MI_FLOAT) /* what other layers compute may be no row's number */
        index = mi_apply(layer->graph, "RowIndex", &index, 1, &MI_INT("rows", desc->input_dim), 1);
    return mi_apply(layer->graph, "Gather", (mi_value *const[]){weight, index}, 2,
                    (const struct mi_attribute[]){MI_INT("axis", 0)}, 1);
}

static const struct mi_key keys[] = {
    MI_KEY_WITH(mica_embedding_desc, "input_dim", MI_KEY_LONG, input_dim, .required = true, MI_KEY_AT_LEAST(1)),
    MI_KEY_WITH(mica_embedding_desc, "output_dim", MI_KEY_LONG, output_dim, .required = true, MI_KEY_AT_LEAST(1)),
    MI_KEY_WITH(mica_embedding_desc, "embeddings_initializer", MI_KEY_OBJECT, embeddings_initializer,
           .keys = mi_initializer_keys),
    {0},
};

const struct mi_layer_type mi_layer_embedding = {
    .type = "embedding", .desc_size = sizeof(mica_embedding_desc), .keys = keys, .min_inputs = 1, .max_inputs = 1,
    .build = build};

mica_node *mica_embedding(mica_node *x, const mica_embedding_desc *desc)
{
    return mi_layer_add(&mi_layer_embedding, &x, 1, desc);
}
