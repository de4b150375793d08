/* OpenCL's error numbers: their names, the status that each means, and what a person can do about it. */
#include "device/cl_api.h"

#define PLATFORM_NOT_FOUND (-1001) /* cl_ext.h: CL_PLATFORM_NOT_FOUND_KHR */
#define NVIDIA_ILLEGAL_ACCESS (-9999)

struct cl_error {
    cl_int code;
    mica_status status;
    const char *name, *advice; /* advice: "" where the name says it all */
};

#define TOO_BIG                                                                                              \
    "the device is out of memory: use a smaller batch or network, or close what else uses the device"
#define LOST "the device stopped answering: close Mica's objects and open the device again"
#define OURS "please report it"

#define TEXT(x) #x
#define NUMBER(macro) TEXT(macro)
#define ERROR(name, status, advice)                                                                          \
    {                                                                                                        \
        CL_##name, MICA_##status, "CL_" #name " (" NUMBER(CL_##name) ")", advice                             \
    }
static const struct cl_error errors[] = {
    ERROR(DEVICE_NOT_FOUND, NO_DEVICE, "the platform offers no such device"),
    ERROR(DEVICE_NOT_AVAILABLE, DEVICE_LOST, LOST),
    ERROR(COMPILER_NOT_AVAILABLE, NO_COMPILER, "install the driver package that includes its compiler"),
    ERROR(MEM_OBJECT_ALLOCATION_FAILURE, DEVICE_MEMORY, TOO_BIG),
    ERROR(OUT_OF_RESOURCES, DEVICE,
          "the command needs more registers, local memory or memory than the device has"),
    ERROR(OUT_OF_HOST_MEMORY, OUT_OF_MEMORY, "the driver is out of host memory"),
    ERROR(PROFILING_INFO_NOT_AVAILABLE, DEVICE, ""),
    ERROR(MEM_COPY_OVERLAP, DEVICE, OURS),
    ERROR(IMAGE_FORMAT_MISMATCH, DEVICE, OURS),
    ERROR(IMAGE_FORMAT_NOT_SUPPORTED, DEVICE, OURS),
    ERROR(BUILD_PROGRAM_FAILURE, BUILD, ""),
    ERROR(MAP_FAILURE, DEVICE_MEMORY, TOO_BIG),
    ERROR(MISALIGNED_SUB_BUFFER_OFFSET, DEVICE, OURS),
    ERROR(EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, DEVICE,
          "an earlier command failed; MICA_DEBUG=1 names it"),
    ERROR(COMPILE_PROGRAM_FAILURE, BUILD, ""),
    ERROR(LINKER_NOT_AVAILABLE, NO_COMPILER, "install the driver package that includes its compiler"),
    ERROR(LINK_PROGRAM_FAILURE, BUILD, ""),
    ERROR(DEVICE_PARTITION_FAILED, DEVICE, ""),
    ERROR(KERNEL_ARG_INFO_NOT_AVAILABLE, DEVICE, ""),
    ERROR(INVALID_VALUE, DEVICE, ""),
    ERROR(INVALID_DEVICE_TYPE, DEVICE, ""),
    ERROR(INVALID_PLATFORM, DEVICE, ""),
    ERROR(INVALID_DEVICE, DEVICE, ""),
    ERROR(INVALID_CONTEXT, DEVICE, ""),
    ERROR(INVALID_QUEUE_PROPERTIES, DEVICE, ""),
    ERROR(INVALID_COMMAND_QUEUE, DEVICE, ""),
    ERROR(INVALID_HOST_PTR, DEVICE, ""),
    ERROR(INVALID_MEM_OBJECT, DEVICE, ""),
    ERROR(INVALID_IMAGE_FORMAT_DESCRIPTOR, DEVICE, ""),
    ERROR(INVALID_IMAGE_SIZE, DEVICE, ""),
    ERROR(INVALID_SAMPLER, DEVICE, ""),
    ERROR(INVALID_BINARY, DEVICE, ""),
    ERROR(INVALID_BUILD_OPTIONS, BUILD, "the driver refuses an option of the compiler"),
    ERROR(INVALID_PROGRAM, DEVICE, ""),
    ERROR(INVALID_PROGRAM_EXECUTABLE, DEVICE, ""),
    ERROR(INVALID_KERNEL_NAME, DEVICE, "the program has no kernel of that name"),
    ERROR(INVALID_KERNEL_DEFINITION, DEVICE, ""),
    ERROR(INVALID_KERNEL, DEVICE, ""),
    ERROR(INVALID_ARG_INDEX, DEVICE, "the kernel has fewer arguments"),
    ERROR(INVALID_ARG_VALUE, DEVICE, ""),
    ERROR(INVALID_ARG_SIZE, DEVICE, "the kernel's argument has another size"),
    ERROR(INVALID_KERNEL_ARGS, DEVICE, "an argument of the kernel was not set"),
    ERROR(INVALID_WORK_DIMENSION, DEVICE, ""),
    ERROR(INVALID_WORK_GROUP_SIZE, DEVICE, "the work-group does not suit the kernel on this device"),
    ERROR(INVALID_WORK_ITEM_SIZE, DEVICE, "the work-group is larger than the device allows in one dimension"),
    ERROR(INVALID_GLOBAL_OFFSET, DEVICE, ""),
    ERROR(INVALID_EVENT_WAIT_LIST, DEVICE, ""),
    ERROR(INVALID_EVENT, DEVICE, ""),
    ERROR(INVALID_OPERATION, DEVICE, ""),
    ERROR(INVALID_GL_OBJECT, DEVICE, ""),
    ERROR(INVALID_BUFFER_SIZE, DEVICE_MEMORY, "the buffer is larger than the device allows"),
    ERROR(INVALID_MIP_LEVEL, DEVICE, ""),
    ERROR(INVALID_GLOBAL_WORK_SIZE, DEVICE, "the grid is empty or larger than the device allows"),
    ERROR(INVALID_PROPERTY, DEVICE, ""),
    ERROR(INVALID_IMAGE_DESCRIPTOR, DEVICE, ""),
    ERROR(INVALID_COMPILER_OPTIONS, BUILD, "the driver refuses an option of the compiler"),
    ERROR(INVALID_LINKER_OPTIONS, BUILD, "the driver refuses an option of the linker"),
    ERROR(INVALID_DEVICE_PARTITION_COUNT, DEVICE, ""),
    {PLATFORM_NOT_FOUND, MICA_NO_PLATFORM, "CL_PLATFORM_NOT_FOUND_KHR (-1001)",
     "no OpenCL driver is installed"},
    {NVIDIA_ILLEGAL_ACCESS, MICA_DEVICE_LOST, "illegal read or write to a buffer (-9999)", LOST},
};
#undef ERROR

