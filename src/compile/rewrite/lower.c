/* Composites become the nodes they are made of, moves of many inputs moves of fewer, and products of numbers of 16 bits products of
 * floats, which every engine computes. */
#include "compile/rewrite/rewrite.h"
#include "emit/kernel.h"
#include "ops/ops.h"

#include <stdlib.h>

static bool remember(mi_value ***replacement, size_t *capacity, const struct mi_graph *graph)
{
    return mi_grow(replacement, capacity, graph->value_count + 1, sizeof **replacement);
}

static bool has_16_bits(const mi_value *value)
{
    return mi_types[value->type].kind == 'f' && mi_types[value->type].bytes == 2;
}

/* Casts are maps: a product computes them while it packs, or they ride on what makes its operand. */
static mica_status lower_to_floats(struct mi_node *node, mi_value **out)
{
    mi_value *in[MI_MAX_INPUTS] = {NULL};
    for (int i = 0; i < node->inputs; i++)
        in[i] = node->in[i] && has_16_bits(node->in[i]) ? mi_cast(node->graph, node->in[i], MI_FLOAT) : node->in[i];
    struct mi_node *made = mi_node_of(node->graph, node->op, in, node->inputs, node->attribute, node->attributes);
    if (made)
        out[0] = mi_cast(node->graph, made->out[0], node->out[0]->type);
    return node->graph->error.status;
}

/* Lowers nodes until none is left; those that lowering adds stand at the end and are visited in turn. */
static mica_status lower_nodes(struct mi_graph *graph, mi_value ***replacement, size_t *capacity)
{
    for (size_t i = 0; i < graph->node_count; i++) {
        struct mi_node *node = graph->nodes[i];
        bool large = node->op->kind == MI_MOVE && node->inputs > MI_MOST_SOURCES;
        bool small = node->op->kind == MI_CONTRACT && has_16_bits(node->out[0]);
        if (node->op->kind != MI_COMPOSITE && !large && !small)
            continue;
        mi_value *out[MI_MAX_OUTPUTS] = {0};
        graph->scope = node->name;
        graph->backward = node->backward;
        if (!small && !node->op->lower)
            return mi_fail(&graph->error, MICA_INTERNAL, "%s \"%s\" cannot be lowered", node->op->name, node->name);
        MI_TRY(small ? lower_to_floats(node, out) : node->op->lower(node, out));
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
