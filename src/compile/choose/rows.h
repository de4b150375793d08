/* Rows of a batch that do not depend on each other. */
#ifndef MICA_SRC_CHOOSE_ROWS_H
#define MICA_SRC_CHOOSE_ROWS_H

#include "plan/inside.h"

/* The pass: which repeats run by rows, and how many an item takes: plan->rows. */
mica_status mi_choose_rows(struct mica_plan *plan);

/* Whether a value has a row for each sample: one behind another, along its first axis, or some to each sample. */
bool mi_has_rows(const struct mi_shape *shape);
/* Whether a value is the same for all samples. */
bool mi_has_no_batch(const struct mi_shape *shape);
/* Follows rows from a node's outputs to its inputs: where axis `axis` (-1: none) of an output counts them, in[k] is the axis of
 * input k that does, or -1. false: it makes rows of others, or of where they stand. */
bool mi_trace_rows(const struct mi_node *node, int axis, int in[MI_MAX_INPUTS]);

#endif
