/* What a recipe must compute: its lowered graph in ball arithmetic on the host (interpret.h), which is itself held against the
 * operators' definitions and its gradients against differences. */
#ifndef MICA_TEST_RANDOM_REFERENCE_H
#define MICA_TEST_RANDOM_REFERENCE_H

#include "random/interpret.h"
#include "random/verdict.h"

struct reference {
    struct built built;
    struct mi_graph *graph;      /* lowered */
    struct interpreter host;
};

enum { BATCHES = 3 };

/* What is expected for the largest batch, one in between, and a single sample; only the first where no dimension varies. */
struct references {
    struct reference of[BATCHES];
    int count;
};

/* by_winograd: 3 x 3 convolutions may round more. */
void references_create(const struct recipe *recipe, bool by_winograd, struct references *list, struct verdict *verdict);
void references_destroy(struct references *list);
/* Compares the reference with definitions and differences. */
void check_reference(struct trial *trial, const struct recipe *recipe, struct verdict *verdict);

/* Sets the verdict unless there is one. */
void verdict_add(struct verdict *verdict, const char *format, ...) MI_PRINTF(2, 3);

#endif
