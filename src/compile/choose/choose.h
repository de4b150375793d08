/* Which engine computes a contraction, and in which layouts. */
#ifndef MICA_SRC_CHOOSE_H
#define MICA_SRC_CHOOSE_H

#include "compile/choose/problem.h"

/* The pass: an engine for each contraction, and the layouts it likes. */
mica_status mi_choose_engines(struct mica_plan *plan);

/* Decides whether one kernel computes the node, a contraction, and one ahead of it; engine NULL: two do (ahead.c). */
mica_status mi_choose_ahead(struct mica_plan *plan, const struct mi_users *users, const struct mi_node *node,
                            struct mi_ahead *ahead, struct mi_choice *choice);
/* Marks what the engine computes while it packs the problem's operands; the choice's variant may become another for that
 * (pack.c). */
void mi_pack_operands(const struct mica_plan *plan, const struct mi_users *users, const struct mi_problem *problem,
                      struct mi_choice *choice);

#endif
