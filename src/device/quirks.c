/* What drivers are known to do, decided once when a device is opened. */
#include "device/devices.h"

void mi_quirks_decide(mica_device *device)
{
    const mica_device_info *info = &device->info;
    bool pocl = mi_contains(info->platform, "portable computing language");
    bool oclgrind = mi_contains(info->platform, "oclgrind");
    bool nvidia = mi_contains(info->platform, "nvidia");
    bool intel_gpu = mi_is_gpu(info->type) && mi_contains(info->platform, "intel");
    device->quirks = (struct mi_quirks){
        .builds_alone = pocl || oclgrind,
        .copies_kernels = pocl,
        .keeps_own_cache = pocl || nvidia || oclgrind, /* POCL: asking for a binary forces a slower, generic build */
        .spins_on_wait = nvidia || intel_gpu,
    };
}
