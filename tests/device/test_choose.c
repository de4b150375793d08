/* Ranking and choosing on machines made up here: no driver is needed. */
#include "on_device.h"

#include "device/devices.h"

static mica_device_info device(const char *id, const char *platform, const char *name, mica_device_type type,
                               uint64_t gigabytes)
{
    mica_device_info info = mi_info_empty();
    info.id = id;
    info.platform = platform;
    info.name = name;
    info.type = type;
    info.memory_bytes = gigabytes << 30;
    info.opencl_c = "1.2";
    info.has_compiler = true;
    info.last_resort = mi_is_last_resort(platform, name);
    return info;
}

#define POCL "Portable Computing Language"

/* A workstation with everything, in an order that is wrong throughout. */
static size_t workstation(struct mi_found *list)
{
    const mica_device_info all[] = {
        device("0:0", "Oclgrind", "Oclgrind Simulator", MICA_DEVICE_CPU, 1),
        device("1:0", "OpenCLOn12", "NVIDIA GeForce RTX 4090", MICA_DEVICE_DISCRETE_GPU, 24),
        device("2:0", "Clover", "AMD Radeon RX 7900", MICA_DEVICE_DISCRETE_GPU, 24),
        device("3:0", "Intel(R) FPGA Emulation Platform for OpenCL(TM)", "Intel(R) FPGA Emulation Device",
               MICA_DEVICE_ACCELERATOR, 64),
        device("4:0", "rusticl", "llvmpipe (LLVM 15.0.6, 256 bits)", MICA_DEVICE_CPU, 2),
        device("5:0", "Intel(R) OpenCL", "AMD EPYC", MICA_DEVICE_CPU, 64),
        device("6:0", POCL, "cpu-haswell-AMD EPYC", MICA_DEVICE_CPU, 60),
        device("7:0", "Vendor", "Some Accelerator", MICA_DEVICE_ACCELERATOR, 16),
        device("8:0", "Intel(R) OpenCL Graphics", "Intel(R) UHD Graphics 770", MICA_DEVICE_INTEGRATED_GPU,
               26),
        device("9:0", "rusticl", "AMD Radeon RX 7600", MICA_DEVICE_DISCRETE_GPU, 8),
        device("10:0", "AMD Accelerated Parallel Processing", "gfx1102", MICA_DEVICE_DISCRETE_GPU, 8),
        device("11:0", "NVIDIA CUDA", "NVIDIA GeForce RTX 4090", MICA_DEVICE_DISCRETE_GPU, 24),
    };
    for (size_t i = 0; i < MI_COUNT(all); i++)
        list[i] = (struct mi_found){.info = all[i]};
    mi_rank_sort(list, MI_COUNT(all));
    return MI_COUNT(all);
}

static void test_rank_of_a_workstation(void **state)
{
    static const char *const order[] = {"11:0", "10:0", "9:0", "8:0", "7:0", "6:0", "5:0", "4:0"};
    struct mi_found list[16];
    size_t count = workstation(list);
    (void)state;
    for (size_t i = 0; i < MI_COUNT(order); i++)
        assert_string_equal(list[i].info.id, order[i]);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(list[i].info.last_resort, i >= MI_COUNT(order));
}

static void test_rank_puts_the_unusable_behind(void **state)
{
    mica_device_info good = device("0:0", POCL, "cpu", MICA_DEVICE_CPU, 1);
    mica_device_info mute = device("0:1", "V", "gpu without compiler", MICA_DEVICE_DISCRETE_GPU, 8);
    mica_device_info old = device("0:2", "V", "gpu of OpenCL 1.1", MICA_DEVICE_DISCRETE_GPU, 8);
    mica_device_info emulator = device("0:3", "Oclgrind", "o", MICA_DEVICE_CPU, 1);
    (void)state;
    mute.has_compiler = false;
    old.opencl_c = "1.1";
    assert_true(mi_rank(&good, &mute) < 0);
    assert_true(mi_rank(&good, &old) < 0);
    assert_true(mi_rank(&good, &emulator) < 0);
    assert_true(mi_rank(&emulator, &mute) < 0);
    assert_int_equal(mi_rank(&good, &good), 0);
}

static void test_rank_is_an_order(void **state)
{
    struct mi_found list[16];
    size_t count = workstation(list);
    (void)state;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            int forth = mi_rank(&list[i].info, &list[j].info), back = mi_rank(&list[j].info, &list[i].info);
            assert_true((forth < 0) == (back > 0) && (forth == 0) == (back == 0));
            assert_true(i >= j || forth <= 0);
        }
}

static void test_versions(void **state)
{
    (void)state;
    assert_true(mi_speaks_opencl_c_12("1.2"));
    assert_true(mi_speaks_opencl_c_12("3.0"));
    assert_true(mi_speaks_opencl_c_12("1.10"));
    assert_false(mi_speaks_opencl_c_12("1.1"));
    assert_false(mi_speaks_opencl_c_12("1"));
    assert_false(mi_speaks_opencl_c_12(""));
    assert_false(mi_speaks_opencl_c_12("nonsense"));
}

static void test_contains(void **state)
{
    (void)state;
    assert_true(mi_contains("GeForce RTX", "rtx"));
    assert_true(mi_contains("abc", ""));
    assert_true(mi_contains("aab", "AB"));
    assert_false(mi_contains("abc", "abcd"));
    assert_false(mi_contains("", "a"));
}

