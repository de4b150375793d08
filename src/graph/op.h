/* What an operator's row says. Passes look at the kind and its rule, never at the name.
 *
 * Adding an operator: a row in its family's file of src/ops/, named in src/ops/table.c; docs/adding-an-operator.md. */
#ifndef MICA_SRC_OP_H
#define MICA_SRC_OP_H

#include "graph/graph.h"

enum mi_kind {
    MI_SOURCE,    /* Input, Constant, Variable, and Assign: no computation */
    MI_MAP,       /* an expression over its inputs' elements */
    MI_REDUCE,    /* a tuple folded over some axes */
    MI_CONTRACT,  /* a sum of products of two operands */
    MI_MOVE,      /* each output element is one input element, or a fill */
    MI_INDEXED,   /* as a move, but one index comes from data: access 0 says where it is read, and "$index" stands for it in
                   * the index and guard texts of access 1 */
    MI_OWN,       /* its own kernel template */
    MI_COMPOSITE  /* made of the others: lower() replaces it */
};

/* Map. Expressions are OpenCL C over the names in `in` (one per input; NULL: "x", "a b", or "a b c" by number) and `out`
 * (NULL: "y"); a name of an attribute stands for its value. Also: `at0` ... `at7`, the element's coordinates (0 past its rank);
 * `index`, its row-major index; `uniform`, a random number in (0, 1), of 16 bits, of this node, step and index; `normal`, one of
 * the standard normal distribution; both of the node's attribute `seed` where it has one that is not 0, else of the step's;
 * `learning_rate`, `step` (counts from 1), `run`, the same as a whole number.
 * An expression of a later output may name earlier ones.
 * grad[i] is the derivative by input i times g, the gradient of y; it may name inputs and y, and what it names is kept
 * or computed again. "g" and NULL (no gradient) build no node. */
struct mi_map_rule {
    const char *in, *out;
    const char *expr[MI_MAX_OUTPUTS];
    const char *grad[4];
    bool affine;                 /* the output is s * (first input) + t, whatever s and t are made of; grad[0] is not NULL */
};

/* Reduce, as statements over the state variables s0, s1 (and t0, t1 in merge), `x` the element, `r` its row-major index
 * among the reduced, `count` their number. state: their types, "T" being the input's. Each output comes from its finish. */
struct mi_reduce_rule {
    const char *state[2];
    const char *init, *step, *merge;
    const char *finish[MI_MAX_OUTPUTS];
};

/* Contract: y[o] = sum_r a[index(o, r)] * b[index(o, r)]. Axes 0..out_axes-1 are the output's, the others reduced.
 * A dimension's index is (sum of coefficient * axis + offset) / divisor; a place that is not divisible or lies outside the
 * operand contributes nothing. Output dimensions are sums of axes too (a grouped channel is group * size + member). */
enum { MI_MAX_AXES = 12 };

struct mi_index {
    int terms;
    int axis[2];
    int64_t coefficient[2];
    int64_t offset, divisor;     /* divisor >= 1 */
};

struct mi_operand {
    mi_value *value;
    struct mi_index index[MI_MAX_RANK]; /* one per dimension of value */
};

struct mi_contraction {
    int axes, out_axes;
    struct mi_dim extent[MI_MAX_AXES];
    struct mi_operand a, b;
    struct mi_operand out;       /* value: the node's output; index: most significant axis first */
};

/* Move: where an output element comes from. `guard` NULL: always there. The first access whose guard holds counts; where none
 * does, the operator's fill. Texts are C expressions, made in `arena`; index[] names the output's coordinates.
 * `inside`, where `knows`: low <= coordinate < high for each axis of the output; {0, 0}: wherever. In such places the guard holds;
 * where `exact` it holds in no others. With it loops are cut so that inside them there is no guard.
 * `period`, above 1: along this axis of the output, places so far apart are read in the same way, further on; loops are then
 * written out for those between. */
struct mi_range {
    int64_t low, high;
};

struct mi_access {
    mi_value *value;
    const char *index[MI_MAX_RANK];
    const char *guard;
    bool knows, exact;
    struct mi_range inside[MI_MAX_RANK];
    int64_t period[MI_MAX_RANK];
};

/* Who reads the values of a graph, for rows that recognise chains (recognise.c). */
struct mi_readers {
    const int *count;            /* by value id: by how many inputs of nodes that somebody wants it is read */
    const bool *learns;          /* whether it is made of a parameter that training changes */
    size_t known;                /* values with such a number */
};

/* Whether only one node reads a value, which is none that recognition has made. */
static inline bool mi_read_once(const struct mi_readers *readers, const mi_value *value)
{
    return (size_t)value->id < readers->known && readers->count[value->id] == 1;
}

struct mi_op {
    const char *name;            /* ONNX's where ONNX has it */
    enum mi_kind kind;
    int min_inputs, max_inputs;  /* max -1: any number */
    int outputs;
    int8_t next_of[MI_MAX_OUTPUTS]; /* of an output that is the next value of a state: the input that is the last one; else 0 */

    /* Sets type and shape of every output; errors name both values. NULL: out[0] is the inputs' broadcast shape, of the
     * first input's type. */
    mica_status (*infer)(struct mi_node *node);
    bool makes_bool;             /* of a map without infer: out[0] is bool, as of a comparison */

