/* Libraries opened at run time. */
#define _POSIX_C_SOURCE 200809L
#include "base/base.h"

#include <string.h>

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

void *mi_library_open(const char *name)
{
    return name ? (void *)LoadLibraryA(name) : NULL;
}

bool mi_library_symbol(void *library, const char *name, void *function, size_t size)
{
    FARPROC symbol = GetProcAddress((HMODULE)library, name);
    memcpy(function, &symbol, size);
    return symbol != NULL;
}

void mi_library_close(void *library)
{
    (void)library;
}

#else
#include <dlfcn.h>

#ifndef RTLD_NODELETE
#define RTLD_NODELETE 0
#endif

void *mi_library_open(const char *name)
{
    return dlopen(name, name ? RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE : RTLD_NOW);
}

bool mi_library_symbol(void *library, const char *name, void *function, size_t size)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, size);
    return symbol != NULL;
}

void mi_library_close(void *library)
{
    dlclose(library);
}

#endif
