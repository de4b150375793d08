/* Models, jobs and their files when the k-th allocation fails, for every k: the status says so, nothing crashes, and nothing
 * leaks (the sanitizers' run sees that). No device computes here: an open one is pretended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing.h"
#include "support/files.h"
#include "device/device.h"
#include "nn/objective.h"
#include "job/job.h"
#include "nn/optimizer/optimizer.h"
#include "train/training.h"

#include <mica/mica.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char description[] =
    "{\"input_shape\": [2, 9, 9], \"layers\": ["
    "{\"type\": \"conv2d\", \"filters\": 4, \"kernel_size\": 3, \"padding\": \"same\", \"activation\": \"leaky_relu\"},"
    "{\"type\": \"batch_normalization\"}, {\"type\": \"max_pooling2d\"}, {\"type\": \"flatten\", \"name\": \"flat\"},"
    "{\"type\": \"dense\", \"units\": 5, \"kernel_initializer\": {\"type\": \"random_normal\", \"stddev\": 0.1}},"
    "{\"type\": \"reshape\", \"target_shape\": [4, 16], \"inputs\": [\"flat\"]}, {\"type\": \"masking\"},"
    "{\"type\": \"bidirectional\", \"layer\": {\"type\": \"gru\", \"units\": 3, \"return_sequences\": true}},"
    "{\"type\": \"rnn\", \"return_sequences\": true, \"cell\": [{\"type\": \"lstm_cell\", \"units\": 2}, {\"states\": ["
    "{\"name\": \"h\", \"shape\": [3], \"next\": \"new\"}], \"layers\": [{\"type\": \"concatenate\", \"inputs\": [\"x\", \"h\"]},"
    "{\"type\": \"dense\", \"units\": 3, \"name\": \"new\"}]}]},"
    "{\"type\": \"lstm\", \"name\": \"side\", \"units\": 5, \"recompute\": true},"
    "{\"type\": \"concatenate\", \"inputs\": [\"dense\", \"side\"]}, {\"type\": \"dropout\", \"rate\": 0.5},"
    "{\"type\": \"dense\", \"units\": 3, \"kernel_initializer\": \"orthogonal\", \"kernel_regularizer\": \"orthogonal\","
    " \"bias_constraint\": \"non_neg\", \"activity_regularizer\": \"l1\"}]}";

/* ---- What is tried; each returns its status ---- */

/* The device's own error is wiped by every try. */
static struct mica_device device;

static mica_device *pretend(void)
{
    device = (struct mica_device){0};
    device.context = (cl_context)(void *)&device;
    return &device;
}

static mica_status try_json(void)
{
    mica_model *model = mica_model_create(pretend(), NULL);
    mica_status status = model ? mica_model_add_json(model, description) : MICA_OUT_OF_MEMORY;
    cJSON *json = status ? NULL : mi_model_describe(model);
    if (!status && !json)
        status = MICA_OUT_OF_MEMORY;
    cJSON_Delete(json);
    mica_model_destroy(model);
    return status;
}

/* The graph of a training step: loss, metrics, gradients and updates. */
static mica_status try_step(void)
{
    struct mi_optimizer adam;
    const mica_objective given = {.loss = "sparse_categorical_crossentropy", .classes = true, .metrics = {{"accuracy"}}};
    const struct mi_plan_metric *metrics = NULL;
    struct mi_objective objective;
    mi_value *mean = NULL;
    int count = 0;
    struct mi_graph *graph = NULL;
    mica_model *model = mica_model_create(pretend(), NULL);
    mica_status status = model ? mica_model_add_json(model, description) : MICA_OUT_OF_MEMORY;
    if (!status)
        status = mi_objective_resolve(&device.error, model, &given, &objective);
    if (!status)
        status = mi_optimizer_resolve(&device.error, "optimizer", &(mica_optimizer){.type = "adam"}, &adam);
    if (!status)
        status = mi_model_graph(model, true, &graph);
    if (!status)
        status = mi_objectives_add(model, graph, &objective, 1, true, &mean, &metrics, &count);
    if (!status)
        status = mi_optimizer_add(model, graph, mean, &adam, NULL);
    mi_graph_destroy(graph);
    mica_model_destroy(model);
    return status;
}

