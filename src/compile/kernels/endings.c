/* Work on parameters alone, at the end of a step: norms that clip gradients, the norms and means of some optimizers' rules. It
 * waits for the last gradient, so that a launch can do it for several parameters (alike.c). */
#include "compile/kernels/kernels.h"

enum { DEEPEST = 4096 };

enum state { UNKNOWN, NO, YES };

struct search {
    const struct mica_plan *plan;
    struct mi_users users;
    unsigned char *state; /* by node id */
};

static bool is_small(const mi_value *value)
{
    int64_t count = mi_shape_count(&value->shape, 1);
    for (int i = 0; i < value->shape.rank; i++)
        if (value->shape.dim[i].a)
            return false;
    return count > 0 && count < MI_SMALL_ELEMENTS;
}

/* A map, a move or a reduction of small tensors that no batch has a part in. */
static bool is_small_work(const struct mi_node *node)
{
    enum mi_kind kind = node->op->kind;
    if ((kind != MI_MAP && kind != MI_REDUCE && kind != MI_MOVE) || node->again != MI_AGAIN_NOT)
        return false;
    for (int i = 0; i < node->inputs; i++)
        if (node->in[i] && !is_small(node->in[i]))
            return false;
    for (int o = 0; o < node->outputs; o++)
        if (!is_small(node->out[o]) || node->out[o]->name)
            return false;
    return true;
}

static bool is_ending(struct search *s, const struct mi_node *node, int depth);

/* Whether only updates, and other such work, are made of the value. */
static bool ends(struct search *s, const mi_value *value, int depth)
{
    bool all = true;
    for (size_t u = s->users.first[value->id]; u < s->users.first[value->id + 1] && all; u++) {
        const struct mi_node *user = s->users.node[u];
        if (user->op == &mi_op_assign)
            all = user->variable->role == MI_PARAMETER || user->variable->role == MI_MOMENT;
        else
            all = s->plan->updates[user->id] || is_ending(s, user, depth);
    }
    return all;
}

static bool is_ending(struct search *s, const struct mi_node *node, int depth)
{
    if (s->state[node->id] != UNKNOWN)
        return s->state[node->id] == YES;
    bool all = depth < DEEPEST && is_small_work(node);
    for (int o = 0; o < node->outputs && all; o++)
        all = ends(s, node->out[o], depth + 1);
    s->state[node->id] = all ? YES : NO;
    return all;
}

mica_status mi_find_endings(struct mica_plan *plan)
{
    size_t count = plan->graph->node_count;
    struct search s = {.plan = plan, .state = mi_arena_new(&plan->arena, count, sizeof *s.state)};
    plan->endings = mi_arena_new(&plan->arena, count, sizeof *plan->endings);
    bool listed = mi_users_list(plan->graph, &s.users);
    for (size_t i = 0; i < count && listed && s.state && plan->endings; i++) {
        const struct mi_node *node = plan->graph->nodes[i];
        plan->endings[node->id] = is_ending(&s, node, 0);
    }
    mi_users_free(&s.users);
    return listed && s.state && plan->endings ? MICA_OK : mi_out_of_memory(&plan->error);
}

/* Whether it is of no application's: neither an input nor an output, whose memory may be theirs. */
static bool is_own(const struct mica_plan *plan, const mi_value *value)
{
    bool moves = value->node->op == &mi_op_input || plan->tensors[value->id].part.of;
    return !moves && (plan->home[value->node->id] < 0 || !value->name);
}

bool mi_kernel_is_ending(const struct mica_plan *plan, const struct mi_kernel *kernel)
{
    struct mi_source source[MI_MOST_SOURCES];
    bool all = plan->endings && !kernel->anchor && !kernel->update;
    for (int m = 0; m < kernel->count && all; m++) {
        int sources = mi_sources(plan, kernel->nodes[m], source);
        all = plan->endings[kernel->nodes[m]->id];
        for (int i = 0; i < sources && all; i++)
            all = is_small(source[i].value) && is_own(plan, source[i].value);
    }
    return all;
}
