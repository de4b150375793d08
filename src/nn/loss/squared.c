/* The mean squared error. */
#include "nn/loss/loss.h"

#include <float.h>

static mi_value *each(struct mi_graph *graph, mi_value *y, mi_value *target, bool from_logits)
{
    (void)from_logits;
    return mi_mean_of_sample(graph, mi_op2(graph, "SquaredError", y, target));
}

const struct mi_loss_row mi_loss_mean_squared_error = {
    .layer = MI_LOSS_LAYER("mean_squared_error", mi_loss_keys), .alias = "mse", .task = MI_VALUES, .lowest = -FLT_MAX,
    .highest = FLT_MAX, .each = each};

mica_node *mica_mean_squared_error(mica_node *y, mica_node *target, const mica_loss_desc *desc)
{
    return mi_layer_add(&mi_loss_mean_squared_error.layer, (mica_node *[]){y, target}, 2, desc);
}
