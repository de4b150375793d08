/* Small files in a folder of their own that a test makes and leaves nothing of. */
#ifndef MICA_TESTS_SCRATCH_H
#define MICA_TESTS_SCRATCH_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "formats/formats.h"
#include "support/files.h"

int scratch_begin(void **state); /* group set-up and tear-down */
int scratch_end(void **state);
const char *scratch_path(const char *name); /* valid until the eighth call after it */
const char *scratch_write(const char *name, const void *bytes, size_t size);
const char *scratch_text(const char *name, const char *text);
const char *scratch_gzip(const char *name, const void *bytes, size_t size);

/* Fails unless `text` holds `part`, and is one line. */
void assert_says(const char *text, const char *part);
/* Fails, showing the error, unless the data are well. */
void assert_good(const mica_data *data);
/* The data must have failed, saying so. Destroys them. */
void assert_refused(mica_data *data, mica_status status, const char *part);
void assert_near(float a, float b);

/* The only input and the only target. */
static inline struct mi_field *input_of(const mica_data *data)
{
    return mi_data_field(data, MICA_INPUT, NULL);
}

static inline struct mi_field *target_of(const mica_data *data)
{
    return mi_data_field(data, MICA_TARGET, NULL);
}

/* What a model that was trained on the data would carry; freed at the end of the group. */
struct mi_prepared *prepared_of(const mica_data *data);

#endif
