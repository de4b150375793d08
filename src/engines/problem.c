/* What engines ask of a problem: how much work it is, of what types, and their own variants for it. */
#include "engines/engine.h"

#include <string.h>

int mi_variant_add(struct mi_variant *list, int count, int most, struct mi_variant variant)
{
    for (int i = 0; i < count; i++)
        if (memcmp(&list[i], &variant, sizeof variant) == 0)
            return count;
    if (count < most)
        list[count++] = variant;
    return count;
}

double mi_problem_products(const struct mi_problem *problem)
{
    double products = 1;
    for (int i = 0; i < problem->c.axes; i++)
        products *= (double)mi_dim_at(problem->c.extent[i], problem->batch);
    return products;
}

bool mi_contraction_is_float(const struct mi_contraction *c)
{
    return c->a.value->type == MI_FLOAT && c->b.value->type == MI_FLOAT && c->out.value->type == MI_FLOAT;
}

struct mi_variant mi_variant_of(const struct mi_engine *engine, const struct mi_problem *problem, int which)
{
    struct mi_variant list[MI_MOST_VARIANTS] = {{{0}}};
    int count = engine->variants ? engine->variants(problem, list, MI_MOST_VARIANTS) : 1;
    return list[which < count ? which : count - 1];
}
