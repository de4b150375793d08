/* Composites become the nodes they are made of, and moves of many inputs moves of fewer. */
#include "compile/rewrite/rewrite.h"
#include "emit/kernel.h"

#include <stdlib.h>

static bool remember(mi_value ***replacement, size_t *capacity, const struct mi_graph *graph)
{
    return mi_grow(replacement, capacity, graph->value_count + 1, sizeof **replacement);
}

/* Lowers nodes until none is left; those that lowering adds stand at the end and are visited in turn. */
static mica_status lower_nodes(struct mi_graph *graph, mi_value ***replacement, size_t *capacity)
{
    for (size_t i = 0; i < graph->node_count; i++) {
        struct mi_node *node = graph->nodes[i];
        bool large = node->op->kind == MI_MOVE && node->inputs > MI_MOST_SOURCES;
        if (node->op->kind != MI_COMPOSITE && !large)
            continue;
        mi_value *out[MI_MAX_OUTPUTS] = {0};
        graph->scope = node->name;
        graph->backward = node->backward;
        if (!node->op->lower)
            return mi_fail(&graph->error, MICA_INTERNAL, "%s \"%s\" cannot be lowered", node->op->name, node->name);
        MI_TRY(node->op->lower(node, out));
        MI_TRY(graph->error.status);
        if (!remember(replacement, capacity, graph))
            return mi_out_of_memory(&graph->error);
        for (int o = 0; o < node->outputs; o++) {
            (*replacement)[node->out[o]->id] = out[o];
            if (out[o] && node->out[o]->name && !out[o]->name)
                out[o]->name = node->out[o]->name;
        }
    }
    return MICA_OK;
}

mica_status mi_lower(struct mi_graph *graph, int64_t batch)
{
    (void)batch;
    mi_value **replacement = NULL;
    size_t capacity = 0;
    mica_status status = remember(&replacement, &capacity, graph) ? lower_nodes(graph, &replacement, &capacity)
                                                                  : mi_out_of_memory(&graph->error);
    graph->scope = NULL;
    graph->backward = false;
    if (status == MICA_OK && !remember(&replacement, &capacity, graph))
        status = mi_out_of_memory(&graph->error);
    if (status == MICA_OK)
        status = mi_graph_rebuild(graph, replacement);
    free(replacement);
    return status;
}
