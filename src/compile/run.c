/* A plan's life: compile, feed, step, fetch. */
#include "compile/compile.h"

#include <stdlib.h>
#include <string.h>

static mica_status from_device(struct mica_plan *plan, mica_status status)
{
    return status == MICA_OK ? status : mi_error_report(&plan->error, &plan->device->error);
}

/* ---- Compile ---- */

/* A pass over the graph; an arena that could not grow has left it incomplete. */
static mica_status from_graph(struct mica_plan *plan, mica_status status)
{
    mi_error_report(&plan->error, &plan->graph->error);
    if (plan->graph->arena.failed)
        return mi_out_of_memory(&plan->error);
    return status == MICA_OK ? status : mi_fail(&plan->error, status, "%s", mica_status_text(status));
}

mica_status mi_start_tensors(struct mica_plan *plan)
{
    const struct mi_graph *graph = plan->graph;
    plan->tensors = mi_arena_new(&plan->arena, graph->value_count, sizeof *plan->tensors);
    plan->home = mi_arena_new(&plan->arena, graph->node_count, sizeof *plan->home);
    plan->choices = mi_arena_new(&plan->arena, graph->node_count, sizeof *plan->choices);
    plan->inside = mi_arena_new(&plan->arena, graph->node_count, sizeof *plan->inside);
    plan->wanted = mi_arena_new(&plan->arena, graph->value_count, sizeof *plan->wanted);
    plan->updates = mi_arena_new(&plan->arena, graph->node_count, sizeof *plan->updates);
    if (plan->arena.failed)
        return mi_out_of_memory(&plan->error);
    for (size_t i = 0; i < graph->node_count; i++)
        plan->home[i] = -1;
    for (size_t v = 0; v < graph->value_count; v++) {
        const struct mi_op *op = graph->values[v]->node->op;
        plan->tensors[v].layout = mi_layout_plain(graph->values[v]->shape.rank);
        plan->tensors[v].stored = op == &mi_op_input || op == &mi_op_variable;
        if (mi_shape_count(&graph->values[v]->shape, plan->batch) < 0)
            return mi_fail(&plan->error, MICA_SHAPE, "%s \"%s\": a batch of %lld makes it too large", op->name,
                           graph->values[v]->node->name, (long long)plan->batch);
    }
    return MICA_OK;
}

/* Libraries compile for the sizes they meet: let them meet the largest batch and odd ones. What they write is written again
 * before anybody reads it, unless it is a variable's own place. */
static mica_status warm_calls(struct mica_plan *plan)
{
    const int64_t sizes[] = {plan->batch, plan->batch > 1 ? plan->batch - 1 : 1, 1};
    for (size_t i = 0; i < plan->action_count; i++) {
        const struct mi_action *action = &plan->actions[i];
        if (!action->code->call)
            continue;
        mi_value *value = action->code->argument[2].value;
        const struct mi_home *result = value ? &plan->homes[mi_canonical(plan, value)->id] : NULL;
        bool lasting = result && result->variable && !result->gradient;
        for (size_t s = 0; s < MI_COUNT(sizes) && !lasting; s++)
            MI_TRY(action->code->call->run(plan->device, action->code->call, action->place, sizes[s]));
    }
    return MICA_OK;
}

/* Runs the kernels one by one, so that somebody can be told how far it is. In the count of steps this is the first. */
static mica_status warm_kernels(struct mica_plan *plan)
{
    plan->slot[0] = (struct mi_step){0};
    MI_TRY(mi_buffer_write(plan->device, &plan->step_block, 0, &plan->slot[0], sizeof plan->slot[0], NULL));
    for (size_t i = 0; i < plan->action_count; i++) {
        if (!plan->actions[i].code->source)
            continue;
        MI_TRY(mi_launch_run(plan->device, &plan->actions[i].launch));
        if (plan->device->compiling.call)
            MI_TRY(mi_device_finish(plan->device));
        MI_TRY(mi_compiling_add(plan->device, 1));
    }
    return mi_device_marker(plan->device, 0, NULL, &plan->in_flight[plan->steps++ % 2]);
}

