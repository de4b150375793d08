/* What rows of callbacks are made of. */
#include "train/fit.h"

uint64_t mi_callback_bytes(double state)
{
    return state >= 0 && state <= MI_MOST_WHOLE ? (uint64_t)state : 0;
}

struct mi_error *mi_callback_error(const struct mi_callback *callback)
{
    return &callback->training->task.model->device->error;
}

mica_status mi_callback_fail(const struct mi_callback *callback, mica_status status, const char *format, ...)
{
    struct mi_error error;
    va_list arguments;
    va_start(arguments, format);
    mi_vformat(error.text, sizeof error.text, format, arguments);
    va_end(arguments);
    return mi_fail(mi_callback_error(callback), status, "callbacks[%d] %s: %s", callback->number, callback->row->name, error.text);
}

mica_status mi_callback_check_rate(const struct mi_callback *callback)
{
    const struct mi_schedule_row *schedule = callback->training->optimizer.schedule.row;
    if (!schedule)
        return MICA_OK;
    return mi_callback_fail(callback, MICA_INVALID_ARGUMENT, "the learning rate of the optimizer is a schedule, %s: it cannot be "
                            "set besides", schedule->name);
}
