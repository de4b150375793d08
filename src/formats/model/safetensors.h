/* safetensors: an 8-byte little-endian length, a JSON header of that length, and the tensors' bytes.
 * https://huggingface.co/docs/safetensors (the section on the format) */
#ifndef MICA_SRC_FORMATS_SAFETENSORS_H
#define MICA_SRC_FORMATS_SAFETENSORS_H

#include "formats/array/array.h"

struct mi_safetensor {
    const char *name;
    enum mi_type type;       /* MI_TYPES: counted and checked, but not read */
    const char *type_name;    /* as the file has it: "F32" */
    int rank;
    int64_t dim[MICA_MAX_RANK];
    size_t count;              /* elements */
    size_t offset, bytes;      /* of its data, from the file's first byte */
};

struct mi_metadata {
    const char *key, *value;
};

/* A file in memory: `data` is borrowed, everything else is the arena's. */
struct mi_safetensors {
    struct mi_arena arena;
    const unsigned char *data;
    struct mi_safetensor *tensors; /* in the order of the header */
    size_t count;
    struct mi_metadata *metadata;
    size_t metadata_count;
};

/* Checks every length and offset of the header against `size`. On error *out is empty. `place` begins error
 * texts. */
mica_status mi_safetensors_open(struct mi_error *error, const char *place, const unsigned char *bytes,
                                size_t size, struct mi_safetensors *out);
void mi_safetensors_close(struct mi_safetensors *file);
/* NULL: none */
const struct mi_safetensor *mi_safetensors_find(const struct mi_safetensors *file, const char *name);
/* NULL: none */
const char *mi_safetensors_metadata(const struct mi_safetensors *file, const char *key);
/* A tensor's values as elements of `type`; `count` must be its elements. */
mica_status mi_safetensors_read(struct mi_error *error, const char *place, const struct mi_safetensors *file,
                                const struct mi_safetensor *tensor, enum mi_type type, void *out, size_t count);

/* One tensor to write. Its elements are asked for when they are due, so that they need not all be in
 * memory: read(user, i, elements) fills `elements` for tensor i and returns a status, its error recorded. */
struct mi_safetensor_out {
    const char *name;
    mica_shape shape;          /* rank 0: a single number */
    const void *elements;      /* NULL: read is called */
    enum mi_type type;         /* float32 unless it is said */
};
struct mi_safetensors_out {
    const struct mi_safetensor_out *tensors;
    size_t count;
    const struct mi_metadata *metadata;
    size_t metadata_count;
    mica_status (*read)(void *user, size_t i, void *elements);
    void *user;
    const char *checksum;      /* the name of one number more, a hash of all bytes before it; NULL: there is none */
};
/* Whether a file that was written with a checksum is as it was. */
mica_status mi_safetensors_check(struct mi_error *error, const char *place, const struct mi_safetensors *file,
                                 size_t size, const char *checksum);
/* The format's name of a type that there is: "F32". */
const char *mi_safetensors_type(enum mi_type type);
/* Writes the file atomically. Names must differ. */
mica_status mi_safetensors_write(struct mi_error *error, const char *path,
                                 const struct mi_safetensors_out *what);

#endif
