/* Files: reading with limits, gzip, atomic replacement, paths. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"
#include "support/files.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

static char folder[256];

static int begin(void **state)
{
    const char *base = getenv("TMPDIR");
    (void)state;
    snprintf(folder, sizeof folder, "%.200s/mica-file-XXXXXX", base ? base : "/tmp");
    return mkdtemp(folder) ? 0 : 1;
}

static const char *in_folder(const char *name)
{
    static char paths[4][1024];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* The names in the folder, besides . and .. */
static int entries(void)
{
    int count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count - 2;
}

static int end(void **state)
{
    (void)state;
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            unlink(in_folder(entry->d_name));
    if (dir)
        closedir(dir);
    return rmdir(folder);
}

static void expect(const char *path, uint64_t limit, mica_status status, const char *what)
{
    struct mi_error error = {0};
    unsigned char *bytes;
    size_t size;
    assert_int_equal(mi_file_read(&error, path, limit, &bytes, &size), status);
    if (status == MICA_OK) {
        assert_int_equal(size, strlen(what));
        assert_string_equal((const char *)bytes, what);
        free(bytes);
        return;
    }
    assert_null(bytes);
    if (!strstr(error.text, what) || !strstr(error.text, path))
        fail_msg("\"%s\" should say \"%s\"", error.text, what);
}

static void test_read(void **state)
{
    (void)state;
    write_bytes(in_folder("plain"), "hello", 5);
    write_bytes(in_folder("empty"), "", 0);
    expect(in_folder("plain"), 5, MICA_OK, "hello");
    expect(in_folder("empty"), 5, MICA_OK, "");
    expect(in_folder("plain"), 4, MICA_FORMAT, "more than the limit of 4 bytes");
    expect(in_folder("absent"), 4, MICA_IO, "No such file");
    expect(folder, 4, MICA_IO, "directory");
}

static void put_gzip(const char *path, const char *mode, const char *text)
{
    gzFile file = gzopen(path, mode);
    assert_non_null(file);
    assert_int_equal(gzwrite(file, text, (unsigned)strlen(text)), (int)strlen(text));
    gzclose(file);
}

static void test_gzip(void **state)
{
    (void)state;
    struct mi_error error = {0};
    const char *path = in_folder("z.gz");
    unsigned char *bytes;
    size_t size;
    put_gzip(path, "wb", "hello ");
    expect(path, 100, MICA_OK, "hello ");
    expect(path, 26, MICA_OK, "hello ");
    put_gzip(path, "ab", "world"); /* a second member */
    expect(path, 100, MICA_OK, "hello world");
    put_gzip(path, "wb", "");
    expect(path, 100, MICA_OK, "");
    static char zeros[200000];
    memset(zeros, 'a', sizeof zeros - 1);
    put_gzip(path, "wb", zeros); /* 200 KB in 300 bytes */
    assert_int_equal(mi_file_read(&error, path, sizeof zeros - 1, &bytes, &size), MICA_OK);
    assert_int_equal(size, sizeof zeros - 1);
    free(bytes);
    expect(path, sizeof zeros - 2, MICA_FORMAT, "more than the limit");
}

/* A gzip file of `mebibytes` of zeros in one member, and a word in a second one, which alone tells its size at the end. */
static void put_bomb(const char *path, int mebibytes)
{
    static char zeros[1 << 20];
    gzFile file = gzopen(path, "wb9");
    assert_non_null(file);
    for (int i = 0; i < mebibytes; i++)
        assert_int_equal(gzwrite(file, zeros, sizeof zeros), (int)sizeof zeros);
    gzclose(file);
    put_gzip(path, "ab", "end");
}

static void test_ratio(void **state)
{
    (void)state;
    struct mi_error error = {0};
    const char *path = in_folder("bomb.gz");
    unsigned char *bytes;
    size_t size;
    put_bomb(path, 66);
    const struct mi_file_limits tight = {.bytes = 1u << 30, .ratio = 100, .advice = "; so be it"},
                                wide = {.bytes = 1u << 30, .ratio = 1032};
    assert_int_equal(mi_file_read_within(&error, path, &tight, &bytes, &size), MICA_FORMAT);
    assert_non_null(strstr(error.text, "bomb.gz: unpacks to more than 100 times its size; so be it"));
    assert_null(bytes);
    error = (struct mi_error){0};
    assert_int_equal(mi_file_read_within(&error, path, &wide, &bytes, &size), MICA_OK);
    assert_int_equal(size, ((size_t)66 << 20) + 3);
    assert_string_equal((const char *)bytes + size - 3, "end");
    free(bytes);
    put_bomb(path, 60); /* small enough for any ratio */
    assert_int_equal(mi_file_read_within(&error, path, &tight, &bytes, &size), MICA_OK);
    free(bytes);
}

