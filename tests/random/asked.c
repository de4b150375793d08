#include "random/asked.h"

#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_option(struct asked *asked, const char *name, const char *value)
{
    if (strcmp(name, "--seed") == 0)
        asked->seed = strtoull(value, NULL, 10);
    else if (strcmp(name, "--count") == 0)
        asked->count = strtoull(value, NULL, 10);
    else if (strcmp(name, "--seconds") == 0)
        asked->seconds = mi_read_double(value, NULL);
    else
        return false;
    return true;
}

bool asked_read(struct asked *asked, uint64_t usual, int count, char **arguments)
{
    const char *small = getenv("MICA_TEST_SMALL"), *more = getenv("MICA_TEST_TIMES");
    uint64_t times = more ? strtoull(more, NULL, 10) : 0; /* 0: nothing that is a number */
    *asked = (struct asked){.seed = 1, .small = small && strcmp(small, "0") != 0};
    asked->count = (asked->small ? usual / 10 : usual) * (times ? times : 1);
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--all") == 0)
            asked->all = true;
        else if (strcmp(arguments[i], "--apart") == 0)
            asked->apart = true;
        else if (i + 1 < count && read_option(asked, arguments[i], arguments[i + 1]))
            i++;
        else {
            fprintf(stderr, "usage: %s [--seed S] [--count N] [--seconds T] [--all] [--apart]\n", arguments[0]);
            return false;
        }
    }
    return true;
}

bool asked_goes_on(const struct asked *asked, uint64_t i, double begin)
{
    return asked->seconds > 0 ? mi_seconds() - begin < asked->seconds : i < asked->count;
}
