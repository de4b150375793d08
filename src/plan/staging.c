/* Host memory that inputs are copied through. */
#include "plan/inside.h"

#include <stdlib.h>

void mi_staging_destroy(struct mica_plan *plan)
{
    for (size_t i = 0; plan->staging && i < plan->graph->input_count; i++)
        for (int s = 0; s < 2; s++) {
            mi_event_release(plan->device, &plan->staging[i].written[s]);
            free(plan->staging[i].slot[s]);
        }
}

mica_status mi_staging_slot(mica_plan *plan, int input, void **slot, cl_event **written)
{
    if (!plan->staging) {
        plan->staging = mi_arena_new(&plan->arena, plan->graph->input_count, sizeof *plan->staging);
        if (!plan->staging)
            return mi_out_of_memory(&plan->error);
    }
    struct mi_staging *staging = &plan->staging[input];
    unsigned which = staging->next++ % 2;
    const mi_value *value = plan->graph->inputs[input];
    if (!staging->slot[which])
        staging->slot[which] = mi_new((size_t)mi_shape_count(&value->shape, plan->batch), mi_types[value->type].bytes);
    if (!staging->slot[which])
        return mi_out_of_memory(&plan->error);
    MI_TRY(mi_plan_from_device(plan, mi_event_wait(plan->device, &staging->written[which])));
    *slot = staging->slot[which];
    *written = &staging->written[which];
    return MICA_OK;
}
