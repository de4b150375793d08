/* Measuring one graph: compiled, fed with random operands, run once and compared with a reference, then timed. */
#include "bench/bench.h"
#include "compile/rewrite/rewrite.h"
#include "ops/ops.h"
#include "plan/inside.h"
#include "tune/tune.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_OPERANDS = 16 };

/* The host's side of a running case. */
struct kernel_run {
    mica_bench *bench;
    const struct mi_bench_case *what;
    const mica_bench_desc *desc;
    int64_t batch;
    struct mi_store *store;
    mica_plan *plan;
    void *input[MOST_OPERANDS];
    struct mi_graph *lowered;
    struct mi_contraction contraction; /* of it: the only one of a case of contractions */
};

static mica_status run_plan(void *context, int times)
{
    const struct kernel_run *run = context;
    return mi_plan_repeat(run->plan, run->batch, run->what->contractions, times);
}

/* ---- Engines ---- */

mica_status mi_bench_check_engine(mica_bench *bench, const char *name)
{
    const char *names[32] = {NULL};
    int count = 0;
    for (const struct mi_engine *const *engine = mi_engines; *engine && count < 31; engine++) {
        names[count++] = (*engine)->name;
        if (!name || strcmp(name, (*engine)->name) == 0)
            return MICA_OK;
    }
    return mi_fail(&bench->error, MICA_INVALID_ARGUMENT, "there is no engine \"%s\"%s", mi_show(name).text,
                   mi_advise(name, names).text);
}

/* ---- Preparing ---- */

/* Lowers a copy of the graph, so that its contractions can be counted. */
static mica_status read_contractions(struct kernel_run *run, struct mi_bench_case *what)
{
    struct mi_graph *graph = run->lowered = mi_graph_copy(what->graph, &run->bench->error);
    double flops = 0;
    if (!graph)
        return run->bench->error.status;
    mica_status status = mi_lower(graph, 1);
    if (status == MICA_OK)
        status = mi_simplify(graph, 1);
    if (status != MICA_OK)
        return mi_error_report(&run->bench->error, &graph->error) ? run->bench->error.status
                                                                  : mi_fail(&run->bench->error, status, "%s", what->name);
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct mi_node *node = graph->nodes[i];
        if (node->op->kind != MI_CONTRACT)
            continue;
        MI_TRY(node->op->contract(node, &run->contraction));
        flops += mi_bench_flops(&run->contraction, run->batch);
    }
    what->flops = what->flops > 0 ? what->flops : flops;
    return MICA_OK;
}

static mica_status feed(struct kernel_run *run)
{
    const struct mi_graph *graph = run->plan->graph;
    if (graph->input_count > MOST_OPERANDS)
        return mi_fail(&run->bench->error, MICA_UNSUPPORTED, "%s: %zu inputs, at most %d", run->what->name, graph->input_count,
                       MOST_OPERANDS);
    for (size_t i = 0; i < graph->input_count; i++) {
        const mi_value *value = graph->inputs[i];
        size_t count = (size_t)mi_shape_count(&value->shape, run->batch);
        if (value->type != MI_FLOAT && value->type != MI_INT32)
            return mi_fail(&run->bench->error, MICA_UNSUPPORTED, "%s: input \"%s\" is %s, not float32 or int32", run->what->name,
                           value->name, mi_types[value->type].name);
        if (!run->input[i])
            run->input[i] = mi_bench_random(value->type, count, 10 + i, run->what->low);
        if (!run->input[i])
            return mi_out_of_memory(&run->bench->error);
        MI_TRY(mi_bench_from_device(run->bench, mi_plan_feed(run->plan, (int)i, run->input[i], run->batch, NULL)));
    }
    return MICA_OK;
}

/* ---- References ---- */

static mica_status step_and_fetch(struct kernel_run *run, float **values, size_t *count)
{
    const struct mi_step step = {.n = (int32_t)run->batch, .learning_rate = 0.001f, .step = 1, .seed = 1};
    *values = NULL;
    MI_TRY(mi_bench_from_device(run->bench, mi_plan_step(run->plan, &step)));
    if (run->plan->graph->output_count < 1)
        return MICA_OK;
    const mi_value *value = run->plan->graph->outputs[0];
    *count = (size_t)mi_shape_count(&value->shape, run->batch);
    if (value->type != MI_FLOAT)
        return MICA_OK;
    *values = mi_new(*count, sizeof **values);
    if (!*values)
        return mi_out_of_memory(&run->bench->error);
    return mi_bench_from_device(run->bench, mi_plan_fetch(run->plan, 0, *values, run->batch));
}

/* The host values of an operand of a contraction: those of the input or variable behind it. */
static const float *operand_values(const struct kernel_run *run, const mi_value *value, float **owned)
{
    const struct mi_graph *graph = run->plan->graph;
    if (value->node->variable) {
        size_t count = mi_variable_count(value->node->variable);
        *owned = mi_new(count, sizeof **owned);
        if (*owned && mi_store_read(run->store, value->node->variable, *owned) != MICA_OK)
            return NULL;
        return *owned;
    }
    for (size_t i = 0; i < graph->input_count; i++)
        if (value->name && strcmp(graph->inputs[i]->name, value->name) == 0)
            return run->input[i];
    return NULL;
}

