/* Metrics: a row each. What a batch adds to a sum on the device, and what the sum over all samples means.
 *
 * Adding one: its row in a file of this folder, and its name in MI_METRICS; docs/adding-a-metric.md. */
#ifndef MICA_SRC_NN_METRIC_H
#define MICA_SRC_NN_METRIC_H

#include "nn/loss/loss.h"

#include <mica/objective.h>

enum { MI_MOST_METRIC_KEYS = 4 };

struct mi_metric_key {
    const char *name;
    float otherwise, least, most;
    bool whole;
};

/* What is compared: an output, and its target as it is fed, numbers of classes (n) or values of the output's shape. */
struct mi_metric_use {
    const struct mi_loss *loss;   /* which says what the output is: logits, probabilities, values */
    mi_value *output, *target;
    bool classes;
    const float *value;           /* of the row's keys */
};

struct mi_metric_row {
    const char *name, *alias;     /* alias NULL: none */
    struct mi_metric_key keys[MI_MOST_METRIC_KEYS + 1]; /* ends with one without a name */
    /* Whether it can be measured of such an output (`target` is NULL); the error says what it takes. NULL: always. */
    mica_status (*check)(struct mi_error *error, const struct mi_metric_use *use);
    /* Adds what the samples of a batch add to the sum, of any shape without n; NULL after an error. */
    mi_value *(*sum)(struct mi_graph *graph, const struct mi_metric_use *use);
    /* What `places` sums over so many samples mean; NULL: the only one divided by the samples. */
    double (*result)(const float *sum, size_t places, double samples);
};

/* A metric with its settings. */
struct mi_metric {
    const struct mi_metric_row *row;
    float value[MI_MOST_METRIC_KEYS];
};

/* The metrics, one a line. */
#define MI_METRICS(X)                                                                                                            \
    X(accuracy)

extern const struct mi_metric_row *const mi_metric_rows[];   /* NULL-terminated (table.c) */
extern const char *const mi_metric_names[];                  /* for messages */

/* Finds the row and checks the settings. `place` begins errors where it is not empty: "metrics[1]". */
mica_status mi_metric_resolve(struct mi_error *error, const char *place, const mica_metric *given, struct mi_metric *out);

/* ---- For rows ---- */

/* Each sample's mean of values of its places, added up over the batch: (n, ...) -> (). */
mi_value *mi_metric_sum(struct mi_graph *graph, mi_value *each);
mi_value *mi_metric_cast(struct mi_graph *graph, mi_value *x, enum mi_type type);
/* The class that the largest of an output's row (n, C) says: (n), int32. */
mi_value *mi_metric_largest(struct mi_graph *graph, mi_value *x);

#endif
