/* Buffers and the queue. */
#include "on_device.h"

#include "device/cl_api.h"

static struct mi_buffer make(mica_device *device, uint64_t bytes)
{
    struct mi_buffer buffer = {0};
    ASSERT_GOOD(device, mi_buffer_create(device, bytes, &buffer));
    assert_int_equal(buffer.bytes, bytes);
    return buffer;
}

static void test_write_and_read(void **state)
{
    mica_device *device = *state;
    uint64_t made = device->calls_buffer;
    struct mi_buffer buffer = make(device, 100);
    unsigned char bytes[100], got[100] = {0};
    cl_event done = NULL;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 7);
    ASSERT_GOOD(device, mi_buffer_write(device, &buffer, 0, bytes, 40, &done));
    assert_non_null(done);
    ASSERT_GOOD(device, mi_buffer_write(device, &buffer, 40, bytes + 40, 60, NULL));
    ASSERT_GOOD(device, mi_event_wait(device, &done));
    assert_null(done);
    ASSERT_GOOD(device, mi_buffer_read(device, &buffer, 0, got, 100));
    assert_memory_equal(got, bytes, 100);
    ASSERT_GOOD(device, mi_buffer_read(device, &buffer, 33, got, 9));
    assert_memory_equal(got, bytes + 33, 9);
    assert_int_equal(device->calls_buffer, made + 1);
    mi_buffer_destroy(device, &buffer);
    assert_null(buffer.mem);
    assert_int_equal(buffer.bytes, 0);
}

static void test_copy(void **state)
{
    mica_device *device = *state;
    struct mi_buffer from = make(device, 64), to = make(device, 64);
    uint32_t values[16], got[16], zero = 0;
    for (uint32_t i = 0; i < 16; i++)
        values[i] = i + 1;
    ASSERT_GOOD(device, mi_buffer_write(device, &from, 0, values, 64, NULL));
    ASSERT_GOOD(device, mi_buffer_fill(device, &to, 0, 64, &zero, sizeof zero));
    ASSERT_GOOD(device, mi_buffer_copy(device, &from, 8, &to, 16, 12));
    ASSERT_GOOD(device, mi_buffer_copy(device, &to, 16, &to, 32, 12)); /* within one buffer, apart */
    ASSERT_GOOD(device, mi_buffer_read(device, &to, 0, got, 64));
    for (uint32_t i = 0; i < 16; i++)
        assert_int_equal(got[i], i >= 4 && i < 7 ? i - 1 : i >= 8 && i < 11 ? i - 5 : 0);
    assert_int_equal(mi_buffer_copy(device, &from, 0, &from, 8, 12), MICA_INTERNAL);
    ASSERT_ERROR(device, MICA_INTERNAL, "overlap");
    mi_buffer_destroy(device, &from);
    mi_buffer_destroy(device, &to);
}