/* A step of no samples runs every kernel, and changes nothing: POCL compiles when a kernel is first enqueued. */
static mica_status warm_up(struct mica_plan *plan)
{
    mica_status status = warm_kernels(plan);
    if (status == MICA_OK)
        status = warm_calls(plan);
    mica_status finished = mi_device_finish(plan->device);
    return from_device(plan, status == MICA_OK ? finished : status);
}

static mica_status compile(struct mica_plan *plan)
{
    struct mi_graph *graph = plan->graph;
    if (plan->batch < 1 || plan->batch > INT32_MAX)
        return mi_fail(&plan->error, MICA_INVALID_ARGUMENT, "a plan's batch is %lld, it must be from 1 to %d",
                       (long long)plan->batch, INT32_MAX);
    plan->index_rows = mi_arena_new(&plan->arena, graph->input_count, sizeof *plan->index_rows);
    if (!plan->index_rows)
        return mi_out_of_memory(&plan->error);
    MI_TRY(mi_index_rows(&plan->error, graph, plan->index_rows));
    MI_TRY(from_graph(plan, mi_lower(graph)));
    MI_TRY(from_graph(plan, mi_simplify(graph)));
    if (!plan->desc.exact && !plan->desc.no_fusion)
        MI_TRY(from_graph(plan, mi_fold(graph)));
    MI_TRY(from_graph(plan, mi_separate_gradients(graph)));
    if (!plan->desc.no_fusion) {
        MI_TRY(from_graph(plan, mi_forget(graph, plan->batch)));
        MI_TRY(from_graph(plan, mi_inline(graph, plan->batch)));
    }
    MI_TRY(from_device(plan, mi_store_reserve(plan->store)));
    MI_TRY(mi_choose_engines(plan));
    MI_TRY(mi_fuse(plan));
    mi_match_layouts(plan);
    MI_TRY(mi_order(plan));
    MI_TRY(mi_derive(plan));
    MI_TRY(mi_emit_plan(plan));
    MI_TRY(mi_place(plan));
    if (!plan->desc.described) /* all sizes are known and allowed: now memory may be filled, while kernels are built */
        MI_TRY(from_device(plan, mi_store_begin(plan->store)));
    MI_TRY(mi_build(plan));
    return plan->desc.described ? MICA_OK : warm_up(plan);
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
    mica_status status = mi_error_report(&plan->error, &desc->device->failed);
    if (status == MICA_OK && !plan->graph)
        status = mi_fail(&plan->error, MICA_INVALID_ARGUMENT, "a plan needs a graph");
    if (status == MICA_OK)
        status = mi_error_report(&plan->error, &plan->graph->error);
    if (status == MICA_OK) {
        status = compile(plan);
        mica_status settled = from_device(plan, mi_store_settle(plan->store));
        status = status == MICA_OK ? settled : status;
    }
    if (status != MICA_OK) {
        mi_fail(&plan->error, status, "%s", mica_status_text(status)); /* where a pass left no text */
        mi_error_report(&plan->device->error, &plan->error);
    }
    return status;
}

void mica_plan_destroy(mica_plan *plan)
{
    if (!plan)
        return;
    mi_device_drain(plan->device);
    for (int i = 0; i < 2; i++)
        mi_event_release(plan->device, &plan->in_flight[i]);
    for (size_t i = 0; i < plan->action_count; i++)
        if (plan->actions[i].code->source)
            mi_launch_destroy(plan->device, &plan->actions[i].launch);
    for (size_t b = 0; b < plan->block_count && plan->blocks; b++)
        mi_buffer_destroy(plan->device, &plan->blocks[b]);
    for (size_t v = 0; plan->own && v < plan->graph->value_count; v++)
        mi_buffer_destroy(plan->device, &plan->own[v]);
    for (size_t v = 0; plan->bound && v < plan->graph->value_count; v++)
        mi_buffer_destroy(plan->device, &plan->bound[v].buffer);
    mi_staging_destroy(plan);
    mi_buffer_destroy(plan->device, &plan->step_block);
    mi_graph_destroy(plan->graph);
    free(plan->kernels.list);
    mi_arena_destroy(&plan->arena);
    free(plan);
}

