/* exp of the mean of -log p of the true class: how many classes, all alike, would be as hard to tell apart. */
#include "nn/metric/metric.h"

#include <math.h>

static mica_status check(struct mi_error *error, const struct mi_metric_use *use)
{
    MI_TRY(mi_metric_needs_classes(error, use, "perplexity"));
    if (mi_metric_units(use) > 1)
        return MICA_OK;
    return mi_fail(error, MICA_INVALID_ARGUMENT, "metric perplexity: the output has one unit, it needs one a class");
}

static mi_value *sum(struct mi_graph *graph, const struct mi_metric_use *use)
{
    struct mi_loss loss = *use->loss;
    loss.row = mi_loss_find(use->classes ? "sparse_categorical_crossentropy" : "categorical_crossentropy");
    return mi_metric_sum(graph, mi_loss_each(graph, &loss, use->output, use->target));
}

static double result(const float *sum_, size_t places, double samples)
{
    (void)places;
    return exp((double)sum_[0] / samples);
}

const struct mi_metric_row mi_metric_perplexity = {.name = "perplexity", .check = check, .sum = sum, .result = result};
