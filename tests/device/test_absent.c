/* GPUs that no platform offers, on machines whose /sys, /proc and /dev are made up in a folder. */
#define _POSIX_C_SOURCE 200809L

#include "on_device.h"

#include "device/devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct machine {
    char root[64];
    struct mica_devices *found;
};

static int make(void **state)
{
    struct machine *machine = mi_new(1, sizeof *machine);
    assert_non_null(machine);
    snprintf(machine->root, sizeof machine->root, "/tmp/mica-absent-%ld", (long)getpid());
    assert_int_equal(mkdir(machine->root, 0700), 0);
    machine->found = mi_new(1, sizeof *machine->found);
    assert_non_null(machine->found);
    *state = machine;
    return 0;
}

static int remove_it(void **state)
{
    struct machine *machine = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", machine->root);
    int status = system(command);
    mica_devices_destroy(machine->found);
    free(machine);
    return status;
}

/* Writes a file below the root, with the folders that lead to it. */
static void put(const struct machine *machine, const char *path, const char *text)
{
    char full[256];
    snprintf(full, sizeof full, "%s%s", machine->root, path);
    for (char *slash = strchr(full + strlen(machine->root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(full, 0755);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void put_card(const struct machine *machine, const char *slot, const char *kind, const char *vendor,
                     const char *device)
{
    const char *const names[] = {"class", "vendor", "device"}, *const texts[] = {kind, vendor, device};
    char path[128];
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/%s", slot, names[i]);
        put(machine, path, texts[i]);
    }
}

static void offer(struct machine *machine, const char *vendor, size_t platform)
{
    static char platforms[8];
    struct mica_devices *found = machine->found;
    assert_true(mi_grow(&found->list, &found->capacity, found->count + 1, sizeof *found->list));
    struct mi_found *added = &found->list[found->count++];
    added->info = mi_info_empty();
    added->info.type = MICA_DEVICE_DISCRETE_GPU;
    added->info.vendor = vendor;
    added->platform = (cl_platform_id)(void *)&platforms[platform];
}

static const mica_absent_gpu *only_absent(struct machine *machine)
{
    assert_int_equal(mi_absent_find(machine->found, machine->root), MICA_OK);
    assert_int_equal(mica_devices_absent_count(machine->found), 1);
    return mica_devices_absent(machine->found, 0);
}

static void assert_none_absent(struct machine *machine)
{
    assert_int_equal(mi_absent_find(machine->found, machine->root), MICA_OK);
    assert_int_equal(mica_devices_absent_count(machine->found), 0);
}

static void test_bare_machine(void **state)
{
    assert_none_absent(*state);
}

static void test_screens_and_disks_are_no_gpus(void **state)
{
    put_card(*state, "0000:00:01.0", "0x030000\n", "0x1a03\n", "0x2000\n"); /* a server's ASPEED */
    put_card(*state, "0000:00:02.0", "0x010802\n", "0x8086\n", "0x0a54\n"); /* Intel's disk */
    put_card(*state, "0000:00:03.0", "0x030000\n", "", "");
    assert_none_absent(*state);
}

static void test_nvidia_without_its_driver(void **state)
{
    put_card(*state, "0000:01:00.0", "0x030000\n", "0x10de\n", "0x2684\n");
    const mica_absent_gpu *gpu = only_absent(*state);
    assert_string_equal(gpu->name, "NVIDIA GPU 10de:2684 at 0000:01:00.0");
    assert_non_null(strstr(gpu->advice, "nvidia-driver and nvidia-opencl-icd"));
}

static void test_nvidia_with_its_driver(void **state)
{
    put_card(*state, "0000:01:00.0", "0x030200\n", "0x10de\n", "0x2335\n");
    put(*state, "/proc/driver/nvidia/version", "");
    assert_non_null(strstr(only_absent(*state)->advice, "install nvidia-opencl-icd"));
}

static void test_amd(void **state)
{
    struct machine *machine = *state;
    put_card(machine, "0000:03:00.0", "0x030000\n", "0x1002\n", "0x744c\n");
    put(machine, "/dev/dri/renderD128", "");
    const char *advice = only_absent(machine)->advice;
    assert_non_null(strstr(advice, "install mesa-opencl-icd"));
    assert_non_null(strstr(advice, "RUSTICL_ENABLE=radeonsi"));
    assert_non_null(strstr(advice, "rocm-opencl-icd"));
    machine->found->has_rusticl = true;
    machine->found->absent_count = 0;
    advice = only_absent(machine)->advice;
    assert_null(strstr(advice, "install mesa-opencl-icd"));
    assert_non_null(strstr(advice, "RUSTICL_ENABLE=radeonsi"));
}

static void test_intel(void **state)
{
    put_card(*state, "0000:00:02.0", "0x030000\n", "0x8086\n", "0x4680\n");
    put(*state, "/dev/dri/renderD128", "");
    assert_string_equal(only_absent(*state)->advice, "install intel-opencl-icd");
}

static void test_closed_node(void **state)
{
    struct machine *machine = *state;
    char path[128];
    put_card(machine, "0000:00:02.0", "0x030000\n", "0x8086\n", "0x4680\n");
    put(machine, "/dev/dri/renderD128", "");
    snprintf(path, sizeof path, "%s/dev/dri/renderD128", machine->root);
    assert_int_equal(chmod(path, 0), 0);
    /* Root may open anything: it has no need of the group. */
    assert_non_null(
        strstr(only_absent(machine)->advice, geteuid() ? "usermod -aG render" : "intel-opencl-icd"));
}

static void test_no_node(void **state)
{
    put_card(*state, "0000:00:02.0", "0x030000\n", "0x8086\n", "0x4680\n");
    assert_non_null(strstr(only_absent(*state)->advice, "/dev/dri"));
}

static void test_offered_gpus_are_not_absent(void **state)
{
    struct machine *machine = *state;
    put_card(machine, "0000:01:00.0", "0x030000\n", "0x10de\n", "0x2684\n");
    put_card(machine, "0000:02:00.0", "0x030000\n", "0x1002\n", "0x744c\n");
    offer(machine, "NVIDIA Corporation", 0);
    offer(machine, "Advanced Micro Devices, Inc.", 1);
    assert_none_absent(machine);
}

static void test_one_of_two_is_absent(void **state)
{
    struct machine *machine = *state;
    put_card(machine, "0000:01:00.0", "0x030000\n", "0x1002\n", "0x744c\n");
    put_card(machine, "0000:02:00.0", "0x030000\n", "0x1002\n", "0x744c\n");
    offer(machine, "AMD", 0); /* one card, by two platforms */
    offer(machine, "AMD", 1);
    only_absent(machine);
}

static void test_chip(void **state)
{
    put(*state, "/sys/class/drm/renderD128/device/uevent", "DRIVER=panfrost\nOF_NAME=gpu\n");
    put(*state, "/sys/class/drm/card0/device/uevent", "DRIVER=panfrost\n");
    put(*state, "/dev/dri/renderD128", "");
    const mica_absent_gpu *gpu = only_absent(*state);
    assert_string_equal(gpu->name, "ARM Mali GPU at renderD128");
    assert_non_null(strstr(gpu->advice, "RUSTICL_ENABLE=panfrost"));
}

static void test_windows_gpu(void **state)
{
    struct machine *machine = *state;
    put(machine, "/dev/dxg", "");
    assert_non_null(strstr(only_absent(machine)->name, "/dev/dxg"));
    machine->found->absent_count = 0;
    offer(machine, "Intel(R) Corporation", 0);
    assert_none_absent(machine);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make, remove_it)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_bare_machine),
        TEST(test_screens_and_disks_are_no_gpus),
        TEST(test_nvidia_without_its_driver),
        TEST(test_nvidia_with_its_driver),
        TEST(test_amd),
        TEST(test_intel),
        TEST(test_closed_node),
        TEST(test_no_node),
        TEST(test_offered_gpus_are_not_absent),
        TEST(test_one_of_two_is_absent),
        TEST(test_chip),
        TEST(test_windows_gpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
