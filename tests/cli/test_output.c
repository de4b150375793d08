/* What the program writes when it cannot, and when others chose the words. */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/program.h"
#include "support/files.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A class, a column and a layer that would clear a line and write another one. */
#define FORGED "\033[2K\rgood\nmica: all is well"
#define FORGED_JSON "\\u001b[2K\\rgood\\nmica: all is well"
#define SHOWN "\\x1b[2K\\rgood\\nmica: all is well"

/* Ends with 1 and says why, whatever cannot be written. */
static void assert_unwritten(const char *words, const char *redirection)
{
    char command[4096];
    snprintf(command, sizeof command, "'%s/mica' %s 2>output.err </dev/null %s", MICA_BINARY_DIR, words, redirection);
    int status = system(command);
    FILE *file = fopen("output.err", "rb");
    char line[256] = "", *read = fgets(line, sizeof line, file);
    fclose(file);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 1 || !read || strcmp(line, "mica: standard output cannot be written\n"))
        fail_msg("mica %s %s: status %d: %s", words, redirection, status, line);
}

static void unwritten(void **state)
{
    (void)state;
    static const char *const commands[] = {"--version", "--help", "-h", "help", "train --help", "predict --help", "devices",
                                           "devices --json"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        assert_unwritten(commands[i], ">&-");
        if (!access("/dev/full", W_OK))
            assert_unwritten(commands[i], ">/dev/full");
    }
}

/* Without standard streams nothing that is printed gets into the files that are opened. */
static void closed_streams(void **state)
{
    (void)state;
    write_text("closed.csv", "a,y\n1,0\n2,1\n3,0\n4,1\n");
    write_text("closed.json", "{\"model\": {\"layers\": [{\"type\": \"dense\", \"units\": 2}]}, \"data\": {\"format\": \"csv\", "
               "\"path\": \"closed.csv\", \"label\": \"y\"}, \"loss\": \"sparse_categorical_crossentropy\"}");
    char command[4096];
    snprintf(command, sizeof command, "'%s/mica' train closed.json <&- >&- 2>&-", MICA_BINARY_DIR);
    assert_int_equal(WEXITSTATUS(system(command)), 1); /* "saved" could not be written */
    struct run run = mica("inspect closed.safetensors");
    assert_int_equal(run.status, 0);
    run_free(&run);
    remove("closed.csv");
    remove("closed.json");
    remove("closed.safetensors");
}

static void assert_plain(const char *what, const char *text)
{
    for (const char *c = text; *c; c++)
        if ((*c > 0 && *c < ' ' && *c != '\n') || !strncmp(c, "\nmica: all", 10))
            fail_msg("%s prints \"%s\"", what, text);
}

static void assert_shows(const char *words, int status, bool in_errors, const char *text)
{
    struct run run = mica(words);
    if (run.status != status || !strstr(in_errors ? run.err : run.out, text))
        fail_msg("mica %s: status %d, not %d: \"%s\" is not in \"%s\" \"%s\"", words, run.status, status, text, run.out, run.err);
    assert_plain(words, run.out);
    assert_plain(words, run.err);
    run_free(&run);
}

static void words_of_others(void **state)
{
    (void)state;
    FILE *file = fopen("forged.csv", "wb");
    fprintf(file, "a,\"b%s\",kind\n", FORGED);
    for (int i = 0; i < 12; i++)
        fprintf(file, "%d,1,\"%s\"\n", i, i % 2 ? FORGED : "b\xc2\x9b" "c");
    fclose(file);
    write_text("forged.json", "{\"model\": {\"layers\": [{\"type\": \"dense\", \"units\": 2, \"name\": \"" FORGED_JSON "\"}]}, "
               "\"data\": {\"format\": \"csv\", \"path\": \"forged.csv\", \"label\": \"kind\"}, "
               "\"loss\": \"sparse_categorical_crossentropy\", \"epochs\": 2}");
    write_text("forged_key.json", "{\"model\": {\"layers\": [{\"type\": \"dense\", \"units\": 2, \"" FORGED_JSON "\": 1}]}, "
               "\"data\": {}, \"loss\": \"mse\"}");
    FILE *input = fopen("forged_input.csv", "wb");
    fprintf(input, "a,\"b%s\"\n1,1\n2,x%s\n", FORGED, "\033[31m");
    fclose(input);
    assert_shows("train forged.json --out forged.safetensors", 0, false, "saved forged.safetensors");
    assert_shows("inspect forged.safetensors --plan", 0, false, SHOWN);
    assert_shows("predict forged.safetensors --input forged.csv --top 2", 0, false, SHOWN);
    assert_shows("bench model forged.json --seconds 0.001 --no-roof --profile", 0, false, SHOWN);
    assert_shows("inspect forged_key.json", 1, true, SHOWN);
    assert_shows("predict forged.safetensors --input forged_input.csv", 1, true, "\\x1b[31m");
    assert_shows("train 'no\033[31m.json'", 1, true, "no\\x1b[31m.json: No such file");
    cJSON *json = mica_json("predict forged.safetensors --input forged.csv --top 2 --json"), *answer;
    bool exact = false;
    cJSON_ArrayForEach(answer, cJSON_GetObjectItem(cJSON_GetArrayItem(cJSON_GetObjectItem(json, "predictions"), 0), "top"))
        exact = exact || !strcmp(cJSON_GetObjectItem(answer, "label")->valuestring, FORGED);
    assert_true(exact);
    cJSON_Delete(json);
    static const char *const files[] = {"forged.csv", "forged.json", "forged_key.json", "forged_input.csv", "forged.safetensors"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        remove(files[i]);
}

/* A job that no machine can run, with quick tuning, which would try it. */
static void too_large(void **state)
{
    (void)state;
    const char *before = getenv("MICA_TUNING");
    char old[32];
    snprintf(old, sizeof old, "%s", before ? before : "");
    setenv("MICA_TUNING", "quick", 1);
    write_text("large.json", "{\"model\": {\"input_shape\": [1, 10000, 10000], \"layers\": [{\"type\": \"conv2d\", \"filters\": 64, "
               "\"kernel_size\": 3}, {\"type\": \"global_average_pooling\"}, {\"type\": \"dense\", \"units\": 2}]}, \"data\": "
               "{\"format\": \"csv\", \"path\": \"none.csv\"}, \"loss\": \"sparse_categorical_crossentropy\"}");
    assert_fails("inspect large.json", 1, "\"conv2d\"");
    assert_fails("inspect large.json", 1, "the device allocates at most");
    write_text("large.json", "{\"model\": {\"input_shape\": [4], \"layers\": [{\"type\": \"repeat_vector\", \"n\": 1000000000, "
               "\"name\": \"many\"}]}, \"data\": {\"format\": \"csv\", \"path\": \"none.csv\"}, \"loss\": \"mse\"}");
    assert_fails("inspect large.json", 1, "\"many\" (");
    setenv("MICA_TUNING", old, 1);
    remove("large.json");
}

static void jobs_are_no_models(void **state)
{
    (void)state;
    assert_fails("predict some.json --input x.csv", 1, "some.json: this is a job, a model is needed here");
    assert_fails("evaluate some.json --data some.json", 1, "some.json: this is a job, a model is needed here");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(unwritten), cmocka_unit_test(closed_streams),
                                       cmocka_unit_test(words_of_others), cmocka_unit_test(too_large),
                                       cmocka_unit_test(jobs_are_no_models)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
