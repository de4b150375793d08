/* Plans: a graph compiled into launches with fixed arguments and grids, and running them. A step changes the step block and the
 * inputs only. What passes leave for one another is in inside.h. */
#ifndef MICA_SRC_PLAN_H
#define MICA_SRC_PLAN_H

#include "device/device.h"
#include "graph/graph.h"

/* ---- The store: device memory of variables, shared by all plans of a model ---- */

struct mi_store;
struct mi_choices;

mica_status mi_store_create(mica_device *device, struct mi_variables *variables, struct mi_store **out);
void mi_store_destroy(struct mi_store *store);
/* Gives every variable that has none a place, and uploads its initial values. Parameters lie in one arena, statistics and
 * accumulators in another; gradients and moments each repeat the parameters' arena, offset by offset. */
mica_status mi_store_place(struct mi_store *store);
/* The same in two parts: the uploads are enqueued, and waited for, after which the host's copies are freed. Between the two the
 * variables stay as they are. */
mica_status mi_store_begin(struct mi_store *store);
/* Gives places alone: no value is made, and memory that is not used is not touched. */
mica_status mi_store_reserve(struct mi_store *store);
mica_status mi_store_settle(struct mi_store *store);
/* Waits, then copies count = all elements (float32, whatever the type). Places the variable first if need be. */
mica_status mi_store_read(struct mi_store *store, const struct mi_variable *variable, void *elements);
/* The same without waiting: the copy is enqueued, and *come, which is replaced, passes with it. All variables have their places. */
mica_status mi_store_ask(struct mi_store *store, const struct mi_variable *variable, void *elements, cl_event *come);
mica_status mi_store_write(struct mi_store *store, struct mi_variable *variable, const void *elements);
/* What was counted on the device since the last call as gone wrong: MICA_DATA, and the first of it in the error. Waits where
 * something is counted. */
mica_status mi_store_faults(struct mi_store *store, struct mi_error *error);
/* Enqueues zeros over an accumulator. */
mica_status mi_store_zero(struct mi_store *store, struct mi_variable *variable);
uint64_t mi_store_bytes(const struct mi_store *store, enum mi_role role);

/* ---- Plans ---- */

/* What kernels see as `mica_step`: the only thing besides the inputs that changes between steps. */
struct mi_step {
    int32_t n;              /* samples in this step, 0 <= n <= batch */
    float learning_rate;
    uint64_t step;          /* counts updates from 1: Adam's t, and dropout's counter */
    uint64_t seed;
};

/* What a plan measures: a variable that each run adds to, and what it means after runs of so many samples in all. */
struct mi_plan_metric {
    const char *name;            /* the graph's */
    struct mi_variable *sum;
    struct mi_variable *count;   /* how many samples were added, a scalar; NULL: all of them ... */
    int64_t places;              /* ... each of which was so many */
    double (*result)(const float *sum, size_t places, double samples); /* NULL: the only sum divided by the samples */
};

struct mi_plan_desc {
    mica_device *device;
    struct mi_store *store;
    struct mi_graph *graph;      /* taken over, also on failure: the plan lowers and rewrites it */
    int64_t batch;               /* largest n */
    const char *engine;          /* NULL: the cheapest that fits; else only engines of this name, where they fit */
    int variant;                 /* which of each engine's variants; 0: its best guess */
    bool no_fusion;              /* every node a kernel of its own: tests compare with it */
    bool no_blocked;             /* plain layouts only */
    struct mi_choices *choices;  /* of the model: what it ran with before is taken, what is chosen is added; NULL: none */
    mica_status (*search)(struct mica_plan *plan); /* measures engines before they are chosen (mi_tune); NULL: nobody does */
    bool described;              /* only to be looked at: no first value is made, and nothing runs */
    bool exact;                  /* no engine that trades rounding for speed (Winograd) */
    bool counts_steps;           /* it trains: each run is the next step; otherwise each is the first */
    float learning_rate;         /* of its runs; mica_plan_set changes it */
    float (*rate)(const void *of, uint64_t runs); /* instead: of the run behind so many; NULL: it stays */
    const void *rate_of;         /* the graph's */
    uint64_t seed;
    const struct mi_plan_metric *metrics; /* (metric_count) the graph's */
    int metric_count;
    const struct mica_plan *states_of; /* of which it has the same states, where that has them; it outlives this one. NULL: none */
};

/* Compiles. *out is NULL only when out of memory; a failure is also the plan's own error. */
mica_status mi_plan_create(const struct mi_plan_desc *desc, struct mica_plan **out);
/* mica_plan_destroy, _status, _error, _launches, _peak_bytes, _write, _run, _read: model.h */

