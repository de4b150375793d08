/* The public calls on plans: values go in and out as floats, or as elements of the tensor's own type. */
#include "plan/inside.h"

#include <stdlib.h>
#include <string.h>

static mica_status check_indices(mica_plan *plan, int input, enum mi_type type, const void *elements, size_t count, size_t each)
{
    int64_t rows = plan->index_rows[input];
    size_t at = rows ? mi_first_no_row(type, elements, count, rows) : count;
    if (at == count)
        return MICA_OK;
    return mi_plan_refuse(plan, MICA_DATA, "input \"%s\", sample %zu: value %zu is %g, the network takes whole numbers from 0 to "
                          "%lld there", plan->graph->inputs[input]->name, at / each, at % each, mi_element(type, elements, at),
                          (long long)(rows - 1));
}

/* Floats for an input of another type: they must be elements of it. */
static mica_status check_numbers(mica_plan *plan, const mi_value *value, const float *numbers, size_t count, size_t each)
{
    if (mi_types[value->type].kind == 'f')
        return MICA_OK;
    for (size_t i = 0; i < count; i++)
        if (!mi_type_holds(value->type, (double)numbers[i]))
            return mi_plan_refuse(plan, MICA_DATA, "input \"%s\", sample %zu: value %zu is %g, which is no %s", value->name,
                                  i / each, i % each, (double)numbers[i], mi_types[value->type].name);
    return MICA_OK;
}

/* type: of the elements; they are the input's own, or floats. */
static mica_status write_input(mica_plan *plan, const char *name, enum mi_type type, const void *elements, size_t count)
{
    int input = mi_plan_input(plan, name);
    if (input < 0)
        return mi_plan_refuse_name(plan, true, false, name);
    const mi_value *value = plan->graph->inputs[input];
    int64_t each = mi_shape_count(&value->shape, 1);
    if (each < 1 || count % (size_t)each || count / (size_t)each > (size_t)plan->batch)
        return mi_plan_refuse(plan, MICA_SHAPE, "input \"%s\": %zu values, a sample has %lld and the batch at most %lld",
                              value->name, count, (long long)each, (long long)plan->batch);
    if (!elements && count)
        return mi_plan_refuse(plan, MICA_INVALID_ARGUMENT, "input \"%s\": the values are NULL", value->name);
    MI_TRY(check_indices(plan, input, type, elements, count, (size_t)each));
    if (type != value->type)
        MI_TRY(check_numbers(plan, value, elements, count, (size_t)each));
    void *slot = NULL;
    cl_event *written = NULL;
    MI_TRY(mi_staging_slot(plan, input, &slot, &written));
    if (type != value->type)
        mi_elements_from_floats(value->type, elements, count, slot);
    else if (count)
        memcpy(slot, elements, count * mi_types[type].bytes);
    return mi_plan_feed(plan, input, slot, (int64_t)(count / (size_t)each), written);
}

mica_status mica_plan_write(mica_plan *plan, const char *name, const float *values, size_t count)
{
    MI_TRY(mi_plan_begin(plan));
    return mi_plan_end(plan, write_input(plan, name, MI_FLOAT, values, count));
}

/* The type that a caller names must be the tensor's: elements are copied as they are. */
static mica_status check_type(mica_plan *plan, const char *kind, const mi_value *value, mica_type type)
{
    if ((int)type == (int)value->type)
        return MICA_OK;
    const char *name = mica_type_name(type);
    return mi_plan_refuse(plan, MICA_INVALID_ARGUMENT, "%s \"%s\" is %s, not %s", kind, value->name, mi_types[value->type].name,
                          name ? name : "a type that there is not");
}

static mica_status write_elements(mica_plan *plan, const char *name, mica_type type, const void *elements, size_t count)
{
    int input = mi_plan_input(plan, name);
    if (input >= 0)
        MI_TRY(check_type(plan, "input", plan->graph->inputs[input], type));
    return write_input(plan, name, (enum mi_type)type, elements, count);
}

mica_status mica_plan_write_elements(mica_plan *plan, const char *name, mica_type type, const void *elements, size_t count)
{
    MI_TRY(mi_plan_begin(plan));
    return mi_plan_end(plan, write_elements(plan, name, type, elements, count));
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
    if (rate) {
        plan->next.learning_rate = (float)value;
        plan->desc.rate = NULL;
    } else
        plan->next.step = (uint64_t)value + 1;
    return MICA_OK;
}

mica_status mica_plan_reset_states(mica_plan *plan)
{
    MI_TRY(mi_plan_begin(plan));
    return mi_plan_end(plan, mi_states_reset(plan));
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

/* Fetches and tells what went wrong on the device since. */
static mica_status fetch(mica_plan *plan, int output, void *elements, int64_t n)
{
    struct mi_error fault = {0};
    MI_TRY(mi_plan_fetch(plan, output, elements, n));
    mica_status status = mi_store_faults(plan->store, &fault);
    return fault.status == MICA_OK ? status : mi_plan_refuse(plan, status, "%s", fault.text);
}

/* The output of a name, and of how many samples it has `count` elements. */
static mica_status find_output(mica_plan *plan, const char *name, const void *room, size_t count, int *output, int64_t *n)
{
    *output = mi_plan_output(plan, name);
    if (*output < 0)
        return mi_plan_refuse_name(plan, false, true, name);
    const mi_value *value = plan->graph->outputs[*output];
    *n = samples_of(plan, &value->shape, count);
    if (*n < 0)
        return mi_plan_refuse(plan, MICA_SHAPE, "output \"%s\": room for %zu values, a sample has %lld and the batch at most %lld",
                              value->name, count, (long long)mi_shape_count(&value->shape, 1), (long long)plan->batch);
    if (!room && count)
        return mi_plan_refuse(plan, MICA_INVALID_ARGUMENT, "output \"%s\": the room for its values is NULL", value->name);
    return MICA_OK;
}

static mica_status read_output(mica_plan *plan, const char *name, float *values, size_t count)
{
    int output;
    int64_t n;
    MI_TRY(find_output(plan, name, values, count, &output, &n));
    enum mi_type type = plan->graph->outputs[output]->type;
    if (type == MI_FLOAT)
        return fetch(plan, output, values, n);
    void *elements = mi_new(count, mi_types[type].bytes);
    if (!elements)
        return mi_plan_refuse(plan, MICA_OUT_OF_MEMORY, "%s", mica_status_text(MICA_OUT_OF_MEMORY));
    mica_status status = fetch(plan, output, elements, n);
    if (status == MICA_OK)
        mi_elements_to_floats(type, elements, count, values);
    free(elements);
    return status;
}

mica_status mica_plan_read(mica_plan *plan, const char *name, float *values, size_t count)
{
    MI_TRY(mi_plan_begin(plan));
    return mi_plan_end(plan, read_output(plan, name, values, count));
}

static mica_status read_elements(mica_plan *plan, const char *name, mica_type type, void *elements, size_t count)
{
    int output;
    int64_t n;
    MI_TRY(find_output(plan, name, elements, count, &output, &n));
    MI_TRY(check_type(plan, "output", plan->graph->outputs[output], type));
    return fetch(plan, output, elements, n);
}

mica_status mica_plan_read_elements(mica_plan *plan, const char *name, mica_type type, void *elements, size_t count)
{
    MI_TRY(mi_plan_begin(plan));
    return mi_plan_end(plan, read_elements(plan, name, type, elements, count));
}
