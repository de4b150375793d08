/* OpenCL interop, for applications with a context, queue or buffers of their own. Not part of mica.h. */
#ifndef MICA_CL_H
#define MICA_CL_H

#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 120
#endif
#include <CL/cl.h>
#include <mica/mica.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Adopts an application's context, device and in-order queue (NULL queue: Mica makes its own in that context).
 * Mica retains them and releases them in mica_device_destroy; it never changes process-wide state (such as
 * CLBlast's parameters and cache) for an adopted context. CLBlast's cache names the contexts that it has worked in: call
 * CLBlastClearCache before such a one goes away, as you would without Mica. `select` in desc is ignored. Errors as
 * mica_device_open. */
MICA_API mica_device *mica_cl_device_adopt(cl_context context, cl_device_id id, cl_command_queue queue,
                                           const mica_device_desc *desc);

/* The context and queue that the device uses. Borrowed until mica_device_destroy. */
MICA_API cl_context mica_cl_context(const mica_device *device);
MICA_API cl_command_queue mica_cl_queue(const mica_device *device);

/* Binds a buffer of the application to the plan's input or output called `name`, in place of Mica's own: elements of the tensor's
 * type (float32; int32 for targets that are classes), row-major, offset in bytes (a multiple of an element's), room for the plan's
 * largest batch. Kernels must be allowed to read an input and to write an output, and no output may share its place with another
 * bound one. The rows of an embedding that a buffer names are not checked: the number of no row gives NaN, or counts from the last
 * row where it is negative. The buffer is retained until another is bound or the plan destroyed. MICA_INVALID_ARGUMENT where that
 * is not so: what was bound before stays. */
MICA_API mica_status mica_cl_bind(mica_plan *plan, const char *name, cl_mem buffer, size_t offset_bytes);

/* Enqueues the plan for n samples, 0 to the plan's batch, after the events of `wait`, and returns at once; *done (may be NULL) is
 * the caller's to release, NULL after an error. */
MICA_API mica_status mica_cl_run(mica_plan *plan, int64_t n, cl_uint waits, const cl_event *wait, cl_event *done);

#ifdef __cplusplus
}
#endif
#endif
