/* Finds the OpenCL devices of this machine and says why there is none. */
#include "device/devices.h"

#include <stdlib.h>
#include <string.h>

/* Far more than any machine has: a driver that answers nonsense must not make us allocate it. */
enum { MOST_PLATFORMS = 256, MOST_DEVICES = 4096, PATIENCE_MS = 30000 };

/* What a driver does at first contact, for a child process: the calls of find_all, results thrown away. The
 * loader may ask every platform for its devices already when it is asked for platforms (ocl-icd does), so all
 * of them are one try. */
static void touch_drivers(void *loader)
{
    const struct mi_cl *cl = &((const struct mi_loader *)loader)->cl;
    cl_platform_id platforms[MOST_PLATFORMS];
    cl_uint count = 0, devices = 0;
    if (cl->GetPlatformIDs(MOST_PLATFORMS, platforms, &count) != CL_SUCCESS)
        return;
    for (cl_uint i = 0; i < count && i < MOST_PLATFORMS; i++)
        cl->GetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 0, NULL, &devices);
}

static mica_status add_device(struct mica_devices *found, cl_platform_id platform, size_t platform_index,
                              cl_device_id id, size_t index)
{
    if (!mi_grow(&found->list, &found->capacity, found->count + 1, sizeof *found->list))
        return mi_out_of_memory(&found->error);
    struct mi_found *added = &found->list[found->count];
    const char *place = mi_arena_format(&found->arena, "%zu:%zu", platform_index, index);
    MI_TRY(
        mi_query_info(&found->loader->cl, platform, id, place, &found->arena, &found->error, &added->info));
    added->platform = platform;
    added->id = id;
    found->count++;
    return MICA_OK;
}

/* A platform whose devices cannot be listed has none: the others still serve. */
static mica_status add_platform(struct mica_devices *found, cl_platform_id platform, size_t index)
{
    const struct mi_cl *cl = &found->loader->cl;
    cl_uint count = 0;
    char name[64] = "";
    if (cl->GetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof name - 1, name, NULL) == CL_SUCCESS)
        found->has_rusticl = found->has_rusticl || mi_contains(name, "rusticl");
    const char *folder = getenv("POCL_CACHE_DIR"); /* POCL ends the process when that is empty */
    bool ends = folder && !*folder && mi_contains(name, "Portable Computing Language");
    if (ends || cl->GetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, NULL, &count) != CL_SUCCESS || !count ||
        count > MOST_DEVICES) {
        found->has_empty_pocl = found->has_empty_pocl || mi_contains(name, "Portable Computing Language");
        return MICA_OK;
    }
    cl_device_id *ids = mi_new(count, sizeof *ids);
    if (!ids)
        return mi_out_of_memory(&found->error);
    mica_status status = MICA_OK;
    if (cl->GetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, count, ids, NULL) == CL_SUCCESS)
        for (cl_uint i = 0; status == MICA_OK && i < count; i++)
            status = add_device(found, platform, index, ids[i], i);
    free(ids);
    return status;
}

static mica_status find_all(struct mica_devices *found)
{
    const struct mi_cl *cl = &found->loader->cl;
    cl_platform_id platforms[MOST_PLATFORMS];
    cl_uint count = 0;
    if (mi_probe_needed() && mi_probe_run(touch_drivers, found->loader, PATIENCE_MS) == MI_PROBE_DIED)
        return mi_fail(&found->error, MICA_NO_PLATFORM,
                       "an OpenCL driver ends the process when it is asked for its "
                       "devices, because /sys is not there: mount it (mount -t sysfs sysfs /sys)");
    /* Loaders answer CL_PLATFORM_NOT_FOUND_KHR, another error or zero where there is none. */
    if (cl->GetPlatformIDs(MOST_PLATFORMS, platforms, &count) != CL_SUCCESS)
        count = 0;
    found->platforms = count < MOST_PLATFORMS ? count : MOST_PLATFORMS;
    for (size_t i = 0; i < found->platforms; i++)
        MI_TRY(add_platform(found, platforms[i], i));
    mi_rank_sort(found->list, found->count);
    return MICA_OK;
}

/* Whoever has a GPU wants that to work; anybody else is helped by a driver for the processor. */
static void say_none(struct mica_devices *found)
{
    const char *gpu = "", *advice = "", *between = "";
    if (found->absent_count) {
        gpu = found->absent[0].name;
        between = ": ";
        advice = found->absent[0].advice;
    }
    if (!found->platforms)
        mi_fail(&found->error, MICA_NO_PLATFORM,
                "no OpenCL driver is installed: install one, such as "
                "pocl-opencl-icd for the processor%s%s%s%s",
                *gpu ? "; for " : "", gpu, between, advice);
    else if (found->has_empty_pocl) /* it always has the processor, so its folder is the usual reason */
        mi_fail(&found->error, MICA_NO_DEVICE,
                "POCL offers no device: it needs a folder for compiled kernels that it can write, "
                "set POCL_CACHE_DIR to one%s%s%s%s",
                *gpu ? "; for " : "", gpu, between, advice);
    else
        mi_fail(&found->error, MICA_NO_DEVICE,
                "the %zu OpenCL driver%s here offer%s no device: install another, such "
                "as pocl-opencl-icd for the processor%s%s%s%s",
                found->platforms, found->platforms == 1 ? "" : "s", found->platforms == 1 ? "s" : "",
                *gpu ? "; for " : "", gpu, between, advice);
}

mica_devices *mica_devices_find(void)
{
    struct mica_devices *found = mi_new(1, sizeof *found);
    if (!found)
        return NULL;
    mica_status status = mi_loader_open(&found->error, &found->loader);
    if (status == MICA_OK)
        status = find_all(found);
    if (status != MICA_OUT_OF_MEMORY)
        mi_absent_find(found, "");
    if (status == MICA_OK && !found->count)
        say_none(found);
    if (found->arena.failed)
        mi_out_of_memory(&found->error);
    return found;
}

void mica_devices_destroy(mica_devices *found)
{
    if (!found)
        return;
    mi_loader_close(found->loader);
    free(found->list);
    free(found->absent);
    mi_arena_destroy(&found->arena);
    free(found);
}

mica_status mica_devices_status(const mica_devices *found)
{
    return found ? found->error.status : MICA_OUT_OF_MEMORY;
}

const char *mica_devices_error(const mica_devices *found)
{
    return found ? found->error.text : mica_status_text(MICA_OUT_OF_MEMORY);
}

int mica_devices_count(const mica_devices *found)
{
    return found ? (int)found->count : 0;
}

const mica_device_info *mica_devices_get(const mica_devices *found, int i)
{
    return i >= 0 && i < mica_devices_count(found) ? &found->list[i].info : NULL;
}

int mica_devices_absent_count(const mica_devices *found)
{
    return found ? (int)found->absent_count : 0;
}

const mica_absent_gpu *mica_devices_absent(const mica_devices *found, int i)
{
    return i >= 0 && i < mica_devices_absent_count(found) ? &found->absent[i] : NULL;
}
