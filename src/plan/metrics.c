/* What a plan measures: sums that its runs add to on the device, copied to the host when they are asked for. */
#include "plan/inside.h"

#include <math.h>

int mica_plan_metric_count(const mica_plan *plan)
{
    return plan ? plan->desc.metric_count : 0;
}

const char *mica_plan_metric_name(const mica_plan *plan, int i)
{
    return plan && i >= 0 && i < plan->desc.metric_count ? plan->desc.metrics[i].name : NULL;
}

/* ---- Asking ---- */

/* Room for the sums of all metrics and, behind those of each, how many samples were added. */
static mica_status make_room(mica_plan *plan)
{
    size_t room = 0;
    if (plan->measured.sums)
        return MICA_OK;
    for (int i = 0; i < plan->desc.metric_count; i++)
        room += mi_variable_count(plan->desc.metrics[i].sum) + 1;
    plan->measured.sums = mi_new(room, sizeof *plan->measured.sums);
    return plan->measured.sums ? MICA_OK : mi_out_of_memory(&plan->refused);
}

static float *sums_of(const mica_plan *plan, int metric)
{
    float *sums = plan->measured.sums;
    for (int i = 0; i < metric; i++)
        sums += mi_variable_count(plan->desc.metrics[i].sum) + 1;
    return sums;
}

static mica_status ask(mica_plan *plan)
{
    struct mi_measured *measured = &plan->measured;
    MI_TRY(make_room(plan));
    for (int i = 0; i < plan->desc.metric_count; i++) {
        const struct mi_plan_metric *metric = &plan->desc.metrics[i];
        float *sums = sums_of(plan, i);
        if (metric->count)
            MI_TRY(mi_plan_from_device(plan, mi_store_ask(plan->store, metric->count, sums + mi_variable_count(metric->sum),
                                                          &measured->come)));
        MI_TRY(mi_plan_from_device(plan, mi_store_ask(plan->store, metric->sum, sums, &measured->come)));
    }
    measured->samples = plan->samples;
    return mi_plan_from_device(plan, mi_device_flush(plan->device));
}

mica_status mi_plan_ask(mica_plan *plan)
{
    MI_TRY(mi_plan_begin(plan));
    return mi_plan_end(plan, ask(plan));
}

bool mi_plan_heard(const mica_plan *plan)
{
    return plan->measured.sums && mi_event_done(plan->device, plan->measured.come);
}

static mica_status measure(mica_plan *plan)
{
    struct mi_error fault = {0};
    mica_status status = mi_store_faults(plan->store, &fault);
    if (fault.status != MICA_OK)
        return mi_plan_refuse(plan, status, "%s", fault.text);
    MI_TRY(ask(plan));
    return mi_plan_from_device(plan, mi_event_wait(plan->device, &plan->measured.come));
}

mica_status mi_plan_measure(mica_plan *plan)
{
    MI_TRY(mi_plan_begin(plan));
    return mi_plan_end(plan, measure(plan));
}

/* ---- What they mean ---- */

const float *mi_plan_metric_sums(const mica_plan *plan, int i, int *places)
{
    *places = (int)mi_variable_count(plan->desc.metrics[i].sum);
    return sums_of(plan, i);
}

double mi_plan_metric_value(const mica_plan *plan, int i)
{
    const struct mi_plan_metric *metric = &plan->desc.metrics[i];
    size_t places = mi_variable_count(metric->sum);
    const float *sums = sums_of(plan, i);
    double samples = metric->count ? (double)sums[places] : (double)plan->measured.samples * (double)metric->places;
    return !(samples > 0) ? (double)NAN : metric->result ? metric->result(sums, places, samples) : (double)sums[0] / samples;
}

mica_status mica_plan_metrics(mica_plan *plan, double *values, int count)
{
    MI_TRY(mi_plan_begin(plan));
    if (count != plan->desc.metric_count || (count && !values))
        return mi_plan_refuse(plan, MICA_INVALID_ARGUMENT, "the plan has %d metrics, there is room for %d", plan->desc.metric_count,
                              values ? count : 0);
    mica_status status = measure(plan);
    for (int i = 0; i < count && status == MICA_OK; i++)
        values[i] = mi_plan_metric_value(plan, i);
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

uint64_t mi_plan_samples(const mica_plan *plan)
{
    return plan->samples;
}

void mi_plan_set_samples(mica_plan *plan, uint64_t samples)
{
    plan->samples = samples;
}
