/* Programs and launches: built once, told apart, and clear where they fail. */
#include "on_device.h"

#include "device/cl_api.h"
#include "device/devices.h"

static const char *const square = "__kernel void square(__global float *x, uint n)\n"
                                  "{\n"
                                  "    size_t i = get_global_id(0);\n"
                                  "    if (i < n)\n"
                                  "        x[i] *= x[i];\n"
                                  "}\n";

static struct mi_launch make(mica_device *device, const char *name, const char *source, size_t *largest_group)
{
    cl_program program = NULL;
    struct mi_launch launch = {0};
    ASSERT_GOOD(device, mi_program_get(device, name, source, &program));
    ASSERT_GOOD(device, mi_launch_create(device, program, name, &launch, largest_group));
    return launch;
}

static void test_kernel_text(void **state)
{
    (void)state;
    assert_non_null(mi_kernel_text("common.cl"));
    assert_non_null(strstr(mi_kernel_text("common.cl"), "mica_philox"));
    assert_null(mi_kernel_text("no such file.cl"));
}

static void test_one_build_for_each_source(void **state)
{
    mica_device *device = *state;
    uint64_t before = device->calls_build;
    cl_program first = NULL, again = NULL, other = NULL;
    ASSERT_GOOD(device,
                mi_program_get(device, "a", "__kernel void a(__global int *x) { x[0] = 1; }", &first));
    ASSERT_GOOD(device,
                mi_program_get(device, "a", "__kernel void a(__global int *x) { x[0] = 1; }", &again));
    ASSERT_GOOD(device,
                mi_program_get(device, "a", "__kernel void a(__global int *x) { x[0] = 2; }", &other));
    assert_ptr_equal(first, again);
    assert_ptr_not_equal(first, other);
    assert_int_equal(device->calls_build, before + 2);
}

/* POCL's compiler ends the process where it cannot write, so that is found before. */
static void test_no_room_for_kernels(void **state)
{
    mica_device *device = *state;
    const struct mi_quirks usual = device->quirks;
    cl_program program = NULL;
    if (mi_contains(device->info.platform, "portable computing language"))
        assert_non_null(usual.kernel_folder);
    device->quirks.kernel_folder = MICA_BINARY_DIR;
    device->quirks.kernel_bytes = UINT64_MAX - 1;
    assert_int_equal(mi_program_get(device, "b", "__kernel void b(__global int *x) { x[0] = 7; }", &program), MICA_IO);
    assert_non_null(strstr(device->error.text, MICA_BINARY_DIR ": "));
    assert_non_null(strstr(device->error.text, " KiB are left where POCL keeps the kernels that it compiles"));
    mica_device_clear_error(device);
    device->quirks.kernel_folder = "/dev/null/kernels";
    assert_int_equal(mi_program_get(device, "b", "__kernel void b(__global int *x) { x[0] = 7; }", &program), MICA_IO);
    assert_non_null(strstr(device->error.text, "/dev/null/kernels: POCL keeps the kernels"));
    mica_device_clear_error(device);
    device->quirks = usual;
    ASSERT_GOOD(device, mi_program_get(device, "b", "__kernel void b(__global int *x) { x[0] = 7; }", &program));
}

