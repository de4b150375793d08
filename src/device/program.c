/* Programs by source: each distinct kernel is built once for a device, with others where that is faster. */
#include "device/kernels.h"
#include "device/programs.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    uint64_t hash;
    char *source;
    cl_program program;        /* a reference of the entry's own */
    char *kernel;              /* what it is called there */
};

struct mi_programs {
    struct entry *list;        /* by hash */
    size_t count, capacity;
};

/* ---- Those that are built ---- */

/* The first entry whose hash is not smaller. */
static size_t place_of(const struct mi_programs *programs, uint64_t hash)
{
    size_t low = 0, high = programs->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (programs->list[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint64_t hash_of(const char *source)
{
    return mi_hash(source, strlen(source), 0);
}

static const struct entry *find(const struct mi_programs *programs, const char *source)
{
    uint64_t hash = hash_of(source);
    for (size_t i = place_of(programs, hash); i < programs->count && programs->list[i].hash == hash; i++)
        if (strcmp(programs->list[i].source, source) == 0)
            return &programs->list[i];
    return NULL;
}

void mi_programs_destroy(mica_device *device)
{
    struct mi_programs *programs = device->programs;
    if (!programs)
        return;
    for (size_t i = 0; i < programs->count; i++) {
        device->cl->ReleaseProgram(programs->list[i].program);
        free(programs->list[i].source);
        free(programs->list[i].kernel);
    }
    free(programs->list);
    free(programs);
    device->programs = NULL;
}

/* ---- Which are built together ---- */

/* What a call has to build, and how it divides that. All of its memory is there before anything is built, so that nothing that
 * took seconds is lost. */
struct work {
    mica_device *device;
    struct mi_wanted_kernel **missing; /* each source once */
    struct entry *fresh;               /* theirs; the sources of those that are kept are NULL */
    size_t count;
    struct mi_program_unit *units;
    size_t unit_count;
};

enum { MOST_TOGETHER = 256, SUFFIX = 24 };

static mica_status prepare(struct work *work)
{
    struct mi_programs *programs = work->device->programs;
    work->fresh = mi_new(work->count, sizeof *work->fresh);
    work->units = mi_new(work->count, sizeof *work->units);
    if (!work->fresh || !work->units ||
        !mi_grow(&programs->list, &programs->capacity, programs->count + work->count, sizeof *programs->list))
        return mi_out_of_memory(&work->device->error);
    for (size_t i = 0; i < work->count; i++) {
        struct entry *entry = &work->fresh[i];
        *entry = (struct entry){.hash = hash_of(work->missing[i]->source), .source = mi_strdup(work->missing[i]->source),
                                .kernel = mi_new(strlen(work->missing[i]->name) + SUFFIX, 1)};
        if (!entry->source || !entry->kernel)
            return mi_out_of_memory(&work->device->error);
    }
    return MICA_OK;
}

static void work_destroy(struct work *work)
{
    for (size_t i = 0; i < work->count && work->fresh; i++) {
        free(work->fresh[i].source);
        free(work->fresh[i].kernel);
    }
    for (size_t i = 0; i < work->unit_count; i++)
        mi_program_unit_destroy(work->device, &work->units[i]);
    free(work->fresh);
    free(work->units);
}

/* Moves a kernel's entry to those that are built. */
static mica_status keep(struct work *work, size_t which, const char *suffix, cl_program built)
{
    struct mi_programs *programs = work->device->programs;
    struct entry *entry = &work->fresh[which];
    const char *name = work->missing[which]->name;
    cl_int code = work->device->cl->RetainProgram(built);
    if (code != CL_SUCCESS)
        return mi_cl_fail(work->device, code, name);
    mi_format(entry->kernel, strlen(name) + SUFFIX, "%s%s", name, suffix);
    entry->program = built;
    size_t place = place_of(programs, entry->hash);
    memmove(programs->list + place + 1, programs->list + place, (programs->count - place) * sizeof *programs->list);
    programs->list[place] = *entry;
    programs->count++;
    *entry = (struct entry){0};
    return MICA_OK;
}

/* A kernel's name in a program of several ends so. */
static void write_suffix(char *suffix, size_t place)
{
    mi_format(suffix, SUFFIX, "_%zu", place);
}

/* Where kernels are compiled one at a time, whatever the threads: everything in one program then reads its declarations once. */
static int threads_of(const mica_device *device)
{
    return device->quirks.builds_alone ? 1 : mi_processors();
}

/* One program a thread; the kernels of each are neighbours in the list, with about as much source as those of the others. */
static mica_status divide(struct work *work)
{
    size_t bytes = 0, before = 0, units = (size_t)threads_of(work->device);
    for (size_t i = 0; i < work->count; i++)
        bytes += strlen(work->missing[i]->source);
    for (size_t i = 0; i < work->count; i++) {
        const char *name = work->missing[i]->name, *source = work->missing[i]->source;
        struct mi_program_unit *unit = work->unit_count ? &work->units[work->unit_count - 1] : NULL;
        char suffix[SUFFIX];
        /* The unit ends where more than half of this source would lie beyond its share. */
        bool within = before + strlen(source) / 2 < bytes / units * work->unit_count;
        bool joined = unit && !unit->alone && within && unit->count < MOST_TOGETHER;
        before += strlen(source);
        if (joined) {
            write_suffix(suffix, unit->count);
            joined = mi_join_source(&unit->text, name, source, suffix);
            unit->count += joined;
        }
        if (!joined && !(unit && unit->text.failed)) {
            unit = &work->units[work->unit_count++];
            *unit = (struct mi_program_unit){.first = i, .count = 1};
            mi_program_unit_begin(work->device, unit, name);
            write_suffix(suffix, 0);
            unit->alone = !mi_join_source(&unit->text, name, source, suffix);
        }
        if (unit->text.failed)
            return mi_out_of_memory(&work->device->error);
    }
    return MICA_OK;
}

/* A kernel in a program of its own, under its own name. */
static mica_status build_alone(struct work *work, size_t which)
{
    mica_device *device = work->device;
    const struct mi_wanted_kernel *wanted = work->missing[which];
    struct mi_program_unit alone = {.first = which, .count = 1};
    mi_program_unit_begin(device, &alone, wanted->name);
    mi_add_line_directive(&alone.text, wanted->name);
    mi_text_append(&alone.text, wanted->source, strlen(wanted->source));
    mica_status status =
        alone.text.failed ? mi_out_of_memory(&device->error) : mi_program_units_build(device, &alone, 1, 1);
    if (status == MICA_OK && alone.code != CL_SUCCESS)
        status = mi_program_unit_fail(device, &alone);
    if (status == MICA_OK)
        status = keep(work, which, "", alone.program);
    mi_program_unit_destroy(device, &alone);
    return status;
}

/* The kernels of a unit. Where it did not build, each is tried alone: the first that fails is named. */
static mica_status keep_unit(struct work *work, const struct mi_program_unit *unit)
{
    char suffix[SUFFIX];
    for (size_t i = 0; i < unit->count; i++) {
        write_suffix(suffix, i);
        if (unit->code == CL_SUCCESS)
            MI_TRY(keep(work, unit->first + i, suffix, unit->program));
        else
            MI_TRY(build_alone(work, unit->first + i));
    }
    return MICA_OK;
}

static mica_status build_missing(struct work *work)
{
    MI_TRY(divide(work));
    mica_status status =
        mi_program_units_build(work->device, work->units, work->unit_count, threads_of(work->device));
    for (size_t i = 0; i < work->unit_count; i++) {
        if (!work->units[i].done || (status != MICA_OK && work->units[i].code != CL_SUCCESS))
            continue;
        mica_status kept = keep_unit(work, &work->units[i]);
        status = status == MICA_OK ? kept : status;
    }
    return status;
}

/* ---- Asking ---- */

static int by_source(const void *x, const void *y)
{
    const struct mi_wanted_kernel *a = *(struct mi_wanted_kernel *const *)x, *b = *(struct mi_wanted_kernel *const *)y;
    int order = strcmp(a->source, b->source);
    return order ? order : (a > b) - (a < b);
}

static int by_place(const void *x, const void *y)
{
    const struct mi_wanted_kernel *a = *(struct mi_wanted_kernel *const *)x, *b = *(struct mi_wanted_kernel *const *)y;
    return (a > b) - (a < b);
}

/* The kernels that are not built yet, each source once, in the caller's order. */
static void find_missing(struct work *work, struct mi_wanted_kernel *list, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!find(work->device->programs, list[i].source))
            work->missing[work->count++] = &list[i];
    if (work->count)
        qsort(work->missing, work->count, sizeof *work->missing, by_source);
    for (size_t i = 0; i < work->count; i++)
        if (!kept || strcmp(work->missing[kept - 1]->source, work->missing[i]->source) != 0)
            work->missing[kept++] = work->missing[i];
    work->count = kept;
    if (work->count)
        qsort(work->missing, work->count, sizeof *work->missing, by_place);
}

mica_status mi_programs_get(mica_device *device, struct mi_wanted_kernel *list, size_t count)
{
    struct work work = {.device = device};
    MI_TRY(mi_device_ready(device));
    if (!device->programs && !(device->programs = mi_new(1, sizeof *device->programs)))
        return mi_out_of_memory(&device->error);
    if (!(work.missing = mi_new(count, sizeof *work.missing)))
        return mi_out_of_memory(&device->error);
    find_missing(&work, list, count);
    mica_status status = mi_compiling_add(device, (int)(count - work.count));
    if (status == MICA_OK && work.count)
        status = prepare(&work);
    if (status == MICA_OK && work.count)
        status = build_missing(&work);
    work_destroy(&work);
    free(work.missing);
    for (size_t i = 0; i < count && status == MICA_OK; i++) {
        const struct entry *entry = find(device->programs, list[i].source);
        if (!entry)
            return mi_fail(&device->error, MICA_INTERNAL, "kernel \"%s\" was not built", list[i].name);
        list[i].program = entry->program;
        list[i].kernel = entry->kernel;
    }
    return status;
}

mica_status mi_program_get(mica_device *device, const char *name, const char *source, cl_program *out)
{
    *out = NULL;
    MI_TRY(mi_device_ready(device));
    if (!device->programs && !(device->programs = mi_new(1, sizeof *device->programs)))
        return mi_out_of_memory(&device->error);
    struct mi_wanted_kernel wanted = {.name = name, .source = source}, *missing = &wanted;
    struct work work = {.device = device, .missing = &missing, .count = 1};
    const struct entry *entry = find(device->programs, source);
    if (!entry) {
        mica_status status = prepare(&work);
        if (status == MICA_OK)
            status = build_alone(&work, 0);
        work_destroy(&work);
        MI_TRY(status);
        entry = find(device->programs, source);
    }
    *out = entry->program;
    return MICA_OK;
}
