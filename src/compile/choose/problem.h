/* Contractions of a plan as engines look at them. */
#ifndef MICA_SRC_CHOOSE_PROBLEM_H
#define MICA_SRC_CHOOSE_PROBLEM_H

#include "plan/inside.h"

/* A contraction of the plan as engines look at it; no variant. */
mica_status mi_read_problem(const struct mica_plan *plan, const struct mi_node *node, struct mi_problem *problem);
/* The contraction that makes an operand of the node's by maps, where nobody else reads any of that; node NULL: there is none. */
mica_status mi_read_ahead(const struct mi_users *users, const struct mi_node *node, struct mi_ahead *ahead);
/* Marks what is inside the node's kernel: from the contraction ahead to the node. */
void mi_mark_inside(struct mica_plan *plan, struct mi_node *node, const struct mi_ahead *ahead);
/* Whether an engine may be taken, as the plan is asked for. */
bool mi_engine_is_allowed(const struct mica_plan *plan, const struct mi_engine *engine);
/* The engine of least cost. */
const struct mi_engine *mi_cheapest(const struct mica_plan *plan, const struct mi_problem *problem);

#endif
