/* Drops what nobody needs, joins what is the same, removes identities, and puts nodes in topological order. */
#include "compile/rewrite/rewrite.h"

#include <stdlib.h>
#include <string.h>

/* ---- Rebuilding: live nodes in topological order, with replaced values followed to their end ---- */

struct rebuild {
    struct mi_graph *graph;
    mi_value *const *replacement;
    char *state;               /* by node id: 0 new, 1 open, 2 done */
    struct mi_node **sorted, **stack;
    size_t count;
};

static mi_value *follow(const struct rebuild *r, mi_value *value)
{
    while (value && r->replacement[value->id])
        value = r->replacement[value->id];
    return value;
}

/* Depth first, without recursion: graphs of deep networks are long. */
static void sort_from(struct rebuild *r, struct mi_node *root)
{
    size_t depth = 0;
    r->stack[depth++] = root;
    while (depth) {
        struct mi_node *node = r->stack[depth - 1];
        if (r->state[node->id] == 2) {
            depth--;
            continue;
        }
        bool ready = true;
        if (r->state[node->id] == 0) {
            r->state[node->id] = 1;
            for (int i = 0; i < node->inputs; i++)
                node->in[i] = follow(r, node->in[i]);
        }
        for (int i = node->inputs - 1; i >= 0; i--)
            if (node->in[i] && r->state[node->in[i]->node->id] == 0) {
                r->stack[depth++] = node->in[i]->node;
                ready = false;
                break;
            }
        if (!ready)
            continue;
        r->state[node->id] = 2;
        r->sorted[r->count++] = node;
        depth--;
    }
}

/* An Assign of a variable to itself, as inference leaves the running statistics. */
static bool keeps_its_value(const struct rebuild *r, const struct mi_node *assign)
{
    const mi_value *value = follow(r, assign->in[0]);
    return value->node->op == &mi_op_variable && value->node->variable == assign->variable;
}

static void renumber(struct rebuild *r)
{
    struct mi_graph *graph = r->graph;
    size_t values = 0;
    for (size_t i = 0; i < r->count; i++) {
        struct mi_node *node = r->sorted[i];
        node->id = (int)i;
        graph->nodes[i] = node;
        for (int o = 0; o < node->outputs; o++) {
            node->out[o]->id = (int)values;
            graph->values[values++] = node->out[o];
        }
    }
    graph->node_count = r->count;
    graph->value_count = values;
    mi_graph_list_variables(graph); /* fewer than there were: this needs no memory */
}

mica_status mi_graph_rebuild(struct mi_graph *graph, mi_value *const *replacement)
{
    size_t nodes = graph->node_count;
    struct rebuild r = {.graph = graph, .replacement = replacement};
    r.state = mi_new(nodes, 1);
    r.sorted = mi_new(nodes, sizeof *r.sorted);
    r.stack = mi_new(nodes + 1, sizeof *r.stack);
    mica_status status = MICA_OK;
    if (r.state && r.sorted && r.stack) {
        for (size_t i = 0; i < graph->input_count; i++)
            sort_from(&r, graph->inputs[i]->node);
        for (size_t i = 0; i < graph->output_count; i++) {
            graph->outputs[i] = follow(&r, graph->outputs[i]);
            sort_from(&r, graph->outputs[i]->node);
        }
        for (size_t i = 0; i < nodes; i++)
            if (graph->nodes[i]->op == &mi_op_assign && !keeps_its_value(&r, graph->nodes[i]))
                sort_from(&r, graph->nodes[i]);
        renumber(&r);
    } else
        status = mi_out_of_memory(&graph->error);
    free(r.state);
    free(r.sorted);
    free(r.stack);
    return status;
}

/* ---- The same computation twice ---- */

