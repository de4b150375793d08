/* Benchmarks of a job's network: whole steps of inference or training on random samples. */
#include "bench/bench.h"
#include "job/job.h"
#include "nn/optimizer/optimizer.h"
#include "train/task.h"
#include "tune/tune.h"
#include <stdlib.h>
#include <string.h>

struct model_run {
    mica_bench *bench;
    const mica_bench_model_desc *desc;
    mica_job *job;
    mica_plan *plan;
    int64_t batch;
    int input, labels;                       /* of the plan; labels -1: none */
    void *samples, *targets;
    float *outputs;
    struct mi_step step;
};

/* ---- Steps ---- */

static mica_status enqueue(struct model_run *run)
{
    run->step.step++;
    MI_TRY(mi_plan_feed(run->plan, run->input, run->samples, run->batch, NULL));
    if (run->labels >= 0)
        MI_TRY(mi_plan_feed(run->plan, run->labels, run->targets, run->batch, NULL));
    return mi_plan_step(run->plan, &run->step);
}

/* Inference waits for every result, training for the last update of a row. */
static mica_status run_steps(void *context, int times)
{
    struct model_run *run = context;
    for (int i = 0; i < times; i++) {
        MI_TRY(enqueue(run));
        if (!run->desc->training)
            MI_TRY(mi_plan_fetch(run->plan, 0, run->outputs, run->batch));
    }
    return mi_device_finish(run->bench->device);
}

/* ---- Plans ---- */

static mica_status compile_inference(struct model_run *run, int64_t batch, bool plain, mica_plan **plan)
{
    mica_model *model = mica_job_model(run->job);
    struct mi_graph *graph = NULL;
    struct mi_store *store = NULL;
    *plan = NULL;
    MI_TRY(mi_bench_from_device(run->bench, mi_model_graph(model, false, &graph)));
    mica_status status = mi_model_store(model, &store);
    if (status != MICA_OK) {
        mi_graph_destroy(graph);
        return mi_bench_from_device(run->bench, status);
    }
    const mica_bench_desc *common = &run->desc->common;
    struct mi_plan_desc how = {.device = run->bench->device, .store = store, .graph = graph, .batch = batch,
                               .engine = plain ? "nest" : common->engine, .variant = plain ? 0 : common->variant,
                               .search = mi_tune, .no_fusion = plain, .no_blocked = plain, .exact = model->exact};
    status = mi_plan_create(&how, plan);
    return *plan ? mi_bench_from_device(run->bench, status) : mi_out_of_memory(&run->bench->error);
}

static mica_status compile_training(struct model_run *run)
{
    mica_model *model = mica_job_model(run->job);
    const mica_fit_desc *fit = mica_job_fit(run->job);
    struct mi_error *error = &run->bench->error;
    struct mi_task_state task;
    struct mi_loss loss;
    struct mi_optimizer optimizer;
    MI_TRY(mi_loss_choose(error, model->graph, fit->loss, fit->from_logits, &loss));
    MI_TRY(mi_optimizer_resolve(error, "optimizer", &fit->optimizer, &optimizer));
    enum mi_labels labels = loss.row->task == MI_SPARSE ? MI_LABELS_CLASSES : MI_LABELS_VALUES;
    mica_status status = mi_task_without_data(model, &loss, labels, fit->accuracy, &task);
    task.engine = run->desc->common.engine;
    task.variant = run->desc->common.variant;
    if (status == MICA_OK)
        status = mi_task_compile(&task, &optimizer, run->batch, &run->plan);
    if (status == MICA_OK)
        status = mi_optimizer_begin(model, &optimizer, true);
    run->step.learning_rate = optimizer.learning_rate;
    return mi_bench_from_device(run->bench, status);
}

/* ---- Samples ---- */

/* Classes from 0 to classes - 1, or values from 0 to 1. */
static void *random_targets(enum mi_type type, size_t count, int64_t classes)
{
    float *values = mi_new(count, sizeof *values);
    int32_t *whole = (int32_t *)(void *)values;
    for (size_t i = 0; values && i < count; i++) {
        float u = mi_uniform(1, 21, i);
        if (type == MI_FLOAT)
            values[i] = u;
        else
            whole[i] = (int32_t)(u * (float)classes);
    }
    return values;
}

static mica_status make_samples(struct model_run *run)
{
    const mica_plan *plan = run->plan;
    const mica_model *model = mica_job_model(run->job);
    const mi_value *output = mi_model_output(model->graph, NULL);
    run->labels = run->desc->training ? mi_plan_input(plan, "labels") : -1;
    run->input = mi_plan_input(plan, model->graph->inputs[0]->name);
    if (run->input < 0)
        return mi_fail(&run->bench->error, MICA_INTERNAL, "the plan has no input");
    struct mi_shape shape = mi_plan_input_shape(plan, run->input);
    int64_t count = mi_shape_count(&shape, run->batch), outputs = mi_shape_count(&output->shape, run->batch);
    int64_t classes = mi_shape_count(&output->shape, 1);
    if (count < 0 || outputs < 0)
        return mi_fail(&run->bench->error, MICA_SHAPE, "a batch of %lld is too large", (long long)run->batch);
    run->samples = mi_bench_random(mi_plan_input_type(plan, run->input), (size_t)count, 20, -1);
    run->outputs = mi_new((size_t)outputs, sizeof *run->outputs);
    if (run->labels >= 0) {
        shape = mi_plan_input_shape(plan, run->labels);
        run->targets = random_targets(mi_plan_input_type(plan, run->labels), (size_t)mi_shape_count(&shape, run->batch),
                                      classes > 1 ? classes : 2);
    }
    return run->samples && run->outputs && (run->targets || run->labels < 0) ? MICA_OK : mi_out_of_memory(&run->bench->error);
}

