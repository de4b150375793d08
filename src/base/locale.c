/* What the application's locale must not change. It may write 0.5 as 0,5; OpenCL C, JSON and Mica's files know only the point. So
 * whatever Mica formats and reads passes through here, where this thread is in the locale "C" meanwhile. The C library has that one
 * ready: asking for it neither allocates nor fails. */
#define _XOPEN_SOURCE 700
#include "base/base.h"

#include <cjson/cJSON.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__APPLE__)
#include <xlocale.h>
#endif

struct locales {
    locale_t plain, before;
};

static struct locales leave_locale(void)
{
    struct locales both = {newlocale(LC_ALL_MASK, "C", (locale_t)0), (locale_t)0};
    if (both.plain)
        both.before = uselocale(both.plain);
    return both;
}

static void return_to(struct locales both)
{
    if (!both.plain)
        return;
    uselocale(both.before);
    freelocale(both.plain);
}

int mi_vformat(char *out, size_t size, const char *format, va_list arguments)
{
    struct locales both = leave_locale();
    int length = vsnprintf(out, size, format, arguments);
    return_to(both);
    return length;
}

int mi_format(char *out, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = mi_vformat(out, size, format, arguments);
    va_end(arguments);
    return length;
}

const char *mi_system_error(int code)
{
    struct locales both = leave_locale();
    const char *text = both.plain ? strerror_l(code, both.plain) : "unknown error";
    return_to(both);
    return text;
}

double mi_read_double(const char *text, char **end)
{
    struct locales both = leave_locale();
    double value = strtod(text, end);
    return_to(both);
    return value;
}

struct cJSON *mi_json_read(const char *text, size_t size, const char **end)
{
    struct locales both = leave_locale();
    cJSON *json = cJSON_ParseWithLengthOpts(text, size, end, false);
    return_to(both);
    return json;
}

char *mi_json_write(const struct cJSON *json, bool readable)
{
    struct locales both = leave_locale();
    char *text = readable ? cJSON_Print(json) : cJSON_PrintUnformatted(json);
    return_to(both);
    return text;
}
