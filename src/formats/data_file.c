/* Files of data: read within limits, and refused by name where they are of a kind that cannot be read. */
#include "formats/formats.h"

#include <stdlib.h>
#include <string.h>

/* Where nothing is said: half of the memory, and no file that unpacks to a hundred times its size. */
enum { MEMORY_SHARE = 2, USUAL_RATIO = 100 };

struct mi_budget mi_budget_of(const mica_read_limits *limits)
{
    uint64_t memory = mi_memory_bytes() / MEMORY_SHARE;
    return (struct mi_budget){.bytes = limits && limits->bytes ? limits->bytes : memory ? memory : UINT64_MAX,
                              .ratio = limits && limits->ratio ? limits->ratio : USUAL_RATIO};
}

mica_status mi_budget_take(struct mi_budget *budget, struct mi_error *error, const char *place, const char *what, uint64_t bytes)
{
    if (bytes > budget->bytes - budget->used)
        return mi_fail(error, MICA_FORMAT, "%s: %s take %llu bytes, and %llu of %llu are left" MI_LIMITS_ADVICE, place, what,
                       (unsigned long long)bytes, (unsigned long long)(budget->bytes - budget->used),
                       (unsigned long long)budget->bytes);
    budget->used += bytes;
    return MICA_OK;
}

void mi_budget_give(struct mi_budget *budget, uint64_t bytes)
{
    budget->used -= bytes < budget->used ? bytes : budget->used;
}


static mica_status refuse_foreign(struct mi_error *error, const char *path, const unsigned char *bytes, size_t size)
{
    static const struct { const char *begin, *is; } kinds[] = {
        {"PK\3\4", "a zip archive, as .npz and .xlsx are; save one array as .npy with numpy.save, or a spreadsheet as CSV"},
        {"PAR1", "a Parquet file; pandas writes CSV with to_csv, NumPy an array with numpy.save"},
        {"\x89HDF", "an HDF5 file; save arrays as .npy with numpy.save"},
        {"\x89PNG", "an image; save arrays of pixels as .npy with numpy.save"},
        {"\xff\xd8\xff", "an image; save arrays of pixels as .npy with numpy.save"},
        {"SQLite format 3", "a database; save a query's result as CSV"},
        {"BZh", "packed by bzip2; only gzip can be undone"},
        {"\xfd" "7zXZ", "packed by xz; only gzip can be undone"},
        {"\x28\xb5\x2f\xfd", "packed by zstd; only gzip can be undone"},
    };
    for (size_t i = 0; i < MI_COUNT(kinds); i++) {
        size_t length = strlen(kinds[i].begin);
        if (size >= length && !memcmp(bytes, kinds[i].begin, length))
            return mi_fail(error, MICA_FORMAT, "%s: this is %s", path, kinds[i].is);
    }
    return MICA_OK;
}

mica_status mi_data_file_read(struct mi_error *error, const char *path, struct mi_budget *budget, unsigned char **bytes,
                              size_t *size)
{
    struct mi_file_limits limits = {budget->bytes - budget->used, budget->ratio, MI_LIMITS_ADVICE};
    MI_TRY(mi_file_read_within(error, path, &limits, bytes, size));
    mica_status status = refuse_foreign(error, path, *bytes, *size);
    if (status == MICA_OK)
        status = mi_budget_take(budget, error, path, "its contents", *size);
    if (status == MICA_OK)
        return MICA_OK;
    free(*bytes);
    *bytes = NULL;
    *size = 0;
    return status;
}
