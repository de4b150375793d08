/* A layer that sees each step of a sequence as a sample of its own. */
#include "nn/layer/wrapper.h"

#include "nn/layer/recurrent.h"

static mi_value *build(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    const struct mi_wrapper_desc *desc = given;
    const struct mi_around *around = &desc->around;
    (void)count;
    if (x[0]->shape.rank < 3)
        return mi_layer_fail(layer, MICA_SHAPE, "input has shape %s per sample, needs steps and what one has",
                             mi_layer_shape_text(layer, x[0]));
    mi_value *samples = mi_steps_as_samples(layer->graph, x[0]);
    mi_value *y = samples ? mi_layer_within(layer, around->type, around->within, NULL, &samples, 1) : NULL;
    if (!y)
        return NULL;
    if (layer->results)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "%s has several results", around->type->type);
    if (y->shape.rank + 1 > MI_MAX_RANK || !mi_dim_equal(y->shape.dim[0], samples->shape.dim[0]))
        return mi_layer_fail(layer, MICA_SHAPE, "%s makes shape %s of the steps", around->type->type,
                             mi_shape_text(&layer->graph->arena, &y->shape));
    if (!mi_layer_write_within(layer, around))
        return NULL;
    layer->mask = NULL;
    return mi_samples_as_steps(layer->graph, x[0], y);
}

static const struct mi_key keys[] = {
    MI_KEY_WITH(struct mi_wrapper_desc, "layer", MI_KEY_JSON, around.layer, .required = true),
    {0},
};

const struct mi_layer_type mi_layer_time_distributed = {
    .type = "time_distributed", .desc_size = sizeof(struct mi_wrapper_desc), .keys = keys, .min_inputs = 1, .max_inputs = 1,
    .keeps_steps = true, .wraps = true, .build = build};
