/* Regularizers: a row each, which says what a loss is raised by for the values of a tensor.
 *
 * Adding one: its row in regularizer.c. */
#ifndef MICA_SRC_NN_REGULARIZER_H
#define MICA_SRC_NN_REGULARIZER_H

#include "json/keys.h"
#include "graph/graph.h"

#include <mica/layers/parameter.h>

struct mi_regularizer_row;

/* A regularizer whose settings are known to be right. */
struct mi_regularizer {
    const struct mi_regularizer_row *row;
    float l1, l2, factor;
    bool columns;                 /* of a matrix as Mica stores it: its columns are compared, else its rows */
};

extern const struct mi_key mi_regularizer_keys[];
extern const char *const mi_regularizer_names[]; /* NULL-terminated */

/* Fills in defaults and checks them for a tensor. inputs_first: as struct mi_parameter has it. */
mica_status mi_regularizer_resolve(struct mi_error *error, const mica_regularizer *given, const struct mi_shape *shape,
                                   bool inputs_first, struct mi_regularizer *out);
/* A tensor whose elements add up to the penalty. NULL after an error. */
mi_value *mi_regularizer_each(struct mi_graph *graph, const struct mi_regularizer *regularizer, mi_value *x);
/* Whether the derivative by x is l1 * sign(x) + l2 * x. */
bool mi_regularizer_slopes(const struct mi_regularizer *regularizer, float *l1, float *l2);

#endif
