/* The functions of OpenCL 1.2 that Mica calls, as a table filled at run time: nothing links to libOpenCL. */
#ifndef MICA_SRC_CL_API_H
#define MICA_SRC_CL_API_H

#include "device/device.h"

/* Result, name without "cl", parameters. loader.c holds each line against the declaration in CL/cl.h. */
#define MI_CL_FUNCTIONS(X)                                                                                   \
    X(cl_int, GetPlatformIDs, (cl_uint, cl_platform_id *, cl_uint *))                                        \
    X(cl_int, GetPlatformInfo, (cl_platform_id, cl_platform_info, size_t, void *, size_t *))                 \
    X(cl_int, GetDeviceIDs, (cl_platform_id, cl_device_type, cl_uint, cl_device_id *, cl_uint *))            \
    X(cl_int, GetDeviceInfo, (cl_device_id, cl_device_info, size_t, void *, size_t *))                       \
    X(cl_context, CreateContext, (const cl_context_properties *, cl_uint, const cl_device_id *,              \
      void (CL_CALLBACK *)(const char *, const void *, size_t, void *), void *, cl_int *))                   \
    X(cl_int, RetainContext, (cl_context))                                                                   \
    X(cl_int, ReleaseContext, (cl_context))                                                                  \
    X(cl_int, GetContextInfo, (cl_context, cl_context_info, size_t, void *, size_t *))                       \
    X(cl_command_queue, CreateCommandQueue,                                                                  \
      (cl_context, cl_device_id, cl_command_queue_properties, cl_int *))                                     \
    X(cl_int, RetainCommandQueue, (cl_command_queue))                                                        \
    X(cl_int, ReleaseCommandQueue, (cl_command_queue))                                                       \
    X(cl_int, GetCommandQueueInfo, (cl_command_queue, cl_command_queue_info, size_t, void *, size_t *))      \
    X(cl_mem, CreateBuffer, (cl_context, cl_mem_flags, size_t, void *, cl_int *))                            \
    X(cl_int, RetainMemObject, (cl_mem))                                                                     \
    X(cl_int, ReleaseMemObject, (cl_mem))                                                                    \
    X(cl_int, GetMemObjectInfo, (cl_mem, cl_mem_info, size_t, void *, size_t *))                             \
    X(cl_program, CreateProgramWithSource, (cl_context, cl_uint, const char **, const size_t *, cl_int *))   \
    X(cl_int, BuildProgram, (cl_program, cl_uint, const cl_device_id *, const char *,                        \
      void (CL_CALLBACK *)(cl_program, void *), void *))                                                     \
    X(cl_int, GetProgramBuildInfo,                                                                           \
      (cl_program, cl_device_id, cl_program_build_info, size_t, void *, size_t *))                           \
    X(cl_program, CreateProgramWithBinary, (cl_context, cl_uint, const cl_device_id *, const size_t *,       \
      const unsigned char **, cl_int *, cl_int *))                                                           \
    X(cl_int, GetProgramInfo, (cl_program, cl_program_info, size_t, void *, size_t *))                       \
    X(cl_int, RetainProgram, (cl_program))                                                                   \
    X(cl_int, ReleaseProgram, (cl_program))                                                                  \
    X(cl_kernel, CreateKernel, (cl_program, const char *, cl_int *))                                         \
    X(cl_int, ReleaseKernel, (cl_kernel))                                                                    \
    X(cl_int, SetKernelArg, (cl_kernel, cl_uint, size_t, const void *))                                      \
    X(cl_int, GetKernelWorkGroupInfo,                                                                        \
      (cl_kernel, cl_device_id, cl_kernel_work_group_info, size_t, void *, size_t *))                        \
    X(cl_int, EnqueueNDRangeKernel, (cl_command_queue, cl_kernel, cl_uint, const size_t *, const size_t *,   \
      const size_t *, cl_uint, const cl_event *, cl_event *))                                                \
    X(cl_int, EnqueueReadBuffer, (cl_command_queue, cl_mem, cl_bool, size_t, size_t, void *, cl_uint,        \
      const cl_event *, cl_event *))                                                                         \
    X(cl_int, EnqueueWriteBuffer, (cl_command_queue, cl_mem, cl_bool, size_t, size_t, const void *, cl_uint, \
      const cl_event *, cl_event *))                                                                         \
    X(cl_int, EnqueueCopyBuffer, (cl_command_queue, cl_mem, cl_mem, size_t, size_t, size_t, cl_uint,         \
      const cl_event *, cl_event *))                                                                         \
    X(cl_int, EnqueueFillBuffer, (cl_command_queue, cl_mem, const void *, size_t, size_t, size_t, cl_uint,   \
      const cl_event *, cl_event *))                                                                         \
    X(cl_int, EnqueueMarkerWithWaitList, (cl_command_queue, cl_uint, const cl_event *, cl_event *))          \
    X(cl_int, Flush, (cl_command_queue))                                                                     \
    X(cl_int, Finish, (cl_command_queue))                                                                    \
    X(cl_int, WaitForEvents, (cl_uint, const cl_event *))                                                    \
    X(cl_int, GetEventInfo, (cl_event, cl_event_info, size_t, void *, size_t *))                             \
    X(cl_int, GetEventProfilingInfo, (cl_event, cl_profiling_info, size_t, void *, size_t *))                \
    X(cl_int, ReleaseEvent, (cl_event))

struct mi_cl {
#define MI_CL_MEMBER(result, name, parameters) result(CL_API_CALL *name) parameters;
    MI_CL_FUNCTIONS(MI_CL_MEMBER)
#undef MI_CL_MEMBER
};

struct mi_loader {
    struct mi_cl cl;
    void *library; /* of dlopen or LoadLibrary */
};

/* Opens the OpenCL library of this machine, or the one that MICA_OPENCL_LIBRARY names. MICA_NO_LOADER. */
mica_status mi_loader_open(struct mi_error *error, struct mi_loader **out);
void mi_loader_close(struct mi_loader *loader); /* NULL is fine */

/* Where a call stands, since drivers use one number for several misfortunes. */
enum mi_stage {
    MI_STAGE_OTHER,
    MI_STAGE_ALLOCATE, /* making a buffer */
    MI_STAGE_WAIT      /* finish, read, wait: errors of earlier commands surface here */
};

mica_status mi_cl_status(cl_int code, enum mi_stage stage);
mica_status mi_cl_fail_at(mica_device *device, cl_int code, enum mi_stage stage, const char *what);
/* As mi_cl_fail_at, before there is a device. */
mica_status mi_cl_error(struct mi_error *error, cl_int code, enum mi_stage stage, const char *what);

/* MICA_OK when the device is open; else the error of its opening, recorded again: every function begins so. */
mica_status mi_device_ready(mica_device *device);
/* The same, and that this is the process that opened it: asked by each public call, and before whatever waits (fork.c). */
mica_status mi_device_here(mica_device *device);
bool mi_device_is_forked(const mica_device *device);

#endif
