/* Timing: runs of enough launches to be longer than the clock and the last wait, and the median over them. */
#include "bench/bench.h"

#include <stdlib.h>

enum { LEAST_LAUNCHES = 10, MOST_LAUNCHES = 2000, LEAST_RUNS = 3, MOST_RUNS = 51 };

/* Seconds of one run of `times`. */
static mica_status time_run(const struct mi_bench_work *work, int times, double *seconds)
{
    double began = mi_seconds();
    MI_TRY(work->run(work->context, times));
    *seconds = mi_seconds() - began;
    return MICA_OK;
}

static int clamp(double value, int least, int most)
{
    return value < least ? least : value > most ? most : (int)value;
}

static int by_value(const void *x, const void *y)
{
    const double *a = x, *b = y;
    return *a < *b ? -1 : *a > *b;
}

/* At least ten launches a run; fewer only where a run would take more than half of the time there is. */
static int launches_a_run(double once, double seconds)
{
    once = once > 1e-7 ? once : 1e-7;
    int times = clamp(0.05 * seconds / once, LEAST_LAUNCHES, MOST_LAUNCHES);
    return times * once > seconds / 2 ? clamp(seconds / 2 / once, 1, LEAST_LAUNCHES) : times;
}

mica_status mi_bench_measure(const struct mi_bench_work *work, double seconds, mica_bench_result *result)
{
    double once, spent, run[MOST_RUNS];
    seconds = seconds > 0 ? seconds : 1;
    MI_TRY(time_run(work, 1, &once));
    int times = launches_a_run(once, seconds);
    MI_TRY(time_run(work, times, &spent));
    times = launches_a_run(spent / times, seconds);
    int runs = clamp(seconds / (spent > 1e-6 ? spent : 1e-6), LEAST_RUNS, MOST_RUNS) | 1;
    for (int i = 0; i < runs; i++) {
        MI_TRY(time_run(work, times, &run[i]));
        run[i] *= 1000.0 / times;
    }
    qsort(run, (size_t)runs, sizeof *run, by_value);
    result->median_ms = run[runs / 2];
    result->min_ms = run[0];
    result->max_ms = run[runs - 1];
    result->runs = runs;
    result->launches_a_run = times;
    return MICA_OK;
}

void mi_bench_rate(const mica_bench *bench, double flops, double bytes, mica_bench_result *result)
{
    double seconds = result->median_ms / 1000, least = 0;
    if (flops > 0)
        result->gflops = flops / seconds * 1e-9;
    if (bytes > 0)
        result->gbytes_per_second = bytes / seconds * 1e-9;
    if (flops > 0 && bench->roof.flops > 0)
        least = flops / bench->roof.flops;
    if (bytes > 0 && bench->roof.bytes > 0 && bytes / bench->roof.bytes > least)
        least = bytes / bench->roof.bytes;
    if (least > 0)
        result->roof_share = least / seconds;
}
