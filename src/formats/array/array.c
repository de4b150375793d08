/* Elements of files as floats and whole numbers. */
#include "formats/array/array.h"

#include <math.h>
#include <string.h>

size_t mi_dtype_size(enum mi_dtype dtype)
{
    switch (dtype) {
    case MI_B8: case MI_U8: case MI_I8: return 1;
    case MI_U16: case MI_I16: case MI_F16: case MI_BF16: return 2;
    case MI_U32: case MI_I32: case MI_F32: return 4;
    case MI_U64: case MI_I64: case MI_F64: return 8;
    case MI_OTHER: break;
    }
    return 0;
}

bool mi_dtype_is_integer(enum mi_dtype dtype)
{
    return dtype <= MI_I64;
}

bool mi_dtype_is_wide(enum mi_dtype dtype)
{
    return dtype == MI_F64 || dtype == MI_I32 || dtype == MI_U32 || dtype == MI_I64 || dtype == MI_U64;
}

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
    if (!mi_mul_size(count, mi_dtype_size(array->dtype), &bytes))
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

float mi_half_to_float(uint16_t half)
{
    int exponent = half >> 10 & 31;
    double fraction = half & 1023, magnitude;
    if (exponent == 31)
        magnitude = fraction != 0 ? (double)NAN : (double)INFINITY;
    else
        magnitude = exponent ? ldexp(fraction + 1024, exponent - 25) : ldexp(fraction, -24);
    return (float)(half & 0x8000 ? -magnitude : magnitude);
}

/* Two's complement of `size` bytes. */
static int64_t to_signed(uint64_t word, size_t size)
{
    uint64_t sign = (uint64_t)1 << (8 * size - 1);
    if (!(word & sign))
        return (int64_t)word;
    uint64_t below = (sign - 1) - (word & (sign - 1)); /* -value - 1 */
    return -(int64_t)below - 1;
}

static double to_double(enum mi_dtype dtype, uint64_t word)
{
    uint32_t low = (uint32_t)word;
    float single;
    double wide;
    switch (dtype) {
    case MI_B8: return word ? 1 : 0;
    case MI_U8: case MI_U16: case MI_U32: case MI_U64: return (double)word;
    case MI_I8: case MI_I16: case MI_I32: case MI_I64: return (double)to_signed(word, mi_dtype_size(dtype));
    case MI_F16: return (double)mi_half_to_float((uint16_t)word);
    case MI_BF16:
        low <<= 16;
        memcpy(&single, &low, sizeof single);
        return (double)single;
    case MI_F32:
        memcpy(&single, &low, sizeof single);
        return (double)single;
    case MI_F64:
        memcpy(&wide, &word, sizeof wide);
        return wide;
    case MI_OTHER: break;
    }
    return (double)NAN;
}

static float to_float(enum mi_dtype dtype, uint64_t word)
{
    double wide = to_double(dtype, word);
    if (fabs(wide) > 3.4028235677973366e38) /* rounds beyond the largest float */
        return wide > 0 ? INFINITY : -INFINITY;
    return (float)wide;
}

static void copy_float(const unsigned char *bytes, float *out)
{
    uint32_t word = (uint32_t)read_word(bytes, 4, false);
    memcpy(out, &word, sizeof word);
}

void mi_floats_from(enum mi_dtype dtype, const unsigned char *bytes, size_t n, float *out)
{
    size_t size = mi_dtype_size(dtype);
    if (dtype == MI_F32) /* by far the most common: a loop that compiles to a copy */
        for (size_t i = 0; i < n; i++)
            copy_float(bytes + 4 * i, &out[i]);
    else
        for (size_t i = 0; i < n; i++)
            out[i] = to_float(dtype, read_word(bytes + i * size, size, false));
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
    size_t elements = mi_array_row_elements(array), size = mi_dtype_size(array->dtype);
    bool fortran = array->fortran && array->rank > 1;
    if (!fortran && !array->big_endian) {
        mi_floats_from(array->dtype, array->data + row * elements * size, elements, out);
        return;
    }
    for (size_t i = 0; i < elements; i++) {
        size_t place = fortran ? fortran_place(array, row, i) : row * elements + i;
        out[i] = to_float(array->dtype, read_word(array->data + place * size, size, array->big_endian));
    }
}

void mi_array_row_doubles(const struct mi_array *array, size_t row, double *out)
{
    size_t elements = mi_array_row_elements(array), size = mi_dtype_size(array->dtype);
    bool fortran = array->fortran && array->rank > 1;
    for (size_t i = 0; i < elements; i++) {
        size_t place = fortran ? fortran_place(array, row, i) : row * elements + i;
        out[i] = to_double(array->dtype, read_word(array->data + place * size, size, array->big_endian));
    }
}

int64_t mi_array_integer(const struct mi_array *array, size_t element)
{
    size_t size = mi_dtype_size(array->dtype);
    uint64_t word = read_word(array->data + element * size, size, array->big_endian);
    switch (array->dtype) {
    case MI_I8: case MI_I16: case MI_I32: case MI_I64: return to_signed(word, size);
    case MI_B8: return word != 0;
    default: return word > INT64_MAX ? INT64_MAX : (int64_t)word;
    }
}
