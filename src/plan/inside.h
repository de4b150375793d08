/* The plan from inside: what each pass leaves for the next, and what runs. */
#ifndef MICA_SRC_PLAN_INSIDE_H
#define MICA_SRC_PLAN_INSIDE_H

#include "plan/plan.h"
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
    unsigned turn_at;              /* which argument of the launch is the turn of the outermost repeat that runs it; 0: none */
    unsigned turns_at;             /* ... and which one is how many turns run in it; 0: none */
    bool moves;                    /* a tensor's place depends on the turn, or on n */
    struct mi_buffer table;        /* places and sizes of a launch for several kernels */
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
    bool *endings;                 /* by node id: small work on parameters alone, at the end of a step; NULL: nobody looked */
    struct mi_kernel_list kernels;
    int *rows;                     /* by repeat: samples that an item takes through all its turns, in one launch; 0: each turn has
                                    * launches of its own */
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
    struct mi_state {              /* what goes from run to run (states.c) */
        struct mi_variable *variable;
        struct mi_buffer buffer;
        bool borrowed;             /* it is another plan's */
    } *states;
    size_t state_count;
    uint64_t state_bytes;

    struct mi_action *actions;
    size_t action_count, action_capacity;
    int64_t *turn;                 /* by repeat: which turn is on its way */
    struct mi_buffer step_block;
    struct mi_step slot[2];        /* host memory of the last two steps */
    cl_event in_flight[2];
    uint64_t steps;
    uint64_t runs;                 /* before the one that is enqueued: its step, counted from 0 */
    struct mi_turns { int64_t run, fed, longest; } *turns; /* by repeat (turns.c) */
    struct mi_step next;           /* the next run's, without n */
    uint64_t samples;              /* of all runs since the metrics were set to zero */
    struct mi_measured {
        float *sums;               /* of all metrics, made when first asked for */
        uint64_t samples;          /* that they are of */
        cl_event come;             /* passes when they are there; NULL: nobody waits for them */
    } measured;
    struct mi_staging *staging;    /* by input; made by the first mica_plan_write */
    struct mi_bound { struct mi_buffer buffer; size_t offset; } *bound; /* buffers of an application, by value id; NULL: none */
};

/* The status of what was asked of the device, whose error becomes the plan's. */
static inline mica_status mi_plan_from_device(struct mica_plan *plan, mica_status status)
{
    return status == MICA_OK ? status : mi_error_report(&plan->error, &plan->device->error);
}

/* The repeat in whose turns a kernel is launched; 0: none. Turns of a repeat by rows are all in one launch. */
static inline int mi_repeat_of(const struct mica_plan *plan, const struct mi_kernel *kernel)
{
    return plan->rows[kernel->repeat] ? plan->graph->repeats[kernel->repeat].outer : kernel->repeat;
}

/* How many turns a step has of a repeat, within those around it; how often it runs a kernel, and how often it launches it: at
 * most. */
static inline int64_t mi_turns_in(const struct mica_plan *plan, int repeat)
{
    int64_t turns = 1;
    for (; repeat && turns < INT32_MAX; repeat = plan->graph->repeats[repeat].outer)
        turns *= plan->graph->repeats[repeat].turns;
    return turns;
}
static inline int64_t mi_turns_of(const struct mica_plan *plan, const struct mi_kernel *kernel)
{
    return mi_turns_in(plan, kernel->repeat);
}
static inline int64_t mi_launches_of(const struct mica_plan *plan, const struct mi_kernel *kernel)
{
    return mi_turns_in(plan, mi_repeat_of(plan, kernel));
}

/* Who writes a kernel: an engine, an own operator or the nest; "rows": several in one, through all turns of a repeat. */
static inline const char *mi_kernel_engine(const struct mica_plan *plan, const struct mi_kernel *kernel)
{
    const char *alone = kernel->choice.engine ? kernel->choice.engine->name : kernel->anchor ? "own" : "nest";
    return plan->rows[kernel->repeat] ? "rows" : alone;
}

/* ---- plan.c ---- */

/* A public call on a plan ends: what went wrong is told to the device. */
mica_status mi_plan_end(mica_plan *plan, mica_status status);
/* The same for a name that no input or output has. */
mica_status mi_plan_refuse_name(mica_plan *plan, bool inputs, bool outputs, const char *name);

/* ---- step.c ---- */

mica_status mi_plan_check(mica_plan *plan, int64_t n); /* whether a step may have so many samples */
/* The next run: a step of training, or one of prediction, which are all alike. */
mica_status mi_plan_run_samples(mica_plan *plan, int64_t n);

