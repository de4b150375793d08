/* Programs of several kernels, and binaries kept on disk: damaged, shared, refused. */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#include "on_device.h"

#include "device/programs.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Both define what the other defines too, and ask for another value of it. */
static const char *const three = "#define VALUE 3\n"
                                 "/* a { comment */ __constant int table[2] = {VALUE, 0};\n"
                                 "static inline int value(int x) { return x + table[0]; }\n"
                                 "__kernel void set(__global int *x) { x[0] = value(0); }\n";
static const char *const five = "#define VALUE 5\n"
                                "typedef struct { int a; } pair;\n"
                                "static int value(int y);\n"
                                "static int value(int y)\n{\n    pair p = {y};\n    return p.a + VALUE;\n}\n"
                                "__attribute__((reqd_work_group_size(1, 1, 1)))\n"
                                "__kernel void set(__global int *x) { x[0] = value(0); }\n";

static int run_kernel(mica_device *device, const struct mi_wanted_kernel *wanted)
{
    struct mi_launch launch = {0};
    struct mi_buffer buffer = {0};
    size_t one = 1;
    int result = 0;
    ASSERT_GOOD(device, mi_launch_create(device, wanted->program, wanted->kernel, &launch, NULL));
    ASSERT_GOOD(device, mi_buffer_create(device, sizeof result, &buffer));
    ASSERT_GOOD(device, mi_launch_arg(device, &launch, 0, sizeof buffer.mem, &buffer.mem));
    mi_launch_grid(&launch, 1, &one, &one);
    ASSERT_GOOD(device, mi_launch_run(device, &launch));
    ASSERT_GOOD(device, mi_buffer_read(device, &buffer, 0, &result, sizeof result));
    mi_buffer_destroy(device, &buffer);
    mi_launch_destroy(device, &launch);
    return result;
}

static void check_both(mica_device *device)
{
    struct mi_wanted_kernel wanted[] = {{.name = "set", .source = three}, {.name = "set", .source = five},
                                        {.name = "set", .source = three}};
    ASSERT_GOOD(device, mi_programs_get(device, wanted, 3));
    assert_int_equal(run_kernel(device, &wanted[0]), 3);
    assert_int_equal(run_kernel(device, &wanted[1]), 5);
    assert_ptr_equal(wanted[0].program, wanted[2].program);
    assert_string_equal(wanted[0].kernel, wanted[2].kernel);
}

static void test_joined(void **state)
{
    mica_device *device = *state;
    uint64_t before = device->calls_build;
    check_both(device);
    assert_int_equal(device->calls_build, before + (device->quirks.builds_alone || mi_processors() == 1 ? 1 : 2));
    before = device->calls_build;
    check_both(device);
    assert_int_equal(device->calls_build, before);
}

static void test_join_refuses(void **state)
{
    struct mi_text text = {0};
    (void)state;
    assert_false(mi_join_source(&text, "other", three, "_0"));
    assert_false(mi_join_source(&text, "set", "__kernel void set(__global int *x) { x[0] = 1; ", "_0"));
    assert_int_equal(text.size, 0);
    assert_true(mi_join_source(&text, "set", three, "_7"));
    assert_non_null(strstr(mi_text_get(&text), "#define set set_7\n"));
    assert_non_null(strstr(mi_text_get(&text), "#undef VALUE\n"));
    assert_null(strstr(mi_text_get(&text), "#define VALUE VALUE_7"));
    mi_text_destroy(&text);
}

/* A loop that has three heads, one of them in use. */
static const char *const either =
    "static int value(int x)\n{\n#if 1\n    for (int i = 0; i < 2; i++) {\n        x++;\n"
    "#elif 0\n    for (int i = 0; i < 4; i++) {\n#else\n    for (int i = 0; i < 3; i++) {\n#endif\n        x += 3;\n    }\n"
    "    return x;\n}\n__kernel void set(__global int *x) { x[0] = value(0); }\n";

