/* The public calls on plans: values are float32, whatever the input's type. */
#include "plan/inside.h"

#include <stdlib.h>
#include <string.h>

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
    MI_TRY(mi_staging_slot(plan, input, &slot, &written));
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

mica_status mica_plan_set(mica_plan *plan, const char *key, double value)
{
    MI_TRY(mi_plan_begin(plan));
    bool rate = key && strcmp(key, "learning_rate") == 0, steps = key && strcmp(key, "steps") == 0;
    if (!rate && !steps)
        return mi_plan_refuse(plan, MICA_INVALID_ARGUMENT, "a plan has no \"%s\" to set: there is \"learning_rate\" and \"steps\"",
                              key ? mi_show(key).text : "(null)");
    if (!plan->desc.counts_steps)
        return mi_plan_refuse(plan, MICA_INVALID_ARGUMENT, "the plan does not train: it has no %s",
                              rate ? "learning rate" : "steps");
    if (!(value >= 0 && value <= (rate ? 1e30 : 9007199254740992.0)))
        return mi_plan_refuse(plan, MICA_INVALID_ARGUMENT, "%s is %g, it must be at least 0", key, value);
    if (rate)
        plan->next.learning_rate = (float)value;
    else
        plan->next.step = (uint64_t)value + 1;
    return MICA_OK;
}

/* Of how many samples an output has so many elements; -1: of no number that a step can have. Most grow by as many with each. */
static int64_t samples_of(const mica_plan *plan, const struct mi_shape *shape, size_t count)
{
    int64_t each = mi_shape_count(shape, 1), n = each > 0 ? (int64_t)(count / (size_t)each) : plan->batch;
    if (n <= plan->batch && mi_shape_count(shape, n) == (int64_t)count)
        return n;
    for (n = plan->batch; n >= 0 && mi_shape_count(shape, n) != (int64_t)count; n--) {}
    return n;
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
    int64_t n = samples_of(plan, &value->shape, count);
    if (n < 0)
        return mi_plan_refuse(plan, MICA_SHAPE, "output \"%s\": room for %zu values, a sample has %lld and the batch at most %lld",
                              value->name, count, (long long)each, (long long)plan->batch);
    if (!values && count)
        return mi_plan_refuse(plan, MICA_INVALID_ARGUMENT, "output \"%s\": the room for its values is NULL", value->name);
    struct mi_error fault = {0};
    MI_TRY(mi_plan_fetch(plan, output, values, n));
    mica_status status = mi_store_faults(plan->store, &fault);
    return fault.status == MICA_OK ? status : mi_plan_refuse(plan, status, "%s", fault.text);
}

mica_status mica_plan_read(mica_plan *plan, const char *name, float *values, size_t count)
{
    MI_TRY(mi_plan_begin(plan));
    return mi_plan_end(plan, read_output(plan, name, values, count));
}
