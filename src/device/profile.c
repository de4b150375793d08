/* Profiling: when launches began and ended, as the driver saw it. */
#include "device/cl_api.h"

mica_status mi_device_profile(mica_device *device, cl_command_queue *own)
{
    cl_int code = CL_SUCCESS;
    mica_status finished = mi_device_finish(device);
    if (*own) {
        device->cl->ReleaseCommandQueue(device->queue);
        device->queue = *own;
        *own = NULL;
    } else if (finished == MICA_OK) {
        cl_command_queue queue =
            device->cl->CreateCommandQueue(device->context, device->id, CL_QUEUE_PROFILING_ENABLE, &code);
        if (!queue || code != CL_SUCCESS)
            return mi_cl_fail(device, code != CL_SUCCESS ? code : CL_OUT_OF_HOST_MEMORY,
                              "make a profiling queue");
        *own = device->queue;
        device->queue = queue;
    }
    return finished;
}

mica_status mi_event_seconds(mica_device *device, cl_event event, double *seconds)
{
    cl_ulong began = 0, ended = 0; /* nanoseconds */
    MI_TRY(mi_device_ready(device));
    cl_int code =
        device->cl->GetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof began, &began, NULL);
    if (code == CL_SUCCESS)
        code = device->cl->GetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof ended, &ended, NULL);
    *seconds = code == CL_SUCCESS && ended > began ? (double)(ended - began) * 1e-9 : 0;
    return code == CL_SUCCESS ? MICA_OK : mi_cl_fail(device, code, "the time of a launch");
}