mica_status mica_plan_status(const mica_plan *plan)
{
    return !plan ? MICA_OUT_OF_MEMORY : plan->error.status ? plan->error.status : plan->refused.status;
}

const char *mica_plan_error(const mica_plan *plan)
{
    return !plan ? mica_status_text(MICA_OUT_OF_MEMORY) : plan->error.status ? plan->error.text : plan->refused.text;
}

int mica_plan_launches(const mica_plan *plan)
{
    int count = 0;
    for (size_t i = 0; plan && i < plan->action_count; i++)
        count += !plan->derived[plan->actions[i].kernel];
    return count;
}

uint64_t mica_plan_peak_bytes(const mica_plan *plan)
{
    bool trains = false;
    if (!plan || !plan->store)
        return 0;
    uint64_t bytes = plan->activation_bytes;
    for (size_t k = 0; k < plan->kernels.count; k++)
        trains = trains || plan->kernels.list[k].update;
    bytes += mi_store_bytes(plan->store, MI_PARAMETER) + mi_store_bytes(plan->store, MI_STATISTIC);
    if (trains)
        bytes += mi_store_gradient_bytes(plan->store) + mi_store_bytes(plan->store, MI_MOMENT);
    return bytes;
}

/* ---- Inputs and outputs ---- */

static int find_named(mi_value *const *list, size_t count, const char *name)
{
    if (!name)
        return count == 1 ? 0 : -1;
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i]->name, name) == 0)
            return (int)i;
    return -1;
}

int mi_plan_input(const struct mica_plan *plan, const char *name)
{
    return find_named(plan->graph->inputs, plan->graph->input_count, name);
}

int mi_plan_output(const struct mica_plan *plan, const char *name)
{
    return find_named(plan->graph->outputs, plan->graph->output_count, name);
}

struct mi_shape mi_plan_input_shape(const struct mica_plan *plan, int input)
{
    return plan->graph->inputs[input]->shape;
}

struct mi_shape mi_plan_output_shape(const struct mica_plan *plan, int output)
{
    return plan->graph->outputs[output]->shape;
}

enum mi_type mi_plan_input_type(const struct mica_plan *plan, int input)
{
    return plan->graph->inputs[input]->type;
}

mica_status mi_plan_check(struct mica_plan *plan, int64_t n)
{
    MI_TRY(plan->error.status);
    if (n < 0 || n > plan->batch)
        return mi_plan_refuse(plan, MICA_INVALID_ARGUMENT, "%lld samples, the plan was compiled for at most %lld",
                              (long long)n, (long long)plan->batch);
    return MICA_OK;
}

/* A borrowed view of a place, for the device's copies. */
static mica_status place_buffer(struct mica_plan *plan, const mi_value *value, struct mi_buffer *buffer, uint64_t *offset)
{
    struct mi_place place;
    MI_TRY(mi_place_of(plan, value, &place));
    buffer->mem = place.mem;
    *offset = place.offset * mi_types[value->type].bytes;
    buffer->bytes = *offset + (uint64_t)mi_shape_count(&value->shape, plan->batch) * mi_types[value->type].bytes;
    return MICA_OK;
}

mica_status mi_plan_feed(struct mica_plan *plan, int input, const void *elements, int64_t n, cl_event *done)
{
    struct mi_buffer buffer;
    uint64_t offset;
    MI_TRY(mi_plan_check(plan, n));
    const mi_value *value = plan->graph->inputs[input];
    uint64_t bytes = (uint64_t)mi_shape_count(&value->shape, n) * mi_types[value->type].bytes;
    if (done)
        *done = NULL;
    if (bytes == 0)
        return MICA_OK;
    MI_TRY(place_buffer(plan, value, &buffer, &offset));
    return from_device(plan, mi_buffer_write(plan->device, &buffer, offset, elements, bytes, done));
}

