/* A model's plan that also puts out gradients, and what it gives beside golden vectors. */
#ifndef MICA_TEST_PROBE_H
#define MICA_TEST_PROBE_H

#include "train/golden.h"

struct probe {
    mica_device *device;
    mica_model *model;
    struct mi_graph *graph;
    mi_value *loss;              /* what is differentiated */
    const char *target;          /* of a loss: the input of labels; the plan's */
    mica_plan *plan;
    bool gathers;                /* kernels are told, and nothing runs */
    mica_plan *steps;            /* while that is so, another plan that the check will need, or NULL */
};

/* The model that JSON describes; fails the test where it cannot be built. */
mica_model *probe_model(mica_device *device, cJSON *described);

/* Adds an output "gradient/NAME" for every parameter, and "gradient/input" for the graph's first input. */
void probe_gradients(struct probe *probe, bool by_input);
/* Compiles the graph for up to `batch` samples. */
void probe_build(struct probe *probe, int64_t batch);
void probe_feed(struct probe *probe, const char *name, const void *elements, int64_t n);
/* Compares an output with the tensor "prefix/tensor"; `what` is said where they differ. */
void probe_compare(struct probe *probe, const char *what, const char *output, const struct golden *golden, const char *prefix,
                   const char *tensor, int64_t n, double tolerance);
void probe_close(struct probe *probe);

/* What a case of a file is: it builds the probe's model and plan of the JSON that stands under the case's name. */
typedef void probe_open(struct probe *probe, const struct golden *golden, const char *name, const cJSON *described);
typedef void probe_check(struct probe *probe, const struct golden *golden, const char *name);

/* The cases of a file: first their kernels, which are built together, then each. */
void probe_each(mica_device *device, const char *file, probe_open *open, probe_check *check);

#endif
