/* Runs a recipe in many ways on a device and compares it with the host's reference. */
#ifndef MICA_TEST_VERDICT_H
#define MICA_TEST_VERDICT_H

#include "random/recipe.h"
#include "random/variants.h"

#include "device/device.h"

struct trial {
    mica_device *plain, *debug, *gpu;
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

/* The smallest recipe found that fails as well. */
void recipe_shrink(struct trial *trial, struct recipe *recipe, struct verdict *verdict);

#endif
