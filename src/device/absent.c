/* GPUs that Linux knows and no OpenCL platform offers, each with what would change that.
 *
 * PCI cards come from /sys/bus/pci, GPUs inside other chips from /sys/class/drm, Windows' own through WSL
 * from /dev/dxg. OpenCL 1.2 does not tell a device's place on the bus, so per vendor the numbers are
 * compared: the machine's minus the most that one platform offers. */
#define _POSIX_C_SOURCE 200809L

#include "device/devices.h"

#if defined(_WIN32)

mica_status mi_absent_find(struct mica_devices *found, const char *root)
{
    (void)root;
    return found->error.status;
}

#else

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST_PATH = 512, LONGEST_LINE = 256 };

enum maker { NVIDIA, AMD, INTEL, CHIP, MAKERS };

struct driver {
    const char *kernel;  /* the name of the kernel's driver */
    const char *rusticl; /* the word for RUSTICL_ENABLE */
    const char *gpu;
};

/* GPUs that are no PCI cards and that Mesa's rusticl serves. */
static const struct driver chips[] = {
    {"panfrost", "panfrost", "ARM Mali"}, {"panthor", "panfrost", "ARM Mali"},
    {"lima", "lima", "ARM Mali-400"},     {"msm", "freedreno", "Qualcomm Adreno"},
    {"asahi", "asahi", "Apple"},          {"v3d", "v3d", "Broadcom VideoCore"},
    {"etnaviv", "etnaviv", "Vivante"},
};

/* The first line of a small file, without its end. */
static bool read_line(char line[LONGEST_LINE], const char *folder, const char *entry, const char *name)
{
    char path[LONGEST_PATH];
    int length = mi_format(path, sizeof path, "%s/%s/%s", folder, entry, name);
    FILE *file = length > 0 && (size_t)length < sizeof path ? fopen(path, "r") : NULL;
    bool got = file && fgets(line, LONGEST_LINE, file);
    if (file)
        fclose(file);
    if (got)
        line[strcspn(line, "\r\n")] = 0;
    return got;
}

static bool exists(const char *root, const char *name, int mode)
{
    char path[LONGEST_PATH];
    int length = mi_format(path, sizeof path, "%s%s", root, name);
    return length > 0 && (size_t)length < sizeof path && access(path, mode) == 0;
}

/* Whether some /dev/dri/renderD* is there, and whether this user may open one. */
static void render_nodes(const char *root, bool *any, bool *usable)
{
    char folder[LONGEST_PATH], path[LONGEST_PATH];
    mi_format(folder, sizeof folder, "%s/dev/dri", root);
    DIR *listing = opendir(folder);
    *any = *usable = false;
    for (struct dirent *entry; listing && (entry = readdir(listing));) {
        if (strncmp(entry->d_name, "renderD", 7) != 0)
            continue;
        int length = mi_format(path, sizeof path, "%s/%s", folder, entry->d_name);
        *any = true;
        if (length > 0 && (size_t)length < sizeof path && access(path, R_OK | W_OK) == 0)
            *usable = true;
    }
    if (listing)
        closedir(listing);
}

/* How many GPUs of this maker the most generous platform offers. */
static size_t offered(const struct mica_devices *found, enum maker maker)
{
    static const char *const words[MAKERS][2] = {
        {"nvidia", "nvidia"}, {"amd", "advanced micro"}, {"intel", "intel"}, {"", ""}};
    size_t most = 0;
    for (size_t i = 0; i < found->count; i++) {
        size_t same = 0;
        for (size_t j = 0; j < found->count; j++) {
            const mica_device_info *info = &found->list[j].info;
            if (found->list[j].platform == found->list[i].platform && mi_is_gpu(info->type) &&
                !info->last_resort &&
                (mi_contains(info->vendor, words[maker][0]) || mi_contains(info->vendor, words[maker][1])))
                same++;
        }
        most = same > most ? same : most;
    }
    return most;
}

static mica_status add(struct mica_devices *found, const char *name, const char *advice)
{
    if (!mi_grow(&found->absent, &found->absent_capacity, found->absent_count + 1, sizeof *found->absent))
        return mi_out_of_memory(&found->error);
    found->absent[found->absent_count++] = (mica_absent_gpu){name, advice};
    return MICA_OK;
}

static const char *rusticl_advice(struct mica_devices *found, const char *word, const char *other)
{
    if (found->has_rusticl)
        return mi_arena_format(&found->arena, "set the environment variable RUSTICL_ENABLE=%s%s", word,
                               other);
    return mi_arena_format(&found->arena,
                           "install mesa-opencl-icd and set the environment variable "
                           "RUSTICL_ENABLE=%s%s",
                           word, other);
}

/* What a user of this maker's GPU has to do. NVIDIA's nodes are open to all; the others belong to the group
 * render. */
