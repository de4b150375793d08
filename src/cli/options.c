/* Options, error lines and JSON output. */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/cli.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool quiet;

void cli_be_quiet(void)
{
    quiet = true;
}

bool cli_is_quiet(void)
{
    return quiet;
}

/* One line, whatever the words in it are. */
static void say(const char *before, const char *format, va_list arguments)
{
    char text[4096], shown[4096];
    vsnprintf(text, sizeof text, format, arguments);
    fprintf(stderr, "%s%s\n", before, mica_printable(text, shown, sizeof shown));
}

int cli_fail(int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say("mica: ", format, arguments);
    va_end(arguments);
    return code;
}

void cli_note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (!quiet)
        say("note: ", format, arguments);
    va_end(arguments);
}

void cli_say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (!quiet)
        say("", format, arguments);
    va_end(arguments);
}

struct cli_shown cli_show(const char *text)
{
    struct cli_shown out;
    mica_printable(text, out.text, sizeof out.text);
    return out;
}

/* ---- Options ---- */

static int take_value(const struct cli_command *command, const struct cli_option *option, const char *value)
{
    if (option->value) {
        *option->value = value;
    } else if (option->list->count == CLI_MOST_VALUES) {
        return cli_fail(CLI_USAGE, "%s: %s is given more than %d times", command->name, option->name, CLI_MOST_VALUES);
    } else {
        option->list->values[option->list->count++] = value;
    }
    return CLI_OK;
}

/* Reads argv[*i], and its value behind it. */
static int take_option(const struct cli_command *command, int argc, char **argv, int *i, const struct cli_option *options,
                       int count)
{
    const char *word = argv[*i], *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
    for (int k = 0; k < count; k++) {
        const struct cli_option *option = &options[k];
        if (strlen(option->name) != length || strncmp(option->name, word, length))
            continue;
        if (option->flag) {
            if (equals)
                return cli_fail(CLI_USAGE, "%s: %s takes no value", command->name, option->name);
            *option->flag = true;
            return CLI_OK;
        }
        if (!equals && *i + 1 >= argc)
            return cli_fail(CLI_USAGE, "%s: %s needs a value", command->name, option->name);
        return take_value(command, option, equals ? equals + 1 : argv[++*i]);
    }
    return cli_fail(CLI_USAGE, "%s: there is no option \"%s\"; see mica %s --help", command->name, word, command->name);
}

int cli_parse(const struct cli_command *command, int argc, char **argv, const struct cli_option *options, int option_count,
              struct cli_common *common, const char **words, int least, int most)
{
    const struct cli_option shared[] = {
        {.name = "--device", .value = &common->device}, {.name = "--json", .flag = &common->json},
        {.name = "--debug", .flag = &common->debug}, {.name = "--help", .flag = &common->help},
        {.name = "-h", .flag = &common->help}};
    struct cli_option all[32];
    int total = 0, found = 0;
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++)
        all[total++] = shared[i];
    for (int i = 0; i < option_count && total < 32; i++)
        all[total++] = options[i];
    for (int i = 0; i < argc; i++) {
        if (argv[i][0] == '-' && argv[i][1]) {
            int code = take_option(command, argc, argv, &i, all, total);
            if (code != CLI_OK)
                return code;
        } else if (found == most) {
            return cli_fail(CLI_USAGE, "%s: \"%s\" is one word too many; see mica %s --help", command->name, argv[i],
                            command->name);
        } else {
            words[found++] = argv[i];
        }
    }
    if (common->help) {
        fputs(command->help, stdout);
        return CLI_OK;
    }
    if (found < least) { /* the word behind "mica COMMAND" in its usage */
        const char *word = strstr(command->help, command->name) + strlen(command->name) + 1;
        return cli_fail(CLI_USAGE, "%s: %.*s is missing; see mica %s --help", command->name, (int)strcspn(word, " "), word,
                        command->name);
    }
    return CLI_OK;
}

/* ---- Devices ---- */

static bool show_note(void *user, const mica_compile_progress *now)
{
    (void)user;
    if (now->note)
        cli_note("%s: it is not used", now->note);
    return !cli_caught_signal();
}

/* A line that is written over, once a compilation has taken a second. */
static bool show_compiling(void *user, const mica_compile_progress *now)
{
    bool goes_on = show_note(user, now);
    if (now->done < now->total && now->seconds < 1)
        return goes_on;
    if (now->done < now->total)
        fprintf(stderr, "\rcompiling kernels: %d of %d steps, %.0f s ", now->done, now->total, now->seconds);
    else
        fputs("\r\033[K", stderr);
    return goes_on;
}

mica_device *cli_open_device(const struct cli_common *common)
{
    mica_device *device = mica_device_open(
        &(mica_device_desc){.select = common->device, .debug = common->debug, .tuning = common->tuning});
    mica_device_on_compile(device, isatty(STDERR_FILENO) && !quiet ? show_compiling : show_note, NULL);
    if (device && mica_device_status(device) == MICA_OK)
        return device;
    cli_fail(CLI_FAILED, "%s", device ? mica_device_error(device) : mica_status_text(MICA_OUT_OF_MEMORY));
    mica_device_destroy(device);
    return NULL;
}

int cli_device_failed(const mica_device *device)
{
    const char *text = mica_device_error(device);
    return cli_fail(CLI_FAILED, "%s", *text ? text : "the call failed and left no reason");
}

/* One file, by whatever names. */
static bool is_same_file(const char *a, const char *b)
{
    struct stat x, y;
    return !stat(a, &x) && !stat(b, &y) && S_ISREG(x.st_mode) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int cli_check_output(mica_device *device, const char *path, const char *const *read, int count)
{
    for (int i = 0; i < count; i++)
        if (is_same_file(path, read[i]))
            return cli_fail(CLI_USAGE, "%s is read, and would be written over; the output needs another name", path);
    return mica_check_output(device, path) == MICA_OK ? CLI_OK : cli_device_failed(device);
}

void cli_note_unused_gpu(const mica_device *device)
{
    const mica_device_info *used = mica_device_get_info(device);
    if (used->type == MICA_DEVICE_DISCRETE_GPU || used->type == MICA_DEVICE_INTEGRATED_GPU)
        return;
    mica_devices *found = mica_devices_find();
    for (int i = 0; i < mica_devices_absent_count(found); i++) {
        const mica_absent_gpu *gpu = mica_devices_absent(found, i);
        cli_note("this machine's %s is not used: %s", gpu->name, gpu->advice);
    }
    mica_devices_destroy(found);
}

/* ---- JSON ---- */

cJSON *cli_float(float value)
{
    char text[40];
    for (int digits = 6; digits < 10; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) >= value && strtof(text, NULL) <= value)
            break;
    }
    return cJSON_CreateNumber(strtod(text, NULL));
}

void cli_add_float(cJSON *object, const char *key, float value)
{
    if (!isnan(value))
        cJSON_AddItemToObject(object, key, cli_float(value));
}

int cli_print_json(cJSON *json)
{
    char *text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    if (!text)
        return cli_fail(CLI_FAILED, "%s", mica_status_text(MICA_OUT_OF_MEMORY));
    int printed = puts(text) >= 0 && fflush(stdout) == 0;
    cJSON_free(text);
    return printed ? CLI_OK : cli_fail(CLI_FAILED, "standard output cannot be written");
}
