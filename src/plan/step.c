/* Steps: inputs are fed, launches enqueued, outputs fetched. */
#include "plan/inside.h"

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
    MI_TRY(mi_place_of(plan, value, 0, &place)); /* inputs and outputs are no parts */
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
    mi_turns_feed(plan, value, elements, n);
    return mi_plan_from_device(plan, mi_buffer_write(plan->device, &buffer, offset, elements, bytes, done));
}

mica_status mi_plan_fetch(struct mica_plan *plan, int output, void *elements, int64_t n)
{
    struct mi_buffer buffer;
    uint64_t offset;
    MI_TRY(mi_plan_check(plan, n));
    const mi_value *value = plan->graph->outputs[output];
    uint64_t bytes = (uint64_t)mi_shape_count(&value->shape, n) * mi_types[value->type].bytes;
    if (bytes == 0)
        return mi_plan_from_device(plan, mi_device_finish(plan->device));
    MI_TRY(place_buffer(plan, value, &buffer, &offset));
    return mi_plan_from_device(plan, mi_buffer_read(plan->device, &buffer, offset, elements, bytes));
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

/* The sum of the versions of the variables that derived kernels read. */
static uint64_t derived_version(const struct mica_plan *plan)
{
    uint64_t version = 0;
    for (size_t i = 0; i < plan->derived_from_count; i++)
        version += plan->derived_from[i]->version;
    return version;
}

static mica_status run_action(struct mica_plan *plan, struct mi_action *action, void *n)
{
    return mi_action_run(plan, action, *(const int64_t *)n);
}

/* Copies of variables are made again where one of these has changed since. */
static mica_status run_actions(struct mica_plan *plan, int64_t n)
{
    uint64_t version = derived_version(plan);
    bool fresh = plan->derived_made && plan->derived_version == version && !plan->own;
    plan->derived_made = n > 0;
    plan->derived_version = version;
    return mi_actions_walk(plan, &(struct mi_walk){.derived = !fresh, .visit = run_action, .data = &n});
}

/* Assignments that could not be made in place. */
static mica_status copy_assignments(struct mica_plan *plan, int64_t n)
{
    for (size_t a = 0; a < plan->assignment_count; a++) {
        const struct mi_assignment *assignment = &plan->assignments[a];
        struct mi_place from, to;
        if (assignment->in_place)
            continue;
        MI_TRY(mi_place_of(plan, assignment->value, n, &from));
        MI_TRY(mi_variable_place(plan, assignment->variable, false, &to));
        uint64_t each = mi_types[assignment->variable->type].bytes;
        uint64_t bytes = (uint64_t)mi_shape_count(&assignment->variable->shape, n) * each;
        struct mi_buffer source = {from.mem, from.offset * each + bytes}, target = {to.mem, to.offset * each + bytes};
        MI_TRY(mi_buffer_copy(plan->device, &source, from.offset * each, &target, to.offset * each, bytes));
    }
    return MICA_OK;
}

static bool has_state(const struct mica_plan *plan, const struct mi_variable *state)
{
    bool has = false;
    for (size_t i = 0; i < plan->state_count; i++)
        has = has || plan->states[i].variable == state;
    return has;
}

mica_status mi_state_copy(struct mica_plan *plan, struct mi_variable *state, struct mica_plan *from, int output, int64_t rows)
{
    const mi_value *value = from->graph->outputs[output];
    struct mi_place place, to;
    if (!has_state(plan, state)) /* nothing reads it */
        return MICA_OK;
    MI_TRY(mi_place_of(from, value, 0, &place));
    MI_TRY(mi_variable_place(plan, state, false, &to));
    uint64_t type = mi_types[value->type].bytes, each = (uint64_t)mi_shape_count(&value->shape, 1) * type;
    const struct mi_buffer source = {place.mem, place.offset * type + (uint64_t)rows * each};
    const struct mi_buffer target = {to.mem, (uint64_t)plan->batch * each};
    for (int64_t i = 0; i < plan->batch; i++) {
        uint64_t at = place.offset * type + (uint64_t)(i * rows / plan->batch) * each;
        MI_TRY(mi_plan_from_device(plan, mi_buffer_copy(plan->device, &source, at, &target, (uint64_t)i * each, each)));
    }
    state->version++;
    return MICA_OK;
}

static mica_status enqueue_step(struct mica_plan *plan, const struct mi_step *step)
{
    size_t slot = plan->steps++ % 2;
    MI_TRY(mi_event_wait(plan->device, &plan->in_flight[slot]));
    plan->slot[slot] = *step;
    plan->runs = step->step ? step->step - 1 : 0;
    mi_turns_settle(plan, step->n);
    MI_TRY(poison(plan));
    MI_TRY(mi_buffer_write(plan->device, &plan->step_block, 0, &plan->slot[slot], sizeof *step, NULL));
    MI_TRY(run_actions(plan, step->n));
    if (step->n > 0) {
        MI_TRY(copy_assignments(plan, step->n));
        for (size_t a = 0; a < plan->assignment_count; a++)
            plan->assignments[a].variable->version++;
    }
    MI_TRY(mi_device_marker(plan->device, 0, NULL, &plan->in_flight[slot]));
    return mi_device_flush(plan->device);
}

mica_status mi_plan_step(struct mica_plan *plan, const struct mi_step *step)
{
    MI_TRY(mi_plan_check(plan, step->n));
    MI_TRY(mi_plan_from_device(plan, enqueue_step(plan, step)));
    plan->samples += (uint64_t)step->n;
    return MICA_OK;
}

mica_status mi_plan_run_samples(struct mica_plan *plan, int64_t n)
{
    MI_TRY(mi_plan_check(plan, n));
    plan->next.n = (int32_t)n;
    if (plan->desc.rate)
        plan->next.learning_rate = plan->desc.rate(plan->desc.rate_of, plan->next.step - 1);
    MI_TRY(mi_plan_step(plan, &plan->next));
    plan->next.step += plan->desc.counts_steps && n > 0;
    return MICA_OK;
}
