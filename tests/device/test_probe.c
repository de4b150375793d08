/* A search that survives a driver which ends the process: what runs in a child process. */
#define _POSIX_C_SOURCE 200809L

#include "on_device.h"

#include "device/devices.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

static void return_at_once(void *context)
{
    (void)context;
}

static void call_abort(void *context)
{
    (void)context;
    fputs("this must not be seen\n", stderr);
    abort();
}

static void call_exit(void *context)
{
    (void)context;
    _exit(0);
}

static void hang(void *context)
{
    (void)context;
    for (;;)
        pause();
}

static void change(void *context)
{
    *(int *)context = 2;
}

static void test_outcomes(void **state)
{
    (void)state;
    assert_int_equal(mi_probe_run(return_at_once, NULL, PATIENCE_MS), MI_PROBE_SURVIVED);
    assert_int_equal(mi_probe_run(call_abort, NULL, PATIENCE_MS), MI_PROBE_DIED);
    assert_int_equal(mi_probe_run(call_exit, NULL, PATIENCE_MS), MI_PROBE_DIED);
    assert_int_equal(mi_probe_run(hang, NULL, 50), MI_PROBE_DIED);
}

static void test_this_process_is_untouched(void **state)
{
    int value = 1;
    (void)state;
    assert_int_equal(mi_probe_run(change, &value, PATIENCE_MS), MI_PROBE_SURVIVED);
    assert_int_equal(value, 1);
}

static void own_handler(int number)
{
    (void)number;
    _exit(0);
}

/* An application that ignores its children and handles SIGABRT changes nothing. */
static void test_signals_of_the_application(void **state)
{
    (void)state;
    void (*old_child)(int) = signal(SIGCHLD, SIG_IGN), (*old_abort)(int) = signal(SIGABRT, own_handler);
    assert_int_equal(mi_probe_run(return_at_once, NULL, PATIENCE_MS), MI_PROBE_SURVIVED);
    assert_int_equal(mi_probe_run(call_abort, NULL, PATIENCE_MS), MI_PROBE_DIED);
    assert_true(signal(SIGABRT, old_abort) == own_handler);
    signal(SIGCHLD, old_child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_this_process_is_untouched),
        cmocka_unit_test(test_signals_of_the_application),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
