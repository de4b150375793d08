/* What the passes decide about a plan's kernels, and what engines write from it. */
#ifndef MICA_SRC_KERNEL_H
#define MICA_SRC_KERNEL_H

#include "device/device.h"
#include "emit/layout.h"
#include "graph/op.h"

struct mi_engine;

/* How an engine goes about a problem, in numbers of its own: tile sizes, blockings, what is packed. */
enum { MI_VARIANT_NUMBERS = 9, MI_MOST_VARIANTS = 32 };
struct mi_variant {
    int32_t number[MI_VARIANT_NUMBERS];
};

/* Where a value lies within another one, along whose first axis there are parts: from part `shift` on, or from one that moves by
 * one from turn to turn, or from run to run, round and round; or so many parts further as a repeat runs turns. */
struct mi_part {
    mi_value *of;                /* NULL: it is no part */
    int64_t shift;
    int repeat;                  /* which of the parts it is follows from the turn of this one; 0: from none ... */
    bool runs;                   /* ... from the number of the run ... */
    int until;                   /* ... and from how many turns this repeat runs; 0: from none */
};

/* How a value lies in memory; one for each value of the plan's graph, by its id. */
struct mi_tensor {
    bool stored;                 /* in memory; otherwise computed where it is used */
    mi_value *same_as;           /* shares the memory of another stored value; NULL: its own */
    struct mi_part part;         /* lies within another stored value */
    mi_value *over;              /* the variable's value that it is written over, element by element; NULL: none */
    struct mi_layout layout;
};

/* What computes a contraction, and how. */
struct mi_choice {
    const struct mi_engine *engine;
    struct mi_variant variant;
};

/* A group of nodes that become one launch (an engine may need a few). */
struct mi_kernel {
    struct mi_node *anchor;      /* a contraction or own node; NULL: a nest of maps and reductions */
    struct mi_node *ahead;       /* a contraction inside, which makes an operand of the anchor's; NULL: none */
    struct mi_node **nodes;      /* members in topological order */
    int count, capacity;
    mi_value **out;              /* what it stores */
    int outs;
    int totals;                  /* the last so many of them: sums of an operand of the anchor, over all that it sums too */
    struct mi_shape space;       /* a nest's full index space ... */
    uint32_t axes;               /* ... and which of its axes are reduced */
    struct mi_choice choice;     /* of a contraction */
    bool update;                 /* an optimizer's step: runs flat over stretches of the parameter arena ... */
    bool together;               /* ... at the end, in one launch with its neighbours; otherwise as soon as it can */
    int stage;                   /* work on small parameters alone, at the end of a step, behind that of lower stages: those of one
                                  * stage wait for none of it, and the equal ones are one launch; 0: no such work */
    int repeat;                  /* which of the graph's repeats runs it; 0: it runs once */
    int time;                    /* its place in the order, or that of the kernel in whose launch it runs */
};

/* Arguments are tensors and scratch memory. Of tensors a node reads at most MI_MOST_SOURCES: compile/kernels/cut.c sees to that. */
enum { MI_MAX_ARGUMENTS = 24, MI_MOST_SOURCES = 16, MI_MAX_SIZES = 64, MI_MAX_LOCALS = 32 };

/* One argument of a launch: a tensor, or scratch memory that lives during the kernel. Each becomes a pointer and an offset. */
struct mi_argument {
    mi_value *value;             /* NULL: scratch */
    int scratch;                 /* which of the kernel's scratch buffers */
    bool written;
};

/* A grid for the largest batch. */
struct mi_grid {
    unsigned dims;
    size_t global[3], local[3];
    bool fixed;                  /* the kernel counts on its local sizes; otherwise a smaller group does too */
};

/* A kernel that a launch runs, by the code that was written for it. */
struct mi_row {
    int kernel;
    const struct mi_code *code;
};

/* One step of a kernel: OpenCL source and its grid, or a call into a library such as CLBlast. */
struct mi_code {
    const char *name;
    const char *source;          /* NULL: a call */
    struct mi_argument argument[MI_MAX_ARGUMENTS];
    int arguments;
    int64_t size[MI_MAX_SIZES];  /* sizes of its problem that the source has as arguments after these, dim0, dim1, ... */
    int sizes;
    int64_t local[MI_MAX_LOCALS]; /* bytes of its arguments in local memory, after those */
    int locals;
    struct mi_grid grid;
    const struct mi_call *call;
    struct mi_row *row;          /* of a launch for several kernels: the tensors' places and the sizes of each stand in a row of a
                                  * table, and dimension 1 of the grid counts rows */
    int rows;                    /* 0: places and sizes are arguments */
};

/* A library call: enqueues work on tensors whose places the plan fills in. */
struct mi_place {
    cl_mem mem;
    uint64_t offset;             /* elements */
};

/* C = A B (+ C) once for each image of a chunk, row by row as BLAS has it. place[0..2] are A, B, C. Sizes that vary with n are
 * taken at the largest batch unless a leading dimension varies too: then rows that are not there would be wrong. */
struct mi_call {
    mica_status (*run)(mica_device *device, const struct mi_call *call, const struct mi_place *places, int64_t n);
    struct mi_dim m, n, k, lda, ldb, ldc;
    bool transpose_a, transpose_b;
    int64_t batch;               /* the largest n */
    int64_t first, images;       /* images first ... first + images - 1, those below n; images 0: one product, no images */
    int64_t image_a, image_b, image_c; /* elements from one image to the next */
    bool per_chunk_a, per_chunk_b, per_chunk_c; /* scratch that begins with the chunk's first image */
    bool accumulate;             /* images are summed into one C */
};

/* What an engine writes. */
struct mi_codes {
    struct mi_code *code;        /* grown with mi_code_add */
    int count, capacity;
    int64_t scratch[4];          /* bytes, for the largest batch */
    int scratches;
};

#endif
