/* Programs and launches: every argument and grid is set here, once. */
#include "compile/kernels/kernels.h"

#include <string.h>

/* A driver may allow this kernel smaller groups than the device in general. */
static mica_status set_grid(struct mica_plan *plan, struct mi_action *action, const struct mi_row *row, int rows, size_t largest)
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
    if (rows) {
        grid.dims = 2;
        grid.global[1] = (size_t)rows;
        grid.local[1] = 1;
    }
    for (int r = 0; r < rows; r++) {
        size_t own = row[r].code->grid.global[0];
        grid.global[0] = own > grid.global[0] ? own : grid.global[0];
    }
    mi_launch_grid(&action->launch, grid.dims, grid.global, grid.local);
    return MICA_OK;
}

static mica_status set_argument(struct mica_plan *plan, struct mi_action *action, cl_uint at, size_t bytes, const void *value)
{
    return mi_plan_from_device(plan, mi_launch_arg(plan->device, &action->launch, at, bytes, value));
}

/* The sizes of its problem that the kernel has as arguments, from *at on, which is behind them then. */
static mica_status set_sizes(struct mica_plan *plan, struct mi_action *action, cl_uint *at)
{
    const struct mi_code *code = action->code;
    for (int i = 0; i < code->sizes; i++) {
        cl_long wide = code->size[i];
        cl_int narrow = (cl_int)wide;
        bool fits = wide <= INT32_MAX;
        MI_TRY(set_argument(plan, action, (*at)++, fits ? sizeof narrow : sizeof wide, fits ? (const void *)&narrow : &wide));
    }
    return MICA_OK;
}

/* What stands behind the step block and the tensors: sizes, or a table, and what the kernel needs of local memory. */
static mica_status set_others(struct mica_plan *plan, struct mi_action *action)
{
    const struct mi_code *code = action->code;
    cl_mem table = action->table.mem;
    cl_uint at = 1 + (table ? 1 : 2) * (cl_uint)code->arguments;
    MI_TRY(set_argument(plan, action, 0, sizeof plan->step_block.mem, &plan->step_block.mem));
    MI_TRY(table ? set_argument(plan, action, at++, sizeof table, &table) : set_sizes(plan, action, &at));
    const struct mi_kernel *kernel = &plan->kernels.list[action->kernel];
    cl_uint depth = (cl_uint)mi_repeat_depth(plan->graph, mi_repeat_of(plan, kernel));
    action->turn_at = depth ? at : 0;
    at += depth;
    action->turns_at = plan->rows[kernel->repeat] ? at++ : 0;
    for (int i = 0; i < code->locals; i++)
        MI_TRY(set_argument(plan, action, at++, (size_t)code->local[i], NULL));
    return MICA_OK;
}

/* The launch or call of a code; of one for several kernels, with these rows. */
static mica_status action_add(struct mica_plan *plan, int kernel, const struct mi_code *code, const struct mi_row *row, int rows,
                              const struct mi_wanted_kernel *built)
{
    struct mi_action *action = &plan->actions[plan->action_count];
    size_t largest = 0;
    *action = (struct mi_action){.kernel = kernel, .code = code};
    if (code->source)
        MI_TRY(mi_plan_from_device(plan, mi_launch_create(plan->device, built->program, built->kernel, &action->launch, &largest)));
    plan->action_count++;
    if (code->source) {
        action->launch.name = code->name;
        if (rows)
            MI_TRY(mi_rows_write(plan, row, rows, &action->table));
        MI_TRY(set_grid(plan, action, row, rows, largest));
        MI_TRY(set_others(plan, action));
    }
    return mi_action_place(plan, action);
}

/* A kernel that has nothing to do at the largest batch is none. */
static bool is_empty(const struct mi_code *code)
{
    return code->source && code->grid.global[0] == 0;
}

/* Goes over the codes in the order of the launches. */
static mica_status for_each_code(struct mica_plan *plan, struct mi_wanted_kernel *wanted, size_t *count,
                                 mica_status (*each)(struct mica_plan *, int kernel, const struct mi_code *,
                                                     struct mi_wanted_kernel *))
{
    for (size_t at = 0; at < plan->kernels.count; at++) {
        int k = plan->order[at];
        for (int c = 0; c < plan->codes[k].count; c++) {
            const struct mi_code *code = &plan->codes[k].code[c];
            if (is_empty(code))
                continue;
            MI_TRY(each(plan, k, code, &wanted[*count]));
            *count += code->source != NULL;
        }
    }
    return MICA_OK;
}

static mica_status want(struct mica_plan *plan, int kernel, const struct mi_code *code, struct mi_wanted_kernel *wanted)
{
    (void)plan;
    (void)kernel;
    if (code->source)
        *wanted = (struct mi_wanted_kernel){.name = code->name, .source = code->source};
    return MICA_OK;
}

static mica_status launch(struct mica_plan *plan, int kernel, const struct mi_code *code, struct mi_wanted_kernel *wanted)
{
    int count = 0;
    if (!code->rows)
        return action_add(plan, kernel, code, NULL, 0, wanted);
    for (int first = 0; first < code->rows; first += count) {
        struct mi_row *row = code->row + first;
        MI_TRY(mi_rows_split(plan, row, code->rows - first, &count));
        MI_TRY(action_add(plan, row->kernel, row->code, row, count, wanted));
    }
    return MICA_OK;
}

mica_status mi_build(struct mica_plan *plan)
{
    size_t most = 0, kernels = 0, launches = 0;
    for (size_t k = 0; k < plan->kernels.count; k++)
        for (int c = 0; c < plan->codes[k].count; c++)
            most += plan->codes[k].code[c].rows ? (size_t)plan->codes[k].code[c].rows : 1;
    plan->actions = mi_arena_new(&plan->arena, most, sizeof *plan->actions);
    struct mi_wanted_kernel *wanted = mi_arena_new(&plan->arena, most + 1, sizeof *wanted);
    if (!plan->actions || !wanted)
        return mi_out_of_memory(&plan->error);
    MI_TRY(mi_plan_from_device(plan, mi_buffer_create(plan->device, sizeof(struct mi_step), &plan->step_block)));
    MI_TRY(for_each_code(plan, wanted, &kernels, want));
    mi_compiling_begin(plan->device, (int)(2 * kernels));
    MI_TRY(mi_plan_from_device(plan, mi_programs_get(plan->device, wanted, kernels)));
    return for_each_code(plan, wanted, &launches, launch);
}
