/* Temporary files: "PATH.0a1b2c.tmp", written beside PATH and renamed over it. Each is locked as long as it is written. A lock
 * dies with its process, so files that a killed one left are told from those of others. Needs POSIX and flock. */
#if !defined(_XOPEN_SOURCE)
#define _XOPEN_SOURCE 700
#endif
#include "base/temporary.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ATTEMPTS = 100, DIGITS = 6 };

/* Somebody who sweeps may have been faster, between the making of the file and its lock: then it is gone, or about to go. A file
 * system without locks is no reason to fail. */
static bool keeps(int fd)
{
    struct stat info;
    if (flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
        return false;
    return !fstat(fd, &info) && info.st_nlink > 0;
}

int mi_temporary_create(const char *path, char *name, size_t size)
{
    uint64_t salt = (uint64_t)(mi_seconds() * 1e6);
    for (int i = 0; i < ATTEMPTS; i++) {
        unsigned mark = (unsigned)(mi_hash(&salt, sizeof salt, (uint64_t)getpid() + (uint64_t)i) & 0xffffff);
        mi_format(name, size, "%s.%06x.tmp", path, mark);
        int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 && keeps(fd))
            return fd;
        if (fd >= 0)
            close(fd);
        else if (errno != EEXIST)
            break;
    }
    return -1;
}

/* Whether a file's name is that of a temporary one for `base`. */
static bool is_temporary(const char *name, const char *base)
{
    size_t length = strlen(base);
    if (strncmp(name, base, length) || name[length] != '.')
        return false;
    name += length + 1;
    return strspn(name, "0123456789abcdef") == DIGITS && strcmp(name + DIGITS, ".tmp") == 0;
}

/* Removes the file unless somebody holds its lock. */
static void remove_if_left(const char *path)
{
    struct stat info;
    if (lstat(path, &info) || !S_ISREG(info.st_mode))
        return;
    int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    if (!flock(fd, LOCK_EX | LOCK_NB))
        unlink(path);
    close(fd);
}

void mi_temporary_sweep(const char *path, const char *folder)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    char left[4096];
    DIR *items = opendir(folder);
    for (struct dirent *item; items && (item = readdir(items)) != NULL;)
        if (is_temporary(item->d_name, base) &&
            mi_format(left, sizeof left, "%s/%s", folder, item->d_name) < (int)sizeof left)
            remove_if_left(left);
    if (items)
        closedir(items);
}
