/* Patterns over names, as a shell has them. */
#include "base/base.h"

#include <string.h>

/* Whether the name is what [pattern, end) says. After a star that does not go on, only the last one has to try more. */
static bool matches(const char *pattern, const char *end, const char *name)
{
    const char *star = NULL, *after = NULL;
    while (*name) {
        if (pattern < end && *pattern == '*') {
            star = ++pattern;
            after = name;
        } else if (pattern < end && (*pattern == '?' || *pattern == *name)) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star;
            name = ++after;
        } else
            return false;
    }
    while (pattern < end && *pattern == '*')
        pattern++;
    return pattern == end;
}

bool mi_name_matches(const char *patterns, const char *name)
{
    if (!patterns)
        return true;
    for (;;) {
        patterns += strspn(patterns, ", ");
        const char *end = patterns + strcspn(patterns, ", ");
        if (end == patterns)
            return false;
        if (matches(patterns, end, name))
            return true;
        patterns = end;
    }
}

bool mi_name_unmatched(const char *patterns, const char *const *names, char *pattern, size_t size)
{
    while (patterns) {
        patterns += strspn(patterns, ", ");
        const char *end = patterns + strcspn(patterns, ", ");
        if (end == patterns)
            return false;
        bool found = false;
        for (size_t i = 0; names[i] && !found; i++)
            found = matches(patterns, end, names[i]);
        mi_format(pattern, size, "%.*s", (int)(end - patterns), patterns);
        if (!found)
            return true;
        patterns = end;
    }
    return false;
}
