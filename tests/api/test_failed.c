/* Calls that take objects in a failed state: each gives the object's status and loses nothing; and what is told then. */
#include "api.h"

#include <stdlib.h>
#include <string.h>

/* Every call on a model that takes none as it should be. */
static void all_refuse(mica_model *model, mica_data *data, mica_status expected)
{
    float values[API_IN * API_SAMPLES] = {0}, *inputs = NULL;
    int64_t n = 0;
    char *json = NULL;
    mica_answer answer;
    mica_scores *result = NULL;
    mica_history *history = NULL;
    assert_int_equal(mica_model_status(model), expected);
    assert_null(mica_input(model, "another", MICA_SHAPE(1)));
    assert_int_equal(mica_model_add_json(model, "{\"layers\": []}"), expected);
    assert_int_equal(mica_model_read(model, "dense.bias", values, 5), expected);
    assert_int_equal(mica_model_write(model, "dense.bias", values, 5), expected);
    assert_int_equal(mica_model_save(model, api_path("none.safetensors")), expected);
    assert_int_equal(mica_model_load_weights(model, "/nowhere", NULL), expected);
    assert_int_equal(mica_model_inspect(model, &(mica_inspect_desc){.with_plan = true}, &json), expected);
    assert_int_equal(mica_fit(model, data, &(mica_fit_desc){.loss = "sparse_categorical_crossentropy"}, &history), expected);
    mica_history_destroy(history);
    assert_int_equal(mica_evaluate(model, data, MICA_TRAIN, &(mica_objective){.loss = "mse"}, 1, &result), expected);
    assert_int_equal(mica_predict(model, values, 1, values, API_OUT), expected);
    assert_int_equal(mica_classify(model, values, 1, 1, &answer), expected);
    assert_int_equal(mica_tune(model, NULL, NULL), expected);
    assert_int_equal(mica_read_inputs(model, "/nowhere", &inputs, &n), expected);
    mica_plan *plan = mica_compile(model, NULL);
    assert_int_equal(mica_plan_status(plan), expected);
    assert_int_equal(mica_plan_write(plan, NULL, values, API_IN), expected);
    assert_int_equal(mica_plan_run(plan, 1), expected);
    assert_int_equal(mica_plan_read(plan, NULL, values, API_OUT), expected);
    assert_int_equal(mica_cl_bind(plan, "input", NULL, 0), expected);
    assert_int_equal(mica_cl_run(plan, 1, 0, NULL, NULL), expected);
    assert_int_equal(mica_plan_launches(plan), 0);
    assert_int_equal(mica_plan_peak_bytes(plan), 0);
    assert_string_equal(mica_plan_error(plan), mica_model_error(model));
    mica_plan_destroy(plan);
}

static void device_that_is_not_there(void **state)
{
    (void)state;
    mica_device *device = mica_device_open(&(mica_device_desc){.select = "no such device"});
    for (int round = 0; round < 2; round++) { /* clearing does not open it */
        api_says("open", mica_device_status(device), mica_device_error(device), MICA_NO_DEVICE, "no such device");
        mica_device_clear_error(device);
    }
    mica_model *model = api_model(device, NULL, NULL);
    mica_data *data = mica_arrays_open(device, &(mica_arrays_desc){.samples = API_SAMPLES, .input_shape = MICA_SHAPE(API_IN),
                                                                   .inputs = api.inputs, .classes = api.classes});
    assert_int_equal(mica_data_status(data), MICA_OK); /* it needs no device */
    all_refuse(model, data, MICA_NO_DEVICE);
    assert_int_equal(mica_tune_clblast(device, 1, NULL, NULL), MICA_NO_DEVICE);
    mica_model *loaded = mica_model_load(device, "/nowhere");
    assert_int_equal(mica_model_status(loaded), MICA_NO_DEVICE);
    mica_model_destroy(loaded);
    mica_job *job = mica_job_open(device, "/nowhere", NULL, 0);
    assert_int_equal(mica_job_status(job), MICA_NO_DEVICE);
    assert_int_equal(mica_job_run(job, NULL), MICA_NO_DEVICE);
    mica_job_destroy(job);
    mica_bench *benches[] = {mica_bench_gemm(device, NULL), mica_bench_conv(device, NULL), mica_bench_op(device, NULL),
                             mica_bench_model(device, NULL, NULL), mica_bench_memory(device, NULL)};
    for (size_t i = 0; i < sizeof benches / sizeof *benches; i++) {
        assert_int_equal(mica_bench_status(benches[i]), MICA_NO_DEVICE);
        mica_bench_destroy(benches[i]);
    }
    assert_null(mica_cl_context(device));
    assert_null(mica_cl_queue(device));
    assert_non_null(mica_device_get_info(device));
    mica_data_destroy(data);
    mica_model_destroy(model);
    mica_device_destroy(device);
}

