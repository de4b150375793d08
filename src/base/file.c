/* Files: reading whole ones (gzip undone, bounded), replacing them atomically, and joining paths.
 * The one file of this folder that needs POSIX: fsync, fchmod and rename over an existing file. */
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
#include <zlib.h>

enum { FIRST_CHUNK = 64 * 1024, MOST_LINKS = 40, DEFLATE_MOST = 1032 };

static mica_status fail_errno(struct mi_error *error, const char *path, int code)
{
    return mi_fail(error, code == ENOMEM ? MICA_OUT_OF_MEMORY : MICA_IO, "%s: %s", path, mi_system_error(code));
}

/* ---- Reading ---- */

/* A buffer with one byte more than its size, for the zero at its end. */
struct bytes {
    unsigned char *data;
    size_t size, capacity;
};

static bool bytes_reserve(struct bytes *bytes, size_t more)
{
    size_t need;
    return mi_add_size(bytes->size, more, &need) && mi_add_size(need, 1, &need) &&
           mi_grow(&bytes->data, &bytes->capacity, need, 1);
}

static mica_status too_large(struct mi_error *error, const char *path, size_t limit)
{
    return mi_fail(error, MICA_FORMAT, "%s: holds more than the limit of %zu bytes", path, limit);
}

/* Everything from `stream`, at most `limit` bytes; a regular file's size is only a hint, it may change
 * meanwhile. */
static mica_status read_stream(struct mi_error *error, const char *path, FILE *stream, size_t limit,
                               struct bytes *out)
{
    struct stat info;
    size_t hint = 0;
    if (!fstat(fileno(stream), &info) && S_ISREG(info.st_mode) && info.st_size > 0) {
        if ((uintmax_t)info.st_size > limit)
            return too_large(error, path, limit);
        hint = (size_t)info.st_size;
    }
    if (!bytes_reserve(out, hint + 1))
        return mi_out_of_memory(error);
    for (;;) {
        if (out->size + 1 >= out->capacity && !bytes_reserve(out, FIRST_CHUNK))
            return mi_out_of_memory(error);
        size_t got = fread(out->data + out->size, 1, out->capacity - 1 - out->size, stream);
        out->size += got;
        if (ferror(stream))
            return fail_errno(error, path, errno);
        if (out->size > limit)
            return too_large(error, path, limit);
        if (!got && feof(stream))
            return MICA_OK;
    }
}

static bool all_zero(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return false;
    return true;
}

static bool is_gzip(const unsigned char *bytes, size_t size)
{
    return size >= 3 && bytes[0] == 0x1f && bytes[1] == 0x8b && bytes[2] == 8;
}

/* The size that a gzip file claims for its contents, as far as that is possible at all. */
static size_t inflated_hint(const struct bytes *packed, size_t limit)
{
    const unsigned char *end = packed->data + packed->size;
    size_t hint = FIRST_CHUNK, most;
    if (packed->size >= 18)
        hint = (size_t)end[-4] | (size_t)end[-3] << 8 | (size_t)end[-2] << 16 | (size_t)end[-1] << 24;
    if (!mi_mul_size(packed->size, DEFLATE_MOST, &most) || hint > most)
        hint = FIRST_CHUNK;
    return hint < limit ? hint : limit;
}

/* Runs zlib until the end of the gzip member that begins at packed->data[*used], and moves *used behind it.
 * zlib counts in 32 bits, so large inputs and outputs go in pieces. */
static mica_status inflate_member(struct mi_error *error, const char *path, z_stream *z, size_t limit,
                                  const struct bytes *packed, size_t *used, struct bytes *out)
{
    for (;;) {
        if (out->size + 1 >= out->capacity && !bytes_reserve(out, FIRST_CHUNK))
            return mi_out_of_memory(error);
        size_t room = out->capacity - 1 - out->size, left = packed->size - *used;
        uInt space = room > (1u << 30) ? 1u << 30 : (uInt)room, given = left > (1u << 30) ? 1u << 30 :
            (uInt)left;
        z->next_out = out->data + out->size;
        z->avail_out = space;
        z->next_in = packed->data + *used;
        z->avail_in = given;
        int code = inflate(z, Z_NO_FLUSH);
        out->size += space - z->avail_out;
        *used += given - z->avail_in;
        if (out->size > limit)
            return too_large(error, path, limit);
        if (code == Z_STREAM_END)
            return MICA_OK;
        if (code == Z_MEM_ERROR)
            return mi_out_of_memory(error);
        if (code != Z_OK && code != Z_BUF_ERROR)
            return mi_fail(error, MICA_FORMAT, "%s: broken gzip data: %s", path, z->msg ? z->msg :
                           "bad stream");
        if (z->avail_out && *used == packed->size)
            return mi_fail(error, MICA_FORMAT, "%s: the gzip data end early", path);
    }
}

/* A gzip file is one member or several; zero bytes may fill it up. */
static mica_status inflate_all(struct mi_error *error, const char *path, const struct bytes *packed,
                               size_t limit, struct bytes *out)
{
    z_stream z = {0};
    size_t used = 0;
    mica_status status = MICA_OK;
    if (!bytes_reserve(out, inflated_hint(packed, limit) + 1))
        return mi_out_of_memory(error);
    if (inflateInit2(&z, 15 + 16) != Z_OK)
        return mi_out_of_memory(error);
    while (status == MICA_OK && used < packed->size) {
        size_t left = packed->size - used;
        if (!is_gzip(packed->data + used, left)) {
            if (!all_zero(packed->data + used, left))
                status = mi_fail(error, MICA_FORMAT, "%s: %zu bytes follow the end of the gzip data", path,
                                 left);
            break;
        }
        status = inflate_member(error, path, &z, limit, packed, &used, out);
        inflateReset(&z);
    }
    inflateEnd(&z);
    return status;
}

mica_status mi_file_read(struct mi_error *error, const char *path, uint64_t limit, unsigned char **bytes,
                         size_t *size)
{
    struct bytes whole = {0}, inflated = {0};
    size_t most = limit > SIZE_MAX / 2 ? SIZE_MAX / 2 : (size_t)limit;
    *bytes = NULL;
    *size = 0;
    errno = 0;
    FILE *stream = fopen(path, "rb");
    if (!stream)
        return fail_errno(error, path, errno);
    mica_status status = read_stream(error, path, stream, most, &whole);
    fclose(stream);
    if (status == MICA_OK && is_gzip(whole.data, whole.size)) {
        status = inflate_all(error, path, &whole, most, &inflated);
        free(whole.data);
        whole = inflated;
    }
    if (status != MICA_OK) {
        free(whole.data);
        return status;
    }
    whole.data[whole.size] = 0;
    *bytes = whole.data;
    *size = whole.size;
    return MICA_OK;
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
    return file->status;
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
