/* Chooses among ranked devices by what a person wrote: a kind, "PLATFORM:DEVICE", or a part of a name. */
#include "device/devices.h"

#include <stdlib.h>
#include <string.h>

static bool is_place(const char *select)
{
    size_t platform = strspn(select, "0123456789");
    if (!platform || select[platform] != ':')
        return false;
    const char *device = select + platform + 1;
    size_t digits = strspn(device, "0123456789");
    return digits && !device[digits];
}

static bool same_word(const char *a, const char *b)
{
    return strlen(a) == strlen(b) && mi_contains(a, b);
}

static bool matches(const mica_device_info *info, const char *select)
{
    if (same_word(select, "gpu"))
        return mi_is_gpu(info->type);
    if (same_word(select, "cpu"))
        return info->type == MICA_DEVICE_CPU;
    if (same_word(select, "accelerator"))
        return info->type == MICA_DEVICE_ACCELERATOR;
    if (is_place(select))
        return strcmp(info->id, select) == 0;
    return mi_contains(info->name, select) || mi_contains(info->platform, select) ||
           mi_contains(info->vendor, select);
}

/* "0:0 NAME (CPU, PLATFORM), 1:0 ..." */
static void add_list(struct mi_text *text, const struct mi_found *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        mi_text_add(text, "%s%s %s (%s, %s)", i ? ", " : "", list[i].info.id, list[i].info.name,
                    mi_type_name(list[i].info.type), list[i].info.platform);
}

static const char *none_fits(const struct mi_found *list, size_t count, const char *select,
                             const char *origin, struct mi_arena *arena)
{
    struct mi_text text = {0};
    mi_text_add(&text, "no OpenCL device fits \"%s\"%s; ", select, origin);
    if (count)
        mi_text_add(&text, "there is ");
    else
        mi_text_add(&text, "there is none at all");
    add_list(&text, list, count);
    const char *kept = mi_arena_format(arena, "%s", mi_text_get(&text));
    arena->failed = arena->failed || text.failed;
    mi_text_destroy(&text);
    return kept;
}

static const char *best_of(const struct mi_found *list, size_t count, struct mi_arena *arena)
{
    const mica_device_info *best = &list[0].info;
    if (count == 1)
        return mi_arena_format(arena, "%s is the only OpenCL device, a %s", best->name,
                               mi_type_name(best->type));
    return mi_arena_format(arena, "%s, a %s, ranks first of %zu OpenCL devices", best->name,
                           mi_type_name(best->type), count);
}

int mi_choose(const struct mi_found *list, size_t count, const char *select, const char *origin,
              struct mi_arena *arena, const char **why)
{
    if (!select || !*select) {
        *why = count ? best_of(list, count, arena) : "there is no OpenCL device";
        return count ? 0 : -1;
    }
    for (size_t i = 0; i < count; i++)
        if (matches(&list[i].info, select)) {
            *why = mi_arena_format(arena, "%s is the best that fits \"%s\"%s", list[i].info.name, select,
                                   origin);
            return i > INT32_MAX ? -1 : (int)i;
        }
    *why = none_fits(list, count, select, origin, arena);
    return -1;
}

int mica_devices_choose(mica_devices *found, const char *select, const char **why)
{
    const char *reason = "", *origin = "", *environment = getenv("MICA_DEVICE");
    if (why)
        *why = reason;
    if (!found)
        return -1;
    if ((!select || !*select) && environment && *environment) {
        select = environment;
        origin = " of MICA_DEVICE";
    }
    int chosen = mi_choose(found->list, found->count, select, origin, &found->arena, &reason);
    if (why)
        *why = reason;
    return chosen;
}
