/* The operator graph: values, nodes, attributes, variables. It knows operators only through the rows of a table (op.h).
 *
 * A dimension is a*n + b in the batch n. Everything lives in the graph's arena and dies with it; variables live in a
 * list of their own, which several graphs share. Builders return NULL when given NULL or when something does not
 * fit; the first error stays in graph->error. */
#ifndef MICA_SRC_GRAPH_H
#define MICA_SRC_GRAPH_H

#include "base/types.h"

/* A map has at most MI_MAX_INPUTS inputs: a derivative two more than its map, g and y. */
enum { MI_MAX_RANK = 8, MI_MAX_INPUTS = 10, MI_MAX_OUTPUTS = 6 };

/* ---- Shapes ---- */

struct mi_dim {
    int64_t a, b;       /* a * n + b */
};

struct mi_shape {
    int rank;
    struct mi_dim dim[MI_MAX_RANK];
};

static inline struct mi_dim mi_fixed(int64_t size) { return (struct mi_dim){0, size}; }
static inline struct mi_dim mi_batch(void) { return (struct mi_dim){1, 0}; }
static inline bool mi_dim_equal(struct mi_dim x, struct mi_dim y) { return x.a == y.a && x.b == y.b; }
static inline bool mi_dim_is(struct mi_dim d, int64_t size) { return d.a == 0 && d.b == size; }
static inline int64_t mi_dim_at(struct mi_dim d, int64_t n) { return d.a * n + d.b; }

bool mi_shape_equal(const struct mi_shape *x, const struct mi_shape *y);
int64_t mi_shape_count(const struct mi_shape *shape, int64_t n); /* elements for a batch of n; -1 on overflow */
/* Product of dimensions first..last-1; false when it is not affine in n (two of them vary). */
bool mi_shape_product(const struct mi_shape *shape, int first, int last, struct mi_dim *product);
/* NumPy broadcasting; false when they do not fit. */
bool mi_shape_broadcast(const struct mi_shape *x, const struct mi_shape *y, struct mi_shape *out);
const char *mi_shape_text(struct mi_arena *arena, const struct mi_shape *shape); /* "(n, 3, 28, 28)" */
/* A C expression in n: "28", "n", "(2*n + 3)". */
const char *mi_dim_text(struct mi_arena *arena, struct mi_dim dim);

/* ---- Variables: what stays between steps ---- */

enum mi_role {
    MI_PARAMETER,       /* trained; in files */
    MI_STATISTIC,       /* in files, changed by Assign: running mean and variance */
    MI_GRADIENT,        /* shadows a parameter: same offset in the gradient arena */
    MI_MOMENT,          /* an optimizer's, shadows a parameter */
    MI_ACCUMULATOR,     /* sums of losses and metrics, on the device until read */
    MI_FAULT,           /* counts what went wrong on the device; told when a result is read */
    MI_STATE,           /* a plan's: what goes from one run to the next; it alone may have n in its shape */
    MI_ROLES
};

/* How first values are made, once somebody needs them: fill NULL: they are given, or zeros. The rest is fill's own. */
struct mi_initial {
    bool (*fill)(const struct mi_initial *how, const struct mi_shape *shape, float *values); /* false: no memory */
    void (*draw)(const struct mi_initial *how, uint64_t index, float *out);
    float low, high;
    uint64_t seed, stream;
    void (*function)(void *user, const int64_t *shape, int rank, float *values); /* the application's */
    void *user;
};

enum { MI_MOST_MOMENTS = 6 }; /* of a parameter; those of one number lie together */

struct mi_variable {
    char *name;                  /* "conv.weight"; unique in the list */
    enum mi_type type;
    enum mi_role role;
    bool frozen;                 /* a parameter that no optimizer touches */
    const char *says;            /* of faults: what is counted, behind the count; the graph's */
    struct mi_shape shape;       /* without n, but of a state */
    struct mi_variable *shadows; /* of gradients and moments: the parameter */
    void *initial;               /* elements on the host until the store takes them over; NULL: zeros, or still to be made */
    struct mi_initial make;
    uint64_t version;            /* counts changes: derived copies compare it */
    int moment;                  /* of moments: which of its parameter's, below MI_MOST_MOMENTS */
    int block;                   /* where it lies: block of its role's arena, -1 before the store placed it ... */
    uint64_t offset;             /* ... and where it begins there, in units of 4 bytes */
    int index;                   /* in the list */
};

