/* Opens a device: chosen by its descriptor, made as small as its limits say. */
#include "device/devices.h"

#include <stdlib.h>
#include <string.h>

mica_device *mi_device_new(const mica_device_desc *desc)
{
    const char *debug = getenv("MICA_DEBUG");
    mica_device *device = mi_new(1, sizeof *device);
    if (!device)
        return NULL;
    device->info = mi_info_empty();
    device->process = mi_process();
    device->debug = (desc && desc->debug) || (debug && *debug && strcmp(debug, "0") != 0);
    device->tuning_level = desc ? desc->tuning : MICA_TUNING_DEFAULT;
    device->memory_budget_bytes = desc ? desc->memory_budget_bytes : 0;
    return device;
}

/* ---- Limits ---- */

static bool same(const char *text, size_t size, const char *word)
{
    return strlen(word) == size && strncmp(text, word, size) == 0;
}

/* A decimal number greater than zero that ends with the item. */
static bool number(const char *text, const char *end, uint64_t *out)
{
    uint64_t value = 0;
    if (text == end)
        return false;
    for (; text < end; text++) {
        if (*text < '0' || *text > '9' || value > (UINT64_MAX - 9) / 10)
            return false;
        value = value * 10 + (uint64_t)(*text - '0');
    }
    *out = *out ? *out : value;
    return value > 0;
}

static bool parse_item(const char *item, size_t size, mica_limits *limits)
{
    const char *equals = memchr(item, '=', size), *end = item + size;
    if (same(item, size, "no_fp16"))
        return limits->no_fp16 = true;
    if (same(item, size, "gpu_kernels"))
        return limits->gpu_kernels = true;
    if (same(item, size, "no_fp64"))
        return limits->no_fp64 = true;
    if (!equals)
        return false;
    size_t name = (size_t)(equals - item);
    if (same(item, name, "local"))
        return number(equals + 1, end, &limits->local_memory_bytes);
    if (same(item, name, "group"))
        return number(equals + 1, end, &limits->work_group);
    if (same(item, name, "allocation"))
        return number(equals + 1, end, &limits->allocation_bytes);
    return false;
}

mica_status mi_limits_parse(const char *text, mica_limits *limits, struct mi_error *error)
{
    while (*text) {
        size_t size = strcspn(text, ",");
        if (size && !parse_item(text, size, limits))
            return mi_fail(error, MICA_INVALID_ARGUMENT,
                           "MICA_LIMITS has \"%.*s\", where it takes local=BYTES, "
                           "group=ITEMS, allocation=BYTES, no_fp16, no_fp64 and gpu_kernels",
                           (int)(size < 200 ? size : 200), text);
        text += size;
        text += *text == ',';
    }
    return MICA_OK;
}

static void shrink(uint64_t *value, uint64_t limit)
{
    if (limit && limit < *value)
        *value = limit;
}

void mi_limits_apply(const mica_limits *limits, mica_device_info *info)
{
    shrink(&info->local_memory_bytes, limits->local_memory_bytes);
    shrink(&info->largest_work_group, limits->work_group);
    shrink(&info->largest_allocation_bytes, limits->allocation_bytes);
    info->fp16 = info->fp16 && !limits->no_fp16;
    info->fp64 = info->fp64 && !limits->no_fp64;
}

/* ---- Start ---- */

static mica_status refuse_unfit(mica_device *device)
{
    const mica_device_info *info = &device->info;
    if (!info->has_compiler)
        return mi_fail(&device->error, MICA_NO_COMPILER,
                       "device %s (%s) has no compiler: install the driver package "
                       "that includes it, or choose another device",
                       info->name, info->platform);
    if (!mi_speaks_opencl_c_12(info->opencl_c))
        return mi_fail(&device->error, MICA_UNSUPPORTED,
                       "device %s (%s) has OpenCL C %s, Mica needs 1.2 or later: "
                       "update its driver or choose another device",
                       info->name, info->platform, *info->opencl_c ? info->opencl_c : "of no version");
    return MICA_OK;
}

/* Float lanes of a register, which CPU drivers tell; one that says 1 (a rasteriser) has at least SSE or NEON.
 */
static int lanes_of(const mica_device *device)
{
    cl_uint lanes = 0;
    if (!device->is_cpu)
        return 1;
    if (device->cl->GetDeviceInfo(device->id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, sizeof lanes, &lanes,
                                  NULL) != CL_SUCCESS)
        lanes = 0;
    return lanes >= 16 ? 16 : lanes >= 8 ? 8 : 4;
}

