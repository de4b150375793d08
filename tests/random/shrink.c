/* Makes a graph that fails small: leaves operators out, puts inputs in their places, and makes sizes smaller, as long as it fails. */
#include "random/verdict.h"

#include <string.h>

static bool still_fails(struct trial *trial, const struct recipe *recipe, struct verdict *verdict)
{
    struct verdict own = {""};
    struct built built;
    bool builds = recipe->count > 0 && recipe_build(recipe, true, &built);
    if (recipe->count > 0)
        built_destroy(&built);
    if (!builds)
        return false;
    verdict_of(trial, recipe, &own);
    if (own.text[0])
        *verdict = own;
    return own.text[0] != 0;
}

/* Takes the changed recipe where it fails too. */
static bool accept(struct trial *trial, struct recipe *recipe, struct recipe *changed, struct verdict *verdict)
{
    bool smaller = still_fails(trial, changed, verdict);
    if (smaller) {
        recipe_destroy(recipe);
        *recipe = *changed;
    } else {
        recipe_destroy(changed);
    }
    return smaller;
}

/* Steps that neither are nor lead to an operator nobody reads. */
static void drop_sources(struct recipe *recipe)
{
    bool keep[MOST_STEPS];
    for (int s = 0; s < recipe->count; s++)
        keep[s] = recipe->step[s].op || recipe_is_read(recipe, s, -1);
    recipe_keep(recipe, keep);
}

/* Leaves out an operator that nobody reads. */
static bool without_step(struct trial *trial, struct recipe *recipe, int s, struct verdict *verdict)
{
    struct recipe changed;
    bool keep[MOST_STEPS];
    if (!recipe->step[s].op || recipe_is_read(recipe, s, -1))
        return false;
    recipe_copy(&changed, recipe);
    for (int i = 0; i < recipe->count; i++)
        keep[i] = i != s;
    recipe_keep(&changed, keep);
    drop_sources(&changed);
    return accept(trial, recipe, &changed, verdict);
}

/* An input in place of an operator. */
static bool as_input(struct trial *trial, struct recipe *recipe, int s, struct verdict *verdict)
{
    struct recipe changed;
    if (!recipe->step[s].op || !recipe_is_read(recipe, s, -1) || recipe_is_read(recipe, s, 1) || recipe_is_read(recipe, s, 2))
        return false;
    recipe_copy(&changed, recipe);
    struct step *step = &changed.step[s];
    *step = (struct step){.type = step->type, .shape = step->shape, .low = step->type == MI_FLOAT ? -2 : 0,
                          .high = step->type == MI_FLOAT ? 2 : 1};
    drop_sources(&changed);
    return accept(trial, recipe, &changed, verdict);
}

/* Its first operand in place of an operator that keeps the shape. */
static bool passed_by(struct trial *trial, struct recipe *recipe, int s, struct verdict *verdict)
{
    struct recipe changed;
    const struct step *step = &recipe->step[s];
    if (!step->op || !recipe_is_read(recipe, s, -1) || recipe_is_read(recipe, s, 1) || recipe_is_read(recipe, s, 2))
        return false;
    for (int i = 0; i < step->inputs; i++) {
        const struct step *from = &recipe->step[step->in[i].step];
        if (step->in[i].output != 0 || from->type != step->type || !mi_shape_equal(&from->shape, &step->shape))
            continue;
        recipe_copy(&changed, recipe);
        for (int k = s + 1; k < changed.count; k++)
            for (int j = 0; j < changed.step[k].inputs; j++)
                if (changed.step[k].in[j].step == s)
                    changed.step[k].in[j] = step->in[i];
        bool keep[MOST_STEPS];
        for (int k = 0; k < changed.count; k++)
            keep[k] = k != s;
        recipe_keep(&changed, keep);
        drop_sources(&changed);
        if (accept(trial, recipe, &changed, verdict))
            return true;
    }
    return false;
}

/* A size that several inputs share becomes another one in all of them. */
static bool with_size(struct trial *trial, struct recipe *recipe, struct mi_dim from, struct mi_dim to, struct verdict *verdict)
{
    struct recipe changed;
    recipe_copy(&changed, recipe);
    for (int s = 0; s < changed.count; s++)
        for (int i = 0; i < changed.step[s].shape.rank && !changed.step[s].op; i++)
            if (mi_dim_equal(changed.step[s].shape.dim[i], from))
                changed.step[s].shape.dim[i] = to;
    struct built built;
    bool builds = recipe_build(&changed, true, &built);
    for (int s = 0; s < changed.count && builds; s++)
        changed.step[s].shape = built.value[s][0]->shape;
    built_destroy(&built);
    if (builds)
        return accept(trial, recipe, &changed, verdict);
    recipe_destroy(&changed);
    return false;
}

static bool smaller_sizes(struct trial *trial, struct recipe *recipe, struct verdict *verdict)
{
    for (int s = 0; s < recipe->count; s++)
        for (int i = 0; i < recipe->step[s].shape.rank && !recipe->step[s].op; i++) {
            struct mi_dim from = recipe->step[s].shape.dim[i];
            const struct mi_dim to[] = {mi_fixed(1), mi_fixed(2), mi_fixed(3), mi_fixed(4), mi_fixed(8)};
            for (size_t k = 0; k < MI_COUNT(to); k++)
                if ((from.a || from.b > to[k].b) && with_size(trial, recipe, from, to[k], verdict))
                    return true;
        }
    return false;
}

static bool smaller_batch(struct trial *trial, struct recipe *recipe, struct verdict *verdict)
{
    for (int64_t batch = 1; batch < recipe->batch && batch <= 4; batch++) {
        struct recipe changed;
        recipe_copy(&changed, recipe);
        changed.batch = batch;
        if (accept(trial, recipe, &changed, verdict))
            return true;
    }
    return false;
}

void recipe_shrink(struct trial *trial, struct recipe *recipe, struct verdict *verdict)
{
    for (bool smaller = true; smaller;) {
        smaller = false;
        for (int s = recipe->count - 1; s >= 0; s--)
            if (s < recipe->count && (without_step(trial, recipe, s, verdict) || as_input(trial, recipe, s, verdict) ||
                                      passed_by(trial, recipe, s, verdict)))
                smaller = true;
        smaller = smaller_batch(trial, recipe, verdict) || smaller_sizes(trial, recipe, verdict) || smaller;
    }
}
