/* A callback of the application's own: its functions. */
#include "train/fit.h"

static mica_status call(const struct mi_callback *callback, bool (*function)(void *user, const mica_progress *now))
{
    return !function || function(callback->given->user, &callback->training->now) ? MICA_OK : MICA_CANCELLED;
}

static mica_status begin(struct mi_callback *callback)
{
    return call(callback, callback->given->begin);
}

static mica_status batch(struct mi_callback *callback)
{
    return call(callback, callback->given->batch);
}

static mica_status epoch(struct mi_callback *callback)
{
    return call(callback, callback->given->epoch);
}

static mica_status end(struct mi_callback *callback, mica_status how)
{
    (void)how;
    return call(callback, callback->given->end);
}

static const struct mi_number none[] = {{0}};
const struct mi_callback_row mi_callback_own = {
    .name = "the application's", .keys = (const struct mi_key[]){{0}}, .numbers = none,
    .begin = begin, .batch = batch, .epoch = epoch, .end = end};
