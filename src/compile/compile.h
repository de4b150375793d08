/* The plan from inside: what each pass leaves for the next. */
#ifndef MICA_SRC_COMPILE_H
#define MICA_SRC_COMPILE_H

#include "compile/plan.h"
#include "engines/engine.h"

/* Where a stored value lies. */
struct mi_home {
    struct mi_variable *variable;  /* in the variable's place; NULL: in the plan's memory */
    bool gradient;                 /* in the place of the variable, but of the gradient arena */
    int block;                     /* of the plan's arena, and the first byte there */
    uint64_t offset;
};

/* An Assign: in place, when the value's kernel may write over the variable, or by a copy at the end of the step. */
struct mi_assignment {
    struct mi_variable *variable;
    mi_value *value;               /* canonical */
    bool in_place;
};

/* One launch or call of a step, ready to run. */
struct mi_action {
    int kernel;
    const struct mi_code *code;
    struct mi_launch launch;       /* of source */
    struct mi_place place[MI_MAX_ARGUMENTS]; /* of a call */
};

/* Host memory that mica_plan_write copies through: two slots, so that it waits only for the write before the last. */
struct mi_staging {
    void *slot[2];
    cl_event written[2];
    unsigned next;
};

struct mi_kernel_list {
    struct mi_kernel *list;
    size_t count, capacity;
};

struct mica_plan {
    struct mi_error error;         /* why it is of no use: it did not compile, or the device failed; every call repeats it */
    struct mi_error refused;       /* the first argument that was wrong: told, but it blocks nothing */
    mica_device *device;
    struct mi_store *store;
    struct mi_graph *graph;
    struct mi_plan_desc desc;
    int64_t batch;
    struct mi_arena arena;
    int64_t *index_rows;           /* by input: mi_index_rows of the graph as it was given */

    struct mi_tensor *tensors;     /* by value id */
    int *home;                     /* kernel of each node; -1: a source, or computed where it is used */
    struct mi_choice *choices;     /* of contractions, by node id */
    struct mi_node **inside;       /* by node id: the contraction whose kernel computes another one ahead of it, for all
                                    * nodes from that one to it; NULL: there is none */
    bool *wanted;                  /* by value id: an engine asked for its layout */
    bool *derived;                 /* by kernel: a copy of variables, made again only when one of them changed */
    const struct mi_variable **derived_from; /* the variables that derived kernels read */
    size_t derived_from_count;
    uint64_t derived_version;      /* of those variables, when they were last made */
    bool derived_made;
    bool *updates;                 /* by node id: an optimizer's step on a parameter */
    struct mi_kernel_list kernels;
    int *order;                    /* kernels in the order they run */
    struct mi_codes *codes;        /* by kernel */
    struct mi_home (*scratch)[4];  /* places of scratch, by kernel */

    struct mi_assignment *assignments;
    size_t assignment_count;
    struct mi_home *homes;         /* by value id */
    struct mi_buffer *blocks;      /* the arena of activations */
    uint64_t *block_bytes;
    size_t block_count;
    struct mi_buffer *own;         /* debug: a buffer for each value id */
    uint64_t activation_bytes, scratch_bytes;

    struct mi_action *actions;
    size_t action_count, action_capacity;
    struct mi_buffer step_block;
    struct mi_step slot[2];        /* host memory of the last two steps */
    cl_event in_flight[2];
    uint64_t steps;
    struct mi_staging *staging;    /* by input; made by the first mica_plan_write */
    struct mi_bound { struct mi_buffer buffer; size_t offset; } *bound; /* buffers of an application, by value id; NULL: none */
};

/* A public call on a plan begins (a plan that is of no use says why) and ends: what went wrong is told to the device. */
mica_status mi_plan_begin(mica_plan *plan);
mica_status mi_plan_end(mica_plan *plan, mica_status status);
/* An argument of a call is wrong: the plan and its device remember it, and the plan can be used on. */
mica_status mi_plan_refuse(mica_plan *plan, mica_status status, const char *format, ...) MI_PRINTF(3, 4);
/* The same for a name that no input or output has. */
mica_status mi_plan_refuse_name(mica_plan *plan, bool inputs, bool outputs, const char *name);
mica_status mi_plan_check(mica_plan *plan, int64_t n); /* whether a step may have so many samples */
/* A step of prediction. */
mica_status mi_plan_run_samples(mica_plan *plan, int64_t n);

/* A contraction of the plan as engines look at it; no variant. */
mica_status mi_read_problem(const struct mica_plan *plan, const struct mi_node *node, struct mi_problem *problem);
/* The contraction that makes an operand of the node's by maps, where nobody else reads any of that; node NULL: there is none. */
mica_status mi_read_ahead(const struct mi_users *users, const struct mi_node *node, struct mi_ahead *ahead);
/* Decides whether one kernel computes the node, a contraction, and one ahead of it; engine NULL: two do. */
mica_status mi_choose_ahead(struct mica_plan *plan, const struct mi_users *users, const struct mi_node *node,
                            struct mi_ahead *ahead, struct mi_choice *choice);
