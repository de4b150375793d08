/* The loader: its orders, its partial last batch, its slots, and leaving in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/data.h"

#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 23 };

/* Sample i is (i, i + 0.5), its label the value 10 * i or the class i. */
static mica_data *open_counting(bool values)
{
    float inputs[SAMPLES][2], targets[SAMPLES];
    int32_t classes[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
        inputs[i][0] = (float)i;
        inputs[i][1] = (float)i + 0.5f;
        targets[i] = 10.0f * (float)i;
        classes[i] = i;
    }
    return mica_arrays_open(NULL, &(mica_arrays_desc){
        .samples = SAMPLES, .input_shape = MICA_SHAPE(2), .inputs = inputs[0],
        .classes = values ? NULL : classes,
        .values = values ? targets : NULL, .normalize = {.type = MICA_DIVIDE_BY, .divide_by = 2}});
}

static float first_value(const struct mi_batch *batch)
{
    return ((const float *)batch->fields[0])[0];
}

/* Runs an epoch and checks every batch against the order that mi_shuffle gives. */
static void run_epoch(struct mi_loader *loader, const struct mi_loader_desc *desc, uint64_t epoch)
{
    int64_t order[SAMPLES], seen = 0;
    struct mi_batch batch;
    mi_shuffle(desc->seed, epoch, order, SAMPLES);
    mi_loader_begin(loader, epoch);
    while (mi_loader_next(loader, &batch)) {
        int64_t left = SAMPLES - seen;
        assert_int_equal(batch.first, seen);
        assert_int_equal(batch.n, left < desc->batch ? left : desc->batch);
        for (int64_t i = 0; i < batch.n; i++, seen++) {
            int64_t index = desc->shuffle ? order[seen] : seen;
            assert_true(((const float *)batch.fields[0])[2 * i + 1] == ((float)index + 0.5f) / 2);
            if (desc->fields[1]->classes)
                assert_int_equal(((const int32_t *)batch.fields[1])[i], index);
            else
                assert_true(((const float *)batch.fields[1])[i] == 10.0f * (float)index);
        }
        mi_loader_release(loader, batch.slot);
    }
    assert_int_equal(batch.n, 0);
    assert_int_equal(seen, SAMPLES);
}

static void test_orders(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 2, 5, 22, 23, 100};
    for (int way = 0; way < 8; way++) {
        mica_data *data = open_counting(way & 4);
        assert_int_equal(mica_data_status(data), MICA_OK);
        for (size_t i = 0; i < MI_COUNT(sizes); i++) {
            struct mi_loader_desc desc = {.fields = data->fields, .field_count = data->field_count, .batch = sizes[i], .seed = 7, .shuffle = way & 1,
                                          .no_thread = way & 2};
            struct mi_loader *loader;
            assert_int_equal(mi_loader_create(data, &desc, &loader), MICA_OK);
            int64_t size = sizes[i] < SAMPLES ? sizes[i] : SAMPLES;
            assert_int_equal(mi_loader_batches(loader), (SAMPLES + size - 1) / size);
            for (uint64_t epoch = 0; epoch < 3; epoch++)
                run_epoch(loader, &desc, epoch);
            mi_loader_destroy(loader);
        }
        mica_data_destroy(data);
    }
}

static void test_slots(void **state)
{
    (void)state;
    mica_data *data = open_counting(false);
    struct mi_loader_desc desc = {.fields = data->fields, .field_count = data->field_count, .batch = 4};
    struct mi_loader *loader;
    struct mi_batch a, b, c;
    for (int way = 0; way < 2; way++) {
        desc.no_thread = way;
        assert_int_equal(mi_loader_create(data, &desc, &loader), MICA_OK);
        assert_false(mi_loader_next(loader, &a)); /* no epoch has begun */
        mi_loader_begin(loader, 0);
        assert_true(mi_loader_next(loader, &a));
        assert_true(mi_loader_next(loader, &b));
        assert_true(a.slot != b.slot);
        assert_false(mi_loader_next(loader, &c)); /* both slots are held */
        assert_int_equal(c.n, -1);
        assert_true(first_value(&a) == 0 && first_value(&b) == 2);
        mi_loader_release(loader, a.slot);
        assert_true(mi_loader_next(loader, &c));
        assert_int_equal(c.slot, a.slot);
        assert_true(first_value(&b) == 2 && first_value(&c) == 4);
        mi_loader_destroy(loader);
    }
    mica_data_destroy(data);
}

/* An epoch may be left at any batch, for another one or for good. */
static void test_leaving(void **state)
{
    (void)state;
    mica_data *data = open_counting(false);
    struct mi_loader_desc desc = {.fields = data->fields, .field_count = data->field_count, .batch = 3, .seed = 1, .shuffle = true};
    for (int after = 0; after < 9; after++) {
        struct mi_loader *loader;
        struct mi_batch batch;
        assert_int_equal(mi_loader_create(data, &desc, &loader), MICA_OK);
        mi_loader_begin(loader, 5);
        for (int i = 0; i < after && mi_loader_next(loader, &batch); i++)
            if (i + 1 < after)
                mi_loader_release(loader, batch.slot);
        if (after % 2)
            run_epoch(loader, &desc, 6);
        mi_loader_destroy(loader);
    }
    mi_loader_destroy(NULL);
    mica_data_destroy(data);
}

