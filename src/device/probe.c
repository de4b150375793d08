/* Tries a driver in a child process first, where listing its devices may end the process. POCL calls abort()
 * in clGetDeviceIDs when hwloc finds no /sys (a bare chroot, some containers), and no caller can catch that.
 *
 * A fork costs a millisecond or more and doubles the start of the driver, so it happens only where /sys is
 * not there. The child's end is read from a pipe, not from its exit status: an application may ignore SIGCHLD
 * or reap children. */
#define _POSIX_C_SOURCE 200809L

#include "device/devices.h"

#if defined(_WIN32)

bool mi_probe_needed(void)
{
    return false;
}

enum mi_probe mi_probe_run(void (*work)(void *), void *context, int patience_ms)
{
    (void)work;
    (void)context;
    (void)patience_ms;
    return MI_PROBE_UNKNOWN;
}

#else

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

bool mi_probe_needed(void)
{
#if defined(__linux__)
    return access("/sys/devices/system/cpu", R_OK | X_OK) != 0;
#else
    return false;
#endif
}

/* The child is silent, leaves no core file, and lets no handler of the application run. */
static void child(void (*work)(void *), void *context, int to_parent)
{
    static const int fatal[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTERM};
    const struct rlimit no_core = {0, 0};
    int nowhere = open("/dev/null", O_RDWR);
    for (size_t i = 0; i < MI_COUNT(fatal); i++)
        signal(fatal[i], SIG_DFL);
    setrlimit(RLIMIT_CORE, &no_core);
    if (nowhere >= 0) {
        dup2(nowhere, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
    } else {
        close(STDOUT_FILENO);
        close(STDERR_FILENO);
    }
    work(context);
    ssize_t written = write(to_parent, "k", 1);
    _exit(written == 1 ? 0 : 1);
}

static enum mi_probe listen_to(int pipe_end, pid_t process, int patience_ms)
{
    struct pollfd waiting = {.fd = pipe_end, .events = POLLIN};
    char byte = 0;
    ssize_t got = 0;
    int ready;
    do
        ready = poll(&waiting, 1, patience_ms);
    while (ready < 0 && errno == EINTR);
    if (ready > 0)
        do
            got = read(pipe_end, &byte, 1);
        while (got < 0 && errno == EINTR);
    else
        kill(process, SIGKILL); /* it hangs: so would the caller */
    while (waitpid(process, NULL, 0) < 0 && errno == EINTR)
        ;
    return got == 1 ? MI_PROBE_SURVIVED : MI_PROBE_DIED;
}

enum mi_probe mi_probe_run(void (*work)(void *), void *context, int patience_ms)
{
    int ends[2];
    if (pipe(ends) != 0)
        return MI_PROBE_UNKNOWN;
    pid_t process = fork();
    if (process == 0) {
        close(ends[0]);
        child(work, context, ends[1]);
    }
    close(ends[1]);
    enum mi_probe result = process < 0 ? MI_PROBE_UNKNOWN : listen_to(ends[0], process, patience_ms);
    close(ends[0]);
    return result;
}

#endif
