/* exp of the mean of -log p of the true class: how many classes, all alike, would be as hard to tell apart. */
#include "nn/metric/metric.h"

#include <math.h>

/* Of several places a sample it is that of their mean. */
static mica_status check(struct mi_error *error, const struct mi_metric_use *use)
{
    bool places = use->classes && use->output->shape.rank > 2;
    if (!places)
        MI_TRY(mi_metric_needs_classes(error, use, "perplexity"));
    if (mi_metric_units(use) < 2)
        return mi_fail(error, MICA_INVALID_ARGUMENT, "metric perplexity: the output has one unit, it needs one a class");
    if (use->loss->row->activation)
        return MICA_OK;
    return mi_fail(error, MICA_INVALID_ARGUMENT, "metric perplexity: with loss %s the output has no probabilities",
                   use->loss->row->layer.type);
}

static mi_value *sum(struct mi_graph *graph, const struct mi_metric_use *use)
{
    const struct mi_loss loss = mi_loss_plain("categorical_crossentropy", use->loss->from_logits);
    return mi_metric_sum(graph, use, mi_loss_each(graph, &loss, use->output, use->target, NULL));
}

static double result(const float *sum_, size_t places, double samples)
{
    (void)places;
    return exp((double)sum_[0] / samples);
}

const struct mi_metric_row mi_metric_perplexity = {.name = "perplexity", .check = check, .sum = sum, .result = result};