static void test_join_conditions(void **state)
{
    mica_device *device = *state;
    struct mi_text text = {0};
    struct mi_wanted_kernel wanted[] = {{.name = "set", .source = three}, {.name = "set", .source = either}};
    assert_true(mi_join_source(&text, "set", either, "_0"));
    assert_non_null(strstr(mi_text_get(&text), "#define value value_0\n"));
    mi_text_destroy(&text);
    assert_false(mi_join_source(&text, "set", "#if 1\n__kernel void set(__global int *x) { x[0] = 1; }\n", "_0"));
    assert_false(mi_join_source(&text, "set", "__kernel void set(__global int *x) { x[0] = 1; }\n#endif\n", "_0"));
    assert_false(mi_join_source(&text, "set", "#endif\n#if 1\n__kernel void set(__global int *x) { x[0] = 1; }\n", "_0"));
    assert_int_equal(text.size, 0);
    ASSERT_GOOD(device, mi_programs_get(device, wanted, 2));
    assert_int_equal(run_kernel(device, &wanted[0]), 3);
    assert_int_equal(run_kernel(device, &wanted[1]), 8);
}

/* The kernel that does not compile is named, and the others are kept. */
static void test_guilty(void **state)
{
    mica_device *device = *state;
    const char *good = "__kernel void good(__global int *x) { x[0] = 8; }\n";
    struct mi_wanted_kernel wanted[] = {{.name = "good", .source = good},
                                        {.name = "bad", .source = "__kernel void bad(__global int *x) { x[0] = mistyped; }\n"}};
    assert_int_equal(mi_programs_get(device, wanted, 2), MICA_BUILD);
    ASSERT_ERROR(device, MICA_BUILD, "kernel \"bad\"", "mistyped");
    uint64_t before = device->calls_build;
    ASSERT_GOOD(device, mi_programs_get(device, wanted, 1));
    assert_int_equal(device->calls_build, before);
    assert_int_equal(run_kernel(device, &wanted[0]), 8);
}

/* ---- Telling ---- */

static bool stop(void *user, const mica_compile_progress *now)
{
    int *calls = user;
    assert_true(now->done <= now->total);
    return ++*calls < 2;
}

static void test_cancelled(void **state)
{
    mica_device *device = *state;
    int calls = 0;
    struct mi_wanted_kernel wanted = {.name = "late", .source = "__kernel void late(__global int *x) { x[0] = 4; }\n"};
    mica_device_on_compile(device, stop, &calls);
    mi_compiling_begin(device, 2);
    assert_int_equal(mi_programs_get(device, &wanted, 1), MICA_CANCELLED);
    assert_non_null(strstr(device->error.text, "cancelled after 1 of 2"));
    assert_int_equal(mica_device_status(device), MICA_OK); /* no error: the application asked for it */
    mi_device_begin(device);
    assert_int_equal(device->error.status, MICA_OK);
    mica_device_on_compile(device, NULL, NULL);
    ASSERT_GOOD(device, mi_programs_get(device, &wanted, 1));
    assert_int_equal(run_kernel(device, &wanted), 4);
}

/* ---- On disk ---- */

static char *program_file(const char *folder)
{
    static char path[1024];
    char programs[512];
    struct dirent *item;
    path[0] = 0;
    snprintf(programs, sizeof programs, "%s/programs", folder);
    DIR *list = opendir(programs);
    while (list && (item = readdir(list)) != NULL)
        if (strstr(item->d_name, ".program"))
            snprintf(path, sizeof path, "%s/%s", programs, item->d_name);
    if (list)
        closedir(list);
    return path;
}

static const char *const kept_source = "__kernel void kept(__global int *x) { x[0] = 6; }\n";

/* A device of its own, as a new process has: how many of its programs came from source. */
static struct { const struct mi_cl *real; int sources; } count;

static cl_program CL_API_CALL from_source(cl_context context, cl_uint n, const char **text, const size_t *size, cl_int *code)
{
    count.sources++;
    return count.real->CreateProgramWithSource(context, n, text, size, code);
}

