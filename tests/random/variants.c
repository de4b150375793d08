#include "random/variants.h"

#include "base/base.h"

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
