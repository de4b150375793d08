/* Devices: find the OpenCL devices of this machine, open one, and read its errors. */
#ifndef MICA_DEVICE_H
#define MICA_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mica/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mica_device mica_device;   /* one open device; one thread at a time uses it and its children */
typedef struct mica_devices mica_devices; /* what a search found */

typedef enum mica_device_type {
    MICA_DEVICE_DISCRETE_GPU,
    MICA_DEVICE_INTEGRATED_GPU,
    MICA_DEVICE_ACCELERATOR,
    MICA_DEVICE_CPU,
    MICA_DEVICE_OTHER
} mica_device_type;

/* One OpenCL device. Strings live as long as the object that gave them. */
typedef struct mica_device_info {
    const char *id;               /* "PLATFORM:DEVICE", two indices, as `select` takes them */
    const char *platform, *vendor, *name, *driver;
    const char *opencl_c;         /* the device's own OpenCL C version, such as "1.2" */
    mica_device_type type;
    uint32_t compute_units;
    uint64_t memory_bytes, largest_allocation_bytes, local_memory_bytes;
    uint64_t largest_work_group;  /* work-items */
    bool fp16, fp64;              /* arithmetic in half and double precision */
    bool has_compiler;
    bool last_resort;             /* an emulator, Clover or OpenCLOn12: ranked after everything else */
} mica_device_info;

/* A GPU of this machine that no OpenCL platform offers. */
typedef struct mica_absent_gpu {
    const char *name;             /* vendor and PCI id, or the node's name */
    const char *advice;           /* one sentence: the package, group or setting that would change that */
} mica_absent_gpu;

/* Pretend the device is smaller than it is, so that every fallback can be tested anywhere. Zero keeps its own. */
typedef struct mica_limits {
    uint64_t local_memory_bytes, work_group, allocation_bytes;
    bool no_fp16, no_fp64;
    bool gpu_kernels; /* run a CPU device with the kernels of a GPU: one small item a lane, work-groups, local memory */
} mica_limits;

/* How long compiling a model may search for the fastest kernels of its products and convolutions (docs/tuning.md). */
typedef enum mica_tuning {
    MICA_TUNING_DEFAULT,  /* MICA_TUNING (off, quick or thorough); else off where the environment has CI, else quick */
    MICA_TUNING_OFF,      /* by rules alone: nothing is timed, nothing that was found before is used */
    MICA_TUNING_QUICK,    /* at most eight candidates in two to three seconds, once for each new plan */
    MICA_TUNING_THOROUGH  /* all candidates, up to a minute a plan */
} mica_tuning;

typedef struct mica_device_desc {
    const char *select;           /* "gpu", "cpu", "1:0", or a part of the name; NULL: MICA_DEVICE, else the best */
    bool debug;                   /* every tensor in a buffer of its own, poisoned with NaN, finish after each launch */
    uint64_t memory_budget_bytes; /* a plan needing more is refused before anything is allocated; 0: no budget */
    mica_limits limits;
    mica_tuning tuning;
} mica_device_desc;

/* Searches all platforms. Never NULL except when out of memory; destroy it also after an error. Opens no device. */
MICA_API mica_devices *mica_devices_find(void);
MICA_API void mica_devices_destroy(mica_devices *found);
MICA_API mica_status mica_devices_status(const mica_devices *found);
MICA_API const char *mica_devices_error(const mica_devices *found);  /* "" when all is well */
MICA_API int mica_devices_count(const mica_devices *found);
MICA_API const mica_device_info *mica_devices_get(const mica_devices *found, int i); /* best first */
MICA_API int mica_devices_absent_count(const mica_devices *found);
MICA_API const mica_absent_gpu *mica_devices_absent(const mica_devices *found, int i);
/* The index `select` chooses (NULL: MICA_DEVICE, else the best), or -1; *why, one sentence, lives as long as found. */
MICA_API int mica_devices_choose(mica_devices *found, const char *select, const char **why);

/* Opens a device. NULL desc: all defaults. Never NULL except when out of memory: ask mica_device_status. */
MICA_API mica_device *mica_device_open(const mica_device_desc *desc);
MICA_API void mica_device_destroy(mica_device *device); /* after its children; NULL is fine */
MICA_API const mica_device_info *mica_device_get_info(const mica_device *device);

/* How far a compilation is. Kernels count twice: once built, once run for the first time, when some drivers compile them. */
typedef struct mica_compile_progress {
    int done, total;
    double seconds;               /* since it began */
    const char *note;             /* in one line: why a file of tuning is not used; told once, otherwise NULL */
} mica_compile_progress;

/* Tells `on_compile` while kernels are compiled for this device: by mica_compile, when a fit, an evaluation or a prediction begins,
 * and while candidates of tuning are tried. It is called on the thread that compiles, after each step, and after each kernel of a
 * candidate, which is a step in all; when it returns false, the compilation ends with MICA_CANCELLED. What was built stays built,
 * so that the next attempt goes on from there. NULL: tell nobody. */
MICA_API void mica_device_on_compile(mica_device *device, bool (*on_compile)(void *user, const mica_compile_progress *now),
                                     void *user);

/* The first error of the device or its children since it was last cleared, and its text: one line. */
MICA_API mica_status mica_device_status(const mica_device *device);
MICA_API const char *mica_device_error(const mica_device *device); /* "" when all is well; valid until the next call */
MICA_API void mica_device_clear_error(mica_device *device);

#ifdef __cplusplus
}
#endif
#endif
