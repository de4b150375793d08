/* Files that a test writes, and reads. */
#ifndef MICA_TEST_FILES_H
#define MICA_TEST_FILES_H

#include <stddef.h>

void write_bytes(const char *path, const void *bytes, size_t size);
void write_text(const char *path, const char *text);

/* A file of third-party data, of MICA_SHARED or the folder beside the repository; a plain skip where there is none. */
const char *shared_data(const char *name);

#endif
