/* Dropout. In training (mi_trains) an element is 0 with probability `rate` (0.5) and else x / (1 -
 * rate); otherwise the input passes unchanged.
 *
 * The mask is drawn from the node's stable id, so the gradient, a Dropout of dy with the same id, draws the
 * same mask again and nothing is stored. */
#include "ops/ops.h"

static mica_status infer_dropout(struct mi_node *node)
{
    MI_TRY(mi_float_types(node));
    MI_TRY(mi_default_float(node, "rate", 0.5f));
    float rate = mi_attribute_float(node, "rate", 0.5f);
    if (!(rate >= 0 && rate < 1))
        return mi_op_fail(node, MICA_INVALID_ARGUMENT, "rate is %g, it must be at least 0 and below 1",
                          (double)rate);
    mi_infer_output(node, 0, node->in[0]->type, &node->in[0]->shape);
    return MICA_OK;
}

static mi_value *same_mask(struct mi_node *node, const char *op, mi_value *value)
{
    mi_value *made = mi_apply_as(node, op, &value, 1, NULL, 0);
    if (made)
        made->node->stable = node->stable;
    return made;
}

static mica_status lower_dropout(struct mi_node *node, mi_value **out)
{
    bool drops = mi_trains(node) && mi_attribute_float(node, "rate", 0) > 0;
    out[0] = drops ? same_mask(node, "RandomDrop", node->in[0]) : node->in[0];
    return node->graph->error.status;
}

static mica_status gradient_dropout(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    dx[0] = same_mask(node, "Dropout", dy[0]);
    return node->graph->error.status;
}

MI_COMPOSITE_ROW(Dropout, 1, 1, 1, infer_dropout, gradient_dropout, lower_dropout);

MI_MAP_ROW(RandomDrop, 1, NULL, .expr = {"uniform < rate ? 0 : x * (1.0f / (1.0f - rate))"},
           .grad = {"uniform < rate ? 0 : g * (1.0f / (1.0f - rate))"});