static void test_fill(void **state)
{
    mica_device *device = *state;
    struct mi_buffer buffer = make(device, 48);
    unsigned char got[48];
    const unsigned char pattern[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    for (size_t size = 1; size <= 8; size *= 2) {
        const unsigned char nine = 9;
        ASSERT_GOOD(device, mi_buffer_fill(device, &buffer, 0, 48, &nine, 1));
        ASSERT_GOOD(device, mi_buffer_fill(device, &buffer, 8, 32, pattern, size));
        ASSERT_GOOD(device, mi_buffer_read(device, &buffer, 0, got, 48));
        for (size_t i = 0; i < 48; i++)
            assert_int_equal(got[i], i < 8 || i >= 40 ? 9 : pattern[i % size]);
    }
    assert_int_equal(mi_buffer_fill(device, &buffer, 2, 8, pattern, 4), MICA_INTERNAL);
    ASSERT_ERROR(device, MICA_INTERNAL, "pattern of 4");
    assert_int_equal(mi_buffer_fill(device, &buffer, 0, 48, pattern, 3), MICA_INTERNAL);
    ASSERT_ERROR(device, MICA_INTERNAL, "pattern of 3");
    mi_buffer_destroy(device, &buffer);
}

static void test_nothing(void **state)
{
    mica_device *device = *state;
    struct mi_buffer none = make(device, 0), some = make(device, 4);
    cl_event done = NULL;
    assert_null(none.mem);
    ASSERT_GOOD(device, mi_buffer_write(device, &none, 0, NULL, 0, &done));
    assert_null(done);
    assert_true(mi_event_done(device, done));
    ASSERT_GOOD(device, mi_event_wait(device, &done));
    mi_event_release(device, &done);
    ASSERT_GOOD(device, mi_buffer_read(device, &none, 0, NULL, 0));
    ASSERT_GOOD(device, mi_buffer_copy(device, &some, 4, &none, 0, 0));
    ASSERT_GOOD(device, mi_buffer_fill(device, &none, 0, 0, "", 1));
    mi_buffer_destroy(device, &none);
    mi_buffer_destroy(device, &some);
}

static void test_bounds(void **state)
{
    mica_device *device = *state;
    struct mi_buffer buffer = make(device, 16);
    char bytes[16] = {0};
    assert_int_equal(mi_buffer_write(device, &buffer, 8, bytes, 9, NULL), MICA_INTERNAL);
    ASSERT_ERROR(device, MICA_INTERNAL, "write 9 bytes at 8", "16");
    assert_int_equal(mi_buffer_read(device, &buffer, UINT64_MAX, bytes, 2), MICA_INTERNAL);
    ASSERT_ERROR(device, MICA_INTERNAL, "read 2 bytes");
    assert_int_equal(mi_buffer_read(device, &buffer, 1, bytes, UINT64_MAX), MICA_INTERNAL);
    ASSERT_ERROR(device, MICA_INTERNAL, "read");
    assert_int_equal(mi_buffer_copy(device, &buffer, 0, &buffer, 12, 8), MICA_INTERNAL);
    ASSERT_ERROR(device, MICA_INTERNAL, "copy to 8 bytes at 12");
    mi_buffer_destroy(device, &buffer);
}

static void test_largest_allocation(void **state)
{
    const mica_device_desc desc = {.limits = {.allocation_bytes = 4096}};
    struct mi_buffer buffer = {0};
    (void)state;
    mica_device *device = mica_device_open(&desc);
    ASSERT_GOOD(device, mi_buffer_create(device, 4096, &buffer));
    mi_buffer_destroy(device, &buffer);
    assert_int_equal(mi_buffer_create(device, 4097, &buffer), MICA_DEVICE_MEMORY);
    assert_null(buffer.mem);
    ASSERT_ERROR(device, MICA_DEVICE_MEMORY, "4097", "4096");
    assert_int_equal(mi_buffer_create(device, UINT64_MAX, &buffer), MICA_DEVICE_MEMORY);
    mica_device_destroy(device);
}

static void test_adopted_buffer(void **state)
{
    mica_device *device = *state;
    struct mi_buffer own = make(device, 12), adopted = {0}, foreign = {0};
    mica_device *other = mica_device_open(NULL);
    uint32_t value = 5, got = 0;
    ASSERT_GOOD(device, mi_buffer_adopt(device, own.mem, true, &adopted));
    assert_int_equal(adopted.bytes, 12);
    mi_buffer_destroy(device, &own);
    ASSERT_GOOD(device, mi_buffer_write(device, &adopted, 8, &value, 4, NULL));
    ASSERT_GOOD(device, mi_buffer_read(device, &adopted, 8, &got, 4));
    assert_int_equal(got, 5);
    assert_int_equal(mi_buffer_adopt(other, adopted.mem, true, &foreign), MICA_INVALID_ARGUMENT);
    ASSERT_ERROR(other, MICA_INVALID_ARGUMENT, "another context");
    assert_int_equal(mi_buffer_adopt(other, NULL, true, &foreign), MICA_INVALID_ARGUMENT);
    mi_buffer_destroy(device, &adopted);
    mica_device_destroy(other);
}

static void test_markers_and_waits(void **state)
{
    mica_device *device = *state;
    uint64_t waits = device->calls_wait;
    cl_event first = NULL, second = NULL;
    ASSERT_GOOD(device, mi_device_marker(device, 0, NULL, &first));
    ASSERT_GOOD(device, mi_device_marker(device, 1, &first, &second));
    ASSERT_GOOD(device, mi_device_marker(device, 0, NULL, NULL));
    ASSERT_GOOD(device, mi_device_flush(device));
    assert_int_equal(device->calls_wait, waits);
    ASSERT_GOOD(device, mi_event_wait(device, &second));
    assert_true(mi_event_done(device, first));
    mi_event_release(device, &first);
    assert_null(first);
    ASSERT_GOOD(device, mi_device_finish(device));
    assert_int_equal(device->calls_wait, waits + 2);
}

/* The wait that sleeps, for drivers whose own spins a core, serves on any driver. */
static void test_gentle_wait(void **state)
{
    (void)state;
    mica_device *device = mica_device_open(NULL);
    struct mi_buffer buffer = make(device, 1 << 20);
    uint32_t value = 3, got = 0;
    device->quirks.spins_on_wait = true;
    for (int i = 0; i < 20; i++) {
        value++;
        ASSERT_GOOD(device, mi_buffer_fill(device, &buffer, 0, 1 << 20, &value, 4));
        ASSERT_GOOD(device, mi_buffer_read(device, &buffer, (1 << 20) - 4, &got, 4));
        assert_int_equal(got, value);
    }
    ASSERT_GOOD(device, mi_device_finish(device));
    mi_buffer_destroy(device, &buffer);
    mica_device_destroy(device);
}

static void test_two_devices(void **state)
{
    mica_device *one = *state, *two = mica_device_open(NULL);
    struct mi_buffer a = make(one, 4), b = make(two, 4);
    const uint32_t in[2] = {1, 2};
    uint32_t x = 0, y = 0;
    ASSERT_GOOD(one, mi_buffer_write(one, &a, 0, &in[0], 4, NULL));
    ASSERT_GOOD(two, mi_buffer_write(two, &b, 0, &in[1], 4, NULL));
    assert_int_equal(mi_buffer_read(two, &b, 4, &x, 4), MICA_INTERNAL);
    assert_int_equal(mica_device_status(one), MICA_OK);
    ASSERT_ERROR(two, MICA_INTERNAL, "read");
    ASSERT_GOOD(two, mi_buffer_read(two, &b, 0, &x, 4));
    mi_buffer_destroy(two, &b);
    mica_device_destroy(two);
    ASSERT_GOOD(one, mi_buffer_read(one, &a, 0, &y, 4));
    assert_int_equal(x, 2);
    assert_int_equal(y, 1);
    mi_buffer_destroy(one, &a);
}

/* ---- OpenCL's numbers ---- */

static void test_statuses(void **state)
{
    (void)state;
    assert_int_equal(mi_cl_status(CL_SUCCESS, MI_STAGE_OTHER), MICA_OK);
    assert_int_equal(mi_cl_status(CL_MEM_OBJECT_ALLOCATION_FAILURE, MI_STAGE_OTHER), MICA_DEVICE_MEMORY);
    assert_int_equal(mi_cl_status(CL_OUT_OF_RESOURCES, MI_STAGE_ALLOCATE), MICA_DEVICE_MEMORY);
    assert_int_equal(mi_cl_status(CL_OUT_OF_RESOURCES, MI_STAGE_OTHER), MICA_DEVICE);
    assert_int_equal(mi_cl_status(CL_OUT_OF_RESOURCES, MI_STAGE_WAIT), MICA_DEVICE_LOST);
    assert_int_equal(mi_cl_status(CL_INVALID_COMMAND_QUEUE, MI_STAGE_WAIT), MICA_DEVICE_LOST);
    assert_int_equal(mi_cl_status(-9999, MI_STAGE_OTHER), MICA_DEVICE_LOST);
    assert_int_equal(mi_cl_status(CL_OUT_OF_HOST_MEMORY, MI_STAGE_ALLOCATE), MICA_OUT_OF_MEMORY);
    assert_int_equal(mi_cl_status(CL_DEVICE_NOT_FOUND, MI_STAGE_OTHER), MICA_NO_DEVICE);
    assert_int_equal(mi_cl_status(-1001, MI_STAGE_OTHER), MICA_NO_PLATFORM);
    assert_int_equal(mi_cl_status(CL_COMPILER_NOT_AVAILABLE, MI_STAGE_OTHER), MICA_NO_COMPILER);
    assert_int_equal(mi_cl_status(CL_BUILD_PROGRAM_FAILURE, MI_STAGE_OTHER), MICA_BUILD);
    assert_int_equal(mi_cl_status(-12345, MI_STAGE_OTHER), MICA_DEVICE);
}

static void test_names_and_texts(void **state)
{
    mica_device *device = *state;
    assert_string_equal(mi_cl_error_name(CL_OUT_OF_RESOURCES), "CL_OUT_OF_RESOURCES (-5)");
    assert_string_equal(mi_cl_error_name(CL_INVALID_KERNEL_ARGS), "CL_INVALID_KERNEL_ARGS (-52)");
    assert_non_null(mi_cl_error_name(-12345));
    mi_cl_fail(device, CL_INVALID_KERNEL_ARGS, "launch \"f\"");
    ASSERT_ERROR(device, MICA_DEVICE, "launch \"f\": CL_INVALID_KERNEL_ARGS (-52)");
    mi_cl_fail(device, -12345, "launch \"f\"");
    ASSERT_ERROR(device, MICA_DEVICE, "-12345");
}

/* A lost device stays so: it is to be opened again. */
static void test_lost(void **state)
{
    (void)state;
    mica_device *device = mica_device_open(NULL);
    mi_cl_fail_at(device, CL_OUT_OF_RESOURCES, MI_STAGE_WAIT, "wait");
    for (int i = 0; i < 2; i++) {
        ASSERT_ERROR(device, MICA_DEVICE_LOST, "wait: ", "stopped answering");
        assert_int_equal(mi_device_finish(device), MICA_DEVICE_LOST);
    }
    mica_device_destroy(device);
}

/* What one call recorded does not stand in for the text of the next one; the device shows the first. */
static void test_first_error(void **state)
{
    mica_device *device = *state;
    mi_device_begin(device);
    mi_fail(&device->error, MICA_SHAPE, "the first");
    mi_device_begin(device);
    assert_int_equal(device->error.status, MICA_OK);
    mi_fail(&device->error, MICA_DATA, "the second");
    assert_string_equal(device->error.text, "the second");
    ASSERT_ERROR(device, MICA_SHAPE, "the first");
    assert_int_equal(mica_device_status(device), MICA_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_and_read), cmocka_unit_test(test_copy),
        cmocka_unit_test(test_fill),           cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_bounds),         cmocka_unit_test(test_largest_allocation),
        cmocka_unit_test(test_adopted_buffer), cmocka_unit_test(test_markers_and_waits),
        cmocka_unit_test(test_gentle_wait),    cmocka_unit_test(test_two_devices),
        cmocka_unit_test(test_statuses),       cmocka_unit_test(test_names_and_texts),
        cmocka_unit_test(test_lost),           cmocka_unit_test(test_first_error),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
