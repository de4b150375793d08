#include "support/gather.h"

#include "plan/inside.h"

#include <stdlib.h>
#include <string.h>

/* The first call comes before anything is built. */
static bool stop(void *user, const mica_compile_progress *now)
{
    (void)user;
    (void)now;
    return false;
}

struct mi_compiling gather_from(mica_device *device)
{
    struct mi_compiling told = device->compiling;
    if (told.call == stop) /* of a test that failed before it built */
        told = (struct mi_compiling){0};
    mica_device_on_compile(device, stop, NULL);
    return told;
}

static void add(struct gathering *gathering, const struct mi_code *code)
{
    assert_true(mi_grow(&gathering->list, &gathering->capacity, gathering->count + 1, sizeof *gathering->list));
    struct mi_wanted_kernel *kernel = &gathering->list[gathering->count++];
    *kernel = (struct mi_wanted_kernel){.name = mi_strdup(code->name), .source = mi_strdup(code->source)};
    assert_true(kernel->name && kernel->source);
}

void gather_plan(struct gathering *gathering, const mica_plan *plan)
{
    /* Without kernels of its own a plan is compiled already; one that fails otherwise fails again where it is to run. */
    bool stopped = plan && mica_plan_status(plan) == MICA_CANCELLED;
    assert_non_null(plan);
    for (size_t k = 0; stopped && k < plan->kernels.count; k++)
        for (int c = 0; c < plan->codes[k].count; c++)
            if (plan->codes[k].code[c].source && plan->codes[k].code[c].grid.global[0])
                add(gathering, &plan->codes[k].code[c]);
    mica_device_clear_error(plan->device);
}

void gather_build(const struct gathering *gathering, mica_device *device, struct mi_compiling told)
{
    device->compiling = (struct mi_compiling){0};
    if (gathering->count)
        mi_programs_get(device, gathering->list, gathering->count);
    mica_device_clear_error(device);
    device->compiling = told;
}

void gather_end(struct gathering *gathering)
{
    for (size_t i = 0; i < gathering->count; i++) {
        free((char *)(uintptr_t)gathering->list[i].name);
        free((char *)(uintptr_t)gathering->list[i].source);
    }
    free(gathering->list);
    *gathering = (struct gathering){0};
}
