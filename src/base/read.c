/* Whole files in memory, gzip undone, within limits. A packed file is undone while it is read, so only its contents are kept. */
#if !defined(_XOPEN_SOURCE)
#define _XOPEN_SOURCE 700
#endif
#include "base/base.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum { CHUNK = 32 * 1024, FIRST_ROOM = 64 * 1024, DEFLATE_MOST = 1032, GZIP_LEAST = 18 };

/* Smaller contents are welcome however well they are packed. */
#define RATIO_FREE ((uint64_t)64 << 20)

struct reading {
    struct mi_error *error;
    const char *path;
    const struct mi_file_limits *limits;
    FILE *stream;
    uint64_t file_size;        /* of a regular file; else 0 */
    uint64_t taken;            /* bytes of the file so far */
    unsigned char *data;       /* the contents so far, with room for a zero */
    size_t size, capacity;
    z_stream z;
    unsigned char chunk[CHUNK];
};

static mica_status fail_read(struct reading *r, int code)
{
    return mi_fail(r->error, code == ENOMEM ? MICA_OUT_OF_MEMORY : MICA_IO, "%s: %s", r->path, mi_system_error(code));
}

/* ---- Limits ---- */

/* Whether contents of `size` bytes are allowed, of which the first `packed` bytes of the file have told. */
static mica_status check_size(struct reading *r, uint64_t size, uint64_t packed)
{
    const char *advice = r->limits->advice ? r->limits->advice : "";
    if (size > r->limits->bytes || size > SIZE_MAX / 2)
        return mi_fail(r->error, MICA_FORMAT, "%s: holds more than the limit of %llu bytes%s", r->path,
                       (unsigned long long)r->limits->bytes, advice);
    if (packed && r->limits->ratio && size > RATIO_FREE && size / r->limits->ratio >= packed)
        return mi_fail(r->error, MICA_FORMAT, "%s: unpacks to more than %llu times its size%s", r->path,
                       (unsigned long long)r->limits->ratio, advice);
    return MICA_OK;
}

/* Room for `more` bytes and the zero. What is not used yet is not touched. */
static mica_status make_room(struct reading *r, size_t more)
{
    size_t need, wanted = r->capacity + r->capacity / 2;
    if (!mi_add_size(r->size, more, &need) || !mi_add_size(need, 1, &need))
        return mi_out_of_memory(r->error);
    if (need <= r->capacity)
        return MICA_OK;
    wanted = wanted > need ? wanted : need;
    unsigned char *grown = realloc(r->data, wanted);
    if (!grown)
        return mi_out_of_memory(r->error);
    r->data = grown;
    r->capacity = wanted;
    return MICA_OK;
}

/* ---- As it is ---- */

/* The size of the file is a hint only: it may change meanwhile. */
static mica_status read_plain(struct reading *r)
{
    size_t got = r->z.avail_in;
    MI_TRY(check_size(r, r->file_size, 0));
    MI_TRY(make_room(r, (r->file_size > got ? (size_t)r->file_size : got) + 1)); /* one more, to see that no more comes */
    memcpy(r->data, r->chunk, got);
    for (r->size = got;;) {
        MI_TRY(make_room(r, r->size + 1 < r->capacity ? 1 : FIRST_ROOM));
        got = fread(r->data + r->size, 1, r->capacity - 1 - r->size, r->stream);
        r->size += got;
        if (ferror(r->stream))
            return fail_read(r, errno);
        MI_TRY(check_size(r, r->size, 0));
        if (!got)
            return MICA_OK;
    }
}

/* ---- Packed ---- */

/* false: the file is over, or cannot be read, which *status says. */
static bool refill(struct reading *r, mica_status *status)
{
    if (r->z.avail_in)
        return true;
    r->z.next_in = r->chunk;
    r->z.avail_in = (uInt)fread(r->chunk, 1, sizeof r->chunk, r->stream);
    r->taken += r->z.avail_in;
    *status = ferror(r->stream) ? fail_read(r, errno) : MICA_OK;
    return r->z.avail_in > 0;
}

/* Room for what a gzip file says at its end that its contents have, if that is possible at all. */
static mica_status make_room_for_all(struct reading *r)
{
    unsigned char end[4] = {0};
    long at = ftell(r->stream);
    bool found = r->file_size >= GZIP_LEAST && at >= 0 && !fseek(r->stream, -4, SEEK_END) &&
                 fread(end, 1, 4, r->stream) == 4;
    if (r->file_size >= GZIP_LEAST && at >= 0 && fseek(r->stream, at, SEEK_SET))
        return fail_read(r, errno);
    uint64_t says = (uint64_t)end[0] | (uint64_t)end[1] << 8 | (uint64_t)end[2] << 16 | (uint64_t)end[3] << 24;
    if (!found || says / DEFLATE_MOST > r->file_size)
        return make_room(r, FIRST_ROOM);
    MI_TRY(check_size(r, says, r->file_size));
    return make_room(r, (size_t)says + 1);
}

