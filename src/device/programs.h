/* How programs come to be: several kernels joined into one source, built in threads, kept on disk. */
#ifndef MICA_SRC_PROGRAMS_H
#define MICA_SRC_PROGRAMS_H

#include "device/cl_api.h"

/* ---- join.c ---- */

/* Adds a kernel's source to the text of a program that holds others: what it defines at file scope gets `suffix` after its
 * name, and its macros end with it. false: it defines no kernel of that name, and the text is as before; or memory ran out, and
 * the text says so. */
bool mi_join_source(struct mi_text *program, const char *name, const char *source, const char *suffix);
/* `#line 1 "NAME"`, so that a log points at the right file; a name never breaks the directive. */
void mi_add_line_directive(struct mi_text *text, const char *name);

/* ---- build.c ---- */

/* What one call of clBuildProgram makes. */
struct mi_program_unit {
    const char *name;         /* for errors */
    struct mi_text text;      /* the whole source */
    size_t first, count;      /* the kernels it holds, in the caller's list */
    cl_program program;
    cl_int code;              /* CL_SUCCESS: program is built; otherwise it may be there for its log */
    bool done;
    bool alone;               /* not joined: each kernel is to be built in a program of its own */
};

/* Begins a unit's text with kernels/common.cl, for a CPU also math.cl; doubles.cl comes first where the device has them, then
 * operators.cl where the driver calls OpenCL's functions. */
void mi_program_unit_begin(const mica_device *device, struct mi_program_unit *unit, const char *name);
/* Builds units in up to `threads` threads; the caller's tells the device's on_compile. MICA_CANCELLED, or MICA_OK: each unit
 * has its own code. */
mica_status mi_program_units_build(mica_device *device, struct mi_program_unit *units, size_t count, int threads);
/* Records why a unit was not built. */
mica_status mi_program_unit_fail(mica_device *device, const struct mi_program_unit *unit);
/* Releases what the unit holds. */
void mi_program_unit_destroy(mica_device *device, struct mi_program_unit *unit);

/* ---- program_store.c: binaries on disk ---- */

struct mi_program_store;

/* The store of a device; NULL where it has none: the driver keeps its own, the user wants none, or there is no folder. */
struct mi_program_store *mi_program_store_open(mica_device *device);
void mi_program_store_close(struct mi_program_store *store); /* NULL is fine */
/* The program of this source, built from a binary of an earlier run; NULL: there is none that serves. Any thread. */
cl_program mi_program_store_find(struct mi_program_store *store, const char *source);
/* Keeps the binary of a built program. Any thread; a failure is nobody's. */
void mi_program_store_keep(struct mi_program_store *store, const char *source, cl_program program);
/* Removes the oldest beyond what the store may hold. */
void mi_program_store_trim(struct mi_program_store *store);

#endif