static const char *chosen(const char *select)
{
    struct mi_found list[16];
    struct mi_arena arena = {0};
    static char id[32];
    const char *why = NULL;
    size_t count = workstation(list);
    int i = mi_choose(list, count, select, "", &arena, &why);
    assert_non_null(why);
    assert_true(*why && !strchr(why, '\n'));
    id[0] = 0;
    if (i >= 0)
        strncat(id, list[i].info.id, sizeof id - 1);
    mi_arena_destroy(&arena);
    return id;
}

static void test_choose(void **state)
{
    (void)state;
    assert_string_equal(chosen(NULL), "11:0");
    assert_string_equal(chosen(""), "11:0");
    assert_string_equal(chosen("gpu"), "11:0");
    assert_string_equal(chosen("GPU"), "11:0");
    assert_string_equal(chosen("cpu"), "6:0");
    assert_string_equal(chosen("Accelerator"), "7:0");
    assert_string_equal(chosen("1:0"), "1:0");
    assert_string_equal(chosen("uhd graphics"), "8:0");
    assert_string_equal(chosen("GEFORCE"), "11:0");
    assert_string_equal(chosen("clover"), "2:0");
    assert_string_equal(chosen("portable"), "6:0");
    assert_string_equal(chosen("oclgrind"), "0:0");
    assert_string_equal(chosen("1:1"), "");
    assert_string_equal(chosen("1:"), "");
    assert_string_equal(chosen("quadro"), "");
}

static void test_choose_names_what_there_is(void **state)
{
    struct mi_found list[2] = {{.info = device("0:0", POCL, "cpu-haswell", MICA_DEVICE_CPU, 1)},
                               {.info = device("1:0", "rusticl", "llvmpipe", MICA_DEVICE_CPU, 1)}};
    struct mi_arena arena = {0};
    const char *why = NULL;
    (void)state;
    assert_int_equal(mi_choose(list, 2, "gpu", " of MICA_DEVICE", &arena, &why), -1);
    assert_string_equal(why, "no OpenCL device fits \"gpu\" of MICA_DEVICE; there is 0:0 cpu-haswell (CPU, "
                             "Portable Computing Language), 1:0 llvmpipe (CPU, rusticl)");
    assert_int_equal(mi_choose(list, 1, NULL, "", &arena, &why), 0);
    assert_non_null(strstr(why, "only"));
    assert_int_equal(mi_choose(list, 0, NULL, "", &arena, &why), -1);
    assert_int_equal(mi_choose(list, 0, "cpu", "", &arena, &why), -1);
    assert_non_null(strstr(why, "none at all"));
    mi_arena_destroy(&arena);
}

static void test_limits_are_read(void **state)
{
    struct mi_error error = {0};
    mica_limits limits = {0};
    (void)state;
    assert_int_equal(
        mi_limits_parse("local=32768,group=64,allocation=268435456,no_fp16,no_fp64", &limits, &error),
        MICA_OK);
    assert_int_equal(limits.local_memory_bytes, 32768);
    assert_int_equal(limits.work_group, 64);
    assert_int_equal(limits.allocation_bytes, 268435456);
    assert_true(limits.no_fp16 && limits.no_fp64);
    limits = (mica_limits){.work_group = 8};
    assert_int_equal(mi_limits_parse("group=64,", &limits, &error), MICA_OK);
    assert_int_equal(limits.work_group, 8);
    assert_int_equal(mi_limits_parse("", &limits, &error), MICA_OK);
}

static void test_wrong_limits_are_refused(void **state)
{
    static const char *const wrong[] = {"bogus",
                                        "local",
                                        "local=",
                                        "local=0",
                                        "local=-1",
                                        "group=1k",
                                        "no_fp16=1",
                                        "allocation=99999999999999999999999",
                                        "local=1 ,group=1",
                                        "=3"};
    (void)state;
    for (size_t i = 0; i < MI_COUNT(wrong); i++) {
        struct mi_error error = {0};
        mica_limits limits = {0};
        assert_int_equal(mi_limits_parse(wrong[i], &limits, &error), MICA_INVALID_ARGUMENT);
        assert_non_null(strstr(error.text, "MICA_LIMITS"));
    }
}

static void test_limits_only_shrink(void **state)
{
    mica_device_info info = mi_info_empty();
    mica_limits limits = {.local_memory_bytes = 100, .work_group = 1000, .no_fp64 = true};
    (void)state;
    info.local_memory_bytes = 200;
    info.largest_work_group = 64;
    info.largest_allocation_bytes = 5;
    info.fp16 = info.fp64 = true;
    mi_limits_apply(&limits, &info);
    assert_int_equal(info.local_memory_bytes, 100);
    assert_int_equal(info.largest_work_group, 64);
    assert_int_equal(info.largest_allocation_bytes, 5);
    assert_true(info.fp16);
    assert_false(info.fp64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rank_of_a_workstation),
        cmocka_unit_test(test_rank_puts_the_unusable_behind),
        cmocka_unit_test(test_rank_is_an_order),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_contains),
        cmocka_unit_test(test_choose),
        cmocka_unit_test(test_choose_names_what_there_is),
        cmocka_unit_test(test_limits_are_read),
        cmocka_unit_test(test_wrong_limits_are_refused),
        cmocka_unit_test(test_limits_only_shrink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
