/* What a search for devices keeps, and the pure functions by which it ranks and chooses. */
#ifndef MICA_SRC_DEVICES_H
#define MICA_SRC_DEVICES_H

#include "device/cl_api.h"

struct mi_found {
    mica_device_info info;
    cl_platform_id platform;
    cl_device_id id;
};

struct mica_devices {
    struct mi_error error;
    struct mi_arena arena;    /* every string */
    struct mi_loader *loader; /* NULL: none is installed */
    struct mi_found *list;    /* best first */
    size_t count, capacity;
    size_t platforms; /* how many there are, with devices or without */
    bool has_rusticl; /* Mesa's platform is there, perhaps without a device */
    bool has_empty_pocl; /* POCL is there and offers no device */
    mica_absent_gpu *absent;
    size_t absent_count, absent_capacity;
};

/* ---- query.c ---- */

/* Fills info from the driver; strings go to the arena. `place` is the device's id. */
mica_status mi_query_info(const struct mi_cl *cl, cl_platform_id platform, cl_device_id id, const char *place,
                          struct mi_arena *arena, struct mi_error *error, mica_device_info *info);
/* An info whose strings are all "" and not NULL. */
mica_device_info mi_info_empty(void);
/* Copies info with its strings. */
mica_device_info mi_info_copy(struct mi_arena *arena, const mica_device_info *info);
const char *mi_type_name(mica_device_type type); /* "discrete GPU" */
bool mi_is_gpu(mica_device_type type);

/* ---- rank.c ---- */

/* True where `part` stands in `text`, in any case of letters. */
bool mi_contains(const char *text, const char *part);
/* An emulator, Clover or OpenCLOn12. */
bool mi_is_last_resort(const char *platform, const char *name);
/* Whether `version` ("1.2", "3.0") is at least OpenCL C 1.2. */
bool mi_speaks_opencl_c_12(const char *version);
/* Below zero: a is the better one. Zero: as good. */
int mi_rank(const mica_device_info *a, const mica_device_info *b);
/* Sorts, best first; equals stay in order. */
void mi_rank_sort(struct mi_found *list, size_t count);

/* ---- choose.c ---- */

/* The index in the ranked list, or -1; *why is in the arena. `origin` says where select comes from
 * ("MICA_DEVICE"). */
int mi_choose(const struct mi_found *list, size_t count, const char *select, const char *origin,
              struct mi_arena *arena, const char **why);

/* ---- probe.c ---- */

enum mi_probe { MI_PROBE_SURVIVED, MI_PROBE_DIED, MI_PROBE_UNKNOWN };

/* Whether listing devices may end the process: on Linux without /sys, where POCL aborts. */
bool mi_probe_needed(void);
/* Runs `work` in a child process. DIED: it did not come to its end, or took longer; UNKNOWN: no child could
 * be made. */
enum mi_probe mi_probe_run(void (*work)(void *), void *context, int patience_ms);

/* ---- absent.c ---- */

/* Adds the GPUs that the files below `root` ("" on a real machine) tell of and the list does not hold. */
mica_status mi_absent_find(struct mica_devices *found, const char *root);

/* ---- open.c ---- */

/* A device object with its descriptor's copy, not yet open. NULL: out of memory. */
mica_device *mi_device_new(const mica_device_desc *desc);
/* Adds what MICA_LIMITS says to limits that are zero:
 * "local=32768,group=64,allocation=268435456,no_fp16,no_fp64". */
mica_status mi_limits_parse(const char *text, mica_limits *limits, struct mi_error *error);
void mi_limits_apply(const mica_limits *limits, mica_device_info *info);
/* With platform, id and info filled, and context and queue where adopted: refuses devices that cannot serve,
 * applies limits and quirks, makes what is missing. */
mica_status mi_device_start(mica_device *device, const mica_device_desc *desc);
/* Keeps the first error as the one that every later call repeats. Returns the device. */
mica_device *mi_device_settle(mica_device *device);

/* ---- fork.c and answers.c ---- */

long mi_process(void); /* the number of this process */
#define MI_FORKED "this process was forked after OpenCL was used in it, and a driver does not come along: " \
    "use OpenCL in children only, or start them by exec"
/* Whether the device does what it is asked. An adopted queue may have other things to do first: it is not asked. */
mica_status mi_device_answers(mica_device *device);

/* ---- quirks.c ---- */

void mi_quirks_decide(mica_device *device);
/* Whether the driver can keep what it is about to compile. */
mica_status mi_kernel_folder_check(mica_device *device);

#endif