/* ---- Results ---- */

/* One sample by plain loops, beside the first of the plan's outputs. */
static mica_status check(struct model_run *run, mica_bench_result *result)
{
    const struct mi_step step = {.n = 1, .step = 1};
    struct mi_shape shape = mi_plan_output_shape(run->plan, 0);
    size_t count = (size_t)mi_shape_count(&shape, 1);
    float *expected = mi_new(count, sizeof *expected);
    mica_plan *plan = NULL;
    mica_status status = expected ? mi_bench_from_device(run->bench, run_steps(run, 1)) : mi_out_of_memory(&run->bench->error);
    if (status == MICA_OK)
        status = compile_inference(run, 1, true, &plan);
    if (status == MICA_OK)
        status = mi_plan_feed(plan, run->input, run->samples, 1, NULL);
    if (status == MICA_OK)
        status = mi_plan_step(plan, &step);
    if (status == MICA_OK)
        status = mi_plan_fetch(plan, 0, expected, 1);
    if (status == MICA_OK)
        result->error = mi_bench_distance(run->outputs, expected, count);
    mica_plan_destroy(plan);
    free(expected);
    return mi_bench_from_device(run->bench, status);
}

static mica_status start(struct model_run *run, const char *path)
{
    run->job = mica_job_open_model(run->bench->device, path, run->desc->sets, run->desc->set_count);
    if (!run->job)
        return mi_out_of_memory(&run->bench->error);
    MI_TRY(mi_error_report(&run->bench->error, &run->job->error));
    MI_TRY(run->desc->training ? compile_training(run) : compile_inference(run, run->batch, false, &run->plan));
    MI_TRY(make_samples(run));
    return mi_bench_from_device(run->bench, run_steps(run, 1));
}

static mica_status measure(struct model_run *run, mica_bench_result *result)
{
    double flops, bytes;
    const mica_bench_desc *common = &run->desc->common;
    if (!common->no_roof)
        MI_TRY(mi_bench_roofs(run->bench, 0.2, false));
    MI_TRY(mi_bench_from_device(run->bench,
                                mi_bench_measure(&(struct mi_bench_work){run_steps, run}, common->seconds, result)));
    mi_bench_work_of(run->plan, &flops, &bytes);
    mi_bench_rate(run->bench, flops, bytes, result);
    if (run->desc->profile)
        MI_TRY(mi_bench_profile(run->bench, run->plan, run->batch));
    return run->desc->check && !run->desc->training ? check(run, result) : MICA_OK;
}

static mica_status run_model(struct model_run *run, const char *path)
{
    const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    const char *name = mi_arena_format(&run->bench->arena, "%.*s %s b%lld", (int)strcspn(base, "."), base,
                                       run->desc->training ? "training" : "inference", (long long)run->batch);
    double began = mi_seconds();
    MI_TRY(mi_bench_check_engine(run->bench, run->desc->common.engine));
    if (run->batch < 1 || run->batch > INT32_MAX)
        return mi_fail(&run->bench->error, MICA_INVALID_ARGUMENT, "batch is %lld, it must be from 1 to %d",
                       (long long)run->batch, INT32_MAX);
    mica_bench_result *result = mi_bench_add(run->bench, name);
    if (!result)
        return run->bench->error.status;
    MI_TRY(start(run, path));
    result->start_seconds = mi_seconds() - began;
    const char *engine = mi_plan_engine(run->plan);
    result->engine = engine ? engine : "";
    result->launches = mica_plan_launches(run->plan);
    result->peak_bytes = mica_plan_peak_bytes(run->plan);
    return run->desc->start_only ? MICA_OK : measure(run, result);
}

mica_bench *mica_bench_model(mica_device *device, const char *path, const mica_bench_model_desc *desc)
{
    static const mica_bench_model_desc defaults = {0};
    if (!device)
        return NULL;
    mica_bench *bench = mi_bench_new(device);
    if (!mi_bench_takes(bench, path))
        return bench;
    struct model_run run = {.bench = bench, .desc = desc ? desc : &defaults};
    run.batch = run.desc->common.batch ? run.desc->common.batch : 1;
    run.step = (struct mi_step){.n = (int32_t)run.batch, .seed = 1};
    if (mi_bench_from_device(bench, run_model(&run, path)) != MICA_OK)
        bench->count = bench->kernel_count = 0;
    mica_plan_destroy(run.plan);
    mica_job_destroy(run.job);
    free(run.samples);
    free(run.targets);
    free(run.outputs);
    return bench;
}
