/* IDX, the format of MNIST: two zero bytes, an element type, a rank, that many big-endian 32-bit dimensions,
 * and the elements, big-endian. http://yann.lecun.com/exdb/mnist (the section on file formats) */
#include "formats/array/array.h"

/* The element type that a type byte means; false: none. */
static bool idx_dtype(unsigned char code, enum mi_type *out)
{
    static const struct { unsigned char code; enum mi_type type; } types[] = {
        {0x08, MI_UINT8}, {0x09, MI_INT8}, {0x0b, MI_INT16}, {0x0c, MI_INT32}, {0x0d, MI_FLOAT}, {0x0e, MI_DOUBLE}};
    for (size_t i = 0; i < MI_COUNT(types); i++) {
        if (types[i].code == code) {
            *out = types[i].type;
            return true;
        }
    }
    return false;
}

mica_status mi_idx_parse(struct mi_error *error, const char *place, const unsigned char *bytes, size_t size,
                         struct mi_array *out)
{
    *out = (struct mi_array){.big_endian = true};
    if (size < 4 || bytes[0] || bytes[1] || !idx_dtype(bytes[2], &out->type))
        return mi_fail(error, MICA_FORMAT, "%s: this is not an IDX file: it does not begin with 0, 0 and a "
                       "type", place);
    int rank = bytes[3];
    if (rank < 1 || rank > MICA_MAX_RANK)
        return mi_fail(error, MICA_FORMAT, "%s: the IDX header has %d dimensions; 1 to %d can be read",
                       place, rank, MICA_MAX_RANK);
    size_t header = 4 + 4 * (size_t)rank;
    if (size < header)
        return mi_fail(error, MICA_FORMAT, "%s: the IDX header ends early: %zu bytes of %zu", place, size,
                       header);
    out->rank = rank;
    for (int i = 0; i < rank; i++) {
        const unsigned char *d = bytes + 4 + 4 * i;
        out->dim[i] = (int64_t)d[0] << 24 | (int64_t)d[1] << 16 | (int64_t)d[2] << 8 | d[3];
    }
    if (!mi_array_count(out))
        return mi_fail(error, MICA_FORMAT, "%s: the dimensions of the IDX header are too large", place);
    size_t want = out->count * mi_type_bytes(out->type);
    if (size - header != want)
        return mi_fail(error, MICA_FORMAT, "%s: the IDX header says %zu bytes of elements, the file has %zu",
                       place, want, size - header);
    out->data = bytes + header;
    return MICA_OK;
}

bool mi_is_idx(const unsigned char *bytes, size_t size)
{
    enum mi_type type;
    return size >= 4 && !bytes[0] && !bytes[1] && bytes[3] >= 1 && idx_dtype(bytes[2], &type);
}
