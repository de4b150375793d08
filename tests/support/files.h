/* Files that a test writes. */
#ifndef MICA_TEST_FILES_H
#define MICA_TEST_FILES_H

#include <stddef.h>

void write_bytes(const char *path, const void *bytes, size_t size);
void write_text(const char *path, const char *text);

#endif
