/* Kernels of several plans, built at once. A driver reads its declarations once a program, which takes as long as a kernel does: a
 * test of many small plans says first what all of them are, and then compiles and runs one after the other. */
#ifndef MICA_TEST_GATHER_H
#define MICA_TEST_GATHER_H

#include "support/device.h"

#include "plan/plan.h"

struct gathering {
    struct mi_wanted_kernel *list;
    size_t count, capacity;
};

/* From here on, compiling a plan on the device builds nothing and ends with MICA_CANCELLED. Returns what the device told of its
 * compiling before. */
struct mi_compiling gather_from(mica_device *device);
/* Remembers the kernels of such a plan, and forgets that it failed; the plan is the caller's to destroy. */
void gather_plan(struct gathering *gathering, const mica_plan *plan);
/* Builds all kernels on the device, on which plans find them from now on; `told` is what gather_from returned. A kernel that does
 * not build is left to its plan, which says so. Of two devices that need the same kernels each is given the whole list, so that the
 * driver finds for the second what it has compiled for the first. */
void gather_build(const struct gathering *gathering, mica_device *device, struct mi_compiling told);
void gather_end(struct gathering *gathering);

#endif
