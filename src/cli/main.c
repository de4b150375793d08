/* The program `mica`: trains, evaluates and runs networks, and shows devices. It sets no locale, so what it writes has a point. */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/cli.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct cli_command *const commands[] = {&cli_train, &cli_evaluate, &cli_predict, &cli_generate,
                                                     &cli_inspect, &cli_bench, &cli_tune, &cli_devices};

#define COMMAND_NAMES "train, evaluate, predict, generate, inspect, bench, tune or devices"
enum { COMMANDS = sizeof commands / sizeof *commands };

static void print_usage(void)
{
    fputs("Usage: mica COMMAND ...\n\n", stdout);
    for (int i = 0; i < COMMANDS; i++)
        printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\nmica COMMAND --help tells more. Every command takes --json, --device D (gpu, cpu, 1:0, or a part of the\n"
          "name; otherwise MICA_DEVICE or the best) and --debug. Exit status: 0, 1 failed, 2 wrong usage, 3 a\n"
          "requirement was not met.\n", stdout);
}

/* What could not be written is a failure: a full disk, a closed pipe. */
static int flushed(int code)
{
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == CLI_OK)
        return cli_fail(CLI_FAILED, "standard output cannot be written");
    return code;
}

/* A standard stream that the caller has closed would be the number of the next file that is opened, and that file would get what is
 * printed. So something stands in its place with which nothing can be done. */
static void hold_streams(void)
{
    for (int stream = 0; stream < 3; stream++)
        if (fcntl(stream, F_GETFD) < 0)
            (void)open("/dev/null", stream ? O_RDONLY : O_WRONLY); /* the lowest free number is this one */
}

static int run(int argc, char **argv)
{
    if (argc < 2)
        return cli_fail(CLI_USAGE, "a command is missing: " COMMAND_NAMES "; see mica --help");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_usage();
        return CLI_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("mica %s\n", mica_version());
        return CLI_OK;
    }
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, argv[1]) == 0)
            return commands[i]->run(argc - 2, argv + 2);
    return cli_fail(CLI_USAGE, "there is no command \"%s\": " COMMAND_NAMES, argv[1]);
}

int main(int argc, char **argv)
{
    hold_streams();
    return flushed(run(argc, argv));
}
