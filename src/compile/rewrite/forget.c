/* Forgetting: what the backward pass can compute again by a cheap map from values that it keeps anyway, such as the relu of a
 * normalisation whose input is kept for the normalisation's own gradient, is not kept beside them.
 *
 * Maps and reductions compute it where they use it: that reads less than the tensor would be. A contraction gets it from a kernel
 * just before. What is forgotten is never made from something forgotten, so the cost is one sweep. */
#include "compile/rewrite/rewrite.h"

#include <stdlib.h>

enum { LEAST_BYTES = 1 << 16, DEEPEST = 4, MOST_LARGE = 2 };

struct forget {
    struct mi_graph *graph;
    int64_t batch;
    bool *kept, *forgotten;    /* by value id */
    mi_value **again[2];       /* by value id: its copy for maps and reductions, and for contractions */
    size_t values;
    struct mi_users users;     /* before anything was copied */
};

static bool is_large(const struct forget *f, const mi_value *value)
{
    int64_t count = mi_shape_count(&value->shape, f->batch);
    return count < 0 || count >= (int64_t)(LEAST_BYTES / mi_types[value->type].bytes);
}

/* How many large values that are kept it takes to compute this one again; more than allowed where it cannot be. */
static int cost(const struct forget *f, const mi_value *value, int depth)
{
    const struct mi_node *node = value->node;
    int large = 0;
    if (depth > DEEPEST || node->backward || !mi_map_is_cheap(node))
        return MOST_LARGE + 1;
    for (int i = 0; i < node->inputs && large <= MOST_LARGE; i++) {
        const mi_value *in = node->in[i];
        if (!in || !is_large(f, in))
            continue;
        bool there = f->kept[in->id] || in->node->op->kind == MI_SOURCE;
        large += there ? 1 : f->forgotten[in->id] ? MOST_LARGE + 1 : cost(f, in, depth + 1);
    }
    return large;
}

/* Whether the backward pass uses the value, and whether that can be given a copy. */
static bool used_backward(const struct forget *f, const mi_value *value, bool *by_others)
{
    bool used = false;
    *by_others = false;
    for (size_t u = f->users.first[value->id]; u < f->users.first[value->id + 1]; u++) {
        const struct mi_node *user = f->users.node[u];
        enum mi_kind kind = user->op->kind;
        if (!user->backward && user->op != &mi_op_assign)
            continue;
        used = true;
        *by_others = *by_others || (kind != MI_MAP && kind != MI_REDUCE && kind != MI_CONTRACT);
    }
    return used;
}

/* The same value from the same maps, later. */
static mi_value *make_again(struct forget *f, mi_value *value, bool stored)
{
    struct mi_node *node = value->node;
    mi_value *in[MI_MAX_INPUTS];
    if (f->again[stored][value->id])
        return f->again[stored][value->id];
    for (int i = 0; i < node->inputs; i++) {
        mi_value *from = node->in[i];
        bool there = !from || !is_large(f, from) || f->kept[from->id] || from->node->op->kind == MI_SOURCE;
        in[i] = there ? from : make_again(f, from, false);
    }
    f->graph->scope = node->name;
    struct mi_node *made = mi_node_of(f->graph, node->op, in, node->inputs, node->attribute, node->attributes);
    if (!made)
        return NULL;
    made->stable = node->stable;
    made->again = stored ? MI_AGAIN_STORED : MI_AGAIN_INLINE;
    f->again[stored][value->id] = made->out[0];
    return made->out[0];
}

static void replace(struct forget *f, mi_value *value)
{
    for (size_t u = f->users.first[value->id]; u < f->users.first[value->id + 1]; u++) {
        struct mi_node *user = f->users.node[u];
        for (int k = 0; k < user->inputs; k++)
            if (user->backward && user->in[k] == value) {
                mi_value *copy = make_again(f, value, user->op->kind == MI_CONTRACT);
                user->in[k] = copy ? copy : value;
            }
    }
}

static void decide(struct forget *f)
{
    size_t nodes = f->graph->node_count;
    for (size_t i = 0; i < nodes; i++)
        for (int o = 0; o < f->graph->nodes[i]->outputs; o++) {
            mi_value *value = f->graph->nodes[i]->out[o];
            bool by_others, used = used_backward(f, value, &by_others);
            if (f->graph->nodes[i]->backward || !used || !is_large(f, value))
                continue;
            f->forgotten[value->id] = !by_others && !value->name && cost(f, value, 0) <= MOST_LARGE;
            f->kept[value->id] = !f->forgotten[value->id];
        }
    for (size_t v = 0; v < f->values; v++)
        if (f->forgotten[v])
            replace(f, f->graph->values[v]);
    f->graph->scope = NULL;
}

mica_status mi_forget(struct mi_graph *graph, int64_t batch)
{
    struct forget f = {.graph = graph, .batch = batch, .values = graph->value_count};
    f.kept = mi_new(f.values, sizeof *f.kept);
    f.forgotten = mi_new(f.values, sizeof *f.forgotten);
    f.again[0] = mi_new(f.values, sizeof(mi_value *));
    f.again[1] = mi_new(f.values, sizeof(mi_value *));
    bool good = mi_users_list(graph, &f.users) && f.kept && f.forgotten && f.again[0] && f.again[1];
    if (good)
        decide(&f);
    mi_value **none = good ? mi_new(graph->value_count, sizeof *none) : NULL;
    mica_status status = !none ? mi_out_of_memory(&graph->error) : graph->error.status;
    if (status == MICA_OK)
        status = mi_graph_rebuild(graph, none);
    free(none);
    mi_users_free(&f.users);
    free(f.kept);
    free(f.forgotten);
    free(f.again[0]);
    free(f.again[1]);
    return status;
}
