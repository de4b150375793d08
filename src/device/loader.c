/* Opens the OpenCL library at run time, so that an application starts on a machine that has none. */

#include "device/cl_api.h"

#include <stdlib.h>
#include <string.h>

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
#elif defined(__APPLE__)
#define INSTALL "macOS brings one in /System/Library/Frameworks"
static const char *const library_names[] = {"/System/Library/Frameworks/OpenCL.framework/OpenCL"};
#else
#define INSTALL "install the package ocl-icd-libopencl1, and a driver such as pocl-opencl-icd"
static const char *const library_names[] = {"libOpenCL.so.1", "libOpenCL.so"};
#endif

/* A library that the process has already: a debugger's or tracer's preloaded one (oclgrind), or the
 * application's. */
static void *library_of_process(void)
{
    void *library = mi_library_open(NULL), *symbol = NULL;
    if (library && !mi_library_symbol(library, symbols[0].name, &symbol, sizeof symbol)) {
        mi_library_close(library);
        library = NULL;
    }
    return library;
}

static mica_status open_any(struct mi_error *error, void **out, const char **name)
{
    const char *wanted = getenv("MICA_OPENCL_LIBRARY");
    if (wanted && *wanted) {
        *name = wanted;
        *out = mi_library_open(wanted);
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
        *out = mi_library_open(library_names[i]);
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
        mi_library_close(library);
        return mi_out_of_memory(error);
    }
    loader->library = library;
    for (size_t i = 0; i < MI_COUNT(symbols); i++) {
        char *member = (char *)&loader->cl + symbols[i].offset;
        if (mi_library_symbol(library, symbols[i].name, member, sizeof(void *)))
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
    mi_library_close(loader->library);
    free(loader);
}
