/* Which device is better. Pure: decides on what the drivers said, so that any machine can be made up in a
 * test. */
#include "device/devices.h"

#include <string.h>

bool mi_contains(const char *text, const char *part)
{
    size_t size = strlen(part);
    for (; strlen(text) >= size; text++) {
        size_t i = 0;
        while (i < size && mi_to_lower(text[i]) == mi_to_lower(part[i]))
            i++;
        if (i == size)
            return true;
    }
    return false;
}

bool mi_is_last_resort(const char *platform, const char *name)
{
    static const char *const words[] = {"oclgrind", "fpga emulation", "clover", "openclon12"};
    for (size_t i = 0; i < MI_COUNT(words); i++)
        if (mi_contains(platform, words[i]) || mi_contains(name, words[i]))
            return true;
    return false;
}

bool mi_speaks_opencl_c_12(const char *version)
{
    unsigned major = 0, minor = 0;
    for (; mi_is_digit(*version) && major < 1000; version++)
        major = major * 10 + (unsigned)(*version - '0');
    if (*version == '.')
        for (version++; mi_is_digit(*version) && minor < 1000; version++)
            minor = minor * 10 + (unsigned)(*version - '0');
    return major > 1 || (major == 1 && minor >= 2);
}

/* Usable devices before those whose opening would fail, and both before nothing but emulators. */
static int standing(const mica_device_info *info)
{
    if (info->has_compiler && mi_speaks_opencl_c_12(info->opencl_c))
        return info->last_resort ? 1 : 0;
    return info->last_resort ? 3 : 2;
}

/* Memory as a rounded power of two: one GPU that two platforms offer differs by less than that. */
static int memory_class(uint64_t bytes)
{
    int power = 0;
    uint64_t rest = bytes / 5 * 7; /* 7/5 is about the square root of 2: rounds to the nearest power */
    for (; rest > 1; rest /= 2)
        power++;
    return power;
}

/* For a GPU its vendor's own platform comes before Mesa's and POCL's. For a CPU POCL comes first, since every
 * release is tested on it and it sleeps while it waits; then vendors' runtimes; then Mesa's rasteriser, the
 * slowest. */
static int platform_class(const mica_device_info *info)
{
    bool pocl = mi_contains(info->platform, "portable computing language");
    bool mesa = mi_contains(info->platform, "rusticl") || mi_contains(info->platform, "clover");
    if (info->type == MICA_DEVICE_CPU)
        return pocl ? 0 : mesa ? 2 : 1;
    return pocl ? 2 : mesa ? 1 : 0;
}

static int order(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int mi_rank(const mica_device_info *a, const mica_device_info *b)
{
    int sign = standing(a) - standing(b);
    if (!sign)
        sign = (int)a->type - (int)b->type;
    if (!sign && a->type != MICA_DEVICE_CPU) /* every CPU device of a machine has the same memory */
        sign = memory_class(b->memory_bytes) - memory_class(a->memory_bytes);
    if (!sign)
        sign = platform_class(a) - platform_class(b);
    if (!sign)
        sign = order(b->memory_bytes, a->memory_bytes);
    return sign ? sign : order(b->compute_units, a->compute_units);
}

void mi_rank_sort(struct mi_found *list, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct mi_found moved = list[i];
        size_t j = i;
        for (; j > 0 && mi_rank(&list[j - 1].info, &moved.info) > 0; j--)
            list[j] = list[j - 1];
        list[j] = moved;
    }
}
