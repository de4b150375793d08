/* Losses as layers. */
#include "nn/loss/loss.h"

#include "ops/ops.h"

#include <string.h>

/* Whether two shapes are the same but for axes of one place behind the batch. */
static bool same_but_ones(const struct mi_shape *x, const struct mi_shape *y)
{
    int i = 0, k = 0;
    while (i < x->rank || k < y->rank) {
        if (i < x->rank && k < y->rank && mi_dim_equal(x->dim[i], y->dim[k])) {
            i++;
            k++;
        } else if (i < x->rank && i > 0 && mi_dim_is(x->dim[i], 1))
            i++;
        else if (k < y->rank && k > 0 && mi_dim_is(y->dim[k], 1))
            k++;
        else
            return false;
    }
    return true;
}

/* Numbers of classes in rows of any length. */
static mi_value *fit_labels(struct mi_layer *layer, mi_value *target)
{
    if (target->shape.rank == 2 && target->shape.dim[0].a && target->shape.dim[1].b > 0)
        return mi_cast(layer->graph, target, MI_INT32);
    return mi_layer_fail(layer, MICA_SHAPE, "the target has shape %s, it must be a row of labels for each sample, padded to one "
                         "length", mi_shape_text(&layer->graph->arena, &target->shape));
}

/* A target as the row takes it; NULL after an error. */
static mi_value *fit_target(struct mi_layer *layer, const struct mi_loss *loss, const mi_value *y, mi_value *target)
{
    enum mi_task task = loss->row->task;
    if (task == MI_LABELS)
        return fit_labels(layer, target);
    struct mi_shape wanted = task == MI_SPARSE ? mi_without_classes(&y->shape, loss->axis) : y->shape;
    if (task == MI_SPARSE && !mi_type_is_integer(target->type))
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "the target is %s, it must be whole numbers: an integer input",
                             mi_types[target->type].name);
    if (!same_but_ones(&wanted, &target->shape))
        return mi_layer_fail(layer, MICA_SHAPE, "the target has shape %s, predictions of shape %s need %s",
                             mi_shape_text(&layer->graph->arena, &target->shape),
                             mi_shape_text(&layer->graph->arena, &y->shape), mi_shape_text(&layer->graph->arena, &wanted));
    if (!mi_shape_equal(&wanted, &target->shape)) {
        int64_t dims[MI_MAX_RANK] = {0};
        for (int i = 1; i < wanted.rank; i++)
            dims[i] = wanted.dim[i].b;
        target = mi_op2(layer->graph, "Reshape", target, mi_ints(layer->graph, dims, wanted.rank));
    }
    return target ? mi_cast(layer->graph, target, task == MI_SPARSE ? MI_INT32 : MI_FLOAT) : NULL;
}

/* The row that a layer's type is the layer of. */
static const struct mi_loss_row *row_of(const struct mi_layer_type *type)
{
    return (const struct mi_loss_row *)(const void *)((const char *)type - offsetof(struct mi_loss_row, layer));
}

/* What places lose, (n T ...), as one number a sample: the sum over its places that count, divided by how many of them a sample of
 * the batch has in the mean. So the mean over the samples is that over all places that count, as Keras's. */
static mi_value *of_samples(struct mi_graph *graph, const struct mi_places *places, const mi_value *y, mi_value *counted,
                            mi_value *each)
{
    const struct mi_shape apart = {.rank = 2, .dim = {y->shape.dim[0], mi_fixed(places->each)}};
    if (!places->axes || !each)
        return each;
    if (!counted)
        return mi_mean_of_sample(graph, mi_reshape_to(graph, each, &apart));
    mi_value *sum = mi_sum_of_sample(graph, mi_reshape_to(graph, mi_places_only(graph, counted, each), &apart));
    mi_value *least = mi_at_least(graph, mi_places_count(graph, counted), 1);
    mi_value *of_one = mi_apply(graph, "DivideByCount", &least, 1,
                                (const struct mi_attribute[]){MI_INT("per_n", 1), MI_INT("fixed", 0)}, 2);
    return mi_op2(graph, "Div", sum, of_one);
}

mi_value *mi_loss_build(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_loss_desc *desc = given;
    struct mi_loss loss;
    struct mi_error error = {0};
    if (x[0]->type != MI_FLOAT || x[0]->shape.rank < 1 || !x[0]->shape.dim[0].a)
        return mi_layer_fail(layer, MICA_INVALID_ARGUMENT, "predictions are float32, for each sample, not %s of shape %s",
                             mi_types[x[0]->type].name, mi_shape_text(&layer->graph->arena, &x[0]->shape));
    mi_value *mask = mi_layer_mask(layer, x[0]);
    if (mi_loss_resolve(&error, row_of(layer->type), x[0], mask != NULL, desc->setting, desc->from_logits, &loss) != MICA_OK)
        return mi_layer_fail(layer, error.status, "%s", error.text);
    const struct mi_places places = mi_places_of(&loss, &x[0]->shape, mask != NULL);
    mi_value *target = mi_places_join(layer->graph, &places, fit_target(layer, &loss, x[0], x[1]));
    if (!target)
        return NULL;
    mi_value *counted = mi_places_counted(layer->graph, &loss, &places, x[0], mask, target);
    mi_value *each = mi_loss_each(layer->graph, &loss, mi_places_join(layer->graph, &places, x[0]), target, mask);
    return of_samples(layer->graph, &places, x[0], counted, each);
}
