/* Maps of a user: an expression and, if it is not to be found from that, its derivative. */
#ifndef MICA_SRC_CUSTOM_H
#define MICA_SRC_CUSTOM_H

#include "graph/op.h"

enum { MI_MOST_CUSTOM_INPUTS = 4 };

/* A row in the arena, which outlives all graphs that have nodes of it. One input is called x, several a, b, c, d; the derivatives
 * by them (NULL: found from the expression) may also name the result, y. NULL: error has it, with `what` before. */
const struct mi_op *mi_custom_map(struct mi_arena *arena, struct mi_error *error, const char *what, int inputs,
                                  const char *expression, const char *const *derivatives);

#endif
