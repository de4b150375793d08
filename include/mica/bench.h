/* Benchmarks: how fast single kernels and whole models run on a device, beside what the device could do at best.
 *
 * Each call compiles what it measures, warms it up, and times it until the median has settled:
 *
 *   - a kernel's time is that within a queue of many launches, waited for once: launches / elapsed seconds;
 *   - a model's time is that of whole steps: inputs copied in, results copied out and waited for (inference), or a row of
 *     updates as an epoch makes them, waited for at its end (training).
 *
 * GFLOP/s count 2 operations a product of two numbers, GB/s the bytes of every operand read once and every result written
 * once. `roof_share` is the time that this many operations at the device's measured peak, or this many bytes at its measured
 * copy bandwidth, whichever is more, would take, divided by the median (the roofline model: Williams, Waterman, Patterson,
 * CACM 2009). Numbers that were not measured are NaN. Operands are random; no data file is opened. */
#ifndef MICA_BENCH_H
#define MICA_BENCH_H

#include <mica/model.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mica_bench mica_bench; /* what a benchmark found: results, and kernels of a profile */

/* What all benchmarks share. A NULL description has every default. */
typedef struct mica_bench_desc {
    int64_t batch;        /* samples, or products of a batch; 0: 1 */
    const char *engine;   /* of products and convolutions ("direct", "gemm", ...); NULL: the one that a model would get */
    int variant;          /* which of the engine's variants; 0: its best guess */
    double seconds;       /* to spend on each median, roughly; 0: 1 */
    bool no_roof;         /* do not measure the device's peaks: roof_share is then NaN */
} mica_bench_desc;

/* One line. Texts live as long as the object that gave it. */
typedef struct mica_bench_result {
    const char *name;             /* what was measured: "gemm 512x512x512 nn" */
    const char *engine;           /* that ran; "" where several did, or none */
    double median_ms, min_ms, max_ms; /* of one launch or step, over `runs` runs of `launches_a_run` each */
    int runs, launches_a_run;
    int launches;                 /* of kernels, in one step */
    double gflops, gbytes_per_second, roof_share;
    uint64_t peak_bytes;          /* of device memory, all tensors of the plan together */
    double error;                 /* largest difference from the reference, divided by its largest magnitude */
    double start_seconds;         /* models: from the call to the first result */
} mica_bench_result;

/* y = A' B':  A' (M, K), B' (K, N), where A' is A or, with transpose_a, the transpose of a matrix (K, M) in memory. With a
 * batch of b there are b independent products. The error is that of sampled elements against sums in double. */
typedef struct mica_bench_gemm_desc {
    int64_t m, n, k;
    bool transpose_a, transpose_b;
    bool constant_b;              /* B is a weight that no step changes: what an engine packs of it is packed once */
    mica_bench_desc common;
} mica_bench_gemm_desc;

typedef enum mica_bench_pass { MICA_BENCH_FORWARD, MICA_BENCH_DATA, MICA_BENCH_WEIGHTS } mica_bench_pass;

/* A convolution as conv2d has it, x (N, channels, height, width), or one of its gradients. Operands lie as the engine wants
 * them, as in the middle of a network: conversions at the edges are not timed. */
typedef struct mica_bench_conv_desc {
    int64_t channels, height, width, filters, kernel, stride; /* stride 0: 1 */
    int64_t groups;               /* 0: 1 */
    int64_t padding;              /* places on every side; -1: none; 0: kernel / 2 */
    int64_t dilation;             /* 0: 1 */
    mica_bench_pass pass;
    mica_bench_desc common;
} mica_bench_conv_desc;

/* An operator by its ONNX name (src/ops/ops.h), for tensors of any kernel. Shapes are texts, one an input: "8x64x56x56";
 * "n" stands for the batch, and ":int32" after a shape makes whole numbers from 0 to 9; other inputs are random from 0.25 to
 * 2.25. Attributes are texts: "kernel_shape=3,3"; a list of one number ends in a comma, "axes=1,". The error is the largest
 * difference from the same operators as plain loops, none of them fused. */
typedef struct mica_bench_op_desc {
    const char *name;
    const char *const *shapes;
    int shape_count;
    const char *const *attributes;
    int attribute_count;
    bool training;                /* what Dropout and BatchNormalization mean */
    bool gradient;                /* the gradient by every input, from that of the first output, which is one more input */
    mica_bench_desc common;
} mica_bench_op_desc;

/* A job's network (docs/jobs.md) with random values: neither its data nor its weights are opened, so that it needs an
 * input_shape. Operations are those of products and convolutions; bytes are what every kernel of the plan reads and writes. */
typedef struct mica_bench_model_desc {
    const char *const *sets;      /* "key.path=value" overrides of the job */
    int set_count;
    bool training;                /* steps of training, with the job's loss and optimizer, instead of inference */
    bool generation;              /* else: steps of a text that is generated, a token each (generate.h); only of a batch of 1 */
    bool profile;                 /* also time every kernel of a step */
    bool check;                   /* inference: the error of one sample against plain loops, none of them fused; slow */
    bool start_only;              /* only start_seconds: no step beyond the first */
    mica_bench_desc common;
} mica_bench_model_desc;

/* One kernel of a profile, by the times that the driver gives. The updates of all parameters are one line. */
typedef struct mica_bench_kernel {
    const char *name;             /* its operators and the layer */
    const char *engine;
    int launches;                 /* in a step */
    double ms, share;             /* of a step; share of the sum over all kernels */
    double gflops, gbytes_per_second;
} mica_bench_kernel;

/* Each measures and gives its results. NULL only when out of memory: ask mica_bench_status. */
MICA_API mica_bench *mica_bench_gemm(mica_device *device, const mica_bench_gemm_desc *desc);
MICA_API mica_bench *mica_bench_conv(mica_device *device, const mica_bench_conv_desc *desc);
MICA_API mica_bench *mica_bench_op(mica_device *device, const mica_bench_op_desc *desc);
MICA_API mica_bench *mica_bench_model(mica_device *device, const char *path, const mica_bench_model_desc *desc);

/* The device's roofs: "copy", a plain copy of more than its last-level cache holds, in GB/s read and written, and "fma",
 * fused multiply-adds in registers, in GFLOP/s. */
MICA_API mica_bench *mica_bench_memory(mica_device *device, const mica_bench_desc *desc);

MICA_API void mica_bench_destroy(mica_bench *bench); /* before its device; NULL is fine */
MICA_API mica_status mica_bench_status(const mica_bench *bench);
MICA_API const char *mica_bench_error(const mica_bench *bench);

MICA_API int mica_bench_count(const mica_bench *bench);
MICA_API const mica_bench_result *mica_bench_get(const mica_bench *bench, int i);
/* The kernels of a profile, the longest first. */
MICA_API int mica_bench_kernel_count(const mica_bench *bench);
MICA_API const mica_bench_kernel *mica_bench_get_kernel(const mica_bench *bench, int i);

#ifdef __cplusplus
}
#endif
#endif
