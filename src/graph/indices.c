/* Which inputs are numbers of rows: an embedding's, which says so by an attribute `checked`, and those that are compared with
 * `rows`. An index in data that the host holds is checked there, where its sample has a name. */
#include "graph/op.h"

#include <math.h>
#include <stdlib.h>

/* A conversion to or from whole numbers leaves indices as they are; places are whole numbers too, but made of the shape alone. */
static bool keeps_indices(const struct mi_node *node)
{
    struct mi_map_view view;
    if (mi_keeps_elements(node))
        return true;
    if (node->op->kind != MI_MAP || node->inputs != 1 || node->outputs != 1 ||
        !(mi_type_is_integer(node->out[0]->type) || mi_type_is_integer(node->in[0]->type)))
        return false;
    mi_map_view(node, &view);
    return mi_expression_names(view.expr[0], view.in[0]);
}

static void lower(int64_t *rows, const mi_value *value, int64_t most)
{
    if (rows[value->id] == 0 || most < rows[value->id])
        rows[value->id] = most;
}

/* Against the order of the graph, so that a value has heard of all its users before it tells those that made it. */
static void spread(const struct mi_graph *graph, int64_t *rows)
{
    for (size_t i = graph->node_count; i-- > 0;) {
        const struct mi_node *node = graph->nodes[i];
        if (node->op->kind == MI_INDEXED && mi_attribute_int(node, "checked", 0))
            lower(rows, node->in[1], node->in[0]->shape.dim[mi_attribute_int(node, "axis", 0)].b);
        else if (mi_attribute_int(node, "rows", 0))
            lower(rows, node->in[0], mi_attribute_int(node, "rows", 0));
        else if (node->outputs == 1 && rows[node->out[0]->id] && node->inputs > 0 && keeps_indices(node))
            for (int k = 0; k < node->inputs; k++)
                lower(rows, node->in[k], rows[node->out[0]->id]);
    }
}

mica_status mi_index_rows(struct mi_error *error, const struct mi_graph *graph, int64_t *rows)
{
    int64_t *of = mi_new(graph->value_count, sizeof *of);
    if (!of)
        return mi_out_of_memory(error);
    spread(graph, of);
    for (size_t i = 0; i < graph->input_count; i++)
        rows[i] = of[graph->inputs[i]->id];
    free(of);
    return MICA_OK;
}

size_t mi_first_no_row(enum mi_type type, const void *elements, size_t count, int64_t rows)
{
    for (size_t i = 0; i < count; i++) {
        double number = mi_element(type, elements, i);
        if (!(number >= 0 && number < (double)rows && number <= floor(number)))
            return i;
    }
    return count;
}
