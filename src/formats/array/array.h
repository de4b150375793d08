/* Arrays as files hold them: an element type, a shape, an order, and the file's own bytes. */
#ifndef MICA_SRC_FORMATS_ARRAY_H
#define MICA_SRC_FORMATS_ARRAY_H

#include "base/types.h"

struct mi_array {
    enum mi_type type;
    int rank;
    int64_t dim[MICA_MAX_RANK];
    size_t count;              /* elements: the product of the dimensions, 1 for rank 0 */
    bool big_endian, fortran;
    const unsigned char *data; /* borrowed: count elements, not aligned */
};

/* Sets count from dim. false: a negative dimension or an overflow of count or its bytes. */
bool mi_array_count(struct mi_array *array);
size_t mi_array_row_elements(const struct mi_array *array); /* of dim[1...]; 1 for rank 0 and 1 */
/* Row i of dim[0], or the only one where the rank is 0, as floats or whole numbers in C order. */
void mi_array_row_floats(const struct mi_array *array, size_t row, float *out);
void mi_array_row_doubles(const struct mi_array *array, size_t row, double *out);
/* integers only; of a 1-D or (n, 1) array */
int64_t mi_array_integer(const struct mi_array *array, size_t element);

/* Element i of a plain little-endian run. */
double mi_array_number(enum mi_type type, const unsigned char *bytes, size_t i);
/* n elements of a plain little-endian run, as floats or as elements of another type. */
void mi_elements_convert(enum mi_type from, const unsigned char *bytes, size_t n, enum mi_type to, void *out);
void mi_floats_from(enum mi_type type, const unsigned char *bytes, size_t n, float *out);

/* Parsers of whole files: every size is checked against `size`. `place` begins error texts. */
typedef mica_status mi_array_parser(struct mi_error *error, const char *place, const unsigned char *bytes,
                                    size_t size, struct mi_array *out);
mi_array_parser mi_idx_parse;
mi_array_parser mi_npy_parse;
bool mi_is_idx(const unsigned char *bytes, size_t size); /* by its first bytes and its size */
bool mi_is_npy(const unsigned char *bytes, size_t size);

/* Writes n rows of `shape` (n alone where its rank is 0) as float32 .npy, atomically. */
mica_status mi_npy_write(struct mi_error *error, const char *path, const float *values,
                         const mica_shape *shape, int64_t n);

#endif