static const struct cl_error *find(cl_int code)
{
    for (size_t i = 0; i < MI_COUNT(errors); i++)
        if (errors[i].code == code)
            return &errors[i];
    return NULL;
}

/* A wait that meets these tells of a command that died on the device, such as an access out of bounds: after
 * it NVIDIA's context is gone. */
static bool means_lost(cl_int code)
{
    return code == CL_OUT_OF_RESOURCES || code == CL_INVALID_COMMAND_QUEUE || code == CL_INVALID_CONTEXT ||
           code == CL_DEVICE_NOT_AVAILABLE || code == NVIDIA_ILLEGAL_ACCESS;
}

mica_status mi_cl_status(cl_int code, enum mi_stage stage)
{
    const struct cl_error *known = find(code);
    if (code == CL_SUCCESS)
        return MICA_OK;
    if (stage == MI_STAGE_ALLOCATE && code == CL_OUT_OF_RESOURCES)
        return MICA_DEVICE_MEMORY;
    if (stage == MI_STAGE_WAIT && means_lost(code))
        return MICA_DEVICE_LOST;
    return known ? known->status : MICA_DEVICE;
}

const char *mi_cl_error_name(cl_int code)
{
    const struct cl_error *known = find(code);
    if (code == CL_SUCCESS)
        return "CL_SUCCESS (0)";
    return known ? known->name : "unknown OpenCL error";
}

mica_status mi_cl_error(struct mi_error *error, cl_int code, enum mi_stage stage, const char *what)
{
    const struct cl_error *known = find(code);
    mica_status status = mi_cl_status(code, stage);
    const char *advice = known ? known->advice : "";
    if (status == MICA_DEVICE_LOST)
        advice = LOST;
    else if (status == MICA_DEVICE_MEMORY && code == CL_OUT_OF_RESOURCES)
        advice = TOO_BIG;
    if (!known)
        return mi_fail(error, status, "%s: unknown OpenCL error (%d)", what, (int)code);
    return mi_fail(error, status, "%s: %s%s%s", what, known->name, *advice ? ": " : "", advice);
}

mica_status mi_cl_fail_at(mica_device *device, cl_int code, enum mi_stage stage, const char *what)
{
    mica_status status = mi_cl_error(&device->error, code, stage, what);
    if (status == MICA_DEVICE_LOST && device->failed.status == MICA_OK)
        mi_cl_error(&device->failed, code, stage, what);
    return status;
}

mica_status mi_cl_fail(mica_device *device, cl_int code, const char *what)
{
    return mi_cl_fail_at(device, code, MI_STAGE_OTHER, what);
}

mica_status mi_device_ready(mica_device *device)
{
    return mi_error_report(&device->error, &device->failed);
}
