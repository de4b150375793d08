/* Dropout: Srivastava et al. 2014, in its inverted form. */
#include "nn/layer.h"

static mi_value *build(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_dropout_desc *desc = given;
    if (!(desc->rate >= 0 && desc->rate < 1))
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "rate must be at least 0 and below 1, not %g", (double)desc->rate);
    return mi_apply(layer->graph, "Dropout", x, 1, (const struct mi_attribute[]){MI_REAL("rate", desc->rate)}, 1);
}

static const struct mi_key keys[] = {
    MI_KEY_WITH(mica_dropout_desc, "rate", MI_KEY_FLOAT, rate, .required = true),
    {0},
};

const struct mi_layer_type mi_layer_dropout = {
    .type = "dropout", .desc_size = sizeof(mica_dropout_desc), .keys = keys, .min_inputs = 1, .max_inputs = 1,
    .build = build};

mica_node *mica_dropout(mica_node *x, const mica_dropout_desc *desc)
{
    return mi_layer_add(&mi_layer_dropout, &x, 1, desc);
}
