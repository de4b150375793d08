/* Running a plan's launches again, for benchmarks: without feeding, waiting or counting steps between. */
#include "compile/compile.h"

#include <stdlib.h>

enum { PROFILE_STEPS = 7 };

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

/* ---- Profiling ---- */

/* A library's call makes launches of its own, so it is timed from outside. */
static mica_status time_call(struct mica_plan *plan, struct mi_action *action, int64_t n, double *seconds)
{
    MI_TRY(mi_device_finish(plan->device));
    double began = mi_seconds();
    MI_TRY(action->code->call->run(plan->device, action->code->call, action->place, n));
    MI_TRY(mi_device_finish(plan->device));
    *seconds = mi_seconds() - began;
    return MICA_OK;
}

/* Runs a step's launches; seconds[i] of action i, 0 of those that are left out. */
static mica_status profile_step(struct mica_plan *plan, int64_t n, cl_event *event, double *seconds)
{
    mica_status status = MICA_OK;
    for (size_t i = 0; i < plan->action_count && status == MICA_OK; i++) {
        struct mi_action *action = &plan->actions[i];
        seconds[i] = 0;
        if (plan->derived[action->kernel])
            continue;
        status = action->code->source ? mi_launch_run_event(plan->device, &action->launch, &event[i])
                                      : time_call(plan, action, n, &seconds[i]);
    }
    mica_status finished = mi_device_finish(plan->device);
    status = status == MICA_OK ? finished : status;
    for (size_t i = 0; i < plan->action_count; i++) {
        if (event[i] && status == MICA_OK)
            status = mi_event_seconds(plan->device, event[i], &seconds[i]);
        mi_event_release(plan->device, &event[i]);
    }
    return status;
}

static int by_value(const void *x, const void *y)
{
    const double *a = x, *b = y;
    return *a < *b ? -1 : *a > *b;
}

static mica_status profile(struct mica_plan *plan, int64_t n, cl_event *event, double *seconds, double *by_kernel)
{
    double row[PROFILE_STEPS];
    size_t count = plan->action_count;
    for (int s = 0; s < PROFILE_STEPS; s++)
        MI_TRY(profile_step(plan, n, event, seconds + (size_t)s * count));
    for (size_t i = 0; i < count; i++) {
        for (int s = 0; s < PROFILE_STEPS; s++)
            row[s] = seconds[(size_t)s * count + i];
        qsort(row, PROFILE_STEPS, sizeof *row, by_value);
        by_kernel[plan->actions[i].kernel] += row[PROFILE_STEPS / 2];
    }
    return MICA_OK;
}

mica_status mi_plan_profile(struct mica_plan *plan, int64_t n, double *seconds)
{
    cl_command_queue own = NULL;
    MI_TRY(plan->error.status);
    cl_event *event = mi_new(plan->action_count, sizeof *event);
    double *times = mi_new(plan->action_count, PROFILE_STEPS * sizeof *times);
    for (size_t k = 0; k < plan->kernels.count; k++)
        seconds[k] = 0;
    mica_status status = event && times ? MICA_OK : mi_out_of_memory(&plan->error);
    if (status == MICA_OK)
        status = from_device(plan, mi_device_profile(plan->device, &own));
    if (own) {
        status = from_device(plan, profile(plan, n, event, times, seconds));
        mica_status back = from_device(plan, mi_device_profile(plan->device, &own));
        status = status == MICA_OK ? back : status;
    }
    free(event);
    free(times);
    return status;
}
