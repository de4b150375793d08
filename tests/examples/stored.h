/* Files of pretrained models (third-party data). A test is skipped where one is not there, so it asks for them with shared_data
 * (support/files.h) before it makes anything that has to be freed. */
#ifndef MICA_TEST_STORED_H
#define MICA_TEST_STORED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "formats/model/safetensors.h"

#include <mica/mica.h>

struct stored {
    unsigned char *bytes;
    struct mi_safetensors file;
};

/* A .safetensors file, to be closed. */
void stored_open(struct stored *stored, const char *name);
void stored_close(struct stored *stored);

/* A tensor of `count` floats, the caller's to free. */
float *stored_tensor(const struct stored *stored, const char *name, size_t count);

/* A .npy file of rows of `width` floats, the caller's to free. */
float *stored_rows(const char *name, size_t width, size_t *rows);

/* A text, which ends with a 0; the caller's to free. */
char *stored_text(const char *name, size_t *size);

/* Fails where a variable has no such name or size. */
void stored_write(mica_model *model, const char *name, const float *values, size_t count);

/* The largest difference of two elements, as a part of the largest magnitude that is wanted. */
double stored_difference(const float *got, const float *wanted, size_t count);

#endif
