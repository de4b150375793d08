/* A layer that only penalizes what goes through it. */
#include "nn/layer.h"
#include "nn/penalty.h"

#include <math.h>

static mi_value *build(struct mi_layer *layer, mi_value *const *x, int count, const void *given)
{
    (void)count;
    const mica_activity_regularization_desc *desc = given;
    const mica_regularizer regularizer = {.type = "l1_l2", .l1 = desc->l1, .l2 = desc->l2};
    struct mi_error error = {0};
    mi_value *y = mi_op1(layer->graph, "Identity", x[0]);
    bool any = fpclassify(desc->l1) != FP_ZERO || fpclassify(desc->l2) != FP_ZERO;
    if (y && any && mi_penalty_add(layer->model, &error, y, &regularizer, true) != MICA_OK)
        return mi_layer_fail(layer, error.status, "%s", error.text);
    return y;
}

static const struct mi_key keys[] = {
    MI_KEY_WITH(mica_activity_regularization_desc, "l1", MI_KEY_FLOAT, l1, MI_KEY_AT_LEAST(0)),
    MI_KEY_WITH(mica_activity_regularization_desc, "l2", MI_KEY_FLOAT, l2, MI_KEY_AT_LEAST(0)),
    {0},
};

const struct mi_layer_type mi_layer_activity_regularization = {
    .type = "activity_regularization", .desc_size = sizeof(mica_activity_regularization_desc), .keys = keys, .min_inputs = 1,
    .max_inputs = 1, .keeps_steps = true, .build = build};

mica_node *mica_activity_regularization(mica_node *x, const mica_activity_regularization_desc *desc)
{
    return mi_layer_add(&mi_layer_activity_regularization, &x, 1, desc);
}