static void test_launch(void **state)
{
    mica_device *device = *state;
    enum { COUNT = 13 };
    float values[COUNT], got[COUNT];
    size_t largest = 0, global = COUNT, local = 4;
    cl_uint n = COUNT;
    struct mi_launch launch = make(device, "square", square, &largest);
    struct mi_buffer buffer = {0};
    assert_true(largest >= 1 && largest <= device->info.largest_work_group);
    for (int i = 0; i < COUNT; i++)
        values[i] = (float)i;
    ASSERT_GOOD(device, mi_buffer_create(device, sizeof values, &buffer));
    ASSERT_GOOD(device, mi_buffer_write(device, &buffer, 0, values, sizeof values, NULL));
    ASSERT_GOOD(device, mi_launch_arg(device, &launch, 0, sizeof buffer.mem, &buffer.mem));
    ASSERT_GOOD(device, mi_launch_arg(device, &launch, 1, sizeof n, &n));
    mi_launch_grid(&launch, 1, &global, &local);
    assert_int_equal(launch.global[0], 16);
    uint64_t waits = device->calls_wait, builds = device->calls_build, buffers = device->calls_buffer;
    ASSERT_GOOD(device, mi_launch_run(device, &launch));
    ASSERT_GOOD(device, mi_launch_run(device, &launch));
    assert_int_equal(device->calls_wait, device->debug ? waits + 2 : waits);
    assert_int_equal(device->calls_build, builds);
    assert_int_equal(device->calls_buffer, buffers);
    ASSERT_GOOD(device, mi_buffer_read(device, &buffer, 0, got, sizeof got));
    for (int i = 0; i < COUNT; i++)
        assert_true(got[i] == (float)(i * i * i * i));
    mi_buffer_destroy(device, &buffer);
    mi_launch_destroy(device, &launch);
    assert_null(launch.kernel);
}

static void test_grids(void **state)
{
    struct mi_launch launch = {0};
    size_t global[3] = {5, 7, 9}, local[3] = {2, 7, 4}, huge = SIZE_MAX, zero = 0, two = 2;
    (void)state;
    mi_launch_grid(&launch, 3, global, local);
    assert_int_equal(launch.dims, 3);
    assert_int_equal(launch.global[0], 6);
    assert_int_equal(launch.global[1], 7);
    assert_int_equal(launch.global[2], 12);
    mi_launch_grid(&launch, 1, &zero, &two);
    assert_int_equal(launch.dims, 1);
    assert_int_equal(launch.global[0], 0);
    mi_launch_grid(&launch, 1, &huge, &two); /* rounding up overflows: no grid */
    assert_int_equal(launch.dims, 0);
    mi_launch_grid(&launch, 1, &two, &zero);
    assert_int_equal(launch.dims, 0);
    mi_launch_grid(&launch, 4, global, local);
    assert_int_equal(launch.dims, 0);
}

static void test_empty_and_missing_grids(void **state)
{
    mica_device *device = *state;
    struct mi_launch launch = make(device, "square", square, NULL);
    size_t zero = 0, one = 1;
    assert_int_equal(mi_launch_run(device, &launch), MICA_INTERNAL);
    ASSERT_ERROR(device, MICA_INTERNAL, "launch \"square\" has no grid");
    mi_launch_grid(&launch, 1, &zero, &one); /* launches nothing, so the missing arguments do not matter */
    ASSERT_GOOD(device, mi_launch_run(device, &launch));
    mi_launch_destroy(device, &launch);
    assert_int_equal(mi_launch_run(device, &launch), MICA_INTERNAL);
    ASSERT_ERROR(device, MICA_INTERNAL, "has no kernel");
}

static void test_build_errors(void **state)
{
    mica_device *device = *state;
    cl_program program = NULL;
    uint64_t before = device->calls_build;
    assert_int_equal(mi_program_get(device, "broken",
                                    "__kernel void broken(__global float *x)\n{\n"
                                    "    x[0] = mistyped;\n}\n",
                                    &program),
                     MICA_BUILD);
    assert_null(program);
    ASSERT_ERROR(device, MICA_BUILD, "kernel \"broken\" does not compile", device->info.name, "mistyped");
    /* A failure is not kept: the next try builds again. */
    assert_int_equal(mi_program_get(device, "a\"b\n\\", "nonsense", &program), MICA_BUILD);
    assert_int_equal(device->calls_build, before + 2);
    mica_device_clear_error(device);
    ASSERT_GOOD(device, mi_program_get(device, "odd \"name\"\n\\",
                                       "__kernel void a(__global int *x) { x[0] = 3; }", &program));
}