struct mi_variables {
    struct mi_variable **list;
    size_t count, capacity;
    struct mi_names names;       /* their places in the list */
};

/* Adds a variable of zeros (initial NULL) or takes over `initial` (malloc'ed; also on failure). NULL: out of memory or the
 * name is taken (error says). */
struct mi_variable *mi_variable_add(struct mi_variables *variables, struct mi_error *error, const char *name,
                                    enum mi_role role, enum mi_type type, const struct mi_shape *shape, void *initial);
struct mi_variable *mi_variable_find(const struct mi_variables *variables, const char *name);
size_t mi_variable_count(const struct mi_variable *variable); /* elements */
size_t mi_variable_bytes(const struct mi_variable *variable);
/* Makes the first values that are still to be made; false: out of memory. */
bool mi_variable_make(struct mi_variable *variable);
/* Takes over others (malloc'ed) in their place, while the store has not placed the variable. */
void mi_variable_give(struct mi_variable *variable, void *elements);
void mi_variables_destroy(struct mi_variables *variables);

/* ---- Attributes: ONNX's, by name ---- */

enum mi_attribute_type { MI_ATTRIBUTE_INT, MI_ATTRIBUTE_FLOAT, MI_ATTRIBUTE_TEXT, MI_ATTRIBUTE_INTS };

struct mi_attribute {
    const char *name;
    enum mi_attribute_type type;
    int64_t i;
    float f;
    const char *s;
    const int64_t *ints;
    int count;
};

#define MI_INT(key, value) ((struct mi_attribute){.name = (key), .type = MI_ATTRIBUTE_INT, .i = (value)})
#define MI_REAL(key, value) ((struct mi_attribute){.name = (key), .type = MI_ATTRIBUTE_FLOAT, .f = (value)})
#define MI_TEXT(key, value) ((struct mi_attribute){.name = (key), .type = MI_ATTRIBUTE_TEXT, .s = (value)})
#define MI_INTS(key, values, number)                                                         \
    ((struct mi_attribute){.name = (key), .type = MI_ATTRIBUTE_INTS, .ints = (values), .count = (number)})

/* ---- Values and nodes ---- */

typedef struct mica_node mi_value; /* a tensor: what the public header calls a node */

struct mica_node {
    struct mi_node *node;        /* its producer */
    int output;                  /* which of the producer's outputs */
    enum mi_type type;
    struct mi_shape shape;
    const char *name;            /* of inputs and outputs; else NULL */
    int id;                      /* in graph->values */
};

/* A node whose result is not kept: it is computed in whoever uses it; or once more, to be stored just before that; or in the
 * contraction that uses it, while that packs its operands. */
enum mi_again { MI_AGAIN_NOT, MI_AGAIN_INLINE, MI_AGAIN_STORED, MI_AGAIN_PACKED };

struct mi_node {
    const struct mi_op *op;
    struct mi_graph *graph;
    const char *name;            /* the layer or operator it came from; for errors and inspect */
    int id;                      /* in graph->nodes: topological order */
    uint64_t stable;             /* keeps its value in copies and under compiler passes: random streams hang on it */
    int inputs, outputs, attributes;
    mi_value **in;               /* NULL: an optional input left out */
    mi_value *out[MI_MAX_OUTPUTS];
    struct mi_attribute *attribute;
    struct mi_variable *variable; /* of Variable and Assign */
    const void *constant;        /* of Constant: int64_t or float elements, by the type of out[0] */
    const struct mi_op *of;      /* of Derivative: whose, and by which input */
    int wrt;
    bool backward;               /* differentiation added it */
    bool still;                  /* also in training it reads its running statistics, and leaves them */
    enum mi_again again;
    int repeat;                  /* which of the graph's repeats runs it, the innermost; 0: it runs once */
    int ends;                    /* of Repeat: which one ends here */
};

