/* Which contractions are computed inside the kernel of the one that reads them: an engine must know how, and it must pay. What lies
 * between is then never in memory, so nobody else may read it. */
#include "compile/tune.h"

static const double launch_seconds = 2.4e-6; /* of one launch more, in a filled queue */
enum { MOST_BETWEEN = 16, MOST_BESIDE = 8 }; /* maps, and what else they read: a kernel has only so many arguments */

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

static const struct mi_engine *cheapest(const struct mica_plan *plan, const struct mi_problem *problem)
{
    const struct mi_engine *best = NULL;
    for (const struct mi_engine *const *engine = mi_engines; *engine; engine++)
        if ((*engine)->ahead && mi_engine_is_allowed(plan, *engine) && (*engine)->supports(problem) &&
            (!best || (*engine)->cost(problem) < best->cost(problem)))
            best = *engine;
    return best;
}

/* What two kernels take, and what the second of them would be. */
static mica_status choose_apart(const struct mica_plan *plan, const struct mi_problem *problem, double *seconds,
                                struct mi_choice *choice)
{
    struct mi_problem one = *problem;
    one.ahead = NULL;
    choice->engine = mi_cheapest(plan, &one);
    choice->variant = mi_variant_of(choice->engine, &one, 0);
    *seconds = choice->engine->cost(&one);
    MI_TRY(mi_read_problem(plan, problem->ahead->node, &one));
    *seconds += mi_cheapest(plan, &one)->cost(&one) + launch_seconds;
    return MICA_OK;
}

/* What the model ran with before, where it is known; then what is cheaper. Where two kernels are, the choice that is kept is that
 * of the second, and *choice is none. */
static mica_status remember(struct mica_plan *plan, const struct mi_problem *problem, struct mi_choice *choice)
{
    struct mi_choice apart = {0}, none = {0};
    double seconds;
    const char *key = mi_problem_key(&plan->arena, problem);
    const struct mi_known_choice *known = plan->desc.choices ? mi_choices_find(plan->desc.choices, key) : NULL;
    if (known) {
        bool one = known->choice.engine->ahead && mi_choice_fits(&known->choice, problem);
        *choice = one ? known->choice : none;
        return MICA_OK;
    }
    MI_TRY(choose_apart(plan, problem, &seconds, &apart));
    bool pays = choice->engine->cost(problem) < seconds;
    if (plan->desc.choices && !mi_choices_set(plan->desc.choices, key, pays ? choice : &apart, -1))
        return mi_out_of_memory(&plan->error);
    *choice = pays ? *choice : none;
    return MICA_OK;
}

mica_status mi_choose_ahead(struct mica_plan *plan, const struct mi_users *users, const struct mi_node *node,
                            struct mi_ahead *ahead, struct mi_choice *choice)
{
    struct mi_problem problem;
    *choice = (struct mi_choice){0};
    MI_TRY(mi_read_ahead(users, node, ahead));
    if (!ahead->node || plan->inside[ahead->node->id] || plan->desc.no_fusion)
        return MICA_OK;
    MI_TRY(mi_read_problem(plan, node, &problem));
    problem.ahead = ahead;
    const struct mi_engine *engine = cheapest(plan, &problem);
    if (!engine)
        return MICA_OK;
    *choice = (struct mi_choice){engine, mi_variant_of(engine, &problem, plan->desc.variant)};
    return plan->desc.engine ? MICA_OK : remember(plan, &problem, choice);
}
