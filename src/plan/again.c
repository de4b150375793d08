/* Running a plan's launches again, for benchmarks: without feeding, waiting or counting steps between. */
#include "plan/inside.h"

#include <stdlib.h>

enum { PROFILE_STEPS = 7 };

static mica_status run_again(mica_plan *plan, struct mi_action *action, void *n)
{
    return mi_action_run(plan, action, *(const int64_t *)n);
}

mica_status mi_plan_repeat(struct mica_plan *plan, int64_t n, bool contractions, int times)
{
    const struct mi_walk walk = {.contractions = contractions, .visit = run_again, .data = &n};
    MI_TRY(plan->error.status);
    for (int i = 0; i < times; i++)
        MI_TRY(mi_plan_from_device(plan, mi_actions_walk(plan, &walk)));
    return mi_plan_from_device(plan, mi_device_finish(plan->device));
}

int mi_plan_repeated(const struct mica_plan *plan, bool contractions)
{
    return mi_actions_count(plan, &(struct mi_walk){.contractions = contractions});
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

/* One step's times, by action; 0 of those that are left out. */
struct profile {
    int64_t n;
    cl_event *event;
    double *seconds;
};

/* A library's call makes launches of its own, so it is timed from outside. */
static mica_status time_call(struct mica_plan *plan, struct mi_action *action, int64_t n, double *seconds)
{
    MI_TRY(mi_device_finish(plan->device));
    double began = mi_seconds();
    MI_TRY(mi_action_run(plan, action, n));
    MI_TRY(mi_device_finish(plan->device));
    *seconds = mi_seconds() - began;
    return MICA_OK;
}

static mica_status time_action(mica_plan *plan, struct mi_action *action, void *data)
{
    const struct profile *profile = data;
    size_t i = (size_t)(action - plan->actions);
    return action->code->source ? mi_launch_run_event(plan->device, &action->launch, &profile->event[i])
                                : time_call(plan, action, profile->n, &profile->seconds[i]);
}

static mica_status profile_step(struct mica_plan *plan, struct profile *profile)
{
    mica_status status = mi_actions_walk(plan, &(struct mi_walk){.once = true, .visit = time_action, .data = profile});
    mica_status finished = mi_device_finish(plan->device);
    status = status == MICA_OK ? finished : status;
    for (size_t i = 0; i < plan->action_count; i++) {
        if (profile->event[i] && status == MICA_OK)
            status = mi_event_seconds(plan->device, profile->event[i], &profile->seconds[i]);
        mi_event_release(plan->device, &profile->event[i]);
    }
    return status;
}

static int by_value(const void *x, const void *y)
{
    const double *a = x, *b = y;
    return *a < *b ? -1 : *a > *b;
}

static mica_status profile_kernels(struct mica_plan *plan, int64_t n, cl_event *event, double *seconds, double *by_kernel)
{
    double row[PROFILE_STEPS];
    size_t count = plan->action_count;
    for (int s = 0; s < PROFILE_STEPS; s++)
        MI_TRY(profile_step(plan, &(struct profile){n, event, seconds + (size_t)s * count}));
    for (size_t i = 0; i < count; i++) {
        for (int s = 0; s < PROFILE_STEPS; s++)
            row[s] = seconds[(size_t)s * count + i];
        qsort(row, PROFILE_STEPS, sizeof *row, by_value);
        const struct mi_kernel *kernel = &plan->kernels.list[plan->actions[i].kernel];
        by_kernel[plan->actions[i].kernel] += (double)mi_launches_of(plan, kernel) * row[PROFILE_STEPS / 2];
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
        status = mi_plan_from_device(plan, mi_device_profile(plan->device, &own));
    if (own) {
        status = mi_plan_from_device(plan, profile_kernels(plan, n, event, times, seconds));
        mica_status back = mi_plan_from_device(plan, mi_device_profile(plan->device, &own));
        status = status == MICA_OK ? back : status;
    }
    free(event);
    free(times);
    return status;
}