/* A part of the graph that runs some turns in a row (repeat.c). */
struct mi_repeat {
    int64_t turns;
    bool backwards;              /* from the last turn to the first */
    int carries;                 /* how many values go from each turn to the next */
    int outer;                   /* the repeat each turn of which runs all of its turns; 0: none, it runs once */
    const char *lengths;         /* an input of lengths: as many turns run as the longest has; NULL: all of them */
};

enum {
    MI_ANY_REPEAT = -1,
    MI_MOST_REPEATS = 4          /* one within the other */
};

/* What rows need to know of the device where they choose between ways to compute the same. */
struct mi_target {
    int lanes;                   /* of floats in a CPU's register, where a kernel may be written for them; else 0 */
    int units;                   /* that compute side by side */
    int64_t batch;               /* the largest n */
};

/* What a graph has of a variable. */
struct mi_of_variable {
    mi_value *value;             /* NULL: nothing */
    struct mi_node *assigned;    /* the Assign that counts; NULL: it stays the same */
};

struct mi_graph {
    struct mi_arena arena;
    struct mi_error error;
    const struct mi_op *const *ops; /* NULL-terminated table */
    struct mi_variables *variables; /* borrowed */
    void *owner;                 /* the model, for builders of layers; NULL in copies */
    bool backward;               /* of nodes that are added now */
    struct mi_target target;     /* what this copy is compiled for */
    bool training;               /* which flavour of Dropout and BatchNormalization a copy means */
    enum mi_type precision;      /* in which a step keeps its activations and gradients: float32, or one of 16 bits */
    const char *scope;           /* name given to nodes that are added */
    uint64_t next_stable;
    mi_value **values;
    struct mi_node **nodes;
    mi_value **inputs, **outputs; /* in order of declaration; they have names */
    size_t value_count, value_capacity, node_count, node_capacity;
    size_t input_count, input_capacity, output_count, output_capacity;
    struct mi_of_variable *of_variable; /* by the variable's index; beyond the end: nothing */
    size_t of_variable_capacity;
    struct mi_repeat *repeats;   /* by number; the first, 0, is what runs once */
    size_t repeat_count, repeat_capacity;
    int open;                    /* the repeat whose nodes may be added to; MI_ANY_REPEAT where passes do so */
};

struct mi_graph *mi_graph_create(const struct mi_op *const *ops, struct mi_variables *variables);
void mi_graph_destroy(struct mi_graph *graph);

/* A copy with the same stable ids, values in the same order (copy->values[v->id] is the copy of v). */
struct mi_graph *mi_graph_copy(const struct mi_graph *graph, struct mi_error *error);

/* ---- Building ---- */

/* Adds a node; returns it, or NULL (any required input NULL, or an error). inputs and attributes are copied. */
struct mi_node *mi_node_add(struct mi_graph *graph, const char *op, mi_value *const *inputs, int input_count,
                            const struct mi_attribute *attributes, int attribute_count);
/* The same of a row, which no table need list; it outlives the graph and its copies. Who makes a node like another takes this. */
struct mi_node *mi_node_of(struct mi_graph *graph, const struct mi_op *op, mi_value *const *inputs, int input_count,
                           const struct mi_attribute *attributes, int attribute_count);
/* The same, giving its first output. */
#define MI_APPLY(graph, op, in, ...)                                                         \
    mi_apply(graph, op, (mi_value *const *)(in), (int)MI_COUNT(in),                          \
             (const struct mi_attribute[]){__VA_ARGS__},                                     \
             (int)MI_COUNT(((const struct mi_attribute[]){__VA_ARGS__})))
mi_value *mi_apply(struct mi_graph *graph, const char *op, mi_value *const *inputs, int input_count,
                   const struct mi_attribute *attributes, int attribute_count);
mi_value *mi_op1(struct mi_graph *graph, const char *op, mi_value *x);
mi_value *mi_op2(struct mi_graph *graph, const char *op, mi_value *x, mi_value *y);

