/* The part of a model's graph that a plan is of. */
#ifndef MICA_SRC_NN_PART_H
#define MICA_SRC_NN_PART_H

#include "graph/op.h"

/* Cuts a graph down to what its outputs need. Running statistics change in those layers alone that the outputs need and `train`
 * names (a pattern over the names of variables; NULL: all): others hold still (mi_node), so that they are read. Faults are counted
 * where all that they look at is needed. Inputs that nobody needs any more are dropped. */
mica_status mi_part_take(struct mi_graph *graph, const char *train);
/* Whether the outputs need a value; NULL is not needed. */
mica_status mi_part_needs(const struct mi_graph *graph, const mi_value *value, bool *needs);

#endif
