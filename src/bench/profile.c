/* Where a step's time goes, kernel by kernel. */
#include "bench/bench.h"
#include "plan/inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_READ = 256, MOST_NAMES = 5 };

/* ---- Work ---- */

static double value_bytes(const mica_plan *plan, const mi_value *value)
{
    return (double)mi_shape_count(&value->shape, plan->batch) * (double)mi_types[value->type].bytes;
}

/* The values that a kernel reads from memory, each once; how many, MOST_READ at most. */
static int values_read(const mica_plan *plan, int kernel, const mi_value **list)
{
    const struct mi_kernel *k = &plan->kernels.list[kernel];
    struct mi_source source[MI_MOST_SOURCES];
    int count = 0;
    for (int m = 0; m < k->count; m++) {
        int found = mi_sources(plan, k->nodes[m], source);
        for (int i = 0; i < found; i++) {
            const mi_value *value = source[i].value;
            bool known = plan->home[value->node->id] == kernel || value->node->op == &mi_op_constant;
            for (int j = 0; j < count && !known; j++)
                known = list[j] == value;
            if (!known && count < MOST_READ)
                list[count++] = value;
        }
    }
    return count;
}

/* Whether each turn of the repeat that runs the kernel reads a part of the value alone. */
static bool is_read_by_turns(const mica_plan *plan, const struct mi_kernel *kernel, const mi_value *value)
{
    for (size_t i = 0; i < plan->graph->node_count && kernel->repeat; i++) {
        const struct mi_node *node = plan->graph->nodes[i];
        if (node->op == &mi_op_turn && node->repeat == kernel->repeat && mi_canonical(plan, node->in[0]) == value)
            return true;
    }
    return false;
}

static void work_of_kernel(const mica_plan *plan, int kernel, double *flops, double *bytes)
{
    const struct mi_kernel *k = &plan->kernels.list[kernel];
    double turns = (double)mi_turns_of(plan, k);
    const mi_value *read[MOST_READ];
    struct mi_contraction c;
    int count = values_read(plan, kernel, read);
    for (int i = 0; i < count; i++)
        *bytes += value_bytes(plan, read[i]) * (is_read_by_turns(plan, k, read[i]) ? 1 : turns);
    for (int o = 0; o < k->outs; o++)
        *bytes += value_bytes(plan, k->out[o]) * turns;
    if (k->choice.engine && k->anchor->op->contract(k->anchor, &c) == MICA_OK)
        *flops += mi_bench_flops(&c, plan->batch) * turns;
    if (k->ahead && k->ahead->op->contract(k->ahead, &c) == MICA_OK)
        *flops += mi_bench_flops(&c, plan->batch) * turns;
}

void mi_bench_work_of(const mica_plan *plan, double *flops, double *bytes)
{
    *flops = *bytes = 0;
    for (size_t k = 0; k < plan->kernels.count; k++)
        if (!plan->derived[k])
            work_of_kernel(plan, (int)k, flops, bytes);
}

/* ---- Names ---- */

/* "ConvProduct+Add+Relu conv2d_1": what is computed and where it stands in the model. */
static const char *kernel_name(mica_bench *bench, const mica_plan *plan, const struct mi_kernel *kernel)
{
    const struct mi_node *named = kernel->anchor ? kernel->anchor : kernel->nodes[kernel->count - 1];
    const char *text = "", *last = "";
    int names = 0;
    for (size_t k = 0; k < plan->kernels.count; k++)
        for (int m = 0; m < plan->kernels.list[k].count && plan->kernels.list[k].time == kernel->time; m++) {
            const struct mi_node *node = plan->kernels.list[k].nodes[m];
            const char *op = node->of ? node->of->name : node->op->name;
            if (strcmp(op, last) == 0 || names > MOST_NAMES)
                continue;
            text = mi_arena_format(&bench->arena, "%s%s%s%s", text, names ? "+" : "", names == MOST_NAMES ? "..." : op,
                                   names < MOST_NAMES && node->of ? "'" : "");
            last = op;
            names++;
        }
    return mi_arena_format(&bench->arena, "%s %s", text, named->name ? named->name : "");
}

