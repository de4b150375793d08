/* Buffers of a device: made within its largest allocation, written, read, copied and filled within their
 * size. */
#include "device/cl_api.h"

#include <inttypes.h>

mica_status mi_buffer_create(mica_device *device, uint64_t bytes, struct mi_buffer *out)
{
    *out = (struct mi_buffer){0};
    MI_TRY(mi_device_ready(device));
    if (!bytes)
        return MICA_OK;
    if (bytes > device->info.largest_allocation_bytes || bytes > SIZE_MAX)
        return mi_fail(&device->error, MICA_DEVICE_MEMORY,
                       "a buffer of %" PRIu64 " bytes is larger than device %s's "
                       "largest allocation of %" PRIu64,
                       bytes, device->info.name, device->info.largest_allocation_bytes);
    cl_int code = CL_SUCCESS;
    device->calls_buffer++;
    out->mem = device->cl->CreateBuffer(device->context, CL_MEM_READ_WRITE, (size_t)bytes, NULL, &code);
    if (code == CL_SUCCESS && out->mem) {
        out->bytes = bytes;
        return MICA_OK;
    }
    char what[64];
    mi_format(what, sizeof what, "a buffer of %" PRIu64 " bytes", bytes);
    *out = (struct mi_buffer){0};
    return mi_cl_fail_at(device, code != CL_SUCCESS ? code : CL_OUT_OF_HOST_MEMORY, MI_STAGE_ALLOCATE, what);
}

mica_status mi_buffer_adopt(mica_device *device, cl_mem mem, bool written, struct mi_buffer *out)
{
    cl_context context = NULL;
    cl_mem_object_type type = CL_MEM_OBJECT_BUFFER;
    cl_mem_flags flags = 0, forbidden = written ? CL_MEM_READ_ONLY : CL_MEM_WRITE_ONLY;
    size_t bytes = 0;
    *out = (struct mi_buffer){0};
    MI_TRY(mi_device_ready(device));
    if (!mem)
        return mi_fail(&device->error, MICA_INVALID_ARGUMENT, "the buffer to adopt is NULL");
    cl_int code = device->cl->GetMemObjectInfo(mem, CL_MEM_CONTEXT, sizeof context, &context, NULL);
    if (code == CL_SUCCESS && context != device->context)
        return mi_fail(&device->error, MICA_INVALID_ARGUMENT,
                       "the buffer to adopt belongs to another context");
    if (code == CL_SUCCESS)
        code = device->cl->GetMemObjectInfo(mem, CL_MEM_TYPE, sizeof type, &type, NULL);
    if (code == CL_SUCCESS && type != CL_MEM_OBJECT_BUFFER)
        return mi_fail(&device->error, MICA_INVALID_ARGUMENT, "the buffer to adopt is an image");
    if (code == CL_SUCCESS)
        code = device->cl->GetMemObjectInfo(mem, CL_MEM_FLAGS, sizeof flags, &flags, NULL);
    if (code == CL_SUCCESS && (flags & forbidden))
        return mi_fail(&device->error, MICA_INVALID_ARGUMENT, "the buffer to adopt was made %s, kernels %s it",
                       written ? "CL_MEM_READ_ONLY" : "CL_MEM_WRITE_ONLY", written ? "write" : "read");
    if (code == CL_SUCCESS)
        code = device->cl->GetMemObjectInfo(mem, CL_MEM_SIZE, sizeof bytes, &bytes, NULL);
    if (code == CL_SUCCESS)
        code = device->cl->RetainMemObject(mem);
    if (code != CL_SUCCESS)
        return mi_cl_fail(device, code, "the buffer to adopt");
    *out = (struct mi_buffer){.mem = mem, .bytes = bytes};
    return MICA_OK;
}

void mi_buffer_destroy(mica_device *device, struct mi_buffer *buffer)
{
    if (buffer->mem)
        device->cl->ReleaseMemObject(buffer->mem);
    *buffer = (struct mi_buffer){0};
}

