/* A sign of life. A device that a child process opens may be of a driver that the parent had used, which nobody tells: its threads
 * stayed behind, and a wait for it would not end (fork.c). */
#if !defined(_XOPEN_SOURCE)
#define _XOPEN_SOURCE 700
#endif
#include "device/devices.h"

#if defined(_WIN32)

mica_status mi_device_answers(mica_device *device)
{
    (void)device;
    return MICA_OK;
}

#else

#include <dirent.h>
#include <time.h>

/* A driver of threads that has none is dead; one that has some may have much to do. */
static const double patience_alone = 2, patience = 30;

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
    return mi_fail(&device->error, MICA_DEVICE_LOST, "device %s does not answer: " MI_FORKED, device->info.name);
}

#endif
