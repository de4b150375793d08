/* Masks: which steps of a sequence are real. A mask is a value (N, T) of bools beside a layer's result (N, T, ...); a layer makes
 * one, hands it on, uses it up, or ends it. */
#include "nn/layer.h"

#include <string.h>

mi_value *mi_model_mask(const mica_model *model, const mi_value *x)
{
    for (size_t i = model->layer_count; i-- > 0;) {
        const struct mi_layer_record *record = &model->layers[i];
        for (int k = 0; k < record->result_count; k++)
            if (record->results[k] == x)
                return record->mask && k == 0 ? record->mask : NULL;
    }
    return NULL;
}

mi_value *mi_layer_mask(const struct mi_layer *layer, const mi_value *x)
{
    return mi_model_mask(layer->model, x);
}

/* The mask of an input whose steps vary is lengths > step (layer/shape.c). */
const char *mi_mask_lengths(const mi_value *mask)
{
    const mi_value *of = mask && strcmp(mask->node->op->name, "Greater") == 0 ? mask->node->in[0] : NULL;
    while (of && of->node->op->kind == MI_MOVE)
        of = of->node->in[0];
    return of && mi_length_of(of, NULL) ? of->name : NULL;
}

/* Whether a value has the steps that the mask is of. */
static bool has_steps(const mi_value *y, const mi_value *mask)
{
    return y->shape.rank > 1 && mi_dim_equal(y->shape.dim[1], mask->shape.dim[1]);
}

mi_value *mi_layer_mask_of_result(struct mi_layer *layer, mi_value *const *x, int count, const mi_value *y)
{
    mi_value *mask = layer->mask;
    for (int i = 0; i < count && layer->type->keeps_steps && !layer->mask; i++) {
        mi_value *own = mi_layer_mask(layer, x[i]);
        if (!own || !has_steps(y, own) || (mask && !mi_shape_equal(&mask->shape, &own->shape)))
            return NULL; /* where one input has no mask, all steps of the result are real */
        mask = !mask || mask == own ? own : mi_op2(layer->graph, "And", mask, own);
    }
    return mask;
}
