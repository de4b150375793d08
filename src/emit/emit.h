/* Writes OpenCL C for values: loads through generated accessors, map expressions, moves as index arithmetic. */
#ifndef MICA_SRC_EMIT_H
#define MICA_SRC_EMIT_H

#include "emit/kernel.h"

enum { MI_MAX_DRAWS = 4 };

struct mi_memo {
    const mi_value *value;
    const char *key, *name;
};

struct mi_binding {
    const mi_value *value;
    const char *text;
};

/* The random number of a map's element at the open loops' place, where it was drawn before. */
struct mi_draw {
    const struct mi_node *node;
    const char *text;
};

/* What is known of a coordinate in the open loops. */
struct mi_known {
    const char *at;
    struct mi_range range;
};

/* What guards ask of coordinates: see mi_access. */
enum { MI_MOST_ASKED = 64 };
struct mi_asked {
    struct { const char *at; struct mi_range range; bool exact; } list[MI_MOST_ASKED];
    int count;
    bool more;                   /* than fit */
};

/* An array in local memory, which becomes an argument of the kernel. */
struct mi_local {
    const char *type, *name;
    int64_t count;
};

struct mi_emitter {
    struct mi_arena *arena;
    struct mi_error *error;
    mica_device *device;
    const struct mi_tensor *tensors; /* by value id */
    const int *home;                 /* the kernel of each node, by node id; -1: computed where it is used */
    int self;                        /* this kernel */
    const struct mi_kernel *kernel;
    int64_t batch;
    struct mi_text text;             /* the body so far */
    int indent;

    struct mi_argument argument[MI_MAX_ARGUMENTS];
    int arguments;
    struct mi_local local[MI_MAX_LOCALS];
    int locals;
    bool wide;                       /* some tensor has 2^31 elements or more: 64-bit indices */
    bool alike;                      /* one of many that differ in sizes: these do not shape the code, and a launch runs several */
    bool by_rows;                    /* a function for the kernel that takes some rows through a repeat (compile/kernels/turns.c) */
    bool once;                       /* runs when a variable was written, not in each step: that kernels are shared matters more */

    /* Axes of a nest of maps that were joined: group g covers axes first[g]..first[g+1]-1. groups 0: not joined. */
    int groups, first[MI_MAX_RANK + 1], full_rank;
    int64_t flat;                    /* an update over so many elements of a block, whatever the shapes; 0: no */
    const mi_value *number;          /* ... but for this, which is one for all of them; NULL: there is none */

    struct mi_memo *memo;            /* values already computed in an open scope */
    size_t memos, memo_capacity;
    struct mi_binding *bound;        /* values that the kernel holds in variables: accumulators, finished reductions */
    size_t bounds, bound_capacity;
    struct mi_draw draw[MI_MAX_DRAWS];
    int draws;
    struct mi_known known[MI_MAX_RANK];
    int knowns;
    bool ahead;                      /* loads ask for what they name, and give 0 */
    const char *along;               /* the one coordinate that differs inside a tile of one block's lanes; NULL: no such tiles */
    struct mi_asked *asked;          /* where guards are noted down; NULL: nowhere */
    int names;
};

void mi_emitter_destroy(struct mi_emitter *e);
/* The end of a text that memory may have run out for. */
static inline void mi_emit_text_end(struct mi_emitter *e, struct mi_text *text)
{
    e->arena->failed = e->arena->failed || text->failed;
    mi_text_destroy(text);
}

/* Adds a line at the current indentation. */
void mi_line(struct mi_emitter *e, const char *format, ...) MI_PRINTF(2, 3);
/* Opens and closes a scope: what is computed inside is forgotten at its end. */
size_t mi_scope_open(struct mi_emitter *e, const char *format, ...) MI_PRINTF(2, 3);
void mi_scope_close(struct mi_emitter *e, size_t scope);

void mi_bind(struct mi_emitter *e, const mi_value *value, const char *text);

/* A new name that begins with the prefix. */
const char *mi_emit_name(struct mi_emitter *e, const char *prefix);
/* A text as it is where it is one word, else the name of a variable that holds the index. */
const char *mi_emit_index(struct mi_emitter *e, const char *text);

/* The name of a variable that holds the value's element at the coordinates. guard (NULL: none) is a condition without which
 * nothing is loaded. */
const char *mi_emit_value(struct mi_emitter *e, const mi_value *value, const struct mi_coordinate *at, const char *guard);
/* Lets a text stand for the value's element at the coordinates until the scope closes. */
void mi_emit_remember(struct mi_emitter *e, const mi_value *value, const struct mi_coordinate *at, const char *text);
/* Stores `text` (NULL: the layout's fill) as the value's element at the coordinates; where `real` (NULL: always) does not hold,
 * the layout's fill. */
void mi_emit_store(struct mi_emitter *e, mi_value *value, const struct mi_coordinate *at, const char *text, const char *real);

/* ---- seen.c ---- */

struct mi_shape mi_seen_shape(const struct mi_emitter *e, const mi_value *value);
/* The row-major index of an element. */
const char *mi_emit_linear(struct mi_emitter *e, const mi_value *value, const struct mi_coordinate *at);
/* Whether a move only drops or adds axes of size 1. */
bool mi_is_squeeze(const struct mi_node *node);
/* Whether a map's expression names its element's coordinates one by one, so that axes cannot be joined. */
bool mi_names_coordinates(const struct mi_node *node);
/* Whether the shapes are equal but for axes of size 1. */
bool mi_same_but_ones(const struct mi_shape *x, const struct mi_shape *y);

/* ---- words.c ---- */