static void test_empty_part(void **state)
{
    (void)state;
    mica_data *data = open_counting(false);
    struct mi_loader *loader;
    struct mi_batch batch;
    assert_int_equal(mi_loader_create(data, &(struct mi_loader_desc){.fields = data->fields, .field_count = data->field_count, .part = MICA_TEST, .batch = 4},
                                      &loader), MICA_OK);
    mi_loader_begin(loader, 0);
    assert_int_equal(mi_loader_batches(loader), 0);
    assert_false(mi_loader_next(loader, &batch));
    mi_loader_destroy(loader);
    assert_int_equal(mi_loader_create(data, &(struct mi_loader_desc){.fields = data->fields, .field_count = data->field_count, .batch = 0}, &loader),
                     MICA_INVALID_ARGUMENT);
    assert_null(loader);
    assert_string_equal(mica_data_error(data), "the batch size is 0; it must be at least 1");
    mica_data_destroy(data);
}

/* ---- Batches of similar lengths ---- */

enum { SEQUENCES = 997, LONGEST = 40, BATCH = 16 };

/* Sequence i begins with the number i. */
static mica_data *open_sequences(int64_t *lengths)
{
    float *values = mi_new(SEQUENCES * LONGEST, sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < SEQUENCES; i++) {
        lengths[i] = 1 + (int64_t)(mi_uniform(5, 1, (uint64_t)i) * LONGEST);
        values[i * LONGEST] = (float)i;
    }
    const mica_field field = {.shape = MICA_SHAPE(LONGEST, 1), .values = values, .lengths = lengths};
    mica_data *data = mica_fields_open(NULL, &(mica_fields_desc){.samples = SEQUENCES, .fields = &field, .field_count = 1});
    assert_int_equal(mica_data_status(data), MICA_OK);
    free(values);
    return data;
}

/* The samples of an epoch in their order, and the steps of all batches with their padding. */
static int64_t order_of(struct mi_loader *loader, uint64_t epoch, const int64_t *lengths, int64_t *order)
{
    struct mi_batch batch;
    int64_t steps = 0, seen = 0;
    mi_loader_begin(loader, epoch);
    while (mi_loader_next(loader, &batch)) {
        int64_t longest = 0;
        for (int64_t i = 0; i < batch.n; i++) {
            int64_t sample = order[seen++] = (int64_t)((const float *)batch.fields[0])[i * LONGEST];
            longest = lengths[sample] > longest ? lengths[sample] : longest;
        }
        assert_int_equal(batch.n, seen < SEQUENCES ? BATCH : SEQUENCES % BATCH); /* the smaller one is the last */
        steps += longest * batch.n;
        mi_loader_release(loader, batch.slot);
    }
    assert_int_equal(seen, SEQUENCES);
    return steps;
}

static void test_buckets(void **state)
{
    (void)state;
    static int64_t lengths[SEQUENCES], first[SEQUENCES], again[SEQUENCES], next[SEQUENCES];
    mica_data *data = open_sequences(lengths);
    for (int shuffle = 0; shuffle < 2; shuffle++) {
        struct mi_loader_desc desc = {.fields = data->fields, .field_count = 1, .batch = BATCH, .seed = 3, .shuffle = shuffle};
        struct mi_loader *plain, *loader;
        int64_t real = 0, seen[SEQUENCES] = {0};
        assert_int_equal(mi_loader_create(data, &desc, &plain), MICA_OK);
        desc.bucket_by_length = true;
        assert_int_equal(mi_loader_create(data, &desc, &loader), MICA_OK);
        int64_t unsorted = order_of(plain, 1, lengths, first), steps = order_of(loader, 1, lengths, first);
        for (int64_t i = 0; i < SEQUENCES; i++) {
            real += lengths[i];
            seen[first[i]]++;
        }
        for (int64_t i = 0; i < SEQUENCES; i++)
            assert_int_equal(seen[i], 1);
        assert_true(unsorted > real * 17 / 10 && steps < real * 11 / 10);
        order_of(loader, 2, lengths, next);
        order_of(loader, 1, lengths, again);
        assert_memory_equal(first, again, sizeof first);
        assert_int_equal(memcmp(first, next, sizeof first) != 0, shuffle);
        /* Pools are sorted, the longest first; of what is shuffled, batches are no longer in that order. */
        int64_t sorted = 0;
        for (int64_t i = BATCH; i < SEQUENCES; i += BATCH)
            sorted += lengths[first[i]] <= lengths[first[i - BATCH]];
        assert_true(shuffle ? sorted < SEQUENCES / BATCH * 3 / 4 : sorted >= SEQUENCES / BATCH - 4);
        mi_loader_destroy(plain);
        mi_loader_destroy(loader);
    }
    mica_data_destroy(data);
}

static void test_no_lengths(void **state)
{
    (void)state;
    mica_data *data = open_counting(false);
    struct mi_loader *loader;
    const struct mi_loader_desc desc = {.fields = data->fields, .field_count = data->field_count, .batch = 4, .bucket_by_length = true};
    assert_int_equal(mi_loader_create(data, &desc, &loader), MICA_INVALID_ARGUMENT);
    assert_non_null(strstr(mica_data_error(data), "bucket_by_length: all samples of the data have as many steps"));
    mica_data_destroy(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_leaving),
        cmocka_unit_test(test_empty_part),
        cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_no_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