/* ---- turns.c ---- */

/* Says that every repeat runs all its turns. */
mica_status mi_turns_make(struct mica_plan *plan);
/* Notes the lengths of n samples, where an input has them. */
void mi_turns_feed(struct mica_plan *plan, const mi_value *input, const void *elements, int64_t n);
/* How many turns the step of n samples runs, by the lengths that were fed. */
void mi_turns_settle(struct mica_plan *plan, int64_t n);

/* ---- states.c ---- */

/* Lists the states that the graph reads, and what they take; allocates them, all zeros; fills them with zeros again. */
mica_status mi_states_list(struct mica_plan *plan);
mica_status mi_states_make(struct mica_plan *plan);
mica_status mi_states_reset(struct mica_plan *plan);
void mi_states_destroy(struct mica_plan *plan);
/* Where a variable, or its gradient, lies: of a state in the plan's memory, else in the store. */
mica_status mi_variable_place(struct mica_plan *plan, const struct mi_variable *variable, bool gradient, struct mi_place *place);

/* ---- staging.c ---- */

/* A slot of an input's staging that the device has read, and where the event of the next copy from it belongs. */
mica_status mi_staging_slot(mica_plan *plan, int input, void **slot, cl_event **written);
void mi_staging_destroy(mica_plan *plan);

/* ---- action.c ---- */

/* Sets the places of an action's tensors: at first, and again when an application binds a buffer of its own. */
mica_status mi_action_place(mica_plan *plan, struct mi_action *action);
/* Enqueues the launch, or calls the library, which has nothing to do for no samples. */
mica_status mi_action_run(mica_plan *plan, struct mi_action *action, int64_t n);

/* ---- rows.c: launches for several kernels ---- */

/* Puts the rows whose tensors lie in the same memory as those of the first to the front; how many these are. */
mica_status mi_rows_split(struct mica_plan *plan, struct mi_row *row, int count, int *first);
/* Makes the table of rows whose tensors lie in the same memory. */
mica_status mi_rows_write(struct mica_plan *plan, const struct mi_row *row, int count, struct mi_buffer *table);

/* A walk over the actions of a step, in their order. */
struct mi_walk {
    bool derived;                  /* also those that only copy variables: they run where a variable has changed */
    bool contractions;             /* only those of kernels that an engine wrote */
    bool once;                     /* what a repeat runs in one turn alone */
    mica_status (*visit)(mica_plan *plan, struct mi_action *action, void *data); /* the first failure ends the walk */
    void *data;
};
mica_status mi_actions_walk(mica_plan *plan, const struct mi_walk *walk);
/* How many actions such a walk visits. */
int mi_actions_count(const mica_plan *plan, const struct mi_walk *walk);

/* ---- store.c ---- */

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

mica_status mi_store_place_of(struct mi_store *store, const struct mi_variable *variable, bool gradient,
                              struct mi_place *place);

/* What the gradients of small parameters take. */
uint64_t mi_store_gradient_bytes(const struct mi_store *store);

/* ---- values.c ---- */

/* The place of a stored value in a step of n samples, at the turns that are on their way (action.c). */
mica_status mi_place_of(struct mica_plan *plan, const mi_value *value, int64_t n, struct mi_place *place);
mi_value *mi_canonical(const struct mica_plan *plan, mi_value *value);
/* The value whose memory it is that this one lies in. */
mi_value *mi_owner(const struct mica_plan *plan, mi_value *value);
/* Whether a kernel must have run before the value is there; of what a repeat leaves, all of its kernels. */
bool mi_is_made_by(const struct mica_plan *plan, const mi_value *value, int kernel);
#define MI_UNCOUNTED_BYTES (UINT64_MAX / 4) /* of a tensor whose size overflows */
uint64_t mi_value_bytes(const struct mica_plan *plan, const mi_value *value);
/* Whether who computes this node in passing reads its inputs at the places of its output. */
bool mi_keeps_places(const struct mi_node *node);

/* The values that a kernel's node reads from memory or from other members, looked for through virtual nodes; how many. They
 * are at most MI_MOST_SOURCES: larger joins are lowered to smaller ones, and long expressions are cut. */
struct mi_source {
    mi_value *value;
    bool direct;                   /* element by element: no move between that changes the coordinates */
};
int mi_sources(const struct mica_plan *plan, const struct mi_node *node, struct mi_source out[MI_MOST_SOURCES]);

/* Everything stored plain, nothing at home: what passes begin with. */
mica_status mi_start_tensors(struct mica_plan *plan);

#endif
