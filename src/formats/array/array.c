/* Elements of files as floats and whole numbers. */
#include "formats/array/array.h"

#include <string.h>

bool mi_array_count(struct mi_array *array)
{
    size_t count = 1, bytes;
    bool empty = false;
    for (int i = 0; i < array->rank; i++) {
        if (array->dim[i] < 0 || (uint64_t)array->dim[i] > SIZE_MAX)
            return false;
        if (!array->dim[i])
            empty = true;
        else if (!mi_mul_size(count, (size_t)array->dim[i], &count))
            return false;
    }
    if (!mi_mul_size(count, mi_type_bytes(array->type), &bytes))
        return false;
    array->count = empty ? 0 : count;
    return true;
}

size_t mi_array_row_elements(const struct mi_array *array)
{
    size_t elements = 1;
    for (int i = 1; i < array->rank; i++)
        elements *= (size_t)array->dim[i]; /* mi_array_count has checked the product */
    return elements;
}

/* ---- One element ---- */

static uint64_t read_word(const unsigned char *at, size_t size, bool big_endian)
{
    uint64_t word = 0;
    for (size_t i = 0; i < size; i++)
        word |= (uint64_t)at[big_endian ? size - 1 - i : i] << (8 * i);
    return word;
}

static void copy_float(const unsigned char *bytes, float *out)
{
    uint32_t word = (uint32_t)read_word(bytes, 4, false);
    memcpy(out, &word, sizeof word);
}

double mi_array_number(enum mi_type type, const unsigned char *bytes, size_t i)
{
    size_t size = mi_type_bytes(type);
    return mi_bits_to_double(type, read_word(bytes + i * size, size, false));
}

void mi_floats_from(enum mi_type type, const unsigned char *bytes, size_t n, float *out)
{
    if (type == MI_FLOAT) /* by far the most common: a loop that compiles to a copy */
        for (size_t i = 0; i < n; i++)
            copy_float(bytes + 4 * i, &out[i]);
    else
        for (size_t i = 0; i < n; i++)
            out[i] = mi_double_to_float(mi_array_number(type, bytes, i));
}

void mi_elements_convert(enum mi_type from, const unsigned char *bytes, size_t n, enum mi_type to, void *out)
{
    size_t size = mi_type_bytes(from);
    if (to == MI_FLOAT) {
        mi_floats_from(from, bytes, n, out);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = read_word(bytes + i * size, size, false);
        mi_element_set_bits(to, out, i, from == to ? bits : mi_double_to_bits(to, mi_bits_to_double(from, bits)));
    }
}

/* ---- Rows ---- */

/* The place of an element of a row, both counted in C order, in an array that is in Fortran order. */
static size_t fortran_place(const struct mi_array *array, size_t row, size_t element)
{
    size_t place = 0, stride = 1, index[MICA_MAX_RANK] = {0};
    for (int i = array->rank - 1; i > 0; i--) {
        index[i] = element % (size_t)array->dim[i];
        element /= (size_t)array->dim[i];
    }
    index[0] = row;
    for (int i = 0; i < array->rank; i++) {
        place += index[i] * stride;
        stride *= (size_t)array->dim[i];
    }
    return place;
}

void mi_array_row_floats(const struct mi_array *array, size_t row, float *out)
{
    size_t elements = mi_array_row_elements(array), size = mi_type_bytes(array->type);
    bool fortran = array->fortran && array->rank > 1;
    if (!fortran && !array->big_endian) {
        mi_floats_from(array->type, array->data + row * elements * size, elements, out);
        return;
    }
    for (size_t i = 0; i < elements; i++) {
        size_t place = fortran ? fortran_place(array, row, i) : row * elements + i;
        out[i] = mi_double_to_float(mi_bits_to_double(array->type, read_word(array->data + place * size, size, array->big_endian)));
    }
}

void mi_array_row_doubles(const struct mi_array *array, size_t row, double *out)
{
    size_t elements = mi_array_row_elements(array), size = mi_type_bytes(array->type);
    bool fortran = array->fortran && array->rank > 1;
    for (size_t i = 0; i < elements; i++) {
        size_t place = fortran ? fortran_place(array, row, i) : row * elements + i;
        out[i] = mi_bits_to_double(array->type, read_word(array->data + place * size, size, array->big_endian));
    }
}

int64_t mi_array_integer(const struct mi_array *array, size_t element)
{
    size_t size = mi_type_bytes(array->type);
    uint64_t word = read_word(array->data + element * size, size, array->big_endian);
    return mi_bits_to_integer(array->type, word);
}
