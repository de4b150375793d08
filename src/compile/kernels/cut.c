/* What is computed in passing has a limit. A move or a cheap map is written into whoever uses it, and so are those that it uses in
 * turn: joined with itself n times a tensor would be an expression of 2^n loads. So a value whose expression would take the user's
 * past MI_MOST_SOURCES leaves is stored instead, which makes it one of them. No node reads more tensors then. */
#include "compile/kernels/kernels.h"

#include <stdlib.h>

/* Whether fusion may leave the node to whoever uses it. */
static bool may_pass(const struct mica_plan *plan, const struct mi_users *users, const struct mi_node *node)
{
    enum mi_kind kind = node->op->kind;
    if (plan->desc.no_fusion || kind == MI_SOURCE || node->outputs != 1)
        return false;
    if (kind == MI_MOVE || kind == MI_INDEXED || node->again == MI_AGAIN_INLINE || node->again == MI_AGAIN_PACKED)
        return true;
    bool one_user = kind == MI_MAP && mi_users_count(users, node->out[0]) == 1;
    return one_user && users->node[users->first[node->out[0]->id]]->op->kind == MI_MOVE;
}

/* How many leaves the node's expression has: an input that a map has twice is computed once, as it is read at one place. */
static int count_leaves(const struct mi_node *node, const int *leaves, const mi_value **largest)
{
    int total = 0, most = 1;
    *largest = NULL;
    for (int i = 0; i < node->inputs; i++) {
        const mi_value *in = node->in[i];
        bool again = !in;
        for (int k = 0; k < i && node->op->kind == MI_MAP; k++)
            again = again || node->in[k] == in;
        if (again)
            continue;
        total += leaves[in->id];
        if (leaves[in->id] > most) {
            most = leaves[in->id];
            *largest = in;
        }
    }
    return total;
}

mica_status mi_cut_expressions(struct mica_plan *plan, const struct mi_users *users, bool *needed)
{
    const struct mi_graph *graph = plan->graph;
    int *leaves = mi_new(graph->value_count, sizeof *leaves);
    if (!leaves)
        return mi_out_of_memory(&plan->error);
    for (size_t n = 0; n < graph->node_count; n++) {
        const struct mi_node *node = graph->nodes[n];
        const mi_value *largest;
        int total = count_leaves(node, leaves, &largest);
        while (total > MI_MOST_SOURCES && largest) {
            needed[largest->id] = true;
            leaves[largest->id] = 1;
            total = count_leaves(node, leaves, &largest);
        }
        bool passes = may_pass(plan, users, node) && !needed[node->out[0]->id];
        for (int o = 0; o < node->outputs; o++)
            leaves[node->out[o]->id] = passes ? total : node->op != &mi_op_constant;
    }
    free(leaves);
    return MICA_OK;
}
