/* Batches in an epoch's order. A thread fills the free slots with preprocessed samples while the device works
 * on the others; without a thread, the slot is filled when its batch is asked for.
 *
 * Slots are used in turn: batch b lives in slot b % MI_LOADER_SLOTS. The lock guards everything but the
 * slots' contents, which belong to whoever the slot's state names. */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#include "data/data.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum slot_state { SLOT_FREE, SLOT_FILLING, SLOT_FULL, SLOT_TAKEN };

struct slot {
    enum slot_state state;
    void **fields;             /* (field_count) */
};

struct mi_loader {
    mica_data *data;
    struct mi_loader_desc desc;
    int64_t samples, batches;
    struct mi_order *ordering;
    const int64_t *order;      /* (samples) of the epoch, the ordering's; NULL: as they lie */
    uint64_t epoch;
    enum mi_type *types;       /* (field_count) */
    void **raw;                /* (field_count) a batch as it is before it becomes elements of another type; NULL: of its own */
    void **filled_fields;      /* (of all of the data's) where a function fills batches: its list of places, NULL where none asks */
    atomic_bool failed;        /* it could not */
    struct slot slots[MI_LOADER_SLOTS];
    int64_t filled, taken;     /* batches of this epoch that the thread has begun, that the caller has got */
    bool quit, has_thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
};

/* ---- Filling ---- */

static int64_t batch_size(const struct mi_loader *loader, int64_t batch)
{
    int64_t left = loader->samples - batch * loader->desc.batch;
    return left < loader->desc.batch ? left : loader->desc.batch;
}

/* What a field holds, or a function gives: floats, or the numbers of classes. */
static enum mi_type own_type(const struct mi_field *field)
{
    return field->preprocess.shape.rank ? MI_FLOAT : MI_INT32;
}

static void fill_field(const struct mi_loader *loader, int which, int64_t first, int64_t n, unsigned char *out)
{
    const mica_data *data = loader->data;
    const struct mi_field *field = loader->desc.fields[which];
    enum mi_type type = loader->types[which];
    size_t bytes = field->elements * mi_types[type].bytes;
    for (int64_t i = 0; i < n; i++) {
        int64_t place = loader->order ? loader->order[first + i] : first + i;
        int64_t index = mi_data_index(data, loader->desc.part, place);
        if (field->classes && type == MI_INT32)
            ((int32_t *)(void *)out)[i] = field->classes[index];
        else if (field->classes)
            mi_element_set(type, out, (size_t)i, field->classes[index]);
        else
            mi_field_elements(field, index, type, loader->raw[which], out + (size_t)i * bytes);
    }
}

/* The application makes the samples, which come in its own order. */
static void ask(struct mi_loader *loader, const struct slot *slot, int64_t first, int64_t n)
{
    const mica_data *data = loader->data;
    for (int i = 0; i < data->field_count; i++) {
        loader->filled_fields[i] = NULL;
        for (int k = 0; k < loader->desc.field_count; k++)
            if (loader->desc.fields[k] == data->fields[i])
                loader->filled_fields[i] = loader->raw[k] ? loader->raw[k] : slot->fields[k];
    }
    bool filled = data->fill(data->fill_user, loader->epoch, first, n, loader->filled_fields);
    for (int k = 0; k < loader->desc.field_count && filled; k++) /* samples that a function makes have all their steps */
        for (int64_t i = 0; loader->desc.fields[k]->lengths_of && i < n; i++)
            mi_field_elements(loader->desc.fields[k], i, own_type(loader->desc.fields[k]), NULL,
                              (float *)(loader->raw[k] ? loader->raw[k] : slot->fields[k]) + i);
    for (int k = 0; k < loader->desc.field_count && filled; k++) {
        const struct mi_field *field = loader->desc.fields[k];
        for (size_t i = 0; loader->raw[k] && i < (size_t)n * field->elements; i++)
            mi_element_set(loader->types[k], slot->fields[k], i, mi_element(own_type(field), loader->raw[k], i));
    }
    if (!filled)
        atomic_store(&loader->failed, true);
}

static void fill(struct mi_loader *loader, int64_t batch)
{
    const struct slot *slot = &loader->slots[batch % MI_LOADER_SLOTS];
    int64_t first = batch * loader->desc.batch, n = batch_size(loader, batch);
    if (loader->data->fill)
        ask(loader, slot, first, n);
    else
        for (int i = 0; i < loader->desc.field_count; i++)
            fill_field(loader, i, first, n, slot->fields[i]);
}

/* The next batch that can be filled now, or -1. */
static int64_t fillable(const struct mi_loader *loader)
{
    const struct slot *slot = &loader->slots[loader->filled % MI_LOADER_SLOTS];
    return loader->filled < loader->batches && slot->state == SLOT_FREE ? loader->filled : -1;
}

