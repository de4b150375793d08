/* Compile decides, run does not: a step allocates nothing on the host, builds no program, makes no buffer, sets no argument, and
 * waits for nothing but the step before the last. */
#include "failing.h"
#include "plan/inside.h"
#include "device/cl_api.h"
#include "support/network.h"

#include <mica/layers.h>
#include <mica/train.h>

#include <stdlib.h>
#include <string.h>

enum { BATCH = 4, STEPS = 8, CLASSES = 4 };

/* ---- Counting OpenCL's calls: the device's table with a few functions of ours ---- */

static struct {
    const struct mi_cl *real;
    struct mi_cl table;
    int arguments, kernels, programs, buffers, finishes, blocking, launches, writes, markers;
    cl_event marker, asked; /* the last marker made, the last event asked about or waited for */
} count;

static cl_int CL_API_CALL set_argument(cl_kernel kernel, cl_uint index, size_t size, const void *value)
{
    count.arguments++;
    return count.real->SetKernelArg(kernel, index, size, value);
}

static cl_kernel CL_API_CALL create_kernel(cl_program program, const char *name, cl_int *code)
{
    count.kernels++;
    return count.real->CreateKernel(program, name, code);
}

static cl_program CL_API_CALL create_program(cl_context context, cl_uint n, const char **text, const size_t *size, cl_int *code)
{
    count.programs++;
    return count.real->CreateProgramWithSource(context, n, text, size, code);
}

static cl_mem CL_API_CALL create_buffer(cl_context context, cl_mem_flags flags, size_t size, void *host, cl_int *code)
{
    count.buffers++;
    return count.real->CreateBuffer(context, flags, size, host, code);
}

static cl_int CL_API_CALL finish(cl_command_queue queue)
{
    count.finishes++;
    return count.real->Finish(queue);
}

static cl_int CL_API_CALL read_buffer(cl_command_queue queue, cl_mem mem, cl_bool blocking, size_t offset, size_t size, void *to,
                                      cl_uint waits, const cl_event *wait, cl_event *done)
{
    count.blocking += blocking != CL_FALSE;
    return count.real->EnqueueReadBuffer(queue, mem, blocking, offset, size, to, waits, wait, done);
}

static cl_int CL_API_CALL write_buffer(cl_command_queue queue, cl_mem mem, cl_bool blocking, size_t offset, size_t size,
                                       const void *from, cl_uint waits, const cl_event *wait, cl_event *done)
{
    count.blocking += blocking != CL_FALSE;
    count.writes++;
    return count.real->EnqueueWriteBuffer(queue, mem, blocking, offset, size, from, waits, wait, done);
}

static cl_int CL_API_CALL launch(cl_command_queue queue, cl_kernel kernel, cl_uint dims, const size_t *offset,
                                 const size_t *global, const size_t *local, cl_uint waits, const cl_event *wait, cl_event *done)
{
    count.launches++;
    return count.real->EnqueueNDRangeKernel(queue, kernel, dims, offset, global, local, waits, wait, done);
}

static cl_int CL_API_CALL marker(cl_command_queue queue, cl_uint waits, const cl_event *wait, cl_event *done)
{
    cl_int code = count.real->EnqueueMarkerWithWaitList(queue, waits, wait, done);
    count.markers++;
    count.marker = done ? *done : NULL;
    return code;
}

static cl_int CL_API_CALL wait_for(cl_uint waits, const cl_event *wait)
{
    count.asked = wait[0];
    return count.real->WaitForEvents(waits, wait);
}

static cl_int CL_API_CALL event_info(cl_event event, cl_event_info what, size_t room, void *value, size_t *size)
{
    count.asked = event;
    return count.real->GetEventInfo(event, what, room, value, size);
}

static void count_begin(mica_device *device)
{
    const struct mi_cl *real = device->cl;
    memset(&count, 0, sizeof count);
    count.real = real;
    count.table = *real;
    count.table.SetKernelArg = set_argument;
    count.table.CreateKernel = create_kernel;
    count.table.CreateProgramWithSource = create_program;
    count.table.CreateBuffer = create_buffer;
    count.table.Finish = finish;
    count.table.EnqueueReadBuffer = read_buffer;
    count.table.EnqueueWriteBuffer = write_buffer;
    count.table.EnqueueNDRangeKernel = launch;
    count.table.EnqueueMarkerWithWaitList = marker;
    count.table.WaitForEvents = wait_for;
    count.table.GetEventInfo = event_info;
    device->cl = &count.table;
}

static void count_end(mica_device *device)
{
    device->cl = count.real;
}

/* ---- A training step ---- */

static void build(struct network *net)
{
    mi_value *x = network_input(net, "x", "n 3 5 5", MI_FLOAT);
    x = mi_op1(net->graph, "Relu", network_conv(net, x, "c", 16, 3));
    x = network_dense(net, mi_op1(net->graph, "Flatten", x), "d", CLASSES);
    mi_value *loss = network_cross_entropy(net, x);
    struct mi_variable *sum = network_variable(net, "sum", "", MI_ACCUMULATOR, 0);
    assert_true(mi_assign(net->graph, sum, mi_op2(net->graph, "Add", mi_variable(net->graph, sum), loss)));
    network_train(net, loss, "AdamUpdate");
    network_compile(net, BATCH, NULL);
}

static int own_launches(const mica_plan *plan)
{
    int own = 0;
    for (size_t i = 0; i < plan->action_count; i++)
        own += plan->actions[i].code->source != NULL;
    return own;
}

