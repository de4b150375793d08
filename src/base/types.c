/* The table of element types, and numbers from and to their bits. */
#include "base/types.h"

#include <math.h>
#include <string.h>

const struct mi_type_info mi_types[MI_TYPES] = {
    [MI_FLOAT] = {"float32", 'f', 4, "float", "float", "-MICA_INF", "MICA_INF", "0.0f", NULL, NULL},
    [MI_HALF] = {"float16", 'f', 2, "float", "half", "-MICA_INF", "MICA_INF", "0.0f", "mica_load_half", "mica_store_half"},
    [MI_BFLOAT16] = {"bfloat16", 'f', 2, "float", "ushort", "-MICA_INF", "MICA_INF", "0.0f", "mica_load_bfloat16",
                     "mica_store_bfloat16"},
    [MI_DOUBLE] = {"float64", 'f', 8, "double", "double", "-MICA_INF", "MICA_INF", "0.0", NULL, NULL},
    [MI_INT8] = {"int8", 'i', 1, "char", "char", "CHAR_MIN", "CHAR_MAX", "(char)0", NULL, NULL},
    [MI_INT16] = {"int16", 'i', 2, "short", "short", "SHRT_MIN", "SHRT_MAX", "(short)0", NULL, NULL},
    [MI_INT32] = {"int32", 'i', 4, "int", "int", "INT_MIN", "INT_MAX", "0", NULL, NULL},
    [MI_INT64] = {"int64", 'i', 8, "long", "long", "LONG_MIN", "LONG_MAX", "0L", NULL, NULL},
    [MI_UINT8] = {"uint8", 'u', 1, "uchar", "uchar", "0", "UCHAR_MAX", "(uchar)0", NULL, NULL},
    [MI_UINT16] = {"uint16", 'u', 2, "ushort", "ushort", "0", "USHRT_MAX", "(ushort)0", NULL, NULL},
    [MI_UINT32] = {"uint32", 'u', 4, "uint", "uint", "0U", "UINT_MAX", "0U", NULL, NULL},
    [MI_UINT64] = {"uint64", 'u', 8, "ulong", "ulong", "0UL", "ULONG_MAX", "0UL", NULL, NULL},
    [MI_BOOL] = {"bool", 'b', 1, "uchar", "uchar", "0", "UCHAR_MAX", "(uchar)0", NULL, NULL},
};

size_t mica_type_size(mica_type type)
{
    return (unsigned)type < MI_TYPES ? mi_types[type].bytes : 0;
}

const char *mica_type_name(mica_type type)
{
    return (unsigned)type < MI_TYPES ? mi_types[type].name : NULL;
}

enum mi_type mi_type_named(const char *name)
{
    int type = 0;
    while (type < MI_TYPES && strcmp(mi_types[type].name, name) != 0)
        type++;
    return (enum mi_type)type;
}

void mi_type_names(const char *names[MI_TYPES + 1])
{
    for (int i = 0; i < MI_TYPES; i++)
        names[i] = mi_types[i].name;
    names[MI_TYPES] = NULL;
}

size_t mi_type_bytes(enum mi_type type)
{
    return type == MI_TYPES ? 0 : mi_types[type].bytes;
}

bool mi_type_is_integer(enum mi_type type)
{
    return type != MI_TYPES && mi_types[type].kind != 'f';
}

bool mi_type_is_wide(enum mi_type type)
{
    return type == MI_DOUBLE || (mi_type_is_integer(type) && mi_types[type].bytes > 2);
}

/* ---- Floats by their bits ---- */

