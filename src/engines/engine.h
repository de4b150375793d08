/* Engines compute contractions. Each says which problems it can do, what it costs, and writes the launches. */
#ifndef MICA_SRC_ENGINE_H
#define MICA_SRC_ENGINE_H

#include "emit/emit.h"

/* A contraction that is computed inside the kernel of another one, which alone reads it. */
struct mi_ahead {
    struct mi_node *node;
    struct mi_contraction c;
    const mi_value *result; /* what maps make of it: an operand of the other one, in no memory */
    bool constant;          /* as below */
};

/* A contraction as engines look at it. */
struct mi_problem {
    const struct mi_node *node;
    struct mi_contraction c;
    mica_device *device;
    int64_t batch;
    bool plain_only; /* blocked layouts are switched off */
    bool by_rows;    /* part of a kernel in which an item takes some rows, its batch, through a repeat: one core does it */
    bool exact;      /* only engines that round as the plain sum of products does */
    bool constant;   /* operand b is the same in every step, or in every turn of a repeat: what is prepared of it costs nothing */
    const struct mi_ahead *ahead; /* to be computed too, in the same kernel; NULL: nothing */
    struct mi_variant
        variant; /* one of the engine's variants for this problem; in supports, cost and variants: not set */
};

/* What an engine wants of the layouts of its operands. */
struct mi_wishes {
    bool wanted;           /* false: it takes any (it reads through accessors) */
    struct mi_layout a, b; /* with the least halo; it may get a wider one. Results are stored in any layout */
    struct mi_layout ahead_a, ahead_b; /* of the contraction ahead */
};

struct mi_engine {
    const char *name;
    bool (*supports)(const struct mi_problem *problem);
    double (*cost)(const struct mi_problem *problem); /* seconds, roughly */
    /* The variants worth a try, the best guess first; how many, `most` at most. NULL: there is one way, and no numbers. */
    int (*variants)(const struct mi_problem *problem, struct mi_variant *list, int most);
    bool epilogue; /* maps over its result ride along */
    bool totals;   /* so do sums of an operand over what the problem sums: gradients of a bias beside those of the weights */
    bool memory;   /* reads its operands from memory: they must be stored (plain, unless it wishes otherwise) */
    bool blocked;  /* makes its result in blocks of channels, and stores it best so */
    bool calls;    /* runs a library, which compiles kernels for each new class of shapes: seconds, on a CPU minutes */
    bool by_rows;  /* its kernel may be part of another one: a problem by rows becomes one launch, without scratch memory */
    bool ahead;    /* computes problems with another contraction ahead, and only those; the others are never asked about them */
    void (*wishes)(const struct mi_problem *problem, struct mi_wishes *wishes); /* NULL: none */
    /* Adds nodes that compute another form of operand b from it, and returns their result: it becomes the node's third input,
     * plain. Where b is a variable that no step changes, they run only when somebody else changed it. NULL: nothing to add,
     * or, with an error in the graph, no memory. */
    mi_value *(*prepare)(struct mi_graph *graph, const struct mi_problem *problem);
    /* Which operands, of those asked for (1: a, 2: b), the kernel computes while it packs them, where that is cheaper than a kernel
     * of their own; the variant may become another for that. NULL: none. */
    uint32_t (*packs)(const struct mi_problem *problem, uint32_t asked, struct mi_variant *variant);
    mica_status (*emit)(struct mi_emitter *e, const struct mi_problem *problem, struct mi_codes *codes);
};

/* Whether the engine computes the problem. */
static inline bool mi_engine_can(const struct mi_engine *engine, const struct mi_problem *problem)
{
    return (engine->by_rows || !problem->by_rows) && engine->supports(problem);
}

/* Variant number `which` of those the engine offers, or the last; 0 is its best guess. */
struct mi_variant mi_variant_of(const struct mi_engine *engine, const struct mi_problem *problem, int which);

/* Adds a variant at the end, unless it is there or the list is full; how many there are then. */
int mi_variant_add(struct mi_variant *list, int count, int most, struct mi_variant variant);

/* How many products of two numbers the problem sums, at the largest batch. */
double mi_problem_products(const struct mi_problem *problem);
/* Whether both operands and the result are float32. */
bool mi_contraction_is_float(const struct mi_contraction *c);

/* The engines, one a line; the reference, which does everything, is the last. Where costs are equal the first is taken. */
#define MI_ENGINES(X)                                                                                                            \
    X(expand)                                                                                                                    \
    X(winograd)                                                                                                                  \
    X(winograd_weight)                                                                                                           \
    X(depthwise)                                                                                                                 \
    X(depthwise_weight)                                                                                                          \
    X(direct)                                                                                                                    \
    X(direct_weight)                                                                                                             \
    X(gemm)                                                                                                                      \
    X(tile)                                                                                                                      \
    X(clblast)                                                                                                                   \
    X(col2im)                                                                                                                    \
    X(im2col)                                                                                                                    \
    X(nest)

#define MI_ENGINE_DECLARE(name) extern const struct mi_engine mi_engine_##name;
MI_ENGINES(MI_ENGINE_DECLARE)
#undef MI_ENGINE_DECLARE
extern const struct mi_engine *const mi_engines[]; /* NULL-terminated */

#endif
