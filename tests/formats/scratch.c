#define _XOPEN_SOURCE 700
#include "scratch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static char folder[256];
static char made[256][320];
static int made_count;

int scratch_begin(void **state)
{
    const char *base = getenv("TMPDIR");
    (void)state;
    snprintf(folder, sizeof folder, "%.200s/mica-test-XXXXXX", base ? base : "/tmp");
    return mkdtemp(folder) ? 0 : 1;
}

enum { MOST_PREPARED = 64 };
static struct mi_prepared prepared[MOST_PREPARED];
static int prepared_count;

struct mi_prepared *prepared_of(const mica_data *data)
{
    struct mi_error error = {0};
    assert_true(prepared_count < MOST_PREPARED);
    struct mi_prepared *out = &prepared[prepared_count++];
    cJSON *json = mi_data_describe(data);
    assert_non_null(json);
    assert_int_equal(mi_prepared_from_json(&error, "the data", json, out), MICA_OK);
    cJSON_Delete(json);
    return out;
}

int scratch_end(void **state)
{
    for (; prepared_count > 0; prepared_count--)
        mi_prepared_destroy(&prepared[prepared_count - 1]);
    (void)state;
    for (int i = 0; i < made_count; i++)
        unlink(made[i]);
    return rmdir(folder);
}

const char *scratch_path(const char *name)
{
    static char paths[8][320];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    for (int i = 0; i < made_count; i++)
        if (!strcmp(made[i], path))
            return path;
    assert_true(made_count < (int)(sizeof made / sizeof made[0]));
    snprintf(made[made_count++], sizeof made[0], "%s", path);
    return path;
}

const char *scratch_write(const char *name, const void *bytes, size_t size)
{
    const char *path = scratch_path(name);
    write_bytes(path, bytes, size);
    return path;
}

const char *scratch_text(const char *name, const char *text)
{
    return scratch_write(name, text, strlen(text));
}

const char *scratch_gzip(const char *name, const void *bytes, size_t size)
{
    const char *path = scratch_path(name);
    gzFile file = gzopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes, (unsigned)size), (int)size);
    assert_int_equal(gzclose(file), Z_OK);
    return path;
}

void assert_says(const char *text, const char *part)
{
    if (!strstr(text, part) || strchr(text, '\n'))
        fail_msg("the error is \"%s\"; it should say \"%s\"", text, part);
}

void assert_good(const mica_data *data)
{
    assert_non_null(data);
    if (mica_data_status(data) != MICA_OK)
        fail_msg("%s", mica_data_error(data));
}

void assert_refused(mica_data *data, mica_status status, const char *part)
{
    assert_non_null(data);
    assert_says(mica_data_error(data), part);
    assert_int_equal(mica_data_status(data), status);
    mica_data_destroy(data);
}

void assert_near(float a, float b)
{
    if (!(fabsf(a - b) <= 1e-5f * (1 + fabsf(b))))
        fail_msg("%.9g is not %.9g", (double)a, (double)b);
}
