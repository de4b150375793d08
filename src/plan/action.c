/* Actions, the launches and calls of a step: where their tensors lie, and the one walk over them. */
#include "plan/inside.h"

/* Where a part begins in the value that it lies within, in elements. */
static uint64_t part_offset(const struct mica_plan *plan, const struct mi_part *part, int64_t n)
{
    const struct mi_shape *shape = &part->of->shape;
    int64_t parts = shape->dim[0].b, runs = part->runs ? (int64_t)(plan->runs % (uint64_t)parts) : 0;
    int64_t turn = part->repeat ? plan->turn[part->repeat] : 0, until = part->until ? plan->turns[part->until].run : 0;
    int64_t which = (part->shift + turn + runs + until) % parts;
    return (uint64_t)(which * (mi_shape_count(shape, n) / parts));
}

mica_status mi_place_of(struct mica_plan *plan, const mi_value *from, int64_t n, struct mi_place *place)
{
    mi_value *value = mi_canonical(plan, plan->graph->values[from->id]);
    const struct mi_part *part = &plan->tensors[value->id].part;
    if (part->of) {
        MI_TRY(mi_place_of(plan, part->of, n, place));
        place->offset += part_offset(plan, part, n);
        return MICA_OK;
    }
    const struct mi_home *home = &plan->homes[value->id];
    if (plan->bound && plan->bound[value->id].buffer.mem) {
        place->mem = plan->bound[value->id].buffer.mem;
        place->offset = plan->bound[value->id].offset / mi_types[value->type].bytes;
        return MICA_OK;
    }
    if (home->variable)
        return mi_variable_place(plan, home->variable, home->gradient, place);
    bool own = plan->own && plan->own[value->id].mem;
    place->mem = own ? plan->own[value->id].mem : plan->blocks[home->block].mem;
    place->offset = own ? 0 : home->offset / mi_types[value->type].bytes;
    return MICA_OK;
}

static mica_status argument_place(struct mica_plan *plan, const struct mi_action *action, const struct mi_argument *argument,
                                  int64_t n, struct mi_place *place)
{
    if (argument->value)
        return mi_place_of(plan, argument->value, n, place);
    const struct mi_home *home = &plan->scratch[action->kernel][argument->scratch];
    place->mem = plan->blocks[home->block].mem;
    place->offset = home->offset / sizeof(float);
    return MICA_OK;
}

static mica_status set_offset(struct mica_plan *plan, struct mi_action *action, int argument)
{
    cl_ulong offset = action->place[argument].offset;
    cl_uint at = 2 + 2 * (cl_uint)argument;
    return mi_plan_from_device(plan, mi_launch_arg(plan->device, &action->launch, at, sizeof offset, &offset));
}

/* Sets the places of an action's tensors: at first, and again when an application binds a buffer of its own. */
mica_status mi_action_place(struct mica_plan *plan, struct mi_action *action)
{
    for (int i = 0; i < action->code->arguments; i++) {
        const struct mi_argument *argument = &action->code->argument[i];
        struct mi_place *place = &action->place[i];
        MI_TRY(argument_place(plan, action, argument, 0, place));
        action->moves = action->moves || (argument->value && plan->tensors[mi_canonical(plan, argument->value)->id].part.of);
        if (!action->code->source)
            continue;
        cl_uint at = 1 + (action->table.mem ? 1 : 2) * (cl_uint)i;
        MI_TRY(mi_plan_from_device(plan, mi_launch_arg(plan->device, &action->launch, at, sizeof place->mem, &place->mem)));
        if (!action->table.mem)
            MI_TRY(set_offset(plan, action, i));
    }
    return MICA_OK;
}

static mica_status set_number(struct mica_plan *plan, struct mi_action *action, cl_uint at, int64_t number)
{
    cl_int narrow = (cl_int)number;
    return mi_plan_from_device(plan, mi_launch_arg(plan->device, &action->launch, at, sizeof narrow, &narrow));
}

/* Sets what depends on the turn, on how many there are, and on n. */
static mica_status move(struct mica_plan *plan, struct mi_action *action, int64_t n)
{
    for (int i = 0; i < action->code->arguments && action->moves; i++) {
        uint64_t before = action->place[i].offset;
        MI_TRY(argument_place(plan, action, &action->code->argument[i], n, &action->place[i]));
        if (action->code->source && action->place[i].offset != before)
            MI_TRY(set_offset(plan, action, i));
    }
    const struct mi_kernel *kernel = &plan->kernels.list[action->kernel];
    int repeat = action->turn_at ? mi_repeat_of(plan, kernel) : 0;
    for (int depth = mi_repeat_depth(plan->graph, repeat); depth > 0; depth--, repeat = plan->graph->repeats[repeat].outer)
        MI_TRY(set_number(plan, action, action->turn_at + (cl_uint)depth - 1, plan->turn[repeat]));
    return action->turns_at ? set_number(plan, action, action->turns_at, plan->turns[kernel->repeat].run) : MICA_OK;
}

mica_status mi_action_run(mica_plan *plan, struct mi_action *action, int64_t n)
{
    MI_TRY(move(plan, action, n));
    if (action->code->source)
        return mi_launch_run(plan->device, &action->launch);
    return n > 0 ? action->code->call->run(plan->device, action->code->call, action->place, n) : MICA_OK;
}

static bool is_visited(const mica_plan *plan, const struct mi_walk *walk, const struct mi_action *action)
{
    bool contraction = plan->kernels.list[action->kernel].choice.engine != NULL;
    return (walk->derived || !plan->derived[action->kernel]) && (!walk->contractions || contraction);
}

static int repeat_of(const mica_plan *plan, size_t action)
{
    return mi_repeat_of(plan, &plan->kernels.list[plan->actions[action].kernel]);
}

/* The actions from `first` up to `end` that run once in a turn of the repeat; what runs within its turns does so as often. */
static mica_status walk_turn(mica_plan *plan, const struct mi_walk *walk, size_t first, size_t end, int repeat)
{
    const struct mi_graph *graph = plan->graph;
    for (size_t i = first, behind; i < end; i = behind) {
        int inner = repeat_of(plan, i);
        behind = i + 1;
        if (inner == repeat) {
            if (is_visited(plan, walk, &plan->actions[i]))
                MI_TRY(walk->visit(plan, &plan->actions[i], walk->data));
            continue;
        }
        while (graph->repeats[inner].outer != repeat)
            inner = graph->repeats[inner].outer;
        while (behind < end && mi_repeat_within(graph, repeat_of(plan, behind), inner))
            behind++;
        int64_t all = plan->turns[inner].run;
        for (int64_t t = 0; t < (walk->once ? 1 : all); t++) {
            plan->turn[inner] = graph->repeats[inner].backwards ? (walk->once ? 0 : all - 1 - t) : t;
            MI_TRY(walk_turn(plan, walk, i, behind, inner));
        }
    }
    return MICA_OK;
}

mica_status mi_actions_walk(mica_plan *plan, const struct mi_walk *walk)
{
    return walk_turn(plan, walk, 0, plan->action_count, 0);
}

int mi_actions_count(const mica_plan *plan, const struct mi_walk *walk)
{
    int64_t count = 0;
    for (size_t i = 0; i < plan->action_count; i++) {
        int64_t turns = walk->once ? 1 : mi_launches_of(plan, &plan->kernels.list[plan->actions[i].kernel]);
        count += is_visited(plan, walk, &plan->actions[i]) ? turns : 0;
    }
    return (int)(count < INT32_MAX ? count : INT32_MAX);
}
