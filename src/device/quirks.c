/* What drivers are known to do, decided once when a device is opened. */
#include "device/devices.h"

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
                         : pocl || intel ? "-w -cl-denorms-are-zero -DMICA_PREFETCHES"
                                         : "-w -cl-denorms-are-zero",
        .builds_alone = pocl || oclgrind,
        .copies_kernels = pocl,
        .keeps_own_cache = pocl || nvidia || oclgrind, /* POCL: asking for a binary forces a slower, generic build */
        .spoils_long_indices = mi_contains(info->platform, "rusticl"),
        .spins_on_wait = nvidia || (intel && mi_is_gpu(info->type)),
    };
}
