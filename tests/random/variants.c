#include "random/variants.h"

#include "plan/inside.h"
#include "engines/engine.h"

const struct variant variants[] = {{.name = "fused"},
                                   {.name = "apart", .no_fusion = true},
                                   {.name = "debug", .debug = true},
                                   {.name = "plain layouts", .no_blocked = true},
                                   {.name = "nest", .engine = "nest"},
                                   {.name = "exact", .exact = true},
                                   {.name = "gpu kernels", .gpu = true}};

int variant_count(void)
{
    return (int)MI_COUNT(variants);
}

bool plan_uses_winograd(const struct mica_plan *plan)
{
    for (size_t k = 0; k < plan->kernels.count; k++) {
        const struct mi_engine *engine = plan->kernels.list[k].choice.engine;
        if (engine == &mi_engine_winograd || engine == &mi_engine_winograd_weight)
            return true;
    }
    return false;
}
