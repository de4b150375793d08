/* The object that a benchmark gives. */
#include "bench/bench.h"

#include <math.h>
#include <stdlib.h>

mica_bench *mi_bench_new(mica_device *device)
{
    mica_bench *bench = mi_new(1, sizeof *bench);
    if (!bench) {
        mi_out_of_memory(&device->error);
        return NULL;
    }
    bench->device = device;
    mi_device_begin(device);
    mi_error_report(&bench->error, &device->failed);
    return bench;
}

bool mi_bench_takes(mica_bench *bench, const void *what)
{
    if (bench && bench->error.status == MICA_OK && !what)
        mi_bench_from_device(bench, mi_fail(&bench->error, MICA_INVALID_ARGUMENT, "what to measure is missing"));
    return bench && bench->error.status == MICA_OK;
}

mica_bench_result *mi_bench_add(mica_bench *bench, const char *name)
{
    if (!mi_grow(&bench->results, &bench->capacity, bench->count + 1, sizeof *bench->results)) {
        mi_out_of_memory(&bench->error);
        return NULL;
    }
    const double none = (double)NAN;
    mica_bench_result *result = &bench->results[bench->count++];
    *result = (mica_bench_result){.name = mi_arena_format(&bench->arena, "%s", name),
                                  .engine = "",
                                  .median_ms = none,
                                  .min_ms = none,
                                  .max_ms = none,
                                  .gflops = none,
                                  .gbytes_per_second = none,
                                  .roof_share = none,
                                  .error = none,
                                  .start_seconds = none};
    return result;
}

mica_status mi_bench_from_device(mica_bench *bench, mica_status status)
{
    if (status != MICA_OK)
        mi_error_report(&bench->error, &bench->device->error);
    if (status != MICA_OK && bench->error.status == MICA_OK)
        mi_fail(&bench->error, status, "%s", mica_status_text(status));
    mi_error_report(&bench->device->error, &bench->error);
    return bench->error.status;
}

void mica_bench_destroy(mica_bench *bench)
{
    if (!bench)
        return;
    free(bench->results);
    free(bench->kernels);
    mi_arena_destroy(&bench->arena);
    free(bench);
}

mica_status mica_bench_status(const mica_bench *bench)
{
    return bench ? bench->error.status : MICA_OUT_OF_MEMORY;
}

const char *mica_bench_error(const mica_bench *bench)
{
    return bench ? bench->error.text : mica_status_text(MICA_OUT_OF_MEMORY);
}

int mica_bench_count(const mica_bench *bench)
{
    return bench ? (int)bench->count : 0;
}

const mica_bench_result *mica_bench_get(const mica_bench *bench, int i)
{
    return bench && i >= 0 && (size_t)i < bench->count ? &bench->results[i] : NULL;
}

int mica_bench_kernel_count(const mica_bench *bench)
{
    return bench ? (int)bench->kernel_count : 0;
}

const mica_bench_kernel *mica_bench_get_kernel(const mica_bench *bench, int i)
{
    return bench && i >= 0 && (size_t)i < bench->kernel_count ? &bench->kernels[i] : NULL;
}
