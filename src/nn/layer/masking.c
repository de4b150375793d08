/* Masking: places of a sequence that are padding become 0. */
#include "nn/layer.h"

#include "ops/ops.h"

#include <math.h>

static mi_value *build(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_masking_desc *desc = given;
    struct mi_graph *graph = layer->graph;
    const int64_t last = x[0]->shape.rank - 1;
    if (last < 1)
        return mi_layer_fail(layer, MICA_SHAPE, "input has shape %s per sample, needs features", mi_layer_shape_text(layer, x[0]));
    if (!isfinite(desc->mask_value))
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "mask_value is %g, it must be finite", (double)desc->mask_value);
    mi_value *values = mi_layer_float(layer, x[0]);
    mi_value *other = mi_op1(graph, "Not", mi_op2(graph, "Equal", values, mi_scalar(graph, desc->mask_value)));
    other = MI_APPLY(graph, "Cast", ((mi_value *[]){other}), MI_INT("to", MI_FLOAT));
    mi_value *kept = mi_op2(graph, "Greater", mi_reduce(graph, "ReduceMax", other, &last, 1, true), mi_scalar(graph, 0));
    if (last == 2)
        layer->mask = mi_layer_reshape(layer, kept, &x[0]->shape.dim[1].b, 1);
    return mi_apply(graph, "Where", (mi_value *const[]){kept, values, mi_scalar(graph, 0)}, 3, NULL, 0);
}

static const struct mi_key keys[] = {
    MI_KEY_WITH(mica_masking_desc, "mask_value", MI_KEY_FLOAT, mask_value, .plain = true),
    {0},
};

const struct mi_layer_type mi_layer_masking = {
    .type = "masking", .desc_size = sizeof(mica_masking_desc), .keys = keys, .min_inputs = 1, .max_inputs = 1, .build = build};

mica_node *mica_masking(mica_node *x, const mica_masking_desc *desc)
{
    return mi_layer_add(&mi_layer_masking, &x, 1, desc);
}
