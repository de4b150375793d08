/* Passes that rewrite a plan's graph, in the order in which they run. None knows anything but the graph; `batch` is the largest
 * n. */
#ifndef MICA_SRC_REWRITE_H
#define MICA_SRC_REWRITE_H

#include "graph/op.h"

mica_status mi_lower(struct mi_graph *graph, int64_t batch);     /* composites become maps, reductions and moves */
mica_status mi_simplify(struct mi_graph *graph, int64_t batch);  /* drops what nobody needs, what is the same twice, identities */
mica_status mi_lift(struct mi_graph *graph, int64_t batch);      /* what turns do not need of one another leaves the repeat */
mica_status mi_sink(struct mi_graph *graph, int64_t batch);      /* reshapes of a contraction go behind the maps on it */
mica_status mi_fold(struct mi_graph *graph, int64_t batch);      /* affine maps behind a contraction go into its constant operand */
mica_status mi_separate(struct mi_graph *graph, int64_t batch);  /* each update reads a gradient of its own */
mica_status mi_forget(struct mi_graph *graph, int64_t batch);    /* what is cheap to compute again is not kept for the gradients */
mica_status mi_narrow(struct mi_graph *graph, int64_t batch);    /* what is kept and what products read is rounded to 16 bits */
mica_status mi_inline(struct mi_graph *graph, int64_t batch);    /* what reductions fold is computed in them */
mica_status mi_ring(struct mi_graph *graph, int64_t batch);      /* what goes from turn to turn has a place in memory */

/* Puts the live nodes in topological order, each value replaced by what its number has in `replacement`, if anything. */
mica_status mi_graph_rebuild(struct mi_graph *graph, mi_value *const *replacement);

/* Marks, by node id, maps that are an optimizer's step: all that one computes is assigned to variables, a parameter first. */
void mi_mark_updates(const struct mi_graph *graph, const struct mi_users *users, bool *updates);

#endif
