/* The public calls on plans: values are float32, whatever the input's type. */
#include "compile/compile.h"

#include <stdlib.h>
#include <string.h>

static mica_status from_device(struct mica_plan *plan, mica_status status)
{
    return status == MICA_OK ? status : mi_error_report(&plan->error, &plan->device->error);
}

static mica_status report(mica_plan *plan, mica_status status)
{
    mi_error_report(&plan->device->error, &plan->error);
    return status;
}

/* ---- Staging ---- */

void mi_staging_destroy(struct mica_plan *plan)
{
    for (size_t i = 0; plan->staging && i < plan->graph->input_count; i++)
        for (int s = 0; s < 2; s++) {
            mi_event_release(plan->device, &plan->staging[i].written[s]);
            free(plan->staging[i].slot[s]);
        }
}

/* A slot of an input's staging that the device has read. */
static mica_status staging_slot(mica_plan *plan, int input, void **slot, cl_event **written)
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
    MI_TRY(from_device(plan, mi_event_wait(plan->device, &staging->written[which])));
    *slot = staging->slot[which];
    *written = &staging->written[which];
    return MICA_OK;
}

static void convert(void *slot, enum mi_type type, const float *values, size_t count)
{
    if (type == MI_FLOAT) {
        memcpy(slot, values, count * sizeof *values);
        return;
    }
    int32_t *whole = slot;
    for (size_t i = 0; i < count; i++)
        whole[i] = (int32_t)values[i];
}

/* ---- Write, run, read ---- */

static mica_status write_input(mica_plan *plan, const char *name, const float *values, size_t count)
{
    MI_TRY(plan->error.status);
    int input = mi_plan_input(plan, name);
    if (input < 0)
        return mi_fail(&plan->error, MICA_INVALID_ARGUMENT, "the plan has no input \"%s\"", name ? name : "(unnamed)");
    const mi_value *value = plan->graph->inputs[input];
    int64_t each = mi_shape_count(&value->shape, 1);
    if (value->type != MI_FLOAT && value->type != MI_INT32)
        return mi_fail(&plan->error, MICA_UNSUPPORTED, "input \"%s\" is %s, not float32 or int32", value->name,
                       mi_types[value->type].name);
    if (each < 1 || count % (size_t)each || count / (size_t)each > (size_t)plan->batch)
        return mi_fail(&plan->error, MICA_SHAPE, "input \"%s\": %zu values, a sample has %lld and the batch at most %lld",
                       value->name, count, (long long)each, (long long)plan->batch);
    void *slot = NULL;
    cl_event *written = NULL;
    MI_TRY(staging_slot(plan, input, &slot, &written));
    convert(slot, value->type, values, count);
    return mi_plan_feed(plan, input, slot, (int64_t)(count / (size_t)each), written);
}

mica_status mica_plan_write(mica_plan *plan, const char *name, const float *values, size_t count)
{
    return report(plan, write_input(plan, name, values, count));
}

mica_status mica_plan_run(mica_plan *plan, int64_t n)
{
    struct mi_step step = {.n = n >= 0 && n <= plan->batch ? (int32_t)n : -1, .step = 1};
    return report(plan, mi_plan_step(plan, &step));
}

static mica_status read_output(mica_plan *plan, const char *name, float *values, size_t count)
{
    MI_TRY(plan->error.status);
    int output = mi_plan_output(plan, name);
    if (output < 0)
        return mi_fail(&plan->error, MICA_INVALID_ARGUMENT, "the plan has no output \"%s\"", name ? name : "(unnamed)");
    const mi_value *value = plan->graph->outputs[output];
    int64_t each = mi_shape_count(&value->shape, 1);
    if (value->type != MI_FLOAT)
        return mi_fail(&plan->error, MICA_UNSUPPORTED, "output \"%s\" is %s, not float32", value->name,
                       mi_types[value->type].name);
    if (each < 1 || count % (size_t)each)
        return mi_fail(&plan->error, MICA_SHAPE, "output \"%s\": room for %zu values, a sample has %lld", value->name, count,
                       (long long)each);
    return mi_plan_fetch(plan, output, values, (int64_t)(count / (size_t)each));
}

mica_status mica_plan_read(mica_plan *plan, const char *name, float *values, size_t count)
{
    return report(plan, read_output(plan, name, values, count));
}
