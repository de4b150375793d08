/* Finding, opening, limiting and adopting devices, and what is said where that fails. */
#define _POSIX_C_SOURCE 200809L

#include "on_device.h"

#include "device/devices.h"

#include <mica/mica_cl.h>
#include <stdlib.h>

static void test_find(void **state)
{
    const char *why = NULL;
    mica_devices *found = mica_devices_find();
    (void)state;
    assert_int_equal(mica_devices_status(found), MICA_OK);
    assert_string_equal(mica_devices_error(found), "");
    assert_true(mica_devices_count(found) >= 1);
    for (int i = 0; i < mica_devices_count(found); i++) {
        const mica_device_info *info = mica_devices_get(found, i);
        assert_true(*info->id && *info->name && *info->platform && *info->driver);
        assert_true(info->memory_bytes && info->largest_allocation_bytes && info->largest_work_group);
        assert_int_equal(mica_devices_choose(found, info->id, &why), i);
        assert_true(*why);
    }
    assert_null(mica_devices_get(found, -1));
    assert_null(mica_devices_get(found, mica_devices_count(found)));
    assert_null(mica_devices_absent(found, -1));
    assert_int_equal(mica_devices_choose(found, "no such device", NULL), -1);
    mica_devices_destroy(found);
}

static void test_open_by_default(void **state)
{
    const mica_device *device = *state;
    const mica_device_info *info = mica_device_get_info(device);
    assert_int_equal(mica_device_status(device), MICA_OK);
    assert_string_equal(mica_device_error(device), "");
    assert_true(info->has_compiler);
    assert_int_equal(device->is_cpu, info->type == MICA_DEVICE_CPU);
    if (device->is_cpu)
        assert_true(device->vector_width == 4 || device->vector_width == 8 || device->vector_width == 16);
    else
        assert_int_equal(device->vector_width, 1);
    assert_false(device->adopted);
}

static void test_open_what_does_not_exist(void **state)
{
    const mica_device_desc desc = {.select = "no such device"};
    mica_device *device = mica_device_open(&desc);
    (void)state;
    ASSERT_ERROR(device, MICA_NO_DEVICE, "no OpenCL device fits \"no such device\"", "there is ");
    /* It stays unopened, whatever is cleared. */
    assert_int_equal(mica_device_status(device), MICA_NO_DEVICE);
    mica_device_destroy(device);
}

static void test_environment_chooses(void **state)
{
    (void)state;
    char *old = swap_environment("MICA_DEVICE", "nothing like it");
    mica_device *device = mica_device_open(NULL);
    ASSERT_ERROR(device, MICA_NO_DEVICE, "\"nothing like it\" of MICA_DEVICE");
    mica_device_destroy(device);
    restore_environment("MICA_DEVICE", old);
}

static void test_debug(void **state)
{
    const mica_device_desc desc = {.debug = true};
    (void)state;
    char *old = swap_environment("MICA_DEBUG", "0");
    mica_device *plain = mica_device_open(NULL), *asked = mica_device_open(&desc);
    free(swap_environment("MICA_DEBUG", "1"));
    mica_device *set = mica_device_open(NULL);
    restore_environment("MICA_DEBUG", old);
    assert_false(plain->debug);
    assert_true(asked->debug);
    assert_true(set->debug);
    mica_device_destroy(plain);
    mica_device_destroy(asked);
    mica_device_destroy(set);
}

static void test_limits(void **state)
{
    const mica_device_desc desc = {.limits = {.local_memory_bytes = 1000, .no_fp64 = true},
                                   .memory_budget_bytes = 7};
    (void)state;
    char *old = swap_environment("MICA_LIMITS", "local=2000,group=16,allocation=65536,no_fp16");
    mica_device *device = mica_device_open(&desc);
    restore_environment("MICA_LIMITS", old);
    const mica_device_info *info = mica_device_get_info(device);
    assert_int_equal(mica_device_status(device), MICA_OK);
    assert_int_equal(info->local_memory_bytes, 1000); /* the descriptor before the environment */
    assert_int_equal(info->largest_work_group, 16);
    assert_int_equal(info->largest_allocation_bytes, 65536);
    assert_false(info->fp16);
    assert_false(info->fp64);
    assert_int_equal(device->memory_budget_bytes, 7);
    mica_device_destroy(device);
}

