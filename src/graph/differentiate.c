/* Reverse-mode differentiation: walks the nodes from the loss back and adds what each row's rule says. */
#include "graph/op.h"

#include <stdlib.h>
#include <string.h>

mi_value *mi_sum_to(struct mi_graph *graph, mi_value *value, const struct mi_shape *shape)
{
    if (!value || mi_shape_equal(&value->shape, shape))
        return value;
    int64_t axes[MI_MAX_RANK];
    int count = 0, lead = value->shape.rank - shape->rank;
    for (int i = 0; i < value->shape.rank; i++)
        if (i < lead || (mi_dim_is(shape->dim[i - lead], 1) && !mi_dim_is(value->shape.dim[i], 1)))
            axes[count++] = i;
    mi_value *sum = MI_APPLY(graph, "ReduceSum", ((mi_value *[]){value, mi_ints(graph, axes, count)}), MI_INT("keepdims", 1));
    if (!sum || lead == 0)
        return sum;
    return MI_APPLY(graph, "Squeeze", ((mi_value *[]){sum}), MI_INTS("axes", ((int64_t[]){0, 1, 2, 3, 4, 5, 6, 7}), lead));
}

/* A node that is g times a derivative of the node's map: of input i, g and what else the expression names being `in`. */
static mi_value *derivative_add(const struct mi_node *node, const struct mi_op *of, int i, mi_value *const *in, int inputs)
{
    struct mi_node *made = mi_node_add(node->graph, "Derivative", in, inputs, node->attribute, node->attributes);
    if (!made)
        return NULL;
    made->of = of;
    made->wrt = i;
    made->stable = node->stable;
    return made->out[0];
}

mi_value *mi_map_slope(struct mi_node *node, mi_value *dy, int i)
{
    const char *expression = node->op->map->grad[i];
    if (!expression || !dy)
        return NULL;
    if (strcmp(expression, "g") == 0)
        return dy;
    struct mi_map_view view;
    mi_map_view(node, &view);
    mi_value *in[MI_MAX_INPUTS + 2] = {dy};
    for (int k = 0; k < node->inputs; k++)
        in[1 + k] = mi_expression_names(expression, view.in[k]) ? node->in[k] : NULL;
    in[1 + node->inputs] = mi_expression_names(expression, view.out[0]) ? node->out[0] : NULL;
    return derivative_add(node, node->op, i, in, node->inputs + 2);
}

/* What a gradient does is linear in the gradients that it is given: so is a derivative in g, which passes on what it gets. */
static mi_value *slope_by_gradient(struct mi_node *node, mi_value *dy)
{
    mi_value *in[MI_MAX_INPUTS] = {dy};
    for (int i = 1; i < node->inputs; i++)
        in[i] = node->in[i];
    return mi_sum_to(node->graph, derivative_add(node, node->of, node->wrt, in, node->inputs), &node->in[0]->shape);
}

static bool is_real(const mi_value *value)
{
    return value && mi_types[value->type].kind == 'f';
}

static mica_status node_gradient(struct mi_node *node, mi_value *const *dy, mi_value **dx)
{
    if (node->op->gradient)
        return node->op->gradient(node, dy, dx);
    if (node->op == &mi_op_derivative)
        dx[0] = slope_by_gradient(node, dy[0]);
    else if (node->op->map && dy[0])
        for (int i = 0; i < node->inputs && i < (int)MI_COUNT(node->op->map->grad); i++)
            if (is_real(node->in[i]))
                dx[i] = mi_sum_to(node->graph, mi_map_slope(node, dy[0], i), &node->in[i]->shape);
    return node->graph->error.status;
}

/* Marks the values through which a wanted value reaches others, so that no gradient is built in vain. */
static void mark_paths(const struct mi_graph *graph, mi_value *const *values, int count, bool *on_path)
{
    for (int i = 0; i < count; i++)
        on_path[values[i]->id] = true;
    for (size_t k = 0; k < graph->node_count; k++) {
        const struct mi_node *node = graph->nodes[k];
        for (int i = 0; i < node->inputs; i++)
            if (node->in[i] && on_path[node->in[i]->id])
                for (int o = 0; o < node->outputs; o++)
                    on_path[node->out[o]->id] = true;
    }
}

static mica_status visit(struct mi_node *node, mi_value **gradient, const bool *on_path, size_t known)
{
    struct mi_graph *graph = node->graph;
    mi_value *dy[MI_MAX_OUTPUTS] = {0};
    bool any = false;
    for (int o = 0; o < node->outputs; o++) {
        dy[o] = gradient[node->out[o]->id];
        any = any || dy[o];
    }
    if (!any || node->op->kind == MI_SOURCE)
        return MICA_OK;
    mi_value **dx = mi_arena_new(&graph->arena, (size_t)node->inputs, sizeof *dx);
    if (!dx)
        return mi_out_of_memory(&graph->error);
    graph->scope = node->name;
    MI_TRY(node_gradient(node, dy, dx));
    for (int i = 0; i < node->inputs; i++) {
        if (!node->in[i] || (size_t)node->in[i]->id >= known || !on_path[node->in[i]->id])
            continue;
        if (!dx[i] && node->backward && is_real(node->in[i]) && is_real(node->out[0]))
            return mi_fail(&graph->error, MICA_UNSUPPORTED, "%s \"%s\": the derivative of its derivative is not known",
                           node->of ? node->of->name : node->op->name, node->name);
        if (!dx[i])
            continue;
        mi_value **sum = &gradient[node->in[i]->id];
        *sum = *sum ? mi_op2(graph, "Add", *sum, dx[i]) : dx[i];
    }
    return graph->error.status;
}

mica_status mi_differentiate(struct mi_graph *graph, mi_value *loss, mi_value *const *values, int count, mi_value **gradients)
{
    if (!loss || graph->error.status != MICA_OK)
        return graph->error.status ? graph->error.status : MICA_INVALID_ARGUMENT;
    if (mi_shape_count(&loss->shape, 1) != 1)
        return mi_fail(&graph->error, MICA_SHAPE, "loss \"%s\": shape %s, a gradient needs one number", loss->node->name,
                       mi_shape_text(&graph->arena, &loss->shape));
    size_t known = graph->value_count;
    mi_value **gradient = mi_new(known, sizeof *gradient);
    bool *on_path = mi_new(known, sizeof *on_path);
    if (!gradient || !on_path) {
        free(gradient);
        free(on_path);
        return mi_out_of_memory(&graph->error);
    }
    mark_paths(graph, values, count, on_path);
    const char *scope = graph->scope;
    graph->backward = true;
    gradient[loss->id] = mi_number(graph, loss->type, 1);
    for (int id = loss->node->id; id >= 0 && graph->error.status == MICA_OK; id--)
        visit(graph->nodes[id], gradient, on_path, known);
    for (int i = 0; i < count; i++)
        gradients[i] = gradient[values[i]->id];
    graph->backward = false;
    graph->scope = scope;
    free(gradient);
    free(on_path);
    return graph->error.status;
}
