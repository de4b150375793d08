/* Tests of operators: a case is an operator, its inputs and a reference in double. op_check builds it, runs
 * it on the device of MICA_DEVICE in several ways (fused and not, each engine, debug mode), for a full batch,
 * partial ones and none, and compares values with the reference, gradients with finite differences of the
 * reference, and one run with the next, bit by bit.
 *
 * MICA_TEST_SMALL=1 keeps batches tiny, for devices that are slow or take seconds for each kernel, and leaves the debug
 * mode's own compilation out. */
#ifndef MICA_TEST_OPS_H
#define MICA_TEST_OPS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/device.h"
#include "graph/op.h"
#include "ops/ops.h"

enum { OP_INPUTS = 16, OP_ATTRIBUTES = 8, OP_PARTS = 8 };

/* A tensor of the reference: concrete sizes, doubles whatever the type. */
struct tensor {
    enum mi_type type;
    int rank;
    int64_t dim[MI_MAX_RANK];
    int64_t count;
    double *data;
};

struct op_input {
    const char *shape;          /* sizes and "n": "n 3 28 28"; "" is a scalar; NULL ends the list */
    enum mi_type type;
    double low, high;           /* of random elements; both 0: -2 to 2 */
    bool no_gradient;
    const double *first;        /* the first elements, where given */
    int firsts;
};

/* Inputs of a case: random floats, floats of a range, integers of a range. */
#define IN(sizes) {.shape = (sizes)}
#define IN_RANGE(sizes, from, to) {.shape = (sizes), .low = (from), .high = (to)}
#define INTEGERS(sizes, from, to) {.shape = (sizes), .type = MI_INT32, .low = (from), .high = (to)}
#define BOOLS(sizes) {.shape = (sizes), .type = MI_BOOL, .low = 0, .high = 1}

struct op_case;
struct op_parts;
typedef void op_reference(const struct op_case *c, const struct tensor *in, struct tensor *out);

struct op_case {
    const char *op;
    struct op_input in[OP_INPUTS];
    struct mi_attribute attribute[OP_ATTRIBUTES];
    op_reference *reference;    /* fills out[0..outputs-1].data */
    double (*map)(const double *x); /* instead: element by element, x[i] of input i */
    mi_value *(*build)(struct mi_graph *graph, mi_value *const *in,
                       const struct op_case *c); /* instead of `op` alone */
    int outputs;                /* compared; 0: 1. Gradients are those of the first */
    int64_t batch;              /* 0: 13 */
    double tolerance, gradient_tolerance; /* of the largest magnitude; 0: 2e-6 and 1e-4 */
    bool no_gradient, training, engines; /* engines: with each engine that fits */
    bool clblast; /* also with CLBlast's, which compile for seconds on a CPU: tests/engines does so for convolutions */
    bool apart;   /* also with every node a kernel of its own: what only tests do, so one case of a kind is enough */
    struct op_parts *parts; /* of op_check_together */
};

/* Cases side by side: their results, flattened to (n, width) each, are the columns of one. */
struct op_parts {
    int count, inputs;
    struct op_part {
        const struct op_case *c;
        int input, inputs;      /* its own: the first, and how many */
        enum mi_type type;
        struct mi_shape shape;
        int64_t width;
    } part[OP_PARTS];
};

/* Setup and teardown of a group: the devices. */
int op_devices_open(void **state);
int op_devices_close(void **state);
void op_check(void **state, const struct op_case *c);
void op_check_all(void **state, const struct op_case *cases, size_t count);
/* The same on devices whose kernels are written for vectors of other widths. */
void op_check_widths(void **state, const struct op_case *cases, size_t count);
#define OP_CHECK_ALL(state, cases) op_check_all(state, cases, MI_COUNT(cases))
/* The same for maps: several in one kernel. Their results lead with n and have few shapes. */
void op_check_together(void **state, const struct op_case *cases, size_t count);
#define OP_CHECK_TOGETHER(state, cases) op_check_together(state, cases, MI_COUNT(cases))

/* The operator of a case. NULL: the graph has an error. */
mi_value *op_apply(struct mi_graph *graph, mi_value *const *in, int inputs, const struct op_case *c);
/* Fills out[0..outputs-1] with what the reference says. */
void op_evaluate(const struct op_case *c, const struct tensor *in, struct tensor *out);
void tensor_create(struct tensor *t, enum mi_type type, const struct mi_shape *shape, int64_t n);
void tensor_fill(struct tensor *t, const struct op_input *input, uint64_t stream);

/* ---- For references ---- */

int64_t op_int(const struct op_case *c, const char *name, int64_t otherwise);
double op_float(const struct op_case *c, const char *name, double otherwise);
const int64_t *op_ints(const struct op_case *c, const char *name, int *count);

/* Steps coordinates through a shape in row-major order; false after the last. */
bool tensor_next(const struct tensor *t, int64_t *at);
/* The element at coordinates of a tensor of rank `rank` to which t is broadcast. */
double tensor_broadcast(const struct tensor *t, int rank, const int64_t *at);
int64_t tensor_offset(const struct tensor *t, const int64_t *at);

#endif
