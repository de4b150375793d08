#include "support/files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void write_bytes(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

void write_text(const char *path, const char *text)
{
    write_bytes(path, text, strlen(text));
}

const char *shared_data(const char *name)
{
    static char paths[4][1024];
    static int next;
    char *path = paths[next++ % 4];
    const char *shared = getenv("MICA_SHARED");
#if defined(MICA_SOURCE_DIR)
    const char *beside = MICA_SOURCE_DIR "/../shared";
#else
    const char *beside = "../shared";
#endif
    snprintf(path, sizeof paths[0], "%s/data/%s", shared ? shared : beside, name);
    if (access(path, R_OK)) {
        print_message("not run: %s is not there\n", path);
        skip();
    }
    return path;
}
