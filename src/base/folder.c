/* Folders: the user's cache, made when first needed and kept small. Needs POSIX. */
#if !defined(_XOPEN_SOURCE)
#define _XOPEN_SOURCE 700
#endif
#include "base/base.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

char *mi_cache_folder(void)
{
    const char *own = getenv("MICA_CACHE_DIR"), *shared = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (own)
        return *own && strcmp(own, "off") != 0 ? mi_strdup(own) : NULL;
    if (shared && *shared == '/')
        return mi_path_join(shared, "mica");
    return home && *home == '/' ? mi_path_join(home, ".cache/mica") : NULL;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool mi_folder_make(const char *path)
{
    char *part = mi_strdup(path);
    if (!part)
        return false;
    for (char *end = part + 1; *part && *end; end++)
        if (*end == '/') {
            *end = 0;
            mkdir(part, 0700); /* a failure shows in the end */
            *end = '/';
        }
    mkdir(part, 0700);
    free(part);
    return is_folder(path);
}

bool mi_folder_writable(const char *path)
{
    return access(path, W_OK | X_OK) == 0;
}

uint64_t mi_folder_room(const char *path)
{
    struct statvfs info;
    if (statvfs(path, &info) != 0 || info.f_blocks == 0) /* such as /proc */
        return UINT64_MAX;
    if (info.f_files > 0 && info.f_favail == 0)
        return 0;
    return (uint64_t)info.f_bavail * info.f_frsize;
}

void mi_file_remove(const char *path)
{
    unlink(path);
}

/* ---- Trimming ---- */

struct entry {
    char *path;
    uint64_t bytes;
    struct timespec changed;
};

struct listing {
    struct entry *list;
    size_t count, capacity;
    uint64_t bytes;
};

static int oldest_first(const void *x, const void *y)
{
    const struct entry *a = x, *b = y;
    if (a->changed.tv_sec != b->changed.tv_sec)
        return a->changed.tv_sec < b->changed.tv_sec ? -1 : 1;
    if (a->changed.tv_nsec != b->changed.tv_nsec)
        return a->changed.tv_nsec < b->changed.tv_nsec ? -1 : 1;
    return strcmp(a->path, b->path);
}

static void add_entry(struct listing *listing, const char *folder, const char *name)
{
    struct stat info;
    char *path = mi_path_join(folder, name);
    if (!path || stat(path, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size < 0 ||
        !mi_grow(&listing->list, &listing->capacity, listing->count + 1, sizeof *listing->list)) {
        free(path);
        return;
    }
    listing->list[listing->count++] =
        (struct entry){.path = path, .bytes = (uint64_t)info.st_size, .changed = info.st_mtim};
    listing->bytes += (uint64_t)info.st_size;
}

static bool ends_in(const char *name, const char *suffix)
{
    size_t size = strlen(name), end = strlen(suffix);
    return size >= end && strcmp(name + size - end, suffix) == 0;
}

void mi_folder_trim(const char *path, const char *suffix, uint64_t limit)
{
    struct listing listing = {0};
    DIR *folder = opendir(path);
    if (!folder)
        return;
    for (struct dirent *item; (item = readdir(folder)) != NULL;)
        if (ends_in(item->d_name, suffix))
            add_entry(&listing, path, item->d_name);
    closedir(folder);
    if (listing.bytes > limit)
        qsort(listing.list, listing.count, sizeof *listing.list, oldest_first);
    for (size_t i = 0; i < listing.count; i++) {
        if (listing.bytes > limit) {
            unlink(listing.list[i].path);
            listing.bytes -= listing.list[i].bytes;
        }
        free(listing.list[i].path);
    }
    free(listing.list);
}
