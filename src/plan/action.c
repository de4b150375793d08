/* Actions, the launches and calls of a step: where their tensors lie, and the one walk over them. */
#include "plan/inside.h"

mica_status mi_place_of(struct mica_plan *plan, const mi_value *from, struct mi_place *place)
{
    mi_value *value = mi_canonical(plan, plan->graph->values[from->id]);
    const struct mi_home *home = &plan->homes[value->id];
    if (plan->bound && plan->bound[value->id].buffer.mem) {
        place->mem = plan->bound[value->id].buffer.mem;
        place->offset = plan->bound[value->id].offset / mi_types[value->type].bytes;
        return MICA_OK;
    }
    if (home->variable) {
        mica_status status = mi_store_place_of(plan->store, home->variable, home->gradient, place);
        return status == MICA_OK ? status : mi_error_report(&plan->error, &plan->device->error);
    }
    bool own = plan->own && plan->own[value->id].mem;
    place->mem = own ? plan->own[value->id].mem : plan->blocks[home->block].mem;
    place->offset = own ? 0 : home->offset / mi_types[value->type].bytes;
    return MICA_OK;
}

static mica_status argument_place(struct mica_plan *plan, int kernel, const struct mi_argument *argument,
                                  struct mi_place *place)
{
    if (argument->value)
        return mi_place_of(plan, argument->value, place);
    const struct mi_home *home = &plan->scratch[kernel][argument->scratch];
    place->mem = plan->blocks[home->block].mem;
    place->offset = home->offset / sizeof(float);
    return MICA_OK;
}

/* Sets the places of an action's tensors: at first, and again when an application binds a buffer of its own. */
mica_status mi_action_place(struct mica_plan *plan, struct mi_action *action)
{
    for (int i = 0; i < action->code->arguments; i++) {
        struct mi_place *place = &action->place[i];
        MI_TRY(argument_place(plan, action->kernel, &action->code->argument[i], place));
        if (!action->code->source)
            continue;
        cl_uint at = 1 + (action->table.mem ? 1 : 2) * (cl_uint)i;
        MI_TRY(mi_plan_from_device(plan, mi_launch_arg(plan->device, &action->launch, at, sizeof place->mem, &place->mem)));
        if (action->table.mem)
            continue;
        cl_ulong offset = place->offset;
        MI_TRY(mi_plan_from_device(plan, mi_launch_arg(plan->device, &action->launch, at + 1, sizeof offset, &offset)));
    }
    return MICA_OK;
}

mica_status mi_action_run(mica_plan *plan, struct mi_action *action, int64_t n)
{
    if (action->code->source)
        return mi_launch_run(plan->device, &action->launch);
    return n > 0 ? action->code->call->run(plan->device, action->code->call, action->place, n) : MICA_OK;
}

static bool is_visited(const mica_plan *plan, const struct mi_walk *walk, const struct mi_action *action)
{
    bool contraction = plan->kernels.list[action->kernel].choice.engine != NULL;
    return (walk->derived || !plan->derived[action->kernel]) && (!walk->contractions || contraction);
}

mica_status mi_actions_walk(mica_plan *plan, const struct mi_walk *walk)
{
    for (size_t i = 0; i < plan->action_count; i++)
        if (is_visited(plan, walk, &plan->actions[i]))
            MI_TRY(walk->visit(plan, &plan->actions[i], walk->data));
    return MICA_OK;
}

int mi_actions_count(const mica_plan *plan, const struct mi_walk *walk)
{
    int count = 0;
    for (size_t i = 0; i < plan->action_count; i++)
        count += is_visited(plan, walk, &plan->actions[i]);
    return count;
}
