/* The reference, which does everything: a nest of loops. */
#include "engines/engine.h"
#include "nest/nest.h"

static bool supports_all(const struct mi_problem *problem)
{
    (void)problem;
    return true;
}

/* A launch where it is one, and a rate that loops without a register tile reach. */
static double nest_cost(const struct mi_problem *problem)
{
    double units = problem->by_rows ? 1 : problem->device->info.compute_units;
    return (problem->by_rows ? 0 : 2.4e-6) + mi_problem_products(problem) / (1e9 * units);
}

static mica_status emit_nest(struct mi_emitter *e, const struct mi_problem *problem, struct mi_codes *codes)
{
    (void)problem;
    return mi_emit_nest(e, codes);
}

const struct mi_engine mi_engine_nest = {
    .name = "nest", .supports = supports_all, .cost = nest_cost, .epilogue = true, .by_rows = true, .emit = emit_nest};
