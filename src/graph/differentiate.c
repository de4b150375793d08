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
    mi_value **in_turn;            /* the same, of what the repeat on its way reads from outside: what one turn adds */
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
    bool news = true;
    for (int i = 0; i < count; i++)
        on_path[values[i]->id] = true;
    while (news) {
        news = false;
        for (size_t k = 0; k < graph->node_count; k++) {
            const struct mi_node *node = graph->nodes[k];
            news = (node->op == &mi_op_repeat && mark_carried(graph, node, on_path)) || news;
            mark_node(node, on_path);
        }
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

/* The gradient that a value has so far, as nodes see it that the repeat runs: its own, or of what is read from outside. */
static mi_value **gradient_in(const struct walk *w, int repeat, const mi_value *value)
{
    return value->node->repeat == repeat ? &w->gradient[value->id] : &w->in_turn[value->id];
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
        add(graph, gradient_in(w, node->repeat, of), dx[i]);
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

/* A repeat on its way back. */
struct back {
    const struct mi_node *end;     /* the forward one's */
    struct mi_node *made;          /* its own */
    int *carried, count;           /* which of the forward one's carried values have gradients, that are carried in this order */
    mi_value **next;               /* what becomes of what is carried */
    mi_value **in_turn;            /* what one turn adds to the gradients of values from outside */
    int *sum;                      /* by value id: 1 + which carried value adds that up; 0: none, it is summed behind the turns */
};

/* Gives the repeat's results their gradients, in the turn that runs back. */
static void begin_back(struct walk *w, struct back *b)
{
    struct mi_graph *graph = w->graph;
    const struct mi_node *end = b->end;
    const int carries = graph->repeats[end->ends].carries;
    mi_value **last = mi_arena_new(&graph->arena, (size_t)end->inputs + 1, sizeof *last);
    for (size_t v = 0; v < w->known && last; v++) {
        const struct mi_node *node = graph->values[v]->node;
        int of = (int)mi_attribute_int(node, "of", 0);
        if (!node->inputs || node->in[0] != end->out[0] || !w->gradient[v])
            continue;
        if (node->op == &mi_op_last)
            add(graph, &last[of], w->gradient[v]);
        else
            add(graph, gradient_in(w, end->ends, end->in[of]), mi_at_turn(graph, w->gradient[v], 0));
    }
    for (int i = 0; i < carries && last; i++) {
        if (!w->on_path[end->in[i]->id])
            continue;
        mi_value *from = last[i] ? last[i] : zeros_like(graph, end->in[i]);
        add(graph, gradient_in(w, end->ends, end->in[i]), mi_carry(graph, from));
        b->carried[b->count++] = i;
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

/* What the turns add to the gradients of values from outside is carried where a turn keeps nothing: else all turns' would be kept
 * to be summed. Gives how many values are carried. */
static int carry_sums(struct walk *w, struct back *b)
{
    struct mi_graph *graph = w->graph;
    int count = b->count;
    for (size_t v = 0; v < w->known && mi_repeat_has_inner(graph, b->end->ends); v++) {
        mi_value *sum = b->in_turn[v] ? mi_carry(graph, zeros_like(graph, graph->values[v])) : NULL;
        if (!sum)
            continue;
        add(graph, &sum, b->in_turn[v]);
        b->next[count] = sum;
        b->sum[v] = ++count;
    }
    return count;
}

static bool end_back(struct walk *w, struct back *b)
{
    struct mi_graph *graph = w->graph;
    for (int i = 0; i < b->count; i++) {
        const struct mi_node *carry = carry_of(graph, b->end, b->carried[i]);
        mi_value *gradient = carry ? w->gradient[carry->out[0]->id] : NULL;
        b->next[i] = gradient ? gradient : zeros_like(graph, b->end->in[b->carried[i]]);
    }
    b->made = mi_repeat_end(graph, b->next, carry_sums(w, b));
    return b->made != NULL;
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
static void leave_back(struct walk *w, const struct back *b)
{
    struct mi_graph *graph = w->graph;
    const struct mi_node *end = b->end;
    for (int id = 0; id < end->id; id++) {
        const struct mi_node *node = graph->nodes[id];
        graph->scope = node->name;
        if (node->op == &mi_op_turn && node->repeat == end->ends && w->gradient[node->out[0]->id] && w->on_path[node->in[0]->id])
            add(graph, gradient_in(w, end->repeat, node->in[0]), beside(b->made, node, w->gradient[node->out[0]->id]));
        for (int o = 0; o < node->outputs; o++) {
            int of = node->out[o]->id;
            if (b->in_turn[of])
                add(graph, gradient_in(w, end->repeat, node->out[o]),
                    b->sum[of] ? mi_last(b->made, b->sum[of] - 1) : mi_sum_of_turns(b->made, b->in_turn[of]));
        }
    }
    for (int i = 0; i < b->count; i++) {
        const struct mi_node *carry = carry_of(graph, end, b->carried[i]);
        if (carry && w->on_path[carry->in[0]->id])
            add(graph, gradient_in(w, end->repeat, carry->in[0]), mi_last(b->made, i));
    }
}

static bool new_back(struct walk *w, const struct mi_node *end, struct back *b)
{
    struct mi_arena *arena = &w->graph->arena;
    *b = (struct back){.end = end};
    b->carried = mi_arena_new(arena, (size_t)end->inputs + 1, sizeof *b->carried);
    b->next = mi_arena_new(arena, (size_t)end->inputs + w->known + 1, sizeof *b->next);
    b->in_turn = mi_arena_new(arena, w->known, sizeof *b->in_turn);
    b->sum = mi_arena_new(arena, w->known, sizeof *b->sum);
    return b->carried && b->next && b->in_turn && b->sum;
}

/* A repeat's gradient is a repeat that runs the other way: it carries the gradients of what was carried. */
static mica_status visit_repeat(struct walk *w, struct mi_node *end)
{
    struct mi_graph *graph = w->graph;
    const struct mi_repeat repeat = graph->repeats[end->ends];
    mi_value **around = w->in_turn;
    struct back b;
    bool any = false;
    for (size_t v = 0; v < w->known; v++) {
        const struct mi_node *node = graph->values[v]->node;
        any = any || (node->inputs && node->in[0] == end->out[0] && w->gradient[v]);
    }
    if (!any)
        return MICA_OK;
    if (!new_back(w, end, &b))
        return mi_out_of_memory(&graph->error);
    graph->scope = end->name;
    if (!mi_repeat_begin(graph, repeat.turns, !repeat.backwards))
        return graph->error.status;
    mi_repeat_until(graph, repeat.lengths);
    w->in_turn = b.in_turn;
    begin_back(w, &b);
    MI_TRY(mi_mirror(end, w->mirror));
    for (int id = end->id; id >= 0 && graph->error.status == MICA_OK; id--) {
        struct mi_node *node = graph->nodes[id];
        if (node->repeat == end->ends)
            node->op == &mi_op_repeat ? visit_repeat(w, node) : visit(w, node);
    }
    bool ended = end_back(w, &b);
    w->in_turn = around;
    if (ended)
        leave_back(w, &b);
    return graph->arena.failed ? mi_out_of_memory(&graph->error) : graph->error.status;
}

/* ---- The walk ---- */

static bool walk_begin(struct walk *w, struct mi_graph *graph)
{
    *w = (struct walk){.graph = graph, .known = graph->value_count};
    w->gradient = mi_new(w->known, sizeof(mi_value *));
    w->mirror = mi_new(w->known, sizeof(mi_value *));
    w->on_path = mi_new(w->known, sizeof *w->on_path);
    return w->gradient && w->mirror && w->on_path;
}

static void walk_end(struct walk *w)
{
    free(w->gradient);
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
    int open = graph->open;
    graph->open = 0;
    graph->backward = true;
    w.gradient[loss->id] = mi_number(graph, loss->type, 1);
    for (int id = loss->node->id; id >= 0 && graph->error.status == MICA_OK; id--) {
        struct mi_node *node = graph->nodes[id];
        if (!node->repeat)
            node->op == &mi_op_repeat ? visit_repeat(&w, node) : visit(&w, node);
    }
    for (int i = 0; i < count; i++)
        gradients[i] = w.gradient[values[i]->id];
    graph->backward = false;
    graph->scope = scope;
    graph->open = open;
    walk_end(&w);
    return graph->error.status;
}
