/* The program's own helpers: options, errors, JSON. It uses the library's public headers only. */
#ifndef MICA_SRC_CLI_H
#define MICA_SRC_CLI_H

#include <cjson/cJSON.h>
#include <mica/mica.h>

#include <stdio.h>

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_UNMET = 3 };

/* ---- Options ---- */

enum { CLI_MOST_VALUES = 256 };

/* "--name VALUE" or "--name=VALUE"; a flag has no value; a list may be given again and again. */
struct cli_option {
    const char *name;
    const char **value;              /* of one value; NULL: another kind */
    bool *flag;
    struct cli_list *list;
};

struct cli_list {
    const char *values[CLI_MOST_VALUES];
    int count;
};

/* What most commands have. */
struct cli_common {
    const char *device;
    bool json, debug, help;
    mica_tuning tuning;              /* of the device */
};

/* A command: its words after "mica". */
struct cli_command {
    const char *name, *summary, *help;
    int (*run)(int argc, char **argv);
};

extern const struct cli_command cli_train, cli_evaluate, cli_predict, cli_generate, cli_inspect, cli_bench, cli_tune, cli_devices;

/* Reads options and at most `most` plain words, of which `least` are needed. An error prints its line and gives CLI_USAGE;
 * --help prints the command's help and gives CLI_OK with common->help set. */
int cli_parse(const struct cli_command *command, int argc, char **argv, const struct cli_option *options, int option_count,
              struct cli_common *common, const char **words, int least, int most);

/* ---- Errors and notes: one printable line on standard error ---- */

#if defined(__GNUC__)
#define CLI_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define CLI_PRINTF(text, first)
#endif

int cli_fail(int code, const char *format, ...) CLI_PRINTF(2, 3);
void cli_note(const char *format, ...) CLI_PRINTF(1, 2); /* after "note: " */
void cli_say(const char *format, ...) CLI_PRINTF(1, 2);
/* From now on errors alone are said. */
void cli_be_quiet(void);
bool cli_is_quiet(void);

/* ---- Standard output ---- */

/* A name, a label or a path as a terminal may show it. */
struct cli_shown {
    char text[1024];
};
struct cli_shown cli_show(const char *text);

/* ---- Devices and models ---- */

/* Opens the chosen device; NULL after printing why not. */
mica_device *cli_open_device(const struct cli_common *common);
/* Fails with what the device recorded. */
int cli_device_failed(const mica_device *device);
/* Whether `path` can be written, and is none of the files that the command line names to be read; otherwise what to exit with,
 * after printing why not. */
int cli_check_output(mica_device *device, const char *path, const char *const *read, int count);
/* A line on standard error where a GPU of this machine goes unused. */
void cli_note_unused_gpu(const mica_device *device);

/* What was understood of the data, on standard error. */
void cli_print_notes(const mica_data *data);

/* A model to look at: a saved one, or that of a job file (.json) with its initial weights. */
struct cli_model {
    mica_job *job; /* the model's owner; NULL: there is none */
    mica_model *model;
};
bool cli_is_job(const char *path);
int cli_open_model(mica_device *device, const char *path, struct cli_model *out); /* close it also after a failure */
void cli_close_model(struct cli_model *model);
/* A saved model, or NULL after printing why not: it may be a job. */
mica_model *cli_load_model(mica_device *device, const char *path);
/* Reads the number of samples of --batch; CLI_USAGE after printing why not. */
int cli_batch(const struct cli_command *command, const char *text, int64_t *batch);

/* ---- Signals that ask to stop (interrupt.c) ---- */

/* From now on SIGINT and SIGTERM are only noted; the second one ends the process at once, as if nobody had asked for it. */
void cli_catch_signals(void);
int cli_caught_signal(void); /* 0: none */
const char *cli_signal_name(int number);

/* ---- JSON ---- */

/* Adds a float with the fewest digits that tell it from its neighbours; NaN adds nothing. */
void cli_add_float(cJSON *object, const char *key, float value);
/* Every score that is a number, under its name; and the same as text: "loss 0.1, accuracy 0.98". */
void cli_add_scores(cJSON *object, const mica_scores *scores);
void cli_print_scores(FILE *file, const mica_scores *scores, int digits);
/* Tables of confusion matrices, with the names of the model's classes; those of many classes are left out. */
void cli_print_matrices(FILE *file, const mica_model *model, const mica_scores *scores);

cJSON *cli_float(float value);
/* Prints the object on standard output, one line, and deletes it. */
int cli_print_json(cJSON *json);

#endif