int mi_plan_input(const struct mica_plan *plan, const char *name);  /* index, or -1; NULL: the only one */
int mi_plan_inputs(const struct mica_plan *plan);                   /* how many there are */
const char *mi_plan_input_length_of(const struct mica_plan *plan, int input, int64_t *steps); /* as mi_length_of */
const char *mi_plan_input_name(const struct mica_plan *plan, int input);
float mi_plan_learning_rate(const struct mica_plan *plan);          /* of the last run */
int64_t mi_plan_batch(const struct mica_plan *plan);                /* the most samples of a step */
mica_device *mi_plan_device(const struct mica_plan *plan);
int mi_plan_output(const struct mica_plan *plan, const char *name);
struct mi_shape mi_plan_input_shape(const struct mica_plan *plan, int input);
struct mi_shape mi_plan_output_shape(const struct mica_plan *plan, int output);
enum mi_type mi_plan_input_type(const struct mica_plan *plan, int input);
/* Of a target of classes, how many the output tells apart; else 0. */
#define MI_CLASSES "classes" /* the attribute of its node that says so */
int64_t mi_plan_input_classes(const struct mica_plan *plan, int input);

/* A public call on a plan begins; one that is of no use says why. */
mica_status mi_plan_begin(struct mica_plan *plan);
/* An argument of a call is wrong: the plan and its device remember it, and the plan can be used on. */
mica_status mi_plan_refuse(struct mica_plan *plan, mica_status status, const char *format, ...) MI_PRINTF(3, 4);

/* Enqueues a copy of n samples' elements, of the input's own type, from host memory that stays as it is until *done (may be
 * NULL) has passed. Does not wait. */
mica_status mi_plan_feed(struct mica_plan *plan, int input, const void *elements, int64_t n, cl_event *done);
/* The i-th of a plan's states; NULL: there is none. */
struct mi_variable *mi_plan_state(const struct mica_plan *plan, int i);
/* Enqueues copies of an output of another plan, of `rows` samples, to a state of the same type and shape: as many samples of the
 * plan's batch, side by side, get the same row. */
mica_status mi_state_copy(struct mica_plan *plan, struct mi_variable *state, struct mica_plan *from, int output, int64_t rows);
/* Enqueues the step's launches; at most two steps are in flight, a third waits for the first. */
mica_status mi_plan_step(struct mica_plan *plan, const struct mi_step *step);
/* Waits, then copies n samples' elements of the output, in its own type. */
mica_status mi_plan_fetch(struct mica_plan *plan, int output, void *elements, int64_t n);

/* Asks for the sums of all metrics as they are behind the last run, without waiting; whether they have come; asks,
 * waits, and tells what went wrong on the device (metrics.c). */
mica_status mi_plan_ask(struct mica_plan *plan);
bool mi_plan_heard(const struct mica_plan *plan);
mica_status mi_plan_measure(struct mica_plan *plan);
/* What a metric is by the sums that came last, and these themselves. */
double mi_plan_metric_value(const struct mica_plan *plan, int metric);
const float *mi_plan_metric_sums(const struct mica_plan *plan, int metric, int *places);

/* How many samples the sums are of: what a run in another process had, goes on with them. */
uint64_t mi_plan_samples(const struct mica_plan *plan);
void mi_plan_set_samples(struct mica_plan *plan, uint64_t samples);

/* What the plan carries from run to run: the states' names and bytes; these waited for, or put in their place. */
int mi_plan_states(const struct mica_plan *plan);
const char *mi_plan_state_name(const struct mica_plan *plan, int i);
uint64_t mi_plan_state_bytes(const struct mica_plan *plan, int i);
mica_status mi_plan_read_state(struct mica_plan *plan, int i, void *bytes);
mica_status mi_plan_write_state(struct mica_plan *plan, int i, const void *bytes);

/* Enqueues the launches of the last step, of n samples, `times` times over, and waits once. contractions: only those of
 * kernels that an engine wrote. Copies of variables are left as they are. What a plan assigns to variables goes on changing. */
mica_status mi_plan_repeat(struct mica_plan *plan, int64_t n, bool contractions, int times);
int mi_plan_repeated(const struct mica_plan *plan, bool contractions); /* how many launches that is each time */
/* The name of the engine of all the plan's contractions; NULL: they differ, or there are none. */
const char *mi_plan_engine(const struct mica_plan *plan);

/* Runs the launches of the last step a few times on a profiling queue: seconds[k] is the median of what kernel k took. */
mica_status mi_plan_profile(struct mica_plan *plan, int64_t n, double *seconds);

/* Adds a JSON object (an application's text) that describes operators, kernels and memory to `out`. */
mica_status mi_plan_describe(const struct mica_plan *plan, bool with_source, struct mi_text *out);

#endif