static void test_wrong_limits(void **state)
{
    (void)state;
    char *old = swap_environment("MICA_LIMITS", "local=lots");
    mica_device *device = mica_device_open(NULL);
    restore_environment("MICA_LIMITS", old);
    ASSERT_ERROR(device, MICA_INVALID_ARGUMENT, "MICA_LIMITS", "local=lots");
    mica_device_destroy(device);
}

/* Every function of a device that never opened fails with its status, and none crashes. */
static void assert_dead(mica_device *device, mica_status status)
{
    struct mi_buffer buffer = {0};
    struct mi_launch launch = {0};
    cl_program program = NULL;
    cl_event event = NULL;
    size_t one = 1, group = 9;
    float value = 0;
    assert_int_equal(mi_buffer_create(device, 16, &buffer), status);
    assert_int_equal(mi_buffer_adopt(device, NULL, true, &buffer), status);
    assert_int_equal(mi_buffer_write(device, &buffer, 0, &value, sizeof value, &event), status);
    assert_int_equal(mi_buffer_read(device, &buffer, 0, &value, sizeof value), status);
    assert_int_equal(mi_buffer_copy(device, &buffer, 0, &buffer, 0, 0), status);
    assert_int_equal(mi_buffer_fill(device, &buffer, 0, 0, &value, sizeof value), status);
    mi_buffer_destroy(device, &buffer);
    assert_int_equal(mi_program_get(device, "k", "", &program), status);
    assert_null(program);
    assert_int_equal(mi_launch_create(device, program, "k", &launch, &group), status);
    assert_int_equal(mi_launch_arg(device, &launch, 0, sizeof value, &value), status);
    mi_launch_grid(&launch, 1, &one, &one);
    assert_int_equal(mi_launch_run(device, &launch), status);
    mi_launch_destroy(device, &launch);
    assert_int_equal(mi_device_flush(device), status);
    assert_int_equal(mi_device_finish(device), status);
    assert_int_equal(mi_event_wait(device, &event), status);
    assert_true(mi_event_done(device, event));
    mi_event_release(device, &event);
    assert_int_equal(mi_device_marker(device, 0, NULL, &event), status);
    assert_null(mica_cl_context(device));
    assert_null(mica_cl_queue(device));
    assert_non_null(mica_device_get_info(device)->name);
    assert_int_equal(mica_device_status(device), status);
}

static void test_no_loader(void **state)
{
    (void)state;
    char *old = swap_environment("MICA_OPENCL_LIBRARY", "/nonexistent/libOpenCL.so");
    mica_devices *found = mica_devices_find();
    mica_device *device = mica_device_open(NULL);
    restore_environment("MICA_OPENCL_LIBRARY", old);
    assert_int_equal(mica_devices_status(found), MICA_NO_LOADER);
    assert_int_equal(mica_devices_count(found), 0);
    assert_int_equal(mica_devices_choose(found, NULL, NULL), -1);
    mica_devices_destroy(found);
    assert_dead(device, MICA_NO_LOADER);
    ASSERT_ERROR(device, MICA_NO_LOADER, "/nonexistent/libOpenCL.so");
    assert_dead(device, MICA_NO_LOADER);
    mica_device_destroy(device);
}

/* A library that is there and is no OpenCL loader. */
static void test_wrong_loader(void **state)
{
    (void)state;
    char *old = swap_environment("MICA_OPENCL_LIBRARY", "libm.so.6");
    mica_device *device = mica_device_open(NULL);
    restore_environment("MICA_OPENCL_LIBRARY", old);
    ASSERT_ERROR(device, MICA_NO_LOADER, "libm.so.6 lacks cl", "ocl-icd-libopencl1");
    assert_dead(device, MICA_NO_LOADER);
    mica_device_destroy(device);
}

