/* What differentiation asks of repeats (mirror.c). */
#ifndef MICA_SRC_DIFFERENTIATE_H
#define MICA_SRC_DIFFERENTIATE_H

#include "graph/op.h"

/* Adds to the open repeat, which runs back, what stands for each value of the one that `end` ends: mirror, by value id. */
mica_status mi_mirror(struct mi_node *end, mi_value **mirror);
/* The sum over all turns of a value of the repeat that `end` ends: one product for all of them, where it is one of the rows of each
 * turn. With gradients dz (n, c) of x (n, r) u in each turn, the sum of x^T dz is X^T dZ with all rows, (turns * n, r) and
 * (turns * n, c). */
mi_value *mi_sum_of_turns(struct mi_node *end, mi_value *value);

#endif