static void model_that_was_not_built(void **state)
{
    (void)state;
    mica_model *model = mica_model_create(api.device, NULL);
    mica_dense(mica_input(model, NULL, MICA_SHAPE(2)), NULL);
    all_refuse(model, api.data, MICA_INVALID_ARGUMENT);
    mica_model_destroy(model);
    model = mica_model_load_memory(api.device, "no file", 7);
    all_refuse(model, api.data, MICA_FORMAT);
    mica_model_destroy(model);
    api_still_works(&api);
}

/* What a model lacks can still be said: it is no mistake of building. */
static void model_without_output(void **state)
{
    (void)state;
    mica_model *model = mica_model_create(api.device, NULL);
    mica_node *x = mica_input(model, NULL, MICA_SHAPE(2));
    REFUSED(&api, mica_predict(model, api.inputs, 1, api.inputs, 2), MICA_INVALID_ARGUMENT, "no output");
    mica_plan *plan = mica_compile(model, NULL);
    api_says("compile", mica_plan_status(plan), mica_plan_error(plan), MICA_INVALID_ARGUMENT, "no output");
    mica_plan_destroy(plan);
    assert_int_equal(mica_model_status(model), MICA_OK);
    mica_output(model, NULL, mica_dense(x, &(mica_dense_desc){.units = 2}));
    plan = mica_compile(model, NULL);
    assert_int_equal(mica_plan_status(plan), MICA_OK);
    mica_plan_destroy(plan);
    mica_model_destroy(model);
}

static void data_that_were_not_opened(void **state)
{
    float value;
    (void)state;
    mica_data *data = mica_csv_open(api.device, "/nowhere", &(mica_csv_desc){0});
    for (int round = 0; round < 2; round++) {
        REFUSED(&api, mica_data_hold_out(data, 0.5f, 1), MICA_IO, "/nowhere");
        REFUSED(&api, mica_fit(api.model, data, &(mica_fit_desc){.loss = "mse"}, NULL), MICA_IO, "/nowhere");
        REFUSED(&api, mica_evaluate(api.model, data, MICA_TRAIN, &(mica_objective){.loss = "mse"}, 1, &(mica_scores *){NULL}), MICA_IO, "/nowhere");
        assert_int_equal(mica_data_sample(data, MICA_TRAIN, 0, &value, NULL), MICA_IO);
    }
    assert_int_equal(mica_data_classes(data), 0);
    mica_data_destroy(data);
}

/* A plan that is too large is the plan's error; the model, the device and other plans go on. */
static void plan_over_budget(void **state)
{
    (void)state;
    struct api small;
    api_begin(&small, mica_device_open(&(mica_device_desc){.memory_budget_bytes = 4096}));
    mica_plan *plan = mica_compile(small.model, &(mica_plan_desc){.batch = 100000});
    for (int round = 0; round < 2; round++) {
        api_says("compile", mica_plan_status(plan), mica_plan_error(plan), MICA_DEVICE_MEMORY, "4096");
        REFUSED(&small, mica_plan_run(plan, 1), MICA_DEVICE_MEMORY, "4096");
        REFUSED(&small, mica_cl_bind(plan, "input", NULL, 0), MICA_DEVICE_MEMORY, "4096");
    }
    mica_plan_destroy(plan);
    api_end(&small);
}

