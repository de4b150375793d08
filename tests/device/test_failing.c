/* The device that fails: a table of OpenCL's functions whose k-th call returns an error. Whatever call that is, there is one line or
 * no harm, nothing crashes, and every object of OpenCL is released. */
#include "on_device.h"

#include "device/cl_api.h"

#include <mica/mica_cl.h>

#include <math.h>
#include <string.h>

enum { IN = 3, OUT = 2, SAMPLES = 6 };

static struct mi_cl real;  /* of the driver */
static long left;          /* calls until one fails; below 0: none does */
static bool failed;        /* one has */
static long alive;         /* buffers, programs, kernels and events that were made or retained and not released */

static bool fails(void)
{
    bool now = left-- == 0;
    failed = failed || now;
    return now;
}

/* Errors that mean different things to whoever meets them. */
static cl_int code_of(void)
{
    static const cl_int codes[] = {CL_OUT_OF_RESOURCES, CL_MEM_OBJECT_ALLOCATION_FAILURE, CL_OUT_OF_HOST_MEMORY, CL_INVALID_VALUE};
    static size_t next;
    return codes[next++ % MI_COUNT(codes)];
}

/* A function that gives a status, and makes an event where it is asked for one. */
#define COMMAND(name, parameters, arguments, event)                                                                    \
    static cl_int CL_API_CALL name parameters                                                                          \
    {                                                                                                                  \
        if (fails())                                                                                                   \
            return code_of();                                                                                          \
        cl_int code = real.name arguments;                                                                             \
        const cl_event *out = event;                                                                                   \
        alive += code == CL_SUCCESS && out && *out;                                                                    \
        return code;                                                                                                   \
    }
/* A wait: where it fails, the device has ended what it was at. */
#define WAIT(name, parameters, arguments)                                                                              \
    static cl_int CL_API_CALL name parameters                                                                          \
    {                                                                                                                  \
        cl_int code = real.name arguments;                                                                             \
        return fails() ? code_of() : code;                                                                             \
    }
/* A function that makes an object, with its status at the end. */
#define MAKE(type, name, parameters, arguments)                                                                        \
    static type CL_API_CALL name parameters                                                                            \
    {                                                                                                                  \
        if (fails()) {                                                                                                 \
            *code = code_of();                                                                                         \
            return NULL;                                                                                               \
        }                                                                                                              \
        type made = real.name arguments;                                                                               \
        alive += made != NULL;                                                                                         \
        return made;                                                                                                   \
    }
#define RETAIN(name, type)                                                                                             \
    static cl_int CL_API_CALL name(type object)                                                                        \
    {                                                                                                                  \
        if (fails())                                                                                                   \
            return code_of();                                                                                          \
        alive++;                                                                                                       \
        return real.name(object);                                                                                      \
    }
#define RELEASE(name, type)                                                                                            \
    static cl_int CL_API_CALL name(type object)                                                                        \
    {                                                                                                                  \
        alive--;                                                                                                       \
        return real.name(object);                                                                                      \
    }

MAKE(cl_mem, CreateBuffer, (cl_context a, cl_mem_flags b, size_t c, void *d, cl_int *code), (a, b, c, d, code))
MAKE(cl_program, CreateProgramWithSource, (cl_context a, cl_uint b, const char **c, const size_t *d, cl_int *code), (a, b, c, d, code))
MAKE(cl_program, CreateProgramWithBinary, (cl_context a, cl_uint b, const cl_device_id *c, const size_t *d, const unsigned char **e,
                                           cl_int *f, cl_int *code), (a, b, c, d, e, f, code))
MAKE(cl_kernel, CreateKernel, (cl_program a, const char *b, cl_int *code), (a, b, code))
COMMAND(BuildProgram, (cl_program a, cl_uint b, const cl_device_id *c, const char *d, void (CL_CALLBACK *e)(cl_program, void *), void *f),
        (a, b, c, d, e, f), NULL)
COMMAND(SetKernelArg, (cl_kernel a, cl_uint b, size_t c, const void *d), (a, b, c, d), NULL)
COMMAND(GetMemObjectInfo, (cl_mem a, cl_mem_info b, size_t c, void *d, size_t *e), (a, b, c, d, e), NULL)
COMMAND(GetKernelWorkGroupInfo, (cl_kernel a, cl_device_id b, cl_kernel_work_group_info c, size_t d, void *e, size_t *f),
        (a, b, c, d, e, f), NULL)
COMMAND(EnqueueNDRangeKernel, (cl_command_queue a, cl_kernel b, cl_uint c, const size_t *d, const size_t *e, const size_t *f, cl_uint g,
                               const cl_event *h, cl_event *made), (a, b, c, d, e, f, g, h, made), made)
COMMAND(EnqueueReadBuffer, (cl_command_queue a, cl_mem b, cl_bool c, size_t d, size_t e, void *f, cl_uint g, const cl_event *h,
                            cl_event *made), (a, b, c, d, e, f, g, h, made), made)
COMMAND(EnqueueWriteBuffer, (cl_command_queue a, cl_mem b, cl_bool c, size_t d, size_t e, const void *f, cl_uint g, const cl_event *h,
                             cl_event *made), (a, b, c, d, e, f, g, h, made), made)
COMMAND(EnqueueCopyBuffer, (cl_command_queue a, cl_mem b, cl_mem c, size_t d, size_t e, size_t f, cl_uint g, const cl_event *h,
                            cl_event *made), (a, b, c, d, e, f, g, h, made), made)
