/* What drivers are known to do, decided once when a device is opened. */
#include "device/devices.h"

void mi_quirks_decide(mica_device *device)
{
    const mica_device_info *info = &device->info;
    bool pocl = mi_contains(info->platform, "portable computing language");
    bool oclgrind = mi_contains(info->platform, "oclgrind");
    bool nvidia = mi_contains(info->platform, "nvidia");
    bool intel_gpu = mi_is_gpu(info->type) && mi_contains(info->platform, "intel");
    /* A CPU's arithmetic on subnormal numbers takes tens of times as long, and training is full of them: an optimizer's means
     * decay towards zero wherever gradients stay away, and stop short of it. NaN and infinity are as they were. And no warnings,
     * such as of a loop that stays as it is: POCL prints on the application's terminal how many there were. */
    device->quirks = (struct mi_quirks){
        .build_options = info->type == MICA_DEVICE_CPU ? "-w -cl-denorms-are-zero" : "-w",
        .builds_alone = pocl || oclgrind,
        .copies_kernels = pocl,
        .keeps_own_cache = pocl || nvidia || oclgrind, /* POCL: asking for a binary forces a slower, generic build */
        .spins_on_wait = nvidia || intel_gpu,
    };
}