static int sources_needed(void)
{
    mica_device *device = mica_device_open(NULL);
    struct mi_wanted_kernel wanted = {.name = "kept", .source = kept_source};
    assert_int_equal(mica_device_status(device), MICA_OK);
    struct mi_cl table = *device->cl;
    count.real = device->cl;
    count.sources = 0;
    table.CreateProgramWithSource = from_source;
    device->cl = &table;
    ASSERT_GOOD(device, mi_programs_get(device, &wanted, 1));
    assert_int_equal(run_kernel(device, &wanted), 6);
    device->cl = count.real;
    mica_device_destroy(device);
    return count.sources;
}

static void damage(const char *path, long at, int cut)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    if (cut) {
        assert_int_equal(truncate(path, at < 0 ? info.st_size + at : at), 0);
        return;
    }
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, at, at < 0 ? SEEK_END : SEEK_SET);
    int c = fgetc(file);
    fseek(file, at, at < 0 ? SEEK_END : SEEK_SET);
    fputc(c ^ 1, file);
    fclose(file);
}

static void test_kept(void **state)
{
    char folder[] = "/tmp/mica-programs-XXXXXX", blocked[64];
    (void)state;
    assert_non_null(mkdtemp(folder));
    char *old_folder = swap_environment("MICA_CACHE_DIR", folder), *old_use = swap_environment("MICA_PROGRAM_CACHE", "on");
    assert_int_equal(sources_needed(), 1);
    assert_string_not_equal(program_file(folder), "");
    assert_int_equal(sources_needed(), 0);
    const struct { long at; int cut; } harms[] = {{0, 1}, {10, 1}, {40, 1}, {-1, 1}, {0, 0}, {9, 0}, {24, 0}, {60, 0}, {-1, 0}};
    for (size_t i = 0; i < sizeof harms / sizeof *harms; i++) {
        damage(program_file(folder), harms[i].at, harms[i].cut);
        assert_int_equal(sources_needed(), 1); /* built again, and kept again */
        assert_int_equal(sources_needed(), 0);
    }
    mi_folder_trim(folder, ".program", 0); /* not that folder */
    assert_int_equal(sources_needed(), 0);
    char programs[64];
    snprintf(programs, sizeof programs, "%s/programs", folder);
    mi_folder_trim(programs, ".program", 0);
    assert_string_equal(program_file(folder), "");
    snprintf(blocked, sizeof blocked, "%s/file", folder);
    fclose(fopen(blocked, "wb")); /* a file where a folder should be: nothing can be written */
    free(swap_environment("MICA_CACHE_DIR", blocked));
    assert_int_equal(sources_needed(), 1);
    free(swap_environment("MICA_CACHE_DIR", "off"));
    assert_int_equal(sources_needed(), 1);
    assert_string_equal(program_file(folder), "");
    restore_environment("MICA_PROGRAM_CACHE", old_use);
    restore_environment("MICA_CACHE_DIR", old_folder);
    remove(blocked);
    remove(programs);
    remove(folder);
}

/* Two processes that write the same file. */
static void test_race(void **state)
{
    char folder[] = "/tmp/mica-programs-XXXXXX";
    (void)state;
    assert_non_null(mkdtemp(folder));
    char *old_folder = swap_environment("MICA_CACHE_DIR", folder), *old_use = swap_environment("MICA_PROGRAM_CACHE", "on");
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "test", "--once", (char *)NULL);
        _exit(1);
    }
    assert_true(sources_needed() <= 1);
    int status = 0;
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    assert_int_equal(status, 0);
    assert_int_equal(sources_needed(), 0);
    restore_environment("MICA_PROGRAM_CACHE", old_use);
    restore_environment("MICA_CACHE_DIR", old_folder);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joined),    cmocka_unit_test(test_join_refuses), cmocka_unit_test(test_guilty),
        cmocka_unit_test(test_join_conditions),
        cmocka_unit_test(test_cancelled), cmocka_unit_test(test_kept),         cmocka_unit_test(test_race),
    };
    if (argc > 1 && strcmp(argv[1], "--once") == 0)
        return sources_needed() > 1;
    return cmocka_run_group_tests(tests, open_device, close_device);
}