static void test_null_is_answered(void **state)
{
    const char *why = NULL;
    (void)state;
    assert_int_equal(mica_device_status(NULL), MICA_OUT_OF_MEMORY);
    assert_non_null(mica_device_error(NULL));
    assert_null(mica_device_get_info(NULL));
    mica_device_clear_error(NULL);
    mica_device_destroy(NULL);
    assert_int_equal(mica_devices_status(NULL), MICA_OUT_OF_MEMORY);
    assert_non_null(mica_devices_error(NULL));
    assert_int_equal(mica_devices_count(NULL), 0);
    assert_int_equal(mica_devices_absent_count(NULL), 0);
    assert_int_equal(mica_devices_choose(NULL, NULL, &why), -1);
    mica_devices_destroy(NULL);
    assert_null(mica_cl_context(NULL));
    assert_null(mica_cl_queue(NULL));
}

/* ---- Adopting: another device of Mica's plays the application ---- */

static void test_adopt(void **state)
{
    const mica_device *own = *state;
    const mica_device_desc desc = {.limits = {.work_group = 4}};
    mica_device *device = mica_cl_device_adopt(own->context, own->id, own->queue, &desc);
    assert_int_equal(mica_device_status(device), MICA_OK);
    assert_true(device->adopted);
    assert_ptr_equal(mica_cl_context(device), own->context);
    assert_ptr_equal(mica_cl_queue(device), own->queue);
    assert_string_equal(mica_device_get_info(device)->id, own->info.id);
    assert_string_equal(mica_device_get_info(device)->name, own->info.name);
    assert_int_equal(mica_device_get_info(device)->largest_work_group, 4);
    mica_device_destroy(device);
}

static void test_adopt_outlives_the_application(void **state)
{
    (void)state;
    mica_device *own = mica_device_open(NULL);
    mica_device *device = mica_cl_device_adopt(own->context, own->id, NULL, NULL);
    assert_int_equal(mica_device_status(device), MICA_OK);
    assert_non_null(mica_cl_queue(device));
    assert_ptr_not_equal(mica_cl_queue(device), own->queue);
    mica_device_destroy(own);
    struct mi_buffer buffer = {0};
    uint32_t value = 77, got = 0;
    ASSERT_GOOD(device, mi_buffer_create(device, sizeof value, &buffer));
    ASSERT_GOOD(device, mi_buffer_write(device, &buffer, 0, &value, sizeof value, NULL));
    ASSERT_GOOD(device, mi_buffer_read(device, &buffer, 0, &got, sizeof got));
    assert_int_equal(got, 77);
    mi_buffer_destroy(device, &buffer);
    mica_device_destroy(device);
}

static void assert_not_adopted(cl_context context, cl_device_id id, cl_command_queue queue, const char *part)
{
    mica_device *device = mica_cl_device_adopt(context, id, queue, NULL);
    ASSERT_ERROR(device, MICA_INVALID_ARGUMENT, part);
    mica_device_destroy(device);
}

static void test_adopt_refuses(void **state)
{
    const mica_device *own = *state;
    mica_device *other = mica_device_open(NULL);
    cl_int code = CL_SUCCESS;
    assert_not_adopted(NULL, own->id, NULL, "context is NULL");
    assert_not_adopted(own->context, NULL, NULL, "device is NULL");
    assert_not_adopted(own->context, own->id, other->queue, "another context");
    cl_command_queue loose =
        own->cl->CreateCommandQueue(own->context, own->id, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, &code);
    if (code == CL_SUCCESS) { /* not every driver has such queues */
        assert_not_adopted(own->context, own->id, loose, "out of order");
        own->cl->ReleaseCommandQueue(loose);
    }
    mica_device_destroy(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_open_by_default),
        cmocka_unit_test(test_open_what_does_not_exist),
        cmocka_unit_test(test_environment_chooses),
        cmocka_unit_test(test_debug),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_wrong_limits),
        cmocka_unit_test(test_no_loader),
        cmocka_unit_test(test_wrong_loader),
        cmocka_unit_test(test_null_is_answered),
        cmocka_unit_test(test_adopt),
        cmocka_unit_test(test_adopt_outlives_the_application),
        cmocka_unit_test(test_adopt_refuses),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
