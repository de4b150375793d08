/* Arrays of .npz files, which are zip archives of .npy files: by libzip, where the library was built with it. */
#include "formats/formats.h"

#if defined(MICA_LIBZIP)
#include <stdlib.h>
#include <string.h>
#include <zip.h>

/* Names of the arrays, for an error. */
static mica_status no_member(struct mi_error *error, const char *path, zip_t *zip, const char *member)
{
    const char *names[65];
    struct mi_arena arena = {0};
    size_t count = 0;
    zip_int64_t entries = zip_get_num_entries(zip, 0);
    for (zip_int64_t i = 0; i < entries && count + 1 < MI_COUNT(names); i++) {
        const char *name = zip_get_name(zip, (zip_uint64_t)i, 0);
        size_t length = name ? strlen(name) : 0;
        if (length > 4 && !strcmp(name + length - 4, ".npy"))
            names[count++] = mi_arena_format(&arena, "%.*s", (int)(length - 4 < 200 ? length - 4 : 200), name);
    }
    names[count] = NULL;
    mi_fail(error, MICA_DATA, "%s: there is no array \"%s\"%s", path, mi_show(member).text,
            arena.failed ? "" : mi_advise(member, names).text);
    mi_arena_destroy(&arena);
    return error->status;
}

static mica_status unpack(struct mi_error *error, const char *path, zip_t *zip, const char *member, const zip_stat_t *stat,
                          struct mi_budget *budget, unsigned char **bytes)
{
    zip_file_t *file = zip_fopen_index(zip, stat->index, 0);
    if (!file)
        return mi_fail(error, MICA_FORMAT, "%s: the array \"%s\" cannot be unpacked: %s", path, mi_show(member).text,
                       zip_strerror(zip));
    mica_status status = mi_budget_take(budget, error, path, "its contents", stat->size);
    *bytes = status == MICA_OK ? mi_new((size_t)stat->size + 1, 1) : NULL;
    if (status == MICA_OK && !*bytes)
        status = mi_out_of_memory(error);
    if (status == MICA_OK && zip_fread(file, *bytes, stat->size) != (zip_int64_t)stat->size)
        status = mi_fail(error, MICA_FORMAT, "%s: the array \"%s\" is broken: %s", path, mi_show(member).text,
                         zip_file_strerror(file));
    if (status == MICA_OK && zip_fread(file, *bytes + stat->size, 1) != 0)
        status = mi_fail(error, MICA_FORMAT, "%s: the array \"%s\" is longer than it says", path, mi_show(member).text);
    zip_fclose(file);
    if (status != MICA_OK) {
        free(*bytes);
        *bytes = NULL;
    }
    return status;
}

static mica_status read_member(struct mi_error *error, const char *path, zip_t *zip, const char *member, struct mi_budget *budget,
                               unsigned char **bytes, size_t *size)
{
    char name[260];
    zip_stat_t stat;
    mi_format(name, sizeof name, "%.250s.npy", member);
    zip_int64_t index = zip_name_locate(zip, name, 0);
    if (index < 0)
        return no_member(error, path, zip, member);
    const zip_uint64_t wanted = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_INDEX;
    if (zip_stat_index(zip, (zip_uint64_t)index, 0, &stat) || (stat.valid & wanted) != wanted || stat.size >= SIZE_MAX)
        return mi_fail(error, MICA_FORMAT, "%s: the array \"%s\" has no size", path, mi_show(member).text);
    if (stat.size > ((uint64_t)64 << 20) && stat.size / budget->ratio > stat.comp_size)
        return mi_fail(error, MICA_FORMAT, "%s: the array \"%s\" unpacks to more than %llu times its size" MI_LIMITS_ADVICE, path,
                       mi_show(member).text, (unsigned long long)budget->ratio);
    *size = (size_t)stat.size;
    return unpack(error, path, zip, member, &stat, budget, bytes);
}

mica_status mi_npz_read(struct mi_error *error, const char *path, const char *member, struct mi_budget *budget,
                        unsigned char **bytes,
                        size_t *size)
{
    int code = 0;
    zip_error_t why;
    zip_t *zip = zip_open(path, ZIP_RDONLY, &code);
    *bytes = NULL;
    *size = 0;
    if (!zip) {
        zip_error_init_with_code(&why, code);
        mi_fail(error, code == ZIP_ER_NOENT || code == ZIP_ER_OPEN ? MICA_IO : MICA_FORMAT, "%s: %s", path,
                zip_error_strerror(&why));
        zip_error_fini(&why);
        return error->status;
    }
    mica_status status = read_member(error, path, zip, member, budget, bytes, size);
    zip_discard(zip);
    return status;
}
#else
mica_status mi_npz_read(struct mi_error *error, const char *path, const char *member, struct mi_budget *budget,
                        unsigned char **bytes,
                        size_t *size)
{
    (void)member;
    (void)budget;
    *bytes = NULL;
    *size = 0;
    return mi_fail(error, MICA_UNSUPPORTED, "%s: .npz files need a library that was built with libzip; save arrays as .npy with "
                   "numpy.save", path);
}
#endif
