/* Recognition: nodes that compute together what a row of the table computes in one become one node of that row, where nobody asks
 * for what lies between. Rows say how they are recognised (op.h). It happens before differentiation, so that the gradient is the
 * row's. The nodes that there were stay, for whoever asks for them later, and are dropped when the graph is simplified. */
#include "graph/op.h"

#include <stdlib.h>
#include <string.h>

struct recognition {
    struct mi_graph *graph;
    mi_value **root;               /* what counts beside the graph's outputs, or NULL */
    bool *alive, *learns;          /* by node id; by value id */
    int *count;                    /* by value id */
    struct mi_node **ends;         /* the nodes that are alive */
    size_t end_count;
};

static void reach(struct recognition *r, const mi_value *value)
{
    if (value)
        r->alive[value->node->id] = true;
}

/* Against the order of the graph, so that a node is known to be alive before its inputs are asked. */
static void mark_alive(struct recognition *r)
{
    const struct mi_graph *graph = r->graph;
    for (size_t i = 0; i < graph->output_count; i++)
        reach(r, graph->outputs[i]);
    if (r->root)
        reach(r, *r->root);
    for (size_t i = graph->node_count; i-- > 0;) {
        const struct mi_node *node = graph->nodes[i];
        r->alive[i] = r->alive[i] || node->op == &mi_op_assign;
        for (int k = 0; k < node->inputs && r->alive[i]; k++)
            reach(r, node->in[k]);
    }
}

/* Whether a node asks for the elements of an input: a map that names it not takes its shape alone. */
static bool reads(const struct mi_node *node, int input)
{
    struct mi_map_view view;
    bool names = node->op->kind != MI_MAP;
    if (!names)
        mi_map_view(node, &view);
    for (int o = 0; o < node->outputs && !names; o++)
        names = mi_expression_names(view.expr[o], view.in[input]);
    return names;
}

static void count_readers(struct recognition *r)
{
    const struct mi_graph *graph = r->graph;
    for (size_t i = 0; i < graph->node_count; i++) {
        struct mi_node *node = graph->nodes[i];
        bool learns = node->op == &mi_op_variable && node->variable->role == MI_PARAMETER && !node->variable->frozen;
        for (int k = 0; k < node->inputs; k++)
            if (node->in[k]) {
                r->count[node->in[k]->id] += r->alive[i] && reads(node, k);
                learns = learns || r->learns[node->in[k]->id];
            }
        for (int o = 0; o < node->outputs; o++)
            r->learns[node->out[o]->id] = learns;
        if (r->alive[i])
            r->ends[r->end_count++] = node;
    }
}

/* Puts the nodes from `first` on, which are the newest, ahead of the end that they stand for. */
static void put_ahead(struct mi_graph *graph, const struct mi_node *end, size_t first)
{
    size_t at = (size_t)end->id;
    for (size_t k = first; k < graph->node_count; k++, at++) {
        struct mi_node *node = graph->nodes[k];
        memmove(&graph->nodes[at + 1], &graph->nodes[at], (k - at) * sizeof(struct mi_node *));
        graph->nodes[at] = node;
    }
    for (size_t k = 0; k < graph->node_count; k++)
        graph->nodes[k]->id = (int)k;
}

static void replace(struct recognition *r, mi_value *old, mi_value *made)
{
    struct mi_graph *graph = r->graph;
    for (size_t i = 0; i < graph->node_count; i++)
        for (int k = 0; k < graph->nodes[i]->inputs; k++)
            if (graph->nodes[i]->in[k] == old)
                graph->nodes[i]->in[k] = made;
    for (size_t i = 0; i < graph->output_count; i++)
        if (graph->outputs[i] == old)
            graph->outputs[i] = made;
    if (r->root && *r->root == old)
        *r->root = made;
    made->name = old->name;
    old->name = NULL;
}

static mica_status recognise_end(struct recognition *r, const struct mi_readers *readers, struct mi_node *end)
{
    struct mi_graph *graph = r->graph;
    size_t first = graph->node_count;
    mi_value *made = NULL;
    graph->scope = end->name;
    for (const struct mi_op *const *op = graph->ops; *op && !made && graph->error.status == MICA_OK; op++)
        if ((*op)->recognise)
            made = (*op)->recognise(end, readers);
    graph->scope = NULL;
    if (made && graph->error.status == MICA_OK) {
        put_ahead(graph, end, first);
        replace(r, end->out[0], made);
    }
    return graph->error.status;
}

mica_status mi_recognise(struct mi_graph *graph, mi_value **root)
{
    struct recognition r = {.graph = graph, .root = root && *root ? root : NULL};
    size_t nodes = graph->node_count, values = graph->value_count;
    if (graph->error.status != MICA_OK)
        return graph->error.status;
    r.alive = mi_new(nodes, sizeof *r.alive);
    r.learns = mi_new(values, sizeof *r.learns);
    r.count = mi_new(values, sizeof *r.count);
    r.ends = mi_new(nodes, sizeof(struct mi_node *));
    mica_status status = MICA_OK;
    if (r.alive && r.learns && r.count && r.ends) {
        mark_alive(&r);
        count_readers(&r);
        const struct mi_readers readers = {.count = r.count, .learns = r.learns, .known = values};
        for (size_t i = 0; i < r.end_count && status == MICA_OK; i++)
            status = recognise_end(&r, &readers, r.ends[i]);
    } else
        status = mi_out_of_memory(&graph->error);
    free(r.alive);
    free(r.learns);
    free(r.count);
    free(r.ends);
    return status;
}
