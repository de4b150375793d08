/* Which nodes are an optimizer's step. */
#include "compile/rewrite/rewrite.h"

/* Whether a map computes a parameter's new value, and all it computes is assigned to variables. One that reads values of the
 * parameter's own besides, as its attribute apart_ says, is a map like any other. */
static bool is_update(const struct mi_users *users, const struct mi_node *node)
{
    if (node->op->kind != MI_MAP || node->inputs < 2 || !node->in[0] || !node->in[0]->node->variable ||
        mi_attribute_int(node, "apart_", 0))
        return false;
    const struct mi_variable *variable = node->in[0]->node->variable;
    size_t assigned = 0, used = 0;
    bool to_parameter = false;
    for (int o = 0; o < node->outputs; o++)
        for (size_t u = users->first[node->out[o]->id]; u < users->first[node->out[o]->id + 1]; u++) {
            used++;
            assigned += users->node[u]->op == &mi_op_assign;
            to_parameter = to_parameter || (o == 0 && users->node[u]->variable == variable);
        }
    return to_parameter && assigned == used && used == (size_t)node->outputs && variable->role == MI_PARAMETER &&
           !variable->frozen;
}

void mi_mark_updates(const struct mi_graph *graph, const struct mi_users *users, bool *updates)
{
    for (size_t i = 0; i < graph->node_count; i++)
        updates[i] = is_update(users, graph->nodes[i]);
}
