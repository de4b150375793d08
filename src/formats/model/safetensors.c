/* Reading safetensors: nothing in the header is believed before it has been compared with the file's size. */
#include "formats/model/safetensors.h"
#include "data/data.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_HEADER ((uint64_t)100 * 1000 * 1000)
#define MOST_WHOLE 9007199254740992.0 /* beyond 2^53, JSON's numbers are not exact */

struct reader {
    struct mi_error *error;
    const char *place;
    struct mi_safetensors *out;
    size_t begin, size;        /* of the tensors' bytes, within the file */
};

static mica_status bad_tensor(const struct reader *r, const char *name, const char *what)
{
    return mi_fail(r->error, MICA_FORMAT, "%s: tensor \"%s\": %s", r->place, mi_show(name).text, what);
}

/* ---- One tensor ---- */

/* The format's names of types. */
static const struct { const char *name; enum mi_type type; unsigned char size; } types[] = {
    {"F32", MI_FLOAT, 4}, {"F16", MI_HALF, 2}, {"BF16", MI_BFLOAT16, 2}, {"F64", MI_DOUBLE, 8}, {"I64", MI_INT64, 8},
    {"I32", MI_INT32, 4}, {"I16", MI_INT16, 2}, {"I8", MI_INT8, 1}, {"U64", MI_UINT64, 8}, {"U32", MI_UINT32, 4},
    {"U16", MI_UINT16, 2}, {"U8", MI_UINT8, 1}, {"BOOL", MI_BOOL, 1}, {"F8_E5M2", MI_TYPES, 1},
    {"F8_E4M3", MI_TYPES, 1}, {"F8_E8M0", MI_TYPES, 1}, {"C64", MI_TYPES, 8}};

const char *mi_safetensors_type(enum mi_type type)
{
    size_t i = 0;
    while (types[i].type != type)
        i++;
    return types[i].name;
}

static bool read_dtype(const char *name, struct mi_safetensor *tensor, size_t *size)
{
    for (size_t i = 0; i < MI_COUNT(types); i++) {
        if (!strcmp(types[i].name, name)) {
            tensor->type = types[i].type;
            tensor->type_name = types[i].name;
            *size = types[i].size;
            return true;
        }
    }
    return false;
}

static bool read_whole(const cJSON *json, size_t *out)
{
    double value = cJSON_IsNumber(json) ? json->valuedouble : -1;
    if (!(value >= 0 && value <= MOST_WHOLE) || floor(value) != value || value > (double)(SIZE_MAX / 2))
        return false;
    *out = (size_t)value;
    return true;
}

static mica_status read_shape(const struct reader *r, const cJSON *shape, struct mi_safetensor *tensor)
{
    const cJSON *item;
    bool empty = false;
    tensor->count = 1;
    if (!cJSON_IsArray(shape))
        return bad_tensor(r, tensor->name, "\"shape\" is not a list");
    cJSON_ArrayForEach(item, shape) {
        size_t dim;
        if (!read_whole(item, &dim))
            return bad_tensor(r, tensor->name, "\"shape\" holds something that is not a dimension");
        if (tensor->rank == MICA_MAX_RANK)
            return bad_tensor(r, tensor->name, "\"shape\" has more than 8 dimensions");
        tensor->dim[tensor->rank++] = (int64_t)dim;
        if (!dim)
            empty = true;
        else if (!mi_mul_size(tensor->count, dim, &tensor->count))
            return bad_tensor(r, tensor->name, "\"shape\" is too large");
    }
    if (empty)
        tensor->count = 0;
    return MICA_OK;
}

static mica_status read_offsets(const struct reader *r, const cJSON *offsets, size_t element_size,
                                struct mi_safetensor *tensor)
{
    size_t begin, end, bytes;
    if (!cJSON_IsArray(offsets) || cJSON_GetArraySize(offsets) != 2 || !read_whole(offsets->child, &begin) ||
        !read_whole(offsets->child->next, &end))
        return bad_tensor(r, tensor->name, "\"data_offsets\" is not a list of two offsets");
    if (begin > end || end > r->size)
        return mi_fail(r->error, MICA_FORMAT, "%s: tensor \"%s\": \"data_offsets\" are %zu to %zu, the file "
                       "has %zu bytes of tensors", r->place, mi_show(tensor->name).text, begin, end, r->size);
    if (!mi_mul_size(tensor->count, element_size, &bytes) || bytes != end - begin)
        return mi_fail(r->error, MICA_FORMAT, "%s: tensor \"%s\": \"data_offsets\" span %zu bytes, %zu "
                       "elements of %s need others", r->place, mi_show(tensor->name).text, end - begin,
                       tensor->count, tensor->type_name);
    tensor->offset = r->begin + begin;
    tensor->bytes = bytes;
    return MICA_OK;
}

