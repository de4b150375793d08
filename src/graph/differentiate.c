/* Reverse-mode differentiation: walks the nodes from the loss back and adds what each row's rule says. */
#include "graph/differentiate.h"

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

/* A walk back over the nodes. Values that the walk adds have no place in these. */
struct walk {
    struct mi_graph *graph;
    mi_value **gradient;           /* by value id; NULL: none so far */
    mi_value **in_turn;            /* the same, of what a repeat reads from outside: what one turn adds */
    mi_value **mirror;             /* what stands for a value of a repeat in the one that runs back */
    bool *on_path;                 /* a wanted value reaches it, so that no gradient is built in vain */
    size_t known;
};

static void add(struct mi_graph *graph, mi_value **sum, mi_value *value)
{
    if (value)
        *sum = *sum ? mi_op2(graph, "Add", *sum, value) : value;
}

/* ---- Paths ---- */

static void mark_node(const struct mi_node *node, bool *on_path)
{
    for (int i = 0; i < node->inputs; i++)
        if (node->in[i] && on_path[node->in[i]->id])
            for (int o = 0; o < node->outputs; o++)
                on_path[node->out[o]->id] = true;
}

/* What a turn makes of a wanted value is carried into the next: whether that is news for a carried value. */
static bool mark_carried(const struct mi_graph *graph, const struct mi_node *end, bool *on_path)
{
    bool news = false;
    for (int id = 0; id < end->id; id++) {
        const struct mi_node *node = graph->nodes[id];
        if (node->op != &mi_op_carry || node->repeat != end->ends || on_path[node->out[0]->id] ||
            !on_path[end->in[mi_carry_number(node)]->id])
            continue;
        news = on_path[node->out[0]->id] = true;
    }
    return news;
}

static void mark_paths(const struct mi_graph *graph, mi_value *const *values, int count, bool *on_path)
{
    for (int i = 0; i < count; i++)
        on_path[values[i]->id] = true;
    for (size_t k = 0; k < graph->node_count; k++) {
        const struct mi_node *node = graph->nodes[k];
        while (node->op == &mi_op_repeat && mark_carried(graph, node, on_path))
            for (int id = 0; id < node->id; id++)
                if (graph->nodes[id]->repeat == node->ends)
                    mark_node(graph->nodes[id], on_path);
        mark_node(node, on_path);
    }
}

/* ---- Nodes ---- */

/* A node as the backward pass sees it: what a repeat makes in a turn is what stands for that. */
static struct mi_node seen(const struct walk *w, const struct mi_node *node, mi_value **in)
{
    struct mi_node stub = *node;
    stub.in = in;
    for (int i = 0; i < node->inputs; i++)
        in[i] = node->in[i] && w->mirror[node->in[i]->id] ? w->mirror[node->in[i]->id] : node->in[i];
    for (int o = 0; o < node->outputs; o++)
        stub.out[o] = w->mirror[node->out[o]->id] ? w->mirror[node->out[o]->id] : node->out[o];
    return stub;
}

static mica_status visit(struct walk *w, struct mi_node *node)
{
    struct mi_graph *graph = w->graph;
    mi_value *dy[MI_MAX_OUTPUTS] = {0};
    bool any = false;
    for (int o = 0; o < node->outputs; o++) {
        dy[o] = w->gradient[node->out[o]->id];
        any = any || dy[o];
    }
    if (!any || node->op->kind == MI_SOURCE)
        return MICA_OK;
    mi_value **dx = mi_arena_new(&graph->arena, (size_t)node->inputs, sizeof *dx);
    mi_value **in = mi_arena_new(&graph->arena, (size_t)node->inputs, sizeof *in);
    if (!dx || !in)
        return mi_out_of_memory(&graph->error);
    struct mi_node stub = seen(w, node, in);
    graph->scope = node->name;
    MI_TRY(node_gradient(node->repeat ? &stub : node, dy, dx));
    for (int i = 0; i < node->inputs; i++) {
        const mi_value *of = node->in[i];
        if (!of || (size_t)of->id >= w->known || !w->on_path[of->id])
            continue;
        if (!dx[i] && node->backward && is_real(of) && is_real(node->out[0]))
            return mi_fail(&graph->error, MICA_UNSUPPORTED, "%s \"%s\": the derivative of its derivative is not known",
                           node->of ? node->of->name : node->op->name, node->name);
        add(graph, of->node->repeat == node->repeat ? &w->gradient[of->id] : &w->in_turn[of->id], dx[i]);
    }
    return graph->error.status;
}

