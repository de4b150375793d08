/* Files: replacing them atomically, and joining paths. Needs POSIX: fsync, fchmod and rename over an existing file. */
#if !defined(_XOPEN_SOURCE)
#define _XOPEN_SOURCE 700
#endif
#include "base/base.h"
#include "base/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_LINKS = 40 };

static mica_status fail_errno(struct mi_error *error, const char *path, int code)
{
    return mi_fail(error, code == ENOMEM ? MICA_OUT_OF_MEMORY : MICA_IO, "%s: %s", path, mi_system_error(code));
}

/* ---- Writing ---- */

struct mi_file {
    struct mi_error *error;  /* of the caller */
    mica_status status;
    FILE *stream;
    char *path;              /* what the caller asked for, or where its link leads */
    char *temporary;         /* NULL: written in place, because it is a pipe or a device */
    int lock;                /* keeps the temporary file locked until it is renamed; -1: none */
    char *folder;            /* of path */
    struct mi_hashing *hashing; /* of what is written; NULL: nobody asks */
};

static void file_free(struct mi_file *file)
{
    if (file->stream)
        fclose(file->stream);
    if (file->lock >= 0)
        close(file->lock);
    free(file->path);
    free(file->temporary);
    free(file->folder);
    (void)mi_hashing_end(file->hashing);
    free(file);
}

/* Opens a new file beside `path`, with the permissions that any new file gets. */
static mica_status open_beside(struct mi_file *file)
{
    size_t size = strlen(file->path) + MI_TEMPORARY_MORE;
    file->temporary = mi_new(size, 1);
    if (!file->temporary)
        return mi_out_of_memory(file->error);
    mi_temporary_sweep(file->path, file->folder);
    int fd = mi_temporary_create(file->path, file->temporary, size), code = errno;
    if (fd >= 0 && (file->stream = fdopen(fd, "wb")) != NULL) {
        file->lock = dup(fd);
        return MICA_OK;
    }
    if (fd >= 0) {
        code = errno;
        close(fd);
        unlink(file->temporary);
    }
    char place[1024];
    mi_format(place, sizeof place, "%.480s: no file can be made in the folder %.480s", file->path, file->folder);
    return fail_errno(file->error, place, code);
}

/* Puts in the place of file->path what it is a link to, also where that is yet to be made. *link: it was one. */
static mica_status follow_link(struct mi_file *file, bool *link)
{
    char target[4096];
    ssize_t length = readlink(file->path, target, sizeof target - 1);
    *link = length > 0;
    if (length <= 0)
        return MICA_OK;
    target[length] = 0;
    char *folder = mi_path_folder(file->path), *next = folder ? mi_path_join(folder, target) : NULL;
    free(folder);
    if (!next)
        return mi_out_of_memory(file->error);
    free(file->path);
    file->path = next;
    return MICA_OK;
}

/* A file that exists keeps its permissions; one that is no regular file is written in place. */
static mica_status open_target(struct mi_file *file)
{
    struct stat info;
    bool exists = !stat(file->path, &info), link = true;
    if (!exists && errno == ELOOP)
        return fail_errno(file->error, file->path, ELOOP);
    if (exists && S_ISDIR(info.st_mode))
        return fail_errno(file->error, file->path, EISDIR);
    if (exists && !S_ISREG(info.st_mode)) {
        file->stream = fopen(file->path, "wb");
        return file->stream ? MICA_OK : fail_errno(file->error, file->path, errno);
    }
    for (int i = 0; i < MOST_LINKS && link; i++)
        MI_TRY(follow_link(file, &link));
    file->folder = mi_path_folder(file->path);
    if (!file->folder)
        return mi_out_of_memory(file->error);
    MI_TRY(open_beside(file));
    if (exists && fchmod(fileno(file->stream), info.st_mode & 0777)) {
        int code = errno;
        unlink(file->temporary);
        return fail_errno(file->error, file->path, code);
    }
    return MICA_OK;
}

mica_status mi_file_check_place(struct mi_error *error, const char *path)
{
    struct mi_file *file = NULL;
    struct stat info;
    if (!stat(path, &info) && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) /* to open a pipe would tell its reader */
        return access(path, W_OK) ? fail_errno(error, path, errno) : MICA_OK;
    MI_TRY(mi_file_create(error, path, &file));
    mi_file_abandon(file);
    return MICA_OK;
}

