/* Status texts and error records. */
#include "base/base.h"


#define QUOTED(number) #number
#define VERSION_TEXT(major, minor, patch) QUOTED(major) "." QUOTED(minor) "." QUOTED(patch)

const char *mica_status_text(mica_status status)
{
    switch (status) {
#define MICA_STATUS_CASE(name, number, text) case MICA_##name: return text;
        MICA_STATUS_MAP(MICA_STATUS_CASE)
#undef MICA_STATUS_CASE
    }
    return "unknown status";
}

const char *mica_version(void)
{
    return VERSION_TEXT(MICA_VERSION_MAJOR, MICA_VERSION_MINOR, MICA_VERSION_PATCH);
}

mica_status mi_fail(struct mi_error *error, mica_status status, const char *format, ...)
{
    if (error->status != MICA_OK)
        return status;
    error->status = status;
    char text[sizeof error->text + 4];
    va_list arguments;
    va_start(arguments, format);
    mi_vformat(text, sizeof text, format, arguments);
    va_end(arguments);
    mica_printable(text, error->text, sizeof error->text);
    return status;
}

mica_status mi_out_of_memory(struct mi_error *error)
{
    return mi_fail(error, MICA_OUT_OF_MEMORY, "the host is out of memory");
}

mica_status mi_error_report(struct mi_error *to, const struct mi_error *from)
{
    if (from->status != MICA_OK)
        mi_fail(to, from->status, "%s", from->text);
    return from->status;
}