/* ---- Repeats ---- */

static mi_value *zeros_like(struct mi_graph *graph, const mi_value *value)
{
    int64_t fixed[MI_MAX_RANK], of_n[MI_MAX_RANK];
    for (int i = 0; i < value->shape.rank; i++) {
        fixed[i] = value->shape.dim[i].b;
        of_n[i] = value->shape.dim[i].a;
    }
    return MI_APPLY(graph, "Expand", ((mi_value *[]){mi_number(graph, value->type, 0)}), MI_INTS("shape", fixed, value->shape.rank),
                    MI_INTS("shape_n", of_n, value->shape.rank));
}

/* The gradient that a value of the repeat has so far: its own, or of what is read from outside. */
static mi_value **gradient_in(const struct walk *w, const struct mi_node *end, const mi_value *value)
{
    return value->node->repeat == end->ends ? &w->gradient[value->id] : &w->in_turn[value->id];
}

/* Gives the repeat's results their gradients, in the turn that runs back; *count of them are carried from there on, and `carried`
 * is the number of each. */
static void begin_back(struct walk *w, const struct mi_node *end, int *carried, int *count)
{
    struct mi_graph *graph = w->graph;
    const struct mi_repeat repeat = graph->repeats[end->ends];
    mi_value **last = mi_arena_new(&graph->arena, (size_t)end->inputs + 1, sizeof *last);
    for (size_t v = 0; v < w->known && last; v++) {
        const struct mi_node *node = graph->values[v]->node;
        int of = (int)mi_attribute_int(node, "of", 0);
        if (!node->inputs || node->in[0] != end->out[0] || !w->gradient[v])
            continue;
        if (node->op == &mi_op_last)
            add(graph, &last[of], w->gradient[v]);
        else
            add(graph, gradient_in(w, end, end->in[of]), mi_at_turn(graph, w->gradient[v], 0));
    }
    for (int i = 0; i < repeat.carries && last; i++) {
        if (!w->on_path[end->in[i]->id])
            continue;
        mi_value *from = last[i] ? last[i] : zeros_like(graph, end->in[i]);
        add(graph, gradient_in(w, end, end->in[i]), mi_carry(graph, from));
        carried[(*count)++] = i;
    }
}

/* The carried value of that number; NULL: nothing reads it. */
static struct mi_node *carry_of(const struct mi_graph *graph, const struct mi_node *end, int number)
{
    for (int id = 0; id < end->id; id++) {
        struct mi_node *node = graph->nodes[id];
        if (node->op == &mi_op_carry && node->repeat == end->ends && mi_carry_number(node) == number)
            return node;
    }
    return NULL;
}

static struct mi_node *end_back(struct walk *w, const struct mi_node *end, const int *carried, int count)
{
    struct mi_graph *graph = w->graph;
    mi_value **next = mi_arena_new(&graph->arena, (size_t)count + 1, sizeof *next);
    for (int i = 0; i < count && next; i++) {
        const struct mi_node *carry = carry_of(graph, end, carried[i]);
        mi_value *gradient = carry ? w->gradient[carry->out[0]->id] : NULL;
        next[i] = gradient ? gradient : zeros_like(graph, end->in[carried[i]]);
    }
    return next ? mi_repeat_end(graph, next, count) : NULL;
}

/* What all turns add to the gradient of a tensor of which each turn read its part: these, side by side along that axis. */
static mi_value *beside(struct mi_node *back, const struct mi_node *turn, mi_value *gradient)
{
    int64_t perm[MI_MAX_RANK], axis = mi_attribute_int(turn, "axis", 0);
    mi_value *all = mi_stack(back, gradient);
    for (int i = 0; i < turn->in[0]->shape.rank; i++)
        perm[i] = i == axis ? 0 : i < axis ? i + 1 : i;
    return axis && all ? MI_APPLY(back->graph, "Transpose", ((mi_value *[]){all}), MI_INTS("perm", perm, all->shape.rank)) : all;
}