mica_status mi_file_create(struct mi_error *error, const char *path, struct mi_file **out)
{
    *out = NULL;
    struct mi_file *file = mi_new(1, sizeof *file);
    if (!file)
        return mi_out_of_memory(error);
    file->error = error;
    file->lock = -1;
    file->path = mi_strdup(path);
    mica_status status = file->path ? open_target(file) : mi_out_of_memory(error);
    if (status != MICA_OK) {
        file_free(file);
        return status;
    }
    *out = file;
    return MICA_OK;
}

mica_status mi_file_write(struct mi_file *file, const void *bytes, size_t size)
{
    if (file->status == MICA_OK && size && fwrite(bytes, 1, size, file->stream) != size)
        file->status = fail_errno(file->error, file->path, errno);
    if (file->hashing)
        mi_hashing_add(file->hashing, bytes, size);
    return file->status;
}

mica_status mi_file_hash(struct mi_file *file)
{
    file->hashing = mi_hashing_begin(0);
    if (!file->hashing)
        file->status = mi_out_of_memory(file->error);
    return file->status;
}

mica_status mi_file_write_hash(struct mi_file *file)
{
    unsigned char bytes[8];
    uint64_t hash = mi_hashing_end(file->hashing);
    file->hashing = NULL;
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(hash >> (8 * i));
    return mi_file_write(file, bytes, sizeof bytes);
}

/* Elements little-endian whatever this machine is, a block at a time. */
mica_status mi_file_write_floats(struct mi_file *file, const float *values, size_t count)
{
    unsigned char block[4096];
    mica_status status = MICA_OK;
    for (size_t at = 0; at < count && status == MICA_OK;) {
        size_t n = count - at < sizeof block / 4 ? count - at : sizeof block / 4;
        for (size_t i = 0; i < n; i++) {
            uint32_t word;
            memcpy(&word, &values[at + i], sizeof word);
            for (size_t b = 0; b < 4; b++)
                block[4 * i + b] = (unsigned char)(word >> (8 * b));
        }
        status = mi_file_write(file, block, 4 * n);
        at += n;
    }
    return status;
}

/* The rename itself must reach the disk as well. A file system that cannot do this is no reason to fail. */
static void sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    close(fd);
}

mica_status mi_file_commit(struct mi_file *file)
{
    if (file->status == MICA_OK && fflush(file->stream))
        file->status = fail_errno(file->error, file->path, errno);
    if (file->status == MICA_OK && file->temporary && fsync(fileno(file->stream)))
        file->status = fail_errno(file->error, file->path, errno);
    if (fclose(file->stream) && file->status == MICA_OK)
        file->status = fail_errno(file->error, file->path, errno);
    file->stream = NULL;
    if (file->temporary) {
        if (file->status == MICA_OK && rename(file->temporary, file->path))
            file->status = fail_errno(file->error, file->path, errno);
        if (file->status == MICA_OK)
            sync_folder(file->folder);
        else
            unlink(file->temporary);
    }
    mica_status status = file->status;
    file_free(file);
    return status;
}

void mi_file_abandon(struct mi_file *file)
{
    if (!file)
        return;
    if (file->temporary)
        unlink(file->temporary);
    file_free(file);
}

/* ---- Paths ---- */

char *mi_path_join(const char *folder, const char *name)
{
    size_t length = strlen(folder), size;
    if (name[0] == '/' || !length || !strcmp(folder, "."))
        return mi_strdup(name);
    if (!mi_add_size(length, strlen(name), &size) || !mi_add_size(size, 2, &size))
        return NULL;
    char *path = mi_new(size, 1);
    if (path)
        mi_format(path, size, "%s%s%s", folder, folder[length - 1] == '/' ? "" : "/", name);
    return path;
}

char *mi_path_absolute(const char *path)
{
    char here[4096];
    if (path[0] != '/' && !getcwd(here, sizeof here))
        return NULL;
    return path[0] == '/' ? mi_strdup(path) : mi_path_join(here, strcmp(path, ".") ? path : "");
}

char *mi_path_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return mi_strdup(".");
    size_t length = slash == path ? 1 : (size_t)(slash - path);
    char *folder = mi_new(length + 1, 1);
    if (folder)
        memcpy(folder, path, length);
    return folder;
}
