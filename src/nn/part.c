/* The part of a graph that a plan is of: what lies behind the results that are asked for, the next values of the states that these
 * read, and the running statistics of the layers that it trains. A generator's step reads the discriminator's statistics; another
 * network's inputs are none of its own. */
#include "nn/part.h"

#include <stdlib.h>
#include <string.h>

struct part {
    struct mi_graph *graph;
    const char *train;             /* NULL: everything */
    bool *reached;                 /* by node id */
    bool *below;                   /* what one fault looks at */
    struct mi_node **stack;
};

/* Whether the node reads the last value of a state there, of which it makes the next one. */
static bool is_state(const struct mi_node *node, int input)
{
    for (int o = 1; o < node->outputs; o++)
        if (node->op->next_of[o] && node->op->next_of[o] == input)
            return true;
    return false;
}

static void push(struct part *part, bool *marks, size_t *depth, const mi_value *value)
{
    if (!value || marks[value->node->id])
        return;
    marks[value->node->id] = true;
    part->stack[(*depth)++] = value->node;
}

/* Marks what a value is made of. `states` follows also the states that layers read, which another use of a layer may have made. */
static void reach(struct part *part, bool *marks, const mi_value *value, bool states)
{
    size_t depth = 0;
    push(part, marks, &depth, value);
    while (depth) {
        const struct mi_node *node = part->stack[--depth];
        for (int i = 0; i < node->inputs; i++)
            if (states || !is_state(node, i))
                push(part, marks, &depth, node->in[i]);
    }
}

/* The newest value of a state that is made within the part: what nodes outside have made of it is passed over. */
static mi_value *newest(const struct part *part, mi_value *state)
{
    while (!part->reached[state->node->id] && state->node->op->next_of[state->output])
        state = state->node->in[state->node->op->next_of[state->output]];
    return state;
}

/* Whether `train` names the layer of a statistic: one of its variables. */
static bool is_trained(const struct part *part, const struct mi_variable *statistic)
{
    const struct mi_variables *variables = part->graph->variables;
    const char *dot = strrchr(statistic->name, '.');
    size_t length = dot ? (size_t)(dot - statistic->name) + 1 : strlen(statistic->name);
    if (!part->train || mi_name_matches(part->train, statistic->name))
        return true;
    for (size_t i = 0; i < variables->count && dot; i++) {
        const struct mi_variable *other = variables->list[i];
        if (other->role == MI_PARAMETER && strncmp(other->name, statistic->name, length) == 0 &&
            mi_name_matches(part->train, other->name))
            return true;
    }
    return false;
}

/* All nodes that a statistic goes through only read it. */
static void hold_still(mi_value *state)
{
    for (int from; (from = state->node->op->next_of[state->output]) != 0; state = state->node->in[from])
        state->node->still = true;
}

/* Whether a fault's count asks for nothing but inputs of the part. */
static bool counts_within(struct part *part, const mi_value *count)
{
    const struct mi_graph *graph = part->graph;
    memset(part->below, 0, graph->node_count * sizeof *part->below);
    reach(part, part->below, count, true);
    for (size_t i = 0; i < graph->input_count; i++)
        if (part->below[graph->inputs[i]->node->id] && !part->reached[graph->inputs[i]->node->id])
            return false;
    return true;
}

static void settle_assignment(struct part *part, struct mi_node *assign)
{
    mi_value *own = mi_of_variable(part->graph, assign->variable).value;
    if (assign->variable->role == MI_FAULT && !counts_within(part, assign->in[0]))
        assign->in[0] = own; /* a variable that becomes itself is left out when the graph is simplified */
    if (assign->variable->role == MI_STATE && !(own && part->reached[own->node->id]))
        assign->in[0] = own;
    if (assign->variable->role != MI_STATISTIC)
        return;
    assign->in[0] = newest(part, assign->in[0]);
    if (is_trained(part, assign->variable))
        return;
    hold_still(assign->in[0]);
    assign->in[0] = own;
}

static void settle_states(struct part *part)
{
    for (size_t i = 0; i < part->graph->node_count; i++) {
        struct mi_node *node = part->graph->nodes[i];
        for (int k = 0; k < node->inputs && part->reached[i]; k++)
            if (node->in[k] && is_state(node, k))
                node->in[k] = newest(part, node->in[k]);
    }
    for (size_t i = 0; i < part->graph->node_count; i++)
        if (part->graph->nodes[i]->op == &mi_op_assign)
            settle_assignment(part, part->graph->nodes[i]);
}

/* Inputs that nothing reads any more are none of the part's. */
static void drop_inputs(struct part *part)
{
    struct mi_graph *graph = part->graph;
    size_t count = 0;
    for (size_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i]->op == &mi_op_assign)
            reach(part, part->reached, graph->nodes[i]->in[0], true);
    for (size_t i = 0; i < graph->input_count; i++)
        if (part->reached[graph->inputs[i]->node->id])
            graph->inputs[count++] = graph->inputs[i];
    graph->input_count = count;
}

mica_status mi_part_take(struct mi_graph *graph, const char *train)
{
    struct part part = {.graph = graph, .train = train};
    part.reached = mi_new(graph->node_count, sizeof *part.reached);
    part.below = mi_new(graph->node_count, sizeof *part.below);
    part.stack = mi_new(graph->node_count + 1, sizeof *part.stack);
    if (part.reached && part.below && part.stack) {
        for (size_t i = 0; i < graph->output_count; i++)
            reach(&part, part.reached, graph->outputs[i], false);
        settle_states(&part);
        drop_inputs(&part);
    } else
        mi_out_of_memory(&graph->error);
    free(part.reached);
    free(part.below);
    free(part.stack);
    return graph->error.status;
}

mica_status mi_part_needs(const struct mi_graph *graph, const mi_value *value, bool *needs)
{
    struct part part = {.reached = mi_new(graph->node_count, sizeof *part.reached),
                        .stack = mi_new(graph->node_count + 1, sizeof *part.stack)};
    bool made = part.reached && part.stack;
    for (size_t i = 0; i < graph->output_count && made; i++)
        reach(&part, part.reached, graph->outputs[i], true);
    *needs = made && value && part.reached[value->node->id];
    free(part.reached);
    free(part.stack);
    return made ? MICA_OK : MICA_OUT_OF_MEMORY;
}
