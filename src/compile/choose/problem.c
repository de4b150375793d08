/* Contractions of a plan as engines look at them, with one that is computed inside another. */
#include "compile/choose/problem.h"

#include <string.h>

enum { MOST_BETWEEN = 16, MOST_BESIDE = 8 }; /* maps, and what else they read: a kernel has only so many arguments */

bool mi_engine_is_allowed(const struct mica_plan *plan, const struct mi_engine *engine)
{
    return !plan->desc.engine || strcmp(plan->desc.engine, engine->name) == 0 || engine == &mi_engine_nest;
}

const struct mi_engine *mi_cheapest(const struct mica_plan *plan, const struct mi_problem *problem)
{
    const struct mi_engine *best = &mi_engine_nest;
    double cost = best->cost(problem);
    for (const struct mi_engine *const *engine = mi_engines; *engine; engine++) {
        if ((*engine)->ahead || !mi_engine_is_allowed(plan, *engine) || !mi_engine_can(*engine, problem))
            continue;
        if (plan->desc.engine)
            return *engine; /* asked for, at whatever cost; the reference, which does everything, is the last */
        double own = (*engine)->cost(problem);
        if (own < cost) {
            best = *engine;
            cost = own;
        }
    }
    return best;
}

mica_status mi_read_problem(const struct mica_plan *plan, const struct mi_node *node, struct mi_problem *problem)
{
    *problem = (struct mi_problem){.node = node,
                                   .device = plan->device,
                                   .batch = plan->rows[node->repeat] ? plan->rows[node->repeat] : plan->batch,
                                   .by_rows = plan->rows[node->repeat] > 0,
                                   .plain_only = plan->desc.no_blocked,
                                   .exact = plan->desc.exact};
    MI_TRY(node->op->contract(node, &problem->c));
    problem->constant = mi_is_prepared(node, problem->c.b.value);
    return MICA_OK;
}

/* The contraction that makes the value by maps of its own shape. */
static struct mi_node *made_by(const struct mi_users *users, const mi_value *value, int depth, int beside)
{
    struct mi_node *node = value->node, *found = NULL;
    if (depth > MOST_BETWEEN || beside > MOST_BESIDE || node->outputs != 1 || node->again || value->name ||
        mi_users_count(users, value) != 1)
        return NULL;
    if (node->op->kind == MI_CONTRACT)
        return node;
    for (int k = 0; k < node->inputs && node->op->kind == MI_MAP && !found; k++)
        if (node->in[k] && mi_shape_equal(&node->in[k]->shape, &value->shape))
            found = made_by(users, node->in[k], depth + 1, beside + node->inputs - 1);
    return found;
}

mica_status mi_read_ahead(const struct mi_users *users, const struct mi_node *node, struct mi_ahead *ahead)
{
    *ahead = (struct mi_ahead){0};
    for (int k = 0; k < node->inputs && !ahead->node; k++) {
        ahead->result = node->in[k];
        ahead->node = node->in[k] ? made_by(users, node->in[k], 0, 0) : NULL;
    }
    if (!ahead->node)
        return MICA_OK;
    MI_TRY(ahead->node->op->contract(ahead->node, &ahead->c));
    ahead->constant = mi_stays_the_same(ahead->c.b.value);
    return MICA_OK;
}

static bool mark(struct mica_plan *plan, struct mi_node *node, const mi_value *value, const struct mi_node *until)
{
    bool found = value->node == until;
    for (int k = 0; k < value->node->inputs && value->node->op->kind == MI_MAP && !found; k++)
        found = value->node->in[k] && mi_shape_equal(&value->node->in[k]->shape, &value->shape) &&
                mark(plan, node, value->node->in[k], until);
    if (found)
        plan->inside[value->node->id] = node;
    return found;
}

void mi_mark_inside(struct mica_plan *plan, struct mi_node *node, const struct mi_ahead *ahead)
{
    mark(plan, node, ahead->result, ahead->node);
    plan->inside[node->id] = node;
}
