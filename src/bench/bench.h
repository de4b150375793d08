/* Benchmarks from inside: what is measured, how it is timed, and the device's roofs. */
#ifndef MICA_SRC_BENCH_H
#define MICA_SRC_BENCH_H

#include "plan/plan.h"
#include "graph/op.h"

#include <mica/bench.h>

/* What a device reaches at best; zero: not measured. */
struct mi_roof {
    double flops, bytes; /* a second */
};

struct mica_bench {
    struct mi_error error;
    mica_device *device;
    struct mi_arena arena;
    mica_bench_result *results;
    size_t count, capacity;
    mica_bench_kernel *kernels;
    size_t kernel_count;
    struct mi_roof roof;
};

/* An empty one, its error that of the device. NULL: out of memory. */
mica_bench *mi_bench_new(mica_device *device);
/* Whether there is something to measure: `what`, the description or path, is not NULL and nothing has failed. */
bool mi_bench_takes(mica_bench *bench, const void *what);
/* A result with NaN in every number; NULL: out of memory, and the error says so. */
mica_bench_result *mi_bench_add(mica_bench *bench, const char *name);
/* Takes over the device's error and reports the benchmark's own. Returns the status. */
mica_status mi_bench_from_device(mica_bench *bench, mica_status status);

/* ---- Timing (measure.c) ---- */

/* Does the work `times` times over and waits for its end. */
struct mi_bench_work {
    mica_status (*run)(void *context, int times);
    void *context;
};

/* Times the work, warm-up first, and writes the medians into `result`. `seconds` 0: the default. */
mica_status mi_bench_measure(const struct mi_bench_work *work, double seconds, mica_bench_result *result);
/* Rates and the share of the roof, from the median; a count of zero gives no rate. */
void mi_bench_rate(const mica_bench *bench, double flops, double bytes, mica_bench_result *result);

/* ---- Roofs (roof.c) ---- */

/* Measures the device's peaks, into results too where `show`. */
mica_status mi_bench_roofs(mica_bench *bench, double seconds, bool show);

/* ---- Operands and references (operands.c) ---- */

/* Random floats in [low, low + 2), or whole numbers from 0 to 9 for int32; the caller's to free. NULL: out of memory. */
void *mi_bench_random(enum mi_type type, size_t count, uint64_t stream, float low);

/* A contraction with the host values of its operands. */
struct mi_bench_product {
    struct mi_contraction *c;
    const float *a, *b;
    int64_t n;
};

/* Operations of a contraction at batch n: two a product that contributes. */
double mi_bench_flops(const struct mi_contraction *c, int64_t n);
/* The largest difference between `got` and sums in double, over sampled elements, divided by the largest magnitude. */
double mi_bench_product_error(const struct mi_bench_product *product, const float *got);
/* The same for two whole tensors; NaN beside a number is infinitely far. */
double mi_bench_distance(const float *got, const float *expected, size_t count);

/* ---- One plan (kernel.c) ---- */

/* A graph to be measured: inputs, perhaps variables, and outputs. */
struct mi_bench_case {
    const char *name;
    struct mi_variables variables;
    struct mi_graph *graph;
    double flops, bytes;         /* of a step; flops 0: those of its contractions */
    bool contractions;           /* only the kernels of contractions are timed, and each has a reference in double */
    float low;                   /* inputs are random from low to low + 2 */
    int swapped[2];              /* of the output: axes that stand exchanged, so that the result itself stays unnamed; -1: none */
};

enum { MI_BENCH_MOST_SIZE = 1 << 30 };

/* An empty graph; what the caller adds to it goes to mi_bench_end, whatever its status. */
mica_status mi_bench_begin(mica_bench *bench, struct mi_bench_case *what);
void mi_bench_end(mica_bench *bench, struct mi_bench_case *what, const mica_bench_desc *desc, mica_status status);
/* A variable of random values; NULL: an error. */
mi_value *mi_bench_weight(mica_bench *bench, struct mi_bench_case *what, const char *name, const struct mi_shape *shape);
/* The bytes of tensors at batch n, each moved once. NULL is none. */
double mi_bench_bytes(const mi_value *const *values, int count, int64_t n);

mica_status mi_bench_run_case(mica_bench *bench, struct mi_bench_case *what, const mica_bench_desc *desc);
/* An error where no engine has that name; NULL is fine. */
mica_status mi_bench_check_engine(mica_bench *bench, const char *name);

/* ---- A plan's work (profile.c) ---- */

/* Operations and bytes of a step, each operand of a kernel read once and each result written once. */
void mi_bench_work_of(const mica_plan *plan, double *flops, double *bytes);
/* Times the kernels of the plan's last step, of n samples, into bench->kernels. */
mica_status mi_bench_profile(mica_bench *bench, mica_plan *plan, int64_t n);

#endif
