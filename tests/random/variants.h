/* The ways in which a random graph is compiled. */
#ifndef MICA_TEST_VARIANTS_H
#define MICA_TEST_VARIANTS_H

#include <stdbool.h>

struct variant {
    const char *name, *engine;
    bool no_fusion, no_blocked, debug, exact, gpu; /* gpu: the kernels that a GPU gets */
};
extern const struct variant variants[];
int variant_count(void);

struct mica_plan;
/* Whether it computes convolutions by tiles, which round more (interpret.h). */
bool plan_uses_winograd(const struct mica_plan *plan);

#endif
