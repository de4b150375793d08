/* Who reads each value, listed in one sweep over the graph. */
#include "graph/graph.h"

#include <stdlib.h>

bool mi_users_list(const struct mi_graph *graph, struct mi_users *users)
{
    size_t uses = 0;
    for (size_t i = 0; i < graph->node_count; i++)
        uses += (size_t)graph->nodes[i]->inputs;
    /* One place more than a value needs: while nodes are listed, first[v + 1] is where the next user of v goes. */
    users->first = mi_new(graph->value_count + 2, sizeof *users->first);
    users->node = mi_new(uses + 1, sizeof(struct mi_node *));
    if (!users->first || !users->node)
        return false;
    for (size_t i = 0; i < graph->node_count; i++)
        for (int k = 0; k < graph->nodes[i]->inputs; k++)
            if (graph->nodes[i]->in[k])
                users->first[graph->nodes[i]->in[k]->id + 2]++;
    for (size_t v = 0; v < graph->value_count; v++)
        users->first[v + 2] += users->first[v + 1];
    for (size_t i = 0; i < graph->node_count; i++)
        for (int k = 0; k < graph->nodes[i]->inputs; k++)
            if (graph->nodes[i]->in[k])
                users->node[users->first[graph->nodes[i]->in[k]->id + 1]++] = graph->nodes[i];
    return true;
}

void mi_users_free(struct mi_users *users)
{
    free(users->first);
    free(users->node);
    *users = (struct mi_users){0};
}