static void *work(void *argument)
{
    struct mi_loader *loader = argument;
    pthread_mutex_lock(&loader->lock);
    while (!loader->quit) {
        int64_t batch = fillable(loader);
        if (batch < 0) {
            pthread_cond_wait(&loader->changed, &loader->lock);
            continue;
        }
        struct slot *slot = &loader->slots[batch % MI_LOADER_SLOTS];
        slot->state = SLOT_FILLING;
        loader->filled++;
        pthread_mutex_unlock(&loader->lock);
        fill(loader, batch);
        pthread_mutex_lock(&loader->lock);
        slot->state = SLOT_FULL;
        pthread_cond_broadcast(&loader->changed);
    }
    pthread_mutex_unlock(&loader->lock);
    return NULL;
}

/* ---- Life ---- */

/* The thread takes none of the application's signals. */
static void start_thread(struct mi_loader *loader)
{
    sigset_t all, before;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before))
        return;
    loader->has_thread = !pthread_create(&loader->thread, NULL, work, loader);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void *make_room(const struct mi_field *field, enum mi_type type, size_t n)
{
    size_t elements;
    return mi_mul_size(n, field->elements, &elements) ? mi_new(elements, mi_types[type].bytes) : NULL;
}

static bool choose_types(struct mi_loader *loader, size_t n, size_t count)
{
    loader->types = mi_new(count, sizeof *loader->types);
    loader->raw = mi_new(count, sizeof *loader->raw);
    if (!loader->types || !loader->raw)
        return false;
    for (size_t k = 0; k < count; k++) {
        const struct mi_field *field = loader->desc.fields[k];
        loader->types[k] = loader->desc.types ? loader->desc.types[k] : own_type(field);
        if (loader->types[k] != own_type(field) && !(loader->raw[k] = make_room(field, own_type(field), n)))
            return false;
    }
    return true;
}

static bool varies(const struct mi_field *field)
{
    return field->offsets && field->preprocess.role == MICA_INPUT;
}

/* How many steps a sample of the part has: the most of any input. */
static int64_t length_of(const void *of, int64_t sample)
{
    const struct mi_loader *loader = of;
    int64_t index = mi_data_index(loader->data, loader->desc.part, sample), most = 0;
    for (int i = 0; i < loader->data->field_count; i++) {
        int64_t length = varies(loader->data->fields[i]) ? mi_field_length(loader->data->fields[i], index) : 0;
        most = length > most ? length : most;
    }
    return most;
}

static bool make_order(struct mi_loader *loader)
{
    const struct mi_loader_desc *desc = &loader->desc;
    if (!desc->shuffle && !desc->bucket_by_length)
        return true;
    loader->ordering = mi_order_create(&(struct mi_order_desc){
        .samples = loader->samples, .batch = desc->batch, .seed = desc->seed, .shuffle = desc->shuffle,
        .length_of = desc->bucket_by_length ? length_of : NULL, .of = loader});
    return loader->ordering != NULL;
}

static bool make_slots(struct mi_loader *loader)
{
    size_t n = (size_t)loader->desc.batch, count = (size_t)loader->desc.field_count;
    if (!choose_types(loader, n, count))
        return false;
    for (int i = 0; i < MI_LOADER_SLOTS; i++) {
        struct slot *slot = &loader->slots[i];
        slot->fields = mi_new(count, sizeof *slot->fields);
        for (size_t k = 0; slot->fields && k < count; k++)
            slot->fields[k] = make_room(loader->desc.fields[k], loader->types[k], n);
        for (size_t k = 0; k < count; k++)
            if (!slot->fields || !slot->fields[k])
                return false;
    }
    if (!loader->data->fill)
        return make_order(loader);
    loader->filled_fields = mi_new((size_t)loader->data->field_count, sizeof *loader->filled_fields);
    return loader->filled_fields != NULL;
}

static void free_memory(struct mi_loader *loader)
{
    for (int i = 0; i < MI_LOADER_SLOTS; i++) {
        for (int k = 0; loader->slots[i].fields && k < loader->desc.field_count; k++)
            free(loader->slots[i].fields[k]);
        free(loader->slots[i].fields);
    }
    for (int k = 0; loader->raw && k < loader->desc.field_count; k++)
        free(loader->raw[k]);
    free(loader->raw);
    free(loader->types);
    free(loader->filled_fields);
    mi_order_destroy(loader->ordering);
    free(loader);
}

static mica_status check(mica_data *data, const struct mi_loader_desc *desc)
{
    bool has_lengths = false;
    if (desc->batch < 1)
        return mi_fail(&data->error, MICA_INVALID_ARGUMENT, "the batch size is %lld; it must be at least 1",
                       (long long)desc->batch);
    for (int i = 0; i < data->field_count; i++)
        has_lengths = has_lengths || (varies(data->fields[i]) && !data->fill);
    if (desc->bucket_by_length && !has_lengths)
        return mi_fail(&data->error, MICA_INVALID_ARGUMENT, "bucket_by_length: %s", data->fill
                       ? "the samples are made batch by batch, in an order that is the application's"
                       : "all samples of the data have as many steps; columns of texts, and fields with lengths, have others");
    return MICA_OK;
}