/* The log counts the lines of the source itself, not those of common.cl before it. */
static void test_build_log_has_the_right_line(void **state)
{
    mica_device *device = *state;
    cl_program program = NULL;
    assert_int_equal(mi_program_get(device, "lines",
                                    "\n\n__kernel void lines(__global float *x) { x[0] = wrong; }\n",
                                    &program),
                     MICA_BUILD);
    /* oclgrind's own preprocessing drops #line. */
    ASSERT_ERROR(device, MICA_BUILD, "wrong", strstr(device->info.platform, "Oclgrind") ? "" : "lines:3:");
}

static void test_launch_errors(void **state)
{
    mica_device *device = *state;
    cl_program program = NULL;
    struct mi_launch launch = {0};
    uint32_t n = 1;
    ASSERT_GOOD(device, mi_program_get(device, "square", square, &program));
    assert_int_equal(mi_launch_create(device, program, "no_such_kernel", &launch, NULL), MICA_DEVICE);
    assert_null(launch.kernel);
    ASSERT_ERROR(device, MICA_DEVICE, "kernel \"no_such_kernel\"", "CL_INVALID_KERNEL_NAME (-46)");
    ASSERT_GOOD(device, mi_launch_create(device, program, "square", &launch, NULL));
    assert_int_equal(mi_launch_arg(device, &launch, 7, sizeof n, &n), MICA_DEVICE);
    ASSERT_ERROR(device, MICA_DEVICE, "argument 7 of kernel \"square\"", "CL_INVALID_ARG_INDEX (-49)");
    size_t one = 1;
    mi_launch_grid(&launch, 1, &one, &one);
    assert_int_equal(mi_launch_run(device, &launch), MICA_DEVICE);
    ASSERT_ERROR(device, MICA_DEVICE, "launch \"square\" (1 x 1 x 1 in groups of 1 x 1 x 1)",
                 "CL_INVALID_KERNEL_ARGS (-52)");
    mi_launch_destroy(device, &launch);
}

static void test_work_group_too_large(void **state)
{
    mica_device *device = *state;
    struct mi_launch launch = make(device, "square", square, NULL);
    struct mi_buffer buffer = {0};
    cl_uint n = 1;
    size_t global = (size_t)1 << 24;
    ASSERT_GOOD(device, mi_buffer_create(device, 4, &buffer));
    ASSERT_GOOD(device, mi_launch_arg(device, &launch, 0, sizeof buffer.mem, &buffer.mem));
    ASSERT_GOOD(device, mi_launch_arg(device, &launch, 1, sizeof n, &n));
    mi_launch_grid(&launch, 1, &global, &global);
    assert_int_equal(mi_launch_run(device, &launch), MICA_DEVICE);
    ASSERT_ERROR(device, MICA_DEVICE, "launch \"square\" (16777216", "CL_INVALID_WORK_");
    mi_launch_destroy(device, &launch);
    mi_buffer_destroy(device, &buffer);
}

static void test_limited_work_group(void **state)
{
    const mica_device_desc desc = {.limits = {.work_group = 8}, .debug = true};
    size_t largest = 0;
    (void)state;
    mica_device *device = mica_device_open(&desc);
    struct mi_launch launch = make(device, "square", square, &largest);
    assert_int_equal(largest, 8);
    mi_launch_destroy(device, &launch);
    mica_device_destroy(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernel_text),
        cmocka_unit_test(test_one_build_for_each_source),
        cmocka_unit_test(test_no_room_for_kernels),
        cmocka_unit_test(test_launch),
        cmocka_unit_test(test_grids),
        cmocka_unit_test(test_empty_and_missing_grids),
        cmocka_unit_test(test_build_errors),
        cmocka_unit_test(test_build_log_has_the_right_line),
        cmocka_unit_test(test_launch_errors),
        cmocka_unit_test(test_work_group_too_large),
        cmocka_unit_test(test_limited_work_group),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
