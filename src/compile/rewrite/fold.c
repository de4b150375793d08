/* Affine maps behind a contraction go into its constant operand: where y = s * (w * x) + t, with s and t of variables that no
 * step changes, s is multiplied into w, and t alone is added. So is batch normalisation folded into a convolution's weights in
 * inference. The slope s is the product of the maps' derivatives, t is what they make of zero; both are maps of variables, and
 * are computed again only when somebody wrote one of them. Rounds otherwise than the maps in turn do. */
#include "compile/rewrite/rewrite.h"
#include "ops/ops.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_MAPS = 8 };

struct fold {
    struct mi_graph *graph;
    struct mi_users users;       /* as they were before */
    mi_value **replacement;
};

static bool stays(const mi_value *value)
{
    return value->node->op == &mi_op_constant || mi_stays_the_same(value);
}

/* Whether a node is an affine map of its first input, and keeps its shape. */
static bool is_affine(const struct mi_node *node)
{
    if (node->op->kind != MI_MAP || !node->op->map || !node->op->map->affine || node->out[0]->name ||
        !mi_shape_equal(&node->out[0]->shape, &node->in[0]->shape))
        return false;
    for (int i = 1; i < node->inputs; i++)
        if (!node->in[i] || !stays(node->in[i]))
            return false;
    return true;
}

/* The maps that follow the contraction one after the other; none where all they do is add. */
static int find_maps(const struct fold *f, const struct mi_node *contraction, struct mi_node **maps)
{
    const mi_value *value = contraction->out[0];
    int count = 0;
    bool scales = false;
    while (count < MOST_MAPS && !value->name && mi_users_count(&f->users, value) == 1) {
        struct mi_node *node = f->users.node[f->users.first[value->id]];
        if (!is_affine(node) || node->in[0] != value)
            break;
        scales = scales || strcmp(node->op->map->grad[0], "g") != 0;
        maps[count++] = node;
        value = node->out[0];
    }
    return scales ? count : 0;
}

static mi_value *slope_of(struct fold *f, struct mi_node *const *maps, int count)
{
    mi_value *slope = mi_number(f->graph, maps[0]->in[0]->type, 1);
    for (int i = count - 1; i >= 0; i--)
        slope = mi_map_slope(maps[i], slope, 0);
    return slope;
}

/* What the maps make of zero. */
static mi_value *shift_of(struct fold *f, struct mi_node *const *maps, int count)
{
    mi_value *value = mi_number(f->graph, maps[0]->in[0]->type, 0);
    for (int i = 0; i < count && value; i++) {
        mi_value *in[MI_MAX_INPUTS] = {value};
        for (int k = 1; k < maps[i]->inputs; k++)
            in[k] = maps[i]->in[k];
        struct mi_node *made = mi_node_of(f->graph, maps[i]->op, in, maps[i]->inputs, maps[i]->attribute, maps[i]->attributes);
        value = made ? made->out[0] : NULL;
    }
    return value;
}

static bool same_index(const struct mi_index *x, const struct mi_index *y)
{
    bool same = x->terms == y->terms && x->offset == y->offset && x->divisor == y->divisor;
    for (int t = 0; t < x->terms && same; t++)
        same = x->axis[t] == y->axis[t] && x->coefficient[t] == y->coefficient[t];
    return same;
}

/* The shape in which the slope stands beside the operand: its one dimension that is not 1 must be one of the operand's. */
static bool slope_shape(const struct mi_contraction *c, const struct mi_operand *operand, const struct mi_shape *slope,
                        struct mi_shape *out)
{
    int long_dims = 0, lead = c->out.value->shape.rank - slope->rank;
    *out = operand->value->shape;
    for (int k = 0; k < out->rank; k++)
        out->dim[k] = mi_fixed(1);
    for (int d = 0; d < slope->rank; d++) {
        if (mi_dim_is(slope->dim[d], 1))
            continue;
        int k = 0;
        while (k < out->rank && !(same_index(&operand->index[k], &c->out.index[lead + d]) &&
                                  mi_dim_equal(operand->value->shape.dim[k], slope->dim[d])))
            k++;
        if (long_dims++ || k == out->rank)
            return false;
        out->dim[k] = slope->dim[d];
    }
    return true;
}

static mica_status fold_into(struct fold *f, struct mi_node *node, const struct mi_contraction *c,
                             const struct mi_operand *operand, struct mi_node *const *maps, int count)
{
    struct mi_shape shape;
    struct mi_graph *graph = f->graph;
    mi_value *slope = slope_of(f, maps, count);
    if (!slope || !slope_shape(c, operand, &slope->shape, &shape))
        return graph->error.status;
    mi_value *scaled = mi_op2(graph, "Mul", operand->value, mi_reshape_to(graph, slope, &shape));
    mi_value *result = mi_op2(graph, "Add", node->out[0], shift_of(f, maps, count));
    if (!scaled || !result)
        return graph->error.status;
    for (int k = 0; k < node->inputs; k++)
        if (node->in[k] == operand->value)
            node->in[k] = scaled;
    f->replacement[maps[count - 1]->out[0]->id] = result;
    return MICA_OK;
}

static mica_status fold_node(struct fold *f, struct mi_node *node)
{
    struct mi_node *maps[MOST_MAPS];
    struct mi_contraction c;
    int count = node->op->kind == MI_CONTRACT ? find_maps(f, node, maps) : 0;
    if (!count)
        return MICA_OK;
    MI_TRY(node->op->contract(node, &c));
    const struct mi_operand *operand = mi_stays_the_same(c.b.value) ? &c.b : &c.a;
    if (!mi_stays_the_same(operand->value) || c.a.value == c.b.value)
        return MICA_OK;
    f->graph->scope = node->name;
    return fold_into(f, node, &c, operand, maps, count);
}

mica_status mi_fold(struct mi_graph *graph, int64_t batch)
{
    (void)batch;
    size_t nodes = graph->node_count, capacity = 0;
    struct fold f = {.graph = graph};
    mica_status status = MICA_OK;
    if (!mi_users_list(graph, &f.users) || !mi_grow(&f.replacement, &capacity, graph->value_count, sizeof *f.replacement))
        status = mi_out_of_memory(&graph->error);
    for (size_t i = 0; i < nodes && status == MICA_OK; i++)
        status = fold_node(&f, graph->nodes[i]);
    graph->scope = NULL;
    if (status == MICA_OK && !mi_grow(&f.replacement, &capacity, graph->value_count, sizeof *f.replacement))
        status = mi_out_of_memory(&graph->error);
    if (status == MICA_OK)
        status = mi_graph_rebuild(graph, f.replacement);
    mi_users_free(&f.users);
    free(f.replacement);
    return status;
}