/* A name in an expression, and what stands for it. */
struct mi_word {
    const char *name, *text;
};
/* The expression of a map with its names replaced: by these words, the node's attributes, or what is built in, for an element at
 * the coordinates. */
const char *mi_emit_expression(struct mi_emitter *e, const struct mi_node *node, const char *expression,
                               const struct mi_word *words, int count, const struct mi_coordinate *at);
/* An attribute that is a number; NULL: there is none. */
const char *mi_emit_attribute(struct mi_emitter *e, const struct mi_node *node, const char *word);
/* The kernel function that makes a map's random numbers ("s" behind it: many at once), and its arguments seed and stream. */
const char *mi_emit_stream(struct mi_emitter *e, const struct mi_node *node); /* those two */
const char *mi_emit_generator(struct mi_emitter *e, const struct mi_node *node, const char **stream);
/* What is added to the index of an element's random number where a kernel's first row is not the batch's; "": nothing. */
const char *mi_emit_rows_before(struct mi_emitter *e, const struct mi_node *node);
const char *mi_emit_float(struct mi_emitter *e, float number);
const char *mi_emit_literal(struct mi_emitter *e, const mi_value *value); /* a constant of one element */

/* ---- guard.c ---- */

/* Drops what is known not to be reached, and what stands behind what is known to be; how many accesses are left. */
int mi_emit_settle(struct mi_emitter *e, struct mi_access *access, int count, int rank, const char *const *index);
/* Whether an index or a guard is the same for all places of a tile. */
bool mi_emit_is_uniform(const struct mi_emitter *e, const char *text);

/* ---- emit.c ---- */

/* Where the value's element at the coordinates lies in its memory. */
const char *mi_emit_place(struct mi_emitter *e, const mi_value *value, const struct mi_coordinate *at);
/* The element of a tensor at a place, and what stores one there. */
const char *mi_emit_element(struct mi_emitter *e, const mi_value *value, int argument, const char *place);
const char *mi_emit_assignment(struct mi_emitter *e, const mi_value *value, int argument, const char *place, const char *text);
/* The number of an argument, added when new: "p3". */
int mi_emit_argument(struct mi_emitter *e, mi_value *value, bool written);
int mi_emit_scratch(struct mi_emitter *e, int scratch, bool written);
/* Adds an array in local memory. */
void mi_emit_local(struct mi_emitter *e, const char *type, const char *name, int64_t count);

/* ---- finish.c ---- */

/* Puts head, parameters and body together and fills code's name, source and arguments. `prologue` stands before the kernel.
 * Sizes marked "@56", in the definitions of the prologue and in the body, become arguments of the kernel, so that kernels that
 * differ in them alone are one program. A size that must be known when the kernel is compiled (of an array or a vector, in an
 * #if), or that is divided by often (a constant division is a product), is written without the mark. The emitter is ready for
 * another kernel then. What is one of several in a kernel (by_rows) becomes the function NAME_body: n and places are those of the
 * rows that it works on, mica_first is the number of the first one, and the last four arguments stand for what work-item functions
 * say. */
void mi_emit_finish(struct mi_emitter *e, const char *name, const char *prologue, struct mi_code *code);

/* Marks each size of a text once more, which makes it an argument of its own: "@@56". */
const char *mi_sizes_apart(struct mi_arena *arena, const char *text);

/* A new code at the end of the list; NULL: out of memory, and the error says so. */
struct mi_code *mi_code_add(struct mi_emitter *e, struct mi_codes *codes);

/* ---- operand.c ---- */

/* Coordinates of an operand of a contraction from those of its axes; *guard is NULL where every place exists. */
void mi_emit_operand(struct mi_emitter *e, const struct mi_contraction *c, const struct mi_operand *operand,
                     const char *const *axis, struct mi_coordinate *at, const char **guard);
/* The name of a variable that holds the operand's element, or 0 where it has none. */
const char *mi_emit_factor(struct mi_emitter *e, const struct mi_contraction *c, const struct mi_operand *operand,
                           const char *const *axis);
/* Whether every place that an index reaches lies inside the dimension. */
bool mi_always_inside(const struct mi_contraction *c, const struct mi_index *index, struct mi_dim dim);
/* The axes' coordinates from the output's. */
void mi_emit_axes(struct mi_emitter *e, const struct mi_contraction *c, const struct mi_coordinate *at,
                  const char **axis);

/* ---- template.c: what engines with a kernel file share ---- */

/* The text of the body so far, kept in the arena; the body is empty then. */
const char *mi_emit_take(struct mi_emitter *e);
/* Adds the text of kernels/FILE, its markers replaced; false: there is none. */
bool mi_add_file(struct mi_text *out, const char *file, const char *const *marker, const char *const *with, int count);
/* Makes a code of kernels/FILE: its text with markers replaced is the body, `defines` stands before the kernel (and is
 * destroyed). */
mica_status mi_emit_file(struct mi_emitter *e, const char *file, const char *name, struct mi_text *defines,
                         const char *const *marker, const char *const *with, int count, struct mi_grid grid,
                         struct mi_codes *codes);
/* Makes a code of the body as it is. */
mica_status mi_emit_body(struct mi_emitter *e, const char *name, const char *prologue, struct mi_grid grid,
                         struct mi_codes *codes);
/* A grid of at most `items` items that take the work in turn: a few a compute unit on a CPU, one a lane on others. */
struct mi_grid mi_grid_of_items(const mica_device *device, int64_t items);

/* Own operators: kernels of their own, the body from kernels/NAME.cl. */
mica_status mi_emit_own(struct mi_emitter *e, struct mi_codes *codes);

#endif
