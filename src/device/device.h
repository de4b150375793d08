/* The only folder that calls OpenCL. An open device: context, in-order queue, programs, buffers, launches.
 *
 * Every function reports to device->error and returns its status. Nothing here waits except mi_device_finish,
 * mi_buffer_read and, in debug mode, mi_launch_run. */
#ifndef MICA_SRC_DEVICE_H
#define MICA_SRC_DEVICE_H

#include "base/base.h"

#include <mica/device.h>

#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 120
#endif
#include <CL/cl.h>

struct mi_cl; /* the table of OpenCL's functions, opened at run time (cl_api.h) */

/* What a driver is known to get wrong or to do by itself; decided once, when the device is opened (quirks.c). */
struct mi_quirks {
    bool keeps_own_cache;      /* POCL, NVIDIA: no program cache of ours; nor Oclgrind, whose reports need the source */
    bool builds_alone;         /* POCL: one kernel at a time; Oclgrind: ends the process when two threads build */
    bool copies_kernels;       /* POCL: compiles what is in a kernel three times, a function that it calls once */
    bool calls_functions;      /* POCL: does not inline OpenCL's functions; kernels/operators.cl stands in for them */
    bool spoils_long_indices;  /* rusticl's llvmpipe: reads other elements than indices of 64 bits name */
    bool has_threads;          /* CPUs but Oclgrind: its threads do what it is asked, and do not survive a fork */
    bool spins_on_wait;        /* NVIDIA, Intel GPU: clFinish spins a core */
    const char *kernel_folder; /* POCL: where it keeps what it compiles; when that is full, its compiler ends the process */
    uint64_t kernel_bytes;     /* what one build may need there */
    const char *build_options; /* CPUs: subnormal numbers count as zero, lines are asked for ahead; see quirks.c */
};

/* Whom to tell of a compilation, and how far it is. */
struct mi_compiling {
    bool (*call)(void *user, const mica_compile_progress *now); /* NULL: nobody */
    void *user;
    int done, total;           /* kernels built and kernels warmed up, of both together */
    bool trial;                /* what is compiled now is a candidate of tuning: one step of a search, whose kernels do not count */
    double began;
};

struct mica_device {
    struct mi_error error;     /* of the public call at hand: mi_device_begin makes room for the next one's */
    struct mi_error first;     /* what an earlier call recorded first, until the application clears it; MICA_OK: none did */
    struct mi_error failed;    /* why it is of no use, not opened or lost: every call repeats it; MICA_OK otherwise */
    const struct mi_cl *cl;
    cl_platform_id platform;
    cl_device_id id;
    cl_context context;
    cl_command_queue queue;
    bool adopted;              /* the context is an application's */
    long process;              /* that opened it: of no use in a child */
    bool debug;
    uint64_t memory_budget_bytes;
    mica_device_info info;     /* after the limits of the descriptor */
    bool is_cpu;               /* a CPU device: one work-item does a whole register tile */
    int vector_width;          /* float lanes of a CPU device's registers: 4, 8 or 16; 1 on others */
    struct mi_quirks quirks;
    struct mi_programs *programs; /* built programs by source */
    struct mi_compiling compiling;
    const char *note;                               /* to be told with the next progress; NULL: nothing */
    uint64_t calls_build, calls_wait, calls_buffer; /* counted for the invariant on run: builds, waits, buffers made */
    struct mi_arena arena;     /* strings of info */
    struct { bool asked; void *data; void (*destroy)(void *data); } blas; /* what an engine opened for this device */
    mica_tuning tuning_level; /* as the descriptor says */
    struct {
        void *data;
        void (*destroy)(void *data);
    } tuner, /* what tuning knows of this device */
      own_layers; /* the application's, by name */
    struct mi_loader *loader;  /* the opened OpenCL library; closed at destroy */
};

/* A public call begins: what the last one recorded is put by, so that the text of whatever fails now is the call's own. */
void mi_device_begin(mica_device *device);
/* Forgets what the call at hand has recorded: it was a trial. */
void mi_device_forget(mica_device *device);

/* ---- Buffers ---- */

struct mi_buffer {
    cl_mem mem;                /* NULL: none */
    uint64_t bytes;
};

/* Zero bytes make no buffer: mem stays NULL. The content is undefined. */
mica_status mi_buffer_create(mica_device *device, uint64_t bytes, struct mi_buffer *out);
/* An application's buffer, which kernels write or read; retained, mi_buffer_destroy releases it. */
mica_status mi_buffer_adopt(mica_device *device, cl_mem mem, bool written, struct mi_buffer *out);
void mi_buffer_destroy(mica_device *device, struct mi_buffer *buffer); /* zeroes it */
/* Enqueued; `bytes` must stay as they are until *done (may be NULL) has passed or the device is finished. */
mica_status mi_buffer_write(mica_device *device, const struct mi_buffer *buffer, uint64_t offset, const void *bytes,
                            uint64_t size, cl_event *done);
