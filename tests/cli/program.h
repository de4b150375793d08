/* Runs of the program MICA_BINARY_DIR/mica in the current folder. */
#ifndef MICA_TEST_PROGRAM_H
#define MICA_TEST_PROGRAM_H

#include <cjson/cJSON.h>

char *slurp(const char *path); /* a file's bytes, and a zero; the caller's to free */

/* One run: its status (-1: a signal ended it), and what it wrote. */
struct run {
    int status;
    char *out, *err;
};

struct run mica(const char *words);
/* The same, where `behind` goes on with the shell's line; $err is the file of its standard error. */
struct run mica_and(const char *words, const char *behind);
void run_free(struct run *run);
/* One line of JSON; the caller deletes it. */
cJSON *mica_json(const char *words);
/* Fails with the status, nothing on standard output, and one line that begins "mica: " and holds `text`. */
void assert_fails(const char *words, int status, const char *text);
void assert_failed(const char *words, struct run run, int status, const char *text); /* the same of a run, which it frees */
double number(const cJSON *json, const char *key);

#endif
