/* States: what a plan's layers carry from one run to the next. A state is a variable of the plan alone: another plan of the model
 * has its own, no file has it, and its shape may have n. It lies in a buffer that no other tensor shares, sample after sample, so
 * that a run of fewer samples than the largest leaves those of the others as they are. */
#include "plan/inside.h"

static uint64_t bytes_of(const struct mica_plan *plan, const struct mi_variable *variable)
{
    return (uint64_t)mi_shape_count(&variable->shape, plan->batch) * mi_types[variable->type].bytes; /* the count was checked */
}

mica_status mi_states_list(struct mica_plan *plan)
{
    const struct mi_graph *graph = plan->graph;
    plan->states = mi_arena_new(&plan->arena, graph->node_count, sizeof *plan->states);
    if (!plan->states)
        return mi_out_of_memory(&plan->error);
    for (size_t i = 0; i < graph->node_count; i++) {
        struct mi_variable *variable = graph->nodes[i]->variable;
        if (!variable || variable->role != MI_STATE || graph->nodes[i]->op != &mi_op_variable)
            continue;
        uint64_t bytes = bytes_of(plan, variable), most = plan->device->info.largest_allocation_bytes;
        if (bytes > most)
            return mi_fail(&plan->error, MICA_DEVICE_MEMORY, "the state \"%s\" takes %llu bytes, the device allocates at most %llu "
                           "at once", variable->name, (unsigned long long)bytes, (unsigned long long)most);
        plan->states[plan->state_count++].variable = variable;
        plan->state_bytes += bytes;
    }
    return MICA_OK;
}

mica_status mi_states_make(struct mica_plan *plan)
{
    for (size_t i = 0; i < plan->state_count; i++) {
        uint64_t bytes = bytes_of(plan, plan->states[i].variable);
        MI_TRY(mi_plan_from_device(plan, mi_buffer_create(plan->device, bytes ? bytes : 4, &plan->states[i].buffer)));
    }
    return plan->desc.described ? MICA_OK : mi_states_reset(plan);
}

mica_status mi_states_reset(struct mica_plan *plan)
{
    const unsigned char zero = 0;
    for (size_t i = 0; i < plan->state_count; i++) {
        const struct mi_buffer *buffer = &plan->states[i].buffer;
        plan->states[i].variable->version++;
        MI_TRY(mi_plan_from_device(plan, mi_buffer_fill(plan->device, buffer, 0, buffer->bytes, &zero, sizeof zero)));
    }
    return MICA_OK;
}

void mi_states_destroy(struct mica_plan *plan)
{
    for (size_t i = 0; i < plan->state_count; i++)
        mi_buffer_destroy(plan->device, &plan->states[i].buffer);
}

mica_status mi_variable_place(struct mica_plan *plan, const struct mi_variable *variable, bool gradient, struct mi_place *place)
{
    for (size_t i = 0; i < plan->state_count; i++)
        if (plan->states[i].variable == variable) {
            *place = (struct mi_place){.mem = plan->states[i].buffer.mem};
            return MICA_OK;
        }
    mica_status status = mi_store_place_of(plan->store, variable, gradient, place);
    return status == MICA_OK ? status : mi_error_report(&plan->error, &plan->device->error);
}