static bool same_attributes(const struct mi_node *x, const struct mi_node *y)
{
    if (x->attributes != y->attributes)
        return false;
    for (int i = 0; i < x->attributes; i++) {
        const struct mi_attribute *a = &x->attribute[i], *b = &y->attribute[i];
        if (strcmp(a->name, b->name) != 0 || a->type != b->type || a->i != b->i || a->count != b->count ||
            memcmp(&a->f, &b->f, sizeof a->f) != 0 || !a->s != !b->s || (a->s && strcmp(a->s, b->s) != 0) ||
            (a->ints && memcmp(a->ints, b->ints, (size_t)a->count * sizeof *a->ints) != 0))
            return false;
    }
    return true;
}

static bool same_constant(const struct mi_node *x, const struct mi_node *y)
{
    const mi_value *a = x->out[0], *b = y->out[0];
    size_t bytes = (size_t)mi_shape_count(&a->shape, 0) * mi_types[a->type].bytes;
    return a->type == b->type && mi_shape_equal(&a->shape, &b->shape) && memcmp(x->constant, y->constant, bytes) == 0;
}

static bool same_node(const struct mi_node *x, const struct mi_node *y)
{
    if (x->op != y->op || x->inputs != y->inputs || x->of != y->of || x->wrt != y->wrt || x->variable != y->variable ||
        x->repeat != y->repeat || x->ends != y->ends)
        return false;
    if (x->op == &mi_op_constant)
        return same_constant(x, y);
    if (memcmp(x->in, y->in, (size_t)x->inputs * sizeof *x->in) != 0 || !same_attributes(x, y))
        return false;
    return !mi_draws(x) || x->stable == y->stable;
}

static uint64_t node_key(const struct mi_node *node)
{
    uint64_t key = mi_hash(node->op->name, strlen(node->op->name), (uint64_t)node->inputs);
    for (int i = 0; i < node->inputs; i++)
        key = key * 1099511628211u + (node->in[i] ? (uint64_t)node->in[i]->id + 1 : 0);
    return key;
}

/* Whether the expression multiplies these two, in this order. */
static bool is_product(const char *expression, const char *x, const char *y)
{
    size_t length = strlen(x);
    return strncmp(expression, x, length) == 0 && strncmp(expression + length, " * ", 3) == 0 &&
           strcmp(expression + length + 3, y) == 0;
}

/* Whether all elements are 1: a constant, also spread by moves that fill nothing. */
static bool is_one(struct mi_graph *graph, const mi_value *value)
{
    static const char *const anywhere[MI_MAX_RANK] = {"0", "0", "0", "0", "0", "0", "0", "0"};
    float number = 0;
    while (value->node->op->kind == MI_MOVE && value->node->inputs == 1) {
        struct mi_access access[3] = {{0}};
        if (value->node->op->move(&graph->arena, value->node, anywhere, access) != 1 || access[0].guard)
            return false;
        value = access[0].value;
    }
    return mi_constant_float(value, &number) && number == 1;
}

/* The input that a map passes on: its only one, or what it multiplies by 1, as the derivative of a sum does; NULL. */
static mi_value *passed_on(struct mi_graph *graph, const struct mi_node *node)
{
    struct mi_map_view view;
    int in[2], count = 0;
    mi_map_view(node, &view);
    for (int i = 0; i < node->inputs; i++) {
        if (node->in[i] && count == 2)
            return NULL;
        if (node->in[i])
            in[count++] = i;
    }
    if (count == 1)
        return strcmp(view.expr[0], view.in[in[0]]) == 0 ? node->in[in[0]] : NULL;
    for (int k = 0; k < 2 && count == 2; k++) {
        bool product = is_product(view.expr[0], view.in[in[k]], view.in[in[1 - k]]) ||
                       is_product(view.expr[0], view.in[in[1 - k]], view.in[in[k]]);
        if (product && is_one(graph, node->in[in[k]]))
            return node->in[in[1 - k]];
    }
    return NULL;
}

/* The input of one move, each element of which the output has at the place that index[] names; index[] then names where in it. */
static mi_value *moved_from(struct mi_graph *graph, const struct mi_node *node, const char *index[MI_MAX_RANK])
{
    struct mi_access access[3] = {{0}};
    if (node->op->kind != MI_MOVE || node->inputs != 1)
        return NULL;
    if (node->op->move(&graph->arena, node, index, access) != 1 || access[0].guard)
        return NULL;
    memcpy(index, access[0].index, sizeof access[0].index);
    return access[0].value;
}

