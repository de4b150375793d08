/* Chooses an engine for each contraction by cost, gives tensors the layouts that engines wish for, and puts conversions where
 * a tensor is wanted in two. */
#include "compile/choose/choose.h"
#include "compile/choose/tuner.h"
#include "compile/rewrite/rewrite.h"

#include <stdlib.h>
#include <string.h>

static mica_status find_updates(struct mica_plan *plan)
{
    struct mi_users users;
    bool listed = mi_users_list(plan->graph, &users);
    if (listed)
        mi_mark_updates(plan->graph, &users, plan->updates);
    mi_users_free(&users);
    return listed ? MICA_OK : mi_out_of_memory(&plan->error);
}

/* ---- Layouts ---- */

/* A value that an engine wants in a layout, and the value that gets it. */
struct wish {
    mi_value *from, *to;
    struct mi_layout layout;
};

struct wishes {
    struct mica_plan *plan;
    struct mi_users users; /* of the graph as it came; so are the updates, by node id */
    bool *updates;
    size_t nodes;
    struct wish *list;
    size_t count, capacity;
};

/* A reduction's loops do not have the axes that it leaves as ones, and what lies outside the tensor is filled by loops. */
static bool leaves_ones(const struct mi_node *node)
{
    return node->op->kind == MI_REDUCE && node->out[0]->shape.rank == node->in[0]->shape.rank;
}

/* Whether whoever makes the value can store it in any layout, and nobody needs it plain. */
static bool is_free(const struct wishes *w, const mi_value *value)
{
    const struct mi_graph *graph = w->plan->graph;
    const struct mi_node *node = value->node;
    if (node->op->kind == MI_SOURCE || node->op->kind == MI_OWN || leaves_ones(node) || value->name)
        return false;
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct mi_node *user = graph->nodes[i];
        bool uses = false;
        for (int k = 0; k < user->inputs; k++)
            uses = uses || user->in[k] == value;
        if (uses && (mi_takes_memory(user) || user->op->kind == MI_OWN || (i < w->nodes && w->updates[i])))
            return false;
    }
    return true;
}

static bool same_but_halo(const struct mi_layout *x, const struct mi_layout *y, int rank)
{
    struct mi_layout a = *x, b = *y;
    for (int i = 0; i < rank; i++)
        a.low[i] = a.high[i] = b.low[i] = b.high[i] = 0;
    return mi_layout_equal(&a, &b, rank);
}

/* The value in that layout: itself, where its maker can store it so and nobody wants another, or a copy made once. */
static mi_value *grant(struct wishes *w, mi_value *value, const struct mi_layout *layout)
{
    int rank = value->shape.rank;
    bool taken = false;
    for (size_t i = 0; i < w->count; i++) {
        struct wish *known = &w->list[i];
        if (known->from != value)
            continue;
        taken = taken || known->to == value;
        if (!same_but_halo(&known->layout, layout, rank))
            continue;
        for (int d = 0; d < rank; d++) {
            known->layout.low[d] = layout->low[d] > known->layout.low[d] ? layout->low[d] : known->layout.low[d];
            known->layout.high[d] = layout->high[d] > known->layout.high[d] ? layout->high[d] : known->layout.high[d];
        }
        return known->to;
    }
    if (!mi_grow(&w->list, &w->capacity, w->count + 1, sizeof *w->list)) {
        mi_out_of_memory(&w->plan->error);
        return NULL;
    }
    mi_value *to = !taken && is_free(w, value) ? value : NULL;
    if (!to && mi_layout_is_plain(layout, rank) && !taken)
        return value; /* it is plain, and stays so: nothing to record */
    w->plan->graph->scope = value->node->variable ? value->node->variable->name : value->node->name;
    if (!to)
        to = mi_op1(w->plan->graph, "Identity", value);
    if (to)
        w->list[w->count++] = (struct wish){value, to, *layout};
    return to;
}

/* ---- Contractions ---- */

/* Lets an engine have another form of operand b, as the node's third input. */
static mica_status prepare(struct wishes *w, struct mi_node *node, const struct mi_engine *engine,
                           const struct mi_problem *problem)
{
    struct mi_graph *graph = w->plan->graph;
    if (!engine->prepare)
        return MICA_OK;
    graph->scope = node->name;
    mi_value *prepared = engine->prepare(graph, problem);
    mi_value **in = mi_arena_new(&graph->arena, (size_t)node->inputs + 1, sizeof *in);
    if (graph->error.status != MICA_OK)
        return mi_error_report(&w->plan->error, &graph->error);
    if (!in)
        return mi_out_of_memory(&w->plan->error);
    if (!prepared)
        return MICA_OK;
    memcpy(in, node->in, (size_t)node->inputs * sizeof *in);
    in[node->inputs++] = prepared;
    node->in = in;
    return MICA_OK;
}

