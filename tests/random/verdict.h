/* Runs a recipe in many ways on a device and compares it with the host's reference. */
#ifndef MICA_TEST_VERDICT_H
#define MICA_TEST_VERDICT_H

#include "random/recipe.h"
#include "random/variants.h"

#include "support/gather.h"

struct trial {
    mica_device *plain, *debug, *gpu;
    struct gathering *gathering; /* of plain and debug, and of gpu: kernels are remembered, nothing runs; NULL: it does */
    bool all;                    /* every variant and batch; else the first and another one */
    bool apart;                  /* each graph in a process of its own, which opens its own devices: a crash is a verdict too */
    const struct recipe *now;    /* what is being run */
    /* What has been compared, for the summary. */
    uint64_t graphs, elements, unknown, slopes, bent;
};

/* What differs, in a line; empty: nothing. */
struct verdict {
    char text[400];
};

void devices_open(struct trial *trial);
void devices_close(struct trial *trial);
void verdict_of(struct trial *trial, const struct recipe *recipe, struct verdict *verdict);
/* Builds what the recipes that `next` draws will need, until it returns false; unless each runs apart. */
void kernels_build(struct trial *trial, bool (*next)(void *context, uint64_t i, struct recipe *recipe), void *context);

/* The smallest recipe found that fails as well. */
void recipe_shrink(struct trial *trial, struct recipe *recipe, struct verdict *verdict);

#endif
