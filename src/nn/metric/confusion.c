/* How often each class is answered for each, and what follows from it. A matrix of counts has a row for each true class and a
 * column
 * for each answer; of two classes, class 1 is the one that is looked for. With more, each class is looked for in turn, and the mean
 * over the classes is given ("macro"). */
#include "nn/metric/metric.h"

#include <math.h>

static mi_value *sum(struct mi_graph *graph, const struct mi_metric_use *use)
{
    return mi_metric_products(graph, use, mi_metric_truth(graph, use), mi_metric_answer(graph, use));
}

/* ---- From the matrix ---- */

/* Of one class: found (true and answered), missed, wrong (answered and not true), and the rest. */
struct counts {
    double found, missed, wrong, rest;
};

static struct counts count(const float *matrix, size_t classes, size_t c, double samples)
{
    struct counts n = {.found = (double)matrix[c * classes + c]};
    for (size_t i = 0; i < classes; i++) {
        n.missed += (double)matrix[c * classes + i];
        n.wrong += (double)matrix[i * classes + c];
    }
    n.missed -= n.found;
    n.wrong -= n.found;
    n.rest = samples - n.found - n.missed - n.wrong;
    return n;
}

/* Nothing of nothing is 0, as scikit-learn has it. */
static double share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static double precision_of(struct counts n)
{
    return share(n.found, n.found + n.wrong);
}

static double recall_of(struct counts n)
{
    return share(n.found, n.found + n.missed);
}

static double specificity_of(struct counts n)
{
    return share(n.rest, n.rest + n.wrong);
}

static double f1_of(struct counts n)
{
    return share(2 * n.found, 2 * n.found + n.wrong + n.missed);
}

static double over_classes(const float *matrix, size_t places, double samples, double (*of)(struct counts))
{
    size_t classes = (size_t)lround(sqrt((double)places));
    double all = 0;
    if (classes == 2)
        return of(count(matrix, classes, 1, samples));
    for (size_t c = 0; c < classes; c++)
        all += of(count(matrix, classes, c, samples));
    return all / (double)classes;
}

/* ---- The rows ---- */

#define OF_CLASSES(metric)                                                                                                       \
    static mica_status check_##metric(struct mi_error *error, const struct mi_metric_use *use)                                   \
    {                                                                                                                            \
        return mi_metric_needs_classes(error, use, #metric);                                                                     \
    }                                                                                                                            \
    static double metric(const float *matrix, size_t places, double samples)                                                     \
    {                                                                                                                            \
        return over_classes(matrix, places, samples, metric##_of);                                                               \
    }                                                                                                                            \
    const struct mi_metric_row mi_metric_##metric = {                                                                            \
        .name = #metric, .rises = true, .check = check_##metric, .sum = sum, .result = metric};

OF_CLASSES(precision)
OF_CLASSES(recall)
OF_CLASSES(specificity)
OF_CLASSES(f1)

static mica_status check_matrix(struct mi_error *error, const struct mi_metric_use *use)
{
    return mi_metric_needs_classes(error, use, "confusion_matrix");
}

/* It is no number, but a matrix: mica_scores_parts. */
static double no_number(const float *matrix, size_t places, double samples)
{
    (void)matrix, (void)places, (void)samples;
    return (double)NAN;
}

const struct mi_metric_row mi_metric_confusion_matrix = {
    .name = "confusion_matrix", .check = check_matrix, .sum = sum, .result = no_number};
