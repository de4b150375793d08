/* Ctrl-C and SIGTERM while there is something to finish and to save. */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#include "cli/cli.h"

#include <signal.h>

static const int signals[] = {SIGINT, SIGTERM};

enum { SIGNALS = sizeof signals / sizeof *signals };

static volatile sig_atomic_t caught;

static void note(int number)
{
    caught = number;
    for (int i = 0; i < SIGNALS; i++)
        signal(signals[i], SIG_DFL);
}

void cli_catch_signals(void)
{
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < SIGNALS; i++)
        sigaddset(&action.sa_mask, signals[i]); /* two at a time are one after the other */
    for (int i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &action, NULL);
}

int cli_caught_signal(void)
{
    return caught;
}

const char *cli_signal_name(int number)
{
    return number == SIGINT ? "SIGINT" : "SIGTERM";
}