static mica_status check_range(mica_device *device, const struct mi_buffer *buffer, uint64_t offset,
                               uint64_t size, const char *what)
{
    MI_TRY(mi_device_ready(device));
    if (offset <= buffer->bytes && size <= buffer->bytes - offset)
        return MICA_OK;
    return mi_fail(&device->error, MICA_INTERNAL,
                   "%s %" PRIu64 " bytes at %" PRIu64 " of a buffer that has %" PRIu64, what, size, offset,
                   buffer->bytes);
}

mica_status mi_buffer_write(mica_device *device, const struct mi_buffer *buffer, uint64_t offset,
                            const void *bytes, uint64_t size, cl_event *done)
{
    if (done)
        *done = NULL;
    MI_TRY(check_range(device, buffer, offset, size, "write"));
    if (!size)
        return MICA_OK;
    cl_int code = device->cl->EnqueueWriteBuffer(device->queue, buffer->mem, CL_FALSE, (size_t)offset,
                                                 (size_t)size, bytes, 0, NULL, done);
    return code == CL_SUCCESS ? MICA_OK : mi_cl_fail(device, code, "write a buffer");
}

mica_status mi_buffer_ask(mica_device *device, const struct mi_buffer *buffer, uint64_t offset, void *bytes, uint64_t size,
                          cl_event *done)
{
    *done = NULL;
    MI_TRY(check_range(device, buffer, offset, size, "read"));
    if (!size)
        return mi_device_marker(device, 0, NULL, done);
    cl_int code = device->cl->EnqueueReadBuffer(device->queue, buffer->mem, CL_FALSE, (size_t)offset,
                                                (size_t)size, bytes, 0, NULL, done);
    return code == CL_SUCCESS ? MICA_OK : mi_cl_fail_at(device, code, MI_STAGE_WAIT, "read a buffer");
}

/* Not blocking, then waited for as an event: where a blocking read spins, that sleeps. */
mica_status mi_buffer_read(mica_device *device, const struct mi_buffer *buffer, uint64_t offset, void *bytes,
                           uint64_t size)
{
    cl_event done = NULL;
    MI_TRY(size ? mi_buffer_ask(device, buffer, offset, bytes, size, &done)
                : check_range(device, buffer, offset, size, "read"));
    return size ? mi_event_wait(device, &done) : mi_device_finish(device);
}

mica_status mi_buffer_copy(mica_device *device, const struct mi_buffer *from, uint64_t from_offset,
                           const struct mi_buffer *to, uint64_t to_offset, uint64_t size)
{
    MI_TRY(check_range(device, from, from_offset, size, "copy from"));
    MI_TRY(check_range(device, to, to_offset, size, "copy to"));
    uint64_t apart = from_offset > to_offset ? from_offset - to_offset : to_offset - from_offset;
    if (!size)
        return MICA_OK;
    if (from->mem == to->mem && apart < size)
        return mi_fail(&device->error, MICA_INTERNAL,
                       "copy %" PRIu64 " bytes from %" PRIu64 " to %" PRIu64 " of one buffer: they overlap",
                       size, from_offset, to_offset);
    cl_int code = device->cl->EnqueueCopyBuffer(device->queue, from->mem, to->mem, (size_t)from_offset,
                                                (size_t)to_offset, (size_t)size, 0, NULL, NULL);
    return code == CL_SUCCESS ? MICA_OK : mi_cl_fail(device, code, "copy a buffer");
}

mica_status mi_buffer_fill(mica_device *device, const struct mi_buffer *buffer, uint64_t offset,
                           uint64_t size, const void *pattern, size_t pattern_size)
{
    MI_TRY(check_range(device, buffer, offset, size, "fill"));
    bool fits = pattern_size == 1 || pattern_size == 2 || pattern_size == 4 || pattern_size == 8;
    if (!fits || offset % pattern_size || size % pattern_size)
        return mi_fail(&device->error, MICA_INTERNAL,
                       "fill %" PRIu64 " bytes at %" PRIu64 " with a pattern of %zu", size, offset,
                       pattern_size);
    if (!size)
        return MICA_OK;
    cl_int code = device->cl->EnqueueFillBuffer(device->queue, buffer->mem, pattern, pattern_size,
                                                (size_t)offset, (size_t)size, 0, NULL, NULL);
    return code == CL_SUCCESS ? MICA_OK : mi_cl_fail(device, code, "fill a buffer");
}