/* Gives what lies outside of the repeat its gradients, which the one that runs back has made. */
static void leave_back(struct walk *w, const struct mi_node *end, struct mi_node *back, const int *carried, int count)
{
    struct mi_graph *graph = w->graph;
    for (int id = 0; id < end->id; id++) {
        const struct mi_node *node = graph->nodes[id];
        graph->scope = node->name;
        if (node->op == &mi_op_turn && node->repeat == end->ends && w->gradient[node->out[0]->id] && w->on_path[node->in[0]->id])
            add(graph, &w->gradient[node->in[0]->id], beside(back, node, w->gradient[node->out[0]->id]));
        for (int o = 0; o < node->outputs; o++) {
            mi_value **in_turn = &w->in_turn[node->out[o]->id];
            if (*in_turn)
                add(graph, &w->gradient[node->out[o]->id], mi_sum_of_turns(back, *in_turn));
            *in_turn = NULL;
        }
    }
    for (int i = 0; i < count; i++) {
        const struct mi_node *carry = carry_of(graph, end, carried[i]);
        if (carry && w->on_path[carry->in[0]->id])
            add(graph, &w->gradient[carry->in[0]->id], mi_last(back, i));
    }
}

/* A repeat's gradient is a repeat that runs the other way: it carries the gradients of what was carried. */
static mica_status visit_repeat(struct walk *w, struct mi_node *end)
{
    struct mi_graph *graph = w->graph;
    const struct mi_repeat repeat = graph->repeats[end->ends];
    int open = graph->open, count = 0, *carried = mi_arena_new(&graph->arena, (size_t)end->inputs + 1, sizeof *carried);
    bool any = false;
    for (size_t v = 0; v < w->known; v++) {
        const struct mi_node *node = graph->values[v]->node;
        any = any || (node->inputs && node->in[0] == end->out[0] && w->gradient[v]);
    }
    if (!carried)
        return mi_out_of_memory(&graph->error);
    if (!any)
        return MICA_OK;
    graph->scope = end->name;
    graph->open = 0;
    if (!mi_repeat_begin(graph, repeat.turns, !repeat.backwards))
        return graph->error.status;
    begin_back(w, end, carried, &count);
    MI_TRY(mi_mirror(end, w->mirror));
    for (int id = end->id; id >= 0 && graph->error.status == MICA_OK; id--)
        if (graph->nodes[id]->repeat == end->ends)
            visit(w, graph->nodes[id]);
    struct mi_node *back = end_back(w, end, carried, count);
    if (back)
        leave_back(w, end, back, carried, count);
    graph->open = open;
    return graph->arena.failed ? mi_out_of_memory(&graph->error) : graph->error.status;
}

/* ---- The walk ---- */

static bool walk_begin(struct walk *w, struct mi_graph *graph)
{
    *w = (struct walk){.graph = graph, .known = graph->value_count};
    w->gradient = mi_new(w->known, sizeof(mi_value *));
    w->in_turn = mi_new(w->known, sizeof(mi_value *));
    w->mirror = mi_new(w->known, sizeof(mi_value *));
    w->on_path = mi_new(w->known, sizeof *w->on_path);
    return w->gradient && w->in_turn && w->mirror && w->on_path;
}

static void walk_end(struct walk *w)
{
    free(w->gradient);
    free(w->in_turn);
    free(w->mirror);
    free(w->on_path);
}

mica_status mi_differentiate(struct mi_graph *graph, mi_value *loss, mi_value *const *values, int count, mi_value **gradients)
{
    struct walk w;
    if (!loss || graph->error.status != MICA_OK)
        return graph->error.status ? graph->error.status : MICA_INVALID_ARGUMENT;
    if (mi_shape_count(&loss->shape, 1) != 1)
        return mi_fail(&graph->error, MICA_SHAPE, "loss \"%s\": shape %s, a gradient needs one number", loss->node->name,
                       mi_shape_text(&graph->arena, &loss->shape));
    if (!walk_begin(&w, graph)) {
        walk_end(&w);
        return mi_out_of_memory(&graph->error);
    }
    mark_paths(graph, values, count, w.on_path);
    const char *scope = graph->scope;
    graph->backward = true;
    w.gradient[loss->id] = mi_number(graph, loss->type, 1);
    for (int id = loss->node->id; id >= 0 && graph->error.status == MICA_OK; id--) {
        struct mi_node *node = graph->nodes[id];
        if (node->op == &mi_op_repeat)
            visit_repeat(&w, node);
        else if (!node->repeat)
            visit(&w, node);
    }
    for (int i = 0; i < count; i++)
        gradients[i] = w.gradient[values[i]->id];
    graph->backward = false;
    graph->scope = scope;
    walk_end(&w);
    return graph->error.status;
}
