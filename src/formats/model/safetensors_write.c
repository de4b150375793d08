/* Writing safetensors: float32 tensors and texts, replaced atomically. */
#include "formats/model/safetensors.h"
#include "data/data.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

/* Elements of a shape; a single number has rank 0. */
static bool elements_of(const mica_shape *shape, size_t *out)
{
    *out = 1;
    return !shape->rank || mi_sample_elements(shape, out);
}

static bool add_whole(cJSON *array, double value)
{
    cJSON *number = cJSON_CreateNumber(value);
    if (number && cJSON_AddItemToArray(array, number))
        return true;
    cJSON_Delete(number);
    return false;
}

static bool add_tensor(cJSON *header, const struct mi_safetensor_out *tensor, size_t begin, size_t end)
{
    cJSON *item = cJSON_AddObjectToObject(header, tensor->name);
    bool good = item && cJSON_AddStringToObject(item, "dtype", "F32");
    cJSON *shape = good ? cJSON_AddArrayToObject(item, "shape") : NULL;
    good = shape != NULL;
    for (int i = 0; good && i < tensor->shape.rank; i++)
        good = add_whole(shape, (double)tensor->shape.dim[i]);
    cJSON *offsets = good ? cJSON_AddArrayToObject(item, "data_offsets") : NULL;
    return offsets && add_whole(offsets, (double)begin) && add_whole(offsets, (double)end);
}

static bool add_metadata(cJSON *header, const struct mi_safetensors_out *what)
{
    cJSON *item = what->metadata_count ? cJSON_AddObjectToObject(header, "__metadata__") : header;
    bool good = item != NULL;
    for (size_t i = 0; good && i < what->metadata_count; i++)
        good = cJSON_AddStringToObject(item, what->metadata[i].key, what->metadata[i].value) != NULL;
    return good;
}

/* The header's text; *largest: elements of the largest tensor. */
static mica_status make_header(struct mi_error *error, const char *path,
                               const struct mi_safetensors_out *what, char **text, size_t *largest)
{
    cJSON *header = cJSON_CreateObject();
    bool good = header && add_metadata(header, what);
    size_t begin = 0;
    *text = NULL;
    *largest = 0;
    for (size_t i = 0; good && i < what->count; i++) {
        size_t count, bytes, end;
        if (!elements_of(&what->tensors[i].shape, &count) || !mi_mul_size(count, 4, &bytes) ||
            !mi_add_size(begin, bytes, &end)) {
            cJSON_Delete(header);
            return mi_fail(error, MICA_SHAPE, "%s: tensor \"%s\" of shape %s cannot be written", path,
                           what->tensors[i].name, mi_sample_text(&what->tensors[i].shape).text);
        }
        *largest = count > *largest ? count : *largest;
        good = add_tensor(header, &what->tensors[i], begin, end);
        begin = end;
    }
    *text = good ? mi_json_write(header, false) : NULL;
    cJSON_Delete(header);
    return *text ? MICA_OK : mi_out_of_memory(error);
}

static mica_status write_header(struct mi_file *file, const char *text)
{
    size_t length = strlen(text), padded = (length + 7) / 8 * 8; /* the tensors begin at a multiple of 8 */
    unsigned char size[8];
    for (int i = 0; i < 8; i++)
        size[i] = (unsigned char)((uint64_t)padded >> (8 * i));
    mi_file_write(file, size, sizeof size);
    mi_file_write(file, text, length);
    return mi_file_write(file, "        ", padded - length);
}

static mica_status write_tensors(struct mi_file *file, const struct mi_safetensors_out *what, float *scratch)
{
    mica_status status = MICA_OK;
    for (size_t i = 0; i < what->count && status == MICA_OK; i++) {
        const float *values = what->tensors[i].values;
        size_t count;
        (void)elements_of(&what->tensors[i].shape, &count);
        if (!values) {
            status = what->read(what->user, i, scratch);
            values = scratch;
        }
        if (status == MICA_OK)
            status = mi_file_write_floats(file, values, count);
    }
    return status;
}

mica_status mi_safetensors_write(struct mi_error *error, const char *path,
                                 const struct mi_safetensors_out *what)
{
    char *text;
    size_t largest;
    struct mi_file *file = NULL;
    MI_TRY(make_header(error, path, what, &text, &largest));
    float *scratch = mi_new(what->read ? largest : 0, sizeof *scratch);
    mica_status status = scratch ? mi_file_create(error, path, &file) : mi_out_of_memory(error);
    if (status == MICA_OK)
        status = write_header(file, text);
    if (status == MICA_OK)
        status = write_tensors(file, what, scratch);
    if (status == MICA_OK)
        status = mi_file_commit(file);
    else
        mi_file_abandon(file);
    free(scratch);
    cJSON_free(text);
    return status;
}