/* Marks what is inside the node's kernel: from the contraction ahead to the node. */
void mi_mark_inside(struct mica_plan *plan, struct mi_node *node, const struct mi_ahead *ahead);
/* Whether an engine may be taken, as the plan is asked for. */
bool mi_engine_is_allowed(const struct mica_plan *plan, const struct mi_engine *engine);
/* Marks, by node id, maps that are an optimizer's step: all that one computes is assigned to variables, a parameter first. */
void mi_mark_updates(const struct mi_graph *graph, const struct mi_users *users, bool *updates);
/* Marks what the engine computes while it packs the problem's operands; the choice's variant may become another for that. */
void mi_pack_operands(const struct mica_plan *plan, const struct mi_users *users, const struct mi_problem *problem,
                      struct mi_choice *choice);
void mi_staging_destroy(struct mica_plan *plan);
mica_status mi_action_place(struct mica_plan *plan, struct mi_action *action); /* sets its tensors' places */

enum {
    MI_ALIGN_ELEMENTS = 64,        /* a variable begins at a multiple of so many elements */
    MI_SMALL_ELEMENTS = 1 << 18    /* parameters of fewer are updated together at the end of a step */
};
/* Small parameters lie side by side, and so do their gradients: their updates are one launch. The others are updated as soon as
 * their gradients are there, so that these need memory for a moment only. */
static inline bool mi_is_small(const struct mi_variable *variable)
{
    return mi_variable_count(variable) < MI_SMALL_ELEMENTS;
}

/* Passes, in the order they run. */
mica_status mi_lower(struct mi_graph *graph);                /* composites become maps, reductions and moves */
mica_status mi_simplify(struct mi_graph *graph);             /* drops what nobody needs, what is the same twice, identities */
mica_status mi_fold(struct mi_graph *graph);                 /* affine maps behind a contraction go into its constant operand */
mica_status mi_graph_rebuild(struct mi_graph *graph, mi_value *const *replacement);
mica_status mi_separate_gradients(struct mi_graph *graph);   /* each update reads a gradient of its own */
mica_status mi_forget(struct mi_graph *graph, int64_t batch); /* what is cheap to compute again is not kept for the gradients */
mica_status mi_inline(struct mi_graph *graph, int64_t batch); /* what reductions fold is computed in them */
mica_status mi_choose_engines(struct mica_plan *plan);               /* an engine for each contraction, and the layouts it likes */
mica_status mi_start_tensors(struct mica_plan *plan);        /* everything stored plain, nothing at home */
mica_status mi_fuse(struct mica_plan *plan);                 /* nodes become kernels */
void mi_match_layouts(struct mica_plan *plan);               /* tensors stored side by side lie alike */
mica_status mi_order(struct mica_plan *plan);                /* kernels in an order, writers of variables after readers */
mica_status mi_derive(struct mica_plan *plan);               /* which kernels only copy variables */
mica_status mi_emit_plan(struct mica_plan *plan);            /* source of every kernel */
mica_status mi_place(struct mica_plan *plan);                /* memory */
mica_status mi_build(struct mica_plan *plan);                /* programs and launches */

/* The sum of the versions of the variables that derived kernels read. */
uint64_t mi_derived_version(const struct mica_plan *plan);

/* The store's inside, for placing. */
mica_status mi_store_place_of(struct mi_store *store, const struct mi_variable *variable, bool gradient,
                              struct mi_place *place);

/* What the gradients of small parameters take. */
uint64_t mi_store_gradient_bytes(const struct mi_store *store);

/* The place of a stored value. */
mica_status mi_place_of(struct mica_plan *plan, const mi_value *value, struct mi_place *place);
mi_value *mi_canonical(const struct mica_plan *plan, mi_value *value);
uint64_t mi_value_bytes(const struct mica_plan *plan, const mi_value *value);

/* Marks values that must be stored lest the expressions of their users grow too long (cut.c). */
mica_status mi_cut_expressions(struct mica_plan *plan, const struct mi_users *users, bool *needed);

/* The values that a kernel's node reads from memory or from other members, looked for through virtual nodes; how many. They are at
 * most MI_MOST_SOURCES: larger joins are lowered to smaller ones, and long expressions are cut. */
struct mi_source {
    mi_value *value;
    bool direct;                   /* element by element: no move between that changes the coordinates */
};
int mi_sources(const struct mica_plan *plan, const struct mi_node *node, struct mi_source out[MI_MOST_SOURCES]);

#endif