mica_status mi_plan_fetch(struct mica_plan *plan, int output, void *elements, int64_t n)
{
    struct mi_buffer buffer;
    uint64_t offset;
    MI_TRY(mi_plan_check(plan, n));
    const mi_value *value = plan->graph->outputs[output];
    uint64_t bytes = (uint64_t)mi_shape_count(&value->shape, n) * mi_types[value->type].bytes;
    if (bytes == 0)
        return from_device(plan, mi_device_finish(plan->device));
    MI_TRY(place_buffer(plan, value, &buffer, &offset));
    return from_device(plan, mi_buffer_read(plan->device, &buffer, offset, elements, bytes));
}

/* ---- A step ---- */

/* Debug: whatever is read before it is written is NaN. */
static mica_status poison(struct mica_plan *plan)
{
    const uint32_t nan = 0xffffffffu;
    for (size_t v = 0; plan->own && v < plan->graph->value_count; v++) {
        const struct mi_buffer *buffer = &plan->own[v];
        if (buffer->mem && plan->graph->values[v]->node->op != &mi_op_input)
            MI_TRY(mi_buffer_fill(plan->device, buffer, 0, buffer->bytes / 4 * 4, &nan, sizeof nan));
    }
    return MICA_OK;
}

static mica_status run_actions(struct mica_plan *plan, int64_t n)
{
    uint64_t version = mi_derived_version(plan);
    bool fresh = plan->derived_made && plan->derived_version == version && !plan->own;
    plan->derived_made = n > 0;
    plan->derived_version = version;
    for (size_t i = 0; i < plan->action_count; i++) {
        struct mi_action *action = &plan->actions[i];
        if (fresh && plan->derived[action->kernel])
            continue;
        if (action->code->source)
            MI_TRY(mi_launch_run(plan->device, &action->launch));
        else if (n > 0)
            MI_TRY(action->code->call->run(plan->device, action->code->call, action->place, n));
    }
    return MICA_OK;
}

/* Assignments that could not be made in place. */
static mica_status copy_assignments(struct mica_plan *plan)
{
    for (size_t a = 0; a < plan->assignment_count; a++) {
        const struct mi_assignment *assignment = &plan->assignments[a];
        struct mi_place from, to;
        if (assignment->in_place)
            continue;
        MI_TRY(mi_place_of(plan, assignment->value, &from));
        MI_TRY(mi_store_place_of(plan->store, assignment->variable, false, &to));
        uint64_t bytes = mi_variable_count(assignment->variable) * sizeof(float);
        struct mi_buffer source = {from.mem, from.offset * 4 + bytes}, target = {to.mem, to.offset * 4 + bytes};
        MI_TRY(mi_buffer_copy(plan->device, &source, from.offset * 4, &target, to.offset * 4, bytes));
    }
    return MICA_OK;
}

static mica_status enqueue_step(struct mica_plan *plan, const struct mi_step *step)
{
    size_t slot = plan->steps++ % 2;
    MI_TRY(mi_event_wait(plan->device, &plan->in_flight[slot]));
    plan->slot[slot] = *step;
    MI_TRY(poison(plan));
    MI_TRY(mi_buffer_write(plan->device, &plan->step_block, 0, &plan->slot[slot], sizeof *step, NULL));
    MI_TRY(run_actions(plan, step->n));
    if (step->n > 0) {
        MI_TRY(copy_assignments(plan));
        for (size_t a = 0; a < plan->assignment_count; a++)
            plan->assignments[a].variable->version++;
    }
    MI_TRY(mi_device_marker(plan->device, 0, NULL, &plan->in_flight[slot]));
    return mi_device_flush(plan->device);
}

mica_status mi_plan_step(struct mica_plan *plan, const struct mi_step *step)
{
    MI_TRY(mi_plan_check(plan, step->n));
    return from_device(plan, enqueue_step(plan, step));
}

mica_status mi_plan_run_samples(struct mica_plan *plan, int64_t n)
{
    MI_TRY(mi_plan_check(plan, n));
    return mi_plan_step(plan, &(struct mi_step){.n = (int32_t)n, .step = 1});
}