    /* Where nodes that end with this one compute together what one of this row does, and nobody else reads what lies between: adds
     * that one, and gives what stands for out[0] of the end. NULL: it is no such end, or there is an error. */
    mi_value *(*recognise)(struct mi_node *end, const struct mi_readers *readers);

    /* Adds the gradient by each input, dx[i], from those of the outputs, dy[o] (NULL: zero). NULL: a map uses its rule;
     * any other kind has no gradient. */
    mica_status (*gradient)(struct mi_node *node, mi_value *const *dy, mi_value **dx);

    const struct mi_map_rule *map;
    bool rises;                  /* of a map of one input: y never falls as x grows ... */
    bool picks_largest;          /* ... and each output element is the largest of some of the input's: they commute (commute.c) */
    const struct mi_reduce_rule *reduce;                                 /* axes: mi_reduce_axes */
    /* Also of a composite, where a node of it is one contraction: before it is lowered chains are recognised by it. */
    mica_status (*contract)(const struct mi_node *node, struct mi_contraction *out);
    int (*move)(struct mi_arena *arena, const struct mi_node *node, const char *const *index, struct mi_access *access);
    bool keeps_order;            /* of a move: the row-major order stays, so that plain rows may share memory (Reshape) */
    const char *fill;            /* of a move; NULL: "0". An attribute "fill" (float) of the node comes first */
    /* Composite: builds the same from others; out[] gets one value per output. mi_trains says which flavour. Also of a move
     * of any number of inputs, from moves of fewer: a kernel has only so many. */
    mica_status (*lower)(struct mi_node *node, mi_value **out);
    const char *own;             /* own: its file in kernels/, without ".cl": a kernel's body that does MICA_ITEMS items, with
                                  * MICA_LOADk(i0, ...) of input k, MICA_STOREk(value, i0, ...) of output k, MICA_INk_Dd and
                                  * MICA_OUTk_Dd the dimensions, MICA_KEY the attributes that are numbers; with a rate above 0
                                  * MICA_STREAM, what mica_chance takes to draw its random numbers */
    const char *tools;           /* own: the file of functions that stand ahead of the kernel, or NULL */
    struct mi_dim (*items)(const struct mi_node *node); /* own: how many items its kernel has */
};

/* Whether a node is of a training step, and changes what it learns of the data: dropout drops, statistics are the batch's. */
static inline bool mi_trains(const struct mi_node *node)
{
    return node->graph->training && !node->still;
}

/* The row of that name, or NULL. */
const struct mi_op *mi_op_find(const struct mi_op *const *ops, const char *name);

/* Which axes of input 0 a reduce node folds, as a mask; keepdims as ONNX. Axes are input 1 (constant) or the attribute "axes";
 * none: all (or none, with noop_with_empty_axes). */
mica_status mi_reduce_axes(const struct mi_node *node, uint32_t *mask, bool *keepdims);
/* Whether a node only hands on what goes in: its result has each element of its inputs once, in whatever order. */
bool mi_keeps_elements(const struct mi_node *node);
/* Whether what a reduce node makes is the plain sum. */
bool mi_reduce_is_sum(const struct mi_node *node);

/* A rule's names, resolved for one node: the name of input i (into the rule's text) and its length; false past the last. */
bool mi_map_input_name(const struct mi_map_rule *rule, int inputs, int i, const char **name, size_t *length);

/* The map expression of a node: its row's, or the derivative's. */
struct mi_map_view {
    const char *expr[MI_MAX_OUTPUTS];
    char in[MI_MAX_INPUTS][24];  /* names of the node's inputs */
    char out[MI_MAX_OUTPUTS][24];
};
void mi_map_view(const struct mi_node *node, struct mi_map_view *view);
/* Whether a map's result changes from step to step though its inputs do not: it names a random number, the step or n. */
bool mi_names_the_step(const struct mi_node *node);
bool mi_draws(const struct mi_node *node); /* random numbers: a map, or an own kernel with a rate above 0 */
/* Whether it costs little to compute a map again wherever its result is used: it has one result, which has no name of its own,
 * calls no function, draws nothing and does not ask where it is. */
bool mi_map_is_cheap(const struct mi_node *node);
/* Whether an expression names this identifier. */
bool mi_expression_names(const char *expression, const char *word);
bool mi_map_calls_functions(const struct mi_node *node); /* exp, say: dear beside arithmetic */

/* The rows that the graph itself needs: sources and Derivative (a map whose rule is another row's grad). */
extern const struct mi_op mi_op_input, mi_op_constant, mi_op_variable, mi_op_assign, mi_op_derivative;
/* Those of repeats (repeat.c): what is carried, a tensor's part at the turn, the end; what is carried after all turns, what a
 * value was in each; and, once repeats have memory (compile/rewrite/ring.c), tensors of parts, one of these, and what is stored
 * in one. */
extern const struct mi_op mi_op_carry, mi_op_turn, mi_op_repeat, mi_op_last, mi_op_stack, mi_op_ring, mi_op_part, mi_op_put;
/* A state with one more row, which ring.c puts where the run says. */
extern const struct mi_op mi_op_append;

/* Whether a node that computes nothing takes its inputs from memory. */
static inline bool mi_takes_memory(const struct mi_node *node)
{
    return node->op == &mi_op_assign || node->op == &mi_op_repeat || node->op == &mi_op_part;
}

#endif