static mica_status make_context(mica_device *device)
{
    const cl_context_properties of_platform[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)device->platform,
                                                 0};
    cl_int code = CL_SUCCESS;
    if (!device->context)
        device->context = device->cl->CreateContext(of_platform, 1, &device->id, NULL, NULL, &code);
    if (code == CL_SUCCESS && device->context && !device->queue)
        device->queue = device->cl->CreateCommandQueue(device->context, device->id, 0, &code);
    if (code == CL_SUCCESS && device->queue)
        return MICA_OK;
    if (device->queue)
        device->cl->ReleaseCommandQueue(device->queue);
    device->queue = NULL;
    mi_cl_fail_at(
        device, code != CL_SUCCESS ? code : CL_OUT_OF_HOST_MEMORY, MI_STAGE_ALLOCATE,
        mi_arena_format(&device->arena, "open device %s (%s)", device->info.name, device->info.platform));
    return device->error.status;
}

mica_status mi_device_start(mica_device *device, const mica_device_desc *desc)
{
    const char *environment = getenv("MICA_LIMITS");
    mica_limits limits = desc ? desc->limits : (mica_limits){0};
    if (environment)
        MI_TRY(mi_limits_parse(environment, &limits, &device->error));
    mi_limits_apply(&limits, &device->info);
    MI_TRY(refuse_unfit(device));
    device->is_cpu = device->info.type == MICA_DEVICE_CPU && !limits.gpu_kernels;
    device->vector_width = lanes_of(device);
    mi_quirks_decide(device);
    bool lent = device->queue != NULL;
    MI_TRY(make_context(device));
    return lent ? MICA_OK : mi_device_answers(device);
}

mica_device *mi_device_settle(mica_device *device)
{
    if (device->arena.failed)
        mi_out_of_memory(&device->error);
    device->failed = device->error;
    return device;
}

static mica_status open_chosen(mica_device *device, struct mica_devices *found, const mica_device_desc *desc)
{
    const char *why = "";
    MI_TRY(mi_error_report(&device->error, &found->error));
    int chosen = mica_devices_choose(found, desc ? desc->select : NULL, &why);
    if (chosen < 0)
        return mi_fail(&device->error, MICA_NO_DEVICE, "%s", why);
    device->loader = found->loader;
    found->loader = NULL;
    device->cl = &device->loader->cl;
    device->platform = found->list[chosen].platform;
    device->id = found->list[chosen].id;
    device->info = mi_info_copy(&device->arena, &found->list[chosen].info);
    if (device->arena.failed)
        return mi_out_of_memory(&device->error);
    return mi_device_start(device, desc);
}

mica_device *mica_device_open(const mica_device_desc *desc)
{
    mica_device *device = mi_device_new(desc);
    if (!device)
        return NULL;
    struct mica_devices *found = mica_devices_find();
    if (found)
        open_chosen(device, found, desc);
    else
        mi_out_of_memory(&device->error);
    mica_devices_destroy(found);
    return mi_device_settle(device);
}

void mica_device_destroy(mica_device *device)
{
    if (!device)
        return;
    bool dead = mi_device_is_forked(device); /* its driver may wait for ever */
    if (device->queue && !dead)
        device->cl->Finish(device->queue); /* an error says nothing to anybody any more */
    if (device->queue)
        mi_programs_destroy(device);
    if (device->queue && !dead)
        device->cl->ReleaseCommandQueue(device->queue);
    if (device->tuner.destroy)
        device->tuner.destroy(device->tuner.data);
    if (device->own_layers.destroy)
        device->own_layers.destroy(device->own_layers.data);
    if (device->blas.destroy && !dead)
        device->blas.destroy(device->blas.data);
    if (device->context && !dead)
        device->cl->ReleaseContext(device->context);
    mi_loader_close(device->loader);
    mi_arena_destroy(&device->arena);
    free(device);
}

/* ---- What a user asks ---- */

const mica_device_info *mica_device_get_info(const mica_device *device)
{
    return device ? &device->info : NULL;
}

/* What the application is shown. That it asked to stop is no error, and is never recorded. */
static const struct mi_error *recorded(const mica_device *device)
{
    static const struct mi_error none = {MICA_OK, ""};
    if (device->first.status != MICA_OK)
        return &device->first;
    return device->error.status == MICA_CANCELLED ? &none : &device->error;
}

mica_status mica_device_status(const mica_device *device)
{
    return device ? recorded(device)->status : MICA_OUT_OF_MEMORY;
}

const char *mica_device_error(const mica_device *device)
{
    return device ? recorded(device)->text : mica_status_text(MICA_OUT_OF_MEMORY);
}

void mica_device_clear_error(mica_device *device)
{
    if (!device)
        return;
    device->first = (struct mi_error){0};
    device->error = device->failed; /* one that never opened, or is lost, stays so */
}

void mi_device_begin(mica_device *device)
{
    (void)mi_device_here(device);
    if (device->error.status == MICA_OK)
        return;
    device->first = *recorded(device);
    device->error = device->failed;
}

void mi_device_forget(mica_device *device)
{
    device->error = device->failed;
}
