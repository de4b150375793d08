/* The loader: its orders, its partial last batch, its slots, and leaving in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/data.h"

#include <stdlib.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_leaving),
        cmocka_unit_test(test_empty_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
