/* Data sets, files and the loader when the k-th allocation fails, for every k: the status says so, nothing
 * crashes, and nothing leaks (the sanitizers' run sees that). */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing.h"
#include "formats/formats.h"
#include "formats/model/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char table_path[64], array_path[64], out_path[64], text_path[64], series_path[64];

static void put(char *path, const void *bytes, size_t size)
{
    strcpy(path, "/tmp/mica-memory-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

static int begin(void **state)
{
    static const char table[] =
        "size,colour,kind\n1,red,pear\n,blue,apple\n5,red,apple\n7,red,pear\n9,green,fig\n";
    static const char dated[] = "day,x\n2024-01,3\n2024-02,\n2024-04,5\n2024-05,7\n2024-06,9\n";
    static const unsigned char array[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 9, 8, 7, 6};
    (void)state;
    put(table_path, table, sizeof table - 1);
    put(array_path, array, sizeof array);
    put(out_path, "", 0);
    put(text_path, "the cat, the dog", 16);
    put(series_path, dated, sizeof dated - 1);
    return 0;
}

static int end(void **state)
{
    (void)state;
    return unlink(table_path) | unlink(array_path) | unlink(out_path) | unlink(text_path) | unlink(series_path);
}

static mica_status finish(mica_data *data)
{
    mica_status status = mica_data_status(data);
    mica_data_destroy(data);
    return status;
}

/* ---- What is tried; each returns its status ---- */

static mica_status try_table(void)
{
    static const char *const categorical[] = {"colour", NULL};
    mica_data *data = mica_csv_open(NULL, table_path, &(mica_csv_desc){
        .label = "kind", .missing = MICA_MISSING_MEAN, .categorical = categorical,
        .normalize = {.type = MICA_STANDARD},
        .split = {.fraction = {0.8f, 0, 0.2f}}});
    if (mica_data_status(data) == MICA_OK)
        (void)mica_data_hold_out(data, 0.25f, 1);
    return finish(data);
}

static mica_status try_array(void)
{
    return finish(mica_idx_open(NULL, &(mica_files_desc){.part = {{array_path, NULL}, {array_path, NULL}}}));
}

static mica_status try_spec(void)
{
    char text[200];
    snprintf(text, sizeof text, "{\"format\": \"csv\", \"path\": \"%s\", \"label\": 2, "
             "\"missing\": \"drop\", \"categorical\": [1],\"normalize\": {\"mean\": [1], \"std\": 2}}", table_path);
    cJSON *json = cJSON_Parse(text);
    mica_status status = finish(mi_data_from_spec(NULL, json, "/tmp", "spec", NULL, false));
    cJSON_Delete(json);
    return status;
}

static mica_status try_fitted(void)
{
    static const char text[] =
        "[{\"role\": \"input\", \"shape\": [4], \"table_columns\": 3, \"columns\": [{\"name\": \"size\", \"index\": 0}, "
        "{\"name\": \"colour\", \"index\": 1, \"values\": [\"blue\", \"green\", \"red\"]}], "
        "\"missing\": \"mean\", \"fill\": [1, 0, 0, 0], \"normalize\": {\"type\": \"standard\", "
        "\"subtract\": [1, 0, 0, 0], \"divide\": [2, 1, 1, 1]}}, {\"role\": \"target\", \"columns\": [{\"name\": \"kind\", "
        "\"index\": 2}], \"table_columns\": 3, \"classes\": 3, \"class_names\": [\"apple\", \"fig\", \"pear\"]}]";
    struct mi_error error = {0};
    struct mi_prepared fitted = {0};
    cJSON *json = cJSON_Parse(text), *back = NULL;
    mica_status status = mi_prepared_from_json(&error, "model", json, &fitted);
    if (status == MICA_OK && !(back = mi_preprocess_to_json(&fitted.fields[0])))
        status = MICA_OUT_OF_MEMORY;
    if (status == MICA_OK)
        status = finish(mi_csv_open(NULL, table_path, &(mica_csv_desc){0}, &fitted));
    if (status == MICA_OK)
        status = finish(mi_inputs_open(NULL, table_path, &fitted, "input", &MICA_SHAPE(4)));
    mi_prepared_destroy(&fitted);
    cJSON_Delete(json);
    cJSON_Delete(back);
    return status;
}

static mica_status try_text(void)
{
    const mica_text_desc desc = {.part = {text_path, NULL, text_path}, .window = 4, .stride = 1};
    struct mi_error error = {0};
    struct mi_prepared fitted = {0};
    mica_data *data = mica_text_open(NULL, &desc);
    mica_status status = mica_data_status(data);
    cJSON *json = status == MICA_OK ? mi_data_describe(data) : NULL;
    if (status == MICA_OK)
        status = mica_data_hold_out(data, 0.3f, 0);
    if (status == MICA_OK)
        status = json ? mi_prepared_from_json(&error, "model", json, &fitted) : MICA_OUT_OF_MEMORY;
    cJSON_Delete(json);
    if (status == MICA_OK)
        status = finish(mi_text_open(NULL, &desc, &fitted));
    mi_prepared_destroy(&fitted);
    mica_data_destroy(data);
    return status;
}

/* What a model of the data reads again: texts in a column as byte pairs. */
static mica_status try_texts(void)
{
    const mica_text_column text = {.tokens = MICA_BPE, .max_length = 3};
    const mica_csv_desc desc = {.label = "kind", .drop = (const char *const[]){"size", NULL}, .text = &text,
                                .missing = MICA_MISSING_DROP};
    struct mi_error error = {0};
    struct mi_prepared fitted = {0};
    mica_data *data = mica_csv_open(NULL, table_path, &desc);
    mica_status status = mica_data_status(data);
    cJSON *json = status == MICA_OK ? mi_data_describe(data) : NULL;
    if (status == MICA_OK)
        status = json ? mi_prepared_from_json(&error, "model", json, &fitted) : MICA_OUT_OF_MEMORY;
    cJSON_Delete(json);
    if (status == MICA_OK)
        status = finish(mi_csv_open(NULL, table_path, &(mica_csv_desc){0}, &fitted));
    mi_prepared_destroy(&fitted);
    mica_data_destroy(data);
    return status;
}

static mica_status try_lengths(void)
{
    static const float inputs[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const int64_t lengths[2] = {4, 1};
    struct mi_error error = {0};
    mica_data *data = mica_arrays_open(NULL, &(mica_arrays_desc){.samples = 2, .input_shape = MICA_SHAPE(4), .inputs = inputs,
                                                                 .lengths = lengths});
    mica_status status = mica_data_status(data);
    if (status == MICA_OK && !mi_field_lengths(data, data->fields[0]))
        status = MICA_OUT_OF_MEMORY;
    mica_data_destroy(data);
    if (status != MICA_OK)
        return status;
    data = mica_arrays_open(NULL, &(mica_arrays_desc){.samples = 2, .input_shape = MICA_SHAPE(4), .inputs = inputs});
    status = mica_data_status(data);
    if (status == MICA_OK)
        status = mi_data_lengthen(data, data->fields[0], &error, "memory", MICA_SHAPE(6));
    mica_data_destroy(data);
    return status;
}

static mica_status try_series(void)
{
    static const char *const logarithm[] = {"x", NULL};
    const char *const month[] = {"month", NULL};
    const mica_calendar calendar = {"day", month};
    struct mi_error error = {0};
    struct mi_prepared fitted = {0};
    mica_data *data = mica_csv_open(NULL, series_path, &(mica_csv_desc){
        .label = "x", .regression = true, .missing = MICA_MISSING_PREVIOUS, .logarithm = logarithm, .calendar = &calendar,
        .calendar_count = 1, .date = "day", .series = {.sequence_length = 2}, .normalize = {.type = MICA_STANDARD}});
    mica_status status = mica_data_status(data);
    cJSON *json = status == MICA_OK ? mi_data_describe(data) : NULL;
    if (status == MICA_OK)
        status = mica_data_hold_out(data, 0.3f, 0);
    if (status == MICA_OK)
        status = json ? mi_prepared_from_json(&error, "model", json, &fitted) : MICA_OUT_OF_MEMORY;
    cJSON_Delete(json);
    if (status == MICA_OK)
        status = finish(mi_inputs_open(NULL, series_path, &fitted, "input", &MICA_SHAPE(2, 3)));
    mi_prepared_destroy(&fitted);
    mica_data_destroy(data);
    return status;
}

static mica_status try_loader(void)
{
    static const float inputs[16] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const int64_t lengths[8] = {1, 2, 2, 1, 2, 1, 1, 2};
    struct mi_loader *loader = NULL;
    struct mi_batch batch;
    mica_data *data = mica_arrays_open(NULL, &(mica_arrays_desc){
        .samples = 8, .input_shape = MICA_SHAPE(2), .inputs = inputs, .lengths = lengths, .label_shape = MICA_SHAPE(1),
        .values = inputs});
    mica_status status = mica_data_status(data);
    if (status == MICA_OK)
        status = mi_loader_create(data, &(struct mi_loader_desc){.batch = 3, .shuffle = true, .bucket_by_length = true,
                                                                 .fields = data->fields, .field_count = data->field_count}, &loader);
    if (status == MICA_OK) {
        long before = allocations();
        mi_loader_begin(loader, 0);
        while (mi_loader_next(loader, &batch))
            mi_loader_release(loader, batch.slot);
        assert_int_equal(allocations(), before); /* an epoch allocates nothing */
    }
    mi_loader_destroy(loader);
    mica_data_destroy(data);
    return status;
}

static mica_status try_safetensors(void)
{
    static const float values[2] = {1, 2};
    struct mi_error error = {0};
    struct mi_safetensors file = {0};
    struct mi_safetensor_out tensor = {"t", MICA_SHAPE(2), values, MI_FLOAT};
    struct mi_metadata metadata = {"k", "v"};
    unsigned char *bytes = NULL;
    size_t size;
    mica_status status = mi_safetensors_write(&error, out_path,
                                              &(struct mi_safetensors_out){&tensor, 1, &metadata, 1,
                                                                           NULL, NULL, NULL});
    if (status == MICA_OK)
        status = mi_file_read(&error, out_path, 10000, &bytes, &size);
    if (status == MICA_OK)
        status = mi_safetensors_open(&error, out_path, bytes, size, &file);
    if (status == MICA_OK)
        status = mi_npy_write(&error, out_path, values, &MICA_SHAPE(2), 1);
    mi_safetensors_close(&file);
    free(bytes);
    return status;
}

/* Fails allocation 1, 2, 3, ... until all is well. */
static void every_failure(mica_status (*attempt)(void))
{
    mica_status status = MICA_OUT_OF_MEMORY;
    long k = 1;
    for (; status == MICA_OUT_OF_MEMORY && k < 10000; k++) {
        fail_allocation(k);
        status = attempt();
        long made = allocations();
        fail_allocation(0);
        if (status == MICA_OK)
            assert_true(made < k); /* a failure that nobody noticed would be a defect */
    }
    assert_int_equal(status, MICA_OK);
    assert_true(k > 2);
}

static void test_all(void **state)
{
    (void)state;
    mica_status (*const attempts[])(void) = {try_table, try_array, try_spec, try_fitted, try_text, try_texts, try_lengths, try_series,
                                             try_loader, try_safetensors};
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++)
        every_failure(attempts[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all)};
    return cmocka_run_group_tests(tests, begin, end);
}
