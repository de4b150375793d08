/* A child of fork: it gets an error, in finite time, from a device that its parent opened and from one that it opens itself. */
#if !defined(_XOPEN_SOURCE)
#define _XOPEN_SOURCE 700
#endif
#include "support/device.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ELEMENTS = 256, SECONDS = 60 };

/* Sends values there and back. */
static mica_status round_trip(mica_device *device)
{
    float values[ELEMENTS] = {1, 2, 3}, back[ELEMENTS] = {0};
    struct mi_buffer buffer = {0};
    mica_status status = mi_buffer_create(device, sizeof values, &buffer);
    if (!status)
        status = mi_buffer_write(device, &buffer, 0, values, sizeof values, NULL);
    if (!status)
        status = mi_buffer_read(device, &buffer, 0, back, sizeof back);
    if (!status && memcmp(values, back, sizeof values))
        status = MICA_INTERNAL;
    mi_buffer_destroy(device, &buffer);
    return status;
}

/* Whether a child ends by itself, and well. It is made when the driver's threads have come to rest: a lock that one of them held
 * would stay held in the child, and no caller of the driver can know. */
static void in_child(int (*work)(mica_device *), mica_device *device)
{
    int status = 0;
    const struct timespec rest = {.tv_nsec = 200 * 1000 * 1000};
    assert_int_equal(mi_device_finish(device), MICA_OK);
    nanosleep(&rest, NULL);
    pid_t child = fork();
    if (!child) {
        alarm(SECONDS);
        _exit(work(device));
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        fail_msg("the child: signal %d, status %d", WIFSIGNALED(status) ? WTERMSIG(status) : 0, WEXITSTATUS(status));
    assert_int_equal(round_trip(device), MICA_OK); /* the parent's works on */
}

static int use(mica_device *device)
{
    bool refused = round_trip(device) == MICA_DEVICE_LOST && mica_device_status(device) == MICA_DEVICE_LOST &&
                   strstr(mica_device_error(device), "forked");
    mica_device_clear_error(device);
    refused = refused && mi_device_finish(device) == MICA_DEVICE_LOST;
    mica_device_destroy(device);
    return !refused;
}

static int only_destroy(mica_device *device)
{
    mica_device_destroy(device);
    return 0;
}

/* Some drivers work in a child. */
static int open_another(mica_device *device)
{
    (void)device;
    mica_device *own = mica_device_open(NULL);
    mica_status status = mica_device_status(own);
    if (!status)
        status = round_trip(own);
    bool good = !status || (status == MICA_DEVICE_LOST && strstr(mica_device_error(own), "forked"));
    mica_device_destroy(own);
    return !good;
}

static void children(void **state)
{
    assert_int_equal(round_trip(*state), MICA_OK);
    in_child(use, *state);
    in_child(only_destroy, *state);
    in_child(open_another, *state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(children)};
    return cmocka_run_group_tests(tests, open_device, close_device);
}