static mica_status read_tensor(const struct reader *r, const cJSON *item, struct mi_safetensor *tensor)
{
    size_t element_size = 0;
    tensor->name = mi_arena_strdup(&r->out->arena, item->string);
    if (!tensor->name)
        return mi_out_of_memory(r->error);
    if (!cJSON_IsObject(item))
        return bad_tensor(r, tensor->name, "is not an object");
    const cJSON *dtype = cJSON_GetObjectItemCaseSensitive(item, "dtype");
    if (!cJSON_IsString(dtype))
        return bad_tensor(r, tensor->name, "\"dtype\" is missing");
    if (!read_dtype(dtype->valuestring, tensor, &element_size))
        return mi_fail(r->error, MICA_FORMAT, "%s: tensor \"%s\": \"dtype\" is \"%s\", which is not known",
                       r->place, mi_show(tensor->name).text, mi_show(dtype->valuestring).text);
    MI_TRY(read_shape(r, cJSON_GetObjectItemCaseSensitive(item, "shape"), tensor));
    return read_offsets(r, cJSON_GetObjectItemCaseSensitive(item, "data_offsets"), element_size, tensor);
}

/* ---- All of them ---- */

static int compare_names(const void *a, const void *b)
{
    const struct mi_safetensor *const *left = a, *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

static int compare_offsets(const void *a, const void *b)
{
    const struct mi_safetensor *left = *(const struct mi_safetensor *const *)a;
    const struct mi_safetensor *right = *(const struct mi_safetensor *const *)b;
    if (left->offset != right->offset)
        return left->offset > right->offset ? 1 : -1;
    return (left->bytes > right->bytes) - (left->bytes < right->bytes); /* empty ones first */
}

/* Names occur once; the tensors' bytes touch, and fill the file to its end. */
static mica_status check_whole(const struct reader *r, const struct mi_safetensor **sorted)
{
    size_t count = r->out->count, next = r->begin;
    for (size_t i = 0; i < count; i++)
        sorted[i] = &r->out->tensors[i];
    qsort(sorted, count, sizeof *sorted, compare_names);
    for (size_t i = 1; i < count; i++)
        if (!strcmp(sorted[i - 1]->name, sorted[i]->name))
            return bad_tensor(r, sorted[i]->name, "the name occurs twice");
    qsort(sorted, count, sizeof *sorted, compare_offsets);
    for (size_t i = 0; i < count; i++) {
        if (sorted[i]->offset < next)
            return bad_tensor(r, sorted[i]->name, "\"data_offsets\" overlap those of another tensor");
        if (sorted[i]->offset > next)
            return bad_tensor(r, sorted[i]->name, "\"data_offsets\" leave a hole before them");
        next += sorted[i]->bytes;
    }
    if (next != r->begin + r->size)
        return mi_fail(r->error, MICA_FORMAT, "%s: the tensors need %zu bytes, the file has %zu", r->place,
                       next - r->begin, r->size);
    return MICA_OK;
}

static mica_status read_metadata(const struct reader *r, const cJSON *object)
{
    struct mi_safetensors *out = r->out;
    const cJSON *item;
    if (!cJSON_IsObject(object) || out->metadata)
        return mi_fail(r->error, MICA_FORMAT, "%s: \"__metadata__\" is not an object, or occurs twice",
                       r->place);
    out->metadata = mi_arena_new(&out->arena, (size_t)cJSON_GetArraySize(object), sizeof *out->metadata);
    if (!out->metadata)
        return mi_out_of_memory(r->error);
    cJSON_ArrayForEach(item, object) {
        if (!cJSON_IsString(item))
            return mi_fail(r->error, MICA_FORMAT, "%s: \"__metadata__\": \"%s\" is not a text", r->place,
                           mi_show(item->string).text);
        struct mi_metadata *entry = &out->metadata[out->metadata_count++];
        entry->key = mi_arena_strdup(&out->arena, item->string);
        entry->value = mi_arena_strdup(&out->arena, item->valuestring);
        if (!entry->key || !entry->value)
            return mi_out_of_memory(r->error);
    }
    return MICA_OK;
}

static mica_status read_header(const struct reader *r, const cJSON *header)
{
    struct mi_safetensors *out = r->out;
    const cJSON *item;
    out->tensors = mi_arena_new(&out->arena, (size_t)cJSON_GetArraySize(header), sizeof *out->tensors);
    if (!out->tensors)
        return mi_out_of_memory(r->error);
    cJSON_ArrayForEach(item, header) {
        if (!strcmp(item->string, "__metadata__"))
            MI_TRY(read_metadata(r, item));
        else
            MI_TRY(read_tensor(r, item, &out->tensors[out->count++]));
    }
    const struct mi_safetensor **sorted = mi_new(out->count, sizeof *sorted);
    if (!sorted)
        return mi_out_of_memory(r->error);
    mica_status status = check_whole(r, sorted);
    free(sorted);
    return status;
}

/* The header's JSON; only spaces may follow it. */
static mica_status parse_header(const struct reader *r, const char *text, size_t length, cJSON **out)
{
    const char *end = NULL;
    *out = NULL;
    if (!length || text[0] != '{')
        return mi_fail(r->error, MICA_FORMAT, "%s: the header does not begin with {", r->place);
    *out = mi_json_read(text, length, &end);
    if (!*out)
        return mi_fail(r->error, MICA_FORMAT, "%s: the header is not valid JSON", r->place);
    for (; end && end < text + length; end++)
        if (!strchr(" \t\r\n", *end))
            return mi_fail(r->error, MICA_FORMAT, "%s: bytes follow the header's JSON", r->place);
    return MICA_OK;
}

mica_status mi_safetensors_open(struct mi_error *error, const char *place, const unsigned char *bytes,
                                size_t size, struct mi_safetensors *out)
{
    uint64_t length = 0;
    *out = (struct mi_safetensors){.data = bytes};
    if (size < 8)
        return mi_fail(error, MICA_FORMAT, "%s: %zu bytes are too few for a safetensors file", place, size);
    for (int i = 0; i < 8; i++)
        length |= (uint64_t)bytes[i] << (8 * i);
    if (length > MOST_HEADER || length > size - 8)
        return mi_fail(error, MICA_FORMAT, "%s: not a .safetensors file, or a damaged one: the header has %llu bytes, "
                       "the file %zu behind its length (and the limit is %llu)", place, (unsigned long long)length, size - 8,
                       (unsigned long long)MOST_HEADER);
    struct reader r = {error, place, out, 8 + (size_t)length, size - 8 - (size_t)length};
    cJSON *header;
    mica_status status = parse_header(&r, (const char *)bytes + 8, (size_t)length, &header);
    if (status == MICA_OK)
        status = read_header(&r, header);
    cJSON_Delete(header);
    if (status != MICA_OK)
        mi_safetensors_close(out);
    return status;
}

void mi_safetensors_close(struct mi_safetensors *file)
{
    mi_arena_destroy(&file->arena);
    *file = (struct mi_safetensors){0};
}

const struct mi_safetensor *mi_safetensors_find(const struct mi_safetensors *file, const char *name)
{
    for (size_t i = 0; i < file->count; i++)
        if (!strcmp(file->tensors[i].name, name))
            return &file->tensors[i];
    return NULL;
}

mica_status mi_safetensors_check(struct mi_error *error, const char *place, const struct mi_safetensors *file,
                                 size_t size, const char *checksum)
{
    const struct mi_safetensor *tensor = mi_safetensors_find(file, checksum);
    uint64_t stored = 0;
    if (!tensor || tensor->bytes != sizeof stored || tensor->offset + sizeof stored != size)
        return mi_fail(error, MICA_FORMAT, "%s: its checksum \"%s\" is missing", place, checksum);
    for (int i = 0; i < 8; i++)
        stored |= (uint64_t)file->data[tensor->offset + (size_t)i] << (8 * i);
    uint64_t hash = mi_hash(file->data, tensor->offset, 0);
    if (hash == stored)
        return MICA_OK;
    return mi_fail(error, MICA_FORMAT, "%s: is damaged: its checksum is %016llx, that of its bytes %016llx", place,
                   (unsigned long long)stored, (unsigned long long)hash);
}

const char *mi_safetensors_metadata(const struct mi_safetensors *file, const char *key)
{
    for (size_t i = 0; i < file->metadata_count; i++)
        if (!strcmp(file->metadata[i].key, key))
            return file->metadata[i].value;
    return NULL;
}

mica_status mi_safetensors_read(struct mi_error *error, const char *place, const struct mi_safetensors *file,
                                const struct mi_safetensor *tensor, enum mi_type type, void *out, size_t count)
{
    if (tensor->type == MI_TYPES)
        return mi_fail(error, MICA_UNSUPPORTED, "%s: tensor \"%s\": elements of type %s cannot be read",
                       place, mi_show(tensor->name).text, tensor->type_name);
    if (count != tensor->count)
        return mi_fail(error, MICA_SHAPE, "%s: tensor \"%s\" has %zu elements, not %zu", place,
                       mi_show(tensor->name).text, tensor->count, count);
    for (size_t i = 0; mi_type_is_integer(type) && tensor->type != type && i < count; i++) {
        double number = mi_array_number(tensor->type, file->data + tensor->offset, i);
        if (!mi_type_holds(type, number))
            return mi_fail(error, MICA_DATA, "%s: tensor \"%s\": element %zu is %.17g, which is no %s", place,
                           mi_show(tensor->name).text, i, number, mi_types[type].name);
    }
    mi_elements_convert(tensor->type, file->data + tensor->offset, count, type, out);
    return MICA_OK;
}
