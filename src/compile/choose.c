/* Chooses an engine for each contraction by cost, gives tensors the layouts that engines wish for, and puts conversions where
 * a tensor is wanted in two. */
#include "compile/compile.h"

#include <string.h>

static bool is_allowed(const struct mica_plan *plan, const struct mi_engine *engine)
{
    return !plan->desc.engine || strcmp(plan->desc.engine, engine->name) == 0 || engine == &mi_engine_nest;
}

static const struct mi_engine *cheapest(const struct mica_plan *plan, const struct mi_problem *problem)
{
    const struct mi_engine *best = &mi_engine_nest;
    double cost = best->cost(problem);
    for (const struct mi_engine *const *engine = mi_engines; *engine; engine++) {
        if (!is_allowed(plan, *engine) || !(*engine)->supports(problem))
            continue;
        double own = (*engine)->cost(problem);
        bool asked = plan->desc.engine && *engine != &mi_engine_nest;
        if (asked || own < cost) {
            best = *engine;
            cost = own;
        }
    }
    return best;
}

/* The parameter's variable whose new value a map computes, if all it computes is assigned to variables. */
static bool is_update(const struct mi_graph *graph, const struct mi_node *node)
{
    if (node->op->kind != MI_MAP || node->inputs < 2 || !node->in[0] || !node->in[0]->node->variable)
        return false;
    struct mi_variable *variable = node->in[0]->node->variable;
    int assigned = 0, used = 0;
    bool to_parameter = false;
    for (size_t i = 0; i < graph->node_count; i++)
        for (int k = 0; k < graph->nodes[i]->inputs; k++) {
            if (!graph->nodes[i]->in[k] || graph->nodes[i]->in[k]->node != node)
                continue;
            used++;
            assigned += graph->nodes[i]->op == &mi_op_assign;
            to_parameter = to_parameter || (graph->nodes[i]->variable == variable && graph->nodes[i]->in[k] == node->out[0]);
        }
    return to_parameter && assigned == used && used == node->outputs && variable->role == MI_PARAMETER && !variable->frozen;
}

static mica_status find_updates(struct mica_plan *plan)
{
    for (size_t i = 0; i < plan->graph->node_count; i++)
        plan->updates[i] = is_update(plan->graph, plan->graph->nodes[i]);
    return MICA_OK;
}

/* ---- Contractions ---- */

mica_status mi_choose_engines(struct mica_plan *plan)
{
    MI_TRY(find_updates(plan));
    for (size_t i = 0; i < plan->graph->node_count; i++) {
        struct mi_node *node = plan->graph->nodes[i];
        if (node->op->kind != MI_CONTRACT)
            continue;
        struct mi_problem problem = {
            .node = node, .device = plan->device, .batch = plan->batch, .plain_only = plan->desc.no_blocked};
        MI_TRY(node->op->contract(node, &problem.c));
        plan->engines[i] = cheapest(plan, &problem);
    }
    return MICA_OK;
}
