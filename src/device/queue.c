/* The queue: flushing, waiting, events. */
#define _POSIX_C_SOURCE 200809L

#include "device/cl_api.h"

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <time.h>
#endif

static void nap(long microseconds)
{
#if defined(_WIN32)
    Sleep((DWORD)(microseconds / 1000));
#else
    const struct timespec pause = {.tv_nsec = microseconds * 1000};
    nanosleep(&pause, NULL);
#endif
}

/* The status of an event's command: CL_COMPLETE, more while it runs, less than zero when it failed. */
static cl_int event_status(const mica_device *device, cl_event event)
{
    cl_int status = CL_COMPLETE;
    cl_int code =
        device->cl->GetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL);
    return code == CL_SUCCESS ? status : code;
}

/* Where the driver's own wait spins a core, look and sleep in turns: naps grow from 20 microseconds to 1
 * millisecond. */
static cl_int wait_for(mica_device *device, cl_event event)
{
    device->calls_wait++;
    if (!device->quirks.spins_on_wait)
        return device->cl->WaitForEvents(1, &event);
    cl_int status = device->cl->Flush(device->queue);
    if (status != CL_SUCCESS)
        return status;
    for (long pause = 20; (status = event_status(device, event)) > CL_COMPLETE;
         pause = pause < 500 ? pause * 2 : 1000)
        nap(pause);
    return status;
}

mica_status mi_device_flush(mica_device *device)
{
    MI_TRY(mi_device_ready(device));
    cl_int code = device->cl->Flush(device->queue);
    return code == CL_SUCCESS ? MICA_OK : mi_cl_fail_at(device, code, MI_STAGE_WAIT, "flush the queue");
}

mica_status mi_device_finish(mica_device *device)
{
    MI_TRY(mi_device_here(device));
    cl_event last = NULL;
    cl_int code = CL_SUCCESS;
    if (device->quirks.spins_on_wait) {
        code = device->cl->EnqueueMarkerWithWaitList(device->queue, 0, NULL, &last);
        if (code == CL_SUCCESS)
            code = wait_for(device, last);
        mi_event_release(device, &last);
    } else {
        device->calls_wait++;
    }
    if (code == CL_SUCCESS)
        code = device->cl->Finish(device->queue);
    return code == CL_SUCCESS ? MICA_OK : mi_cl_fail_at(device, code, MI_STAGE_WAIT, "wait for the device");
}

void mi_device_drain(mica_device *device)
{
    if (device->queue)
        device->cl->Finish(device->queue); /* an error says nothing to anybody any more */
}

mica_status mi_event_wait(mica_device *device, cl_event *event)
{
    MI_TRY(mi_device_here(device));
    if (!*event)
        return MICA_OK;
    cl_int code = wait_for(device, *event);
    mi_event_release(device, event);
    return code == CL_SUCCESS ? MICA_OK : mi_cl_fail_at(device, code, MI_STAGE_WAIT, "wait for a command");
}

void mi_event_release(mica_device *device, cl_event *event)
{
    if (*event)
        device->cl->ReleaseEvent(*event);
    *event = NULL;
}

bool mi_event_done(mica_device *device, cl_event event)
{
    return !event || event_status(device, event) <= CL_COMPLETE;
}

mica_status mi_device_marker(mica_device *device, cl_uint waits, const cl_event *wait, cl_event *done)
{
    if (done)
        *done = NULL;
    MI_TRY(mi_device_ready(device));
    if (!waits && !done)
        return MICA_OK;
    cl_int code = device->cl->EnqueueMarkerWithWaitList(device->queue, waits, waits ? wait : NULL, done);
    return code == CL_SUCCESS ? MICA_OK : mi_cl_fail(device, code, "enqueue a marker");
}
