/* Scores for TensorBoard: files of records, each of them a message of protocol buffers, an Event
 * (https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto). Names and folders are those of
 * Keras's callback: train/ and validation/ hold epoch_loss and the others, so that both are drawn into one chart. */
#include "train/fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TRAIN_SIZE, VALIDATION_SIZE }; /* bytes of the two files */

/* ---- The wire ---- */

static void add_whole(struct mi_text *text, uint64_t value, int bytes)
{
    unsigned char out[8];
    for (int i = 0; i < bytes; i++)
        out[i] = (unsigned char)(value >> (8 * i));
    mi_text_append(text, (const char *)out, (size_t)bytes);
}

static void add_varint(struct mi_text *text, uint64_t value)
{
    for (; value > 127; value >>= 7)
        add_whole(text, (value & 127) | 128, 1);
    add_whole(text, value, 1);
}

/* A field of bytes: a text, or a message within. */
static void add_bytes(struct mi_text *text, unsigned field, const char *bytes, size_t size)
{
    add_varint(text, field << 3 | 2);
    add_varint(text, size);
    mi_text_append(text, bytes, size);
}

/* CRC-32C (Castagnoli), turned and moved as records have it, since a CRC of what holds its own CRC is no check. */
static uint32_t masked_crc(const char *bytes, size_t size)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < size; i++) {
        crc ^= (unsigned char)bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    crc = ~crc;
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static void add_record(struct mi_text *text, const struct mi_text *event)
{
    struct mi_text size = {0};
    add_whole(&size, event->size, 8);
    text->failed = text->failed || event->failed || size.failed;
    if (!text->failed) {
        mi_text_append(text, size.data, size.size);
        add_whole(text, masked_crc(size.data, size.size), 4);
        mi_text_append(text, event->data, event->size);
        add_whole(text, masked_crc(event->data, event->size), 4);
    }
    mi_text_destroy(&size);
}

/* Event: double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5. */
static void begin_event(struct mi_text *event, uint64_t step)
{
    double now = (double)time(NULL);
    uint64_t bits;
    memcpy(&bits, &now, sizeof bits);
    add_varint(event, 1 << 3 | 1);
    add_whole(event, bits, 8);
    add_varint(event, 2 << 3);
    add_varint(event, step);
}

/* Summary: repeated Value value = 1; Value: string tag = 1; float simple_value = 2. */
static void add_value(struct mi_text *summary, const char *name, float number)
{
    struct mi_text value = {0}, tag = {0};
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    mi_text_add(&tag, "epoch_%s", name);
    add_bytes(&value, 1, mi_text_get(&tag), tag.size);
    add_varint(&value, 2 << 3 | 5);
    add_whole(&value, bits, 4);
    add_bytes(summary, 1, mi_text_get(&value), value.size);
    summary->failed = summary->failed || value.failed || tag.failed;
    mi_text_destroy(&value);
    mi_text_destroy(&tag);
}

/* ---- The files ---- */

static const char *const folders[] = {"train", "validation"};

/* Adds to the file of a part, which begins with its version. */
static mica_status add(struct mi_callback *callback, int part, struct mi_text *records)
{
    struct mi_text path = {0}, all = {0}, version = {0};
    struct mi_error *error = mi_callback_error(callback);
    mi_text_add(&path, "%s/%s/events.out.tfevents.mica", callback->given->path, folders[part]);
    if (callback->state[part] <= 0) {
        begin_event(&version, 0);
        add_bytes(&version, 3, "brain.Event:2", 13);
        add_record(&all, &version);
    }
    mi_text_append(&all, mi_text_get(records), records->size);
    mica_status status = path.failed || all.failed || records->failed
                             ? mi_out_of_memory(error)
                             : mi_file_append(error, path.data, mi_callback_bytes(callback->state[part]), all.data, all.size);
    callback->state[part] += status == MICA_OK ? (double)all.size : 0;
    mi_text_destroy(&path);
    mi_text_destroy(&all);
    mi_text_destroy(&version);
    return status;
}

static mica_status begin(struct mi_callback *callback)
{
    for (int part = 0; part < 2; part++) {
        struct mi_text path = {0}, none = {0};
        mi_text_add(&path, "%s/%s", callback->given->path, folders[part]);
        bool wanted = part == TRAIN_SIZE || callback->training->validation.plan;
        bool made = !path.failed && (!wanted || mi_folder_make(path.data));
        mica_status status = path.failed ? mi_out_of_memory(mi_callback_error(callback)) : MICA_OK;
        if (status == MICA_OK && !made)
            status = mi_callback_fail(callback, MICA_IO, "%s: the folder cannot be made", path.data);
        callback->state[part] = callback->resumed ? (double)mi_callback_bytes(callback->state[part]) : 0;
        if (status == MICA_OK && wanted)
            status = add(callback, part, &none);
        mi_text_destroy(&path);
        MI_TRY(status);
    }
    return MICA_OK;
}

static mica_status add_part(struct mi_callback *callback, int part)
{
    const mica_progress *now = &callback->training->now;
    struct mi_text summary = {0}, event = {0}, record = {0};
    for (int i = 0; i < mica_scores_count(now->scores); i++) {
        const char *name = mica_scores_name(now->scores, i);
        bool validated = !strncmp(name, "val_", 4);
        if (validated == (part == VALIDATION_SIZE) && !isnan(mica_scores_value(now->scores, i)))
            add_value(&summary, name + (validated ? 4 : 0), (float)mica_scores_value(now->scores, i));
    }
    if (part == TRAIN_SIZE)
        add_value(&summary, "learning_rate", now->learning_rate);
    begin_event(&event, (uint64_t)now->epoch);
    add_bytes(&event, 5, mi_text_get(&summary), summary.size);
    event.failed = event.failed || summary.failed;
    add_record(&record, &event);
    mica_status status = add(callback, part, &record);
    mi_text_destroy(&summary);
    mi_text_destroy(&event);
    mi_text_destroy(&record);
    return status;
}

static mica_status epoch(struct mi_callback *callback)
{
    MI_TRY(add_part(callback, TRAIN_SIZE));
    return callback->training->validation.plan ? add_part(callback, VALIDATION_SIZE) : MICA_OK;
}

static const struct mi_number none[] = {{0}};
const struct mi_callback_row mi_callback_tensorboard = {
    .name = "tensorboard", .numbers = none, .begin = begin, .epoch = epoch,
    .keys = (const struct mi_key[]){MI_CALLBACK_PATH("log_dir"), {0}}};
