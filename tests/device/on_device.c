#define _POSIX_C_SOURCE 200809L

#include "on_device.h"

#include <stdlib.h>

void assert_error(mica_device *device, mica_status status, const char *const *parts)
{
    const char *text = mica_device_error(device);
    if (mica_device_status(device) != status)
        fail_msg("status %d (%s), expected %d", (int)mica_device_status(device), text, (int)status);
    if (strchr(text, '\n'))
        fail_msg("more than one line: %s", text);
    for (; *parts; parts++)
        if (!strstr(text, *parts))
            fail_msg("\"%s\" is not in: %s", *parts, text);
    mica_device_clear_error(device);
}

char *swap_environment(const char *name, const char *value)
{
    const char *now = getenv(name);
    char *old = now ? mi_strdup(now) : NULL;
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
    return old;
}

void restore_environment(const char *name, char *old)
{
    if (old)
        setenv(name, old, 1);
    else
        unsetenv(name);
    free(old);
}
