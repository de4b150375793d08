/* Runs of the program. */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

char *slurp(const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *text = calloc(1, 1 << 22);
    assert_non_null(text);
    size_t size = fread(text, 1, (1 << 22) - 1, file);
    text[size] = 0;
    fclose(file);
    return text;
}

struct run mica_and(const char *words, const char *behind)
{
    char command[4096];
    char out[32], err[32]; /* other test programs run in the same folder */
    snprintf(out, sizeof out, "cli-%ld.out", (long)getpid());
    snprintf(err, sizeof err, "cli-%ld.err", (long)getpid());
    snprintf(command, sizeof command, "err=%s; '%s/mica' %s >%s 2>$err </dev/null %s", err, MICA_BINARY_DIR, words, out, behind);
    int status = system(command);
    struct run run = {WIFEXITED(status) ? WEXITSTATUS(status) : -1, slurp(out), slurp(err)};
    remove(out);
    remove(err);
    return run;
}

struct run mica(const char *words)
{
    return mica_and(words, "");
}

void run_free(struct run *run)
{
    free(run->out);
    free(run->err);
}

cJSON *mica_json(const char *words)
{
    struct run run = mica(words);
    if (run.status)
        fail_msg("mica %s: status %d: %s", words, run.status, run.err);
    cJSON *json = cJSON_Parse(run.out);
    if (!json || strchr(run.out, '\n') != run.out + strlen(run.out) - 1)
        fail_msg("mica %s: not one line of JSON: %s", words, run.out);
    run_free(&run);
    return json;
}

void assert_failed(const char *words, struct run run, int status, const char *text)
{
    char *line = strstr(run.err, "mica: ");
    const int prints = status == 3; /* an unmet requirement: what was measured */
    if (run.status != status || (*run.out != 0) != prints || !line || (line != run.err && line[-1] != '\n') || !strstr(line, text) ||
        strchr(line, '\n') != line + strlen(line) - 1)
        fail_msg("mica %s: status %d, standard output \"%s\", standard error \"%s\"; expected %d and \"%s\"", words, run.status,
                 run.out, run.err, status, text);
    run_free(&run);
}

void assert_fails(const char *words, int status, const char *text)
{
    assert_failed(words, mica(words), status, text);
}

double number(const cJSON *json, const char *key)
{
    const cJSON *item = cJSON_GetObjectItem(json, key);
    if (!cJSON_IsNumber(item))
        fail_msg("%s is missing", key);
    return item->valuedouble;
}
