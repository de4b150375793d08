/* Compiling: the passes that make a plan of a graph. */
#include "compile/choose/choose.h"
#include "compile/choose/rows.h"
#include "compile/kernels/kernels.h"
#include "compile/rewrite/rewrite.h"

/* A pass over the graph; an arena that could not grow has left it incomplete. */
static mica_status from_graph(struct mica_plan *plan, mica_status status)
{
    mi_error_report(&plan->error, &plan->graph->error);
    if (plan->graph->arena.failed)
        return mi_out_of_memory(&plan->error);
    return status == MICA_OK ? status : mi_fail(&plan->error, status, "%s", mica_status_text(status));
}

/* ---- Memory of variables ---- */

static mica_status reserve_variables(struct mica_plan *plan)
{
    return mi_plan_from_device(plan, mi_store_reserve(plan->store));
}

/* All sizes are known and allowed: now memory may be filled, while kernels are built. */
static mica_status fill_variables(struct mica_plan *plan)
{
    return mi_plan_from_device(plan, mi_store_begin(plan->store));
}

/* ---- The first run ---- */

/* Runs a kernel, so that somebody can be told how far it is. */
static mica_status warm_kernel(struct mica_plan *plan, struct mi_action *action, void *unused)
{
    (void)unused;
    if (!action->code->source)
        return MICA_OK;
    MI_TRY(mi_action_run(plan, action, 0));
    if (plan->device->compiling.call)
        MI_TRY(mi_device_finish(plan->device));
    return mi_compiling_add(plan->device, 1);
}

/* Whether a call writes over a variable, which nobody writes again before it is read. */
static bool writes_variable(const struct mica_plan *plan, const struct mi_code *code)
{
    for (int i = 0; i < code->arguments; i++) {
        const struct mi_argument *argument = &code->argument[i];
        const struct mi_home *home = argument->value ? &plan->homes[mi_canonical(plan, argument->value)->id] : NULL;
        if (argument->written && home && home->variable && !home->gradient)
            return true;
    }
    return false;
}

/* Libraries compile for the sizes they meet: let them meet the largest batch and odd ones. */
static mica_status warm_call(struct mica_plan *plan, struct mi_action *action, void *unused)
{
    (void)unused;
    const int64_t sizes[] = {plan->batch, plan->batch > 1 ? plan->batch - 1 : 1, 1};
    bool warms = !action->code->source && !writes_variable(plan, action->code);
    for (size_t s = 0; s < MI_COUNT(sizes) && warms; s++)
        MI_TRY(mi_action_run(plan, action, sizes[s]));
    return MICA_OK;
}

static mica_status run_first(struct mica_plan *plan)
{
    plan->slot[0] = (struct mi_step){0};
    MI_TRY(mi_buffer_write(plan->device, &plan->step_block, 0, &plan->slot[0], sizeof plan->slot[0], NULL));
    MI_TRY(mi_actions_walk(plan, &(struct mi_walk){.derived = true, .once = true, .visit = warm_kernel}));
    MI_TRY(mi_device_marker(plan->device, 0, NULL, &plan->in_flight[plan->steps++ % 2]));
    return mi_actions_walk(plan, &(struct mi_walk){.derived = true, .once = true, .visit = warm_call});
}

/* A step of no samples runs every kernel, and changes nothing: POCL compiles when a kernel is first enqueued. In the count of
 * steps this is the first. */
static mica_status warm_up(struct mica_plan *plan)
{
    mica_status status = run_first(plan), finished = mi_device_finish(plan->device);
    return mi_plan_from_device(plan, status == MICA_OK ? finished : status);
}

/* ---- The passes ---- */

enum { EXACT = 1, APART = 2, DESCRIBED = 4 };

