/* NumPy's .npy: a magic text, a version, the length of a header, a header that is a Python dictionary, the
 * elements. https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#include "formats/array/array.h"
#include "data/data.h"

#include <string.h>

static const unsigned char magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

bool mi_is_npy(const unsigned char *bytes, size_t size)
{
    return size >= sizeof magic && !memcmp(bytes, magic, sizeof magic);
}

/* ---- The header: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } ---- */

struct header {
    struct mi_error *error;
    const char *place;
    const char *at, *end;
    bool has_descr, has_order, has_shape;
    struct mi_array *out;
};

static mica_status bad_header(const struct header *h, const char *what)
{
    return mi_fail(h->error, MICA_FORMAT, "%s: the .npy header %s", h->place, what);
}

static void skip_space(struct header *h)
{
    while (h->at < h->end && (*h->at == ' ' || *h->at == '\t' || *h->at == '\n' || *h->at == '\r'))
        h->at++;
}

/* Skips space, then takes `c` if it comes next. */
static bool take(struct header *h, char c)
{
    skip_space(h);
    if (h->at >= h->end || *h->at != c)
        return false;
    h->at++;
    return true;
}

/* A text in single or double quotes, without escapes, into `out`. */
static bool take_text(struct header *h, char *out, size_t size)
{
    skip_space(h);
    if (h->at >= h->end || (*h->at != '\'' && *h->at != '"'))
        return false;
    char quote = *h->at++;
    size_t length = 0;
    while (h->at < h->end && *h->at != quote && length + 1 < size)
        out[length++] = *h->at++;
    out[length] = 0;
    return take(h, quote);
}

static bool take_word(struct header *h, const char *word)
{
    size_t length = strlen(word);
    skip_space(h);
    if ((size_t)(h->end - h->at) < length || memcmp(h->at, word, length))
        return false;
    h->at += length;
    return true;
}

static mica_status read_descr(struct header *h)
{
    static const struct { const char *code; enum mi_type type; } types[] = {
        {"b1", MI_BOOL}, {"?", MI_BOOL}, {"u1", MI_UINT8}, {"i1", MI_INT8}, {"u2", MI_UINT16}, {"i2", MI_INT16},
        {"u4", MI_UINT32}, {"i4", MI_INT32}, {"u8", MI_UINT64}, {"i8", MI_INT64}, {"f2", MI_HALF},
        {"f4", MI_FLOAT}, {"f8", MI_DOUBLE}};
    char descr[32];
    if (!take_text(h, descr, sizeof descr))
        return bad_header(h, "has an element type that cannot be read (records, objects)");
    const char *code = descr;
    h->out->big_endian = *code == '>';
    if (*code && strchr("<>|=", *code))
        code++;
    for (size_t i = 0; i < MI_COUNT(types); i++) {
        if (!strcmp(types[i].code, code)) {
            h->out->type = types[i].type;
            h->has_descr = true;
            return MICA_OK;
        }
    }
    return mi_fail(h->error, MICA_FORMAT, "%s: the elements are of type \"%s\"; numbers of 1 to 8 bytes and "
                   "booleans can be read", h->place, mi_show(descr).text);
}

static mica_status read_order(struct header *h)
{
    if (take_word(h, "True"))
        h->out->fortran = true;
    else if (!take_word(h, "False"))
        return bad_header(h, "has a fortran_order that is not True or False");
    h->has_order = true;
    return MICA_OK;
}

static bool take_dimension(struct header *h, int64_t *out)
{
    skip_space(h);
    const char *first = h->at;
    int64_t value = 0;
    while (h->at < h->end && *h->at >= '0' && *h->at <= '9') {
        if (value > (INT64_MAX - 9) / 10)
            return false;
        value = value * 10 + (*h->at++ - '0');
    }
    *out = value;
    bool found = h->at > first;
    if (found && h->at < h->end && *h->at == 'L') /* Python 2 wrote long numbers so */
        h->at++;
    return found;
}

static mica_status read_shape(struct header *h)
{
    bool comma = true;
    if (!take(h, '('))
        return bad_header(h, "has a shape that is not a tuple");
    while (!take(h, ')')) {
        int64_t dim;
        if (!comma || !take_dimension(h, &dim))
            return bad_header(h, "has a shape that cannot be read");
        if (h->out->rank == MICA_MAX_RANK)
            return bad_header(h, "has more than 8 dimensions");
        h->out->dim[h->out->rank++] = dim;
        comma = take(h, ',');
    }
    h->has_shape = true;
    return MICA_OK;
}

