/* Narrowing: what a training step keeps for its backward pass, and what its products read, is rounded to 16 bits, where the graph
 * asks for that. Parameters, statistics, losses and what reductions make stay as they are.
 *
 * x = relu(conv(...)), which the next convolution reads, and the gradients of both:
 *
 *     x16 = Cast(x, float16)       kept in the place of x, half the memory
 *     a = Cast(x16, float32)       what the next convolution reads now; nobody reads it later
 *     b = Cast(x16, float32)       the same for its weights' gradient: computed just before
 *     c = Cast(x16, float32)       and for maps and reductions, which compute it where they use it
 *
 * Casts are maps, so that they ride on what makes x, and engines see floats. */
#include "compile/rewrite/rewrite.h"

#include <stdlib.h>

enum copy { BEFORE, AGAIN, INLINE, COPIES };

struct narrow {
    struct mi_graph *graph;
    struct mi_users users;     /* before anything was added */
    bool *wanted;              /* by value id */
};

/* Activations and their gradients; not what reductions make of them, as the gradient of a largest element looks for its equal. */
static bool is_of_samples(const mi_value *value)
{
    enum mi_kind kind = value->node->op->kind;
    bool grows = false;
    for (int i = 0; i < value->shape.rank; i++)
        grows = grows || value->shape.dim[i].a;
    return grows && value->shape.rank > 1 && value->type == MI_FLOAT && !value->name && kind != MI_SOURCE && kind != MI_REDUCE &&
           value->node->again == MI_AGAIN_NOT && !value->node->repeat;
}

/* What a node makes that is worth a place in memory: no view, such as the windows of a pool. */
static bool is_kept(const mi_value *value)
{
    const struct mi_node *node = value->node;
    return (node->op->kind != MI_MOVE || node->op->keeps_order) && is_of_samples(value);
}

static void want(struct narrow *n)
{
    for (size_t i = 0; i < n->graph->node_count; i++) {
        const struct mi_node *node = n->graph->nodes[i];
        bool reads = node->op->kind == MI_CONTRACT;
        for (int k = 0; k < node->inputs; k++) {
            const mi_value *in = node->in[k];
            if (in && ((reads && is_of_samples(in)) || (node->backward && !in->node->backward && is_kept(in))))
                n->wanted[in->id] = true;
        }
    }
}

/* Whether the backward pass reads what the forward pass makes. */
static bool is_read_later(const struct narrow *n, const mi_value *value)
{
    bool later = false;
    for (size_t u = n->users.first[value->id]; u < n->users.first[value->id + 1] && !value->node->backward; u++)
        later = later || n->users.node[u]->backward;
    return later;
}

/* Which of the copies a user reads. What is not read later is rounded where it is made, and stored once, as floats. */
static enum copy copy_for(const struct mi_node *user, bool later)
{
    enum mi_kind kind = user->op->kind;
    if (later && (kind == MI_MAP || kind == MI_REDUCE || kind == MI_MOVE || kind == MI_INDEXED))
        return INLINE;
    return later && user->backward ? AGAIN : BEFORE;
}

static mi_value *cast(struct narrow *n, mi_value *value, enum mi_type type, enum mi_again again, bool backward)
{
    mi_value *made = MI_APPLY(n->graph, "Cast", ((mi_value *[]){value}), MI_INT("to", type));
    if (made) {
        made->node->again = again;
        made->node->backward = backward;
    }
    return made;
}

static void replace(struct narrow *n, mi_value *value)
{
    static const enum mi_again again[COPIES] = {MI_AGAIN_NOT, MI_AGAIN_STORED, MI_AGAIN_INLINE};
    mi_value *copy[COPIES] = {NULL};
    bool later = is_read_later(n, value);
    n->graph->scope = value->node->name;
    mi_value *stored = cast(n, value, n->graph->precision, MI_AGAIN_NOT, value->node->backward);
    for (size_t u = n->users.first[value->id]; stored && u < n->users.first[value->id + 1]; u++) {
        struct mi_node *user = n->users.node[u];
        enum copy which = copy_for(user, later);
        if (!copy[which])
            copy[which] = cast(n, stored, MI_FLOAT, again[which], which == AGAIN || value->node->backward);
        for (int k = 0; k < user->inputs && copy[which]; k++)
            user->in[k] = user->in[k] == value ? copy[which] : user->in[k];
    }
    n->graph->scope = NULL;
}

/* What is forgotten and computed again is rounded as it was the first time. */
static mica_status round_again(struct narrow *n, size_t values)
{
    bool *rounded = mi_new(n->graph->next_stable, sizeof *rounded);
    if (!rounded)
        return mi_out_of_memory(&n->graph->error);
    for (size_t v = 0; v < values; v++)
        if (n->wanted[v] && n->graph->values[v]->output == 0)
            rounded[n->graph->values[v]->node->stable] = true;
    for (size_t v = 0; v < values; v++) {
        mi_value *value = n->graph->values[v];
        enum mi_again again = value->node->again;
        if (again == MI_AGAIN_NOT || value->output != 0 || !rounded[value->node->stable])
            continue;
        n->graph->scope = value->node->name;
        mi_value *stored = cast(n, value, n->graph->precision, MI_AGAIN_INLINE, value->node->backward);
        mi_value *copy = stored ? cast(n, stored, MI_FLOAT, again, value->node->backward) : NULL;
        value->node->again = MI_AGAIN_INLINE;
        for (size_t u = n->users.first[value->id]; copy && u < n->users.first[value->id + 1]; u++)
            for (int k = 0; k < n->users.node[u]->inputs; k++)
                if (n->users.node[u]->in[k] == value)
                    n->users.node[u]->in[k] = copy;
    }
    n->graph->scope = NULL;
    free(rounded);
    return n->graph->error.status;
}

mica_status mi_narrow(struct mi_graph *graph, int64_t batch)
{
    (void)batch;
    size_t values = graph->value_count;
    struct narrow n = {.graph = graph};
    if (graph->precision == MI_FLOAT)
        return MICA_OK;
    n.wanted = mi_new(values, sizeof *n.wanted);
    if (mi_users_list(graph, &n.users) && n.wanted) {
        want(&n);
        for (size_t v = 0; v < values && graph->error.status == MICA_OK; v++)
            if (n.wanted[v])
                replace(&n, graph->values[v]);
        if (graph->error.status == MICA_OK)
            round_again(&n, values);
    } else
        mi_out_of_memory(&graph->error);
    mi_value **none = graph->error.status == MICA_OK ? mi_new(graph->value_count, sizeof *none) : NULL;
    mica_status status = none ? mi_graph_rebuild(graph, none) : mi_out_of_memory(&graph->error);
    free(none);
    mi_users_free(&n.users);
    free(n.wanted);
    return status;
}
