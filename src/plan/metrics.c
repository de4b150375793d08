/* What a plan measures: sums that its runs add to on the device, read when they are asked for. */
#include "plan/inside.h"

#include <math.h>
#include <stdlib.h>

int mica_plan_metric_count(const mica_plan *plan)
{
    return plan ? plan->desc.metric_count : 0;
}

const char *mica_plan_metric_name(const mica_plan *plan, int i)
{
    return plan && i >= 0 && i < plan->desc.metric_count ? plan->desc.metrics[i].name : NULL;
}

int mi_plan_metric_places(const mica_plan *plan, int i)
{
    return (int)mi_variable_count(plan->desc.metrics[i].sum);
}

mica_status mi_plan_metric_sums(mica_plan *plan, int i, float *sums)
{
    struct mi_error fault = {0};
    mica_status status = mi_store_faults(plan->store, &fault);
    if (fault.status != MICA_OK)
        return mi_plan_refuse(plan, status, "%s", fault.text);
    return mi_plan_from_device(plan, mi_store_read(plan->store, plan->desc.metrics[i].sum, sums));
}

/* How many samples a metric's sums are of; waits. */
static mica_status count_samples(mica_plan *plan, const struct mi_plan_metric *metric, double *samples)
{
    float counted;
    *samples = (double)plan->samples * (double)metric->places;
    if (!metric->count)
        return MICA_OK;
    mica_status status = mi_plan_from_device(plan, mi_store_read(plan->store, metric->count, &counted));
    *samples = status == MICA_OK ? (double)counted : 0;
    return status;
}

static mica_status read_metric(mica_plan *plan, int i, double *value)
{
    const struct mi_plan_metric *metric = &plan->desc.metrics[i];
    size_t places = mi_variable_count(metric->sum);
    double samples;
    float *sums = mi_new(places, sizeof *sums);
    if (!sums)
        return mi_out_of_memory(&plan->refused);
    mica_status status = mi_plan_metric_sums(plan, i, sums);
    if (status == MICA_OK)
        status = count_samples(plan, metric, &samples);
    if (status == MICA_OK)
        *value = !(samples > 0) ? (double)NAN : metric->result ? metric->result(sums, places, samples) : (double)sums[0] / samples;
    free(sums);
    return status;
}

mica_status mica_plan_metrics(mica_plan *plan, double *values, int count)
{
    MI_TRY(mi_plan_begin(plan));
    if (count != plan->desc.metric_count || (count && !values))
        return mi_plan_refuse(plan, MICA_INVALID_ARGUMENT, "the plan has %d metrics, there is room for %d", plan->desc.metric_count,
                              values ? count : 0);
    mica_status status = MICA_OK;
    for (int i = 0; i < count && status == MICA_OK; i++)
        status = read_metric(plan, i, &values[i]);
    return mi_plan_end(plan, status);
}

mica_status mica_plan_reset_metrics(mica_plan *plan)
{
    MI_TRY(mi_plan_begin(plan));
    mica_status status = MICA_OK;
    for (int i = 0; i < plan->desc.metric_count && status == MICA_OK; i++) {
        const struct mi_plan_metric *metric = &plan->desc.metrics[i];
        status = mi_plan_from_device(plan, mi_store_zero(plan->store, metric->sum));
        if (status == MICA_OK && metric->count)
            status = mi_plan_from_device(plan, mi_store_zero(plan->store, metric->count));
    }
    plan->samples = 0;
    return mi_plan_end(plan, status);
}