/* Replaces the inputs of a contraction by what lies as wished, a for operand a; NULL: plain. */
static mica_status ask_inputs(struct wishes *w, struct mi_node *node, const struct mi_contraction *c,
                              const struct mi_layout *a, const struct mi_layout *b)
{
    for (int k = 0; k < node->inputs; k++) {
        if (!node->in[k] || w->plan->inside[node->in[k]->node->id] == node ||
            node->in[k]->node->again == MI_AGAIN_PACKED)
            continue;
        struct mi_layout plain = mi_layout_plain(node->in[k]->shape.rank);
        const struct mi_layout *layout = !a ? &plain : node->in[k] == c->a.value ? a : b;
        mi_value *to = grant(w, node->in[k], layout);
        if (!to)
            return mi_error_report(&w->plan->error, &w->plan->graph->error);
        node->in[k] = to;
    }
    return MICA_OK;
}

/* Lets an engine have the inputs of its contraction, and of the one ahead, in layouts of its own. */
static mica_status ask(struct wishes *w, struct mi_node *node, const struct mi_engine *engine,
                       const struct mi_problem *problem)
{
    struct mi_wishes wanted = {0};
    if (engine->wishes)
        engine->wishes(problem, &wanted);
    if (!engine->memory)
        return MICA_OK;
    MI_TRY(ask_inputs(w, node, &problem->c, wanted.wanted ? &wanted.a : NULL, &wanted.b));
    if (!problem->ahead)
        return MICA_OK;
    return ask_inputs(w, problem->ahead->node, &problem->ahead->c, wanted.wanted ? &wanted.ahead_a : NULL,
                      &wanted.ahead_b);
}

/* Whether an output of `user` has the samples and channels of its input, place by place: a map of the same shape, a move or a
 * reduction of other axes. */
static bool keeps_channels(const struct mi_node *user, const mi_value *in, const mi_value *out)
{
    if (user->op->kind == MI_MAP)
        return mi_shape_equal(&out->shape, &in->shape);
    return (user->op->kind == MI_MOVE || user->op->kind == MI_REDUCE) && user->in[0] == in && out->shape.rank >= 3 &&
           mi_dim_equal(out->shape.dim[0], in->shape.dim[0]) && mi_dim_equal(out->shape.dim[1], in->shape.dim[1]);
}

/* What an engine makes in blocks is best left so, down a chain of maps and reductions, through moves (a pool's windows). */
static void keep_blocked(struct wishes *w, mi_value *value, int depth)
{
    const struct mi_graph *graph = w->plan->graph;
    int block = w->plan->device->vector_width;
    if (depth > 16 || value->shape.rank < 3 || value->shape.dim[1].b < block || !is_free(w, value))
        return;
    for (size_t i = 0; i < w->count; i++)
        if (w->list[i].from == value)
            return;
    if (value->node->op->kind != MI_MOVE) {
        struct mi_layout layout = mi_layout_blocked(value->shape.rank, 1, block);
        grant(w, value, &layout);
    }
    for (size_t i = 0; i < graph->node_count; i++) {
        struct mi_node *user = graph->nodes[i];
        for (int k = 0; k < user->inputs; k++)
            for (int o = 0; o < user->outputs && user->in[k] == value; o++)
                if (keeps_channels(user, value, user->out[o]))
                    keep_blocked(w, user->out[o], depth + 1);
    }
}

struct chosen {
    struct mi_node *node;
    struct mi_choice choice;
    struct mi_ahead ahead; /* node NULL: none */
};

/* What the model ran with before, or what tuning found; else the cheapest. A choice that does not fit is none. */
static mica_status find_choice(struct mica_plan *plan, const struct mi_problem *problem, struct mi_choice *choice)
{
    const struct mi_engine *engine = mi_cheapest(plan, problem);
    const struct mi_known_choice *known = NULL;
    struct mi_tuner *tuner = plan->desc.engine || plan->desc.variant ? NULL : mi_tuner_of(plan->device);
    *choice = (struct mi_choice){engine, mi_variant_of(engine, problem, plan->desc.variant)};
    if (!tuner)
        return MICA_OK;
    const char *key = mi_problem_key(&plan->arena, problem);
    if (plan->desc.choices)
        known = mi_choices_find(plan->desc.choices, key);
    if (!known || !mi_choice_fits(&known->choice, problem))
        known = mi_choices_find(&tuner->table, key);
    if (known && mi_choice_fits(&known->choice, problem))
        *choice = known->choice;
    if (plan->desc.choices && !mi_choices_set(plan->desc.choices, key, choice, -1))
        return mi_out_of_memory(&plan->error);
    return MICA_OK;
}

