/* An application that embeds Mica in every way that mica_cl.h offers: a context, queues, buffers and events of its own, several
 * devices side by side, plans that outlive what they were bound to. Run under AddressSanitizer it shows who owns what. */
#include "api.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The application's own OpenCL objects. */
struct application {
    cl_device_id id;
    cl_context context;
    cl_command_queue queue;
};

static int begin(void **state)
{
    static struct application app;
    cl_platform_id platform;
    cl_int code = CL_SUCCESS;
    if (clGetPlatformIDs(1, &platform, NULL) || clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &app.id, NULL))
        return -1;
    app.context = clCreateContext(NULL, 1, &app.id, NULL, NULL, &code);
    app.queue = clCreateCommandQueue(app.context, app.id, 0, &code);
    *state = &app;
    return code;
}

static int end(void **state)
{
    struct application *app = *state;
    clReleaseCommandQueue(app->queue);
    clReleaseContext(app->context);
    return 0;
}

static cl_mem buffer_of(const struct application *app, size_t bytes)
{
    cl_int code;
    cl_mem buffer = clCreateBuffer(app->context, CL_MEM_READ_WRITE, bytes, NULL, &code);
    assert_int_equal(code, CL_SUCCESS);
    return buffer;
}

/* What the model says by itself: mica_predict, on the same device. */
static void expected_of(struct api *one, const float *inputs, int64_t n, float *outputs)
{
    assert_int_equal(mica_predict(one->model, inputs, n, outputs, (size_t)n * API_OUT), MICA_OK);
}

static void assert_same(const float *got, const float *expected, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(got[i] - expected[i]) <= 1e-5f))
            fail_msg("%zu: %g, not %g", i, (double)got[i], (double)expected[i]);
}

/* Buffers at an offset, n from 1 to the batch, events before and after; what was bound is released by the application at once. */
static void buffers_and_events(void **state)
{
    const struct application *app = *state;
    enum { OFFSET = 8 };
    struct api one;
    float got[API_BATCH * API_OUT], expected[API_BATCH * API_OUT];
    api_begin(&one, mica_cl_device_adopt(app->context, app->id, app->queue, NULL));
    cl_mem in = buffer_of(app, (OFFSET + API_BATCH * API_IN) * sizeof(float)), out = buffer_of(app, sizeof got);
    clRetainMemObject(in), clRetainMemObject(out); /* ours, for reading and writing below */
    assert_int_equal(mica_cl_bind(one.plan, "input", in, OFFSET * sizeof(float)), MICA_OK);
    assert_int_equal(mica_cl_bind(one.plan, "output", out, 0), MICA_OK);
    clReleaseMemObject(in), clReleaseMemObject(out);
    for (int64_t n = 1; n <= API_BATCH; n++) {
        cl_event written, done = NULL;
        const float *inputs = one.inputs + n * API_IN;
        expected_of(&one, inputs, n, expected);
        assert_int_equal(clEnqueueWriteBuffer(app->queue, in, CL_FALSE, OFFSET * sizeof(float), (size_t)n * API_IN * sizeof(float),
                                              inputs, 0, NULL, &written), CL_SUCCESS);
        assert_int_equal(mica_cl_run(one.plan, n, 1, &written, &done), MICA_OK);
        clEnqueueReadBuffer(app->queue, out, CL_TRUE, 0, (size_t)n * API_OUT * sizeof(float), got, 1, &done, NULL);
        assert_same(got, expected, (size_t)n * API_OUT);
        clReleaseEvent(written), clReleaseEvent(done);
    }
    /* Mica's own calls see what is bound. */
    assert_int_equal(mica_plan_write(one.plan, NULL, one.inputs, API_IN), MICA_OK);
    assert_int_equal(mica_cl_run(one.plan, 1, 0, NULL, NULL), MICA_OK);
    assert_int_equal(mica_plan_read(one.plan, NULL, got, API_OUT), MICA_OK);
    expected_of(&one, one.inputs, 1, expected);
    assert_same(got, expected, API_OUT);
    clReleaseMemObject(in), clReleaseMemObject(out); /* the plan has its own references */
    assert_int_equal(mica_plan_run(one.plan, 2), MICA_OK);
    api_end(&one);
}

/* One buffer after another; a refused one leaves the last. */
static void bound_again(void **state)
{
    const struct application *app = *state;
    struct api one;
    float got[2][API_OUT], expected[API_OUT];
    cl_mem out[2], narrow = buffer_of(app, 4);
    api_begin(&one, mica_cl_device_adopt(app->context, app->id, NULL, NULL));
    expected_of(&one, one.inputs, 1, expected);
    assert_int_equal(mica_plan_write(one.plan, NULL, one.inputs, API_IN), MICA_OK);
    for (int i = 0; i < 2; i++) {
        out[i] = buffer_of(app, API_BATCH * API_OUT * sizeof(float));
        assert_int_equal(mica_cl_bind(one.plan, "output", out[i], 0), MICA_OK);
        assert_int_equal(mica_cl_bind(one.plan, "output", narrow, 0), MICA_INVALID_ARGUMENT);
        assert_int_equal(mica_cl_run(one.plan, 1, 0, NULL, NULL), MICA_OK);
        assert_int_equal(clFinish(mica_cl_queue(one.device)), CL_SUCCESS);
        clEnqueueReadBuffer(app->queue, out[i], CL_TRUE, 0, sizeof got[i], got[i], 0, NULL, NULL);
        assert_same(got[i], expected, API_OUT);
    }
    for (int i = 0; i < 2; i++)
        clReleaseMemObject(out[i]);
    clReleaseMemObject(narrow);
    api_end(&one);
}