static const char *advice_for(struct mica_devices *found, const char *root, enum maker maker)
{
    bool any, usable;
    render_nodes(root, &any, &usable);
    if (maker == NVIDIA)
        return exists(root, "/proc/driver/nvidia", F_OK)
                   ? "install nvidia-opencl-icd, of the same version as NVIDIA's driver"
                   : "install nvidia-driver and nvidia-opencl-icd (Debian's non-free), then restart";
    if (any && !usable)
        return "this user may not open /dev/dri/renderD*: sudo usermod -aG render $USER, then log in again";
    if (!any)
        return maker == INTEL
                   ? "the kernel offers no /dev/dri/renderD*: load its driver i915 or xe (in a container, "
                     "pass /dev/dri in), then install intel-opencl-icd"
                   : "the kernel offers no /dev/dri/renderD*: load its driver amdgpu (in a container, pass "
                     "/dev/dri in), then install mesa-opencl-icd and set RUSTICL_ENABLE=radeonsi";
    if (maker == INTEL)
        return "install intel-opencl-icd";
    return rusticl_advice(found, "radeonsi", ", or install rocm-opencl-icd");
}

static bool maker_of(const char *vendor, enum maker *maker)
{
    unsigned long number = strtoul(vendor, NULL, 16);
    *maker = number == 0x10de ? NVIDIA : number == 0x1002 ? AMD : INTEL;
    return number == 0x10de || number == 0x1002 || number == 0x8086;
}

/* Display controllers (class 03) of the three makers; the screens of servers and virtual machines compute
 * nothing. */
static mica_status scan_pci(struct mica_devices *found, const char *root)
{
    static const char *const makers[MAKERS] = {"NVIDIA", "AMD", "Intel", ""};
    char folder[LONGEST_PATH], line[LONGEST_LINE], device[LONGEST_LINE];
    size_t here[MAKERS] = {0};
    mica_status status = MICA_OK;
    mi_format(folder, sizeof folder, "%s/sys/bus/pci/devices", root);
    DIR *listing = opendir(folder);
    for (struct dirent *entry; status == MICA_OK && listing && (entry = readdir(listing));) {
        enum maker maker;
        if (entry->d_name[0] == '.' || !read_line(line, folder, entry->d_name, "class") ||
            strtoul(line, NULL, 16) >> 16 != 0x03 || !read_line(line, folder, entry->d_name, "vendor") ||
            !maker_of(line, &maker) || ++here[maker] <= offered(found, maker) ||
            !read_line(device, folder, entry->d_name, "device"))
            continue;
        unsigned long vendor_id = strtoul(line, NULL, 16) & 0xffff,
                      device_id = strtoul(device, NULL, 16) & 0xffff;
        const char *name = mi_arena_format(&found->arena, "%s GPU %04lx:%04lx at %s", makers[maker],
                                           vendor_id, device_id, entry->d_name);
        status = add(found, name, advice_for(found, root, maker));
    }
    if (listing)
        closedir(listing);
    return status;
}

static const struct driver *chip_of(const char *folder, const char *node)
{
    char line[LONGEST_LINE];
    const char *prefix = "DRIVER=";
    if (!read_line(line, folder, node, "device/uevent") || strncmp(line, prefix, strlen(prefix)) != 0)
        return NULL;
    for (size_t i = 0; i < MI_COUNT(chips); i++)
        if (strcmp(line + strlen(prefix), chips[i].kernel) == 0)
            return &chips[i];
    return NULL;
}

static bool any_gpu(const struct mica_devices *found)
{
    for (size_t i = 0; i < found->count; i++)
        if (mi_is_gpu(found->list[i].info.type) && !found->list[i].info.last_resort)
            return true;
    return false;
}

/* A system on a chip has one GPU: any that OpenCL offers is it. */
static mica_status scan_chips(struct mica_devices *found, const char *root)
{
    char folder[LONGEST_PATH];
    bool any, usable;
    mica_status status = MICA_OK;
    mi_format(folder, sizeof folder, "%s/sys/class/drm", root);
    DIR *listing = any_gpu(found) ? NULL : opendir(folder);
    render_nodes(root, &any, &usable);
    for (struct dirent *entry; status == MICA_OK && listing && (entry = readdir(listing));) {
        if (strncmp(entry->d_name, "renderD", 7) != 0)
            continue;
        const struct driver *chip = chip_of(folder, entry->d_name);
        if (!chip)
            continue;
        const char *name = mi_arena_format(&found->arena, "%s GPU at %s", chip->gpu, entry->d_name);
        status =
            add(found, name,
                any && !usable ? advice_for(found, root, CHIP) : rusticl_advice(found, chip->rusticl, ""));
    }
    if (listing)
        closedir(listing);
    return status;
}

mica_status mi_absent_find(struct mica_devices *found, const char *root)
{
    MI_TRY(scan_pci(found, root));
    MI_TRY(scan_chips(found, root));
    if (!exists(root, "/dev/dxg", F_OK) || any_gpu(found))
        return MICA_OK;
    return add(found, "the GPU of Windows, at /dev/dxg",
               "Linux inside Windows has OpenCL for it only from Intel "
               "(intel-opencl-icd) and from AMD's ROCm for WSL; else run Mica on Windows itself");
}

#endif
