/* Writing safetensors: tensors and texts, replaced atomically. */
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
    bool good = item && cJSON_AddStringToObject(item, "dtype", mi_safetensors_type(tensor->type));
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

/* The header's text; *largest: bytes of the largest tensor. */
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
        if (!elements_of(&what->tensors[i].shape, &count) || !mi_mul_size(count, mi_types[what->tensors[i].type].bytes, &bytes) ||
            !mi_add_size(begin, bytes, &end)) {
            cJSON_Delete(header);
            return mi_fail(error, MICA_SHAPE, "%s: tensor \"%s\" of shape %s cannot be written", path,
                           what->tensors[i].name, mi_sample_text(&what->tensors[i].shape).text);
        }
        *largest = bytes > *largest ? bytes : *largest;
        good = add_tensor(header, &what->tensors[i], begin, end);
        begin = end;
    }
    if (good && what->checksum)
        good = add_tensor(header, &(struct mi_safetensor_out){.name = what->checksum, .type = MI_UINT64}, begin, begin + 8);
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

/* The lowest byte of each first. */
static mica_status write_elements(struct mi_file *file, enum mi_type type, const void *elements, size_t count)
{
    if (type == MI_FLOAT)
        return mi_file_write_floats(file, elements, count);
    mica_status status = MICA_OK;
    for (size_t i = 0; i < count; i++) {
        unsigned char bytes[8];
        uint64_t bits = mi_element_bits(type, elements, i);
        for (size_t k = 0; k < sizeof bytes; k++)
            bytes[k] = (unsigned char)(bits >> (8 * k));
        status = mi_file_write(file, bytes, mi_types[type].bytes);
    }
    return status;
}

static mica_status write_tensors(struct mi_file *file, const struct mi_safetensors_out *what, void *scratch)
{
    mica_status status = MICA_OK;
    for (size_t i = 0; i < what->count && status == MICA_OK; i++) {
        const void *elements = what->tensors[i].elements;
        size_t count;
        (void)elements_of(&what->tensors[i].shape, &count);
        if (!elements) {
            status = what->read(what->user, i, scratch);
            elements = scratch;
        }
        if (status == MICA_OK)
            status = write_elements(file, what->tensors[i].type, elements, count);
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
    void *scratch = mi_new(what->read ? largest : 0, 1);
    mica_status status = scratch ? mi_file_create(error, path, &file) : mi_out_of_memory(error);
    if (status == MICA_OK && what->checksum)
        status = mi_file_hash(file);
    if (status == MICA_OK)
        status = write_header(file, text);
    if (status == MICA_OK)
        status = write_tensors(file, what, scratch);
    if (status == MICA_OK && what->checksum)
        status = mi_file_write_hash(file);
    if (status == MICA_OK)
        status = mi_file_commit(file);
    else
        mi_file_abandon(file);
    free(scratch);
    cJSON_free(text);
    return status;
}
