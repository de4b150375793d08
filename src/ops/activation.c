/* The rows of the activations; the list is in activation.h. */
#include "ops/ops.h"

#include <float.h>
#include <string.h>

#define REAL(key, value) MI_TRY(mi_default_float(node, #key, (value)));
#define SLOPE(key, value) REAL(key, value) MI_TRY(not_negative(node, #key));
#define APPROXIMATE MI_TRY(read_approximate(node));

static mica_status not_negative(const struct mi_node *node, const char *key)
{
    float value = mi_attribute_float(node, key, 0);
    if (value >= 0)
        return MICA_OK;
    return mi_op_fail(node, MICA_INVALID_ARGUMENT, "%s is %g, it must be at least 0", key, (double)value);
}

/* Attribute approximate: "none" (the default) or "tanh". */
static mica_status read_approximate(struct mi_node *node)
{
    const char *text = mi_attribute_text(node, "approximate", "none");
    bool by_tanh = strcmp(text, "tanh") == 0;
    if (!by_tanh && strcmp(text, "none") != 0)
        return mi_op_fail(node, MICA_INVALID_ARGUMENT, "approximate is \"%s\", it must be none or tanh", text);
    return mi_set_attribute(node, MI_INT("by_tanh", by_tanh));
}

#define ROW(id, defaults, expression, derivative, does_rise)                                     \
    static mica_status infer_##id(struct mi_node *node)                                      \
    {                                                                                        \
        defaults                                                                             \
        return mi_infer_float_map(node);                                                     \
    }                                                                                        \
    const struct mi_op mi_op_##id = {.name = #id, .kind = MI_MAP, .min_inputs = 1,           \
        .max_inputs = 1, .outputs = 1, .infer = infer_##id, .rises = (does_rise),          \
        .map = &(const struct mi_map_rule){.expr = {expression}, .grad = {derivative}}};
#define RISING(id, defaults, expression, derivative) ROW(id, defaults, expression, derivative, true)
#define OTHER(id, defaults, expression, derivative) ROW(id, defaults, expression, derivative, false)

MI_RISING_ACTIVATIONS(RISING)
MI_OTHER_ACTIVATIONS(OTHER)
