/* The rate of each epoch by a function of the application's. */
#include "train/fit.h"

static mica_status begin(struct mi_callback *callback)
{
    if (!callback->given->schedule)
        return mi_callback_fail(callback, MICA_INVALID_ARGUMENT, "its schedule is NULL: it takes a function");
    return mi_callback_check_rate(callback);
}

static mica_status epoch_begin(struct mi_callback *callback)
{
    const mica_callback *given = callback->given;
    mica_training *training = callback->training;
    double rate = (double)mi_plan_learning_rate(training->train.plan);
    return mica_training_set_learning_rate(training, given->schedule(given->user, training->now.epoch, rate));
}

static const struct mi_number none[] = {{0}};
const struct mi_callback_row mi_callback_learning_rate_scheduler = {
    .name = "learning_rate_scheduler", .in_c_alone = "\"learning_rate\" of its optimizer can be a schedule",
    .keys = (const struct mi_key[]){{0}}, .numbers = none, .begin = begin, .epoch_begin = epoch_begin};
