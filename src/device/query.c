/* Asks a driver about one device. */
#include "device/devices.h"

#include <string.h>

/* Control characters become blanks and outer blanks go, so that a name fits in one line anywhere. */
static const char *tidy(char *text)
{
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
    size_t size = strlen(text);
    while (size && text[size - 1] == ' ')
        text[--size] = 0;
    return text + strspn(text, " ");
}

static const char *device_text(const struct mi_cl *cl, cl_device_id id, cl_device_info what,
                               struct mi_arena *arena)
{
    size_t size = 0, room;
    if (cl->GetDeviceInfo(id, what, 0, NULL, &size) != CL_SUCCESS || !mi_add_size(size, 1, &room))
        return "";
    char *text = mi_arena_new(arena, room, 1);
    if (!text || cl->GetDeviceInfo(id, what, size, text, NULL) != CL_SUCCESS)
        return "";
    return tidy(text);
}

static const char *platform_text(const struct mi_cl *cl, cl_platform_id id, cl_platform_info what,
                                 struct mi_arena *arena)
{
    size_t size = 0, room;
    if (cl->GetPlatformInfo(id, what, 0, NULL, &size) != CL_SUCCESS || !mi_add_size(size, 1, &room))
        return "";
    char *text = mi_arena_new(arena, room, 1);
    if (!text || cl->GetPlatformInfo(id, what, size, text, NULL) != CL_SUCCESS)
        return "";
    return tidy(text);
}

static cl_ulong device_ulong(const struct mi_cl *cl, cl_device_id id, cl_device_info what)
{
    cl_ulong value = 0;
    return cl->GetDeviceInfo(id, what, sizeof value, &value, NULL) == CL_SUCCESS ? value : 0;
}

static cl_uint device_uint(const struct mi_cl *cl, cl_device_id id, cl_device_info what)
{
    cl_uint value = 0;
    return cl->GetDeviceInfo(id, what, sizeof value, &value, NULL) == CL_SUCCESS ? value : 0;
}

static size_t device_size(const struct mi_cl *cl, cl_device_id id, cl_device_info what)
{
    size_t value = 0;
    return cl->GetDeviceInfo(id, what, sizeof value, &value, NULL) == CL_SUCCESS ? value : 0;
}

/* CPU stands before GPU: an emulator claims to be all kinds at once. */
static mica_device_type device_type(const struct mi_cl *cl, cl_device_id id)
{
    cl_ulong flags = device_ulong(cl, id, CL_DEVICE_TYPE);
    if (flags & CL_DEVICE_TYPE_CPU)
        return MICA_DEVICE_CPU;
    if (flags & CL_DEVICE_TYPE_GPU)
        return device_uint(cl, id, CL_DEVICE_HOST_UNIFIED_MEMORY) ? MICA_DEVICE_INTEGRATED_GPU
                                                                  : MICA_DEVICE_DISCRETE_GPU;
    return flags & CL_DEVICE_TYPE_ACCELERATOR ? MICA_DEVICE_ACCELERATOR : MICA_DEVICE_OTHER;
}

/* "OpenCL C 1.2 PoCL" -> "1.2" */
static const char *opencl_c_version(const struct mi_cl *cl, cl_device_id id, struct mi_arena *arena)
{
    const char *text = device_text(cl, id, CL_DEVICE_OPENCL_C_VERSION, arena), *prefix = "OpenCL C ";
    if (strncmp(text, prefix, strlen(prefix)) == 0)
        text += strlen(prefix);
    return mi_arena_format(arena, "%.*s", (int)strcspn(text, " "), text);
}

mica_status mi_query_info(const struct mi_cl *cl, cl_platform_id platform, cl_device_id id, const char *place,
                          struct mi_arena *arena, struct mi_error *error, mica_device_info *info)
{
    const char *extensions = device_text(cl, id, CL_DEVICE_EXTENSIONS, arena);
    *info = (mica_device_info){
        .id = place,
        .platform = platform_text(cl, platform, CL_PLATFORM_NAME, arena),
        .vendor = device_text(cl, id, CL_DEVICE_VENDOR, arena),
        .name = device_text(cl, id, CL_DEVICE_NAME, arena),
        .driver = device_text(cl, id, CL_DRIVER_VERSION, arena),
        .opencl_c = opencl_c_version(cl, id, arena),
        .type = device_type(cl, id),
        .compute_units = device_uint(cl, id, CL_DEVICE_MAX_COMPUTE_UNITS),
        .memory_bytes = device_ulong(cl, id, CL_DEVICE_GLOBAL_MEM_SIZE),
        .largest_allocation_bytes = device_ulong(cl, id, CL_DEVICE_MAX_MEM_ALLOC_SIZE),
        .local_memory_bytes = device_ulong(cl, id, CL_DEVICE_LOCAL_MEM_SIZE),
        .largest_work_group = device_size(cl, id, CL_DEVICE_MAX_WORK_GROUP_SIZE),
        .fp16 = strstr(extensions, "cl_khr_fp16") != NULL,
        .fp64 = device_ulong(cl, id, CL_DEVICE_DOUBLE_FP_CONFIG) != 0,
        .has_compiler = device_uint(cl, id, CL_DEVICE_COMPILER_AVAILABLE) != 0,
    };
    info->last_resort = mi_is_last_resort(info->platform, info->name);
    return arena->failed ? mi_out_of_memory(error) : MICA_OK;
}

mica_device_info mi_info_empty(void)
{
    return (mica_device_info){.id = "",
                              .platform = "",
                              .vendor = "",
                              .name = "",
                              .driver = "",
                              .opencl_c = "",
                              .type = MICA_DEVICE_OTHER};
}

mica_device_info mi_info_copy(struct mi_arena *arena, const mica_device_info *info)
{
    mica_device_info copy = *info;
    copy.id = mi_arena_format(arena, "%s", info->id);
    copy.platform = mi_arena_format(arena, "%s", info->platform);
    copy.vendor = mi_arena_format(arena, "%s", info->vendor);
    copy.name = mi_arena_format(arena, "%s", info->name);
    copy.driver = mi_arena_format(arena, "%s", info->driver);
    copy.opencl_c = mi_arena_format(arena, "%s", info->opencl_c);
    return copy;
}

const char *mi_type_name(mica_device_type type)
{
    switch (type) {
    case MICA_DEVICE_DISCRETE_GPU: return "discrete GPU";
    case MICA_DEVICE_INTEGRATED_GPU: return "integrated GPU";
    case MICA_DEVICE_ACCELERATOR: return "accelerator";
    case MICA_DEVICE_CPU: return "CPU";
    case MICA_DEVICE_OTHER: break;
    }
    return "device of another kind";
}

bool mi_is_gpu(mica_device_type type)
{
    return type == MICA_DEVICE_DISCRETE_GPU || type == MICA_DEVICE_INTEGRATED_GPU;
}
