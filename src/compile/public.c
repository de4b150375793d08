/* The public calls on plans: values are float32, whatever the input's type. */
#include "compile/compile.h"

#include <stdlib.h>
#include <string.h>

static mica_status from_device(struct mica_plan *plan, mica_status status)
{
    return status == MICA_OK ? status : mi_error_report(&plan->error, &plan->device->error);
}

mica_status mi_plan_begin(mica_plan *plan)
{
    if (!plan)
        return MICA_INVALID_ARGUMENT;
    mi_device_begin(plan->device);
    return mi_error_report(&plan->device->error, &plan->error);
}

mica_status mi_plan_end(mica_plan *plan, mica_status status)
{
    mi_error_report(&plan->device->error, &plan->error);
    return status;
}

mica_status mi_plan_refuse(mica_plan *plan, mica_status status, const char *format, ...)
{
    struct mi_error error = {.status = status};
    va_list arguments;
    va_start(arguments, format);
    mi_vformat(error.text, sizeof error.text, format, arguments);
    va_end(arguments);
    mi_error_report(&plan->refused, &error);
    return mi_error_report(&plan->device->error, &error);
}

static void add_names(struct mi_text *text, mi_value *const *list, size_t count)
{
    enum { ENOUGH = 200 };
    for (size_t i = 0; i < count && text->size < ENOUGH; i++)
        mi_text_add(text, "%s\"%s\"", text->size ? ", " : "", list[i]->name);
}

mica_status mi_plan_refuse_name(mica_plan *plan, bool inputs, bool outputs, const char *name)
{
    const struct mi_graph *graph = plan->graph;
    const char *what = !outputs ? "input" : !inputs ? "output" : "input or output";
    struct mi_text names = {0};
    add_names(&names, graph->inputs, inputs ? graph->input_count : 0);
    add_names(&names, graph->outputs, outputs ? graph->output_count : 0);
    mica_status status = name ? mi_plan_refuse(plan, MICA_INVALID_ARGUMENT, "the plan has no %s \"%.80s\": there is %s", what,
                                               name, names.size ? names.data : "none")
                              : mi_plan_refuse(plan, MICA_INVALID_ARGUMENT, "which %s of the plan is not said: there is %s",
                                               what, names.size ? names.data : "none");
    mi_text_destroy(&names);
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

static mica_status check_indices(mica_plan *plan, int input, const float *values, size_t count, size_t each)
{
    int64_t rows = plan->index_rows[input];
    size_t at = rows ? mi_first_no_row(values, count, rows) : count;
    if (at == count)
        return MICA_OK;
    return mi_plan_refuse(plan, MICA_DATA, "input \"%s\", sample %zu: value %zu is %g, the embedding has rows 0 to %lld",
                          plan->graph->inputs[input]->name, at / each, at % each, (double)values[at], (long long)(rows - 1));
}

static mica_status write_input(mica_plan *plan, const char *name, const float *values, size_t count)
{
    int input = mi_plan_input(plan, name);
    if (input < 0)
        return mi_plan_refuse_name(plan, true, false, name);
    const mi_value *value = plan->graph->inputs[input];
    int64_t each = mi_shape_count(&value->shape, 1);
    if (value->type != MI_FLOAT && value->type != MI_INT32)
        return mi_plan_refuse(plan, MICA_UNSUPPORTED, "input \"%s\" is %s, not float32 or int32", value->name,
                              mi_types[value->type].name);
    if (each < 1 || count % (size_t)each || count / (size_t)each > (size_t)plan->batch)
        return mi_plan_refuse(plan, MICA_SHAPE, "input \"%s\": %zu values, a sample has %lld and the batch at most %lld",
                              value->name, count, (long long)each, (long long)plan->batch);
    if (!values && count)
        return mi_plan_refuse(plan, MICA_INVALID_ARGUMENT, "input \"%s\": the values are NULL", value->name);
    MI_TRY(check_indices(plan, input, values, count, (size_t)each));
    void *slot = NULL;
    cl_event *written = NULL;
    MI_TRY(staging_slot(plan, input, &slot, &written));
    convert(slot, value->type, values, count);
    return mi_plan_feed(plan, input, slot, (int64_t)(count / (size_t)each), written);
}

mica_status mica_plan_write(mica_plan *plan, const char *name, const float *values, size_t count)
{
    MI_TRY(mi_plan_begin(plan));
    return mi_plan_end(plan, write_input(plan, name, values, count));
}

mica_status mica_plan_run(mica_plan *plan, int64_t n)
{
    MI_TRY(mi_plan_begin(plan));
    return mi_plan_end(plan, mi_plan_run_samples(plan, n));
}

static mica_status read_output(mica_plan *plan, const char *name, float *values, size_t count)
{
    int output = mi_plan_output(plan, name);
    if (output < 0)
        return mi_plan_refuse_name(plan, false, true, name);
    const mi_value *value = plan->graph->outputs[output];
    int64_t each = mi_shape_count(&value->shape, 1);
    if (value->type != MI_FLOAT)
        return mi_plan_refuse(plan, MICA_UNSUPPORTED, "output \"%s\" is %s, not float32", value->name,
                              mi_types[value->type].name);
    if (each < 1 || count % (size_t)each || count / (size_t)each > (size_t)plan->batch)
        return mi_plan_refuse(plan, MICA_SHAPE, "output \"%s\": room for %zu values, a sample has %lld and the batch at most %lld",
                              value->name, count, (long long)each, (long long)plan->batch);
    if (!values && count)
        return mi_plan_refuse(plan, MICA_INVALID_ARGUMENT, "output \"%s\": the room for its values is NULL", value->name);
    struct mi_error fault = {0};
    MI_TRY(mi_plan_fetch(plan, output, values, (int64_t)(count / (size_t)each)));
    mica_status status = mi_store_faults(plan->store, &fault);
    return fault.status == MICA_OK ? status : mi_plan_refuse(plan, status, "%s", fault.text);
}

mica_status mica_plan_read(mica_plan *plan, const char *name, float *values, size_t count)
{
    MI_TRY(mi_plan_begin(plan));
    return mi_plan_end(plan, read_output(plan, name, values, count));
}
