/* Processes that fork. The threads of a driver stay behind in the parent: whoever waits for the device in a child waits for ever. A
 * device knows the process that opened it. */
#if !defined(_XOPEN_SOURCE)
#define _XOPEN_SOURCE 700
#endif
#include "device/devices.h"

#if defined(_WIN32)

long mi_process(void)
{
    return 0;
}

#else

#include <unistd.h>

long mi_process(void)
{
    return (long)getpid();
}

#endif

/* Without a queue there is nothing that could be waited for. */
bool mi_device_is_forked(const mica_device *device)
{
    return device->queue && device->process != mi_process();
}

mica_status mi_device_here(mica_device *device)
{
    if (mi_device_is_forked(device) && device->failed.status == MICA_OK)
        mi_fail(&device->failed, MICA_DEVICE_LOST, "device %s: " MI_FORKED, device->info.name);
    return mi_device_ready(device);
}
