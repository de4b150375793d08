/* How many turns of a repeat a step runs: of those of sequences with lengths as many as the longest sample has. */
#include "plan/inside.h"

#include <string.h>

mica_status mi_turns_make(struct mica_plan *plan)
{
    const struct mi_graph *graph = plan->graph;
    plan->turns = mi_arena_new(&plan->arena, graph->repeat_count + 1, sizeof *plan->turns);
    if (!plan->turns)
        return mi_out_of_memory(&plan->error);
    for (size_t i = 0; i < graph->repeat_count; i++)
        plan->turns[i].run = graph->repeats[i].turns;
    return MICA_OK;
}

void mi_turns_feed(struct mica_plan *plan, const mi_value *input, const void *elements, int64_t n)
{
    const int32_t *lengths = elements;
    int64_t longest = 0;
    if (!mi_length_of(input, NULL))
        return;
    for (int64_t i = 0; i < n; i++)
        longest = lengths[i] > longest ? lengths[i] : longest;
    for (size_t i = 0; i < plan->graph->repeat_count; i++)
        if (plan->graph->repeats[i].lengths && strcmp(plan->graph->repeats[i].lengths, input->name) == 0) {
            plan->turns[i].fed = n;
            plan->turns[i].longest = longest;
        }
}

/* Whether an application has a buffer of its own for the lengths, which the host does not see. */
static bool is_bound(const struct mica_plan *plan, const char *input)
{
    bool bound = false;
    for (size_t i = 0; i < plan->graph->input_count && plan->bound; i++) {
        const mi_value *value = plan->graph->inputs[i];
        bound = bound || (plan->bound[value->id].buffer.mem && strcmp(value->name, input) == 0);
    }
    return bound;
}

void mi_turns_settle(struct mica_plan *plan, int64_t n)
{
    for (size_t i = 0; i < plan->graph->repeat_count; i++) {
        const struct mi_repeat *repeat = &plan->graph->repeats[i];
        struct mi_turns *turns = &plan->turns[i];
        bool known = repeat->lengths && n <= turns->fed && turns->longest < repeat->turns && !is_bound(plan, repeat->lengths);
        turns->run = known ? turns->longest : repeat->turns;
    }
}