/* The slots of two steps: the first step after warming up finds its slot empty, each later one waits, once, for the step before
 * the last, which warming up counts as. */
static void test_steps(void **state)
{
    mica_device *device = *state;
    struct network net;
    cl_event done[STEPS] = {0};
    cl_event fed = NULL;
    float sum;
    network_begin(&net, device);
    build(&net);
    float *x = random_floats(BATCH * 75, 1);
    int32_t *labels = random_classes(BATCH, CLASSES, 2);
    int input = mi_plan_input(net.plan, "x"), classes = mi_plan_input(net.plan, "labels"), launches = own_launches(net.plan);
    uint64_t builds = device->calls_build, buffers = device->calls_buffer;
    count_begin(device);
    fail_allocation(0);
    for (int s = 0; s < STEPS; s++) {
        uint64_t waits = device->calls_wait;
        struct mi_step step = {s % 2 ? BATCH : BATCH - 1, 0.01f, (uint64_t)s + 1, 0};
        count.asked = NULL;
        assert_int_equal(mi_plan_feed(net.plan, input, x, step.n, NULL), MICA_OK);
        assert_int_equal(mi_plan_feed(net.plan, classes, labels, step.n, s == STEPS - 1 ? &fed : NULL), MICA_OK);
        assert_int_equal(mi_plan_step(net.plan, &step), MICA_OK);
        assert_int_equal(device->calls_wait - waits, s > 0);
        if (s > 1)
            assert_ptr_equal(count.asked, done[s - 2]);
        done[s] = count.marker;
    }
    long made = allocations();
    count_end(device);
    assert_int_equal(made, 0);
    assert_int_equal(count.arguments + count.kernels + count.programs + count.buffers, 0);
    assert_int_equal(count.finishes + count.blocking, 0);
    assert_int_equal(count.launches, launches * STEPS);
    assert_int_equal(count.writes, 3 * STEPS);
    assert_int_equal(count.markers, STEPS);
    assert_int_equal(device->calls_build, builds);
    assert_int_equal(device->calls_buffer, buffers);
    mi_event_wait(device, &fed);
    assert_int_equal(mi_store_read(net.store, mi_variable_find(&net.variables, "sum"), &sum), MICA_OK);
    assert_true(sum > 0 && sum < 100);
    free(x);
    free(labels);
    network_end(&net);
}

/* Reading a result waits once. */
static void test_results_wait(void **state)
{
    mica_device *device = *state;
    struct network net;
    size_t elements;
    const float x[6] = {1, 2, 3, 4, 5, 6};
    network_begin(&net, device);
    mi_output(net.graph, "y", mi_op1(net.graph, "Neg", network_input(&net, "x", "n 3", MI_FLOAT)));
    network_compile(&net, 2, NULL);
    network_feed(&net, "x", x, 2);
    network_step(&net, 2, 1);
    uint64_t waits = device->calls_wait;
    count_begin(device);
    float *y = network_fetch(&net, "y", 2, &elements);
    count_end(device);
    assert_true(count.blocking + (int)(device->calls_wait - waits) >= 1);
    assert_int_equal(elements, 6);
    assert_true(y[5] < -5.9f);
    free(y);
    network_end(&net);
}

/* ---- The training loop: from the end of one epoch to the end of the next nothing is made ---- */

struct epochs {
    mica_device *device;
    uint64_t builds, buffers;
    long made[4];
};

static bool at_end(void *user, const mica_progress *now)
{
    struct epochs *e = user;
    e->made[now->epoch] = allocations();
    if (now->epoch > 1) {
        assert_int_equal(e->device->calls_build, e->builds);
        assert_int_equal(e->device->calls_buffer, e->buffers);
    }
    e->builds = e->device->calls_build;
    e->buffers = e->device->calls_buffer;
    return true;
}

static void test_epochs(void **state)
{
    struct epochs e = {.device = *state};
    float *x = random_floats(22 * 6, 1);
    int32_t *labels = random_classes(22, CLASSES, 2);
    mica_data *data = mica_arrays_open(e.device, &(mica_arrays_desc){
        .samples = 22, .input_shape = MICA_SHAPE(6), .inputs = x, .classes = labels});
    assert_int_equal(mica_data_status(data), MICA_OK);
    mica_model *model = mica_model_create(e.device, NULL);
    mica_node *y = mica_dense(mica_input(model, NULL, MICA_SHAPE(6)), &(mica_dense_desc){.units = 9, .activation = "relu"});
    mica_output(model, NULL, mica_dense(y, &(mica_dense_desc){.units = CLASSES}));
    fail_allocation(0);
    mica_status status = mica_fit(model, data, &(mica_fit_desc){
        .loss = "sparse_categorical_crossentropy", .batch_size = 4, .epochs = 3, .validation_split = 0.25f, .metrics = {{"accuracy"}},
        .optimizer = {.type = "adam"}, .callbacks = &(mica_callback){.epoch = at_end, .user = &e}, .callback_count = 1}, NULL);
    if (status != MICA_OK)
        fail_msg("%s", mica_device_error(e.device));
    assert_int_equal(e.made[3] - e.made[2], e.made[2] - e.made[1]); /* what an epoch is remembered by, and no step */
    assert_true(e.made[3] - e.made[2] < 20);
    mica_model_destroy(model);
    mica_data_destroy(data);
    free(x);
    free(labels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_results_wait),
        cmocka_unit_test(test_epochs),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