/* What has no size beforehand, and a file that is longer than a piece that is read at once. */
static void test_pipe(void **state)
{
    (void)state;
    struct mi_error error = {0};
    unsigned char *bytes;
    size_t size;
    char command[700];
    static const char *const says[] = {"", " | gzip"};
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    for (size_t i = 0; i < MI_COUNT(says); i++) {
        snprintf(command, sizeof command, "yes hello | head -c 300000%s > '%s' &", says[i], in_folder("pipe"));
        assert_int_equal(system(command), 0);
        assert_int_equal(mi_file_read(&error, in_folder("pipe"), 300000, &bytes, &size), MICA_OK);
        assert_int_equal(size, 300000);
        assert_memory_equal(bytes + size - 6, "hello\n", 6);
        free(bytes);
    }
}

static void test_memory_bytes(void **state)
{
    (void)state;
    assert_true(mi_memory_bytes() > (uint64_t)64 << 20);
}

static void test_broken_gzip(void **state)
{
    (void)state;
    struct mi_error error = {0};
    const char *path = in_folder("broken.gz");
    unsigned char *bytes;
    size_t size;
    char packed[200];
    put_gzip(path, "wb", "some words to pack, some words to pack");
    FILE *file = fopen(path, "rb");
    size_t length = fread(packed, 1, sizeof packed, file);
    fclose(file);
    for (size_t cut = 3; cut < length; cut++) {
        write_bytes(path, packed, cut);
        error = (struct mi_error){0};
        assert_int_equal(mi_file_read(&error, path, 1000, &bytes, &size), MICA_FORMAT);
    }
    packed[length - 8] ^= 1; /* the checksum */
    write_bytes(path, packed, length);
    expect(path, 1000, MICA_FORMAT, "broken gzip data");
    packed[length - 8] ^= 1;
    packed[length] = 0;
    packed[length + 1] = 0;
    write_bytes(path, packed, length + 2);
    expect(path, 1000, MICA_OK, "some words to pack, some words to pack");
    packed[length + 1] = 'x';
    write_bytes(path, packed, length + 2);
    expect(path, 1000, MICA_FORMAT, "2 bytes follow the end");
}

static void test_replace(void **state)
{
    (void)state;
    struct mi_error error = {0};
    struct mi_file *file;
    struct stat info;
    const char *path = in_folder("target");
    write_bytes(path, "old", 3);
    assert_int_equal(chmod(path, 0640), 0);
    int before = entries();
    assert_int_equal(mi_file_create(&error, path, &file), MICA_OK);
    assert_int_equal(mi_file_write(file, "new ", 4), MICA_OK);
    expect(path, 100, MICA_OK, "old");
    assert_int_equal(mi_file_write(file, "words", 5), MICA_OK);
    assert_int_equal(mi_file_commit(file), MICA_OK);
    expect(path, 100, MICA_OK, "new words");
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
    assert_int_equal(mi_file_create(&error, path, &file), MICA_OK);
    assert_int_equal(mi_file_write(file, "half", 4), MICA_OK);
    mi_file_abandon(file);
    mi_file_abandon(NULL);
    expect(path, 100, MICA_OK, "new words");
    assert_int_equal(entries(), before);
}

