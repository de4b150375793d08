/* Builds programs, each distinct source once for a device.
 *
 * No build options: without -cl-std a device compiles OpenCL C 1.2, whatever its platform's version;
 * fast-math flags would make NaN undefined; and some drivers refuse options that they do not know. */
#include "device/cl_api.h"
#include "device/kernels.h"

#include <stdlib.h>
#include <string.h>

struct program {
    uint64_t hash;
    char *source;
    cl_program built;
};

struct mi_programs {
    struct program *list; /* by hash */
    size_t count, capacity;
};

const char *mi_kernel_text(const char *file)
{
    for (size_t i = 0; i < mi_kernel_file_count; i++)
        if (strcmp(mi_kernel_files[i].name, file) == 0)
            return (const char *)mi_kernel_files[i].text;
    return NULL;
}

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

static cl_program find(const struct mi_programs *programs, uint64_t hash, const char *source)
{
    for (size_t i = place_of(programs, hash); i < programs->count && programs->list[i].hash == hash; i++)
        if (strcmp(programs->list[i].source, source) == 0)
            return programs->list[i].built;
    return NULL;
}

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

/* `#line 1 "NAME"`, so that a log points at the right file; a name never breaks the directive. */
static void add_line(struct mi_text *text, const char *name)
{
    mi_text_add(text, "#line 1 \"");
    for (; *name; name++)
        mi_text_append(text, *name == '"' || *name == '\\' || (unsigned char)*name < ' ' ? "_" : name, 1);
    mi_text_add(text, "\"\n");
}

static mica_status build(mica_device *device, const char *name, const char *source, cl_program *out)
{
    struct mi_text head = {0}, before = {0};
    const char *common = mi_kernel_text("common.cl");
    add_line(&before, "common.cl");
    add_line(&head, name);
    const char *parts[] = {mi_text_get(&before), common ? common : "", "\n", mi_text_get(&head), source};
    cl_int code = CL_OUT_OF_HOST_MEMORY;
    cl_program program = NULL;
    if (!before.failed && !head.failed)
        program = device->cl->CreateProgramWithSource(device->context, MI_COUNT(parts), parts, NULL, &code);
    mi_text_destroy(&before);
    mi_text_destroy(&head);
    if (!program || code != CL_SUCCESS)
        return mi_cl_fail(device, code != CL_SUCCESS ? code : CL_OUT_OF_HOST_MEMORY, name);
    device->calls_build++;
    code = device->cl->BuildProgram(program, 1, &device->id, "", NULL, NULL);
    mica_status status = code == CL_SUCCESS ? MICA_OK : fail_build(device, program, code, name);
    if (status != MICA_OK)
        device->cl->ReleaseProgram(program);
    *out = status == MICA_OK ? program : NULL;
    return status;
}

/* Takes the program, or releases it when out of memory. */
static mica_status keep(mica_device *device, uint64_t hash, const char *source, cl_program built)
{
    struct mi_programs *programs = device->programs;
    char *copy = mi_strdup(source);
    if (!copy ||
        !mi_grow(&programs->list, &programs->capacity, programs->count + 1, sizeof *programs->list)) {
        free(copy);
        device->cl->ReleaseProgram(built);
        return mi_out_of_memory(&device->error);
    }
    size_t place = place_of(programs, hash);
    memmove(programs->list + place + 1, programs->list + place,
            (programs->count - place) * sizeof *programs->list);
    programs->list[place] = (struct program){.hash = hash, .source = copy, .built = built};
    programs->count++;
    return MICA_OK;
}

mica_status mi_program_get(mica_device *device, const char *name, const char *source, cl_program *out)
{
    *out = NULL;
    MI_TRY(mi_device_ready(device));
    if (!device->programs && !(device->programs = mi_new(1, sizeof *device->programs)))
        return mi_out_of_memory(&device->error);
    uint64_t hash = mi_hash(source, strlen(source), 0);
    cl_program built = find(device->programs, hash, source);
    if (!built) {
        MI_TRY(build(device, name, source, &built));
        MI_TRY(keep(device, hash, source, built));
    }
    *out = built;
    return MICA_OK;
}

void mi_programs_destroy(mica_device *device)
{
    struct mi_programs *programs = device->programs;
    if (!programs)
        return;
    for (size_t i = 0; i < programs->count; i++) {
        device->cl->ReleaseProgram(programs->list[i].built);
        free(programs->list[i].source);
    }
    free(programs->list);
    free(programs);
    device->programs = NULL;
}
