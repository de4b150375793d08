/* The terms of an expression. */
#ifndef MICA_SRC_EXPRESSION_INSIDE_H
#define MICA_SRC_EXPRESSION_INSIDE_H

#include "ops/expression.h"

enum mi_term {
    MI_TERM_NUMBER, MI_TERM_NAME, MI_TERM_CALL, MI_TERM_CHOOSE, /* x ? y : z */
    MI_TERM_MINUS, MI_TERM_NOT,
    MI_TERM_ADD, MI_TERM_SUBTRACT, MI_TERM_MULTIPLY, MI_TERM_DIVIDE,
    MI_TERM_LESS, MI_TERM_LESS_EQUAL, MI_TERM_GREATER, MI_TERM_GREATER_EQUAL, MI_TERM_EQUAL, MI_TERM_UNEQUAL,
    MI_TERM_AND, MI_TERM_OR, MI_TERMS
};

struct mi_expression {
    enum mi_term term;
    struct mi_expression *x, *y, *z;
    const char *name;
    int which;                   /* which name, or which function */
    float value;
};

/* NULL: no memory. */
static inline struct mi_expression *mi_term_add(struct mi_arena *arena, enum mi_term term, struct mi_expression *x,
                                                struct mi_expression *y, struct mi_expression *z)
{
    struct mi_expression *e = mi_arena_new(arena, 1, sizeof *e);
    if (e)
        *e = (struct mi_expression){.term = term, .x = x, .y = y, .z = z};
    return e;
}

/* Functions: X(name, arguments, OpenCL C of arguments x and y, and the derivatives by them, as expressions of x and y; "" is 0).
 * The smaller and the larger of two are NaN where either is. */
#define MI_FUNCTIONS(X)                                                                                                          \
    X(exp, 1, "exp(x)", ("exp(x)", ""))                                                                                          \
    X(expm1, 1, "expm1(x)", ("exp(x)", ""))                                                                                      \
    X(log, 1, "log(x)", ("1 / x", ""))                                                                                           \
    X(log1p, 1, "log1p(x)", ("1 / (1 + x)", ""))                                                                                 \
    X(sqrt, 1, "sqrt(x)", ("0.5 / sqrt(x)", ""))                                                                                 \
    X(sin, 1, "sin(x)", ("cos(x)", ""))                                                                                          \
    X(cos, 1, "cos(x)", ("-sin(x)", ""))                                                                                         \
    X(tanh, 1, "tanh(x)", ("1 - tanh(x) * tanh(x)", ""))                                                                         \
    X(sigmoid, 1, "1.0f / (1.0f + exp(-x))", ("sigmoid(x) * (1 - sigmoid(x))", ""))                                              \
    X(erf, 1, "erf(x)", ("1.12837917 * exp(-x * x)", ""))                                                                        \
    X(abs, 1, "fabs(x)", ("sign(x)", ""))                                                                                        \
    X(sign, 1, "x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x", ("", ""))                                                               \
    X(floor, 1, "floor(x)", ("", ""))                                                                                            \
    X(ceil, 1, "ceil(x)", ("", ""))                                                                                              \
    X(round, 1, "rint(x)", ("", ""))                                                                                             \
    X(min, 2, "x < y || x != x ? x : y", ("x < y ? 1 : x == y ? 0.5 : 0", "y < x ? 1 : x == y ? 0.5 : 0"))                       \
    X(max, 2, "x > y || x != x ? x : y", ("x > y ? 1 : x == y ? 0.5 : 0", "y > x ? 1 : x == y ? 0.5 : 0"))                       \
    X(pow, 2, "pow(x, y)", ("y == 0 ? 0 : y * pow(x, y - 1)", "x == 0 && y >= 0 ? 0 : pow(x, y) * log(x)"))

#endif