static mica_status read_entry(struct header *h)
{
    char key[32];
    if (!take_text(h, key, sizeof key) || !take(h, ':'))
        return bad_header(h, "is not a dictionary");
    if (!strcmp(key, "descr") && !h->has_descr)
        return read_descr(h);
    if (!strcmp(key, "fortran_order") && !h->has_order)
        return read_order(h);
    if (!strcmp(key, "shape") && !h->has_shape)
        return read_shape(h);
    return bad_header(h, "has an unknown or repeated key");
}

static mica_status read_header(struct header *h)
{
    bool comma = true;
    if (!take(h, '{'))
        return bad_header(h, "is not a dictionary");
    while (!take(h, '}')) {
        if (!comma)
            return bad_header(h, "is not a dictionary");
        MI_TRY(read_entry(h));
        comma = take(h, ',');
    }
    if (!h->has_descr || !h->has_order || !h->has_shape)
        return bad_header(h, "lacks descr, fortran_order or shape");
    return MICA_OK;
}

mica_status mi_npy_parse(struct mi_error *error, const char *place, const unsigned char *bytes, size_t size,
                         struct mi_array *out)
{
    *out = (struct mi_array){0};
    if (!mi_is_npy(bytes, size) || size < 10)
        return mi_fail(error, MICA_FORMAT, "%s: this is not a .npy file", place);
    if (bytes[6] < 1 || bytes[6] > 3)
        return mi_fail(error, MICA_FORMAT, "%s: .npy version %d.%d; versions 1, 2 and 3 can be read", place,
                       bytes[6], bytes[7]);
    size_t before = bytes[6] == 1 ? 10 : 12;
    if (size < before)
        return mi_fail(error, MICA_FORMAT, "%s: the .npy header ends early", place);
    size_t length = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    if (bytes[6] > 1)
        length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (length > size - before)
        return mi_fail(error, MICA_FORMAT, "%s: the .npy header ends early: %zu bytes of %zu", place,
                       size - before, length);
    const char *text = (const char *)bytes + before;
    struct header h = {.error = error, .place = place, .at = text, .end = text + length, .out = out};
    MI_TRY(read_header(&h));
    if (!mi_array_count(out))
        return mi_fail(error, MICA_FORMAT, "%s: the shape of the .npy header is too large", place);
    size_t want = out->count * mi_type_bytes(out->type), have = size - before - length;
    if (have != want)
        return mi_fail(error, MICA_FORMAT, "%s: the .npy header says %zu bytes of elements, the file has "
                       "%zu", place, want, have);
    out->data = bytes + before + length;
    return MICA_OK;
}

/* ---- Writing ---- */

mica_status mi_npy_write(struct mi_error *error, const char *path, const float *values,
                         const mica_shape *shape, int64_t n)
{
    size_t elements = 1, count;
    if (n < 0 || (shape->rank && !mi_sample_elements(shape, &elements)) ||
        !mi_mul_size((size_t)n, elements, &count) || count > SIZE_MAX / 4)
        return mi_fail(error, MICA_SHAPE, "%s: %lld rows of shape %s cannot be written", path, (long long)n,
                       mi_sample_text(shape).text);
    struct mi_text header = {0};
    mi_text_add(&header, "{'descr': '<f4', 'fortran_order': False, 'shape': (%lld,", (long long)n);
    for (int i = 0; i < shape->rank; i++)
        mi_text_add(&header, "%s%lld", i ? ", " : " ", (long long)shape->dim[i]);
    mi_text_add(&header, "), }");
    size_t padded = (header.size + 1 + 10 + 63) / 64 * 64 - 10; /* the elements begin at a multiple of 64 */
    mi_text_add(&header, "%*s\n", (int)(padded - header.size - 1), "");
    unsigned char start[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
    start[8] = (unsigned char)(padded & 255);
    start[9] = (unsigned char)(padded >> 8);
    struct mi_file *file = NULL;
    mica_status status = header.failed ? mi_out_of_memory(error) : mi_file_create(error, path, &file);
    if (status == MICA_OK) {
        mi_file_write(file, start, sizeof start);
        mi_file_write(file, header.data, header.size);
        mi_file_write_floats(file, values, count);
        status = mi_file_commit(file);
    }
    mi_text_destroy(&header);
    return status;
}
