/* Passes that make kernels of a plan's nodes, in the order in which they run. */
#ifndef MICA_SRC_COMPILE_KERNELS_H
#define MICA_SRC_COMPILE_KERNELS_H

#include "plan/inside.h"

mica_status mi_find_endings(struct mica_plan *plan);  /* small work that runs at the end of a step */
mica_status mi_fuse(struct mica_plan *plan);          /* nodes become kernels */
mica_status mi_match_layouts(struct mica_plan *plan); /* tensors stored side by side lie alike */
mica_status mi_order(struct mica_plan *plan);         /* kernels in an order, writers of variables after readers */
mica_status mi_derive(struct mica_plan *plan);        /* which kernels only copy variables */
mica_status mi_emit_plan(struct mica_plan *plan);     /* source of every kernel */
mica_status mi_join_alike(struct mica_plan *plan);    /* that work's kernels of equal source become one launch */
mica_status mi_join_turns(struct mica_plan *plan);    /* kernels of a repeat by rows become one launch of all turns */
mica_status mi_place(struct mica_plan *plan);         /* memory */
mica_status mi_build(struct mica_plan *plan);         /* programs and launches */

/* Writes one kernel's source, in place of what there was (emit.c, for turns). */
mica_status mi_emit_kernel(struct mica_plan *plan, int kernel);

/* Whether all that a kernel computes is work of the end of a step (endings.c, for order). */
bool mi_kernel_is_ending(const struct mica_plan *plan, const struct mi_kernel *kernel);

/* Whether the kernel that computes an assignment's value may store it over the old one (over.c, for order): whether it reads
 * that, if at all, at the place that it stores and not after it. */
bool mi_may_be_over(const struct mica_plan *plan, const struct mi_assignment *assignment);

/* Marks values that must be stored lest the expressions of their users grow too long (cut.c, for fuse). */
mica_status mi_cut_expressions(struct mica_plan *plan, const struct mi_users *users, bool *needed);

#endif
