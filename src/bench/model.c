/* Benchmarks of a job's network: whole steps of inference or training on random samples. */
#include "bench/bench.h"
#include "job/job.h"
#include "nn/optimizer/optimizer.h"
#include "nn/stepper.h"
#include "train/training.h"
#include "tune/tune.h"
#include <stdlib.h>
#include <string.h>

struct model_run {
    mica_bench *bench;
    const mica_bench_model_desc *desc;
    mica_job *job;
    mica_plan *plan;
    int64_t batch;
    void **inputs;                           /* of the plan: random samples and targets */
    float *outputs;
    struct mi_step step;
    struct mi_stepper stepper;               /* of a generation; its plan is the one above */
};

/* ---- Steps ---- */

static mica_status enqueue(struct model_run *run)
{
    run->step.step++;
    for (int i = 0; i < mi_plan_inputs(run->plan); i++)
        MI_TRY(mi_plan_feed(run->plan, i, run->inputs[i], run->batch, NULL));
    if (!run->desc->generation)
        return mi_plan_step(run->plan, &run->step);
    if (run->stepper.taken == run->stepper.most)
        MI_TRY(mi_stepper_begin(&run->stepper));
    return mi_stepper_run(&run->stepper);
}

/* Inference and generation wait for every result, training for the last update of a row. */
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
    const mica_bench_desc *common = &run->desc->common;
    struct mi_optimizer optimizer;
    run->plan = mi_fit_plan(model, fit, &(const struct mi_fit_plan_desc){.batch = run->batch, .engine = common->engine,
                                                                         .variant = common->variant});
    if (!run->plan)
        return mi_out_of_memory(&run->bench->error);
    mica_status status = mica_plan_status(run->plan);
    if (status == MICA_OK)
        status = mi_optimizer_resolve(&run->bench->error, "optimizer", &fit->optimizer, &optimizer);
    if (status == MICA_OK)
        status = mi_optimizer_begin(model, &optimizer, true);
    run->step.learning_rate = status == MICA_OK ? optimizer.learning_rate : 0;
    return mi_bench_from_device(run->bench, status);
}

static mica_status compile_generation(struct model_run *run)
{
    mica_model *model = mica_job_model(run->job);
    if (run->batch > 1 || run->desc->training)
        return mi_fail(&run->bench->error, MICA_INVALID_ARGUMENT, "a text is generated %s",
                       run->batch > 1 ? "in a batch of 1" : "without training");
    if (model->graph->input_count == 1 && model->graph->output_count)
        MI_TRY(mi_bench_from_device(run->bench, mi_stepper_create(model, model->graph->inputs[0],
                                                                  mi_model_output(model->graph, NULL), 1, &run->stepper)));
    run->plan = run->stepper.plan;
    if (!run->plan)
        return mi_fail(&run->bench->error, MICA_UNSUPPORTED, "the network cannot be run step by step");
    run->stepper.most = run->stepper.most ? run->stepper.most : model->graph->inputs[0]->shape.dim[1].b;
    return MICA_OK;
}

static mica_status compile(struct model_run *run)
{
    return run->desc->generation ? compile_generation(run)
           : run->desc->training ? compile_training(run)
                                 : compile_inference(run, run->batch, false, &run->plan);
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

/* How many classes the targets of an input tell apart; what is no target of classes has none. */
static int64_t classes_of(const mica_model *model, const char *input)
{
    for (size_t i = 0; i < model->graph->output_count; i++) {
        size_t length = strlen(model->graph->outputs[i]->name);
        if (!strncmp(input, model->graph->outputs[i]->name, length) && !strcmp(input + length, "_target")) {
            int64_t units = mi_shape_count(&model->graph->outputs[i]->shape, 1);
            return units > 1 ? units : 2;
        }
    }
    return 0;
}

static mica_status make_input(struct model_run *run, int i)
{
    const char *name = mi_plan_input_name(run->plan, i);
    struct mi_shape shape = mi_plan_input_shape(run->plan, i);
    int64_t count = mi_shape_count(&shape, run->batch), classes = classes_of(mica_job_model(run->job), name);
    if (count < 0)
        return mi_fail(&run->bench->error, MICA_SHAPE, "a batch of %lld is too large", (long long)run->batch);
    run->inputs[i] = classes ? random_targets(mi_plan_input_type(run->plan, i), (size_t)count, classes)
                             : mi_bench_random(mi_plan_input_type(run->plan, i), (size_t)count, 20, -1);
    return run->inputs[i] ? MICA_OK : mi_out_of_memory(&run->bench->error);
}

static mica_status make_samples(struct model_run *run)
{
    const mi_value *output = mi_model_output(mica_job_model(run->job)->graph, NULL);
    int64_t outputs = mi_shape_count(&output->shape, run->batch);
    if (outputs < 0)
        return mi_fail(&run->bench->error, MICA_SHAPE, "a batch of %lld is too large", (long long)run->batch);
    run->outputs = mi_new((size_t)outputs, sizeof *run->outputs);
    run->inputs = mi_new((size_t)mi_plan_inputs(run->plan), sizeof *run->inputs);
    if (!run->outputs || !run->inputs)
        return mi_out_of_memory(&run->bench->error);
    for (int i = 0; i < mi_plan_inputs(run->plan); i++)
        MI_TRY(make_input(run, i));
    return MICA_OK;
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
    for (int i = 0; status == MICA_OK && i < mi_plan_inputs(plan); i++)
        status = mi_plan_feed(plan, i, run->inputs[i], 1, NULL);
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
    MI_TRY(compile(run));
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
    return run->desc->check && !run->desc->training && !run->desc->generation ? check(run, result) : MICA_OK;
}

static mica_status run_model(struct model_run *run, const char *path)
{
    const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    const char *name = mi_arena_format(&run->bench->arena, "%.*s %s b%lld", (int)strcspn(base, "."), base,
                                       run->desc->generation ? "generation" : run->desc->training ? "training" : "inference",
                                       (long long)run->batch);
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
    for (int i = 0; run.inputs && i < mi_plan_inputs(run.plan); i++)
        free(run.inputs[i]);
    free(run.inputs);
    free(run.outputs);
    if (run.stepper.plan)
        mi_stepper_destroy(&run.stepper);
    else
        mica_plan_destroy(run.plan);
    mica_job_destroy(run.job);
    return bench;
}
