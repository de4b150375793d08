/* What drivers are known to do, decided once when a device is opened. */
#include "device/devices.h"

#include <stdlib.h>

enum { KERNEL_BYTES = 4 << 20 }; /* the largest programs of the tests leave 1.7 MiB there, in several files */

/* As POCL finds it; made when its devices are listed. */
static const char *pocl_folder(mica_device *device)
{
    const char *own = getenv("POCL_CACHE_DIR"), *shared = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (own && *own)
        return mi_arena_strdup(&device->arena, own);
    if (shared && *shared)
        return mi_arena_format(&device->arena, "%s/pocl/kcache", shared);
    return home && *home ? mi_arena_format(&device->arena, "%s/.cache/pocl/kcache", home) : "/tmp/pocl/kcache";
}

void mi_quirks_decide(mica_device *device)
{
    const mica_device_info *info = &device->info;
    bool pocl = mi_contains(info->platform, "portable computing language");
    bool oclgrind = mi_contains(info->platform, "oclgrind");
    bool nvidia = mi_contains(info->platform, "nvidia");
    bool intel = mi_contains(info->platform, "intel"), cpu = info->type == MICA_DEVICE_CPU;
    /* Compilers made of Clang know __builtin_prefetch, but what comes behind may not: rusticl crashes, Oclgrind ends the process.
     * A CPU's arithmetic on subnormal numbers takes tens of times as long, and training is full of them: an optimizer's means
     * decay towards zero wherever gradients stay away, and stop short of it. NaN and infinity are as they were. And no warnings,
     * such as of a loop that stays as it is: POCL prints on the application's terminal how many there were. */
    device->quirks = (struct mi_quirks){
        .build_options = !cpu            ? "-w"
                         : pocl || intel ? "-w -cl-denorms-are-zero -DMICA_PREFETCHES -DMICA_HALVES"
                                         : "-w -cl-denorms-are-zero",
        .builds_alone = pocl || oclgrind,
        .copies_kernels = pocl,
        .calls_functions = pocl,
        .keeps_own_cache = pocl || nvidia || oclgrind, /* POCL: asking for a binary forces a slower, generic build */
        .spoils_long_indices = mi_contains(info->platform, "rusticl"),
        .has_threads = cpu && !oclgrind,
        .spins_on_wait = nvidia || (intel && mi_is_gpu(info->type)),
        .kernel_folder = pocl ? pocl_folder(device) : NULL,
        .kernel_bytes = KERNEL_BYTES,
    };
}

mica_status mi_kernel_folder_check(mica_device *device)
{
    const char *folder = device->quirks.kernel_folder;
    uint64_t room = folder ? mi_folder_room(folder) : UINT64_MAX;
    if (room < device->quirks.kernel_bytes)
        return mi_fail(&device->error, MICA_IO, "%s: %llu KiB are left where POCL keeps the kernels that it compiles: make room, "
                       "or set POCL_CACHE_DIR to another folder", folder, (unsigned long long)(room >> 10));
    if (folder && !(mi_folder_make(folder) && mi_folder_writable(folder)))
        return mi_fail(&device->error, MICA_IO, "%s: POCL keeps the kernels that it compiles there, and it cannot be "
                       "written: set POCL_CACHE_DIR to another folder", folder);
    return MICA_OK;
}
