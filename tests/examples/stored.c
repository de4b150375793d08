/* Pretrained models. */
#include "examples/stored.h"

#include "support/files.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_BYTES = 1 << 26 };

static unsigned char *read_bytes(const char *name, size_t *size)
{
    struct mi_error error = {0};
    unsigned char *bytes = NULL;
    if (mi_file_read(&error, shared_data(name), MOST_BYTES, &bytes, size))
        fail_msg("%s", error.text);
    return bytes;
}

void stored_open(struct stored *stored, const char *name)
{
    struct mi_error error = {0};
    size_t size = 0;
    stored->bytes = read_bytes(name, &size);
    if (mi_safetensors_open(&error, name, stored->bytes, size, &stored->file))
        fail_msg("%s", error.text);
}

void stored_close(struct stored *stored)
{
    mi_safetensors_close(&stored->file);
    free(stored->bytes);
}

float *stored_tensor(const struct stored *stored, const char *name, size_t count)
{
    struct mi_error error = {0};
    const struct mi_safetensor *tensor = mi_safetensors_find(&stored->file, name);
    float *values = mi_new(count, sizeof *values);
    assert_non_null(values);
    if (!tensor)
        fail_msg("there is no %s", name);
    if (mi_safetensors_read(&error, name, &stored->file, tensor, MI_FLOAT, values, count))
        fail_msg("%s", error.text);
    return values;
}

float *stored_rows(const char *name, size_t width, size_t *rows)
{
    struct mi_error error = {0};
    struct mi_array array;
    size_t size = 0;
    unsigned char *bytes = read_bytes(name, &size);
    if (mi_npy_parse(&error, name, bytes, size, &array))
        fail_msg("%s", error.text);
    assert_int_equal(array.rank, 2);
    assert_int_equal(array.dim[1], width);
    *rows = (size_t)array.dim[0];
    float *values = mi_new(array.count, sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < *rows; i++)
        mi_array_row_floats(&array, i, values + i * width);
    free(bytes);
    return values;
}

char *stored_text(const char *name, size_t *size)
{
    unsigned char *bytes = read_bytes(name, size);
    char *text = realloc(bytes, *size + 1);
    assert_non_null(text);
    text[*size] = 0;
    return text;
}

void stored_write(mica_model *model, const char *name, const float *values, size_t count)
{
    if (mica_model_write(model, name, values, count))
        fail_msg("%s", mica_model_error(model));
}

double stored_difference(const float *got, const float *wanted, size_t count)
{
    double largest = 0, worst = 0;
    for (size_t i = 0; i < count; i++) {
        double difference = fabs((double)got[i] - (double)wanted[i]);
        largest = fmax(largest, fabs((double)wanted[i]));
        worst = difference <= worst ? worst : difference; /* NaN too */
    }
    return worst / largest;
}
