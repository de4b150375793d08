/* The rows of the activations; the list is in activation.h. */
#include "ops/ops.h"

#define REAL(key, value) MI_TRY(mi_default_float(node, #key, (value)));
#define SLOPE(key, value) REAL(key, value) MI_TRY(not_negative(node, #key));

static mica_status not_negative(const struct mi_node *node, const char *key)
{
    float value = mi_attribute_float(node, key, 0);
    if (value >= 0)
        return MICA_OK;
    return mi_op_fail(node, MICA_INVALID_ARGUMENT, "%s is %g, it must be at least 0", key, (double)value);
}

#define ACTIVATION(id, defaults, expression, derivative)                                     \
    static mica_status infer_##id(struct mi_node *node)                                      \
    {                                                                                        \
        defaults                                                                             \
        return mi_infer_float_map(node);                                                     \
    }                                                                                        \
    MI_MAP_ROW(id, 1, infer_##id, .expr = {expression}, .grad = {derivative});

MI_ACTIVATIONS(ACTIVATION)
