/* Metrics: a row each. What a batch adds to a sum on the device, and what the sum over all samples means.
 *
 * Adding one: its row in a file of this folder, and its name in MI_METRICS; docs/adding-a-metric.md. */
#ifndef MICA_SRC_NN_METRIC_H
#define MICA_SRC_NN_METRIC_H

#include "nn/loss/loss.h"
#include "nn/settings.h"

#include <mica/objective.h>

enum { MI_MOST_METRIC_KEYS = 4 };

/* What is compared: an output, and its target as it is fed, numbers of classes (n) or values of the output's shape. Where places
 * are samples of their own (mi_places), both come so. */
struct mi_metric_use {
    const struct mi_loss *loss;   /* which says what the output is: logits, probabilities, values */
    mi_value *output, *target;
    mi_value *counted;            /* which samples count, (n) of bools; NULL: all do */
    bool classes;
    const float *value;           /* of the row's keys */
};

/* All answers of an evaluation, for metrics that are not sums. */
struct mi_metric_answers {
    const float *outputs;         /* (n, units) as the network gives them */
    const float *targets;         /* (n, units); NULL: classes */
    const int32_t *classes;       /* (n) */
    size_t n, units;
};

struct mi_metric_row {
    const char *name, *alias;     /* alias NULL: none */
    bool rises;                   /* more is better */
    struct mi_number keys[MI_MOST_METRIC_KEYS + 1]; /* ends with one without a name */
    /* Whether it can be measured of such an output (`target` is NULL); the error says what it takes. NULL: always. */
    mica_status (*check)(struct mi_error *error, const struct mi_metric_use *use);
    /* Adds what the samples of a batch add to the sum, of any shape without n; NULL after an error. */
    mi_value *(*sum)(struct mi_graph *graph, const struct mi_metric_use *use);
    /* What `places` sums over so many samples that count mean; NULL: the only one divided by the samples. */
    double (*result)(const float *sum, size_t places, double samples);
    /* The same of all answers, where the sums are rounded; the host may be slow. NULL: the sums do. NaN: there is none, or memory
     * ran out. */
    double (*exact)(const struct mi_metric_answers *answers);
};

/* A metric with its settings. */
struct mi_metric {
    const struct mi_metric_row *row;
    float value[MI_MOST_METRIC_KEYS];
};

/* The metrics, one a line. */
#define MI_METRICS(X)                                                                                                            \
    X(accuracy)                                                                                                                  \
    X(top_k_accuracy)                                                                                                            \
    X(precision)                                                                                                                 \
    X(recall)                                                                                                                    \
    X(specificity)                                                                                                               \
    X(f1)                                                                                                                        \
    X(auc)                                                                                                                       \
    X(auc_pr)                                                                                                                    \
    X(confusion_matrix)                                                                                                          \
    X(perplexity)                                                                                                                \
    X(mean_absolute_error)                                                                                                       \
    X(mean_squared_error)                                                                                                        \
    X(root_mean_squared_error)                                                                                                   \
    X(mean_absolute_percentage_error)                                                                                            \
    X(r2_score)                                                                                                                  \
    X(cosine_similarity)

extern const struct mi_metric_row *const mi_metric_rows[];   /* NULL-terminated (table.c) */
extern const char *const mi_metric_names[];                  /* for messages */

const struct mi_metric_row *mi_metric_find(const char *name); /* NULL: none of that name */
/* Finds the row and checks the settings. `place` begins errors where it is not empty: "metrics[1]". */
mica_status mi_metric_resolve(struct mi_error *error, const char *place, const mica_metric *given, struct mi_metric *out);
/* Whether metric i of a list of known ones is none of those before it: two would have one name, whatever their settings. */
mica_status mi_metric_once(struct mi_error *error, const char *place, const mica_metric *list, int i);

/* ---- For rows ---- */

/* Each sample's mean of values of its places, added up over the samples of the batch that count: (n, ...) -> (). */
mi_value *mi_metric_sum(struct mi_graph *graph, const struct mi_metric_use *use, mi_value *each);
mi_value *mi_metric_sum_axis(struct mi_graph *graph, mi_value *x, int axis, bool keep);
mi_value *mi_metric_cast(struct mi_graph *graph, mi_value *x, enum mi_type type);
/* The class that the largest of an output's row (n, C) says: (n), int32. */
mi_value *mi_metric_largest(struct mi_graph *graph, mi_value *x);
int64_t mi_metric_units(const struct mi_metric_use *use); /* numbers a sample of the output */
/* Whether the output tells classes apart; an error that names the metric where it does not, or where targets are no values. */
bool mi_metric_has_classes(const struct mi_metric_use *use);
mica_status mi_metric_needs_classes(struct mi_error *error, const struct mi_metric_use *use, const char *metric);
mica_status mi_metric_needs_values(struct mi_error *error, const struct mi_metric_use *use, const char *metric);
/* The true and the answered class of each sample as rows of one 1: (n, C), of one unit (n, 2). */
mi_value *mi_metric_truth(struct mi_graph *graph, const struct mi_metric_use *use);
mi_value *mi_metric_answer(struct mi_graph *graph, const struct mi_metric_use *use);
/* Sums over the samples that count of products of each two columns: (n, A), (n, B) -> (A, B). */
mi_value *mi_metric_products(struct mi_graph *graph, const struct mi_metric_use *use, mi_value *a, mi_value *b);

#endif
