/* Builds programs, several at a time.
 *
 * No build options but the one of quirks.c: without -cl-std a device compiles OpenCL C 1.2, whatever its platform's version;
 * fast-math flags would make NaN undefined; and some drivers refuse options that they do not know. */
#include "device/devices.h"
#include "device/programs.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* The lines of a log that name errors, or its first ones, joined into one line. */
static void shorten_log(const char *log, struct mi_text *text)
{
    enum { ENOUGH = 700 };
    bool has_error = strstr(log, "error") != NULL;
    while (*log && text->size < ENOUGH) {
        size_t size = strcspn(log, "\r\n");
        const char *word = strstr(log, "error");
        const char *start = log + strspn(log, " \t");
        size_t rest = size > (size_t)(start - log) ? size - (size_t)(start - log) : 0;
        if (rest && (!has_error || (word && word < log + size))) {
            if (text->size)
                mi_text_append(text, " | ", 3);
            mi_text_append(text, start, rest < ENOUGH ? rest : ENOUGH);
        }
        log += size;
        log += strspn(log, "\r\n");
    }
}

static mica_status fail_build(mica_device *device, cl_program program, cl_int code, const char *name)
{
    size_t size = 0, room;
    char *log = NULL;
    if (device->cl->GetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &size) ==
            CL_SUCCESS &&
        mi_add_size(size, 1, &room) && (log = mi_new(room, 1)) != NULL)
        if (device->cl->GetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, size, log, NULL) !=
            CL_SUCCESS)
            log[0] = 0;
    struct mi_text text = {0};
    shorten_log(log ? log : "", &text);
    if (mi_cl_status(code, MI_STAGE_OTHER) == MICA_BUILD)
        mi_fail(&device->error, MICA_BUILD, "kernel \"%s\" does not compile on %s: %s", name,
                device->info.name, text.size ? mi_text_get(&text) : mi_cl_error_name(code));
    else
        mi_cl_fail(device, code, name);
    mica_status status = mi_cl_status(code, MI_STAGE_OTHER);
    mi_text_destroy(&text);
    free(log);
    return status;
}

mica_status mi_program_unit_fail(mica_device *device, const struct mi_program_unit *unit)
{
    return unit->program ? fail_build(device, unit->program, unit->code, unit->name)
                         : mi_cl_fail(device, unit->code, unit->name);
}

void mi_program_unit_begin(const mica_device *device, struct mi_program_unit *unit, const char *name)
{
    const struct { const char *file; bool wanted; } parts[] = {
        {"doubles.cl", device->info.fp64},
        {"operators.cl", device->quirks.calls_functions},
        {"common.cl", true},
        {"math.cl", device->is_cpu},
        {"normal.cl", true},
    };
    unit->name = name;
    for (size_t i = 0; i < MI_COUNT(parts); i++) {
        const char *text = parts[i].wanted ? mi_kernel_text(parts[i].file) : NULL;
        if (text) {
            mi_add_line_directive(&unit->text, parts[i].file);
            mi_text_add(&unit->text, "%s\n", text);
        }
    }
}

void mi_program_unit_destroy(mica_device *device, struct mi_program_unit *unit)
{
    if (unit->program)
        device->cl->ReleaseProgram(unit->program);
    unit->program = NULL;
    mi_text_destroy(&unit->text);
}

/* ---- Threads ---- */

struct builders {
    mica_device *device;
    struct mi_program_store *store; /* NULL: none */
    struct mi_program_unit *units;
    size_t count;
    atomic_size_t next;
    atomic_int built;               /* kernels that nobody was told of yet */
    atomic_bool stop;
    mica_status status;             /* the caller's thread only */
};

/* What a thread of several does: nothing here may write to the device. */
static void build_unit(struct builders *builders, struct mi_program_unit *unit)
{
    mica_device *device = builders->device;
    const char *source = mi_text_get(&unit->text);
    unit->code = CL_OUT_OF_HOST_MEMORY;
    if (unit->alone)
        return;
    unit->program = builders->store ? mi_program_store_find(builders->store, source) : NULL;
    if (unit->program) {
        unit->code = CL_SUCCESS;
        return;
    }
    unit->program = device->cl->CreateProgramWithSource(device->context, 1, &source, NULL, &unit->code);
    if (!unit->program || unit->code != CL_SUCCESS)
        return;
    unit->code = device->cl->BuildProgram(unit->program, 1, &device->id, device->quirks.build_options, NULL, NULL);
    if (unit->code == CL_SUCCESS && builders->store)
        mi_program_store_keep(builders->store, source, unit->program);
}

/* The caller's thread tells what all have built. */
static void tell(struct builders *builders)
{
    builders->status = mi_compiling_add(builders->device, atomic_exchange(&builders->built, 0));
    if (builders->status != MICA_OK)
        atomic_store(&builders->stop, true);
}

static void build_next(void *context, int thread)
{
    struct builders *builders = context;
    size_t at;
    while (!atomic_load(&builders->stop) && (at = atomic_fetch_add(&builders->next, 1)) < builders->count) {
        if (thread == 0 && (builders->status = mi_kernel_folder_check(builders->device)) != MICA_OK) {
            atomic_store(&builders->stop, true);
            return;
        }
        build_unit(builders, &builders->units[at]);
        builders->units[at].done = true;
        atomic_fetch_add(&builders->built, (int)builders->units[at].count);
        if (thread == 0)
            tell(builders);
    }
}

mica_status mi_program_units_build(mica_device *device, struct mi_program_unit *units, size_t count, int threads)
{
    struct builders builders = {.device = device, .units = units, .count = count};
    builders.store = mi_program_store_open(device);
    mi_parallel((size_t)threads < count ? threads : (int)count, build_next, &builders);
    if (builders.status == MICA_OK)
        tell(&builders);
    if (builders.store)
        mi_program_store_trim(builders.store);
    mi_program_store_close(builders.store);
    for (size_t i = 0; i < count; i++)
        device->calls_build += units[i].done;
    return builders.status;
}

/* ---- Progress ---- */

void mica_device_on_compile(mica_device *device, bool (*on_compile)(void *user, const mica_compile_progress *now), void *user)
{
    if (device)
        device->compiling = (struct mi_compiling){.call = on_compile, .user = user};
}

void mi_compiling_begin(mica_device *device, int total)
{
    if (device->compiling.trial)
        return;
    device->compiling.done = 0;
    device->compiling.total = total;
    device->compiling.began = mi_seconds();
}

mica_status mi_compiling_add(mica_device *device, int kernels)
{
    struct mi_compiling *compiling = &device->compiling;
    kernels = compiling->trial ? 0 : kernels;
    compiling->done = kernels < compiling->total - compiling->done ? compiling->done + kernels : compiling->total;
    if (!compiling->call || !compiling->total)
        return MICA_OK;
    mica_compile_progress now = {.done = compiling->done,
                                 .total = compiling->total,
                                 .seconds = mi_seconds() - compiling->began,
                                 .note = device->note};
    device->note = NULL;
    if (compiling->call(compiling->user, &now))
        return MICA_OK;
    return mi_fail(&device->error, MICA_CANCELLED, "compiling was cancelled after %d of %d steps", compiling->done,
                   compiling->total);
}
