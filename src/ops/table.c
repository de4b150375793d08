/* The tables of operators: all, and those that callers may name. */
#include "ops/ops.h"

#define ROW(id) &mi_op_##id,
#define CALLERS_ROW(id, takes) ROW(id)
#define ACTIVATION_ROW(id, defaults, expression, derivative) ROW(id)

const struct mi_op *const mi_ops[] = {
    ROW(input) ROW(constant) ROW(variable) ROW(assign) ROW(derivative)
    MI_CALLERS(CALLERS_ROW)
    MI_INNER_OPERATORS(ROW)
    MI_ACTIVATIONS(ACTIVATION_ROW)
    NULL
};

/* An activation's defaults name its attributes. */
#define REAL(key, value) #key ":float "
#define SLOPE(key, value) REAL(key, value)
#define APPROXIMATE "approximate:text "
#define TAKING(id, takes) {&mi_op_##id, takes},
#define ACTIVATION_TAKING(id, defaults, expression, derivative) {&mi_op_##id, "" defaults},

const struct mi_caller_op mi_caller_ops[] = {MI_CALLERS(TAKING) MI_ACTIVATIONS(ACTIVATION_TAKING) {NULL, NULL}};

#define NAME(id, takes) #id,
#define ACTIVATION_NAME(id, defaults, expression, derivative) #id,

const char *const mi_caller_names[] = {MI_CALLERS(NAME) MI_ACTIVATIONS(ACTIVATION_NAME) NULL};
