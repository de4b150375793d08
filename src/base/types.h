/* Element types: one table, and numbers from and to elements. */
#ifndef MICA_SRC_TYPES_H
#define MICA_SRC_TYPES_H

#include "base/base.h"

#include <mica/model.h>

/* The public enum's types, under the names that the library uses. */
enum mi_type {
    MI_FLOAT = MICA_FLOAT32, MI_HALF = MICA_FLOAT16, MI_BFLOAT16 = MICA_BFLOAT16, MI_DOUBLE = MICA_FLOAT64,
    MI_INT8 = MICA_INT8, MI_INT16 = MICA_INT16, MI_INT32 = MICA_INT32, MI_INT64 = MICA_INT64,
    MI_UINT8 = MICA_UINT8, MI_UINT16 = MICA_UINT16, MI_UINT32 = MICA_UINT32, MI_UINT64 = MICA_UINT64,
    MI_BOOL = MICA_BOOL, MI_TYPES /* also: no type, or none that can be read (8-bit floats, complex numbers) */
};

/* Kernels compute integers in their own type, and they wrap round. float16 and bfloat16 are only stored: a value in a register is a
 * float, so that they need no extension of OpenCL C, and what is fused is rounded where it is stored, or cast. */
struct mi_type_info {
    const char *name;   /* NumPy's: "float32" */
    char kind;          /* NumPy's: 'f' floating point, 'i' signed, 'u' unsigned, 'b' bool */
    size_t bytes;       /* of an element */
    const char *c;      /* OpenCL C's, of a value in a register */
    const char *stored; /* OpenCL C's, of an element in memory */
    const char *lowest, *highest; /* OpenCL C's, of a value in a register */
    const char *zero;   /* the same, of its type also where it stands for an element: built-ins are overloaded */
    const char *load, *store; /* functions of common.cl; NULL: an element is a value */
};
extern const struct mi_type_info mi_types[MI_TYPES];

enum mi_type mi_type_named(const char *name);      /* MI_TYPES: there is none */
void mi_type_names(const char *names[MI_TYPES + 1]); /* of all; NULL-terminated */
size_t mi_type_bytes(enum mi_type type);           /* 0 for MI_TYPES */
bool mi_type_is_integer(enum mi_type type);        /* bool too */
bool mi_type_is_wide(enum mi_type type);           /* its values may be more than a float tells apart */

/* An element by its bits, the lowest first. An integer that a double does not hold is rounded; where a number is no element of the
 * type, it is cut to it: towards zero, and to the nearest that there is; NaN is 0. A bool is whether it differs from 0. */
double mi_bits_to_double(enum mi_type type, uint64_t bits);
int64_t mi_bits_to_integer(enum mi_type type, uint64_t bits); /* of an integer; what is above an int64 counts as the highest */
uint64_t mi_double_to_bits(enum mi_type type, double number);
/* Whether the number is an element of the type: floats are always, if only to some digits. */
bool mi_type_holds(enum mi_type type, double number);

/* Elements of C's memory, which are aligned to nothing. */
uint64_t mi_element_bits(enum mi_type type, const void *elements, size_t i);
double mi_element(enum mi_type type, const void *elements, size_t i);
void mi_element_set_bits(enum mi_type type, void *elements, size_t i, uint64_t bits);
void mi_element_set(enum mi_type type, void *elements, size_t i, double number);
void mi_elements_to_floats(enum mi_type type, const void *elements, size_t n, float *out);
void mi_elements_from_floats(enum mi_type type, const float *numbers, size_t n, void *out);
float mi_double_to_float(double number);           /* beyond the largest float: infinity */

#endif
