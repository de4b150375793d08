/* The plan's half of mica_cl.h: an application's buffers and events. */
#include "compile/compile.h"

#include <mica/mica_cl.h>

/* The input or output of that name. */
static mi_value *find_value(mica_plan *plan, const char *name)
{
    int input = name ? mi_plan_input(plan, name) : -1, output = name ? mi_plan_output(plan, name) : -1;
    return input >= 0 ? plan->graph->inputs[input] : output >= 0 ? plan->graph->outputs[output] : NULL;
}

static mica_status check_buffer(mica_plan *plan, const mi_value *value, const struct mi_buffer *buffer, size_t offset)
{
    uint64_t need = (uint64_t)mi_shape_count(&value->shape, plan->batch) * mi_types[value->type].bytes;
    if (value->type != MI_FLOAT)
        return mi_fail(&plan->error, MICA_UNSUPPORTED, "\"%s\" is %s, only float32 can be bound", value->name,
                       mi_types[value->type].name);
    if (offset % sizeof(float) != 0 || offset > buffer->bytes || buffer->bytes - offset < need)
        return mi_fail(&plan->error, MICA_INVALID_ARGUMENT,
                       "\"%s\": the buffer has %llu bytes from offset %zu, the plan needs %llu at a multiple of 4", value->name,
                       (unsigned long long)(offset > buffer->bytes ? 0 : buffer->bytes - offset), offset, (unsigned long long)need);
    return MICA_OK;
}

/* Sets the places of the actions again: arguments are fixed when a plan is compiled. */
static mica_status replace(mica_plan *plan)
{
    for (size_t i = 0; i < plan->action_count; i++)
        MI_TRY(mi_action_place(plan, &plan->actions[i]));
    return MICA_OK;
}

mica_status mica_cl_bind(mica_plan *plan, const char *name, cl_mem memory, size_t offset_bytes)
{
    struct mi_buffer buffer = {0};
    MI_TRY(plan->error.status);
    mi_value *value = find_value(plan, name);
    if (!value)
        return mi_fail(&plan->error, MICA_INVALID_ARGUMENT, "the plan has no input or output \"%s\"", name ? name : "(unnamed)");
    if (!plan->bound && !(plan->bound = mi_arena_new(&plan->arena, plan->graph->value_count, sizeof *plan->bound)))
        return mi_out_of_memory(&plan->error);
    if (mi_buffer_adopt(plan->device, memory, &buffer) != MICA_OK)
        return mi_error_report(&plan->error, &plan->device->error);
    mica_status status = check_buffer(plan, value, &buffer, offset_bytes);
    if (status != MICA_OK) {
        mi_buffer_destroy(plan->device, &buffer);
        return mi_error_report(&plan->device->error, &plan->error);
    }
    mi_device_finish(plan->device);
    mi_buffer_destroy(plan->device, &plan->bound[value->id].buffer);
    plan->bound[value->id].buffer = buffer;
    plan->bound[value->id].offset = offset_bytes;
    return replace(plan);
}

mica_status mica_cl_run(mica_plan *plan, int64_t n, cl_uint waits, const cl_event *wait, cl_event *done)
{
    struct mi_step step = {.n = (int32_t)n, .step = 1};
    MI_TRY(plan->error.status);
    if (waits && mi_device_marker(plan->device, waits, wait, NULL) != MICA_OK)
        return mi_error_report(&plan->error, &plan->device->error);
    MI_TRY(mi_plan_step(plan, &step));
    if (done && mi_device_marker(plan->device, 0, NULL, done) != MICA_OK)
        return mi_error_report(&plan->error, &plan->device->error);
    return mi_device_flush(plan->device);
}