static mica_status choose(struct wishes *w, struct chosen *chosen, size_t *count)
{
    struct mica_plan *plan = w->plan;
    size_t nodes = plan->graph->node_count;
    for (size_t i = 0; i < nodes; i++) {
        struct mi_node *node = plan->graph->nodes[i];
        struct mi_problem problem;
        if (node->op->kind != MI_CONTRACT || (plan->inside[i] && plan->inside[i] != node))
            continue;
        MI_TRY(mi_read_problem(plan, node, &problem));
        struct chosen *now = &chosen[(*count)++];
        *now = (struct chosen){.node = node};
        if (plan->inside[i]) {
            MI_TRY(mi_read_ahead(&w->users, node, &now->ahead));
            problem.ahead = &now->ahead;
            now->choice = plan->choices[i];
        } else {
            MI_TRY(find_choice(plan, &problem, &now->choice));
            problem.variant = now->choice.variant;
            mi_pack_operands(plan, &w->users, &problem, &now->choice);
        }
        problem.variant = now->choice.variant;
        MI_TRY(ask(w, node, now->choice.engine, &problem));
        MI_TRY(prepare(w, node, now->choice.engine, &problem));
    }
    for (size_t i = 0; i < *count; i++)
        if (chosen[i].choice.engine->blocked)
            keep_blocked(w, chosen[i].node->out[0], 0);
    return w->plan->error.status;
}

/* By the nodes' final numbers. */
static void record(struct mica_plan *plan, const struct chosen *chosen)
{
    plan->choices[chosen->node->id] = chosen->choice;
    if (!chosen->ahead.node)
        return;
    plan->choices[chosen->ahead.node->id] = chosen->choice;
    mi_mark_inside(plan, chosen->node, &chosen->ahead);
}

/* Which contractions are computed inside the kernels of others, by the nodes' numbers so far. */
static mica_status find_inside(struct mica_plan *plan, const struct mi_users *users)
{
    plan->inside = mi_arena_new(&plan->arena, plan->graph->node_count, sizeof *plan->inside);
    plan->choices = mi_arena_new(&plan->arena, plan->graph->node_count, sizeof *plan->choices);
    if (plan->arena.failed)
        return mi_out_of_memory(&plan->error);
    for (size_t i = 0; i < plan->graph->node_count; i++) {
        struct mi_ahead ahead;
        if (plan->graph->nodes[i]->op->kind != MI_CONTRACT)
            continue;
        MI_TRY(mi_choose_ahead(plan, users, plan->graph->nodes[i], &ahead, &plan->choices[i]));
        if (plan->choices[i].engine)
            mi_mark_inside(plan, plan->graph->nodes[i], &ahead);
    }
    return MICA_OK;
}

/* Decides; conversions become nodes, so the graph is put in order again before anything is numbered by it. */
mica_status mi_choose_engines(struct mica_plan *plan)
{
    struct wishes w = {.plan = plan, .nodes = plan->graph->node_count};
    size_t count = 0;
    struct chosen *chosen = mi_new(w.nodes, sizeof *chosen);
    mi_value **none = NULL;
    bool listed = mi_users_list(plan->graph, &w.users);
    w.updates = mi_new(w.nodes, sizeof *w.updates);
    mica_status status = chosen && listed && w.updates ? find_inside(plan, &w.users) : mi_out_of_memory(&plan->error);
    if (status == MICA_OK && plan->desc.search)
        status = plan->desc.search(plan);
    if (status == MICA_OK) {
        mi_mark_updates(plan->graph, &w.users, w.updates);
        status = choose(&w, chosen, &count);
    }
    plan->graph->scope = NULL;
    if (status == MICA_OK) {
        none = mi_new(plan->graph->value_count, sizeof *none);
        status = none ? mi_graph_rebuild(plan->graph, none) : mi_out_of_memory(&plan->error);
    }
    if (status == MICA_OK)
        status = mi_start_tensors(plan);
    for (size_t i = 0; i < count && status == MICA_OK; i++)
        record(plan, &chosen[i]);
    for (size_t i = 0; i < w.count && status == MICA_OK; i++) {
        plan->tensors[w.list[i].to->id].layout = w.list[i].layout;
        plan->wanted[w.list[i].to->id] = true;
    }
    if (status == MICA_OK)
        status = find_updates(plan);
    mi_users_free(&w.users);
    free(w.updates);
    free(chosen);
    free(none);
    free(w.list);
    return status;
}