mi_value *mi_input(struct mi_graph *graph, const char *name, enum mi_type type, const struct mi_shape *shape);
/* The input NAME_length beside an input whose axis 1 is steps: how many of them each sample has, (N) of int32. */
mi_value *mi_input_length(struct mi_graph *graph, const mi_value *input);
/* The name of the input whose lengths an input has, and how many steps there are at most; NULL: it is no such input. */
const char *mi_length_of(const mi_value *input, int64_t *steps);
size_t mi_inputs_beside_lengths(const struct mi_graph *graph); /* how many inputs are none */
mi_value *mi_output(struct mi_graph *graph, const char *name, mi_value *value); /* returns value */
mi_value *mi_variable(struct mi_graph *graph, struct mi_variable *variable);    /* one value a graph and variable */
/* What the graph has of the variable already. */
struct mi_of_variable mi_of_variable(const struct mi_graph *graph, const struct mi_variable *variable);
/* Finds that out again once nodes were copied or dropped; false: out of memory. */
bool mi_graph_list_variables(struct mi_graph *graph);
/* From the end of the step on, the variable is `value`; an earlier assignment counts no more. */
bool mi_assign(struct mi_graph *graph, struct mi_variable *variable, mi_value *value);
/* What the variable is going to be: what was assigned to it, or what it is. */
mi_value *mi_newest(struct mi_graph *graph, struct mi_variable *variable);

mi_value *mi_scalar(struct mi_graph *graph, float value);                        /* a constant of rank 0 */
mi_value *mi_number(struct mi_graph *graph, enum mi_type type, double value);    /* the same, of any type */
mi_value *mi_ints(struct mi_graph *graph, const int64_t *values, int count);     /* a constant int64 vector */

/* ---- Reading ---- */

int64_t mi_attribute_int(const struct mi_node *node, const char *name, int64_t otherwise);
float mi_attribute_float(const struct mi_node *node, const char *name, float otherwise);
const char *mi_attribute_text(const struct mi_node *node, const char *name, const char *otherwise);
const int64_t *mi_attribute_ints(const struct mi_node *node, const char *name, int *count); /* NULL: absent */
const struct mi_attribute *mi_attribute_find(const struct mi_node *node, const char *name);
/* The elements of a constant int64 vector; NULL when value is NULL or no such constant. */
const int64_t *mi_constant_ints(const mi_value *value, int *count);
bool mi_constant_float(const mi_value *value, float *out); /* of rank 0 or one element */
/* Whether a value is a variable that no step of its graph changes, or maps and moves of such. */
bool mi_stays_the_same(const mi_value *value);
/* Whether what is prepared of a value costs next to nothing beside a node that reads it: it stays the same, or the node runs in
 * every turn of a repeat, and the value is made before. */
bool mi_is_prepared(const struct mi_node *reader, const mi_value *value);

/* ---- Repeats (repeat.c) ---- */

/* Begins a repeat of so many turns, within the one that is open, if any; false: there is an error. Nodes that are made of a carried
 * value or of what is taken at the turn run in every turn, all others once, or once in a turn of a repeat around it. */
bool mi_repeat_begin(struct mi_graph *graph, int64_t turns, bool backwards);
/* Lets the open repeat run only as many of its turns, the first ones, as the largest element of an input of lengths says
 * (mi_input_length); whoever builds it sees to it that the others would change nothing that is carried. NULL: all run. */
void mi_repeat_until(struct mi_graph *graph, const char *lengths);
/* How many turns a repeat runs, a scalar of int32; NULL: all that it has. */
mi_value *mi_repeat_runs(struct mi_graph *graph, int repeat);
/* A value that goes from turn to turn: `first` in the one that runs first, later what the last one made of it. */
mi_value *mi_carry(struct mi_graph *graph, mi_value *first);
/* x at the turn's place along an axis, which falls away. */
mi_value *mi_at_turn(struct mi_graph *graph, mi_value *x, int axis);
/* Ends it: next[i] is what becomes of the i-th carried value. Gives the node that mi_last and mi_stack take. */
struct mi_node *mi_repeat_end(struct mi_graph *graph, mi_value *const *next, int count);
/* What the i-th carried value is after all turns. */
mi_value *mi_last(struct mi_node *repeat, int i);
/* A value of the repeat in all turns, in the order of their numbers: of shape (turns, ...). It is 0 in turns that do not run. */
mi_value *mi_stack(struct mi_node *repeat, mi_value *value);
/* The same for who reads a part in a turn that runs: others are undefined. */
mi_value *mi_stack_of_run(struct mi_node *repeat, mi_value *value);
/* x (turns, ...), which is 0 in turns that do not run. */
mi_value *mi_where_run(struct mi_graph *graph, int repeat, mi_value *x);
/* Which carried value it is that the node carries. */
int mi_carry_number(const struct mi_node *carry);