/* To look at a model changes nothing of it: what is inspected first trains as what never was, and answers the same after it. */
static void inspected_first(void **state)
{
    float answers[2][API_OUT * API_SAMPLES];
    const mica_fit_desc fit = {.loss = "sparse_categorical_crossentropy", .epochs = 3, .optimizer = {.type = "adam"}};
    (void)state;
    mica_device_clear_error(api.device);
    for (int i = 0; i < 2; i++) {
        char *json = NULL;
        mica_model *model = api_model(api.device, NULL, NULL);
        for (int training = 0; training < 2 && i; training++) {
            assert_int_equal(mica_model_inspect(model, &(mica_inspect_desc){.with_plan = true, .training = training, .batch = 4},
                                                &json), MICA_OK);
            assert_non_null(strstr(json, "peak_bytes"));
            mica_free(json);
        }
        assert_int_equal(mica_fit(model, api.data, &fit, NULL), MICA_OK);
        if (i)
            assert_int_equal(mica_model_inspect(model, &(mica_inspect_desc){.with_plan = true}, &json), MICA_OK);
        mica_free(json);
        assert_int_equal(mica_predict(model, api.inputs, API_SAMPLES, answers[i], API_OUT * API_SAMPLES), MICA_OK);
        mica_model_destroy(model);
    }
    assert_memory_equal(answers[0], answers[1], sizeof answers[0]);
}

/* The device keeps the first error of all, whatever else is refused and whatever succeeds after it. */
static void first_error_stays(void **state)
{
    (void)state;
    mica_device_clear_error(api.device);
    assert_int_equal(mica_model_save(api.model, NULL), MICA_INVALID_ARGUMENT);
    assert_int_equal(mica_plan_run(api.plan, 5), MICA_INVALID_ARGUMENT);
    mica_plan *plan = mica_compile(api.model, NULL);
    assert_int_equal(mica_plan_status(plan), MICA_OK);
    assert_non_null(strstr(mica_device_error(api.device), "to save a model"));
    mica_plan_destroy(plan);
    mica_device_clear_error(api.device);
    assert_int_equal(mica_device_status(api.device), MICA_OK);
}

/* ---- A compilation that the application ends ---- */

static bool stop(void *user, const mica_compile_progress *now)
{
    (void)now;
    return (*(int *)user)-- > 0;
}

/* Whichever step it is: nothing is recorded, and the next attempt succeeds. */
static void cancelled(void **state)
{
    const mica_fit_desc fit = {.loss = "sparse_categorical_crossentropy", .epochs = 1};
    int steps = 0;
    float outputs[API_OUT];
    (void)state;
    mica_device_clear_error(api.device);
    for (int k = 0; steps <= 0 && k < 40; k++) {
        mica_model *model = api_model(api.device, NULL, NULL);
        steps = k;
        mica_device_on_compile(api.device, stop, &steps);
        mica_plan *plan = mica_compile(model, NULL);
        bool ended = steps < 0;
        assert_int_equal(mica_plan_status(plan), ended ? MICA_CANCELLED : MICA_OK);
        if (ended)
            assert_non_null(strstr(mica_plan_error(plan), "cancelled"));
        assert_int_equal(mica_plan_run(plan, 1), ended ? MICA_CANCELLED : MICA_OK);
        mica_plan_destroy(plan);
        steps = ended ? 0 : 1000;
        assert_int_equal(mica_fit(model, api.data, &fit, NULL), ended ? MICA_CANCELLED : MICA_OK);
        steps = ended ? 0 : 1000;
        assert_int_equal(mica_predict(model, api.inputs, 1, outputs, API_OUT), ended ? MICA_CANCELLED : MICA_OK);
        assert_int_equal(mica_device_status(api.device), MICA_OK);
        assert_string_equal(mica_device_error(api.device), "");
        mica_device_on_compile(api.device, NULL, NULL);
        assert_int_equal(mica_predict(model, api.inputs, 1, outputs, API_OUT), MICA_OK);
        mica_model_destroy(model);
        steps = ended ? 0 : 1;
    }
    assert_int_equal(steps, 1); /* it was let go on to the end at last */
    api_still_works(&api);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(device_that_is_not_there), cmocka_unit_test(model_that_was_not_built),
        cmocka_unit_test(model_without_output),     cmocka_unit_test(data_that_were_not_opened),
        cmocka_unit_test(plan_over_budget),         cmocka_unit_test(first_error_stays),
        cmocka_unit_test(cancelled),                cmocka_unit_test(inspected_first),
    };
    return cmocka_run_group_tests(tests, api_open, api_close);
}
