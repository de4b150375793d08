/* A plan from outside: its end, what went wrong with it, what it takes, and the names of its inputs and outputs. */
#include "plan/inside.h"

#include <stdlib.h>
#include <string.h>

void mica_plan_destroy(mica_plan *plan)
{
    if (!plan)
        return;
    mi_device_drain(plan->device);
    for (int i = 0; i < 2; i++)
        mi_event_release(plan->device, &plan->in_flight[i]);
    for (size_t i = 0; i < plan->action_count; i++) {
        if (plan->actions[i].code->source)
            mi_launch_destroy(plan->device, &plan->actions[i].launch);
        mi_buffer_destroy(plan->device, &plan->actions[i].table);
    }
    for (size_t b = 0; b < plan->block_count && plan->blocks; b++)
        mi_buffer_destroy(plan->device, &plan->blocks[b]);
    for (size_t v = 0; plan->own && v < plan->graph->value_count; v++)
        mi_buffer_destroy(plan->device, &plan->own[v]);
    for (size_t v = 0; plan->bound && v < plan->graph->value_count; v++)
        mi_buffer_destroy(plan->device, &plan->bound[v].buffer);
    mi_states_destroy(plan);
    mi_staging_destroy(plan);
    mi_event_release(plan->device, &plan->measured.come);
    free(plan->measured.sums);
    mi_buffer_destroy(plan->device, &plan->step_block);
    mi_graph_destroy(plan->graph);
    free(plan->kernels.list);
    mi_arena_destroy(&plan->arena);
    free(plan);
}

mica_status mica_plan_status(const mica_plan *plan)
{
    return !plan ? MICA_OUT_OF_MEMORY : plan->error.status ? plan->error.status : plan->refused.status;
}

const char *mica_plan_error(const mica_plan *plan)
{
    return !plan ? mica_status_text(MICA_OUT_OF_MEMORY) : plan->error.status ? plan->error.text : plan->refused.text;
}

int mica_plan_launches(const mica_plan *plan)
{
    return plan ? mi_actions_count(plan, &(struct mi_walk){0}) : 0;
}

uint64_t mica_plan_peak_bytes(const mica_plan *plan)
{
    bool updates = false, moves = false;
    if (!plan || !plan->store)
        return 0;
    uint64_t bytes = plan->activation_bytes + plan->state_bytes;
    for (size_t k = 0; k < plan->kernels.count; k++)
        updates = updates || plan->kernels.list[k].update;
    for (size_t a = 0; a < plan->assignment_count; a++)
        moves = moves || plan->assignments[a].variable->role == MI_MOMENT;
    bytes += mi_store_bytes(plan->store, MI_PARAMETER) + mi_store_bytes(plan->store, MI_STATISTIC);
    if (updates)
        bytes += mi_store_gradient_bytes(plan->store);
    if (updates || moves)
        bytes += mi_store_bytes(plan->store, MI_MOMENT);
    return bytes;
}

static int find_named(mi_value *const *list, size_t count, const char *name)
{
    if (!name)
        return count == 1 ? 0 : -1;
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i]->name, name) == 0)
            return (int)i;
    return -1;
}

int mi_plan_input(const struct mica_plan *plan, const char *name)
{
    return find_named(plan->graph->inputs, plan->graph->input_count, name);
}

int mi_plan_inputs(const struct mica_plan *plan)
{
    return (int)plan->graph->input_count;
}

const char *mi_plan_input_length_of(const struct mica_plan *plan, int input, int64_t *steps)
{
    return mi_length_of(plan->graph->inputs[input], steps);
}

const char *mi_plan_input_name(const struct mica_plan *plan, int input)
{
    return plan->graph->inputs[input]->name;
}

float mi_plan_learning_rate(const struct mica_plan *plan)
{
    return plan->next.learning_rate;
}

int64_t mi_plan_batch(const struct mica_plan *plan)
{
    return plan->batch;
}

mica_device *mi_plan_device(const struct mica_plan *plan)
{
    return plan->device;
}

int mi_plan_output(const struct mica_plan *plan, const char *name)
{
    return find_named(plan->graph->outputs, plan->graph->output_count, name);
}

struct mi_shape mi_plan_input_shape(const struct mica_plan *plan, int input)
{
    return plan->graph->inputs[input]->shape;
}

struct mi_shape mi_plan_output_shape(const struct mica_plan *plan, int output)
{
    return plan->graph->outputs[output]->shape;
}

enum mi_type mi_plan_input_type(const struct mica_plan *plan, int input)
{
    return plan->graph->inputs[input]->type;
}

int64_t mi_plan_input_classes(const struct mica_plan *plan, int input)
{
    return mi_attribute_int(plan->graph->inputs[input]->node, MI_CLASSES, 0);
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