/* What moves one behind another give back as it was, such as two transposes, or two reshapes; NULL: they do not. */
static mi_value *moved_back(struct mi_graph *graph, const struct mi_node *node)
{
    enum { DEEPEST = 6 };
    static const char *const names[MI_MAX_RANK] = {"i0", "i1", "i2", "i3", "i4", "i5", "i6", "i7"};
    const struct mi_shape *shape = &node->out[0]->shape;
    const char *index[MI_MAX_RANK];
    mi_value *value = node->out[0];
    bool ordered = true;
    memcpy(index, names, sizeof index);
    if (node->inputs != 1 || node->in[0]->node->op->kind != MI_MOVE)
        return NULL;
    for (int depth = 0; depth < DEEPEST && value->node->repeat == node->repeat; depth++) {
        ordered = ordered && value->node->op->keeps_order;
        value = moved_from(graph, value->node, index);
        if (!value)
            return NULL;
        bool back = mi_shape_equal(&value->shape, shape);
        for (int i = 0; i < shape->rank && back && !ordered; i++)
            back = mi_dim_is(shape->dim[i], 1) || (index[i] && strcmp(index[i], names[i]) == 0);
        if (back)
            return value;
    }
    return NULL;
}

/* What may stand for the result of an identity; NULL: it is none. Outputs keep theirs, since they need a place of their own. */
static mi_value *identical_to(struct mi_graph *graph, const struct mi_node *node)
{
    if ((node->op->kind != MI_MAP && node->op->kind != MI_MOVE) || node->outputs != 1 || node->out[0]->name)
        return NULL;
    mi_value *in = node->op->kind == MI_MAP ? passed_on(graph, node) : moved_back(graph, node);
    const mi_value *out = node->out[0];
    return in && in->type == out->type && mi_shape_equal(&in->shape, &out->shape) ? in : NULL;
}

static void find_same(struct mi_graph *graph, mi_value **replacement, int *bucket, size_t buckets, int *next)
{
    for (size_t b = 0; b < buckets; b++)
        bucket[b] = -1;
    for (size_t i = 0; i < graph->node_count; i++) {
        struct mi_node *node = graph->nodes[i];
        for (int k = 0; k < node->inputs; k++)
            while (node->in[k] && replacement[node->in[k]->id])
                node->in[k] = replacement[node->in[k]->id];
        mi_value *same = identical_to(graph, node);
        if (same) {
            replacement[node->out[0]->id] = same;
            continue;
        }
        if (node->op == &mi_op_input || node->op == &mi_op_assign || (node->outputs && node->out[0]->name))
            continue;
        size_t b = node_key(node) % buckets;
        int other = bucket[b];
        while (other >= 0 && !same_node(graph->nodes[other], node))
            other = next[other];
        if (other >= 0) {
            graph->nodes[other]->backward = graph->nodes[other]->backward && node->backward;
            for (int o = 0; o < node->outputs; o++)
                replacement[node->out[o]->id] = graph->nodes[other]->out[o];
        } else {
            next[i] = bucket[b];
            bucket[b] = (int)i;
        }
    }
}

mica_status mi_simplify(struct mi_graph *graph, int64_t batch)
{
    (void)batch;
    size_t buckets = graph->node_count * 2 + 1;
    mi_value **replacement = mi_new(graph->value_count, sizeof *replacement);
    int *bucket = mi_new(buckets, sizeof *bucket), *next = mi_new(graph->node_count, sizeof *next);
    mica_status status = MICA_OK;
    if (replacement && bucket && next) {
        find_same(graph, replacement, bucket, buckets, next);
        status = mi_graph_rebuild(graph, replacement);
    } else
        status = mi_out_of_memory(&graph->error);
    free(replacement);
    free(bucket);
    free(next);
    return status;
}