static void test_create(void **state)
{
    (void)state;
    struct mi_error error = {0};
    struct mi_file *file;
    struct stat info;
    mode_t mask = umask(022);
    assert_int_equal(mi_file_create(&error, in_folder("fresh"), &file), MICA_OK);
    assert_int_equal(mi_file_commit(file), MICA_OK);
    assert_int_equal(stat(in_folder("fresh"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0644);
    umask(mask);
    assert_int_equal(mi_file_create(&error, in_folder("no/such"), &file), MICA_IO);
    assert_null(file);
    assert_non_null(strstr(error.text, "no/such: no file can be made in the folder "));
    error = (struct mi_error){0};
    assert_int_equal(mi_file_create(&error, folder, &file), MICA_IO);
    assert_non_null(strstr(error.text, "directory"));
}

static void test_links_and_devices(void **state)
{
    (void)state;
    struct mi_error error = {0};
    struct mi_file *file;
    struct stat info;
    write_bytes(in_folder("real"), "old", 3);
    assert_int_equal(symlink("real", in_folder("link")), 0);
    assert_int_equal(mi_file_create(&error, in_folder("link"), &file), MICA_OK);
    mi_file_write(file, "new", 3);
    assert_int_equal(mi_file_commit(file), MICA_OK);
    expect(in_folder("real"), 100, MICA_OK, "new");
    assert_int_equal(lstat(in_folder("link"), &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(mi_file_create(&error, "/dev/null", &file), MICA_OK);
    mi_file_write(file, "new", 3);
    assert_int_equal(mi_file_commit(file), MICA_OK);
    assert_int_equal(stat("/dev/null", &info), 0);
    assert_true(S_ISCHR(info.st_mode));
    if (!access("/dev/full", W_OK)) {
        assert_int_equal(mi_file_create(&error, "/dev/full", &file), MICA_OK);
        mi_file_write(file, "new", 3);
        assert_int_equal(mi_file_commit(file), MICA_IO);
        assert_non_null(strstr(error.text, "/dev/full: No space"));
    }
}

/* A link to a file that is yet to be made stays, also through another link. */
static void test_links_to_nothing(void **state)
{
    (void)state;
    struct mi_error error = {0};
    struct mi_file *file;
    struct stat info;
    assert_int_equal(symlink("second", in_folder("first")), 0);
    assert_int_equal(symlink(in_folder("target"), in_folder("second")), 0);
    assert_int_equal(mi_file_create(&error, in_folder("first"), &file), MICA_OK);
    mi_file_write(file, "new", 3);
    assert_int_equal(mi_file_commit(file), MICA_OK);
    assert_int_equal(lstat(in_folder("first"), &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(lstat(in_folder("target"), &info), 0);
    assert_true(S_ISREG(info.st_mode));
    expect(in_folder("first"), 100, MICA_OK, "new");
    assert_int_equal(symlink("circle", in_folder("circle")), 0);
    assert_int_equal(mi_file_create(&error, in_folder("circle"), &file), MICA_IO);
    assert_null(file);
}

static void test_places(void **state)
{
    (void)state;
    struct mi_error error = {0};
    int before = entries();
    assert_int_equal(mi_file_check_place(&error, in_folder("place")), MICA_OK);
    assert_int_equal(mi_file_check_place(&error, "/dev/null"), MICA_OK);
    assert_int_equal(entries(), before);
    assert_int_equal(mi_file_check_place(&error, folder), MICA_IO);
    assert_non_null(strstr(error.text, "directory"));
    assert_int_equal(symlink("nowhere/file", in_folder("lost")), 0);
    error = (struct mi_error){0};
    assert_int_equal(mi_file_check_place(&error, in_folder("lost")), MICA_IO);
    assert_non_null(strstr(error.text, "/nowhere/file: no file can be made in the folder "));
}

/* What a killed process left goes with the next file of that name; what somebody still writes, or another's, stays. */
static void test_leftovers(void **state)
{
    (void)state;
    struct mi_error error = {0};
    struct mi_file *first, *second;
    pid_t child = fork();
    if (!child) { /* killed in the middle of a save */
        mi_file_create(&error, in_folder("saved"), &first);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    write_bytes(in_folder("saved.c0ffee.tmp.txt"), "x", 1);
    write_bytes(in_folder("other.c0ffee.tmp"), "x", 1);
    int before = entries();
    assert_int_equal(mi_file_create(&error, in_folder("saved"), &first), MICA_OK); /* one goes, one comes */
    assert_int_equal(entries(), before);
    assert_int_equal(mi_file_create(&error, in_folder("saved"), &second), MICA_OK);
    assert_int_equal(entries(), before + 1);
    mi_file_write(first, "first", 5);
    mi_file_write(second, "second", 6);
    assert_int_equal(mi_file_commit(first), MICA_OK);
    assert_int_equal(mi_file_commit(second), MICA_OK);
    expect(in_folder("saved"), 100, MICA_OK, "second");
    assert_int_equal(entries(), before);
}

static void test_paths(void **state)
{
    (void)state;
    static const char *const joins[][3] = {{"a/b", "c", "a/b/c"}, {"a/", "c", "a/c"}, {".", "c", "c"},
                                           {"", "c", "c"}, {"/", "c", "/c"}, {"a", "/c", "/c"}};
    static const char *const folders[][2] = {{"a/b/c", "a/b"}, {"c", "."}, {"/c", "/"}, {"a/", "a"}};
    for (size_t i = 0; i < MI_COUNT(joins); i++) {
        char *path = mi_path_join(joins[i][0], joins[i][1]);
        assert_string_equal(path, joins[i][2]);
        free(path);
    }
    for (size_t i = 0; i < MI_COUNT(folders); i++) {
        char *path = mi_path_folder(folders[i][0]);
        assert_string_equal(path, folders[i][1]);
        free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),    cmocka_unit_test(test_gzip),   cmocka_unit_test(test_ratio), cmocka_unit_test(test_pipe), cmocka_unit_test(test_memory_bytes),
        cmocka_unit_test(test_broken_gzip),
        cmocka_unit_test(test_replace), cmocka_unit_test(test_create),
        cmocka_unit_test(test_links_and_devices), cmocka_unit_test(test_links_to_nothing),
        cmocka_unit_test(test_places),  cmocka_unit_test(test_leftovers), cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