/* ---- Times ---- */

struct row {
    mica_bench_kernel shown;
    double flops, bytes;
    bool update;
};

/* The row of a kernel: its own, or that of all updates. */
static struct row *row_of(struct row *rows, size_t *count, bool update)
{
    for (size_t i = 0; i < *count && update; i++)
        if (rows[i].update)
            return &rows[i];
    rows[*count].update = update;
    return &rows[(*count)++];
}

static int launches_of(const mica_plan *plan, int kernel)
{
    int count = 0;
    for (size_t i = 0; i < plan->action_count; i++)
        count += plan->actions[i].kernel == kernel;
    return count;
}

static int by_time(const void *x, const void *y)
{
    const mica_bench_kernel *a = x, *b = y;
    return a->ms > b->ms ? -1 : a->ms < b->ms;
}

static void fill_rows(mica_bench *bench, const mica_plan *plan, const double *seconds, struct row *rows, size_t *count)
{
    for (size_t k = 0; k < plan->kernels.count; k++) {
        const struct mi_kernel *kernel = &plan->kernels.list[k];
        if (plan->derived[k] || (!kernel->update && !launches_of(plan, (int)k)))
            continue;
        struct row *row = row_of(rows, count, kernel->update);
        row->shown.launches += launches_of(plan, (int)k);
        row->shown.ms += seconds[k] * 1000;
        for (size_t j = 0; j < plan->kernels.count; j++)
            if (j == k || plan->kernels.list[j].time == kernel->time) /* all that its launches run */
                work_of_kernel(plan, (int)j, &row->flops, &row->bytes);
        if (row->shown.name)
            continue;
        row->shown.name = kernel->update ? kernel->nodes[0]->op->name : kernel_name(bench, plan, kernel);
        row->shown.engine = mi_kernel_engine(plan, kernel);
    }
}

static mica_status keep_rows(mica_bench *bench, const struct row *rows, size_t count)
{
    double sum = 0;
    bench->kernels = mi_new(count, sizeof *bench->kernels);
    if (!bench->kernels)
        return mi_out_of_memory(&bench->error);
    for (size_t i = 0; i < count; i++)
        sum += rows[i].shown.ms;
    for (size_t i = 0; i < count; i++) {
        mica_bench_kernel *kernel = &bench->kernels[i];
        *kernel = rows[i].shown;
        kernel->share = sum > 0 ? kernel->ms / sum : 0;
        kernel->gflops = rows[i].flops > 0 && kernel->ms > 0 ? rows[i].flops / kernel->ms * 1e-6 : (double)NAN;
        kernel->gbytes_per_second = kernel->ms > 0 ? rows[i].bytes / kernel->ms * 1e-6 : (double)NAN;
    }
    bench->kernel_count = count;
    if (count)
        qsort(bench->kernels, count, sizeof *bench->kernels, by_time);
    return MICA_OK;
}

mica_status mi_bench_profile(mica_bench *bench, mica_plan *plan, int64_t n)
{
    size_t count = 0;
    double *seconds = mi_new(plan->kernels.count, sizeof *seconds);
    struct row *rows = mi_new(plan->kernels.count, sizeof *rows);
    mica_status status = seconds && rows ? MICA_OK : mi_out_of_memory(&bench->error);
    if (status == MICA_OK)
        status = mi_bench_from_device(bench, mi_plan_profile(plan, n, seconds));
    if (status == MICA_OK) {
        fill_rows(bench, plan, seconds, rows, &count);
        /* An operator's name lives as long as the library; the others are in the benchmark's arena. */
        status = bench->arena.failed ? mi_out_of_memory(&bench->error) : keep_rows(bench, rows, count);
    }
    free(seconds);
    free(rows);
    return status;
}