/* Waits for everything enqueued so far, then copies. */
mica_status mi_buffer_read(mica_device *device, const struct mi_buffer *buffer, uint64_t offset, void *bytes, uint64_t size);
/* Enqueues the read alone: `bytes` are there once *done has passed, which the caller releases. */
mica_status mi_buffer_ask(mica_device *device, const struct mi_buffer *buffer, uint64_t offset, void *bytes, uint64_t size,
                          cl_event *done);
mica_status mi_buffer_copy(mica_device *device, const struct mi_buffer *from, uint64_t from_offset,
                           const struct mi_buffer *to, uint64_t to_offset, uint64_t size);
/* Fills with a repeated pattern of 1, 2, 4 or 8 bytes. Enqueued. */
mica_status mi_buffer_fill(mica_device *device, const struct mi_buffer *buffer, uint64_t offset, uint64_t size,
                           const void *pattern, size_t pattern_size);

/* ---- Programs: each distinct source is built once, and kept until the device is destroyed ---- */

struct mi_wanted_kernel {
    const char *name, *source; /* the kernel, and a source that defines it */
    cl_program program;        /* out; the device's */
    const char *kernel;        /* out: what the kernel is called there; lives as long as the device */
};

/* Builds (or finds) the programs of many kernels at once, with kernels/common.cl before each: some together in a program, some
 * programs at the same time. A failure is MICA_BUILD and carries the kernel's name and the beginning of the build log. Tells
 * device->compiling of each kernel that is ready; MICA_CANCELLED when that says so. */
mica_status mi_programs_get(mica_device *device, struct mi_wanted_kernel *list, size_t count);
/* The program of one source, alone. */
mica_status mi_program_get(mica_device *device, const char *name, const char *source, cl_program *out);

/* Forgets all programs; kernels that were made of them stay. */
void mi_programs_destroy(mica_device *device);

/* Begins to count a compilation of so many kernels; adds kernels that are done, and tells. */
void mi_compiling_begin(mica_device *device, int total);
mica_status mi_compiling_add(mica_device *device, int kernels);

/* An embedded file of kernels/: "common.cl". NULL: no such file. */
const char *mi_kernel_text(const char *file);

/* ---- Launches: a kernel with its arguments and grid fixed ---- */

struct mi_launch {
    cl_kernel kernel;
    const char *name;          /* borrowed: the kernel's, for errors and profiles */
    cl_uint dims;
    size_t global[3], local[3];
};

/* Creates the kernel `name` of `program`; arguments follow through mi_launch_arg. `largest_group`, when not NULL, gets
 * this kernel's own limit (the device's, if the descriptor set a smaller one). */
mica_status mi_launch_create(mica_device *device, cl_program program, const char *name, struct mi_launch *out,
                             size_t *largest_group);
mica_status mi_launch_arg(mica_device *device, struct mi_launch *launch, cl_uint index, size_t size, const void *value);
/* Sets a fixed grid: global sizes are rounded up to multiples of the local ones. A grid with a zero launches nothing. */
void mi_launch_grid(struct mi_launch *launch, cl_uint dims, const size_t *global, const size_t *local);
/* Enqueues. In debug mode it also finishes, so that an error names this launch. */
mica_status mi_launch_run(mica_device *device, const struct mi_launch *launch);
/* The same; *done (NULL after a grid with a zero) is the caller's to release. */
mica_status mi_launch_run_event(mica_device *device, const struct mi_launch *launch, cl_event *done);
void mi_launch_destroy(mica_device *device, struct mi_launch *launch);

/* ---- Queue ---- */

mica_status mi_device_flush(mica_device *device);   /* hands the queue's work to the driver; does not wait */
mica_status mi_device_finish(mica_device *device);  /* waits; late errors of earlier launches surface here */
void mi_device_drain(mica_device *device);          /* waits whatever happens, before memory that it reads is freed */
mica_status mi_event_wait(mica_device *device, cl_event *event); /* waits and releases it; NULL event: nothing */
void mi_event_release(mica_device *device, cl_event *event);
bool mi_event_done(mica_device *device, cl_event event); /* without waiting */
mica_status mi_device_marker(mica_device *device, cl_uint waits, const cl_event *wait, cl_event *done);

/* ---- Profiling: a queue that writes down when each launch began and ended (profile.c) ---- */

/* Waits, and puts a profiling queue in the place of the device's own, or the own one back. *own: NULL at first. */
mica_status mi_device_profile(mica_device *device, cl_command_queue *own);
/* How long the command of an event ran on the device, in seconds, once it has passed. */
mica_status mi_event_seconds(mica_device *device, cl_event event, double *seconds);

/* The text of an OpenCL error number: "CL_OUT_OF_RESOURCES (-5)"; static storage. */
const char *mi_cl_error_name(cl_int code);
/* Maps an OpenCL error to a status and records it: `what` names the call or launch. */
mica_status mi_cl_fail(mica_device *device, cl_int code, const char *what);

#endif