static mica_status try_set(void)
{
    struct mi_error error = {0};
    cJSON *json = cJSON_Parse("{\"optimizer\": \"adam\", \"model\": {\"layers\": [{\"units\": 3}]}}");
    mica_status status = json ? mi_job_set(&error, json, "optimizer.learning_rate=0.1") : MICA_OUT_OF_MEMORY;
    if (!status)
        status = mi_job_set(&error, json, "model.layers.0.units=[1, 2]");
    if (!status)
        status = mi_job_set(&error, json, "a.b.c=text");
    cJSON_Delete(json);
    return status;
}

static mica_status try_job(void)
{
    mica_job *job = mica_job_open(pretend(), "memory_job.json", NULL, 0);
    mica_status status = mica_job_status(job);
    mica_job_destroy(job);
    return status;
}

static mica_status try_load(void)
{
    mica_model *model = mica_model_load(pretend(), "memory_model.safetensors");
    mica_status status = mica_model_status(model);
    char *text = NULL;
    if (!status)
        status = mica_model_inspect(model, NULL, &text);
    mica_free(text);
    mica_model_destroy(model);
    return status;
}

/* ---- The files that are read ---- */

/* A model of one dense layer, by hand: saving needs a device. */
static void write_model(void)
{
    static const char header[] =
        "{\"__metadata__\":{\"mica\":\"{\\\"version\\\":2,\\\"model\\\":{\\\"layers\\\":[{\\\"type\\\":\\\"input\\\",\\\"name\\\":"
        "\\\"input\\\",\\\"shape\\\":[2]},{\\\"type\\\":\\\"dense\\\",\\\"name\\\":\\\"d\\\",\\\"units\\\":2}]},\\\"objectives\\\":"
        "[{\\\"output\\\":\\\"output\\\",\\\"loss\\\":\\\"sparse_categorical_crossentropy\\\"}]}\"},"
        "\"d.weight\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]},"
        "\"d.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[16,24]}}";
    unsigned char file[8 + sizeof header - 1 + 24] = {0};
    for (size_t i = 0; i < 8; i++)
        file[i] = (unsigned char)((sizeof header - 1) >> 8 * i);
    memcpy(file + 8, header, sizeof header - 1);
    write_bytes("memory_model.safetensors", file, sizeof file);
}

static int begin(void **state)
{
    static const char job[] =
        "{\"model\": {\"layers\": [{\"type\": \"dense\", \"units\": 4, \"activation\": \"relu\"}, {\"type\": \"dense\", "
        "\"units\": 2}]}, \"data\": {\"format\": \"csv\", \"path\": \"memory_job.csv\", \"label\": \"kind\", \"split\": "
        "[0.5, 0, 0.5]}, \"loss\": \"sparse_categorical_crossentropy\", \"metrics\": [\"accuracy\"], \"seed\": 1}";
    static const char table[] = "a,b,kind\n1,2,x\n3,4,y\n5,6,x\n7,8,y\n";
    (void)state;
    write_bytes("memory_job.json", job, sizeof job - 1);
    write_bytes("memory_job.csv", table, sizeof table - 1);
    write_model();
    return 0;
}

static int end(void **state)
{
    (void)state;
    return remove("memory_job.json") | remove("memory_job.csv") | remove("memory_model.safetensors");
}

/* ---- The tests ---- */

/* Succeeds when nothing fails, and says that it is out of memory when the k-th allocation does, for each k. */
static void try_all(mica_status (*attempt)(void))
{
    fail_allocation(0);
    mica_status status = attempt();
    if (status)
        fail_msg("status %d: %s", status, device.error.text);
    long count = allocations();
    assert_true(count > 0);
    for (long k = 1; k <= count; k++) {
        fail_allocation(k);
        status = attempt();
        fail_allocation(0);
        if (status != MICA_OUT_OF_MEMORY && status != MICA_OK)
            fail_msg("allocation %ld of %ld: status %d: %s", k, count, status, device.error.text);
    }
}

static void json(void **state) { (void)state, try_all(try_json); }
static void step(void **state) { (void)state, try_all(try_step); }
static void set(void **state) { (void)state, try_all(try_set); }
static void job(void **state) { (void)state, try_all(try_job); }
static void load(void **state) { (void)state, try_all(try_load); }

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(json), cmocka_unit_test(step), cmocka_unit_test(set),
                                       cmocka_unit_test(job), cmocka_unit_test(load)};
    return cmocka_run_group_tests(tests, begin, end);
}
