/* Opens the OpenCL library at run time, so that an application starts on a machine that has none. */
#define _POSIX_C_SOURCE 200809L

#include "device/cl_api.h"

#include <stdlib.h>
#include <string.h>

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <dlfcn.h>
#endif

/* A wrong line in MI_CL_FUNCTIONS would call through a pointer of another type. */
#define CHECK_TYPE(result, name, parameters)                                                                 \
    _Static_assert(_Generic(&cl##name, result(CL_API_CALL *) parameters : 1, default : 0),                   \
                   "type of cl" #name);
MI_CL_FUNCTIONS(CHECK_TYPE)
#undef CHECK_TYPE

struct symbol {
    const char *name;
    size_t offset;
};

static const struct symbol symbols[] = {
#define SYMBOL(result, name, parameters) {"cl" #name, offsetof(struct mi_cl, name)},
    MI_CL_FUNCTIONS(SYMBOL)
#undef SYMBOL
};

#if defined(_WIN32)

#define INSTALL "install the graphics driver of the GPU's vendor, which brings OpenCL.dll"
static const char *const library_names[] = {"OpenCL.dll"};

static void *library_open(const char *name)
{
    return (void *)LoadLibraryA(name);
}

static bool library_symbol(void *library, const char *name, void *function, size_t size)
{
    FARPROC symbol = GetProcAddress((HMODULE)library, name);
    memcpy(function, &symbol, size);
    return symbol != NULL;
}

/* Drivers keep threads that outlive the last context: their code must stay mapped. */
static void library_close(void *library)
{
    (void)library;
}

#else

#if defined(__APPLE__)
#define INSTALL "macOS brings one in /System/Library/Frameworks"
static const char *const library_names[] = {"/System/Library/Frameworks/OpenCL.framework/OpenCL"};
#else
#define INSTALL "install the package ocl-icd-libopencl1, and a driver such as pocl-opencl-icd"
static const char *const library_names[] = {"libOpenCL.so.1", "libOpenCL.so"};
#endif

#ifndef RTLD_NODELETE
#define RTLD_NODELETE 0
#endif

/* Drivers keep threads that outlive the last context: RTLD_NODELETE leaves their code mapped after the close.
 */
static void *library_open(const char *name)
{
    return dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
}

static bool library_symbol(void *library, const char *name, void *function, size_t size)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, size);
    return symbol != NULL;
}

static void library_close(void *library)
{
    dlclose(library);
}

#endif

/* A library that the process has already: a debugger's or tracer's preloaded one (oclgrind), or the
 * application's. */
static void *library_of_process(void)
{
#if defined(_WIN32)
    return NULL;
#else
    void *library = dlopen(NULL, RTLD_NOW), *symbol = NULL;
    if (library && !library_symbol(library, symbols[0].name, &symbol, sizeof symbol)) {
        dlclose(library);
        library = NULL;
    }
    return library;
#endif
}

static mica_status open_any(struct mi_error *error, void **out, const char **name)
{
    const char *wanted = getenv("MICA_OPENCL_LIBRARY");
    if (wanted && *wanted) {
        *name = wanted;
        *out = library_open(wanted);
        return *out ? MICA_OK
                    : mi_fail(error, MICA_NO_LOADER,
                              "MICA_OPENCL_LIBRARY names \"%s\", "
                              "which cannot be opened: correct or unset it",
                              wanted);
    }
    *name = "the process's OpenCL library";
    *out = library_of_process();
    for (size_t i = 0; !*out && i < MI_COUNT(library_names); i++) {
        *name = library_names[i];
        *out = library_open(library_names[i]);
    }
    return *out ? MICA_OK
                : mi_fail(error, MICA_NO_LOADER, "there is no OpenCL loader (%s) on this machine: " INSTALL,
                          library_names[0]);
}

mica_status mi_loader_open(struct mi_error *error, struct mi_loader **out)
{
    const char *name = NULL;
    void *library = NULL;
    *out = NULL;
    MI_TRY(open_any(error, &library, &name));
    struct mi_loader *loader = mi_new(1, sizeof *loader);
    if (!loader) {
        library_close(library);
        return mi_out_of_memory(error);
    }
    loader->library = library;
    for (size_t i = 0; i < MI_COUNT(symbols); i++) {
        char *member = (char *)&loader->cl + symbols[i].offset;
        if (library_symbol(library, symbols[i].name, member, sizeof(void *)))
            continue;
        mi_loader_close(loader);
        return mi_fail(error, MICA_NO_LOADER,
                       "%s lacks %s: Mica needs a loader of OpenCL 1.2 or later; " INSTALL, name,
                       symbols[i].name);
    }
    *out = loader;
    return MICA_OK;
}

void mi_loader_close(struct mi_loader *loader)
{
    if (!loader)
        return;
    library_close(loader->library);
    free(loader);
}
