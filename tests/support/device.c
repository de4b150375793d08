#include "support/device.h"

#include <stdlib.h>
#include <string.h>

bool tests_are_small(void)
{
    const char *small = getenv("MICA_TEST_SMALL");
    return small && strcmp(small, "0") != 0;
}

int open_device(void **state)
{
    mica_device *device = mica_device_open(NULL);
    if (mica_device_status(device) != MICA_OK) {
        print_error("no device to test on: %s\n", mica_device_error(device));
        mica_device_destroy(device);
        return -1;
    }
    *state = device;
    return 0;
}

int close_device(void **state)
{
    mica_device_destroy(*state);
    return 0;
}

/* ---- Other sizes ---- */

const struct device_size device_sizes[DEVICE_SIZES] = {{4, 2, 128 << 10},  {4, 16, 1 << 20}, {8, 2, 32 << 10},
                                                       {8, 16, 512 << 10}, {16, 2, 32 << 10}, {16, 2, 1 << 20}};

/* The first half of what is told are kernels that are built, the second one their first launches. */
static bool stop_before_launches(void *user, const mica_compile_progress *now)
{
    (void)user;
    return now->done < now->total / 2;
}

mica_device *open_sized(const struct device_size *size, bool *runs)
{
    mica_device *device = mica_device_open(NULL);
    assert_int_equal(mica_device_status(device), MICA_OK);
    if (!device->is_cpu) {
        mica_device_destroy(device);
        return NULL;
    }
    *runs = size->local_bytes <= device->info.local_memory_bytes;
    if (!*runs)
        mica_device_on_compile(device, stop_before_launches, NULL);
    device->vector_width = size->lanes;
    device->info.compute_units = size->units;
    device->info.local_memory_bytes = size->local_bytes;
    return device;
}

bool is_tried(const struct device_size *size, const mica_device *beside)
{
    return !tests_are_small() || size->lanes == beside->vector_width;
}

mica_device *open_for_clblast(void)
{
    bool runs;
    mica_device *device = mica_device_open(NULL);
    if (!device || mica_device_status(device) != MICA_OK || !device->is_cpu)
        return device;
    const struct device_size size = {4, device->info.compute_units, device->info.local_memory_bytes};
    mica_device_destroy(device);
    return open_sized(&size, &runs);
}
