/* Every update reads a gradient of its own, since that has the parameter's place in the gradient arena. A gradient that two
 * parameters share (the biases of two normalisations whose results are added), or that is an output too, gets a copy, which
 * the kernel that makes it stores besides. */
#include "compile/rewrite/rewrite.h"

#include <stdlib.h>

/* The value whose memory a reshape shares. */
static const mi_value *behind_reshapes(const mi_value *value)
{
    while (value->node->op->kind == MI_MOVE && value->node->op->keeps_order)
        value = value->node->in[0];
    return value;
}

/* Whether an update before node `end` has taken the value. */
static bool is_taken(const struct mi_graph *graph, size_t end, const bool *updates, const mi_value *gradient)
{
    for (size_t i = 0; i < end; i++)
        if (updates[i] && behind_reshapes(graph->nodes[i]->in[1]) == gradient)
            return true;
    return false;
}

mica_status mi_separate(struct mi_graph *graph, int64_t batch)
{
    (void)batch;
    size_t count = graph->node_count;
    bool *updates = mi_new(count, sizeof *updates);
    struct mi_users users;
    if (mi_users_list(graph, &users) && updates)
        mi_mark_updates(graph, &users, updates);
    else
        mi_out_of_memory(&graph->error);
    mi_users_free(&users);
    for (size_t i = 0; i < count && graph->error.status == MICA_OK; i++) {
        struct mi_node *node = graph->nodes[i];
        if (!updates[i])
            continue;
        const mi_value *gradient = behind_reshapes(node->in[1]);
        if (gradient->node->op->kind != MI_SOURCE && !gradient->name && !node->in[1]->name &&
            !is_taken(graph, i, updates, gradient))
            continue;
        mi_value *copy = mi_op1(graph, "Identity", node->in[1]);
        if (copy)
            node->in[1] = copy;
    }
    free(updates);
    return graph->error.status;
}
