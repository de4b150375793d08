#include "support/device.h"

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
