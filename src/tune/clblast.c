/* The search for CLBlast's parameters: one set for a device. Values are tried one kernel after the other, each on a product of
 * one size, and checked as every candidate is. */
#include "tune/tune.h"
#include "ops/ops.h"

#include <math.h>

enum { SMALL, MIDDLE, LARGE, SIZES, MOST_CANDIDATES = 16 };
static const int64_t sizes[SIZES] = {128, 256, 512};
static const double clear_gain = 0.95; /* of the time with CLBlast's own parameters */
static const struct mi_clblast_values always_large = {{1}}, always_small = {{4096}};

/* A product of square matrices. */
struct product {
    struct mi_variables variables;
    struct mi_graph *graph;
    struct mi_problem problem;
    struct mi_trial trial;
};

struct search {
    mica_device *device;
    struct product product[SIZES];
    double began, seconds;
    int tried;
};

static mica_status begin(struct search *search, int which)
{
    struct product *p = &search->product[which];
    struct mi_error *error = &search->device->error;
    struct mi_shape shape = {.rank = 2, .dim = {mi_fixed(sizes[which]), mi_fixed(sizes[which])}};
    if (!(p->graph = mi_graph_create(mi_ops, &p->variables)))
        return mi_out_of_memory(error);
    mi_value *a = mi_input(p->graph, "a", MI_FLOAT, &shape), *b = mi_input(p->graph, "b", MI_FLOAT, &shape);
    mi_value *y = mi_op2(p->graph, "MatMul", a, b);
    if (!y)
        return mi_error_report(error, &p->graph->error);
    p->problem = (struct mi_problem){.node = y->node, .device = search->device, .batch = 1};
    MI_TRY(y->node->op->contract(y->node, &p->problem.c));
    return mi_trial_begin(&p->trial, &p->problem);
}

static void end(struct search *search)
{
    for (int i = 0; i < SIZES; i++) {
        mi_trial_end(&search->product[i].trial);
        mi_graph_destroy(search->product[i].graph);
        mi_variables_destroy(&search->product[i].variables);
    }
}

/* Seconds of one product; infinity where CLBlast fails or is wrong. */
static mica_status time_product(struct search *search, int which, double *seconds)
{
    search->device->compiling.trial = true;
    mica_status status = mi_trial_time(&search->product[which].trial, &mi_engine_clblast, 0, seconds);
    search->device->compiling.trial = false;
    if (status == MICA_OUT_OF_MEMORY || status == MICA_CANCELLED)
        return status;
    if (status != MICA_OK) {
        mi_device_forget(search->device);
        *seconds = (double)INFINITY;
    }
    return mi_compiling_add(search->device, 1);
}

/* The first kernel may take half of the time. */
static bool has_time(const struct search *search, int kernel)
{
    return mi_seconds() - search->began < (kernel == MI_CLBLAST_GEMM ? 0.5 : 1) * search->seconds;
}

/* The fastest values of a kernel, which are set; none where no candidate was right in time. */
static mica_status search_kernel(struct search *search, int kernel, int which, struct mi_choices *table)
{
    struct mi_clblast_values list[MOST_CANDIDATES];
    double least = (double)INFINITY, seconds;
    int count = mi_clblast_candidates(search->device, kernel, list, MOST_CANDIDATES);
    for (int i = 0; i < count && has_time(search, kernel); i++) {
        if (!mi_clblast_set(search->device, kernel, &list[i]))
            continue;
        MI_TRY(time_product(search, which, &seconds));
        search->tried++;
        if (seconds < least) {
            least = seconds;
            table->clblast[kernel].known = true;
            table->clblast[kernel].values = list[i];
        }
    }
    if (table->clblast[kernel].known)
        mi_clblast_set(search->device, kernel, &table->clblast[kernel].values);
    return MICA_OK;
}

static mica_status time_all(struct search *search, double *seconds)
{
    for (int i = 0; i < SIZES; i++)
        MI_TRY(time_product(search, i, &seconds[i]));
    return MICA_OK;
}

/* Between the largest size that the kernel of small products computes faster, and the next. */
static int32_t threshold_of(const double *small, const double *large)
{
    int32_t size = 96;
    for (int i = 0; i < SIZES; i++)
        if (small[i] <= large[i])
            size = (int32_t)(sizes[i] + sizes[i] / 2);
    return size;
}

static mica_status search_all(struct search *search, struct mi_choices *found, double *gain)
{
    double own[SIZES], small[SIZES], large[SIZES], ratio = 1;
    MI_TRY(time_all(search, own));
    mi_clblast_set(search->device, MI_CLBLAST_THRESHOLD, &always_large);
    MI_TRY(search_kernel(search, MI_CLBLAST_GEMM, LARGE, found));
    MI_TRY(time_all(search, large));
    mi_clblast_set(search->device, MI_CLBLAST_THRESHOLD, &always_small);
    MI_TRY(search_kernel(search, MI_CLBLAST_DIRECT, MIDDLE, found));
    MI_TRY(time_all(search, small));
    found->clblast[MI_CLBLAST_THRESHOLD].known = true;
    found->clblast[MI_CLBLAST_THRESHOLD].values.number[0] = threshold_of(small, large);
    mi_clblast_set(search->device, MI_CLBLAST_THRESHOLD, &found->clblast[MI_CLBLAST_THRESHOLD].values);
    for (int i = 0; i < SIZES; i++)
        ratio *= own[i] / fmin(small[i], large[i]);
    *gain = cbrt(ratio);
    return MICA_OK;
}

mica_status mi_tune_clblast(mica_device *device, struct mi_tuner *tuner, double seconds, double *gain)
{
    struct search search = {.device = device, .began = mi_seconds(), .seconds = seconds};
    struct mi_choices found = {0};
    *gain = 0;
    if (device->adopted)
        return mi_fail(&device->error, MICA_UNSUPPORTED,
                       "an application's context keeps CLBlast's parameters as they are");
    if (!mi_clblast_ready(device))
        return mi_fail(&device->error, MICA_UNSUPPORTED, "there is no CLBlast on this machine");
    struct mi_clblast_values list[MOST_CANDIDATES];
    int candidates = mi_clblast_candidates(device, MI_CLBLAST_GEMM, list, MOST_CANDIDATES) +
                     mi_clblast_candidates(device, MI_CLBLAST_DIRECT, list, MOST_CANDIDATES);
    mi_compiling_begin(device, 3 * SIZES + candidates);
    mica_status status = MICA_OK;
    for (int i = 0; i < SIZES && status == MICA_OK; i++)
        status = begin(&search, i);
    if (status == MICA_OK)
        status = search_all(&search, &found, gain);
    end(&search);
    tuner->tried += search.tried;
    if (status != MICA_OK)
        return status;
    bool whole = found.clblast[MI_CLBLAST_GEMM].known && found.clblast[MI_CLBLAST_DIRECT].known;
    if (!whole || !(*gain * clear_gain > 1)) {
        *gain = 0;
        return MICA_OK;
    }
    for (int k = 0; k < MI_CLBLAST_KERNELS; k++)
        tuner->table.clblast[k] = found.clblast[k];
    mi_tuner_keep(tuner, device);
    return MICA_OK;
}
