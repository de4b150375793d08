/* Programs and launches: every argument and grid is set here, once. */
#include "compile/compile.h"

#include <string.h>

static mica_status from_device(struct mica_plan *plan, mica_status status)
{
    return status == MICA_OK ? status : mi_error_report(&plan->error, &plan->device->error);
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
        cl_uint at = 1 + 2 * (cl_uint)i;
        MI_TRY(from_device(plan, mi_launch_arg(plan->device, &action->launch, at, sizeof place->mem, &place->mem)));
        cl_ulong offset = place->offset;
        MI_TRY(from_device(plan, mi_launch_arg(plan->device, &action->launch, at + 1, sizeof offset, &offset)));
    }
    return MICA_OK;
}

/* A driver may allow this kernel smaller groups than the device in general. */
static mica_status set_grid(struct mica_plan *plan, struct mi_action *action, size_t largest)
{
    struct mi_grid grid = action->code->grid;
    size_t group = 1;
    if (!grid.fixed && grid.dims == 1 && grid.local[0] > largest)
        grid.local[0] = largest;
    for (unsigned d = 0; d < grid.dims; d++)
        group *= grid.local[d];
    if (group > largest)
        return mi_fail(&plan->error, MICA_UNSUPPORTED, "kernel %s: a work-group of %zu, the device allows %zu",
                       action->code->name, group, largest);
    mi_launch_grid(&action->launch, grid.dims, grid.global, grid.local);
    return MICA_OK;
}

static mica_status action_add(struct mica_plan *plan, int kernel, const struct mi_code *code)
{
    struct mi_action *action = &plan->actions[plan->action_count];
    size_t largest = 0;
    *action = (struct mi_action){.kernel = kernel, .code = code};
    if (code->source) {
        cl_program program;
        if (code->grid.global[0] == 0)
            return MICA_OK;
        MI_TRY(from_device(plan, mi_program_get(plan->device, code->name, code->source, &program)));
        MI_TRY(from_device(plan, mi_launch_create(plan->device, program, code->name, &action->launch, &largest)));
        plan->action_count++;
        MI_TRY(set_grid(plan, action, largest));
        MI_TRY(from_device(plan, mi_launch_arg(plan->device, &action->launch, 0, sizeof plan->step_block.mem,
                                               &plan->step_block.mem)));
    } else
        plan->action_count++;
    return mi_action_place(plan, action);
}

mica_status mi_build(struct mica_plan *plan)
{
    size_t most = 0;
    for (size_t k = 0; k < plan->kernels.count; k++)
        most += (size_t)plan->codes[k].count;
    plan->actions = mi_arena_new(&plan->arena, most, sizeof *plan->actions);
    if (!plan->actions)
        return mi_out_of_memory(&plan->error);
    MI_TRY(from_device(plan, mi_buffer_create(plan->device, sizeof(struct mi_step), &plan->step_block)));
    /* Updates run last: each waits for its readers only, and together they are one launch a block. */
    for (int updates = 0; updates < 2; updates++)
        for (size_t at = 0; at < plan->kernels.count; at++) {
            int k = plan->order[at];
            if (plan->kernels.list[k].update != (updates == 1))
                continue;
            for (int c = 0; c < plan->codes[k].count; c++)
                MI_TRY(action_add(plan, k, &plan->codes[k].code[c]));
        }
    return MICA_OK;
}