static float bits_to_float(uint32_t bits)
{
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static uint32_t float_to_bits(float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static double half_to_double(uint32_t half)
{
    int exponent = half >> 10 & 31;
    double fraction = half & 1023, magnitude;
    if (exponent == 31)
        magnitude = fraction != 0 ? (double)NAN : (double)INFINITY;
    else
        magnitude = exponent ? ldexp(fraction + 1024, exponent - 25) : ldexp(fraction, -24);
    return half & 0x8000 ? -magnitude : magnitude;
}

/* The size is counted in its own last places, of 2^-24 at least, and rounded to a whole number of them. What is rounded up to the
 * next power of 2 carries into the exponent by itself, and from 65520 on into that of infinity. */
static uint32_t double_to_half(double number)
{
    uint32_t sign = signbit(number) ? 0x8000 : 0;
    int exponent = 0;
    if (isnan(number))
        return sign | 0x7e00;
    if (fabs(number) >= 65520)
        return sign | 0x7c00;
    frexp(number, &exponent);
    int shift = exponent < -13 || number == 0 ? -24 : exponent - 11;
    uint32_t places = (uint32_t)nearbyint(ldexp(fabs(number), -shift));
    return sign | (places + ((uint32_t)(shift + 24) << 10));
}

/* The upper half of a float, to the nearest, of two to the even one. */
static uint32_t float_to_bfloat16(float number)
{
    uint32_t bits = float_to_bits(number);
    return isnan(number) ? bits >> 16 | 0x40 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

float mi_double_to_float(double number)
{
    if (fabs(number) > 3.4028235677973366e38) /* rounds beyond the largest float */
        return number > 0 ? INFINITY : -INFINITY;
    return (float)number;
}

/* ---- Elements ---- */

/* Two's complement of `bytes` bytes. */
static int64_t bits_to_signed(uint64_t bits, size_t bytes)
{
    uint64_t sign = (uint64_t)1 << (8 * bytes - 1);
    if (!(bits & sign))
        return (int64_t)bits;
    uint64_t below = (sign - 1) - (bits & (sign - 1)); /* -value - 1 */
    return -(int64_t)below - 1;
}

double mi_bits_to_double(enum mi_type type, uint64_t bits)
{
    double wide;
    switch (mi_types[type].kind) {
    case 'b': return bits ? 1 : 0;
    case 'u': return (double)bits;
    case 'i': return (double)bits_to_signed(bits, mi_types[type].bytes);
    }
    if (type == MI_HALF)
        return half_to_double((uint32_t)bits);
    if (type != MI_DOUBLE)
        return (double)bits_to_float((uint32_t)bits << (type == MI_BFLOAT16 ? 16 : 0));
    memcpy(&wide, &bits, sizeof wide);
    return wide;
}

int64_t mi_bits_to_integer(enum mi_type type, uint64_t bits)
{
    if (mi_types[type].kind == 'i')
        return bits_to_signed(bits, mi_types[type].bytes);
    if (mi_types[type].kind == 'b')
        return bits != 0;
    return bits > INT64_MAX ? INT64_MAX : (int64_t)bits;
}

static uint64_t integer_to_bits(enum mi_type type, double number)
{
    bool is_signed = mi_types[type].kind == 'i';
    int digits = 8 * (int)mi_types[type].bytes - is_signed;
    uint64_t all = UINT64_MAX >> (64 - 8 * mi_types[type].bytes), highest = all >> is_signed;
    double end = ldexp(1, digits);
    if (isnan(number))
        return 0;
    if (number >= end)
        return highest;
    if (number < 0)
        return !is_signed ? 0 : number <= -end ? highest + 1 : (uint64_t)(int64_t)number & all;
    return (uint64_t)number;
}

uint64_t mi_double_to_bits(enum mi_type type, double number)
{
    uint64_t bits;
    if (mi_types[type].kind == 'b')
        return number != 0;
    if (mi_types[type].kind != 'f')
        return integer_to_bits(type, number);
    if (type == MI_HALF)
        return double_to_half(number);
    if (type != MI_DOUBLE)
        return type == MI_FLOAT ? float_to_bits(mi_double_to_float(number)) : float_to_bfloat16(mi_double_to_float(number));
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

bool mi_type_holds(enum mi_type type, double number)
{
    if (mi_types[type].kind == 'f')
        return true;
    if (mi_types[type].kind == 'b')
        return number == 0 || number == 1;
    double end = ldexp(1, 8 * (int)mi_types[type].bytes - (mi_types[type].kind == 'i'));
    return number < end && number >= (mi_types[type].kind == 'i' ? -end : 0) && number == floor(number);
}

/* ---- C's memory ---- */

static uint64_t load_bits(const unsigned char *element, size_t bytes)
{
    uint8_t byte;
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    switch (bytes) {
    case 1: memcpy(&byte, element, 1); return byte;
    case 2: memcpy(&two, element, 2); return two;
    case 4: memcpy(&four, element, 4); return four;
    default: memcpy(&eight, element, 8); return eight;
    }
}

static void store_bits(unsigned char *element, size_t bytes, uint64_t bits)
{
    uint8_t byte = (uint8_t)bits;
    uint16_t two = (uint16_t)bits;
    uint32_t four = (uint32_t)bits;
    switch (bytes) {
    case 1: memcpy(element, &byte, 1); break;
    case 2: memcpy(element, &two, 2); break;
    case 4: memcpy(element, &four, 4); break;
    default: memcpy(element, &bits, 8);
    }
}

uint64_t mi_element_bits(enum mi_type type, const void *elements, size_t i)
{
    size_t bytes = mi_types[type].bytes;
    return load_bits((const unsigned char *)elements + i * bytes, bytes);
}

double mi_element(enum mi_type type, const void *elements, size_t i)
{
    return mi_bits_to_double(type, mi_element_bits(type, elements, i));
}

void mi_element_set_bits(enum mi_type type, void *elements, size_t i, uint64_t bits)
{
    store_bits((unsigned char *)elements + i * mi_types[type].bytes, mi_types[type].bytes, bits);
}

void mi_element_set(enum mi_type type, void *elements, size_t i, double number)
{
    mi_element_set_bits(type, elements, i, mi_double_to_bits(type, number));
}

void mi_elements_to_floats(enum mi_type type, const void *elements, size_t n, float *out)
{
    if (type == MI_FLOAT) {
        if (n)
            memcpy(out, elements, n * sizeof *out);
        return;
    }
    for (size_t i = 0; i < n; i++)
        out[i] = mi_double_to_float(mi_element(type, elements, i));
}

void mi_elements_from_floats(enum mi_type type, const float *numbers, size_t n, void *out)
{
    if (type == MI_FLOAT) {
        if (n)
            memcpy(out, numbers, n * sizeof *numbers);
        return;
    }
    for (size_t i = 0; i < n; i++)
        mi_element_set(type, out, i, (double)numbers[i]);
}
