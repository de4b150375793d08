/* The plan's half of mica_cl.h: an application's buffers and events. */
#include "plan/inside.h"

#include <mica/mica_cl.h>

/* The input or output of that name. */
static mi_value *find_value(mica_plan *plan, const char *name, bool *written)
{
    int input = name ? mi_plan_input(plan, name) : -1, output = name ? mi_plan_output(plan, name) : -1;
    *written = input < 0;
    return input >= 0 ? plan->graph->inputs[input] : output >= 0 ? plan->graph->outputs[output] : NULL;
}

static uint64_t needed_bytes(const mica_plan *plan, const mi_value *value)
{
    return (uint64_t)mi_shape_count(&value->shape, plan->batch) * mi_types[value->type].bytes;
}

/* A bound output would be written over another bound value; NULL: there is none. */
static const mi_value *find_overlap(const mica_plan *plan, const mi_value *value, const struct mi_buffer *buffer, size_t offset)
{
    const struct mi_graph *graph = plan->graph;
    bool written = value->node->op != &mi_op_input;
    for (size_t v = 0; v < graph->value_count; v++) {
        const struct mi_bound *other = &plan->bound[v];
        const mi_value *beside = graph->values[v];
        bool touches = other->buffer.mem == buffer->mem && offset < other->offset + needed_bytes(plan, beside) &&
                       other->offset < offset + needed_bytes(plan, value);
        if (touches && beside != value && (written || beside->node->op != &mi_op_input))
            return beside;
    }
    return NULL;
}

static mica_status check_buffer(mica_plan *plan, const mi_value *value, const struct mi_buffer *buffer, size_t offset)
{
    uint64_t need = needed_bytes(plan, value), each = mi_types[value->type].bytes;
    if (offset % each != 0 || offset > buffer->bytes || buffer->bytes - offset < need)
        return mi_plan_refuse(plan, MICA_INVALID_ARGUMENT,
                              "\"%s\": the buffer has %llu bytes from offset %zu, the plan needs %llu at a multiple of %llu",
                              value->name, (unsigned long long)(offset > buffer->bytes ? 0 : buffer->bytes - offset), offset,
                              (unsigned long long)need, (unsigned long long)each);
    const mi_value *overlap = find_overlap(plan, value, buffer, offset);
    if (overlap)
        return mi_plan_refuse(plan, MICA_INVALID_ARGUMENT, "\"%s\": the place is that of \"%s\", which is bound already",
                              value->name, overlap->name);
    return MICA_OK;
}

/* Sets the places of the actions again: arguments are fixed when a plan is compiled. */
static mica_status replace(mica_plan *plan)
{
    for (size_t i = 0; i < plan->action_count; i++)
        MI_TRY(mi_action_place(plan, &plan->actions[i]));
    return MICA_OK;
}

static mica_status bind(mica_plan *plan, const char *name, cl_mem memory, size_t offset)
{
    struct mi_buffer buffer = {0};
    bool written;
    mi_value *value = find_value(plan, name, &written);
    if (!value)
        return mi_plan_refuse_name(plan, true, true, name);
    if (!plan->bound && !(plan->bound = mi_arena_new(&plan->arena, plan->graph->value_count, sizeof *plan->bound)))
        return mi_out_of_memory(&plan->error);
    if (mi_buffer_adopt(plan->device, memory, written, &buffer) != MICA_OK)
        return mi_error_report(&plan->refused, &plan->device->error);
    mica_status status = check_buffer(plan, value, &buffer, offset);
    if (status != MICA_OK) {
        mi_buffer_destroy(plan->device, &buffer);
        return status;
    }
    mi_device_finish(plan->device);
    mi_buffer_destroy(plan->device, &plan->bound[value->id].buffer);
    plan->bound[value->id].buffer = buffer;
    plan->bound[value->id].offset = offset;
    return replace(plan);
}

mica_status mica_cl_bind(mica_plan *plan, const char *name, cl_mem memory, size_t offset_bytes)
{
    MI_TRY(mi_plan_begin(plan));
    return mi_plan_end(plan, bind(plan, name, memory, offset_bytes));
}

/* What the queue waits for before the step. Events are the application's: what is wrong with them is its argument. */
static mica_status wait_first(mica_plan *plan, cl_uint waits, const cl_event *wait)
{
    if (waits && !wait)
        return mi_plan_refuse(plan, MICA_INVALID_ARGUMENT, "%u events to wait for, and no list of them", (unsigned)waits);
    for (cl_uint i = 0; i < waits; i++)
        if (!wait[i])
            return mi_plan_refuse(plan, MICA_INVALID_ARGUMENT, "event %u of %u to wait for is NULL", (unsigned)i, (unsigned)waits);
    if (waits && mi_device_marker(plan->device, waits, wait, NULL) != MICA_OK)
        return mi_error_report(&plan->refused, &plan->device->error);
    return MICA_OK;
}

static mica_status run(mica_plan *plan, int64_t n, cl_uint waits, const cl_event *wait, cl_event *done)
{
    MI_TRY(mi_plan_check(plan, n));
    MI_TRY(wait_first(plan, waits, wait));
    MI_TRY(mi_plan_run_samples(plan, n));
    if (done && mi_device_marker(plan->device, 0, NULL, done) != MICA_OK)
        return mi_error_report(&plan->error, &plan->device->error);
    if (mi_device_flush(plan->device) != MICA_OK)
        return mi_error_report(&plan->error, &plan->device->error);
    return MICA_OK;
}

mica_status mica_cl_run(mica_plan *plan, int64_t n, cl_uint waits, const cl_event *wait, cl_event *done)
{
    if (done)
        *done = NULL;
    MI_TRY(mi_plan_begin(plan));
    return mi_plan_end(plan, run(plan, n, waits, wait, done));
}
