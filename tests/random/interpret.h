/* Runs a graph on the host, in ball arithmetic, by what its rows say: a map by its expression, a reduction by its statements, a
 * contraction by its index maps, a move by its texts. It knows the kinds and no operator, but for those that have a kernel of their
 * own; composites must have been lowered. A repeat's nodes run turn by turn where the repeat ends. */
#ifndef MICA_TEST_INTERPRET_H
#define MICA_TEST_INTERPRET_H

#include "random/ball.h"

#include "plan/plan.h"
#include "graph/op.h"

/* A tensor of a batch: concrete sizes, and a ball for each element. */
struct balls {
    enum mi_type type;
    int rank;
    int64_t dim[MI_MAX_RANK], count;
    struct ball *of;
};

void balls_create(struct balls *t, const mi_value *value, int64_t n);
bool balls_next(const struct balls *t, int64_t *at); /* steps coordinates in row-major order; false after the last */

struct interpreter {
    const struct mi_graph *graph;
    struct mi_step step;
    bool by_winograd;            /* 3 x 3 convolutions may be computed by tiles, which rounds more */
    int64_t turn[MI_MOST_REPEATS]; /* of the repeats that run, the outermost first */
    struct mi_arena arena;
    struct balls *values;        /* by value id; inputs and variables are the caller's to fill */
};

/* Makes room for every value. */
void interpreter_create(struct interpreter *in, const struct mi_graph *graph, const struct mi_step *step);
void interpreter_run(struct interpreter *in);
void interpreter_destroy(struct interpreter *in);

#endif
