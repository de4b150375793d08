/* Ends a training whose loss is no number soon after the step that made it so: without waiting for the device, the loss is asked
 * for again as soon as the last answer has come. Hearing it is what ends the training (look.c). */
#include "train/fit.h"

static mica_status batch(struct mi_callback *callback)
{
    return mica_training_ask(callback->training);
}

static const struct mi_number none[] = {{0}};
const struct mi_callback_row mi_callback_terminate_on_nan = {
    .name = "terminate_on_nan", .keys = (const struct mi_key[]){{0}}, .numbers = none, .batch = batch};