mica_status mi_loader_create(mica_data *data, const struct mi_loader_desc *desc, struct mi_loader **out)
{
    *out = NULL;
    if (data->error.status != MICA_OK)
        return data->error.status;
    if (check(data, desc) != MICA_OK)
        return mi_data_report(data);
    struct mi_loader *loader = mi_new(1, sizeof *loader);
    if (!loader) {
        mi_out_of_memory(&data->error);
        return mi_data_report(data);
    }
    loader->data = data;
    loader->desc = *desc;
    loader->desc.shuffle = desc->shuffle && !data->fill;
    loader->samples = mica_data_count(data, desc->part);
    if (loader->desc.batch > loader->samples)
        loader->desc.batch = loader->samples ? loader->samples : 1;
    loader->batches = mi_divide_up(loader->samples, loader->desc.batch);
    loader->filled = loader->taken = loader->batches; /* over, until an epoch begins */
    bool locked = make_slots(loader) && !pthread_mutex_init(&loader->lock, NULL);
    if (locked && pthread_cond_init(&loader->changed, NULL)) {
        pthread_mutex_destroy(&loader->lock);
        locked = false;
    }
    if (!locked) {
        free_memory(loader);
        mi_out_of_memory(&data->error);
        return mi_data_report(data);
    }
    data->readers++;
    if (!desc->no_thread)
        start_thread(loader);
    *out = loader;
    return MICA_OK;
}

void mi_loader_destroy(struct mi_loader *loader)
{
    if (!loader)
        return;
    if (loader->has_thread) {
        pthread_mutex_lock(&loader->lock);
        loader->quit = true;
        pthread_cond_broadcast(&loader->changed);
        pthread_mutex_unlock(&loader->lock);
        pthread_join(loader->thread, NULL);
    }
    pthread_cond_destroy(&loader->changed);
    pthread_mutex_destroy(&loader->lock);
    loader->data->readers--;
    free_memory(loader);
}

/* ---- An epoch ---- */

static bool is_filling(const struct mi_loader *loader)
{
    for (int i = 0; i < MI_LOADER_SLOTS; i++)
        if (loader->slots[i].state == SLOT_FILLING)
            return true;
    return false;
}

void mi_loader_begin(struct mi_loader *loader, uint64_t epoch)
{
    mi_loader_begin_at(loader, epoch, 0);
}

void mi_loader_begin_at(struct mi_loader *loader, uint64_t epoch, int64_t batch)
{
    pthread_mutex_lock(&loader->lock);
    loader->filled = loader->batches; /* the thread begins nothing more of an epoch that was left */
    while (is_filling(loader))
        pthread_cond_wait(&loader->changed, &loader->lock);
    loader->epoch = epoch;
    loader->order = loader->ordering ? mi_order_of(loader->ordering, epoch) : NULL;
    for (int i = 0; i < MI_LOADER_SLOTS; i++)
        loader->slots[i].state = SLOT_FREE;
    loader->filled = loader->taken = batch;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->lock);
}

bool mi_loader_next(struct mi_loader *loader, struct mi_batch *out)
{
    *out = (struct mi_batch){.slot = -1};
    if (loader->taken >= loader->batches)
        return false;
    int64_t batch = loader->taken;
    struct slot *slot = &loader->slots[batch % MI_LOADER_SLOTS];
    pthread_mutex_lock(&loader->lock);
    bool mine = slot->state == SLOT_TAKEN;
    while (loader->has_thread && !mine && slot->state != SLOT_FULL)
        pthread_cond_wait(&loader->changed, &loader->lock);
    if (!mine) {
        if (!loader->has_thread)
            fill(loader, batch);
        slot->state = SLOT_TAKEN;
        loader->taken++;
    }
    pthread_mutex_unlock(&loader->lock);
    if (mine) {
        out->n = -1;
        return false;
    }
    *out = (struct mi_batch){.fields = slot->fields, .n = batch_size(loader, batch), .first = batch * loader->desc.batch,
                             .slot = (int)(batch % MI_LOADER_SLOTS)};
    return true;
}

void mi_loader_release(struct mi_loader *loader, int slot)
{
    if (slot < 0 || slot >= MI_LOADER_SLOTS)
        return;
    pthread_mutex_lock(&loader->lock);
    if (loader->slots[slot].state == SLOT_TAKEN)
        loader->slots[slot].state = SLOT_FREE;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->lock);
}

int64_t mi_loader_batches(const struct mi_loader *loader)
{
    return loader->batches;
}

bool mi_loader_failed(struct mi_loader *loader)
{
    return atomic_load(&loader->failed);
}
