/* Expressions of a user: parsed, never pasted, since a model file may be hostile. Numbers are float32.
 *
 *     expression   condition ? expression : expression, or a sum
 *     operators    + - * / and signs; < <= > >= == != give 1 or 0; && || !
 *     functions    mi_expression_functions: exp(x), pow(a, b), ...
 *     names        those that the caller lists
 *
 * So "x > 0 ? x : 0.1 * (exp(x) - 1)" becomes the text "(x > 0.0f) ? x : 0.1f * (exp(x) - 1.0f)" and the derivative by x
 * "(x > 0.0f) ? 1.0f : 0.1f * exp(x)", up to brackets. */
#ifndef MICA_SRC_EXPRESSION_H
#define MICA_SRC_EXPRESSION_H

#include "base/base.h"

struct mi_expression; /* in the arena that it was parsed into */

extern const char *const mi_expression_functions[]; /* NULL-terminated */

/* names: NULL-terminated; `what` stands before errors, which say where in the text something is wrong. NULL: error has it. */
struct mi_expression *mi_expression_parse(struct mi_arena *arena, struct mi_error *error, const char *what, const char *text,
                                          const char *const *names);
/* The derivative by names[which]; NULL: it is 0 everywhere, or, with an error, there is no memory. */
struct mi_expression *mi_expression_derivative(struct mi_arena *arena, const struct mi_expression *expression, int which);
/* OpenCL C; NULL: no memory, or it would be longer than MI_LONGEST_EXPRESSION. */
enum { MI_LONGEST_EXPRESSION = 1 << 14 };
const char *mi_expression_text(struct mi_arena *arena, const struct mi_expression *expression);

#endif
