/* A small network on a device, for tests of the compiler: variables, their store, a graph and its plan. */
#ifndef MICA_TEST_NETWORK_H
#define MICA_TEST_NETWORK_H

#include "support/device.h"
#include "support/gather.h"

#include "plan/plan.h"
#include "ops/ops.h"

enum { NETWORK_INPUTS = 4 };

struct network {
    mica_device *device;
    struct mi_variables variables;
    struct mi_store *store;
    struct mi_graph *graph;     /* until the plan takes it */
    mica_plan *plan;            /* its status is the test's to look at after network_try */
};

void network_begin(struct network *net, mica_device *device);
/* Compiles; the first fails the test where that fails. `how` may be NULL; its device, store, graph and batch are set here. */
void network_compile(struct network *net, int64_t batch, const struct mi_plan_desc *how);
/* The same on a device of open_sized. */
void network_compile_sized(struct network *net, int64_t batch, const struct mi_plan_desc *how, bool runs);
mica_status network_try(struct network *net, int64_t batch, const struct mi_plan_desc *how);
/* Remembers the plan's kernels instead: compiles it on a device of gather_from. */
void network_gather(struct network *net, int64_t batch, const struct mi_plan_desc *how, struct gathering *gathering);
void network_end(struct network *net); /* the device's error is forgotten too */

/* "n 3 (2n) 7" is written "n 3 7": sizes and "n". */
struct mi_shape network_shape(const char *text);
mi_value *network_input(struct network *net, const char *name, const char *shape, enum mi_type type);
/* A parameter of random values; `scale` 1: from -0.5 to 0.5. */
mi_value *network_weight(struct network *net, const char *name, const char *shape, float scale);
struct mi_variable *network_variable(struct network *net, const char *name, const char *shape, enum mi_role role, float value);
/* x (n, in) -> (n, out), with bias. */
mi_value *network_dense(struct network *net, mi_value *x, const char *name, int64_t out);
/* x (n, c, h, w) -> (n, filters, ...), with bias, kernel k x k, padded to the same size. */
mi_value *network_conv(struct network *net, mi_value *x, const char *name, int64_t filters, int64_t k);
/* Mean cross-entropy of scores (n, classes) and an int32 input "labels". */
mi_value *network_cross_entropy(struct network *net, mi_value *scores);
/* Adds an update of every parameter: "SgdUpdate", "MomentumUpdate" or "AdamUpdate". */
void network_train(struct network *net, mi_value *loss, const char *optimizer);

/* Random floats or whole numbers from 0 to classes - 1; the caller's to free. */
float *random_floats(size_t count, uint64_t stream);
int32_t *random_classes(size_t count, int32_t classes, uint64_t stream);

/* Feeds and waits. A plan without such an input takes nothing. */
void network_feed(struct network *net, const char *name, const void *elements, int64_t n);
void network_step(struct network *net, int64_t n, uint64_t step);
/* The floats of an output of n samples; the caller's to free. */
float *network_fetch(struct network *net, const char *name, int64_t n, size_t *count);
/* All elements of all variables, one after the other; the caller's to free. */
float *network_state(struct network *net, size_t *count);
void network_set_state(struct network *net, const float *state);

/* Fails where they differ by more than `tolerance` times the largest magnitude expected. */
void assert_near(const char *what, const float *got, const float *expected, size_t count, double tolerance);

#endif