/* A state whose first axis counts steps, with those of this run, (steps, ...), in their places: the run whose number is r,
 * counted from 1, writes rows r - steps to r - 1, which are within the state, or one row round and round. The others are what
 * they were. It is written where it lies, for one n from reset to reset. */
mi_value *mi_append(struct mi_graph *graph, struct mi_variable *state, mi_value *rows);

/* ---- Repeats within repeats (nesting.c) ---- */

/* Whether a repeat is another one, or runs within its turns; 0 is what runs once, and all is within it. */
bool mi_repeat_within(const struct mi_graph *graph, int repeat, int outer);
/* How many repeats a turn of it is within, itself counted. */
int mi_repeat_depth(const struct mi_graph *graph, int repeat);
/* Whether repeats run within its turns. */
bool mi_repeat_has_inner(const struct mi_graph *graph, int repeat);
/* The name by which kernels know the number of a repeat's turn. */
const char *mi_turn_name(const struct mi_graph *graph, int repeat);

/* ---- Users (users.c) ---- */

/* Who reads each value when they are listed: node[first[v->id]] up to node[first[v->id + 1] - 1], in the order of the graph, and
 * a node once for each of its inputs that is the value. */
struct mi_users {
    struct mi_node **node;
    size_t *first;
};
bool mi_users_list(const struct mi_graph *graph, struct mi_users *users); /* false: out of memory; free in any case */
void mi_users_free(struct mi_users *users);
static inline size_t mi_users_count(const struct mi_users *users, const mi_value *value)
{
    return users->first[value->id + 1] - users->first[value->id];
}

/* ---- Indices (indices.c) ---- */

/* How many rows there are for the values of each of the graph's inputs, where these are numbers of rows of a table: all its
 * elements go, at most rearranged, to an indexed operator that is `checked`, or are compared with the number of `rows`.
 * rows[i] is that of inputs[i]; 0: they are no indices. */
mica_status mi_index_rows(struct mi_error *error, const struct mi_graph *graph, int64_t *rows);
/* Which of `count` values is the first that is no whole number from 0 to rows - 1; `count`: none. */
size_t mi_first_no_row(enum mi_type type, const void *elements, size_t count, int64_t rows);

/* ---- Differentiation (differentiate.c) ---- */

/* Adds the gradients of the scalar `loss` with respect to values[0..count-1]; a value that the loss does not depend on gets
 * NULL. Reverse accumulation over the rows' gradient rules. A loss may be made of gradients, as long as it depends on the values
 * through the gradients that these were made from; where it asks for a derivative's derivative, that is MICA_UNSUPPORTED. */
mica_status mi_differentiate(struct mi_graph *graph, mi_value *loss, mi_value *const *values, int count,
                             mi_value **gradients);
/* Before differentiation: a pick of the largest goes before a map that rises (commute.c). */
mica_status mi_pick_first(struct mi_graph *graph);
/* Before differentiation: chains of nodes become the one that computes the same (recognise.c). *root is wanted beside the graph's
 * outputs, and follows; NULL: nothing is. */
mica_status mi_recognise(struct mi_graph *graph, mi_value **root);
/* g times the derivative of a map by input i, as a node that keeps only what the expression names (g itself where it is no
 * more); of the shape that these make together. NULL: there is none. */
mi_value *mi_map_slope(struct mi_node *node, mi_value *g, int i);
/* Sums `value` over the axes along which `shape` was broadcast to its shape. */
mi_value *mi_sum_to(struct mi_graph *graph, mi_value *value, const struct mi_shape *shape);

#endif
