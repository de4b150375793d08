/* States: what a plan's layers carry from one run to the next. A state is a variable of the plan alone: another plan of the
 * model has its own, no file has it, and its shape may have n. It lies in a buffer that no other tensor shares, sample after
 * sample, so that a run of fewer samples than the largest leaves those of the others as they are. Plans that take turns over
 * the same sequences have the same states: one of them has the buffers, which the others borrow. */
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

static struct mi_state *find_state(const struct mica_plan *plan, const struct mi_variable *variable)
{
    for (size_t i = 0; plan && i < plan->state_count; i++)
        if (plan->states[i].variable == variable)
            return &plan->states[i];
    return NULL;
}

mica_status mi_states_make(struct mica_plan *plan)
{
    for (size_t i = 0; i < plan->state_count; i++) {
        struct mi_state *state = &plan->states[i];
        const struct mi_state *other = find_state(plan->desc.states_of, state->variable);
        uint64_t bytes = bytes_of(plan, state->variable);
        state->borrowed = other != NULL;
        if (other)
            state->buffer = other->buffer;
        else
            MI_TRY(mi_plan_from_device(plan, mi_buffer_create(plan->device, bytes ? bytes : 4, &state->buffer)));
    }
    return plan->desc.described ? MICA_OK : mi_states_reset(plan);
}

struct mi_variable *mi_plan_state(const struct mica_plan *plan, int i)
{
    return (size_t)i < plan->state_count ? plan->states[i].variable : NULL;
}

mica_status mi_states_reset(struct mica_plan *plan)
{
    const unsigned char zero = 0;
    for (size_t i = 0; i < plan->state_count; i++) {
        const struct mi_buffer *buffer = &plan->states[i].buffer;
        if (plan->states[i].borrowed)
            continue;
        plan->states[i].variable->version++;
        MI_TRY(mi_plan_from_device(plan, mi_buffer_fill(plan->device, buffer, 0, buffer->bytes, &zero, sizeof zero)));
    }
    return MICA_OK;
}

void mi_states_destroy(struct mica_plan *plan)
{
    for (size_t i = 0; i < plan->state_count; i++)
        if (!plan->states[i].borrowed)
            mi_buffer_destroy(plan->device, &plan->states[i].buffer);
}

mica_status mi_variable_place(struct mica_plan *plan, const struct mi_variable *variable, bool gradient, struct mi_place *place)
{
    const struct mi_state *state = find_state(plan, variable);
    if (state) {
        *place = (struct mi_place){.mem = state->buffer.mem};
        return MICA_OK;
    }
    mica_status status = mi_store_place_of(plan->store, variable, gradient, place);
    return status == MICA_OK ? status : mi_error_report(&plan->error, &plan->device->error);
}

/* ---- What another process goes on with ---- */

int mi_plan_states(const struct mica_plan *plan)
{
    return (int)plan->state_count;
}

const char *mi_plan_state_name(const struct mica_plan *plan, int i)
{
    return plan->states[i].variable->name;
}

uint64_t mi_plan_state_bytes(const struct mica_plan *plan, int i)
{
    return bytes_of(plan, plan->states[i].variable);
}

mica_status mi_plan_read_state(struct mica_plan *plan, int i, void *bytes)
{
    return mi_plan_from_device(plan, mi_buffer_read(plan->device, &plan->states[i].buffer, 0, bytes, mi_plan_state_bytes(plan, i)));
}

mica_status mi_plan_write_state(struct mica_plan *plan, int i, const void *bytes)
{
    plan->states[i].variable->version++;
    MI_TRY(mi_plan_from_device(plan, mi_buffer_write(plan->device, &plan->states[i].buffer, 0, bytes, mi_plan_state_bytes(plan, i),
                                                     NULL)));
    return mi_plan_from_device(plan, mi_device_finish(plan->device));
}