/* Two devices of Mica's in one context of the application, one of its own beside them; each trains, none disturbs another. */
static void devices_side_by_side(void **state)
{
    const struct application *app = *state;
    struct api each[3];
    float outputs[3][API_SAMPLES * API_OUT];
    const mica_fit_desc fit = {.loss = "sparse_categorical_crossentropy", .epochs = 3, .optimizer = {.type = "adam"}, .seed = 3};
    api_begin(&each[0], mica_cl_device_adopt(app->context, app->id, app->queue, NULL));
    api_begin(&each[1], mica_cl_device_adopt(app->context, app->id, NULL, NULL));
    api_begin(&each[2], mica_device_open(NULL));
    for (int i = 0; i < 3; i++)
        assert_int_equal(mica_fit(each[i].model, each[i].data, &fit, NULL), MICA_OK);
    mica_device_clear_error(each[1].device);
    assert_int_equal(mica_plan_run(each[1].plan, -1), MICA_INVALID_ARGUMENT); /* the other devices hear nothing of it */
    assert_int_equal(mica_device_status(each[0].device), MICA_OK);
    assert_int_equal(mica_device_status(each[2].device), MICA_OK);
    for (int i = 0; i < 3; i++)
        expected_of(&each[i], each[i].inputs, API_SAMPLES, outputs[i]);
    assert_same(outputs[1], outputs[0], API_SAMPLES * API_OUT);
    for (int i = 0; i < 3; i++) /* in any order */
        api_end(&each[(i + 1) % 3]);
}

/* Nodes, data and plans of one device given to another are refused, or are memory of the host. */
static void mixed_up(void **state)
{
    struct api a, b;
    (void)state;
    api_begin(&a, mica_device_open(NULL));
    api_begin(&b, mica_device_open(NULL));
    assert_null(mica_add((mica_node *[]){a.hidden, b.hidden}, 2, NULL));
    assert_int_equal(mica_model_status(a.model), MICA_INVALID_ARGUMENT);
    assert_int_equal(mica_model_status(b.model), MICA_OK);
    mica_device_clear_error(a.device);
    cl_mem buffer = clCreateBuffer(mica_cl_context(a.device), CL_MEM_READ_WRITE, 4096, NULL, NULL);
    REFUSED(&b, mica_cl_bind(b.plan, "input", buffer, 0), MICA_INVALID_ARGUMENT, "another context");
    clReleaseMemObject(buffer);
    assert_int_equal(mica_fit(b.model, a.data, &(mica_fit_desc){.loss = "sparse_categorical_crossentropy"}, NULL), MICA_OK);
    api_end(&a); /* whose data b has trained on */
    api_still_works(&b);
    api_end(&b);
}

/* Plans share their model's parameters as they are; a saved and loaded model answers the same on another device. */
static void plans_of_one_model(void **state)
{
    struct api one;
    float first[API_OUT], second[API_OUT], expected[API_OUT], bias[API_OUT] = {5, -7};
    (void)state;
    api_begin(&one, mica_device_open(NULL));
    mica_plan *other = mica_compile(one.model, NULL);
    assert_int_equal(mica_model_write(one.model, "dense_1.bias", bias, API_OUT), MICA_OK);
    mica_plan *const plans[] = {one.plan, other};
    float *const results[] = {first, second};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(mica_plan_write(plans[i], "input", one.inputs, API_IN), MICA_OK);
        assert_int_equal(mica_plan_run(plans[i], 1), MICA_OK);
        assert_int_equal(mica_plan_read(plans[i], "output", results[i], API_OUT), MICA_OK);
    }
    assert_same(first, second, API_OUT);
    mica_plan_destroy(other);
    assert_int_equal(mica_model_save(one.model, api_path("embed.safetensors")), MICA_OK);
    mica_device *device = mica_device_open(NULL);
    mica_model *loaded = mica_model_load(device, api_path("embed.safetensors"));
    assert_int_equal(mica_predict(loaded, one.inputs, 1, expected, API_OUT), MICA_OK);
    assert_same(first, expected, API_OUT);
    mica_model_destroy(loaded);
    mica_device_destroy(device);
    api_end(&one);
}

/* What an application may do in the wrong order, as far as it is defined: a failed device's children, nothing at all. */
static void ends(void **state)
{
    const struct application *app = *state;
    for (int adopted = 0; adopted < 2; adopted++) {
        mica_device *device = adopted ? mica_cl_device_adopt(app->context, NULL, NULL, NULL)
                                      : mica_device_open(&(mica_device_desc){.select = "nothing"});
        mica_model *model = api_model(device, NULL, NULL);
        mica_plan *plan = mica_compile(model, NULL);
        assert_int_not_equal(mica_cl_run(plan, 1, 0, NULL, NULL), MICA_OK);
        mica_plan_destroy(plan);
        mica_model_destroy(model);
        mica_device_destroy(device);
    }
    mica_device_destroy(mica_cl_device_adopt(app->context, app->id, app->queue, NULL)); /* nothing was made on it */
    cl_uint references = 0;
    clGetContextInfo(app->context, CL_CONTEXT_REFERENCE_COUNT, sizeof references, &references, NULL);
    assert_true(references >= 1);
    cl_event marker;
    assert_int_equal(clEnqueueMarkerWithWaitList(app->queue, 0, NULL, &marker), CL_SUCCESS); /* the queue is still ours */
    clReleaseEvent(marker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_and_events), cmocka_unit_test(bound_again),        cmocka_unit_test(devices_side_by_side),
        cmocka_unit_test(mixed_up),           cmocka_unit_test(plans_of_one_model), cmocka_unit_test(ends),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
