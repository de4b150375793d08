/* Sinking: a reshape between a contraction and maps goes behind them, so that they ride on the contraction. A dense layer on
 * sequences is a product of rows, (n * steps, features), that becomes (n, steps, features); what follows it, an activation or the
 * sum with a shortcut of that shape, is then computed on the rows:
 *
 *     y = Gelu(Reshape(MatMul(x, w)))    becomes    y = Reshape(Gelu(MatMul(x, w)))
 *
 * The other inputs of such a map are reshaped instead, which plain tensors are for nothing. Plans that train are left alone: their
 * gradients read what lies between. */
#include "compile/rewrite/rewrite.h"
#include "emit/emit.h"
#include "ops/ops.h"

#include <stdlib.h>

enum { DEEPEST = 8 };

struct sink {
    struct mi_graph *graph;
    struct mi_users users;         /* of the nodes that there were */
    mi_value **replacement;        /* by the value's number */
};

static mi_value *newest(const struct sink *s, mi_value *value)
{
    while (value && s->replacement[value->id])
        value = s->replacement[value->id];
    return value;
}

/* Whether a contraction makes it, or maps of its shape on one. */
static bool rides(const mi_value *value, int depth)
{
    const struct mi_node *node = value->node;
    bool found = node->op->kind == MI_CONTRACT;
    for (int i = 0; i < node->inputs && node->op->kind == MI_MAP && depth < DEEPEST && !found; i++)
        found = node->in[i] && mi_shape_equal(&node->in[i]->shape, &value->shape) && rides(node->in[i], depth + 1);
    return found;
}

/* What a reshape of a contraction, or of maps on one, is of; NULL: it is none. */
static mi_value *rows_of(const mi_value *value)
{
    const struct mi_node *node = value->node;
    mi_value *of = node->op->kind == MI_MOVE && node->op->keeps_order && node->inputs ? node->in[0] : NULL;
    return of && rides(of, 0) ? of : NULL;
}

/* The input of a map as rows have it; NULL: it has another shape. */
static mi_value *as_rows(struct sink *s, const struct mi_node *map, mi_value *in, const struct mi_shape *rows)
{
    const struct mi_shape *whole = &map->out[0]->shape, *own = &in->shape;
    const struct mi_dim *last = &whole->dim[whole->rank - 1];
    bool along = own->rank == 1 && mi_dim_equal(own->dim[0], *last) && mi_dim_equal(*last, rows->dim[rows->rank - 1]);
    if (own->rank == 0 || along)
        return in;
    if (!mi_shape_equal(own, whole))
        return NULL;
    mi_value *under = in->node->op->keeps_order && in->node->inputs ? in->node->in[0] : NULL;
    return under && mi_shape_equal(&under->shape, rows) ? under : mi_reshape_to(s->graph, in, rows);
}

/* The rows on which the map may be computed: those of an input that nobody else reads; NULL: there are none. */
static mi_value *find_rows(const struct sink *s, const struct mi_node *map)
{
    mi_value *found = NULL;
    for (int i = 0; i < map->inputs && !found; i++) {
        mi_value *given = map->in[i], *in = newest(s, given);
        if (in && mi_users_count(&s->users, given) == 1 && mi_shape_equal(&in->shape, &map->out[0]->shape))
            found = rows_of(in);
    }
    return found;
}

static bool may_sink(const struct mi_node *map)
{
    return map->op->kind == MI_MAP && map->op != &mi_op_derivative && map->outputs == 1 && !map->out[0]->name && !map->repeat &&
           map->out[0]->shape.rank > 1 && !mi_draws(map) && !mi_names_coordinates(map);
}

static mica_status sink_map(struct sink *s, struct mi_node *map)
{
    mi_value *in[MI_MAX_INPUTS] = {NULL}, *rows = may_sink(map) ? find_rows(s, map) : NULL;
    for (int i = 0; i < map->inputs && rows; i++) {
        mi_value *given = newest(s, map->in[i]);
        in[i] = given ? as_rows(s, map, given, &rows->shape) : NULL;
        if (given && !in[i])
            rows = NULL;
    }
    if (!rows)
        return s->graph->error.status;
    s->graph->scope = map->name;
    struct mi_node *made = mi_node_of(s->graph, map->op, in, map->inputs, map->attribute, map->attributes);
    mi_value *back = made && mi_shape_equal(&made->out[0]->shape, &rows->shape)
                         ? mi_reshape_to(s->graph, made->out[0], &map->out[0]->shape) : NULL;
    s->graph->scope = NULL;
    if (back)
        s->replacement[map->out[0]->id] = back;
    return s->graph->error.status;
}

/* A reshape that undoes the one before it is none. */
static void drop_reshape(struct sink *s, const struct mi_node *node)
{
    const mi_value *in = node->op->keeps_order && node->inputs ? newest(s, node->in[0]) : NULL;
    mi_value *under = in && in->node->op->keeps_order && in->node->inputs ? in->node->in[0] : NULL;
    if (under && under->type == node->out[0]->type && !node->out[0]->name && mi_shape_equal(&under->shape, &node->out[0]->shape))
        s->replacement[node->out[0]->id] = under;
}

mica_status mi_sink(struct mi_graph *graph, int64_t batch)
{
    (void)batch;
    struct sink s = {.graph = graph};
    size_t nodes = graph->node_count;
    if (graph->training)
        return MICA_OK;
    s.replacement = mi_new((2 + MI_MAX_INPUTS) * nodes + graph->value_count, sizeof *s.replacement);
    mica_status status = s.replacement && mi_users_list(graph, &s.users) ? MICA_OK : mi_out_of_memory(&graph->error);
    for (size_t i = 0; i < nodes && status == MICA_OK; i++) {
        drop_reshape(&s, graph->nodes[i]);
        status = sink_map(&s, graph->nodes[i]);
    }
    if (status == MICA_OK)
        status = mi_graph_rebuild(graph, s.replacement);
    mi_users_free(&s.users);
    free(s.replacement);
    return status;
}
