/* Running a plan's launches again, for benchmarks: without feeding, waiting or counting steps between. */
#include "compile/compile.h"

static mica_status from_device(struct mica_plan *plan, mica_status status)
{
    return status == MICA_OK ? status : mi_error_report(&plan->error, &plan->device->error);
}

static bool is_contraction(const struct mica_plan *plan, const struct mi_action *action)
{
    return plan->kernels.list[action->kernel].choice.engine != NULL;
}

static mica_status run_again(struct mica_plan *plan, int64_t n, bool contractions)
{
    for (size_t i = 0; i < plan->action_count; i++) {
        struct mi_action *action = &plan->actions[i];
        if (plan->derived[action->kernel] || (contractions && !is_contraction(plan, action)))
            continue;
        if (action->code->source)
            MI_TRY(mi_launch_run(plan->device, &action->launch));
        else
            MI_TRY(action->code->call->run(plan->device, action->code->call, action->place, n));
    }
    return MICA_OK;
}

mica_status mi_plan_repeat(struct mica_plan *plan, int64_t n, bool contractions, int times)
{
    MI_TRY(plan->error.status);
    for (int i = 0; i < times; i++)
        MI_TRY(from_device(plan, run_again(plan, n, contractions)));
    return from_device(plan, mi_device_finish(plan->device));
}

int mi_plan_repeated(const struct mica_plan *plan, bool contractions)
{
    int count = 0;
    for (size_t i = 0; i < plan->action_count; i++)
        count += !plan->derived[plan->actions[i].kernel] && (!contractions || is_contraction(plan, &plan->actions[i]));
    return count;
}

const char *mi_plan_engine(const struct mica_plan *plan)
{
    const char *name = NULL;
    for (size_t k = 0; k < plan->kernels.count; k++) {
        const struct mi_engine *engine = plan->kernels.list[k].choice.engine;
        if (engine && name && name != engine->name)
            return NULL;
        if (engine)
            name = engine->name;
    }
    return name;
}