/* Until the end of the gzip member that begins here. zlib counts in 32 bits, so large contents go in pieces. */
static mica_status inflate_member(struct reading *r)
{
    mica_status status = MICA_OK;
    for (;;) {
        if (!refill(r, &status))
            return status != MICA_OK ? status : mi_fail(r->error, MICA_FORMAT, "%s: the gzip data end early", r->path);
        MI_TRY(make_room(r, r->size + 1 < r->capacity ? 1 : FIRST_ROOM));
        size_t room = r->capacity - 1 - r->size;
        uInt space = room > (1u << 30) ? 1u << 30 : (uInt)room;
        r->z.next_out = r->data + r->size;
        r->z.avail_out = space;
        int code = inflate(&r->z, Z_NO_FLUSH);
        r->size += space - r->z.avail_out;
        MI_TRY(check_size(r, r->size, r->file_size ? r->file_size : r->taken));
        if (code == Z_STREAM_END)
            return MICA_OK;
        if (code == Z_MEM_ERROR)
            return mi_out_of_memory(r->error);
        if (code != Z_OK && code != Z_BUF_ERROR)
            return mi_fail(r->error, MICA_FORMAT, "%s: broken gzip data: %s", r->path, r->z.msg ? r->z.msg : "bad stream");
    }
}

/* Zero bytes may fill a gzip file up. */
static mica_status check_end(struct reading *r)
{
    mica_status status = MICA_OK;
    uint64_t count = 0;
    bool zeros = true;
    while (refill(r, &status)) {
        for (uInt i = 0; i < r->z.avail_in; i++)
            zeros = zeros && !r->z.next_in[i];
        count += r->z.avail_in;
        r->z.avail_in = 0;
    }
    if (status == MICA_OK && !zeros)
        return mi_fail(r->error, MICA_FORMAT, "%s: %llu bytes follow the end of the gzip data", r->path,
                       (unsigned long long)count);
    return status;
}

/* A gzip file is one member or several. */
static mica_status inflate_all(struct reading *r)
{
    mica_status status = make_room_for_all(r);
    if (status != MICA_OK)
        return status;
    if (inflateInit2(&r->z, 15 + 16) != Z_OK)
        return mi_out_of_memory(r->error);
    do {
        status = inflate_member(r);
        inflateReset(&r->z);
    } while (status == MICA_OK && refill(r, &status) && r->z.next_in[0] == 0x1f);
    inflateEnd(&r->z);
    return status == MICA_OK ? check_end(r) : status;
}

/* ---- Any file ---- */

static mica_status read_all(struct reading *r)
{
    struct stat info;
    mica_status status = MICA_OK;
    if (!fstat(fileno(r->stream), &info) && S_ISREG(info.st_mode) && info.st_size > 0)
        r->file_size = (uint64_t)info.st_size;
    (void)refill(r, &status);
    MI_TRY(status);
    bool packed = r->z.avail_in >= 3 && r->chunk[0] == 0x1f && r->chunk[1] == 0x8b && r->chunk[2] == 8;
    return packed ? inflate_all(r) : read_plain(r);
}

mica_status mi_file_read_within(struct mi_error *error, const char *path, const struct mi_file_limits *limits,
                                unsigned char **bytes, size_t *size)
{
    struct reading *r = mi_new(1, sizeof *r);
    *bytes = NULL;
    *size = 0;
    if (!r)
        return mi_out_of_memory(error);
    r->error = error;
    r->path = path;
    r->limits = limits;
    errno = 0;
    r->stream = fopen(path, "rb");
    mica_status status = r->stream ? read_all(r) : fail_read(r, errno);
    if (r->stream)
        fclose(r->stream);
    if (status == MICA_OK) {
        r->data[r->size] = 0;
        *bytes = r->data;
        *size = r->size;
    } else {
        free(r->data);
    }
    free(r);
    return status;
}

mica_status mi_file_read(struct mi_error *error, const char *path, uint64_t limit, unsigned char **bytes, size_t *size)
{
    return mi_file_read_within(error, path, &(struct mi_file_limits){.bytes = limit}, bytes, size);
}
