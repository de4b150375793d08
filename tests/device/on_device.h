/* What the tests of this folder share: checks of errors, and the environment. */
#ifndef MICA_TEST_ON_DEVICE_H
#define MICA_TEST_ON_DEVICE_H

#include "support/device.h"

#include <string.h>

/* The device holds this error, and its text has each of `parts` (NULL-terminated) in one line. Clears it. */
void assert_error(mica_device *device, mica_status status, const char *const *parts);

#define ASSERT_ERROR(device, status, ...)                                                                    \
    assert_error(device, status, (const char *const[]){__VA_ARGS__, NULL})
#define ASSERT_GOOD(device, call)                                                                            \
    do {                                                                                                     \
        mica_status good_status = (call);                                                                    \
        if (good_status != MICA_OK)                                                                          \
            fail_msg("%s: %s", #call, mica_device_error(device));                                            \
    } while (0)

/* Sets or (NULL) unsets an environment variable; returns what it was, for the caller to free. */
char *swap_environment(const char *name, const char *value);
/* Sets it back and frees `old`. */
void restore_environment(const char *name, char *old);

#endif
