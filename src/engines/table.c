/* The engines, and the reference that does everything. */
#include "engines/engine.h"

#include <string.h>

static bool supports_all(const struct mi_problem *problem)
{
    (void)problem;
    return true;
}

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

/* A launch, and a rate that loops without a register tile reach. */
static double nest_cost(const struct mi_problem *problem)
{
    return 2.4e-6 + mi_problem_products(problem) / (1e9 * problem->device->info.compute_units);
}

static mica_status emit_nest(struct mi_emitter *e, const struct mi_problem *problem, struct mi_codes *codes)
{
    (void)problem;
    return mi_emit_nest(e, codes);
}

const struct mi_engine mi_engine_nest = {
    .name = "nest", .supports = supports_all, .cost = nest_cost, .epilogue = true, .emit = emit_nest};

#define LIST(name) &mi_engine_##name,
const struct mi_engine *const mi_engines[] = {MI_ENGINES(LIST) NULL};