/* In the order in which they run: those over the graph alone, then those over the plan. */
static const struct pass {
    mica_status (*rewrite)(struct mi_graph *graph, int64_t batch);
    mica_status (*decide)(struct mica_plan *plan);
    unsigned unless;               /* left out where the plan is exact, has every node apart, or is only described */
} passes[] = {
    {.rewrite = mi_lower},
    {.rewrite = mi_simplify},
    {.rewrite = mi_lift, .unless = APART},
    {.rewrite = mi_simplify, .unless = APART},
    {.rewrite = mi_sink, .unless = APART},
    {.rewrite = mi_fold, .unless = EXACT | APART},
    {.rewrite = mi_separate},
    {.rewrite = mi_forget, .unless = APART},
    {.rewrite = mi_narrow},
    {.rewrite = mi_inline, .unless = APART},
    {.rewrite = mi_ring},
    {.decide = reserve_variables},
    {.decide = mi_choose_rows},
    {.decide = mi_choose_engines},
    {.decide = mi_find_endings, .unless = APART},
    {.decide = mi_fuse},
    {.decide = mi_match_layouts},
    {.decide = mi_order},
    {.decide = mi_derive},
    {.decide = mi_emit_plan},
    {.decide = mi_join_alike},
    {.decide = mi_join_turns},
    {.decide = mi_place},
    {.decide = fill_variables, .unless = DESCRIBED},
    {.decide = mi_build},
    {.decide = warm_up, .unless = DESCRIBED},
};

static mica_status run_passes(struct mica_plan *plan)
{
    const struct mi_plan_desc *desc = &plan->desc;
    unsigned asked = (desc->exact ? EXACT : 0) | (desc->no_fusion ? APART : 0) | (desc->described ? DESCRIBED : 0);
    for (const struct pass *pass = passes; pass < passes + MI_COUNT(passes); pass++) {
        if (pass->unless & asked)
            continue;
        MI_TRY(pass->rewrite ? from_graph(plan, pass->rewrite(plan->graph, plan->batch)) : pass->decide(plan));
    }
    return MICA_OK;
}

static mica_status check_types(struct mica_plan *plan)
{
    for (size_t v = 0; v < plan->graph->value_count; v++) {
        const mi_value *value = plan->graph->values[v];
        if (value->type == MI_DOUBLE && !plan->device->info.fp64)
            return mi_fail(&plan->error, MICA_UNSUPPORTED, "%s \"%s\" is float64, which the device does not have",
                           value->node->op->name, value->node->name ? value->node->name : "");
    }
    return MICA_OK;
}

static mica_status compile(struct mica_plan *plan)
{
    if (plan->batch < 1 || plan->batch > INT32_MAX)
        return mi_fail(&plan->error, MICA_INVALID_ARGUMENT, "a plan's batch is %lld, it must be from 1 to %d",
                       (long long)plan->batch, INT32_MAX);
    plan->index_rows = mi_arena_new(&plan->arena, plan->graph->input_count, sizeof *plan->index_rows);
    if (!plan->index_rows)
        return mi_out_of_memory(&plan->error);
    plan->graph->open = MI_ANY_REPEAT;
    bool kernels = plan->device->is_cpu && !plan->desc.exact && !plan->desc.no_fusion;
    plan->graph->target = (struct mi_target){.lanes = kernels ? plan->device->vector_width : 0,
                                             .units = plan->device->info.compute_units ? (int)plan->device->info.compute_units : 1,
                                             .batch = plan->batch};
    MI_TRY(check_types(plan));
    MI_TRY(mi_index_rows(&plan->error, plan->graph, plan->index_rows));
    return run_passes(plan);
}

mica_status mi_plan_create(const struct mi_plan_desc *desc, struct mica_plan **out)
{
    struct mica_plan *plan = *out = mi_new(1, sizeof *plan);
    if (!plan) {
        mi_graph_destroy(desc->graph);
        return mi_out_of_memory(&desc->device->error);
    }
    plan->desc = *desc;
    plan->device = desc->device;
    plan->store = desc->store;
    plan->graph = desc->graph;
    plan->batch = desc->batch;
    plan->next = (struct mi_step){.step = 1, .learning_rate = desc->learning_rate, .seed = desc->seed};
    mica_status status = mi_error_report(&plan->error, &desc->device->failed);
    if (status == MICA_OK && !plan->graph)
        status = mi_fail(&plan->error, MICA_INVALID_ARGUMENT, "a plan needs a graph");
    if (status == MICA_OK)
        status = mi_error_report(&plan->error, &plan->graph->error);
    if (status == MICA_OK) {
        status = compile(plan);
        mica_status settled = mi_plan_from_device(plan, mi_store_settle(plan->store));
        status = status == MICA_OK ? settled : status;
    }
    if (status != MICA_OK) {
        mi_fail(&plan->error, status, "%s", mica_status_text(status)); /* where a pass left no text */
        mi_error_report(&plan->device->error, &plan->error);
    }
    return status;
}
