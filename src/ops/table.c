/* The table of all operators. */
#include "ops/ops.h"

#define ROW(id) &mi_op_##id,
#define ACTIVATION_ROW(id, defaults, expression, derivative) ROW(id)

const struct mi_op *const mi_ops[] = {
    ROW(input) ROW(constant) ROW(variable) ROW(assign) ROW(derivative)
    MI_OPERATORS(ROW)
    MI_ACTIVATIONS(ACTIVATION_ROW)
    NULL
};
