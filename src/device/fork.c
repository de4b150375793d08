/* Processes that fork. The threads of a driver stay behind in the parent: whoever waits for the device in a child waits for ever. A
 * device knows the process that opened it. One that a child opens may be of a driver that the parent had used, which nobody tells;
 * so it is asked for a sign of life. */
#if !defined(_XOPEN_SOURCE)
#define _XOPEN_SOURCE 700
#endif
#include "device/devices.h"

#define FORKED "this process was forked after OpenCL was used in it, and a driver does not come along: " \
    "use OpenCL in children only, or start them by exec"

#if defined(_WIN32)

long mi_process(void)
{
    return 0;
}

mica_status mi_device_answers(mica_device *device)
{
    (void)device;
    return MICA_OK;
}

#else

#include <dirent.h>
#include <time.h>
#include <unistd.h>

/* A driver of threads that has none is dead; one that has some may have much to do. */
static const double patience_alone = 2, patience = 30;

long mi_process(void)
{
    return (long)getpid();
}

/* Whether this is the only thread of the process, as far as the system tells. */
static bool is_alone(void)
{
    DIR *threads = opendir("/proc/self/task");
    int count = 0;
    while (threads && readdir(threads))
        count++;
    if (threads)
        closedir(threads);
    return count == 3; /* with "." and ".." */
}

/* Waits by looking, as the driver's own wait may not end. */
static bool passes(mica_device *device, cl_event event)
{
    const struct timespec nap = {.tv_nsec = 50 * 1000};
    double began = mi_seconds(), limit = 0;
    while (!mi_event_done(device, event)) {
        double waited = mi_seconds() - began;
        if (waited > 0.1 && limit <= 0)
            limit = is_alone() ? patience_alone : patience;
        if (limit > 0 && waited > limit)
            return false;
        nanosleep(&nap, NULL);
    }
    return true;
}

mica_status mi_device_answers(mica_device *device)
{
    cl_event marker = NULL;
    if (!device->quirks.has_threads)
        return MICA_OK;
    cl_int code = device->cl->EnqueueMarkerWithWaitList(device->queue, 0, NULL, &marker);
    if (code == CL_SUCCESS)
        code = device->cl->Flush(device->queue);
    bool answers = code != CL_SUCCESS || passes(device, marker);
    if (answers)
        mi_event_release(device, &marker);
    if (code != CL_SUCCESS)
        return mi_cl_fail_at(device, code, MI_STAGE_WAIT, "the first command of the device");
    if (answers)
        return MICA_OK;
    device->process = -1; /* it was another's, whose is not known */
    return mi_fail(&device->error, MICA_DEVICE_LOST, "device %s does not answer: " FORKED, device->info.name);
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
        mi_fail(&device->failed, MICA_DEVICE_LOST, "device %s: " FORKED, device->info.name);
    return mi_device_ready(device);
}
