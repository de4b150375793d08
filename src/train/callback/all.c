/* The callbacks of a training: made, checked against it, and called. */
#include "train/fit.h"

#include <math.h>
#include <stdlib.h>

/* ---- Life ---- */

mica_status mi_callbacks_make(mica_training *training)
{
    const mica_fit_desc *desc = training->desc;
    struct mi_callbacks *callbacks = &training->callbacks;
    struct mi_error *error = &training->task.model->device->error;
    if (desc->callback_count < 0 || (desc->callback_count && !desc->callbacks))
        return mi_fail(error, MICA_INVALID_ARGUMENT, "callbacks: %d of them%s", desc->callback_count,
                       desc->callbacks ? "" : ", and the list is NULL");
    callbacks->list = mi_new((size_t)desc->callback_count, sizeof *callbacks->list);
    if (!callbacks->list)
        return mi_out_of_memory(error);
    for (int i = 0; i < desc->callback_count; i++) {
        char place[40];
        struct mi_error wrong = {0};
        struct mi_callback *callback = &callbacks->list[callbacks->count++];
        mi_format(place, sizeof place, "callbacks[%d]", i);
        if (mi_callback_resolve(&wrong, place, &desc->callbacks[i], callback) != MICA_OK)
            return mi_fail(error, MICA_INVALID_ARGUMENT, "%s", wrong.text);
        callback->number = i;
        callback->training = training;
        for (int k = 0; k < MI_MOST_CALLBACK_STATES; k++)
            callback->state[k] = (double)NAN;
    }
    return MICA_OK;
}

void mi_callbacks_destroy(struct mi_callbacks *callbacks)
{
    for (int i = 0; i < callbacks->count; i++)
        mi_kept_destroy(&callbacks->list[i].kept);
    free(callbacks->list);
    *callbacks = (struct mi_callbacks){0};
}

/* ---- Calls ---- */

/* Callback i of those in the order of their calls: those that save come last. */
static struct mi_callback *in_turn(const struct mi_callbacks *callbacks, int i)
{
    int first = 0;
    for (int k = 0; k < callbacks->count; k++)
        first += !callbacks->list[k].row->saves;
    int left = i < first ? i : i - first;
    for (int k = 0; k < callbacks->count; k++)
        if (callbacks->list[k].row->saves == (i >= first) && left-- == 0)
            return &callbacks->list[k];
    return NULL;
}

/* Calls a hook of all rows that have it, in turn; what more it takes stands behind the callback. */
#define CALL_ALL(callbacks, hook, ...)                                                                                           \
    for (int i = 0; i < (callbacks)->count; i++) {                                                                               \
        struct mi_callback *one = in_turn(callbacks, i);                                                                         \
        if (one->row->hook)                                                                                                      \
            MI_TRY(one->row->hook(__VA_ARGS__));                                                                                 \
    }                                                                                                                            \
    return MICA_OK

mica_status mi_callbacks_begin(const struct mi_callbacks *callbacks)
{
    CALL_ALL(callbacks, begin, one);
}

mica_status mi_callbacks_epoch_begin(const struct mi_callbacks *callbacks)
{
    CALL_ALL(callbacks, epoch_begin, one);
}

mica_status mi_callbacks_batch(const struct mi_callbacks *callbacks)
{
    CALL_ALL(callbacks, batch, one);
}

mica_status mi_callbacks_epoch(const struct mi_callbacks *callbacks)
{
    CALL_ALL(callbacks, epoch, one);
}

mica_status mi_callbacks_end(const struct mi_callbacks *callbacks, mica_status how)
{
    mica_status first = MICA_OK;
    for (int i = 0; i < callbacks->count; i++) {
        struct mi_callback *one = in_turn(callbacks, i);
        mica_status status = one->row->end ? one->row->end(one, how) : MICA_OK;
        first = first == MICA_OK ? status : first;
    }
    return first;
}
