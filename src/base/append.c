/* Files that grow, a piece at a time. Needs POSIX: ftruncate. */
#if !defined(_XOPEN_SOURCE)
#define _XOPEN_SOURCE 700
#endif
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

uint64_t mi_file_size(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && info.st_size > 0 ? (uint64_t)info.st_size : 0;
}

/* 0, or why the bytes could not all be written from there on. */
static int write_at(int fd, uint64_t at, const char *bytes, size_t size)
{
    while (size) {
        ssize_t written = pwrite(fd, bytes, size, (off_t)at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written ? errno : ENOSPC;
        at += (uint64_t)written;
        bytes += written;
        size -= (size_t)written;
    }
    return 0;
}

static int append(int fd, uint64_t at, const void *bytes, size_t size)
{
    struct stat info;
    if (fstat(fd, &info))
        return errno;
    if (!S_ISREG(info.st_mode))
        return EINVAL;
    at = (uint64_t)info.st_size < at ? (uint64_t)info.st_size : at;
    if ((uint64_t)info.st_size > at && ftruncate(fd, (off_t)at))
        return errno;
    int code = write_at(fd, at, bytes, size);
    if (code)
        (void)!ftruncate(fd, (off_t)at); /* a piece is there whole or not at all */
    return code;
}

mica_status mi_file_append(struct mi_error *error, const char *path, uint64_t at, const void *bytes, size_t size)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    int code = fd < 0 ? errno : append(fd, at, bytes, size);
    if (fd >= 0 && close(fd) && !code)
        code = errno;
    return code ? mi_fail(error, MICA_IO, "%s: %s", path, mi_system_error(code)) : MICA_OK;
}
