/* The order of an epoch's samples: as they lie, shuffled, or so that those of a batch have similar lengths.
 *
 * The last is Hugging Face's group_by_length: samples in their order are taken in pools of some batches, and each pool is sorted by
 * length, the longest first. A batch is then a piece of a pool, so lengths within it are close, and which samples meet in a batch
 * still changes from epoch to epoch. Batches come in an order of their own, so that a pool's long ones do not follow one another;
 * only the smaller batch at the end stays there. */
#include "data/data.h"

#include <stdlib.h>

enum { MOST_BATCHES = 50, LEAST_POOLS = 4 };

struct ranked {
    int64_t sample, length, place;
};

struct mi_order {
    struct mi_order_desc desc;
    int64_t *samples;                /* (desc.samples) */
    struct ranked *ranked;           /* (desc.samples); of lengths alone, as those below */
    int64_t *lengths;                /* (desc.samples) */
    int64_t *batches;                /* (full batches) the order in which they come */
};

/* Longer ones first; of one length as they were. */
static int compare(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->length != y->length)
        return x->length > y->length ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

/* Samples of a pool: whole batches. */
static int64_t pool_of(const struct mi_order *order)
{
    int64_t batches = order->desc.samples / order->desc.batch / LEAST_POOLS;
    batches = batches > MOST_BATCHES ? MOST_BATCHES : batches < 1 ? 1 : batches;
    return batches * order->desc.batch;
}

/* Sorts the samples within pools, and then puts full batches where `batches` says. */
static void bucket(struct mi_order *order)
{
    int64_t count = order->desc.samples, batch = order->desc.batch, pool = pool_of(order), full = count / batch;
    for (int64_t i = 0; i < count; i++) {
        int64_t sample = order->samples[i];
        order->ranked[i] = (struct ranked){sample, order->lengths[sample], i};
    }
    for (int64_t i = 0; i < count; i += pool)
        qsort(order->ranked + i, (size_t)(count - i < pool ? count - i : pool), sizeof *order->ranked, compare);
    for (int64_t i = 0; i < count; i++) {
        int64_t from = i / batch < full ? order->batches[i / batch] * batch + i % batch : i;
        order->samples[i] = order->ranked[from].sample;
    }
}

const int64_t *mi_order_of(struct mi_order *order, uint64_t epoch)
{
    const struct mi_order_desc *desc = &order->desc;
    int64_t full = desc->samples / desc->batch;
    if (desc->shuffle)
        mi_shuffle(desc->seed, epoch, order->samples, desc->samples);
    for (int64_t i = 0; !desc->shuffle && i < desc->samples; i++)
        order->samples[i] = i;
    if (!order->lengths)
        return order->samples;
    if (desc->shuffle)
        mi_shuffle(~desc->seed, epoch, order->batches, full);
    for (int64_t i = 0; !desc->shuffle && i < full; i++)
        order->batches[i] = i;
    bucket(order);
    return order->samples;
}

struct mi_order *mi_order_create(const struct mi_order_desc *desc)
{
    struct mi_order *order = mi_new(1, sizeof *order);
    size_t count = (size_t)desc->samples;
    if (!order)
        return NULL;
    order->desc = *desc;
    order->samples = mi_new(count, sizeof *order->samples);
    bool fine = order->samples != NULL;
    if (desc->length_of) {
        order->ranked = mi_new(count, sizeof *order->ranked);
        order->lengths = mi_new(count, sizeof *order->lengths);
        order->batches = mi_new(count / (size_t)desc->batch, sizeof *order->batches);
        fine = fine && order->ranked && order->lengths && order->batches;
    }
    for (int64_t i = 0; fine && desc->length_of && i < desc->samples; i++)
        order->lengths[i] = desc->length_of(desc->of, i);
    if (fine)
        return order;
    mi_order_destroy(order);
    return NULL;
}

void mi_order_destroy(struct mi_order *order)
{
    if (!order)
        return;
    free(order->samples);
    free(order->ranked);
    free(order->lengths);
    free(order->batches);
    free(order);
}
