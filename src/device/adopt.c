/* A device around an application's own context. */
#include "device/devices.h"

#include <mica/mica_cl.h>
#include <stdlib.h>

static bool context_has(const struct mi_cl *cl, cl_context context, cl_device_id id)
{
    size_t bytes = 0;
    if (cl->GetContextInfo(context, CL_CONTEXT_DEVICES, 0, NULL, &bytes) != CL_SUCCESS)
        return false;
    cl_device_id *ids = mi_new(1, bytes);
    bool has = false;
    if (ids && cl->GetContextInfo(context, CL_CONTEXT_DEVICES, bytes, ids, NULL) == CL_SUCCESS)
        for (size_t i = 0; i < bytes / sizeof *ids; i++)
            has = has || ids[i] == id;
    free(ids);
    return has;
}

static mica_status check_queue(mica_device *device, cl_context context, cl_device_id id,
                               cl_command_queue queue)
{
    const struct mi_cl *cl = device->cl;
    cl_context of_context = NULL;
    cl_device_id of_device = NULL;
    cl_command_queue_properties properties = 0;
    cl_int code = cl->GetCommandQueueInfo(queue, CL_QUEUE_CONTEXT, sizeof of_context, &of_context, NULL);
    if (code == CL_SUCCESS)
        code = cl->GetCommandQueueInfo(queue, CL_QUEUE_DEVICE, sizeof of_device, &of_device, NULL);
    if (code == CL_SUCCESS)
        code = cl->GetCommandQueueInfo(queue, CL_QUEUE_PROPERTIES, sizeof properties, &properties, NULL);
    if (code != CL_SUCCESS)
        return mi_cl_fail(device, code, "the queue to adopt");
    if (of_context != context || of_device != id)
        return mi_fail(&device->error, MICA_INVALID_ARGUMENT, "the queue to adopt belongs to another %s",
                       of_context != context ? "context" : "device");
    if (properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE)
        return mi_fail(&device->error, MICA_INVALID_ARGUMENT,
                       "the queue to adopt runs out of order, Mica needs one that runs in order");
    return MICA_OK;
}

/* "PLATFORM:DEVICE" as a search would say it; "" where this loader does not know them. Only the application's
 * own platform is asked for devices: another driver might crash. */
static const char *place_of(mica_device *device, cl_platform_id platform, cl_device_id id)
{
    const struct mi_cl *cl = device->cl;
    cl_platform_id platforms[64];
    cl_device_id ids[64];
    cl_uint count = 0, devices = 0;
    if (cl->GetPlatformIDs(MI_COUNT(platforms), platforms, &count) != CL_SUCCESS ||
        cl->GetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, MI_COUNT(ids), ids, &devices) != CL_SUCCESS)
        return "";
    for (cl_uint i = 0; i < count && i < MI_COUNT(platforms); i++)
        for (cl_uint j = 0; platforms[i] == platform && j < devices && j < MI_COUNT(ids); j++)
            if (ids[j] == id)
                return mi_arena_format(&device->arena, "%u:%u", (unsigned)i, (unsigned)j);
    return "";
}

static mica_status adopt(mica_device *device, cl_context context, cl_device_id id, cl_command_queue queue,
                         const mica_device_desc *desc)
{
    cl_platform_id platform = NULL;
    if (!context || !id)
        return mi_fail(&device->error, MICA_INVALID_ARGUMENT,
                       "to adopt takes a context and a device; the %s is NULL",
                       context ? "device" : "context");
    MI_TRY(mi_loader_open(&device->error, &device->loader));
    device->cl = &device->loader->cl;
    if (!context_has(device->cl, context, id))
        return mi_fail(&device->error, MICA_INVALID_ARGUMENT,
                       "the context to adopt does not hold the device");
    if (queue)
        MI_TRY(check_queue(device, context, id, queue));
    cl_int code = device->cl->GetDeviceInfo(id, CL_DEVICE_PLATFORM, sizeof platform, &platform, NULL);
    if (code != CL_SUCCESS)
        return mi_cl_fail(device, code, "the device to adopt");
    MI_TRY(mi_query_info(device->cl, platform, id, place_of(device, platform, id), &device->arena,
                         &device->error, &device->info));
    code = device->cl->RetainContext(context);
    if (code != CL_SUCCESS)
        return mi_cl_fail(device, code, "retain the context to adopt");
    device->context = context;
    if (queue && (code = device->cl->RetainCommandQueue(queue)) != CL_SUCCESS)
        return mi_cl_fail(device, code, "retain the queue to adopt");
    device->queue = queue;
    device->platform = platform;
    device->id = id;
    return mi_device_start(device, desc);
}

mica_device *mica_cl_device_adopt(cl_context context, cl_device_id id, cl_command_queue queue,
                                  const mica_device_desc *desc)
{
    mica_device *device = mi_device_new(desc);
    if (!device)
        return NULL;
    device->adopted = true;
    adopt(device, context, id, queue, desc);
    return mi_device_settle(device);
}

cl_context mica_cl_context(const mica_device *device)
{
    return device ? device->context : NULL;
}

cl_command_queue mica_cl_queue(const mica_device *device)
{
    return device ? device->queue : NULL;
}