/* Puts axes that the case's output shows exchanged back in place. */
static bool unswap(const struct kernel_run *run, float **values, size_t count)
{
    const struct mi_shape *shape = &run->contraction.out.value->shape;
    int x = run->what->swapped[0], y = run->what->swapped[1];
    size_t before = 1, after = 1, between = 1;
    if (x < 0)
        return true;
    for (int d = 0; d < shape->rank; d++) {
        size_t size = (size_t)mi_dim_at(shape->dim[d], run->batch);
        before *= d < x ? size : 1;
        between *= d > x && d < y ? size : 1;
        after *= d > y ? size : 1;
    }
    size_t nx = (size_t)mi_dim_at(shape->dim[x], run->batch), ny = (size_t)mi_dim_at(shape->dim[y], run->batch), place = 0;
    float *plain = mi_new(count, sizeof *plain);
    for (size_t i = 0; plain && i < before; i++)
        for (size_t a = 0; a < nx; a++)
            for (size_t m = 0; m < between; m++)
                for (size_t b = 0; b < ny; b++)
                    for (size_t j = 0; j < after; j++)
                        plain[place++] = (*values)[(((i * ny + b) * between + m) * nx + a) * after + j];
    free(*values);
    *values = plain;
    return plain != NULL;
}

static mica_status check_product(struct kernel_run *run, float **got, size_t count, mica_bench_result *result)
{
    float *owned[2] = {NULL, NULL};
    struct mi_bench_product product = {.c = &run->contraction, .n = run->batch};
    product.a = operand_values(run, run->contraction.a.value, &owned[0]);
    product.b = operand_values(run, run->contraction.b.value, &owned[1]);
    mica_status status = product.a && product.b && unswap(run, got, count) ? MICA_OK : mi_out_of_memory(&run->bench->error);
    if (status == MICA_OK)
        result->error = mi_bench_product_error(&product, *got);
    free(owned[0]);
    free(owned[1]);
    return status;
}

static mica_status compile_case(struct kernel_run *run, struct mi_graph *graph, bool plain)
{
    const mica_bench_desc *desc = run->desc;
    struct mi_plan_desc how = {.device = run->bench->device, .store = run->store, .graph = graph, .batch = run->batch,
                               .engine = plain ? "nest" : desc->engine, .variant = plain ? 0 : desc->variant,
                               .search = mi_tune, .no_fusion = plain, .no_blocked = plain};
    mica_status status = mi_plan_create(&how, &run->plan);
    return run->plan ? mi_bench_from_device(run->bench, status) : mi_out_of_memory(&run->bench->error);
}

/* The same graph as plain loops that nothing joins. */
static mica_status check_plain(struct kernel_run *run, struct mi_graph *graph, const float *got, mica_bench_result *result)
{
    float *expected = NULL;
    size_t count = 0;
    mica_plan_destroy(run->plan);
    run->plan = NULL;
    MI_TRY(compile_case(run, graph, true));
    mica_status status = feed(run);
    if (status == MICA_OK)
        status = step_and_fetch(run, &expected, &count);
    if (status == MICA_OK && expected && got)
        result->error = mi_bench_distance(got, expected, count);
    free(expected);
    return status;
}

/* ---- Running ---- */

static mica_status time_case(struct kernel_run *run, mica_bench_result *result)
{
    const char *engine = mi_plan_engine(run->plan);
    const char *asked = run->desc->engine;
    if (asked && (!engine || strcmp(engine, asked) != 0))
        return mi_fail(&run->bench->error, MICA_UNSUPPORTED, "engine \"%s\" does not do this%s%s", asked,
                       engine ? "; it would run with " : "", engine ? engine : "");
    result->engine = engine ? engine : "";
    result->launches = mi_plan_repeated(run->plan, run->what->contractions);
    result->peak_bytes = mica_plan_peak_bytes(run->plan);
    MI_TRY(mi_bench_from_device(run->bench,
                                mi_bench_measure(&(struct mi_bench_work){run_plan, run}, run->desc->seconds, result)));
    mi_bench_rate(run->bench, run->what->flops, run->what->bytes, result);
    return MICA_OK;
}

static mica_status run_prepared(struct kernel_run *run, struct mi_bench_case *what, mica_bench_result *result)
{
    float *got = NULL;
    size_t count = 0;
    struct mi_graph *again = NULL;
    if (!what->contractions && !(again = mi_graph_copy(what->graph, &run->bench->error)))
        return mi_out_of_memory(&run->bench->error);
    struct mi_graph *graph = what->graph;
    what->graph = NULL;
    mica_status status = compile_case(run, graph, false);
    if (status == MICA_OK)
        status = feed(run);
    if (status == MICA_OK)
        status = step_and_fetch(run, &got, &count);
    if (status == MICA_OK)
        status = time_case(run, result);
    if (status == MICA_OK && what->contractions)
        status = check_product(run, &got, count, result);
    if (status == MICA_OK && again) {
        graph = again;
        again = NULL;
        status = check_plain(run, graph, got, result);
    }
    mi_graph_destroy(again);
    free(got);
    return status;
}

mica_status mi_bench_run_case(mica_bench *bench, struct mi_bench_case *what, const mica_bench_desc *desc)
{
    static const mica_bench_desc defaults = {0};
    struct kernel_run run = {.bench = bench, .what = what, .desc = desc ? desc : &defaults};
    run.batch = run.desc->batch ? run.desc->batch : 1;
    MI_TRY(mi_bench_check_engine(bench, run.desc->engine));
    if (!run.desc->no_roof)
        MI_TRY(mi_bench_roofs(bench, 0.2, false));
    mica_bench_result *result = mi_bench_add(bench, what->name);
    mica_status status = result ? read_contractions(&run, what) : bench->error.status;
    if (status == MICA_OK)
        status = mi_bench_from_device(bench, mi_store_create(bench->device, &what->variables, &run.store));
    if (status == MICA_OK)
        status = run_prepared(&run, what, result);
    mica_plan_destroy(run.plan);
    mi_store_destroy(run.store);
    mi_graph_destroy(run.lowered);
    for (int i = 0; i < MOST_OPERANDS; i++)
        free(run.input[i]);
    if (status != MICA_OK)
        bench->count = 0;
    return mi_bench_from_device(bench, status);
}