COMMAND(EnqueueFillBuffer, (cl_command_queue a, cl_mem b, const void *c, size_t d, size_t e, size_t f, cl_uint g, const cl_event *h,
                            cl_event *made), (a, b, c, d, e, f, g, h, made), made)
COMMAND(EnqueueMarkerWithWaitList, (cl_command_queue a, cl_uint b, const cl_event *c, cl_event *made), (a, b, c, made), made)
COMMAND(Flush, (cl_command_queue a), (a), NULL)
WAIT(Finish, (cl_command_queue a), (a))
WAIT(WaitForEvents, (cl_uint a, const cl_event *b), (a, b))
RETAIN(RetainMemObject, cl_mem)
RETAIN(RetainProgram, cl_program)
RELEASE(ReleaseMemObject, cl_mem)
RELEASE(ReleaseProgram, cl_program)
RELEASE(ReleaseKernel, cl_kernel)
RELEASE(ReleaseEvent, cl_event)

static const struct mi_cl *failing_table(const struct mi_cl *of)
{
    static struct mi_cl table;
    real = table = *of;
#define REPLACE(name) table.name = name;
    REPLACE(CreateBuffer) REPLACE(CreateProgramWithSource) REPLACE(CreateProgramWithBinary) REPLACE(CreateKernel)
    REPLACE(BuildProgram) REPLACE(SetKernelArg)
    REPLACE(GetMemObjectInfo) REPLACE(GetKernelWorkGroupInfo) REPLACE(EnqueueNDRangeKernel) REPLACE(EnqueueReadBuffer)
    REPLACE(EnqueueWriteBuffer) REPLACE(EnqueueCopyBuffer) REPLACE(EnqueueFillBuffer) REPLACE(EnqueueMarkerWithWaitList)
    REPLACE(Flush) REPLACE(Finish) REPLACE(WaitForEvents) REPLACE(RetainMemObject) REPLACE(RetainProgram)
    REPLACE(ReleaseMemObject) REPLACE(ReleaseProgram) REPLACE(ReleaseKernel) REPLACE(ReleaseEvent)
#undef REPLACE
    return &table;
}

/* What an application does, all of it; how many calls did not succeed. */
static int use(mica_device *device, cl_mem result)
{
    float inputs[SAMPLES * IN], outputs[SAMPLES * OUT];
    const int32_t classes[SAMPLES] = {0, 1, 0, 1, 0, 1};
    int wrong = 0;
    for (int i = 0; i < SAMPLES * IN; i++)
        inputs[i] = sinf((float)i);
    mica_model *model = mica_model_create(device, NULL);
    mica_node *x = mica_dense(mica_input(model, NULL, MICA_SHAPE(IN)), &(mica_dense_desc){.units = 4, .activation = "relu"});
    mica_output(model, NULL, mica_dense(x, &(mica_dense_desc){.units = OUT}));
    mica_plan *plan = mica_compile(model, &(mica_plan_desc){.batch = SAMPLES});
    wrong += mica_plan_status(plan) != MICA_OK;
    wrong += mica_plan_write(plan, NULL, inputs, SAMPLES * IN) != MICA_OK;
    wrong += mica_cl_bind(plan, "output", result, 0) != MICA_OK;
    for (int i = 0; i < 3; i++)
        wrong += mica_plan_run(plan, SAMPLES) != MICA_OK;
    wrong += mica_plan_read(plan, NULL, outputs, SAMPLES * OUT) != MICA_OK;
    mica_data *data = mica_arrays_open(device, &(mica_arrays_desc){.samples = SAMPLES, .input_shape = MICA_SHAPE(IN),
                                                                   .inputs = inputs, .classes = classes});
    wrong += mica_fit(model, data, &(mica_fit_desc){.loss = "sparse_categorical_crossentropy", .batch_size = 4}, NULL) != MICA_OK;
    wrong += mica_predict(model, inputs, SAMPLES, outputs, SAMPLES * OUT) != MICA_OK;
    mica_data_destroy(data);
    mica_plan_destroy(plan);
    mica_model_destroy(model);
    return wrong;
}

static void every_call(void **state)
{
    bool whole = false;
    int told = 0;
    (void)state;
    for (long k = 0; !whole && k < 4000; k += 1 + k / 24) {
        mica_device *device = mica_device_open(&(mica_device_desc){.tuning = MICA_TUNING_OFF});
        assert_int_equal(mica_device_status(device), MICA_OK);
        const struct mi_cl *own = device->cl;
        cl_int code;
        alive = 0, left = -1;
        device->cl = failing_table(own);
        cl_mem result = real.CreateBuffer(device->context, CL_MEM_READ_WRITE, SAMPLES * OUT * sizeof(float), NULL, &code);
        left = k, failed = false;
        int wrong = use(device, result);
        whole = !failed;
        left = -1;
        const char *text = mica_device_error(device);
        if (wrong && (!*text || strchr(text, '\n') || mica_device_status(device) == MICA_OK))
            fail_msg("call %ld: %d calls failed, and this is no line: \"%s\"", k, wrong, text);
        if (!wrong && mica_device_status(device) != MICA_OK)
            fail_msg("call %ld: nothing failed, but: %s", k, text);
        if (whole)
            assert_int_equal(wrong, 0);
        told += wrong > 0;
        real.ReleaseMemObject(result);
        mi_programs_destroy(device);
        if (alive)
            fail_msg("call %ld (%s): %ld objects are left", k, text, alive);
        device->cl = own;
        mica_device_destroy(device);
    }
    assert_true(whole);
    assert_true(told > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_call)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
