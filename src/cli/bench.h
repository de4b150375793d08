/* mica bench: what its kinds share. */
#ifndef MICA_SRC_CLI_BENCH_H
#define MICA_SRC_CLI_BENCH_H

#include "cli/cli.h"

struct cli_bench_options {
    const char *engine, *variant, *batch, *seconds, *transpose, *groups, *padding, *dilation, *pass, *mode;
    bool no_roof, constant, training, gradient, profile, check, start;
    struct cli_list attributes, sets;
};

/* The words behind the kind, and the options. */
struct cli_request {
    const struct cli_bench_options *options;
    mica_bench_desc common;
    const char *const *words;
    int count;
};

/* Seconds to the first result of a program that starts: with empty caches, and again. */
struct cli_start {
    bool measured;
    double cold, warm;
};

/* The index of a word in a list that ends with NULL; -1 after saying that it is not there. */
int cli_bench_word(const char *option, const char *word, const char *const *words);

/* Checks the words and, where there is a device, measures; false after saying what is wrong with them. */
bool cli_bench_model(mica_device *device, const struct cli_request *request, mica_bench **out);

/* Measures starts, each in a process of its own that uses a new folder for everything that is cached. Called before this
 * process opens a device. False after saying why that failed. */
bool cli_bench_start(const struct cli_common *common, const struct cli_request *request, struct cli_start *start);

#endif
