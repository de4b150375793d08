/* Picking the largest before a map that rises: max(f(a), f(b)) is f(max(a, b)). The map then has fewer elements to do, and training
 * need not keep the larger tensor, of which the gradient of f would ask y and that of the pick where its largest stood. Where f
 * makes unequal elements equal its derivative is 0, or they differ by less than its rounding; which of them is picked does not
 * matter then. */
#include "graph/op.h"

/* Both stay where they are in the graph and change what they do, so that its order holds. */
static void exchange(struct mi_node *map, struct mi_node *pick)
{
    struct mi_node kept = *map;
    map->op = pick->op;
    map->name = pick->name;
    map->stable = pick->stable;
    map->attribute = pick->attribute;
    map->attributes = pick->attributes;
    map->out[0]->shape = pick->out[0]->shape;
    pick->op = kept.op;
    pick->name = kept.name;
    pick->stable = kept.stable;
    pick->attribute = kept.attribute;
    pick->attributes = kept.attributes;
}

mica_status mi_pick_first(struct mi_graph *graph)
{
    struct mi_users users;
    mica_status status = mi_users_list(graph, &users) ? MICA_OK : mi_out_of_memory(&graph->error);
    for (size_t i = 0; i < graph->node_count && status == MICA_OK; i++) {
        struct mi_node *pick = graph->nodes[i];
        if (!pick->op->picks_largest || pick->inputs != 1 || !pick->in[0])
            continue;
        struct mi_node *map = pick->in[0]->node;
        if (map->op->rises && map->inputs == 1 && !map->out[0]->name && mi_users_count(&users, map->out[0]) == 1)
            exchange(map, pick);
    }
    mi_users_free(&users);
    return status;
}
