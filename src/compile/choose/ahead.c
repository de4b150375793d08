/* Which contractions are computed inside the kernel of the one that reads them: an engine must know how, and it must pay. What lies
 * between is then never in memory, so nobody else may read it. */
#include "compile/choose/choices.h"
#include "compile/choose/choose.h"

static const double launch_seconds = 2.4e-6; /* of one launch more, in a filled queue */

static const struct mi_engine *cheapest(const struct mica_plan *plan, const struct mi_problem *problem)
{
    const struct mi_engine *best = NULL;
    for (const struct mi_engine *const *engine = mi_engines; *engine; engine++)
        if ((*engine)->ahead && mi_engine_is_allowed(plan, *engine) && mi_engine_can(*engine, problem) &&
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
